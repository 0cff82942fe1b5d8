"""The JavaScript of a view: one module, joined of files."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from pipeline_widgets.widgets.agents import AgentsView
from pipeline_widgets.widgets.assets import STATIC
from pipeline_widgets.widgets.base import View
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.pipeline_list import PipelineList
from pipeline_widgets.widgets.project import ProjectView
from pipeline_widgets.widgets.results import ResultsView

VIEWS: tuple[type[View], ...] = (
    AgentsView,
    ExperimentsView,
    PipelineList,
    PipelineView,
    ProjectView,
    ResultsView,
)
DECLARED = re.compile(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_no_name_is_declared_twice_in_the_module_of_a_view(view: type[View]) -> None:
    """The files of a view share their top-level names, and a second declaration would break them all."""
    declared = Counter(DECLARED.findall(str(vars(view)["_esm"])))
    assert declared["Frame"] == 1
    assert [name for name, times in declared.items() if times > 1] == []


def test_nothing_sets_html() -> None:
    """Text of a user can become an element in no file of ours (spec 10.4)."""
    for path in STATIC.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser", text), (
            path.name
        )
