"""Runs that an engine with a queue places: a launcher of a third party, by its entry point (spec 11.2)."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import queue_engine
from benches import QUICK, Bench, end_all, until

from pipeline_widgets.domain.engine_job import JobState
from pipeline_widgets.execution import engine_jobs
from pipeline_widgets.testing import ChainSuite, LauncherSuite

pytestmark = pytest.mark.spec("11.2")
LONG = {"steps": 100_000, "pause": 0.01}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> queue_engine.QueueLauncher:
    """An engine, whose launcher this process and all that it starts find."""
    site = queue_engine.install(tmp_path / "site")
    support = Path(__file__).parents[1] / "support"
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(support)]))
    monkeypatch.setattr(engine_jobs, "ASK_EVERY", 0.2)
    (tmp_path / "queue").mkdir()
    return queue_engine.QueueLauncher(f"queue://{tmp_path / 'queue'}")


@pytest.fixture
def placed(tmp_path: Path, engine: queue_engine.QueueLauncher) -> Iterator[Bench]:
    """A workspace whose runs are placed by the engine, and given up after 1.5 s of silence."""
    made = Bench(tmp_path, QUICK, launcher=engine.describe().name)
    yield made
    end_all(made)


class TestQueue(LauncherSuite):
    """The launcher of the tests' own engine holds what every launcher has to hold."""

    @pytest.fixture(autouse=True)
    def _engine(self, engine: queue_engine.QueueLauncher) -> None:
        type(self).launcher_name = engine.describe().name


@pytest.mark.slow
@pytest.mark.spec("6.9")
class TestChains(ChainSuite):
    """Chains that the engine places, whatever dies meanwhile."""

    @pytest.fixture(autouse=True)
    def _engine(self, engine: queue_engine.QueueLauncher) -> None:
        type(self).launcher_name = engine.describe().name


def test_a_chain_goes_on_in_one_job(placed: Bench, engine: queue_engine.QueueLauncher) -> None:
    """Stages of one placement are one job; rows say which."""
    pipe = placed.chain({}, {}, {})
    pipe.stages[0].trigger()
    pipe.wait(60)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    (job,) = engine.jobs
    rows = [placed.row(stage.run) for stage in pipe.stages if stage.run]
    assert [(row.launcher, row.job) for row in rows] == [(engine.describe().name, job)] * 3


def test_a_job_that_waits_is_left_alone_and_says_for_what(
    placed: Bench, engine: queue_engine.QueueLauncher
) -> None:
    """However long; once it may begin, it does, and once."""
    (engine.folder / "hold").touch()
    run = placed.chain({}).stages[0].trigger()
    until(lambda: placed.row(run).waits is not None or placed.ws.reconcile() is not None)
    assert placed.row(run).waiting_for == f"Resources (Queue job {engine.jobs[0]})"

    engine.release()
    assert run.wait(60).status == "Succeeded"
    assert placed.row(run).waiting_for is None
    assert len(engine.jobs) == 1


def test_a_run_whose_job_its_engine_suspends_waits_and_goes_on(
    placed: Bench, engine: queue_engine.QueueLauncher
) -> None:
    """It says so for as long as that takes, and is not given up after the grace."""
    run = placed.chain({"steps": 300, "pause": 0.01}).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0, 60)
    (job,) = engine.jobs
    engine.suspend(job)
    until(lambda: run.waits is not None)
    assert run.waits == f"Queue, which has suspended it (Queue job {job})"
    time.sleep(2 * QUICK.grace)
    (engine.folder / "down").touch()  # nor where it does not answer for a while
    time.sleep(QUICK.grace)
    (engine.folder / "down").unlink()
    assert (run.status, run.waits is None) == ("Running", False)

    engine.resume(job)
    until(lambda: run.waits is None)
    assert run.wait(60).status == "Succeeded"


def test_a_stop_ends_a_job_that_its_engine_has_suspended(
    placed: Bench, engine: queue_engine.QueueLauncher
) -> None:
    """It could not read of the stop: its engine lets it end."""
    run = placed.chain(LONG).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0, 60)
    engine.suspend(engine.jobs[0])
    until(lambda: run.waits is not None)
    run.stop()
    assert run.wait(60).status == "Stopped"


def test_a_run_that_is_stopped_while_it_waits_leaves_no_job(
    placed: Bench, engine: queue_engine.QueueLauncher
) -> None:
    """Its place in the queue is given back."""
    (engine.folder / "hold").touch()
    run = placed.chain({}).stages[0].trigger()
    run.stop()
    assert run.status == "Stopped"
    until(lambda: engine.status(engine.jobs[0]).reason == "CANCELLED")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "killed"])
def test_a_job_that_its_engine_ends_is_crashed_in_the_words_of_the_engine(
    placed: Bench, engine: queue_engine.QueueLauncher, how: signal.Signals
) -> None:
    """A time limit is no stop by a user, whether the training may save or not."""
    run = placed.chain(LONG).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0, 60)
    engine.end(engine.jobs[0], "TIMEOUT", how)

    assert run.wait(60).status == "Crashed"
    assert "TIMEOUT" in (run.error or ""), run.error
    assert len(run.checkpoints) > 0


