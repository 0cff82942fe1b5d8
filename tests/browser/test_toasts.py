"""Toasts: how long they stay, what they offer, where they stand, and what a screen reader hears."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.test_run_pipeline import LISTED, PATIENT
from browser.views import bubble, eventually, show

#: Keeps what live regions say, and when a toast comes and goes.
LISTEN = """
window.heard = []; window.toasts = [];
window.listening?.disconnect();
const note = () => {
  for (const el of document.querySelectorAll('.pw-root > [aria-live=polite]')) {
    const text = el.textContent;
    if (text && window.heard.at(-1) !== text) window.heard.push(text);
  }
  const open = !!document.querySelector('.pw-toast:popover-open > .pw-notice');
  if (open !== (window.toasts.length % 2 === 1)) window.toasts.push(performance.now());
};
window.listening = new MutationObserver(note);
window.listening.observe(document.body, {childList: true, subtree: true, characterData: true});
"""
COVERED = """toast => {
  const a = toast.getBoundingClientRect(), root = toast.closest('.pw-root');
  const controls = [...root.querySelectorAll('a[href],button,input,select,textarea,summary,[role=slider]')];
  return controls.filter(el => !toast.contains(el)).filter(el => {
    const b = el.getBoundingClientRect();
    return b.width && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  }).map(el => el.getAttribute('aria-label') || el.textContent);
}"""


def toast(root: Locator) -> Locator:
    """Return the toast of a view."""
    return root.get_by_role("group", name="Notification")


def heard(page: Page) -> list[str]:
    """Return what live regions have said, without the marks around names."""
    return [re.sub("[\u2066-\u2069]", "", text) for text in page.evaluate("heard")]


def delete_stage(root: Locator, number: int) -> None:
    """Delete a stage by its button."""
    bubble(root, number).press("Space")
    root.get_by_role("button", name="Delete stage").click()
    root.get_by_role("dialog").get_by_role("button", name="Delete stage").click()
    expect(root.get_by_role("dialog")).to_have_count(0)


def test_a_toast_is_announced_offers_undo_and_goes_after_six_seconds(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """It says what was done, in words that a screen reader hears, and covers no control."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', trigger='manual')")
    page.evaluate(LISTEN)
    delete_stage(root, 2)
    said = toast(root)
    expect(said).to_contain_text("Stage 2 (b) was deleted.")
    assert said.evaluate(COVERED) == []
    for theme in ("dark", "light"):
        notebook.theme(theme)
        said.hover()
        assert axe(root) == ""
        screenshot(f"toast undo {theme}")
    assert "Stage 2 (b) was deleted." in heard(page)
    said.get_by_role("button", name="Undo").click()
    expect(bubble(root, 3)).to_contain_text("c")
    eventually(notebook, "[each.name for each in pipe.stages]", ["a", "b", "c"])
    expect(said).to_have_count(1)  # it says that

    page.mouse.move(0, 0)
    page.evaluate(LISTEN)
    bubble(root, 1).focus()
    expect(said).to_have_count(0)
    delete_stage(root, 3)
    expect(said).to_have_count(1)
    expect(said).to_have_count(0)
    came, went = page.evaluate("toasts")[-2:]
    assert 5_500 <= went - came <= 9_000


def test_a_toast_stays_while_somebody_is_at_it(notebook: Notebook, page: Page) -> None:
    """Under the pointer and with the focus in it; it can be dismissed at any time."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', trigger='manual')")
    delete_stage(root, 3)
    said = toast(root)
    said.hover()
    page.wait_for_timeout(8_000)
    expect(said).to_have_count(1)
    said.get_by_role("button", name="Undo").focus()
    page.mouse.move(0, 0)
    page.wait_for_timeout(8_000)
    expect(said).to_have_count(1)
    bubble(root, 1).focus()
    expect(said).to_have_count(0)
    delete_stage(root, 2)
    said.get_by_role("button", name="Dismiss").click()
    expect(said).to_have_count(0)
    assert notebook.python("[each.name for each in pipe.stages]") == ["a"]


def test_undo_of_a_toast_takes_back_its_own_edit_alone(notebook: Notebook) -> None:
    """Where somebody else has edited the pipeline since, it is refused, and says what was changed."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', trigger='manual')")
    delete_stage(root, 3)
    said = toast(root)
    said.hover()
    notebook.execute("pipe.update(name='theirs')")
    said.get_by_role("button", name="Undo").click()
    alert = root.get_by_role("alert").filter(has_text="was changed meanwhile")
    expect(alert).to_contain_text("It was renamed from")
    assert notebook.python("(pipe.name, len(pipe.stages))") == ["theirs", 2]
    alert.page.wait_for_timeout(7_000)
    expect(alert).to_be_visible()  # what went wrong stays
    alert.get_by_role("button", name="Dismiss").click()
    expect(alert).to_have_count(0)


def test_a_toast_leads_to_what_runs(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """From a row of the list to its stages, and from the graph to the panel of the stage."""
    notebook.run(f"{LETTERS}pipe = chain('sft', 'dpo', steps=2)")
    root = notebook.run(LISTED).locator(".pw-root").first
    page.evaluate(LISTEN)
    root.get_by_role("button", name="Run pipeline: chain 0").click()
    page.get_by_role("dialog", name="Run pipeline?").get_by_role("button", name="Run pipeline").click()
    said = toast(root).first
    expect(said).to_contain_text("Stage 1 (sft): run 1 was triggered.", timeout=PATIENT)
    assert said.evaluate(COVERED) == []
    said.hover()
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert axe(root) == ""
        screenshot(f"toast view {theme}")
    said.get_by_role("button", name="View").click()
    opener = root.get_by_role("button", name="chain 0", exact=True)
    expect(opener).to_have_attribute("aria-expanded", "true")
    expect(opener).to_be_focused()
    assert any("run 1 was triggered." in text for text in heard(page))
    notebook.execute("pipe.wait(120)", timeout=150)


def test_the_toast_of_a_trigger_leads_to_the_panel_of_the_stage(notebook: Notebook, page: Page) -> None:
    """Also when another stage was selected meanwhile."""
    root = show(notebook, "pipe = chain('sft', 'dpo', trigger='manual', steps=2)")
    page.evaluate(LISTEN)
    bubble(root, 1).press("Space")
    root.get_by_role("button", name="Trigger stage").click()
    said = toast(root)
    expect(said).to_contain_text("Stage 1 (sft): run 1 was triggered.", timeout=PATIENT)
    bubble(root, 2).press("Space")
    said.get_by_role("button", name="View").click()
    expect(root.get_by_role("region", name="Stage 1: sft")).to_be_focused()
    assert any("Stage 1 (sft): run 1 was triggered." in text for text in heard(page))
    notebook.execute("pipe.wait(120)", timeout=150)


def test_a_new_name_can_be_taken_back(notebook: Notebook) -> None:
    """The toast of a rename in the list offers it."""
    notebook.run(f"{LETTERS}pipe = chain('sft', 'dpo', steps=2)")
    root = notebook.run(LISTED).locator(".pw-root").first
    root.get_by_role("button", name="Actions for chain 0").click()
    root.get_by_role("menuitem", name="Edit name").click()
    root.get_by_role("textbox", name="Name of chain 0").fill("letters")
    root.get_by_role("textbox", name="Name of chain 0").press("Enter")
    said = toast(root)
    expect(said).to_contain_text("Renamed to letters.")
    said.get_by_role("button", name="Undo").click()
    expect(root.get_by_role("button", name="chain 0", exact=True)).to_be_visible()
    expect(said).to_contain_text("Renamed back to chain 0 (undo).")
