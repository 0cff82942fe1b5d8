"""The workspace view in the browser: `ws` as the last line of a cell (spec 2.5)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS
from browser.views import eventually

pytestmark = pytest.mark.spec("2.5")

BESIDE = 432  # pixels of a page of JupyterLab that are not a cell's output
AT_REST = 10_000  # ms; while nothing runs, a view is refreshed every five seconds
EMPTY = LETTERS.replace('project = ws.create_project("Letters", advanced_training=True)', "")
#: A stage that failed, one that waits, a held gate, an experiment by itself that runs, and an agent.
BUSY_WORKSPACE = f"""{LETTERS}
other = ws.create_project("Swimmer", advanced_training=False)
chain("sft", "grpo", name="waits", trigger="manual", steps=3).stages[0].trigger().wait(60)
held = chain("base", name="held", steps=3)
gated = project.create_experiment("gated", algorithm=trainers.counter)
held.add_experiment_stage(gated, trigger="auto", gate=99.0)
held.stages[0].trigger().wait(60)
broken = project.create_pipeline("broken")
breaks = project.create_experiment("breaks", algorithm=trainers.counter, config={{"act": "raise"}})
broken.add_experiment_stage(breaks)
broken.stages[0].trigger().wait(60)
ws.create_agent("greeter", project.experiments["sft"].checkpoints[-1])
slow = other.create_experiment("slow", algorithm=trainers.counter, config={{"steps": 600, "pause": 0.1}})
run = slow.train()
"""


def part(root: Locator, name: str) -> Locator:
    """Return a part of the view by its name."""
    return root.get_by_role("region", name=name, exact=True)


def projects(root: Locator) -> Locator:
    """Return the table of projects."""
    return root.get_by_role("table", name="Projects", exact=True)


def opener(root: Locator, name: str) -> Locator:
    """Return the button that opens a project."""
    return projects(root).get_by_role("button", name=name, exact=True)


def row(root: Locator, name: str) -> Locator:
    """Return the row of a project."""
    opens = root.page.get_by_role("button", name=name, exact=True)
    return projects(root).get_by_role("row").filter(has=opens)


def choose(root: Locator, name: str, item: str) -> Locator:
    """Choose an item of a project's menu, and return the dialog that it opens."""
    root.get_by_role("button", name=f"Actions for {name}", exact=True).click()
    root.get_by_role("menuitem", name=item, exact=True).click()
    return root.get_by_role("dialog")


def show(notebook: Notebook, code: str, shown: str = "ws") -> Locator:
    """Run code, show the workspace, and return its view."""
    notebook.run(code)
    root = notebook.run(shown).locator(".pw-root").first
    expect(root.locator(".pw-workspace")).to_be_visible()
    return root


