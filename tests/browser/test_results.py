"""The Results tab in the browser (spec 9.3)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser import views
from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS

pytestmark = pytest.mark.spec("9.3")

#: Two experiments that have run, one of them twice.
RAN = f"""{LETTERS}
sft = project.create_experiment("sft", algorithm=trainers.counter, config={{"steps": 6}})
dpo = project.create_experiment("dpo", algorithm=trainers.counter, config={{"steps": 4}}, seed=7)
for each in (sft, dpo, sft):
    each.train().wait(60)
"""
#: What they used at most, but for the second one, which ended before a sample.
USED = """
import sqlite3
_file = sqlite3.connect("lab.db")
_file.execute("UPDATE runs SET peak_memory = NULL")
_file.execute("UPDATE runs SET peak_memory = 805306368 WHERE id = 1")
_file.execute("UPDATE runs SET peak_memory = 2147483648 WHERE id = 3")
_file.commit()
_file.close()
"""


def show(notebook: Notebook, code: str, view: str) -> Locator:
    """Run code and show a view of results."""
    root = notebook.run(f"{code}\nview = {view}\nview", timeout=120).locator(".pw-root").first
    expect(root.locator(".pw-results")).to_be_visible()
    return root


def chart(root: Locator, name: str) -> Locator:
    """Return the chart of a metric, which is read like a slider."""
    return root.get_by_role("slider", name=re.compile(f"^{name} by step"))


def part(root: Locator, name: str) -> Locator:
    """Return a chart with its legend and buttons."""
    slider = root.page.get_by_role("slider", name=re.compile(f"^{name} by step"))
    return root.locator(".pw-results-chart").filter(has=slider)


def runs(root: Locator) -> Locator:
    """Return the rows of the table of runs."""
    return root.get_by_role("group", name="Runs", exact=True).locator("tbody tr")


def cells(root: Locator, column: str) -> Locator:
    """Return the cells of a column of the table of runs."""
    table = root.get_by_role("group", name="Runs", exact=True)
    heads = table.locator("thead th").all_text_contents()  # also those for which there is no room
    return runs(root).locator(f":scope > :nth-child({heads.index(column) + 1})")


def draws(root: Locator, name: str) -> Locator:
    """Return the box that says whether a run is drawn."""
    return root.get_by_role("checkbox", name=f"Chart {name}", exact=True)


def coloured(place: Locator) -> int:
    """Return how many different colours a chart's canvas shows."""
    return place.evaluate(
        """element => {
        const canvas = element.querySelector("canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4)
            if (data[at + 3] > 250) seen.add(`${data[at]},${data[at + 1]},${data[at + 2]}`);
        return seen.size;
    }"""
    )


