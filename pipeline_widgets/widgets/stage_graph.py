"""The rows of the stage graph: small, since a chain may have a thousand stages."""

from __future__ import annotations

from pipeline_widgets.domain.chain import STOP_FIRST, ExperimentStage, Trigger, describe_active
from pipeline_widgets.services.queries.pipeline_state import PipelineState, StageState
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode_fields


def stage_rows(state: PipelineState) -> list[Row]:
    """Return a row for each stage."""
    return [_row(each) for each in state.stages]


def _row(state: StageState) -> Row:
    """Return the row of a stage, without its empty fields."""
    stage, run = state.stage, state.run
    row: Row = {
        **encode_fields(state, "name", "status", "accepted", "held", "blockers", "score", "resumable"),
        "algorithm": state.algorithm,
        "source": None if state.source in (None, state.position - 1) else state.source + 1,
        "id": stage.id,
        "n": state.position + 1,
        "kind": stage.type,
        "auto": stage.trigger is Trigger.AUTO,
        "active": state.status.active,
        "locked": f"{describe_active(state.position, state.status)} {STOP_FIRST}"
        if state.status.active
        else None,
        "experiment": stage.experiment_id if isinstance(stage, ExperimentStage) else None,
        "stale": list(state.staleness.reasons) if state.staleness.stale else None,
        "run": run.number if run else None,
        "waits": run.waiting_for if run else None,
        **(encode_fields(run, "step", "total") if run and state.status.active else {}),
    }
    return {key: value for key, value in row.items() if not _is_empty(value)}


def _is_empty(value: object) -> bool:
    return value is None or value is False or value == []
