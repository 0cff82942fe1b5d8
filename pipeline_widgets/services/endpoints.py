"""Connect agents: the desired state of the processes behind endpoints, and the state that they record."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline_widgets.domain.agent import Agent, AgentStatus, AgentVersion
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.endpoint import LOCAL, DesiredState, check_address, hash_key
from pipeline_widgets.domain.liveness import Lease, Process
from pipeline_widgets.domain.python_version import foreign_reason
from pipeline_widgets.errors import AlgorithmNotFoundError, FencedError, RuleError
from pipeline_widgets.persistence.artifact_store import ArtifactStore
from pipeline_widgets.persistence.repositories.endpoints import Endpoints
from pipeline_widgets.persistence.store import UnitOfWork
from pipeline_widgets.services.leases import LeaseService

KEY_BYTES = 32
HINT = 4  # characters of a key that are shown again


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A version of an agent, with the place of its code."""

    version: AgentVersion
    reference: AlgorithmReference


class EndpointService(LeaseService):
    """Connect and disconnect agents, and record the state of the processes that serve them."""

    def _repository(self, work: UnitOfWork) -> Endpoints:
        return work.endpoints

    @property
    def artifact_store(self) -> ArtifactStore:
        """The artifacts of the workspace."""
        return self._store.artifact_store

    def check_trusted(self) -> None:
        """Refuse to start, end or send anything for a workspace that is open for reading only.

        Raises:
            UntrustedError: The workspace is open for reading only.
        """
        self._store.trust.check()

    # ---- for people

    def connect(self, agent_id: int, *, host: str | None = None, port: int | None = None) -> bool:
        """Ask for an endpoint; the caller that gets True launches its process. False if it is served already.

        Args:
            agent_id: The agent.
            host: The address to listen on; by default 127.0.0.1.
            port: The port; by default the one that it had.

        Raises:
            AlgorithmNotFoundError: Its algorithm is code of another Python.
            ConfigError: The host can be none, or the port.
            RuleError: It is served already, and elsewhere.
        """
        check_address(host, port)
        with self._store.write() as work:
            agent = work.agents.get(agent_id)
            _check_python(work, agent)
            kept = {} if port is None else {"port": port}
            if work.endpoints.request(agent_id, host=host or LOCAL, **kept):
                return True
            now = agent.endpoint
            if now is not None and (host not in {None, now.host} or port not in {None, now.port}):
                what, why = f"Agent {agent.name!r} is already connected.", f"It listens on {now.address}."
                raise RuleError(what, why, "Disconnect it first.")
            return False

    def disconnect(self, agent_id: int) -> Lease | None:
        """Release an agent's endpoint; return the lease under which a process has served it."""
        with self._store.write() as work:
            work.agents.get(agent_id)
            lease = work.endpoints.lease(agent_id)
            work.endpoints.release(agent_id, error=None)
            work.endpoints.set_status(agent_id, AgentStatus.UNDEPLOYED)
            return lease

    def rotate_key(self, agent_id: int) -> str:
        """Give an agent a new key, and return it: only its digest is stored."""
        key = _new_key()
        with self._store.write() as work:
            work.agents.get(agent_id)
            work.endpoints.set_key(agent_id, hash_key(key), key[-HINT:])
        return key

    def first_key(self, agent_id: int) -> str | None:
        """Give an agent its first key, and return it; None if it has one, which may be in use."""
        key = _new_key()
        with self._store.write() as work:
            made = work.endpoints.set_first_key(agent_id, hash_key(key), key[-HINT:])
        return key if made else None

    def token(self, agent_id: int) -> str | None:
        """Return the token under which an agent is served. It does not authorize requests."""
        with self._store.read() as work:
            return work.endpoints.token(agent_id)

    # ---- for the process that serves

    def take(self, agent_id: int, process: Process, token: str) -> bool:
        """Lease an endpoint for a process; False if another one holds it, or the agent is disconnected."""
        columns = {"machine": process.machine, "pid": process.pid, "pid_started": process.started}
        with self._store.write() as work:
            return work.endpoints.take(agent_id, token=token, **columns)

    def get_address(self, agent_id: int) -> tuple[str, int | None]:
        """Return the host and the port of an endpoint; the port is None if any free one will do."""
        with self._store.read() as work:
            endpoint = work.agents.get(agent_id).endpoint
            return (endpoint.host, endpoint.port) if endpoint else (LOCAL, None)

    def desired_state(self, agent_id: int, token: str) -> DesiredState | None:
        """Return the desired state under a token; None if the lease was released."""
        with self._store.read() as work:
            return work.endpoints.desired_state(agent_id, token)

    def version(self, version_id: int) -> Served:
        """Return a version, with the place of its algorithm's code."""
        with self._store.read() as work:
            version = work.agents.version(version_id)
            reference = work.experiments.reference(version.algorithm_id, version.checkpoint.run_id)
            return Served(version=version, reference=reference)

    def record_state(self, agent_id: int, token: str, **columns: object) -> None:
        """Record the state of an endpoint.

        Raises:
            FencedError: Another process holds the endpoint, or nobody does.
        """
        with self._store.write() as work:
            self._note(work, agent_id, token, columns)
            work.endpoints.touch()

    def record_ready(self, agent_id: int, token: str, **columns: object) -> None:
        """Record that an endpoint has answered, and set its agent to Deployed.

        Raises:
            FencedError: Another process holds the endpoint, or nobody does.
        """
        with self._store.write() as work:
            self._note(
                work,
                agent_id,
                token,
                {"error": None, "refused_version": None, "ready_at": work.now, **columns},
            )
            work.endpoints.set_status(agent_id, AgentStatus.DEPLOYED)

    def beat(self, agent_id: int, token: str) -> None:
        """Record a beat of the process. The revision stays: nothing that a view shows has changed.

        Raises:
            FencedError: Another process holds the endpoint, or nobody does.
        """
        with self._store.write() as work:
            self._note(work, agent_id, token, {"beat_at": work.now})

    def record_failure(self, agent_id: int, token: str, error: str) -> None:
        """Record the error with which the process behind an endpoint ends, and set its agent to Failed."""
        with self._store.write() as work:
            if work.endpoints.update_fenced(agent_id, token, error=error):
                work.endpoints.release(agent_id)
                work.endpoints.set_status(agent_id, AgentStatus.FAILED)

    # ---- for whoever finds its process dead

    def give_up(self, lease: Lease, evidence: str) -> bool:
        """Set an agent to Failed; False if its endpoint has moved on since its lease was read."""
        with self._store.write() as work:
            if work.endpoints.lease(lease.subject_id) != lease:
                return False
            work.endpoints.release(lease.subject_id, error=evidence)
            work.endpoints.set_status(lease.subject_id, AgentStatus.FAILED)
            return True

    def _note(self, work: UnitOfWork, agent_id: int, token: str, columns: Mapping[str, object]) -> None:
        if not work.endpoints.update_fenced(agent_id, token, **columns):
            why = "The agent was disconnected, or another process serves it."
            raise FencedError(f"The endpoint of agent {agent_id} is no longer this process's.", why)


def _new_key() -> str:
    return f"pw_{secrets.token_urlsafe(KEY_BYTES)}"


def _check_python(work: UnitOfWork, agent: Agent) -> None:
    python = work.experiments.python(agent.current.algorithm_id)
    if (why := foreign_reason(python)) is not None:
        fix = "Connect it under that Python, or train it again under this one."
        raise AlgorithmNotFoundError(f"Agent {agent.name!r} cannot be connected.", why, fix)
