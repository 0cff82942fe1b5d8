"""Why a run failed, why a stage is stale, and where a checkpoint comes from, in a real JupyterLab."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import KEYS, Notebook

#: A workspace in which the test plays the supervisor.
LAB = """
import time
from pathlib import Path
from factories.lab import open_lab
from pipeline_widgets.domain.failure import TracedCall, make_failure
from pipeline_widgets.domain.run import Status
from pipeline_widgets.widgets.experiment import ExperimentView
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.wiring import connect

lab = open_lab(Path.cwd())
lab.clock.now = time.time() - 20
services = connect("sqlite:///lab.db", artifacts="lab-artifacts")

def show(pipeline, number=1):
    global view
    view = PipelineView(services, pipeline.id)
    view.do_select(pipeline.stages[number - 1].id)
    return view

code = '''
import torch

def step(model, batch):
    logits = model(batch.inputs)
    loss = torch.nn.functional.cross_entropy(
        logits, batch.targets, ignore_index=-100)
    return loss
'''.splitlines()
library = '  File "/venv/lib/python3.12/site-packages/torch.py", line {0}, in f{0}\\n    return f(*args)\\n'
said = "RuntimeError: The size of tensor a (128) must match the size of tensor b (64) at dim 1"
error = "Traceback (most recent call last):\\n" + "".join(library.format(n) for n in range(30)) + said + "\\n"
call = TracedCall(file="/home/me/lab/train.py", line=6, end_line=7, function="step")

def log(job, text):
    Path(job.folder).mkdir(parents=True, exist_ok=True)
    Path(job.folder, "log.txt").write_text(text)

def fail(stage, status=Status.FAILED, saved=True, error=error, failure=make_failure(said, call, code)):
    job = lab.started(lab.runs.trigger(stage.id))
    for at in range(1, 13):
        lab.report(job, at * 10, total=1200, training_score=at / 12, loss=1 / at)
    if saved:
        lab.save(job, 100, 0.5)
    log(job, "".join(f"line {n}\\n" for n in range(100)))
    return lab.end(job, status, error, failure)
