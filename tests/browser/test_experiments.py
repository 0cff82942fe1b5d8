"""The Experiments tab in the browser (spec 9.1, 9.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS
from browser.views import eventually, scroll_box

TAB = """
from pipeline_widgets.widgets.experiments import ExperimentsView

opened = []
view = ExperimentsView(project._services, project._id, on_results=opened.append)
view
"""
#: An experiment that has run, one that has not.
RAN = """
done = project.create_experiment("done", algorithm=trainers.counter, config={"steps": 6})
done.train().wait(60)
project.create_experiment("new", algorithm=trainers.counter)
"""


Show: TypeAlias = Callable[..., Locator]


@pytest.fixture
def show(notebook: Notebook) -> Show:
    """Return what makes experiments by a few lines of Python and shows their tab."""

    def shown(code: str = "") -> Locator:
        root = notebook.run(f"{LETTERS}\n{code}\n{TAB}").locator(".pw-root").first
        expect(root.get_by_role("button", name="New experiment")).to_be_visible()
        return root

    return shown


def row(root: Locator, name: str) -> Locator:
    """Return the row of an experiment."""
    return root.locator(".pw-pt-row").filter(has=root.page.get_by_role("button", name=name, exact=True))


def act(root: Locator, name: str, word: str) -> Locator:
    """Return a button of an experiment's row."""
    return row(root, name).get_by_role("button", name=word, exact=True)


def choose(root: Locator, name: str, word: str) -> None:
    """Choose something from a row's menu."""
    root.get_by_role("button", name=f"Actions for {name}", exact=True).click()
    root.get_by_role("menuitem", name=word, exact=True).click()


def expand(root: Locator, name: str) -> Locator:
    """Expand a row, and return what is in it."""
    root.get_by_role("button", name=name, exact=True).click()
    inside = root.locator(".pw-xd")
    expect(inside).to_be_visible()
    return inside


def names(root: Locator) -> Locator:
    """Return the names of the rows, in order."""
    return root.locator(".pw-pt-row .pw-pt-title")


@pytest.mark.spec("9.1")
def test_the_columns_sort_and_the_search_finds(show: Show) -> None:
    """A header is a button; a second press turns the order around. Names are text."""
    root = show(f"for n in ('b', {HOSTILE!r}, 'a'): project.create_experiment(n, algorithm='SFT')")
    heads = root.locator(".pw-ex-table > thead").get_by_role("columnheader")
    expect(heads).to_have_text(["Name", "Algorithm", "Status", "Best score", "Last modified", "Actions"])
    expect(names(root)).to_have_text(["a", HOSTILE, "b"])
    expect(heads.nth(4)).to_have_attribute("aria-sort", "descending")
    press = root.get_by_role("button", name="Name", exact=True)
    press.press("Enter")
    expect(names(root)).to_have_text([HOSTILE, "a", "b"])
    press.press("Enter")
    expect(names(root)).to_have_text(["b", "a", HOSTILE])
    expect(press).to_be_focused()
    search = root.get_by_role("combobox", name="Filter experiments")
    search.press_sequentially("B")
    expect(names(root)).to_have_text(["b"])
    expect(root.get_by_text("1 of 3 experiments")).to_be_visible()
    search.fill("nothing")
    expect(root.get_by_text("No experiments found")).to_be_visible()
    root.get_by_role("button", name="Clear search").click()
    expect(names(root)).to_have_count(3)
    expect(search).to_be_focused()
    expect(root.locator("img")).to_have_count(0)


@pytest.mark.spec("9.1")
def test_more_than_fifty_come_in_pages(show: Show) -> None:
    """The buttons say where there is no more."""
    root = show("for n in range(53): project.create_experiment(f'e{n}', algorithm=trainers.counter)")
    expect(names(root)).to_have_count(50)
    expect(root.get_by_text("50 of 53")).to_be_visible()
    expect(root.get_by_role("button", name="Previous page")).to_have_attribute("aria-disabled", "true")
    root.get_by_role("button", name="Next page").press("Enter")
    expect(names(root)).to_have_text(["e2", "e1", "e0"])
    expect(root.get_by_role("button", name="Next page")).to_have_attribute("title", "This is the last page.")


