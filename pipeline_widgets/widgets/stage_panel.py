"""The panel of one stage: its settings in sentences, and its latest run."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.run_record import RunRecord
from pipeline_widgets.services.queries.curves import MetricCurve
from pipeline_widgets.services.queries.pipeline_state import PipelineState
from pipeline_widgets.services.queries.run_detail import CheckpointRow, RunDetail
from pipeline_widgets.services.queries.stage_agent import StageAgent
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode_fields
from pipeline_widgets.widgets.failure_card import failure_row
from pipeline_widgets.widgets.showing import summary_row
from pipeline_widgets.widgets.stale_card import reason_rows
from pipeline_widgets.widgets.steps import clock_down, points_down, step_down

DRAWN = 30  # metrics that come with their curve; of the others the last value is shown
LISTED = 50  # checkpoints, the latest ones; a run may have saved thousands
DIGITS = 5  # of a curve's values, which are drawn in pixels


def panel_row(
    pipeline: PipelineState, stage_id: int, run_detail: RunDetail | None, agent: StageAgent | None = None
) -> Row:
    """Return what the panel shows of a stage.

    Args:
        pipeline: The pipeline that the stage belongs to.
        stage_id: The stage.
        run_detail: Its latest run; None where it has never run.
        agent: The agent of a Deployment stage; None for an Experiment stage.
    """
    state = pipeline.stage(stage_id)
    return {
        "stage": stage_id,
        "settings": list(pipeline.describe_settings(stage_id)),
        "reasons": reason_rows(state.staleness.reasons),
        "accepted": (state.accepted or "") if state.staleness.accepted else None,
        "agent": None if agent is None else encode_fields(agent, "name", "note"),
        "run": _run(run_detail, state.resume_step) if run_detail else None,
    }


def environment_row(record: RunRecord) -> Row:
    """Return what the panel shows of how a run came about."""
    code, machine, sources = record.code, record.environment, record.sources
    branch = f" on {isolate(code.branch)}" if code.branch else ""
    facts = [("Folder", code.folder), ("Commit", f"{code.commit[:12]}{branch}" if code.commit else None)]
    if machine is not None:
        cpus = "" if machine.cpu_count is None else f", {machine.cpu_count} usable"
        gpus = ", ".join(machine.gpus) or None
        facts += [("Python", machine.python), ("System", machine.platform), ("Host", machine.host)]
        facts += [("CPU", f"{machine.cpu}{cpus}"), ("GPU", gpus), ("Packages", str(len(machine.packages)))]
        facts += [(name, "not set" if value is None else value) for name, value in machine.variables.items()]
    pieces = sources.pieces if sources else ()
    return {
        "facts": [{"name": name, "value": value} for name, value in facts if value is not None],
        "diff": record.diff,
        "cut": code.is_diff_cut,
        "untracked": list(code.untracked),
        "sources": [
            {"name": " ".join(filter(None, each.key)), "text": sources.texts.get(each.source or "", "")}
            for each in pieces
            if sources is not None
        ],
    }


def _run(run_detail: RunDetail, resume_step: int | None) -> Row:
    run, agent = run_detail.run, run_detail.agent
    checkpoints = _checkpoints(run_detail.checkpoints, run_detail.best)
    return {
        **encode_fields(run, "id", "number", "status", "created_at", "started_at", "finished_at"),
        **encode_fields(run, "step", "total", "error", "peak_cpu", "peak_memory", "peak_gpu_memory"),
        **encode_fields(run_detail, "begun", "start", "log"),
        "failure": failure_row(run, resume_step),
        "agent": f"{isolate(agent.name)}, version {agent.number}" if agent else None,
        "agent_id": agent.agent_id if agent else None,
        "curves": [_curve(curve, drawn=at < DRAWN) for at, curve in enumerate(run_detail.curves)],
        "usage": [_curve(each, drawn=True) for each in run_detail.usage],
        "clock": clock_down(run_detail.clock),
        "resumed": [step_down(each) for each in run_detail.resumed],
        "checkpoints": checkpoints,
        "shown": summary_row(run_detail.shown),
        "earlier": run_detail.saved - len(checkpoints),
    }


def _curve(curve: MetricCurve, *, drawn: bool) -> Row:
    points = curve.points if drawn else curve.points[-1:]
    return {"name": curve.name, "points": list(map(list, points_down(points, DIGITS)))}


def _checkpoints(rows: Sequence[CheckpointRow], best: int | None) -> list[Row]:
    """Return the best checkpoint, the final one and the other latest ones, latest first."""
    final = [row.id for row in rows[-1:]]
    listed = [row for at, row in enumerate(rows, start=LISTED - len(rows)) if at >= 0 or row.id == best]
    latest = listed[::-1]
    return [
        {
            **encode_fields(row, "id", "step", "training_score", "evaluation_score", "size", "scores"),
            "best": row.id == best,
            "final": row.id in final,
        }
        for row in sorted(latest, key=lambda row: (row.id != best, row.id not in final))
    ]
