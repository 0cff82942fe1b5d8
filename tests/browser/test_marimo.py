"""Handles as the last expression of a cell of a real marimo notebook, in Chromium (spec 2.3)."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from browser.scenes import TESTS

LONG = 240_000  # ms; marimo runs all cells first, which takes a while on a busy machine
NOTEBOOK = f"""
import marimo

app = marimo.App()

@app.cell
def _():
    import sys
    sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / "support")!r}]
    import pipeline_widgets as pw, trainers
    ws = pw.Workspace()
    project = ws.create_project("Letters", advanced_training=True)
    pipe = project.create_pipeline("chain")
    experiment = project.create_experiment("count", algorithm=trainers.counter, config={{"steps": 3}})
    pipe.add_experiment_stage(experiment)
    experiment.train().wait(60)
    agent = ws.create_agent("greeter", experiment.checkpoints[-1])
    return agent, experiment, pipe, project, ws

@app.cell
def _(ws):
    ws

@app.cell
def _(project):
    project

@app.cell
def _(pipe):
    pipe

@app.cell
def _(experiment):
    experiment

@app.cell
def _(agent):
    agent
"""


@pytest.fixture
def page(context: BrowserContext, tmp_path: Path) -> Iterator[Page]:
    """Yield a page of marimo with that notebook; afterwards no error may be left in it."""
    notebook, port = tmp_path / "notebook.py", free_port()
    notebook.write_text(NOTEBOOK, encoding="utf-8")
    command = [sys.executable, "-m", "marimo", "run", str(notebook), "--headless", "--no-token"]
    address = ["--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "marimo.log").open("w") as log:
        server = subprocess.Popen([*command, *address], cwd=tmp_path, stdout=log, stderr=log)
    errors: list[str] = []
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(error.stack or error.message))
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        opened.goto(f"http://127.0.0.1:{port}")
        yield opened
        assert not errors, "\n".join(errors)
    finally:
        opened.close()
        server.terminate()
        server.wait(20)


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(url: str) -> None:
    """Wait until a server answers."""
    for _ in range(300):
        try:
            with urlopen(url, timeout=5):  # noqa: S310  our own server
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer.")


def view(page: Page, kind: str) -> Locator:
    """Return a view that stands in no other one, by its kind."""
    return page.locator(f".pw-root:has(> .pw-{kind})").last


@pytest.mark.spec("2.3", "2.5", "2.6")
def test_every_handle_shows_its_live_view(page: Page) -> None:
    """Workspace, project, pipeline, experiment and agent, with what they hold, alive, in light and dark."""
    home = view(page, "workspace")
    expect(home.get_by_role("button", name="Stage 1 (count) is next, chain, Letters")).to_be_visible(
        timeout=LONG
    )
    expect(home.get_by_role("table", name="Agents")).to_contain_text("greeter")
    expect(view(page, "project").get_by_role("table", name="Pipelines")).to_contain_text("chain")
    expect(view(page, "pipeline").get_by_role("button", name=re.compile("^Stage 1: count"))).to_be_visible()
    expect(view(page, "agent").get_by_role("region", name="Versions of greeter")).to_be_visible()
    one = view(page, "experiment")
    expect(one.get_by_role("slider", name="Evaluation score by step")).to_have_accessible_name(
        re.compile("3 at step 3")
    )
    primary = home.get_by_role("button", name="New project")
    expect(primary).to_have_css("background-color", "rgb(21, 101, 192)")
    page.evaluate("document.body.classList.add('dark')")
    expect(primary).to_have_css("background-color", "rgb(122, 184, 255)")
    one.get_by_role("button", name="Train", exact=True).click()
    runs = one.get_by_role("group", name="Runs", exact=True)
    expect(runs.get_by_role("rowheader", name="Run 2")).to_be_visible(timeout=LONG)
    expect(runs.get_by_role("row").nth(1)).to_contain_text("Succeeded", timeout=LONG)
    home.get_by_role("table", name="Projects").get_by_role("button", name="Letters", exact=True).click()
    expect(home.get_by_role("tab", name="Pipelines")).to_be_visible()
    expect(home.get_by_role("table", name="Pipelines")).to_contain_text("chain")
    home.get_by_role("button", name="Back to workspace").click()
    expect(home.get_by_role("tab", name="Pipelines")).to_have_count(0)
