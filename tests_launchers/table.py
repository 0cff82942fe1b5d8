"""One table of what was proved: fault by launcher and database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

#: The faults of `ChainSuite`, by its tests, in the order in which they are shown.
FAULTS = {
    "test_a_chain_succeeds": "a chain of three",
    "test_a_killed_training_is_crashed": "training killed",
    "test_a_killed_supervisor_is_found_and_leaves_no_orphan": "supervisor killed",
    "test_a_job_that_its_engine_ends_is_no_success": "job ended by its engine",
    "test_a_job_that_nobody_sees_die_is_crashed": "died out of sight",
    "test_a_stage_that_is_triggered_by_many_runs_once": "triggered by 8 at once",
    "test_a_second_job_for_a_run_ends_by_itself": "launched twice",
    "test_a_run_whose_trigger_died_is_started_once": "never launched",
    "test_a_stop_keeps_what_was_saved": "stopped",
    "test_a_run_is_resumed_from_its_last_checkpoint": "resumed",
    "test_a_suspended_supervisor_is_given_up_and_fenced": "suspended, then fenced",
    "test_clocks_that_differ_by_minutes_do_no_harm": "clocks 10 min apart",
    "test_an_engine_that_does_not_answer_ends_nothing": "engine does not answer",
}
PASSED, FAILED, UNTRIED = "ok", "FAILED", "-"


@dataclass(slots=True)
class FaultTable:
    """The results of the suite of chains, as they come in."""

    results: dict[tuple[str, str], bool] = field(default_factory=dict[tuple[str, str], bool])

    def note(self, report: pytest.TestReport) -> None:
        """Take the result of a phase of a test in: it has to be called, and all phases have to pass."""
        parts = report.nodeid.split("::")
        name, _, database = parts[-1].partition("[")
        if len(parts) < 3 or name not in FAULTS or not parts[-2].startswith("TestChains"):
            return
        column = f"{parts[-2].removeprefix('TestChainsOn')} {database.rstrip(']')}".strip()
        key = (name, column)
        if report.failed:
            self.results[key] = False
        elif report.when == "call" and report.passed:
            self.results.setdefault(key, True)

    def render(self) -> list[str]:
        """Return the lines of the table."""
        columns = list(dict.fromkeys(column for _, column in self.results))
        widths = [max(len(column), len(FAILED)) for column in columns]
        first = max(map(len, FAULTS.values()))
        lines = [
            _line("fault", first, columns, widths),
            _line("-" * first, first, ["-" * w for w in widths], widths),
        ]
        for name, fault in FAULTS.items():
            found = [self.results.get((name, column)) for column in columns]
            cells = [UNTRIED if each is None else PASSED if each else FAILED for each in found]
            lines.append(_line(fault, first, cells, widths))
        passed = sum(self.results.values())
        return [*lines, f"{passed} of {len(self.results)} hold."]


def _line(first: str, width: int, cells: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(
        [first.ljust(width), *(cell.ljust(w) for cell, w in zip(cells, widths, strict=True))]
    ).rstrip()