"""
FAILED = """
pipeline = lab.pipeline("SFT", "GRPO", "deploy")
lab.do(pipeline.stages[0], 0.5)
fail(pipeline.stages[1])
show(pipeline, 2)
"""
CRASHED = """
pipeline = lab.pipeline("SFT")
killed = "It was killed by the signal SIGKILL (9), as where memory is short. (Process 4711 on host-1.)"
fail(pipeline.stages[0], Status.CRASHED, error=killed, failure=None)
show(pipeline)
"""
STOPPED = """
pipeline = lab.pipeline("SFT")
fail(pipeline.stages[0], Status.STOPPED, error=None, failure=None)
show(pipeline)
"""
OLD = """
pipeline = lab.pipeline("SFT")
mine = '  File "/home/me/train.py", line 28, in boom\\\\n    loss = logits - target\\\\n'
old = error.replace("(most recent call last):\\\\n", "(most recent call last):\\\\n" + mine)
fail(pipeline.stages[0], saved=False, error=old, failure=None)
show(pipeline)
""".replace("\\\\n", "\\n")
MESSAGE = "RuntimeError: The size of tensor a (128) must match the size of tensor b (64)"


@pytest.fixture
def show(notebook: Notebook) -> Callable[[str], Locator]:
    """Return what runs the code of a scene, and gives the output that shows it."""

    def run(code: str) -> Locator:
        output = notebook.run(LAB + code)
        expect(output.get_by_role("heading", level=3).first).to_be_visible()
        return output

    return run


def card(output: Locator, name: str | re.Pattern[str] = re.compile("^Run ")) -> Locator:
    """Return the card of a run that was broken off."""
    return output.get_by_role("group", name=name).filter(has=output.page.get_by_role("heading", level=4))


@pytest.mark.spec("7.4")
@pytest.mark.parametrize("size", [(600, 900), (900, 900), (1400, 900), (900, 600)])
def test_the_message_of_a_failure_comes_first(
    show: Callable[[str], Locator],
    screenshot: Callable[..., Path],
    page: Page,
    size: tuple[int, int],
) -> None:
    """The card leads the panel, in sight when that opens: the message, the user's own line, what to do."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    output = show(FAILED)
    shown = card(output, "Run 1 failed at step 120 of 1,200")
    expect(shown).to_contain_text(MESSAGE)
    expect(shown.get_by_text("/home/me/lab/train.py:6")).to_be_visible()
    code = shown.get_by_role("group", name="Code at /home/me/lab/train.py:6")
    expect(code).to_contain_text("loss = torch.nn.functional.cross_entropy(")
    expect(shown.get_by_role("group", name="Error")).to_have_count(0)
    panel = output.get_by_role("region", name="Stage 2: chain-grpo-2")
    panel.evaluate("(el) => el.scrollIntoView()")
    screenshot(f"failed {size[0]}x{size[1]}")
    message, frame = shown.get_by_role("paragraph").bounding_box(), panel.bounding_box()
    assert message is not None
    assert frame is not None
    assert message["y"] - frame["y"] < 160
    acts = shown.get_by_role("button", name="Resume from step 100").bounding_box()
    assert acts is not None
    assert acts["y"] - frame["y"] < 500
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.spec("6.5", "6.9", "7.4")
@pytest.mark.parametrize(
    "broken",
    [
        (
            CRASHED,
            "Run 1 crashed at step 120 of 1,200",
            "It was killed by the signal",
            "Resume from step 100",
        ),
        (STOPPED, "Run 1 was stopped at step 120 of 1,200", "", "Resume from step 100"),
        (OLD, "Run 1 failed at step 120 of 1,200", "/home/me/train.py:28", "Edit config"),
    ],
)
def test_what_was_broken_off_says_why_and_what_to_do(
    show: Callable[[str], Locator],
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    broken: tuple[str, str, str, str],
) -> None:
    """Evidence in words, resuming first where it is possible; a run of an older version has its line, too."""
    scene, title, said, first = broken
    output = show(scene)
    shown = card(output, title)
    expect(shown).to_contain_text(said)
    screenshot(title, shown)
    buttons = shown.get_by_role("button").filter(has_text=re.compile(r"\w"))
    expect(buttons.first).to_have_text(first)
    expect(buttons.last).to_have_text("Open log")
    expect(shown.get_by_role("button", name="Start over…")).to_be_visible()
    assert axe(output) == ""


@pytest.mark.spec("6.5", "7.4", "9.7", "10.4")
def test_the_card_of_a_failure_leads_on(
    notebook: Notebook, show: Callable[[str], Locator], axe: Callable[[Locator], str], page: Page
) -> None:
    """The whole traceback, the log, a question before it starts over, and resuming: from one place."""
    output = show(FAILED)
    shown, dialog = card(output), page.get_by_role("dialog")
    shown.get_by_text("Traceback", exact=True).click()
    expect(shown.get_by_role("group", name="Error")).to_contain_text("site-packages/torch")
    shown.get_by_role("button", name="Open log").click()
    expect(dialog.get_by_role("group", name="Log")).to_contain_text("line 99")
    page.keyboard.press("Escape")
    shown.get_by_role("button", name="Start over…").click()
    expect(dialog).to_contain_text("over?")
    page.keyboard.press("Escape")
    for theme in ("JupyterLab Dark", "JupyterLab Dark High Contrast", "JupyterLab Light"):
        notebook.theme(theme)
        assert axe(output) == "", theme
    notebook.keys_leave_the_notebook_alone(shown.get_by_role("group", name=re.compile("^Code at")))
    edit = shown.get_by_role("button", name="Edit config")
    notebook.keys_leave_the_notebook_alone(edit, [key for key in KEYS if key != "Enter"])
    notebook.keys_leave_the_notebook_alone(edit, ["Enter"])
    form = page.get_by_role("dialog", name="Edit config")  # it comes when the kernel has told its fields
    expect(form).to_be_visible()
    form.get_by_role("button", name="Cancel").click()
    expect(form).to_have_count(0)
    shown.get_by_role("button", name="Resume from step 100").click()
    expect(shown).to_have_count(0)
    assert notebook.python("lab.state(pipeline.stages[1]).run.start_role") == "resume"


