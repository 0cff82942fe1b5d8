"""Steps and values at the ends of what numbers can be: they are told exactly, and nothing freezes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.views import scroll_box

NANO = 1_764_123_456_789_012_345
LARGEST = 2**63 - 1
#: An algorithm that reports and saves what its config says.
TELL = f"""{LETTERS}
from pydantic import BaseModel

class Told(BaseModel):
    steps: list[int]
    values: list[float] = []

@pw.algorithm("Tell", produces={{"thing"}}, accepts=[pw.Port("weights", {{"thing"}})], config=Told)
def tell(ctx):
    for at, step in enumerate(ctx.config.steps):
        value = ctx.config.values[at] if ctx.config.values else at / 10
        ctx.report(step, loss=value, evaluation_score=value)
        with ctx.checkpoint(step) as folder:
            (folder / "x").write_text("1")

def told(name, steps, values=()):
    config = {{"steps": list(steps), "values": [float(each) for each in values]}}
    made = project.create_experiment(name, algorithm=tell, config=config)
    made.train().wait(60)
    return made
"""
ANSWERS = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.mark.spec("9.3")
@pytest.mark.parametrize(
    "steps",
    [
        [NANO],
        [NANO, NANO + 1, NANO + 2],
        [NANO + 60_000_000_000 * at for at in range(8)],
        [0, 2**53 - 1, 2**53, 2**53 + 1, LARGEST],
        [LARGEST - 1, LARGEST],
    ],
    ids=["one", "neighbours", "minutes", "all", "last"],
)
def test_steps_up_to_the_largest_are_told(
    notebook: Notebook, screenshot: Callable[..., Path], steps: list[int]
) -> None:
    """In the chart, its slider and the tables, whatever they are, also zoomed."""
    notebook.run(TELL + f"told('nano', {steps})")
    root = notebook.run("project.compare('nano')").locator(".pw-root").first
    chart = root.get_by_role("slider", name=re.compile("by step")).first
    expect(chart).to_have_attribute("aria-valuemax", str(steps[-1]))
    expect(scroll_box(root, "Runs")).to_contain_text(f"{steps[-1]:,}")
    chart.focus()
    for at in range(len(steps)):
        chart.press("Home")
        for _ in range(at):
            chart.press("ArrowRight")
        expect(chart).to_have_attribute("aria-valuenow", str(steps[at]))
        expect(chart).to_have_attribute("aria-valuetext", f"Step {steps[at]:,}: {float(f'{at / 10:.4g}'):g}")
    screenshot(f"steps {len(steps)} from {steps[0]}", root)
    for key in "++-0":
        chart.press(key)
        notebook.page.evaluate(ANSWERS)
    notebook.page.wait_for_timeout(500)  # more points are asked for
    expect(chart).to_have_attribute("aria-valuemax", str(steps[-1]))
    detail = notebook.run("project").locator(".pw-root").first
    detail.get_by_role("tab", name="Experiments").click()
    detail.get_by_role("button", name="nano", exact=True).click()
    region = scroll_box(detail, "Checkpoints")
    for step in steps:
        expect(region).to_contain_text(str(step))


@pytest.mark.spec("5.5")
def test_a_checkpoint_of_a_large_step_can_be_chosen(notebook: Notebook) -> None:
    """Of two neighbours that JavaScript's numbers cannot tell apart, the one that was chosen is taken."""
    steps = [NANO, NANO + 1, NANO + 2]
    notebook.run(
        TELL + f"told('nano', {steps})\npipe = project.create_pipeline('p')\n"
        "pipe.add_experiment_stage(project.experiments['nano'])\n"
        "pipe.stages[0].trigger(); pipe.wait(60)\n"
        "pipe.add_experiment_stage(project.create_experiment('next', algorithm=tell, config={'steps': [1]}))"
    )
    root = notebook.run("pipe").locator(".pw-root").first
    root.locator(".pw-bubble").nth(1).focus()
    notebook.page.keyboard.press("Space")
    root.get_by_role("button", name="Edit stage").click()
    dialog = notebook.page.get_by_role("dialog")
    dialog.get_by_role("radio", name="A specific step").check()
    dialog.get_by_role("radio", name=f"Step {NANO + 1:,}").check()
    expect(dialog.get_by_role("radio", name=f"Step {NANO + 1:,}")).to_be_checked()
    dialog.get_by_role("button", name="Save stage").click()
    expect(dialog).to_have_count(0)
    assert notebook.python("pipe.stages[1]._now.stage.start.choice") == NANO + 1


EXTREMES: dict[str, list[float]] = {
    "huge": [1e308, -1e308, 1.7e308],
    "tiny": [5e-324, 1e-320, 3e-310],
    "zeros": [-0.0, 0.0, -0.0],
    "equal": [0.1, 0.1, 0.1],
    "one": [3.0],
    "neighbours": [1.0, 1.0000000000000002, 1.0000000000000004],
    "close": [1_000_000.1, 1_000_000.2, 1_000_000.4],
    "no numbers": [float("nan"), float("nan")],
    "infinities": [float("inf"), 1.0, float("-inf"), 2.0],
    "wide": [1e-300, 1.0, 1e300],
}


@pytest.mark.spec("9.3")
@pytest.mark.parametrize("name", EXTREMES)
def test_values_at_the_ends_of_numbers_are_drawn(
    notebook: Notebook, screenshot: Callable[..., Path], name: str
) -> None:
    """Huge, tiny, equal, close or no numbers at all: a chart each, linear and logarithmic."""
    found = [str(each) for each in EXTREMES[name]]
    notebook.run(f"{TELL}told('it', range({len(found)}), {found})")
    root = notebook.run("project.compare('it')").locator(".pw-root").first
    chart = root.get_by_role("slider", name=re.compile("by step")).first
    expect(chart).to_have_attribute("aria-valuemax", str(len(found) - 1))
    for logarithmic in (False, True):
        if logarithmic:
            root.get_by_role("button", name="Log", exact=True).first.click()
        notebook.page.evaluate(ANSWERS)
        for key in ("End", "+", "0"):
            chart.press(key)
        screenshot(f"values {name} {'log' if logarithmic else 'linear'}", root)
