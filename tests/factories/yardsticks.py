"""Evaluators of workspaces in which no process runs: a test gives the scores."""

from __future__ import annotations

from typing import Literal

from factories.lab import CHILD, Lab
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.evaluator import EvaluatorDeclaration, EvaluatorSpec
from pipeline_widgets.domain.job import Job, ScoreReport
from pipeline_widgets.domain.run import Run
from pipeline_widgets.services.evaluations import EvaluationService

EXACT = "exact answers"


def keep(
    lab: Lab,
    name: str = EXACT,
    *,
    accepts: str = "lm",
    score: Literal["max", "min"] = "max",
    path: str = "nowhere:exact",
) -> EvaluationService:
    """Let the workspace have an evaluator; return the service of evaluations."""
    spec = EvaluatorSpec(name=name, accepts=frozenset({accepts}), score=score)
    service = EvaluationService(lab.store)
    service.keep(EvaluatorDeclaration(spec=spec, reference=AlgorithmReference(path=path)))
    return service


def a_score(step: int, value: float, *, checkpoint_id: int | None = None, name: str = EXACT) -> ScoreReport:
    """Return what a worker tells of a score."""
    return ScoreReport(
        checkpoint_id=checkpoint_id, step=step, evaluator=name, value=value, spread=0.01, metrics={"n": 4.0}
    )


def score(lab: Lab, job: Job, *scores: float, name: str = EXACT) -> None:
    """Report scores of what a run has saved, in the order of the steps."""
    saved = lab.runs.checkpoints(job.run_id)
    told = [a_score(each.step, value, name=name) for each, value in zip(saved, scores, strict=True)]
    lab.supervision.record(job, Batch(scored=told))


def train(lab: Lab, run: Run, reported: list[float], scored: list[float]) -> Job | None:
    """Carry out a run that reports some scores, and gets others by its pipeline's evaluator."""
    return go_on(lab, lab.take(run), reported, scored)


def go_on(lab: Lab, job: Job, reported: list[float], scored: list[float]) -> Job | None:
    """Carry out a run that is leased already; the return is the job of the next stage."""
    lab.supervision.record_start(job, CHILD)
    first = job.start.step if job.start and job.start_role == "resume" else 0
    for number, value in enumerate(reported, start=1):
        lab.save(job, first + 10 * number, value)
    score(lab, job, *scored)
    return lab.end(job)
