"""The code of a worker: the references to a run's algorithm and to the evaluator that scores it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.job import ScoreRequest, ScoreTarget
from pipeline_widgets.domain.run import Run
from pipeline_widgets.persistence.store import UnitOfWork

if TYPE_CHECKING:
    from pipeline_widgets.domain.evaluator import EvaluatorSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeReferences:
    """The code of a worker; empty for a deployment."""

    algorithm: AlgorithmReference | None = None
    #: The evaluator by which the pipeline scores what the algorithm makes.
    spec: EvaluatorSpec | None = None
    evaluator: AlgorithmReference | None = None


def find_code_references(
    work: UnitOfWork,
    pipeline: Pipeline | None,
    experiment_id: int | None,
    algorithm_id: int | None,
    start: Checkpoint | None,
) -> CodeReferences:
    """Return where a worker finds the code of a run: its algorithm, that of its start, its evaluator.

    Raises:
        UntrustedError: This user has not signed that code.
    """
    if algorithm_id is None or experiment_id is None:
        return CodeReferences()
    found = CodeReferences(
        algorithm=work.experiments.reference(algorithm_id, start.run_id if start else None)
    )
    if pipeline is None or pipeline.score_by is None:
        return found
    spec = work.evaluators.get(pipeline.score_by).spec
    if not spec.accepts_from(work.experiments.get(experiment_id).spec):
        return found  # such a stage goes by its own scores
    return replace(found, spec=spec, evaluator=work.evaluators.reference(spec.name))


def find_scoring(work: UnitOfWork, run: Run, references: CodeReferences) -> ScoreRequest | None:
    """Return what the worker of a run is to score by an evaluator."""
    if run.kind == "evaluation":
        from pipeline_widgets.services import evaluation_queue  # noqa: PLC0415  not before Running

        return evaluation_queue.request_of(work, run)
    if references.spec is None or references.evaluator is None:
        return None
    from pipeline_widgets.services import pipeline_facts  # noqa: PLC0415  not before Running

    inherited = pipeline_facts.lineage(work, run) if run.resumed_run_id is not None else ()
    scores = work.evaluators.scores_of_checkpoints([each.id for each in inherited])
    known = {each.checkpoint_id: each.value for each in scores if each.evaluator == references.spec.name}
    targets = tuple(ScoreTarget(checkpoint=each, label=f"step {each.step}") for each in inherited)
    return ScoreRequest(spec=references.spec, reference=references.evaluator, targets=targets, known=known)
