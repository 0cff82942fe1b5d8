"""Metrics of a Trackio project: a SQLite file with one JSON object a report, opened for reading only."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

from pipeline_widgets.domain.adoption import Adoption, ReadMetric

ORIGIN = "Trackio"
_HEAD = b"SQLite format 3\0"
#: How Trackio spells what JSON has no number for.
_NOT_FINITE: dict[str, float] = dict.fromkeys(("NaN", "Infinity", "-Infinity"), math.nan)
_QUERY = "SELECT run_name, step, metrics FROM metrics ORDER BY step, id"


def read(path: Path) -> Adoption | None:
    """Return the metrics of a database of Trackio, or of the only one in a folder; None where there is none.

    Where it has several runs, the name of the run stands before that of the metric.
    """
    files = sorted(path.glob("*.db")) if path.is_dir() else [path]
    found = [rows for file in files if (rows := _rows(file)) is not None]
    if len(found) > 1:
        names = ", ".join(file.name for file in files)
        raise ValueError(f"there are several databases: give one of {names}")
    if not found:
        return None
    rows = found[0]
    several = len({run for run, _, _ in rows}) > 1
    metrics: list[ReadMetric] = []
    for run, step, text in rows:
        prefix = f"{run}/" if several else ""
        for name, value in json.loads(text).items():
            number = _NOT_FINITE.get(value, value) if isinstance(value, str) else value
            if isinstance(number, (int, float)) and not isinstance(number, bool):
                metrics.append(
                    (step, f"{prefix}{name}", float(number) if math.isfinite(number) else math.nan)
                )
    return Adoption(origin=ORIGIN, metrics=tuple(metrics))


def _rows(file: Path) -> list[tuple[str, int, str | bytes]] | None:
    with file.open("rb") as stream:
        if stream.read(len(_HEAD)) != _HEAD:
            return None
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return [(str(run), int(step), text) for run, step, text in connection.execute(_QUERY)]
    except sqlite3.DatabaseError:  # another program's database
        return None
