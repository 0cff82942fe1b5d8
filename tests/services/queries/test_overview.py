"""The list of pipelines and the plain tables (spec 3, 9)."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from factories.lab import Lab
from factories.values import GRPO, LOSS, SFT
from sqlalchemy import event

from pipeline_widgets.domain.chain import ExperimentStage, ScoreAtLeast, Trigger
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConfigError, NotFoundError
from pipeline_widgets.services.queries.experiment_list import ExperimentListQueries
from pipeline_widgets.services.queries.overview import OverviewQueries, PipelinePage, PipelineRow, Sort
from pipeline_widgets.services.retention import RetentionService


@pytest.fixture
def overview(lab: Lab) -> OverviewQueries:
    return OverviewQueries(lab.store)


def names(page: PipelinePage) -> list[str]:
    """Return the names on a page, in order."""
    return [row.name for row in page.rows]


def row_of(lab: Lab, name: str = "chain") -> PipelineRow:
    """Return the row of one pipeline."""
    rows = OverviewQueries(lab.store).pipelines(lab.project.id).rows
    return next(row for row in rows if row.name == name)


@pytest.mark.spec("3.2")
def test_a_row_shows_the_pipeline_and_its_latest_change(lab: Lab) -> None:
    """A trigger moves "Last modified" of the row, and not the version that edits go by."""
    made = lab.pipelines.update(lab.pipeline("SFT", "GRPO").id, description="what for")
    before = row_of(lab)
    assert (before.id, before.name, before.description) == (made.id, "chain", "what for")
    assert (before.version, before.created_at, before.modified_at) == (
        made.version,
        made.created_at,
        made.modified_at,
    )
    assert (before.stages, before.stale, before.shared) == (2, 0, ())
    lab.clock.forward(60)
    lab.runs.trigger(made.stages[0].id)
    after = row_of(lab)
    assert after.modified_at == datetime.fromtimestamp(lab.clock.now, UTC) > before.modified_at
    assert after.version == before.version


@pytest.mark.spec("3.6")
def test_a_project_without_pipelines_has_an_empty_page(lab: Lab, overview: OverviewQueries) -> None:
    """There is one page, with nothing on it."""
    page = overview.pipelines(lab.project.id, page=3)
    assert (page.rows, page.total, page.all, page.page, page.pages) == ((), 0, 0, 0, 1)


@pytest.mark.spec("3.8")
@pytest.mark.parametrize(
    ("sort", "ascending"),
    [
        ("created", ["beta", "Alpha", "Gamma", "delta"]),
        ("name", ["Alpha", "beta", "delta", "Gamma"]),
        ("modified", ["Alpha", "Gamma", "delta", "beta"]),
    ],
)
def test_every_column_sorts_both_ways(
    lab: Lab, overview: OverviewQueries, sort: Sort, ascending: list[str]
) -> None:
    """Names sort without regard to case; what is equal stays in the order of creation."""
    made = {name: lab.pipelines.create(lab.project.id, name) for name in ("beta", "Alpha", "Gamma", "delta")}
    lab.clock.forward(60)
    lab.pipelines.update(made["beta"].id, description="new")
    assert names(overview.pipelines(lab.project.id, sort=sort, descending=False)) == ascending
    assert names(overview.pipelines(lab.project.id, sort=sort)) == ascending[::-1]


@pytest.mark.spec("3.8")
def test_a_column_that_is_not_there_is_refused(lab: Lab, overview: OverviewQueries) -> None:
    """The error names the columns; a project that is not there is told too."""
    with pytest.raises(ConfigError, match=r"cannot be sorted by 'size'\. Choose one of modified, name"):
        overview.pipelines(lab.project.id, sort="size")  # pyright: ignore[reportArgumentType]
    with pytest.raises(NotFoundError, match="There is no such project"):
        overview.pipelines(lab.project.id + 1)


SEARCHED = (
    "50% off",
    "5_0",
    "a*b",
    "[x]",
    "what?",
    "GRPO sweep",
    "Größe",
    "ΔE",
    "^hat-2",
    "back\\slash",
    "it's",
)


@pytest.mark.spec("3.8")
@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", set(SEARCHED)),
        ("  ", set(SEARCHED)),
        ("%", {"50% off"}),
        ("_", {"5_0"}),
        ("*", {"a*b"}),
        ("[", {"[x]"}),
        ("]", {"[x]"}),
        ("?", {"what?"}),
        ("^", {"^hat-2"}),
        ("-", {"^hat-2"}),
        ("\\", {"back\\slash"}),
        ('"\'"', {"it's"}),
        (" grpo S ", {"GRPO sweep"}),
        ("GRÖSSE", set[str]()),
        ("GRÖß", {"Größe"}),
        ("δe", {"ΔE"}),
        ("x'; --", set[str]()),
        ("a" * 500, set[str]()),
    ],
)
def test_search_takes_every_sign_as_it_stands(
    lab: Lab, overview: OverviewQueries, search: str, found: set[str]
) -> None:
    """A part of the name in either case is found; wildcards are ordinary signs."""
    for name in SEARCHED:
        lab.pipelines.create(lab.project.id, name)
    page = overview.pipelines(lab.project.id, search=search)
    assert set(names(page)) == found
    assert (page.total, page.all) == (len(found), len(SEARCHED))
    assert set(names(overview.pipelines(lab.project.id, search=search, sort="status"))) == found


@pytest.mark.spec("3.8")
def test_search_looks_into_descriptions_and_stays_in_its_project(lab: Lab, overview: OverviewQueries) -> None:
    """A word of the description finds a pipeline, but not one of another project."""
    lab.pipelines.create(lab.project.id, "one", "for the Swimmer")
    lab.pipelines.create(lab.project.id, "two")
    other = lab.projects.create("Other", advanced_training=True)
    lab.pipelines.create(other.id, "swimmer")
    for sort in ("modified", "status"):
        page = overview.pipelines(lab.project.id, search="swimmer", sort=sort)
        assert (names(page), page.total, page.all) == (["one"], 1, 2)


@pytest.mark.spec("3.8")
def test_rows_past_fifty_are_on_further_pages(lab: Lab, overview: OverviewQueries) -> None:
    """Pages hold 50 rows; together they hold every row once, and past the end comes the last page."""
    made = [lab.pipelines.create(lab.project.id, f"p{number:03}").name for number in range(103)]
    for sort in ("created", "status"):
        pages = [
            overview.pipelines(lab.project.id, sort=sort, page=page, descending=False) for page in range(3)
        ]
        assert [len(page.rows) for page in pages] == [50, 50, 3]
        assert [name for page in pages for name in names(page)] == made
        assert {(page.total, page.all, page.pages) for page in pages} == {(103, 103, 3)}
        assert overview.pipelines(lab.project.id, sort=sort, page=99, descending=False) == pages[2]
        assert overview.pipelines(lab.project.id, sort=sort, page=-1, descending=False) == pages[0]
    odd = overview.pipelines(lab.project.id, size=0)
    assert (len(odd.rows), odd.pages) == (1, 103)


@pytest.mark.spec("3.8")
def test_a_full_last_page_is_the_last(lab: Lab, overview: OverviewQueries) -> None:
    """There is no empty page behind it."""
    for number in range(4):
        lab.pipelines.create(lab.project.id, f"p{number}")
    page = overview.pipelines(lab.project.id, page=2, size=2)
    assert (page.page, page.pages, len(page.rows)) == (1, 2, 2)


@pytest.mark.spec("3.8")
def test_the_roll_up_follows_a_chain(lab: Lab) -> None:
    """It waits for a person, runs, waits at the next manual stage, and succeeds."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    seen = [row_of(lab).rollup]
    run = lab.runs.trigger(first.id)
    seen.append(row_of(lab).rollup)
    job = lab.started(run)
    seen.append(row_of(lab).rollup)
    lab.save(job, 10, 0.5)
    lab.end(job)
    seen.append(row_of(lab).rollup)
    lab.do(second, 0.5, status=Status.FAILED)
    seen.append(row_of(lab).rollup)
    lab.do(second, 0.5)
    seen.append(row_of(lab).rollup)
    assert [(rollup.status.value, rollup.detail) for rollup in seen] == [
        ("Waiting for you", "Stage 1 (chain-sft-1) is next"),
        ("Pending", "Stage 1 (chain-sft-1) is pending"),
        ("Running", "Stage 1 (chain-sft-1) is running"),
        ("Waiting for you", "Stage 2 (chain-grpo-2) is next"),
        ("Failed", "Stage 2 (chain-grpo-2) has failed"),
        ("Succeeded", "Every stage has succeeded"),
    ]


