"""Agents with their versions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    func,
    select,
)

from pipeline_widgets.domain.agent import BASE_MODEL, Agent, AgentKey, AgentStatus, AgentVersion
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.job import FrozenCopy
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository, in_chunks, require_one
from pipeline_widgets.persistence.repositories.endpoints import Endpoints
from pipeline_widgets.persistence.repositories.search import contains_text

_V, _A = schema.agent_versions.c, schema.agents.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_AGENTS = select(schema.agents)
_SAVED = select(schema.checkpoints).where(schema.checkpoints.c.id.in_(_IDS))
_MADE_OF = (
    select(_V.checkpoint_id, _A.id, _A.name, _V.number)
    .join(schema.agent_versions, _V.agent_id == _A.id)
    .where(_V.checkpoint_id.in_(bindparam("ids", expanding=True)))
    .order_by(_V.id)
)
_IS_CURRENT = (_V.agent_id == _A.id) & (_V.number == _A.current_version)
_KEYS = select(_A.id, _A.name).order_by(_A.id)
#: By column, what agents are sorted by besides their names: a signature is read only where it is asked for.
_SORTED_BY = {
    "name": _KEYS,
    "status": select(_A.id, _A.name, _A.status).order_by(_A.id),
    "experiment": select(_A.id, _A.name, _V.experiment)
    .join(schema.agent_versions, _IS_CURRENT)
    .order_by(_A.id),
    "base_model": select(_A.id, _A.name, schema.checkpoints.c.signature)
    .join(schema.agent_versions, _IS_CURRENT)
    .join(schema.checkpoints, schema.checkpoints.c.id == _V.checkpoint_id)
    .order_by(_A.id),
}
#: As text: a NaN in it is no JSON for SQLite, and its functions would end the statement.
_TELLS_BASE_MODEL = cast(schema.checkpoints.c.signature, Text).contains(f'"{BASE_MODEL}"')
_BASE_MODELS = (
    select(schema.checkpoints.c.signature)
    .join(schema.agent_versions, schema.checkpoints.c.id == _V.checkpoint_id)
    .join(schema.agents, _IS_CURRENT)
    .where(_TELLS_BASE_MODEL)
)


class Agents(Repository):
    """The agents of a workspace with their versions."""

    def add(
        self,
        frozen: FrozenCopy,
        description: str,
        checkpoint: Checkpoint,
        made: Experiment,
        run_id: int | None,
    ) -> Agent:
        """Insert an agent with its first version."""
        key = self._add(
            schema.agents,
            name=frozen.name,
            description=description,
            status=AgentStatus.UNDEPLOYED.value,
            current_version=1,
            created_at=self.now,
        )
        self._insert_version(key, 1, frozen, checkpoint, made, run_id)
        return self.get(key)

    def add_version(
        self,
        agent: Agent,
        frozen: FrozenCopy,
        description: str,
        checkpoint: Checkpoint,
        made: Experiment,
        run_id: int | None,
    ) -> Agent:
        """Give an agent a new version, which becomes the current one."""
        last = select(func.max(_V.number)).where(_V.agent_id == agent.id)
        number = self._count(last) + 1
        self._edit(schema.agents, agent, current_version=number, description=description)
        self._insert_version(agent.id, number, frozen, checkpoint, made, run_id)
        return self.get(agent.id)

    def use(self, agent: Agent, number: int) -> Agent:
        """Make another version the current one."""
        self._edit(schema.agents, agent, current_version=number)
        self._touch_workspace()
        return self.get(agent.id)

    def get(self, agent_id: int) -> Agent:
        """Return one agent; NotFoundError without it."""
        return require_one(self._agents(select(schema.agents).where(schema.agents.c.id == agent_id)), "agent")

    def all(self) -> tuple[Agent, ...]:
        """Return all agents in the order of their creation."""
        return self._agents(select(schema.agents).order_by(schema.agents.c.id))

    def keys(self, by: str, text: str = "", only: int | None = None) -> tuple[AgentKey, ...]:
        """Return what agents are sorted by, as they were created.

        Args:
            by: The column: "name", "status", "experiment" or "base_model".
            text: What their names hold, in upper or lower case.
            only: The one agent that is listed; None for all.
        """
        query = _SORTED_BY[by]
        if text:
            query = query.where(contains_text(self.connection, text, _A.name))
        if only is not None:
            query = query.where(_A.id == only)
        return tuple(
            AgentKey(id=row[0], name=row[1], value=_value(by, row)) for row in self.connection.execute(query)
        )

    def count(self) -> int:
        """Return how many agents there are."""
        return self._count(select(func.count()).select_from(schema.agents))

    def any_base_model(self, only: int | None = None) -> bool:
        """Return whether a checkpoint that any agent, or one, serves now tells its base model."""
        query = _BASE_MODELS if only is None else _BASE_MODELS.where(_A.id == only)
        found = self.connection.execute(query)
        return any(each[BASE_MODEL] is not None for each in found.scalars() if BASE_MODEL in each)

    def matching(self, ids: Collection[int], names: Collection[str]) -> tuple[Agent, ...]:
        """Return the agents of those ids or names."""
        columns = schema.agents.c
        if not ids and not names:
            return ()
        conditions = [
            *(columns.id.in_(part) for part in in_chunks(ids)),
            *(columns.name.in_(part) for part in in_chunks(names)),
        ]
        found = {each.id: each for some in conditions for each in self._agents(_AGENTS.where(some))}
        return tuple(found[key] for key in sorted(found))

    def versions(self, agent_id: int) -> tuple[AgentVersion, ...]:
        """Return the versions of an agent, oldest first."""
        return self._versions(schema.agent_versions.c.agent_id == agent_id)

    def version(self, version_id: int) -> AgentVersion:
        """Return one version; NotFoundError without it."""
        return require_one(self._versions(_V.id == version_id), "version of an agent")

    def made_by(self, run_id: int) -> tuple[int, str, int] | None:
        """Return agent, name and number of the version that a run has made."""
        versions, agents = schema.agent_versions.c, schema.agents.c
        query = select(agents.id, agents.name, versions.number).where(versions.run_id == run_id)
        query = query.join(schema.agent_versions, versions.agent_id == agents.id)
        row = self.connection.execute(query.order_by(versions.id.desc()).limit(1)).first()
        return (row.id, row.name, row.number) if row else None

    def paths(self) -> frozenset[str]:
        """Return the folders of all versions."""
        return frozenset(str(self.root / path) for path in self.connection.scalars(select(_V.path)))

    def made_of(self, checkpoint_ids: Collection[int]) -> list[tuple[int, tuple[int, str, int]]]:
        """Return the checkpoint of each version that is made of those; and its agent, name and number."""
        made = self._of(_MADE_OF, checkpoint_ids)
        return [(row["checkpoint_id"], (row["id"], row["name"], row["number"])) for row in made]

    def named_versions(self, ids: Collection[int]) -> dict[int, str]:
        """Return how a sentence names each of those versions, as "agent 'letters', version 2"."""
        versions, agents = schema.agent_versions.c, schema.agents.c
        query = select(versions.id, agents.name, versions.number).where(versions.id.in_(_IDS))
        found = self._of(query.join(schema.agents, versions.agent_id == agents.id), ids)
        return {row["id"]: f"agent {row['name']!r}, version {row['number']}" for row in found}

    def describe(self, agent: Agent, description: str) -> Agent:
        """Give an agent another description."""
        self._edit(schema.agents, agent, description=description)
        self._touch_workspace()
        return self.get(agent.id)

    def remove(self, agent_id: int) -> None:
        """Delete an agent and its versions' rows."""
        versions, endpoints = schema.agent_versions, schema.endpoints
        self.connection.execute(delete(endpoints).where(endpoints.c.agent_id == agent_id))
        self.connection.execute(delete(versions).where(versions.c.agent_id == agent_id))
        self.connection.execute(delete(schema.agents).where(schema.agents.c.id == agent_id))
        self._touch_workspace()

    def _insert_version(
        self,
        agent_id: int,
        number: int,
        frozen: FrozenCopy,
        checkpoint: Checkpoint,
        made: Experiment,
        run_id: int | None,
    ) -> None:
        self._add(
            schema.agent_versions,
            agent_id=agent_id,
            number=number,
            checkpoint_id=checkpoint.id,
            run_id=run_id,
            path=str(Path(frozen.path).relative_to(self.root)),
            experiment=made.name,
            algorithm_id=made.algorithm_id,
            created_at=self.now,
            digest=frozen.copy_digest,
            size=frozen.copy_size,
        )
        self._touch_workspace()

    def _agents(self, query: Select[Any]) -> tuple[Agent, ...]:
        listed = self._all(query)
        versions = {
            (version.agent_id, version.number): version
            for part in in_chunks(row["id"] for row in listed)
            for version in self._versions(_V.agent_id.in_(part))
        }
        endpoints = Endpoints(self.connection, self.now, self.root).by_agent([row["id"] for row in listed])
        return tuple(
            Agent(
                id=row["id"],
                name=row["name"],
                description=row["description"],
                status=AgentStatus(row["status"]),
                created_at=row_mapping.to_datetime(row["created_at"]),
                current=versions[row["id"], row["current_version"]],
                endpoint=endpoints.get(row["id"]),
                version=row["version"],
            )
            for row in listed
        )

    def _versions(self, condition: ColumnElement[bool]) -> tuple[AgentVersion, ...]:
        columns, made = schema.agent_versions.c, schema.algorithms
        query = select(schema.agent_versions, made.c.spec).join(made, made.c.id == columns.algorithm_id)
        query = query.where(condition).order_by(columns.number)
        listed = self._all(query)
        saved = self._of(_SAVED, {row["checkpoint_id"] for row in listed})
        checkpoints = {row["id"]: row_mapping.to_checkpoint(row, self.root) for row in saved}
        return tuple(
            AgentVersion(
                id=row["id"],
                agent_id=row["agent_id"],
                number=row["number"],
                checkpoint=checkpoints[row["checkpoint_id"]],
                experiment=row["experiment"],
                path=str(self.root / row["path"]),
                algorithm_id=row["algorithm_id"],
                spec=row_mapping.to_spec(row["spec"]),
                created_at=row_mapping.to_datetime(row["created_at"]),
                run_id=row["run_id"],
                copy_digest=row["digest"],
                copy_size=row["size"],
            )
            for row in listed
        )


def _value(by: str, row: Sequence[Any]) -> str:
    """Return the value of the column by which agents are sorted; that of the name is the name itself."""
    if by == "base_model":
        return "" if (facet := row[2].get(BASE_MODEL)) is None else str(facet)
    return "" if by == "name" else row[2]
