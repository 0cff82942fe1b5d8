"""Run a pipeline from its builder or from the list of pipelines (spec 4.8)."""

from __future__ import annotations

from pipeline_widgets.application import Services
from pipeline_widgets.domain.pipeline_run import RunGoal
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode, encode_fields


def pipeline_plan_row(
    services: Services,
    pipeline_id: int,
    goal: str,
    *,
    run_through: bool,
    start_over: bool = False,
    from_stage: int | None = None,
) -> Row:
    """Return the plan of a run of a pipeline, and whether it should be confirmed."""
    made = services.pipeline_runs.plan(
        pipeline_id,
        RunGoal(goal),
        run_through=run_through,
        start_over=start_over,
        from_stage=from_stage,
    )
    shown = encode_fields(made, "resume", "resumable", "manual", "reason")
    ran = made.stage_id is not None and not made.resume and services.states.ran_elsewhere(made.stage_id)
    return {
        **shown,
        "stage": made.stage_id,
        "plan": encode(made.plan),
        "duplicate": ran,
        "confirm": made.to_be_confirmed or ran,
    }


def start_pipeline_run(
    services: Services,
    pipeline_id: int,
    goal: str,
    stage: int,
    *,
    run_through: bool,
    duplicate: bool,
    start_over: bool = False,
    from_stage: int | None = None,
) -> Row:
    """Run a pipeline as the plan said that a person has seen; `stage` is the one that runs first."""
    run = services.run_pipeline(
        pipeline_id,
        RunGoal(goal),
        run_through=run_through,
        start_over=start_over,
        duplicate=duplicate,
        from_stage=from_stage,
        expected_stage=stage,
    )
    return {"run": run.number}
