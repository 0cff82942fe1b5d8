"""What large views cost in a real JupyterLab, against the same views with ten, in one run.

    python benchmarks/views.py [--rounds 5]

A chain of 1,000 stages: from running the cell to the first paint, and one status change: from its message
to the next painted frame, and its bytes. A list of 10,000 pipelines: from running the cell to the first
paint. At rest: what the kernel says in 60 seconds. The bare reference is a cell that shows an anywidget
with one word.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "support")]

from browser.chromium import executable  # noqa: E402
from browser.conftest import ARGUMENTS  # noqa: E402
from browser.lab import Lab  # noqa: E402
from browser.notebook import Notebook  # noqa: E402

MADE = f"""
import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / "support")!r}, {str(Path(__file__).parent)!r}]
import pipeline_widgets as pw, trainers, many
ws = pw.Workspace()
few, lots = (ws.create_project(name, advanced_training=True) for name in ("few", "lots"))
short, long = (
    many.chain(ws.create_project(f"chain of {{n}}", advanced_training=True), n) for n in (10, 1000)
)
many.pipelines(few, 10)
many.pipelines(lots, 10_000)
import anywidget
class Word(anywidget.AnyWidget):
    _esm = "export default {{render: ({{el}}) => {{ el.innerHTML = '<b class=word>word</b>' }}}}"
"""
GRAPH = ".pw-graphbox[data-renderer='cytoscape'][data-ready]"
#: Milliseconds from a comm message of the kernel to the end of the frame in which it is painted.
FRAMES = """() => {
    window.frames_ms = [];
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    kernel.anyMessage.connect((_, {msg, direction}) => {
        if (direction !== 'recv' || msg.header.msg_type !== 'comm_msg') return;
        const at = performance.now();
        requestAnimationFrame(() => setTimeout(() => window.frames_ms.push(performance.now() - at)));
    });
}"""
CHANGE = """
rows = [dict(row) for row in view.stages]
rows[3]["status"] = "Running" if rows[3]["status"] == "Draft" else "Draft"
view.show_rows("stages", rows)
"""


def main() -> None:
    """Print ours, the reference and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rest", type=int, default=60)
    options = parser.parse_args()
    with opened() as notebook:
        notebook.run(MADE, timeout=300)
        seconds = {
            "word": paint(notebook, "Word()", ".word", options.rounds),
            "10 stages": paint(notebook, "short", GRAPH, options.rounds),
            "1,000 stages": paint(notebook, "long", GRAPH, options.rounds),
            "10 pipelines": paint(notebook, "few", ".pw-root table tbody tr", options.rounds),
            "10,000 pipelines": paint(notebook, "lots", ".pw-root table tbody tr", options.rounds),
        }
        show("first paint of 1,000 stages", seconds["1,000 stages"], "of 10", seconds["10 stages"])
        show("first paint of 10,000 pipelines", seconds["10,000 pipelines"], "of 10", seconds["10 pipelines"])
        show("first paint of 10 stages", seconds["10 stages"], "of one word", seconds["word"])
        (few_ms, few_bytes), (ms, size) = (
            change(notebook, name, options.rounds) for name in ("short", "long")
        )
        show("one status change of 1,000 stages, painted", ms, "of 10", few_ms)
        print(f"  its bytes: {size} of 1,000, {few_bytes} of 10")
        rest(notebook, options.rest)


@contextmanager
def opened() -> Generator[Notebook]:
    """Yield a notebook in a real JupyterLab."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(Path(folder)) as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        notebook = Notebook(lab, page, "views")
        yield notebook
        notebook.close()
        browser.close()


def paint(notebook: Notebook, shown: str, drawn: str, rounds: int) -> list[float]:
    """Return the seconds from running a cell to the frame in which its output is drawn."""
    taken: list[float] = []
    for _ in range(rounds + 1):
        notebook.clear_outputs()
        notebook.page.wait_for_timeout(300)
        began = time.perf_counter()
        output = notebook.start(shown)
        output.locator(drawn).first.wait_for()
        notebook.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        taken.append(time.perf_counter() - began)
        notebook.finish()
    return taken[1:]  # the first one loads what is loaded once


def change(notebook: Notebook, shown: str, rounds: int) -> tuple[list[float], int]:
    """Return the seconds in the browser, and the bytes, of one status change."""
    notebook.clear_outputs()
    notebook.execute(f"view = {shown}.view()")
    notebook.run("view").locator(GRAPH).first.wait_for()
    notebook.page.wait_for_timeout(4500)  # it has said hello by then
    notebook.page.evaluate(FRAMES)
    notebook.forget_messages()
    for _ in range(rounds):
        notebook.execute(CHANGE)
        notebook.page.wait_for_timeout(200)
    told = [each.bytes for each in notebook.messages() if each.direction == "down"]
    return [ms / 1000 for ms in notebook.page.evaluate("window.frames_ms")], max(told)


def rest(notebook: Notebook, seconds: int) -> None:
    """Print what the kernel says while nothing changes."""
    notebook.clear_outputs()
    notebook.run("short").locator(GRAPH).first.wait_for()
    notebook.page.wait_for_timeout(6000)
    notebook.forget_messages()
    notebook.page.wait_for_timeout(1000 * seconds)
    down = [each for each in notebook.messages() if each.direction == "down"]
    up = [each for each in notebook.messages() if each.direction == "up"]
    print(f"at rest, {seconds} s visible: {len(down)} comm messages from the kernel, {len(up)} to it")


def show(what: str, ours: list[float], beside: str, reference: list[float]) -> None:
    """Print medians in milliseconds, and their ratio."""
    one, other = statistics.median(ours), statistics.median(reference)
    print(
        f"{what}: {1000 * one:.0f} ms ({1000 * min(ours):.0f}-{1000 * max(ours):.0f}); {beside} "
        f"{1000 * other:.0f} ms; ratio {one / other:.2f}"
    )


if __name__ == "__main__":
    main()
