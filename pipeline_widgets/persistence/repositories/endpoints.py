"""The processes behind agents' endpoints. Every write of one is fenced by its token."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Executable, bindparam, insert, select, update

from pipeline_widgets.domain.agent import CONNECTED_STATUSES, AgentStatus
from pipeline_widgets.domain.endpoint import LOCAL, DesiredState, Endpoint
from pipeline_widgets.domain.liveness import Lease, Process
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository

_CONNECTED = tuple(sorted(status.value for status in CONNECTED_STATUSES))
_UNLAUNCHED = dict.fromkeys(("launch_machine", "launch_pid", "launch_started"))
_agents, _endpoints = schema.agents.c, schema.endpoints.c
_BY_AGENT = select(schema.endpoints).where(_endpoints.agent_id.in_(bindparam("ids", expanding=True)))
_LEASES = select(schema.endpoints).join(schema.agents, _agents.id == _endpoints.agent_id)
_ACTIVE_LEASES = _LEASES.where(_agents.status.in_(_CONNECTED))  # asked for by every look


class Endpoints(Repository):
    """The endpoints of a workspace."""

    def request(self, agent_id: int, **columns: object) -> bool:
        """Let an agent be connected; False if it is already, or is about to be."""
        pending = update(schema.agents).where(_agents.id == agent_id, _agents.status.not_in(_CONNECTED))
        if not self._done(pending.values(status=AgentStatus.PENDING.value)):
            return False
        fresh: dict[str, object] = {
            **dict.fromkeys(("token", "machine", "pid", "pid_started", "beat_at", "ready_at")),
            **_UNLAUNCHED,
            "version": None,
            "error": None,
            "refused_version": None,
            "launched_at": self.now,
            "launches": 1,
            **columns,
        }
        if not self._done(update(schema.endpoints).where(_endpoints.agent_id == agent_id).values(**fresh)):
            self.connection.execute(insert(schema.endpoints).values(agent_id=agent_id, **fresh))
        self.touch()
        return True

    def take(self, agent_id: int, **columns: object) -> bool:
        """Lease a Pending endpoint that nobody has taken; False otherwise."""
        pending = select(_agents.id).where(_agents.status == AgentStatus.PENDING.value)
        free = update(schema.endpoints).where(
            _endpoints.agent_id == agent_id, _endpoints.token.is_(None), _endpoints.agent_id.in_(pending)
        )
        return self._done(free.values(beat_at=self.now, **columns))

    def count_launch(self, lease: Lease) -> bool:
        """Count one more launch of an endpoint that nobody has taken; False if somebody else was faster."""
        same = update(schema.endpoints).where(
            _endpoints.agent_id == lease.subject_id,
            _endpoints.token.is_(None),
            _endpoints.launched_at == lease.launched_at,
        )
        return self._done(same.values(launches=lease.launches + 1, launched_at=self.now, **_UNLAUNCHED))

    def set_launched(self, agent_id: int, launches: int, process: Process | None, _: str | None) -> bool:
        """Note what the last launch of an endpoint has started; False if it has moved on."""
        if process is None:
            return False
        same = update(schema.endpoints).where(
            _endpoints.agent_id == agent_id, _endpoints.token.is_(None), _endpoints.launches == launches
        )
        started = {"launch_pid": process.pid, "launch_started": process.started}
        return self._done(same.values(launch_machine=process.machine, **started))

    def update_fenced(self, agent_id: int, token: str, **columns: object) -> bool:
        """Write to an endpoint that is held under a token; False if it is not any more."""
        held = update(schema.endpoints).where(_endpoints.agent_id == agent_id, _endpoints.token == token)
        return self._done(held.values(**columns))

    def set_status(self, agent_id: int, status: AgentStatus) -> None:
        """Give an agent another status."""
        self._set(schema.agents, agent_id, status=status.value)
        self.touch()

    def release(self, agent_id: int, **columns: object) -> None:
        """Take an endpoint from its process, which ends when it sees that."""
        free = update(schema.endpoints).where(_endpoints.agent_id == agent_id)
        self.connection.execute(free.values(token=None, **columns))

    def set_key(self, agent_id: int, digest: str, hint: str) -> None:
        """Store the digest of a new key; the former one opens nothing any more."""
        changed = update(schema.endpoints).where(_endpoints.agent_id == agent_id)
        if not self._done(changed.values(key_digest=digest, key_hint=hint)):
            values = {"agent_id": agent_id, "host": LOCAL, "key_digest": digest, "key_hint": hint}
            self.connection.execute(insert(schema.endpoints).values(**values))
        self.touch()

    def set_first_key(self, agent_id: int, digest: str, hint: str) -> bool:
        """Store the digest of a key where there is none; False if there is one."""
        bare = update(schema.endpoints).where(
            _endpoints.agent_id == agent_id, _endpoints.key_digest.is_(None)
        )
        if not self._done(bare.values(key_digest=digest, key_hint=hint)):
            return False
        self.touch()
        return True

    def desired_state(self, agent_id: int, token: str) -> DesiredState | None:
        """Return what has to be served under a token; None if nothing has to any more."""
        versions = schema.agent_versions
        query = select(_agents.name, versions.c.id, versions.c.number, _endpoints.key_digest)
        query = query.join(schema.endpoints, _endpoints.agent_id == _agents.id)
        query = query.join(
            versions, (versions.c.agent_id == _agents.id) & (versions.c.number == _agents.current_version)
        )
        row = self._first(query.where(_agents.id == agent_id, _endpoints.token == token))
        if row is None:
            return None
        return DesiredState(
            agent=row["name"], version_id=row["id"], version=row["number"], key_digest=row["key_digest"]
        )

    def token(self, agent_id: int) -> str | None:
        """Return the token under which an agent is served."""
        return self.connection.execute(
            select(_endpoints.token).where(_endpoints.agent_id == agent_id)
        ).scalar()

    def lease(self, agent_id: int) -> Lease | None:
        """Return which process serves an agent; None if it was never connected."""
        return next(iter(self._leases(_LEASES.where(_agents.id == agent_id))), None)

    def active(self) -> tuple[Lease, ...]:
        """Return which process serves each agent that is Pending or Deployed."""
        return self._leases(_ACTIVE_LEASES)

    def by_agent(self, agent_ids: Collection[int]) -> Mapping[int, Endpoint]:
        """Return the endpoints of agents, by the id of the agent."""
        return {row["agent_id"]: _endpoint(row) for row in self._of(_BY_AGENT, agent_ids)}

    def touch(self) -> None:
        """Raise the workspace's revision: agents belong to no project."""
        self._touch_workspace()

    def _leases(self, query: Executable) -> tuple[Lease, ...]:
        return tuple(_to_lease(row) for row in self._all(query))


def _to_lease(row: row_mapping.Row) -> Lease:
    return Lease(
        subject_id=row["agent_id"],
        created_at=row["launched_at"] or 0.0,
        launched_at=row["launched_at"],
        token=row["token"],
        holder=row_mapping.to_process(row["machine"], row["pid"], row["pid_started"]),
        beat_at=row["beat_at"],
        launches=row["launches"] or 1,
        launched=row_mapping.to_process(row["launch_machine"], row["launch_pid"], row["launch_started"]),
    )


def _endpoint(row: row_mapping.Row) -> Endpoint:
    return Endpoint(
        host=row["host"],
        port=row["port"],
        key_hint=row["key_hint"],
        version=row["version"],
        route=row["route"] or "predict",
        example=row["example"],
        ready_at=None if row["ready_at"] is None else row_mapping.to_datetime(row["ready_at"]),
        error=row["error"],
        refused_version=row["refused_version"],
    )
