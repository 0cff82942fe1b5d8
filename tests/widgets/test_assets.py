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


def selectors(sheet: str) -> list[str]:
    """Return the selectors of a sheet, without the conditions that they stand under."""
    rules = re.sub(r"/\*.*?\*/|@(?:container|media)[^{]*\{", "", sheet, flags=re.DOTALL)
    groups = re.findall(r"([^{}]+)\{[^{}]*\}", rules)
    return [one.strip() for group in groups for one in re.split(r",(?![^(]*\))", group)]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_no_sheet_of_another_view_reaches_what_a_view_shows(view: type[View]) -> None:
    """A page has the sheets of all its views, in any order: none may change what another one shows."""
    script, own = str(vars(view)["_esm"]), str(vars(view)["_css"])
    shown = {*re.findall(r"\bpw-[\w-]+", script), "pw-root"}
    known = set(selectors(own))
    strange = {
        f"{path.name}: {selector}"
        for path in STATIC.glob("*.css")
        if path.name != "picture.css"  # it goes with a picture, and hides outputs in which no view came up
        for selector in selectors(path.read_text(encoding="utf-8"))
        if selector not in known
        and (classes := set(re.findall(r"\.(pw-[\w-]+)", selector)))
        and classes <= shown
    }
    assert strange == set()
