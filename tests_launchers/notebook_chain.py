"""A chain of real trainings on an engine, from a cell of a notebook in JupyterLab, as a user has it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from browser.chromium import executable
from browser.conftest import ARGUMENTS
from browser.lab import Lab
from browser.notebook import Notebook
from browser.views import bubble, eventually
from playwright.sync_api import Locator, expect, sync_playwright

MADE = """
import pipeline_widgets as pw
ws = pw.Workspace(launcher={launcher!r}, timing=pw.Timing(beat_every=0.5, grace=60.0))
project = ws.create_project("Letters", advanced_training=True)
pipe = project.new_from_template("Post-training", name="letters that sort")
"""
COUNTED = """
@pw.algorithm("Count", produces={"count"})
def count(ctx):
    for step in range(1, 4):
        print("counted to", step, flush=True)
        ctx.report(step, total=3, evaluation_score=step / 3, half=step / 2)

experiment = project.create_experiment("count", algorithm=count)
run = experiment.train()
view = experiment.view()
view
"""
SHOWN = "view = pipe.view()\nview"
RUNS = "[pipe.stages[at].experiment.runs[0] for at in range(3)]"
#: Seconds for all of it: a busy engine takes a quarter of a minute to start a job.
ENDS_WITHIN = 240.0


@contextmanager
def opened_notebook(folder: Path) -> Generator[Notebook]:
    """Yield a notebook that is open in a browser, its kernel in an empty folder."""
    for name in ("lab", "kernel"):
        (folder / name).mkdir()
    with Lab(folder / "lab") as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        notebook = Notebook(lab, page, "chain")
        notebook.renew(folder / "kernel")
        yield notebook
        assert not notebook.errors, "\n".join(notebook.errors)
        notebook.close()
        browser.close()


def chain_trains_and_serves(launcher: str, folder: Path) -> None:
    """Assert that SFT -> DPO -> GRPO -> an agent runs there, and that views follow it as on one machine."""
    with opened_notebook(folder) as notebook:
        notebook.run(MADE.format(launcher=launcher))
        root = notebook.run(SHOWN).locator(".pw-root").first
        expect(root.locator(".pw-graphbox[data-ready]")).to_be_visible()
        _press(root, "Run pipeline")
        _press(root.get_by_role("dialog", name="Run pipeline?"), "Run pipeline")
        for number in (1, 2, 3, 4):
            expect(bubble(root, number)).to_contain_text("Succeeded", timeout=1e3 * ENDS_WITHIN)
        assert notebook.python(f"[run.launcher for run in {RUNS}]") == [launcher] * 3
        assert notebook.python("ws.agents[0].predict('dcba')") == "abcd"
        notebook.execute("ws.agents[0].disconnect()")
        bubble(root, 2).focus()
        notebook.page.keyboard.press("Space")
        expect(root.locator(".pw-panel .pw-curves svg").first).to_be_visible()
        _what_a_cell_defines_trains(notebook, launcher)


def _what_a_cell_defines_trains(notebook: Notebook, launcher: str) -> None:
    """Assert that a method of the cell runs there, and that its curve and its log are in the view."""
    root = notebook.run(COUNTED).locator(".pw-root").first
    expect(root.get_by_text("Succeeded").first).to_be_visible(timeout=1e3 * ENDS_WITHIN)
    eventually(notebook, "[run.launcher, sorted(set(run.metrics.step.tolist()))]", [launcher, [1, 2, 3]])
    eventually(notebook, "run.log", "counted to 1\ncounted to 2\ncounted to 3\n")
    _press(root, "Open log")
    expect(root.locator(".pw-log-dialog .pw-log-line")).to_have_count(3)
    expect(root.locator(".pw-log-dialog .pw-log-line").last).to_contain_text("counted to 3")


def _press(within: Locator, name: str) -> None:
    within.get_by_role("button", name=name, exact=True).last.click()
