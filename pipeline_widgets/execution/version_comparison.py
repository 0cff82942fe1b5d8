"""Give several versions of an agent the same input, whether or not it is connected.

Each version answers in a process of its own: the endpoint goes on serving what it serves, no port is opened,
and no checkpoint is opened in the kernel. The processes stay for a while, so that the next input is answered
at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from pipeline_widgets.domain.agent import AgentVersion, VersionAnswer, choose_compared
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.execution.predictor_process import PredictorProcess
from pipeline_widgets.services.agents import AgentService

IDLE = 60.0  # seconds after which a process that was not asked again is ended
MOST_OPEN = 4  # processes; a model may need much memory


class VersionComparison:
    """Compares versions of agents on the same input.

    Args:
        url: The workspace.
        agents: Its agents.
        check_trusted: Refuses where nothing of the workspace may be run.
        idle: Seconds after which a process that was not asked again is ended.
    """

    def __init__(
        self, url: str, agents: AgentService, check_trusted: Callable[[], None], *, idle: float = IDLE
    ) -> None:
        self._url, self._agents, self._check_trusted = url, agents, check_trusted
        self._idle = idle
        self._guard = threading.Lock()
        self._open: dict[int, _OpenVersion] = {}

    def compare(self, agent_id: int, value: Any, chosen: Sequence[int] = ()) -> tuple[VersionAnswer, ...]:
        """Give versions of an agent the same input, and return their answers, oldest version first.

        They are opened side by side and asked one after the other, so that none slows down another.

        Args:
            agent_id: The agent.
            value: What they answer to.
            chosen: The versions; by default the current one and the one before it.

        Raises:
            NotFoundError: There is no such version.
            RuleError: There is only one version.
            UntrustedError: The workspace is open for reading only.
        """
        self._check_trusted()
        current = self._agents.get(agent_id).current.number
        versions = {each.number: each for each in self._agents.versions(agent_id)}
        compared = [versions[number] for number in choose_compared(current, versions, chosen)]
        processes = [self._process_of(each) for each in compared]
        with ThreadPoolExecutor(len(processes)) as threads:
            errors = list(threads.map(_OpenVersion.prepare, processes))
        return tuple(
            _failed(each, error) if error is not None else process.answer(value)
            for each, process, error in zip(compared, processes, errors, strict=True)
        )

    def close(self) -> None:
        """End all processes."""
        with self._guard:
            ended, self._open = [*self._open.values()], {}
        for each in ended:
            each.close()

    def _process_of(self, version: AgentVersion) -> _OpenVersion:
        with self._guard:
            found = self._open.pop(version.id, None) or _OpenVersion(self._url, version, self._idle)
            self._open[version.id] = found  # the last one is the one that was asked last
            dropped = [self._open.pop(key) for key in [*self._open][:-MOST_OPEN]]
        for each in dropped:
            threading.Thread(target=each.close, daemon=True).start()  # it may be answering
        return found


class _OpenVersion:
    """A version with the process that answers for it, while there is one."""

    def __init__(self, url: str, version: AgentVersion, idle: float) -> None:
        self._url, self._version, self._idle = url, version, idle
        self._guard = threading.Lock()
        self._process: PredictorProcess | None = None
        self._timer: threading.Timer | None = None

    def prepare(self) -> PipelineError | None:
        """Open the version; return why that is not possible."""
        with self._guard:
            try:
                self._open()
            except PipelineError as error:
                return error
            self._end_later()
            return None

    def answer(self, value: Any) -> VersionAnswer:
        """Return its answer, with the time that it took."""
        with self._guard:
            try:
                process = self._open()
                began = time.perf_counter()
                said = process(value)
            except PipelineError as error:
                return _failed(self._version, error)
            finally:
                self._end_later()
            seconds = time.perf_counter() - began
            return VersionAnswer(version=self._version, answer=said, error=None, seconds=seconds)

    def close(self) -> None:
        """End the process."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
            process, self._process = self._process, None
        if process is not None:
            with suppress(OSError):
                process.close()

    def _open(self) -> PredictorProcess:
        if self._process is None:
            spec = self._version.spec
            self._process = PredictorProcess(
                self._url, self._version.id, load_within=spec.load_within, answer_within=spec.answer_within
            )
        return self._process

    def _end_later(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(self._idle, self.close)
        self._timer.daemon = True
        self._timer.start()


def _failed(version: AgentVersion, error: PipelineError) -> VersionAnswer:
    return VersionAnswer(version=version, answer=None, error=error, seconds=0.0)
