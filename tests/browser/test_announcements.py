"""What a screen reader hears of the main actions: one sentence each, whatever else is said meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.views import bubble, show

PATIENT = 30_000  # ms; a process has to start
MARKS = re.compile("[\u2066-\u2069]")  # around names
#: Keeps what live regions and alerts say from now on.
LISTEN = """() => {
  window.spoken = [];
  window.hearing?.disconnect();
  const said = new Map();
  window.hearing = new MutationObserver(() => {
    for (const el of document.querySelectorAll('.pw-root > [aria-live=polite], .pw-root [role=alert]')) {
      const text = el.textContent.replace(/\\s+/g, ' ').trim();
      if (text !== said.get(el)) window.spoken.push(text);
      said.set(el, text);
    }
  });
  window.hearing.observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
#: A chain whose Deployment has given its agent two versions.
DEPLOYED = """
line = project.create_experiment("line", algorithm=trainers.line, config={"above": 1.0})
pipe = project.create_pipeline("chain")
pipe.add_experiment_stage(line)
pipe.add_deployment_stage("greeter", trigger="auto")
for above in (1.0, 2.0):
    line.update(config={"above": above})
    pipe.stages[0].trigger()
    pipe.wait(timeout=60)
"""


def hears(page: Page, sentence: str, timeout: int = PATIENT) -> None:
    """Wait until something has said a sentence, as it stands; what is said at the same moment is joined."""
    spoken: list[str] = []
    for _ in range(timeout // 100):
        spoken = [MARKS.sub("", text) for text in page.evaluate("spoken")]
        if any(sentence in text for text in spoken):
            page.evaluate(LISTEN)
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{sentence!r} was not said, but {spoken}")


def press(root: Locator, name: str, confirm: str = "") -> None:
    """Press a button; and, in the dialog that this opens, the one that confirms it."""
    root.get_by_role("button", name=name, exact=True).first.click()
    if confirm:
        dialog = root.get_by_role("dialog")
        dialog.get_by_role("button", name=confirm, exact=True).click()
        expect(dialog).to_have_count(0)


@pytest.fixture
def ended(notebook: Notebook) -> Iterator[None]:
    """Afterwards nothing runs and nobody serves an agent."""
    yield
    notebook.execute("for each in ws.agents: each.disconnect()\nfor each in project.pipelines: each.stop()")


@pytest.mark.spec("4.5")
def test_edits_of_a_pipeline_are_said(notebook: Notebook, page: Page) -> None:
    """Adding, selecting, moving and deleting a stage, an undo, and an edit that is refused."""
    root = show(notebook, "pipe = chain('a', 'b', trigger='manual')\nchain('c')")
    page.evaluate(LISTEN)
    press(root, "Add stage")
    form = root.get_by_role("dialog", name="Add stage")
    form.get_by_role("radio", name="c", exact=True).check()
    form.get_by_role("button", name="Add stage").click()
    hears(page, "Stage 3 was added.")
    bubble(root, 1).press("Space")
    hears(page, "Stage 1: a, Experiment, Draft, Manual")
    press(root, "Move right")
    hears(page, "Stage 1 is stage 2 now.")
    press(root, "Delete stage", "Delete stage")
    hears(page, "Stage 2 (a) was deleted.")
    press(root, "Undo")
    hears(page, "Stage 2 restored (undo).")
    press(root, "Delete stage", "Delete stage")
    notebook.execute("pipe.update(name='theirs')")
    press(root, "Undo")
    hears(page, "was changed meanwhile")


@pytest.mark.spec("4.5")
@pytest.mark.usefixtures("ended")
def test_runs_are_said(notebook: Notebook, page: Page) -> None:
    """Running a pipeline, stopping it, resuming and triggering, and how each run goes."""
    root = show(notebook, "pipe = chain('sft', 'dpo', trigger='manual', steps=60, pause=0.5)")
    page.evaluate(LISTEN)
    press(root, "Run pipeline", "Run pipeline")
    hears(page, "Stage 1 (sft): run 1 was triggered.")
    hears(page, "Stage 1, sft: Running")
    notebook.execute("import time\nwhile not pipe.stages[0].run.checkpoints: time.sleep(0.1)")
    press(root, "Stop")
    hears(page, "Stage 1, sft: Stopped")
    press(root, "Resume")
    hears(page, "Stage 1 (sft): run 2 resumes it.")
    press(root, "Stop")
    hears(page, "Stage 1, sft: Stopped")


@pytest.mark.spec("4.5", "4.8")
@pytest.mark.usefixtures("ended")
def test_what_brings_stale_stages_up_to_date_is_said(notebook: Notebook, page: Page) -> None:
    """By the pipeline's button, and by that of the stage; and a run that fails."""
    made = """pipe = chain('sft', 'dpo', trigger='manual', steps=1)
for stage in [*pipe.stages, pipe.stages[0]]:
    if len(stage.runs): stage.experiment.update(seed=3)
    stage.trigger(); pipe.wait(60)
pipe.stages[1].experiment.update(config={"act": "raise"})
view = pipe.view()
view.do_select(pipe.stages[1]._id)"""
    root = show(notebook, made, "view")
    page.evaluate(LISTEN)
    press(root, "Bring up to date", "Bring up to date")
    hears(page, "Stage 2 (dpo): run 2 was triggered.")
    hears(page, "Stage 2, dpo: Failed")
    notebook.execute(
        "pipe.stages[1].experiment.update(config={'act': ''})\n"
        "pipe.stages[1].trigger(); pipe.wait(60)\n"
        "pipe.stages[1].experiment.update(seed=4)"
    )
    press(root, "Re-run from here", "Re-run")
    hears(page, "Stage 2 (dpo): run 4 was triggered.")


@pytest.mark.spec("4.5", "8.2")
@pytest.mark.usefixtures("ended")
def test_what_is_deployed_is_said(notebook: Notebook, page: Page) -> None:
    """A version that is rolled back, a checkpoint that is deployed, and an endpoint that comes and goes."""
    root = show(notebook, f"{DEPLOYED}\nview = pipe.view()\nview.do_select(pipe.stages[1]._id)", "view")
    panel = root.locator(".pw-panel")
    expect(panel.get_by_role("button", name="Roll back").first).to_be_visible()
    page.evaluate(LISTEN)
    panel.get_by_role("button", name="Roll back").first.click()
    root.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    hears(page, "Version 1 of greeter is the current one.")
    press(panel, "Disconnect")
    hears(page, "greeter is disconnected.")
    press(panel, "Connect")
    hears(page, "greeter is being connected.")
    hears(page, "greeter is Deployed.")
    bubble(root, 1).press("Space")
    panel.get_by_role("group", name="Checkpoints").get_by_role("button", name="Deploy").first.click()
    root.get_by_role("dialog").get_by_role("button", name="Deploy", exact=True).click()
    hears(page, "Agent line - step 1 was saved, and is being connected.")


@pytest.mark.spec("4.5", "9.2")
@pytest.mark.usefixtures("ended")
def test_experiments_are_said(notebook: Notebook, page: Page) -> None:
    """A new one, mistakes in its form, and a training."""
    notebook.run(f"{LETTERS}\nview = project.view()\nview.do_show_tab('Experiments')")
    root = notebook.run("view").locator(".pw-root").first
    expect(root.get_by_role("button", name="New experiment").first).to_be_visible()
    page.evaluate(LISTEN)
    press(root, "New experiment")
    dialog = root.get_by_role("dialog", name="New experiment")
    dialog.get_by_role("combobox", name="Algorithm").select_option("Counter")
    dialog.get_by_role("button", name="Create").click()
    hears(page, "1 field needs fixing.")
    dialog.get_by_label("Name", exact=True).fill("mine")
    dialog.get_by_role("button", name="Create").click()
    hears(page, "Experiment mine was created.")
    press(root, "Train")
    hears(page, "mine is training.")