@pytest.mark.spec("9.1")
def test_train_and_stop_with_live_status_and_progress(notebook: Notebook, show: Show) -> None:
    """A row has the button of what comes next, which keeps the focus; the menu says why not the others."""
    config = {"steps": 600, "pause": 0.1}
    root = show(f"made = project.create_experiment('slow', algorithm=trainers.counter, config={config})")
    expect(row(root, "slow")).to_contain_text("Draft")
    root.get_by_role("button", name="Actions for slow").click()
    stop, resume = (root.get_by_role("menuitem", name=name, exact=True) for name in ("Stop", "Resume"))
    expect(stop).to_have_attribute("aria-disabled", "true")
    expect(stop).to_contain_text("It has never run.")
    expect(resume).to_contain_text("It has saved no checkpoint to resume from.")
    resume.press("Escape")
    act(root, "slow", "Train").press("Enter")
    expect(row(root, "slow")).to_contain_text("Running")
    expect(row(root, "slow").get_by_role("progressbar")).to_have_attribute("aria-valuemax", "600")
    expect(row(root, "slow")).to_contain_text(re.compile(r"\d of 600.* left"))
    expect(act(root, "slow", "Train")).to_have_count(0)
    expect(act(root, "slow", "Stop")).to_be_focused()
    notebook.keys_leave_the_notebook_alone(act(root, "slow", "Stop"), ("b", "x", "d d"))
    act(root, "slow", "Stop").press("Enter")
    expect(row(root, "slow")).to_contain_text("Stopped")
    expect(act(root, "slow", "Resume")).to_be_visible()  # it has saved something: training would start over
    assert notebook.python("str(made.status)") == "Stopped"


@pytest.mark.spec("9.1", "4.5")
def test_a_press_on_what_cannot_be_used_says_why(notebook: Notebook, page: Page, show: Show) -> None:
    """Beside the control, until Escape or until focus moves on; a tooltip alone is for who has a mouse."""
    show("new = project.create_experiment('new', algorithm='SFT')")
    root = notebook.run("new").locator(".pw-root").first
    said = root.get_by_role("status").filter(has_text="It has never run.")
    stop = root.get_by_role("button", name="Stop", exact=True)
    stop.press("Enter")
    expect(said).to_be_visible()
    expect(stop).to_be_focused()
    page.keyboard.press("Escape")
    expect(said).to_have_count(0)
    stop.press("Space")
    expect(said).to_be_visible()
    root.get_by_role("button", name="Train", exact=True).focus()
    expect(said).to_have_count(0)


@pytest.mark.spec("9.1")
def test_a_refusal_is_shown_where_one_works(notebook: Notebook, page: Page, show: Show) -> None:
    """At the foot of a long list nothing scrolls: the notice comes to the row, which keeps the focus."""
    root = show("for n in range(40): project.create_experiment(f'e{n}', algorithm='SFT')")
    notebook.execute("""
def refuse(experiment):
    raise pw.PipelineError("It is refused.", "The test says so.")

view.do_train = refuse
""")
    train = act(root, "e0", "Train")
    train.focus()
    at = train.bounding_box()
    page.keyboard.press("Enter")
    notice = root.get_by_role("alert").filter(has_text="It is refused. The test says so.")
    expect(notice).to_be_in_viewport(ratio=1)
    expect(train).to_be_focused()
    assert train.bounding_box() == at
    root.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)


