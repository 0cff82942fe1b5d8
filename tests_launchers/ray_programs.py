"""Algorithms that use Ray, or look at what Ray has made of their process."""

from __future__ import annotations

import importlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import pipeline_widgets as pw


@pw.algorithm("Uses Ray", produces={"thing"})
def uses_ray(ctx: pw.TrainContext) -> None:
    """Compute by tasks of the cluster that this job belongs to, as a user's own trainer would."""
    ray: Any = importlib.import_module("ray")  # takes seconds, and is not installed where types are checked
    ray.init(log_to_driver=False)

    @ray.remote
    def square(number: int) -> int:
        return number * number

    total = sum(ray.get([square.remote(number) for number in range(4)]))
    nodes = len(ray.nodes())
    ray.shutdown()
    ctx.report(1, total=1, evaluation_score=float(total), nodes=float(nodes))
    with ctx.checkpoint(1) as folder:
        (folder / "total.txt").write_text(str(total))


@pw.algorithm("Surroundings", produces={"thing"})
def surroundings(ctx: pw.TrainContext) -> None:
    """Save what a training finds around itself."""
    found = {
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "breakpoint": os.environ.get("PYTHONBREAKPOINT"),
        "blocks SIGINT": signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "launch": "PIPELINE_WIDGETS_LAUNCH" in os.environ,
    }
    ctx.report(1, total=1, evaluation_score=1.0)
    with ctx.checkpoint(1) as folder:
        (folder / "found.json").write_text(json.dumps(found))


@pw.algorithm("Waits", produces={"thing"})
def waits(ctx: pw.TrainContext) -> None:
    """Train until somebody ends it, and mark each start in a file beside the checkpoints."""
    import time

    ctx.report(1, total=2, evaluation_score=1.0)
    with ctx.checkpoint(1) as folder:
        (folder / "started").write_text(str(os.getpid()))
    while True:
        ctx.report(1)
        time.sleep(0.05)


def read(path: Path) -> dict[str, object]:
    """Return what `surroundings` has found."""
    return json.loads((path / "found.json").read_text())
