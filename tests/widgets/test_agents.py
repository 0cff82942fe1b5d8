"""What the Agents view shows, and how it answers (spec 8.1 to 8.3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import trainers
from benches import Bench, end_all, until
from factories.lab import Lab
from factories.values import SFT
from pages import keep_in_sight

from pipeline_widgets.application import Services
from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.chain import FromAgent
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.serving.client import Reply
from pipeline_widgets.widgets.agent import AgentView
from pipeline_widgets.widgets.agent_messages import reply_row
from pipeline_widgets.widgets.agents import NOTHING_SAVED, AgentsView

HOSTILE = "<img src=x onerror=alert(1)>"
Sent = list[dict[str, Any]]


@pytest.fixture
def view(services: Services) -> Iterator[AgentsView]:
    """The view of a workspace that has no agents yet."""
    made = AgentsView(services)
    yield made
    made.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Yield a workspace whose agents are really served, and leave no process of it behind."""
    made = Bench(tmp_path / "served")
    yield made
    for agent in made.ws.agents:
        agent.disconnect()
    end_all(made)


def recorded(view: AgentsView, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Return the list of what goes to the browser from now on, answers left out."""
    told: Sent = []

    def publish(msg_type: str, data: dict[str, Any] | None = None, **_: object) -> None:
        if msg_type == "comm_msg":
            told.append(json.loads(json.dumps(data, allow_nan=False)))

    monkeypatch.setattr(view.comm, "publish_msg", publish)
    return told


def ask(view: AgentsView, command: str, **args: Any) -> dict[str, Any]:
    """Send a command as the browser does, and return the answer as the browser reads it."""
    answers: list[Any] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return json.loads(json.dumps(answer, allow_nan=False))


def names(view: AgentsView) -> list[str]:
    """Return the names that are shown, in order."""
    return [row["name"] for row in view.rows]


def saved(lab: Lab, name: str = "sft", *scores: float, **options: Any) -> tuple[Checkpoint, ...]:
    """Return what an experiment has saved that was trained on its own."""
    run = lab.runs.train(lab.experiment(name, SFT, **options).id)
    lab.carry_out(run, *(scores or (0.5,)))
    return lab.runs.checkpoints(run.id)


def an_agent(lab: Lab, name: str = "greeter", **options: Any) -> Agent:
    """Return an agent made of an experiment of its own."""
    return lab.agents.create(name, saved(lab, f"of {name}")[-1].id, **options)


def kept(view: AgentsView) -> str:
    """Return all that is saved with a notebook: every trait, and the pictures."""
    return json.dumps(view.get_state(), default=str) + view.static_html() + view.static_text()


# ---- the list


@pytest.mark.spec("8.1")
def test_nothing_can_be_made_before_something_was_saved(view: AgentsView, lab: Lab) -> None:
    """The reason is there, and gone at the look after the first checkpoint."""
    assert (view.rows, view.page["all"], view.obstacle) == ([], 0, NOTHING_SAVED)
    lab.experiment("new")
    view.refresh()
    assert view.obstacle == NOTHING_SAVED
    saved(lab)
    view.refresh()
    assert view.obstacle == ""


@pytest.mark.spec("8.1")
def test_a_row_has_what_the_columns_show(view: AgentsView, lab: Lab) -> None:
    """Agent, description, source experiment, base model, and status."""
    (checkpoint,) = saved(lab, "sft", signature={"base_model": "letters-small"})
    made = lab.agents.create("greeter", checkpoint.id, "greets")
    view.refresh()
    assert view.rows == [
        {
            "id": made.id,
            "name": "greeter",
            "description": "greets",
            "experiment": "sft",
            "project": "",
            "base_model": "letters-small",
            "status": "Undeployed",
            "connected": False,
            "blockers": {"delete": ""},
            "version": 1,
            "current_version": 1,
            "trouble": "",
        }
    ]
    assert view.page["base_models"] is True


@pytest.mark.spec("8.1")
def test_without_a_base_model_its_column_is_left_out(view: AgentsView, lab: Lab) -> None:
    """In the table as in the picture; rows name the project once there are several."""
    an_agent(lab)
    view.refresh()
    assert (view.page["base_models"], view.rows[0]["project"]) == (False, "")
    assert "Base Model" not in view.static_html()
    lab.projects.create("Numbers", advanced_training=False)
    an_agent(lab, "second")
    view.refresh()
    assert [row["project"] for row in view.rows] == ["Letters", "Letters"]


@pytest.mark.spec("8.1", "10.4")
def test_the_picture_without_a_kernel_shows_the_agents(view: AgentsView, lab: Lab) -> None:
    """As a table and as text, with names as text."""
    an_agent(lab, HOSTILE, description="for all")
    view.refresh()
    assert "&lt;img src=x" in view.static_html()
    assert "<img" not in view.static_html()
    for said in ("Agents: 1", HOSTILE, "for all", f"of {HOSTILE}", "Undeployed", "As of"):
        assert said in view.static_text()


@pytest.mark.spec("8.1")
def test_the_list_is_searched_sorted_and_paged(view: AgentsView, lab: Lab) -> None:
    """A page has 50 rows; a search begins on the first one."""
    (checkpoint,) = saved(lab)
    for number in range(60):
        lab.agents.create(f"a{number}", checkpoint.id)
    view.refresh()
    assert (names(view)[0], names(view)[-1], view.page["pages"]) == ("a0", "a49", 2)
    ask(view, "query", page=1)
    assert names(view)[0] == "a50"
    ask(view, "query", search="a5", sort="name", descending=True)
    assert names(view) == ["a59", "a58", "a57", "a56", "a55", "a54", "a53", "a52", "a51", "a50", "a5"]
    assert (view.page["page"], view.page["total"], view.page["all"]) == (0, 11, 60)
    assert not ask(view, "query", sort="key")["ok"]


def test_nothing_is_sent_while_nothing_changes(
    view: AgentsView, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of many agents only the row that changed."""
    made = [an_agent(lab, name) for name in "abcd"]
    view.refresh()
    keep_in_sight(view)
    sent = recorded(view, monkeypatch)
    view.refresh()
    assert sent == []
    lab.agents.describe(made[2].id, "another")
    view.refresh()
    (message,) = sent
    assert [row["id"] for row in message["content"]["rows"]] == [made[2].id]


@pytest.mark.spec("8.1")
def test_rows_stay_where_they_are_while_statuses_change(
    view: AgentsView, lab: Lab, services: Services
) -> None:
    """Sorted by status, an agent that is connected does not jump under the hands; a query sorts anew."""
    a, b = an_agent(lab, "a"), an_agent(lab, "b")
    view.refresh()
    ask(view, "query", sort="status", descending=True)
    assert names(view) == ["b", "a"]
    services.endpoint_service.connect(a.id)  # nobody serves it yet
    assert view.refresh() is True
    assert [(row["name"], row["status"]) for row in view.rows] == [("b", "Undeployed"), ("a", "Pending")]
    ask(view, "query")
    assert names(view) == ["a", "b"]
    services.endpoint_service.disconnect(a.id)
    assert view.refresh() is False
    assert b.id in {row["id"] for row in view.rows}


# ---- making and editing


@pytest.mark.spec("8.1")
@pytest.mark.parametrize(("choice", "step"), [("best", 20), ("final", 30), (10, 10)])
def test_an_agent_is_made_of_the_chosen_checkpoint(
    view: AgentsView, lab: Lab, choice: str | int, step: int
) -> None:
    """Best, Final or a specific one; its name and description are trimmed."""
    checkpoints = saved(lab, "sft", 0.1, 0.9, 0.5)
    (source,) = ask(view, "sources")["result"]
    assert source == {"id": 1, "name": "sft", "algorithm": "SFT", "project": "", "silent": False}
    (run,) = ask(view, "offer", experiment=source["id"])["result"]["runs"]
    assert [each["step"] for each in run["checkpoints"]] == [10, 20, 30]
    assert (run["best"]["step"], run["final"]["step"]) == (20, 30)
    answer = ask(
        view, "create", name=" greeter ", description=" hi ", experiment=1, run=run["id"], choice=choice
    )
    made = lab.agents.all()[0]
    assert answer["result"] == {"id": made.id, "name": "greeter"}
    assert (made.name, made.description, made.current.checkpoint.step) == ("greeter", "hi", step)
    assert Path(made.current.path) != Path(checkpoints[0].path)
    assert names(view) == ["greeter"]


@pytest.mark.spec("8.1")
@pytest.mark.parametrize(
    ("args", "why"),
    [
        ({"name": "  "}, "Enter a name for the agent."),
        ({"name": "taken"}, "An agent named 'taken' already exists."),
        ({"choice": 11}, "There is no checkpoint at step 11."),
        ({"run": 99}, "There is no such run."),
    ],
)
def test_what_cannot_be_made_is_refused(view: AgentsView, lab: Lab, args: dict[str, Any], why: str) -> None:
    """The answer says why, and nothing is made."""
    lab.agents.create("taken", saved(lab)[0].id)
    (run,) = ask(view, "offer", experiment=1)["result"]["runs"]
    answer = ask(
        view, "create", **{"name": "new", "experiment": 1, "run": run["id"], "choice": "best", **args}
    )
    assert answer["error"]["what"] == why
    assert [each.name for each in lab.agents.all()] == ["taken"]


@pytest.mark.spec("8.1")
def test_a_new_agent_is_shown_although_a_search_or_another_page_would_hide_it(
    view: AgentsView, lab: Lab
) -> None:
    """The search is given up, and the page turned."""
    (checkpoint,) = saved(lab)
    for number in range(60):
        lab.agents.create(f"a{number}", checkpoint.id)
    view.refresh()
    ask(view, "query", search="a1")
    ask(view, "create", name="zebra", experiment=1, run=checkpoint.run_id, choice="final")
    assert "zebra" in names(view)
    assert (view.page["search"], view.page["page"]) == ("", 1)


@pytest.mark.spec("8.1")
def test_no_page_is_turned_through_to_show_a_new_agent(
    view: AgentsView, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many pages come before its own, that one alone goes to the browser."""
    (checkpoint,) = saved(lab)
    for number in range(120):
        lab.agents.create(f"a{number}", checkpoint.id)
    view.refresh()
    sent = recorded(view, monkeypatch)
    ask(view, "create", name="zebra", experiment=1, run=checkpoint.run_id, choice="final")
    pages = [each["state"]["rows"] for each in sent if "rows" in each.get("state", {})]
    assert [[row["name"] for row in rows][-1] for rows in pages] == ["zebra"]
    assert view.page["page"] == 2


@pytest.mark.spec("8.1", "5.13")
def test_a_description_is_edited_on_the_ground_of_what_was_shown(view: AgentsView, lab: Lab) -> None:
    """One that somebody else has edited meanwhile is refused, and shown; then it is done."""
    made = an_agent(lab, description="old")
    view.refresh()
    shown = view.rows[0]["version"]
    lab.agents.describe(made.id, "theirs")
    answer = ask(view, "describe", agent=made.id, version=shown, description="mine")
    assert answer["error"]["kind"] == "StaleWriteError"
    assert "Its description was edited." in answer["error"]["why"]
    assert view.rows[0]["description"] == "theirs"
    shown = view.rows[0]["version"]
    assert ask(view, "describe", agent=made.id, version=shown, description=" mine ")["ok"]
    assert view.rows[0]["description"] == lab.agents.get(made.id).description == "mine"


@pytest.mark.spec("8.1")
def test_an_agent_is_deleted_with_its_copies(view: AgentsView, lab: Lab) -> None:
    """Its checkpoint stays; a view of only that agent says that it is gone."""
    made = an_agent(lab)
    view.refresh()
    ask(view, "expand", agent=made.id)
    assert ask(view, "delete", agent=made.id)["ok"]
    assert (view.rows, view.details) == ([], [])
    assert not Path(made.current.path).exists()
    assert Path(made.current.checkpoint.path).exists()
    answer = ask(view, "connect", agent=made.id)
    assert answer["error"]["kind"] == "NotFoundError"


@pytest.mark.spec("8.1")
def test_an_agent_in_use_is_not_deleted(view: AgentsView, lab: Lab, services: Services) -> None:
    """Neither one that is connected, nor one that a stage starts from; the answer says by whom."""
    made = an_agent(lab)
    services.endpoint_service.connect(made.id)
    assert ask(view, "delete", agent=made.id)["error"]["why"] == "It is pending."
    view.refresh()
    assert (view.rows[0]["connected"], view.rows[0]["blockers"]) == (True, {"delete": "It is pending."})
    services.endpoint_service.disconnect(made.id)
    view.refresh()
    assert (view.rows[0]["connected"], view.rows[0]["blockers"]) == (False, {"delete": ""})
    chain = lab.pipelines.create(lab.project.id, "chain")
    lab.add(chain.id, lab.experiment("next"), start=FromAgent(made.id))
    error = ask(view, "delete", agent=made.id)["error"]
    assert (error["kind"], "'chain'" in error["why"]) == ("InUseError", True)
    assert lab.agents.get(made.id).name == "greeter"


# ---- the expanded row


@pytest.mark.spec("8.1", "8.2")
def test_an_expanded_row_shows_the_versions_and_rolls_back(view: AgentsView, lab: Lab) -> None:
    """Latest first, with experiment, step, scores and lineage; a former one becomes the current one."""
    chain = lab.pipeline("SFT", "deploy")
    first, deployment = chain.stages
    for value in (0.25, 0.75):
        lab.do(first, value)
        lab.do(deployment)
        lab.clock.forward(60)
    (made,) = lab.agents.all()
    view.refresh()
    assert view.details == []
    ask(view, "expand", agent=made.id)
    (detail,) = view.details
    assert [(each["number"], each["current"], each["evaluation_score"]) for each in detail["versions"]] == [
        (2, True, 0.75),
        (1, False, 0.25),
    ]
    version = detail["versions"][1]
    assert (version["experiment"], version["step"], version["training_score"]) == ("chain-sft-1", 10, None)
    assert "stage 2 of pipeline 'chain'" in version["lineage"]
    assert (detail["endpoint"], detail["snippets"]) == (None, [])
    assert ask(view, "roll_back", agent=made.id, version=1)["ok"]
    assert [each["current"] for each in view.details[0]["versions"]] == [False, True]
    assert view.rows[0]["current_version"] == lab.agents.get(made.id).current.number == 1
    assert "There are 1, 2." in ask(view, "roll_back", agent=made.id, version=3)["error"]["fix"]
    nodes = ask(view, "lineage", agent=made.id)["result"]["nodes"]
    assert [(each["kind"], each["here"]) for each in nodes] == [("run", False), ("agent", True)]
    ask(view, "collapse", agent=made.id)
    assert view.details == []


@pytest.mark.spec("8.3")
def test_a_key_is_in_the_answer_only(view: AgentsView, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """No trait holds it, which would be saved with the notebook, nor a picture, nor another message."""
    made = an_agent(lab)
    view.refresh()
    ask(view, "expand", agent=made.id)
    sent = recorded(view, monkeypatch)
    first = ask(view, "rotate_key", agent=made.id)["result"]["key"]
    second = ask(view, "rotate_key", agent=made.id)["result"]["key"]
    assert first != second
    assert view.details[0]["endpoint"]["hint"] == second[-4:]
    assert sent != []  # the hint has gone down
    for key in (first, second):
        assert key not in kept(view)
        assert key not in json.dumps(sent)


@pytest.mark.spec("2.3", "8.1")
def test_a_view_of_one_agent_shows_it_expanded(services: Services, lab: Lab) -> None:
    """And nothing else; when it is deleted nothing is left. One that is not there cannot be shown."""
    made = an_agent(lab)
    an_agent(lab, "other")
    view = AgentView(services, made.id)
    try:
        assert (names(view), [each["id"] for each in view.details]) == (["greeter"], [made.id])
        assert view.static_text().startswith("Agent greeter: 1\n")
        lab.agents.delete(made.id)
        view.refresh()
        assert (view.rows, view.details, view.trouble) == ([], [], "")
    finally:
        view.close()
    with pytest.raises(NotFoundError):
        AgentView(services, made.id)


# ---- serving, by real processes


@pytest.fixture
def served(bench: Bench) -> Iterator[Callable[..., tuple[AgentsView, int]]]:
    """Return what trains a line and shows an agent made of it, in a view of its own."""
    views: list[AgentsView] = []

    def made(**config: Any) -> tuple[AgentsView, int]:
        experiment = bench.project.create_experiment("line", algorithm=trainers.line, config=config)
        run = experiment.train()
        run.wait(60)
        agent = bench.ws.create_agent("greeter", run.checkpoints[-1])
        views.append(AgentsView(bench.ws._services))
        return views[0], agent._id

    yield made
    for view in views:
        view.close()


def status(view: AgentsView) -> str:
    """Look as the thread does that refreshes, and return the status of the only agent."""
    view._services.reconcile()
    view.refresh()
    return view.rows[0]["status"]


def replied(view: AgentsView, sent: Sent, agent: int, text: str) -> dict[str, Any]:
    """Ask an agent by the box, and return the reply that comes."""
    ticket = f"t{len(sent)}"
    answer = ask(view, "ask", agent=agent, text=text, ticket=ticket)
    assert answer["ok"], answer
    replies: Sent = []

    def came() -> bool:
        replies[:] = [each["content"] for each in sent if each.get("content", {}).get("reply") == ticket]
        return bool(replies)

    until(came)
    return replies[0]


@pytest.mark.spec("8.1", "8.3")
def test_an_agent_is_connected_asked_and_disconnected(
    served: Callable[..., tuple[AgentsView, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key comes once, in the answer; the box shows answers and refusals with code and time."""
    view, agent = served(above=2.0)
    key = ask(view, "connect", agent=agent)["result"]["key"]
    assert (view.rows[0]["status"], [each["id"] for each in view.details]) == ("Pending", [agent])
    until(lambda: status(view) == "Deployed")
    (detail,) = view.details
    endpoint = detail["endpoint"]
    assert endpoint["url"].startswith("http://127.0.0.1:")
    assert (endpoint["route"], endpoint["takes"], endpoint["json"]) == ("/get_action", "observation", True)
    assert (endpoint["example"], endpoint["hint"], endpoint["open"]) == ("[1.0, 2.0, 3.0]", key[-4:], "")
    assert [each["language"] for each in detail["snippets"]] == ["Python", "curl"]
    assert all(each["code"].count(detail["placeholder"]) == 1 for each in detail["snippets"])
    assert key not in kept(view)
    sent = recorded(view, monkeypatch)
    reply = replied(view, sent, agent, "[1, 2, 3]")
    assert (reply["status"], reply["phrase"], json.loads(reply["text"])) == (200, "OK", {"action": 8.0})
    assert 0 < reply["seconds"] < 60
    refused = replied(view, sent, agent, "[1]")
    assert refused["status"] == 422
    assert "3 numbers, not 1" in refused["text"]
    answer = ask(view, "ask", agent=agent, text="[1, 2", ticket="none")
    assert (answer["ok"], answer["error"]["what"]) == (False, "That is not JSON.")
    assert ask(view, "disconnect", agent=agent)["ok"]
    assert (view.rows[0]["status"], ask(view, "connect", agent=agent)["result"]) == (
        "Undeployed",
        {"key": None},
    )
    until(lambda: status(view) == "Deployed")
    assert view.details[0]["endpoint"]["url"] == endpoint["url"]  # the port is kept


@pytest.mark.spec("8.1")
def test_an_agent_that_is_not_connected_says_so_in_the_box(
    served: Callable[..., tuple[AgentsView, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is the reason."""
    view, agent = served()
    sent = recorded(view, monkeypatch)
    assert replied(view, sent, agent, "[1, 2, 3]")["error"]["why"] == "It is undeployed."


@pytest.mark.spec("8.1", "8.3")
def test_a_process_that_dies_is_found_failed_with_evidence(
    served: Callable[..., tuple[AgentsView, int]],
) -> None:
    """The row says which process is gone, and the agent can be connected again."""
    view, agent = served()
    ask(view, "connect", agent=agent)
    until(lambda: status(view) == "Deployed")
    with view._services.store.read() as work:
        service = work.endpoints.lease(agent)
    assert service is not None
    assert service.holder is not None
    psutil.Process(service.holder.pid).kill()
    until(lambda: status(view) == "Failed")
    assert f"process {service.holder.pid}" in view.rows[0]["trouble"]
    assert ask(view, "connect", agent=agent)["result"] == {"key": None}
    until(lambda: status(view) == "Deployed")
    assert view.rows[0]["trouble"] == ""


@pytest.mark.spec("8.1")
def test_a_checkpoint_that_cannot_be_opened_fails_with_the_reason(
    served: Callable[..., tuple[AgentsView, int]],
) -> None:
    """What the algorithm's code said is in the row."""
    view, agent = served(act="cannot be opened")
    ask(view, "connect", agent=agent)
    until(lambda: status(view) == "Failed")
    assert "the line is <b>broken</b>" in view.rows[0]["trouble"]
    assert view.details[0]["log"].endswith("RuntimeError: the line is <b>broken</b>")


def test_short_lists_of_an_answer_stay_on_one_line() -> None:
    """What is long has a line for each part; all of it is there."""
    content = {"action": [0.06, -0.2, 0.5], "state": {"long": list(range(40)), "none": []}}
    text = reply_row(Reply(status=200, content=content, seconds=0.1))["text"]
    assert json.loads(text) == content
    assert '\n  "action": [0.06, -0.2, 0.5],\n' in text
    assert '\n    "long": [\n      0,\n      1,' in text
    assert reply_row(Reply(status=200, content={"action": 8.0}, seconds=0.1))["text"] == '{"action": 8.0}'


@pytest.mark.spec("8.1")
@pytest.mark.parametrize(("algorithm", "silent"), [(trainers.bare, "Bare"), (trainers.line, "")])
def test_an_algorithm_that_declares_no_predictor_is_named(
    view: AgentsView, lab: Lab, algorithm: Any, silent: str
) -> None:
    """In the expanded row and among the sources: nobody can ask what it saved."""
    run = lab.runs.train(lab.experiment("made", algorithm.spec).id)
    lab.carry_out(run, 0.5)
    (checkpoint,) = lab.runs.checkpoints(run.id)
    made = lab.agents.create("made", checkpoint.id)
    view.refresh()
    ask(view, "expand", agent=made.id)
    assert view.details[0]["silent"] == silent
    assert [each["silent"] for each in ask(view, "sources")["result"]] == [bool(silent)]
