"""The rows and files of one workspace, as transactions in which all repositories take part."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, insert, select, update

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.domain.workspace import Origin
from pipeline_widgets.errors import DataRefusedError, StorageError
from pipeline_widgets.persistence import filesystem, identity, schema
from pipeline_widgets.persistence.artifact_store import ArtifactStore
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.garbage_collection import pause_collection
from pipeline_widgets.persistence.identity import WorkspaceRecord
from pipeline_widgets.persistence.location import (
    Location,
    default_folder,
    parse_location,
    relative_folder,
    resolve_folder,
)
from pipeline_widgets.persistence.migrate import migrate
from pipeline_widgets.persistence.repositories.experiments import Experiments
from pipeline_widgets.persistence.repositories.pipelines import Pipelines
from pipeline_widgets.persistence.repositories.projects import Projects
from pipeline_widgets.persistence.repositories.records import Records
from pipeline_widgets.persistence.repositories.runs import Runs
from pipeline_widgets.persistence.trust import SignatureStore, WorkspaceTrust, user_data_folder

if TYPE_CHECKING:
    from pipeline_widgets.persistence.changes import Changes
    from pipeline_widgets.persistence.repositories.agents import Agents
    from pipeline_widgets.persistence.repositories.annotations import Annotations
    from pipeline_widgets.persistence.repositories.checkpoints import Checkpoints
    from pipeline_widgets.persistence.repositories.endpoints import Endpoints
    from pipeline_widgets.persistence.repositories.evaluators import Evaluators
    from pipeline_widgets.persistence.repositories.events import Events
    from pipeline_widgets.persistence.repositories.metrics import Metrics
    from pipeline_widgets.persistence.repositories.notices import Notices
    from pipeline_widgets.persistence.repositories.shown_items import ShownItems
    from pipeline_widgets.persistence.repositories.workspace_overview import WorkspaceOverview

#: What a workspace that was just made has no row of.
_CONTENTS = (schema.projects, schema.algorithms, schema.runs, schema.agents, schema.stages, schema.endpoints)
_CODE = tuple(
    select(table.c.path, table.c.root, table.c.value) for table in (schema.algorithms, schema.evaluators)
)


_log = logging.getLogger(__name__)

#: Tells whether this process has an algorithm, or an evaluator, of a name.
Defines: TypeAlias = Callable[[str], bool]


#: Returns the code of an algorithm as it is now, by its name and the reference that is stored.
CurrentCode: TypeAlias = Callable[[str, AlgorithmReference], CodeRecord | None]


def _nothing(_: str) -> bool:
    return False


def _unknown(_: str, __: AlgorithmReference) -> CodeRecord | None:
    return None


class UnitOfWork:
    """One transaction: its repositories, and the time at which it began."""

    def __init__(
        self,
        connection: Connection,
        now: float,
        root: Path,
        trust: WorkspaceTrust,
        defines: Defines = _nothing,
        defines_evaluator: Defines = _nothing,
        *,
        current_code: CurrentCode = _unknown,
    ) -> None:
        self.connection = connection
        self.now = now
        self.root = root
        self.trust = trust
        #: Whether this process has an algorithm of that name, which the next trigger will use.
        self.defines = defines
        #: The same of evaluators.
        self.defines_evaluator = defines_evaluator
        #: The code of an algorithm as it is now.
        self.current_code = current_code

    @cached_property
    def projects(self) -> Projects:
        """The projects of the workspace."""
        return Projects(self.connection, self.now, self.root)

    @cached_property
    def experiments(self) -> Experiments:
        """The experiments and algorithms."""
        return Experiments(self.connection, self.now, self.root, self.trust)

    @cached_property
    def pipelines(self) -> Pipelines:
        """The pipelines and stages."""
        return Pipelines(self.connection, self.now, self.root)

    @cached_property
    def runs(self) -> Runs:
        """The runs."""
        return Runs(self.connection, self.now, self.root)

    @cached_property
    def metrics(self) -> Metrics:
        """The metrics of runs, and what their processes use."""
        from pipeline_widgets.persistence.repositories.metrics import Metrics  # noqa: PLC0415  not before Running

        return Metrics(self.connection, self.now, self.root)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints."""
        from pipeline_widgets.persistence.repositories.checkpoints import Checkpoints  # noqa: PLC0415  not before Running

        return Checkpoints(self.connection, self.now, self.root)

    @cached_property
    def shown_items(self) -> ShownItems:
        """What trainings have shown."""
        from pipeline_widgets.persistence.repositories.shown_items import ShownItems  # noqa: PLC0415  not before Running

        return ShownItems(self.connection, self.now, self.root)

    @cached_property
    def evaluators(self) -> Evaluators:
        """The evaluators, and the scores that they have given."""
        from pipeline_widgets.persistence.repositories.evaluators import Evaluators  # noqa: PLC0415  not before Running

        return Evaluators(self.connection, self.now, self.root, self.trust)

    @cached_property
    def agents(self) -> Agents:
        """The agents."""
        from pipeline_widgets.persistence.repositories.agents import Agents  # noqa: PLC0415  not before Running

        return Agents(self.connection, self.now, self.root)

    @cached_property
    def endpoints(self) -> Endpoints:
        """The processes behind agents' endpoints."""
        from pipeline_widgets.persistence.repositories.endpoints import Endpoints  # noqa: PLC0415  not before Running

        return Endpoints(self.connection, self.now, self.root)

    @cached_property
    def records(self) -> Records:
        """The code and the environments of runs."""
        return Records(self.connection, self.now, self.root)

    @cached_property
    def annotations(self) -> Annotations:
        """The notes, tags and favourites."""
        from pipeline_widgets.persistence.repositories.annotations import Annotations  # noqa: PLC0415  not before Running

        return Annotations(self.connection, self.now, self.root)

    @cached_property
    def notices(self) -> Notices:
        """The receivers of messages about runs, and the messages."""
        from pipeline_widgets.persistence.repositories.notices import Notices  # noqa: PLC0415  not before Running

        return Notices(self.connection, self.now, self.root)

    @cached_property
    def overview(self) -> WorkspaceOverview:
        """All projects as a whole, to be read."""
        from pipeline_widgets.persistence.repositories.workspace_overview import WorkspaceOverview  # noqa: PLC0415  not before Running

        return WorkspaceOverview(self.connection, self.now, self.root)

    @cached_property
    def events(self) -> Events:
        """The edits of pipelines."""
        from pipeline_widgets.persistence.repositories.events import Events  # noqa: PLC0415  not before Running

        return Events(self.connection, self.now, self.root)


