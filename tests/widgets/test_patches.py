"""What goes down of curves that grow: what has changed, and every page ends with the whole (spec 9.5)."""

from __future__ import annotations

import json
import math
import statistics
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from factories.lab import Lab
from hypothesis import given
from hypothesis import strategies as st
from pages import Pages, apply_patch

from pipeline_widgets.application import Services
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.job import Job, MetricReport, Outcome
from pipeline_widgets.domain.run import Status
from pipeline_widgets.widgets.base import View
from pipeline_widgets.widgets.experiment import ExperimentView
from pipeline_widgets.widgets.patches import find_patch
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.results import ResultsView

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "js" / "patches.json").read_text(encoding="utf-8")
)
#: What goes down in patches, by view.
PATCHED = {
    "builder": ("panel", "stages"),
    "chart": ("chart", "panel"),
    "results": ("curves", "timelines", "runs"),
    "experiment": ("details", "rows"),
}
JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | st.lists(st.fixed_dictionaries({"name": st.sampled_from("ab"), "points": inner}), max_size=3)
    ),
    max_leaves=12,
)
POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)).map(list), max_size=30)


# ---- patches by themselves


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_patch_has_the_form_that_the_page_knows(case: dict[str, Any]) -> None:
    """The same cases as in tests/js/state.test.js, where it is applied."""
    assert find_patch(case["before"], case["now"]) == case["patch"]


@given(JSON, JSON)
def test_a_patch_makes_one_value_of_any_other(before: Any, now: Any) -> None:
    """None where they are alike, and only there."""
    patch = find_patch(before, now)
    assert (patch is None) == (before == now)
    assert patch is None or apply_patch(before, patch) == now


@given(POINTS, POINTS, POINTS)
def test_of_a_list_the_first_items_that_are_alike_stay(first: Any, before: Any, now: Any) -> None:
    """All of them, wherever the difference is."""
    patch = find_patch([*first, *before], [*first, *now])
    if patch is not None and "keep" in patch:
        assert patch["keep"] >= len(first)
        assert apply_patch([*first, *before], patch) == [*first, *now]


def test_tuples_are_the_lists_that_they_become() -> None:
    """As points are where they are kept for the next look."""
    assert find_patch([(1, 2)], ((1, 2),)) is None
    assert find_patch((), [(1, 2)]) == {"keep": 0, "add": [(1, 2)]}


# ---- views and pages


@pytest.fixture
def running(lab: Lab) -> tuple[Pipeline, Job]:
    """A pipeline whose first stage runs."""
    pipeline = lab.pipeline("SFT", name="running")
    return pipeline, lab.started(lab.runs.trigger(pipeline.stages[0].id))


Show = Callable[[str], Pages]


@pytest.fixture
def show(services: Services, lab: Lab, running: tuple[Pipeline, Job]) -> Iterator[Show]:
    """Return what makes a view of a kind, whose refreshes are the test's own."""
    made: list[View] = []
    pipeline, _ = running

    def make(kind: str) -> Pages:
        if kind == "results":
            view: Any = ResultsView(services, lab.project.id, pipeline.experiment_ids)
        elif kind == "experiment":
            view = ExperimentView(services, pipeline.experiment_ids[0])
        else:
            view = PipelineView(services, pipeline.id)
        if kind == "chart":
            view.do_chart("loss")
        view._refresher._thread = threading.current_thread()
        made.append(view)
        return Pages(view)

    yield make
    for each in made:
        each.close()


def report(lab: Lab, job: Job, *steps: int) -> None:
    """Report a metric that falls, one that goes up and down, and now and then a gap."""
    reports = [
        MetricReport(
            step=step,
            total=20_000,
            metrics={"loss": 1 / step, "wave": math.nan if step % 50 == 7 else math.sin(step)},
        )
        for step in steps
    ]
    lab.supervision.record(job, Batch(reported=reports))


def whole(pages: Pages, kind: str) -> dict[str, Any]:
    """Return what a page that is opened now is told."""
    return json.loads(json.dumps(pages.view.get_state(list(PATCHED[kind]))))


@pytest.mark.spec("9.5", "6.14")
@pytest.mark.parametrize("kind", PATCHED)
def test_after_many_ticks_every_page_shows_the_whole_curve(
    lab: Lab, running: tuple[Pipeline, Job], show: Show, kind: str
) -> None:
    """The one that was there from the first point, and one that was opened later; curves are thinned anew."""
    _, job = running
    pages = show(kind)
    page, later = pages.open(), None
    for tick in range(1, 161):
        report(lab, job, *range(8 * tick, 8 * tick + 8))
        pages.refresh()
        assert page.shown(*PATCHED[kind]) == whole(pages, kind)
        if tick == 80:
            later = pages.open()
    assert later is not None
    assert later.shown(*PATCHED[kind]) == whole(pages, kind)
    assert [page.asked, later.asked] == [0, 0]


