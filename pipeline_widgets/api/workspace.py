"""The workspace: one database and one artifact folder. Everything lives in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_widgets.api import display
from pipeline_widgets.api.agent import Agent, agents
from pipeline_widgets.api.arguments import UNSET, Unset
from pipeline_widgets.api.handle import id_in
from pipeline_widgets.api.listing import Listing
from pipeline_widgets.api.notification import Notification, notifications
from pipeline_widgets.api.project import Project, projects
from pipeline_widgets.api.run import Checkpoint, Run, queued_runs
from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.domain.resources import Placement, Resources
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.persistence.workspace_copy import WorkspaceCopy
from pipeline_widgets.wiring import connect

if TYPE_CHECKING:
    from pipeline_widgets.widgets.agents import AgentsView
    from pipeline_widgets.widgets.workspace import WorkspaceView


class Workspace(display.ShowsView):
    """Opens a workspace, and makes it where there is none yet.

    Args:
        url: The path of a SQLite file, such as "lab.db", or any SQLAlchemy URL.
        artifacts: The folder for checkpoints and logs; "NAME-artifacts" beside the database by default. A new
            workspace on a database server has to name one. A folder belongs to one workspace. Or a URL that
            fsspec understands, such as "s3://bucket/prefix" or "sftp://host/folder": a checkpoint counts once
            it is there whole. Credentials come from the environment, and are never kept.
        cache: With a URL, the folder of this machine where trainings write and what is used of it is kept for
            a while; by default "NAME-artifacts", or with a database server one below your own ~/.cache.
        launcher: Where runs are launched whose stage and experiment do not say: "local", or an engine, such
            as "slurm", "ray://HOST", "ssh://HOST". It is kept in the workspace.
        resources: What such runs ask their launcher for, such as `{"gpu": 1, "memory": "24 GiB"}`. It is kept
            in the workspace; `{}` asks for nothing.
        timing: How often supervisors beat, and after how long a silent one is given up.
        trackers: The tools that are told of runs as well, see `trackers`; what is kept already by default.
        trust: A workspace that you have neither made nor trusted opens for reading only: nothing of it is
            run, and every change is refused with an UntrustedError. True trusts it, with the code that it
            holds now; that is remembered for you.

    Raises:
        ConfigError: The URL is no place for artifacts, or holds a password.
        StorageError: The database or the folder cannot be opened.
    """

    def __init__(
        self,
        url: str | Path = "lab.db",
        *,
        artifacts: str | Path | None = None,
        cache: str | Path | None = None,
        launcher: str | None = None,
        resources: Mapping[str, Any] | Resources | None = None,
        timing: Timing | None = None,
        trackers: Sequence[str] | None = None,
        trust: bool = False,
    ) -> None:
        wanted = None if resources is None else Resources.parse(resources)
        placement = Placement(launcher=launcher, resources=wanted)
        self._services = connect(
            url, artifacts=artifacts, cache=cache, placement=placement, timing=timing, trust=trust
        )
        if trackers is not None and tuple(trackers) != self._services.tracking.trackers():
            self._services.set_trackers(trackers)

    def __repr__(self) -> str:
        shown = self._services.store.database.safe_url
        return f"Workspace({shown!r})" if self.is_trusted else f"<Workspace {shown!r}, open for reading only>"

    @property
    def is_trusted(self) -> bool:
        """Whether you have made or trusted it; where not, it is open for reading only."""
        return self._services.read_only_reason is None

    @property
    def launcher(self) -> str:
        """The launcher of runs whose stage and experiment name none."""
        return self._placement.launcher or "local"

    @property
    def resources(self) -> dict[str, Any]:
        """The resources of such runs: memory in bytes, time in seconds."""
        asked = self._placement.resources
        return dict((asked.to_json() if asked else None) or {})

    @property
    def _placement(self) -> Placement:
        with self._services.store.read() as work:
            return work.records.placement()

    @property
    def projects(self) -> Listing[Project]:
        """Its projects, in the order of their creation; `ws.projects("status=failed")` takes a filter.

        It knows name, kind, status (of anything in them), experiments and pipelines (how many there are).
        """
        return projects(self._services)

    @property
    def agents(self) -> Listing[Agent]:
        """Its agents, in the order of their creation."""
        return agents(self._services)

    @property
    def artifacts(self) -> Path:
        """The folder with checkpoints and logs; with `artifacts_url` what this machine has of them."""
        return self._services.store.artifacts

    @property
    def artifacts_url(self) -> str | None:
        """The URL at which checkpoints and logs are kept; None where they are in the folder alone."""
        return self._services.store.remote

    def create_project(self, name: str, *, advanced_training: bool = False) -> Project:
        """Make a project.

        Args:
            name: Unique in the workspace.
            advanced_training: Whether it can hold pipelines. This never changes.

        Raises:
            NameTakenError: There is a project of that name.
        """
        new = self._services.projects.create(name, advanced_training=advanced_training)
        return Project(self._services, new.id)

    def create_agent(self, name: str, checkpoint: Checkpoint, *, description: str = "") -> Agent:
        """Save a checkpoint as an agent: as a frozen copy.

        Args:
            name: A name that no other agent of the workspace has.
            checkpoint: A checkpoint of this workspace.
            description: What the agent is for.

        Raises:
            NameTakenError: There is an agent of that name.
            CheckpointError: The checkpoint's files are missing or corrupt.
        """
        chosen = id_in(self._services, checkpoint, Checkpoint)
        return Agent(self._services, self._services.agents.create(name, chosen, description).id)

    def view(self) -> WorkspaceView:
        """Return a new live view of it, as the last line of a cell shows it.

        Raises:
            ExecutionError: What a notebook needs is not installed.
        """
        with display.needs_widgets():
            from pipeline_widgets.widgets.workspace import WorkspaceView  # noqa: PLC0415  only for a notebook
        return WorkspaceView(self._services)

    def agents_view(self) -> AgentsView:
        """Return a new live view of its agents, to be the last line of a cell.

        Raises:
            ExecutionError: What a notebook needs is not installed.
        """
        with display.needs_widgets():
            from pipeline_widgets.widgets.agents import AgentsView  # noqa: PLC0415  only for a notebook
        return AgentsView(self._services)

    def backup(self, path: str | Path) -> Path:
        """Make a whole copy of the workspace in a new folder, also while runs are at work.

        Checkpoints are linked where the file system can, so that a backup takes little space, and copied
        elsewhere. Opened where it is, the copy is a workspace of its own; put back, it is this one.

        Args:
            path: The folder to make, outside of the workspace's own.

        Returns:
            The path of the copy's database, which `Workspace` opens.

        Raises:
            StorageError: The folder is there already or cannot be written, or the database is on a server.
        """
        return self._services.back_up(path)

    def copy_to(
        self, url: str | Path, *, artifacts: str | Path | None = None, move: bool = False
    ) -> WorkspaceCopy:
        """Copy the workspace into another database: from SQLite to PostgreSQL, back, or to another of a kind.

        All rows are copied in one transaction, which is committed when both sides have the same digest. The
        copy is a workspace of its own, with a folder of its own; `move=True` lets the new database take the
        place of this one instead, which can no longer be opened after that. Open the result with
        `Workspace(url)`.

        Args:
            url: The path of a SQLite file that is not there yet, or the URL of an empty database.
            artifacts: The folder of the copy, which is not there yet; "NAME-artifacts" beside a SQLite file
                by default. Checkpoints are linked into it where the file system can. A move keeps the folder.
            move: Whether the workspace is moved.

        Returns:
            Where it is now, the number of rows of each table, and their digest.

        Raises:
            RuleError: Runs are active, or agents are connected.
            StorageError: The target is not empty or cannot be written, or the folder is there already.
            DataRefusedError: The target cannot store a value.
        """
        return self._services.copy_to(url, artifacts, move=move)

    def record_environment(self, *names: str) -> tuple[str, ...]:
        """Let runs that are triggered from now on record these environment variables, and no others.

        They are kept in the workspace as they are, and shown to whoever can open it: name no secrets.

        Args:
            *names: The variables, such as "CUDA_VISIBLE_DEVICES"; without any, none is recorded.

        Returns:
            The names that are recorded from now on.

        Raises:
            ConfigError: A name is no text, or cannot be that of a variable.
        """
        for name in names:
            if not isinstance(name, str) or not name or "=" in name or "\0" in name:  # pyright: ignore[reportUnnecessaryIsInstance]
                what = f"{name!r} is not the name of an environment variable."
                raise ConfigError(what, fix='Write its name, such as "CUDA_VISIBLE_DEVICES".')
        self._services.run_records.record_variables(names)
        return self._services.run_records.recorded_variables()

    def limits(
        self,
        *,
        runs: int | Unset | None = UNSET,
        cpu: int | Unset | None = UNSET,
        gpu: int | Unset | None = UNSET,
        memory: int | str | Unset | None = UNSET,
    ) -> dict[str, int]:
        """Limit what the runs of a machine take at once, and return the limits: memory in bytes.

        A run that does not fit waits as Pending, and `run.waits` and the views say for what. The oldest comes
        first; a smaller one passes it only where it delays none. What a run takes its experiment or stage
        says with `resources={"gpu": 1}`; it takes one CPU where it does not say. An Auto stage goes on in the
        slot of the stage before it. Runs of an engine such as Slurm wait in the queue of that engine.

        Args:
            runs: Runs at work at once; by default as many as the machine has cores, at least 2.
            cpu: CPUs. They are counted, and not enforced.
            gpu: GPUs. A run sees those that it was given, by CUDA_VISIBLE_DEVICES, and no others.
            memory: Bytes, or a text such as "24 GiB". It is counted, and not enforced.

        A limit that is not named stays; None takes it away.

        Raises:
            ConfigError: A value cannot be a limit.
        """
        named = {"runs": runs, "cpu": cpu, "gpu": gpu, "memory": memory}
        changes = {name: value for name, value in named.items() if not isinstance(value, Unset)}
        limits = self._services.change_limits(**changes) if changes else self._services.queue.limits()
        return limits.to_json() or {}

    @property
    def queue(self) -> Listing[Run]:
        """The active runs of this machine: first those at work, then those that wait, in their order."""
        self._services.reconcile()
        return queued_runs(self._services)

    @property
    def trackers(self) -> tuple[str, ...]:
        """The tools that are told of runs as well: none by default. Set it to a list.

        "tensorboard", "mlflow", "wandb" (offline) and "trackio" write into the artifact folder;
        "mlflow:https://HOST" or "tensorboard:/FOLDER" write elsewhere, and "wandb:online" to its server.
        Others are found in the entry points `pipeline_widgets.trackers`. Trackers work in a process beside
        the training: one that fails, hangs or is missing says so once in the run's log, and changes nothing
        else.
        """
        return self._services.tracking.trackers()

    @trackers.setter
    def trackers(self, written: Sequence[str]) -> None:
        """Let runs that begin from now on be tracked by these, and by no others.

        Args:
            written: Names, each with what may follow a colon.

        Raises:
            ConfigError: It is no list of trackers, or one is not installed here.
        """
        self._services.set_trackers(written)

    @property
    def notifications(self) -> Listing[Notification]:
        """The receivers of messages about runs, in the order in which they were added."""
        return notifications(self._services)

    def notify(
        self, target: str, on: Collection[str] = ("succeeded", "failed", "crashed", "held")
    ) -> Notification:
        """Let somebody be told when a run of the workspace ends, whether or not a kernel is alive by then.

        What a message says: pipeline, stage, run, status, best score, duration, and one line of the error.
        It is sent by a process of its own, from the machine of the run's supervisor. What cannot be sent is
        tried again for up to 45 minutes, and `run.notices` shows why; no training is delayed or ended by it.

        Args:
            target: An Apprise URL (https://github.com/caronc/apprise/wiki), such as "ntfy://my-topic",
                "mailto://..." or "slack://...". It is kept in the workspace, since it has to be at hand
                without a kernel, and never shown whole. One that is told already is told of these events
                from now on.
            on: Some of "succeeded", "failed", "crashed", "stopped" and "held".

        Raises:
            ConfigError: Apprise knows no such URL, or is not installed; or an event is not known.
        """
        return Notification(self._services, self._services.notify(target, on).id)

    def reconcile(self) -> None:
        """Find crashed and never-started runs now, as everything that looks does now and then.

        Raises:
            UntrustedError: The workspace is open for reading only.
        """
        self._services.store.trust.check()
        self._services.reconciler.reconcile_patiently()

    def close(self) -> None:
        """Give the database's connections back. Runs go on; the next use opens new ones."""
        self._services.store.database.close()
