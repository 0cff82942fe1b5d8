"""Messages about runs to a real server: sent with no kernel, tried again, never in the way (spec 6.15)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Generator

import pytest
from benches import Bench, until
from listeners import Listener

import pipeline_widgets as pw
from pipeline_widgets.api.notification import Notice
from pipeline_widgets.domain import notice as rules
from pipeline_widgets.execution import notifier


@pytest.fixture
def listener() -> Generator[Listener]:
    """Yield a server that takes messages."""
    made = Listener()
    yield made
    made.close()


def told(run: pw.Run | None) -> Notice:
    """Return the only message about a run."""
    assert run is not None
    (found,) = run.notices
    return found


@pytest.mark.spec("6.15")
def test_a_chain_is_told_once_each_and_in_order(bench: Bench, listener: Listener) -> None:
    """Two stages that succeed: two messages, with plain text and what is known of the run."""
    shown = bench.ws.notify(listener.url, on={"succeeded"})
    pipe = bench.chain({}, {})
    pipe.stages[0].trigger()
    pipe.wait(60)
    until(lambda: len(listener.taken) >= 2)
    until(lambda: all(told(stage.run).status == "sent" for stage in pipe.stages))

    assert listener.titles == ["chain 0: stage 1 (e0) succeeded", "chain 0: stage 2 (e1) succeeded"]
    assert "Run 1, project 'Bench', best score 3, step 3 of 3, took" in listener.taken[0]["message"]
    assert (told(pipe.stages[0].run).attempts, listener.asked) == (1, 2)
    assert "hush-hush" not in repr(shown) + repr(bench.ws.notifications) + repr(told(pipe.stages[0].run))
    assert "hush-hush" not in (bench.ws.artifacts / "notices.log").read_text()


@pytest.mark.spec("6.15")
def test_a_failure_is_told_by_its_error_and_no_html_comes_of_it(bench: Bench, listener: Listener) -> None:
    """The error's own characters arrive as they are."""
    bench.ws.notify(listener.url)
    bench.chain({"act": "raise"}).stages[0].trigger().wait(30)
    until(lambda: len(listener.taken) == 1)

    assert listener.titles == ["chain 0: stage 1 (e0) failed"]
    assert "ValueError: the loss is <b>not</b> a number" in listener.taken[0]["message"]
    assert "Traceback" not in listener.taken[0]["message"]


@pytest.mark.spec("6.15")
def test_a_message_comes_when_the_kernel_is_gone(bench: Bench, listener: Listener) -> None:
    """The process that has triggered the run ends at once."""
    bench.ws.notify(listener.url)
    bench.chain({"steps": 30, "pause": 0.05})
    code = f"""
        import pipeline_widgets as pw
        ws = pw.Workspace({bench.ws._services.store.database.url!r})
        ws.projects[0].pipelines[0].stages[0].trigger()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
    began = time.monotonic()
    while not listener.taken and time.monotonic() - began < 60:  # nothing here looks at the workspace
        time.sleep(0.05)

    assert listener.titles == ["chain 0: stage 1 (e0) succeeded"]


@pytest.mark.spec("6.15")
def test_a_server_that_is_down_changes_nothing_but_the_notice(bench: Bench, listener: Listener) -> None:
    """The chain ends as ever; the reason is kept without the password, and the notice waits."""
    listener.close()
    bench.ws.notify(listener.url)
    pipe = bench.chain({}, {})
    pipe.stages[0].trigger()
    pipe.wait(60)
    until(lambda: told(pipe.stages[0].run).error is not None)

    assert [stage.status for stage in pipe.stages] == ["Succeeded", "Succeeded"]
    first = told(pipe.stages[0].run)
    assert (first.status, first.attempts) == ("waiting", 1)
    assert "error" in (first.error or "").lower()
    assert "hush-hush" not in (first.error or "")
    assert "127.0.0.1" not in (first.error or "")


@pytest.mark.spec("6.15")
def test_a_server_that_refuses_is_asked_again_until_it_takes_the_message(
    bench: Bench, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 twice, then 200: one message, three attempts."""
    monkeypatch.setattr(rules, "PAUSES", (0.2, 0.2, 0.2))
    listener.answers = 500
    notices = bench.ws._services.notices
    bench.ws.notify(listener.url)
    run = bench.chain({}).stages[0].trigger()
    run.wait(30)
    until(lambda: listener.asked == 1 and told(run).error is not None)
    bench.end_notifiers()
    with bench.ws._services.store.write() as work:  # due now, and this process sends
        kept = work.notices.of_run(run._id)[0]
        work.notices.settle(kept, error=kept.error, due_at=work.now)
    taken = notices.claim()
    assert taken is not None
    notices.settle(taken, notifier.send(taken))
    assert "500" in (told(run).error or "")
    listener.answers = 200
    notifier.run(notices)

    assert (told(run).status, told(run).attempts, len(listener.taken)) == ("sent", 3, 1)


