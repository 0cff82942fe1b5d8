"""Start and end the processes behind agents' endpoints, and find those that died."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from pipeline_widgets.domain.endpoint import LOCAL, LOOK, Service, verdict
from pipeline_widgets.domain.experiment import AgentStatus
from pipeline_widgets.domain.liveness import Seen, Timing
from pipeline_widgets.errors import ExecutionError, PipelineError, RuleError
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.endpoint_client import LOOK_TIMEOUT, Reply, health, post
from pipeline_widgets.execution.launchers import Launcher
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.endpoints import EndpointService

END_GRACE = 8.0  # seconds that a process has to answer what it was asked already
END_POLL = 0.02
LOG_LINES = 15  # of a process that failed

_log = logging.getLogger(__name__)


class Endpoints:
    """The processes behind the endpoints of a workspace."""

    def __init__(
        self,
        service: EndpointService,
        agents: AgentService,
        launcher: Launcher,
        *,
        url: str,
        logs: Path,
        timing: Timing,
    ) -> None:
        self._service = service
        self._agents = agents
        self._launcher = launcher
        self._url = url
        self._logs = logs
        self._timing = timing

    def log(self, agent_id: int) -> Path:
        """Return where the process of an agent's endpoint prints to."""
        return self._logs / f"{agent_id:08d}.log"

    def connect(self, agent_id: int, *, host: str = LOCAL, port: int | None = None) -> None:
        """Have an agent served; one that is served already looks for its current version at once.

        Raises:
            ExecutionError: No process could be started; the agent is Failed then.
        """
        if not self._service.connect(agent_id, host=host, port=port):
            self.nudge(agent_id)
            return
        try:
            self._launcher.serve(self._url, agent_id, self.log(agent_id))
        except ExecutionError as error:
            service = next((each for each in self._service.active()[0] if each.agent_id == agent_id), None)
            if service is not None:
                self._service.give_up(service, str(error))
            raise

    def disconnect(self, agent_id: int) -> None:
        """Have an agent served no longer; when this returns nobody answers any more."""
        self._end(self._service.disconnect(agent_id))

    def rotate_key(self, agent_id: int) -> str:
        """Give an agent a new key, and return it; the former one is refused when this returns."""
        key = self._service.rotate_key(agent_id)
        self.nudge(agent_id)
        return key

    def ask(self, agent_id: int, value: Any) -> Reply:
        """Ask an agent over HTTP, as anybody would, but without its key.

        Raises:
            RuleError: It is not connected.
            ExecutionError: It does not answer.
        """
        agent, token = self._agents.get(agent_id), self._service.token(agent_id)
        endpoint = agent.endpoint
        if agent.status is not AgentStatus.DEPLOYED or endpoint is None or endpoint.url is None or not token:
            why = f"It is {agent.status.lower()}."
            raise RuleError(f"Agent {agent.name!r} cannot be asked.", why, "Connect it first.")
        return post(endpoint.url, f"/{endpoint.route}", {endpoint.takes: value}, token)

    def answers(self, agent_id: int, version: int) -> bool:
        """Whether an endpoint answers its health check with a version; False as long as it may come.

        Raises:
            ExecutionError: It will not come.
        """
        self.reconcile(agent_id)
        agent = self._agents.get(agent_id)
        endpoint = agent.endpoint
        if agent.status in {AgentStatus.FAILED, AgentStatus.UNDEPLOYED} or endpoint is None:
            why = (endpoint.error if endpoint else None) or "It was disconnected meanwhile."
            raise ExecutionError(
                f"The endpoint of agent {agent.name!r} does not answer.", f"{why}{self.tail(agent_id)}"
            )
        if agent.status is AgentStatus.DEPLOYED and endpoint.error and endpoint.version != version:
            raise ExecutionError(
                f"Version {version} of agent {agent.name!r} cannot be served.", endpoint.error
            )
        if agent.status is not AgentStatus.DEPLOYED or endpoint.version != version or endpoint.port is None:
            return False
        said = health(endpoint.host, endpoint.port)
        return said is not None and said.get("version") == version and said.get("agent") == agent.name

    def reconcile(self, agent_id: int | None = None) -> None:
        """Set agents whose process died, or was never started, to Failed."""
        services, now = self._service.active()
        for service in services:
            if agent_id in {None, service.agent_id}:
                try:
                    self._settle(service, now)
                except (PipelineError, psutil.Error, OSError) as error:
                    # One endpoint that cannot be settled must hide no other; the next look tries again.
                    _log.warning(
                        "The endpoint of agent %s could not be looked at: %s", service.agent_id, error
                    )

    def tail(self, agent_id: int) -> str:
        """Return the end of what the process of an endpoint has printed, on lines of its own."""
        with suppress(OSError):
            lines = self.log(agent_id).read_text(encoding="utf-8", errors="replace").splitlines()
            if lines:
                return "\n" + "\n".join(lines[-LOG_LINES:])
        return ""

    def _settle(self, service: Service, now: float) -> None:
        seen = processes.look(service.process)
        evidence = verdict(service, seen, now=now, grace=self._timing.grace)
        if evidence is not None:
            self._service.give_up(service, evidence)

    def nudge(self, agent_id: int) -> None:
        """Let a process look at its row at once; it does so by itself twice a second."""
        agent, token = self._agents.get(agent_id), self._service.token(agent_id)
        if agent.endpoint is not None and agent.endpoint.url is not None and token:
            with suppress(ExecutionError):
                post(agent.endpoint.url, LOOK, {}, token, LOOK_TIMEOUT)

    def _end(self, service: Service | None) -> None:
        """End a process, if it is on this machine: it answers what it was asked already, and no more."""
        if service is None or service.process is None or processes.look(service.process) is not Seen.AT_WORK:
            return
        processes.ask_to_stop(service.process.pid)
        until = time.monotonic() + END_GRACE
        while processes.look(service.process) is Seen.AT_WORK:
            if time.monotonic() > until:
                processes.kill(processes.family(service.process.pid))
            time.sleep(END_POLL)