@pytest.mark.spec("3.8", "5.2")
def test_a_stage_made_auto_too_late_waits_for_a_person(lab: Lab) -> None:
    """Its previous stage has succeeded already, so nothing will start it."""
    first, second = lab.pipeline("SFT", "deploy").stages
    lab.do(first, 0.5)
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, trigger=Trigger.AUTO))
    assert row_of(lab).rollup.status == "Waiting for you"
    assert row_of(lab).rollup.detail.startswith("Stage 2 (letters-agent) is next")


@pytest.mark.spec("3.8", "6.7")
def test_a_held_stage_says_why(lab: Lab) -> None:
    """The row gives the numbers of a gate that was not met."""
    first, second = lab.pipeline("SFT", "GRPO", trigger="auto").stages
    lab.pipelines.update_stage(second.id, lambda stage: replace(stage, gate=ScoreAtLeast(0.9)))
    lab.do(first, 0.5)
    rollup = row_of(lab).rollup
    assert rollup.status == "Held"
    assert rollup.detail == f"Stage 2 (chain-grpo-2): {lab.state(second).held}"
    assert "0.5, needs at least 0.9" in rollup.detail


@pytest.mark.spec("3.8")
def test_only_runs_of_the_experiment_that_is_bound_now_count(lab: Lab) -> None:
    """A stage that gets another experiment has not run with it, and comes back to what it was."""
    (stage,) = lab.pipeline("SFT").stages
    lab.do(stage, 0.5)
    lab.runs.train(lab.experiment("alone").id)  # a run by itself belongs to no stage
    assert row_of(lab).rollup.status == "Succeeded"
    bound = [stage.experiment_id if isinstance(stage, ExperimentStage) else 0, lab.experiment("other").id]
    words: list[str] = []
    for experiment_id in reversed(bound):
        lab.pipelines.update_stage(stage.id, lambda each, to=experiment_id: replace(each, experiment_id=to))
        assert row_of(lab).rollup.status == {"Draft": "Waiting for you"}.get(
            lab.status(stage), lab.status(stage)
        )
        words.append(row_of(lab).rollup.status)
    assert words == ["Waiting for you", "Succeeded"]


