"""Pipelines as text and back, their history, and undo, in the browser (spec 10.1, 10.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS
from browser.views import bubble, eventually, show


def open_more(root: Locator, item: str) -> Locator:
    """Choose from the menu of the builder, and return the dialog."""
    root.get_by_role("button", name="More", exact=True).press("Enter")
    root.get_by_role("menuitem", name=item).press("Enter")
    return root.get_by_role("dialog")


@pytest.mark.spec("10.1", "10.2")
def test_copy_as_python_rebuilds_the_pipeline(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """What is copied runs in an empty workspace and gives an equal pipeline; YAML is saved as a file."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    root = show(notebook, f"pipe = chain('sft', {HOSTILE!r}, steps=4)\npipe.add_deployment_stage('agent')")
    dialog = open_more(root, "Copy as Python or YAML")
    expect(dialog.get_by_label("The pipeline as Python")).to_contain_text("create_pipeline")
    expect(dialog.locator("img")).to_have_count(0)
    screenshot("transfer code")
    assert not axe(dialog)
    copy = dialog.get_by_role("button", name="Copy", exact=True)
    wide = copy.bounding_box()
    copy.click()
    expect(copy).to_have_class(re.compile("pw-copied"))
    assert copy.bounding_box() == wide
    code = page.evaluate("navigator.clipboard.readText()")
    dialog.get_by_role("button", name="YAML").click()
    expect(dialog.get_by_label("The pipeline as YAML")).to_contain_text("stages:")
    with page.expect_download() as saved:
        dialog.get_by_role("button", name="Save as file").click()
    assert saved.value.suggested_filename == "chain-0.yaml"
    text = saved.value.path().read_text(encoding="utf-8")
    assert text == notebook.python("pipe.to_yaml()")
    dialog.get_by_role("button", name="Close").click()
    notebook.execute(
        f"""
import os, tempfile
here = os.getcwd()
os.chdir(tempfile.mkdtemp())
scope = {{}}
exec({code!r}, scope)
rebuilt = pw.Workspace().projects[0].pipelines[0].to_yaml()
os.chdir(here)
"""
    )
    assert notebook.python("rebuilt") == text


@pytest.mark.spec("10.2")
def test_import_pipeline_makes_it_of_text_or_of_a_file(
    notebook: Notebook, tmp_path: Path, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """A mistake is named with its place and nothing typed is lost; a name that is taken can be changed."""
    notebook.run(f"{LETTERS}pipe = chain('sft', 'dpo', name='first', steps=4)")
    root = notebook.run("project.view()").locator(".pw-root").first
    text = notebook.python("pipe.to_yaml()")
    root.get_by_role("button", name="Import pipeline").click()
    dialog = root.get_by_role("dialog")
    box = dialog.get_by_label("YAML of a pipeline")
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("alert")).to_have_text("Paste YAML or choose a file.")
    expect(box).to_be_focused()
    box.fill(text.replace("trigger: auto", "trigger: sometimes"))
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("stage 2. 'sometimes' is not a trigger")
    expect(box).to_have_value(text.replace("trigger: auto", "trigger: sometimes"))
    screenshot("transfer import")
    assert not axe(dialog)
    file = tmp_path / "first.yaml"
    file.write_text(text, encoding="utf-8")
    dialog.get_by_label("Or choose a file").set_input_files(file)
    expect(box).to_have_value(text)
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("first")  # the name is taken
    name = dialog.get_by_label("Name", exact=True)
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(box).not_to_have_attribute("aria-invalid", "true")
    name.fill("second")
    expect(name).not_to_have_attribute("aria-invalid", "true")
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog).to_have_count(0)
    expect(root.get_by_text("Pipeline second was imported.").first).to_be_visible()
    expect(root.get_by_role("button", name="second", exact=True)).to_have_attribute("aria-expanded", "true")
    assert notebook.python("[len(each.stages) for each in project.pipelines]") == [2, 2]
    assert notebook.python("len(project.experiments)") == 2  # the same experiments are bound

    notebook.execute("project.experiments['sft'].update(config={'steps': 9})")
    root.get_by_role("button", name="Import pipeline").click()
    dialog.get_by_label("YAML of a pipeline").fill(text)
    dialog.get_by_label("Name", exact=True).fill("third")
    dialog.get_by_role("button", name="Import", exact=True).click()
    give = dialog.get_by_label("Give experiments whose name is taken a new name")
    expect(dialog.get_by_role("alert")).to_contain_text(
        "tick 'Give experiments whose name is taken a new name'."
    )
    expect(give).to_be_focused()
    give.check()
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog).to_have_count(0)
    assert notebook.python("len(project.experiments)") == 3