@pytest.mark.spec("9.5", "6.14")
@pytest.mark.parametrize("kind", PATCHED)
def test_a_page_that_was_cut_off_ends_with_the_whole_curve(
    lab: Lab, running: tuple[Pipeline, Job], show: Show, kind: str
) -> None:
    """It asks at the next tick, once; the page beside it shows the same all the time."""
    _, job = running
    pages = show(kind)
    page, beside = pages.open(), pages.open()
    for step in range(10, 200, 10):
        report(lab, job, step)
        page.is_deaf = 50 < step < 120
        pages.refresh()
        assert beside.shown(*PATCHED[kind]) == whole(pages, kind)
    assert page.shown(*PATCHED[kind]) == beside.shown(*PATCHED[kind])
    assert [page.asked, beside.asked] == [1, 0]


@pytest.mark.spec("9.5")
@pytest.mark.parametrize("kind", PATCHED)
def test_a_page_that_missed_the_last_tick_gets_it_with_its_lease(
    lab: Lab, running: tuple[Pipeline, Job], show: Show, kind: str
) -> None:
    """At rest no tick comes that would tell it. One that may be on its way is not taken for missed."""
    _, job = running
    pages = show(kind)
    page = pages.open()
    report(lab, job, 10)
    page.is_deaf = True
    pages.refresh()
    page.is_deaf = False
    pages.sent = 0
    page.lease()
    assert pages.sent == 0  # it could be on its way
    page.lease()
    assert page.shown(*PATCHED[kind]) == whole(pages, kind)
    pages.sent = 0
    for _ in range(3):
        page.lease()
        pages.refresh()
    assert pages.sent == 0  # at rest nothing is sent


@pytest.mark.spec("9.5", "6.14")
@pytest.mark.parametrize("kind", PATCHED)
def test_the_bytes_of_a_tick_do_not_grow_with_the_curve(
    lab: Lab, running: tuple[Pipeline, Job], show: Show, kind: str
) -> None:
    """At 100 points and at 10,000, where the whole would be many times that."""
    _, job = running
    pages = show(kind)
    page, medians = pages.open(), list[float]()
    for first, last in ((1, 100), (101, 10_000)):
        report(lab, job, *range(first, last + 1))
        pages.refresh()
        ticks: list[int] = []
        for step in range(last + 1, last + 22):
            report(lab, job, step)
            ticks.append(pages.refresh())
        medians.append(statistics.median(ticks))
    few, many = medians
    assert many <= 1.5 * few
    assert many < 1_200
    assert len(json.dumps(whole(pages, kind))) > 4 * many
    assert page.shown(*PATCHED[kind]) == whole(pages, kind)


@pytest.mark.spec("4.4")
@pytest.mark.parametrize("is_followed", [True, False], ids=["another change follows", "at rest"])
def test_a_page_that_missed_a_status_shows_it_again(
    lab: Lab, running: tuple[Pipeline, Job], show: Show, *, is_followed: bool
) -> None:
    """With the next change, or where none comes with the second renewal of its lease."""
    pipeline, job = running
    pages = show("builder")
    page = pages.open()
    pages.refresh()
    page.is_deaf = True
    lab.supervision.finish(job, Outcome(status=Status.FAILED, error="no"), None)
    pages.refresh()
    page.is_deaf = False
    assert page.state["stages"][0]["status"] == "Running"
    if is_followed:
        lab.runs.trigger(pipeline.stages[0].id)
        pages.refresh()
    else:
        page.lease()
        page.lease()
    assert page.state["stages"] == whole(pages, "builder")["stages"]
    assert page.state["stages"][0]["status"] == ("Pending" if is_followed else "Failed")


def test_where_no_page_has_a_lease_all_is_sent_as_a_whole(
    lab: Lab, running: tuple[Pipeline, Job], show: Show
) -> None:
    """As where `nbconvert --execute` keeps the state of widgets, or while the view is out of sight."""
    _, job = running
    pages = show("builder")
    page = pages.open()
    page.tell("release", view=page.name)
    report(lab, job, 10)
    pages.refresh()
    assert page.shown("panel", "sequence") == json.loads(
        json.dumps(pages.view.get_state(["panel", "sequence"]))
    )
    assert page.taken == 0
    page.lease()
    report(lab, job, 20)
    pages.refresh()
    assert page.shown(*PATCHED["builder"]) == whole(pages, "builder")
    assert page.taken == 2  # of the panel, and of the row of its stage
