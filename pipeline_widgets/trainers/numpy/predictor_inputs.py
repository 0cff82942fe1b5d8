"""Check the inputs of predictors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline_widgets.algorithms.batch_predictor import BatchPredictor
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.trainers.numpy.nn import Floats

#: The root of the largest number of 32 bits, about: a network's sums of products stay below that.
LARGEST = 1e18
NUMBERS = frozenset("iufO")  # kinds of arrays; an integer of more than 64 bits is an object


@dataclass(frozen=True, slots=True)
class Answering:
    """A predictor that names an input which it takes; endpoints show that.

    Any callable with an attribute `example` does the same.
    """

    answer: Callable[[Any], Any]
    example: Any

    def __call__(self, value: Any) -> Any:
        """Answer."""
        return self.answer(value)


class AnswerRows(Protocol):
    """Answers rows of numbers."""

    def __call__(self, rows: Floats, *, by_row: bool) -> list[Any]:
        """Return a list of answers.

        Args:
            rows: The rows, (batch, width).
            by_row: Whether each is to be computed as it would be by itself, to the last bit.
        """
        ...


class RowPredictor(BatchPredictor):
    """A predictor of rows of numbers: one row is answered with an answer, several with a list of them.

    Requests that come at the same time are answered by one call, each with the same bits as by itself.

    Args:
        answer: Answers rows.
        width: Numbers in a row.
        what: What a row is, such as "observation".
    """

    def __init__(self, answer: AnswerRows, width: int, what: str) -> None:
        super().__init__(self._answer_each, example=[0.0] * width)
        self._answer, self._width, self._what = answer, width, what

    def __call__(self, value: Any) -> Any:
        """Answer a row, or several."""
        rows, single = as_batch(value, self._width, self._what)
        answers = self._answer(rows, by_row=False)
        return answers[0] if single else answers

    def _answer_each(self, values: Sequence[Any]) -> list[Any]:
        read = [as_batch(value, self._width, self._what) for value in values]
        if not all(single for _, single in read):
            return [self(value) for value in values]
        return self._answer(np.concatenate([rows for rows, _ in read]), by_row=True)


def as_batch(values: Any, width: int, what: str) -> tuple[Floats, bool]:
    """Return the rows of a batch, and whether it was a single one.

    Args:
        values: A row of `width` numbers, or several rows.
        width: Numbers in a row.
        what: What a row is, such as "observation".

    Raises:
        PipelineError: It has another shape, or is not made of numbers that a network can take.
    """
    fix = f"Pass one {what} of {width} numbers, or a list of them."
    try:
        given = np.asarray(values)
        if given.dtype.kind not in NUMBERS:  # numpy would read "1" and True as well, which are mistakes here
            raise PipelineError(f"The {what} is not made of numbers.", "", fix)
        with np.errstate(over="ignore"):
            array = given.astype(np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise PipelineError(f"The {what} is not made of numbers.", f"{error}.", fix) from error
    single = array.ndim == 1
    if array.ndim not in {1, 2} or array.shape[-1] != width:
        raise PipelineError(f"The {what} has the wrong shape.", f"It is {array.shape}.", fix)
    if not np.isfinite(array).all():
        raise PipelineError(f"The {what} holds NaN or infinities.", "", "Pass finite numbers.")
    if (np.abs(array) > LARGEST).any():
        why = "A network would compute infinities of it, and answer at random."
        raise PipelineError(f"The {what} holds numbers over {LARGEST:.0e}.", why, "Pass smaller ones.")
    return np.atleast_2d(array), single
