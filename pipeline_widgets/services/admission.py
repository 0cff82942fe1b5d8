"""Admit runs within the limits of a machine, in the transaction that counts their launch (spec 6.13)."""

from __future__ import annotations

import os
import platform

from pipeline_widgets.domain.limits import Admission, Limits, QueuedRun, admit, find_oversized
from pipeline_widgets.domain.liveness import Lease
from pipeline_widgets.domain.resources import Placement
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.persistence.store import Store, UnitOfWork


class QueueService:
    """The limits of the machines that launch runs themselves, and the queue of this machine."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def limits(self) -> Limits:
        """Return the limits of this machine."""
        with self._store.read() as work:
            return load_limits(work)

    def change_limits(self, **changes: object) -> Limits:
        """Change some limits, and return all of this machine; None takes one away.

        Args:
            **changes: runs, cpu, gpu and memory, as people write them.

        Raises:
            ConfigError: A value cannot be a limit.
        """
        with self._store.write() as work:
            kept = work.records.limits().to_json() or {}
            work.records.set_limits(Limits.parse(**{**kept, **changes}))
            return load_limits(work)

    def queue(self) -> tuple[QueuedRun, ...]:
        """Return the active runs of this machine: those at work, then the waiting ones, in their order."""
        with self._store.read() as work:
            queue, _ = work.runs.queue(platform.node())
            return tuple(sorted(queue, key=lambda each: not each.is_admitted))


def load_limits(work: UnitOfWork) -> Limits:
    """Return the limits of this machine."""
    return work.records.limits().resolve(count_cores())


def count_cores() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decide(work: UnitOfWork, lease: Lease) -> tuple[QueuedRun, Admission] | None:
    """Decide whether a run can be launched here now; None where no limit concerns it.

    No limit concerns a deployment, a run of an engine or another machine, and one that was launched already.
    """
    if not is_waiting(lease):
        return None
    return next((found for found in decide_waiting(work) if found[0].run_id == lease.subject_id), None)


def is_waiting(lease: Lease) -> bool:
    """Return whether a run may have to wait for room: it was not launched yet, and no engine places it."""
    return not lease.launches and lease.token is None and lease.placement.launcher is None


def decide_waiting(work: UnitOfWork) -> list[tuple[QueuedRun, Admission]]:
    """Decide about the waiting runs of this machine, the oldest first."""
    queue, limits = work.runs.queue(platform.node())
    waiting = [each for each in queue if not each.is_admitted]
    if not waiting:
        return []
    return list(zip(waiting, admit(limits.resolve(count_cores()), queue), strict=True))


def hold_back(work: UnitOfWork, run: QueuedRun, waits: str) -> None:
    """Write for what a waiting run waits, which views show, if that has changed."""
    if run.waits != waits:
        work.runs.hold_back(run.run_id, waits, work.projects.touch(run.project_id))


def find_limit_reason(work: UnitOfWork, placement: Placement) -> str | None:
    """Return the reason for which no run with these resources can ever begin here; None where one can."""
    if placement.launcher is not None or placement.resources is None:
        return None
    over = find_oversized(work.records.limits(), placement.resources)
    return None if over is None else f"It asks for {over}."


def check_limits(work: UnitOfWork, placement: Placement) -> None:
    """Refuse a run that could never begin.

    Raises:
        ConfigError: It asks for more than the limits of the workspace.
    """
    reason = find_limit_reason(work, placement)
    if reason is not None:
        fix = "Ask for less with resources={...}, or raise the limit with ws.limits(...)."
        raise ConfigError("The run can never begin.", reason, fix)
