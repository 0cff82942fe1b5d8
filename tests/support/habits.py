"""Algorithms that do to their processes what users' trainers do."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import BaseModel

import pipeline_widgets as pw

FOREVER = [sys.executable, "-c", "import time; time.sleep(600)"]


class Habit(BaseModel):
    """What it does at last, and where it tells whom it has started."""

    end: str = ""
    folder: str = ""


@pw.algorithm("Detaching", produces={"thing"}, config=Habit)
def detaching(ctx: pw.TrainContext) -> None:
    """Start processes that detach themselves in three ways, and end in the way that is asked for."""
    config: Habit = ctx.config
    folder = Path(config.folder)
    rank = subprocess.Popen(FOREVER, start_new_session=True)
    bare = subprocess.Popen(FOREVER, start_new_session=True, env={})
    rank.returncode = bare.returncode = 0  # so that nothing warns of them
    for name, pid in (("rank", rank.pid), ("bare", bare.pid)):
        (folder / name).write_text(str(pid))
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            (folder / "daemon.new").write_text(str(os.getpid()))
            (folder / "daemon.new").rename(folder / "daemon")
            time.sleep(600)
        os._exit(0)
    while not (folder / "daemon").exists():
        time.sleep(0.01)
    ctx.report(1, total=1, evaluation_score=1.0)
    with ctx.checkpoint(1) as made:
        (made / "file").write_text("0")
    match config.end:
        case "raise":
            raise ValueError("no")
        case "exit":
            os._exit(7)
        case "wait":
            while True:
                ctx.report(1)
                time.sleep(0.01)
        case _:
            pass


@pw.algorithm("Careful", produces={"thing"}, config=Habit)
def careful(ctx: pw.TrainContext) -> None:
    """Train until a stop, and then take a moment to save."""
    ctx.report(1, total=2, evaluation_score=1.0)
    with ctx.checkpoint(1) as made:
        (made / "file").write_text("0")
    try:
        while True:
            ctx.report(1)
            time.sleep(0.01)
    except pw.StopTraining:
        time.sleep(0.5)  # saving takes a while
        with ctx.checkpoint(2) as made:
            (made / "file").write_text("1")
        raise


@pw.algorithm("Chatty", produces={"thing"}, config=Habit)
def chatty(ctx: pw.TrainContext) -> None:
    """Print to a full disk."""
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, 1)
    os.dup2(full, 2)
    print("nobody will read this")  # noqa: T201  that is the question
    sys.stderr.write("nor this")
    ctx.log("nor that")
    with ctx.checkpoint(1) as made:
        (made / "file").write_text("0")


@pw.algorithm("Neighbourly", produces={"thing"}, config=Habit)
def neighbourly(ctx: pw.TrainContext) -> None:
    """Use a module beside the notebook, and one of the standard library whose name lies there as well."""
    neighbour = importlib.import_module("beside_the_notebook")
    importlib.import_module("colorsys").rgb_to_hsv(0, 0, 0)
    with ctx.checkpoint(1) as made:
        (made / "file").write_text(str(neighbour.VALUE))


@pw.algorithm("Odd", produces={"thing"}, config=Habit)
def odd(ctx: pw.TrainContext) -> None:
    """Report a metric whose name no database can store as it is."""
    ctx.report(1, **{"half \ud800": 1.0})  # pyright: ignore[reportArgumentType]  it is no other argument
    with ctx.checkpoint(1) as made:
        (made / "file").write_text("0")


@pw.algorithm("Waiting", produces={"thing"}, config=Habit)
def waiting(ctx: pw.TrainContext) -> None:
    """Start a script as a program, and wait for it without a look at anything else."""
    config: Habit = ctx.config
    subprocess.run([sys.executable, config.folder], check=config.end == "checked")


def _square(x: int) -> int:
    return x * x


@pw.algorithm("Pooling", produces={"thing"})
def pooling(ctx: pw.TrainContext) -> None:
    """Train until a stop, and then let processes of its own work for two seconds on what it saves."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(_square, [0])
        try:
            while True:
                ctx.report(1)
                time.sleep(0.01)
        except pw.StopTraining:
            time.sleep(2)
            with ctx.checkpoint(1) as made:
                (made / "file").write_text(str(pool.map(_square, [0, 1, 2])))
            raise


class Saving(BaseModel):
    """How long a checkpoint takes after a stop, and whether it grows meanwhile."""

    seconds: float = 5.0
    grows: bool = True


@pw.algorithm("Slow to save", produces={"thing"}, config=Saving, stop_within=2.0)
def slow_to_save(ctx: pw.TrainContext) -> None:
    """Save for longer than a stop may take."""
    config: Saving = ctx.config
    try:
        while True:
            ctx.report(1)
            time.sleep(0.01)
    except pw.StopTraining:
        with ctx.checkpoint(1) as made, (made / "file").open("w") as file:
            for _ in range(int(config.seconds / 0.25)):
                time.sleep(0.25)
                if config.grows:
                    file.write("x")
                    file.flush()
        raise


@pw.algorithm("Uploading", produces={"thing"})
def uploading(ctx: pw.TrainContext) -> None:
    """Leave a thread and an executor that are at work, and one that is idle."""

    def upload(step: int) -> None:
        time.sleep(1.5)
        ctx.report(step, evaluation_score=float(step))

    ctx.report(1)
    threading.Thread(target=upload, args=(2,), name="uploads").start()
    ThreadPoolExecutor(1).submit(upload, 3)
    ThreadPoolExecutor(1).submit(int).result()


class Data(BaseModel):
    """A file of data, as users name it."""

    path: str = "data.txt"
    fails: bool = True


@pw.algorithm("Reading", produces={"thing"}, accepts=[pw.Port("weights", {"thing"})], config=Data)
def reading(ctx: pw.TrainContext) -> None:
    """Read a file by a relative path, also after it was resumed, and leave output beside the checkpoints."""
    text = Path(ctx.config.path).read_text()
    with ctx.checkpoint(ctx.start_step + 1) as made:
        (made / "file").write_text(text)
    (ctx.folder / "output").mkdir()
    (ctx.folder / "output" / "copy").write_text("x" * 1000)
    if ctx.start is None:
        raise ValueError("not yet")


@pw.algorithm("Counting files", produces={"lm"}, accepts=[pw.Port("weights", {"lm"})], scratch=False)
def counting_files(ctx: pw.TrainContext) -> None:
    """Save how many files the start has."""
    assert ctx.start is not None
    with ctx.checkpoint(1) as made:
        (made / "count").write_text(str(len(list(ctx.start.path.iterdir()))))
