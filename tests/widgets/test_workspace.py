"""The view of a workspace: what it reads, and how a project opens in its place (spec 2.5)."""

from __future__ import annotations

from typing import Any

import pytest
from factories.lab import Lab
from statements import queries, sent

from pipeline_widgets.application import Services
from pipeline_widgets.domain.run import Status
from pipeline_widgets.widgets.workspace import WorkspaceView

pytestmark = pytest.mark.spec("2.5")


@pytest.fixture
def view(lab: Lab, services: Services) -> WorkspaceView:
    """A workspace with one project."""
    assert lab.project.name == "Letters"
    return WorkspaceView(services)


def told(view: Any, command: str, **args: Any) -> dict[str, Any]:
    """Ask a view as the browser does, and return its answer."""
    answers: list[dict[str, Any]] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return answer


def test_it_shows_projects_with_what_is_active_and_waits(view: WorkspaceView, lab: Lab) -> None:
    """What has changed comes with the next refresh."""
    (row,) = view.rows
    assert (row["name"], row["kind"], row["status"]) == ("Letters", "Advanced Training", "")
    assert (view.active, view.waiting, view.agents, view.opened) == ([], [], None, None)
    pipeline = lab.pipeline("SFT", "GRPO")
    alone = lab.experiment("alone")
    lab.started(lab.runs.train(alone.id))
    assert view.refresh(), "it is refreshed soon again while something is active"
    (active,) = view.active
    assert (active["name"], active["place"], active["experiment_id"]) == (
        "Experiment alone",
        ["Letters"],
        alone.id,
    )
    (waiting,) = view.waiting
    assert waiting["detail"] == "Stage 1 (chain-sft-1) is next"
    assert (waiting["place"], waiting["pipeline_id"]) == (["chain", "Letters"], pipeline.id)
    assert (view.page["all_active"], view.page["all_waiting"]) == (1, 1)
    assert view.rows[0]["detail"] == "1 waiting for you, 1 running"


def test_a_refresh_at_rest_is_one_statement(view: WorkspaceView, lab: Lab) -> None:
    """Nothing is read but the revisions, and what is shown stays."""
    lab.pipeline("SFT")
    view.refresh()
    before: Any = view
    shown = before.get_state()
    with sent(view._services.store) as statements:
        assert not view.refresh()
    assert view.get_state() == shown
    assert len(queries(statements)) == 1


def test_agents_come_with_the_first_checkpoint(view: WorkspaceView, lab: Lab) -> None:
    """They are a view of their own, made once."""
    lab.do(lab.pipeline("SFT").stages[0], 0.5)
    view.refresh()
    agents = view.agents
    assert (agents.rows, agents.obstacle) == ([], "")
    lab.experiment("more")
    view.refresh()
    assert view.agents is agents


def test_a_project_opens_in_place_and_closes_again(view: WorkspaceView, lab: Lab) -> None:
    """One at a time, and nothing of one that was left stays in the kernel."""
    other = lab.projects.create("Classic", advanced_training=False)
    assert told(view, "open", project=lab.project.id)["ok"]
    first = view.opened
    assert (first.project["name"], first.tab) == ("Letters", "Pipelines")
    assert told(view, "open", project=other.id)["ok"]
    assert (first.comm, view.opened.project["name"]) == (None, "Classic")
    second = view.opened
    assert told(view, "back")["ok"]
    assert (view.opened, second.comm) == (None, None)
    missing = told(view, "open", project=999)
    assert missing["error"]["kind"] == "NotFoundError"
    assert view.opened is None


def test_a_line_opens_the_stage_or_the_experiment_that_it_names(view: WorkspaceView, lab: Lab) -> None:
    """The row is expanded, and the stage selected."""
    pipeline = lab.pipeline("SFT", "GRPO")
    target = {"project": lab.project.id, "pipeline": pipeline.id, "stage": pipeline.stages[1].id}
    assert told(view, "open", **target)["ok"]
    (builder,) = view.opened.views["Pipelines"].builders.values()
    assert builder.selected == pipeline.stages[1].id
    alone = lab.experiment("alone")
    assert told(view, "open", project=lab.project.id, experiment=alone.id)["ok"]
    assert view.opened.tab == "Experiments"
    assert [each["id"] for each in view.opened.views["Experiments"].details] == [alone.id]
    lab.pipelines.delete(pipeline.id)
    assert told(view, "open", **target)["ok"], "what is gone leaves its list"
    assert (view.opened.tab, view.opened.views["Pipelines"].rows) == ("Pipelines", [])


def test_a_new_project_is_shown_at_once(view: WorkspaceView) -> None:
    """A name that is taken is refused, and nothing opens."""
    made = told(view, "create", name="  Fresh ", advanced=False)["result"]
    assert view.opened.project == {"name": "Fresh", "advanced": False}
    assert made["name"] == "Fresh"
    assert told(view, "back")["ok"]
    assert {row["name"]: row["kind"] for row in view.rows}["Fresh"] == "Classic RL"
    assert told(view, "create", name="Fresh", advanced=True)["error"]["kind"] == "NameTakenError"
    assert view.opened is None


def test_a_project_that_is_deleted_is_left(view: WorkspaceView, lab: Lab) -> None:
    """The list is shown again, whoever has deleted it; where one is open, its new name shows."""
    assert told(view, "open", project=lab.project.id)["ok"]
    assert told(view, "rename", project=lab.project.id, name="Words")["ok"]
    view.opened.refresh()
    assert (view.rows[0]["name"], view.opened.project["name"]) == ("Words", "Words")
    lab.projects.delete(lab.project.id)
    view.refresh()
    assert (view.rows, view.opened) == ([], None)
    other = lab.projects.create("other", advanced_training=True)
    assert told(view, "delete", project=other.id)["ok"]
    assert view.page["all"] == 0
    assert told(view, "delete", project=other.id)["error"]["kind"] == "NotFoundError"


def test_a_view_that_is_closed_ends_what_it_holds(view: WorkspaceView, lab: Lab) -> None:
    """Its agents and the project that is shown."""
    lab.do(lab.pipeline("SFT").stages[0], 0.5)
    view.refresh()
    told(view, "open", project=lab.project.id)
    held = [view, view.line, view.agents, view.opened, view.opened.views["Pipelines"]]
    assert all(each.comm is not None for each in held)
    view.close()
    assert all(each.comm is None for each in held)


@pytest.mark.spec("4.7")
def test_without_a_kernel_the_projects_stay(view: WorkspaceView, lab: Lab) -> None:
    """The picture has every project of the page, and where it stands; a name stays text."""
    lab.do(lab.pipeline("SFT", name="broken").stages[0], status=Status.FAILED)
    lab.projects.create("<b>bold</b>", advanced_training=False)
    view.refresh()
    html = view.static_html()
    assert f"Projects of {lab.store.database.name}" in html
    for text in (
        "Letters",
        "Advanced Training",
        "Failed",
        "1 failed",
        "&lt;b&gt;bold&lt;/b&gt;",
        "Classic RL",
    ):
        assert text in html
    assert "<b>" not in html
    assert view.static_text().startswith(f"Projects of {lab.store.database.name}: 2\n")


def test_the_first_page_is_read_once(lab: Lab, services: Services) -> None:
    """Making the view reads its page, and whether anything has changed since: no statement comes twice."""
    lab.pipeline("SFT")
    with sent(lab.store) as found:
        WorkspaceView(services)
    pages = [each for each in queries(found) if "FROM projects" in each]
    assert len(pages) == len(set(pages))