EDITED = """
import trainers, pipeline_widgets as pw
ws = pw.Workspace()
project = ws.create_project("Edited", advanced_training=True)
made = project.create_experiment("counting", algorithm=trainers.counter, config={"act": "raise"})
pipe = project.create_pipeline("chain")
pipe.add_experiment_stage(made)
run = pipe.stages[0].trigger().wait(60)
"""


@pytest.mark.spec("7.4", "9.1")
@pytest.mark.parametrize("shown", ["pipe", "made"])
def test_the_config_is_edited_from_the_card(notebook: Notebook, page: Page, shown: str) -> None:
    """A real run that raised: the same card in the panel of its stage and in the view of its experiment."""
    output = notebook.run(f"{EDITED}\n{shown}")
    failed = card(output)
    expect(failed).to_contain_text("the loss is <b>not</b> a number")
    expect(failed.get_by_text(re.compile(r"trainers\.py:\d+$"))).to_be_visible()
    failed.get_by_role("button", name="Edit config").click()
    dialog = page.get_by_role("dialog", name="Edit config of 'counting'")
    dialog.get_by_label("Act").fill("none")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_have_count(0)
    assert notebook.python("made.config['act']") == "none"


CHANGED = """
from dataclasses import replace
from factories.lab import configured
from factories.values import SFT, GRPO
pipeline = lab.pipeline("SFT", "GRPO")
first, second = pipeline.stages
lab.do(first, 0.5, 0.25)
lab.do(second, 0.5)
lab.do(first, 0.25, 0.75)
long = "Answer the question in one word. " * 8
config = {"optimizer": {"lr": 0.0003}, "steps": 20, "system_prompt": long}
lab.experiments.update(second.experiment_id, configured(GRPO, config), seed=3)
"""


@pytest.mark.spec("6.8", "6.11")
@pytest.mark.parametrize("width", [600, 900, 1400])
def test_a_stale_stage_shows_what_has_changed(
    notebook: Notebook,
    show: Callable[[str], Locator],
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    width: int,
) -> None:
    """Reasons in words, each changed value old beside new, and one button that runs it again from there."""
    page = notebook.page
    page.set_viewport_size({"width": width, "height": 900})
    output = show(CHANGED + "show(pipeline, 2)")
    why = output.get_by_role("group", name="Why it is stale")
    config = why.get_by_role("table", name="Config changed.")
    expect(config.get_by_role("row", name="optimizer.lr")).to_contain_text("not set→0.0003")
    expect(config.get_by_role("row", name="seed")).to_contain_text("0→3")
    expect(config.get_by_role("row", name="steps")).to_contain_text("10→20")
    source = why.get_by_role("table", name=re.compile("Stage 1 was re-run"))
    expect(source.get_by_role("row", name="Best checkpoint of stage 1")).to_contain_text(
        "step 10 of run 1→step 20 of run 2"
    )
    output.get_by_role("region", name="Stage 2: chain-grpo-2").evaluate("(el) => el.scrollIntoView()")
    screenshot(f"stale {width}")
    long = config.get_by_role("row", name="system_prompt").get_by_text("Answer the question")
    assert long.evaluate("(el) => el.scrollHeight > el.clientHeight")
    long.focus()
    whole = output.locator(".pw-stale-whole")
    expect(whole).to_have_text(re.compile("one word. $"))
    screenshot(f"stale {width} whole")
    notebook.keys_leave_the_notebook_alone(long)
    for theme in ("JupyterLab Dark", "JupyterLab Dark High Contrast", "JupyterLab Light"):
        notebook.theme(theme)
        assert axe(output) == "", theme
        screenshot(f"stale {width} {theme}")
    why.get_by_role("button", name="Re-run from here").click()
    dialog = page.get_by_role("dialog", name="Re-run stage 2 (chain-grpo-2)?")
    expect(whole).to_have_count(0)
    expect(dialog).to_contain_text("best evaluation score 0.75, step 20")
    notebook.execute("lab.experiments.update(second.experiment_id, configured(GRPO, {'steps': 20}), seed=3)")
    dialog.get_by_role("button", name="Re-run").click()
    again = why.get_by_role("button", name="Re-run from here")
    expect(again).to_have_attribute("aria-disabled", "true")
    assert notebook.python("lab.state(second).run.number") == 2
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.spec("6.8", "9.1")
def test_an_experiment_shows_why_its_stage_is_stale(
    notebook: Notebook, show: Callable[[str], Locator], axe: Callable[[Locator], str]
) -> None:
    """The same card stands in the view of the experiment, and runs the stage again."""
    output = show(CHANGED + "view = ExperimentView(services, second.experiment_id)\nview")
    why = output.get_by_role("group", name="Why stage 2 of pipeline chain is stale")
    expect(why.get_by_role("row", name="optimizer.lr")).to_contain_text("not set→0.0003")
    assert axe(output) == ""
    notebook.execute("lab.experiments.update(second.experiment_id, configured(GRPO, {'steps': 20}), seed=3)")
    why.get_by_role("button", name="Re-run from here").click()
    notebook.page.get_by_role("dialog").get_by_role("button", name="Re-run").click()
    expect(why.get_by_role("button", name="Re-run from here")).to_have_attribute("aria-disabled", "true")
    assert notebook.python("lab.state(second).run.number") == 2


