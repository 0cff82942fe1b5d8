"""What Results shows, as JSON: what can be chosen, runs, and their settings side by side."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.checkpoint import is_finite
from pipeline_widgets.domain.comparison import ABSENT, Setting
from pipeline_widgets.services.queries.overview import ExperimentRow, ResultRow
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.experiment_rows import known_fields
from pipeline_widgets.widgets.steps import step_or_none

LONGEST = 200  # characters of a setting's value
DIGITS = 6  # of a setting's value: 5e-06, not 4.9999999999999996e-06


def setting_rows(settings: Sequence[Setting]) -> list[Row]:
    """Return settings with a text for each run, labelled as their experiments' forms have it."""
    algorithms = next((each.values for each in settings if each.name == "algorithm"), ())
    labels = _labels(str(each) for each in algorithms)
    return [
        {
            "id": each.name,
            "label": labels.get(each.name, each.name),
            "differs": each.differs,
            "told": [None if value is ABSENT else _short(value) for value in each.values],
            #: What is said in full where it is shown in fewer digits.
            "whole": [_whole(value) for value in each.values],
        }
        for each in settings
    ]


def title(names: Sequence[str]) -> str:
    """Say what is chosen."""
    match names:
        case []:
            return "Results"
        case [one]:
            return f"Results of {isolate(one)}"
        case [one, other]:
            return f"Results of {isolate(one)} and {isolate(other)}"
        case [one, other, *more]:
            return f"Results of {isolate(one)}, {isolate(other)} and {len(more)} more"
        case _:
            raise AssertionError(names)


def choice(row: ExperimentRow) -> Row:
    """Return an experiment that can be chosen."""
    return {
        "id": row.id,
        "name": row.name,
        "algorithm": row.algorithm,
        "status": str(row.status),
        "runs": row.runs,
    }


def run_row(row: ResultRow, place: int | None, *, best: bool) -> Row:
    """Return what the table shows of a run, and its place in the charts; None where it is not drawn."""
    return {
        "id": row.run_id,
        "experiment": row.experiment,
        "n": row.number,
        "status": str(row.status),
        "active": row.status.active,
        "steps": step_or_none(row.steps),
        "checkpoints": row.checkpoints,
        "training": row.training_score if is_finite(row.training_score) else None,
        "evaluation": row.evaluation_score if is_finite(row.evaluation_score) else None,
        "started": row.started_at.timestamp() if row.started_at else None,
        "finished": row.finished_at.timestamp() if row.finished_at else None,
        "best": best,
        "place": place,
        "drawn": place is not None,
    }


def _labels(algorithms: Iterable[str]) -> dict[str, str]:
    """Return how settings are called, but for those that two algorithms call differently."""
    labels: dict[str, set[str]] = {
        "algorithm": {"Algorithm"},
        "starts from": {"Starts from"},
        "seed": {"Seed"},
    }
    for algorithm in dict.fromkeys(algorithms):
        for name, field in known_fields(algorithm).items():
            labels.setdefault(name, set()).add(field.label)
    return {name: next(iter(found)) for name, found in labels.items() if len(found) == 1}


def _short(value: Any) -> str:
    """A value as one reads it: text as it is, a number without its noise, all else as JSON."""
    if _whole(value) is not None:
        return f"{value:.{DIGITS}g}"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _whole(value: Any) -> str | None:
    """A number with all its digits, where that is more than is shown."""
    rounded = isinstance(value, float) and is_finite(value) and float(f"{value:.{DIGITS}g}") != value
    return repr(value) if rounded else None