@pytest.mark.spec("10.1")
def test_edits_are_undone_by_a_button_one_after_another(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """It says which edit that is; a redo does it again; a stage that has runs is asked about first."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', trigger='manual', steps=2)")
    bubble(root, 2).press("Space")
    root.get_by_role("button", name="Delete stage").click()
    root.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(bubble(root, 3)).to_have_count(0)
    expect(root.get_by_role("dialog")).to_have_count(0)
    tools = root.locator(".pw-builder-tools")
    undo = tools.get_by_role("button", name="Undo: Deleted stage 2 (b)", exact=True)
    expect(undo).to_have_attribute("title", "Undo: Deleted stage 2 (b)")
    undo.press("Enter")
    expect(bubble(root, 2)).to_contain_text("b")
    expect(bubble(root, 3)).to_contain_text("c")
    said = root.get_by_role("group", name="Notification")
    expect(said).to_contain_text("Stage 2 restored (undo).")
    redo = tools.get_by_role("button", name="Redo: Deleted stage 2 (b)", exact=True)
    redo.press("Enter")
    expect(bubble(root, 3)).to_have_count(0)
    expect(said).to_contain_text("Stage 2 removed (redo).")
    expect(tools.get_by_role("button", name="Redo", exact=True)).to_be_focused()
    notebook.keys_leave_the_notebook_alone(undo, ("b", "x", "d d"))
    undo.click()
    tools.get_by_role("button", name="Undo: Added stage 3 (c)").click()
    expect(said).to_contain_text("Stage 3 removed (undo).")
    eventually(notebook, "[each.name for each in pipe.stages]", ["a", "b"])

    notebook.execute("pipe.stages[0].trigger(); pipe.wait(60); pipe.stages[1].trigger(); pipe.wait(60)", 150)
    tools.get_by_role("button", name="Undo: Added stage 2 (b)").click()
    dialog = root.get_by_role("dialog", name="Undo: Added stage 2 (b)?")
    expect(dialog).to_contain_text("Stage 2 (b) is removed; its run stays.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert not axe(dialog)
        screenshot(f"undo asks {theme}")
    dialog.get_by_role("button", name="Cancel").click()
    assert notebook.python("len(pipe.stages)") == 2
    tools.get_by_role("button", name="Undo: Added stage 2 (b)").click()
    dialog.get_by_role("button", name="Undo", exact=True).click()
    expect(said).to_contain_text("Stage 2 removed (undo).")
    eventually(notebook, "[each.name for each in pipe.stages]", ["a"])


@pytest.mark.spec("10.1")
def test_history_says_who_did_what_and_when(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """The latest first, as `pipe.history` has it; names are text; edits are undone from there."""
    root = show(notebook, f"pipe = chain('a', 'b', trigger='manual')\npipe.update(name={HOSTILE!r})")
    dialog = open_more(root, "History")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()  # Enter alone undoes nothing
    rows = dialog.get_by_role("group", name="History").locator("tbody tr")
    done = notebook.python("[each.what for each in pipe.history][::-1]")
    expect(rows.locator("td:first-child")).to_have_text(done)
    expect(rows.first).to_contain_text(HOSTILE)
    expect(rows.first).to_contain_text(notebook.python("pipe.history[0].who"))
    expect(dialog.locator("img")).to_have_count(0)
    screenshot("transfer history")
    assert not axe(dialog)
    page.keyboard.press("Enter")  # on Close: undo is never the default
    expect(dialog).to_have_count(0)
    assert notebook.python("pipe.name") == HOSTILE
    dialog = open_more(root, "History")
    dialog.get_by_role("button", name=f"Undo: Renamed from 'chain 0' to '{HOSTILE}'").click()
    expect(rows.first).to_contain_text("Name restored (undo)")
    expect(dialog.get_by_role("status")).to_have_text("Name restored (undo).")
    dialog.get_by_role("button", name="Undo: Added stage 2 (b)").click()
    expect(rows.first).to_contain_text("Stage 2 removed (undo)")
    dialog.get_by_role("button", name="Redo: Added stage 2 (b)").click()
    expect(rows.first).to_contain_text("Stage 2 restored (redo)")
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert not axe(dialog)
        screenshot(f"transfer history undone {theme}")
    notebook.execute("pipe.update(description='theirs')")
    dialog.get_by_role("button", name="Undo: Added stage 2 (b)").or_(
        dialog.get_by_role("button", name="Undo: Edited the description")
    ).click()
    eventually(notebook, "len(pipe.stages)", 2)  # it is refused, or takes back what it says: that edit alone
    dialog.get_by_role("button", name="Close").click()
    expect(root.get_by_role("heading", name="chain 0")).to_be_visible()
