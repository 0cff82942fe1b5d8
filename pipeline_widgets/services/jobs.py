"""The job of a run: all that a supervisor and its worker need of the rows, in one value."""

from __future__ import annotations

from pathlib import Path

from pipeline_widgets.domain.chain import ExperimentStage, Pipeline, Trigger
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.compatibility import STOP_WITHIN
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.job import FreezeRequest, Job, ScoreRequest
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.run_record import RunCode
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services.code_references import CodeReferences, find_code_references, find_scoring
from pipeline_widgets.services.run_queue import find_start


def create_stored_job(store: Store, work: UnitOfWork, run: Run, token: str) -> Job:
    """Return the job of a run by what its row holds."""
    pipeline = work.pipelines.get(run.pipeline_id) if run.pipeline_id and run.stage_id else None
    start = find_start(work, run)
    references = find_code_references(work, pipeline, run.experiment_id, run.algorithm_id, start)
    return create_job(store, work, run, token, pipeline=pipeline, start=start, references=references)


def create_job(
    store: Store,
    work: UnitOfWork,
    run: Run,
    token: str,
    *,
    pipeline: Pipeline | None,
    start: Checkpoint | None,
    references: CodeReferences,
    experiment: Experiment | None = None,
) -> Job:
    """Return the job of a run, with what is known already: its pipeline, start, code and experiment."""
    after = pipeline.after(run.stage_id) if pipeline and run.stage_id else None
    freeze = _request_freeze(store, work, run, pipeline, start)
    scoring = find_scoring(work, run, references)
    return Job(
        run_id=run.id,
        project_id=run.project_id,
        kind=run.kind,
        token=token,
        folder=str(store.run_folder(run.id)),
        remote=store.artifact_store.url,
        reference=references.algorithm,
        config=run.config,
        seed=run.seed,
        signature=run.signature,
        start=start,
        start_role=run.start_role,
        code=run.code or RunCode(),
        adopted=_find_adopted(work, start, freeze, scoring),
        freeze=freeze,
        scoring=scoring,
        stop_within=_stop_within(work, run, experiment),
        launcher=run.launcher,
        gpus=None if run.gpus is None else tuple(run.gpus),
        starts_next_stage=after is not None and after.trigger is Trigger.AUTO,
    )


def _request_freeze(
    store: Store, work: UnitOfWork, run: Run, pipeline: Pipeline | None, start: Checkpoint | None
) -> FreezeRequest | None:
    parent = str(store.agents_folder)
    if run.is_deployment:
        maker = None if start is None else work.runs.get(start.run_id).trained_experiment_id
        left_out = () if maker is None else work.experiments.get(maker).spec.training_only
        return FreezeRequest(parent=parent, name=run.config["agent_name"], training_only=left_out)
    stage = pipeline.stage(run.stage_id) if pipeline and run.stage_id else None
    if pipeline is None or not isinstance(stage, ExperimentStage) or not stage.auto_add_agent:
        return None
    from pipeline_widgets.services import pipeline_facts  # noqa: PLC0415  not before Running

    experiment = work.experiments.get(run.trained_experiment_id)
    return FreezeRequest(
        parent=parent,
        name=f"{pipeline.name[:110]} - {pipeline.position(stage.id) + 1} {experiment.name[:110]}",
        higher_is_better=experiment.spec.higher_is_better,
        training_only=experiment.spec.training_only,
        inherited=pipeline_facts.lineage(work, run),
    )


def _find_adopted(
    work: UnitOfWork, start: Checkpoint | None, freeze: FreezeRequest | None, scoring: ScoreRequest | None
) -> frozenset[str]:
    """Return the folders outside of the workspace that a job may read, since this user has adopted them."""
    read = [*([start] if start else []), *(freeze.inherited if freeze else ())]
    read += [target.checkpoint for target in (scoring.targets if scoring else ())]
    outside = (each for each in read if not Path(each.path).is_relative_to(work.root))
    return frozenset(each.path for each in outside if work.trust.is_vouched_for(each.path, each.digest))


def _stop_within(work: UnitOfWork, run: Run, experiment: Experiment | None) -> float:
    if run.experiment_id is None:
        return STOP_WITHIN
    return (experiment or work.experiments.get(run.experiment_id)).spec.stop_within
