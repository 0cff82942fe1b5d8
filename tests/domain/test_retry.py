"""Which runs are retried, from where, and why others are not (spec 6.12)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.values import NOON, a_checkpoint, a_run, a_version
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage
from pipeline_widgets.domain.retry import EndedRun, decide_retry, describe_retry
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.triggering import RunStart

STAGE = ExperimentStage(id=1, experiment_id=1, retries=2)


def crashed(step: int | None = 30, *, retry: int = 0, **values: object) -> Run:
    """Return a run of the stage that has crashed at a step."""
    made = a_run(7 + retry, status=Status.CRASHED)
    ended = replace(made, stage_id=1, experiment_id=1, step=step, retry=retry, started_at=NOON)
    return replace(ended, **values)  # pyright: ignore[reportArgumentType]


def ended(run: Run, *steps: int, start: RunStart | None = None, **values: object) -> EndedRun:
    """Return a run that has saved checkpoints at those steps."""
    made = EndedRun(
        run=run,
        stage=STAGE,
        start=start or RunStart(),
        saved=[a_checkpoint(step, run_id=run.id) for step in steps],
    )
    return replace(made, **values)  # pyright: ignore[reportArgumentType]


def reason(of: EndedRun) -> str:
    """Return why a run is not retried."""
    decision = decide_retry(of)
    assert decision is not None
    assert decision.start is None
    return decision.reason or ""


@pytest.mark.spec("6.12")
def test_a_crashed_run_is_retried_from_its_own_last_checkpoint() -> None:
    """It resumes there, and inherits what the crashed run consumed of the source stage."""
    start = RunStart(checkpoint=a_checkpoint(99), role="weights", source_checkpoint_id=4, source_run_id=3)
    decision = decide_retry(ended(crashed(), 20, 10, start=start))

    assert decision is not None
    assert decision.start is not None
    assert decision.start.checkpoint is not None
    assert (decision.start.checkpoint.step, decision.start.role) == (20, "resume")
    assert decision.start.resumed_run_id == 7
    assert (decision.start.source_checkpoint_id, decision.start.source_run_id) == (4, 3)


@pytest.mark.spec("6.12")
def test_a_run_that_saved_nothing_is_retried_from_where_it_began() -> None:
    """From scratch, from its source's checkpoint, from an agent, or from the run that it resumed itself."""
    agent = a_version(a_checkpoint(3))
    for start in (
        RunStart(),
        RunStart(checkpoint=a_checkpoint(20), role="weights", source_checkpoint_id=1, source_run_id=2),
        RunStart(checkpoint=agent.checkpoint, agent_version=agent, role="weights"),
        RunStart(checkpoint=a_checkpoint(20), role="resume", resumed_run_id=5),
    ):
        decision = decide_retry(ended(crashed(), start=start))
        assert decision is not None
        assert decision.start == start


@pytest.mark.spec("6.12")
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.CRASHED])
def test_nothing_but_a_crash_is_retried(status: Status) -> None:
    """A failure, a stop and a success say nothing of retries."""
    assert decide_retry(ended(crashed(status=status), 20)) is None


@pytest.mark.spec("6.12")
def test_without_retries_nothing_is_retried_or_said() -> None:
    """None is the default; a Deployment has none, nor has a run whose stage is gone or bound to another."""
    assert decide_retry(ended(crashed(), stage=replace(STAGE, retries=0))) is None
    assert decide_retry(ended(crashed(), stage=DeploymentStage(id=1, agent_name="a"))) is None
    assert decide_retry(ended(crashed(), stage=None)) is None
    assert decide_retry(ended(crashed(), stage=replace(STAGE, experiment_id=2))) is None


@pytest.mark.spec("6.12")
def test_a_run_that_was_asked_to_stop_or_never_began_says_why_it_is_not_retried() -> None:
    """A stop is a person's word; what never began has been launched twice."""
    assert reason(ended(crashed(), 20, was_stopping=True)) == "Not retried: it was asked to stop."
    assert reason(ended(crashed(started_at=None))) == "Not retried: it had not begun."


@pytest.mark.spec("6.12")
def test_a_stage_retries_as_often_as_it_says() -> None:
    """The second retry is the last of two, and the run after it says so."""
    assert reason(ended(crashed(retry=2), 40, retried=crashed(20))) == (
        "Not retried again: its stage allows 2 retries."
    )
    once = replace(STAGE, retries=1)
    assert reason(ended(crashed(retry=1), stage=once)) == "Not retried again: its stage allows 1 retry."


@pytest.mark.spec("6.12")
def test_a_run_that_crashes_twice_at_the_same_step_is_not_retried_again() -> None:
    """Nothing was gained: the next one would crash there, too."""
    resumed = RunStart(checkpoint=a_checkpoint(20), role="resume", resumed_run_id=7)
    again = ended(crashed(30, retry=1), start=resumed, retried=crashed(30))
    assert reason(again) == (
        "Not retried again: it crashed at step 30, as run 7 did, and had saved nothing since."
    )
    assert "before its first step" in reason(ended(crashed(None, retry=1), retried=crashed(None)))


@pytest.mark.spec("6.12")
def test_a_run_that_has_come_further_is_retried_again() -> None:
    """A later checkpoint, or a crash at another step: the cause is not that step."""
    resumed = RunStart(checkpoint=a_checkpoint(20), role="resume", resumed_run_id=7)
    for further in (
        ended(crashed(31, retry=1), start=resumed, retried=crashed(30)),
        ended(crashed(25, retry=1), start=resumed, retried=crashed(30)),
        ended(crashed(None, retry=1), start=resumed, retried=crashed(30)),
        ended(crashed(30, retry=1), 25, start=resumed, retried=crashed(30)),
        ended(crashed(30, retry=1), 10, retried=crashed(30)),
    ):
        decision = decide_retry(further)
        assert decision is not None
        assert decision.start is not None
    same = ended(crashed(30, retry=1), 20, start=resumed, retried=crashed(30))
    assert reason(same).startswith("Not retried again")  # it saved the step again that it began at


@pytest.mark.spec("6.12")
@given(steps=st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12), retries=st.integers(1, 8))
def test_retries_end(steps: list[tuple[int, bool]], retries: int) -> None:
    """However a training crashes, its stage has at most as many runs as it allows retries, and one."""
    run, before, start, count = crashed(None), None, RunStart(), 0
    for step, saves in steps:
        now = ended(
            replace(run, step=step),
            *([step] if saves else []),
            start=start,
            retried=before,
            stage=replace(STAGE, retries=retries),
        )
        decision = decide_retry(now)
        assert decision is not None
        assert (decision.start is None) == (decision.reason is not None)
        if decision.start is None:
            break
        before, start, count = now.run, decision.start, count + 1
        run = replace(run, id=run.id + 1, retry=run.retry + 1)
    assert count <= retries


def test_a_retry_names_its_number() -> None:
    """Of as many as its stage allows now, where that is still as many."""
    assert describe_retry(0, STAGE) == ""
    assert describe_retry(1, STAGE) == "Retry 1 of 2 after a crash."
    assert describe_retry(3, STAGE) == "Retry 3 after a crash."
    assert describe_retry(1, None) == "Retry 1 after a crash."
