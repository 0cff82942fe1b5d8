"""What runs have shown: samples, images and videos, by step, and two runs side by side (spec 9.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook

pytestmark = pytest.mark.spec("9.4")

#: A workspace in which the test plays the supervisor and what a run shows.
LAB = """
import time
from pathlib import Path
import numpy as np
from factories.lab import open_lab
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.run import Status
from pipeline_widgets.widgets.experiment import ExperimentView
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.results import ResultsView
from pipeline_widgets.wiring import connect

lab = open_lab(Path.cwd())
lab.clock.now = time.time() - 20
services = connect("sqlite:///lab.db", artifacts="lab-artifacts")

def show(job, step, **what):
    events = []
    TrainContext(config=None, seed=0, folder=Path(job.folder), emit=events.append).show(step, **what)
    lab.supervision.record(job, Batch.of(events))

def started(name="chain"):
    return lab.started(lab.runs.trigger(lab.pipeline("SFT", name=name).stages[0].id))

def picture(step, size=64):
    rows, columns = np.mgrid[:size, :size] / size
    return np.stack([rows, columns, np.full_like(rows, step % 10 / 10)], axis=2)

def video(seed, frames=12):
    made = np.full((frames, 60, 90, 3), 235, np.uint8)
    for at, frame in enumerate(made):
        frame[20 + seed : 30 + seed, 6 * at : 6 * at + 10] = (21, 101, 192)
    return made

def samples(step, prompts=("dbca>", "aabc>", "edcb>")):
    return [
        {"prompt": each, "output": each[:4] if at else "".join(sorted(each[:4])), "score": 0.0 if at else 1.0,
         "reference": "".join(sorted(each[:4]))}
        for at, each in enumerate(prompts)
    ]

def pipeline_view(job):
    global view
    view = PipelineView(services, lab.runs.get(job.run_id).pipeline_id)
    return view
"""
SAMPLES = """
job = started()
for step in (75, 150, 225, 300):
    show(job, step, samples=samples(step), caption=f"Answers at {step}")
pipeline_view(job)
"""
MEDIA = """
job = started()
for step in (10, 20):
    show(job, step, image=picture(step), caption=f"A gradient at {step}", prompt="a gradient")
    show(job, step, video=video(0), fps=12, seed=0, caption=f"A square moves at {step}")
    show(job, step, video=video(7), fps=12, seed=7)
pipeline_view(job)
"""
EVIL = "<img src=x onerror='window.hacked = true'>"
HOSTILE = f"""
job = started()
evil = "{EVIL}"
show(job, 1, samples=[(evil, evil, 1.0, evil)], caption=evil)
show(job, 1, image=picture(1), caption=evil, prompt=evil)
pipeline_view(job)
"""
MANY = """
job = started()
events = []
context = TrainContext(config=None, seed=0, folder=Path(job.folder), emit=events.append)
for step in range(1, 1001):
    context.show(step, samples=samples(step), caption=f"Answers at {step}")
lab.supervision.record(job, Batch.of(events))
pipeline_view(job)
"""
TWO = """
first, second = started("first"), started("second")
for step in (10, 20, 30):
    show(first, step, samples=samples(step), caption="Answers")
    show(first, step, image=picture(step), seed=3)
for step in (11, 21, 31):
    show(second, step, samples=samples(step, ("edcb>", "dbca>", "cccc>")), caption="Answers")
    show(second, step, image=picture(step + 5), seed=3)