@pytest.mark.spec("9.1")
def test_an_expanded_row_charts_its_latest_run_live(
    notebook: Notebook, page: Page, show: Show, axe: Callable[[Locator], str]
) -> None:
    """The metric is chosen, and read point by point with the arrow keys; a refresh takes no focus."""
    root = show(RAN)
    inside = expand(root, "done")
    chart = inside.get_by_role("slider", name=re.compile("by step"))
    expect(chart).to_have_accessible_name(
        "Evaluation score by step. Evaluation score: 6 at step 6, lowest 1, highest 6"
    )
    inside.get_by_role("combobox", name="Metric").select_option("loss")
    expect(chart).to_have_accessible_name("loss by step. loss: 0.1667 at step 6, lowest 0.1667, highest 1")
    chart.focus()
    page.keyboard.press("Home")
    expect(chart).to_have_attribute("aria-valuetext", "Step 1: 1")
    page.keyboard.press("ArrowRight")
    expect(chart).to_have_attribute("aria-valuetext", "Step 2: 0.5")
    notebook.keys_leave_the_notebook_alone(chart)
    page.keyboard.press("Home")
    notebook.execute("done.update(config={'steps': 600, 'pause': 0.05}); run = done.train()")
    expect(inside.get_by_role("combobox", name="Run")).to_contain_text("Run 2 (latest)")
    expect(chart).to_have_attribute("aria-valuemax", re.compile(r"\d\d"))
    expect(chart).to_be_focused()
    runs = scroll_box(inside, "Runs")
    expect(runs.get_by_role("row", name="Run 2")).to_contain_text("Running")
    inside.get_by_role("combobox", name="Run").select_option("Run 1")
    expect(chart).to_have_attribute("aria-valuemax", "6")
    notebook.execute("run.stop(); run.wait(30)")
    assert axe(root) == ""


@pytest.mark.spec("9.1", "10.4")
def test_metrics_are_shown_whatever_the_status(notebook: Notebook, show: Show) -> None:
    """A failed run has its chart, its checkpoints and its error, as text; a draft says what is missing."""
    root = show(
        RAN
        + """
broken = project.create_experiment("broken", algorithm=trainers.counter, config={"act": "raise"})
broken.train().wait(60)
"""
    )
    inside = expand(root, "broken")
    expect(row(root, "broken")).to_contain_text("Failed")
    said = "Evaluation score by step. Evaluation score: 1 at step 1, lowest 1, highest 1"
    expect(inside.get_by_role("slider", name=re.compile("by step"))).to_have_accessible_name(said)
    raised = inside.get_by_text("the loss is <b>not</b> a number")
    expect(raised.first).to_be_visible()
    expect(inside.get_by_role("group", name="Error")).to_have_count(0)  # how it came to that is folded
    inside.get_by_text("Traceback", exact=True).click()
    expect(inside.get_by_role("group", name="Error")).to_contain_text("the loss is <b>not</b> a number")
    expect(inside.get_by_role("button", name="Copy error")).to_be_visible()
    root.get_by_role("button", name="broken", exact=True).click()
    expect(root.locator(".pw-xd")).to_have_count(0)
    inside = expand(root, "new")
    expect(inside).to_contain_text("Train it, and its metrics are charted here.")
    expect(inside).to_contain_text("No checkpoint has been saved yet.")
    expect(inside).to_contain_text("Used by no pipeline.")