@pytest.mark.spec("3.8")
def test_by_status_what_needs_a_person_comes_first(lab: Lab, overview: OverviewQueries) -> None:
    """Failures, then what waits, then what runs, then what is done; equals in the order of creation."""
    lab.pipeline(name="empty")
    lab.do(lab.pipeline("SFT", name="done").stages[0], 0.5)
    lab.started(lab.runs.trigger(lab.pipeline("SFT", name="runs").stages[0].id))
    lab.pipeline("SFT", name="waits")
    lab.do(lab.pipeline("SFT", name="broke").stages[0], status=Status.FAILED)
    lab.pipeline("SFT", name="waits too")
    wanted = ["broke", "waits too", "waits", "runs", "done", "empty"]
    assert names(overview.pipelines(lab.project.id, sort="status")) == wanted
    assert names(overview.pipelines(lab.project.id, sort="status", descending=False)) == wanted[::-1]
    second = overview.pipelines(lab.project.id, sort="status", page=1, size=2, search="s")
    assert names(second) == ["runs"]


@pytest.mark.spec("3.8", "6.8")
def test_a_row_counts_its_stale_stages(lab: Lab) -> None:
    """A re-run upstream turns what follows stale, in its own pipeline only."""
    stages = lab.pipeline("SFT", "GRPO", "deploy").stages
    other = lab.pipeline("SFT", "GRPO", name="other").stages
    for stage in (*stages, *other):
        lab.do(stage, 0.5)
    assert (row_of(lab).stale, row_of(lab, "other").stale) == (0, 0)
    lab.do(stages[0], 0.6)
    assert (row_of(lab).stale, row_of(lab, "other").stale) == (2, 0)
    lab.pipelines.accept_as_fresh(stages[1].id, "the same data")
    assert row_of(lab).stale == sum(lab.state(stage).staleness.stale for stage in stages) == 0