lab.end(first)
lab.end(second)
chosen = [lab.runs.get(each.run_id).experiment_id for each in (first, second)]
ResultsView(services, lab.project.id, chosen=chosen)
"""
STRANGERS = """
first, second = started("first"), started("second")
show(first, 10, samples=samples(10))
show(second, 20, samples=samples(20, ("x>", "y>")))
chosen = [lab.runs.get(each.run_id).experiment_id for each in (first, second)]
ResultsView(services, lab.project.id, chosen=chosen)
"""


def shown(output: Locator, title: str) -> Locator:
    """Return the part with what a run has shown."""
    return output.get_by_role("group", name=title, exact=True)


def cells(table: Locator) -> list[list[str]]:
    """Return the texts of the rows of a table."""
    rows = table.locator("tbody tr").all()
    return [[each.inner_text().strip() for each in row.locator("th, td").all()] for row in rows]


def test_a_slider_goes_through_the_steps(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """The last step first; keys go a step, and what is shown is said; no key reaches the notebook."""
    output = notebook.run(LAB + SAMPLES)
    part = shown(output, "Samples")
    slider = part.get_by_role("slider", name="Step")
    expect(slider).to_have_attribute("aria-valuetext", "Step 300, 4 of 4")
    table = part.get_by_role("table", name="Answers at 300")
    expect(table).to_be_visible()
    assert cells(table)[:2] == [["dbca>", "abcd", "abcd", "1"], ["aabc>", "aabc", "aabc", "0"]]
    screenshot("shown-samples", output)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "Step 225, 3 of 4")
    expect(part.get_by_role("table", name="Answers at 225")).to_be_visible()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "Step 75, 1 of 4")
    expect(slider).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("End")
    expect(part.get_by_role("table", name="Answers at 300")).to_be_visible()
    page.keyboard.press("PageUp")
    assert len(notebook.cells()) == 2
    assert axe(part) == ""


def test_what_comes_is_shown_at_the_end_and_moves_no_slider(notebook: Notebook, page: Page) -> None:
    """A running run: who stands at the last step goes along, who looks at another one stays."""
    output = notebook.run(LAB + SAMPLES)
    part = shown(output, "Samples")
    slider = part.get_by_role("slider", name="Step")
    part.scroll_into_view_if_needed()  # a view that is out of sight is not refreshed
    expect(slider).to_have_attribute("aria-valuetext", "Step 300, 4 of 4")
    notebook.execute("show(job, 375, samples=samples(375), caption='Answers at 375')")
    expect(slider).to_have_attribute("aria-valuetext", "Step 375, 5 of 5")
    expect(part.get_by_role("table", name="Answers at 375")).to_be_visible()
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "Step 300, 4 of 5")
    notebook.execute("show(job, 450, samples=samples(450), caption='Answers at 450')")
    expect(slider).to_have_attribute("aria-valuetext", "Step 300, 4 of 6")
    expect(part.get_by_role("table", name="Answers at 300")).to_be_visible()
    part.get_by_role("button", name="Latest").click()
    expect(part.get_by_role("table", name="Answers at 450")).to_be_visible()


def test_images_and_videos_have_captions_and_are_played(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Nothing moves by itself; what plays goes on playing at the next step."""
    output = notebook.run(LAB + MEDIA)
    part = shown(output, "Images and videos")
    image = part.get_by_role("img", name="Image at step 20: A gradient at 20")
    part.scroll_into_view_if_needed()
    expect(image).to_be_visible()
    assert image.evaluate("img => img.decode().then(() => [img.naturalWidth, img.naturalHeight])") == [64, 64]
    figure = part.get_by_role("figure").filter(has_text="A square moves at 20")
    expect(figure).to_contain_text("seed 0")
    other = part.get_by_role("figure").filter(has_text="seed 7")
    play = figure.get_by_role("button", name="Play")
    expect(play).to_be_visible()
    expect(other.get_by_role("button", name="Play")).to_be_visible()
    video = figure.locator("video")
    assert video.evaluate("video => video.paused")
    play.click()
    expect(figure.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_function("video => !video.paused && video.currentTime > 0", arg=video.element_handle())
    screenshot("shown-media", output)
    part.get_by_role("slider", name="Step").press("ArrowLeft")
    figure = part.get_by_role("figure").filter(has_text="A square moves at 10")
    expect(figure.get_by_role("button", name="Pause")).to_be_visible()
    figure.get_by_role("button", name="Pause").click()
    assert figure.locator("video").evaluate("video => video.paused")
    assert axe(part) == ""


def test_an_animation_is_paused_although_browsers_cannot(notebook: Notebook) -> None:
    """Without PyAV: its first picture stands in its place until it is played."""
    without = (
        "from pipeline_widgets.algorithms import media_files\nmedia_files.encode_h264 = lambda *_: None\n"
    )
    output = notebook.run(LAB + without + MEDIA)
    figure = shown(output, "Images and videos").get_by_role("figure").filter(has_text="A square moves at 20")
    figure.scroll_into_view_if_needed()
    expect(figure.locator("canvas")).to_be_visible()
    figure.get_by_role("button", name="Play").click()
    expect(figure.get_by_role("img", name="Video at step 20: A square moves at 20")).to_have_js_property(
        "tagName", "IMG"
    )
    figure.get_by_role("button", name="Pause").click()
    expect(figure.locator("canvas")).to_be_visible()


def test_a_file_that_is_gone_says_so(notebook: Notebook) -> None:
    """In its place; all else is shown."""
    gone = "import shutil\nshutil.rmtree(Path(job.folder) / 'shown')\npipeline_view(job)"
    output = notebook.run(LAB + MEDIA.replace("pipeline_view(job)", gone))
    figure = shown(output, "Images and videos").get_by_role("figure").filter(has_text="A gradient at 20")
    figure.scroll_into_view_if_needed()
    expect(figure.get_by_role("status")).to_contain_text("The image of step 20 is missing.")


@pytest.mark.spec("10.4")
def test_texts_of_a_training_are_texts(notebook: Notebook, page: Page) -> None:
    """A prompt, an output and a caption that look like HTML run nothing."""
    output = notebook.run(LAB + HOSTILE)
    part = shown(output, "Samples and images")
    expect(part.get_by_role("table")).to_contain_text(EVIL)
    part.get_by_role("figure").scroll_into_view_if_needed()
    expect(part.get_by_role("img", name=EVIL)).to_be_visible()
    assert page.evaluate("() => window.hacked") is None


def test_a_thousand_items_stay_fast(notebook: Notebook, page: Page) -> None:
    """A step in the middle is read and painted as one of few is; the trait has only how many there are."""
    output = notebook.run(LAB + MANY)
    part = shown(output, "Samples")
    slider = part.get_by_role("slider", name="Step")
    expect(slider).to_have_attribute("aria-valuetext", "Step 1,000, 1,000 of 1,000")
    for place in (500, 3, 999):
        slider.fill(str(place - 1))
        expect(part.get_by_role("table", name=f"Answers at {place}")).to_be_visible()
    assert notebook.python("len(str(view.panel['run']['shown']))") < 200


def test_two_runs_stand_side_by_side(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """On the same prompts and seeds, whatever their order; one slider takes the other one along."""
    output = notebook.run(LAB + TWO)
    part = output.get_by_role("group", name="Samples side by side")
    table = part.get_by_role("table")
    part.scroll_into_view_if_needed()
    expect(table).to_contain_text("seed 3")
    expect(part).to_contain_text("3 prompts or seeds of both runs, then 2 of only one.")
    first, *_ = cells(table)
    assert first[0] == "dbca>"
    expect(table.get_by_role("img")).to_have_count(2)
    screenshot("shown-side-by-side", part)
    left = part.get_by_role("group", name="Left run").get_by_role("slider", name="Step")
    right = part.get_by_role("group", name="Right run").get_by_role("slider", name="Step")
    steps = sorted([left.get_attribute("aria-valuetext") or "", right.get_attribute("aria-valuetext") or ""])
    assert steps == ["Step 30, 3 of 3", "Step 31, 3 of 3"]
    left.press("Home")
    expect(right).to_have_attribute("aria-valuetext", re.compile("^Step 1., 1 of 3"))
    expect(left).to_be_focused()
    part.get_by_role("checkbox", name="Move together").uncheck()
    right.press("End")
    expect(right).to_have_attribute("aria-valuetext", re.compile("3 of 3"))
    expect(left).to_have_attribute("aria-valuetext", re.compile("1 of 3"))
    assert axe(part) == ""


def test_where_nothing_matches_it_says_so(notebook: Notebook) -> None:
    """And shows what each has."""
    output = notebook.run(LAB + STRANGERS)
    part = output.get_by_role("group", name="Samples side by side")
    expect(part).to_contain_text(
        re.compile(r"No prompt or seed of .* at step \d0 is among those of .* at step \d0\.")
    )
    expect(part.get_by_role("table")).to_contain_text("Not shown")


def test_one_experiment_by_itself_has_them_too(notebook: Notebook, screenshot: Callable[..., Path]) -> None:
    """Beside its charts and checkpoints."""
    view = "ExperimentView(services, lab.runs.get(job.run_id).experiment_id)"
    output = notebook.run(LAB + SAMPLES.replace("pipeline_view(job)", view))
    part = shown(output, "Samples")
    expect(part.get_by_role("table", name="Answers at 300")).to_be_visible()
    screenshot("shown-experiment", output)