@pytest.mark.spec("9.1", "8.4")
def test_checkpoints_are_listed_deployed_and_deleted(notebook: Notebook, show: Show) -> None:
    """Missing scores are N/A; what is in use stays, and the refusal lists its users."""
    root = show(RAN + "project.create_pipeline('chain').add_experiment_stage(done)")
    inside = expand(root, "done")
    expect(inside).to_contain_text("Used by stage 1 of pipeline chain.")
    table = scroll_box(inside, "Checkpoints")
    expect(table.get_by_role("columnheader")).to_have_text(
        ["Steps", "Training Score", "Evaluation Score", "Size", "Actions"]
    )
    rows = table.locator("tbody").get_by_role("row")
    expect(rows).to_have_count(6)
    expect(rows.first.get_by_role("cell")).to_contain_text(["Best Final 6", "N/A", "6", "11 B", "Deploy"])
    rows.first.get_by_role("button", name="Deploy").press("Enter")
    dialog = root.get_by_role("dialog", name="Deploy the checkpoint at step 6")
    expect(dialog.get_by_label("Agent name")).to_have_value("done - step 6")
    dialog.get_by_label("Agent name").fill(" ")
    dialog.get_by_role("button", name="Deploy").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Enter a name for the agent.")
    dialog.get_by_label("Agent name").fill("mine")
    dialog.get_by_label("Description").fill("to try")
    dialog.get_by_role("checkbox", name="Connect it").uncheck()
    dialog.get_by_role("button", name="Deploy").click()
    expect(root.get_by_role("group", name="Notification")).to_contain_text("Agent mine was saved.")
    assert notebook.python("[(a.name, a.description) for a in ws.agents]") == [["mine", "to try"]]
    rows.first.get_by_role("button", name="Delete").click()
    dialog = root.get_by_role("dialog", name="Delete the checkpoint at step 6?")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_contain_text("It is used by agent 'mine'.")
    dialog.get_by_role("button", name="Cancel").click()
    rows.nth(1).get_by_role("button", name="Delete").click()
    root.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(5)
    assert notebook.python("[c.step for c in done.checkpoints]") == [1, 2, 3, 4, 6]


@pytest.mark.spec("9.1")
def test_checkpoints_follow_the_chosen_run(show: Show) -> None:
    """Best and final come first, scores stand in line; those of all runs are listed on demand, by run."""
    root = show("""
@pw.algorithm("Up and down", produces="thing")
def wave(ctx):
    for step, value in ((1, 0.5), (2, 0.25), (3, -0.125)):
        ctx.report(step, evaluation_score=value)
        with ctx.checkpoint(step) as folder:
            (folder / "x").write_text("x")

made = project.create_experiment("wave", algorithm="Up and down")
for _ in range(2): made.train().wait(60)
""")
    inside = expand(root, "wave")
    table = scroll_box(inside, "Checkpoints")
    rows = table.locator("tbody").get_by_role("row")

    def listed() -> list[list[str]]:
        return [[cell.inner_text() for cell in each.get_by_role("cell").all()[:-1]] for each in rows.all()]

    expect(rows).to_have_count(3)
    assert [(one[0].split()[-1], one[2]) for one in listed()] == [
        ("1", "0.500"), ("3", "\u22120.125"), ("2", "0.250"),
    ]  # fmt: skip
    inside.get_by_role("combobox", name="Checkpoints of").select_option("Of all runs")
    expect(rows).to_have_count(6)
    expect(table.get_by_role("columnheader").first).to_have_text("Run")
    assert [one[0] for one in listed()] == ["2", "2", "2", "1", "1", "1"]
    inside.get_by_role("combobox", name="Checkpoints of").select_option("Of run 2")
    expect(rows).to_have_count(3)


@pytest.mark.spec("9.1", "8.1")
def test_a_checkpoint_is_deployed_and_connected(notebook: Notebook, show: Show) -> None:
    """It is connected unless one says otherwise; its view, to which the toast leads, creates its key."""
    root = show(RAN)
    expand(root, "done").get_by_role("button", name="Deploy").first.click()
    dialog = root.get_by_role("dialog", name="Deploy the checkpoint")
    expect(dialog.get_by_role("checkbox", name="Connect it")).to_be_checked()
    dialog.get_by_role("button", name="Deploy").click()
    said = root.get_by_role("group", name="Notification")
    expect(said).to_contain_text("Agent done - step 6 was saved, and is being connected.")
    said.get_by_role("button", name="View").click()
    endpoint = root.get_by_role("region", name="Endpoint of done - step 6")
    expect(endpoint).to_be_visible()
    endpoint.get_by_role("button", name="Create key").click()
    expect(root.get_by_role("button", name="Copy key")).to_be_visible()
    notebook.execute("project._services.disconnect_agent(ws.agents[0]._id)")


