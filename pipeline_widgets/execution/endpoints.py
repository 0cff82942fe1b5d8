"""Start and end the processes behind agents' endpoints, and find those that died."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.agent import AgentStatus
from pipeline_widgets.domain.endpoint import (
    LOCAL,
    RECONCILE_PATH,
    SHUTDOWN_GRACE,
)
from pipeline_widgets.domain.liveness import Lease, Process, ProcessState, Timing
from pipeline_widgets.errors import ExecutionError, RuleError
from pipeline_widgets.execution import ownership, processes
from pipeline_widgets.execution.engine_jobs import EngineJobs
from pipeline_widgets.execution.launch_request import create_launch_request
from pipeline_widgets.execution.leases import LeaseReconciler
from pipeline_widgets.persistence.logs import render_log
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.serving import local_credential
from pipeline_widgets.serving.client import ASK_TIMEOUT, NOTIFY_TIMEOUT, Reply, fetch_health, post
from pipeline_widgets.serving.sockets import listen, listens_on

END_GRACE = SHUTDOWN_GRACE + 10.0  # seconds within which a process has to answer its requests, and to end
KILL_GRACE = 5.0  # seconds within which a killed process has to end
END_POLL = 0.02
LOG_LINES = 100  # that a view shows


class Endpoints:
    """The processes behind the endpoints of a workspace."""

    def __init__(
        self,
        service: EndpointService,
        agents: AgentService,
        *,
        url: str,
        logs: Callable[[int], Path],
        keys: Callable[[int], Path],
        timing: Timing,
    ) -> None:
        self._service = service
        self._agents = agents
        self._url = url
        self._logs, self._keys = logs, keys
        self._leases = LeaseReconciler(
            "The endpoint of agent",
            service,
            # An agent is for the machine of the notebook: its endpoint is always local.
            request=lambda agent_id, _: create_launch_request(url, ("serve", str(agent_id)), logs(agent_id)),
            end=self._kill,
            log_of=logs,
            timing=timing,
            engines=EngineJobs(),
        )

    def log(self, agent_id: int) -> Path:
        """Return the log of the process behind an agent's endpoint."""
        return self._logs(agent_id)

    def tail(self, agent_id: int) -> str:
        """Return the end of the log of the process behind an agent's endpoint."""
        return render_log(self.log(agent_id), LOG_LINES)

    def serves(self, agent_id: int) -> bool:
        """Return whether an agent is served, or about to be, as its row says."""
        return self._agents.get(agent_id).status.is_connected

    def connect(self, agent_id: int, *, host: str | None = None, port: int | None = None) -> None:
        """Start to serve an agent; one that is served already reloads its current version at once.

        Raises:
            ConfigError: The host can be none, or the port.
            RuleError: It is served already, and elsewhere.
            ExecutionError: The port is taken, or no process could be started; the agent is Failed then.
        """
        self._service.check_trusted()
        self.reconcile(agent_id)  # a dead process must not count as one that serves
        if not self._service.connect(agent_id, host=host, port=port):
            self.notify(agent_id)
            return
        with self._leases.give_up_on_error(agent_id):
            if port is not None:  # a port that is asked for has to be free; the former one is only tried
                listen(host or LOCAL, port).close()
            self._leases.launch(agent_id)

    def revive(self, agent_id: int) -> None:
        """Serve an agent that has failed again, on its former host."""
        agent = self._agents.get(agent_id)
        if agent.status is AgentStatus.FAILED and agent.endpoint is not None:
            self.connect(agent_id, host=agent.endpoint.host)

    def disconnect(self, agent_id: int) -> None:
        """Stop serving an agent; nobody answers any more when this returns.

        Requests that are under way have 20 s to be answered in; then they get 503.

        Raises:
            ExecutionError: Its process does not end, although it was killed.
        """
        self._end(self._service.disconnect(agent_id))

    def rotate_key(self, agent_id: int) -> str:
        """Give an agent a new key, and return it; the former one is refused when this returns."""
        key = self._service.rotate_key(agent_id)
        self.notify(agent_id)
        return key

    def first_key(self, agent_id: int) -> str | None:
        """Give an agent its first key, and return it; None if it has one."""
        key = self._service.first_key(agent_id)
        if key is not None:
            self.notify(agent_id)
        return key

    def ask(self, agent_id: int, value: Any) -> Reply:
        """Ask an agent over HTTP, as anybody would, but without its key.

        Raises:
            RuleError: It is not connected.
            UntrustedError: The workspace is open for reading only.
            ExecutionError: It does not answer.
        """
        self._service.check_trusted()
        agent, key = self._agents.get(agent_id), self._own_key(agent_id)
        endpoint = agent.endpoint
        if agent.status is not AgentStatus.DEPLOYED or endpoint is None or endpoint.url is None:
            why = f"It is {agent.status.lower()}."
            raise RuleError(f"Agent {agent.name!r} cannot be called.", why, "Connect it first.")
        if key is None:
            why, fix = (
                "Only the user who connected it can call it this way.",
                "Call it over HTTP, with its key.",
            )
            raise RuleError(f"Agent {agent.name!r} cannot be called from here.", why, fix)
        if not self._is_held(agent_id, endpoint.port):
            why = "No process of this workspace on this machine listens there."
            raise ExecutionError(f"Agent {agent.name!r} does not answer.", why, "Connect it again.")
        # It may have to wait for its turn, and then takes its time.
        timeout = max(ASK_TIMEOUT, 2 * agent.current.spec.answer_within)
        return post(endpoint.url, f"/{endpoint.route}", {endpoint.input_field: value}, key, timeout)

    def answers(self, agent_id: int, version: int) -> bool:
        """Return whether an endpoint answers its health check with a version; False as long as it may come.

        Raises:
            ExecutionError: It will not come.
        """
        self.reconcile(agent_id)
        agent = self._agents.get(agent_id)
        endpoint = agent.endpoint
        if agent.status in {AgentStatus.FAILED, AgentStatus.UNDEPLOYED} or endpoint is None:
            why = (endpoint.error if endpoint else None) or "It was disconnected meanwhile."
            what = f"The endpoint of agent {agent.name!r} does not answer."
            raise ExecutionError(what, why, f"Its log is {self.log(agent_id)}.")
        if agent.status is AgentStatus.DEPLOYED and endpoint.refused_version == version:
            what = f"Version {version} of agent {agent.name!r} cannot be served."
            raise ExecutionError(what, str(endpoint.error), f"Its log is {self.log(agent_id)}.")
        if agent.status is not AgentStatus.DEPLOYED or endpoint.version != version or endpoint.port is None:
            return False
        said = fetch_health(endpoint.host, endpoint.port)
        return said is not None and said.get("version") == version and said.get("agent") == agent.name

    def reconcile(self, agent_id: int | None = None) -> None:
        """Set agents whose process died, or was never started, to Failed."""
        self._leases.reconcile(agent_id)

    def _kill(self, lease: Lease) -> None:
        """Kill what is left of the process behind an endpoint."""
        process = lease.holder or lease.launched
        if process is not None and self._serves(lease.subject_id, process):
            processes.kill_all(lambda: ownership.family(process.pid) if processes.is_there(process) else ())

    def _serves(self, agent_id: int, process: Process) -> bool:
        """Return whether the process of a row was launched to serve that agent: no other is ever ended."""
        return ownership.is_launched(process, self._url, command=("serve", str(agent_id)))

    def notify(self, agent_id: int) -> None:
        """Ask a process to read its row at once; it does so by itself twice a second."""
        self._service.check_trusted()
        agent, key = self._agents.get(agent_id), self._own_key(agent_id)
        endpoint = agent.endpoint
        if endpoint is None or endpoint.url is None or key is None:
            return
        if self._is_held(agent_id, endpoint.port):
            with suppress(ExecutionError):
                post(endpoint.url, RECONCILE_PATH, {}, key, NOTIFY_TIMEOUT)

    def _is_held(self, agent_id: int, port: int | None) -> bool:
        """Return whether the process at a port made the workspace's key: only that one is sent it."""
        lease = self._leases.find(agent_id)
        process = lease.holder if lease is not None else None
        if (
            process is None
            or port is None
            or processes.probe(process) not in {ProcessState.AT_WORK, ProcessState.SUSPENDED}
        ):
            return False
        return listens_on(process.pid, port)

    def _own_key(self, agent_id: int) -> str | None:
        return local_credential.read(self._keys(agent_id), self._service.token(agent_id))

    def _end(self, lease: Lease | None) -> None:
        """End a process, if it is on this machine, once it has answered the requests that it has already."""
        process = None if lease is None else lease.holder
        if lease is None or process is None or not self._serves(lease.subject_id, process):
            return
        seen = processes.probe(process)
        if seen is ProcessState.SUSPENDED:  # it would hear of it only when somebody lets it go on
            processes.kill(ownership.family(process.pid))
        elif seen is ProcessState.AT_WORK:
            processes.ask_to_stop(process.pid)
        until = time.monotonic() + END_GRACE
        while processes.probe(process) in {ProcessState.AT_WORK, ProcessState.SUSPENDED}:
            late = time.monotonic() - until
            if late > KILL_GRACE:
                what = f"Process {process.pid} of the endpoint does not end."
                raise ExecutionError(what, "It was killed, and is there still.", "Ask who runs this machine.")
            if late > 0:
                processes.kill(ownership.family(process.pid))
            time.sleep(END_POLL)
