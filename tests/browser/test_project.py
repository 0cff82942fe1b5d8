"""The project view with its tabs, and what else a cell shows (spec 2, 4.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS
from browser.views import eventually, scroll_box

RAN = f"""{LETTERS}
pipe = chain("sft", "grpo", steps=6)
pipe.stages[0].trigger()
pipe.wait(60)
"""
AT_REST = 10_000  # ms; while nothing runs, a view is refreshed every five seconds
#: The kinds of views that the kernel keeps up to date.
LEASED = "sorted(type(seen).__name__ for seen, _ in view._refresher._leases.values())"


def tab(output: Locator, name: str) -> Locator:
    """Return a tab by its name."""
    return output.get_by_role("tab", name=name, exact=True)


def heading(output: Locator, name: str) -> Locator:
    """Return a heading by its name."""
    return output.get_by_role("heading", name=name, exact=True)


def row(table: Locator, name: str) -> Locator:
    """Return a row of a table by the button that opens it."""
    return table.get_by_role("row").filter(has=table.page.get_by_role("button", name=name, exact=True))


@pytest.mark.spec("2.1", "4.5")
def test_the_tabs_work_by_mouse_and_by_keyboard(notebook: Notebook, axe: Callable[[Locator], str]) -> None:
    """Experiments, Pipelines, Results, in this order; arrows, Home and End move; no key leaves the view."""
    output = notebook.run(f"{LETTERS}\nchain('sft', 'grpo')\nproject")
    expect(output.get_by_role("tab")).to_have_text(["Experiments", "Pipelines", "Results"])
    expect(tab(output, "Pipelines")).to_have_attribute("aria-selected", "true")
    expect(output.get_by_role("tabpanel", name="Pipelines")).to_contain_text("chain 0")
    press = notebook.page.keyboard.press
    tab(output, "Pipelines").focus()
    for key, name in (
        ("ArrowRight", "Results"),
        ("ArrowRight", "Experiments"),
        ("ArrowLeft", "Results"),
        ("Home", "Experiments"),
        ("End", "Results"),
    ):
        press(key)
        expect(tab(output, name)).to_be_focused()
        expect(output.get_by_role("tab", selected=True)).to_have_text([name])
        expect(output.get_by_role("tabpanel")).to_have_count(1)
        expect(output.get_by_role("tabpanel", name=name)).to_be_visible()
    expect(output.get_by_role("tabpanel", name="Results").get_by_role("checkbox")).to_have_count(2)
    tab(output, "Experiments").click()
    expect(row(output, "sft").get_by_role("cell")).to_contain_text(["Counter", "Draft", "just now"])
    notebook.keys_leave_the_notebook_alone(tab(output, "Experiments"))
    for name in ("Experiments", "Pipelines", "Results"):
        tab(output, name).click()
        expect(output.get_by_role("tabpanel", name=name)).not_to_contain_text("Loading")
        assert axe(output) == ""


@pytest.mark.spec("2.1", "2.2")
def test_a_classic_project_has_no_pipelines(notebook: Notebook) -> None:
    """It shows Experiments and Results only, says why, and says how to make an experiment."""
    output = notebook.run(f"{LETTERS}\nclassic = ws.create_project('Plain')\nview = classic.view()\nview")
    expect(output.get_by_role("tab")).to_have_text(["Experiments", "Results"])
    expect(output).to_contain_text("it cannot hold pipelines, which was fixed when it was created")
    panel = output.get_by_role("tabpanel", name="Experiments")
    expect(panel).to_contain_text("No experiments yet")
    expect(panel.get_by_role("code")).to_contain_text("project.create_experiment(")
    notebook.execute(
        "classic.create_experiment('late', algorithm=trainers.counter)\nview.views['Experiments'].refresh()"
    )
    expect(row(panel, "late")).to_contain_text("Draft")
    expect(panel.get_by_text("No experiments yet")).to_be_hidden()


@pytest.mark.spec("2.3", "10.4")
def test_the_last_line_of_a_cell_shows_the_live_widget(notebook: Notebook) -> None:
    """A project, a pipeline and an experiment, whatever their names are; a listing stays a table."""
    notebook.run(f"""{LETTERS}