@pytest.mark.spec("9.1")
def test_resume_asks_for_a_checkpoint_and_a_name(notebook: Notebook, show: Show) -> None:
    """It warns of what happens to the pipeline: the stage is bound to the new experiment and triggered."""
    root = show(
        RAN
        + """
pipe = project.create_pipeline("chain"); stage = pipe.add_experiment_stage(done)
done.train().wait(60)
done.update(config={"steps": 9})
"""
    )
    choose(root, "done", "Resume")
    dialog = root.get_by_role("dialog", name="Resume 'done'")
    expect(dialog).to_contain_text(
        "It belongs to pipeline 'chain'. Stage 1 will be bound to the new experiment, and triggered."
    )
    expect(dialog.get_by_role("combobox", name="Run")).to_contain_text("Run 2, 6 checkpoints")
    expect(dialog.get_by_role("radio", name="Final checkpoint")).to_be_checked()
    dialog.get_by_role("radio", name="A specific step").check()
    dialog.get_by_role("radio", name="Step 4").check()
    name = dialog.get_by_label("Name of the new experiment")
    expect(name).to_have_value("done (resumed)")
    name.fill("new")
    dialog.get_by_role("button", name="Resume").click()
    expect(dialog.get_by_role("alert")).to_contain_text("An experiment named 'new' already exists.")
    expect(dialog.get_by_role("radio", name="Step 4")).to_be_checked()
    name.fill("on")
    name.press("Enter")
    expect(dialog).to_have_count(0)
    expect(root.get_by_role("button", name="on", exact=True)).to_be_focused()
    expect(row(root, "on")).to_contain_text("Succeeded")
    notebook.execute("made = project.experiments['on']")
    assert notebook.python("[c.step for c in made.checkpoints]") == [5, 6, 7, 8, 9]
    assert notebook.python("(pipe.stages[0].experiment.name, str(pipe.stages[0].status))") == [
        "on",
        "Succeeded",
    ]


@pytest.mark.spec("9.1")
def test_resuming_what_is_complete_warns(notebook: Notebook, show: Show) -> None:
    """It would train nothing; with more steps, which the dialog offers, it goes on."""
    root = show(RAN)
    choose(root, "done", "Resume")
    dialog = root.get_by_role("dialog", name="Resume 'done'")
    warning = dialog.get_by_text("This checkpoint is at step 6 of 6. Nothing left to train;")
    expect(warning).to_be_visible()
    dialog.get_by_role("radio", name="A specific step").check()
    steps = dialog.get_by_role("table", name="Checkpoints").get_by_role("radio")
    assert steps.evaluate_all("all => all.map(each => each.value)") == ["6", "5", "4", "3", "2", "1"]
    dialog.get_by_role("radio", name="Step 4").check()
    expect(warning).to_have_count(0)
    dialog.get_by_role("radio", name="Final checkpoint").check()
    expect(warning).to_be_visible()
    dialog.get_by_label("Steps", exact=True).fill("8")
    expect(warning).to_have_count(0)
    dialog.get_by_role("button", name="Resume").click()
    expect(row(root, "done (resumed)")).to_contain_text("Succeeded")
    notebook.execute("made = project.experiments['done (resumed)']")
    assert notebook.python("(made.config['steps'], [c.step for c in made.checkpoints])") == [8, [7, 8]]


