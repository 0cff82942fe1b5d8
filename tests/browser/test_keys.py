"""No key pressed in our views reaches the notebook: no cell is cut, inserted or run (spec 4.5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS

#: What JupyterLab would do in command mode: insert, cut, delete, insert above, merge, to Markdown, move.
LETTERS_OF_JUPYTERLAB = ("b", "x", "d d", "a", "Shift+M", "m", "j", "k")
CONTROLS = ", ".join(
    f"{each}:visible:enabled" for each in ("button", "input", "select", "textarea", "summary", "[tabindex]")
)
ALL = LETTERS + "pipe = chain('a', 'b', trigger='manual'); pipe.stages[0].trigger(); pipe.wait(30)"


@pytest.fixture
def root(notebook: Notebook) -> Locator:
    """A project with an expanded pipeline."""
    notebook.run(ALL)
    shown = notebook.run("project").locator(".pw-root").first
    shown.get_by_role("button", name="chain 0", exact=True).click()
    expect(shown.locator(".pw-graphbox[data-ready]")).to_be_visible()
    return shown


def nothing(_: Locator) -> None:
    """Open nothing: the view as it is."""


def show_list(root: Locator) -> None:
    """Show the stages as a list."""
    root.get_by_role("button", name="List", exact=True).click()


def show_results(root: Locator) -> None:
    """Show the results of a stage."""
    root.get_by_role("button", name="Results", exact=True).click()
    root.get_by_role("button", name="Choose experiments").click()


def new_pipeline(root: Locator) -> None:
    """Open the dialog for a new pipeline."""
    root.get_by_role("button", name="New Pipeline").click()


def stage_form(root: Locator) -> None:
    """Open the form for a stage."""
    root.get_by_role("button", name="Add stage", exact=True).click()
    expect(root.get_by_role("dialog")).to_be_visible()


def confirmation(root: Locator) -> None:
    """Open a question before something is destroyed."""
    root.get_by_role("button", name="Delete stage").click()


def menu(root: Locator) -> None:
    """Open the menu of a row."""
    root.get_by_role("button", name="Actions for chain 0").click()


@pytest.mark.spec("4.5")
@pytest.mark.parametrize(
    "scene", [nothing, show_list, show_results, new_pipeline, stage_form, confirmation, menu]
)
def test_letters_stay_in_the_view(
    notebook: Notebook, page: Page, root: Locator, scene: Callable[[Locator], None]
) -> None:
    """The notebook's own letters, pressed on each control of a scene, leave its cells alone."""
    scene(root)
    modal = root.locator("dialog[open], [role=menu]")
    found = (modal if modal.count() else root).locator(CONTROLS).element_handles()
    found.sort(
        key=lambda each: each.evaluate("e => e.type === 'search'")
    )  # what is searched for hides the rest
    before = notebook.cells(), page.evaluate("stand.state()")
    heard = 0
    for control in found:
        control.evaluate("e => e.focus({preventScroll: true})")
        heard += control.evaluate("e => e === document.activeElement")
        for key in LETTERS_OF_JUPYTERLAB:
            for press in key.split():
                page.keyboard.press(press)
    assert heard == len(found) >= 2
    assert (notebook.cells(), page.evaluate("stand.state()")) == before


@pytest.mark.spec("4.5")
@pytest.mark.parametrize("key", ["Enter", "Escape", "Shift+Enter", "Control+Enter", "Alt+Enter"])
def test_no_control_runs_a_cell(notebook: Notebook, page: Page, root: Locator, key: str) -> None:
    """Enter and Escape, alone and with what runs a cell in JupyterLab, on each control of the view."""
    before = (
        notebook.cells(),
        notebook.python("len(__import__('builtins').list(get_ipython().user_ns['In']))"),
    )
    count = root.locator(CONTROLS).count()
    for at in range(count):
        control = root.locator(CONTROLS).nth(at)
        if not control.count():  # what Enter has opened may have taken its place
            continue
        control.evaluate("e => e.focus({preventScroll: true})")
        page.keyboard.press(key)
        page.keyboard.press("Escape")
        if root.locator("dialog[open]").count():
            page.keyboard.press("Escape")
    assert notebook.cells() == before[0]
    assert notebook.python("len(__import__('builtins').list(get_ipython().user_ns['In']))") == before[1]


@pytest.mark.spec("4.5")
def test_after_a_click_on_a_blank_spot_keys_stay_in_the_view(
    notebook: Notebook, page: Page, root: Locator
) -> None:
    """Clicked where there is no control, the view itself has the focus, and the notebook hears nothing."""
    box = root.bounding_box()
    assert box
    for x, y in ((box["width"] - 6, 6), (box["width"] / 2, 12), (6, box["height"] / 2)):
        page.mouse.click(box["x"] + x, box["y"] + y)
        before = notebook.cells()
        for press in ("b", "x", "d", "d", "a"):
            page.keyboard.press(press)
        assert notebook.cells() == before
