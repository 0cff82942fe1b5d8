"""Ask engines for their jobs, and give them orders, while nobody waits for a slow one."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.liveness import JobReport
from pipeline_widgets.errors import format_error
from pipeline_widgets.execution.launchers import find_launcher

ASK_EVERY = 3.0  # seconds between two questions for one job
SLOW = 5.0  # seconds: an engine that took longer, and did not answer, is not asked for its other jobs now
FORGET_AFTER = 600.0  # seconds: a job that nobody asks for
LOG_LINES = 12  # of a job that has ended, that an error shows

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """The last word of an engine on a job; times are on this process's monotonic clock."""

    observation: JobObservation
    since: float
    asked_at: float
    wanted_at: float
    log: str = ""


@dataclass(slots=True)
class _Queue:
    """The requests to one engine, sent one after the other by a thread that ends with the last."""

    waiting: deque[tuple[Hashable, Callable[[], None]]] = field(
        default_factory=deque[tuple[Hashable, Callable[[], None]]]
    )
    keys: set[Hashable] = field(default_factory=set[Hashable])
    is_at_work: bool = False


class EngineJobs:
    """The states of jobs in their engines, asked for in the background by a thread for each engine."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Known] = {}
        self._queues: dict[str, _Queue] = {}
        self._changed = threading.Condition()

    def observe(self, launcher: str, job_id: str) -> JobReport | None:
        """Return what an engine has said last of a job, and ask again if that is a while ago.

        Args:
            launcher: The name of the launcher.
            job_id: The job; None is returned until the engine was asked for it.
        """
        now = time.monotonic()
        with self._changed:
            known = self._known.get((launcher, job_id))
            if known is not None:
                known.wanted_at = now
        if known is None or now - known.asked_at >= ASK_EVERY:
            self.do(launcher, ("status", job_id), lambda: self._ask(launcher, job_id))
        return None if known is None else JobReport(observation=known.observation, seconds=now - known.since)

    def log(self, launcher: str, job_id: str) -> str:
        """Return the end of what a job has printed that has ended, as far as its engine has told it."""
        with self._changed:
            known = self._known.get((launcher, job_id))
        return "" if known is None else known.log

    def do(self, launcher: str, key: Hashable, action: Callable[[], None]) -> None:
        """Do something with an engine in its thread, unless the same is to be done already."""
        with self._changed:
            queue = self._queues.setdefault(launcher, _Queue())
            if key in queue.keys:
                return
            queue.keys.add(key)
            queue.waiting.append((key, action))
            if queue.is_at_work:
                return
            queue.is_at_work = True
        name = f"pipeline_widgets {launcher}"
        threading.Thread(target=self._work, args=(queue,), name=name, daemon=True).start()

    def wait(self, within: float) -> bool:
        """Wait until all that was asked and ordered is done; False where that is not within some seconds."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not any(queue.is_at_work for queue in self._queues.values()), within
            )

    def _work(self, queue: _Queue) -> None:
        while True:
            with self._changed:
                if not queue.waiting:
                    queue.is_at_work = False
                    self._changed.notify_all()
                    return
                key, action = queue.waiting.popleft()
            try:
                action()
            except Exception as error:  # noqa: BLE001  the next one that looks tries again
                _log.warning("%s", format_error(error))
            finally:
                with self._changed:
                    queue.keys.discard(key)

    def _ask(self, launcher: str, job_id: str) -> None:
        began, log = time.monotonic(), ""
        try:
            found = find_launcher(launcher)
            observation = found.status(job_id)
            if observation.state is JobState.ENDED:
                log = found.logs(job_id, LOG_LINES)
        except Exception as error:  # noqa: BLE001  a launcher of a third party may raise anything
            observation = JobObservation(state=JobState.UNKNOWN, reason=format_error(error))
        self._note(launcher, job_id, observation, log)
        if observation.state is JobState.UNKNOWN and time.monotonic() - began > SLOW:
            self._give_others_up(launcher, observation)

    def _note(self, launcher: str, job_id: str, observation: JobObservation, log: str = "") -> None:
        now = time.monotonic()
        with self._changed:
            before = self._known.get((launcher, job_id))
            same = before is not None and before.observation.state is observation.state
            since = before.since if before is not None and same else now
            wanted = before.wanted_at if before is not None else now
            self._known[launcher, job_id] = _Known(observation, since, now, wanted, log)
            for key in [key for key, each in self._known.items() if now - each.wanted_at > FORGET_AFTER]:
                del self._known[key]

    def _give_others_up(self, launcher: str, observation: JobObservation) -> None:
        """Take the silence of an engine as its answer for all jobs that it was to be asked for."""
        with self._changed:
            queue = self._queues[launcher]
            jobs = [job for of, job in self._known if of == launcher and ("status", job) in queue.keys]
            asked = {("status", job) for job in jobs}
            queue.waiting = deque(each for each in queue.waiting if each[0] not in asked)
            queue.keys -= asked
        for job in jobs:
            self._note(launcher, job, observation)
