"""The run as a training sees it, in the process of the run as in the programs that this starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: The facet of a checkpoint that names what its evaluation score was measured by.
EVALUATOR = "evaluator"


class StopTraining(BaseException):
    """Raised by `report` once a stop was asked for. Let it pass: the run ends as Stopped.

    Like KeyboardInterrupt it is not an Exception, so that `except Exception` in a training loop does not
    swallow it. Every later report raises it again.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The checkpoint that a run starts from."""

    path: Path
    #: What it is used as: "weights", "decoder", "resume", ...
    role: str
    step: int
    training_score: float | None = None
    evaluation_score: float | None = None
    #: The standard error of the evaluation score; None where the training did not tell it.
    evaluation_spread: float | None = None
    signature: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def evaluator(self) -> str | None:
        """The name of the measure of its evaluation score; None where the training gave none."""
        return self.signature.get(EVALUATOR)
