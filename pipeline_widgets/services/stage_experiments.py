"""Bind stages to experiments: check what a stage is bound to, and let a copy take an experiment's place."""

from __future__ import annotations

from dataclasses import replace

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, FromAgent, Pipeline, Stage
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.names import validate_description, validate_name
from pipeline_widgets.domain.triggering import assess_fit, find_active_blockers, stage_label, trigger_error
from pipeline_widgets.errors import DoesNotFitError, ForeignError
from pipeline_widgets.persistence.store import UnitOfWork
from pipeline_widgets.services import history, pipeline_facts
from pipeline_widgets.services.experiments import duplicate as duplicate_experiment


def validate_binding(work: UnitOfWork, pipeline: Pipeline, stage: Stage, *, duplicate: bool) -> Stage:
    """Check what a stage is bound to; return it bound to a copy of its experiment where asked for."""
    if isinstance(stage, DeploymentStage):
        description = validate_description(stage.agent_description, "agent")
        return replace(
            stage, agent_name=validate_name(stage.agent_name, "agent"), agent_description=description
        )
    experiment = work.experiments.get(stage.experiment_id)
    if experiment.project_id != pipeline.project_id:
        raise ForeignError(
            f"Experiment {experiment.name!r} belongs to another project.",
            "A stage runs an experiment of its pipeline's project.",
            "Create the experiment in this project.",
        )
    if isinstance(stage.start, FromAgent):
        work.agents.get(stage.start.agent_id)
    if duplicate:
        return replace(stage, experiment_id=duplicate_experiment(work, experiment).id)
    return stage


def check_fit(work: UnitOfWork, pipeline: Pipeline, stage: Stage) -> None:
    """Refuse a stage whose experiment cannot start from what its source stage produces (spec 5.7)."""
    source = pipeline.source(stage.id)
    ids = {stage.id, source.id} if source else {stage.id}
    fit = assess_fit(pipeline, stage, pipeline_facts.load(work, pipeline, ids))
    if not fit.fits:
        what = f"The experiment does not fit as stage {pipeline.position(stage.id) + 1}."
        fix = "Choose an experiment that can start from there, or change the stage before it."
        raise DoesNotFitError(what, fit.reason, fix)


def find_owning_stage(work: UnitOfWork, experiment_id: int) -> tuple[Pipeline, ExperimentStage] | None:
    """Return the stage that an experiment belongs to; None without one, and where several share it."""
    homes = [
        (pipeline, stage)
        for pipeline in work.pipelines.using(experiment_id)
        for stage in pipeline.stages
        if isinstance(stage, ExperimentStage) and stage.experiment_id == experiment_id
    ]
    return homes[0] if len(homes) == 1 else None


def rebind_stage(
    work: UnitOfWork, original: Experiment, copy: Experiment, revision: int
) -> tuple[Pipeline, Stage] | None:
    """Bind the stage of an experiment that belongs to one to the copy of it.

    Raises:
        TriggerError: The stage, or the one before it, is active.
    """
    home = find_owning_stage(work, original.id)
    if home is None:
        return None
    before, stage = home
    known = pipeline_facts.load(work, before)
    if found := find_active_blockers(before, stage, known):
        raise trigger_error(stage_label(before, stage, known), found)
    after = _rebind(work, before, stage, copy, f"which resumes {quote(original.name)}", revision)
    return after, after.stage(stage.id)


def bind_copy(work: UnitOfWork, pipeline: Pipeline, stage_id: int, revision: int) -> None:
    """Bind an Experiment stage to a copy of its experiment, which has never run."""
    stage = pipeline.stage(stage_id)
    if isinstance(stage, ExperimentStage):
        original = work.experiments.get(stage.experiment_id)
        _rebind(
            work,
            pipeline,
            stage,
            duplicate_experiment(work, original),
            f"a copy of {quote(original.name)}",
            revision,
        )


def _rebind(
    work: UnitOfWork, before: Pipeline, stage: ExperimentStage, copy: Experiment, which: str, revision: int
) -> Pipeline:
    then = before.with_stage_replaced(replace(stage, experiment_id=copy.id)).pipeline
    snapshot = history.take_snapshot(work, before, then)
    after = work.pipelines.save(then, revision, before=before)
    number = before.position(stage.id) + 1
    sentence = f"Bound stage {number} to {quote(copy.name)}, {which}."
    history.record_edit(work, before, after, sentence, snapshot)
    return after
