"""Running whole pipelines: from the stage that is next, or from the first that is stale (spec 4.8)."""

from __future__ import annotations

from dataclasses import replace

from pipeline_widgets.domain.pipeline_run import PipelinePlan, RunGoal, make_pipeline_plan, pipeline_run_error
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import StaleWriteError
from pipeline_widgets.persistence.store import Store
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.runs import RunService
from pipeline_widgets.services.stage_trigger import TriggerOptions, describe_folder_of


class PipelineRunService:
    """Plan runs of pipelines, and start them.

    Args:
        store: The workspace.
        runs: What triggers stages.
    """

    def __init__(self, store: Store, runs: RunService) -> None:
        self._store = store
        self._runs = runs

    def plan(
        self,
        pipeline_id: int,
        goal: RunGoal = RunGoal.NEXT,
        *,
        run_through: bool = False,
        start_over: bool = False,
        from_stage: int | None = None,
    ) -> PipelinePlan:
        """Return the plan of a run of a pipeline.

        Args:
            pipeline_id: The pipeline.
            goal: What the run is for.
            run_through: Whether Manual stages on the way are started too.
            start_over: Whether a stage that could be resumed begins again.
            from_stage: The stage to begin with; None takes the first that the goal asks for.
        """
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            facts = pipeline_facts.load(work, pipeline)
        made = make_pipeline_plan(
            pipeline,
            facts,
            goal,
            run_through=run_through,
            start_over=start_over,
            from_stage=from_stage,
        )
        if made.plan is None or made.stage_id is None or not made.resume:
            return made
        note = describe_folder_of(facts, made.stage_id, resume=True)
        notes = (*made.plan.notes, *filter(None, [note]))
        return replace(made, plan=replace(made.plan, notes=notes))

    def start(
        self,
        pipeline_id: int,
        goal: RunGoal = RunGoal.NEXT,
        *,
        run_through: bool = False,
        start_over: bool = False,
        from_stage: int | None = None,
        expected_stage: int | None = None,
        options: TriggerOptions | None = None,
    ) -> Run:
        """Start a run of the first stage of the plan; what follows is kept with it, and needs no kernel.

        Args:
            pipeline_id: The pipeline.
            goal: What the run is for.
            run_through: Whether Manual stages on the way are started too.
            start_over: Whether a stage that could be resumed begins again.
            from_stage: The stage to begin with; None takes the first that the goal asks for.
            expected_stage: The stage that was first in the plan that a person has seen.
            options: How the first stage is triggered, but for whether it resumes.

        Raises:
            TriggerError: There is nothing to do, or the first stage cannot start now.
            StaleWriteError: Another stage is first by now.
            ConfigError: Its algorithm, as this process has it, refuses its config.
            CheckpointError: What it would start from is missing or corrupt.
            ConflictError: Another process has triggered it at the same moment.
        """
        made = self.plan(
            pipeline_id, goal, run_through=run_through, start_over=start_over, from_stage=from_stage
        )
        if expected_stage is not None and made.stage_id not in {None, expected_stage}:
            what = "The pipeline has moved on since the plan was made."
            raise StaleWriteError(what, "Another stage is next by now.", "Look at the new plan.")
        if made.stage_id is None or made.reason:
            with self._store.read() as work:
                raise pipeline_run_error(work.pipelines.get(pipeline_id), made, from_stage)
        asked = options or TriggerOptions()
        return self._runs.trigger(
            made.stage_id, replace(asked, resume=made.resume, run_through=made.run_through)
        )
