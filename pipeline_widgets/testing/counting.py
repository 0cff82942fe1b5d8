"""The training of the suites' chains: it counts, with a checkpoint at each step."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import pipeline_widgets as pw


@dataclass
class Count:
    """The number to count to."""

    steps: int = 3
    #: Seconds between two steps.
    pause: float = 0.0
    #: Where a line is written for each time that a training begins; nowhere if empty.
    marks: str = ""


@pw.algorithm(
    "Counting of the suites", produces={"count"}, accepts=[pw.Port("weights", {"count"})], config=Count
)
def counting(ctx: pw.TrainContext) -> None:
    """Count."""
    config: Count = ctx.config
    if config.marks:
        with Path(config.marks).open("a", encoding="utf-8") as marks:
            marks.write(f"{os.getpid()}\n")
    for step in range(ctx.start_step + 1, config.steps + 1):
        ctx.report(step, total=config.steps, evaluation_score=float(step))
        with ctx.checkpoint(step) as folder:
            (folder / "count.txt").write_text(str(step), encoding="utf-8")
        time.sleep(config.pause)
