"""Train functions as users write them: each does one thing that a training may do."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

from pydantic import BaseModel

import pipeline_widgets as pw

ANY = [pw.Port("weights", {"thing"})]


def save(ctx: pw.TrainContext, step: int) -> None:
    """Save a checkpoint of one file."""
    with ctx.checkpoint(step) as folder:
        (folder / "x").write_text(str(step))


@pw.algorithm("Late", produces={"thing"}, accepts=ANY)
def late(ctx: pw.TrainContext) -> None:
    """Save twice, and evaluate afterwards; a score that was reported by mistake is corrected."""
    save(ctx, 5)
    ctx.report(5, evaluation_score=100.0)
    save(ctx, 10)
    ctx.report(10, total=10, evaluation_score=0.1)
    ctx.report(5, evaluation_score=0.9)


def _leave(code: int) -> Callable[[int, object], None]:
    def leave(_: int, __: object) -> None:
        sys.exit(code)

    return leave


def _leave_at_once(_: int, __: object) -> None:
    os._exit(143)


def _fail(_: int, __: object) -> None:
    raise ZeroDivisionError


class Ending(BaseModel):
    """How a training ends when it is asked to stop."""

    how: str


@pw.algorithm("Ending", produces={"thing"}, accepts=ANY, config=Ending)
def ending(ctx: pw.TrainContext) -> None:
    """Save a checkpoint, and wait for SIGTERM with a handler of its own."""
    match ctx.config.how:
        case "sys.exit":
            signal.signal(signal.SIGTERM, _leave(143))
        case "sys.exit 1":
            signal.signal(signal.SIGTERM, _leave(1))
        case "os._exit":
            signal.signal(signal.SIGTERM, _leave_at_once)
        case "default":
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        case "interrupt":
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        case "fault":
            signal.signal(signal.SIGTERM, _fail)
        case _:  # it does not wait for anybody
            ctypes.string_at(0)
    save(ctx, 1)
    ctx.report(1)
    time.sleep(60)


class _Mute:
    """What has taken the place of a stream, and takes nothing."""

    def write(self, _: str) -> int:
        """Raise what no stream raises."""
        raise RuntimeError("nobody listens")

    flush = close = write


class Untold(BaseModel):
    """How a training spoils what it could tell."""

    how: str
    fails: bool = False


@pw.algorithm("Untold", config=Untold, produces={"thing"}, accepts=ANY)
def untold(ctx: pw.TrainContext) -> None:
    """Spoil the standard streams, and go on."""
    if ctx.config.how == "none":
        sys.stdout = sys.stderr = None
    elif ctx.config.how == "closed":
        sys.stdout.close()
        sys.stderr.close()
    else:
        sys.stdout = sys.stderr = _Mute()  # pyright: ignore[reportAttributeAccessIssue]  users do so
    ctx.log("nobody hears this")
    save(ctx, 1)
    if ctx.config.fails:
        raise ValueError("what went wrong")


class _UnspeakableError(Exception):
    @property
    def __cause__(self) -> BaseException:  # pyright: ignore[reportIncompatibleVariableOverride]  that is the fault
        raise RuntimeError("no words")


@pw.algorithm("Long-winded", produces={"thing"}, accepts=ANY)
def wordy(ctx: pw.TrainContext) -> None:
    """Fail with a text of 5 MB."""
    del ctx
    raise ValueError("begin" + 5_000_000 * "." + "end")


@pw.algorithm("Unspeakable", produces={"thing"}, accepts=ANY)
def unspeakable(ctx: pw.TrainContext) -> None:
    """Fail with an error of which no traceback can be made."""
    del ctx
    raise _UnspeakableError


@pw.algorithm("In tasks", produces={"thing"}, accepts=ANY)
def in_tasks(ctx: pw.TrainContext) -> None:
    """Report from a task of a group, which wraps whatever ends it."""

    async def reports() -> None:
        while True:
            ctx.report(1)
            await asyncio.sleep(0.02)

    async def tasks() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(reports())

    asyncio.run(tasks())
