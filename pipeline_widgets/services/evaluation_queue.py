"""Evaluations as runs: which checkpoints one scores, frozen into its row, and how a worker opens them."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.job import Job, ScoreReport, ScoreRequest, ScoreTarget
from pipeline_widgets.domain.run import Run, trained_experiment_ids
from pipeline_widgets.persistence.store import UnitOfWork

EVALUATOR, CHECKPOINTS = "evaluator", "checkpoints"  # what the config of an evaluation names


def enqueue_evaluation(
    work: UnitOfWork, project_id: int, evaluator: str, checkpoint_ids: Iterable[int], revision: int
) -> Run:
    """Insert a Pending evaluation of checkpoints."""
    config: dict[str, Any] = {EVALUATOR: evaluator, CHECKPOINTS: list(checkpoint_ids)}
    common: dict[str, Any] = {"project_id": project_id, "revision": revision, "seed": 0, "signature": {}}
    return work.runs.add(kind="evaluation", config=config, home=platform.node(), **common)


def checkpoints_of(run: Run) -> tuple[int, ...]:
    """Return the ids of the checkpoints that an evaluation scores."""
    return tuple(run.config[CHECKPOINTS])


def evaluator_of(run: Run) -> str:
    """Return the name of the evaluator by which an evaluation scores."""
    return str(run.config[EVALUATOR])


def request_of(work: UnitOfWork, run: Run) -> ScoreRequest:
    """Return what a worker needs to score the checkpoints of an evaluation.

    Raises:
        UntrustedError: This user has not signed the code of the evaluator or of an algorithm.
    """
    name = evaluator_of(run)
    spec = work.evaluators.get(name).spec
    saved = work.checkpoints.by_id(checkpoints_of(run))
    makers, experiments = find_makers(work, saved.values())
    code: dict[tuple[int, int], AlgorithmReference] = {}
    targets: list[ScoreTarget] = []
    for key in checkpoints_of(run):
        if (checkpoint := saved.get(key)) is None:
            continue
        maker = makers[checkpoint.run_id]
        experiment = experiments[maker.trained_experiment_id]
        place = (experiment.algorithm_id, maker.id)
        if spec.takes == "predictor" and place not in code:
            code[place] = work.experiments.reference(*place)
        label = label_checkpoint(checkpoint, maker, experiment)
        targets.append(ScoreTarget(checkpoint=checkpoint, label=label, reference=code.get(place)))
    return ScoreRequest(spec=spec, reference=work.evaluators.reference(name), targets=tuple(targets))


def find_makers(
    work: UnitOfWork, checkpoints: Iterable[Checkpoint]
) -> tuple[Mapping[int, Run], Mapping[int, Experiment]]:
    """Return the runs that have saved checkpoints, and the experiments of these, by id."""
    runs = work.runs.by_id({each.run_id for each in checkpoints})
    return runs, work.experiments.by_id(trained_experiment_ids(runs.values()))


def label_checkpoint(checkpoint: Checkpoint, maker: Run, experiment: Experiment) -> str:
    """Return how a sentence names a checkpoint: "step 600 of run 2 of 'sft'"."""
    return f"step {checkpoint.step} of {maker.label} of {quote(experiment.name)}"


def find_active_evaluations(work: UnitOfWork, checkpoint_ids: Collection[int]) -> dict[int, list[Run]]:
    """Return, by checkpoint, the evaluations that are scoring it or are about to."""
    asked, found = frozenset(checkpoint_ids), dict[int, list[Run]]()
    for run in work.runs.active_evaluations():
        for key in asked & set(checkpoints_of(run)):
            found.setdefault(key, []).append(run)
    return found


def keep_scores(work: UnitOfWork, job: Job, scored: Iterable[ScoreReport]) -> None:
    """Keep the scores of checkpoints that are still there, by whoever saved them."""
    told = list(scored)
    own = work.checkpoints.at_steps(job.run_id, {each.step for each in told if each.checkpoint_id is None})
    others = work.checkpoints.by_id([each.checkpoint_id for each in told if each.checkpoint_id is not None])
    for each in told:
        checkpoint = own.get(each.step) if each.checkpoint_id is None else others.get(each.checkpoint_id)
        if checkpoint is None or job.scoring is None:
            continue
        work.evaluators.put_score(
            checkpoint_id=checkpoint.id,
            saved_by=checkpoint.run_id,
            step=checkpoint.step,
            evaluator=each.evaluator,
            value=each.value,
            spread=each.spread,
            metrics=dict(each.metrics),
            code=job.scoring.reference.digest,
            run_id=job.run_id,
        )
