"""A view from which stages can be triggered: the plan first, and the trigger (spec 6.4)."""

from __future__ import annotations

from pipeline_widgets.domain.pipeline_run import RunGoal
from pipeline_widgets.widgets.base import Row, View
from pipeline_widgets.widgets.encoding import encode
from pipeline_widgets.widgets.pipeline_runs import pipeline_plan_row, start_pipeline_run


class TriggeringView(View):
    """A view with stages, or with experiments that belong to some."""

    def do_plan(self, stage: int, *, resume: bool = False) -> Row:
        """Return what a trigger will do, and whether it should be confirmed (spec 6.4)."""
        plan = self._services.runs.plan(stage, resume=resume)
        ran = not resume and self._services.states.ran_elsewhere(stage)
        return {**encode(plan), "duplicate": ran, "confirm": plan.to_be_confirmed or ran}

    def do_trigger(self, stage: int, *, resume: bool = False, duplicate: bool = False) -> Row:
        """Trigger a stage, or resume it; `duplicate` first gives it a copy of its experiment (spec 5.7)."""
        run = self._services.trigger(stage, resume=resume, duplicate=duplicate)
        self.refresh()
        self.show_triggered(stage)
        self._refresher.wake()
        return {"run": run.number}

    def do_plan_rerun(self, stage: int, *, run_through: bool = False) -> Row:
        """Return what running a stage again, and from there what turns stale, will do (spec 4.8)."""
        pipeline_id = self._services.pipelines.of_stage(stage).id
        return pipeline_plan_row(
            self._services, pipeline_id, RunGoal.UP_TO_DATE, run_through=run_through, from_stage=stage
        )

    def do_rerun(self, stage: int, *, run_through: bool = False, duplicate: bool = False) -> Row:
        """Run a stage again, and from there what turns stale."""
        started = start_pipeline_run(
            self._services,
            self._services.pipelines.of_stage(stage).id,
            RunGoal.UP_TO_DATE,
            stage,
            run_through=run_through,
            duplicate=duplicate,
            from_stage=stage,
        )
        self.refresh()
        self.show_triggered(stage)
        self._refresher.wake()
        return started

    def show_triggered(self, stage: int) -> None:
        """Lead to a stage that was triggered, where the view has such a place."""
