"""The list of pipelines in the browser (spec 3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS

LIST = """
from pipeline_widgets.widgets.pipeline_list import PipelineList

view = PipelineList(project._services, project._id)
view
"""


@pytest.fixture
def show(notebook: Notebook) -> Callable[..., Locator]:
    """Return what makes pipelines by a few lines of Python and shows their list."""

    def shown(code: str = "") -> Locator:
        root = notebook.run(f"{LETTERS}\n{code}\n{LIST}").locator(".pw-root").first
        expect(root.get_by_role("button", name="New Pipeline")).to_be_visible()
        return root

    return shown


def opener(root: Locator, name: str) -> Locator:
    """Return the button that expands a row."""
    return root.get_by_role("button", name=name, exact=True)


def menu_of(root: Locator, name: str) -> Locator:
    """Return the button that opens a row's menu."""
    return root.get_by_role("button", name=f"Actions for {name}", exact=True)


def choose(root: Locator, name: str, action: str) -> None:
    """Choose something from a row's menu."""
    menu_of(root, name).click()
    root.get_by_role("menuitem", name=action).click()


def names(root: Locator) -> Locator:
    """Return the names of the rows, in order."""
    return root.get_by_role("rowheader").locator(".pw-pt-title")


def description(notebook: Notebook, name: str) -> Any:
    """Return a pipeline's description as the database has it."""
    return notebook.python(f"project.pipelines[{name!r}].description")


@pytest.mark.spec("3.1")
def test_a_new_pipeline_is_made_by_keyboard(
    notebook: Notebook, page: Page, show: Callable[..., Locator]
) -> None:
    """Enter submits; a name without a letter, or that is taken, is refused and nothing typed is lost."""
    root = show('project.create_pipeline("taken")')
    root.get_by_role("button", name="New Pipeline").press("Enter")
    dialog = root.get_by_role("dialog", name="New Pipeline")
    name, about = dialog.get_by_label("Name"), dialog.get_by_label("Description")
    expect(name).to_be_focused()
    assert dialog.evaluate("element => element.matches(':modal')")
    about.fill("to sort\nletters")
    for typed, why in (
        ("   ", "Enter a name for the pipeline."),
        ("taken", "A pipeline named 'taken' already exists."),
    ):
        name.fill(typed)
        name.press("Enter")
        expect(dialog.get_by_role("alert")).to_contain_text(why)
        expect(name).to_be_focused()
        expect(name).to_have_value(typed)
        expect(about).to_have_value("to sort\nletters")
    name.fill("  Letters ")
    name.press("Enter")
    expect(dialog).to_have_count(0)
    expect(opener(root, "Letters")).to_be_focused()
    expect(opener(root, "Letters")).to_have_attribute("aria-expanded", "true")
    expect(root.get_by_text("to sort letters")).to_be_visible()
    expect(root.get_by_role("button", name="Add stage").first).to_be_visible()
    assert notebook.python("project.pipelines['Letters'].name") == "Letters"
    root.get_by_role("button", name="New Pipeline").click()
    page.keyboard.press("Escape")
    expect(root.get_by_role("button", name="New Pipeline")).to_be_focused()
    expect(root.get_by_text("2 pipelines")).to_be_visible()


@pytest.mark.spec("3.2", "3.8", "10.4")
def test_the_columns_sort(show: Callable[..., Locator]) -> None:
    """A header is a button; a second press turns the order around. Names are text."""
    root = show(f'for name in ("b", {HOSTILE!r}, "a"): project.create_pipeline(name)')
    heads = root.get_by_role("columnheader")
    expect(heads).to_have_text(["Name", "Stages", "Status", "Best score", "Last modified", "Actions"])
    expect(names(root)).to_have_text(["a", HOSTILE, "b"])
    expect(heads.nth(4)).to_have_attribute("aria-sort", "descending")
    press = root.get_by_role("button", name="Name", exact=True)
    press.press("Enter")
    expect(names(root)).to_have_text([HOSTILE, "a", "b"])
    expect(heads.nth(0)).to_have_attribute("aria-sort", "ascending")
    press.press("Enter")
    expect(names(root)).to_have_text(["b", "a", HOSTILE])
    expect(press).to_be_focused()
    expect(heads.nth(4)).not_to_have_attribute("aria-sort", re.compile(".*"))
    expect(root.locator("img")).to_have_count(0)
    menu_of(root, HOSTILE).click()
    root.get_by_role("menuitem", name="Delete").click()
    expect(root.get_by_role("dialog")).to_contain_text(HOSTILE)
    expect(root.locator("img")).to_have_count(0)


