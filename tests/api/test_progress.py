"""Waiting for runs, without waiting (spec 6.6)."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

import pytest
from factories.lab import Lab

import pipeline_widgets as pw
from pipeline_widgets.api import progress
from pipeline_widgets.errors import WaitTimeoutError


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that would have been made; time goes on by them at once."""
    pauses: list[float] = []
    now = 1000.0

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now + sum(pauses)

        @staticmethod
        def sleep(seconds: float) -> None:
            pauses.append(seconds)

    monkeypatch.setattr(progress, "time", Time)
    return pauses


def test_the_pauses_grow_to_a_limit(slept: list[float]) -> None:
    """A short run is seen at once, a long one costs few looks."""
    for _ in islice(progress.waiting(None, "It"), 20):
        pass
    assert slept[0] == progress.POLL_FIRST
    assert slept == sorted(slept)
    assert max(slept) == progress.POLL_LAST


def test_a_timeout_is_kept_to_the_moment(slept: list[float]) -> None:
    """Waiting ends when the time is over, neither before nor after."""
    looks = progress.waiting(1.5, "It")
    with pytest.raises(
        WaitTimeoutError, match=r"It has not finished. It had not finished after 1.5 s. It is still active"
    ):
        deque(looks, maxlen=0)
    assert sum(slept) == pytest.approx(1.5)


@pytest.mark.spec("6.6")
def test_a_chain_that_rests_is_not_waited_for(pipe: pw.Pipeline, finish: Any, slept: list[float]) -> None:
    """Waiting returns the pipeline at once when nothing is active."""
    assert pipe.wait() == pipe
    finish(pipe.stages[0].trigger(), 0.5)
    assert pipe.wait(timeout=0) == pipe
    assert slept == []


@pytest.mark.spec("6.6")
def test_waiting_lasts_until_the_whole_cascade_is_over(
    project: pw.Project, supervisor: Lab, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between two stages is no rest: the next one is Pending when the one before it is done."""
    pipe = project.create_pipeline("chain")
    for name, algorithm, trigger in (("a", "Imitate", "manual"), ("b", "Refine", "auto")):
        pipe.add_experiment_stage(project.create_experiment(name, algorithm=algorithm), trigger=trigger)
    run = pipe.stages[0].trigger()
    job = supervisor.take(supervisor.runs.get(run._id))
    jobs = [job]

    def carry_on(_: float) -> None:
        slept.append(0.1)
        if jobs:
            follower = supervisor.go_on(jobs.pop(), 0.5)
            jobs.extend([follower] if follower else [])

    monkeypatch.setattr(progress.time, "sleep", carry_on)
    pipe.wait(timeout=100)
    assert [stage.status for stage in pipe.stages] == [pw.Status.SUCCEEDED] * 2
    assert len(slept) == 2


@pytest.mark.spec("6.6")
def test_a_bar_is_shown_for_what_runs_while_one_waits(
    pipe: pw.Pipeline, supervisor: Lab, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the stage's name and follows the steps; what had ended before gets none."""
    shown: list[Any] = []

    class Bar:
        def __init__(self, name: str) -> None:
            self.name, self.total, self.n, self.text, self.open = name, None, 0, "", True
            shown.append(self)

        def reset(self, total: int) -> None:
            self.total = total

        def set_postfix_str(self, text: str) -> None:
            self.text = text

        def close(self) -> None:
            self.open = False

    monkeypatch.setattr(progress, "_new_bar", Bar)
    pipe.wait(progress=True)
    assert shown == []
    job = supervisor.started(supervisor.runs.get(pipe.stages[0].trigger()._id))
    supervisor.report(job, 5, 20)

    def end(_: float) -> None:
        supervisor.end(job)

    monkeypatch.setattr(progress.time, "sleep", end)
    pipe.wait(progress=True)
    (bar,) = shown
    assert (bar.name, bar.n, bar.total, bar.text, bar.open) == ("imitate", 5, 20, "Succeeded", False)
    pipe.wait(progress=True)
    assert len(shown) == 1
    job = supervisor.started(supervisor.runs.get(pipe.stages[0].trigger()._id))
    pipe.wait(progress=True)  # one that counts no steps, as a deployment, has its bar filled when it succeeds
    assert (shown[1].n, shown[1].total, shown[1].text) == (1, 1, "Succeeded")
    assert slept == []
