"""Connecting agents: what is wanted of the processes behind endpoints, and what they tell."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline_widgets.domain.endpoint import LOCAL, Service, Wanted, digest_of_key
from pipeline_widgets.domain.experiment import AgentStatus, AgentVersion, Reference
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.errors import ConfigError, FencedError
from pipeline_widgets.persistence.store import Store, Work

KEY_BYTES = 32
HINT = 4  # characters of a key that are shown again
LAST_PORT = 65_535


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A version of an agent, as the process that serves it needs it."""

    version: AgentVersion
    reference: Reference


class EndpointService:
    """Connect and disconnect agents, and keep what their processes tell."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # ---- what people want

    def connect(self, agent_id: int, *, host: str = LOCAL, port: int | None = None) -> bool:
        """Let an agent be served; whoever gets True launches its process. False if it is served already.

        Raises:
            ConfigError: The port cannot be one.
        """
        if port is not None and not 0 < port <= LAST_PORT:
            raise ConfigError(f"{port} is no port.", fix=f"Take one from 1 to {LAST_PORT}, or leave it out.")
        with self._store.write() as work:
            work.agents.get(agent_id)
            columns: dict[str, object] = {"host": host}
            if port is not None:
                columns["port"] = port
            return work.endpoints.want(agent_id, **columns)

    def disconnect(self, agent_id: int) -> Service | None:
        """Let an agent be served no longer; return who serves it."""
        with self._store.write() as work:
            work.agents.get(agent_id)
            service = work.endpoints.service(agent_id)
            work.endpoints.release(agent_id, error=None)
            work.endpoints.set_status(agent_id, AgentStatus.UNDEPLOYED)
            return service

    def rotate_key(self, agent_id: int) -> str:
        """Give an agent a new key, and return it: only its digest is stored."""
        key = f"pw_{secrets.token_urlsafe(KEY_BYTES)}"
        with self._store.write() as work:
            work.agents.get(agent_id)
            work.endpoints.set_key(agent_id, digest_of_key(key), key[-HINT:])
        return key

    def token(self, agent_id: int) -> str | None:
        """Return the token under which an agent is served; its endpoint takes it for a key.

        Who can read it could as well rotate the key.
        """
        with self._store.read() as work:
            return work.endpoints.token(agent_id)

    # ---- what the process tells

    def take(self, agent_id: int, process: Process, token: str) -> bool:
        """Lease an endpoint for a process; False if another one has it, or nobody wants it any more."""
        columns = {"machine": process.machine, "pid": process.pid, "pid_started": process.started}
        with self._store.write() as work:
            return work.endpoints.take(agent_id, token=token, **columns)

    def place(self, agent_id: int) -> tuple[str, int | None]:
        """Return the host and the port of an endpoint; without a port any free one will do."""
        with self._store.read() as work:
            endpoint = work.agents.get(agent_id).endpoint
            return (endpoint.host, endpoint.port) if endpoint else (LOCAL, None)

    def wanted(self, agent_id: int, token: str) -> Wanted | None:
        """Return what is to be served under a token; None if nothing is any more."""
        with self._store.read() as work:
            return work.endpoints.wanted(agent_id, token)

    def name(self, agent_id: int) -> str:
        """Return an agent's name; NotFoundError without it."""
        with self._store.read() as work:
            return work.agents.get(agent_id).name

    def version(self, version_id: int) -> Served:
        """Return a version with the place of its algorithm's code."""
        with self._store.read() as work:
            version = work.agents.version(version_id)
            return Served(version=version, reference=work.experiments.reference(version.algorithm_id))

    def tell(self, agent_id: int, token: str, **columns: object) -> None:
        """Keep what a process tells of its endpoint.

        Raises:
            FencedError: It is not its endpoint any more.
        """
        with self._store.write() as work:
            self._note(work, agent_id, token, columns)
            work.endpoints.touch()

    def ready(self, agent_id: int, token: str, **columns: object) -> None:
        """Set an agent to Deployed: its endpoint has answered.

        Raises:
            FencedError: It is not its endpoint any more.
        """
        with self._store.write() as work:
            self._note(work, agent_id, token, {"error": None, "ready_at": work.now, **columns})
            work.endpoints.set_status(agent_id, AgentStatus.DEPLOYED)

    def beat(self, agent_id: int, token: str) -> None:
        """Say that the process is alive. Raises no revision: nothing that is shown has changed.

        Raises:
            FencedError: It is not its endpoint any more.
        """
        with self._store.write() as work:
            self._note(work, agent_id, token, {"beat_at": work.now})

    def failed(self, agent_id: int, token: str, error: str) -> None:
        """Set an agent to Failed, by its own process."""
        with self._store.write() as work:
            if work.endpoints.note(agent_id, token, error=error):
                work.endpoints.release(agent_id)
                work.endpoints.set_status(agent_id, AgentStatus.FAILED)

    # ---- what is found by whoever looks

    def active(self) -> tuple[tuple[Service, ...], float]:
        """Return who serves each agent, and the time on the database's clock."""
        with self._store.read() as work:
            return work.endpoints.active(), work.now

    def give_up(self, service: Service, evidence: str) -> bool:
        """Set an agent to Failed; False if its endpoint has moved on since it was looked at."""
        with self._store.write() as work:
            if work.endpoints.service(service.agent_id) != service:
                return False
            work.endpoints.release(service.agent_id, error=evidence)
            work.endpoints.set_status(service.agent_id, AgentStatus.FAILED)
            return True

    def _note(self, work: Work, agent_id: int, token: str, columns: Mapping[str, object]) -> None:
        if not work.endpoints.note(agent_id, token, **columns):
            why = "The agent was disconnected, or another process serves it."
            raise FencedError(f"The endpoint of agent {agent_id} is no longer this process's.", why)