@pytest.mark.spec("3.3", "4.5")
def test_a_name_is_edited_in_its_row(notebook: Notebook, page: Page, show: Callable[..., Locator]) -> None:
    """By keyboard: Enter saves, Escape cancels, and focus comes back to the menu's button."""
    root = show('project.create_pipeline("one"); project.create_pipeline("two")')
    menu_of(root, "one").press("Enter")
    items = root.get_by_role("menuitem")
    expect(items).to_have_text(["Edit name", "Duplicate", "Add to favourites", "Note and tags", "Delete"])
    expect(items.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    field = root.get_by_role("textbox", name="Name of one")
    expect(field).to_be_focused()
    page.keyboard.type("two")  # the old name is selected
    page.keyboard.press("Enter")
    expect(root.get_by_role("alert")).to_contain_text("A pipeline named 'two' already exists.")
    expect(field).to_have_value("two")
    notebook.keys_leave_the_notebook_alone(field, ("b", "x", "d d"))
    page.keyboard.press("Escape")
    expect(menu_of(root, "one")).to_be_focused()
    choose(root, "one", "Edit name")
    field.fill(" three ")
    field.press("Enter")
    expect(menu_of(root, "three")).to_be_focused()
    expect(names(root)).to_have_text(["two", "three"])
    choose(root, "three", "Edit name")
    root.get_by_role("textbox", name="Name of three").fill("four")
    root.get_by_role("combobox", name="Filter pipelines").click()  # leaving the field saves, as in JupyterLab
    expect(names(root)).to_have_text(["two", "four"])
    assert notebook.python("sorted(each.name for each in project.pipelines)") == ["four", "two"]


@pytest.mark.spec("3.4")
def test_a_pipeline_is_duplicated(notebook: Notebook, show: Callable[..., Locator]) -> None:
    """The copies are announced and say which experiments they share; runs are not copied."""
    root = show('chain("sft", "dpo", name="chain")')
    choose(root, "chain", "Duplicate")
    expect(names(root)).to_have_text(["chain (copy)", "chain"])
    expect(root.get_by_text("Shares sft, dpo with other pipelines")).to_have_count(2)
    expect(root.get_by_text("Duplicated as chain (copy).")).to_be_attached()
    expect(menu_of(root, "chain")).to_be_focused()
    choose(root, "chain", "Duplicate")
    expect(names(root)).to_have_text(["chain (copy 2)", "chain (copy)", "chain"])
    assert notebook.python("[len(each.stages) for each in project.pipelines]") == [2, 2, 2]


@pytest.mark.spec("3.5", "5.13")
def test_a_row_expands_to_its_description_and_its_builder(
    notebook: Notebook, page: Page, show: Callable[..., Locator]
) -> None:
    """An edit of the description that is based on an old one is refused, and nothing typed is lost."""
    root = show('chain("sft", name="chain"); chain("dpo", name="other")')
    opener(root, "chain").press("Enter")
    opener(root, "other").click()
    expect(opener(root, "chain")).to_have_attribute("aria-expanded", "true")
    for name in ("sft", "dpo"):
        expect(root.get_by_role("group", name=f"Stage 1: {name}")).to_be_visible()
    opener(root, "other").click()
    expect(root.get_by_role("group", name="Stage 1: dpo")).to_have_count(0)
    root.get_by_role("button", name="Edit description").click()
    text = root.get_by_role("textbox", name="Description")
    expect(text).to_be_focused()
    page.keyboard.type("what for")
    notebook.execute(
        "project._services.pipelines.update(project.pipelines['chain']._id, description='theirs')"
    )
    root.get_by_role("button", name="Save").click()
    expect(root.get_by_role("alert").filter(has_text="was changed meanwhile")).to_contain_text(
        "Its description was edited."
    )
    expect(root.get_by_text("Now it says: theirs")).to_be_visible()
    expect(text).to_have_value("what for")
    root.get_by_role("button", name="Save").click()
    expect(root.get_by_role("button", name="Edit description")).to_be_focused()
    expect(root.get_by_text("what for")).to_be_visible()
    assert description(notebook, "chain") == "what for"
    page.keyboard.press("Enter")
    text.fill("never mind")
    root.get_by_role("button", name="Cancel").click()
    assert description(notebook, "chain") == "what for"
    notebook.reload()
    expect(root.get_by_role("group", name="Stage 1: sft")).to_be_visible()


@pytest.mark.spec("3.6")
def test_an_empty_list_asks_for_a_first_pipeline(show: Callable[..., Locator]) -> None:
    """There is one button to make one, and after it the list."""
    root = show()
    expect(root.get_by_text("No pipelines found")).to_be_visible()
    expect(root.get_by_role("table")).to_be_hidden()
    root.get_by_role("button", name="New Pipeline").click()
    root.get_by_role("dialog").get_by_label("Name").fill("first")
    root.get_by_role("button", name="Create").click()
    expect(opener(root, "first")).to_be_focused()
    expect(root.get_by_text("No pipelines found")).to_have_count(0)
    expect(root.get_by_text("1 pipeline", exact=True)).to_be_visible()


@pytest.mark.spec("3.3", "3.7")
def test_deleting_asks_and_is_refused_while_a_stage_is_active(
    notebook: Notebook, page: Page, show: Callable[..., Locator]
) -> None:
    """The dialog names the pipeline and what stays; focus goes on to the next row."""
    root = show(
        'pipe = chain("busy", name="busy chain", steps=10_000, pause=0.05)\n'
        'project.create_pipeline("idle")\n'
        "pipe.stages[0].trigger()"
    )
    choose(root, "busy chain", "Delete")
    dialog = root.get_by_role("dialog", name="Delete pipeline 'busy chain'?")
    expect(dialog).to_contain_text("Experiments, checkpoints and agents stay")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_contain_text(
        re.compile(r"Stage 1 is (pending|running)\. Stop it first\.")
    )
    dialog.get_by_role("button", name="Cancel").click()
    expect(menu_of(root, "busy chain")).to_be_focused()
    notebook.execute("pipe.stages[0].stop(); pipe.wait()")
    expect(root.get_by_role("row", name="busy chain")).to_contain_text("Stopped", timeout=10_000)
    choose(root, "busy chain", "Delete")
    expect(root.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    root.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
    expect(names(root)).to_have_text(["idle"])
    expect(menu_of(root, "idle")).to_be_focused()
    assert notebook.python("[each.name for each in project.experiments]") == ["busy"]


@pytest.mark.spec("3.8")
def test_ten_thousand_pipelines_are_searched_and_paged(
    notebook: Notebook, show: Callable[..., Locator]
) -> None:
    """A page has 50 rows; the buttons say why they cannot turn further."""
    root = show(
        "with ws._services.store.write() as work:\n"
        "    revision = work.projects.touch(project._id)\n"
        "    for n in range(10_000):\n"
        '        work.pipelines.add(project._id, f"pipeline {n:05}", "", revision)\n'
    )
    expect(root.get_by_role("rowheader")).to_have_count(50)
    expect(root.get_by_text("1\N{EN DASH}50 of 10,000")).to_be_visible()
    back, on = (root.get_by_role("button", name=f"{which} page") for which in ("Previous", "Next"))
    expect(back).to_have_attribute("title", "This is the first page.")
    on.click()
    expect(root.get_by_text("51\N{EN DASH}100 of 10,000")).to_be_visible()
    expect(on).to_be_focused()
    find = root.get_by_role("combobox", name="Filter pipelines")
    find.press_sequentially("0999")
    expect(root.get_by_text("11 of 10,000 pipelines")).to_be_visible()
    expect(root.get_by_role("rowheader")).to_have_count(11)
    expect(find).to_be_focused()
    find.fill("nothing of the kind")
    expect(root.get_by_text("No pipelines found")).to_be_visible()
    root.get_by_role("button", name="Clear search").click()
    expect(root.get_by_text("1\N{EN DASH}50 of 10,000")).to_be_visible()
    expect(find).to_have_value("")
    notebook.forget_messages()
    notebook.execute(
        "project.pipelines['pipeline 09999'].add_experiment_stage("
        "project.create_experiment('sft', algorithm=trainers.counter))"
    )
    expect(root.get_by_text("Waiting for you")).to_have_count(1, timeout=10_000)
    assert max(told.bytes for told in notebook.messages() if told.direction == "down") < 1_000


@pytest.mark.spec("3.8", "4.4")
def test_a_refresh_leaves_focus_and_typed_text_alone(
    notebook: Notebook, page: Page, show: Callable[..., Locator]
) -> None:
    """While other rows come and change, the field keeps focus, and the menu and its row their place."""
    root = show('chain("sft", name="mine"); project.create_pipeline("other")')
    choose(root, "mine", "Edit name")
    page.keyboard.type("half a na")
    notebook.execute("project.create_pipeline('a newcomer'); view.refresh()")
    expect(names(root)).to_have_text(["a newcomer", "other", "mine"])
    page.keyboard.type("me")
    field = root.get_by_role("textbox", name="Name of mine")
    expect(field).to_be_focused()
    expect(field).to_have_value("half a name")
    page.keyboard.press("Escape")
    menu_of(root, "other").click()
    notebook.execute(
        "view._services.pipelines.update(project.pipelines['other']._id, name='renamed'); view.refresh()"
    )
    expect(opener(root, "renamed")).to_be_visible()
    expect(root.get_by_role("menuitem", name="Edit name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu_of(root, "renamed")).to_be_focused()


@pytest.mark.spec("4.5", "4.6")
def test_everything_is_accessible_in_each_theme(
    notebook: Notebook,
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    show: Callable[..., Locator],
) -> None:
    """Axe finds nothing, and no key pressed on a control reaches the notebook."""
    root = show('chain("sft", "dpo", name="chain"); project.create_pipeline("empty")')
    opener(root, "chain").click()
    expect(root.get_by_role("group", name="Stage 1: sft")).to_be_visible()
    choose(root, "empty", "Edit name")
    for theme in ("light", "dark"):
        notebook.theme(theme)
        assert axe(root) == ""
        screenshot(f"pipeline list {theme}", root)
    root.get_by_role("textbox", name="Name of empty").press("Escape")
    for control in (
        opener(root, "empty"),
        menu_of(root, "empty"),
        root.get_by_role("button", name="Last modified"),
        root.get_by_role("button", name="Edit description"),
        root.get_by_role("button", name="New Pipeline"),
    ):
        notebook.keys_leave_the_notebook_alone(control, ("b", "x", "d d", "a"))
