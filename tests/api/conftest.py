"""What the tests of the handles share: a workspace in which no process starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import databases
import pytest
from factories.lab import Clock, Lab, migrated
from pydantic import BaseModel, Field

import pipeline_widgets as pw
from pipeline_widgets.algorithms import registry
from pipeline_widgets.execution.launchers import LaunchedJob, LaunchRequest
from pipeline_widgets.execution.launchers.local import LocalLauncher


class Config(BaseModel):
    """The config of the algorithms of these tests."""

    steps: int = Field(10, gt=0)
    base: str = "letters"


def train(ctx: pw.TrainContext) -> None:
    """Train nothing: no process runs in these tests."""


def answer(path: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: it answers with its content."""
    content = (path / "weights.txt").read_text()
    return lambda question: f"{question} {content}"


@pytest.fixture(autouse=True)
def launched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ids of runs for which a process would have been started."""
    ids: list[int] = []

    def submit(_: LocalLauncher, request: LaunchRequest) -> LaunchedJob:
        ids.append(int(request.arguments[1]))
        return LaunchedJob(id="none")

    monkeypatch.setattr(LocalLauncher, "submit", submit)
    return ids


@pytest.fixture(autouse=True)
def _algorithms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Algorithms that are defined for one test: Imitate, Refine (from "lm") and Walk."""
    monkeypatch.setattr(registry, "catalogue", replace(registry.catalogue, defined={}))
    lm = [pw.Port("weights", {"lm"}, match=("base",))]
    pw.algorithm("Imitate", produces={"lm"}, accepts=lm, config=Config, predict=answer)(train)
    pw.algorithm("Refine", produces={"lm"}, accepts=lm, scratch=False, config=Config)(train)
    pw.algorithm("Walk", produces={"policy"}, config=Config, score="min")(train)


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with all tables and no rows."""
    return migrated(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def open_workspace(tmp_path: Path, empty: Path) -> Iterator[Callable[..., pw.Workspace]]:
    """Opens workspaces by name, and closes them when the test ends."""
    made: list[pw.Workspace] = []

    def open_(name: str = "lab", **options: Any) -> pw.Workspace:
        if not (databases.is_postgresql() or (tmp_path / f"{name}.db").exists()):
            shutil.copy(empty, tmp_path / f"{name}.db")
        made.append(pw.Workspace(**{**databases.place_in(tmp_path, name), **options}))
        return made[-1]

    yield open_
    for workspace in made:
        workspace.close()


@pytest.fixture
def ws(open_workspace: Callable[..., pw.Workspace]) -> pw.Workspace:
    """An empty workspace."""
    return open_workspace()


@pytest.fixture
def project(ws: pw.Workspace) -> pw.Project:
    """An Advanced Training project."""
    return ws.create_project("Letters", advanced_training=True)


@pytest.fixture
def pipe(project: pw.Project) -> pw.Pipeline:
    """A pipeline of Imitate, Refine and a Deployment, all manual."""
    made = project.create_pipeline("chain")
    made.add_experiment_stage(project.create_experiment("imitate", algorithm="Imitate"))
    made.add_experiment_stage(project.create_experiment("refine", algorithm="Refine"))
    made.add_deployment_stage("agent")
    return made


@pytest.fixture
def supervisor(ws: pw.Workspace) -> Lab:
    """What carries out the runs of the workspace, played by the test."""
    return Lab(ws._services.store, Clock())


class Finish:
    """Carries out a run that was triggered: `finish(stage.trigger(), 0.5)`."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def __call__(self, run: pw.Run, *scores: float, status: pw.Status = pw.Status.SUCCEEDED) -> pw.Run:
        """Save a checkpoint every 10 steps with those scores, and end the run."""
        self._lab.carry_out(self._lab.runs.get(run._id), *scores, status=status)
        return run


@pytest.fixture
def finish(supervisor: Lab) -> Finish:
    """Carries out runs."""
    return Finish(supervisor)
