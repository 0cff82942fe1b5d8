"""What the tests of the builder do with it again and again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FloatRect, Locator, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS


def show(notebook: Notebook, made: str, shown: str = "pipe", renderer: str = "cytoscape") -> Locator:
    """Make a pipeline by that code, show it, and return its view once the graph is drawn."""
    notebook.run(LETTERS + made)
    root = notebook.run(shown).locator(".pw-root").first
    box = root.locator(f".pw-graphbox[data-ready][data-renderer={renderer}]")
    expect(box).to_be_visible(timeout=15_000)  # the first one loads Cytoscape
    root.scroll_into_view_if_needed()
    return root


def bubble(root: Locator, number: int) -> Locator:
    """Return the bubble of a stage."""
    return root.get_by_role("list", name="Stages").get_by_role("button", name=f"Stage {number}:")


def scroll_box(root: Locator, name: str) -> Locator:
    """Return a box that scrolls, by its name; the part that it stands in may be named alike."""
    return root.get_by_role("group", name=name, exact=True).and_(root.page.locator("[tabindex='0']"))


def settled_box(part: Locator) -> FloatRect:
    """Return where a part is, once it stays there: a view that is shown again is laid out anew."""
    before = None
    for _ in range(50):
        box = part.bounding_box()
        if box is not None and box == before:
            return box
        before = box
        part.page.wait_for_timeout(100)
    raise AssertionError(f"{part} does not come to rest: {before}")


def eventually(notebook: Notebook, expression: str, wanted: object) -> None:
    """Ask the kernel until it answers as wanted."""
    for _ in range(400):
        if notebook.python(expression) == wanted:
            return
    assert notebook.python(expression) == wanted


def count_clicks(root: Locator) -> Callable[[], int]:
    """Count from now on how often the mouse is pressed on the page."""
    root.evaluate("""() => {
      if (window.clicks === undefined) addEventListener("mousedown", () => (window.clicks += 1), true);
      window.clicks = 0;
    }""")
    return lambda: int(root.evaluate("() => window.clicks"))


CLICKS = Path(__file__).parents[2] / "docs" / "clicks.md"


def expect_clicks(job: str, counted: int) -> None:
    """Assert that a job takes the clicks that docs/clicks.md says, and no more than it allows."""
    pattern = rf"^\| {re.escape(job)} \| \d+ \| (\d+) \| (\d+) \|"
    row = re.search(pattern, CLICKS.read_text(encoding="utf-8"), re.MULTILINE)
    assert row, f"docs/clicks.md has no job {job!r}"
    most, now = map(int, row.groups())
    assert counted == now <= most, f"{job}: {counted} clicks; docs/clicks.md says {now}, and at most {most}"
