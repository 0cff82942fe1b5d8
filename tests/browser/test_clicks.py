"""How many clicks the daily jobs take, as docs/clicks.md says them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.views import count_clicks, expect_clicks, show

PATIENT = 30_000  # ms; a process has to start


@pytest.mark.spec("6.1")
def test_a_stage_on_which_nothing_follows_runs_by_one_click(notebook: Notebook) -> None:
    """Nothing that ran is replaced and nothing follows, so that there is no plan to agree to."""
    root = show(notebook, "pipe = chain('sft', 'dpo', trigger='manual', steps=2)")
    clicks = count_clicks(root)
    root.get_by_role("button", name="Trigger stage").click()
    expect(root.locator(".pw-panel")).to_contain_text("Run 1")
    expect_clicks("run a stage on which nothing follows", clicks())
    notebook.execute("pipe.wait(60)")


@pytest.mark.spec("4.8", "6.4")
def test_a_whole_pipeline_runs_by_two_clicks(notebook: Notebook) -> None:
    """'Run pipeline', and the same below the plan."""
    root = show(notebook, "pipe = chain('sft', 'dpo', steps=2)")
    clicks = count_clicks(root)
    root.get_by_role("button", name="Run pipeline", exact=True).click()
    plan = root.get_by_role("dialog", name="Run pipeline?")
    plan.get_by_role("button", name="Run pipeline").click()
    expect(plan).to_have_count(0)
    expect_clicks("run a whole pipeline, and agree to the plan", clicks())
    notebook.execute("pipe.wait(60)")


@pytest.mark.spec("9.3", "9.8")
def test_two_runs_are_compared_by_three_clicks(notebook: Notebook) -> None:
    """Two boxes of the Experiments tab, and 'Compare in Results', which stands beside what is selected."""
    made = "pipe = chain('sft', 'dpo', steps=2)\npipe.stages[0].trigger()\npipe.wait(60)\n"
    notebook.run(f"{LETTERS}\n{made}\nview = project.view()\nview.do_show_tab('Experiments')", timeout=90)
    root = notebook.run("view").locator(".pw-root").first
    expect(root.get_by_label("Select sft")).to_be_visible()
    clicks = count_clicks(root)
    root.get_by_label("Select sft").click()
    root.get_by_label("Select dpo").click()
    root.get_by_role("button", name="Compare in Results").click()
    expect(root.get_by_role("heading", name="Results of")).to_be_visible(timeout=PATIENT)
    expect_clicks("compare two runs", clicks())
    runs = root.get_by_role("table", name="Runs", exact=True).get_by_role("row")
    expect(runs).to_have_count(3)
    root.get_by_role("button", name="Open log of sft run 1").click()
    expect(root.get_by_role("dialog", name="Log")).to_be_visible()