def test_an_empty_workspace_leads_on(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """There is one primary button, and by keyboard one comes from it to the new project's pipelines."""
    root = show(notebook, EMPTY)
    expect(root.get_by_text("No projects yet")).to_be_visible()
    expect(root.locator(".pw-primary:visible")).to_have_count(1)
    for theme in ("light", "dark"):
        notebook.theme(theme)
        assert axe(root) == ""
        screenshot(f"workspace empty {theme}", root)
    root.get_by_role("button", name="Create a project", exact=True).press("Enter")
    dialog = root.get_by_role("dialog", name="New project")
    expect(dialog.get_by_role("textbox", name="Name")).to_be_focused()
    expect(dialog.get_by_role("radio", name="Advanced Training")).to_be_checked()
    assert axe(dialog) == ""
    screenshot("workspace new project", root)
    dialog.get_by_role("textbox", name="Name").press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Enter a name for the project.")
    notebook.page.keyboard.type("Letters")
    notebook.page.keyboard.press("Enter")
    expect(root.get_by_role("heading", name="Letters", exact=True)).to_be_visible()
    expect(root.get_by_role("button", name="Back to workspace")).to_be_focused()
    expect(root.get_by_role("button", name="New Pipeline").first).to_be_visible()
    root.get_by_role("button", name="Back to workspace").press("Enter")
    expect(opener(root, "Letters")).to_be_focused()
    expect(projects(root).get_by_role("row").nth(1)).to_contain_text("Nothing has run yet")
    expect(part(root, "Agents")).to_be_hidden()


def test_a_classic_project_is_made_by_the_other_kind(notebook: Notebook) -> None:
    """It opens with the tabs of its kind; a name that is taken is refused beside what was typed."""
    root = show(notebook, LETTERS)
    root.get_by_role("button", name="New project").click()
    dialog = root.get_by_role("dialog", name="New project")
    dialog.get_by_role("textbox", name="Name").fill("Letters")
    dialog.get_by_role("radio", name="Classic RL").check()
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Letters")
    dialog.get_by_role("textbox", name="Name").fill("Swimmer")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(root.get_by_role("tab")).to_have_text(["Experiments", "Results"])


def test_it_shows_what_runs_and_what_waits(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Failed first; a name is text; every theme and width is accessible; nothing reaches the notebook."""
    root = show(notebook, f"{BUSY_WORKSPACE}\nws.create_project({HOSTILE!r})")
    waiting = part(root, "Waiting for you").get_by_role("listitem")
    expect(waiting).to_have_count(3)
    expect(waiting).to_contain_text(["Stage 1 (breaks) has failed", "Held", "Stage 2 (grpo) is next"])
    expect(waiting.first).to_contain_text("brokenLetters")
    running = part(root, "Running now").get_by_role("listitem")
    expect(running).to_have_count(1)
    expect(running).to_contain_text("Experiment slow")
    bar = running.get_by_role("progressbar", name="Progress of Experiment slow")
    expect(bar).to_have_attribute("aria-valuetext", re.compile(r"of 600"), timeout=AT_REST)
    rows = projects(root).get_by_role("row")
    expect(rows).to_have_count(4)
    letters = row(root, "Letters")
    expect(letters).to_contain_text("1 failed, 1 held, 1 waiting for you")
    expect(letters).to_contain_text("Advanced Training5 experiments3 pipelines")
    expect(row(root, "Swimmer")).to_contain_text("Running")
    expect(part(root, "Agents").get_by_role("rowheader", name="greeter")).to_be_visible()
    expect(root.locator("img")).to_have_count(0)
    for theme in ("light", "dark", "JupyterLab Dark High Contrast"):
        notebook.theme(theme)
        for width in (1400, 600):
            notebook.page.set_viewport_size({"width": width + BESIDE, "height": 1200})
            assert axe(root) == ""
            screenshot(f"workspace {width} {theme}", root)
    notebook.page.set_viewport_size({"width": 1280, "height": 900})
    notebook.keys_leave_the_notebook_alone(opener(root, "Letters"), ("b", "x", "d d"))
    notebook.execute("run.stop()")
    expect(part(root, "Running now")).to_be_hidden(timeout=AT_REST)


def test_a_line_opens_where_it_stands(notebook: Notebook, axe: Callable[[Locator], str]) -> None:
    """The stage is selected in its pipeline, the experiment expanded; the way back comes back to the line."""
    root = show(notebook, BUSY_WORKSPACE)
    line = part(root, "Waiting for you").get_by_role("button", name="Stage 2 (grpo) is next, waits, Letters")
    line.press("Enter")
    expect(root.get_by_role("heading", name="Letters", exact=True)).to_be_visible()
    bar = root.get_by_role("group", name="Stage 2: grpo", exact=True)
    expect(bar.get_by_role("button", name="Trigger stage", exact=True)).to_be_visible(timeout=AT_REST)
    expect(part(root, "Waiting for you")).to_be_hidden()
    assert axe(root) == ""
    root.get_by_role("button", name="Back to workspace").click()
    expect(line).to_be_focused()
    part(root, "Running now").get_by_role("button", name="Experiment slow, Swimmer").click()
    expect(root.get_by_role("tab", name="Experiments")).to_have_attribute("aria-selected", "true")
    expect(root.get_by_role("button", name="slow", exact=True)).to_have_attribute("aria-expanded", "true")
    notebook.execute("run.stop()")


def test_a_project_is_renamed_and_deleted(notebook: Notebook, axe: Callable[[Locator], str]) -> None:
    """With confirmation; what is in the way of a deletion is listed; a name that is taken is refused."""
    code = "ws.create_project('Spare')\nslow = project.create_experiment('slow', algorithm=trainers.counter, "
    code += "config={'steps': 600, 'pause': 0.1})\nrun = slow.train()"
    root = show(notebook, f"{LETTERS}\n{code}")
    dialog = choose(root, "Letters", "Rename")
    name = dialog.get_by_role("textbox", name="Name")
    expect(name).to_have_value("Letters")
    name.fill("Spare")
    name.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("Spare")
    name.fill("Words")
    assert axe(dialog) == ""
    name.press("Enter")
    expect(opener(root, "Words")).to_be_visible()
    expect(root.get_by_role("status").filter(has_text="Renamed to Words.")).to_have_count(1)
    dialog = choose(root, "Words", "Delete")
    expect(dialog).to_contain_text("1 experiment, with all runs, metrics and checkpoints")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("Active: run 1 of 'slow'")
    dialog.get_by_role("button", name="Cancel").click()
    expect(opener(root, "Words")).to_be_visible()
    notebook.execute("run.stop()\nrun.wait(30)")
    dialog = choose(root, "Words", "Delete")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(opener(root, "Words")).to_have_count(0)
    expect(root.get_by_role("button", name="Actions for Spare")).to_be_focused()
    dialog = choose(root, "Spare", "Delete")
    expect(dialog).to_contain_text("It is empty.")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(root.get_by_role("button", name="Create a project")).to_be_focused()


def test_what_is_hidden_is_not_kept_up_to_date_and_nothing_is_sent_at_rest(notebook: Notebook) -> None:
    """The project that is shown is refreshed, the list behind it as well, and the agents only in sight."""
    root = show(notebook, f"{LETTERS}\nview = ws.view()", "view")
    leased = "sorted(type(seen).__name__ for seen, _ in view._refresher._leases.values())"
    eventually(notebook, leased, ["WorkspaceView"])
    notebook.execute("chain('sft', name='made meanwhile')")
    line = part(root, "Waiting for you").get_by_role("listitem")
    expect(line).to_contain_text("made meanwhile", timeout=AT_REST)
    notebook.page.wait_for_timeout(1000)
    notebook.forget_messages()
    notebook.page.wait_for_timeout(6000)
    assert [each for each in notebook.messages() if each.direction == "down"] == []
    opener(root, "Letters").click()
    eventually(notebook, leased, ["PipelineList", "ProjectView", "WorkspaceView"])
    notebook.reload()
    expect(notebook.page.get_by_role("heading", name="Letters", exact=True)).to_be_visible()
    notebook.page.get_by_role("button", name="Back to workspace").click()
    expect(notebook.page.get_by_role("heading", name="Workspace lab")).to_be_visible()
