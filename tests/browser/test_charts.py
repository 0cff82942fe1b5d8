"""Charts in the browser: smoothing, axes, search, height, and what is saved of them (spec 9.6)."""

from __future__ import annotations

import csv
import re
import statistics
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS

pytestmark = pytest.mark.spec("9.6")

#: A run with eight metrics, one of which is 0 or less at three of forty steps.
TOLD = f"""{LETTERS}
import math, time

@pw.algorithm("Noise", produces={{"thing"}})
def noise(ctx):
    for step in range(1, 41):
        ctx.report(
            step,
            evaluation_score=step / 40,
            loss=1 / step if step > 3 else float(step - 3),
            **{{f"layer {{n}}": math.sin(step * n) + 2 for n in range(1, 7)}},
        )
        time.sleep(0.06)
    with ctx.checkpoint(40) as folder:
        (folder / "w").write_text("w")

run = project.create_experiment("noise", algorithm=noise).train()
run.wait(60)
"""


def results(notebook: Notebook, code: str = TOLD) -> Locator:
    """Show the results of the only experiment."""
    root = notebook.run(f"{code}\nproject.compare()", timeout=120).locator(".pw-root").first
    expect(chart(root, "loss")).to_be_visible()
    return root


def chart(root: Locator, name: str, along: str = "by") -> Locator:
    """Return the chart of a metric, which is read like a slider."""
    return root.get_by_role("slider", name=re.compile(rf"^{name} {along}\b"))


def tools(root: Locator, name: str) -> Locator:
    """Return a chart with its legend and buttons."""
    return root.locator(".pw-chart").filter(has=root.page.get_by_role("slider", name=re.compile(f"^{name} ")))


def inked(place: Locator) -> int:
    """Return how many pixels of a chart's canvas are drawn on."""
    return place.evaluate(
        """element => {
        const canvas = element.querySelector("canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let drawn = 0;
        for (let at = 3; at < data.length; at += 4) drawn += data[at] > 0;
        return drawn;
    }"""
    )


