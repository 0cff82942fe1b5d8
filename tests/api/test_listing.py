"""Listings: iterate, index by position or name, see as a table (spec 10.1, 10.4)."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import event

import pipeline_widgets as pw
from pipeline_widgets.api.listing import Listing
from pipeline_widgets.errors import NotFoundError

ATTACK = "<img src=x onerror=alert(1)>"


@pytest.fixture
def listed(ws: pw.Workspace) -> Listing[pw.Project]:
    """The projects a, b and c."""
    for name in "abc":
        ws.create_project(name)
    return ws.projects


@pytest.mark.spec("10.1")
def test_excel_takes_the_times_of_every_frame(
    ws: pw.Workspace, project: pw.Project, pipe: pw.Pipeline, finish: Any, tmp_path: Path
) -> None:
    """Each listing and comparison is written as it is; its times are those of the handles, in UTC."""
    finish(pipe.stages[0].trigger(), 0.5)
    finish(pipe.stages[1].trigger(), 0.6)
    run = finish(pipe.stages[2].trigger())
    pipe.update(description="edited")
    experiment = project.experiments["imitate"]
    trained = pipe.stages[0].run
    assert trained is not None
    frames = {
        "projects": ws.projects.df,
        "pipelines": project.pipelines.df,
        "stages": pipe.stages.df,
        "history": pipe.history.df,
        "options": pipe.experiment_options().df,
        "experiments": project.experiments.df,
        "runs": experiment.runs.df,
        "stage runs": pipe.stages[2].runs.df,
        "checkpoints": trained.checkpoints.df,
        "ancestors": run.lineage.ancestors.df,
        "agents": ws.agents.df,
        "versions": ws.agents["agent"].versions.df,
        "metrics": trained.metrics,
        "compared": project.compare().runs,
        "compared metrics": project.results(),
        "config": project.compare().config,
    }
    with pd.ExcelWriter(tmp_path / "all.xlsx", engine="openpyxl") as file:
        for name, frame in frames.items():
            frame.to_excel(file, sheet_name=name)
    zoned = [
        f"{name}: {column}" for name, frame in frames.items() for column in frame if _is_zoned(frame[column])
    ]
    assert zoned == []
    started = trained.started_at
    assert started is not None
    assert frames["runs"]["started_at"][0] == started.astimezone(UTC).replace(tzinfo=None)


def _is_zoned(column: Any) -> bool:
    return any(getattr(value, "tzinfo", None) is not None for value in column)


@pytest.mark.spec("10.1")
def test_a_listing_is_a_sequence(listed: Listing[pw.Project]) -> None:
    """Positions, slices, iteration, length and membership work as for a list."""
    assert [each.name for each in listed] == ["a", "b", "c"]
    assert (listed[0].name, listed[-1].name, len(listed)) == ("a", "c", 3)
    part = listed[1:]
    assert isinstance(part, Listing)
    assert [each.name for each in part] == ["b", "c"]
    assert listed[0] in listed
    assert listed.index(listed["b"]) == 1
    with pytest.raises(IndexError):
        _ = listed[3]


@pytest.mark.spec("10.1", "10.3")
def test_a_name_finds_its_item(listed: Listing[pw.Project], ws: pw.Workspace) -> None:
    """A name that is not there is refused with those that are."""
    assert listed["b"] == listed[1]
    with pytest.raises(NotFoundError, match=r"There is no project named 'd'. There are 'a', 'b', 'c'"):
        _ = listed["d"]
    with pytest.raises(NotFoundError, match=r"There is no agent named 'd'. There are none yet"):
        _ = ws.agents["d"]


@pytest.mark.spec("10.3")
def test_of_many_names_the_closest_are_told(project: pw.Project) -> None:
    """A slip among many names is answered with those that are like it, and how many more there are."""
    for number in range(15):
        project.create_experiment(f"letters {number}", algorithm="Imitate")
    project.create_experiment("walk", algorithm="Walk")

    with pytest.raises(NotFoundError, match=r"There are 'walk' and 15 more\."):
        _ = project.experiments["wlak"]
    with pytest.raises(NotFoundError, match=r"There are 'letters 0', .*'letters 9' and 6 more\."):
        _ = project.experiments["?"]


@pytest.mark.spec("10.1")
def test_no_listing_asks_more_questions_when_there_is_more(
    pipe: pw.Pipeline, ws: pw.Workspace, finish: Any
) -> None:
    """A table, and a look for a name, ask the database as often for one item as for many."""
    project, asked = ws.projects[0], list[str]()
    engine = ws._services.store.database._engine
    event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportUnknownMemberType]

    def questions() -> list[int]:
        ws.reconcile()
        counts = list[int]()
        for listing in (
            ws.projects,
            project.experiments,
            project.pipelines,
            pipe.stages,
            ws.agents,
            project.experiments["imitate"].runs,
        ):
            asked.clear()
            _ = listing.df
            with pytest.raises(NotFoundError):
                _ = listing["nothing like that"]
            counts.append(len(asked))
        return counts

    def work(number: int) -> None:
        run = finish(pipe.stages[0].trigger(), 0.5)
        ws.create_agent(f"agent {number}", run.checkpoints[0])
        pipe.add_experiment_stage(project.create_experiment(f"more {number}", algorithm="Imitate"))
        project.create_pipeline(f"pipeline {number}")
        ws.create_project(f"project {number}")

    work(0)
    few = questions()
    for number in range(1, 6):
        work(number)
    assert questions() == few


@pytest.mark.spec("10.1")
def test_a_listing_does_not_change_behind_ones_back(listed: Listing[pw.Project], ws: pw.Workspace) -> None:
    """It is what there was when it was asked for; asking again shows what is new."""
    ws.create_project("d")
    assert (len(listed), len(ws.projects)) == (3, 4)


@pytest.mark.spec("10.1")
def test_a_table_has_the_rows_of_its_listing(pipe: pw.Pipeline) -> None:
    """A stage that was added since is in neither the items nor the table of a listing that one holds."""
    held, part = pipe.stages, pipe.stages[:1]
    pipe.add_deployment_stage("another")
    assert (len(held), len(held.df)) == (3, 3)
    assert (len(part), list(part.df["stage"])) == (1, [1])


@pytest.mark.spec("10.1")
def test_every_listing_has_a_data_frame(pipe: pw.Pipeline, ws: pw.Workspace, finish: Any) -> None:
    """Whatever is listed, from projects to the versions of an agent, has a row for each item."""
    run = finish(pipe.stages[0].trigger(), 0.5)
    agent = ws.create_agent("saved", run.checkpoints[0])
    project = ws.projects[0]
    first = project.experiments[0]
    listings: list[Listing[Any]] = [
        ws.projects,
        project.experiments,
        project.pipelines,
        pipe.stages,
        ws.agents,
    ]
    listings += [pipe.stages[0].runs, first.runs, run.checkpoints, first.checkpoints, agent.versions]
    for listing in listings:
        assert isinstance(listing.df, pd.DataFrame)
        assert len(listing.df) == len(listing) > 0
        assert list(listing.df.columns) == list(listing[0].summary())
        assert str(listing.df.iloc[0, 0]) in repr(listing)
        assert "<table" in listing._repr_html_()


@pytest.mark.spec("3.2", "9.1")
def test_the_columns_have_what_the_views_show(pipe: pw.Pipeline, ws: pw.Workspace) -> None:
    """Name and last modified of pipelines; name, algorithm, status and last modified of experiments."""
    project = ws.projects[0]
    assert {"name", "modified_at"} <= set(project.pipelines.df.columns)
    assert {"name", "algorithm", "status", "modified_at"} <= set(project.experiments.df.columns)
    assert {"type", "name", "trigger", "status", "stale"} <= set(pipe.stages.df.columns)
    assert list(pipe.stages.df["status"]) == ["Draft"] * 3


@pytest.mark.spec("10.1")
def test_an_empty_listing_says_so(ws: pw.Workspace) -> None:
    """Nothing is shown in words, and its DataFrame is empty."""
    assert repr(ws.agents) == ws.agents._repr_html_() == "no agents"
    assert ws.agents.df.empty
    assert [*ws.agents] == []


@pytest.mark.spec("10.4")
def test_markup_in_names_is_shown_as_text(ws: pw.Workspace, finish: Any) -> None:
    """No name, description or agent ever becomes markup in a cell's output."""
    project = ws.create_project(ATTACK, advanced_training=True)
    pipe = project.create_pipeline(ATTACK, description=ATTACK)
    pipe.add_experiment_stage(project.create_experiment(ATTACK, algorithm="Imitate"))
    pipe.add_deployment_stage(ATTACK, description=ATTACK)
    run = finish(pipe.stages[0].trigger(), 0.5)
    ws.create_agent(ATTACK, run.checkpoints[0], description=ATTACK)
    for listing in (
        ws.projects,
        project.experiments,
        project.pipelines,
        pipe.stages,
        ws.agents,
        ws.agents[0].versions,
    ):
        html = listing._repr_html_()
        assert "<img" not in html
        assert "&lt;img" in html
    assert ws.projects[ATTACK].pipelines[ATTACK].stages[ATTACK].experiment == project.experiments[ATTACK]


@pytest.mark.spec("9.8", "10.1")
def test_a_listing_tells_what_was_written_to_its_items(project: pw.Project) -> None:
    """Favourite, tags and note are columns of experiments, pipelines and runs."""
    experiment = project.create_experiment("written to", algorithm="SFT")
    experiment.annotate(tags=["baseline", "good"], note="Keep this one", favourite=True)
    row = project.experiments.df.set_index("name").loc["written to"]
    assert (row["favourite"], row["tags"], row["note"]) == (True, "baseline, good", "Keep this one")
    pipe = project.create_pipeline("plain")
    assert [pipe.summary()[name] for name in ("favourite", "tags", "note")] == [False, "", ""]
    assert {"favourite", "tags", "note"} <= set(project.pipelines.df.columns)
