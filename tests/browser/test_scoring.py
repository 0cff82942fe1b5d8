"""Score checkpoints by evaluators, and choose the one that Best and gates go by, in the views (spec 7.9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from browser import views
from browser.notebook import Notebook
from browser.scenes import LETTERS

pytestmark = pytest.mark.spec("7.9")

#: Evaluators of the notebook: one of them fails, and one scores nothing of what is here.
EVALUATORS = """
@pw.evaluator("exact answers", accepts={"thing"}, takes="folder")
def exact(folder):
    return 1.0 / int((folder / "state.txt").read_text().split()[0])

@pw.evaluator("<b>broken</b>", accepts={"thing"}, takes="folder", score="min")
def broken(folder):
    raise ValueError("the <i>yardstick</i> is broken")

@pw.evaluator("texts", accepts={"lm"})
def texts(answer):
    return 1.0
"""
CHAIN = f"""{EVALUATORS}
pipe = chain("sft", "dpo", steps=4)
pipe.stages[0].trigger()
pipe.wait(60)
"""
EXPERIMENT = f"""{EVALUATORS}
sft = project.create_experiment("sft", algorithm=trainers.counter, config={{"steps": 3}})
sft.train().wait(60)
"""


def dialog(root: Locator, name: str) -> Locator:
    """Return the dialog of that title."""
    return root.page.get_by_role("dialog", name=name)


def first_stage(root: Locator) -> Locator:
    """Select the first stage, and return its table of checkpoints."""
    bubble = views.bubble(root, 1)
    if bubble.get_attribute("aria-pressed") != "true":
        bubble.press("Space")
    table = views.scroll_box(root, "Checkpoints")
    expect(table).to_be_visible()
    return table


def test_a_checkpoint_is_scored_from_the_panel(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """One of them or all; the score comes into the table; one that has a score is renewed only if asked."""
    root = views.show(notebook, CHAIN)
    table = first_stage(root)
    score = root.get_by_role("button", name="Score", exact=True)
    score.click()
    asked = dialog(root, "Score checkpoints")
    evaluator, which = asked.get_by_label("Evaluator"), asked.get_by_label("Checkpoints")
    expect(evaluator.get_by_role("option", name="texts")).to_be_disabled()
    expect(asked).to_contain_text("'texts' scores a language model")
    for theme in ("dark", "light"):
        notebook.theme(theme)
        screenshot(f"score dialog {theme}", root)
        assert not axe(root)
    evaluator.select_option("exact answers")
    which.select_option("Step 2")
    asked.get_by_role("button", name="Score").click()
    expect(asked).not_to_be_visible()
    expect(root.get_by_role("status").filter(has_text="Evaluation 1 scores 1 checkpoint")).to_be_visible()
    head = table.get_by_role("columnheader", name="Score by exact answers")
    expect(head).to_be_visible(timeout=30_000)  # a process has to start
    assert notebook.python("[round(e, 2) for e in project.evaluate(exact).wait(60).scores['score']]") == [
        *(1.0, 0.5, 0.33, 0.25),
        *(1.0, 0.5, 0.33, 0.25),
    ]
    scored = table.get_by_role("row").filter(has=root.page.get_by_role("cell", name="0.5", exact=True))
    expect(scored.get_by_role("cell")).to_contain_text(["2", "N/A", "2", "0.5", "B"])
    score.click()
    asked.get_by_label("Evaluator").select_option("exact answers")
    asked.get_by_role("button", name="Score").click()
    expect(asked.get_by_role("alert")).to_contain_text("All have a score by exact answers.")
    asked.get_by_label("Score again those that have a score").check()
    asked.get_by_role("button", name="Score").click()
    expect(root.get_by_role("status").filter(has_text="Evaluation 3 scores 4 checkpoints")).to_be_visible()


def test_an_evaluation_that_fails_says_why(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Beside the checkpoints, as text; the next one that succeeds takes it away."""
    root = views.show(notebook, CHAIN)
    first_stage(root)
    root.get_by_role("button", name="Score", exact=True).click()
    asked = dialog(root, "Score checkpoints")
    asked.get_by_label("Evaluator").select_option("<b>broken</b>")
    asked.get_by_role("button", name="Score").click()
    failed = root.get_by_role("group", name="Evaluation 1")
    expect(failed).to_contain_text("Failed", timeout=30_000)
    failed.get_by_text("Why").click()
    expect(failed.get_by_role("group", name="Error of evaluation 1")).to_contain_text(
        "the <i>yardstick</i> is broken"
    )
    for theme in ("dark", "light"):
        notebook.theme(theme)
        screenshot(f"evaluation failed {theme}", root)
        assert not axe(root)
    notebook.execute(
        '@pw.evaluator("<b>broken</b>", accepts={"thing"}, takes="folder", score="min")\n'
        "def mended(folder):\n    return 2.0\n"
        "project.evaluate(mended).wait(60)"
    )
    expect(failed).to_have_count(0)
    expect(root.get_by_role("columnheader", name="Score by <b>broken</b>")).to_be_visible()