@dataclass(frozen=True, kw_only=True)
class Store:
    """A workspace's database and artifact folder."""

    database: Database
    artifacts: Path
    timing: Timing
    #: Whether this user trusts it; where not, it is open for reading only.
    trust: WorkspaceTrust
    #: The URL below which artifacts are kept; None where the folder has all of them.
    remote: str | None = None
    #: What it is known by; None for one of an older version.
    identity: str | None = None
    #: Tells which algorithms this process has itself, whatever the rows say of them.
    defines: Defines = _nothing
    #: The same of evaluators.
    defines_evaluator: Defines = _nothing
    #: Returns the code of an algorithm as it is now, as far as this process can tell.
    current_code: CurrentCode = _unknown

    @cached_property
    def changes(self) -> Changes:
        """Whether what views show has changed."""
        from pipeline_widgets.persistence.changes import Changes  # noqa: PLC0415  not before Running

        return Changes(self.database)

    @property
    def artifact_store(self) -> ArtifactStore:
        """The checkpoints, copies of agents and logs; nothing is asked elsewhere before the first use."""
        # A URL that somebody else has written into the workspace is asked for nothing.
        is_asked = self.remote is not None and self.trust.reason is None
        return self._remote_artifacts if is_asked else self._local_artifacts

    @cached_property
    def _remote_artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.artifacts, self.remote)

    @cached_property
    def _local_artifacts(self) -> ArtifactStore:
        return ArtifactStore(self.artifacts)

    @contextmanager
    def read(self) -> Generator[UnitOfWork]:
        """Yield a transaction that sees one consistent state."""
        with self.database.read() as connection, pause_collection():
            yield self._unit_of_work(connection)

    @contextmanager
    def write(self) -> Generator[UnitOfWork]:
        """Yield a transaction that is done wholly, or not at all.

        Raises:
            UntrustedError: The workspace is open for reading only.
        """
        self.trust.check()
        with self.database.write() as connection, pause_collection():
            yield self._unit_of_work(connection)

    def _unit_of_work(self, connection: Connection) -> UnitOfWork:
        now = self.database.now(connection)
        own = (self.defines, self.defines_evaluator)
        place = (self.artifacts, self.trust)
        return UnitOfWork(connection, now, *place, *own, current_code=self.current_code)

    def run_folder(self, run_id: int) -> Path:
        """Return where a run's log and checkpoints are."""
        return self.artifacts / "runs" / f"{run_id:08d}"

    def checkpoints_folder(self, run_id: int) -> Path:
        """Return where a run's checkpoints are."""
        return self.run_folder(run_id) / "checkpoints"

    @property
    def agents_folder(self) -> Path:
        """The folder of the frozen copies of agents."""
        return self.artifacts / "agents"

    @property
    def templates_folder(self) -> Path:
        """The folder of the workspace's own templates."""
        return self.artifacts / "templates"

    def log_path(self, run_id: int) -> Path:
        """Return where a run's output goes."""
        return self.run_folder(run_id) / "log.txt"

    def endpoint_log(self, agent_id: int) -> Path:
        """Return where the process of an agent's endpoint prints to."""
        return self.artifacts / "endpoints" / f"{agent_id:08d}.log"

    def endpoint_key(self, agent_id: int) -> Path:
        """Return where the key is with which the workspace itself asks an agent's endpoint."""
        return self.artifacts / "endpoints" / f"{agent_id:08d}.key"