def test_experiments_stand_side_by_side(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Runs in a table, a chart for each metric with a line for each run, in every theme, accessible."""
    root = show(notebook, RAN, "project.compare()")
    expect(root.get_by_role("heading", name="Results of sft and dpo")).to_be_visible()
    expect(runs(root)).to_have_count(3)
    loss = chart(root, "loss")
    name = loss.get_attribute("aria-label") or ""
    for told in ("sft run 1: 0.1667 at step 6", "sft run 2: 0.1667 at step 6", "dpo run 1: 0.25 at step 4"):
        assert told in name
    legend = part(root, "loss").get_by_role("listitem")
    expect(legend).to_have_text(["sft run 10.1667", "sft run 20.1667", "dpo run 10.2500"])
    assert coloured(loss) > 3
    for theme in ("light", "dark"):
        notebook.theme(theme)
        screenshot(f"results {theme}", root)
        assert not axe(root)
    assert coloured(loss) > 3


def test_charts_are_read_at_the_same_step(notebook: Notebook, page: Page) -> None:
    """By arrow keys or the mouse; every legend says what each run had there; no key leaves the chart."""
    root = show(notebook, RAN, "project.compare()")
    loss = chart(root, "loss")
    loss.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    said = "Step 2: sft run 1 0.5, sft run 2 0.5, dpo run 1 0.5"
    expect(loss).to_have_attribute("aria-valuetext", said)
    other = part(root, "Evaluation score").get_by_role("listitem")
    expect(other).to_have_text(["sft run 12", "sft run 22", "dpo run 12"])
    page.keyboard.press("End")  # dpo has ended by then, and that is said
    expect(loss).to_have_attribute(
        "aria-valuetext", "Step 6: sft run 1 0.1667, sft run 2 0.1667, dpo run 1 0.2500 (ended at 4)"
    )
    expect(other).to_have_text(["sft run 16", "sft run 26", "dpo run 14ended at 4"])
    notebook.keys_leave_the_notebook_alone(loss)
    box = loss.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 56, box["y"] + 80)
    expect(other).to_have_text(["sft run 11", "sft run 21", "dpo run 11"])


def test_a_chart_is_zoomed_and_stays_so_while_data_come(
    notebook: Notebook, page: Page, screenshot: Callable[..., Path]
) -> None:
    """By dragging, or + and -; "Show all steps" and Escape undo it; a logarithmic axis is a button away."""
    root = show(notebook, RAN, "project.compare('sft')")
    loss = chart(root, "loss")
    whole = root.get_by_role("button", name="Show all steps")  # one for all: they are zoomed together
    expect(whole).to_be_hidden()
    loss.focus()
    page.keyboard.press("+")
    expect(whole).to_be_visible()
    page.keyboard.press("Home")  # the cursor is followed to where it goes
    expect(loss).to_have_attribute("aria-valuetext", "Step 1: sft run 1 1, sft run 2 1")
    expect(part(root, "loss").locator(".u-cursor-x").first).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(whole).to_be_hidden()
    box = loss.bounding_box()
    assert box is not None
    loss.scroll_into_view_if_needed()
    page.mouse.move(box["x"] + 120, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 220, box["y"] + 60, steps=4)
    page.mouse.up()
    expect(whole).to_be_visible()
    notebook.execute("sft.train().wait(60)", timeout=90)
    expect(runs(root)).to_have_count(3)
    expect(loss).to_have_accessible_name(re.compile("sft run 3"))
    expect(whole).to_be_visible()
    page.mouse.move(box["x"] + 60, box["y"] + 60)  # at the left edge are later steps than the first
    expect(part(root, "Evaluation score")).not_to_contain_text("Step 1", use_inner_text=True)
    expect(part(root, "Evaluation score")).to_contain_text("Step", use_inner_text=True)
    whole.click()
    expect(whole).to_be_hidden()
    expect(loss).to_be_focused()
    loss.hover(position={"x": 60, "y": 60})
    expect(part(root, "Evaluation score")).to_contain_text("Step 1", use_inner_text=True)
    before = coloured(loss)
    part(root, "loss").get_by_role("button", name="Log", exact=True).click()
    assert coloured(loss) > 1
    screenshot("results log", root)
    assert before > 1


def test_what_is_shown_larger_has_more_points(notebook: Notebook, page: Page) -> None:
    """Every step where one has zoomed in; a chart that is enlarged is as wide as all of them."""
    code = f"""{RAN}
from pipeline_widgets.widgets import results
results.SHARED = 400
long = project.create_experiment("long", algorithm=trainers.counter, config={{"steps": 3000}})
long.train().wait(60)
"""
    root = show(notebook, code, "project.compare('long', 'sft')")
    loss = chart(root, "loss")
    loss.focus()
    page.keyboard.press("End")
    expect(loss).to_have_attribute(
        "aria-valuetext", re.compile("^Step 3,000: .*sft run 1 0.1667 .ended at 6")
    )
    assert _stride(loss) > 1  # thinned
    for _ in range(6):
        page.keyboard.press("+")
    for _ in range(50):
        page.wait_for_timeout(300)  # until more points have come
        if _stride(loss) == 1:
            break
    else:
        raise AssertionError("Zooming in shows no more points.")
    enlarge = root.get_by_role("button", name="Enlarge loss")
    narrow = loss.bounding_box()
    enlarge.press("Enter")
    expect(enlarge).to_have_attribute("aria-pressed", "true")
    expect(enlarge).to_be_focused()
    wide = loss.bounding_box()
    assert narrow is not None
    assert wide is not None
    assert wide["width"] > 1.5 * narrow["width"]
    enlarge.press("Enter")
    expect(enlarge).to_have_attribute("aria-pressed", "false")


def _stride(slider: Locator) -> int:
    """Go on to the point before, and return how many steps away it is."""
    before = int(slider.get_attribute("aria-valuenow") or 0)
    slider.press("ArrowLeft")
    return before - int(slider.get_attribute("aria-valuenow") or 0)


def test_a_run_is_emphasised_in_all_charts(notebook: Notebook) -> None:
    """The one whose name, row or line is pointed at or focused; pressed, its name keeps it so."""
    root = show(notebook, RAN, "project.compare()")
    names = root.get_by_role("list", name="Runs in the charts").get_by_role("button")
    expect(names).to_have_text(["sftrun 1", "sftrun 2", "dporun 1"])
    lit = root.locator(".pw-chart-legend .pw-chart-lit")
    metrics = root.locator(".pw-results-chart").count()
    names.nth(2).hover()
    expect(lit).to_have_count(metrics)
    expect(lit.first).to_contain_text("dpo run 1")
    runs(root).filter(has_text="run 2").hover()
    expect(lit.first).to_contain_text("sft run 2")
    draws(root, "sft run 1").focus()
    expect(lit.first).to_contain_text("sft run 1")
    names.nth(2).press("Enter")
    expect(names.nth(2)).to_have_attribute("aria-pressed", "true")
    root.get_by_role("heading", name="Results of sft and dpo").hover()
    root.get_by_role("combobox", name="Horizontal axis").focus()
    expect(lit.first).to_contain_text("dpo run 1")
    names.nth(2).press("Enter")
    root.get_by_role("combobox", name="Horizontal axis").focus()
    expect(lit).to_have_count(0)


def test_the_table_is_sorted_by_any_column(notebook: Notebook) -> None:
    """By a press on its head, the other way by another one; the latest come first, and the best is marked."""
    root = show(notebook, RAN, "project.compare()")
    expect(cells(root, "Run")).to_have_text(["run 2", "run 1", "run 1"])
    expect(cells(root, "Experiment")).to_have_text(["sft", "dpo", "sft"])
    head = root.get_by_role("columnheader", name="Best evaluation score")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(cells(root, "Best evaluation score")).to_have_text(["best6", "best6", "4"])
    head.get_by_role("button").press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    expect(head.get_by_role("button")).to_be_focused()
    expect(cells(root, "Best evaluation score")).to_have_text(["4", "best6", "best6"])
    expect(root.get_by_role("columnheader", name="Started")).not_to_have_attribute(
        "aria-sort", re.compile(".")
    )


@pytest.mark.spec("6.14")
def test_what_runs_used_of_memory_is_a_column(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """It is there where any run has a sample, sorts like the others, and says N/A for the rest."""
    root = show(notebook, RAN + USED, "project.compare()")
    expect(cells(root, "Peak memory")).to_have_text(["2.15 GB", "N/A", "805 MB"])
    expect(root.get_by_role("columnheader", name="Peak GPU memory")).to_have_count(0)
    head = root.get_by_role("columnheader", name="Peak memory")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(cells(root, "Peak memory")).to_have_text(["2.15 GB", "805 MB", "N/A"])
    for theme in ("light", "dark"):
        notebook.theme(theme)
        head.scroll_into_view_if_needed()
        screenshot(f"results memory {theme}", root)
        assert not axe(root)


def test_a_score_that_is_no_number_is_marked(notebook: Notebook) -> None:
    """Where the line ends there is a cross, and its value is N/A, as in the table."""
    code = f"""{LETTERS}
@pw.algorithm("Lost", produces={{"x"}})
def lost(ctx):
    for step in range(1, 9):
        ctx.report(step, loss=1.0 if step < 5 else float("nan"))

made = project.create_experiment("lost", algorithm=lost)
made.train().wait(60)
"""
    root = notebook.run(f"{code}\nproject.view()").locator(".pw-root").first
    root.get_by_role("tab", name="Results").click()
    expect(root.get_by_role("heading", name="Results of lost")).to_be_visible()  # the only one
    loss = chart(root, "loss")
    expect(loss).to_have_attribute("aria-valuetext", "Step 8: N/A")
    expect(loss).to_have_accessible_name(re.compile("N/A at step 8, lowest 1, highest 1"))
    expect(cells(root, "Best training score")).to_have_text(["N/A"])


@pytest.mark.parametrize("width", [600, 900])
def test_names_of_settings_are_never_broken(notebook: Notebook, page: Page, width: int) -> None:
    """However many runs stand beside: the column of names stays in sight and in one line."""
    page.set_viewport_size({"width": width, "height": 800})
    code = f"""{LETTERS}
made = project.create_experiment("made", algorithm=trainers.counter, config={{"steps": 2}})
for pause in range(9):
    made.update(config={{"steps": 2, "pause": pause / 1000}}, seed=pause)
    made.train().wait(60)
"""
    root = show(notebook, code, "project.compare()")
    config = root.get_by_role("group", name="Config of the runs")
    config.evaluate("element => element.scrollLeft = 10000")
    for name in config.get_by_role("rowheader").all():
        box, outer = name.bounding_box(), config.bounding_box()
        assert box is not None
        assert outer is not None
        assert box["height"] < 50
        assert abs(box["x"] - outer["x"]) < 3
    page.set_viewport_size({"width": 1280, "height": 900})


def test_it_is_live(notebook: Notebook) -> None:
    """A run that is at work grows in the chart and in the table, also while a cell is executing."""
    code = f"""{LETTERS}
slow = project.create_experiment("slow", algorithm=trainers.counter, config={{"steps": 400, "pause": 0.05}})
slow.train()
"""
    root = show(notebook, code, "project.compare(slow)")
    expect(runs(root).first).to_contain_text("Running")
    loss = chart(root, "loss")
    expect(loss).to_have_attribute("aria-valuemax", re.compile(r"^\d+$"))
    notebook.start("import time; time.sleep(8)")
    loss.scroll_into_view_if_needed()  # what is out of sight is not refreshed
    first = int(loss.get_attribute("aria-valuemax") or 0)
    expect(loss).not_to_have_attribute("aria-valuemax", str(first), timeout=20_000)
    notebook.finish()
    notebook.execute("slow.stop()")
    expect(runs(root).first).to_contain_text("Stopped", timeout=20_000)


def test_runs_are_chosen_one_by_one(notebook: Notebook, page: Page) -> None:
    """A box in each row, by mouse or Space; the focus stays; the charts and the config follow."""
    root = show(notebook, RAN, "project.compare()")
    loss = chart(root, "loss")
    box = draws(root, "sft run 1")
    box.focus()
    page.keyboard.press("Space")
    expect(box).not_to_be_checked()
    expect(box).to_be_focused()
    expect(loss).not_to_have_accessible_name(re.compile("sft run 1"))
    expect(root.get_by_text("The charts show 2 of these runs.")).to_be_visible()
    config = root.get_by_role("group", name="Config of the runs").get_by_role("columnheader")
    expect(config).to_have_text(["Setting", "sft run 2", "dpo run 1"])
    box.check()
    expect(loss).to_have_accessible_name(re.compile("sft run 1"))
    expect(config).to_have_count(4)


def test_single_runs_are_compared_from_python(notebook: Notebook) -> None:
    """`project.compare(run, "dpo")` draws that run of sft, and all of dpo."""
    root = show(notebook, RAN, "project.compare(sft.runs[1], 'dpo')")
    expect(root.get_by_role("heading", name="Results of dpo and sft")).to_be_visible()
    expect(root.get_by_text("2 of 3 runs charted")).to_be_visible()
    expect(draws(root, "sft run 1")).not_to_be_checked()
    expect(draws(root, "sft run 2")).to_be_checked()
    expect(draws(root, "dpo run 1")).to_be_checked()


def test_configs_that_differ_are_shown(notebook: Notebook, screenshot: Callable[..., Path]) -> None:
    """Only the settings that differ, or all on demand; a setting that one lacks is a dash."""
    code = f"""{RAN}
line = project.create_experiment("line", algorithm=trainers.line, config={{"above": 2.0}})
line.train().wait(60)
"""
    root = show(notebook, code, "project.compare('sft', 'dpo')")
    part = root.get_by_role("group", name="Config", exact=True)
    expect(part).to_contain_text(re.compile(r"2 of \d settings differ\."))
    cells = part.get_by_role("row").filter(has_text="steps").get_by_role("cell")
    expect(cells).to_have_text(["6", "6", "4"])
    expect(part.get_by_role("row").filter(has_text="seed").get_by_role("cell")).to_have_text(["0", "0", "7"])
    expect(part.get_by_role("row").filter(has_text="pause")).to_have_count(0)
    part.get_by_role("checkbox", name="Show equal settings").check()
    expect(part.get_by_role("row").filter(has_text="pause")).to_have_count(1)
    expect(part.get_by_role("row").filter(has_text="starts from").get_by_role("cell")).to_have_text(
        ["scratch"] * 3
    )
    root = show(notebook, "", "project.compare('dpo', 'line')")
    part = root.get_by_role("group", name="Config", exact=True)
    expect(part.get_by_role("row").filter(has_text="above").get_by_role("cell")).to_have_text(["–", "2.0"])
    screenshot("results config", root)
    root = show(notebook, "", "project.compare(line)")
    expect(root.get_by_role("row").filter(has_text="above").get_by_role("cell")).to_have_text(["2.0"])


@pytest.mark.spec("10.1")
def test_tables_are_saved_as_csv_and_equal_the_data_frames(notebook: Notebook, page: Page) -> None:
    """The runs, and what they reported; a name that a spreadsheet would carry out is defused."""
    root = show(notebook, f"{RAN}\ndpo.update(name='=1+1')", "project.compare()")
    with page.expect_download() as saved:
        root.get_by_role("button", name="Runs as CSV").click()
    assert saved.value.suggested_filename == "runs.csv"
    rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text(encoding="utf-8"))))
    assert [(row["experiment"], row["run"], row["steps"]) for row in rows] == [
        ("sft", "1", "6"),
        ("sft", "2", "6"),
        ("'=1+1", "1", "4"),
    ]
    with page.expect_download() as saved:
        root.get_by_role("button", name="Metrics as CSV (charted runs)").press("Enter")
    text = saved.value.path().read_text(encoding="utf-8")
    same = notebook.python(
        f"""(lambda pd, io: pd.read_csv(io.StringIO({text!r}), float_precision="round_trip")
        .replace("'=1+1", "=1+1").equals(view.metrics))(__import__("pandas"), __import__("io"))"""
    )
    assert same is True


def test_lineage_goes_both_ways(notebook: Notebook, screenshot: Callable[..., Path]) -> None:
    """From a run to what it started from, and to what came of it: runs, deployments, agents."""
    code = f"""{LETTERS}
pipe = chain("sft", "dpo", steps=3)
pipe.stages[0].trigger()
pipe.wait(90)
keeper = ws.create_agent("keeper", project.experiments["dpo"].checkpoints[-1], description="")
"""
    root = show(notebook, code, "project.compare()")
    opener = root.get_by_role("button", name="Lineage of dpo run 1")
    opener.press("Enter")
    told = root.get_by_role("group", name="Lineage of dpo run 1")
    expect(told).to_contain_text("Step 3 of run 1 of 'sft' (stage 1 of pipeline 'chain 0')")
    expect(told).to_contain_text("agent 'keeper', version 1, from step 3")
    expect(opener).to_be_focused()
    root.get_by_role("button", name="Lineage of sft run 1").click()
    down = root.get_by_role("group", name="Lineage of sft run 1")
    expect(down).to_contain_text("It started from scratch.")
    expect(down.get_by_role("button", name=re.compile("^run 1 of 'dpo'"))).to_be_visible()
    down.get_by_text("As text", exact=True).click()
    expect(down.locator(".pw-lin-sentences").get_by_role("listitem")).to_have_text(
        [
            "run 1 of 'dpo' (stage 2 of pipeline 'chain 0'), from step 3",
            "agent 'keeper', version 1, from step 3",
        ]
    )
    screenshot("results lineage", root)
    opener.click()
    expect(told).to_have_count(0)


def test_lineage_is_asked_for_again_where_it_may_have_changed(notebook: Notebook) -> None:
    """Not with each step of a run at work, but when one has ended."""
    code = f"""{RAN}
slow = project.create_experiment("slow", algorithm=trainers.counter, config={{"steps": 900, "pause": 0.05}})
slow.train()
"""
    root = show(notebook, code, "project.compare().view()")
    notebook.execute("asked, told = [], view.do_lineage")
    notebook.execute("view.do_lineage = lambda run: (asked.append(run), told(run))[1]")
    expect(runs(root).first).to_contain_text("Running", timeout=20_000)
    root.get_by_role("button", name="Lineage of sft run 1").click()
    expect(root.get_by_role("group", name="Lineage of sft run 1")).to_contain_text("scratch")
    steps = cells(root, "Steps").first
    for _ in range(3):
        before = steps.inner_text()
        expect(steps).not_to_have_text(before, timeout=20_000)
    assert len(notebook.python("asked")) == 1
    notebook.execute("slow.stop()")
    expect(runs(root).first).to_contain_text("Stopped", timeout=20_000)
    for _ in range(50):
        if len(notebook.python("asked")) > 1:
            return
        root.page.wait_for_timeout(100)
    raise AssertionError("What came of a run is not asked for again.")


@pytest.mark.spec("10.4")
def test_names_are_text(notebook: Notebook) -> None:
    """Of experiments, metrics, settings and pipelines."""
    code = f"""{LETTERS}
pipe = chain({HOSTILE!r}, "next", name={HOSTILE!r}, steps=2)
pipe.stages[0].trigger()
pipe.wait(90)
"""
    root = show(notebook, code, "project.compare()")
    root.get_by_role("button", name="Lineage of next run 1").click()
    expect(root.get_by_role("group", name="Lineage of next run 1")).to_contain_text(HOSTILE)
    expect(root.locator("img")).to_have_count(0)


#: The same chain by one evaluator, whose scores say otherwise than what the algorithms report.
SCORED = """
@pw.evaluator("exact answers", accepts={"thing"}, takes="folder")
def exact(folder):
    return 1.0 / int((folder / "state.txt").read_text().split()[0])

@pw.evaluator("<b>length</b>", accepts={"thing"}, takes="folder", score="min")
def length(folder):
    return 10.0 * int((folder / "state.txt").read_text().split()[0])

pipe = chain("sft", "dpo", steps=4)
pipe.score_by(exact)
pipe.stages[0].trigger()
pipe.wait(60)
"""


@pytest.mark.spec("7.9")
def test_an_evaluator_is_one_axis_over_all_stages(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """A column that sorts, a chart with a line for each run, and new scores without a reload; accessible."""
    root = show(notebook, LETTERS + SCORED, "project.compare()")
    column = "Best score by exact answers"
    expect(cells(root, column)).to_have_text(["1", "1"])
    line = chart(root, "score by exact answers")
    name = line.get_attribute("aria-label") or ""
    for told in ("sft run 1: 0.25 at step 4", "dpo run 1: 0.25 at step 4"):
        assert told in name
    notebook.execute("project.evaluate(length, runs=pipe.stages[1].runs).wait(60)")
    other = "Best score by <b>length</b>"
    expect(root.get_by_role("columnheader", name=other)).to_be_attached()  # without a reload
    expect(cells(root, other)).to_have_text(["10", "N/A"])
    head = root.get_by_role("button", name=other)
    head.click()
    expect(root.get_by_role("columnheader", name=other)).to_have_attribute("aria-sort", "descending")
    expect(root.get_by_role("heading", name="score by <b>length</b>")).to_be_visible()
    opener = runs(root).first.get_by_role("button", name="Lineage of")
    opener.click()
    expect(root.get_by_role("group", name="Lineage of dpo run 1")).to_be_visible()
    opener.click()
    for theme in ("light", "dark"):
        notebook.theme(theme)
        screenshot(f"results by evaluators {theme}", root)
        assert not axe(root)


@pytest.mark.spec("7.9")
def test_checkpoints_show_their_scores_by_evaluators(
    notebook: Notebook, screenshot: Callable[..., Path]
) -> None:
    """In the panel of a stage the best by the evaluator is marked, whatever the algorithm reports."""
    root = views.show(notebook, SCORED)
    first = views.bubble(root, 1)
    if first.get_attribute("aria-pressed") != "true":
        first.click()
    table = views.scroll_box(root, "Checkpoints")
    expect(table.get_by_role("columnheader", name="Score by exact answers")).to_be_visible()
    best = table.get_by_role("row").filter(has_text="Best")
    expect(best.locator("td")).to_have_text(["Best 1", "N/A", "1", "1.0000", re.compile("B$"), ""])
    screenshot("panel by an evaluator", root)
