"""Freeing checkpoints from the Experiments tab, in the browser (spec 8.4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS

pytestmark = pytest.mark.spec("8.4", "10.1")

RAN = f"""{LETTERS}
for name, steps in (("sft", 8), ({HOSTILE!r}, 3)):
    project.create_experiment(name, algorithm=trainers.counter, config={{"steps": steps}}).train().wait(60)
keeper = ws.create_agent("keeper", project.experiments["sft"].checkpoints[3])
"""


def show(notebook: Notebook, code: str) -> Locator:
    """Show the Experiments tab of a project."""
    root = notebook.run(f"{code}\nproject", timeout=120).locator(".pw-root").first
    root.get_by_role("tab", name="Experiments").click()
    expect(root.get_by_role("button", name="Clean up")).to_be_visible()
    return root


def test_checkpoints_are_freed_after_a_preview(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """What goes, by experiment; why the rest stays; another choice shows at once; then it is done."""
    root = show(notebook, RAN)
    opener = root.get_by_role("button", name="Clean up")
    opener.press("Enter")
    dialog = root.get_by_role("dialog", name="Clean up checkpoints")
    expect(dialog.get_by_label("Best and final checkpoint")).to_be_checked()
    expect(dialog.get_by_role("status")).to_contain_text(
        "8 of 11 checkpoints would be deleted, 88 B of 121 B."
    )
    rows = dialog.get_by_role("group", name="What would be deleted").locator("tbody").get_by_role("row")
    expect(rows).to_have_text(["sft6266 B", f"{HOSTILE}2122 B"])
    expect(dialog.locator("img")).to_have_count(0)
    dialog.get_by_text("Why 3 stay").click()
    because = dialog.get_by_role("group", name="What stays").locator("tbody").get_by_role("row")
    expect(because.first).to_contain_text("agent 'keeper'")
    for theme in ("light", "dark"):
        notebook.theme(theme)
        assert not axe(dialog)
        screenshot(f"clean up {theme}")
    notebook.keys_leave_the_notebook_alone(
        dialog.get_by_label("Final checkpoint", exact=True), ("b", "x", "d d")
    )
    dialog.get_by_label("Final checkpoint", exact=True).check()
    expect(dialog.get_by_role("button", name="Free 88 B")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    assert notebook.python("len(project.gc())") == 11
    opener.press("Enter")
    dialog.get_by_role("button", name="Free 88 B").click()
    said = root.get_by_role("group", name="Notification")
    expect(said).to_contain_text("8 checkpoints deleted, 88 B freed.")
    assert notebook.python("[c.step for c in project.experiments['sft'].checkpoints]") == [4, 8]


def test_where_nothing_can_be_freed_the_dialog_says_so(notebook: Notebook) -> None:
    """With and without checkpoints; the button that would do it is disabled, with the reason."""
    root = show(notebook, f"{LETTERS}\nproject.create_experiment('new', algorithm=trainers.counter)")
    for said in ("No checkpoint has been saved yet.", "Every checkpoint is needed: nothing can be freed."):
        root.get_by_role("button", name="Clean up").click()
        dialog = root.get_by_role("dialog", name="Clean up checkpoints")
        expect(dialog.get_by_role("status")).to_have_text(said)
        free = dialog.get_by_role("button", name="Free")
        expect(free).to_have_attribute("aria-disabled", "true")
        expect(free).to_have_attribute("title", said)
        dialog.get_by_role("button", name="Cancel").click()
        notebook.execute(
            "project.experiments[0].update(config={'steps': 1}); project.experiments[0].train().wait(60)"
        )
