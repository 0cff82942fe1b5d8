"""Whether a checkpoint still scores what it scored when it was saved (spec 7.6).

A stage that starts from a checkpoint which was saved or loaded wrongly trains on without an error: without
the statistics of its normalization, with another chat template, with new layers. Its first score tells.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Literal, TypeAlias

#: What a run does about a start checkpoint that scores otherwise than when it was saved.
Handover: TypeAlias = Literal["check", "warn", "off"]

#: Standard errors of the difference that two scores of the same checkpoint may lie apart: one pair in 16,000
#: lies further apart by chance.
STANDARD_ERRORS = 4.0
#: Share of a score that rounding may change, where an evaluator has no spread: other batches, other hardware.
ROUNDING = 1e-3
LARGEST = sys.float_info.max


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A score by an evaluator."""

    value: float
    #: Its standard error; None where nobody told it.
    spread: float | None = None

    def __str__(self) -> str:
        return f"{self.value:.4g}" + (f" ± {self.spread:.2g}" if self.spread else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class HandoverResult:
    """The scores of a start checkpoint, when it was saved and now, and whether they agree."""

    saved: Score
    now: Score
    #: How far apart the two may lie.
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is one that the spreads allow."""
        return abs(self.now.value - self.saved.value) <= self.allowed  # False where one is not finite

    def __bool__(self) -> bool:
        return self.agrees


def assess_handover(saved: Score, now: Score) -> HandoverResult:
    """Compare two scores of the same checkpoint by the same evaluator.

    They may lie four standard errors of their difference apart, and what rounding changes. A spread that is
    not known is taken to be the other one's.

    Args:
        saved: The score that was reported when the checkpoint was saved.
        now: The score that it has in the run that starts from it.
    """
    spreads = [each for each in (saved.spread, now.spread) if each is not None and math.isfinite(each)]
    variance = sum(each**2 for each in spreads) * (2 / len(spreads) if spreads else 0.0)
    rounding = ROUNDING * min(max(abs(saved.value), abs(now.value)), LARGEST)
    return HandoverResult(saved=saved, now=now, allowed=STANDARD_ERRORS * math.sqrt(variance) + rounding)
