"""Requests that wait at the same time are answered by one call of a predictor that has a batch form."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest

import pipeline_widgets as pw
from pipeline_widgets.serving import queue as queue_module
from pipeline_widgets.serving.payload import RequestError
from pipeline_widgets.serving.queue import LoadedVersion, PredictionQueue

Answer = Callable[[Sequence[Any]], Sequence[Any]]


class Counted:
    """A predictor that tells which batches it was asked, and waits in the first one until it is let go on."""

    def __init__(self, answer: Answer = list, **bounds: float) -> None:
        self.batches: list[list[Any]] = []
        self.gate = threading.Event()
        self.began = threading.Event()
        self._answer = answer
        self.predictor = pw.BatchPredictor(self._ask, **bounds)  # pyright: ignore[reportArgumentType]

    def _ask(self, values: Sequence[Any]) -> Sequence[Any]:
        self.batches.append([*values])
        self.began.set()
        self.gate.wait(30)
        return self._answer(values)


def version(predict: Callable[[Any], Any], **more: Any) -> LoadedVersion:
    """Return a version that is served."""
    return LoadedVersion(
        agent="policy", version=1, route="get_action", predict=predict, algorithm="PPO", **more
    )


def served(counted: Counted, values: Iterable[Any], **more: Any) -> list[Any]:
    """Return the answers to requests that all come while the agent is at the first of them."""

    async def ask() -> list[Any]:
        queue, opened = PredictionQueue(), version(counted.predictor, **more)
        first, *others = values
        tasks = [asyncio.create_task(queue.ask(opened, first))]
        await asyncio.to_thread(counted.began.wait, 30)
        for value in others:
            tasks.append(asyncio.create_task(queue.ask(opened, value)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        counted.gate.set()
        return [_read(each) for each in await asyncio.gather(*tasks, return_exceptions=True)]

    return asyncio.run(ask())


def _read(found: bytes | BaseException) -> Any:
    return json.loads(found) if isinstance(found, bytes) else found


@pytest.mark.spec("8.3")
def test_what_waits_at_the_same_time_is_asked_together_in_order() -> None:
    """The first one finds the agent idle and is asked by itself; all others are one batch, up to its size."""
    counted = Counted(lambda values: [value * 10 for value in values], max_batch_size=4)
    assert served(counted, range(11)) == [value * 10 for value in range(11)]
    assert counted.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]


def test_a_request_that_finds_the_agent_idle_waits_for_nobody() -> None:
    """Whatever the delay of batches is."""
    counted = Counted(max_batch_delay_ms=60_000)
    counted.gate.set()

    async def ask() -> list[bytes]:
        queue, opened = PredictionQueue(), version(counted.predictor)
        return [await queue.ask(opened, value) for value in range(3)]

    assert asyncio.run(asyncio.wait_for(ask(), 20)) == [b"0", b"1", b"2"]
    assert counted.batches == [[0], [1], [2]]


def test_requests_that_queue_wait_until_a_batch_is_full_or_for_its_delay() -> None:
    """A full batch ends the delay at once; without one it ends by itself."""
    full = Counted(max_batch_size=3, max_batch_delay_ms=60_000)
    assert served(full, range(4)) == [0, 1, 2, 3]
    assert full.batches == [[0], [1, 2, 3]]
    late = Counted(max_batch_size=3, max_batch_delay_ms=20)
    assert served(late, range(3)) == [0, 1, 2]
    assert late.batches == [[0], [1, 2]]


def test_an_error_reaches_only_the_request_that_has_caused_it() -> None:
    """A batch that fails is asked one by one, and each request has its own answer."""

    def invert(values: Sequence[Any]) -> list[float]:
        return [1 / value for value in values]

    first, second, third, fourth = served(Counted(invert), [1, 2, 0, 4])
    assert (first, second, fourth) == (1.0, 0.5, 0.25)
    assert isinstance(third, RequestError)
    assert (third.status, third.why) == (422, "ZeroDivisionError: division by zero.")


def test_a_predictor_that_ends_or_answers_too_few_ends_nothing() -> None:
    """SystemExit is an error of its request; a batch with too few answers is asked one by one."""

    def quit_at_two(values: Sequence[Any]) -> Sequence[Any]:
        if 2 in values:
            raise SystemExit(1)
        return values

    answers = served(Counted(quit_at_two), [0, 1, 2, 3])
    assert [each for each in answers if not isinstance(each, RequestError)] == [0, 1, 3]
    assert answers[2].status == 500
    assert served(Counted(lambda values: values[:1]), [0, 1, 2]) == [0, 1, 2]


def test_an_answer_that_is_not_json_fails_alone() -> None:
    """The others of its batch are sent."""
    answers = served(Counted(lambda values: [{1} if each == 2 else each for each in values]), range(4))
    assert [each for each in answers if not isinstance(each, RequestError)] == [0, 1, 3]
    assert answers[2].status == 500


def test_a_client_that_has_gone_is_not_asked_for() -> None:
    """Its place in the batch is taken by the next one."""
    counted = Counted(max_batch_size=2)

    async def ask() -> list[bytes]:
        queue, opened = PredictionQueue(), version(counted.predictor)
        tasks = [asyncio.create_task(queue.ask(opened, 0))]
        await asyncio.to_thread(counted.began.wait, 30)
        for value in range(1, 4):
            tasks.append(asyncio.create_task(queue.ask(opened, value)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        tasks[1].cancel()
        await asyncio.sleep(0)
        counted.gate.set()
        return [await tasks[each] for each in (0, 2, 3)]

    assert asyncio.run(ask()) == [b"0", b"2", b"3"]
    assert counted.batches == [[0], [2, 3]]


def test_a_request_whose_turn_does_not_come_is_told_and_too_many_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As without batches: 503, and the agent goes on with the others."""
    counted = Counted()

    async def ask() -> tuple[list[Any], bytes]:
        queue = PredictionQueue()
        slow = asyncio.create_task(queue.ask(version(counted.predictor), 0))
        await asyncio.to_thread(counted.began.wait, 30)
        hasty = version(counted.predictor, answer_within=0.05)
        waiting = [asyncio.create_task(queue.ask(hasty, value)) for value in (1, 2)]
        await asyncio.sleep(0.01)
        monkeypatch.setattr(queue_module, "WAITING", 1)
        waiting.append(asyncio.create_task(queue.ask(hasty, 3)))
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        counted.gate.set()
        return errors, await slow

    errors, answer = asyncio.run(ask())
    assert [error.status for error in errors] == [503, 503, 503]
    assert "does not come" in str(errors[0])
    assert "Too many" in str(errors[2])
    assert answer == b"0"
    assert counted.batches == [[0]]