def open_store(
    database: Database,
    artifacts: str | Path | Location | None = None,
    timing: Timing | None = None,
    *,
    trust: bool = False,
    checks_code: bool = True,
    cache: str | Path | None = None,
    launched_for: str | None = None,
) -> Store:
    """Open a workspace, and make it where there is none yet. Any number of threads and processes may.

    A workspace that this user has neither made nor trusted is opened for reading only.

    Args:
        database: Where its rows are.
        artifacts: Where its files are, a folder or a URL of fsspec; by default what the workspace was made
            with, or for a new one the folder "NAME-artifacts" beside the database. A new one on a server has
            no default.
        timing: How often supervisors beat; by default what the workspace was made with.
        trust: Whether this user trusts it from now on: with what it holds now, it may run code.
        checks_code: Whether all of its code is compared with what this user has signed. A process that
            uses little of it leaves that to the use.
        cache: Where artifacts are on this machine that are kept at a URL.
        launched_for: The identity of the workspace for which a launcher has started this process.

    Raises:
        ConfigError: The URL is no place for artifacts, or there is a cache without one.
        StorageError: It cannot be opened, its artifacts are elsewhere, or they are another workspace's.
        UntrustedError: It is open for reading only, and `timing` would change it.
    """
    asked = artifacts if isinstance(artifacts, Location) else parse_location(artifacts, cache)
    if database.path is not None and not (database.creates or database.path.exists()):
        fix = "Give the path of one that is there, or make one with Workspace(...)."
        raise StorageError(f"There is no workspace {database.path}.", "The file is not there.", fix)
    if not database.exists:  # before anything is made: else it would be half a workspace
        SignatureStore(user_data_folder()).prepare()
    migrate(database)
    with database.read() as connection:
        record = identity.read_record(connection)
    if record is None:
        if cache is not None and asked.url is None:
            why = "Its artifacts are in a folder, which has all of them."
            raise StorageError("There is nothing to be cached.", why, "Name a URL: artifacts=...")
        _create_workspace(database, asked, timing or Timing())
        return open_store(database, asked, timing, trust=trust, checks_code=checks_code)
    trusted = WorkspaceTrust(
        record.identity,
        lambda: _code(database),
        checks_code=database.is_sqlite,
        checks_now=checks_code,
        launched_for=launched_for,
    )
    if trust:
        trusted.grant()
    if trusted.reason is None:
        folder, url = _settle_location(database, record, asked, trusted)
        with filesystem.translate_os_errors(folder):
            filesystem.make_private_folder(folder)
        database.queue_at(folder)
        if url is not None and checks_code:  # a process that was launched leaves that to who launched it
            _check_url(database, url)
    else:  # nothing of it is written, so nothing is settled
        folder, url = _readable_folder(database, record, asked), record.remote
    if timing is not None and timing != record.timing:
        trusted.check()
        with database.write() as connection:
            values = {"beat_every": timing.beat_every, "grace": timing.grace}
            connection.execute(update(schema.workspace).values(**values))
    return Store(
        database=database,
        artifacts=folder,
        timing=timing or record.timing,
        trust=trusted,
        remote=url,
        identity=database.identity or record.identity,
    )


def _code(database: Database) -> Iterable[AlgorithmReference]:
    with database.read() as connection:
        yield from list_code(connection)


def list_code(connection: Connection) -> Iterable[AlgorithmReference]:
    """Return all code that a workspace refers to, a row at a time: values can be large."""
    for row in (row for query in _CODE for row in connection.execute(query)):
        yield AlgorithmReference(path=row.path, root=row.root, value=row.value)


