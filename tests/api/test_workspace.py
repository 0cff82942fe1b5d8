"""Workspaces and projects as a user holds them (spec 1, 2.2, 10.1)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from factories.lab import Lab

import pipeline_widgets as pw
from pipeline_widgets.errors import ClassicProjectError, ExecutionError, NotFoundError, StorageError

Open = Callable[..., pw.Workspace]


@pytest.mark.spec("1")
def test_every_argument_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pw.Workspace()` is a SQLite file and a folder in the current folder."""
    monkeypatch.chdir(tmp_path)
    workspace = pw.Workspace()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix in {"", ".db"}) == [
        "lab-artifacts",
        "lab.db",
    ]
    assert workspace.artifacts == tmp_path / "lab-artifacts"
    assert repr(workspace) == f"Workspace('sqlite:///{tmp_path}/lab.db')"
    workspace.close()


@pytest.mark.spec("1")
def test_everything_is_there_when_it_is_opened_again(open_workspace: Open) -> None:
    """Another kernel sees the same projects, experiments and pipelines."""
    project = open_workspace().create_project("Letters", advanced_training=True)
    project.create_experiment("a", algorithm="Imitate", config={"steps": 5}, seed=3)
    project.create_pipeline("chain", description="what for")
    again = open_workspace().projects["Letters"]
    assert again == project
    assert (again.experiments["a"].config, again.experiments["a"].seed) == (
        {"steps": 5, "base": "letters"},
        3,
    )
    assert again.pipelines["chain"].description == "what for"


def test_a_closed_workspace_opens_again_by_itself(ws: pw.Workspace) -> None:
    """Closing gives connections back; using it afterwards works."""
    ws.create_project("a")
    ws.close()
    assert len(ws.projects) == 1


@pytest.mark.spec("1", "2.2")
def test_a_project_is_classic_unless_asked_otherwise(ws: pw.Workspace) -> None:
    """Advanced Training is chosen at creation, cannot be set later, and is needed for pipelines."""
    classic = ws.create_project("a")
    assert not classic.advanced_training
    with pytest.raises(ClassicProjectError, match="that choice was fixed when it was created"):
        classic.create_pipeline("chain")
    assert len(classic.pipelines) == 0
    with pytest.raises(AttributeError):
        classic.advanced_training = True  # pyright: ignore[reportAttributeAccessIssue]  on purpose
    assert classic.create_experiment("a", algorithm="Imitate").status is pw.Status.DRAFT


def test_a_refused_workspace_says_what_to_do(tmp_path: Path, open_workspace: Open) -> None:
    """A wrong URL, launcher or artifact folder is refused when the workspace is opened."""
    with pytest.raises(StorageError, match="is not a database URL"):
        pw.Workspace("lab")
    with pytest.raises(ExecutionError, match="There is no launcher named 'cloud://here'"):
        open_workspace(launcher="cloud://here")
    open_workspace()
    with pytest.raises(StorageError, match="This workspace has another artifact folder"):
        open_workspace(artifacts=tmp_path / "other")


@pytest.mark.spec("9.3", "10.1")
def test_results_lay_experiments_side_by_side(project: pw.Project, supervisor: Lab) -> None:
    """Metrics of any experiments and runs come as one DataFrame; unknown names are refused."""
    empty = project.results()
    assert list(empty.columns) == ["experiment", "run", "step", "metric", "value"]
    for name in ("a", "b"):
        experiment = project.create_experiment(name, algorithm="Imitate")
        supervisor.report(supervisor.started(supervisor.runs.get(experiment.train()._id)), 1, loss=0.5)
    assert [tuple(row) for row in project.results().to_numpy()] == [
        ("a", 1, 1, "loss", 0.5),
        ("b", 1, 1, "loss", 0.5),
    ]
    assert list(project.results("b")["experiment"]) == ["b"]
    with pytest.raises(NotFoundError, match=r"no experiment named 'c'. There are 'a', 'b'"):
        project.results("c")


@pytest.mark.spec("9.8", "10.1")
def test_projects_are_filtered(ws: pw.Workspace) -> None:
    """`ws.projects("kind~advanced")`, in the language of all listings."""
    letters = ws.create_project("Letters", advanced_training=True)
    letters.create_pipeline("chain")
    ws.create_project("Cart pole")
    assert [each.name for each in ws.projects("pipelines>=1")] == ["Letters"]
    assert [each.name for each in ws.projects("not kind~advanced")] == ["Cart pole"]
    assert len(ws.projects("letters").df) == 1
    with pytest.raises(pw.FilterError):
        ws.projects("status=sleeping")
