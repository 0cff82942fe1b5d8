"""Micro-batches of an endpoint: requests that wait at the same time are answered by one call.

Nobody waits for a batch: what finds the agent idle is asked by itself (`queue.py`), and a batch is what has
queued up meanwhile, in the order in which it came. See Crankshaw et al. 2017 (Clipper, NSDI) for batches that
adapt to the load.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline_widgets.algorithms.batch_predictor import BatchPredictor

_log = logging.getLogger(__name__)


class AskedVersion(Protocol):
    """The version that a request asks, as far as a batch has to know it."""

    @property
    def predict(self) -> Callable[[Any], Any] | None:
        """Its predictor."""
        ...

    @property
    def answer_within(self) -> float:
        """The seconds for which a request waits for its turn."""
        ...


@dataclass(eq=False, slots=True)
class WaitingRequest:
    """A request that waits for its batch."""

    opened: AskedVersion
    value: Any
    answer: asyncio.Future[bytes]
    #: Until when it waits for its turn; nothing bounds it from then on.
    limit: asyncio.Timeout
    since: float = field(default_factory=time.monotonic)


#: Takes the turn of a batch, which its requests have until what it returns has ended.
TakeTurn = Callable[[], Awaitable[None]]
#: Answers the requests that are left when it is their turn: an answer or an error for each.
AnswerBatch = Callable[[list[WaitingRequest]], Awaitable[list[bytes | BaseException]]]


class BatchQueue:
    """Requests that wait for a batch, first come first served.

    Args:
        take_turn: Waits until the agent is free.
        answer: Answers a batch, and leaves the turn to the next one.
    """

    def __init__(self, take_turn: TakeTurn, answer: AnswerBatch) -> None:
        self._take_turn, self._answer = take_turn, answer
        self._waiting: deque[WaitingRequest] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether requests wait or are being answered."""
        return self._task is not None

    async def ask(self, opened: AskedVersion, value: Any) -> bytes:
        """Return the answer to a value, from a batch.

        Raises:
            TimeoutError: Its turn does not come.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(opened.answer_within) as limit:
            request = WaitingRequest(opened, value, loop.create_future(), limit)
            self._waiting.append(request)
            self._arrived.set()
            if self._task is None:
                self._task = asyncio.create_task(self._answer_all())
            return await request.answer

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                await self._fill()
                await self._take_turn()
                batch = self._take_batch()
                try:
                    answers = await self._answer(batch)
                except BaseException as error:  # the endpoint ends, or a bug of ours: nobody waits for ever
                    for request in batch:
                        request.answer.cancel()
                    if isinstance(error, asyncio.CancelledError):
                        raise
                    _log.exception("A batch failed.")
                    continue
                for request, answer in zip(batch, answers, strict=True):
                    if request.answer.done():  # its client has gone
                        continue
                    if isinstance(answer, BaseException):
                        request.answer.set_exception(answer)
                    else:
                        request.answer.set_result(answer)
        finally:
            self._task = None

    async def _fill(self) -> None:
        """Wait until a batch is full, for as long as its predictor says."""
        first = self._waiting[0]
        predictor = first.opened.predict
        if not isinstance(predictor, BatchPredictor):
            return
        until = first.since + predictor.max_batch_delay_ms / 1000
        while len(self._waiting) < predictor.max_batch_size and (left := until - time.monotonic()) > 0:
            self._arrived.clear()
            try:
                async with asyncio.timeout(left):
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _take_batch(self) -> list[WaitingRequest]:
        """Take the requests of a batch: for one version, as many as it may have, nobody's who has gone."""
        batch: list[WaitingRequest] = []
        while self._waiting:
            request = self._waiting[0]
            if request.answer.done():
                self._waiting.popleft()
                continue
            predictor = request.opened.predict
            most = predictor.max_batch_size if isinstance(predictor, BatchPredictor) else 1
            if batch and (request.opened is not batch[0].opened or len(batch) >= most):
                break
            self._waiting.popleft()
            if not request.limit.expired():
                request.limit.reschedule(None)
                batch.append(request)
        return batch
