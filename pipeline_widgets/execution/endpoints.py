"""Start and end the processes behind agents' endpoints, and find those that died."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from pipeline_widgets.domain.agent import AgentStatus
from pipeline_widgets.domain.endpoint import (
    LOCAL,
    RECONCILE_PATH,
    SHUTDOWN_GRACE,
    EndpointLease,
    assess_endpoint,
    is_version_error,
)
from pipeline_widgets.domain.liveness import LivenessAction, Process, ProcessState, Timing
from pipeline_widgets.errors import ConflictError, ExecutionError, PipelineError, RuleError, StorageError
from pipeline_widgets.execution import ownership, processes
from pipeline_widgets.execution.launchers import Launcher
from pipeline_widgets.execution.observer import Observer, describe_launch
from pipeline_widgets.persistence.logs import render_log
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.serving import local_credential
from pipeline_widgets.serving.client import LOOK_TIMEOUT, Reply, fetch_health, post
from pipeline_widgets.serving.sockets import listen, listens_on

END_GRACE = (
    SHUTDOWN_GRACE + 10.0
)  # seconds that a process has to answer what it was asked already, and to end
KILL_GRACE = 5.0  # seconds that a process has to end in when it was killed
END_POLL = 0.02
LOG_LINES = 100  # that a view shows

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
        logs: Callable[[int], Path],
        keys: Callable[[int], Path],
        timing: Timing,
    ) -> None:
        self._service = service
        self._agents = agents
        self._launcher = launcher
        self._url = url
        self._logs, self._keys = logs, keys
        self._timing = timing
        self._observer = Observer()

    def log(self, agent_id: int) -> Path:
        """Return where the process of an agent's endpoint prints to."""
        return self._logs(agent_id)

    def tail(self, agent_id: int) -> str:
        """Return the end of what the process of an agent's endpoint has printed."""
        return render_log(self.log(agent_id), LOG_LINES)

    def serves(self, agent_id: int) -> bool:
        """Whether an agent is served, or about to be, as its row says."""
        return self._agents.get(agent_id).status.is_connected

    def connect(self, agent_id: int, *, host: str | None = None, port: int | None = None) -> None:
        """Have an agent served; one that is served already looks for its current version at once.

        Raises:
            ConfigError: The host can be none, or the port.
            RuleError: It is served already, and elsewhere.
            ExecutionError: The port is taken, or no process could be started; the agent is Failed then.
        """
        self._service.check_trusted()
        self.reconcile(agent_id)  # one that died must not be taken for one that serves
        if not self._service.connect(agent_id, host=host, port=port):
            self.notify(agent_id)
            return
        try:
            if port is not None:  # who asks for a port wants that one; a port that it had is only tried
                listen(host or LOCAL, port).close()
            self._launch(agent_id, launches=1)
        except ExecutionError as error:
            service = next((each for each in self._service.active()[0] if each.agent_id == agent_id), None)
            if service is not None:
                self._service.give_up(service, str(error))
            raise

    def revive(self, agent_id: int) -> None:
        """Have an agent that has failed served again, where it was."""
        agent = self._agents.get(agent_id)
        if agent.status is AgentStatus.FAILED and agent.endpoint is not None:
            self.connect(agent_id, host=agent.endpoint.host)

    def disconnect(self, agent_id: int) -> None:
        """Have an agent served no longer; when this returns nobody answers any more.

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
            raise RuleError(f"Agent {agent.name!r} cannot be asked.", why, "Connect it first.")
        if key is None:
            why, fix = "Only who has connected it can ask it so.", "Ask it over HTTP, with its key."
            raise RuleError(f"Agent {agent.name!r} cannot be asked from here.", why, fix)
        if not self._is_held(agent_id, endpoint.port):
            why = "No process of this workspace on this machine listens there."
            raise ExecutionError(f"Agent {agent.name!r} does not answer.", why, "Connect it again.")
        return post(endpoint.url, f"/{endpoint.route}", {endpoint.input_field: value}, key)

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
            what = f"The endpoint of agent {agent.name!r} does not answer."
            raise ExecutionError(what, why, f"Its log is {self.log(agent_id)}.")
        if agent.status is AgentStatus.DEPLOYED and is_version_error(endpoint.error, version):
            what = f"Version {version} of agent {agent.name!r} cannot be served."
            raise ExecutionError(what, str(endpoint.error), f"Its log is {self.log(agent_id)}.")
        if agent.status is not AgentStatus.DEPLOYED or endpoint.version != version or endpoint.port is None:
            return False
        said = fetch_health(endpoint.host, endpoint.port)
        return said is not None and said.get("version") == version and said.get("agent") == agent.name

    def reconcile(self, agent_id: int | None = None) -> None:
        """Set agents whose process died, or was never started, to Failed."""
        if not self._service.is_trusted:
            return
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

    def _settle(self, service: EndpointLease, now: float) -> None:
        decision = assess_endpoint(
            service,
            processes.probe(service.process),
            now=now,
            grace=self._timing.grace,
            launched=processes.probe(service.launched),
            age=processes.age(service.launched),
            still=self._observe(service, now),
        )
        if decision.action is LivenessAction.LAUNCH and self._service.count_relaunch(service):
            self._launch(service.agent_id, launches=service.launches + 1)
        elif decision.action is LivenessAction.GIVE_UP:
            self._give_up(service, decision.evidence)

    def _observe(self, service: EndpointLease, now: float) -> float:
        """Return the seconds for which a silent process has not moved; those that beat are not looked at."""
        silent = now - (service.beat_at or service.launched_at)
        if 0.0 <= silent <= self._timing.grace:  # a beat of the future tells no age
            self._observer.forget([service.agent_id])
            return 0.0
        return self._observer.observe(service.agent_id, service.process or service.launched, service.beat_at)

    def _give_up(self, service: EndpointLease, evidence: str) -> None:
        """End what is left of an endpoint, which may hold the database's write lock, and then say so."""
        process = service.process or service.launched
        if process is not None and self._serves(service.agent_id, process):
            processes.kill_all(lambda: ownership.family(process.pid) if processes.is_there(process) else ())
        if service.process is None:
            more = describe_launch(self._launcher, service.launched, self.log(service.agent_id))
            evidence = f"{evidence} {more}".rstrip()
        self._service.give_up(service, evidence)

    def _launch(self, agent_id: int, *, launches: int) -> None:
        process = self._launcher.serve(self._url, agent_id, self.log(agent_id))
        if process is None:
            return
        try:
            self._service.note_launch(agent_id, launches, process)
        except (StorageError, ConflictError) as error:  # without it, it is launched again a little sooner
            _log.warning("The launch of the endpoint of agent %s could not be noted: %s", agent_id, error)

    def _serves(self, agent_id: int, process: Process) -> bool:
        """Whether a process that a row names was launched to serve that agent: no other is ever ended."""
        return ownership.is_launched(process, self._url, command=("serve", str(agent_id)))

    def notify(self, agent_id: int) -> None:
        """Let a process look at its row at once; it does so by itself twice a second."""
        self._service.check_trusted()
        agent, key = self._agents.get(agent_id), self._own_key(agent_id)
        endpoint = agent.endpoint
        if endpoint is None or endpoint.url is None or key is None:
            return
        if self._is_held(agent_id, endpoint.port):
            with suppress(ExecutionError):
                post(endpoint.url, RECONCILE_PATH, {}, key, LOOK_TIMEOUT)

    def _is_held(self, agent_id: int, port: int | None) -> bool:
        """Whether the process that made the workspace's own key listens on a port: it alone is sent that."""
        service = next((each for each in self._service.active()[0] if each.agent_id == agent_id), None)
        process = service.process if service is not None else None
        if (
            process is None
            or port is None
            or processes.probe(process) not in {ProcessState.AT_WORK, ProcessState.SUSPENDED}
        ):
            return False
        return listens_on(process.pid, port)

    def _own_key(self, agent_id: int) -> str | None:
        return local_credential.read(self._keys(agent_id), self._service.token(agent_id))

    def _end(self, service: EndpointLease | None) -> None:
        """End a process, if it is on this machine: it answers what it was asked already, and no more."""
        process = None if service is None else service.process
        if service is None or process is None or not self._serves(service.agent_id, process):
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