@pytest.mark.spec("3.4")
def test_a_row_names_the_experiments_that_it_shares(lab: Lab) -> None:
    """A duplicate shares all of them, until one of the two is bound to another."""
    made = lab.pipeline("SFT", "GRPO", "deploy")
    lab.pipeline("SFT", name="alone")
    assert row_of(lab).shared == ()
    copy = lab.pipelines.duplicate(made.id)
    both = ("chain-sft-1", "chain-grpo-2")
    assert row_of(lab).shared == row_of(lab, "chain (copy)").shared == both
    assert row_of(lab, "alone").shared == ()
    mine = lab.experiment("mine")
    lab.pipelines.update_stage(copy.stages[0].id, lambda stage: replace(stage, experiment_id=mine.id))
    assert row_of(lab).shared == row_of(lab, "chain (copy)").shared == ("chain-grpo-2",)
    lab.pipelines.delete(made.id)
    assert row_of(lab, "chain (copy)").shared == ()


@pytest.mark.spec("3.7")
def test_a_deleted_pipeline_leaves_the_list_and_keeps_its_experiments(
    lab: Lab, overview: OverviewQueries
) -> None:
    """Its row is gone; its experiment and results are listed as before."""
    made = lab.pipeline("SFT")
    lab.do(made.stages[0], 0.5)
    kept = overview.experiments(lab.project.id)
    results = overview.results(lab.project.id, made.experiment_ids)
    lab.pipelines.delete(made.id)
    assert overview.pipelines(lab.project.id).rows == ()
    assert overview.experiments(lab.project.id) == kept
    assert overview.results(lab.project.id, made.experiment_ids) == results != ()


@pytest.mark.spec("3.8")
def test_a_page_is_equal_as_long_as_nothing_changed(lab: Lab, overview: OverviewQueries) -> None:
    """What is equal need not be sent; a change of one stage makes the page and its revision differ."""
    made = lab.pipeline("SFT", "GRPO")
    page = overview.pipelines(lab.project.id)
    assert overview.pipelines(lab.project.id) == page
    lab.runs.trigger(made.stages[0].id)
    changed = overview.pipelines(lab.project.id)
    assert changed.rows != page.rows
    assert changed.revision == lab.projects.get(lab.project.id).revision > page.revision


@pytest.mark.spec("3.8")
def test_no_list_asks_more_questions_when_there_is_more(lab: Lab, overview: OverviewQueries) -> None:
    """The database is asked as often for one pipeline as for many."""
    asked: list[str] = []
    engine = lab.store.database._engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType]

    def questions() -> list[int]:
        counts: list[int] = []
        ids = [each.id for each in lab.experiments.of_project(lab.project.id)]
        for look in (
            lambda: overview.pipelines(lab.project.id),
            lambda: overview.pipelines(lab.project.id, sort="status", search="c"),
            lambda: overview.experiments(lab.project.id),
            lambda: overview.results(lab.project.id, ids),
        ):
            asked.clear()
            look()
            counts.append(len(asked))
        return counts

    def work(name: str) -> None:
        for stage in lab.pipeline("SFT", "GRPO", name=name).stages:
            lab.do(stage, 0.5)

    work("c0")
    few = questions()
    for number in range(1, 6):
        work(f"c{number}")
    assert questions() == few


