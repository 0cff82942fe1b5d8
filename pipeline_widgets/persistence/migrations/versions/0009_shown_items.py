"""Add what trainings show: samples, images and videos."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    long = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "shown_items",
        sa.Column("id", long, nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("step", long, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("caption", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=True),
        sa.Column("seed", long, nullable=True),
        sa.Column("sample_count", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("media_type", sa.String(32), nullable=True),
        sa.Column("size", long, nullable=False),
        sa.Column("digest", sa.String(64), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("samples", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_shown_items_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shown_items")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_shown_items_run_id_shown_items_step"), "shown_items", ["run_id", "step"])


def downgrade() -> None:
    op.drop_table("shown_items")
