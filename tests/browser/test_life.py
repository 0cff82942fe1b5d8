"""How views live and end: reloads, restarts, cleared outputs, several views, two notebooks."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from browser.lab import Lab
from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.views import show

#: The same workspace, once more.
AGAIN = LETTERS.replace('ws.create_project("Letters", advanced_training=True)', 'ws.projects["Letters"]')
THREADS = "[each.name for each in __import__('threading').enumerate() if each.name == 'pipeline_widgets']"
#: The code of all views as a page gets it that needs three seconds to load it.
SLOW_CODE = """
from pipeline_widgets.widgets.base import Code as _Code
_code = _Code.shared()
_code.close()
_slow = "await new Promise((go) => setTimeout(go, 3000));\\n" + _code.script
_Code._shared = _Code(script=_slow, digest="slow")
"""
#: Keeps every Cytoscape core that is made, so that a test can ask which of them still live.
CORES = """() => [...document.querySelectorAll('.pw-graphbox')].map(
    box => [...box.querySelectorAll('*')].find(each => each._cyreg)._cyreg.cy)"""


def until(notebook: Notebook, expression: str, wanted: Any, seconds: int = 10) -> None:
    """Wait until an expression of the kernel has a value."""
    seen = notebook.python(expression)
    for _ in range(10 * seconds):
        if seen == wanted:
            return
        notebook.page.wait_for_timeout(100)
        seen = notebook.python(expression)
    assert seen == wanted


@pytest.mark.spec("4.4")
def test_at_rest_the_kernel_says_nothing(notebook: Notebook) -> None:
    """A view that can be seen, where nothing changes: no comm message comes from the kernel."""
    root = show(notebook, "pipe = chain('a', 'b')")
    expect(root.get_by_role("button", name="Trigger stage")).to_be_enabled()
    notebook.page.wait_for_timeout(4000)  # the view has said hello by then
    notebook.forget_messages()

    notebook.page.wait_for_timeout(11_000)  # two looks at rest

    assert [each for each in notebook.messages() if each.direction == "down"] == []
    assert notebook.python(THREADS) == ["pipeline_widgets"]


@pytest.mark.spec("4.4")
def test_cleared_outputs_leave_nothing_behind(notebook: Notebook) -> None:
    """After the outputs are cleared there is no thread, no listener on the page and no Cytoscape core."""
    show(notebook, "pipe = chain('a', 'b'); view = pipe.view()", "view")
    page = notebook.page
    core = page.evaluate_handle(f"({CORES})()[0]")
    until(notebook, THREADS, ["pipeline_widgets"])

    notebook.clear_outputs()

    until(notebook, THREADS, [])
    assert core.evaluate("core => core.destroyed()")
    assert page.locator(".pw-root").count() == 0
    page.evaluate("document.body.classList.toggle('pw-test')")  # nobody listens
    notebook.execute("pipe.stages[0].trigger(); pipe.wait(30)")
    assert notebook.python(THREADS) == []


@pytest.mark.spec("4.4")
def test_a_view_out_of_sight_is_not_refreshed(notebook: Notebook) -> None:
    """In a tab that is not shown no thread runs; shown again, the view is up to date."""
    root = show(notebook, "pipe = chain('a')")
    until(notebook, THREADS, ["pipeline_widgets"])
    page = notebook.page
    page.evaluate("window.jupyterapp.commands.execute('launcher:create')")
    until(notebook, THREADS, [])
    notebook.execute("pipe.stages[0].trigger(); pipe.wait(30)")

    page.get_by_role("tab", name="test_life.ipynb").click()

    expect(root.locator(".pw-bubble")).to_contain_text("Succeeded")
    until(notebook, THREADS, ["pipeline_widgets"])
    page.evaluate(
        "[...window.jupyterapp.shell.widgets('main')].filter(w => !w.sessionContext).forEach(w => w.close())"
    )


@pytest.mark.spec("4.4")
def test_two_views_of_one_pipeline_are_in_step(notebook: Notebook) -> None:
    """The same view twice, and another view of the same pipeline: all three show the run."""
    show(notebook, "pipe = chain('a'); view = pipe.view()", "view")
    notebook.run("view")
    notebook.run("pipe")
    bubbles = notebook.page.locator(".pw-bubble")
    expect(bubbles).to_have_count(3)
    notebook.execute("pipe.stages[0].trigger()")
    for at in range(3):
        bubbles.nth(at).scroll_into_view_if_needed()
        expect(bubbles.nth(at)).to_contain_text("Succeeded", timeout=20_000)


def test_a_reloaded_page_shows_the_present_state(notebook: Notebook) -> None:
    """After a reload, the kernel alive, the view comes back by itself, as things are now, and works."""
    show(notebook, "pipe = chain('a', 'b', trigger='manual')")
    notebook.execute("pipe.stages[0].trigger(); pipe.wait(30)")

    notebook.reload()

    root = notebook.page.locator(".pw-root").first
    expect(root.locator(".pw-bubble").first).to_contain_text("Succeeded")
    root.scroll_into_view_if_needed()
    root.locator(".pw-bubble").nth(1).focus()
    notebook.page.keyboard.press("Space")
    root.get_by_role("button", name="Trigger stage").click()
    expect(root.locator(".pw-bubble").nth(1)).to_contain_text("Succeeded", timeout=20_000)


@pytest.mark.spec("4.4")
def test_a_view_is_alive_on_a_page_that_was_slow_to_load_its_code(notebook: Notebook) -> None:
    """The code takes three seconds: the view comes then, and shows what has changed before and afterwards."""
    notebook.run(LETTERS + SLOW_CODE + "\npipe = chain('a', 'b'); view = pipe.view()")
    output = notebook.run("view")
    notebook.execute("pipe.update(name='changed before')")
    assert output.locator(".pw-root").count() == 0

    expect(output.get_by_role("heading", name="changed before").first).to_be_visible()
    notebook.execute("pipe.update(name='changed after')")
    expect(output.get_by_role("heading", name="changed after").first).to_be_visible()


def test_a_notebook_that_is_closed_and_opened_again(notebook: Notebook) -> None:
    """Closed, its thread ends when the lease runs out; opened again, the view is there and works."""
    notebook.execute("from pipeline_widgets.widgets import refresher; refresher.LEASE = 12.0")
    show(notebook, "pipe = chain('a')")
    until(notebook, THREADS, ["pipeline_widgets"])
    page = notebook.page
    page.evaluate("stand.save()")
    page.evaluate("window.jupyterapp.shell.currentWidget.close()")
    expect(page.locator(".pw-root")).to_have_count(0)

    until(notebook, THREADS, [], seconds=45)

    page.evaluate("window.jupyterapp.commands.execute('docmanager:open', {path: 'test_life.ipynb'})")
    root = page.locator(".pw-root").first
    root.get_by_role("button", name="Trigger stage").click()
    expect(root.locator(".pw-bubble")).to_contain_text("Succeeded", timeout=20_000)
    assert page.get_by_text("Error displaying widget").count() == 0
    notebook.execute("from pipeline_widgets.widgets import refresher; refresher.LEASE = 30.0")


@pytest.mark.spec("4.7")
def test_a_notebook_whose_kernel_is_gone_shows_the_last_state(notebook: Notebook, lab: Lab) -> None:
    """Opened again it has the picture of how things stood at last, and no error; run again, the live view."""
    other = Notebook(lab, notebook.page.context.new_page(), "test_life_gone")
    page = other.page
    try:
        other.renew(notebook.python("str(__import__('pathlib').Path.cwd())"))
        other.run(LETTERS + "pipe = chain('a', 'b', trigger='manual')")
        root = other.run("pipe").locator(".pw-root").first
        expect(root.locator(".pw-bubble")).to_have_count(2)
        picture = page.get_by_role("img", name="Chain of stages: 1 a")
        expect(picture).to_be_hidden()
        other.execute("pipe.stages[0].trigger(); pipe.wait(30)")
        expect(root.locator(".pw-bubble").first).to_contain_text("Succeeded")
        expect(page.locator("[data-pw-picture] img")).to_have_attribute(
            "alt", "Chain of stages: 1 a, Succeeded; 2 b, Draft", timeout=20_000
        )
        expect(picture).to_be_hidden()
        other.reload()
        expect(root.locator(".pw-bubble").first).to_contain_text("Succeeded")
        expect(picture).to_be_hidden()

        page.evaluate("stand.save()")
        page.evaluate("stand.shutdown()")
        page.evaluate("window.jupyterapp.shell.currentWidget.close()")
        page.evaluate("window.jupyterapp.commands.execute('docmanager:open', {path: 'test_life_gone.ipynb'})")

        expect(picture).to_be_visible(timeout=20_000)
        expect(page.get_by_role("row").filter(has_text="Succeeded").first).to_be_visible()
        expect(page.get_by_text("As of 20").first).to_be_visible()
        expect(page.get_by_text("Error displaying widget")).to_be_hidden()
    finally:
        other.close()


@pytest.mark.spec("6.6")
def test_a_restarted_kernel_is_said_and_the_run_goes_on(notebook: Notebook) -> None:
    """After a restart the old view says so, without an error box; run again, it shows what went on."""
    root = show(notebook, "pipe = chain('a', steps=100, pause=0.05)")
    folder = notebook.python("str(__import__('pathlib').Path.cwd())")
    root.get_by_role("button", name="Trigger stage").click()
    expect(root.locator(".pw-bubble")).to_contain_text("Running", timeout=20_000)

    notebook.restart_kernel()

    expect(root.get_by_text("Kernel disconnected; runs continue.")).to_be_visible()
    check = root.get_by_role("button", name="Check pipeline")
    expect(check).to_have_attribute("aria-disabled", "true")
    check.click(force=True)  # which says why not, and asks for nothing
    expect(root.get_by_text("Kernel disconnected; runs continue.")).to_have_count(1)  # said once
    assert notebook.page.get_by_text("Error displaying widget").count() == 0
    notebook.run(f"import os; os.chdir({folder!r})\n" + AGAIN)
    again = notebook.run("project.pipelines[0]").locator(".pw-root").first
    expect(again.locator(".pw-bubble")).to_contain_text("Succeeded", timeout=30_000)


@pytest.mark.spec("4.4")
def test_two_notebooks_on_one_workspace(notebook: Notebook, lab: Lab) -> None:
    """What is edited in one shows in the other, with no error in either."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', trigger='manual')")
    folder = notebook.python("str(__import__('pathlib').Path.cwd())")
    other = Notebook(lab, notebook.page.context.new_page(), "test_life_other")
    try:
        other.renew(folder)
        other.run(AGAIN)
        there = other.run("project.pipelines[0]").locator(".pw-root").first
        expect(there.locator(".pw-bubble")).to_have_count(3)
        notebook.page.bring_to_front()

        root.locator(".pw-bubble").nth(2).focus()
        notebook.page.keyboard.press("Space")
        root.get_by_role("button", name="Move left").click()

        expect(root.locator(".pw-bubble").nth(1)).to_contain_text("c")
        other.page.bring_to_front()
        there.scroll_into_view_if_needed()
        expect(there.locator(".pw-bubble").nth(1)).to_contain_text("c", timeout=10_000)
        assert other.errors == []
    finally:
        other.close()
