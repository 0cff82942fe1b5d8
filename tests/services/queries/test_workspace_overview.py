"""A workspace at a glance: its projects, what is active, what waits for a person (spec 2.5)."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from factories.lab import Lab, configured
from factories.values import SFT
from statements import queries, sent

from pipeline_widgets.domain.chain import Pipeline, ScoreAtLeast
from pipeline_widgets.domain.rollup import PipelineStatus, roll_up, roll_up_unfinished
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConfigError, FilterError
from pipeline_widgets.services.queries.workspace_overview import (
    ListedProject,
    Sort,
    WorkspaceOverviewQueries,
    WorkspacePage,
)

pytestmark = pytest.mark.spec("2.5")


@pytest.fixture
def overview(lab: Lab) -> WorkspaceOverviewQueries:
    """The read model."""
    return WorkspaceOverviewQueries(lab.store)


def project(page: WorkspacePage, name: str = "Letters") -> ListedProject:
    """Return a project of a page."""
    return next(row for row in page.rows if row.name == name)


def detail(page: WorkspacePage) -> str | None:
    """Return what the row of the project says of where it stands."""
    rollup = project(page).rollup
    return None if rollup is None else f"{rollup.status}: {rollup.detail}"


def at(lab: Lab) -> datetime:
    """Return the time."""
    return datetime.fromtimestamp(lab.clock.now, UTC)


def test_a_row_has_the_kind_the_counts_and_the_latest_change(
    lab: Lab, overview: WorkspaceOverviewQueries
) -> None:
    """An edit of an experiment or a pipeline, and the start and the end of a run, are changes."""
    lab.projects.create("Classic", advanced_training=False)
    classic = project(overview.page(), "Classic")
    assert (classic.advanced_training, classic.experiments, classic.pipelines) == (False, 0, 0)
    assert (classic.modified_at, classic.rollup) == (at(lab), None)
    lab.clock.forward(60)
    alone = lab.experiment("alone")
    assert project(overview.page()).modified_at == at(lab)
    lab.clock.forward(60)
    lab.pipeline("SFT", "GRPO")
    row = project(overview.page())
    assert (row.advanced_training, row.experiments, row.pipelines) == (True, 3, 1)
    assert row.modified_at == at(lab)
    lab.clock.forward(60)
    job = lab.started(lab.runs.train(alone.id))
    assert project(overview.page()).modified_at == at(lab)
    lab.clock.forward(60)
    lab.end(job)
    assert project(overview.page()).modified_at == at(lab)
    assert project(overview.page(), "Classic").modified_at == classic.modified_at


def test_projects_are_searched_sorted_and_paged(lab: Lab, overview: WorkspaceOverviewQueries) -> None:
    """By their last change, their name, or what needs a person most."""
    for name in ("beta", "Alpha"):
        lab.clock.forward(60)
        lab.projects.create(name, advanced_training=True)
    lab.pipeline("SFT")

    def names(**options: object) -> list[str]:
        return [row.name for row in overview.page(**options).rows]  # pyright: ignore[reportArgumentType]

    lab.clock.forward(60)
    lab.experiment("new")
    assert names() == ["Letters", "Alpha", "beta"]
    assert names(sort="name", descending=False) == ["Alpha", "beta", "Letters"]
    assert names(sort="status") == ["Letters", "Alpha", "beta"]
    assert names(sort="status", descending=False) == ["beta", "Alpha", "Letters"]
    assert names(search="AL") == ["Alpha"]
    second = overview.page(size=2, page=1)
    assert ([row.name for row in second.rows], second.total, second.all) == (["beta"], 3, 3)
    assert (overview.page(search="zzz").total, overview.page(search="zzz").all) == (0, 3)
    with pytest.raises(ConfigError, match="projects cannot be sorted by 'size'"):
        overview.page(sort="size")  # pyright: ignore[reportArgumentType]


def test_what_is_active_is_listed_with_where_it_belongs(lab: Lab, overview: WorkspaceOverviewQueries) -> None:
    """A run of a stage, one of an experiment by itself, and one that waits in the queue, which comes last."""
    pipeline = lab.pipeline("SFT", "GRPO")
    lab.runs.trigger(pipeline.stages[0].id)
    alone = lab.experiment("alone")
    job = lab.started(lab.runs.train(alone.id))
    lab.report(job, 3, total=10)
    page = overview.page()
    first, queued = page.active
    assert (first.status, first.name, first.pipeline, first.project) == ("Running", "alone", None, "Letters")
    assert (first.experiment_id, first.step, first.total, first.started_at) == (alone.id, 3, 10, at(lab))
    assert (queued.status, queued.name, queued.pipeline, queued.position) == (
        "Pending",
        "chain-sft-1",
        "chain",
        0,
    )
    assert (queued.stage_id, queued.pipeline_id) == (pipeline.stages[0].id, pipeline.id)
    assert page.all_active == 2
    assert page.waiting == ()
    assert detail(page) == "Running: 1 running, 1 pending"
    lab.end(job)
    assert detail(overview.page()) == "Pending: 1 pending, 1 succeeded"


def test_what_waits_for_a_person_is_listed_the_most_urgent_first(
    lab: Lab, overview: WorkspaceOverviewQueries
) -> None:
    """Manual stages whose turn it is, held gates, and stages that failed; a success waits for nobody."""
    lab.do(lab.pipeline("SFT", name="done").stages[0], 0.5)
    lab.pipeline("SFT", name="new")
    half = lab.pipeline("SFT", "GRPO", name="half")
    lab.do(half.stages[0], 0.5)
    held = lab.pipeline("SFT", name="held")
    lab.add(
        held.id,
        lab.experiment("gated"),
        trigger="auto",
        gate=ScoreAtLeast(0.9),
    )
    lab.do(held.stages[0], 0.5)
    lab.do(lab.pipeline("SFT", name="broken").stages[0], status=Status.FAILED)
    page = overview.page()
    shown = [(each.stage.pipeline, each.rollup.status, each.stage.position) for each in page.waiting]
    assert shown == [
        ("broken", "Failed", 0),
        ("held", "Held", 1),
        ("half", "Waiting for you", 1),
        ("new", "Waiting for you", 0),
    ]
    assert "0.9" in page.waiting[1].rollup.detail
    assert page.waiting[2].stage.id == half.stages[1].id
    assert (page.all_waiting, page.has_agents) == (4, True)
    assert detail(page) == "Failed: 1 failed, 1 held, 2 waiting for you, 1 succeeded"


def test_an_experiment_outside_of_pipelines_counts_by_its_latest_run(
    lab: Lab, overview: WorkspaceOverviewQueries
) -> None:
    """A failure that was trained again is none; what was never trained says nothing."""
    experiment = lab.experiment("alone")
    assert detail(overview.page()) is None
    lab.carry_out(lab.runs.train(experiment.id), status=Status.FAILED)
    assert detail(overview.page()) == "Failed: 1 failed"
    assert overview.page().waiting == ()
    lab.carry_out(lab.runs.train(experiment.id), 0.5)
    assert detail(overview.page()) == "Succeeded: 1 succeeded"


def random_chain(lab: Lab, chance: random.Random, name: str) -> Pipeline:
    """Make a pipeline whose stages stand anywhere."""
    pipeline = lab.pipeline(*["SFT"] * chance.randrange(5), name=name)
    for stage in pipeline.stages:
        word = chance.choice([None, "Succeeded", "Succeeded", "Succeeded", "Failed", "Crashed", "Stopped"])
        if word is None:
            break
        lab.do(stage, 0.5, status=Status(word))
        if chance.random() < 0.2:
            with lab.store.write() as work:
                work.pipelines.hold(stage.id, "The gate is not met.")
    return lab.pipelines.get(pipeline.id)


def test_the_database_says_the_same_as_the_roll_up_of_each_pipeline(lab: Lab) -> None:
    """Over forty chains that stand anywhere: the stage, the word and the sentence."""
    chance = random.Random(5)  # noqa: S311  the same chains each time
    chains = [random_chain(lab, chance, f"chain {number}") for number in range(40)]
    with lab.store.read() as work:
        summaries = work.pipelines.summaries([each.id for each in chains])
        found = {each.pipeline_id: each for each in work.overview.unfinished_stages(100)}
        counts = {each.status: each.count for each in work.overview.pipeline_counts()}
    expected: dict[PipelineStatus, int] = {}
    for chain in chains:
        rollup = roll_up(summaries.get(chain.id, []))
        if rollup.status is not PipelineStatus.EMPTY:
            expected[rollup.status] = expected.get(rollup.status, 0) + 1
        if rollup.status in {PipelineStatus.SUCCEEDED, PipelineStatus.EMPTY}:
            assert chain.id not in found
            continue
        stage = found[chain.id]
        assert stage.id == chain.stages[stage.position].id
        assert roll_up_unfinished(stage.summary, stage.position) == rollup
    assert counts == expected
    assert len(expected) > 4, "the chains are not different enough"


def test_a_page_takes_as_many_statements_for_many_as_for_one(
    lab: Lab, overview: WorkspaceOverviewQueries
) -> None:
    """However many projects, pipelines, runs and experiments there are."""
    with sent(lab.store) as few:
        overview.page()
    for number in range(12):
        made = lab.projects.create(f"project {number}", advanced_training=True)
        pipeline = lab.pipelines.create(made.id, "chain")
        for each in range(2):
            experiment = lab.experiments.create(made.id, f"experiment {each}", configured(SFT), seed=0)
            stage = lab.add(pipeline.id, experiment)
            if not each:
                lab.runs.trigger(stage.id)
    with sent(lab.store) as many:
        page = overview.page()
    assert len(page.rows) == 13
    assert page.all_active == 12
    assert len(queries(many)) == len(queries(few)) <= 8


def test_one_statement_tells_that_nothing_has_changed(lab: Lab) -> None:
    """Any write to any project or agent changes what it says, and so do projects that come or go."""
    lab.projects.create("other", advanced_training=True)
    with sent(lab.store) as statements:
        before = lab.store.changes.all_revisions()
        assert lab.store.changes.all_revisions() == before
    assert len(queries(statements)) == 2
    seen = {before}
    lab.experiment("new")
    seen.add(lab.store.changes.all_revisions())
    lab.projects.create("third", advanced_training=False)
    seen.add(lab.store.changes.all_revisions())
    run = lab.runs.train(lab.experiment("more").id)
    seen.add(lab.store.changes.all_revisions())
    lab.carry_out(run, 0.5)
    seen.add(lab.store.changes.all_revisions())
    checkpoint = lab.runs.checkpoints(run.id)[0]
    lab.agents.create("greeter", checkpoint.id, "")
    seen.add(lab.store.changes.all_revisions())
    assert len(seen) == 6


@pytest.mark.spec("9.8")
def test_projects_are_filtered_by_one_language(lab: Lab, overview: WorkspaceOverviewQueries) -> None:
    """By name, kind, counts and any status in them, in the order that is asked for; a mistake is named."""
    lab.do(lab.pipeline("SFT", "GRPO").stages[0], 0.5, status=Status.FAILED)
    lab.projects.create("classic letters", advanced_training=False)
    lab.projects.create("Numbers", advanced_training=True)

    def found(search: str, sort: Sort = "created") -> list[str]:
        page = overview.page(search=search, sort=sort, descending=False)
        assert (page.total, page.all) == (len(page.rows), 3)
        return [row.name for row in page.rows]

    assert found("letters") == ["Letters", "classic letters"]
    assert found("status=failed") == ["Letters"]
    assert found("letters not kind~classic") == ["Letters"]
    assert found("pipelines=0 or experiments>1") == ["Letters", "classic letters", "Numbers"]
    assert found("experiments>=2 and name=letters", sort="status") == ["Letters"]
    assert len(overview.project_ids("kind='advanced training'")) == 2
    with pytest.raises(FilterError, match=r"Projects have no 'seed'\. Choose one of name, kind"):
        overview.page(search="seed=3")
