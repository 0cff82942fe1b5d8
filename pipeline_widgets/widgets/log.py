"""The log of a run in a view: parts that are asked for, never the whole."""

from __future__ import annotations

from pipeline_widgets.widgets.base import Row, View
from pipeline_widgets.widgets.encoding import encode, encode_fields


class LogView(View):
    """A view from which logs of runs can be opened."""

    def do_log(self, run: int, at: int | None = None, before: int | None = None) -> Row:
        """Return lines of a log from an offset on, those before one, or the last ones."""
        part = self._services.run_logs.part(run, at=at, before=before)
        lines = [[line.offset, line.time, line.text] for line in part.lines]
        return {**encode_fields(part, "start", "end", "size", "timed"), "lines": lines}

    def do_log_search(self, run: int, text: str, at: int = 0) -> Row:
        """Return which lines hold a text, in a few megabytes of a log, and where to search on."""
        return encode(self._services.run_logs.search(run, text, at))

    def do_log_time(self, run: int, moment: float) -> Row:
        """Return where the first line after a moment is; None where times are not known."""
        return {"at": self._services.run_logs.find_time(run, moment)}

    def do_log_raw(self, run: int, at: int = 0) -> Row:
        """Return a part of a log as it is, a character for each byte, and where to read on."""
        data, more = self._services.run_logs.raw(run, at)
        return {"data": data.decode("latin-1"), "next": more}

    def do_log_runs(self, run: int) -> Row:
        """Return the runs beside a run, whose logs can be chosen."""
        found = self._services.run_logs.runs_beside(run)
        return {"runs": [encode_fields(each, "id", "number", "status") for each in found]}
