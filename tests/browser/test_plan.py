"""The plan of a trigger in a real JupyterLab: spec section 6.4."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS

PATIENT = 30_000  # ms; a process has to start
SHOW = """
from pipeline_widgets.widgets.pipeline import PipelineView
view = PipelineView(ws._services, pipe._id)
view.do_select(pipe.stages[0]._id)
view
"""


def trigger_of(notebook: Notebook, made: str, name: str = "Trigger stage") -> Locator:
    """Make a pipeline `pipe` by that code, show it, and return a button of its first stage."""
    notebook.run(f"{LETTERS}\n{made}")
    root = notebook.run(SHOW).locator(".pw-root").first
    return root.get_by_role("group", name="Stage 1:").get_by_role("button", name=name)


def said(plan: Locator) -> dict[str, str]:
    """Return what a plan says, by its titles."""
    titles, texts = plan.locator("dt").all_inner_texts(), plan.locator("dd").all_inner_texts()
    return dict(zip(titles, texts, strict=True))


@pytest.mark.spec("6.4")
def test_a_trigger_shows_its_plan_before_it_re_runs_and_cascades(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """It says what runs, from where, what follows and what turns stale; Escape triggers nothing."""
    trigger = trigger_of(
        notebook,
        "pipe = chain('sft', 'dpo', steps=2)\n"
        "pipe.add_experiment_stage(project.create_experiment('grpo', algorithm=trainers.counter))\n"
        "pipe.add_deployment_stage('letters', trigger='auto')\n"
        "pipe.stages[0].trigger(); pipe.wait(60); pipe.stages[2].trigger(); pipe.wait(60)",
    )
    trigger.click()
    plan = page.get_by_role("dialog", name="Trigger stage 1 (sft)?")
    expect(plan.get_by_role("button", name="Trigger stage")).to_be_visible()
    assert said(plan) == {
        "Runs now": "Stage 1 (sft) again",
        "Starts from": "scratch",
        "Follows automatically": "Stage 2 (dpo)",
        "Turns stale": "Stage 3 (grpo)\nStage 4 (letters)",
    }
    assert axe(plan) == ""
    screenshot("plan", plan)
    cancel = plan.get_by_role("button", name="Cancel")
    notebook.keys_leave_the_notebook_alone(cancel, ("b", "x", "d d", "a", "Escape"))
    expect(plan).to_be_hidden()
    expect(trigger).to_be_focused()
    assert notebook.python("len(pipe.stages[0].runs)") == 1
    page.keyboard.press("Enter")
    expect(plan).to_be_visible()
    plan.get_by_role("button", name="Trigger stage").click()
    expect(plan).to_be_hidden()
    notebook.execute("pipe.wait(60)")
    assert notebook.python("[len(stage.runs) for stage in pipe.stages]") == [2, 2, 1, 1]


@pytest.mark.spec("6.4")
def test_a_plan_names_the_agents_that_are_redeployed(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str]
) -> None:
    """A long cascade scrolls within its place, by keyboard too, and the buttons stay in sight."""
    names = [f"e{number}" for number in range(40)]
    trigger = trigger_of(
        notebook, f"pipe = chain(*{names}, steps=1)\npipe.add_deployment_stage('letters', trigger='auto')"
    )
    trigger.click()
    plan = page.get_by_role("dialog", name="Trigger stage 1 (e0)?")
    confirm = plan.get_by_role("button", name="Trigger stage")
    expect(confirm).to_be_in_viewport()
    told = said(plan)
    assert told["Deploys"] == "letters"
    assert len(told["Follows automatically"].splitlines()) == 40
    expect(plan.get_by_text("Stage 2 (e1)")).to_be_in_viewport()
    expect(plan.get_by_text("Stage 41 (letters)")).not_to_be_in_viewport()
    assert axe(plan) == ""
    notebook.theme("dark")
    assert axe(plan) == ""


@pytest.mark.spec("6.4")
def test_a_first_trigger_that_starts_nothing_else_asks_nothing(notebook: Notebook, page: Page) -> None:
    """The run begins at once."""
    trigger_of(notebook, "pipe = chain('sft', steps=1)").click()
    done = page.get_by_role("button", name="Stage 1: sft, Experiment, Succeeded")
    expect(done).to_have_count(1, timeout=PATIENT)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert notebook.python("len(pipe.stages[0].runs)") == 1


@pytest.mark.spec("6.4", "6.5")
def test_a_resume_says_from_which_step_it_goes_on(notebook: Notebook, page: Page) -> None:
    """It is asked about like a trigger where it cascades, under its own name."""
    resume = trigger_of(
        notebook,
        "pipe = chain('sft', 'dpo', steps=2, act='raise'); pipe.stages[0].trigger(); pipe.wait(60)",
        "Resume",
    )
    resume.click()
    plan = page.get_by_role("dialog", name="Resume stage 1 (sft)?")
    expect(plan.get_by_role("button", name="Resume")).to_be_visible()
    assert "step 1" in said(plan)["Starts from"]
    page.keyboard.press("Escape")
    expect(resume).to_be_focused()


@pytest.mark.spec("6.1", "6.4")
def test_a_trigger_that_became_impossible_meanwhile_says_why(notebook: Notebook, page: Page) -> None:
    """The dialog stays open with the reason, and no second run begins."""
    trigger = trigger_of(notebook, "pipe = chain('sft', 'dpo', steps=1, pause=3)")
    trigger.click()
    plan = page.get_by_role("dialog", name="Trigger stage 1 (sft)?")
    expect(plan).to_be_visible()
    notebook.execute("first = pipe.stages[0].trigger()")
    plan.get_by_role("button", name="Trigger stage").click()
    expect(plan.get_by_role("alert")).not_to_be_empty()
    expect(plan.get_by_role("alert")).to_contain_text("Stage 1")
    assert notebook.python("len(pipe.stages[0].runs)") == 1
    notebook.execute("first.stop(); pipe.wait(60)")


@pytest.mark.spec("3.4", "5.7", "6.4")
def test_the_first_trigger_of_a_copied_stage_offers_to_duplicate_its_experiment(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str]
) -> None:
    """It is the first choice; the copy runs then, and the original keeps its runs."""
    trigger = trigger_of(
        notebook,
        "original = chain('sft', steps=1); original.stages[0].trigger(); original.wait(60)\n"
        "pipe = original.duplicate()",
    )
    trigger.click()
    plan = page.get_by_role("dialog", name="Trigger stage 1 (sft)?")
    expect(plan.get_by_role("radio", name="Duplicate and attach")).to_be_checked()
    expect(plan.get_by_role("radio", name="Attach as is")).to_be_visible()
    assert axe(plan) == ""
    plan.get_by_role("button", name="Trigger stage").click()
    expect(plan).to_be_hidden()
    notebook.execute("pipe.wait(60)")
    assert notebook.python("pipe.stages[0].name") == "sft (copy)"
    runs = notebook.python("{each.name: len(each.runs) for each in project.experiments}")
    assert runs == {"sft": 1, "sft (copy)": 1}
