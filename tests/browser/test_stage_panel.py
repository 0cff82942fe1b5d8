"""The panel of a stage's run, and the list twin of the stage graph, in a real JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import BUSY

PATIENT = 20_000  # ms; a process has to start
#: A workspace in which the test plays the supervisor, so that a run stands still where the test wants it.
LAB = """
import time
from pathlib import Path
from factories.lab import open_lab
from pipeline_widgets.domain.run import Status
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.wiring import connect

lab = open_lab(Path.cwd())
lab.clock.now = time.time() - 20
services = connect("sqlite:///lab.db", artifacts="lab-artifacts")

def show(pipeline):
    global view
    view = PipelineView(services, pipeline.id)
    return view

def log(job, text):
    Path(job.folder).mkdir(parents=True, exist_ok=True)
    Path(job.folder, "log.txt").write_text(text)
"""
AT_WORK = """
pipeline = lab.pipeline("SFT", "GRPO")
stage, second = pipeline.stages
job = lab.started(lab.runs.trigger(stage.id))
for step in range(1, 61):
    others = {f"metric {n}": step * n for n in range(8)}
    lab.report(job, step * 10, total=1200, training_score=step / 60, **others)
lab.save(job, 300, 0.75, 0.5)
lab.save(job, 600, 0.5, 1.0)
log(job, "".join(f"line {number}\\n" for number in range(100)))
show(pipeline)
"""
USES = """
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.usage import Usage

pipeline = lab.pipeline("SFT")
job = lab.started(lab.runs.trigger(pipeline.stages[0].id))
lab.report(job, 10, total=1200, loss=1.0)
memory, on_gpu = 2_500_000_000, dict(gpu=0.8, gpu_memory=20_000_000_000)
samples = [Usage(seconds=1 + at, cpu=1 + at % 3, memory=memory + at * 10**8, **on_gpu) for at in range(20)]
lab.supervision.record(job, Batch(usage=samples))
show(pipeline)
"""
STALE = """
pipeline = lab.pipeline("SFT", "GRPO")
stage, second = pipeline.stages
for each in (stage, second, stage):
    lab.do(each, 0.5)
show(pipeline)
"""
HELD = """
pipeline = lab.pipeline("SFT", "GRPO", "deploy", trigger="auto")
lab.do(pipeline.stages[0])
view = show(pipeline)
view.do_select(pipeline.stages[1].id)
view
"""
TRACEBACK = "Traceback (most recent call last):\\n  File 'train.py', line 3\\nValueError: <b>no</b>"
BROKEN = f"""
pipeline = lab.pipeline("SFT")
job = lab.started(lab.runs.trigger(pipeline.stages[0].id))
lab.end(job, Status.STATUS, "{TRACEBACK}")
show(pipeline)
"""
EVIL = "<img src=x onerror='window.hacked = true'>"
HOSTILE = f"""
evil = "{EVIL}"
made = lab.pipelines.create(lab.project.id, evil)
stage = lab.add(made.id, lab.experiment(evil))
second = lab.add(made.id, lab.experiment("second " + evil))
for each in (stage, second, stage):
    lab.do(each, 0.5)
lab.pipelines.accept_as_fresh(second.id, evil)
job = lab.started(lab.runs.trigger(second.id))
lab.report(job, 1, **{{evil: 1.0}})
lab.report(job, 2, **{{evil: 2.0}})
log(job, evil)
lab.end(job, Status.FAILED, evil)
show(made)
view.do_select(second.id)
view
"""
REAL = """
import pipeline_widgets as pw
from pipeline_widgets.widgets.pipeline import PipelineView
from trainers import counter

