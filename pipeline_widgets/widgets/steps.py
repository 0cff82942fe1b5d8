"""Steps and curves as they go down to the browser, and steps as they come up from it.

JavaScript rounds integers beyond 2**53, so those go as text, which the browser reads as a BigInt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

from pipeline_widgets.domain.curve import Curve, thin_curve

EXACT = 2**53 - 1  # the largest integer that JavaScript holds as a number, and tells from the next one
DIGITS = 6  # of a curve's values where they differ by about their own size
CLOCKED = 60  # points of a clock: between them time passes about evenly
MOST_DIGITS = 17  # which tell any two floats apart

Step: TypeAlias = int | str


def step_down(step: int) -> Step:
    """Return a step as the browser reads it exactly: a number, or text where it is beyond 2**53."""
    return step if abs(step) <= EXACT else str(step)


def step_up(step: Step) -> int:
    """Return a step that the browser has sent.

    Raises:
        ValueError: It is not a whole number.
    """
    return int(step)


def points_down(
    points: Iterable[tuple[int, float | None]], least: int = DIGITS
) -> list[tuple[Step, float | None]]:
    """Return the points of a curve, their values in as many digits as tell them apart in a chart.

    Args:
        points: Steps and values; None is a gap, like what is not finite.
        least: Digits of values that differ by about their own size.
    """
    listed = list(points)
    digits = _digits([value for _, value in listed if value is not None], least)
    return [
        (
            step_down(step),
            None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}"),
        )
        for step, value in listed
    ]


def clock_down(clock: Curve) -> list[tuple[Step, float | None]]:
    """Return when steps were reported, in seconds to the millisecond, thinned."""
    return [
        (step_down(step), None if at is None else round(at, 3)) for step, at in thin_curve(clock, CLOCKED)
    ]


def _digits(values: list[float], least: int) -> int:
    """Values that differ by little need more digits: else a line that moves would be a flat one."""
    if not values:
        return least
    low, high = min(values), max(values)
    size = max(abs(low), abs(high))
    spread = high / size - low / size if size else 0.0  # a difference could overflow
    return min(MOST_DIGITS, least + math.floor(-math.log10(spread))) if 0 < spread < 1 else least
