"""Running a whole pipeline in a real JupyterLab: spec section 4.8, and what a broken-off stage offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.test_plan import said
from browser.views import bubble, show

PATIENT = 30_000  # ms; a process has to start
MANUAL = "pipe = chain('sft', 'dpo', 'grpo', trigger='manual', steps=2, pause={pause})\n"
LISTED = """
from pipeline_widgets.widgets.pipeline_list import PipelineList
PipelineList(ws._services, project._id)
"""
REOPENED = """
import pipeline_widgets as pw
pipe = pw.Workspace({!r}).projects['Letters'].pipelines['chain 0'].wait(120)
"""


@pytest.mark.spec("4.8")
def test_a_row_runs_its_pipeline_through_and_that_outlives_the_kernel(
    notebook: Notebook,
    page: Page,
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """The plan names the manual stages on the way, and asks; what it has said is done with no kernel."""
    notebook.run(LETTERS + MANUAL.format(pause=0.5))
    root = notebook.run(LISTED).locator(".pw-root").first
    root.get_by_role("button", name="Run pipeline: chain 0").click()
    plan = page.get_by_role("dialog", name="Run pipeline?")
    manual = plan.get_by_role("group", name="Manual on the way: Stage 2 (dpo), Stage 3 (grpo)")
    expect(manual.get_by_role("radio", name="Stop there")).to_be_checked()
    assert said(plan) == {
        "Runs now": "Stage 1 (sft)",
        "Starts from": "scratch",
        "Waits for you": "Stage 2 (dpo)\nStage 3 (grpo)",
    }
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert axe(plan) == ""
        screenshot(f"run pipeline plan {theme}", plan)
    manual.get_by_role("radio", name="Run through").check()
    expect(plan.get_by_text("Follows automatically")).to_be_visible()
    assert said(plan)["Follows automatically"] == "Stage 2 (dpo)\nStage 3 (grpo)"
    screenshot("run pipeline through", plan)
    plan.get_by_role("button", name="Run pipeline").click()
    expect(plan).to_be_hidden()
    expect(root.get_by_role("status").filter(has_text="Stage 1 (sft): run 1 was triggered.")).to_be_attached()
    again = root.get_by_role("button", name="Run pipeline: chain 0")
    expect(again).to_have_attribute("aria-disabled", "true")
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert axe(root) == ""
        screenshot(f"pipeline list runs {theme}", root)
    notebook.restart_kernel()
    notebook.execute(REOPENED.format(str(tmp_path / "lab.db")), timeout=150)
    assert notebook.python("[str(stage.status) for stage in pipe.stages]") == ["Succeeded"] * 3


@pytest.mark.spec("4.8")
def test_the_builder_runs_what_is_next_and_brings_up_to_date(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """It stops before the first manual stage; where a stage is stale, it offers to run that again."""
    root = show(notebook, MANUAL.format(pause=0))
    run = root.get_by_role("button", name="Run pipeline")
    run.click()
    plan = page.get_by_role("dialog", name="Run pipeline?")
    plan.get_by_role("button", name="Run pipeline").click()
    expect(bubble(root, 1)).to_have_accessible_name(
        "Stage 1: sft, Experiment, Succeeded, Manual", timeout=PATIENT
    )
    expect(bubble(root, 2)).to_have_accessible_name("Stage 2: dpo, Experiment, Draft, Manual")
    expect(root.get_by_role("button", name="Bring up to date")).to_have_count(0)
    notebook.execute(
        "for stage in [*list(pipe.stages)[1:], pipe.stages[0]]:\n"
        "    if stage.position == 0: stage.experiment.update(seed=3)\n"
        "    stage.trigger(); pipe.wait(60)",
        timeout=200,
    )
    update = root.get_by_role("button", name="Bring up to date")
    expect(update).to_be_visible(timeout=PATIENT)
    expect(run).to_have_count(0)  # nothing is next
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert axe(root) == ""
        screenshot(f"builder is stale {theme}", root)
    update.click()
    plan = page.get_by_role("dialog", name="Bring up to date?")
    plan.get_by_role("radio", name="Run through").check()
    expect(plan.get_by_text("Follows automatically")).to_be_visible()
    plan.get_by_role("button", name="Bring up to date").click()
    expect(update).to_have_count(0, timeout=PATIENT)
    notebook.execute("pipe.wait(120)", timeout=150)
    assert notebook.python("[len(stage.runs) for stage in pipe.stages]") == [2, 2, 2]
    assert notebook.python("[stage.stale for stage in pipe.stages]") == [False] * 3


@pytest.mark.spec("4.8", "6.8")
def test_a_stale_stage_is_run_again_with_the_manual_stages_after_it(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """The plan says what it will run and where it stops, and runs through where that is chosen."""
    made = (
        "for stage in [*pipe.stages, pipe.stages[0]]:\n"
        "    if len(stage.runs): stage.experiment.update(seed=3)\n"
        "    stage.trigger(); pipe.wait(60)\n"
        "view = pipe.view()\nview.do_select(pipe.stages[1]._id)"
    )
    root = show(notebook, MANUAL.format(pause=0) + made, "view")
    root.get_by_role("button", name="Re-run from here").click()
    plan = page.get_by_role("dialog", name="Re-run stage 2 (dpo)?")
    manual = plan.get_by_role("group", name="Manual on the way: Stage 3 (grpo)")
    expect(manual.get_by_role("radio", name="Stop there")).to_be_checked()
    assert said(plan) == {
        "Runs now": "Stage 2 (dpo) again",
        "Starts from": "best evaluation score 2, step 2",
        "Waits for you": "Stage 3 (grpo)",
        "Turns stale": "Stage 3 (grpo)",
    }
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert axe(plan) == ""
        screenshot(f"re-run plan {theme}", plan)
    manual.get_by_role("radio", name="Run through").check()
    expect(plan.get_by_text("Follows automatically")).to_be_visible()
    plan.get_by_role("button", name="Re-run").click()
    expect(plan).to_be_hidden()
    notebook.execute("pipe.wait(120)", timeout=150)
    assert notebook.python("[(len(stage.runs), stage.stale) for stage in pipe.stages]") == [
        [2, False],
        [2, False],
        [2, False],
    ]


@pytest.mark.spec("6.5", "6.4")
def test_a_broken_off_stage_offers_to_resume_first_and_to_start_over_with_the_plan(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """To begin again asks, and says which run is not gone on with."""
    root = show(
        notebook, "pipe = chain('sft', steps=2, act='raise'); pipe.stages[0].trigger(); pipe.wait(60)"
    )
    bar = root.get_by_role("group", name="Stage 1: sft")
    labels = bar.get_by_role("button").all_inner_texts()
    assert [label.strip() for label in labels[:2]] == ["Resume", "Start over…"]
    over = bar.get_by_role("button", name="Start over…")
    over.click()
    plan = page.get_by_role("dialog", name="Start stage 1 (sft) over?")
    expect(plan.get_by_text("Not resumed")).to_be_visible()
    assert said(plan) == {
        "Runs now": "Stage 1 (sft)",
        "Starts from": "scratch",
        "Not resumed": "Run 1, at step 1",
    }
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert axe(plan) == ""
        screenshot(f"start over {theme}")
    page.keyboard.press("Escape")
    expect(over).to_be_focused()
    assert notebook.python("len(pipe.stages[0].runs)") == 1
    over.click()
    plan.get_by_role("button", name="Start over").click()
    expect(plan).to_be_hidden(timeout=PATIENT)  # the run is written
    notebook.execute("pipe.wait(120)", timeout=150)
    assert notebook.python("len(pipe.stages[0].runs)") == 2