@pytest.mark.spec("9.1")
def test_duplicate_delete_and_results(notebook: Notebook, show: Show) -> None:
    """Delete is confirmed with what goes with it, and disabled while a pipeline uses it."""
    root = show(
        RAN + "pipe = project.create_pipeline('chain'); pipe.add_experiment_stage(project.experiments['new'])"
    )
    choose(root, "done", "Duplicate")
    dialog = root.get_by_role("dialog", name="Duplicate 'done'")
    expect(dialog.get_by_label("Name")).to_have_value("done (copy)")
    dialog.get_by_role("button", name="Duplicate").click()
    expect(row(root, "done (copy)")).to_contain_text("Draft")
    expect(root.get_by_role("button", name="done (copy)", exact=True)).to_be_focused()
    assert notebook.python("project.experiments['done (copy)'].config['steps']") == 6
    choose(root, "done", "Results")
    expect(root.get_by_role("menu")).to_have_count(0)
    eventually(notebook, "opened == [done._id]", wanted=True)
    root.get_by_role("button", name="Actions for new", exact=True).click()
    refused = root.get_by_role("menuitem", name="Delete")
    expect(refused).to_have_attribute("aria-disabled", "true")
    expect(refused).to_have_accessible_name("Delete")
    expect(refused).to_have_accessible_description("It is used by pipeline 'chain'.")
    expect(refused.get_by_text("It is used by pipeline 'chain'.")).to_be_visible()
    notebook.page.keyboard.press("Escape")
    choose(root, "done", "Delete")
    dialog = root.get_by_role("dialog", name="Delete experiment 'done'?")
    expect(dialog).to_contain_text(
        "1 run and 6 checkpoints, with all files and metrics, are deleted with it."
    )
    dialog.get_by_role("button", name="Cancel").click()
    expect(row(root, "done")).to_have_count(1)
    choose(root, "done", "Delete")
    dialog.get_by_role("button", name="Delete").click()
    expect(row(root, "done")).to_have_count(0)
    assert notebook.python("[e.name for e in project.experiments]") == ["new", "done (copy)"]


@pytest.mark.spec("9.2")
def test_a_new_experiment_is_configured_by_keyboard(
    notebook: Notebook, page: Page, show: Show, axe: Callable[[Locator], str]
) -> None:
    """From the empty state: fields with default, unit and bounds; every error at once, beside its field."""
    root = show()
    expect(root.get_by_text("No experiments yet")).to_be_visible()
    assert axe(root) == ""
    root.get_by_role("button", name="New experiment").press("Enter")
    dialog = root.get_by_role("dialog", name="New experiment")
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    algorithm = dialog.get_by_role("combobox", name="Algorithm")
    algorithm.select_option("PPO")
    steps, rate = dialog.get_by_label("Steps", exact=True), dialog.get_by_label("Learning rate")
    expect(steps).to_have_value("65536")
    said = "Total environment steps, rounded up to whole rollouts. At least 1. Default: 65536."
    expect(steps).to_have_accessible_description(f"environment steps {said}")
    expect(dialog).to_contain_text("Trains from scratch or from an actor-critic (starting weights).")
    steps.fill("0")
    rate.fill("fast")
    rate.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("3 fields need fixing.")
    name = dialog.get_by_label("Name", exact=True)
    expect(name).to_be_focused()
    expect(name).to_have_accessible_description(re.compile("Enter a name for the experiment"))
    expect(steps).to_have_accessible_description(re.compile(r"At least 1\. Default: 65536\. At least 1\."))
    expect(rate).to_have_attribute("aria-invalid", "true")
    expect(rate).to_have_accessible_description(re.compile("Not a number"))
    assert axe(root) == ""
    notebook.keys_leave_the_notebook_alone(dialog.get_by_role("button", name="Create"), ("b", "x", "d d"))
    notebook.execute("project.create_experiment('meanwhile', algorithm=trainers.counter); view.refresh()")
    expect(row(root, "meanwhile")).to_have_count(1)
    expect(rate).to_have_value("fast")  # a refresh loses nothing
    page.keyboard.press("Escape")
    root.get_by_role("button", name="New experiment").click()
    expect(rate).to_have_value("fast")  # neither does Escape
    algorithm.select_option("SFT")
    expect(dialog.get_by_role("combobox", name="Base model")).to_have_value('"letters-128"')
    algorithm.select_option("PPO")
    expect(rate).to_have_value("fast")
    rate.fill("1e-3")
    steps.fill("2048")
    name.fill("mine")
    name.press("Enter")
    expect(dialog).to_have_count(0)
    expect(root.get_by_role("button", name="mine", exact=True)).to_be_focused()
    config = notebook.python("project.experiments['mine'].config")
    assert (config["learning_rate"], config["steps"], config["epochs"]) == (0.001, 2048, 4)


