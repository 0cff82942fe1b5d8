"""Add notes, tags and favourites, and the last value of each metric of a run."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ANNOTATED = ("runs", "experiments", "pipelines")
#: Of the values of the last step the one that was reported last.
FILL = """
    INSERT INTO last_metrics (run_id, name, step, value)
    SELECT run_id, name, step, value FROM (
        SELECT run_id, name, step, value,
            row_number() OVER (PARTITION BY run_id, name ORDER BY step DESC, id DESC) AS place
        FROM metrics
    ) AS ranked WHERE place = 1
"""


def upgrade() -> None:
    long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    for table in ANNOTATED:
        op.add_column(table, sa.Column("note", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("tags", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("favourite", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "last_metrics",
        sa.Column("id", long, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.String(255), "sqlite"), nullable=False),
        sa.Column("step", long, nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_last_metrics_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_last_metrics")),
        sa.UniqueConstraint("run_id", "name", name=op.f("uq_last_metrics_run_id_name")),
        sqlite_autoincrement=True,
    )
    op.execute(FILL)


def downgrade() -> None:
    op.drop_table("last_metrics")
    for table in ANNOTATED:
        for name in ("favourite", "tags", "note"):
            op.drop_column(table, name)
