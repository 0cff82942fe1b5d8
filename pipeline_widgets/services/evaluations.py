"""Evaluations: score checkpoints by an evaluator, in processes of their own (spec 7.9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.evaluator import (
    EvaluatorDeclaration,
    EvaluatorScore,
    EvaluatorSpec,
    find_refusal,
)
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.python_version import foreign_fix, foreign_reason
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import CheckpointError, ForeignError, TriggerError
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.persistence.repositories.base import require
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.evaluation_queue import (
    enqueue_evaluation,
    evaluator_of,
    find_makers,
    label_checkpoint,
)
from pipeline_widgets.services.run_queue import check_readable


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationStart:
    """The state of a request to score checkpoints."""

    #: The evaluation; None where there is nothing to score.
    run: Run | None
    #: Why checkpoints are not scored, by their labels.
    refused: Mapping[str, str] = field(default_factory=dict[str, str])
    #: The labels of checkpoints whose score is of an earlier version of the evaluator's code.
    outdated: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """A score as a table shows it."""

    score: EvaluatorScore
    experiment: str
    #: The number of the run that saved the checkpoint.
    run: int


class EvaluationService:
    """Score checkpoints by evaluators."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, declared: EvaluatorDeclaration) -> None:
        """Keep an evaluator as this process has it now, where that is new."""
        with self._store.read() as work:
            known = work.evaluators.find(declared.spec.name)
        if known is None or (known.spec, known.digest) != (declared.spec, declared.reference.digest):
            with self._store.write() as work:
                work.evaluators.keep(declared)

    def start(
        self, project_id: int, evaluator: str, checkpoint_ids: Sequence[int], *, again: bool = False
    ) -> EvaluationStart:
        """Write a Pending evaluation of those checkpoints, which whoever comes next launches.

        A checkpoint that cannot be scored is left out, with the reason; the others are scored.

        Args:
            project_id: The project.
            evaluator: The name of an evaluator that the workspace keeps.
            checkpoint_ids: The checkpoints, in the order in which they are scored.
            again: Whether those that have a score get a new one.

        Raises:
            EvaluatorNotFoundError: The workspace has no such evaluator.
            TriggerError: Its code needs another Python.
            ForeignError: A checkpoint is of another project.
            NotFoundError: A checkpoint is gone.
        """
        with self._store.write() as work:
            known = work.evaluators.get(evaluator)
            if (why := foreign_reason(known.python)) is not None:
                raise TriggerError(
                    f"{evaluator!r} cannot score.", why, foreign_fix(known.python, "@pw.evaluator")
                )
            saved = work.checkpoints.by_id(checkpoint_ids)
            wanted = [saved.get(key) or require(None, "checkpoint") for key in dict.fromkeys(checkpoint_ids)]
            makers, experiments = find_makers(work, wanted)
            _check_project(project_id, experiments.values())
            codes = work.evaluators.codes(evaluator, saved)
            busy = _find_busy(work, evaluator)
            chosen: list[int] = []
            refused: dict[str, str] = {}
            outdated: list[str] = []
            for each in wanted:
                maker = makers[each.run_id]
                experiment = experiments[maker.trained_experiment_id]
                label = label_checkpoint(each, maker, experiment)
                reason = _refusal(known.spec, each, experiment, busy, self._store)
                if reason is not None:
                    refused[label] = reason
                elif again or each.id not in codes:
                    chosen.append(each.id)
                elif codes[each.id] != known.digest:
                    outdated.append(label)
            run = None
            if chosen:
                revision = work.projects.touch(project_id)
                run = enqueue_evaluation(work, project_id, evaluator, chosen, revision)
        return EvaluationStart(run=run, refused=refused, outdated=tuple(outdated))

    def of_project(self, project_id: int) -> tuple[Run, ...]:
        """Return the evaluations of a project, oldest first."""
        with self._store.read() as work:
            return work.runs.evaluations(project_id)

    def of_checkpoint(self, checkpoint_id: int) -> tuple[EvaluatorScore, ...]:
        """Return the scores of a checkpoint, by the name of the evaluator."""
        with self._store.read() as work:
            return work.evaluators.scores_of_checkpoints([checkpoint_id])

    def scores(self, run_ids: Collection[int]) -> tuple[EvaluatorScore, ...]:
        """Return all scores of what runs have saved, by run and step."""
        with self._store.read() as work:
            return work.evaluators.scores_of_runs(run_ids)

    def rows(self, evaluator: str, checkpoint_ids: Sequence[int]) -> tuple[ScoreRow, ...]:
        """Return the scores of checkpoints by one evaluator, in the order of the checkpoints."""
        place = {key: at for at, key in enumerate(checkpoint_ids)}
        with self._store.read() as work:
            scores = [
                each
                for each in work.evaluators.scores_of_checkpoints(checkpoint_ids)
                if each.evaluator == evaluator
            ]
            runs = work.runs.by_id({each.saved_by for each in scores})
            experiments = work.experiments.by_id({each.trained_experiment_id for each in runs.values()})
        return tuple(
            ScoreRow(
                score=each,
                experiment=experiments[runs[each.saved_by].trained_experiment_id].name,
                run=runs[each.saved_by].number,
            )
            for each in sorted(scores, key=lambda each: place[each.checkpoint_id])
        )

    def experiments_of(self, checkpoint_ids: Collection[int]) -> tuple[Experiment, ...]:
        """Return the experiments that have saved checkpoints; those that are gone are left out."""
        with self._store.read() as work:
            _, experiments = find_makers(work, work.checkpoints.by_id(checkpoint_ids).values())
        return tuple(experiments[key] for key in sorted(experiments))

    def checkpoints_of_runs(self, run_ids: Collection[int]) -> tuple[int, ...]:
        """Return the ids of what runs have saved, by run and step."""
        with self._store.read() as work:
            return work.checkpoints.ids_of_runs(run_ids)

    def checkpoints_of_project(self, project_id: int) -> tuple[int, ...]:
        """Return the ids of all that runs of a project have saved, by run and step."""
        with self._store.read() as work:
            runs = [run.id for run in work.runs.of_project(project_id) if run.is_training]
        return self.checkpoints_of_runs(runs)

    def checkpoints_of_pipeline(self, pipeline_id: int) -> tuple[int, ...]:
        """Return the ids of what the stages of a pipeline offer to those after them, stage by stage."""
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            known = pipeline_facts.load(work, pipeline, consumption=False)
            offered = pipeline_facts.list_offered(work, known)
        return tuple(each.id for stage in pipeline.stages for each in offered[stage.id])


