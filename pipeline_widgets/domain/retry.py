"""Whether a run that has crashed is retried, and from where (spec 6.12)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline_widgets.domain.chain import ExperimentStage, Stage
from pipeline_widgets.domain.checkpoint import Checkpoint, choose_checkpoint
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.triggering import RunStart


@dataclass(frozen=True, kw_only=True, slots=True)
class EndedRun:
    """A run that has just ended, with all that decides whether it is retried."""

    run: Run
    #: The stage that it belongs to, with its settings now; None where it belongs to none.
    stage: Stage | None
    #: What it started from, frozen.
    start: RunStart
    #: The checkpoints that it saved itself.
    saved: Sequence[Checkpoint] = ()
    #: The crashed run that it was a retry of.
    retried: Run | None = None
    #: Whether it was asked to stop before it ended.
    was_stopping: bool = False


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """The start of the retry of a run, or why there is none."""

    start: RunStart | None = None
    #: One sentence that begins with "Not retried"; None where the run is retried.
    reason: str | None = None


def decide_retry(ended: EndedRun) -> RetryDecision | None:
    """Decide whether a run is retried; None where nobody has asked for that, or it did not crash.

    A training that raises, a config that is refused and a stop end a run as Failed or Stopped: they are
    never retried. A run that never began has been launched twice already.
    """
    run, stage = ended.run, ended.stage
    if run.status is not Status.CRASHED or not isinstance(stage, ExperimentStage) or not stage.retries:
        return None
    if stage.experiment_id != run.experiment_id:
        return None
    if ended.was_stopping:
        return RetryDecision(reason="Not retried: it was asked to stop.")
    if run.started_at is None:
        return RetryDecision(reason="Not retried: it had not begun.")
    if run.retry >= stage.retries:
        return RetryDecision(reason=f"Not retried again: its stage allows {count_retries(stage.retries)}.")
    if ended.retried is not None and not _has_advanced(ended):
        where = "before its first step" if run.step is None else f"at step {run.step}"
        return RetryDecision(
            reason=f"Not retried again: it crashed {where}, as {ended.retried.label} did, and had saved "
            "nothing since."
        )
    return RetryDecision(start=_resume(ended))


def count_retries(retries: int) -> str:
    """Return a number of retries in words: "1 retry", "2 retries"."""
    return "1 retry" if retries == 1 else f"{retries} retries"


def describe_retry(retry: int, stage: Stage | None) -> str:
    """Return which retry of its stage a run is: "Retry 1 of 2 after a crash."; empty for none.

    Args:
        retry: How many runs that crashed come before it.
        stage: Its stage as it is now; None where that is gone.
    """
    if not retry:
        return ""
    allowed = stage.retries if isinstance(stage, ExperimentStage) else 0
    of = f" of {allowed}" if allowed >= retry else ""
    return f"Retry {retry}{of} after a crash."


def _has_advanced(ended: EndedRun) -> bool:
    """Return whether a retry crashed at another step than the run before it, or has saved a later step.

    A retry begins at the last checkpoint of the run before it, so only its own can be later ones.
    """
    if ended.retried is None or ended.run.step != ended.retried.step:
        return True
    begun = ended.start.checkpoint.step if ended.start.checkpoint and ended.start.role == "resume" else None
    return any(begun is None or each.step > begun for each in ended.saved)


def _resume(ended: EndedRun) -> RunStart:
    """Return where the retry begins: at the run's own last checkpoint, or where the run itself began."""
    if not ended.saved:
        return ended.start
    last = choose_checkpoint(tuple(ended.saved), "final", higher_is_better=True).checkpoint
    return replace(
        ended.start,
        checkpoint=last,
        agent_version=None,
        role="resume",
        reason=f"resumed at step {last.step}",
        resumed_run_id=ended.run.id,
    )
