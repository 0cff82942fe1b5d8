"""What the lists have in common: a filter, rows of one line, several rows at once (spec 9.8)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS

#: Pipelines and experiments in all statuses, without a process: rows are written as a supervisor would.
MADE = """
from factories.lab import Lab, Clock
lab = Lab(ws._services.store, Clock())
lab.__dict__["project"] = project._services.projects.get(project._id)
def scored(name, *scores, seed=0):
    pipe = lab.pipeline(*["SFT"] * max(1, len(scores)), name=name)
    for stage, score in zip(pipe.stages, scores):
        lab.do(stage, score)
    return pipe
"""
PIPELINES = """
from pipeline_widgets.widgets.pipeline_list import PipelineList
view = PipelineList(project._services, project._id, on_compare=print)
view
"""
EXPERIMENTS = """
from pipeline_widgets.widgets.experiments import ExperimentsView
view = ExperimentsView(project._services, project._id, on_results=print, on_compare=print)
view
"""


@pytest.fixture
def show(notebook: Notebook) -> Callable[..., Locator]:
    """Return what makes things by a few lines of Python and shows a list."""

    def shown(code: str, view: str = PIPELINES) -> Locator:
        root = notebook.run(f"{LETTERS}\n{MADE}\n{code}\n{view}").locator(".pw-root").first
        expect(root.get_by_role("table").first).to_be_visible()
        return root

    return shown


def names(root: Locator) -> Locator:
    """Return the names of the rows, in order."""
    return root.get_by_role("rowheader").locator(".pw-pt-title")


FIVE = """
scored("first try", 0.5, 0.75)
scored("second try", 0.25)
scored("never run")
project.pipelines["first try"].annotate(tags=["baseline", "good"], note="Keep this one", favourite=True)
project.create_pipeline("empty")
scored(f"a very long name of a pipeline that nobody would read to its end {'x' * 60}", 0.125, 0.5, 0.996)
"""


@pytest.mark.spec("9.8")
def test_a_filter_is_typed_and_a_mistake_stays_beside_it(show: Callable[..., Locator], page: Page) -> None:
    """The list follows what is typed; what cannot be read is said below the box, and the rows stay."""
    root = show(FIVE)
    box = root.get_by_role("combobox", name="Filter pipelines")
    box.fill("evaluation_score>0.6 and tag=good")
    expect(names(root)).to_have_text(["first try"])
    expect(root.get_by_text("1 of 5 pipelines")).to_be_visible()
    box.fill("evaluation_score>high")
    expect(root.get_by_role("alert")).to_contain_text(
        "Column 18: evaluation_score is a number, 'high' is not."
    )
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(names(root)).to_have_text(["first try"])
    box.fill("try status=succeeded not tag=good")
    expect(names(root)).to_have_text(["second try"])
    expect(box).to_have_attribute("aria-invalid", "false")
    box.fill("")
    expect(names(root)).to_have_count(5)


@pytest.mark.spec("9.8")
def test_fields_and_values_are_suggested_to_the_keyboard(
    notebook: Notebook, show: Callable[..., Locator], page: Page
) -> None:
    """Arrows choose among suggestions, Enter takes one, Escape closes them; no key reaches the notebook."""
    root = show(FIVE)
    box = root.get_by_role("combobox", name="Filter pipelines")
    box.focus()
    page.wait_for_timeout(300)
    box.press_sequentially("not fav")
    options = root.get_by_role("option")
    expect(options).to_have_text(["favouriteyes or no"])
    box.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(box).to_have_value("not favourite")
    box.press_sequentially("=")
    expect(options).to_have_text(["yes", "no"])
    box.press("Escape")
    expect(options).to_have_count(0)
    box.press_sequentially("yes status=wai")
    box.press("ArrowDown")
    box.press("Tab")
    expect(box).to_have_value('not favourite=yes status="Waiting for you"')
    expect(names(root)).to_have_text(["never run"])
    notebook.keys_leave_the_notebook_alone(box)


@pytest.mark.spec("9.8")
def test_several_rows_are_selected_and_deleted_and_the_others_are_told(
    show: Callable[..., Locator], page: Page
) -> None:
    """Selecting is announced; one action is asked for once; what could not be deleted is named."""
    root = show(f'{FIVE}\nlab.started(lab.runs.trigger(lab.pipeline("SFT", name="active").stages[0].id))')
    root.get_by_role("checkbox", name="Select second try").click()
    root.get_by_role("checkbox", name="Select active").click()
    expect(root.get_by_text("2 of 6 pipelines selected.")).to_be_attached()
    expect(root.get_by_role("group", name="Selection")).to_contain_text("2 selected")
    root.get_by_role("button", name="Actions", exact=True).click()
    root.get_by_role("menuitem", name="Delete").click()
    dialog = root.get_by_role("dialog", name="Delete 2 pipelines?")
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    dialog.get_by_role("button", name="Delete").click()
    expect(root.get_by_text("1 pipeline deleted.")).to_be_visible()
    expect(root.get_by_text("active was not deleted:")).to_be_visible()
    expect(root.get_by_role("checkbox", name="Select second try")).to_have_count(0)


@pytest.mark.spec("9.8")
def test_tags_and_favourites_are_given_to_several_rows_and_taken_back(
    notebook: Notebook, show: Callable[..., Locator], page: Page
) -> None:
    """Shift selects a range; tags and stars are written to all of it, and Undo brings back what was there."""
    root = show(FIVE)
    boxes = root.locator("tbody").get_by_role("checkbox")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(root.get_by_role("group", name="Selection")).to_contain_text("3 selected")
    root.get_by_role("button", name="Actions", exact=True).click()
    root.get_by_role("menuitem", name="Edit tags").click()
    dialog = root.get_by_role("dialog", name="Tags of 3 pipelines")
    dialog.get_by_label("Add").fill(f"{HOSTILE}, to check")
    dialog.get_by_role("button", name="Save").click()
    expect(root.locator(".pw-tag", has_text="to check")).to_have_count(3)
    root.get_by_role("button", name="Undo").click()
    expect(root.locator(".pw-tag", has_text="to check")).to_have_count(0)
    assert list(notebook.python("project.tags")) == ["baseline", "good"]
    root.get_by_role("checkbox", name="Select all pipelines of this page").click()
    expect(root.get_by_role("group", name="Selection")).to_contain_text("5 selected")
    root.get_by_role("button", name="Clear selection").click()
    expect(root.get_by_role("button", name="New Pipeline")).to_be_visible()


@pytest.mark.spec("9.8")
def test_a_note_is_written_in_a_row(notebook: Notebook, show: Callable[..., Locator]) -> None:
    """The menu of a row has its note and tags; the row shows both."""
    root = show(FIVE)
    root.get_by_role("button", name="Actions for empty").click()
    root.get_by_role("menuitem", name="Note and tags").click()
    dialog = root.get_by_role("dialog", name="Note and tags of 'empty'")
    dialog.get_by_label("Note").fill("to be filled\nsoon")
    dialog.get_by_label("Tags").fill("new, , plan")
    dialog.get_by_role("button", name="Save").click()
    expect(root.get_by_role("img", name="Note: to be filled")).to_be_visible()
    assert list(notebook.python("project.pipelines['empty'].tags")) == ["new", "plan"]


@pytest.mark.spec("9.8")
@pytest.mark.parametrize("view", ["pipelines", "experiments"])
def test_fifty_rows_are_at_most_1600_pixels(
    show: Callable[..., Locator], view: str, screenshot: Callable[..., Path]
) -> None:
    """Fifty rows with long names, tags, scores and sentences are lines of one height; the page has a size."""
    code = "for at in range(60): scored(f'a pipeline of some length {at}', 0.5, 0.1234567 * at)\n"
    code += "for each in project.pipelines: each.annotate(tags=['a tag', 'another'], note='n')"
    root = show(code, PIPELINES if view == "pipelines" else EXPERIMENTS)
    expect(names(root)).to_have_count(50)
    box = root.bounding_box()
    assert box is not None
    screenshot(f"fifty {view}", root)
    assert box["height"] <= 1600
    root.get_by_label("Rows").select_option("25")
    expect(names(root)).to_have_count(25)


@pytest.mark.spec("9.8")
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("width", [600, 900, 1400])
def test_the_lists_look_right(  # noqa: PLR0917  fixtures
    notebook: Notebook,
    page: Page,
    show: Callable[..., Locator],
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    theme: str,
    width: int,
) -> None:
    """No accessibility violation, and nothing that is cut off, in any width and theme."""
    for view, name in ((PIPELINES, "pipelines"), (EXPERIMENTS, "experiments")):
        root = show(FIVE) if view == PIPELINES else notebook.run(view).locator(".pw-root").first
        notebook.theme(theme)
        root.evaluate("(root, width) => { root.style.width = `${width}px`; }", width)
        root.get_by_role("checkbox").nth(1).click()
        page.wait_for_timeout(200)
        assert axe(root) == ""
        screenshot(f"list {name} {theme} {width}", root)
        if view == PIPELINES:
            notebook.execute(
                "project.experiments[0].annotate(tags=['baseline'], favourite=True, note='Good')"
            )
