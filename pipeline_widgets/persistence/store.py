"""The rows and files of one workspace, as transactions in which all repositories take part."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.engine import make_url

from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import filesystem, schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import migrate
from pipeline_widgets.persistence.repositories.agents import Agents
from pipeline_widgets.persistence.repositories.checkpoints import Checkpoints
from pipeline_widgets.persistence.repositories.endpoints import Endpoints
from pipeline_widgets.persistence.repositories.events import Events
from pipeline_widgets.persistence.repositories.experiments import Experiments
from pipeline_widgets.persistence.repositories.pipelines import Pipelines
from pipeline_widgets.persistence.repositories.projects import Projects
from pipeline_widgets.persistence.repositories.runs import Runs

#: The sum of two numbers that only grow; agents belong to no project, and raise that of the workspace.
_REVISION = select(schema.projects.c.revision + select(schema.workspace.c.revision).scalar_subquery()).where(
    schema.projects.c.id == bindparam("project")
)
_WORKSPACE_REVISION = select(schema.workspace.c.revision)


#: Tells whether this process has an algorithm of a name.
Defines: TypeAlias = Callable[[str], bool]


def _nothing(_: str) -> bool:
    return False


class Work:
    """One transaction: its repositories, and the time at which it began."""

    def __init__(self, connection: Connection, now: float, root: Path, defines: Defines = _nothing) -> None:
        self.connection = connection
        self.now = now
        self.root = root
        #: Whether this process has an algorithm of that name, which the next trigger will use.
        self.defines = defines

    @cached_property
    def projects(self) -> Projects:
        """The projects of the workspace."""
        return Projects(self.connection, self.now, self.root)

    @cached_property
    def experiments(self) -> Experiments:
        """The experiments and algorithms."""
        return Experiments(self.connection, self.now, self.root)

    @cached_property
    def pipelines(self) -> Pipelines:
        """The pipelines and stages."""
        return Pipelines(self.connection, self.now, self.root)

    @cached_property
    def runs(self) -> Runs:
        """The runs and metrics."""
        return Runs(self.connection, self.now, self.root)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints."""
        return Checkpoints(self.connection, self.now, self.root)

    @cached_property
    def agents(self) -> Agents:
        """The agents."""
        return Agents(self.connection, self.now, self.root)

    @cached_property
    def endpoints(self) -> Endpoints:
        """The processes behind agents' endpoints."""
        return Endpoints(self.connection, self.now, self.root)

    @cached_property
    def events(self) -> Events:
        """What was done to pipelines."""
        return Events(self.connection, self.now, self.root)


@dataclass(frozen=True, kw_only=True)
class Store:
    """A workspace's database and artifact folder."""

    database: Database
    artifacts: Path
    timing: Timing
    #: Tells which algorithms this process has itself, whatever the rows say of them.
    defines: Defines = _nothing

    @contextmanager
    def read(self) -> Generator[Work]:
        """Yield a transaction that sees one consistent state."""
        with self.database.read() as connection:
            yield Work(connection, self.database.now(connection), self.artifacts, self.defines)

    @contextmanager
    def write(self) -> Generator[Work]:
        """Yield a transaction that is done wholly, or not at all."""
        with self.database.write() as connection:
            yield Work(connection, self.database.now(connection), self.artifacts, self.defines)

    def run_folder(self, run_id: int) -> Path:
        """Return where a run's log and checkpoints are."""
        return self.artifacts / "runs" / f"{run_id:08d}"

    def checkpoints_folder(self, run_id: int) -> Path:
        """Return where a run's checkpoints are."""
        return self.run_folder(run_id) / "checkpoints"

    @property
    def agents_folder(self) -> Path:
        """Where the frozen copies of agents are."""
        return self.artifacts / "agents"

    def log_path(self, run_id: int) -> Path:
        """Return where a run's output goes."""
        return self.run_folder(run_id) / "log.txt"

    def endpoint_log(self, agent_id: int) -> Path:
        """Return where the process of an agent's endpoint prints to."""
        return self.artifacts / "endpoints" / f"{agent_id:08d}.log"

    def endpoint_key(self, agent_id: int) -> Path:
        """Return where the key is with which the workspace itself asks an agent's endpoint."""
        return self.artifacts / "endpoints" / f"{agent_id:08d}.key"

    def revision(self, project_id: int) -> int:
        """Return a project's revision, agents included: equal means that no view of it has changed."""
        with self.database.read() as connection:
            return int(connection.execute(_REVISION, {"project": project_id}).scalar() or 0)

    def workspace_revision(self) -> int:
        """Return the revision of what belongs to no project, that is of agents."""
        with self.database.read() as connection:
            return int(connection.execute(_WORKSPACE_REVISION).scalar() or 0)


def open_store(
    database: Database, artifacts: str | Path | None = None, timing: Timing | None = None
) -> Store:
    """Open a workspace, and make it where there is none yet.

    Args:
        database: Where its rows are.
        artifacts: Where its files are; by default what the workspace was made with, or for a new one
            the folder "NAME-artifacts" beside the database.
        timing: How often supervisors beat; by default what the workspace was made with.

    Raises:
        StorageError: It cannot be opened, or its artifacts are elsewhere.
    """
    migrate(database)
    with database.read() as connection:
        known = connection.execute(select(schema.workspace)).mappings().first()
    if known is None:
        asked = timing or Timing()
        _found_workspace(database, artifacts, asked)
        return open_store(database, artifacts, asked)
    folder = (_base(database) / known["artifacts"]).resolve()
    if artifacts is not None and Path(artifacts).expanduser().resolve() != folder:
        why = f"Its artifacts are in {folder}, not in {Path(artifacts).expanduser().resolve()}."
        raise StorageError("This workspace has another artifact folder.", why, "Leave out `artifacts`.")
    with filesystem.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    kept = Timing(beat_every=known["beat_every"], grace=known["grace"])
    if timing is not None and timing != kept:
        with database.write() as connection:
            values = {"beat_every": timing.beat_every, "grace": timing.grace}
            connection.execute(update(schema.workspace).values(**values))
        kept = timing
    return Store(database=database, artifacts=folder, timing=kept)


def _found_workspace(database: Database, artifacts: str | Path | None, timing: Timing) -> None:
    base = _base(database)
    folder = Path(artifacts).expanduser().resolve() if artifacts else base / f"{_stem(database)}-artifacts"
    # Relative where it can be, so that the database and its files can be moved together.
    movable = database.is_sqlite and folder.is_relative_to(base)
    kept = folder.relative_to(base) if movable else folder
    with database.write() as connection:
        if connection.execute(select(schema.workspace.c.id)).first() is None:
            values = {"artifacts": str(kept), "beat_every": timing.beat_every, "grace": timing.grace}
            connection.execute(insert(schema.workspace).values(**values, revision=1, identity=uuid4().hex))


def _base(database: Database) -> Path:
    if database.is_sqlite:
        return Path(str(make_url(database.url).database)).parent
    return Path.cwd()


def _stem(database: Database) -> str:
    return Path(str(make_url(database.url).database)).stem
