"""One experiment by itself in the browser: `experiment` as the last line of a cell (spec 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS

pytestmark = pytest.mark.spec("2.6")

BESIDE = 432  # pixels of a page of JupyterLab that are not a cell's output
MADE = f"""{LETTERS}
experiment = project.create_experiment("count", algorithm=trainers.counter, config={{"steps": 6}})
"""


def show(notebook: Notebook, code: str, shown: str = "experiment") -> Locator:
    """Run code, show an experiment, and return its view."""
    notebook.run(code)
    root = notebook.run(shown).locator(".pw-root").first
    expect(root.locator(".pw-experiment")).to_be_visible()
    return root


def act(root: Locator, name: str) -> Locator:
    """Return a button of the experiment."""
    return root.get_by_role("group", name="count", exact=True).get_by_role("button", name=name, exact=True)


def part(root: Locator, name: str) -> Locator:
    """Return a part of what is shown of it."""
    return root.get_by_role("group", name=name, exact=True)


def test_it_trains_and_stops_and_shows_what_it_did(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """By keyboard; curves, checkpoints, config and runs are there, accessible in every theme and width."""
    root = show(notebook, MADE)
    expect(root.get_by_role("heading", name="count", exact=True)).to_be_visible()
    for name, why in (("Stop", "not running"), ("Deploy", "No checkpoint has been saved yet.")):
        expect(act(root, name)).to_have_attribute("aria-disabled", "true")
        assert name == "Stop" or act(root, name).get_attribute("title") == why
    screenshot("experiment draft", root)
    act(root, "Train").press("Enter")
    expect(root.get_by_role("status").filter(has_text="count is training.")).to_have_count(1)
    expect(part(root, "Runs").get_by_role("rowheader", name="Run 1")).to_be_visible()
    expect(part(root, "Runs").get_by_role("row").nth(1)).to_contain_text("Succeeded", timeout=30_000)
    chart = part(root, "Metrics").get_by_role("slider", name="Evaluation score by step")
    expect(chart).to_have_accessible_name(
        "Evaluation score by step. Evaluation score: 6 at step 6, lowest 1, highest 6"
    )
    expect(part(root, "Checkpoints").get_by_role("row")).to_have_count(7)
    expect(part(root, "Config")).to_contain_text("Steps6")
    for theme in ("light", "dark", "JupyterLab Dark High Contrast"):
        notebook.theme(theme)
        for width in (1400, 600):
            notebook.page.set_viewport_size({"width": width + BESIDE, "height": 1200})
            assert axe(root) == ""
            screenshot(f"experiment {width} {theme}", root)
    notebook.page.set_viewport_size({"width": 1280, "height": 900})
    notebook.keys_leave_the_notebook_alone(act(root, "Duplicate"), ("b", "x", "d d"))
    notebook.execute("experiment.update(config={'steps': 600, 'pause': 0.1})")
    act(root, "Train").click()
    expect(root.get_by_role("progressbar", name="Progress of count")).to_be_visible(timeout=30_000)
    act(root, "Stop").click()
    expect(part(root, "Runs").get_by_role("row").nth(1)).to_contain_text("Stopped", timeout=30_000)


def test_the_log_stands_below_the_curves(notebook: Notebook) -> None:
    """What a training prints is shown as text."""
    talk = f"""{LETTERS}
@pw.algorithm("Talker", produces={{"thing"}})
def talker(ctx: pw.TrainContext) -> None:
    print({HOSTILE!r})
    ctx.report(1, total=1, evaluation_score=1.0)

experiment = project.create_experiment("count", algorithm=talker)
experiment.train().wait(60)
"""
    root = show(notebook, talk)
    expect(part(root, "Log").locator("pre")).to_contain_text(HOSTILE)
    expect(root.locator("img")).to_have_count(0)


def test_what_is_made_of_it_is_shown_on_demand(notebook: Notebook, axe: Callable[[Locator], str]) -> None:
    """Duplicate and Resume say what they made, and one press shows it in place."""
    root = show(notebook, f"{MADE}\nexperiment.train().wait(60)")
    act(root, "Duplicate").click()
    dialog = root.get_by_role("dialog", name="Duplicate")
    dialog.get_by_role("button", name="Duplicate", exact=True).click()
    expect(root.get_by_text("Duplicated as count (copy).").first).to_be_visible()
    other = root.get_by_role("button", name="Show count (copy)")
    expect(other).to_be_focused()
    assert axe(root) == ""
    act(root, "Resume").click()
    dialog = root.get_by_role("dialog", name="Resume")
    dialog.get_by_role("textbox", name="Steps").fill("9")
    dialog.get_by_role("button", name="Resume", exact=True).click()
    expect(root.get_by_text("Resumed as").first).to_be_visible()
    resumed = notebook.python("project.experiments[-1].name")
    root.get_by_role("button", name=f"Show {resumed}").click()
    expect(root.get_by_role("heading", name=resumed, exact=True)).to_be_visible()
    expect(part(root, "Runs").get_by_role("row").nth(1)).to_contain_text("Succeeded", timeout=30_000)
    expect(root.get_by_role("button", name="Show", exact=False).filter(has_text=resumed)).to_have_count(0)


def test_the_best_checkpoint_is_deployed_and_results_open_below(notebook: Notebook) -> None:
    """Deploy asks for the name; Results are closed again, and focus comes back."""
    root = show(notebook, f"{MADE}\nexperiment.train().wait(60)")
    act(root, "Deploy").click()
    dialog = root.get_by_role("dialog", name="Deploy the checkpoint at step 6")
    dialog.get_by_role("textbox", name="Agent name").fill("greeter")
    dialog.get_by_role("checkbox", name="Connect it").uncheck()
    dialog.get_by_role("button", name="Deploy", exact=True).click()
    expect(root.get_by_role("group", name="Notification")).to_contain_text("Agent greeter was saved.")
    assert notebook.python("ws.agents[0].name") == "greeter"
    act(root, "Results").press("Enter")
    results = root.get_by_role("group", name="Results", exact=True)
    expect(results.get_by_role("heading", name="Results of count")).to_be_visible()
    results.get_by_role("button", name="Close results").press("Enter")
    expect(act(root, "Results")).to_be_focused()
    root.get_by_role("button", name="Actions for count").click()
    root.get_by_role("menuitem", name="Delete").click()
    expect(root.get_by_role("dialog")).to_contain_text("1 run and 6 checkpoints")
    root.get_by_role("dialog").get_by_role("button", name="Cancel").click()
