"""What views read and show when a run reports, and nothing else has happened."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from factories.lab import Lab
from statements import queries, sent

from pipeline_widgets.application import Services
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.job import Job
from pipeline_widgets.domain.revisions import Revisions
from pipeline_widgets.widgets.agents import AgentsView
from pipeline_widgets.widgets.base import View
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.pipeline_list import PipelineList
from pipeline_widgets.widgets.refresher import Refresher
from pipeline_widgets.widgets.results import ResultsView
from pipeline_widgets.widgets.workspace import WorkspaceView

#: What a view of a kind shows, of what reports can change.
SHOWN = {
    "builder": ("stages", "panel", "pipeline"),
    "chart": ("chart",),
    "pipelines": ("rows", "page"),
    "experiments": ("rows", "page", "details"),
    "results": ("runs", "curves", "timelines", "shown", "experiments", "total"),
    "workspace": ("rows", "active", "waiting", "page"),
    "agents": ("rows", "page", "obstacle"),
}


@pytest.fixture
def running(lab: Lab) -> tuple[Pipeline, Job]:
    """A pipeline whose first stage runs; it has saved a checkpoint and reported."""
    pipeline = lab.pipeline("SFT", "GRPO", name="running")
    job = lab.started(lab.runs.trigger(pipeline.stages[0].id))
    lab.save(job, 5, 0.25)
    lab.report(job, 10, 100, loss=0.5, training_score=0.1)
    return pipeline, job


@pytest.fixture
def make(services: Services, lab: Lab) -> Iterator[Callable[[str, Pipeline], Any]]:
    """Return what makes a view of a kind; all are closed in the end."""
    made: list[View] = []

    def make_view(kind: str, pipeline: Pipeline) -> Any:
        project, experiments = lab.project.id, pipeline.experiment_ids
        views: Mapping[str, Callable[[], View]] = {
            "builder": lambda: PipelineView(services, pipeline.id),
            "chart": lambda: PipelineView(services, pipeline.id),
            "pipelines": lambda: PipelineList(services, project),
            "experiments": lambda: ExperimentsView(services, project),
            "results": lambda: ResultsView(services, project, experiments),
            "workspace": lambda: WorkspaceView(services),
            "agents": lambda: AgentsView(services),
        }
        view: Any = views[kind]()
        made.append(view)
        if kind == "chart":
            view.do_chart("loss")
        if kind == "experiments":
            view.do_expand(experiments[0])
        return view

    yield make_view
    for each in made:
        each.close()


@contextmanager
def counted(services: Services) -> Generator[list[str]]:
    """Collect the statements of a block, without those that begin transactions."""
    found: list[str] = []
    with sent(services.store) as statements:
        yield found
    found += queries(statements)


def look(view: View, kind: str) -> dict[str, Any]:
    """Return what a view shows."""
    return {name: getattr(view, name) for name in SHOWN[kind]}


Act = Callable[[Lab, Job], object]
ACTS: dict[str, Act] = {
    "metrics": lambda lab, job: lab.report(job, 20, 200, loss=0.25, entropy=1.5),
    "a checkpoint": lambda lab, job: lab.save(job, 30, 0.75, 0.5),
    "reports after a checkpoint": lambda lab, job: (
        lab.save(job, 30, 0.75, 0.5),
        lab.report(job, 40, 100, loss=0.125),
    ),
    "its end": lambda lab, job: lab.end(job),
    "a rename": lambda lab, _: lab.projects.rename(lab.project.id, "Words"),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("kind", SHOWN)
def test_a_view_that_was_there_shows_what_a_new_one_does(
    lab: Lab, running: tuple[Pipeline, Job], make: Callable[[str, Pipeline], Any], kind: str, act: str
) -> None:
    """Whatever happens to the run, and however little is read for it."""
    pipeline, job = running
    view = make(kind, pipeline)
    for _ in range(2):  # the second time it has seen a report before
        lab.report(job, 15, 150, loss=0.375)
        view.refresh()
    ACTS[act](lab, job)
    view.refresh()
    new = make(kind, pipeline)
    if kind == "builder":
        new.do_select(view.selected)
    assert look(view, kind) == look(new, kind)


def test_a_report_makes_no_other_view_read(
    lab: Lab, services: Services, running: tuple[Pipeline, Job], make: Callable[[str, Pipeline], Any]
) -> None:
    """Forty views of other pipelines ask together for two numbers and for who has reported."""
    _, job = running
    others = [make("builder", lab.pipeline("SFT", name=f"other {at}")) for at in range(40)]
    views = [*others, make("pipelines", running[0])]
    with services.store.changes.ask_once():
        for each in views:
            each.refresh()
    lab.report(job, 20, 100, loss=0.25)
    with counted(services) as statements, services.store.changes.ask_once():
        for each in views:
            each.refresh()
    assert len(statements) == 2
    with counted(services) as statements, services.store.changes.ask_once():
        for each in views:
            each.refresh()
    assert len(statements) == 1


def test_what_views_of_a_run_read_of_a_report_does_not_grow(
    lab: Lab, services: Services, running: tuple[Pipeline, Job], make: Callable[[str, Pipeline], Any]
) -> None:
    """Its builder reads the run, its metrics and its use of the machine; the list of experiments one row."""
    pipeline, job = running
    counts: list[list[int]] = []
    for saved in (100, 200):
        builder, listed = make("builder", pipeline), make("experiments", pipeline)
        listed.do_collapse(pipeline.experiment_ids[0])
        builder.refresh()
        lab.report(job, saved, 1000, loss=0.25)
        counts.append([])
        for each in (builder, listed):
            with counted(services) as statements:
                each.refresh()
            assert not [each for each in statements if "checkpoints.path" in each]
            counts[-1].append(len(statements))
        for step in range(20):
            lab.save(job, saved + step, 0.5)
        lab.pipeline("SFT", "GRPO", "SFT", name=f"another {saved}")
    assert counts[0] == counts[1]
    assert counts[0][0] <= 8


def test_a_report_is_counted_as_what_it_is(lab: Lab, running: tuple[Pipeline, Job]) -> None:
    """It raises both numbers of its project; a checkpoint, which others can start from, raises one."""
    _, job = running

    def measure(act: Act) -> tuple[bool, int, frozenset[int]]:
        before = lab.store.changes.revisions(lab.project.id)
        act(lab, job)
        after = lab.store.changes.revisions(lab.project.id)
        told = lab.store.changes.reported(lab.project.id, before).runs
        return after.has_only_reports_since(before), after.all - before.all, told

    only = frozenset([job.run_id])
    assert measure(ACTS["metrics"]) == (True, 1, only)
    assert measure(ACTS["a checkpoint"]) == (False, 1, only)
    assert measure(lambda lab, job: lab.supervision.beat(job)) == (True, 0, frozenset())
    assert measure(ACTS["its end"]) == (False, 1, only)


def test_a_list_whose_filter_asks_for_metrics_sees_a_report(
    lab: Lab, running: tuple[Pipeline, Job], make: Callable[[str, Pipeline], Any]
) -> None:
    """What has come to match is listed."""
    pipeline, job = running
    for step, kind in ((20, "pipelines"), (40, "experiments")):
        view = make(kind, pipeline)
        view.do_query(search="metric.loss > 10")
        assert view.rows == []
        lab.report(job, step, 100, loss=20.0)
        view.refresh()
        assert len(view.rows) == 1
        lab.report(job, step + 10, 100, loss=0.5)


def test_a_question_is_asked_once_in_a_round_and_again_in_the_next(lab: Lab) -> None:
    """Also by views that look within another block; outside of one each time."""
    store, project, first = lab.store, lab.project.id, 0
    with sent(store) as statements:
        for _ in range(2):
            with store.changes.ask_once():
                first = store.changes.revision(project)
                with store.changes.ask_once():
                    assert store.changes.revision(project) == first
                lab.projects.rename(project, f"{first}")
                assert store.changes.revision(project) == first
        later = store.changes.revision(project)
    assert later > first
    assert len([each for each in statements if "AS written" in each]) == 3


def test_a_round_can_leave_reports_to_the_next_one(lab: Lab, running: tuple[Pipeline, Job]) -> None:
    """Whatever else is written is seen at once, together with what was reported."""
    _, job = running
    changes, project = lab.store.changes, lab.project.id

    def ask(*, holds_reports: bool) -> tuple[Revisions, Revisions]:
        with changes.ask_once(holds_reports=holds_reports):
            return changes.revisions(project), changes.all_revisions()

    first = ask(holds_reports=True)
    lab.report(job, 20, 100, loss=0.4)
    assert ask(holds_reports=True) == first
    assert changes.revisions(project) != first[0]  # who does not take part in rounds
    second = ask(holds_reports=False)
    assert [now.reports - before.reports for now, before in zip(second, first, strict=True)] == [1, 1]
    lab.report(job, 30, 100, loss=0.3)
    lab.projects.rename(project, "renamed")
    third = ask(holds_reports=True)
    assert [now.reports - before.reports for now, before in zip(third, second, strict=True)] == [1, 1]


def test_a_round_that_leaves_reports_reads_no_run(
    services: Services, lab: Lab, make: Callable[[str, Pipeline], Any], running: tuple[Pipeline, Job]
) -> None:
    """Neither its curves nor its log; the next round shows them."""
    pipeline, job = running
    views = [make(kind, pipeline) for kind in ("builder", "results")]
    changes = services.store.changes
    with changes.ask_once():
        for view in views:
            view.refresh()
    lab.report(job, 20, 100, loss=0.4)
    with counted(services) as statements, changes.ask_once(holds_reports=True):
        assert all(view.refresh() for view in views)  # it still runs
    assert len(statements) <= 2, statements
    assert views[0].panel["run"]["step"] == 10
    with changes.ask_once():
        for view in views:
            view.refresh()
    assert views[0].panel["run"]["step"] == 20


class Seen:
    """A view that is refreshed by the rounds of a refresher."""

    def __init__(self, order: list[str], *, live: bool = True) -> None:
        self.live = live
        self._order = order

    def refresh(self, *, wait: bool) -> bool:
        """Note it."""
        del wait
        self._order.append("view")
        return self.live


def test_the_refresher_lets_views_ask_once() -> None:
    """In each round all of them share what they ask for, and the look for crashed runs does not."""
    order: list[str] = []

    @contextmanager
    def ask_once(*, holds_reports: bool) -> Generator[None]:
        order.append(f"begin, {holds_reports=}")
        yield
        order.append("end")

    made, seen = Refresher(lambda: order.append("look"), ask_once), Seen(order)
    made._refresh([seen, Seen(order)])
    assert order == ["look", "begin, holds_reports=False", "view", "view", "end"]


def test_every_second_round_shows_what_was_reported() -> None:
    """While something runs; a round after a rest shows all."""
    held: list[bool] = []

    @contextmanager
    def ask_once(*, holds_reports: bool) -> Generator[None]:
        held.append(holds_reports)
        yield

    made, seen = Refresher(lambda: None, ask_once), Seen([])
    for seen.live in (True, True, True, False, True, False, False):
        made._refresh([seen])
    assert held == [False, True, False, True, False, True, False]