def test_a_line_is_smoothed_and_the_raw_one_stays(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """By a slider for all charts; both values are read at a step; by keyboard, in every theme."""
    root = results(notebook)
    layer, smoothing = chart(root, "layer 1"), root.get_by_role("slider", name="Smoothing")
    expect(smoothing).to_have_attribute("aria-valuetext", "Off")
    before = inked(layer)
    smoothing.focus()
    page.keyboard.press("End")
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    expect(smoothing).to_have_attribute("aria-valuetext", "0.90")
    notebook.keys_leave_the_notebook_alone(smoothing)
    assert inked(layer) > before  # a second line
    layer.focus()
    page.keyboard.press("End")
    expect(layer).to_have_attribute("aria-valuetext", re.compile(r"^Step 40: 2\.745 \(smoothed 2\.\d+\)$"))
    for theme in ("light", "dark"):
        notebook.theme(theme)
        screenshot(f"charts smoothed {theme}", root)
        assert not axe(root)


def test_each_chart_has_its_own_logarithmic_axis_and_says_what_that_cannot_draw(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """The other charts stay as they are."""
    root = results(notebook)
    log = tools(root, "loss").get_by_role("button", name="Log", exact=True)
    expect(log).to_have_attribute("aria-pressed", "false")
    log.press("Enter")
    expect(log).to_have_attribute("aria-pressed", "true")
    expect(log).to_be_focused()
    note = "3 points of 0 or less are not drawn."
    expect(tools(root, "loss").get_by_text(note)).to_be_visible()
    expect(root.get_by_role("status").filter(has_text=note)).to_have_count(1)  # announced
    others = tools(root, "layer 1")
    expect(others.get_by_role("button", name="Log", exact=True)).to_have_attribute("aria-pressed", "false")
    expect(others.get_by_text("not drawn")).to_have_count(0)
    screenshot("charts log", root)
    assert not axe(root)
    log.press("Enter")
    expect(tools(root, "loss").get_by_text("not drawn")).to_have_count(0)


def test_charts_lie_along_time(notebook: Notebook, page: Page, screenshot: Callable[..., Path]) -> None:
    """The time since the run started, at which its steps were reported."""
    root = results(notebook)
    root.get_by_role("combobox", name="Horizontal axis").select_option("Time")
    loss = chart(root, "loss", "by time since the start")
    loss.focus()
    page.keyboard.press("Home")
    text = loss.get_attribute("aria-valuetext") or ""
    page.keyboard.press("End")
    last = loss.get_attribute("aria-valuetext") or ""
    first, later = (re.match(r"After ([\d.]+) s: ", each) for each in (text, last))
    assert first is not None
    assert later is not None
    assert float(first[1]) + 0.3 < float(later[1]) < 60
    assert last.endswith(": 0.025")
    screenshot("charts along time", root)
    root.get_by_role("combobox", name="Horizontal axis").select_option("Step")
    expect(chart(root, "loss", "by step")).to_be_visible()


def test_metrics_are_searched(notebook: Notebook, page: Page) -> None:
    """All words have to be in the name; where nothing matches, that is said; Escape shows all again."""
    root = results(notebook)
    search = root.get_by_role("searchbox", name="Search metrics")
    search.fill("lay 3")
    expect(root.get_by_role("slider", name=re.compile(" by step"))).to_have_count(1)
    expect(chart(root, "layer 3")).to_be_visible()
    search.fill("nothing")
    expect(root.get_by_text("No metric matches.")).to_be_visible()
    expect(search).to_be_focused()
    search.fill("")
    expect(root.get_by_role("slider", name=re.compile(" by step"))).to_have_count(8)


def test_the_height_of_a_chart_is_chosen(notebook: Notebook, page: Page) -> None:
    """By dragging its lower edge, or with the arrow keys there; other charts keep theirs."""
    root = results(notebook)
    loss, handle = chart(root, "loss"), tools(root, "loss").get_by_role("separator")
    expect(handle).to_have_accessible_name("Height of the chart")
    other = chart(root, "layer 1").bounding_box()
    before = loss.bounding_box()
    handle.press("ArrowDown")
    handle.press("ArrowDown")
    taller = loss.bounding_box()
    assert before is not None
    assert taller is not None
    assert taller["height"] == before["height"] + 40
    expect(handle).to_have_attribute("aria-valuenow", str(round(taller["height"])))
    notebook.keys_leave_the_notebook_alone(handle)
    handle.hover()
    page.mouse.down()
    edge = handle.bounding_box()
    assert edge is not None
    page.mouse.move(edge["x"] + edge["width"] / 2, edge["y"] + edge["height"] / 2 + 50, steps=5)
    page.mouse.up()
    dragged = loss.bounding_box()
    after = chart(root, "layer 1").bounding_box()
    assert dragged is not None
    assert other is not None
    assert after is not None
    assert abs(dragged["height"] - taller["height"] - 50) <= 2
    assert after["height"] == other["height"]
    assert loss.locator("canvas").evaluate("canvas => canvas.clientHeight") == dragged["height"]


def saved(page: Page, part: Locator, item: str) -> Path:
    """Save a chart by its menu, and return the file."""
    opener = part.get_by_role("button", name="Save chart")
    opener.press("Enter")
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=item).press("Enter")
    expect(opener).to_be_focused()
    path = Path(download.value.path())
    return path.rename(path.with_name(download.value.suggested_filename))


def test_a_chart_is_saved_as_png_svg_and_csv(notebook: Notebook, page: Page) -> None:
    """The picture has title, axes, lines and legend; the table has every point that is drawn."""
    root = results(notebook)
    part = tools(root, "loss")
    table = saved(page, part, "Save as CSV")
    assert table.name == "loss.csv"
    rows = list(csv.reader(table.read_text("utf-8").splitlines()))
    assert rows[0] == ["series", "step", "loss"]
    assert rows[1:3] == [["noise run 1", "1", "-2"], ["noise run 1", "2", "-1"]]
    assert len(rows) == 41
    picture = ET.fromstring(saved(page, part, "Save as SVG").read_text("utf-8"))  # noqa: S314  our own
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"loss", "Step", "noise run 1"} <= set(texts)
    image = saved(page, part, "Save as PNG")
    assert image.name == "loss.png"
    content = image.read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    place = chart(root, "loss").bounding_box()
    assert place is not None
    assert width == 2 * round(place["width"])
    assert height > 2 * place["height"]


