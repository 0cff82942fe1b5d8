"""The panel of a Deployment stage is the agent (spec 4.11), and agents elsewhere lead to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Locator, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.views import count_clicks, expect_clicks

PATIENT = 30_000  # ms; processes have to start
#: A chain that is deployed: each further call gives its agent another version, with another answer.
DEPLOYED = f"""
{LETTERS}
line = project.create_experiment("line", algorithm=trainers.line, config={{"above": 1.0}})
pipe = project.create_pipeline("chain")
pipe.add_experiment_stage(line)
pipe.add_deployment_stage("greeter", trigger="auto")

def again(above):
    line.update(config={{"above": above}})
    pipe.stages[0].trigger()
    pipe.wait(timeout=60)
    assert pipe.stages[1].status == "Succeeded", pipe.stages[1].run.error

again(1.0)
"""
Show: TypeAlias = Callable[..., Locator]


@pytest.fixture
def show(notebook: Notebook) -> Iterator[Show]:
    """Yield what shows the Deployment stage of a deployed chain; afterwards nobody serves an agent."""

    def shown(code: str = "", stage: int = 1) -> Locator:
        made = f"{DEPLOYED}\n{code}\nview = pipe.view()\nview.do_select(pipe.stages[{stage}]._id)\nview"
        root = notebook.run(made, timeout=180).locator(".pw-root").first
        expect(root.locator(".pw-panel")).to_be_visible()
        return root

    yield shown
    notebook.execute("for each in ws.agents: each.disconnect()")


def part(root: Locator, name: str, agent: str = "greeter") -> Locator:
    """Return a part of an agent's panel."""
    return root.get_by_role("region", name=f"{name} of {agent}", exact=True)


def button(root: Locator, name: str) -> Locator:
    """Return a button."""
    return root.get_by_role("button", name=name, exact=True)


@pytest.mark.spec("4.11", "8.1")
def test_a_deployment_stage_is_tried_and_gets_its_key_where_one_is(
    notebook: Notebook, show: Show, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Input in, answer out; the key is shown once, and stands in the snippets; nothing leads elsewhere."""
    root = show("again(2.0)")
    panel = root.locator(".pw-panel")
    tried = part(panel, "Try it")
    expect(tried.get_by_label("Observation, as JSON")).to_have_value(re.compile(r"\[.*\]"))
    button(tried, "Send").click()
    expect(tried.get_by_label("Answer")).to_be_visible(timeout=PATIENT)
    expect(panel).not_to_contain_text("ws.agents_view()")
    button(panel, "Create key").click()
    key = panel.locator(".pw-ag-key")
    expect(key).to_have_text(re.compile(r"^pw_[\w-]{43}$"))
    expect(part(panel, "Code")).to_contain_text(key.inner_text())
    assert key.inner_text() not in notebook.python("repr(view.get_state()) + repr(view.agent.get_state())")
    button(panel, "Hide").click()
    expect(key).to_have_count(0)
    button(tried, "Compare").click()
    expect(tried.get_by_text("The answers differ")).to_be_visible(timeout=PATIENT)
    for theme in ("light", "dark", "JupyterLab Dark High Contrast"):
        notebook.theme(theme)
        assert not axe(root)
        screenshot(f"agent panel {theme}", root)


@pytest.mark.spec("4.11", "8.2")
def test_a_version_is_rolled_back_in_place_by_two_clicks(notebook: Notebook, show: Show) -> None:
    """'Roll back' and the confirmation; the endpoint answers with it, and the panel says so."""
    root = show("again(2.0)")
    panel = root.locator(".pw-panel")
    clicks = count_clicks(root)
    button(part(panel, "Versions"), "Roll back").click()
    button(root.get_by_role("dialog", name="Roll back 'greeter' to version 1?"), "Roll back").click()
    expect(panel.locator(".pw-single-about")).to_contain_text("version 1")
    expect_clicks("roll back, in place", clicks())
    expect(panel).to_contain_text("Version 1 is current, not version 2, which the latest run of this stage")
    button(part(panel, "Try it"), "Send").click()
    expect(part(panel, "Try it").get_by_label("Answer")).to_contain_text("7.0", timeout=PATIENT)
    assert notebook.python("ws.agents['greeter'].version") == 1


@pytest.mark.spec("4.11", "9.1")
def test_a_checkpoint_is_deployed_from_a_stage_by_two_clicks(notebook: Notebook, show: Show) -> None:
    """'Deploy' and the confirmation; the toast leads to the agent, which is closed again."""
    root = show(stage=0)
    panel = root.locator(".pw-panel")
    expect(panel).to_contain_text("Stage 1: line")
    expect(root.locator(".pw-agent-place")).to_be_hidden()
    clicks = count_clicks(root)
    panel.get_by_role("group", name="Checkpoints").get_by_role("button", name="Deploy").first.click()
    button(root.get_by_role("dialog", name="Deploy the checkpoint at step 1"), "Deploy").click()
    toast = root.get_by_role("group", name="Notification")
    expect(toast).to_contain_text("Agent line - step 1 was saved, and is being connected.")
    expect_clicks("deploy a checkpoint", clicks())
    button(root, "View").click()
    agent = root.locator(".pw-agent")
    expect(agent.get_by_role("heading", name="line - step 1")).to_be_visible()
    expect(agent.locator(".pw-single-head")).to_contain_text("Deployed", timeout=PATIENT)
    expect(button(root, "Close agent")).to_be_focused()
    button(root, "Close agent").click()
    expect(root.locator(".pw-agent-place")).to_be_hidden()


@pytest.mark.spec("4.11", "9.1")
def test_an_experiment_deploys_by_two_clicks_and_leads_to_the_agent(notebook: Notebook, show: Show) -> None:
    """Also where an experiment stands by itself."""
    show()
    root = notebook.run("view = line.view()\nview").locator(".pw-root").first
    expect(root.locator(".pw-experiment")).to_be_visible()
    clicks = count_clicks(root)
    button(root.get_by_role("group", name="line"), "Deploy").click()
    button(root.get_by_role("dialog", name="Deploy the checkpoint at step 1"), "Deploy").click()
    expect(root.get_by_role("group", name="Notification")).to_contain_text("Agent line - step 1 was saved")
    expect_clicks("deploy a checkpoint", clicks())
    button(root, "View").click()
    expect(root.locator(".pw-agent").get_by_role("heading", name="line - step 1")).to_be_visible()


@pytest.mark.spec("4.11")
def test_the_panel_says_what_has_become_of_the_agent(notebook: Notebook, show: Show) -> None:
    """Not deployed yet; undeployed, with a button that connects it; deleted; and back after a trigger."""
    first = "pipe.stages[1].delete()\npipe.add_deployment_stage('other')"
    root = show(first)
    panel = root.locator(".pw-panel")
    expect(panel).to_contain_text(
        "Trigger the stage: it saves the checkpoint as agent 'other', and serves it."
    )
    expect(panel.locator(".pw-agent-place")).to_be_hidden()
    button(root, "Trigger stage").click()
    head = panel.locator(".pw-single-head")
    expect(head).to_contain_text("Deployed", timeout=PATIENT)
    button(head, "Disconnect").click()
    expect(head).to_contain_text("Undeployed")
    expect(part(panel, "Try it", "other")).to_be_hidden()
    button(head, "Connect").click()
    expect(head).to_contain_text("Deployed", timeout=PATIENT)
    notebook.execute("ws.agents['other'].disconnect()\nws.agents['other'].delete()")
    expect(panel).to_contain_text("Agent 'other' was deleted. Trigger the stage to make it again.")
    expect(panel.locator(".pw-agent-place")).to_be_hidden()
