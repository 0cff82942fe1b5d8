"""Let a language model generate for one request, and end that when its client goes away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import Request

from pipeline_widgets.algorithms.text_predictor import Completion, TakeText
from pipeline_widgets.serving.payload import RequestError
from pipeline_widgets.serving.queue import ClientGoneError, LoadedVersion, PredictionQueue

_T = TypeVar("_T")
#: Generations that nobody waits for end by themselves; a task without a reference could be collected before.
_under_way: set[asyncio.Task[Any]] = set()


async def generate(
    queue: PredictionQueue, opened: LoadedVersion, complete: Callable[[TakeText], Completion]
) -> AsyncGenerator[str | Completion]:
    """Yield the pieces of a completion as they come, and then the completion.

    Who stops reading ends it: the agent is free as soon as its predictor comes to the next piece.

    Args:
        queue: Whose turn it is.
        opened: The version that is asked.
        complete: Generates, in the agent's thread.

    Raises:
        RequestError: Its turn does not come, or the agent's code raises.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[str | None] = asyncio.Queue()
    gone = threading.Event()

    def take(text: str) -> None:
        if gone.is_set():
            raise ClientGoneError
        if text:
            loop.call_soon_threadsafe(pieces.put_nowait, text)

    def act() -> Completion:
        take("")
        return complete(take)

    # A task of its own, which is never cancelled: the agent's turn ends when its thread is done, not before.
    task = asyncio.create_task(queue.run(opened, act))
    _under_way.add(task)
    task.add_done_callback(lambda done: _end(done, pieces))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        yield await task
    finally:
        gone.set()


async def unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Return the result of some work, and cancel it when the client of a request, fully read, goes away.

    Raises:
        RequestError: The client has gone.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_await_disconnect(request))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise RequestError(400, "The client has gone.")
    finally:
        for each in (working, watching):
            each.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await working


async def _await_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _end(task: asyncio.Task[Completion], pieces: asyncio.Queue[str | None]) -> None:
    """Tell who reads the pieces that no more will come; the task has the result, or the error."""
    _under_way.discard(task)
    if not task.cancelled():
        task.exception()  # else asyncio would log it where nobody waits for it any more
    pieces.put_nowait(None)
