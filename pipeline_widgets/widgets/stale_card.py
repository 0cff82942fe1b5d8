"""Why a stage is stale, as its card shows it: sentences, with old and new values beside each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipeline_widgets.domain.comparison import ABSENT
from pipeline_widgets.domain.staleness import Change, StaleReason
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode

LONGEST_VALUE = 2_000  # characters of a value; more of it would help nobody


def reason_rows(reasons: Sequence[StaleReason]) -> list[Row]:
    """Return the reasons why a stage is stale, each with the values that have changed."""
    return [_reason_row(each) for each in reasons]


def _reason_row(reason: StaleReason) -> Row:
    return {
        "text": reason.headline,
        "stage": encode(reason.stage_id),
        "changes": [change_row(each) for each in reason.changes],
    }


def change_row(change: Change) -> Row:
    """Return a value as it was and as it is, in words; None where there is none."""
    old, new = _write(change.old), _write(change.new)
    if old == new:  # such as the number 1 and the text "1"
        old, new = json.dumps(change.old, ensure_ascii=False), json.dumps(change.new, ensure_ascii=False)
    return {"name": change.name, "old": old, "new": new, "code": change.is_code}


def _write(value: Any) -> str | None:
    if value is ABSENT:
        return None
    if value is None:
        return "none"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
