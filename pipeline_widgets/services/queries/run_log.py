"""The logs of runs in parts: shown, searched and saved without being read as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.domain.run import Status
from pipeline_widgets.persistence.log_parts import (
    LogLine,
    LogMatches,
    LogPart,
    find_time,
    iterate_lines,
    read_part,
    read_raw,
    search_log,
)
from pipeline_widgets.persistence.logs import LOG_MOST
from pipeline_widgets.persistence.store import Store

MOST_RUNS = 200  # whose logs can be chosen beside one


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedRun:
    """A run whose log can be read."""

    id: int
    number: int
    status: Status


class RunLogQueries:
    """The read model of logs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def part(self, run_id: int, *, at: int | None = None, before: int | None = None) -> LogPart:
        """Return lines of a run's log from an offset on, those before one, or the last ones."""
        return read_part(self._path(run_id), at=at, before=before)

    def search(self, run_id: int, text: str, at: int = 0) -> LogMatches:
        """Return which lines of a run's log hold a text, a few megabytes at a time."""
        return search_log(self._path(run_id), text, at)

    def find_time(self, run_id: int, moment: float) -> int | None:
        """Return the offset of the first line after a moment; None where times are not known."""
        return find_time(self._path(run_id), moment)

    def raw(self, run_id: int, at: int) -> tuple[bytes, int | None]:
        """Return bytes of a log as they are, and from where to read on; None at the end."""
        return read_raw(self._path(run_id), at)

    def lines(self, run_id: int) -> Iterator[LogLine]:
        """Yield all lines of a run's log."""
        return iterate_lines(self._path(run_id))

    def runs_beside(self, run_id: int) -> tuple[LoggedRun, ...]:
        """Return the runs of the same experiment, or Deployment stage, the latest first; NotFoundError."""
        with self._store.read() as work:
            run = work.runs.get(run_id)
            if run.experiment_id is not None:
                found = work.runs.of_experiment(run.experiment_id)
            elif run.stage_id is not None:
                found = [each for each in work.runs.of_stage(run.stage_id) if each.is_deployment]
            else:
                found = [run]
        latest = [*found][::-1][:MOST_RUNS]
        shown = latest if run in latest else [*latest, run]
        return tuple(LoggedRun(id=each.id, number=each.number, status=each.status) for each in shown)

    def _path(self, run_id: int) -> Path:
        return self._store.artifact_store.log(run_id, LOG_MOST, waits=True)
