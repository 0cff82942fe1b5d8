"""The whole story, by mouse and again by keyboard alone; and names that are HTML, everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE
from browser.views import bubble, settled_box

#: The chain in a static picture; its attributes hold no quotes but those that enclose them.
OUR_IMAGE = re.compile(r'<img class="pw-chain[^"]*" alt="[^"]*" width="\d+" height="\d+" src="[^"]*">')
PATIENT = 30_000  # ms; a process has to start
#: A method whose checkpoints are never the same twice, so that a re-run makes later stages stale.
PROJECT = """
import time, uuid
import pipeline_widgets as pw

@pw.algorithm("Noisy", produces={"thing"}, accepts=[pw.Port("weights", {"thing"})])
def noisy(ctx):
    for step in range(1, 4):
        ctx.report(step, total=3, evaluation_score=step / 3, loss=1 / step)
        time.sleep(0.2)
    with ctx.checkpoint(3) as folder:
        (folder / "noise.txt").write_text(uuid.uuid4().hex)

ws = pw.Workspace()
project = ws.create_project("Letters", advanced_training=True)
for name in ("sft", "dpo", "grpo"):
    project.create_experiment(name, algorithm=noisy)
"""


@pytest.fixture
def root(notebook: Notebook) -> Locator:
    """The view of a project with three experiments."""
    notebook.run(PROJECT)
    shown = notebook.run("project").locator(".pw-root").first
    expect(shown.get_by_text("No pipelines found")).to_be_visible()
    shown.scroll_into_view_if_needed()
    return shown


class Keyboard:
    """Somebody who has no mouse."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def tab_to(self, control: Locator, key: str = "Tab") -> None:
        """Press Tab until a control has the focus."""
        for _ in range(80):
            if control.evaluate("e => e === document.activeElement"):
                return
            self._page.keyboard.press(key)
        raise AssertionError(f"{key} does not lead to {control}")

    def press(self, control: Locator) -> None:
        """Go to a control, and press Enter."""
        self.tab_to(control)
        self._page.keyboard.press("Enter")

    def choose(self, root: Locator, number: int) -> None:
        """Go back to the graph, and with the arrows to a stage."""
        for _ in range(80):
            if self._page.evaluate("!!document.activeElement.closest('.pw-bubbles')"):
                break
            self._page.keyboard.press("Shift+Tab")
        self._page.keyboard.press("Home")
        for _ in range(number - 1):
            self._page.keyboard.press("ArrowRight")
        expect(bubble(root, number)).to_be_focused()


@pytest.mark.spec("3.1", "4.2", "4.3", "6.1", "6.8")
def test_the_story_by_mouse(
    notebook: Notebook, page: Page, root: Locator, screenshot: Callable[..., Path]
) -> None:
    """New pipeline, three stages, trigger, Succeeded live, results, re-run of stage 1, Stale with reasons."""

    def press(stage: int) -> None:
        box = settled_box(bubble(root, stage))
        page.mouse.click(box["x"] + 80, box["y"] + 20)
        expect(bubble(root, stage)).to_have_attribute("aria-pressed", "true")

    def trigger(stage: int) -> None:
        press(stage)
        root.get_by_role("button", name="Trigger stage").click()

    root.get_by_role("button", name="New Pipeline").first.click()
    dialog = root.get_by_role("dialog")
    dialog.get_by_label("Name").fill("post-training")
    dialog.get_by_role("button", name="Create").click()
    for number in (1, 2, 3):
        root.get_by_role("button", name="Add stage", exact=True).first.click()
        root.get_by_role("dialog").get_by_role("button", name="Add stage").click()
        expect(bubble(root, number)).to_be_visible()
    for number in (1, 2, 3):
        trigger(number)
        expect(bubble(root, number)).to_contain_text("Succeeded", timeout=PATIENT)
    screenshot("story succeeded")

    root.get_by_role("button", name="Results", exact=True).click()
    expect(root.get_by_role("tab", name="Results")).to_have_attribute("aria-selected", "true")
    expect(root.get_by_role("heading", name="Results of grpo")).to_be_visible()
    root.get_by_role("tab", name="Pipelines").click()

    trigger(1)
    plan = root.get_by_role("dialog")
    expect(plan).to_contain_text("Stage 1 (sft) again")
    expect(plan).to_contain_text("Turns stale")
    plan.get_by_role("button", name="Trigger stage").click()

    for number in (2, 3):
        expect(bubble(root, number)).to_contain_text("Stale", timeout=PATIENT)
    # In the panel: the stage that the mouse rests on says it as well, a moment later.
    press(2)
    panel = root.get_by_role("region", name="Stage 2: dpo of post-training")
    expect(panel.get_by_text("Stage 1 was re-run: used run 1, latest is run 2")).to_be_visible()
    press(3)
    panel = root.get_by_role("region", name="Stage 3: grpo of post-training")
    expect(panel.get_by_text("Stage 2 is stale")).to_be_visible()
    screenshot("story stale")
    assert len(notebook.cells()) == 3


