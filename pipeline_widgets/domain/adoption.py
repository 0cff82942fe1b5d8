"""The content of a folder of finished training, once recognized: checkpoints, metrics, facets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

#: Step, name and value of a metric.
ReadMetric: TypeAlias = tuple[int, str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundCheckpoint:
    """A checkpoint that is there already."""

    step: int
    #: The folder as it is; None where the files are gathered from several places, or lie among others.
    folder: Path | None = None
    #: The files by the names that a copy gives them.
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    training_score: float | None = None
    evaluation_score: float | None = None
    evaluation_spread: float | None = None
    signature: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class Adoption:
    """The content of a folder."""

    #: What made it, such as "Hugging Face"; the name of the algorithm of its experiment.
    origin: str
    #: The artifact kinds of its checkpoints; empty where there are metrics alone.
    produces: frozenset[str] = frozenset()
    #: The name of the algorithm that makes such checkpoints and opens them, where it is installed.
    opened_by: str | None = None
    score: Literal["max", "min"] = "max"
    checkpoints: tuple[FoundCheckpoint, ...] = ()
    metrics: tuple[ReadMetric, ...] = ()
