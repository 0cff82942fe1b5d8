"""Pipelines from templates, and from nothing in a few clicks, in a real JupyterLab (spec 4.12)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.views import count_clicks, eventually, expect_clicks

pytestmark = pytest.mark.spec("4.12")


def button(root: Locator, name: str) -> Locator:
    """Return a button."""
    return root.get_by_role("button", name=name, exact=True)


def test_three_stages_from_nothing_take_six_clicks_and_a_name(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """From an empty workspace to a pipeline of three stages and an agent that runs at once."""
    root = notebook.run("import pipeline_widgets as pw\nws = pw.Workspace()\nws").locator(".pw-root").first
    expect(root).to_contain_text("'New from template' in it makes a pipeline")
    clicks = count_clicks(root)
    button(root, "Create a project").click()
    dialog = root.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Letters")
    dialog.get_by_role("button", name="Create").click()
    empty = root.locator(".pw-pipeline-list .pw-empty")
    expect(empty).to_contain_text("No pipelines found")
    for name in ("New Pipeline", "New from template", "Import pipeline"):
        expect(button(empty, name)).to_be_visible()
    button(empty, "New from template").click()
    dialog = root.get_by_role("dialog", name="New from template")
    expect(dialog.get_by_role("radio")).to_have_count(3)
    expect(dialog).to_contain_text("SFT → DPO → GRPO → agent")
    expect(dialog).to_contain_text("Supervised → LatentPPO → agent")
    assert not axe(root)
    screenshot("new from template")
    dialog.get_by_role("radio", name="Post-training").click()
    dialog.get_by_label("Name").fill("letters that sort")
    button(dialog, "Create").click()
    expect(root.locator(".pw-graphbox[data-ready]")).to_be_visible()
    expect_clicks("three stages and an agent from nothing", clicks())
    names = "[each.name for each in ws.projects['Letters'].pipelines['letters that sort'].stages]"
    assert notebook.python(names) == ["sft", "dpo", "grpo", "language model"]
    assert notebook.python("len(ws.projects['Letters'].pipelines[0].check())") == 0
    button(root, "Run pipeline").last.click()
    button(root.get_by_role("dialog", name="Run pipeline?"), "Run pipeline").click()
    status = "str(ws.projects['Letters'].pipelines[0].stages[0].status)"
    eventually(notebook, f"{status} in ('Pending', 'Running', 'Succeeded')", wanted=True)
    notebook.execute("ws.projects['Letters'].pipelines[0].stop()")


def test_a_pipeline_is_kept_as_a_template_and_made_again(
    notebook: Notebook, screenshot: Callable[..., Path]
) -> None:
    """With its own name; it is offered below the ready ones, and can be deleted there."""
    notebook.run(f"{LETTERS}\npipe = chain('one', 'two')")
    root = notebook.run("view = project.view()\nview").locator(".pw-root").first
    button(root, "chain 0").click()
    builder = root.locator(".pw-pipeline")
    button(builder, "More").click()
    root.get_by_role("menuitem", name="Save as template").click()
    dialog = root.get_by_role("dialog", name="Save as template")
    dialog.get_by_label("Name").fill("Post-training")
    button(dialog, "Save").click()
    expect(dialog).to_contain_text("A template named 'Post-training' already exists.")
    dialog.get_by_label("Name").fill("two counters")
    button(dialog, "Save").click()
    expect(root.get_by_role("group", name="Notification")).to_contain_text("Template two counters was saved")
    button(root, "New from template").click()
    dialog = root.get_by_role("dialog", name="New from template")
    dialog.get_by_role("radio", name="two counters").check()
    screenshot("own template")
    button(dialog, "Create").click()
    expect(dialog).to_have_count(0)
    assert notebook.python("[each.name for each in project.pipelines['two counters'].stages]") == [
        "one 2",
        "two 2",
    ]
    button(root, "New from template").click()
    button(dialog, "Delete template two counters").click()
    button(dialog, "Delete").click()
    expect(dialog.get_by_role("radio")).to_have_count(3)
    assert notebook.python("len(project.templates)") == 3


def test_a_new_experiment_is_made_in_the_picker_and_bound(
    notebook: Notebook, screenshot: Callable[..., Path]
) -> None:
    """Nothing that was typed for the stage is lost; algorithms that do not fit there cannot be chosen."""
    notebook.run(f"{LETTERS}\npipe = project.create_pipeline('empty')")
    root = notebook.run("view = pipe.view()\nview").locator(".pw-root").first
    button(root, "Add stage").last.click()
    form = root.get_by_role("dialog", name="Add stage")
    expect(form).to_contain_text("This project has no experiments yet.")
    form.get_by_label("Retries").fill("2")
    screenshot("picker without experiments")
    button(form, "New experiment…").click()
    inner = root.get_by_role("dialog", name="New experiment")
    expect(inner.locator("option", has_text="LatentPPO (does not fit here)").first).to_be_attached()
    inner.get_by_label("Algorithm").select_option("SFT")
    inner.get_by_label("Name").fill("typed")
    inner.get_by_label("Name").press("Escape")
    expect(form).to_be_visible()
    button(form, "New experiment…").click()
    expect(inner.get_by_label("Name")).to_have_value("typed")
    screenshot("new experiment in the picker")
    button(inner, "Create").click()
    expect(inner).to_have_count(0)
    expect(form.get_by_role("radio", name="typed")).to_be_checked()
    expect(form.get_by_label("Retries")).to_have_value("2")
    button(form, "Add stage").click()
    expect(form).to_have_count(0)
    stage = notebook.python(
        "[pipe.stages[0].name, pipe.stages[0].retries, pipe.stages[0].experiment.algorithm]"
    )
    assert stage == ["typed", 2, "SFT"]