def test_an_evaluation_shows_how_far_it_is_and_can_be_stopped(notebook: Notebook, tmp_path: Path) -> None:
    """While it scores there is a row with a Stop button, and afterwards its end."""
    slow = """
import time
@pw.evaluator("slow", accepts={"thing"}, takes="folder")
def slow(folder):
    time.sleep(0.1 if (folder / "state.txt").read_text().startswith("1 ") else 60)
    return 1.0
"""
    root = views.show(notebook, CHAIN + slow)
    table = first_stage(root)
    root.get_by_role("button", name="Score", exact=True).click()
    asked = dialog(root, "Score checkpoints")
    asked.get_by_label("Evaluator").select_option("slow")
    asked.get_by_role("button", name="Score").click()
    going = root.get_by_role("group", name="Evaluation 1")
    expect(going).to_contain_text("1 of 4", timeout=30_000)
    expect(table.get_by_role("columnheader", name="Score by slow")).to_be_visible()
    going.get_by_role("button", name="Stop").click()
    expect(going).to_contain_text("Stopped", timeout=30_000)


def test_best_and_gates_go_by_an_evaluator_that_is_chosen(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """It is chosen in the menu, said above the chain, scores what is there, and moves Best; undo works."""
    root = views.show(notebook, CHAIN)
    table = first_stage(root)

    def choose(option: str) -> Locator:
        root.get_by_role("button", name="More").click()
        root.page.get_by_role("menuitem", name="Choose evaluator").click()
        asked = dialog(root, "Choose evaluator")
        asked.get_by_label("Best and gates go by").select_option(option)
        return asked

    asked = choose("exact answers")
    expect(asked.get_by_role("option", name="texts")).to_be_disabled()
    expect(asked.get_by_label("Score what the stages have saved")).to_be_checked()
    for theme in ("dark", "light"):
        notebook.theme(theme)
        screenshot(f"choose evaluator {theme}", root)
        assert not axe(root)
    asked.get_by_role("button", name="Save").click()
    expect(root.get_by_text("Best and gates go by exact answers.").first).to_be_visible()
    assert notebook.python("pipe.evaluator") == "exact answers"
    expect(table.get_by_role("row").filter(has_text="best").get_by_role("cell").first).to_have_text(
        "Best 1", timeout=30_000
    )
    for theme in ("dark", "light"):
        notebook.theme(theme)
        screenshot(f"scored by an evaluator {theme}", root)
    root.get_by_role("button", name="Undo").click()
    views.eventually(notebook, "pipe.evaluator", None)
    asked = choose("Scores that the algorithms report")
    expect(asked.get_by_label("Score what the stages have saved")).not_to_be_visible()


def test_the_experiments_tab_scores_a_checkpoint(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """One by its own button, or all of a run; the table follows without a reload."""
    tab = "from pipeline_widgets.widgets.experiments import ExperimentsView"
    code = f"{LETTERS}{EXPERIMENT}\n{tab}\nview = ExperimentsView(project._services, project._id)\nview"
    root = notebook.run(code, timeout=120).locator(".pw-root").first
    root.get_by_role("button", name="sft", exact=True).click()
    table = views.scroll_box(root, "Checkpoints")
    table.get_by_role("button", name="Score").first.click()
    asked = dialog(root, "Score checkpoints")
    expect(asked).to_contain_text("Step 3 of run 1: 1 checkpoint.")
    asked.get_by_label("Evaluator").select_option("exact answers")
    asked.get_by_role("button", name="Score").click()
    expect(table.get_by_role("columnheader", name="Score by exact answers")).to_be_visible(timeout=30_000)
    root.get_by_role("button", name="Score all").click()
    expect(asked).to_contain_text("All of run 1: 3 checkpoints.")
    asked.get_by_label("Evaluator").select_option("exact answers")
    asked.get_by_role("button", name="Score").click()
    expect(table.get_by_role("cell", name="N/A", exact=True)).to_have_count(3, timeout=30_000)
    for theme in ("dark", "light"):
        notebook.theme(theme)
        screenshot(f"experiments scored {theme}", root)
        assert not axe(root)


def test_results_scores_the_charted_runs(notebook: Notebook, screenshot: Callable[..., Path]) -> None:
    """One yardstick for all of them, from the table; what it cannot score is said."""
    code = f"{LETTERS}{CHAIN}\nview = project.compare()\nview"
    root = notebook.run(code, timeout=120).locator(".pw-root").first
    root.get_by_role("button", name="Score charted runs").click()
    asked = dialog(root, "Score checkpoints")
    expect(asked).to_contain_text("All of the charted runs: 8 checkpoints.")
    asked.get_by_label("Evaluator").select_option("exact answers")
    asked.get_by_role("button", name="Score").click()
    head = root.get_by_role("columnheader", name="Best score by exact answers")
    expect(head).to_be_attached(timeout=30_000)
    expect(root.get_by_role("group", name="Evaluation 1")).to_have_count(0, timeout=30_000)
    screenshot("results scored", root)
