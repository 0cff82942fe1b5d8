"""The story that the README shows, from nothing to an agent that answers, stale and up to date again.

It is played in a real JupyterLab. `make pictures` plays it light and dark, records it, and keeps what is seen
in docs/pictures; other runs of the tests play it once, and leave the pictures in test-artifacts.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, expect

from browser.conftest import ARTIFACTS
from browser.lab import Lab
from browser.notebook import Notebook
from browser.recorder import Recorder, save_picture
from browser.views import bubble

#: Where they are kept: `make pictures` says docs/pictures.
KEPT = os.environ.get("PIPELINE_WIDGETS_PICTURES")
FOLDER = Path(KEPT) if KEPT else ARTIFACTS / "pictures"
THEMES = ("light", "dark") if KEPT else ("light",)
WIDTH, HEIGHT = 1100, 720  # CSS pixels of what is recorded, about
LONGEST = 75  # seconds of a recording, at most
LARGEST = 1_500_000  # bytes of a recording
PATIENT = 120.0  # seconds; processes have to start, and three trainings come in between

TO_TOP = """element => {
  element.style.scrollMarginTop = "14px";
  element.scrollIntoView({ block: "start", behavior: "instant" });
}"""
#: Neither pointer nor focus is seen in a picture.
AWAY = """() => {
  document.querySelector(".seen-pointer")?.hidePopover();
  document.activeElement?.blur();
}"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def sharp(lab: Lab, browser: Browser) -> Generator[Notebook]:
    """Yield a notebook in a page with two device pixels for each CSS pixel."""
    context = browser.new_context(viewport={"width": WIDTH + 110, "height": 1000}, device_scale_factor=2)
    made = Notebook(lab, context.new_page(), "story")
    made.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    yield made
    made.close()
    context.close()


def button(root: Locator, name: str) -> Locator:
    """Return a button."""
    return root.get_by_role("button", name=name, exact=True)


class Story:
    """One telling of the story, in one theme."""

    def __init__(self, notebook: Notebook, theme: str) -> None:
        self.notebook, self.page, self.theme = notebook, notebook.page, theme
        notebook.run("import pipeline_widgets as pw\nws = pw.Workspace()\nws", timeout=120)
        self.root = notebook.output.locator(".pw-root").first
        expect(button(self.root, "Create a project")).to_be_visible()
        panel = self.page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer").bounding_box()
        assert panel
        clip: FloatRect = {"x": panel["x"], "y": panel["y"], "width": panel["width"], "height": HEIGHT}
        self.recorder = Recorder(self.page, clip, keeps=bool(KEPT))
        self.recorder.begin()

    @property
    def builder(self) -> Locator:
        """The builder of the pipeline, in its row of the list."""
        return self.root.locator(".pw-pl-builder")

    @property
    def tools(self) -> Locator:
        """The tools of the builder."""
        return self.root.locator(".pw-builder-tools")

    @property
    def row(self) -> Locator:
        """The row of the pipeline."""
        return self.root.get_by_role("row").filter(has_text="letters that sort").first

    def agree(self, name: str) -> None:
        """Press a button of the builder, read the plan, and agree."""
        self.recorder.click(button(self.builder, name), 200)
        dialog = self.root.get_by_role("dialog", name=f"{name}?")
        expect(dialog).to_be_visible()
        self.recorder.hold(1600)
        self.recorder.click(button(dialog, name), 0)

    def choose(self, number: int, after: int = 900) -> None:
        """Press the bubble of a stage."""
        self.recorder.click(bubble(self.root, number), after)
        expect(bubble(self.root, number)).to_have_attribute("aria-pressed", "true")

    def await_stage(self, number: int, text: str, *, without: str = " never ") -> None:
        """Record until the bubble of a stage says something."""
        shown = bubble(self.root, number).filter(has_text=text).filter(has_not_text=without)
        self.recorder.watch(shown, at_most=PATIENT)

    def bring_to_top(self, element: Locator) -> None:
        """Scroll the notebook so that an element begins where the recording does."""
        element.evaluate(TO_TOP)
        self.page.wait_for_timeout(200)

    def picture(self, name: str, first: Locator, last: Locator, most: float = 860) -> None:
        """Keep a picture of the view, from the top of one element to the end of another."""
        self.page.mouse.move(1, 1)
        self.page.keyboard.press("Escape")
        self.bring_to_top(first)
        self.page.evaluate(AWAY)
        begin, end, around = first.bounding_box(), last.bounding_box(), self.builder.bounding_box()
        assert begin
        assert end
        assert around
        bottom = min(end["y"] + end["height"], begin["y"] + most)
        clip: FloatRect = {
            "x": around["x"] - 12,
            "y": begin["y"] - 12,
            "width": around["width"] + 20,
            "height": bottom - begin["y"] + 18,
        }
        save_picture(self.page, clip, FOLDER / f"{name}-{self.theme}.png")


