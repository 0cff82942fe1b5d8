"""Kinds, code and machines of runs, spreads of scores, scores by evaluators, sizes of agents' copies."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_LONG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAME = sa.Text().with_variant(sa.String(255), "sqlite")


def upgrade() -> None:
    op.add_column("checkpoints", sa.Column("evaluation_spread", sa.Float(), nullable=True))
    op.add_column("agent_versions", sa.Column("digest", sa.String(64), nullable=True))
    op.add_column("agent_versions", sa.Column("size", _LONG, nullable=True))
    op.add_column("runs", sa.Column("kind", sa.String(16), nullable=False, server_default="training"))
    op.add_column("runs", sa.Column("code", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("environment_digest", sa.String(64), nullable=True))
    op.add_column("algorithms", sa.Column("code", sa.JSON(), nullable=True))
    op.add_column("workspace", sa.Column("recorded_variables", sa.JSON(), nullable=True))
    _tell_kinds()
    op.create_table(
        "environments",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_environments")),
    )
    op.create_table(
        "sources",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sources")),
    )
    op.add_column("pipelines", sa.Column("score_by", sa.String(255), nullable=True))
    _create_evaluators()
    op.create_table(
        "scores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("checkpoint_id", sa.Integer(), nullable=False),
        sa.Column("saved_by", sa.Integer(), nullable=False),
        sa.Column("step", _LONG, nullable=False),
        sa.Column("evaluator", sa.String(255), nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("spread", sa.Float(), nullable=True),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["saved_by"], ["runs.id"], name=op.f("fk_scores_saved_by")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_scores_run_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scores")),
        sa.UniqueConstraint("checkpoint_id", "evaluator", name=op.f("uq_scores_checkpoint_id_evaluator")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_scores_saved_by"), "scores", ["saved_by"])
    op.create_index(op.f("ix_scores_run_id"), "scores", ["run_id"])


def _create_evaluators() -> None:
    op.create_table(
        "evaluators",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("root", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("python", sa.String(64), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluators")),
        sa.UniqueConstraint("name", name=op.f("uq_evaluators_name")),
        sqlite_autoincrement=True,
    )


def _tell_kinds() -> None:
    """Tell deployments from trainings: until now a run without an experiment was one."""
    runs = sa.table("runs", sa.column("kind", sa.String()), sa.column("experiment_id", sa.Integer()))
    op.execute(sa.update(runs).where(runs.c.experiment_id.is_(None)).values(kind="deployment"))


def downgrade() -> None:
    runs = sa.table("runs", sa.column("kind", sa.String()))
    op.execute(sa.delete(runs).where(runs.c.kind == "evaluation"))
    for table in ("scores", "evaluators", "sources", "environments"):
        op.drop_table(table)
    op.drop_column("pipelines", "score_by")
    op.drop_column("workspace", "recorded_variables")
    op.drop_column("algorithms", "code")
    for name in ("environment_digest", "code", "kind"):
        op.drop_column("runs", name)
    for name in ("size", "digest"):
        op.drop_column("agent_versions", name)
    op.drop_column("checkpoints", "evaluation_spread")
