"""Work in parallel with few bytes in flight, and try again what fails for a while."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from pipeline_widgets.errors import CheckpointError

THREADS = 4
PAUSES = (0.2, 5.0)  # seconds between two tries: at first, and at most

_T = TypeVar("_T")


class Patience:
    """The time during which a failing request is tried again.

    Args:
        seconds: Since when it has failed without a success in between.
        tell: Called before each new try with the error.
        reconnect: Called before each new try; credentials may have been renewed.
    """

    def __init__(
        self,
        seconds: float,
        *,
        tell: Callable[[Exception], None] = lambda _: None,
        reconnect: Callable[[], None] = lambda: None,
    ) -> None:
        self.seconds = seconds
        self._tell, self._reconnect = tell, reconnect
        self._given_up = threading.Event()

    def fresh(self) -> Patience:
        """Return the same patience for another attempt, which gives up by itself."""
        return Patience(self.seconds, tell=self._tell, reconnect=self._reconnect)

    def give_up(self) -> None:
        """Try nothing again from now on, in any thread."""
        self._given_up.set()

    def retry(self, action: Callable[[], _T], *, final: tuple[type[Exception], ...] = ()) -> _T:
        """Do something, and do it again as long as it fails and there is patience.

        Args:
            action: What is done.
            final: The errors that trying again does not help against, beside a CheckpointError.
        """
        pause, until = PAUSES[0], None
        while True:
            try:
                return action()
            except (CheckpointError, *final):
                raise
            except Exception as error:
                now = time.monotonic()
                until = now + self.seconds if until is None else until
                if now >= until or self._given_up.is_set():
                    raise
                self._tell(error)
            if self._given_up.wait(min(pause, max(0.0, until - now))):
                pause = 0.0
            pause = min(2 * pause, PAUSES[1])
            self._reconnect()


class Pool:
    """A few daemon threads: nothing of a program that ends waits for them.

    The executors of `concurrent.futures` are no choice here: a training that has returned is waited for by
    ending all of them, and its last checkpoints are sent after that.

    Args:
        prepare: Called by each of the threads before its first task.
    """

    def __init__(self, prepare: Callable[[], None] = lambda: None, threads: int = THREADS) -> None:
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads = threads
        for _ in range(threads):
            threading.Thread(target=self._work, args=(prepare,), name="transfer", daemon=True).start()

    def close(self) -> None:
        """End the threads once they have done what they were given."""
        for _ in range(self._threads):
            self._tasks.put(None)

    def map(self, tasks: Generator[tuple[int, Callable[[], _T]]], most: int) -> Generator[_T]:
        """Yield the results of tasks in their order; at most `most` bytes are in flight.

        When a task fails its error is raised, once no other is at work any more.

        Args:
            tasks: The bytes that a task holds in memory, or that it returns, and the task.
            most: Bytes.
        """
        waiting: deque[tuple[int, Future[_T]]] = deque()
        held = 0
        try:
            for size, task in tasks:
                while waiting and held + size > most:
                    done, future = waiting.popleft()
                    held -= done
                    yield future.result()
                future = Future[_T]()
                self._tasks.put((future, task))
                del task  # it holds bytes that are wanted no longer than it takes
                waiting.append((size, future))
                held += size
            while waiting:
                yield waiting.popleft()[1].result()
        finally:
            tasks.close()
            for _, future in waiting:
                future.cancel()
            for _, future in waiting:
                with suppress(Exception):
                    if not future.cancelled():
                        future.exception()

    def _work(self, prepare: Callable[[], None]) -> None:
        prepare()
        while (given := self._tasks.get()) is not None:
            future, task = given
            del given
            if future.set_running_or_notify_cancel():
                try:
                    result = task()
                except BaseException as error:  # noqa: BLE001  it is the one who waits that gets it
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del future, task
