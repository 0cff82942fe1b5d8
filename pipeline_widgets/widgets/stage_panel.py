"""What the panel shows of one stage: its settings in sentences, and its latest run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.chain import DeploymentStage, FromAgent, FromScratch, Stage, Trigger
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.services.queries.pipeline_state import PipelineState, StageState
from pipeline_widgets.services.queries.run_detail import CheckpointRow, MetricCurve, RunDetail
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.steps import points_down, step_down, step_or_none

DRAWN = 30  # metrics that come with their curve; of the others the last value is shown
LISTED = 50  # checkpoints, the latest ones; a run may have saved thousands
DIGITS = 5  # of a curve's values, which are drawn in pixels


def panel_row(
    state: StageState,
    run_detail: RunDetail | None,
    whole: PipelineState | None = None,
    agent: Agent | None = None,
) -> Row:
    """Return what the panel shows of a stage.

    Args:
        state: The stage.
        run_detail: Its latest run; None where it has never run.
        whole: Its pipeline, so that sentences can name other stages.
        agent: What the latest run has deployed; None where that is gone, or nothing was deployed.
    """
    stage = state.stage
    return {
        "stage": stage.id,
        "settings": _settings(state, _source(stage, whole), _before(state, whole)),
        "reasons": list(state.staleness.reasons),
        "accepted": (state.accepted or "") if state.staleness.accepted else None,
        "run": {**_run(run_detail), "served": _served(agent)} if run_detail else None,
    }


def _settings(state: StageState, source: str, before: str) -> list[str]:
    """Say how a stage is set, a sentence each."""
    stage = state.stage
    said = [_starts(stage, source)]
    if stage.trigger is Trigger.AUTO:
        condition = f", {state.condition}" if state.condition else ""
        said.append(f"Auto: starts when {before} succeeds{condition}.")
    else:
        said.append("Manual: runs only when triggered.")
    if isinstance(stage, DeploymentStage):
        said += [stage.agent_description] if stage.agent_description else []
    elif stage.auto_add_agent:
        said.append("Its best checkpoint is added to Agents when it is complete.")
    return said


def _starts(stage: Stage, source: str) -> str:
    if isinstance(stage, DeploymentStage):
        return f"Deploys {_checkpoint(stage.choice)} of {source}."
    match stage.start:
        case FromScratch():
            return "Starts from scratch."
        case FromAgent():
            return "Starts from a saved Agent."
        case _:
            return f"Starts from {_checkpoint(stage.start.choice)} of {source}."


def _checkpoint(choice: Choice) -> str:
    return f"the {choice} checkpoint" if isinstance(choice, str) else f"the checkpoint of step {choice}"


def _source(stage: Stage, whole: PipelineState | None) -> str:
    found = whole.pipeline.source(stage.id) if whole else None
    return _label(whole.stage(found.id)) if whole and found else "its source stage"


def _before(state: StageState, whole: PipelineState | None) -> str:
    return _label(whole.stages[state.position - 1]) if whole and state.position else "the previous stage"


def _label(state: StageState) -> str:
    return f"Stage {state.position + 1} ({isolate(state.name)})"


def _run(run_detail: RunDetail) -> Row:
    run, agent = run_detail.run, run_detail.agent
    checkpoints = _checkpoints(run_detail.checkpoints, run_detail.best)
    return {
        "id": run.id,
        "number": run.number,
        "status": str(run.status),
        "created": run.created_at.timestamp(),
        "started": _moment(run.started_at),
        "finished": _moment(run.finished_at),
        "step": step_or_none(run.step),
        "total": step_or_none(run.total),
        "begun": step_or_none(run_detail.begun),
        "start": run_detail.start,
        "agent": f"{isolate(agent.name)}, version {agent.number}" if agent else None,
        "error": run.error,
        "curves": [_curve(curve, drawn=at < DRAWN) for at, curve in enumerate(run_detail.curves)],
        "checkpoints": checkpoints,
        "earlier": len(run_detail.checkpoints) - len(checkpoints),
        "log": run_detail.log,
    }


def _served(agent: Agent | None) -> Row | None:
    if agent is None:
        return None
    endpoint = agent.endpoint
    return {
        "status": str(agent.status),
        "url": f"{endpoint.url}/{endpoint.route}" if endpoint and endpoint.url else None,
        "version": endpoint.version if endpoint else None,
        "current": agent.current.number,
        "key": bool(endpoint and endpoint.key_hint),
    }


def _moment(at: datetime | None) -> float | None:
    return at.timestamp() if at else None


def _curve(curve: MetricCurve, *, drawn: bool) -> Row:
    points = curve.points if drawn else curve.points[-1:]
    return {"name": curve.name, "points": [*map(list, points_down(points, DIGITS))]}


def _checkpoints(rows: Sequence[CheckpointRow], best: int | None) -> list[Row]:
    """Return the latest checkpoints, latest first; the best one is always among them."""
    final = [row.id for row in rows[-1:]]
    listed = [row for at, row in enumerate(rows, start=LISTED - len(rows)) if at >= 0 or row.id == best]
    return [
        {
            "id": row.id,
            "step": step_down(row.step),
            "training": row.training_score,
            "evaluation": row.evaluation_score,
            "size": row.size,
            "best": row.id == best,
            "final": row.id in final,
        }
        for row in reversed(listed)
    ]