ws = pw.Workspace()
project = ws.create_project("Letters", advanced_training=True)
config = {"steps": 100_000, "pause": 0.02}
pipe = project.create_pipeline("chain")
pipe.add_experiment_stage(project.create_experiment("counting", algorithm="Counter", config=config))
pipe
"""


@pytest.fixture
def show(notebook: Notebook) -> Callable[[str], Locator]:
    """Return what runs the code of a chain, and gives the output that shows it."""

    def run(code: str) -> Locator:
        output = notebook.run(LAB + code)
        expect(panel(output)).to_be_visible()
        return output

    return run


def panel(output: Locator, name: str = "Stage ") -> Locator:
    """Return the panel, by the heading that it is labelled with."""
    return output.get_by_role("region", name=name).filter(has=output.page.get_by_role("heading", level=3))


def as_list(output: Locator) -> Locator:
    """Switch to the list, and return it."""
    output.get_by_role("button", name="List", exact=True).click()
    return output.get_by_role("table", name="Stages")


@pytest.mark.spec("6.5", "6.6")
def test_a_run_is_stopped_and_resumed(notebook: Notebook) -> None:
    """A real process: it shows its steps, stops at a click, and goes on from its own last checkpoint."""
    output = notebook.run(REAL)
    shown, bar = panel(output), output.get_by_role("group", name="Stage 1: counting")
    expect(shown.get_by_text("Not run yet")).to_be_visible()
    bar.get_by_role("button", name="Trigger stage").click()
    steps = re.compile(r"^[\d,]+ of 100,000$")
    expect(shown.get_by_role("progressbar")).to_have_attribute("aria-valuetext", steps, timeout=PATIENT)
    expect(shown.get_by_role("img", name=re.compile("^loss: "))).to_be_visible()
    bar.get_by_role("button", name="Stop").click()
    expect(shown.get_by_text("Stopped", exact=True)).to_be_visible(timeout=PATIENT)
    expect(shown.get_by_role("progressbar")).to_have_count(0)
    bar.get_by_role("button", name="Resume").click()
    expect(shown.get_by_role("heading", name="Run 2")).to_be_visible(timeout=PATIENT)
    expect(shown.get_by_text("Resumed from step")).to_contain_text("of run 1 of 'counting'")
    expect(shown.get_by_role("progressbar")).to_have_attribute("aria-valuetext", steps, timeout=PATIENT)
    bar.get_by_role("button", name="Stop").click()
    expect(shown.get_by_text("Stopped", exact=True)).to_be_visible(timeout=PATIENT)


@pytest.mark.spec("6.6")
def test_a_run_at_work_is_shown(show: Callable[[str], Locator]) -> None:
    """Steps and the time left, checkpoints, a curve for each metric, and the end of the log."""
    shown = panel(show(AT_WORK), "Stage 1: chain-sft-1")
    expect(shown.get_by_role("heading", name="Run 1")).to_be_visible()
    expect(shown.get_by_text("Started from scratch.").first).to_be_visible()
    progress = shown.get_by_role("progressbar", name="Progress")
    expect(progress).to_have_attribute("aria-valuenow", "600")
    expect(progress).to_have_attribute("aria-valuemax", "1200")
    expect(shown.get_by_text("600 of 1,200")).to_be_visible()
    expect(shown.get_by_text(re.compile(r"^\d+ s left$"))).to_be_visible()
    rows = shown.get_by_role("group", name="Checkpoints").get_by_role("row")
    expect(rows).to_have_text([re.compile("Steps"), re.compile("Best 300"), re.compile("Latest 600")])
    expect(rows.nth(1).get_by_role("cell")).to_have_text(
        ["Best 300", "0.5", "0.75", re.compile(r"\d+ B"), ""]
    )
    expect(rows.nth(1).get_by_role("button", name="Deploy")).to_be_visible()
    expect(shown.get_by_role("img")).to_have_count(6)
    expect(shown.get_by_role("img").first).to_have_accessible_name(
        "Training score: 1 at step 600, lowest 0.01667, highest 1"
    )
    log = shown.get_by_role("group", name="Log")
    expect(log).to_contain_text("line 99")
    assert log.evaluate("pre => pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 4")


@pytest.mark.spec("4.4", "6.6")
def test_a_refresh_disturbs_nobody(notebook: Notebook, show: Callable[[str], Locator]) -> None:
    """The curves that were opened, the place in the log, what is selected in it, and the focus stay."""
    shown = panel(show(AT_WORK))
    more = shown.get_by_text("and 3 more")
    more.click()
    expect(shown.get_by_role("img")).to_have_count(9)
    log = shown.get_by_role("group", name="Log")
    log.evaluate(
        "pre => { const text = pre.firstChild; pre.scrollTop = 40; "
        "getSelection().setBaseAndExtent(text, 0, text, 7); }"
    )
    notebook.execute(
        "lab.report(job, 660, total=1200, training_score=0.5); log(job, 'news\\n' * 60); view.refresh()"
    )
    expect(shown.get_by_text("660 of 1,200")).to_be_visible()
    expect(shown.get_by_role("img")).to_have_count(9)
    expect(more).to_be_focused()
    assert log.evaluate("pre => pre.scrollTop") == 40
    assert notebook.page.evaluate("getSelection().toString()") == "line 60"
    notebook.page.evaluate("getSelection().removeAllRanges()")
    expect(log).to_contain_text("news")
    expect(log).not_to_contain_text("line 60")


@pytest.mark.spec("6.8")
def test_a_stale_stage_is_accepted_as_fresh(show: Callable[[str], Locator]) -> None:
    """It says why it is stale; a note is asked for, and shown from then on in place of the mark."""
    output = show(STALE)
    shown, page = panel(output, "Stage 2: chain-grpo-2"), output.page
    expect(shown.get_by_text("Stale", exact=True)).to_be_visible()
    expect(shown.get_by_text("Stage 1 was re-run: used run 1, latest is run 2.")).to_be_visible()
    shown.get_by_role("button", name="Accept as fresh").click()
    dialog = page.get_by_role("dialog", name="Accept stage 2 (chain-grpo-2) as fresh?")
    expect(dialog.get_by_label("Note")).to_be_focused()
    page.keyboard.type("same <b>data</b>")
    dialog.get_by_role("button", name="Accept as fresh").click()
    expect(dialog).to_have_count(0)
    expect(shown.get_by_text("Note: same <b>data</b>")).to_be_visible()
    expect(shown.get_by_text("Stale", exact=True)).to_have_count(0)
    expect(shown.get_by_role("button", name="Accept as fresh")).to_have_count(0)


@pytest.mark.spec("5.13", "6.8")
def test_a_note_is_not_lost_when_it_cannot_be_accepted(
    notebook: Notebook, show: Callable[[str], Locator]
) -> None:
    """The dialog says what is in the way and keeps what was typed."""
    output = show(STALE)
    panel(output).get_by_role("button", name="Accept as fresh").click()
    dialog = output.page.get_by_role("dialog")
    dialog.get_by_label("Note").fill("same data")
    notebook.execute("lab.pipelines.accept_as_fresh(second.id, 'by somebody else'); view.refresh()")
    dialog.get_by_role("button", name="Accept as fresh").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The stage is not stale.")
    expect(dialog.get_by_label("Note")).to_have_value("same data")
    output.page.keyboard.press("Escape")
    expect(panel(output).get_by_text("Note: by somebody else")).to_be_visible()


@pytest.mark.spec("6.7", "6.1", "5.4")
def test_a_held_stage_says_why(notebook: Notebook, show: Callable[[str], Locator]) -> None:
    """And one that never ran says so; why it cannot be triggered stands beside it where that differs."""
    shown = panel(show(HELD), "Stage 2: chain-grpo-2")
    reason = "Waiting for a checkpoint from Stage 1 (chain-sft-1)."
    expect(shown.get_by_text("Held", exact=True)).to_be_visible()
    expect(shown.get_by_text("Why it did not start").locator("..")).to_contain_text(reason)
    expect(shown.get_by_text(reason)).to_have_count(1)
    expect(shown.get_by_text("Not run yet")).to_be_visible()
    expect(shown.get_by_text("Auto: starts when Stage 1 (chain-sft-1) succeeds.")).to_be_visible()
    notebook.execute("lab.runs.trigger(pipeline.stages[0].id); view.refresh()")
    expect(shown.get_by_text("Not ready yet").locator("..")).to_contain_text("is still pending")


@pytest.mark.spec("7.4", "6.9")
@pytest.mark.parametrize(("status", "title"), [("FAILED", "Traceback"), ("CRASHED", "Evidence")])
def test_a_broken_run_shows_its_error(
    context: BrowserContext, show: Callable[[str], Locator], status: str, title: str
) -> None:
    """The message leads; the traceback, or the evidence, is behind a press, and a button copies it."""
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    output = show(BROKEN.replace("STATUS", status))
    shown, told = panel(output), TRACEBACK.replace("\\n", "\n")
    expect(shown.get_by_role("paragraph").filter(has_text="ValueError: <b>no</b>")).to_be_visible()
    shown.get_by_text(title, exact=True).click()
    expect(shown.get_by_role("group", name="Error")).to_have_text(told)
    shown.get_by_role("button", name="Copy error").click()
    expect(shown.get_by_role("button", name="Copy error")).to_have_class(re.compile("pw-copied"))
    assert output.page.evaluate("navigator.clipboard.readText()") == told
    context.clear_permissions()


@pytest.mark.spec("10.4")
def test_hostile_words_are_shown_as_words(show: Callable[[str], Locator]) -> None:
    """In names, notes, metrics, log lines and errors, in the panel and in the list."""
    output = show(HOSTILE)
    shown = panel(output)
    expect(shown.get_by_role("heading", name=f"Stage 2: second {EVIL}")).to_be_visible()
    expect(shown.get_by_role("group", name="Run 2 failed").get_by_role("paragraph")).to_have_text(EVIL)
    expect(shown.get_by_role("group", name="Log")).to_have_text(EVIL)
    expect(shown.get_by_text(f"Note: {EVIL}")).to_be_visible()
    expect(shown.get_by_role("img", name=EVIL)).to_be_visible()
    row = as_list(output).get_by_role("row").nth(2)
    expect(row).to_contain_text(f"second {EVIL}")
    row.get_by_role("button", name="Actions for stage 2").click()
    expect(output.get_by_role("menuitem").first).to_be_visible()
    assert output.locator("img:not(.pw-chain)").count() == 0
    assert output.page.evaluate("window.hacked") is None


@pytest.mark.spec("4.5")
def test_the_list_has_the_same_stages_and_buttons(show: Callable[[str], Locator]) -> None:
    """A row for each stage with all that its bubble says, and why; its first action, and a menu."""
    output = show(STALE)
    output.get_by_role("button", name="Stage 2: chain-grpo-2").press("Space")
    bar = output.get_by_role("group", name="Stage 2: chain-grpo-2")
    expect(bar.get_by_role("button", name="Trigger stage")).to_be_visible()
    names = [
        button.get_attribute("aria-label") or button.inner_text()
        for button in bar.get_by_role("button").all()
    ]
    table = as_list(output)
    headings = ["#", "Type", "Name", "Trigger", "Status", "Evaluation score", "Why", "Actions"]
    expect(table.get_by_role("columnheader")).to_have_text(headings)
    row = table.get_by_role("row").nth(2)
    told = ["2", "Experiment", "Manual", "SucceededStale", "0.5", re.compile("^Stale: Stage 1 was re-run")]
    for at, text in zip((0, 1, 2, 3, 4, 5), told, strict=True):
        expect(row.get_by_role("cell").nth(at)).to_have_text(text)
    expect(row.get_by_role("rowheader")).to_have_text("chain-grpo-2")
    expect(row.get_by_role("button", name="Trigger stage")).to_be_enabled()
    row.get_by_role("button", name="Actions for stage 2: chain-grpo-2").click()
    items = output.get_by_role("menuitem")
    expect(items).to_have_count(len(names) - 1)
    for item, name in zip(items.all(), names[1:], strict=True):
        expect(item).to_have_accessible_name(name)
    expect(items.filter(has_text="Move right")).to_have_text("Move rightIt is the last stage.")  # and why not


@pytest.mark.spec("4.5", "4.2")
def test_a_row_is_chosen_by_mouse_and_by_keyboard(page: Page, show: Callable[[str], Locator]) -> None:
    """Its stage's panel shows; up and down go through the stages, and the menu gives the focus back."""
    output = show(STALE)
    rows = as_list(output).get_by_role("row")
    rows.nth(1).get_by_role("cell").nth(2).click()
    expect(panel(output, "Stage 1: chain-sft-1")).to_be_visible()
    expect(rows.nth(1).get_by_role("button", name="chain-sft-1", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    rows.nth(1).get_by_role("button", name="chain-sft-1", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(2).get_by_role("button", name="chain-grpo-2", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel(output, "Stage 2: chain-grpo-2")).to_be_visible()
    menu = rows.nth(2).get_by_role("button", name="Actions for stage 2: chain-grpo-2")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(output.get_by_role("menuitem").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_focused()
    page.keyboard.press("Home")
    expect(rows.nth(1).get_by_role("button", name="Actions for stage 1: chain-sft-1")).to_be_focused()


@pytest.mark.spec("4.4", "4.5")
def test_a_refresh_keeps_the_focus_in_the_list(notebook: Notebook, show: Callable[[str], Locator]) -> None:
    """Also on a button that turns into another one."""
    row = as_list(show(STALE)).get_by_role("row").nth(1)
    row.get_by_role("button", name="Trigger stage").focus()
    notebook.execute("job = lab.started(lab.runs.trigger(stage.id)); view.refresh()")
    expect(row.get_by_text("Running")).to_be_visible()
    expect(row.get_by_role("button", name="Stop")).to_be_focused()


@pytest.mark.spec("4.5")
def test_no_key_reaches_the_notebook(notebook: Notebook, show: Callable[[str], Locator]) -> None:
    """From a button, the log, a row of the list, or the table of checkpoints."""
    output = show(AT_WORK)
    shown = panel(output)
    for control in (shown.get_by_role("group", name="Log"), shown.get_by_role("group", name="Checkpoints")):
        notebook.keys_leave_the_notebook_alone(control)
    row = as_list(output).get_by_role("row").nth(1)
    notebook.keys_leave_the_notebook_alone(row.get_by_role("button", name="chain-sft-1", exact=True))
    notebook.keys_leave_the_notebook_alone(row.get_by_role("button", name="Stop"), ("b", "x", "d d", "a"))


def test_it_stacks_in_a_narrow_cell(page: Page, show: Callable[[str], Locator]) -> None:
    """In a wide one the log stands beside the checkpoints, in a narrow one below them."""
    shown = panel(show(AT_WORK))
    log, checkpoints = (shown.get_by_role("group", name=name) for name in ("Log", "Checkpoints"))
    beside = "([log, table]) => log.getBoundingClientRect().left > table.getBoundingClientRect().right"
    below = "([log, table]) => log.getBoundingClientRect().left === table.getBoundingClientRect().left"
    size = page.viewport_size
    assert size is not None
    expect(log).to_be_visible()
    both = [log.element_handle(), checkpoints.element_handle()]
    page.wait_for_function(beside, arg=both)  # JupyterLab lays its panels out a moment after the resize
    page.set_viewport_size({"width": 1000, "height": size["height"]})
    page.wait_for_function(below, arg=both)
    page.set_viewport_size(size)


@pytest.mark.spec("4.6")
def test_a_busy_kernel_is_waited_for(notebook: Notebook, show: Callable[[str], Locator]) -> None:
    """A stage that is selected meanwhile shows what is known, and the rest when the kernel answers."""
    output = show(STALE)
    row = as_list(output).get_by_role("row").nth(1)
    notebook.execute(BUSY)
    row.get_by_role("button", name="chain-sft-1", exact=True).click()
    expect(panel(output, "Stage 1: chain-sft-1").get_by_text("Waiting for the kernel…")).to_be_visible()
    notebook.execute("done.set()")
    expect(panel(output).get_by_role("heading", name="Run 2")).to_be_visible()


@pytest.mark.spec("4.5", "4.6")
@pytest.mark.parametrize("theme", ["light", "dark", "JupyterLab Dark High Contrast"])
def test_it_is_accessible_in_each_theme(
    notebook: Notebook,
    show: Callable[[str], Locator],
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    theme: str,
) -> None:
    """At work, stale and failed, as a panel and as a list."""
    expect(notebook.page.locator("#jupyterlab-splash")).to_have_count(
        0
    )  # JupyterLab's, at each change of theme
    notebook.theme(theme)
    output = show(AT_WORK)
    expect(panel(output).get_by_role("progressbar")).to_be_visible()
    screenshot(f"panel at work {theme}", panel(output))
    assert axe(panel(output)) == ""
    table = as_list(output)
    screenshot(f"stage list {theme}", table)
    assert axe(table) == ""
    notebook.execute("lab.end(job, Status.FAILED, 'ValueError: no'); view.refresh()")
    expect(panel(output).get_by_role("group", name="Run 1 failed")).to_be_visible()
    screenshot(f"panel failed {theme}", panel(output))
    assert axe(panel(output)) == ""
    stale = notebook.run(STALE.replace('"GRPO")', '"GRPO", name="stale")'))
    expect(panel(stale).get_by_role("button", name="Accept as fresh")).to_be_visible()
    screenshot(f"panel stale {theme}", panel(stale))
    assert axe(panel(stale)) == ""


@pytest.mark.spec("6.14")
def test_what_a_run_uses_is_shown_beside_its_metrics(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """A small curve of CPUs, memory and GPUs over time, and the most of each among the facts of the run."""
    notebook.execute(LAB)
    root = notebook.run(USES).locator(".pw-root").first
    resources = root.get_by_role("group", name="Resources")
    expect(resources.get_by_role("img", name="CPUs: 2.0 after 20 s, highest 3.0")).to_be_visible()
    expect(resources.get_by_role("img", name="Memory: 4.40 GB after 20 s, highest 4.40 GB")).to_be_visible()
    expect(resources.get_by_role("img", name="GPU memory: 20.0 GB after 20 s")).to_be_visible()
    expect(root.get_by_text("3.0 CPUs, 4.40 GB of memory, 20.0 GB on GPUs")).to_be_visible()
    for theme in ("light", "dark"):
        notebook.theme(theme)
        screenshot(f"panel uses {theme}", root)
        assert not axe(root)
