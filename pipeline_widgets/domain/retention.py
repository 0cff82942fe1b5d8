"""Decide which checkpoints can be deleted without losing anything that somebody may ask for (spec 8.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pipeline_widgets.domain.checkpoint import Checkpoint, choose_checkpoint
from pipeline_widgets.domain.run import RESUMABLE, Run
from pipeline_widgets.errors import ConfigError

#: Why a checkpoint that was freed is on disk still.
UNDELETED = "its files could not be deleted"
#: Why one is kept whose row names a folder outside of the workspace.
OUTSIDE_WORKSPACE = "its files are outside of this workspace"
Keep = Literal["best+final", "best", "final", "all"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCheckpoints:
    """A run with what it saved and, before it, what the runs that it resumed had saved."""

    run: Run
    experiment: str
    higher_is_better: bool
    lineage: tuple[Checkpoint, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionDecision:
    """Whether a checkpoint is kept, and why; without a reason it is freed."""

    checkpoint: Checkpoint
    experiment: str
    #: Counted from 1 for each experiment.
    run: int
    reasons: tuple[str, ...]

    @property
    def is_kept(self) -> bool:
        """Whether it stays."""
        return bool(self.reasons)


def parse_keep(value: str) -> Keep:
    """Return what is to be kept of each run.

    Raises:
        ConfigError: It is none of the options.
    """
    for known in get_args(Keep):
        if value == known:
            return known
    raise ConfigError(
        f"{value!r} keeps nothing that is known.", fix=f"Use one of {', '.join(get_args(Keep))}."
    )


def decide_retention(
    runs: Sequence[RunCheckpoints],
    keep: Keep,
    users: Mapping[int, Sequence[str]],
    chosen: Mapping[int, Sequence[str]],
) -> tuple[RetentionDecision, ...]:
    """Return what becomes of each checkpoint that runs saved, in the order of the runs.

    Args:
        runs: The runs of a project.
        keep: What is kept of each run even if nobody uses it.
        users: What uses a checkpoint now, by its id: runs that consumed it, agents.
        chosen: Which stages would start from a checkpoint if they were triggered now, by its id.
    """
    kept: dict[int, list[str]] = {}
    for saved in runs:
        for key, reason in _of_run(saved, keep):
            kept.setdefault(key, []).append(reason)
    for found in (users, chosen):
        for key, reasons in found.items():
            kept.setdefault(key, []).extend(reasons)
    return tuple(
        RetentionDecision(
            checkpoint=checkpoint,
            experiment=saved.experiment,
            run=saved.run.number,
            reasons=tuple(dict.fromkeys(kept.get(checkpoint.id, ()))),
        )
        for saved in runs
        for checkpoint in saved.lineage
        if checkpoint.run_id == saved.run.id
    )


def _of_run(saved: RunCheckpoints, keep: Keep) -> list[tuple[int, str]]:
    """Return the checkpoints that are kept of a run for its own sake, with the reason."""
    run, lineage = saved.run, saved.lineage
    own = [each for each in lineage if each.run_id == run.id]
    if run.status.active:
        return [(each.id, f"{run.label} is {run.status.lower()}") for each in lineage]
    if keep == "all":
        return [(each.id, "all are kept") for each in own]
    if not lineage:
        return []
    found: list[tuple[int, str]] = []
    if keep in {"best", "best+final"}:
        best = choose_checkpoint(lineage, "best", higher_is_better=saved.higher_is_better).checkpoint
        found.append((best.id, f"best of {run.label}"))
    final = choose_checkpoint(lineage, "final", higher_is_better=saved.higher_is_better).checkpoint
    if keep in {"final", "best+final"}:
        found.append((final.id, f"final of {run.label}"))
    elif run.status in RESUMABLE:
        found.append((final.id, f"{run.label} can be resumed from it"))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherFiles:
    """Files in a run's folder beside its checkpoints, such as a library's own output."""

    run_id: int
    path: str
    #: Bytes of the file, or of all files in the folder.
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CleanUpSummary:
    """The decisions of a clean-up about an experiment, or about all."""

    experiment: str
    checkpoints: int
    size: int
    freed: int
    freed_size: int


def summarize_by_experiment(found: Sequence[RetentionDecision]) -> tuple[CleanUpSummary, ...]:
    """Return what is freed of each experiment, the most bytes first."""
    of: dict[str, list[RetentionDecision]] = {}
    for each in found:
        of.setdefault(each.experiment, []).append(each)
    counted = (summarize_clean_up(mine, experiment) for experiment, mine in of.items())
    return tuple(sorted(counted, key=lambda each: each.freed_size, reverse=True))


def summarize_clean_up(found: Collection[RetentionDecision], experiment: str = "") -> CleanUpSummary:
    """Return how many checkpoints and bytes are freed."""
    gone = list_deletable(found)
    return CleanUpSummary(
        experiment=experiment,
        checkpoints=len(found),
        size=sum(each.checkpoint.size for each in found),
        freed=len(gone),
        freed_size=sum(each.size for each in gone),
    )


def list_deletable(found: Collection[RetentionDecision]) -> tuple[Checkpoint, ...]:
    """Return the checkpoints that go."""
    return tuple(each.checkpoint for each in found if not each.is_kept)