@pytest.mark.spec("9.1")
def test_a_small_curve_opens_its_chart_in_place(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Below its tile in the panel of the stage, with all that charts have; another press closes it."""
    code = TOLD.replace(
        'run = project.create_experiment("noise", algorithm=noise).train()',
        'made = project.create_experiment("noise", algorithm=noise)\n'
        'pipe = project.create_pipeline("chain")\n'
        "run = pipe.add_experiment_stage(made).trigger()",
    )
    root = notebook.run(f"{code}\npipe.view()", timeout=120).locator(".pw-root").first
    root.get_by_role("searchbox", name="Search metrics").fill("loss")
    opener = root.get_by_role("button", name="loss", exact=True)
    expect(opener).to_have_attribute("aria-expanded", "false")
    opener.press("Enter")
    expect(opener).to_have_attribute("aria-expanded", "true")
    expect(chart(root, "loss")).to_be_visible()
    expect(opener).to_be_focused()
    tools(root, "loss").get_by_role("button", name="Log", exact=True).press("Enter")
    expect(tools(root, "loss").get_by_text("3 points of 0 or less are not drawn.")).to_be_visible()
    for theme in ("light", "dark"):
        notebook.theme(theme)
        screenshot(f"panel chart {theme}", root)
        assert not axe(root)
    opener.press("Enter")
    expect(chart(root, "loss")).to_have_count(0)


@pytest.mark.spec("9.5")
def test_a_resumed_run_continues_the_curve_of_the_run_that_it_resumed(
    notebook: Notebook, page: Page, screenshot: Callable[..., Path]
) -> None:
    """The steps before its own first one are in its chart, in the panel of its stage and in Results."""
    code = f"""{LETTERS}
made = project.create_experiment("long", algorithm=trainers.counter, config={{"steps": 4000, "pause": 0.02}})
pipe = project.create_pipeline("chain")
stage = pipe.add_experiment_stage(made)
run = stage.trigger()
while not run.checkpoints or run.progress.step < 10:
    __import__("time").sleep(0.05)
run.stop(); run.wait(30)
again = stage.trigger(resume=True)
while again.progress.step is None or again.progress.step < run.progress.step + 5:
    __import__("time").sleep(0.05)
again.stop(); again.wait(30)
"""
    root = notebook.run(f"{code}\nproject.compare()", timeout=120).locator(".pw-root").first
    loss = chart(root, "loss")
    loss.focus()
    page.keyboard.press("Home")
    expect(loss).to_have_attribute("aria-valuetext", re.compile("^Step 1: long run 1 1, long run 2 1$"))
    screenshot("charts resumed", root)


@pytest.mark.spec("9.5")
def test_a_metric_is_charted_over_all_stages(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """From the menu of the pipeline, with a band for each stage; live, read by keyboard, closed again."""
    code = f"""{LETTERS}
pipe = chain("sft", "dpo", "grpo", steps=6)
pipe.run().wait(60); pipe.wait(60)
metrics = pipe.metrics
assert list(metrics.columns) == ["stage", "name", "run", "step", "metric", "value"]
assert [*metrics["stage"].unique()] == [1, 2, 3]
"""
    root = notebook.run(f"{code}\npipe.view()", timeout=120).locator(".pw-root").first
    more = root.get_by_role("button", name="More", exact=True)
    more.click()
    page.get_by_role("menuitem", name="Chart all stages").click()
    part = root.get_by_role("region", name="Metric over all stages")
    metric = part.get_by_role("combobox", name="Metric")
    expect(metric).to_be_focused()
    score = chart(root, "Evaluation score", "over all stages")
    expect(score).to_be_visible()
    metric.select_option("loss")
    loss = chart(root, "loss", "over all stages")
    loss.focus()
    page.keyboard.press("Home")
    expect(loss).to_have_attribute("aria-valuetext", "Stage 1 (sft), step 1: 1 sft 1")
    page.keyboard.press("End")
    expect(loss).to_have_attribute("aria-valuetext", "Stage 3 (grpo), step 6: 3 grpo 0.1667")
    for theme in ("light", "dark"):
        notebook.theme(theme)
        screenshot(f"chart over stages {theme}", root)
        assert not axe(root)
    notebook.execute("pipe.stages[2].trigger().wait(60)", timeout=90)
    expect(loss).to_have_attribute("aria-valuemax", "20")
    part.get_by_role("button", name="Close the chart").click()
    expect(part).to_have_count(0)
    expect(more).to_be_focused()


#: A run that reports until a file is there; the curves are shown from its first points on.
GROWING = f"""{LETTERS}
import math, time
from pathlib import Path
enough = Path("enough").absolute()

@pw.algorithm("Waves", produces={{"thing"}})
def waves(ctx):
    step = 0
    while not enough.exists():
        step += 1
        ctx.report(step, **{{f"wave {{n}}": math.sin(step / (n + 9)) for n in range(3)}})
        time.sleep(0.01)

experiment = project.create_experiment("waves", algorithm=waves)
run = experiment.train()
while len(run.metrics) < 100:
    time.sleep(0.1)
view = project.compare().view()
view
"""
WAVE = "[[row['run'], [list(point) for point in row['points']]] for row in view.curves][1][1]"


def points(page: Page, root: Locator) -> list[list[float]]:
    """Return the points of a curve that a page draws."""
    rows = csv.reader(saved(page, tools(root, "wave 1"), "Save as CSV").read_text("utf-8").splitlines())
    return [[int(step), float(value)] for _, step, value in list(rows)[1:]]


@pytest.mark.spec("9.5")
def test_every_page_ends_with_the_whole_curve(notebook: Notebook, page: Page) -> None:
    """One whose connection was lost, one that was opened later, and one that is loaded when all is over."""
    root = notebook.run(GROWING, timeout=120).locator(".pw-root").first
    expect(chart(root, "wave 1")).to_be_visible()
    notebook.forget_messages()
    page.wait_for_function("stand.messages().filter(each => each[0] === 'down').length > 8")
    sizes = [each.bytes for each in notebook.messages() if each.direction == "down"]
    assert statistics.median(sizes) < 2_000
    page.evaluate("stand.save()")
    beside = page.context.new_page()
    beside.goto(page.url)
    other = beside.locator(".pw-root").first
    expect(chart(other, "wave 1")).to_be_visible(timeout=60_000)
    page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.reconnect()")
    before = notebook.python("len(run.metrics)")
    page.wait_for_function("stand.messages().filter(each => each[0] === 'down').length > 16")
    notebook.execute("enough.touch(); run.wait(60); view.refresh()")
    assert notebook.python("len(run.metrics)") > before
    whole = notebook.python(WAVE)
    assert whole[-1][0] > 100
    last = re.compile(rf"\b{whole[-1][0]}\b")
    for shown in (root, other):
        expect(chart(shown, "wave 1")).to_have_attribute("aria-valuemax", last)
    assert points(page, root) == whole
    assert points(beside, other) == whole
    beside.close()
    notebook.reload()
    root = page.locator(".pw-root").first
    expect(chart(root, "wave 1")).to_have_attribute("aria-valuemax", last)
    assert points(page, root) == whole
