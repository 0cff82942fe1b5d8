"""What the stage graph shows of each stage: a row with an id, small, since a chain may have a thousand."""

from __future__ import annotations

from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, Trigger
from pipeline_widgets.domain.checkpoint import is_finite
from pipeline_widgets.domain.run import RESUMABLE
from pipeline_widgets.services.queries.pipeline_state import PipelineState, StageState
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.steps import step_or_none


def stage_rows(state: PipelineState) -> list[Row]:
    """Return a row for each stage."""
    return [_row(each) for each in state.stages]


def _row(state: StageState) -> Row:
    """Return what is shown of a stage; what is empty is left out."""
    stage, run = state.stage, state.run
    row: Row = {
        "id": stage.id,
        "n": state.position + 1,
        "kind": "Deployment" if isinstance(stage, DeploymentStage) else "Experiment",
        "name": state.name,
        "status": str(state.status),
        "auto": stage.trigger is Trigger.AUTO,
        "active": state.status.active,
        "locked": f"Stage {state.position + 1} is {state.status.lower()}. Stop it first."
        if state.status.active
        else None,
        "resumable": state.status in RESUMABLE and isinstance(stage, ExperimentStage),
        "experiment": stage.experiment_id if isinstance(stage, ExperimentStage) else None,
        "stale": list(state.staleness.reasons) if state.staleness.stale else None,
        "accepted": state.accepted,
        "held": state.held,
        "blockers": list(state.blockers),
        "score": state.score if is_finite(state.score) else None,
        "run": run.number if run else None,
        "step": step_or_none(run.step) if run and state.status.active else None,
        "total": step_or_none(run.total) if run and state.status.active else None,
    }
    return {key: value for key, value in row.items() if not _is_empty(value)}


def _is_empty(value: object) -> bool:
    return value is None or value is False or value == []