@pytest.mark.spec("6.15")
def test_a_slow_server_delays_no_chain(bench: Bench, listener: Listener) -> None:
    """Five stages end while the first message is still on its way."""
    listener.slow = 8.0
    bench.ws.notify(listener.url)
    pipe = bench.chain({}, {}, {}, {}, {})
    pipe.stages[0].trigger()
    until(lambda: listener.asked >= 1, timeout=60)
    pipe.wait(60)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 5
    assert told(pipe.stages[0].run).status == "waiting"  # its server has not answered yet
    until(lambda: len(listener.taken) >= 1, timeout=30)


@pytest.mark.spec("6.15")
def test_a_server_that_never_answers_counts_as_failed(
    bench: Bench, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the limit the sender goes on."""
    monkeypatch.setattr(notifier, "ANSWER_WITHIN", 0.5)
    listener.slow = 5.0
    notices = bench.ws._services.notices
    notices.add(listener.url, "stopped")
    run = _stopped_before_it_began(bench)
    taken = notices.claim()
    assert taken is not None
    assert taken.run_id == run._id

    began = time.monotonic()
    assert notifier.send(taken) == "The server did not take it within 0 s."
    assert time.monotonic() - began < 3.0


def _stopped_before_it_began(bench: Bench) -> pw.Run:
    """Return a run that was Stopped while it was Pending."""
    stage = bench.chain({}).stages[0]
    run = bench.ws._services.runs.trigger(stage._id)
    bench.ws._services.runs.stop(run.id)
    found = stage.run
    assert found is not None
    return found


@pytest.mark.spec("6.15", "6.9")
def test_what_was_given_up_is_told_by_whoever_gives_it_up(quick: Bench, listener: Listener) -> None:
    """The supervisor is killed with its machine's other processes: the message comes nevertheless."""
    quick.ws.notify(listener.url, on={"crashed"})
    run = quick.chain({"steps": 10_000, "pause": 0.01}).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    os.kill(quick.supervisor(run).pid, signal.SIGKILL)
    until(lambda: run.status == "Crashed")
    until(lambda: told(run).status == "sent", timeout=40)

    assert listener.titles == ["chain 0: stage 1 (e0) crashed"]
    assert "is gone" in listener.taken[0]["message"]


@pytest.mark.spec("6.15")
def test_targets_are_checked_when_they_are_added(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Apprise has to know them, and no error quotes them whole; a removed one is told no longer."""
    with pytest.raises(pw.ConfigError, match="nosuch://s") as refused:
        bench.ws.notify("nosuch://secret-topic")
    assert "secret-topic" not in str(refused.value) + caplog.text
    made = bench.ws.notify("ntfy://secret-topic", on={"held"})
    assert (made.target, made.on) == ("ntfy://s****", {"held"})
    assert [each.summary() for each in bench.ws.notifications] == [{"target": "ntfy://s****", "on": "held"}]
    made.delete()
    assert len(bench.ws.notifications) == 0


@pytest.mark.sqlite
@pytest.mark.spec("6.15")
def test_a_copy_of_a_workspace_tells_nobody(bench: Bench) -> None:
    """The original tells of its runs itself, and the copy's owner may be another person."""
    bench.ws.notify("ntfy://secret-topic", on={"stopped"})
    _stopped_before_it_began(bench)
    copy = pw.Workspace(bench.ws.backup(bench.folder / "copy"))

    assert len(copy.notifications) == 0
    assert copy._services.notices.seconds_until_due() is None
    assert len(bench.ws.notifications) == 1
    copy.close()