@pytest.mark.spec("4.5")
def test_the_story_by_keyboard_alone(notebook: Notebook, page: Page, root: Locator) -> None:
    """The same with Tab, arrows, Enter, Space and letters only; the notebook's cells stay as they are."""
    before = notebook.cells()
    keys = Keyboard(page)
    press, tab_to = keys.press, keys.tab_to

    root.focus()
    press(root.get_by_role("button", name="New Pipeline").first)
    page.keyboard.type("post-training")
    page.keyboard.press("Enter")
    expect(root.get_by_role("dialog")).to_have_count(0)
    for number in (1, 2, 3):
        press(root.get_by_role("button", name="Add stage", exact=True).first)
        expect(root.get_by_role("dialog")).to_be_visible()
        press(root.get_by_role("dialog").get_by_role("button", name="Add stage"))
        expect(bubble(root, number)).to_be_visible()
        expect(root.get_by_role("dialog")).to_have_count(0)
    for number in (1, 2, 3):
        keys.choose(root, number)
        press(root.get_by_role("button", name="Trigger stage"))
        expect(bubble(root, number)).to_contain_text("Succeeded", timeout=PATIENT)

    press(root.get_by_role("button", name="Results", exact=True))
    expect(root.get_by_role("heading", name="Results of grpo")).to_be_visible()
    tab_to(root.get_by_role("tab", name="Results"), "Shift+Tab")
    page.keyboard.press("ArrowLeft")
    expect(root.get_by_role("tab", name="Pipelines")).to_be_focused()
    expect(bubble(root, 1)).to_be_visible()
    tab_to(root.get_by_role("button", name="Check pipeline"))
    page.keyboard.press("Tab")
    tab_to(root.get_by_role("button", name="Edit stage"))
    keys.choose(root, 1)
    press(root.get_by_role("button", name="Trigger stage"))
    expect(root.get_by_role("dialog")).to_contain_text("Turns stale")
    press(root.get_by_role("dialog").get_by_role("button", name="Trigger stage"))

    for number in (2, 3):
        expect(bubble(root, number)).to_contain_text("Stale", timeout=PATIENT)
    keys.choose(root, 2)
    panel = root.get_by_role("region", name="Stage 2: dpo of")
    expect(panel.get_by_text("Stage 1 was re-run: used run 1, latest is run 2")).to_be_visible()
    assert notebook.cells() == before


class _Elements(HTMLParser):
    """The names of the elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the name."""
        self.names |= {tag, *(name for name, _ in attrs if name.startswith("on"))}


@pytest.mark.spec("10.4")
def test_html_in_names_is_text_everywhere(notebook: Notebook, page: Page) -> None:
    """Project, pipeline, experiment, agent, metric, log line and error: text in view, picture and file."""
    name = HOSTILE
    notebook.run(
        f"""
import pipeline_widgets as pw
NAME = {name!r}

@pw.algorithm(NAME, produces={{"thing"}}, accepts=[pw.Port("weights", {{"thing"}})])
def hostile(ctx):
    print(NAME)
    ctx.report(1, total=1, evaluation_score=1.0, **{{NAME: 1.0}})
    with ctx.checkpoint(1) as folder:
        (folder / "file").write_text("0")
    if ctx.start is not None:
        raise ValueError(NAME)

ws = pw.Workspace()
project = ws.create_project(NAME, advanced_training=True)
pipe = project.create_pipeline(NAME, description=NAME)
pipe.add_experiment_stage(project.create_experiment(NAME, algorithm=hostile), auto_add_agent=True)
pipe.add_experiment_stage(project.create_experiment(NAME + "2", algorithm=hostile))
pipe.add_deployment_stage(NAME, description=NAME)
pipe.stages[0].trigger(); pipe.wait(30); pipe.stages[1].trigger(); pipe.wait(30)
"""
    )
    page.evaluate("() => { window.alert = () => { throw new Error('a name ran') } }")
    root = notebook.run("project").locator(".pw-root").first
    expect(root.get_by_role("heading", name=name).first).to_be_visible()
    for view in ("project.pipelines[0]", "project.experiments[0]"):
        shown = notebook.run(view).locator(".pw-root").first
        expect(shown.get_by_text(name).first).to_be_visible()
    builder = notebook.run("pipe").locator(".pw-root").first
    for number, words in ((1, name), (2, f"ValueError: {name}")):
        bubble(builder, number).focus()
        page.keyboard.press("Space")
        if number == 2:
            expect(builder.locator(".pw-fail-message")).to_have_text(words)
            builder.get_by_text("Traceback", exact=True).click()
        expect(builder.locator("pre:visible").filter(has_text=words).first).to_be_visible()
    builder.get_by_role("button", name="List", exact=True).click()
    expect(builder.get_by_role("cell", name=name).first).to_be_visible()
    builder.get_by_role("button", name="Add stage", exact=True).first.click()
    expect(builder.get_by_role("dialog").get_by_text(name).first).to_be_visible()
    page.keyboard.press("Escape")

    assert page.locator("img[onerror], .pw-root img").count() == 0
    path = notebook.python("str(pipe.to_html('pipe.html').resolve())")
    for text in (
        Path(path).read_text(encoding="utf-8"),
        notebook.python("pipe.view().static_html()"),
        notebook.python("project.view().static_html()"),
    ):
        elements = _Elements()
        elements.feed(OUR_IMAGE.sub("", text))
        assert name not in text
        assert not elements.names & {"img", "script", "onerror", "iframe"}
        assert "&lt;img" in text
