"""The tables. Core tables and not ORM classes: what leaves this package is a frozen value.

Times are seconds since 1970 in UTC on the database's clock; paths are relative to the artifact folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)

from pipeline_widgets.domain.text import replace_unencodable

if TYPE_CHECKING:
    from sqlalchemy.schema import SchemaItem
    from sqlalchemy.types import TypeEngine

#: The Alembic revision that these tables are at; a test holds it against migrations/.
HEAD = "0013"


class CleanString(TypeDecorator[str]):
    """Text up to a length, with U+FFFD in the place of what no database stores.

    Texts come from trainings and their users; on SQLite, too, so that its rows can be copied to PostgreSQL.
    """

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: object) -> Any:  # noqa: ARG002  SQLAlchemy passes it
        """Return the text as it is stored."""
        return replace_unencodable(value) if isinstance(value, str) else value


class CleanText(CleanString):
    """The same without a limit."""

    impl = Text
    cache_ok = True


#: What a training counts can pass 2**31. SQLite's integers have 64 bits under any name.
LONG = BigInteger().with_variant(Integer(), "sqlite")
#: Text that a training or its user chooses. SQLite enforces no length, so its tables keep their types.
UNLIMITED = CleanText().with_variant(CleanString(255), "sqlite")
UNLIMITED_SHORT = CleanText().with_variant(CleanString(16), "sqlite")
UNLIMITED_ROLE = CleanText().with_variant(CleanString(64), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _table(name: str, *parts: SchemaItem, key_type: TypeEngine[int] | None = None) -> Table:
    # AUTOINCREMENT: an id that was deleted is never given to another row, so an old handle cannot
    # come to mean something else.
    key = Column("id", key_type or Integer(), primary_key=True)
    return Table(name, metadata, key, *parts, sqlite_autoincrement=True)


def _reference(name: str, target: str, ondelete: str | None = None) -> Column[int]:
    return Column(name, Integer, ForeignKey(f"{target}.id", ondelete=ondelete), index=True)


def _annotations() -> tuple[Column[Any], ...]:
    """What people write to a row, which changes nothing of what it does."""
    return (
        Column("note", CleanText),
        # Each between two line feeds: one pattern finds a tag, or a part of one.
        Column("tags", CleanText),
        Column("favourite", Boolean, nullable=False, server_default=false()),
    )


workspace = _table(
    "workspace",
    Column("artifacts", Text, nullable=False),  # a path that is cleaned is another path
    Column("beat_every", Float, nullable=False),
    Column("grace", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    # A random number that the artifact folder bears, too, and where the database was when it was opened last:
    # a copy is told from the original by it.
    Column("identity", CleanString(32)),
    Column("place", Text),
    Column("recorded_variables", JSON(none_as_null=True)),  # names of environment variables
    # Of runs whose stage and experiment name none; NULL is "local".
    Column("launcher", Text),
    Column("resources", JSON(none_as_null=True)),
    Column("remote", Text),  # the fsspec URL of the checkpoints; NULL where they are in the folder alone
    Column("trackers", JSON(none_as_null=True)),
    Column("limits", JSON(none_as_null=True)),  # of each machine that launches runs itself
)

projects = _table(
    "projects",
    Column("name", CleanString(255), nullable=False, unique=True),
    Column("advanced_training", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    # How many of the writes that it counts were reports, which change only what is shown of their own runs.
    Column("reports", Integer, nullable=False, server_default="0"),
)

algorithms = _table(
    "algorithms",
    Column("name", UNLIMITED, nullable=False),
    Column("digest", CleanString(64), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("path", Text),
    Column("root", Text),
    Column("value", Text),
    Column("created_at", Float, nullable=False),
    # The Python that made `value`; NULL for what is imported, and for what former versions kept.
    Column("python", String(64)),
    Column("code", JSON(none_as_null=True)),  # files and definitions when it was kept last, with digests
    UniqueConstraint("name", "digest"),
)

experiments = _table(
    "experiments",
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("name", CleanString(255), nullable=False),
    Column("algorithm_id", Integer, ForeignKey("algorithms.id"), nullable=False),
    Column("config", JSON, nullable=False),
    Column("seed", LONG, nullable=False),
    Column("config_digest", CleanString(64), nullable=False),
    Column("signature", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),  # raised by every edit
    Column("launcher", Text),
    Column("resources", JSON(none_as_null=True)),
    *_annotations(),
    UniqueConstraint("project_id", "name"),
    Index(None, "project_id", "revision"),
)

pipelines = _table(
    "pipelines",
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("name", CleanString(255), nullable=False),
    Column("description", CleanText, nullable=False),
    Column("version", Integer, nullable=False),  # raised by every edit
    Column("score_by", CleanString(255)),  # the evaluator that Best and gates go by; NULL for own scores
    Column("created_at", Float, nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    *_annotations(),
    UniqueConstraint("project_id", "name"),
    Index(None, "project_id", "revision"),
)

stages = _table(
    "stages",
    Column("pipeline_id", Integer, ForeignKey("pipelines.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", CleanString(16), nullable=False),
    Column("trigger", CleanString(16), nullable=False),
    _reference("experiment_id", "experiments"),
    Column("start", CleanString(16)),
    _reference("start_agent_id", "agents"),
    Column("choice", UNLIMITED_SHORT),  # best, final, or a step
    Column("auto_add_agent", Boolean, nullable=False),
    Column("agent_name", CleanString(255)),
    Column("agent_description", CleanText),
    Column("gate", CleanString(16)),
    Column("gate_score", Float),
    Column("held", CleanText),
    Column("accepted_run_id", Integer),
    Column("accepted_state", CleanText),
    Column("accepted_note", CleanText),
    Column("accepted_at", Float),
    Column("launcher", Text),
    Column("resources", JSON(none_as_null=True)),
    Column("retries", Integer, nullable=False, server_default="0"),  # of runs that crash
    CheckConstraint("kind IN ('experiment', 'deployment')", name="kind"),
    Index(None, "pipeline_id", "position"),
)

ACTIVE_SQL = "status IN ('Pending', 'Running', 'Stopping')"

runs = _table(
    "runs",
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    # Runs are history: removing a pipeline or a stage keeps them.
    _reference("pipeline_id", "pipelines", "SET NULL"),
    Column("stage_id", Integer, ForeignKey("stages.id", ondelete="SET NULL")),
    Column("experiment_id", Integer, ForeignKey("experiments.id")),
    Column("kind", CleanString(16), nullable=False, server_default="training"),  # or deployment, evaluation
    Column("number", Integer, nullable=False),
    Column("status", CleanString(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    # Without foreign keys, as checkpoints refer to runs: the use cases refuse to delete what is used.
    Column("start_checkpoint_id", Integer, index=True),
    Column("start_agent_version_id", Integer),
    Column("start_role", UNLIMITED_ROLE),
    Column("source_checkpoint_id", Integer, index=True),
    _reference("source_run_id", "runs"),
    _reference("resumed_run_id", "runs"),
    Column("config", JSON, nullable=False),
    Column("config_digest", CleanString(64)),
    Column("seed", LONG, nullable=False),
    Column("signature", JSON, nullable=False),
    Column("algorithm_id", Integer, ForeignKey("algorithms.id")),
    # Who carries it out. Every write of that process is fenced by its token.
    Column("token", CleanString(32)),
    Column("host", CleanText),
    Column("pid", Integer),
    Column("pid_started", Float),
    Column("child_pid", Integer),
    Column("child_started", Float),
    Column("beat_at", Float),
    Column("launches", Integer, nullable=False),
    Column("launched_at", Float),
    # The process that was launched to take it, while none has: as long as that lives, it may come.
    Column("launch_host", CleanText),
    Column("launch_pid", Integer),
    Column("launch_started", Float),
    Column("step", LONG),
    Column("total", LONG),
    # Of all that it ever saved, finite only: checkpoints can be deleted, results stay. An algorithm says
    # which end is the better one.
    Column("lowest_evaluation", Float),
    Column("highest_evaluation", Float),
    Column("lowest_training", Float),
    Column("highest_training", Float),
    Column("error", CleanText),
    Column("failure", JSON(none_as_null=True)),  # its message, and the user's own line, as it was then
    Column("revision", Integer, nullable=False),
    Column("code", JSON(none_as_null=True)),  # where it was triggered, and the digests of what it ran
    Column("environment_digest", CleanString(64)),
    Column("launcher", Text),  # NULL is "local"
    Column("resources", JSON(none_as_null=True)),
    Column("home", Text),  # the host on which a local run is launched
    Column("job", Text),  # by which the engine of its launcher knows it
    Column("waits", CleanText),  # for what it waits: in its engine, or for room within the limits
    Column("gpus", JSON(none_as_null=True)),  # that it was given, counted from 0
    Column("peak_cpu", Float),
    Column("peak_memory", LONG),
    Column("peak_gpu_memory", LONG),
    Column("retry", Integer, nullable=False, server_default="0"),  # the first after a crash is 1
    Column("run_through", JSON(none_as_null=True)),  # ids of stages that its chain goes on to
    *_annotations(),
    Index(None, "project_id", "revision"),
    Index(None, "stage_id", "experiment_id", "status"),
    Index(None, "experiment_id", "number"),
    # Spec 6.2: the database itself guarantees one active run for a stage and for an experiment. On PostgreSQL
    # the migrations give the condition: to name it here would import that dialect, a tenth of a start.
    Index(
        "uq_runs_active_stage",
        "stage_id",
        unique=True,
        sqlite_where=text(ACTIVE_SQL),
    ),
    Index(
        "uq_runs_active_experiment",
        "experiment_id",
        unique=True,
        sqlite_where=text(ACTIVE_SQL),
    ),
)

checkpoints = _table(
    "checkpoints",
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("step", LONG, nullable=False),
    Column("path", CleanText, nullable=False),
    Column("size", LONG, nullable=False),
    Column("digest", CleanString(64), nullable=False),
    Column("training_score", Float),
    Column("evaluation_score", Float),
    Column("signature", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("evaluation_spread", Float),  # the standard error of the evaluation score
    UniqueConstraint("run_id", "step"),
    # The best of a run is at one end of these, however many it has saved.
    Index("ix_checkpoints_evaluation", "run_id", "evaluation_score", "step"),
    Index("ix_checkpoints_training", "run_id", "training_score", "step"),
)

#: The evaluators by name, each with its code as the last process that used it had it.
evaluators = _table(
    "evaluators",
    Column("name", CleanString(255), nullable=False, unique=True),
    Column("spec", JSON, nullable=False),
    Column("digest", CleanString(64), nullable=False),
    Column("path", Text),
    Column("root", Text),
    Column("value", Text),
    Column("python", String(64)),  # that made `value`; NULL for what is imported
    Column("created_at", Float, nullable=False),
)

#: Scores by evaluators. A score stays when its checkpoint is deleted, as all results do.
scores = _table(
    "scores",
    Column("checkpoint_id", Integer, nullable=False),
    Column("saved_by", Integer, ForeignKey("runs.id"), nullable=False, index=True),
    Column("step", LONG, nullable=False),
    Column("evaluator", CleanString(255), nullable=False),
    Column("score", Float),  # NULL is NaN
    Column("spread", Float),
    Column("metrics", JSON, nullable=False),
    Column("code", CleanString(64), nullable=False),  # the digest of the evaluator that has given it
    _reference("run_id", "runs", "SET NULL"),  # the evaluation that found it
    Column("created_at", Float, nullable=False),
    UniqueConstraint("checkpoint_id", "evaluator"),
    Index("ix_scores_evaluator", "saved_by", "evaluator", "score", "step"),
)

#: On what runs were executed, and their sources: kept once, by the SHA-256 of the content.
environments = Table(
    "environments",
    metadata,
    Column("digest", CleanString(64), primary_key=True),
    Column("content", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
)
sources = Table(
    "sources",
    metadata,
    Column("digest", CleanString(64), primary_key=True),
    Column("text", CleanText, nullable=False),
)

#: The metrics of runs, packed by domain/metric_block.py. Points are never changed; but several blocks that
#: are small are replaced by one that has the points of all.
metric_blocks = _table(
    "metric_blocks",
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("until", LONG, nullable=False),  # how many points of the run there are with it
    Column("points", Integer, nullable=False),
    Column("lowest_step", LONG, nullable=False),
    Column("highest_step", LONG, nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("run_id", "until"),
    key_type=LONG,
)

#: Of each metric of a run the value of its last step: runs are filtered by it, whatever they have reported.
last_metrics = _table(
    "last_metrics",
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("name", UNLIMITED, nullable=False),
    Column("step", LONG, nullable=False),
    Column("value", Float),
    UniqueConstraint("run_id", "name"),
    key_type=LONG,
)

#: Append-only: what the processes of a run use, seen from outside of them.
usage = _table(
    "usage",
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False, index=True),
    Column("seconds", Float, nullable=False),  # since the run began
    Column("cpu", Float, nullable=False),
    Column("memory", LONG, nullable=False),
    Column("gpu", Float),
    Column("gpu_memory", LONG),
    key_type=LONG,
)

#: What trainings have shown, in the order in which they did. A listing reads no samples: they are last, and
#: SQLite leaves their pages alone.
shown_items = _table(
    "shown_items",
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("step", LONG, nullable=False),
    Column("kind", CleanString(16), nullable=False),
    Column("caption", CleanText, nullable=False),
    Column("prompt", CleanText),  # what an image or a video was made from
    Column("seed", LONG),
    Column("sample_count", Integer, nullable=False),
    Column("path", CleanText),  # of the folder of an image or a video
    Column("media_type", CleanString(32)),
    Column("size", LONG, nullable=False),
    Column("digest", CleanString(64)),
    Column("width", Integer),
    Column("height", Integer),
    Column("seconds", Float),
    Column("created_at", Float, nullable=False),
    Column("samples", JSON(none_as_null=True)),  # [prompt, output, score, reference] each
    Index(None, "run_id", "step"),
    key_type=LONG,
)

agents = _table(
    "agents",
    Column("name", CleanString(255), nullable=False, unique=True),
    Column("description", CleanText, nullable=False),
    Column("status", CleanString(16), nullable=False),
    Column("current_version", Integer, nullable=False),  # a number of agent_versions
    Column("created_at", Float, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),  # raised by every edit
)

agent_versions = _table(
    "agent_versions",
    Column("agent_id", Integer, ForeignKey("agents.id"), nullable=False),
    Column("number", Integer, nullable=False),
    _reference("checkpoint_id", "checkpoints"),
    # The run that made it; NULL if a person did. Without a foreign key, which SQLite adds to no table.
    Column("run_id", Integer, index=True),
    Column("path", CleanText, nullable=False),
    Column("experiment", CleanString(255), nullable=False),
    Column("algorithm_id", Integer, ForeignKey("algorithms.id"), nullable=False),
    Column("created_at", Float, nullable=False),
    # Of the copy, which may leave out files of the checkpoint; NULL where it is the same.
    Column("digest", CleanString(64)),
    Column("size", LONG),
    UniqueConstraint("agent_id", "number"),
)

#: The process behind an agent's endpoint, one row an agent; its status is that of the agent.
endpoints = _table(
    "endpoints",
    Column("agent_id", Integer, ForeignKey("agents.id"), nullable=False, unique=True),
    Column("host", CleanString(255), nullable=False),
    Column("port", Integer),  # kept, and taken again where it is free, so that an URL stays
    Column("key_digest", CleanString(64)),
    Column("key_hint", CleanString(8)),
    # Who serves. Every write of that process is fenced by its token.
    Column("token", CleanString(32)),
    Column("machine", CleanText),
    Column("pid", Integer),
    Column("pid_started", Float),
    Column("beat_at", Float),
    Column("launched_at", Float),
    Column("launches", Integer),  # NULL in rows of older versions, which launched once
    # The process that was launched to serve, while none does: as long as that lives, it may come.
    Column("launch_machine", CleanText),
    Column("launch_pid", Integer),
    Column("launch_started", Float),
    Column("ready_at", Float),
    Column("version", Integer),  # the number of the version that is served
    Column("route", CleanString(16)),
    Column("example", JSON(none_as_null=True)),
    Column("error", CleanText),
    Column("refused_version", Integer),  # the number of the version that the error says cannot be served
)

#: What was done to pipelines, and the edits of experiments and agents. An event outlives its subject.
events = _table(
    "events",
    Column("project_id", Integer, ForeignKey("projects.id")),  # agents belong to no project
    _reference("pipeline_id", "pipelines", "SET NULL"),
    Column("at", Float, nullable=False),
    Column("who", UNLIMITED, nullable=False),
    Column("what", CleanText, nullable=False),
    Column("before", JSON(none_as_null=True)),  # the pipeline before its last edit, for undoing it
    Column("version", Integer),  # of the subject after an edit
    _reference("experiment_id", "experiments", "SET NULL"),
    _reference("agent_id", "agents", "SET NULL"),
    Column("kind", CleanString(16), nullable=False, server_default="edited"),
    Column("changes", JSON(none_as_null=True)),  # what an edit has changed; NULL in rows of older versions
)

#: Who is told of runs. The target is an Apprise URL, which may hold a password.
notifications = _table(
    "notifications",
    Column("target", Text, nullable=False),
    Column("events", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
)

#: One message to one target; written with what it tells of, and sent after that.
notices = _table(
    "notices",
    Column("notification_id", Integer, ForeignKey("notifications.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False, index=True),
    Column("event", CleanString(16), nullable=False),
    Column("text", CleanText, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Float, index=True),  # NULL when it is sent or given up
    Column("sent_at", Float),
    Column("error", CleanText),
    UniqueConstraint("notification_id", "run_id", "event"),
)
