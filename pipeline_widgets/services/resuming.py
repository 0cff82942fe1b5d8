"""A copy of an experiment takes its place in a pipeline: to resume (spec 9.1), or to run anew (spec 5.7)."""

from __future__ import annotations

from dataclasses import replace

from pipeline_widgets.directions import quoted
from pipeline_widgets.domain.chain import ExperimentStage, Pipeline, Stage
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.triggering import busy, label, refusal
from pipeline_widgets.persistence.store import Work
from pipeline_widgets.services import facts, history
from pipeline_widgets.services.experiments import duplicate


def home_of(work: Work, experiment_id: int) -> tuple[Pipeline, ExperimentStage] | None:
    """Return the stage that an experiment belongs to; None without one, and where several share it."""
    homes = [
        (pipeline, stage)
        for pipeline in work.pipelines.using(experiment_id)
        for stage in pipeline.stages
        if isinstance(stage, ExperimentStage) and stage.experiment_id == experiment_id
    ]
    return homes[0] if len(homes) == 1 else None


def rebound(
    work: Work, original: Experiment, copy: Experiment, revision: int
) -> tuple[Pipeline, Stage] | None:
    """Bind the stage of an experiment that belongs to one to the copy of it.

    Raises:
        TriggerError: The stage, or the one before it, is active.
    """
    home = home_of(work, original.id)
    if home is None:
        return None
    before, stage = home
    known = facts.load(work, before)
    if found := busy(before, stage, known):
        raise refusal(label(before, stage, known), found)
    after = _bound(work, before, stage, copy, f"which resumes {quoted(original.name)}", revision)
    return after, after.stage(stage.id)


def with_copy(work: Work, pipeline: Pipeline, stage_id: int, revision: int) -> None:
    """Bind an Experiment stage to a copy of its experiment, which has never run."""
    stage = pipeline.stage(stage_id)
    if isinstance(stage, ExperimentStage):
        original = work.experiments.get(stage.experiment_id)
        _bound(
            work,
            pipeline,
            stage,
            duplicate(work, original),
            f"a copy of {quoted(original.name)}",
            revision,
        )


def _bound(
    work: Work, before: Pipeline, stage: ExperimentStage, copy: Experiment, which: str, revision: int
) -> Pipeline:
    then = before.replaced(replace(stage, experiment_id=copy.id)).pipeline
    kept = history.edit(work, before, then)
    after = work.pipelines.save(then, revision)
    number = before.position(stage.id) + 1
    history.edited(work, after, f"Bound stage {number} to {quoted(copy.name)}, {which}.", kept)
    return after
