"""One agent by itself, and its versions side by side (spec 4.11)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from factories.lab import Lab

from pipeline_widgets.application import Services
from pipeline_widgets.domain.agent import Agent, AgentVersion, VersionAnswer
from pipeline_widgets.errors import PipelineError, RuleError
from pipeline_widgets.widgets.agent import AgentView
from pipeline_widgets.widgets.agent_messages import comparison_row
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.widgets.pipeline import PipelineView

pytestmark = pytest.mark.spec("4.11")


@pytest.fixture
def agent(lab: Lab) -> Agent:
    """An agent with two versions, which a pipeline has deployed."""
    chain = lab.pipeline("SFT", "deploy")
    for value in (0.25, 0.75):
        lab.do(chain.stages[0], value)
        lab.do(chain.stages[1])
    (made,) = lab.agents.all()
    return made


@pytest.fixture
def view(services: Services, agent: Agent) -> Iterator[AgentView]:
    """The view of that agent."""
    made = AgentView(services, agent.id)
    yield made
    made.close()


def ask(view: Any, command: str, **args: Any) -> dict[str, Any]:
    """Send a command as the browser does, and return the answer as the browser reads it."""
    answers: list[Any] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    return json.loads(json.dumps(answers[0], allow_nan=False))


def answered(version: AgentVersion, answer: Any, error: PipelineError | None = None) -> VersionAnswer:
    """Return the answer of a version."""
    return VersionAnswer(version=version, answer=answer, error=error, seconds=0.25)


def test_it_says_which_version_is_compared_with_the_current_one(
    view: AgentView, lab: Lab, agent: Agent
) -> None:
    """The former one; after a roll back the newer one."""
    (detail,) = view.details
    assert (detail["counterpart"], [each["number"] for each in detail["versions"]]) == (1, [2, 1])
    lab.agents.rollback(agent.id, 1)
    view.refresh()
    assert view.details[0]["counterpart"] == 2


def test_another_agent_takes_its_place(view: AgentView, lab: Lab, agent: Agent) -> None:
    """And the former one comes back."""
    other = lab.agents.create("other", agent.current.checkpoint.id)
    for shown in (other, agent):
        view.show_agent(shown.id)
        assert [row["id"] for row in view.rows] == [row["id"] for row in view.details] == [shown.id]


def test_versions_are_compared_without_holding_up_the_view(
    view: AgentView, lab: Lab, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply comes by itself, under its ticket; meanwhile other commands are carried out."""
    first, second = lab.agents.versions(agent.id)
    begun, go, sent = threading.Event(), threading.Event(), list[dict[str, Any]]()
    came = threading.Event()

    def compare(
        _: Services, agent_id: int, value: object, chosen: tuple[int, ...]
    ) -> tuple[VersionAnswer, ...]:
        assert (agent_id, value, chosen) == (agent.id, [1, 2], (1,))
        begun.set()
        assert go.wait(20)
        return answered(first, [1.0, 2.0]), answered(second, [1.0, 3.0])

    monkeypatch.setattr(Services, "compare_versions", compare)

    def send(content: dict[str, Any]) -> None:
        sent.append(content)
        if "reply" in content:
            came.set()

    monkeypatch.setattr(view, "send", send)
    done = ask(view, "compare", agent=agent.id, text="[1, 2]", ticket="t", version=1)
    assert done["result"]["within"] > 60
    assert begun.wait(20)
    assert ask(view, "describe", agent=agent.id, version=view.rows[0]["version"], description="new")["ok"]
    go.set()
    assert came.wait(20)
    (reply,) = (each for each in sent if "reply" in each)
    assert (reply["reply"], reply["alike"]) == ("t", False)
    assert [(each["number"], each["current"], each["text"]) for each in reply["answers"]] == [
        (1, False, "[1.0, 2.0]"),
        (2, True, "[1.0, 3.0]"),
    ]
    assert [each["evaluation_score"] for each in reply["answers"]] == [0.25, 0.75]


def test_what_is_no_input_is_refused_at_once(view: AgentView, agent: Agent) -> None:
    """Before a process is started."""
    assert ask(view, "compare", agent=agent.id, text="[1,", ticket="t")["error"]["kind"] == "ConfigError"


def test_answers_say_whether_they_are_alike(lab: Lab, agent: Agent) -> None:
    """A text stands as it is; an error makes them neither alike nor hides the other answer."""
    first, second = lab.agents.versions(agent.id)
    same = comparison_row([answered(first, "abcd"), answered(second, "abcd")], 2)
    assert (same["alike"], [each["text"] for each in same["answers"]]) == (True, ["abcd", "abcd"])
    failed = comparison_row([answered(first, "abcd"), answered(second, None, RuleError("No.", "It is."))], 2)
    assert failed["alike"] is False
    assert [each["problem"] and each["problem"]["what"] for each in failed["answers"]] == [None, "No."]


def test_a_deployment_stage_shows_its_agent_and_another_stage_none(
    services: Services, lab: Lab, agent: Agent
) -> None:
    """The view of the agent stays, with what is typed there; one that was opened is closed by a selection."""
    training, deployment = lab.pipelines.get(1).stages
    view = PipelineView(services, 1)
    try:
        ask(view, "select", stage=deployment.id)
        shown = view.agent
        assert (view.agent_shown, shown.rows[0]["name"]) == (agent.id, agent.name)
        ask(view, "select", stage=training.id)
        assert (view.agent_shown, view.agent) == (0, shown)
        assert view.panel["agent"] is None
        ask(view, "view_agent", agent=agent.id)
        view.refresh()
        assert view.agent_shown == agent.id
        ask(view, "close_agent")
        assert view.agent_shown == 0
        ask(view, "view_agent", agent=agent.id)
        ask(view, "select", stage=deployment.id)
        assert (view.agent_shown, dict(view.panel)["agent"]) == (agent.id, {"name": agent.name, "note": ""})
        assert ask(view, "view_agent", agent=10_000)["error"]["kind"] == "NotFoundError"
    finally:
        view.close()
    assert shown.comm is None


def test_a_stage_deploys_its_checkpoints(
    services: Services, lab: Lab, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Experiments tab does, which shows the agent as well."""
    connected: list[int] = []
    monkeypatch.setattr(type(services.endpoints), "connect", lambda _, agent: connected.append(agent))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    saved = agent.current.checkpoint.id
    builder, experiments = PipelineView(services, 1), ExperimentsView(services, lab.project.id)
    for view, name in ((builder, "one"), (experiments, "two")):
        made = ask(view, "deploy", checkpoint=saved, name=name, connect=True)["result"]
        ask(view, "view_agent", agent=made["id"])
        assert (view.agent_shown, view.agent.rows[0]["name"], connected[-1]) == (made["id"], name, made["id"])
        view.close()
