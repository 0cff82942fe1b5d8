"""What a stage is bound to: an experiment of its project, an agent, a start that fits."""

from __future__ import annotations

from dataclasses import replace

from pipeline_widgets.domain.chain import DeploymentStage, FromAgent, Pipeline, Stage
from pipeline_widgets.domain.names import described, trimmed
from pipeline_widgets.domain.triggering import fit
from pipeline_widgets.errors import DoesNotFitError, ForeignError
from pipeline_widgets.persistence.store import Work
from pipeline_widgets.services import facts
from pipeline_widgets.services.experiments import duplicate as duplicate_experiment


def bound(work: Work, pipeline: Pipeline, stage: Stage, *, duplicate: bool) -> Stage:
    """Check what a stage is bound to; return it bound to a copy of its experiment where asked for."""
    if isinstance(stage, DeploymentStage):
        description = described(stage.agent_description, "agent")
        return replace(stage, agent_name=trimmed(stage.agent_name, "agent"), agent_description=description)
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


def check_fit(work: Work, pipeline: Pipeline, stage: Stage) -> None:
    """Refuse a stage whose experiment cannot start from what its source stage produces (spec 5.7)."""
    source = pipeline.source(stage.id)
    ids = {stage.id, source.id} if source else {stage.id}
    verdict = fit(pipeline, stage, facts.load(work, pipeline, ids))
    if not verdict.fits:
        what = f"The experiment does not fit as stage {pipeline.position(stage.id) + 1}."
        fix = "Choose an experiment that can start from there, or change the stage before it."
        raise DoesNotFitError(what, verdict.reason, fix)