def _check_project(project_id: int, experiments: Collection[Experiment]) -> None:
    if any(each.project_id != project_id for each in experiments):
        why = "An evaluation scores what is in one project."
        raise ForeignError("This checkpoint belongs to another project.", why, "Evaluate it there.")


def _find_busy(work: UnitOfWork, evaluator: str) -> dict[int, Run]:
    """Return, by experiment, the evaluation that is scoring its checkpoints by the same evaluator."""
    busy: dict[int, Run] = {}
    for run in work.runs.active_evaluations():
        if evaluator_of(run) == evaluator:
            _, experiments = find_makers(work, work.checkpoints.by_id(run.config["checkpoints"]).values())
            busy |= dict.fromkeys(experiments, run)
    return busy


def _refusal(
    spec: EvaluatorSpec,
    checkpoint: Checkpoint,
    experiment: Experiment,
    busy: Mapping[int, Run],
    store: Store,
) -> str | None:
    """Return why a checkpoint cannot be scored now; None where it can."""
    if (reason := find_refusal(spec, experiment.spec)) is not None:
        return reason
    if (run := busy.get(experiment.id)) is not None:
        return f"{quote(spec.name)} is scoring checkpoints of its experiment already: {run.label}."
    try:
        check_readable(artifacts.folder_of(checkpoint), store)
    except CheckpointError as error:
        return str(error)
    if store.artifact_store.may_have(checkpoint.path):
        return None
    return f"Its folder {checkpoint.path} is missing."
