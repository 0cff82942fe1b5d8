"""What handles show as the last line of a cell, and the file that can be sent around (spec 2.3, 4.7)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipeline_widgets as pw
from pipeline_widgets.api import display
from pipeline_widgets.errors import ExecutionError, NotFoundError, StorageError

VIEW = "application/vnd.jupyter.widget-view+json"
Displayed = Callable[[Any], list[dict[str, Any]]]


@pytest.mark.spec("2.3", "2.5", "2.6")
def test_the_last_line_of_a_cell_shows_the_live_widget(
    ws: pw.Workspace, project: pw.Project, pipe: pw.Pipeline, displayed: Displayed
) -> None:
    """A workspace and what is in it show a widget, and what is shown where there is no kernel."""
    for handle, said in (
        (ws, "Projects of"),
        (project, "Pipelines of Letters"),
        (pipe, "chain"),
        (project.experiments[0], "Experiment imitate"),
    ):
        live, picture = displayed(handle)
        assert live[VIEW]["model_id"]
        assert said in picture["text/html"]
        assert said in picture["text/plain"]


@pytest.mark.spec("2.3")
def test_marimo_gets_the_view_itself(
    ws: pw.Workspace, project: pw.Project, pipe: pw.Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its display protocol; the text, where widgets cannot be imported."""
    experiment = project.experiments[0]
    names = {handle: type(handle._display_()).__name__ for handle in (ws, project, pipe, experiment)}
    assert [*names.values()] == ["WorkspaceView", "ProjectView", "PipelineView", "ExperimentView"]
    for name in [name for name in sys.modules if name.startswith("pipeline_widgets.widgets")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    assert project._display_() == repr(project)


@pytest.mark.spec("2.3")
def test_every_display_is_a_view_of_its_own(pipe: pw.Pipeline, displayed: Displayed) -> None:
    """Two cells that show the same pipeline do not share a selection."""
    assert displayed(pipe)[0][VIEW]["model_id"] != displayed(pipe)[0][VIEW]["model_id"]


@pytest.mark.spec("2.3")
def test_a_view_can_be_asked_for(ws: pw.Workspace, project: pw.Project, pipe: pw.Pipeline) -> None:
    """The methods give the widgets that displaying shows."""
    assert [row["name"] for row in ws.view().rows] == ["Letters"]
    assert project.view().tab == "Pipelines"
    assert [row["name"] for row in pipe.view().stages] == ["imitate", "refine", "agent"]
    assert [row["name"] for row in project.experiments["refine"].view().rows] == ["refine"]
    assert project.compare("refine").view().title == "Results of refine"


def test_a_view_of_what_is_gone_is_refused(pipe: pw.Pipeline) -> None:
    """The reason is the one that the handle gives."""
    pipe.delete()
    with pytest.raises(NotFoundError, match="There is no such pipeline"):
        pipe.view()


def test_outside_of_a_notebook_there_is_text(project: pw.Project, pipe: pw.Pipeline) -> None:
    """A script and a terminal get the plain text of a handle, and no view is made."""
    for handle in (project, pipe, project.experiments[0]):
        with pytest.raises(NotImplementedError):  # so IPython goes on with the next way to show it
            handle._ipython_display_()
    assert repr(project) == "Project('Letters', advanced_training=True)"


def test_listings_stay_tables(project: pw.Project, pipe: pw.Pipeline, displayed: Displayed) -> None:
    """A listing is shown as a table, and not as widgets."""
    for listing in (project.experiments, pipe.stages):
        (data,) = displayed(listing)
        assert VIEW not in data
        assert "<table" in data["text/html"]


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("missing", ["ipywidgets", "anywidget"])
def test_without_the_packages_there_is_text_and_a_reason(
    project: pw.Project, displayed: Displayed, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Where widgets cannot be imported, displaying shows the text; a view says what to install."""
    for name in [name for name in sys.modules if name.startswith("pipeline_widgets.widgets")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert displayed(project) == [{"text/plain": repr(project)}]
    with pytest.raises(
        ExecutionError, match=rf"It needs {missing}, .* pip install 'pipeline-widgets\[lab\]'"
    ):
        project.view()


def test_a_mistake_of_ours_is_not_taken_for_a_missing_package() -> None:
    """Only foreign packages are asked to be installed."""
    with pytest.raises(ImportError), display.needs_widgets():
        raise ImportError("cannot import name", name="pipeline_widgets.widgets.base")


def test_handles_load_no_widgets(tmp_path: Path) -> None:
    """A script that works with a pipeline, prints it and writes its picture needs no notebook package."""
    program = (
        "import sys, pipeline_widgets as pw\n"
        "project = pw.Workspace().create_project('p', advanced_training=True)\n"
        "pipe = project.create_pipeline('c')\n"
        "pipe.to_html('page.html')\n"
        "print(*({'ipywidgets', 'anywidget', 'IPython', 'traitlets'} & sys.modules.keys()))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.spec("4.7")
def test_a_pipeline_is_written_as_one_file(pipe: pw.Pipeline, tmp_path: Path) -> None:
    """It has the stages, needs nothing else, replaces a former file, and leaves nothing beside it."""
    target = tmp_path / "out" / "chain.html"
    target.parent.mkdir()
    target.write_text("former")
    assert pipe.to_html(str(target)) == target
    page = target.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert all(name in page for name in ("chain", "imitate", "refine", "agent"))
    assert "<script" not in page
    assert [each.name for each in target.parent.iterdir()] == ["chain.html"]


@pytest.mark.spec("10.3")
def test_a_file_that_cannot_be_written_is_refused(pipe: pw.Pipeline, tmp_path: Path) -> None:
    """A folder that is missing, one that is none, and one in place of a file: nothing is left behind."""
    (tmp_path / "a file").write_text("kept")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(StorageError, match="No such file or directory"):
        pipe.to_html(tmp_path / "missing" / "chain.html")
    with pytest.raises(StorageError, match="Not a directory"):
        pipe.to_html(tmp_path / "a file" / "chain.html")
    with pytest.raises(StorageError, match="It is a folder"):
        pipe.to_html(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.spec("10.3")
def test_a_write_that_fails_keeps_the_former_file(
    pipe: pw.Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system refuses at the last moment, the former file is intact, and no draft stays."""

    def refuse(_self: Path, _target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    target = tmp_path / "chain.html"
    target.write_text("former")
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StorageError, match="Permission denied"):
        pipe.to_html(target)
    assert target.read_text() == "former"
    assert sorted(tmp_path.iterdir()) == before
