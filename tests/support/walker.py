"""An algorithm for chaos: it walks, saves, and writes down in a file of its own what it really did.

Nothing here relies on a database: what the witness file says can be held against what the workspace says.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import pipeline_widgets as pw


class Walk(BaseModel):
    """How far to walk, and what to do meanwhile.

    Args:
        witness: The folder of the witness file.
        stage: The name under which the walk is witnessed.
        steps: How many steps to take, with a checkpoint at each.
        pause: Seconds for each step.
        helper: "", or "session" for a process in a session of its own, or "group" for one in this session.
        act: "", or a value that a database may refuse.
    """

    witness: str
    stage: str
    steps: int = 3
    pause: float = 0.1
    helper: str = ""
    act: str = ""


def open_walk(path: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: it answers with the step at which it was saved."""
    step = int((path / "step.txt").read_text())
    return lambda _: step


@pw.algorithm(
    "Walker",
    produces={"walk"},
    accepts=[pw.Port("weights", {"walk"})],
    config=Walk,
    predict=open_walk,
)
def walker(ctx: pw.TrainContext) -> None:
    """Walk, with a checkpoint and a score at each step; save once more when a stop is asked for."""
    config: Walk = ctx.config

    def witness(event: str, **more: object) -> None:
        line = json.dumps({"event": event, "stage": config.stage, "run": int(ctx.folder.name), **more})
        with open(Path(config.witness, "witness.jsonl"), "a", encoding="utf-8") as lines:  # noqa: PTH123
            lines.write(line + "\n")

    def save(step: int) -> None:
        with ctx.checkpoint(step) as folder:
            (folder / "step.txt").write_text(str(step))
            (folder / "path.txt").write_text(f"{config.stage} {ctx.seed} {step}\n" * 50)
        witness("saved", step=step)

    alone = open(Path(config.witness, f"{config.stage}.lock"), "w")  # noqa: PTH123, SIM115  held until the end
    try:
        fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        witness("overlap", pid=os.getpid())
    witness("began", pid=os.getpid(), start=ctx.start_step)
    if config.helper:
        code = "import time; time.sleep(900)"
        # Not in the tree when this process has ended: what only looks at descendants would miss it.
        subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=config.helper == "session")
    step = ctx.start_step
    try:
        while step < ctx.start_step + config.steps:
            step += 1
            if config.act == "raise":
                raise ValueError("NUL \0, half a letter \udcff, <b>tag</b>, " + "x" * 300)
            if config.act == "step":
                ctx.report(2**62 + step, evaluation_score=float(step))
            elif config.act:
                ctx.report(step, **{config.act: 1.0})  # pyright: ignore[reportArgumentType]  it is no other argument
            # The total is as far as this walk goes, so that a resumed one tells more.
            ctx.report(step, total=ctx.start_step + config.steps, evaluation_score=float(step), loss=1 / step)
            save(step)
            time.sleep(config.pause)
    except pw.StopTraining:
        save(step + 1)
        witness("stopped")
        raise
    witness("ended")