@pytest.mark.spec("4.8", "4.11", "4.12", "6.6", "6.8")
@pytest.mark.parametrize("theme", THEMES)
def test_the_story_is_played_and_recorded(sharp: Notebook, theme: str) -> None:
    """Template, run, live curves, scores, an agent that answers, a changed seed, and up to date again."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="letters-") as folder:
        sharp.renew(Path(folder))
        sharp.theme(theme)
        try:
            story = Story(sharp, theme)
            for part in (begin, run, ask, update):
                part(story)
        finally:
            sharp.execute("for each in ws.projects: [pipe.stop() for pipe in each.pipelines]")
            sharp.execute("for each in ws.agents: each.disconnect()")
    assert not sharp.errors


def begin(story: Story) -> None:
    """From an empty workspace to a pipeline of four stages."""
    root, recorder = story.root, story.recorder
    recorder.hold(1200)
    recorder.click(button(root, "Create a project"), 300)
    recorder.type("Letters")
    recorder.click(root.get_by_role("dialog").get_by_role("button", name="Create"), 500)
    recorder.click(button(root.locator(".pw-pipeline-list .pw-empty"), "New from template"), 800)
    dialog = root.get_by_role("dialog", name="New from template")
    recorder.click(dialog.get_by_text("Post-training").first, 300)
    recorder.click(dialog.get_by_label("Name"), 0)
    recorder.type("letters that sort")
    recorder.click(button(dialog, "Create"), 0)
    expect(root.locator(".pw-graphbox[data-ready]")).to_be_visible()
    story.bring_to_top(story.row)
    recorder.hold(1000)


def run(story: Story) -> None:
    """Agree to the plan, watch the curves, and see the scores of all stages in one chart."""
    root, recorder = story.root, story.recorder
    story.agree("Run pipeline")
    story.await_stage(4, "Succeeded")
    recorder.hold(800)
    story.choose(3, 1500)
    story.picture("pipeline", story.tools, root.locator(".pw-panel .pw-curve").nth(3))
    story.bring_to_top(story.row)
    recorder.click(button(story.builder, "More"), 500)
    recorder.click(root.get_by_role("menuitem", name="Chart all stages"), 600)
    chart = root.locator(".pw-stages-chart")
    expect(chart.locator("canvas, .u-over").first).to_be_visible()
    recorder.hold(1500)
    story.picture("scores", chart, chart)
    story.bring_to_top(story.row)
    recorder.click(button(root, "Close the chart"), 300)


def ask(story: Story) -> None:
    """Send a prompt to the agent."""
    root, recorder = story.root, story.recorder
    story.choose(4, 800)
    send = button(root, "Send")
    story.bring_to_top(send.locator("xpath=ancestor::*[contains(@class, 'pw-agent')][last()]"))
    recorder.click(send, 200)
    recorder.watch(root.get_by_label("Answer"), at_most=PATIENT)
    expect(root.get_by_label("Answer")).to_contain_text("abcd")
    recorder.hold(1800)
    agent = root.locator(".pw-agent")
    story.picture("agent", agent, agent)


def update(story: Story) -> None:
    """Change a seed, see what turns stale and why, and bring the pipeline up to date."""
    story.notebook.execute("ws.projects[0].experiments['sft'].update(seed=1)")
    story.bring_to_top(story.row)
    story.await_stage(4, "Stale")
    story.choose(1, 1500)
    why = story.root.get_by_role("group", name="Why it is stale")
    expect(why.get_by_role("row", name="seed")).to_contain_text("0→1")
    story.picture("stale", story.tools, why)
    story.bring_to_top(story.row)
    story.agree("Bring up to date")
    story.await_stage(4, "Succeeded", without="Stale")
    story.recorder.hold(2500)
    if KEPT:
        path = FOLDER / f"story-{story.theme}.webp"
        assert story.recorder.save(path) < LONGEST * 1000
        assert path.stat().st_size < LARGEST
