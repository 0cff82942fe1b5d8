"""Where a view can stand: in Output widgets, and in cells that are moved, pasted, copied and loaded again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.lab import Lab
from browser.notebook import Notebook
from browser.scenes import LETTERS

PIPE = LETTERS + "pipe = chain('a', 'b', trigger='manual', name='pipe')\n"
WIDGETS = "import ipywidgets\nfrom IPython.display import clear_output, display\n"
HERE = "o, other = ipywidgets.Output(), ipywidgets.Output()\ndisplay(o)\n"
SHOW = "with o: display(pipe)\n"
BOX = "display(ipywidgets.VBox([ipywidgets.Label('a dashboard'), other]))\n"
#: Ways to display a pipeline into an Output widget, and how many views there are to see.
PLACES = {
    "with": (HERE + SHOW, 1),
    "twice": (HERE + SHOW + SHOW, 2),
    "cleared": (HERE + SHOW + "with o: clear_output()\n" + SHOW, 1),
    "nested": (HERE + "with o: display(other)\nwith other: display(pipe)", 1),
    "beside": (HERE + "display(other)\nwith o: print('other')\nwith other: display(pipe)", 1),
    "box": (HERE + BOX + "with other: display(pipe)", 1),
    "interact": ("ipywidgets.interact(lambda n: display(pipe), n=(0, 3));", 1),
    "child": ("ipywidgets.VBox([pipe.view()])", 1),
}
NOTEBOOK = "[...window.jupyterapp.shell.widgets('main')].find(each => each.sessionContext)"


def seen(place: Locator, count: int = 1) -> Locator:
    """Wait for the views of a place, and assert that they are seen, and no picture with them."""
    roots = place.locator(".pw-root")
    expect(roots).to_have_count(count)
    for at in range(count):
        expect(roots.nth(at).locator(".pw-bubble").first).to_be_visible()
    expect(place.locator("[data-pw-picture]:visible")).to_have_count(0)
    return roots.first


@pytest.mark.spec("3.1", "4.7")
@pytest.mark.parametrize("way", PLACES)
def test_a_view_is_seen_in_an_output_widget(
    notebook: Notebook, screenshot: Callable[..., Path], way: str
) -> None:
    """In a dashboard or a block, also twice or nested: the view is there, and the picture is not."""
    code, count = PLACES[way]
    notebook.run(PIPE)
    place = notebook.run(WIDGETS + code)

    root = seen(place, count)

    notebook.page.wait_for_timeout(1600)  # a picture comes up late
    seen(place, count)
    if way == "beside":
        expect(place.get_by_text("other", exact=True)).to_be_visible()
    root.get_by_role("button", name="Trigger stage").first.click()
    expect(root.locator(".pw-bubble").first).to_contain_text("Succeeded", timeout=20_000)
    screenshot(f"output {way}", place)


@pytest.mark.spec("4.7")
def test_a_view_in_a_callback_is_seen(notebook: Notebook) -> None:
    """A button that shows a pipeline in an Output, and again after that was cleared."""
    notebook.run(PIPE)
    place = notebook.run(
        f"{WIDGETS}o, press = ipywidgets.Output(), ipywidgets.Button(description='Show it')\n"
        "@o.capture(clear_output=True)\ndef show(_):\n    display(pipe)\n"
        "press.on_click(show)\ndisplay(press, o)"
    )
    for _ in range(2):
        place.get_by_role("button", name="Show it").click()
        seen(place)


# ---- the picture in the notebook that is saved


def saved(notebook: Notebook, lab: Lab) -> list[str]:
    """Save the notebook, and return the first line of the text of each picture in it."""
    notebook.page.evaluate("stand.save()")
    cells = json.loads((lab.root / "test_outputs.ipynb").read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    html = [(each, "".join(each.get("data", {}).get("text/html", ""))) for each in outputs]
    pictures = [each["data"] for each, text in html if "data-pw-picture" in text]
    return ["".join(each["text/plain"]).splitlines()[0] for each in pictures]


def becomes(notebook: Notebook, lab: Lab, wanted: list[str]) -> None:
    """Wait until the notebook that is saved has these pictures."""
    for _ in range(60):
        if saved(notebook, lab) == wanted:
            return
        notebook.page.wait_for_timeout(250)
    assert saved(notebook, lab) == wanted


def command(page: Page, name: str, index: int) -> None:
    """Carry out a command of JupyterLab on a cell."""
    page.evaluate(
        f"async ([name, index]) => {{ {NOTEBOOK}.content.activeCellIndex = index;"
        " await window.jupyterapp.commands.execute(name); }",
        [name, index],
    )


def moved(page: Page, index: int) -> None:
    """Move the cell up."""
    command(page, "notebook:move-cell-up", index)


def pasted(page: Page, index: int) -> None:
    """Cut the cell, and paste it elsewhere."""
    command(page, "notebook:cut-cell", index)
    command(page, "notebook:paste-cell-below", 0)


WAYS: dict[str, Callable[[Page, int], None]] = {"moved": moved, "pasted": pasted}


@pytest.mark.spec("4.7")
@pytest.mark.parametrize("way", ["reloaded", *WAYS])
def test_the_picture_after_reload_and_move(notebook: Notebook, lab: Lab, way: str) -> None:
    """Whatever happened to the page or the cell, the saved notebook has the last state, once."""
    notebook.run(PIPE)
    notebook.run("pipe")
    page = notebook.page
    seen(page.locator(".jp-Notebook"))
    becomes(notebook, lab, ["Pipeline 'pipe': 1 a Draft -> 2 b Draft"])
    if way == "reloaded":
        notebook.reload()
    else:
        WAYS[way](page, notebook._last)
    root = seen(page.locator(".jp-Notebook"))
    root.scroll_into_view_if_needed()

    notebook.execute("pipe.update(name='renamed'); pipe.stages[0].trigger(); pipe.wait(30)")

    becomes(notebook, lab, ["Pipeline 'renamed': 1 a Succeeded -> 2 b Draft"])
    seen(page.locator(".jp-Notebook"))


@pytest.mark.spec("4.7")
def test_a_page_that_missed_a_picture_gets_it(notebook: Notebook, lab: Lab) -> None:
    """What was drawn while no page was there stands in the notebook once the page is there again."""
    notebook.run(PIPE + "view = pipe.view()")
    notebook.run("view")
    page = notebook.page
    seen(page.locator(".jp-Notebook"))
    becomes(notebook, lab, ["Pipeline 'pipe': 1 a Draft -> 2 b Draft"])
    address = page.url
    page.goto("about:blank")
    notebook.execute("pipe.stages[0].trigger(); pipe.wait(30); view.refresh(); view.refresh()")
    assert notebook.python("view._pictured == view._changes")

    page.goto(re.sub(r"\?.*", "", address), wait_until="commit")
    notebook._ready()

    root = seen(page.locator(".jp-Notebook"))
    root.scroll_into_view_if_needed()
    becomes(notebook, lab, ["Pipeline 'pipe': 1 a Succeeded -> 2 b Draft"])


@pytest.mark.spec("4.7")
def test_a_cell_that_is_copied_has_its_picture_drawn(notebook: Notebook, lab: Lab) -> None:
    """Both cells show the view, both pictures are drawn on, and neither is seen."""
    notebook.run(PIPE)
    notebook.run("pipe")
    page = notebook.page
    seen(page.locator(".jp-Notebook"))
    command(page, "notebook:copy-cell", notebook._last)
    command(page, "notebook:paste-cell-below", notebook._last)
    seen(page.locator(".jp-Notebook"), 2)

    notebook.execute("pipe.stages[0].trigger(); pipe.wait(30)")

    becomes(notebook, lab, ["Pipeline 'pipe': 1 a Succeeded -> 2 b Draft"] * 2)
    seen(page.locator(".jp-Notebook"), 2)


@pytest.mark.spec("4.7")
def test_a_copy_of_the_notebook_shows_its_picture(notebook: Notebook, lab: Lab) -> None:
    """Open beside the live one, with no kernel that knows the view, a copy is not left blank."""
    notebook.run(PIPE)
    notebook.run("pipe")
    page = notebook.page
    seen(page.locator(".jp-Notebook"))
    saved(notebook, lab)
    copy = json.loads((lab.root / "test_outputs.ipynb").read_text(encoding="utf-8"))
    (lab.root / "copied_outputs.ipynb").write_text(json.dumps(copy), encoding="utf-8")
    try:
        page.evaluate(
            "window.jupyterapp.commands.execute('docmanager:open', "
            "{path: 'copied_outputs.ipynb', options: {mode: 'split-right'}})"
        )
        there = page.locator(".jp-NotebookPanel").filter(has=page.locator("[data-pw-picture]:visible"))
        expect(there).to_have_count(1, timeout=20_000)
        expect(there.locator(".pw-root")).to_have_count(0)
        seen(page.locator(".jp-NotebookPanel").filter(has=page.locator(".pw-root")))
    finally:
        page.evaluate(
            "[...window.jupyterapp.shell.widgets('main')]"
            ".filter(each => each.context?.path.startsWith('copied')).forEach(each => each.close())"
        )
        # JupyterLab itself says so of the copy.
        notebook.errors[:] = [each for each in notebook.errors if "widget model not found" not in each]
