"""The list of a project's experiments (spec 9.1)."""

from __future__ import annotations

import math

import pytest
from factories.lab import Lab
from factories.values import GRPO, LOSS, SFT
from sqlalchemy import event

from pipeline_widgets.domain.experiment_actions import ExperimentBlockers
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConfigError, NotFoundError
from pipeline_widgets.services.queries.experiment_list import ExperimentListQueries, ListedExperiment, Sort

pytestmark = pytest.mark.spec("9.1")


@pytest.fixture
def listing(lab: Lab) -> ExperimentListQueries:
    """The list of the workspace."""
    return ExperimentListQueries(lab.store)


def names(lab: Lab, listing: ExperimentListQueries, **query: object) -> list[str]:
    """Return the names on a page, in order."""
    return [row.name for row in listing.page(lab.project.id, **query).rows]  # pyright: ignore[reportArgumentType]


def row(lab: Lab, listing: ExperimentListQueries, name: str) -> ListedExperiment:
    """Return the row of an experiment."""
    return next(each for each in listing.page(lab.project.id).rows if each.name == name)


def test_a_row_shows_the_latest_run_and_the_best_score_of_all(
    lab: Lab, listing: ExperimentListQueries
) -> None:
    """NaN and infinities never win, and where lower is better the lowest does."""
    made, lower = lab.experiment("sft", SFT), lab.experiment("loss", LOSS)
    lab.carry_out(lab.runs.train(made.id), 0.2, math.inf, 0.8, math.nan)
    lab.carry_out(lab.runs.train(made.id), 0.5, status=Status.FAILED)
    lab.carry_out(lab.runs.train(lower.id), 0.7, -math.inf, 0.3)
    found = row(lab, listing, "sft")
    assert (found.algorithm, found.status, found.runs, found.checkpoints) == ("SFT", Status.FAILED, 2, 5)
    assert (found.best, found.modified_at) == (0.8, made.modified_at)
    assert (found.step, found.started_at) == (None, None)
    assert row(lab, listing, "loss").best == 0.3
    lab.experiment("new", GRPO)
    new = row(lab, listing, "new")
    assert (new.status, new.runs, new.checkpoints, new.best) == (Status.DRAFT, 0, 0, None)


