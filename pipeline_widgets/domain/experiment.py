"""Experiments: training configurations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import index
from typing import Any, SupportsIndex

from pipeline_widgets.domain.compatibility import AlgorithmSpec, Signature
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.errors import ConfigError, format_value

SEEDS = 2**31  # as many as every generator takes


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """One training configuration."""

    id: int
    project_id: int
    name: str
    algorithm_id: int
    spec: AlgorithmSpec
    config: Mapping[str, Any]
    seed: int
    config_digest: str
    created_at: datetime
    modified_at: datetime
    signature: Signature = field(default_factory=dict[str, Any])
    #: Raised by every edit.
    version: int = 1
    #: The Python under which its algorithm was defined, where that is kept by value; else None.
    python: str | None = None
    #: Where its runs are launched; what it leaves open is as its workspace says.
    placement: Placement = DEFAULT_PLACEMENT


def compute_config_digest(config: Mapping[str, Any], seed: int) -> str:
    """Return what a config is known by, so that a change since a run can be told (spec 6.8)."""
    text = json.dumps([config, seed], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def validate_seed(value: SupportsIndex) -> int:
    """Return a seed that can be stored and that every generator takes.

    Raises:
        ConfigError: It is not a whole number from 0 to 2**31 - 1.
    """
    try:
        seed = index(value)
    except TypeError:
        seed = -1
    if not 0 <= seed < SEEDS:
        raise ConfigError(
            f"{format_value(value)} is not a seed.", fix=f"Use a whole number from 0 to {SEEDS - 1}."
        )
    return seed
