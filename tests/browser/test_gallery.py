"""Every view in its main states, in cells of three widths, light and dark: nothing sticks out or is cut off.

The pictures lie in test-artifacts/gallery for a look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from browser.conftest import ARTIFACTS
from browser.notebook import Notebook
from browser.scenes import LETTERS

GEOMETRY = (Path(__file__).parent / "geometry.js").read_text(encoding="utf-8")
HIGH_CONTRAST = "JupyterLab Dark High Contrast"
#: The widths of a cell in which all is looked at in a theme.
THEMES = {"light": (600, 900, 1400), "dark": (600, 1400), "contrast": (900,)}
PATIENT = 30_000  # ms; a process has to start

#: A workspace with all that a view can show; one process runs, and one waits for its slot.
MADE = f"""
{LETTERS}
from factories.lab import Clock, Lab
from pipeline_widgets.domain.run import Status
lab = Lab(ws._services.store, Clock())
lab.__dict__["project"] = project._services.projects.get(project._id)
LONG = "a name that somebody has made far too long to fit anywhere, and then some"

def staged(*names, name, **options):
    return lab.pipeline(*names, name=name, **options)

empty = project.create_pipeline("nothing in it")
one = staged("SFT", name="one stage")
many = staged(*["SFT"] * 40, name="forty stages")
for each, score in zip(many.stages[:12], range(12)):
    lab.do(each, 0.5 + score / 30)
failed = staged("SFT", "SFT", "SFT", name=LONG)
lab.do(failed.stages[0], 0.5)
lab.do(failed.stages[1], 0.4, status=Status.FAILED)
stale = staged("SFT", "SFT", "deploy", name="stale")
for at, each in enumerate(stale.stages[:2]):
    lab.do(each, 0.5 + at / 10, 0.6 + at / 10)
lab.do(stale.stages[2])
lab.do(stale.stages[0], 0.7, 0.8)
running = chain("count", "then", name="running", steps=900, pause=0.2)
project.experiments[0].annotate(tags=["baseline", "to check"], note="Keep this one", favourite=True)
ws.limits(runs=1)
running.stages[0].trigger()
waiting = chain("waits", name="waiting", steps=1)
waiting.stages[0].trigger()
def pipe_of(pipeline, stage=0):
    view = project.pipelines[pipeline.name].view()
    if pipeline.stages:
        view.do_select(project.pipelines[pipeline.name].stages[stage]._id)
    return view
"""
STATES = {
    "workspace": "ws",
    "empty workspace": "pw.Workspace('other/lab.db')",
    "empty project": "ws.create_project('Empty', advanced_training=True)",
    "pipelines": "project",
    "experiments": "view = project.view(); view.do_show_tab('Experiments'); view",
    "results": "project.compare(*[e.name for e in project.experiments if e.runs][:8])",
    "empty results": "view = project.view(); view.do_show_tab('Results'); view",
    "empty pipeline": "pipe_of(empty)",
    "one stage": "pipe_of(one)",
    "forty stages": "pipe_of(many, 11)",
    "failed": "pipe_of(failed, 1)",
    "stale": "pipe_of(stale, 1)",
    "running": "pipe_of(running)",
    "deployment": "pipe_of(stale, 2)",
    "agents": "ws.agents_view()",
    "agent": "ws.agents[0]",
    "experiment": "project.experiments['stale-sft-1']",
    "experiment that runs": "project.experiments['count']",
    "queue": "pipe_of(waiting)",
}
#: What is opened first: the view, and the button that opens it.
DIALOGS = {
    "log": ("pipe_of(running)", "Open log"),
    "template": ("project", "New from template"),
    "stage form": ("pipe_of(stale, 0)", "Add stage"),
    "plan": ("pipe_of(stale, 0)", "Bring up to date"),
    "new project": ("ws", "New project"),
}


@pytest.fixture(scope="module")
def gallery(opened: Notebook, tmp_path_factory: pytest.TempPathFactory) -> Generator[Notebook]:
    """Yield a notebook in which the workspace is open; nothing beside the cells takes room."""
    (ARTIFACTS / "gallery").mkdir(parents=True, exist_ok=True)
    opened.renew(tmp_path_factory.mktemp("gallery"))
    opened.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    opened.page.evaluate(f"{GEOMETRY}\nnull")
    opened.run(MADE, timeout=120)
    yield opened
    opened.execute("running.stop()")
    opened.theme("light")


def fit_cell(notebook: Notebook, root: Locator, width: int) -> None:
    """Make the page as wide as it has to be for a cell's output of a width."""
    page = notebook.page
    now = root.evaluate("e => e.closest('.jp-OutputArea-output').clientWidth")
    size = page.viewport_size
    assert size
    page.set_viewport_size({"width": size["width"] + width - now, "height": 1000})
    page.wait_for_timeout(150)


def look(notebook: Notebook, name: str, root: Locator, shown: Locator, axe: Callable[[Locator], str]) -> None:
    """Assert of a view, or of a dialog over it, that all is well in all widths and themes."""
    wrong: list[str] = []
    for theme, widths in THEMES.items():
        notebook.theme(HIGH_CONTRAST if theme == "contrast" else theme)
        for width in widths:
            fit_cell(notebook, root, width)
            faults = [*shown.evaluate("root => findFaults(root)"), *filter(None, [axe(shown)])]
            wrong += [f"{width} {theme}: {each}" for each in faults]
            shown.screenshot(path=ARTIFACTS / "gallery" / f"{name.replace(' ', '-')}-{width}-{theme}.png")
    assert not wrong, "\n".join(wrong)
    assert not notebook.errors, "\n".join(notebook.errors)


@pytest.mark.spec("4.6", "4.9")
@pytest.mark.parametrize("name", STATES)
def test_a_view_fits_into_its_cell(gallery: Notebook, axe: Callable[[Locator], str], name: str) -> None:
    """No view scrolls sideways, hides a word without a title, or lays a control over another."""
    gallery.errors.clear()
    root = gallery.run(STATES[name]).locator(".pw-root").first
    expect(root).to_be_visible()
    expect(root.get_by_text(re.compile(r"^(Loading|Opening)…$")).locator("visible=true")).to_have_count(0)
    look(gallery, name, root, root, axe)


@pytest.mark.spec("4.6")
@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_fits_into_the_page(gallery: Notebook, axe: Callable[[Locator], str], name: str) -> None:
    """The same of what is opened over a view."""
    gallery.errors.clear()
    view, opener = DIALOGS[name]
    root = gallery.run(view).locator(".pw-root").first
    root.get_by_role("button", name=opener, exact=True).first.click()
    dialog = root.get_by_role("dialog")
    expect(dialog).to_be_visible()
    look(gallery, name, root, dialog, axe)
    gallery.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