mine = ws.create_project({HOSTILE!r}, advanced_training=True)
made = mine.create_experiment({HOSTILE!r}, algorithm=trainers.counter)
pipe = mine.create_pipeline({HOSTILE!r})
pipe.add_experiment_stage(made).trigger()
pipe.wait(60)
""")
    output = notebook.run("mine")
    expect(heading(output, HOSTILE)).to_be_visible()
    expect(tab(output, "Pipelines")).to_be_visible()
    output = notebook.run("pipe")
    expect(heading(output, HOSTILE)).to_be_visible()
    expect(output.get_by_role("button", name="Add stage", exact=True)).to_be_visible()
    output = notebook.run("made")
    expect(heading(output, HOSTILE)).to_be_visible()
    expect(scroll_box(output, "Runs")).to_contain_text("Succeeded")
    output = notebook.run("ws")
    expect(output.get_by_role("table", name="Projects")).to_contain_text(HOSTILE)
    output = notebook.run("mine.experiments")
    expect(output.get_by_role("table")).to_contain_text("Counter")
    expect(notebook.page.locator(".jp-OutputArea img:not(.pw-chain)")).to_have_count(0)


@pytest.mark.spec("4.5")
def test_pipelines_that_are_open_beside_each_other_can_be_told(
    notebook: Notebook, axe: Callable[[Locator], str]
) -> None:
    """Each panel and chart is a landmark with a name of its own."""
    output = notebook.run(f"{RAN}\ncopy = pipe.duplicate()\ncopy.stages[0].trigger().wait(60)\nproject")
    for name in ("chain 0", "chain 0 (copy)"):
        output.get_by_role("button", name=name, exact=True).click()
    first = output.get_by_role("button", name=re.compile("^Stage 1: sft"))
    expect(first).to_have_count(2)
    for each in (0, 1):
        first.nth(each).press("Space")
    for label in ("Stage 1: sft of chain 0", "Stage 1: sft of chain 0 (copy)"):
        expect(output.get_by_role("region", name=label, exact=True)).to_be_visible()
    assert axe(output) == ""


@pytest.mark.spec("4.3")
def test_a_stage_opens_results_of_its_experiment(notebook: Notebook) -> None:
    """Its "Results" button shows the tab with that experiment only, and the focus goes on there."""
    output = notebook.run(f"{RAN}\nproject")
    output.get_by_role("button", name="chain 0", exact=True).click()
    for number, name in enumerate(("sft", "grpo"), start=1):
        tab(output, "Pipelines").click()
        output.get_by_role("button", name=f"Stage {number}: {name}").press("Space")
        bar = output.get_by_role("group", name=f"Stage {number}: {name}", exact=True)
        bar.get_by_role("button", name="Results", exact=True).press("Enter")
        expect(tab(output, "Results")).to_have_attribute("aria-selected", "true")
        panel = output.get_by_role("tabpanel", name="Results")
        expect(heading(panel, f"Results of {name}")).to_be_focused()
        rows = panel.get_by_role("group", name="Runs", exact=True).get_by_role("rowheader")
        expect(rows).to_have_text([name])
    tab(output, "Pipelines").click()
    expect(output.get_by_role("group", name="Results", exact=True)).to_be_hidden()


@pytest.mark.spec("9.3")
def test_runs_are_compared_while_they_run(notebook: Notebook, axe: Callable[[Locator], str]) -> None:
    """Experiments are chosen by search and box; table and charts follow, and no refresh takes the focus."""
    output = notebook.run(f"{RAN}\nview = project.view()\nview.do_show_tab('Results')\nview")
    search = output.get_by_role("combobox", name="Filter experiments")
    expect(output).to_contain_text("Choose experiments to compare their runs.")
    search.fill("gr")
    expect(output.get_by_role("checkbox")).to_have_count(1)
    output.get_by_role("checkbox", name="grpo").check()
    search.fill("")
    output.get_by_role("checkbox", name="sft").check()
    expect(heading(output, "Results of grpo and sft")).to_be_visible()
    rows = output.get_by_role("group", name="Runs", exact=True).get_by_role("rowheader")
    expect(rows).to_have_text(["grpo", "sft"])  # the latest first
    chart = output.get_by_role("slider", name="Evaluation score by step.")
    each = "6 at step 6, lowest 1, highest 6"
    expect(chart).to_have_accessible_name(f"Evaluation score by step. sft run 1: {each}; grpo run 1: {each}")
    search.focus()
    search.press_sequentially("sf")
    notebook.execute("project.experiments['sft'].update(config={'steps': 600, 'pause': 0.1})\n"
                     "run = project.experiments['sft'].train()")  # fmt: skip
    second = output.get_by_role("group", name="Runs", exact=True).get_by_role("row").filter(has_text="run 2")
    expect(second).to_contain_text("Running", timeout=AT_REST)
    expect(output.get_by_role("slider", name="loss by step.")).to_have_accessible_name(
        re.compile(r"sft run 2: .* at step \d+, .*; grpo")
    )
    expect(search).to_be_focused()
    expect(search).to_have_value("sf")
    notebook.execute("run.stop()")
    expect(second).to_contain_text("Stopped")
    assert axe(output) == ""
    notebook.keys_leave_the_notebook_alone(output.get_by_role("checkbox").first)
    notebook.keys_leave_the_notebook_alone(output.get_by_role("button", name="Choose experiments"))


@pytest.mark.spec("4.4")
def test_a_tab_that_is_hidden_is_not_kept_up_to_date(notebook: Notebook) -> None:
    """The kernel refreshes what is seen only, which is what has been shown again, too."""
    output = notebook.run(f"{LETTERS}\nview = project.view()\nview")
    eventually(notebook, LEASED, ["PipelineList", "ProjectView"])
    tab(output, "Experiments").click()
    eventually(notebook, LEASED, ["ExperimentsView", "ProjectView"])
    notebook.execute("chain('sft', name='made meanwhile')")
    tab(output, "Pipelines").click()
    expect(output.get_by_role("button", name="made meanwhile", exact=True)).to_be_visible(timeout=AT_REST)
    eventually(notebook, LEASED, ["PipelineList", "ProjectView"])


def test_pictures(notebook: Notebook, screenshot: Callable[..., Path]) -> None:
    """What it looks like, in a light and in a dark theme."""
    output = notebook.run(f"{RAN}\nview = project.view()\nview.do_show_tab('Results')\nview")
    output.get_by_role("button", name="Choose all").click()
    expect(output.get_by_role("slider", name="loss by step.")).to_be_visible()
    for theme in ("light", "dark"):
        notebook.theme(theme)
        notebook.page.locator("#jupyterlab-splash").wait_for(state="detached")
        for name in ("Experiments", "Pipelines", "Results"):
            tab(output, name).click()
            assert screenshot(f"project {name} {theme}", output).stat().st_size > 0
