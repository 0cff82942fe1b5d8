"""Where runs are launched, and with which resources: by workspace, experiment and stage (spec 11.2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import databases
import pytest
from factories.lab import Lab
from sqlalchemy import update

import pipeline_widgets as pw
from pipeline_widgets.domain.chain import ExperimentStage
from pipeline_widgets.errors import ConfigError, ExecutionError
from pipeline_widgets.execution import launcher_check
from pipeline_widgets.execution.launchers import LaunchedJob, LauncherDescription, LaunchRequest
from pipeline_widgets.execution.launchers.slurm import SlurmLauncher
from pipeline_widgets.persistence import schema
from pipeline_widgets.widgets.stage_form import parse_stage

pytestmark = pytest.mark.spec("11.2")
GPU = {"gpu": 1, "memory": "24 GiB", "partition": "a100"}
STORED = {"gpu": 1, "memory": 24 << 30, "partition": "a100"}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[LaunchRequest]:
    """What Slurm was asked to start."""
    asked: list[LaunchRequest] = []

    def submit(_: SlurmLauncher, request: LaunchRequest) -> LaunchedJob:
        asked.append(request)
        return LaunchedJob(id=str(len(asked)))

    monkeypatch.setattr(SlurmLauncher, "submit", submit)
    describe(monkeypatch)
    return asked


def describe(monkeypatch: pytest.MonkeyPatch, **facts: Any) -> None:
    """Let Slurm say what it is."""
    known: dict[str, Any] = {"name": "slurm", "engine": "Slurm 22.05", **facts}
    monkeypatch.setattr(SlurmLauncher, "describe", lambda _: LauncherDescription(**known))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(launcher_check, "_described", {})


def test_a_workspace_keeps_where_its_runs_are_launched(open_workspace: Callable[..., pw.Workspace]) -> None:
    """The next process that opens it need not say so again; an empty mapping asks for nothing again."""
    opened = open_workspace(launcher="slurm", resources=GPU)
    assert (opened.launcher, opened.resources) == ("slurm", STORED)
    assert (open_workspace().launcher, open_workspace().resources) == ("slurm", STORED)
    assert open_workspace(launcher="local").launcher == "local"
    assert open_workspace(resources={}).resources == {}


def test_the_stage_counts_before_the_experiment_and_that_before_the_workspace(
    open_workspace: Callable[..., pw.Workspace], requests: list[LaunchRequest], launched: list[int]
) -> None:
    """Launcher and resources by themselves; a run has what it was triggered with."""
    ws = open_workspace(launcher="slurm", resources={"cpu": 1})
    project = ws.create_project("p", advanced_training=True)
    experiment = project.create_experiment("e", algorithm="Imitate", resources={"cpu": 2})
    stage = project.create_pipeline("c").add_experiment_stage(experiment)
    first = stage.trigger()
    assert (first.launcher, first.resources) == ("slurm", {"cpu": 2})
    assert requests[0].resources.cpu == 2
    first.stop()

    stage.update(resources=GPU)
    second = stage.trigger()
    assert second.resources == STORED
    second.stop()
    stage.update(launcher="local")
    third = stage.trigger()
    assert (third.launcher, third.resources, launched) == ("local", STORED, [third._id])
    assert first.resources == {"cpu": 2}
    third.stop()

    stage.update(launcher=None, resources=None)
    experiment.update(resources=None)
    assert (stage.launcher, stage.resources, experiment.resources) == (None, None, None)
    assert stage.trigger().resources == {"cpu": 1}


def test_where_a_run_is_launched_makes_nothing_stale(pipe: pw.Pipeline, finish: Any) -> None:
    """It is a setting, and nothing of what is trained."""
    stage = pipe.stages[0]
    finish(stage.trigger(), 0.5)
    assert stage.experiment is not None
    before = stage.experiment.modified_at
    stage.update(launcher="slurm", resources=GPU)
    stage.experiment.update(launcher="slurm", resources=GPU)
    assert (stage.stale, stage.experiment.modified_at) == (False, before)


def test_an_undo_brings_it_back(pipe: pw.Pipeline) -> None:
    """As any setting of a stage."""
    stage = pipe.stages[0]
    stage.update(launcher="slurm", resources=GPU)
    pipe.undo()
    assert (stage.launcher, stage.resources) == (None, None)
    pipe.redo()
    assert (stage.launcher, stage.resources) == ("slurm", STORED)


def test_it_comes_along_in_documents(
    ws: pw.Workspace, project: pw.Project, pipe: pw.Pipeline, open_workspace: Callable[..., pw.Workspace]
) -> None:
    """In YAML and in Python, of stages and of experiments that are made."""
    pipe.stages[0].update(launcher="slurm", resources=GPU)
    project.experiments["refine"].update(resources={"time": "2 h"})
    other = open_workspace("other").create_project("Letters", advanced_training=True)
    made = other.import_pipeline(pipe.to_yaml())
    assert (made.stages[0].launcher, made.stages[0].resources) == ("slurm", STORED)
    assert other.experiments["refine"].resources == {"time": 7200.0}
    assert made.to_yaml() == pipe.to_yaml()
    assert 'launcher="slurm", resources={"partition": "a100", "gpu": 1' in " ".join(pipe.to_python().split())
    assert 'resources={"time": 7200.0}' in pipe.to_python()
    bad = pipe.to_yaml().replace("launcher: slurm", "launcher: 3")
    with pytest.raises(ConfigError, match="3 is not the name of a launcher"):
        other.import_pipeline(bad, name="bad")


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"launcher": "cloud"}, ExecutionError, "no launcher named 'cloud'"),
        ({"launcher": 3}, ConfigError, "3 is not the name of a launcher"),
        ({"resources": {"gpu": -1}}, ConfigError, "'gpu' cannot be -1"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_said(
    project: pw.Project, pipe: pw.Pipeline, given: dict[str, Any], error: type[Exception], says: str
) -> None:
    """By the stage, and by the experiment, which are as they were."""
    stage = pipe.stages[0]
    assert stage.experiment is not None
    for change in (stage.update, stage.experiment.update):
        with pytest.raises(error, match=says):
            change(**given)
    with pytest.raises(error, match=says):
        project.create_experiment("new", algorithm="Imitate", **given)
    with pytest.raises(ConfigError, match="'launcher' is not a setting of a Deployment stage"):
        pipe.stages[2].update(launcher="slurm")
    assert [each.name for each in project.experiments] == ["imitate", "refine"]


def test_a_form_keeps_what_it_has_no_field_for(pipe: pw.Pipeline) -> None:
    """Who edits a stage in the browser does not lose where its runs are launched."""
    stage = pipe.stages[0]
    stage.update(launcher="slurm", resources=GPU)
    before = stage._now.stage
    assert isinstance(before, ExperimentStage)
    sent = {"kind": "experiment", "experiment": before.experiment_id, "trigger": "manual", "start": "scratch"}
    assert parse_stage(sent, before) == replace(before, auto_add_agent=False)


def test_a_run_says_for_what_it_waits(
    open_workspace: Callable[..., pw.Workspace], requests: list[LaunchRequest]
) -> None:
    """In the words of its engine, with the job; also where its panel tells how it began."""
    ws = open_workspace(launcher="slurm", resources=GPU)
    experiment = ws.create_project("p").create_experiment("e", algorithm="Imitate")
    run = experiment.train()
    with ws._services.store.write() as work:
        work.connection.execute(update(schema.runs).values(waits="Resources"))
    assert run.waits == "Resources (Slurm job 1)"
    shown = ws._services.run_details.run(run._id).start
    assert shown.startswith(
        "Waits for Resources (Slurm job 1). Launched by slurm, with partition a100, gpu 1"
    )


def test_a_local_run_belongs_to_the_host_that_triggered_it(
    pipe: pw.Pipeline, supervisor: Lab, launched: list[int]
) -> None:
    """Another one launches it never, and says where it waits to be launched."""
    run = supervisor.runs.trigger(pipe.stages[0]._id)
    assert run.home == os.uname().nodename
    with supervisor.store.write() as work:
        created = work.now - 5.0  # seconds ago
        work.connection.execute(update(schema.runs).values(home="elsewhere", created_at=created))
    pipe._services.reconciler.reconcile()
    waiting = pipe.stages[0].run
    assert (launched, waiting and waiting.waits) == ([], "elsewhere")
    with supervisor.store.write() as work:
        work.connection.execute(update(schema.runs).values(home=run.home))
    pipe._services.reconciler.reconcile()
    assert (launched, waiting and waiting.waits) == ([run.id], None)


def test_a_local_run_whose_host_is_gone_says_so_and_can_be_stopped_and_triggered_here(
    pipe: pw.Pipeline, supervisor: Lab, launched: list[int]
) -> None:
    """After the grace; whether that machine comes back, nobody can know."""
    first = supervisor.runs.trigger(pipe.stages[0]._id)
    with supervisor.store.write() as work:
        created = work.now - pw.Timing().grace - 1.0
        work.connection.execute(update(schema.runs).values(home="elsewhere", created_at=created))
    pipe._services.reconciler.reconcile()
    waiting = pipe.stages[0].run
    assert waiting is not None
    assert pipe._services.run_details.run(first.id).start.startswith(
        "Waits for elsewhere, where nothing has begun it yet: open the workspace there, or stop the run and "
        "trigger it here."
    )

    waiting.stop()
    assert waiting.status == "Stopped"
    assert pipe.stages[0].trigger().status == "Pending"
    assert len(launched) == 1


def test_what_cannot_run_there_is_refused_before_it_is_triggered(
    open_workspace: Callable[..., pw.Workspace],
    requests: list[LaunchRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another Python for what a cell defines, a workspace that the engine does not see, or no answer."""
    ws = open_workspace(launcher="slurm")
    experiment = ws.create_project("p").create_experiment("e", algorithm="Imitate")
    with ws._services.store.write() as work:
        work.connection.execute(update(schema.algorithms).values(python="cpython 3.10"))
    monkeypatch.setattr(ws._services.experiments, "renew", lambda *_: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    describe(monkeypatch, python="3.12")
    with pytest.raises(ExecutionError, match=r"defined under Python 3\.10; this is Python 3\.12 on slurm"):
        experiment.train()
    describe(monkeypatch, shares_files=False)
    unseen = "checkpoints are in" if databases.is_postgresql() else "the workspace is a SQLite file here"
    with pytest.raises(ExecutionError, match=unseen):
        experiment.train()

    def fail(_: SlurmLauncher) -> LauncherDescription:
        raise ExecutionError("Slurm does not answer.")

    describe(monkeypatch)
    monkeypatch.setattr(SlurmLauncher, "describe", fail)
    with pytest.raises(ExecutionError, match="Slurm does not answer"):
        experiment.train()
    assert (list(experiment.runs), requests) == ([], [])
