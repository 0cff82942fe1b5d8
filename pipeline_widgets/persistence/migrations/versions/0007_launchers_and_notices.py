"""Add launchers, limits, retries, run-through, notices, trackers, remote artifacts, times, usage."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for table in ("workspace", "experiments", "stages", "runs"):
        op.add_column(table, sa.Column("launcher", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("resources", sa.JSON(), nullable=True))
    op.add_column("workspace", sa.Column("remote", sa.Text(), nullable=True))
    op.add_column("workspace", sa.Column("trackers", sa.JSON(), nullable=True))
    op.add_column("workspace", sa.Column("limits", sa.JSON(), nullable=True))
    op.add_column("stages", sa.Column("retries", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("home", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("job", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("waits", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("gpus", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("peak_cpu", sa.Float(), nullable=True))
    for name in ("peak_memory", "peak_gpu_memory"):
        op.add_column("runs", sa.Column(name, long, nullable=True))
    op.add_column("runs", sa.Column("retry", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("run_through", sa.JSON(), nullable=True))
    op.add_column("metrics", sa.Column("reported_at", sa.Float(), nullable=True))
    op.create_table(
        "notifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("notification_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=True),
        sa.Column("sent_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_notices_notification_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_notices_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
        sa.UniqueConstraint(
            "notification_id", "run_id", "event", name=op.f("uq_notices_notification_id_run_id_event")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notices_run_id"), "notices", ["run_id"])
    op.create_index(op.f("ix_notices_due_at"), "notices", ["due_at"])
    op.create_table(
        "usage",
        sa.Column("id", long, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("cpu", sa.Float(), nullable=False),
        sa.Column("memory", long, nullable=False),
        sa.Column("gpu", sa.Float(), nullable=True),
        sa.Column("gpu_memory", long, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_usage_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_usage_run_id"), "usage", ["run_id"])


def downgrade() -> None:
    # Former versions know an edit that was done again as an edit.
    events = sa.table("events", sa.column("kind", sa.String()))
    op.execute(sa.update(events).where(events.c.kind == "redone").values(kind="edited"))
    for table in ("usage", "notices", "notifications"):
        op.drop_table(table)
    op.drop_column("metrics", "reported_at")
    for name in (
        "run_through",
        "retry",
        "peak_gpu_memory",
        "peak_memory",
        "peak_cpu",
        "gpus",
        "waits",
        "job",
        "home",
    ):
        op.drop_column("runs", name)
    op.drop_column("stages", "retries")
    for name in ("limits", "trackers", "remote"):
        op.drop_column("workspace", name)
    for table in ("runs", "stages", "experiments", "workspace"):
        op.drop_column(table, "resources")
        op.drop_column(table, "launcher")
