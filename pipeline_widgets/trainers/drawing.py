"""Draw simple shapes into an array of pixels, with smooth edges."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

WHITE: Colour = (255, 255, 255)
INK: Colour = (51, 60, 71)
BLUE: Colour = (21, 101, 192)
ORANGE: Colour = (214, 106, 22)
GREEN: Colour = (46, 125, 50)
FAINT: Colour = (205, 211, 218)


class Canvas:
    """A picture, (height, width, 3) of uint8. Places are in pixels, from the upper left corner.

    Args:
        width: Pixels.
        height: Pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self.pixels: np.ndarray[Any, np.dtype[np.uint8]] = np.full((height, width, 3), WHITE, np.uint8)

    def line(self, begin: Point, end: Point, width: float, colour: Colour) -> None:
        """Draw a line with round ends.

        Args:
            begin: Where it begins.
            end: Where it ends.
            width: Pixels.
            colour: Red, green and blue.
        """
        (x0, y0), (x1, y1), radius = begin, end, width / 2
        left, right = self._range(min(x0, x1), max(x0, x1), radius, self.pixels.shape[1])
        top, bottom = self._range(min(y0, y1), max(y0, y1), radius, self.pixels.shape[0])
        if left >= right or top >= bottom:
            return
        x = np.arange(left, right)[None, :] + 0.5 - x0
        y = np.arange(top, bottom)[:, None] + 0.5 - y0
        dx, dy = x1 - x0, y1 - y0
        along = np.clip((x * dx + y * dy) / (dx * dx + dy * dy + 1e-9), 0, 1)
        distance = np.hypot(x - along * dx, y - along * dy)
        cover = np.clip(radius + 0.5 - distance, 0, 1)[:, :, None]
        part = self.pixels[top:bottom, left:right]
        part[:] = np.rint(part + cover * (np.asarray(colour) - part.astype(float))).astype(np.uint8)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Draw a disc."""
        self.line(centre, centre, 2 * radius, colour)

    def path(self, points: list[Point], width: float, colour: Colour) -> None:
        """Draw lines from point to point."""
        for begin, end in pairwise(points):
            self.line(begin, end, width, colour)

    def rectangle(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill a rectangle."""
        rows = slice(max(0, round(top)), max(0, round(bottom)))
        self.pixels[rows, max(0, round(left)) : max(0, round(right))] = colour

    @staticmethod
    def _range(low: float, high: float, radius: float, size: int) -> tuple[int, int]:
        return max(0, int(low - radius - 1)), min(size, int(high + radius + 2))