LINEAGE = """
from pipeline_widgets.widgets.results import ResultsView
pipeline = lab.pipeline("SFT", "GRPO", "GRPO", "deploy", name="post-training of a rather long name")
first, second, third, deploy = pipeline.stages
for stage in (first, second, third):
    lab.do(stage, 0.5, 0.75)
lab.do(deploy)
lab.do(second, 0.9)
"""


@pytest.mark.spec("9.3")
@pytest.mark.parametrize("width", [600, 900, 1400])
def test_the_lineage_of_a_run_leads_to_its_relatives(
    notebook: Notebook,
    show: Callable[[str], Locator],
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    width: int,
) -> None:
    """A graph in the panel of a stage: a press on a node selects its stage, or opens the agent."""
    page = notebook.page
    page.set_viewport_size({"width": width, "height": 900})
    output = show(LINEAGE + "show(pipeline, 3)")
    panel = output.get_by_role("region", name="Stage 3")
    panel.get_by_text("Lineage", exact=True).click()
    graph = panel.get_by_role("group", name="Graph of the lineage")
    nodes = graph.get_by_role("button")
    expect(nodes).to_have_count(5)
    expect(nodes.nth(2)).to_have_attribute("aria-current", "true")
    expect(nodes.nth(1)).to_have_accessible_name(re.compile("^run 1 of .*stage 2 of pipeline.*from step 20"))
    expect(nodes.nth(2)).to_have_accessible_name(re.compile("Succeeded, Stale, from step 20"))
    graph.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    screenshot(f"lineage {width}")
    for theme in ("JupyterLab Dark", "JupyterLab Dark High Contrast", "JupyterLab Light"):
        notebook.theme(theme)
        assert axe(output) == "", theme
        screenshot(f"lineage {width} {theme}")
    notebook.keys_leave_the_notebook_alone(nodes.nth(2))
    nodes.nth(4).click()
    expect(output.get_by_role("group", name="Agent", exact=True)).to_be_visible()
    nodes.nth(0).press("Enter")
    expect(output.get_by_role("region", name="Stage 1")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.spec("9.3")
def test_the_lineage_in_results_leads_to_rows(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """A run of an experiment that is not shown is added; sentences to copy stay at hand."""
    output = notebook.run(LAB + LINEAGE + "ResultsView(services, lab.project.id, [third.experiment_id])")
    output.get_by_role("button", name=re.compile("^Lineage of .*-3 run 1")).click()
    graph = output.get_by_role("group", name="Graph of the lineage")
    expect(graph.get_by_role("button", name=re.compile("^run 1 of deployment"))).to_have_attribute(
        "aria-disabled", "true"
    )
    graph.get_by_role("button", name=re.compile("stage 1 of")).click()
    expect(output.get_by_role("button", name=re.compile("^Lineage of .*-1 run 1"))).to_be_focused()
    output.get_by_text("As text", exact=True).click()
    expect(output.get_by_role("listitem").filter(has_text="version 1, from step")).to_be_visible()
    screenshot("lineage results", output)
    assert axe(output) == ""


@pytest.mark.spec("8.1", "9.3")
def test_an_experiment_and_an_agent_have_a_lineage(
    notebook: Notebook,
    show: Callable[[str], Locator],
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
) -> None:
    """The runs that led to the deployed version; from an experiment a press leads to a relative's own."""
    output = show(LINEAGE + "ExperimentView(services, second.experiment_id)")
    output.get_by_text("Lineage", exact=True).click()
    nodes = output.get_by_role("group", name="Graph of the lineage").get_by_role("button")
    expect(nodes).to_have_count(2)  # its latest run, of which nothing came yet
    screenshot("lineage experiment", output)
    nodes.nth(0).click()
    expect(output.get_by_role("heading", name=re.compile("-sft-1"))).to_be_visible()
    output.get_by_text("Lineage", exact=True).click()
    expect(nodes.nth(0)).to_have_attribute("aria-current", "true")
    assert axe(output) == ""
    agent = notebook.run(
        "from pipeline_widgets.widgets.agent import AgentView\n"
        "AgentView(services, services.agents.all()[0].id)"
    )
    agent.get_by_text("Lineage", exact=True).click()
    nodes = agent.get_by_role("group", name="Graph of the lineage").get_by_role("button")
    expect(nodes).to_have_count(4)
    expect(nodes.nth(3)).to_have_attribute("aria-current", "true")
    for theme in ("JupyterLab Dark", "JupyterLab Dark High Contrast", "JupyterLab Light"):
        notebook.theme(theme)
        assert axe(agent) == "", theme
        screenshot(f"lineage agent {theme}", agent)


CODE = """
import sys, importlib
Path("rates.py").write_text(
    "def rate(step):\\n    warm_up = 100\\n    if step < warm_up:\\n        return 1e-4\\n    return 3e-4\\n")
sys.path.insert(0, ".")
sys.path.insert(0, {tests!r})
import pipeline_widgets as pw
import rates

@pw.algorithm("Mine", produces={{"thing"}}, accepts=[])
def mine(ctx):
    ctx.report(1, evaluation_score=rates.rate(1))
    with ctx.checkpoint(1) as folder:
        (folder / "x").write_text("1")

ws = pw.Workspace("code.db")
project = ws.create_project("Code", advanced_training=True)
pipe = project.create_pipeline("chain")
pipe.add_experiment_stage(project.create_experiment("mine", algorithm=mine))
pipe.stages[0].trigger(); pipe.wait(60)
Path("rates.py").write_text(
    "def rate(step):\\n    warm_up = 500\\n    if step < warm_up:\\n        return 1e-4\\n"
    "    decay = 0.5 ** (step // 1000)\\n    return 3e-4 * decay\\n")
pipe
"""


@pytest.mark.spec("6.11")
@pytest.mark.parametrize("width", [600, 1400])
def test_changed_code_is_shown_line_by_line(
    notebook: Notebook,
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    page: Page,
    width: int,
) -> None:
    """The old lines beside the new ones, as text, with the places where they stand now."""
    page.set_viewport_size({"width": width, "height": 900})
    tests = str(Path(__file__).parent.parent)
    output = notebook.run(LAB.split("lab = ", maxsplit=1)[0] + CODE.format(tests=tests), timeout=90)
    why = output.get_by_role("group", name="Why it is stale")
    expect(why).to_contain_text("Code changed: rates.py:2")
    rows = why.locator("tbody").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("rates.py:2")
    expect(rows.nth(0).get_by_role("cell").nth(0)).to_have_text("warm_up = 100")
    expect(rows.nth(0).get_by_role("cell").nth(1)).to_contain_text("warm_up = 500")
    expect(rows.nth(1).get_by_role("cell").nth(1)).to_contain_text("return 3e-4 * decay")
    for theme in ("dark", "light"):
        notebook.theme(theme)
        assert axe(why) == ""
        screenshot(f"code changed {width} {theme}", why)
    page.set_viewport_size({"width": 1280, "height": 900})