@pytest.mark.spec("9.2")
def test_an_error_is_gone_once_its_field_is_changed(page: Page, show: Show) -> None:
    """The sum goes down and leads on; Reset brings the defaults back, Cancel throws away what is typed."""
    root = show("""
from pydantic import BaseModel

class Config(BaseModel):
    rate: float = 0.5
    data: str

@pw.algorithm("A", produces="thing", config=Config)
def needs(ctx):
    pass
""")
    new = root.get_by_role("button", name="New experiment").first
    new.click()
    dialog = root.get_by_role("dialog", name="New experiment")
    dialog.get_by_role("combobox", name="Algorithm").select_option("A")
    name, rate, data = (dialog.get_by_label(each, exact=True) for each in ("Name", "Rate", "Data"))
    expect(dialog.locator(".pw-xf-fields").nth(-2).locator("label")).to_have_text(["Data", "Rate"])
    expect(data).to_have_attribute("aria-required", "true")
    rate.fill("fast")
    dialog.get_by_role("button", name="Create").click()
    alert = dialog.get_by_role("alert")
    expect(alert).to_contain_text("3 fields need fixing.")
    expect(name).to_be_focused()
    name.fill("mine")
    expect(alert).to_contain_text("2 fields need fixing.")
    expect(name).not_to_have_attribute("aria-invalid", "true")
    dialog.get_by_role("button", name="Next").click()
    expect(data).to_be_focused()
    dialog.get_by_role("button", name="Next").click()
    expect(rate).to_be_focused()
    dialog.get_by_role("button", name="Next").click()
    expect(data).to_be_focused()
    data.fill("here")
    expect(alert).to_contain_text("1 field needs fixing.")
    dialog.get_by_role("button", name="Reset").click()
    expect(alert).to_have_text("")
    for field, value in ((name, ""), (rate, "0.5"), (data, "")):
        expect(field).to_have_value(value)
    data.fill("here")
    page.keyboard.press("Escape")
    new.click()
    expect(data).to_have_value("here")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    new.click()
    dialog.get_by_role("combobox", name="Algorithm").select_option("A")
    expect(data).to_have_value("")


@pytest.mark.spec("9.2", "10.4")
def test_odd_fields_have_odd_controls_and_are_text(notebook: Notebook, show: Show) -> None:
    """Choices, boxes, JSON and None; a title and a description with HTML stay text."""
    root = show(f"""
from typing import Literal
from pydantic import BaseModel, Field

class Nested(BaseModel):
    lr: float = Field(default=0.1, gt=0)

class Config(BaseModel):
    mode: Literal["fast", "slow"] = "fast"
    flag: bool = True
    limit: int | None = 5
    nested: Nested = Nested()
    cls: str = Field(default="cat", alias="class", description={HOSTILE!r})
    odd: int = Field(title={HOSTILE!r})

@pw.algorithm("A", produces="thing", config=Config)
def odd(ctx):
    pass
""")
    root.get_by_role("button", name="New experiment").click()
    dialog = root.get_by_role("dialog", name="New experiment")
    dialog.get_by_role("combobox", name="Algorithm").select_option("A")
    dialog.get_by_role("combobox", name="Mode").select_option("slow")
    dialog.get_by_role("checkbox", name="Flag").uncheck()
    dialog.get_by_label("Limit", exact=True).fill("")
    nested, typed = dialog.get_by_label("Nested"), dialog.get_by_label(HOSTILE)
    expect(dialog.get_by_label("Class")).to_have_value("cat")
    expect(root.locator("img")).to_have_count(0)
    nested.fill("{lr: 1}")
    dialog.get_by_label("Name", exact=True).fill("made")
    dialog.get_by_role("button", name="Create").click()
    expect(nested).to_have_accessible_description(re.compile("This is not JSON"))
    expect(typed).to_have_accessible_description(re.compile("This has no default: fill it in"))
    nested.fill('{"lr": 2}')
    typed.fill("3")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_have_count(0)
    assert notebook.python("project.experiments['made'].config") == {
        "mode": "slow", "flag": False, "limit": None, "nested": {"lr": 2.0}, "cls": "cat", "odd": 3,
    }  # fmt: skip