@pytest.mark.spec("6.12")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "killed"])
def test_what_its_engine_ends_is_retried_as_another_job(
    placed: Bench, engine: queue_engine.QueueLauncher, how: signal.Signals
) -> None:
    """From its last checkpoint; the job that ends begins nothing any more."""
    pipe = placed.chain(LONG)
    pipe.stages[0].update(retries=1)
    first = pipe.stages[0].trigger()
    until(lambda: first.status == "Running" and len(first.checkpoints) > 0, 60)
    engine.end(engine.jobs[0], "PREEMPTED", how)
    until(lambda: first.status == "Crashed", 60)

    until(lambda: pipe.stages[0].status == "Running" and len(engine.jobs) == 2, 60)
    second = pipe.stages[0].run
    assert second is not None
    assert (second.retry, second.start_checkpoint) == (1, first.checkpoints[-1])
    assert placed.row(second).job == engine.jobs[1]
    second.stop()
    assert second.wait(60).status == "Stopped"


def test_stages_of_other_resources_are_other_jobs(placed: Bench, engine: queue_engine.QueueLauncher) -> None:
    """What has the same goes on in the same job; the supervisor itself gives the next one to the engine."""
    pipe = placed.chain({}, {}, {}, {})
    pipe.stages[2].update(resources={"gpu": 1})
    pipe.stages[3].update(resources={"gpu": 1})
    pipe.stages[0].trigger()
    until(lambda: len(placed.ws._services.runs.of_stage(pipe.stages[3]._id)) == 1, 60)  # nobody looks
    pipe.wait(60)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 4
    rows = [placed.row(stage.run) for stage in pipe.stages if stage.run]
    first, second = engine.jobs
    assert [(row.job, row.resources) for row in rows] == [
        (first, None), (first, None), (second, {"gpu": 1}), (second, {"gpu": 1}),
    ]  # fmt: skip


def test_an_engine_that_does_not_answer_loses_nothing(
    placed: Bench, engine: queue_engine.QueueLauncher
) -> None:
    """Neither what waits nor what works is launched again or given up."""
    (engine.folder / "hold").touch()
    waiting = placed.chain({}).stages[0].trigger()
    (engine.folder / "down").touch()
    for _ in range(5):
        placed.ws.reconcile()
    assert waiting.status == "Pending"
    (engine.folder / "down").unlink()
    engine.release()
    assert waiting.wait(60).status == "Succeeded"
    assert len(engine.jobs) == 1


def test_a_stage_whose_engine_cannot_run_it_is_crashed_and_not_kept_waiting(
    placed: Bench, engine: queue_engine.QueueLauncher
) -> None:
    """An engine that answers, and lacks what a run needs, is no engine that does not answer."""
    pipe = placed.chain({"steps": 100, "pause": 0.05}, {})
    pipe.stages[1].update(resources={"gpu": 1})
    first = pipe.stages[0].trigger()
    until(lambda: first.status == "Running", 60)
    (engine.folder / "bare").touch()

    assert first.wait(60).status == "Succeeded"
    until(lambda: pipe.stages[1].status == "Crashed", 60)
    second = pipe.stages[1].run
    assert second is not None
    assert second.error == "The queue can run nothing. Its folder has a file named bare. Delete that file."
    assert len(engine.jobs) == 1


def test_a_job_that_ends_before_it_has_begun_is_launched_once_more(
    placed: Bench, engine: queue_engine.QueueLauncher
) -> None:
    """And then the run is Crashed, in the words of the engine and with the end of the job's log."""
    (engine.folder / "broken").touch()
    run = placed.chain({}).stages[0].trigger()
    assert run.wait(60).status == "Crashed"
    assert len(engine.jobs) == 2
    assert "launched 2 times and ended each time" in (run.error or "")
    assert "FAILED 3" in (run.error or "")
    assert "no such module" in (run.error or "")


def test_a_deployment_after_it_is_launched_at_home(placed: Bench, engine: queue_engine.QueueLauncher) -> None:
    """The endpoint is for the machine of the notebook: its run is a process of it, and of no engine's job."""
    pipe = placed.chain({})
    pipe.add_deployment_stage("agent", trigger="auto")
    first = pipe.stages[0].trigger()
    until(lambda: placed.row(first).status.finished, 60)  # nobody looks meanwhile
    until(lambda: not any(engine.status(job).state is JobState.AT_WORK for job in engine.jobs))
    waiting = placed.ws._services.runs.of_stage(pipe.stages[1]._id)[0]
    assert (waiting.status, waiting.waits) == ("Pending", os.uname().nodename)
    pipe.wait(120)
    last = pipe.stages[1].run
    assert last is not None
    assert last.status == "Succeeded", last.error
    assert placed.row(last).launcher is None
    assert placed.row(last).home == os.uname().nodename
    placed.ws.agents[0].disconnect()
    assert len(engine.jobs) == 1