def test_a_row_shows_how_far_the_active_run_is(lab: Lab, listing: ExperimentListQueries) -> None:
    """A resumed run began where its checkpoint was saved, so that its pace can be told."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), 0.1, 0.2, status=Status.STOPPED)
    _, run = lab.runs.resume(made.id, lab.experiments.checkpoints(made.id)[-1].id, "on")
    job = lab.started(run)
    lab.report(job, 30, 100, loss=1.0)
    found = row(lab, listing, "on")
    assert (found.status, found.step, found.total, found.begun) == (Status.RUNNING, 30, 100, 20)
    assert found.started_at == lab.runs.get(run.id).started_at is not None
    lab.end(job)
    assert row(lab, listing, "on").step is None


def test_a_row_says_what_cannot_be_done_with_its_experiment(lab: Lab, listing: ExperimentListQueries) -> None:
    """By the rule that the services refuse by: each sentence is that of the refusal."""
    pipeline = lab.pipeline("SFT", name="chain")
    name = "chain-sft-1"
    assert row(lab, listing, name).pipelines == ("chain",)
    assert row(lab, listing, name).blockers.delete == "It is used by pipeline 'chain'."
    job = lab.started(lab.runs.trigger(pipeline.stages[0].id))
    why = "Its run 1 is running."
    assert row(lab, listing, name).blockers == ExperimentBlockers(
        train=why, resume=why, change=why, delete=why
    )
    experiment = pipeline.experiment_ids[0]
    with pytest.raises(Exception, match=why):
        lab.runs.train(experiment)
    with pytest.raises(Exception, match=why):
        lab.experiments.delete(experiment)
    lab.save(job, 10, 0.5)
    lab.end(job)
    assert row(lab, listing, name).blockers.resume == ""
    with pytest.raises(Exception, match="It is used by pipeline 'chain'"):
        lab.experiments.delete(experiment)


@pytest.mark.parametrize(
    ("sort", "up", "down"),
    [
        ("name", ["A", "b", "c"], ["c", "b", "A"]),
        ("modified", ["b", "A", "c"], ["c", "A", "b"]),
        ("created", ["b", "A", "c"], ["c", "A", "b"]),
        ("algorithm", ["A", "c", "b"], ["b", "c", "A"]),
        ("status", ["b", "A", "c"], ["c", "A", "b"]),
    ],
)
def test_every_column_sorts_both_ways(
    lab: Lab, listing: ExperimentListQueries, sort: Sort, up: list[str], down: list[str]
) -> None:
    """Names by letter in whatever case, statuses by how much they need a person."""
    for name, spec in (("b", SFT), ("A", GRPO), ("c", LOSS)):
        made = lab.experiment(name, spec)
        lab.clock.forward(60)
        if name == "A":
            lab.carry_out(lab.runs.train(made.id), 0.5)
        if name == "c":
            lab.started(lab.runs.train(made.id))
    assert names(lab, listing, sort=sort, descending=False) == up
    assert names(lab, listing, sort=sort) == down


def test_what_has_failed_needs_a_person_more_than_what_runs(lab: Lab, listing: ExperimentListQueries) -> None:
    """As in the list of pipelines."""
    lab.carry_out(lab.runs.train(lab.experiment("fails").id), 0.5, status=Status.FAILED)
    lab.started(lab.runs.train(lab.experiment("runs").id))
    assert names(lab, listing, sort="status") == ["fails", "runs"]


def test_a_search_looks_at_names_in_whatever_case(lab: Lab, listing: ExperimentListQueries) -> None:
    """Signs that mean something to a database mean nothing here."""
    for name in ("Ärger", "a*b", "50%", "ppo-1", "PPO-2"):
        lab.experiment(name)
    assert names(lab, listing, search=" ppo ", sort="name", descending=False) == ["ppo-1", "PPO-2"]
    for text, found in (("äRG", ["Ärger"]), ("*", ["a*b"]), ("%", ["50%"]), ("_", []), ('"\'"', [])):
        assert names(lab, listing, search=text) == found
    page = listing.page(lab.project.id, search="ppo")
    assert (page.total, page.all, page.pages) == (2, 5, 1)


def test_pages_follow_each_other(lab: Lab, listing: ExperimentListQueries) -> None:
    """Every experiment is on one page; a page past the end gives the last one."""
    for number in range(7):
        lab.experiment(f"e{number}")
    first = listing.page(lab.project.id, sort="name", descending=False, size=3)
    assert ([each.name for each in first.rows], first.total, first.pages) == (["e0", "e1", "e2"], 7, 3)
    assert names(lab, listing, sort="name", descending=False, size=3, page=1) == ["e3", "e4", "e5"]
    last = listing.page(lab.project.id, sort="name", descending=False, size=3, page=9)
    assert ([each.name for each in last.rows], last.page) == (["e6"], 2)


def test_a_list_of_another_project_is_another_list(lab: Lab, listing: ExperimentListQueries) -> None:
    """And a project without experiments has an empty one."""
    lab.experiment("mine")
    other = lab.projects.create("Other", advanced_training=False)
    page = listing.page(other.id)
    assert (page.rows, page.total, page.pages, page.page) == ((), 0, 1, 0)
    with pytest.raises(NotFoundError):
        listing.page(other.id + 1)
    with pytest.raises(ConfigError, match="cannot be sorted by 'size'"):
        listing.page(other.id, sort="size")  # pyright: ignore[reportArgumentType]


def test_a_page_is_equal_as_long_as_nothing_changed(lab: Lab, listing: ExperimentListQueries) -> None:
    """What is equal need not be sent."""
    made = lab.experiment("sft")
    before = listing.page(lab.project.id)
    assert listing.page(lab.project.id) == before
    lab.runs.train(made.id)
    assert listing.page(lab.project.id) != before


def test_a_page_asks_as_often_whatever_is_on_it(lab: Lab, listing: ExperimentListQueries) -> None:
    """The database is asked as often for one experiment as for many, and reads one page of them."""
    asked: list[str] = []
    engine = lab.store.database._engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType]

    def questions() -> list[int]:
        counts: list[int] = []
        for query in ({}, {"sort": "status", "search": "c"}):
            asked.clear()
            names(lab, listing, size=5, **query)
            counts.append(len(asked))
        return counts

    def work(name: str) -> None:
        for stage in lab.pipeline("SFT", "GRPO", name=name).stages:
            lab.do(stage, 0.5)

    work("c0")
    few = questions()
    for number in range(1, 5):
        work(f"c{number}")
    assert questions() == few