def test_versions_are_not_mixed_in_a_batch() -> None:
    """A swap between two requests splits them."""
    old, new = Counted(lambda values: ["old"] * len(values)), Counted(lambda values: ["new"] * len(values))
    new.gate.set()

    async def ask() -> list[bytes]:
        queue, before, after = PredictionQueue(), version(old.predictor), version(new.predictor)
        tasks = [asyncio.create_task(queue.ask(before, 0))]
        await asyncio.to_thread(old.began.wait, 30)
        for opened in (before, after, after, before):
            tasks.append(asyncio.create_task(queue.ask(opened, 1)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        old.gate.set()
        return [await task for task in tasks]

    assert asyncio.run(ask()) == [b'"old"', b'"old"', b'"new"', b'"new"', b'"old"']
    assert [len(each) for each in (*old.batches, *new.batches)] == [1, 1, 1, 2]


def test_other_requests_have_their_turn_between_batches() -> None:
    """What is asked of the agent otherwise, such as a completion, waits for one batch and not for all."""
    counted, told = Counted(max_batch_size=1), list[int]()

    async def ask() -> None:
        queue, opened = PredictionQueue(), version(counted.predictor)
        tasks: list[Awaitable[Any]] = [asyncio.create_task(queue.ask(opened, 0))]
        await asyncio.to_thread(counted.began.wait, 30)
        tasks.extend(asyncio.create_task(queue.ask(opened, value)) for value in (1, 2, 3))
        await asyncio.sleep(0.01)
        tasks.append(asyncio.create_task(queue.run(opened, lambda: told.append(len(counted.batches)))))
        await asyncio.sleep(0.01)
        counted.gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(ask())
    assert told == [2]


@pytest.mark.parametrize(
    "bounds", [{"max_batch_size": 0}, {"max_batch_delay_ms": -1}, {"max_batch_delay_ms": float("nan")}]
)
def test_bounds_out_of_range_are_refused(bounds: dict[str, Any]) -> None:
    """A batch has at least one input and no negative delay."""
    with pytest.raises(pw.ConfigError, match="bounds"):
        pw.BatchPredictor(list, **bounds)


def test_one_input_is_a_batch_of_one() -> None:
    """So agent.predict and evaluations ask the same predictor; too few answers are told."""
    assert pw.BatchPredictor(lambda values: [value + 1 for value in values])(1) == 2
    with pytest.raises(pw.PipelineError, match="1 inputs with as many answers"):
        pw.BatchPredictor(lambda _: [])(1)
    with pytest.raises(pw.PipelineError, match="as many answers"):
        pw.BatchPredictor(lambda _: 3)(1)  # pyright: ignore[reportArgumentType, reportUnknownLambdaType]
