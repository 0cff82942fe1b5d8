"""Row to value and back: the only place that knows both."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pipeline_widgets.domain.chain import (
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromScratch,
    Stage,
    Start,
)
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.compatibility import ANSWER_WITHIN, LOAD_WITHIN, STOP_WITHIN, AlgorithmSpec, Port
from pipeline_widgets.domain.evaluator import EvaluatorScore, EvaluatorSpec
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.failure import Failure
from pipeline_widgets.domain.liveness import Lease, Process
from pipeline_widgets.domain.resources import Placement, Resources
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.run_record import RunCode
from pipeline_widgets.domain.stage_settings import (
    BETTER,
    choice_from_text,
    gate_to_plain,
    parse_choice,
    parse_gate,
    parse_start,
    parse_trigger,
)
from pipeline_widgets.errors import format_value

if TYPE_CHECKING:
    from pipeline_widgets.domain.limits import QueuedRun
    from pipeline_widgets.domain.overview import ExperimentRow, ExperimentSummary, ResultRow
    from pipeline_widgets.domain.project import Project
    from pipeline_widgets.domain.shown_item import ShownItem

#: A row by the names of its columns, or what JSON has kept of one.
Row: TypeAlias = Mapping[Any, Any]

_RUN_COLUMNS = tuple(field.name for field in fields(Run))
_DEPLOYED = "deployed"  # the gate that compares a checkpoint with the agent now deployed
_RUN_TIMES = frozenset({"created_at", "started_at", "finished_at", "beat_at"})


def to_datetime(seconds: float) -> datetime:
    """Return seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def to_project(row: Row) -> Project:
    """Return a row of projects as a value."""
    from pipeline_widgets.domain.project import Project  # noqa: PLC0415  not before Running

    return Project(
        id=row["id"],
        name=row["name"],
        advanced_training=row["advanced_training"],
        created_at=to_datetime(row["created_at"]),
        revision=row["revision"],
    )


def spec_to_json(spec: AlgorithmSpec) -> dict[str, Any]:
    """Return a declaration as plain JSON."""
    ports = [[port.role, sorted(port.kinds), list(port.match)] for port in spec.accepts]
    return {
        "name": spec.name,
        "produces": sorted(spec.produces),
        "accepts": ports,
        "scratch": spec.scratch,
        "score": spec.score,
        "load_within": spec.load_within,
        "answer_within": spec.answer_within,
        "stop_within": spec.stop_within,
        "training_only": list(spec.training_only),
        **({"preload": list(spec.preload)} if spec.preload else {}),
    }


def to_spec(made: Mapping[str, Any]) -> AlgorithmSpec:
    """Return a declaration from its JSON."""
    return AlgorithmSpec(
        name=made["name"],
        produces=frozenset(made["produces"]),
        accepts=tuple(Port(*port) for port in made["accepts"]),
        scratch=made["scratch"],
        score=made["score"],
        # Rows of older versions lack these.
        load_within=made.get("load_within", LOAD_WITHIN),
        answer_within=made.get("answer_within", ANSWER_WITHIN),
        stop_within=made.get("stop_within", STOP_WITHIN),
        training_only=tuple(made.get("training_only", ())),
        preload=tuple(made.get("preload", ())),
    )


def evaluator_to_json(spec: EvaluatorSpec) -> dict[str, Any]:
    """Return the declaration of an evaluator as plain JSON."""
    return {"name": spec.name, "accepts": sorted(spec.accepts), "score": spec.score, "takes": spec.takes}


def to_evaluator(made: Mapping[str, Any]) -> EvaluatorSpec:
    """Return the declaration of an evaluator from its JSON."""
    accepts = frozenset(made["accepts"])
    return EvaluatorSpec(name=made["name"], accepts=accepts, score=made["score"], takes=made["takes"])


def to_evaluator_score(row: Row) -> EvaluatorScore:
    """Return a row of scores as a value; NULL is NaN."""
    return EvaluatorScore(
        checkpoint_id=row["checkpoint_id"],
        saved_by=row["saved_by"],
        step=row["step"],
        evaluator=row["evaluator"],
        value=math.nan if row["score"] is None else row["score"],
        spread=row["spread"] or 0.0,
        metrics=row["metrics"],
    )


