"""What showing costs: a call in the training, and a step of a run with 1,000 items in a real JupyterLab.

    python benchmarks/shown_items.py [--rounds 15]

A step: from moving the slider to the frame in which its table, or its picture, is painted; beside it the same
in a run of ten items, in the same round.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from views import TESTS, opened, show

from pipeline_widgets.algorithms.context import TrainContext

MADE = f"""
import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS / "support")!r}]
from pathlib import Path
import numpy as np
from factories.lab import open_lab
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.wiring import connect
lab = open_lab(Path.cwd())
services = connect("sqlite:///lab.db", artifacts="lab-artifacts")
noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
def made(name, steps, **what):
    job = lab.started(lab.runs.trigger(lab.pipeline("SFT", name=name).stages[0].id))
    events = []
    context = TrainContext(config=None, seed=0, folder=Path(job.folder), emit=events.append)
    for step in range(1, steps + 1):
        context.show(step, **what)
    lab.supervision.record(job, Batch.of(events))
    lab.end(job)
    return lab.runs.get(job.run_id).pipeline_id
samples = [("a prompt " * 10, "an output " * 40, 0.5)] * 8
chains = {{
    f"{{kind}} {{steps}}": made(f"{{kind}} {{steps}}", steps, **what)
    for kind, what in (("samples", dict(samples=samples)), ("images", dict(image=noise)))
    for steps in (10, 1000)
}}
"""
#: Move the slider to a place; milliseconds until what is there is painted.
MOVE = """async at => {
    const part = document.querySelector(".pw-shown:not([hidden])"), slider = part.querySelector("input");
    const began = performance.now();
    slider.value = String(at);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    const step = new Intl.NumberFormat("en-US").format(at + 1);
    const ready = () => {
        if (part.querySelector("output").textContent !== step) return false;
        const img = part.querySelector("figure");
        return img ? !!part.querySelector("img")?.complete : !!part.querySelector("tbody tr");
    };
    while (!ready()) await new Promise(requestAnimationFrame);
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - began;
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    calls()
    with opened() as notebook:
        notebook.execute(MADE, timeout=600)
        for kind in ("samples", "images"):
            taken: dict[int, list[float]] = {}
            for steps in (1000, 10):
                notebook.clear_outputs()
                output = notebook.run(f"PipelineView(services, chains['{kind} {steps}'])")
                part = output.locator(".pw-shown")
                part.locator("figure, table").first.wait_for()
                part.scroll_into_view_if_needed()
                notebook.page.wait_for_timeout(4500)  # it has said hello by then
                places = np.random.default_rng(1).integers(0, steps - 1, rounds)
                places = [int(each) for at, each in enumerate(places) if not at or each != places[at - 1]]
                taken[steps] = [notebook.page.evaluate(MOVE, each) / 1000 for each in places]
            show(f"a step of 1,000 ({kind})", taken[1000], "of 10", taken[10])


def calls() -> None:
    """Print what a call of `ctx.show` takes."""
    frames = np.zeros((60, 130, 200, 3), np.uint8)
    for at, frame in enumerate(frames):
        frame[40:60, 2 * at : 2 * at + 20] = 200
    kinds: dict[str, dict[str, Any]] = {
        "8 samples": {"samples": [("a prompt", "an output", 0.5)] * 8},
        "an image of 128 by 128": {"image": frames[0, :128, :128]},
        "a video of 60 frames": {"video": frames},
    }
    with tempfile.TemporaryDirectory() as folder:
        context = TrainContext(config=None, seed=0, folder=Path(folder))
        for name, what in kinds.items():
            context.show(0, **what)  # imports what is imported once
            each = clock(lambda what=what: context.show(1, **what), 20)
            print(f"ctx.show of {name}: {1000 * each:.2f} ms")


def clock(act: Callable[[], object], times: int) -> float:
    """Return the seconds that something takes, the median of some times."""
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


if __name__ == "__main__":
    main()
