"""Ask the agent for one request after the other, since few predictors can be called from several threads.

Requests for a predictor with a batch form that wait at the same time are asked together (`batching.py`).

The agent's code runs in a thread, so that health is answered meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from anyio import CapacityLimiter, to_thread

from pipeline_widgets.algorithms.batch_predictor import BatchPredictor
from pipeline_widgets.algorithms.text_predictor import TextPredictor
from pipeline_widgets.domain.endpoint import Route
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.serving.batching import BatchQueue, WaitingRequest
from pipeline_widgets.serving.payload import RequestError, encode_json, invalid_input

WAITING = 256  # requests that may wait for the agent

#: Errors that code raises on unexpected input: the answer is 422. RuntimeError is not among them. Torch
#: raises it for a wrong shape, but also when memory runs out or a device is lost, and a client that reads
#: that its input is wrong would not ask again. The text of the error is in the answer either way.
INPUT_ERRORS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
)

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class ClientGoneError(Exception):
    """Nobody waits for an answer any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedVersion:
    """A version that is being served."""

    agent: str
    version: int
    route: Route
    #: None where its algorithm does not say how its checkpoints answer.
    predict: Callable[[Any], Any] | None
    algorithm: str
    #: An input that it takes, as JSON has it; None where it names none.
    example: Any = None
    #: Seconds for which a request waits for its turn; an agent that is longer at one request is not ready.
    answer_within: float = 30.0
    #: When it was opened, in seconds since 1970.
    opened_at: int = 0

    def require_text_predictor(self) -> TextPredictor:
        """Return its predictor, which is that of a language model.

        Raises:
            RequestError: It is not.
        """
        if isinstance(self.predict, TextPredictor):
            return self.predict
        what, why = f"{self.agent!r} is not a language model.", f"It answers at /{self.route}."
        fix = f"POST to /{self.route}, or to /v2/models."
        if self.route == "generate":
            what = f"{self.agent!r} does not say how it completes texts with settings."
            fix += " Its author can let predict= return a TextPredictor."
        raise RequestError(404, what, why, fix)


class PredictionQueue:
    """Lets requests ask the agent, one after the other, or a batch after the other."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._batches = BatchQueue(self._take_turn, self._answer_batch)
        self._thread = CapacityLimiter(1)
        self._waiting = 0
        self._began: float | None = None

    @property
    def taken_for(self) -> float:
        """The seconds for which the agent has been at the same request; 0 while it is at none."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    async def ask(self, opened: LoadedVersion, value: Any) -> bytes:
        """Ask the agent, when it is this request's turn; return its answer as JSON."""
        predict = opened.predict
        if predict is None:
            why = f"{opened.algorithm} does not say how its checkpoints answer."
            raise RequestError(404, "This agent cannot answer.", why, "Declare predict= with @pw.algorithm.")
        if not isinstance(predict, BatchPredictor) or not (self._lock.locked() or self._batches.is_busy):
            return await self.run(opened, lambda: _encode(predict(value)))
        self._check_room()
        try:
            return await self._batches.ask(opened, value)
        except TimeoutError:
            raise self._not_in_time() from None

    async def run(self, opened: LoadedVersion, action: Callable[[], _T]) -> _T:
        """Let the agent do something in its thread, when it is this request's turn; return what it returns.

        Raises:
            RequestError: The turn does not come, or the agent's code raises.
        """
        self._check_room()
        self._waiting += 1
        try:
            await self._wait(opened.answer_within)
        finally:
            self._waiting -= 1
        return await self._perform(lambda: _perform(action))

    def is_ready(self, opened: LoadedVersion) -> bool:
        """Return whether the agent can be asked, and is not stuck at a request."""
        return opened.predict is not None and self.taken_for < opened.answer_within

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._lock.acquire()
        except TimeoutError:
            raise self._not_in_time() from None

    async def _perform(self, action: Callable[[], _T]) -> _T:
        """Do something in the agent's thread, and end the turn."""
        try:
            self._began = time.monotonic()
            return await to_thread.run_sync(action, limiter=self._thread)
        finally:
            self._began = None
            self._lock.release()

    async def _take_turn(self) -> None:
        await self._lock.acquire()

    async def _answer_batch(self, batch: list[WaitingRequest]) -> list[bytes | BaseException]:
        return await self._perform(lambda: _ask_together(batch))

    def _check_room(self) -> None:
        if self._waiting + len(self._batches) > WAITING:
            raise _busy("Too many requests wait.", f"{WAITING} are already waiting.")

    def _not_in_time(self) -> RequestError:
        why = f"It has been at another request for {self.taken_for:.0f} s."
        return _busy("The agent does not come to this request.", why)


def _ask_together(batch: list[WaitingRequest]) -> list[bytes | BaseException]:
    """Ask the agent for a batch by one call, or one by one where that fails: then each has its own error."""
    if not batch:
        return []
    predict = cast("BatchPredictor", batch[0].opened.predict)
    if len(batch) > 1:
        with suppress(BaseException):  # also SystemExit: what is wrong is found one by one
            found = predict.predict_batch([request.value for request in batch])
            return [_attempt(partial(_encode, each)) for each in found]
    return [_attempt(partial(_ask_one, predict, request.value)) for request in batch]


def _ask_one(predict: Callable[[Any], Any], value: Any) -> bytes:
    return _encode(predict(value))


def _attempt(action: Callable[[], bytes]) -> bytes | BaseException:
    try:
        return _perform(action)
    except RequestError as error:
        return error


def _busy(what: str, why: str) -> RequestError:
    return RequestError(503, what, why, "Try again later.", **{"Retry-After": "1"})


def _perform(action: Callable[[], _T]) -> _T:
    """Run the agent's code, in a thread. Any error of it is an answer: SystemExit must end nothing."""
    try:
        return action()
    except (RequestError, ClientGoneError):
        raise
    except PipelineError as error:
        raise invalid_input(error) from error
    except INPUT_ERRORS as error:
        raise RequestError(422, "The agent refuses this input.", _describe_error(error)) from error
    except BaseException as error:
        _log.error("The agent's code failed.", exc_info=error)
        raise RequestError(
            500, "The agent's code failed.", _describe_error(error), "Its log has more."
        ) from error


def _encode(found: Any) -> bytes:
    try:
        return encode_json(found)
    except ValueError as error:
        raise RequestError(500, "The agent answered with what is not JSON.", f"{error}.") from error


def _describe_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}."