def to_experiment(row: Row) -> Experiment:
    """Return a row of experiments, joined with its algorithm's declaration, as a value."""
    return Experiment(
        id=row["id"],
        project_id=row["project_id"],
        name=row["name"],
        algorithm_id=row["algorithm_id"],
        spec=to_spec(row["spec"]),
        config=row["config"],
        seed=row["seed"],
        config_digest=row["config_digest"],
        signature=row["signature"],
        created_at=to_datetime(row["created_at"]),
        modified_at=to_datetime(row["modified_at"]),
        python=row["python"],
        version=row["version"],
        placement=Placement.from_row(row["launcher"], row["resources"]),
    )


def to_experiment_row(row: Row) -> ExperimentRow:
    """Return an experiment as a table shows it."""
    from pipeline_widgets.domain.overview import ExperimentRow  # noqa: PLC0415  not before Running

    return ExperimentRow(
        id=row["id"],
        name=row["name"],
        algorithm=row["algorithm"],
        status=Status(row["status"]) if row["status"] is not None else Status.DRAFT,
        modified_at=to_datetime(row["modified_at"]),
        runs=row["runs"],
        best=row["best"],
    )


def to_experiment_summary(row: Row) -> ExperimentSummary:
    """Return an experiment as a page of the list counts it."""
    from pipeline_widgets.domain.overview import ExperimentSummary  # noqa: PLC0415  not before Running

    spec = to_spec(row["spec"])
    return ExperimentSummary(
        id=row["id"],
        name=row["name"],
        algorithm=row["algorithm"],
        spec=spec,
        python=row["python"],
        modified_at=to_datetime(row["modified_at"]),
        latest=row["latest"],
        runs=row["runs"],
        checkpoints=row["checkpoints"],
        best=row["highest"] if spec.higher_is_better else row["lowest"],
    )


def to_result_row(row: Row) -> ResultRow:
    """Return a run as the Results table shows it."""
    from pipeline_widgets.domain.overview import ResultRow  # noqa: PLC0415  not before Running

    higher = row["score"] != "min"
    end = "highest" if higher else "lowest"
    started, finished = row["started_at"], row["finished_at"]
    return ResultRow(
        run_id=row["id"],
        experiment_id=row["experiment_id"],
        experiment=row["name"],
        number=row["number"],
        status=Status(row["status"]),
        started_at=None if started is None else to_datetime(started),
        finished_at=None if finished is None else to_datetime(finished),
        steps=row["step"],
        checkpoints=row["checkpoints"],
        training_score=row[f"{end}_training"],
        evaluation_score=row[f"{end}_evaluation"],
        higher_is_better=higher,
        peak_cpu=row["peak_cpu"],
        peak_memory=row["peak_memory"],
        peak_gpu_memory=row["peak_gpu_memory"],
    )


def to_run(row: Row) -> Run:
    """Return a row of runs as a value."""
    values: dict[str, Any] = {name: row[name] for name in _RUN_COLUMNS}
    times = {name: to_datetime(values[name]) for name in _RUN_TIMES if values[name] is not None}
    values.update(times, status=Status(row["status"]), run_through=tuple(row["run_through"] or ()))
    if values["code"] is not None:
        values["code"] = RunCode.from_json(values["code"])
    if values["failure"] is not None:
        values["failure"] = Failure.from_json(values["failure"])
    return Run(**values)


#: The columns of runs that a lease is made of.
LEASE_COLUMNS = (
    *("id", "status", "created_at", "token", "host", "pid", "pid_started", "child_pid", "child_started"),
    *("beat_at", "launches", "launched_at", "launch_host", "launch_pid", "launch_started"),
    *("launcher", "resources", "home", "job", "waits"),
)


def to_lease(row: Row) -> Lease:
    """Return which process holds an active run."""
    machine = row["host"]
    return Lease(
        subject_id=row["id"],
        status=Status(row["status"]),
        created_at=row["created_at"],
        token=row["token"],
        holder=to_process(machine, row["pid"], row["pid_started"]),
        worker=to_process(machine, row["child_pid"], row["child_started"]),
        beat_at=row["beat_at"],
        launches=row["launches"],
        launched_at=row["launched_at"],
        launched=to_process(row["launch_host"], row["launch_pid"], row["launch_started"]),
        placement=Placement.from_row(row["launcher"], row["resources"]),
        home=row["home"],
        job=row["job"],
        waits=row["waits"],
    )


def to_queued_run(row: Row) -> QueuedRun:
    """Return how the queue of a machine sees an active run."""
    from pipeline_widgets.domain.limits import QueuedRun  # noqa: PLC0415  not before Running

    of = f" of {format_value(row['name'])}" if row["name"] is not None else ""
    noun = "evaluation" if row["kind"] == "evaluation" else "run"
    return QueuedRun(
        run_id=row["id"],
        label=f"{noun} {row['number']}{of}",
        resources=Resources.parse(row["resources"]),
        is_admitted=row["launches"] > 0 or row["token"] is not None,
        gpus=tuple(row["gpus"] or ()),
        project_id=row["project_id"],
        waits=row["waits"],
    )


