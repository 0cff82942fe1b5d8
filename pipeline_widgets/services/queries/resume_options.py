"""The options for resuming an experiment: checkpoints, a name, and the effects on a pipeline (spec 9.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.checkpoint import Checkpoint, Choice, choose_checkpoint
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.experiment_actions import describe_running, length_field
from pipeline_widgets.domain.names import name_copy
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.triggering import find_active_blockers, find_python_blockers
from pipeline_widgets.errors import NoCheckpointError
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.queries.run_detail import CheckpointOption, CheckpointRow, checkpoint_rows
from pipeline_widgets.services.stage_experiments import find_owning_stage


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumableRun:
    """The checkpoints of one run of an experiment, and which are Best and Final."""

    run_id: int
    #: As in "run 3".
    run: str
    checkpoints: tuple[CheckpointRow, ...]
    best: CheckpointOption
    final: CheckpointOption
    #: The step at which the new experiment would end; None where that cannot be told.
    ends: int | None
    #: The field of its config that sets that; None where no field can be told.
    length: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeOptions:
    """The options for resuming an experiment."""

    experiment: Experiment
    #: A name that is free.
    name: str
    #: Each run that saved something, latest first.
    saved: tuple[ResumableRun, ...]
    #: What happens to the pipeline that it belongs to; empty without one.
    warning: str
    #: Why it cannot be resumed now; empty where it can.
    blocker: str


class ResumeOptionsQueries:
    """The checkpoints that an experiment can be resumed from."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find_options(self, experiment_id: int) -> ResumeOptions:
        """Return the checkpoints to choose from, a name, and what a pipeline will do."""
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            runs = work.runs.of_experiment(experiment_id)
            saved = work.checkpoints.of_runs([run.id for run in runs])
            rows = dict(zip((each.id for each in saved), checkpoint_rows(work, saved), strict=True))
            warning, blocker = _consequences(work, experiment)
            named = partial(work.experiments.named, experiment.project_id)
            name = name_copy(experiment.name, named, "resumed")
        by_run: dict[int, list[Checkpoint]] = {}
        for each in saved:
            by_run.setdefault(each.run_id, []).append(each)
        offered = [
            _list_checkpoints(experiment, run, by_run[run.id], [rows[each.id] for each in by_run[run.id]])
            for run in reversed(runs)
            if run.id in by_run
        ]
        blocker = blocker or ("" if offered else "It has saved no checkpoint to resume from.")
        return ResumeOptions(
            experiment=experiment, name=name, saved=tuple(offered), warning=warning, blocker=blocker
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
            saved = work.checkpoints.deciding_of(run_id, [choice] if isinstance(choice, int) else ())
        return choose_checkpoint(saved, choice, higher_is_better=experiment.spec.higher_is_better).checkpoint


def _consequences(work: UnitOfWork, experiment: Experiment) -> tuple[str, str]:
    """Say what resuming does to a pipeline, and why it cannot be done now."""
    active = work.runs.active_of_experiments([experiment.id]).get(experiment.id)
    blocker = describe_running(active) if active else ""
    home = find_owning_stage(work, experiment.id)
    if home is None:
        shared = [repr(pipeline.name) for pipeline in work.pipelines.using(experiment.id)]
        if not shared:
            return "", blocker
        told = f"It is used in several stages, of {' and '.join(shared)}: they stay bound to it."
        return f"{told} The new experiment is trained on its own.", blocker
    pipeline, stage = home
    number = pipeline.position(stage.id) + 1
    told = f"It belongs to pipeline {quote(pipeline.name)}."
    told += f" Stage {number} will be bound to the new experiment, and triggered."
    after = pipeline.after(stage.id)
    if after is not None and after.trigger == "auto":
        told += f" When it succeeds, stage {number + 1} starts automatically."
    known = pipeline_facts.load(work, pipeline)
    reasons = [
        *find_active_blockers(pipeline, stage, known),
        *find_python_blockers(known.for_stage(stage.id)),
    ]
    return told, blocker or " ".join(each.reason for each in reasons)


def _list_checkpoints(
    experiment: Experiment, run: Run, checkpoints: Sequence[Checkpoint], rows: Sequence[CheckpointRow]
) -> ResumableRun:
    higher = experiment.spec.higher_is_better
    best = choose_checkpoint(checkpoints, "best", higher_is_better=higher)
    final = choose_checkpoint(checkpoints, "final", higher_is_better=higher)
    ends, length = _end(experiment, run)
    return ResumableRun(
        run_id=run.id,
        run=run.label,
        checkpoints=tuple(rows),
        best=CheckpointOption(step=best.checkpoint.step, reason=best.reason),
        final=CheckpointOption(step=final.checkpoint.step, reason=final.reason),
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
