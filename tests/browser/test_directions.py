"""Names that run from right to left, or turn what follows them, turn nothing of a view but themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS

NAMES = {
    "an override": "a\u202eb",
    "Hebrew with a number": "שלום 2",
    "Arabic in brackets": "(مرحبا) 3",
    "one that closes what stands around it": "x\u2069\u202ey",
}
#: The words of each text node that a name may not turn: each from left to right, and after the one before it.
TURNED = """root => {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT), turned = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, range = document.createRange();
    if (node.parentElement.closest('style, [hidden]')) continue;
    const place = at => {
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      return range.getBoundingClientRect();
    };
    let before = null;
    for (const {0: word, index} of node.data.matchAll(/[A-Za-z]{3,}/g)) {
      const first = place(index), last = place(index + word.length - 1);
      if (!first.width) continue;
      const same = before && Math.abs(before.top - first.top) < 4;
      if (first.left > last.left || (same && first.left < before.left)) turned.push(node.data);
      before = last;
    }
  }
  return turned;
}"""


def words_stand_in_order(root: Locator) -> None:
    """Assert that no English word of an element is turned."""
    assert root.evaluate(TURNED) == []


@pytest.mark.spec("10.4")
@pytest.mark.parametrize("kind", NAMES)
def test_a_name_turns_only_itself(notebook: Notebook, screenshot: Callable[..., Path], kind: str) -> None:
    """In the graph, a stage's panel and form, dialogs, lists, Results, and the picture without a kernel."""
    name = NAMES[kind]
    page = notebook.page
    notebook.run(
        f"{LETTERS}name = {name!r}\npipe = chain(name, name + ' 7', trigger='manual', name=name)\n"
        "pipe.add_deployment_stage(name)\npipe.stages[0].trigger(); pipe.wait(60)"
    )
    root = notebook.run("pipe").locator(".pw-root").first
    expect(root.locator(".pw-graphbox[data-ready]")).to_be_visible(timeout=15_000)
    words_stand_in_order(root)
    root.get_by_role("button", name="Add a stage at the end").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Deployment").check()
    expect(dialog).to_contain_text("Will be stage 4 of")
    words_stand_in_order(dialog)
    screenshot(f"directions {kind} form", dialog)
    dialog.get_by_role("button", name="Cancel").click()
    for number in (1, 2, 3):
        root.locator(".pw-bubble").nth(number - 1).focus()
        page.keyboard.press("Space")
        expect(root.get_by_role("group", name=f"Stage {number}:").first).to_be_visible()
        words_stand_in_order(root)
    root.get_by_role("button", name="Delete stage").click()
    words_stand_in_order(page.get_by_role("dialog"))
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    root.get_by_role("button", name="Check pipeline").click()
    words_stand_in_order(root)
    screenshot(f"directions {kind} pipeline", root)
    for shown in ("project", "project.experiments[0]", "project.compare(project.experiments[0])"):
        root = notebook.run(shown).locator(".pw-root").first
        expect(root.locator("tr, h2, [role=tab]").first).to_be_visible()
        words_stand_in_order(root)
        screenshot(f"directions {kind} {shown[:20]}", root)
    picture = page.locator("[data-pw-picture]").first
    page.evaluate("document.querySelectorAll('.pw-root').forEach(each => each.remove())")
    words_stand_in_order(picture)


#: Whether the first character of a long name is seen in its column, and the number of the run beside it.
BEGINNING = """column => {
  const [name, run] = column.children, range = document.createRange();
  const text = [...name.childNodes].find(each => each.nodeType === Node.TEXT_NODE);
  range.setStart(text, 0);
  range.setEnd(text, 1);
  const first = range.getBoundingClientRect(), box = name.getBoundingClientRect();
  const seen = first.left >= box.left - 1 && first.right <= box.right + 1;
  return seen && name.scrollWidth > name.clientWidth && run.scrollWidth <= run.clientWidth && run.textContent;
}"""


@pytest.mark.spec("10.4")
@pytest.mark.parametrize("word", ["שלום ", "hello "])
def test_a_long_name_in_the_config_of_runs_loses_its_end(
    notebook: Notebook, screenshot: Callable[..., Path], word: str
) -> None:
    """What is cut off is its end in its own direction, and runs of one experiment are told apart."""
    notebook.run(f"{LETTERS}name = {word!r} * 20\npipe = chain(name, 'b', trigger='manual')")
    notebook.run("pipe.stages[0].trigger(); pipe.wait(60); pipe.stages[1].trigger(); pipe.wait(60)")
    root = notebook.run("project.compare()").locator(".pw-root").first
    column = root.locator(".pw-results-config .pw-results-column").first
    expect(column).to_be_visible()
    assert column.evaluate(BEGINNING) == " run 1"
    screenshot(f"directions column {len(word)}", root)
