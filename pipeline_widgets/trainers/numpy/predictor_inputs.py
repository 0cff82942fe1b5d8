"""Check the inputs of predictors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

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
