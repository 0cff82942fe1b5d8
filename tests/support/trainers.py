"""Small algorithms for tests: what a run does is said by its config."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import pipeline_widgets as pw

ANY = [pw.Port("weights", {"thing"})]


class Steps(BaseModel):
    """How long to train, and what to do meanwhile."""

    steps: int = 3
    pause: float = 0.0
    act: str = ""
    folder: str = ""


@pw.algorithm("Counter", produces={"thing"}, accepts=ANY, config=Steps, predict=lambda path: path.joinpath)
def counter(ctx: pw.TrainContext) -> None:
    """Count, with a checkpoint at each step."""
    config: Steps = ctx.config
    for step in range(ctx.start_step + 1, config.steps + 1):
        ctx.report(step, total=config.steps, evaluation_score=float(step), loss=1 / step)
        with ctx.checkpoint(step) as folder:
            (folder / "state.txt").write_text(f"{step} of seed {ctx.seed}")
        time.sleep(config.pause)
        if step == 1:
            _act(ctx, config)


def _act(ctx: pw.TrainContext, config: Steps) -> None:  # noqa: C901, PLR0912  a list of what can go wrong
    match config.act:
        case "raise":
            raise ValueError("the loss is <b>not</b> a number")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(7)
        case "exit 3":
            sys.exit(3)
        case "deaf":  # neither reports nor heeds a stop
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(600)
        case "hold the GIL":  # PyDLL does not release it
            ctypes.PyDLL(None).sleep(5)
        case "grandchild":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
            time.sleep(600)
        case "mark":  # one line for each time that it was started
            with Path(config.folder, "started").open("a", encoding="utf-8") as marks:
                marks.write(f"{os.getpid()}\n")
        case "worker":  # a daemon that multiprocessing ends by SIGTERM when this process ends
            worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,), daemon=True)
            worker.start()
        case "stray fork":  # the forked process leaves through the train function
            if os.fork() == 0:
                sys.exit(0)
            time.sleep(0.5)
        case "report from a fork":
            pid = os.fork()
            if pid == 0:
                try:
                    ctx.report(99)
                except pw.PipelineError:
                    os._exit(42)
                os._exit(0)
            if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 42:
                raise AssertionError("a fork has reported")
        case "leave a process":
            process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(config.folder, "left").write_text(str(process.pid))
            process.returncode = 0  # so that nothing warns of it
        case "subprocess":
            subprocess.run([sys.executable, "-c", "import time; time.sleep(2)"], check=True)
        case "print":
            ctx.log("<img src=x onerror=alert(1)>", "seed", ctx.seed)
            sys.stderr.write("from stderr\n")
            subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        case _:
            pass


class Deaths(BaseModel):
    """At which steps the attempts of a training are killed, and the folder in which they are counted."""

    steps: int = 6
    kills: list[int] = []
    saves_every: int = 2
    folder: str = ""


@pw.algorithm("Fragile", produces={"thing"}, accepts=ANY, config=Deaths)
def fragile(ctx: pw.TrainContext) -> None:
    """Count, with a checkpoint now and then, and get killed at the step of this attempt."""
    config: Deaths = ctx.config
    marks = Path(config.folder, "attempts")
    attempt = len(marks.read_text().splitlines()) if marks.exists() else 0
    with marks.open("a", encoding="utf-8") as written:
        written.write(f"{ctx.start_step}\n")
    killed = config.kills[attempt] if attempt < len(config.kills) else None
    for step in range(ctx.start_step + 1, config.steps + 1):
        ctx.report(step, total=config.steps, loss=1 / step)
        if step == killed:
            os.kill(os.getpid(), signal.SIGKILL)
        if step % config.saves_every == 0:
            with ctx.checkpoint(step) as folder:
                (folder / "state.txt").write_text(str(step))


class Lines(BaseModel):
    """How far a line lies above the sum of what it is asked."""

    above: float = 0.0
    act: str = ""


def open_line(path: Path) -> Callable[[Any], Any]:
    """Open a checkpoint of Line: it answers a row of numbers with their sum and what lies above."""
    above, act = (path / "line.txt").read_text().split("|")
    if act == "cannot be opened":
        raise RuntimeError("the line is <b>broken</b>")

    def answer(row: Any) -> Any:
        match act:
            case "fault":
                raise RuntimeError("it broke")
            case "NaN":
                return float("nan")
            case "die":
                os._exit(9)
            case "slow":
                time.sleep(2.0)
            case _:
                pass
        if len(row) != 3:
            raise ValueError(f"3 numbers, not {len(row)}")
        return sum(row) + float(above)

    answer.example = [1.0, 2.0, 3.0]  # pyright: ignore[reportFunctionMemberAccess]
    return answer


@pw.algorithm(
    "Line", produces={"policy"}, accepts=[pw.Port("weights", {"policy"})], config=Lines, predict=open_line
)
def line(ctx: pw.TrainContext) -> None:
    """Save how far the line lies above."""
    config: Lines = ctx.config
    ctx.report(1, total=1, evaluation_score=config.above)
    with ctx.checkpoint(1) as folder:
        (folder / "line.txt").write_text(f"{config.above}|{config.act}")


@pw.algorithm("Bare", produces={"thing"}, accepts=ANY)
def bare(ctx: pw.TrainContext) -> None:
    """Save one file and nothing else; there is nothing to configure."""
    with ctx.checkpoint(1) as folder:
        (folder / "file").write_text("0")


@pw.algorithm("Silent", produces={"thing"}, accepts=ANY)
def silent(ctx: pw.TrainContext) -> None:
    """Save nothing at all."""


@pw.algorithm("Other", produces={"other"}, accepts=[pw.Port("weights", {"other"})])
def other(ctx: pw.TrainContext) -> None:
    """Make what the others cannot start from."""
