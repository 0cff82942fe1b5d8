"""What resuming an experiment offers: checkpoints, a name, and what it will do to a pipeline (spec 9.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pipeline_widgets.directions import quoted
from pipeline_widgets.domain.experiment import Checkpoint, Choice, Experiment, choose
from pipeline_widgets.domain.names import copy_of
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.training import length_field, running
from pipeline_widgets.domain.triggering import busy, other_python
from pipeline_widgets.errors import NoCheckpointError
from pipeline_widgets.persistence.store import Store, Work
from pipeline_widgets.services import facts
from pipeline_widgets.services.resuming import home_of
from pipeline_widgets.services.views.glimpse import CheckpointRow, checkpoint_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What one run of an experiment saved, and which of it is Best and which Final."""

    run_id: int
    #: As in "run 3".
    run: str
    checkpoints: tuple[CheckpointRow, ...]
    best: int
    best_reason: str
    final: int
    final_reason: str
    #: The step at which the new experiment would end; None where that cannot be told.
    ends: int | None
    #: The field of its config that sets that; None where no field can be told.
    length: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeOffer:
    """What resuming an experiment offers."""

    experiment: Experiment
    #: A name that is free.
    name: str
    #: Each run that saved something, latest first.
    saved: tuple[Saved, ...]
    #: What happens to the pipeline that it belongs to; empty without one.
    warning: str
    #: Why it cannot be resumed now; empty where it can.
    obstacle: str


class ResumeOfferService:
    """What an experiment can go on from."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def offer(self, experiment_id: int) -> ResumeOffer:
        """Return the checkpoints to choose from, a name, and what a pipeline will do."""
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            runs = work.runs.of_experiment(experiment_id)
            saved = work.checkpoints.of_runs([run.id for run in runs])
            rows = dict(zip((each.id for each in saved), checkpoint_rows(work, saved), strict=True))
            warning, obstacle = _consequences(work, experiment)
            named = partial(work.experiments.named, experiment.project_id)
            name = copy_of(experiment.name, named, "resumed")
        by_run: dict[int, list[Checkpoint]] = {}
        for each in saved:
            by_run.setdefault(each.run_id, []).append(each)
        offered = [
            _saved(experiment, run, by_run[run.id], [rows[each.id] for each in by_run[run.id]])
            for run in reversed(runs)
            if run.id in by_run
        ]
        obstacle = obstacle or ("" if offered else "It has saved no checkpoint to go on from.")
        return ResumeOffer(
            experiment=experiment, name=name, saved=tuple(offered), warning=warning, obstacle=obstacle
        )

    def chosen(self, experiment_id: int, run_id: int, choice: Choice) -> Checkpoint:
        """Return the checkpoint of one of its runs that a choice means.

        Raises:
            NoCheckpointError: That run has none, or is not the experiment's.
        """
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            if work.runs.get(run_id).experiment_id != experiment_id:
                fix = "Choose one of its own runs."
                raise NoCheckpointError(f"Experiment {experiment.name!r} has no such run.", fix=fix)
            saved = work.checkpoints.of_runs([run_id])
        return choose(saved, choice, higher_is_better=experiment.spec.higher_is_better).checkpoint


def _consequences(work: Work, experiment: Experiment) -> tuple[str, str]:
    """Say what resuming does to a pipeline, and why it cannot be done now."""
    active = work.runs.active_of_experiments([experiment.id]).get(experiment.id)
    obstacle = running(active) if active else ""
    home = home_of(work, experiment.id)
    if home is None:
        shared = [repr(pipeline.name) for pipeline in work.pipelines.using(experiment.id)]
        if not shared:
            return "", obstacle
        told = f"It is used in several stages, of {' and '.join(shared)}: they stay bound to it."
        return f"{told} The new experiment is trained by itself.", obstacle
    pipeline, stage = home
    number = pipeline.position(stage.id) + 1
    told = f"It belongs to pipeline {quoted(pipeline.name)}."
    told += f" Stage {number} will be bound to the new experiment, and triggered."
    after = pipeline.after(stage.id)
    if after is not None and after.trigger == "auto":
        told += f" When it succeeds, stage {number + 1} starts automatically."
    known = facts.load(work, pipeline)
    reasons = [*busy(pipeline, stage, known), *other_python(known.of(stage.id))]
    return told, obstacle or " ".join(each.reason for each in reasons)


def _saved(
    experiment: Experiment, run: Run, checkpoints: Sequence[Checkpoint], rows: Sequence[CheckpointRow]
) -> Saved:
    higher = experiment.spec.higher_is_better
    best = choose(checkpoints, "best", higher_is_better=higher)
    final = choose(checkpoints, "final", higher_is_better=higher)
    ends, length = _end(experiment, run)
    return Saved(
        run_id=run.id,
        run=run.label,
        checkpoints=tuple(rows),
        best=best.checkpoint.step,
        best_reason=best.reason,
        final=final.checkpoint.step,
        final_reason=final.reason,
        ends=ends,
        length=length,
    )


def _end(experiment: Experiment, run: Run) -> tuple[int | None, str | None]:
    """Return at which step the experiment as it is now would end, and the field that sets it."""
    length = length_field(run.config, run.total)
    if length is not None:
        now = experiment.config.get(length)
        return (now if isinstance(now, int) else None), length
    return (run.total if run.config_digest == experiment.config_digest else None), None