def to_checkpoint(row: Row, root: Path) -> Checkpoint:
    """Return a row of checkpoints as a value; paths are below the artifact folder."""
    return Checkpoint(
        id=row["id"],
        run_id=row["run_id"],
        step=row["step"],
        path=os.path.join(root, row["path"]),  # noqa: PTH118  asked for each of 100,000: a Path takes ten times as long
        size=row["size"],
        digest=row["digest"],
        training_score=row["training_score"],
        evaluation_score=row["evaluation_score"],
        evaluation_spread=row["evaluation_spread"],
        signature=row["signature"],
        created_at=to_datetime(row["created_at"]),
    )


def to_shown_item(row: Row, root: Path) -> ShownItem:
    """Return a row of shown items as a value; without the column of samples it has none."""
    from pipeline_widgets.domain.shown_item import MediaFile, Sample, ShownItem  # noqa: PLC0415  not before Running

    media = None
    if row["path"] is not None:
        media = MediaFile(
            path=root / row["path"],
            size=row["size"],
            digest=row["digest"],
            media_type=row["media_type"],
            width=row["width"],
            height=row["height"],
            seconds=row["seconds"],
        )
    return ShownItem(
        id=row["id"],
        run_id=row["run_id"],
        step=row["step"],
        kind=row["kind"],
        caption=row["caption"],
        prompt=row["prompt"],
        seed=row["seed"],
        sample_count=row["sample_count"],
        samples=tuple(Sample(*sample) for sample in row.get("samples") or ()),
        media=media,
        size=row["size"],
        created_at=to_datetime(row["created_at"]),
    )


def to_stage(row: Row | Mapping[str, Any]) -> Stage:
    """Return a row of stages as a value."""
    trigger = parse_trigger(row["trigger"])
    gate = parse_gate({"score": row["gate_score"], _DEPLOYED: BETTER}.get(row["gate"]))
    if row["kind"] == "deployment":
        return DeploymentStage(
            id=row["id"],
            agent_name=row["agent_name"],
            agent_description=row["agent_description"],
            choice=parse_choice(choice_from_text(row["choice"])),
            trigger=trigger,
            gate=gate,
        )
    return ExperimentStage(
        id=row["id"],
        experiment_id=row["experiment_id"],
        trigger=trigger,
        start=_start(row),
        auto_add_agent=row["auto_add_agent"],
        gate=gate,
        retries=row.get("retries") or 0,  # snapshots of older versions lack it
        # What an older version has kept of an edit lacks these.
        placement=Placement.from_row(row.get("launcher"), row.get("resources")),
    )


def stage_to_row(stage: Stage) -> dict[str, Any]:
    """Return the columns of a stage but for its place."""
    gate = gate_to_plain(stage.gate)
    common = {
        "trigger": stage.trigger.value,
        "gate": _DEPLOYED if gate == BETTER else None if gate is None else "score",
        "gate_score": None if gate == BETTER else gate,
        "choice": None if stage.choice is None else str(stage.choice),
    }
    if isinstance(stage, DeploymentStage):
        named = {"agent_name": stage.agent_name, "agent_description": stage.agent_description}
        return {**common, **named, "kind": "deployment", "auto_add_agent": False}
    agent_id = stage.start.agent_id if isinstance(stage.start, FromAgent) else None
    scratch = isinstance(stage.start, FromScratch)
    return {
        **common,
        "kind": "experiment",
        "experiment_id": stage.experiment_id,
        "auto_add_agent": stage.auto_add_agent,
        "retries": stage.retries,
        "start": "scratch" if scratch else "source" if agent_id is None else "agent",
        "start_agent_id": agent_id,
        **stage.placement.to_row(),
    }


def to_process(machine: str | None, pid: int | None, started: float | None) -> Process | None:
    """Return who a process is; None where a row names none."""
    if machine is None or pid is None or started is None:
        return None
    return Process(machine=machine, pid=pid, started=started)


def _start(row: Row | Mapping[str, Any]) -> Start:
    if row["start"] == "agent":
        return FromAgent(row["start_agent_id"])
    return parse_start(choice_from_text(row["choice"] if row["start"] == "source" else row["start"]))
