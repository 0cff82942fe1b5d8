"""Check before a trigger whether a launcher can run it: its engine, files, and Python."""

from __future__ import annotations

import threading
import time

from pipeline_widgets.domain.python_version import foreign_fix, foreign_reason
from pipeline_widgets.domain.resources import Placement
from pipeline_widgets.errors import ExecutionError, format_value
from pipeline_widgets.execution.launchers import LauncherDescription, find_launcher
from pipeline_widgets.persistence.store import Store

ASK_AGAIN_AFTER = 300.0  # seconds

_lock = threading.Lock()
_described: dict[str, tuple[float, LauncherDescription]] = {}


def check_launcher(store: Store, placement: Placement, python: str | None) -> None:
    """Refuse what cannot run where it would be launched. What an engine is, it is asked every 5 minutes.

    Args:
        store: The workspace.
        placement: Where a run would be launched.
        python: The Python that made the run's code, where that is kept by value.

    Raises:
        ExecutionError: The engine does not answer, does not see the workspace, or has another Python.
    """
    if placement.launcher is None:
        return
    engine = _describe(placement.launcher)
    what = f"{format_value(placement.launcher)} cannot run this."
    if not engine.shares_files and store.database.is_sqlite:
        why = "It does not see the files of this machine, and the workspace is a SQLite file here."
        fix = "Move it to a server that both reach: pipeline-widgets copy SOURCE TARGET."
        raise ExecutionError(what, why, fix)
    if not engine.shares_files and store.remote is None:
        why = f"It does not see the files of this machine, and checkpoints are in {store.artifacts}."
        fix = 'Keep them where both reach them: Workspace(..., artifacts="s3://bucket/prefix").'
        raise ExecutionError(what, why, fix)
    there = engine.python
    if python is not None and there is not None:
        here = f"{python.partition(' ')[0]} {there}"
        reason = foreign_reason(python, here, host=engine.name)
        if reason is not None:
            fix = f"{foreign_fix(python)} Or put it into a module, which any Python imports."
            raise ExecutionError(what, reason, fix)


def _describe(name: str) -> LauncherDescription:
    with _lock:
        asked_at, known = _described.get(name, (float("-inf"), None))
    if known is not None and time.monotonic() - asked_at < ASK_AGAIN_AFTER:
        return known
    known = find_launcher(name).describe()
    with _lock:
        _described[name] = time.monotonic(), known
    return known
