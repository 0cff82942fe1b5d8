"""The builder's other rows in a real JupyterLab, and the picture that is left without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from playwright.sync_api import BrowserContext, Locator, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.views import show


@pytest.mark.spec("5.10", "6.5")
def test_an_active_stage_refuses_edit_move_and_delete(notebook: Notebook) -> None:
    """While a stage runs these buttons say "Stop it first"; stopped, they work again."""
    root = show(notebook, "pipe = chain('a', 'b', trigger='manual', steps=600, pause=0.05)")
    root.get_by_role("button", name="Trigger stage").click()
    expect(root.locator(".pw-bubble").first).to_contain_text("Running", timeout=20_000)

    for name in ("Edit stage", "Move right", "Delete stage"):
        control = root.get_by_role("button", name=name)
        expect(control).to_be_disabled()
        expect(control).to_have_attribute("title", "Stage 1 is running. Stop it first.")
    root.locator(".pw-bubble").first.focus()
    notebook.page.keyboard.press("Delete")
    expect(root.get_by_role("alert")).to_contain_text("Stop it first.")

    root.get_by_role("button", name="Stop", exact=True).click()
    expect(root.locator(".pw-bubble").first).to_contain_text("Stopped", timeout=20_000)
    expect(root.get_by_role("button", name="Edit stage")).to_be_enabled()


@pytest.mark.spec("5.11")
def test_experiments_of_another_project_are_not_offered(notebook: Notebook) -> None:
    """The picker holds the experiments of the pipeline's own project, whatever is asked for."""
    root = show(
        notebook,
        "pipe = chain('mine')\n"
        "ws.create_project('Other').create_experiment('theirs', algorithm=trainers.counter)",
    )
    root.get_by_role("button", name="Add stage", exact=True).click()
    dialog = root.get_by_role("dialog")
    expect(dialog.get_by_text("mine", exact=True)).to_be_visible()
    expect(dialog.get_by_text("theirs")).to_have_count(0)


@pytest.mark.spec("5.12")
def test_check_pipeline_lists_every_problem_by_stage(
    notebook: Notebook, axe: Callable[[Locator], str]
) -> None:
    """What would stop the chain is listed with its stage; where nothing would, that is said."""
    root = show(notebook, "pipe = chain('a', 'b', trigger='manual'); pipe.stages[0].trigger(); pipe.wait(30)")
    root.get_by_role("button", name="Check pipeline").click()
    expect(root.get_by_role("group", name="Notification")).to_contain_text("Everything is in order")

    notebook.execute("import shutil\nfor each in pipe.stages[0].run.checkpoints: shutil.rmtree(each.path)")
    root.get_by_role("button", name="Check pipeline").click()

    dialog = root.get_by_role("dialog")
    expect(dialog.get_by_role("listitem").first).to_contain_text("Stage 1 (a)")
    expect(dialog.get_by_role("listitem").first).to_contain_text("The checkpoint at step 1 is missing")
    assert axe(dialog) == ""
    dialog.get_by_role("button", name="Close").click()
    expect(root.get_by_role("button", name="Check pipeline")).to_be_focused()


@pytest.mark.spec("4.7", "2.3")
def test_an_export_without_kernel_and_network_shows_the_picture(
    context: BrowserContext, tmp_path: Path
) -> None:
    """A notebook that was run and converted to HTML, opened offline, shows the chain with a time stamp."""
    code = LETTERS + "pipe = chain('sft', 'dpo'); pipe.stages[0].trigger(); pipe.wait(60)\n"
    cells = [nbformat.v4.new_code_cell(each) for each in (code, "pipe", "project")]
    made = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(made, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    client.store_widget_state = False
    client.execute()
    body, _ = HTMLExporter().from_notebook_node(made)
    (tmp_path / "export.html").write_text(body, encoding="utf-8")
    page = context.new_page()
    try:
        page.route("http*://**", lambda route: route.abort())
        page.goto((tmp_path / "export.html").as_uri())
        picture = page.get_by_role("img", name="1 sft, Succeeded").first
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.complete && image.naturalWidth > 400")
        expect(page.get_by_role("row").filter(has_text="dpo").first).to_contain_text("Succeeded")
        expect(page.get_by_text("As of 20").first).to_be_visible()
        expect(page.get_by_text("model not found")).to_have_count(0)
        expect(
            page.get_by_role("cell", name="chain 0").or_(page.get_by_text("chain 0")).first
        ).to_be_visible()
    finally:
        page.close()