@pytest.mark.spec("9.2")
def test_a_config_is_edited(notebook: Notebook, show: Show) -> None:
    """The form has what the experiment has; a change in between is not overwritten."""
    root = show(RAN)
    inside = expand(root, "done")
    inside.get_by_role("button", name="Edit config").click()
    dialog = root.get_by_role("dialog", name="Edit config of 'done'")
    expect(dialog).to_contain_text("Existing runs keep their config.")
    expect(dialog.get_by_label("Steps")).to_have_value("6")
    dialog.get_by_label("Steps").fill("8")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    config = inside.get_by_role("group", name="Config")
    expect(config).to_contain_text("Config of run 1; the experiment has changed since.")
    expect(config.get_by_text("Steps").locator("..")).to_have_text("Steps6now: 8")
    runs = scroll_box(inside, "Runs")
    note = runs.get_by_role("row", name="Run 1").get_by_text("another config")
    assert note.evaluate("element => element.getClientRects().length") == 1
    choose(root, "done", "Edit config")
    notebook.execute("done.update(config={'steps': 9})")
    dialog.get_by_label("Steps").fill("10")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("was changed meanwhile")
    expect(dialog.get_by_label("Steps")).to_have_value("10")
    dialog.get_by_role("button", name="Cancel").click()
    assert notebook.python("done.config['steps']") == 9


@pytest.mark.spec("4.5", "4.6", "9.1")
def test_it_is_accessible_in_every_theme_and_width(
    notebook: Notebook,
    page: Page,
    show: Show,
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
) -> None:
    """In each theme and with two rows open; long names do not push the table apart."""
    made = f"for n in ('long name ' * 20, {HOSTILE!r}): project.create_experiment(n, algorithm='SFT')"
    again = """
other = project.create_experiment("other", algorithm=trainers.counter, config={"steps": 3})
other.train().wait(60)
"""
    root = show(RAN + again + made)
    expand(root, "done")
    expect(root.locator(".pw-chart canvas")).to_be_visible()
    page.mouse.move(0, 0)
    for theme in ("light", "dark", "JupyterLab Dark High Contrast"):
        notebook.theme(theme)
        screenshot(f"experiments {theme}", root)
        assert axe(root) == "", theme
    root.get_by_role("button", name="other", exact=True).click()
    expect(scroll_box(root, "Checkpoints")).to_have_count(2)
    assert axe(root) == ""
    root.get_by_role("button", name="other", exact=True).click()
    assert root.evaluate("element => element.scrollWidth <= element.clientWidth")
    made_with = row(root, "done").get_by_text("counter")
    expect(made_with.locator("visible=true")).to_have_count(1)
    root.evaluate("element => { element.style.maxWidth = '640px' }")
    expect(act(root, "done", "Train")).to_be_visible()  # an icon there, by the same name
    expect(made_with.locator("visible=true")).to_have_count(1)  # under the name there
    chart = root.get_by_role("slider", name=re.compile("by step"))
    assert chart.evaluate("element => element.firstChild.clientWidth <= element.clientWidth")
    assert axe(root) == ""
    screenshot("experiments narrow", root)