def record_place(store: Store) -> None:
    """Write down where a workspace is that has just become trusted; a copy gets an identity of its own.

    Raises:
        StorageError: Its folder belongs to another workspace.
    """
    with store.database.read() as connection:
        record = identity.read_record(connection)
    if record is not None:
        _settle_location(store.database, record, Location(), store.trust)


def _settle_location(
    database: Database, record: WorkspaceRecord, asked: Location, trusted: WorkspaceTrust
) -> tuple[Path, str | None]:
    """Return folder and URL of a workspace, once it is written down where these and the database are."""
    standing = identity.examine(database, record, _recorded_folder(database, record), asked.folder)
    url = _choose_url(record, standing, asked)
    known = standing.identity
    if not standing.settled:
        try:
            with database.write() as connection:
                record = identity.read_record(connection) or record  # another process may have been faster
                recorded = _recorded_folder(database, record)
                standing = identity.examine(database, record, recorded, asked.folder)
                url = _choose_url(record, standing, asked)
                kept = record.artifacts  # with a URL it need not be that of this machine
                if url is None or standing.folder != recorded:
                    kept = relative_folder(database, standing.folder)
                known = identity.settle(connection, database, standing, kept, url)
                if known != standing.identity:  # before the row has it: a copy of what is trusted is trusted
                    trusted.adopt(known)
        except DataRefusedError:
            raise
        except StorageError:
            if standing.origin is not Origin.SAME:  # what may only be read is still the same workspace
                raise
    database.identity = known
    return standing.folder, url


def _choose_url(record: WorkspaceRecord, standing: identity.Standing, asked: Location) -> str | None:
    """Return the URL of the artifacts: a copy needs one of its own, and nobody else can have another one."""
    if asked.url in {None, record.remote}:
        if standing.origin is Origin.COPY and record.remote is not None:
            what, why = f"The artifacts at {record.remote} are another's.", "This database is a copy."
            from pipeline_widgets.persistence.remote import ownership  # noqa: PLC0415  not before Running

            raise StorageError(what, f"{why} They belong to its original.", ownership.OTHER_URL)
        return record.remote
    if standing.origin is not Origin.COPY or record.remote is None:
        kept = record.remote or standing.folder
        why = f"Its artifacts are in {kept}, not at {asked.url}."
        raise StorageError("This workspace has another place for artifacts.", why, "Leave out `artifacts`.")
    return asked.url


def _check_url(database: Database, url: str) -> None:
    """Refuse a URL that belongs to another workspace; where nobody answers, the rows can be read still."""
    from pipeline_widgets.persistence.remote import ownership  # noqa: PLC0415  not before Running

    try:
        ownership.claim(url, identity.describe(database), str(database.identity))
    except StorageError as error:
        if not ownership.is_unanswered(error):
            raise
        _log.warning("%s", error)


def _create_workspace(database: Database, asked: Location, timing: Timing) -> None:
    from pipeline_widgets.persistence.remote import ownership  # noqa: PLC0415  not before Running

    new = uuid4().hex
    kept = (
        default_folder(database, asked.url, new)
        if asked.folder is None
        else relative_folder(database, asked.folder)
    )
    folder = asked.folder or resolve_folder(database, kept, asked.url, new)
    with database.write() as connection:
        if identity.read_record(connection) is not None:
            return
        if asked.folder is not None:
            identity.check_apart(asked.folder)
        identity.claim_new(database, folder, new)
        values = {"artifacts": kept, "place": identity.place_column(database), "remote": asked.url}
        values |= {"beat_every": timing.beat_every, "grace": timing.grace}
        # One row, with a number that is given here: the database itself refuses a second one.
        connection.execute(insert(schema.workspace).values(id=1, **values, revision=1, identity=new))
        if asked.url is not None:
            ownership.claim(asked.url, identity.describe(database), new, new=True)
        if not _is_used(connection):  # rows without a workspace are somebody else's
            # Before the row is there: nobody can find a workspace whose maker is not known.
            SignatureStore(user_data_folder()).sign(new)


def _is_used(connection: Connection) -> bool:
    return any(connection.execute(select(table.c.id).limit(1)).first() for table in _CONTENTS)


def _recorded_folder(database: Database, record: WorkspaceRecord) -> Path:
    return resolve_folder(database, record.artifacts, record.remote, record.identity)


def _readable_folder(database: Database, record: WorkspaceRecord, asked: Location) -> Path:
    folder = _recorded_folder(database, record)
    if asked.folder not in {None, folder} or asked.url not in {None, record.remote}:
        why = f"Its artifacts are in {record.remote or folder}, not in {asked.url or asked.folder}."
        raise StorageError("This workspace has another artifact folder.", why, "Leave out `artifacts`.")
    return folder