@pytest.mark.spec("9.1")
def test_a_row_of_an_experiment_shows_its_latest_run_and_its_best_score(
    lab: Lab, overview: OverviewQueries
) -> None:
    """The status is the latest run's, the score the best of all runs; NaN and infinities never win."""
    assert overview.experiments(lab.project.id) == ()
    lower, plain = lab.experiment("lower", LOSS), lab.experiment("plain", GRPO)
    (stage,) = lab.pipeline("SFT", name="one").stages
    lab.do(stage, 0.2, math.inf, 0.8, math.nan)
    lab.do(stage, 0.5, -math.inf, status=Status.FAILED)
    for score in (0.7, -math.inf, 0.3):
        lab.carry_out(lab.runs.train(lower.id), score)
    lab.carry_out(lab.runs.train(plain.id), math.inf)
    lab.experiment("new")
    rows = overview.experiments(lab.project.id)
    assert [(row.name, row.algorithm, row.status.value, row.runs, row.best) for row in rows] == [
        ("lower", "LOSS", "Succeeded", 3, 0.3),
        ("plain", "GRPO", "Succeeded", 1, None),
        ("one-sft-1", "SFT", "Failed", 2, 0.8),
        ("new", "SFT", "Draft", 0, None),
    ]
    assert [(row.id, row.modified_at) for row in rows] == [
        (each.id, each.modified_at) for each in lab.experiments.of_project(lab.project.id)
    ]


@pytest.mark.spec("9.3")
def test_results_list_the_runs_of_the_experiments_that_were_asked_for(
    lab: Lab, overview: OverviewQueries
) -> None:
    """Each run has a row, by experiment and number, with its own scores and no other's."""
    mine, lower, other = lab.experiment("mine", SFT), lab.experiment("lower", LOSS), lab.experiment("other")
    first = lab.started(lab.runs.train(lower.id))
    lab.report(first, 15, 20)
    lab.save(first, 10, 0.4, training=0.6)
    lab.save(first, 20, 0.3, training=math.nan)
    lab.end(first)
    lab.carry_out(lab.runs.train(mine.id), 0.5, 0.9)
    lab.carry_out(lab.runs.train(other.id), 0.5)
    lab.runs.train(mine.id)
    rows = overview.results(lab.project.id, [lower.id, mine.id])
    shown = [(row.experiment, row.number, row.status.value, row.steps, row.checkpoints) for row in rows]
    assert shown == [
        ("mine", 1, "Succeeded", None, 2),
        ("mine", 2, "Pending", None, 0),
        ("lower", 1, "Succeeded", 15, 2),
    ]
    assert [(row.training_score, row.evaluation_score) for row in rows] == [
        (None, 0.9),
        (None, None),
        (0.6, 0.3),
    ]
    for row in rows:
        run = lab.runs.get(row.run_id)
        assert (row.experiment_id, row.started_at, row.finished_at) == (
            run.experiment_id,
            run.started_at,
            run.finished_at,
        )
    assert rows[1].started_at is None
    assert overview.results(lab.project.id, []) == ()
    assert overview.results(lab.project.id + 1, [mine.id]) == ()


@pytest.mark.spec("9.3")
def test_a_clean_up_rewrites_no_result(lab: Lab, overview: OverviewQueries) -> None:
    """The best scores that a run ever saved stay with it when the checkpoints that had them go."""
    experiment = lab.experiment("mine")
    run = lab.runs.train(experiment.id)
    lab.carry_out(run, 0.1, 0.9, 0.2)
    (before,), (listed,) = (
        overview.results(lab.project.id, [experiment.id]),
        overview.experiments(lab.project.id),
    )
    RetentionService(lab.store).delete_unreferenced(lab.project.id, "final")
    lab.experiments.delete_checkpoint(lab.runs.checkpoints(run.id)[0].id)
    assert overview.results(lab.project.id, [experiment.id]) == (replace(before, checkpoints=0),)
    assert overview.experiments(lab.project.id) == (listed,)
    assert ExperimentListQueries(lab.store).page(lab.project.id).rows[0].best == 0.9
