"""Python owns every trait of every view: what a browser sets is not taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import ipywidgets
import pytest
from factories.lab import Lab

from pipeline_widgets.application import Services
from pipeline_widgets.widgets.agents import AgentsView
from pipeline_widgets.widgets.experiment import ExperimentView
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.pipeline_list import PipelineList
from pipeline_widgets.widgets.project import ProjectView
from pipeline_widgets.widgets.results import ResultsView
from pipeline_widgets.widgets.workspace import WorkspaceView

MAKE: dict[str, Callable[[Services, Lab], Any]] = {
    "ProjectView": lambda services, lab: ProjectView(services, lab.project.id),
    "WorkspaceView": lambda services, _: WorkspaceView(services),
    "PipelineList": lambda services, lab: PipelineList(services, lab.project.id),
    "PipelineView": lambda services, lab: PipelineView(services, lab.pipeline("SFT", "DPO").id),
    "ExperimentView": lambda services, lab: ExperimentView(services, lab.experiment("alone").id),
    "ExperimentsView": lambda services, lab: ExperimentsView(services, lab.project.id),
    "ResultsView": lambda services, lab: ResultsView(services, lab.project.id),
    "AgentsView": lambda services, _: AgentsView(services),
}
FORGED = {"trouble": "forged", "picture": "", "_esm": "alert(1)", "no_such_trait": 1}


def forged(value: Any) -> Any:
    """Return another value of the same kind, as JSON brings it."""
    match value:
        case bool():
            return not value
        case str():
            return "forged"
        case int() | float():
            return 4242
        case dict():
            return {"forged": 1}
        case list() | tuple():
            return [{"id": 1, "forged": True}]
        case _:
            return "forged"


def hear(widget: ipywidgets.Widget, state: dict[str, Any]) -> None:
    """Bring a widget the message with which a browser sets traits."""
    content: dict[str, Any] = {"data": {"method": "update", "state": state, "buffer_paths": []}}
    widget._handle_msg({"content": content, "buffers": []})


@pytest.mark.parametrize("name", MAKE)
def test_row_15_a_browser_sets_no_trait_of_any_view(
    services: Services, lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each trait, one by one and all at once, stays as it is, and no other page is told what was sent."""
    view = MAKE[name](services, lab)
    sent: list[dict[str, Any]] = []

    def publish(_: str, data: dict[str, Any] | None = None, **__: Any) -> None:
        sent.append(data or {})

    parts = [view, view.line, *([view.canvas] if name == "PipelineView" else [])]
    for part in parts:
        monkeypatch.setattr(part.comm, "publish_msg", publish)
    for part in parts:
        before = part.get_state()
        state = {trait: forged(value) for trait, value in before.items()} | FORGED
        for trait, value in state.items():
            hear(part, {trait: value})
        hear(part, state)
        assert part.get_state() == before
    assert "forged" not in json.dumps(sent, default=str)
    assert {each["method"] for each in sent} <= {"update"}
    view.close()
