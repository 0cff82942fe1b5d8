"""The config field that says whether a start checkpoint is scored before the first step."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def handover_field() -> Any:
    """Return the field, for a config model that declares `handover: Handover`."""
    return Field(
        "check",
        description="What to do where the start checkpoint does not score what it scored when it was saved: "
        "check ends the run, warn writes it to the log.",
    )
