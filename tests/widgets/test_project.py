"""The project view: its tabs and what they hold (spec 2)."""

from __future__ import annotations

from typing import Any

import pytest
from factories.lab import Lab

from pipeline_widgets.application import Services
from pipeline_widgets.widgets import project
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.widgets.pipeline_list import PipelineList
from pipeline_widgets.widgets.project import ProjectView
from pipeline_widgets.widgets.results import ResultsView


@pytest.fixture
def view(lab: Lab, services: Services) -> ProjectView:
    """An Advanced Training project."""
    return ProjectView(services, lab.project.id)


@pytest.fixture
def classic(lab: Lab, services: Services) -> ProjectView:
    """A classic project."""
    return ProjectView(services, lab.projects.create("Classic", advanced_training=False).id)


def told(view: Any, command: str, **args: Any) -> dict[str, Any]:
    """Ask a view as the browser does, and return its answer."""
    answers: list[dict[str, Any]] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return answer


@pytest.mark.spec("2.1")
def test_the_tabs_follow_from_the_kind_of_project(view: ProjectView, classic: ProjectView) -> None:
    """An Advanced Training project opens on its pipelines, a classic one on its experiments."""
    assert view.tabs == ["Experiments", "Pipelines", "Results"]
    assert view.tab == "Pipelines"
    assert classic.tabs == ["Experiments", "Results"]
    assert classic.tab == "Experiments"


@pytest.mark.spec("2.2")
def test_a_classic_project_refuses_pipelines_in_the_view(classic: ProjectView) -> None:
    """The tab is refused with the reason, and stays where it was."""
    answer = told(classic, "show_tab", tab="Pipelines")
    assert not answer["ok"]
    assert answer["error"]["kind"] == "ClassicProjectError"
    assert "fixed when it was created" in answer["error"]["why"]
    assert (classic.tab, list(classic.views)) == ("Experiments", ["Experiments"])


def test_an_unknown_tab_is_refused(view: ProjectView) -> None:
    """The answer names the tabs that there are."""
    answer = told(view, "show_tab", tab="Agents")
    assert answer["error"]["kind"] == "NotFoundError"
    assert "Experiments, Pipelines, Results" in answer["error"]["fix"]
    assert view.tab == "Pipelines"


def test_what_a_tab_holds_is_made_once_when_it_is_first_shown(view: ProjectView) -> None:
    """A tab that was never looked at costs nothing, and one that was left keeps its state."""
    assert list(view.views) == ["Pipelines"]
    pipelines = view.views["Pipelines"]
    for tab in ("Results", "Experiments", "Pipelines"):
        assert told(view, "show_tab", tab=tab)["ok"]
        assert view.tab == tab
    kinds = {"Pipelines": PipelineList, "Results": ResultsView, "Experiments": ExperimentsView}
    assert list(view.views) == list(kinds)
    assert all(isinstance(view.views[tab], kind) for tab, kind in kinds.items())
    assert view.views["Pipelines"] is pipelines


def test_a_view_that_is_closed_ends_what_it_holds(view: ProjectView) -> None:
    """Nothing of it stays in the kernel, not even the lines on which commands come up."""
    told(view, "show_tab", tab="Results")
    held = [view, view.line, *view.views.values(), view.views["Results"].line]
    assert all(each.comm is not None for each in held)
    view.close()
    assert all(each.comm is None for each in held)


@pytest.mark.spec("4.3")
def test_a_stage_opens_results_of_its_experiment_in_the_tab(lab: Lab, view: ProjectView) -> None:
    """The "Results" button of a stage in the list of pipelines shows the tab, again with another one."""
    pipeline = lab.pipeline("SFT", "GRPO")
    pipelines = view.views["Pipelines"]
    assert told(pipelines, "expand", pipeline=pipeline.id)["ok"]
    (builder,) = pipelines.builders.values()
    for stage, title in zip(pipeline.stages, ("chain-sft-1", "chain-grpo-2"), strict=True):
        assert told(view, "show_tab", tab="Pipelines")["ok"]
        assert told(builder, "results", stage=stage.id)["ok"]
        assert view.tab == "Results"
        assert view.views["Results"].title == f"Results of {title}"
    assert builder.results is None


@pytest.mark.spec("4.7")
def test_without_a_kernel_the_pipelines_stay(
    lab: Lab, view: ProjectView, classic: ProjectView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture has the latest pipelines with where they stand; a classic project has its experiments."""
    lab.pipeline("SFT", name="<b>first</b>")
    lab.clock.forward(60)
    lab.pipelines.create(lab.project.id, "second")
    html = view.static_html()
    assert "Pipelines of Letters" in html
    assert "&lt;b&gt;first&lt;/b&gt;" in html
    assert "Waiting for you" in html
    assert "<b>" not in html
    assert "Experiments of Classic" in classic.static_html()
    assert classic.static_text().startswith("Experiments of Classic: 0")
    monkeypatch.setattr(project, "SHOWN", 1)
    text = view.static_text()
    assert text.startswith("The latest 1 of 2 pipelines of Letters: 1\n")
    assert "second" in text
    assert "first" not in text
