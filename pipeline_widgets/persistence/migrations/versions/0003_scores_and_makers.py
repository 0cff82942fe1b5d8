"""Scores that outlive checkpoints, and which run made a version of an agent."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCORES = [f"{end}_{name}" for name in ("evaluation", "training") for end in ("lowest", "highest")]
INFINITY = float("inf")


def upgrade() -> None:
    for name in SCORES:
        op.add_column("runs", sa.Column(name, sa.Float(), nullable=True))
    op.add_column("agent_versions", sa.Column("run_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_agent_versions_run_id"), "agent_versions", ["run_id"])
    tables = sa.MetaData()
    for name in ("runs", "checkpoints", "agents", "agent_versions"):
        sa.Table(name, tables, autoload_with=op.get_bind(), resolve_fks=False)
    _keep_scores(tables.tables["runs"], tables.tables["checkpoints"])
    _name_makers(tables.tables["runs"], tables.tables["agents"], tables.tables["agent_versions"])


def _keep_scores(runs: sa.Table, checkpoints: sa.Table) -> None:
    """Take them from the checkpoints that are there."""
    for name in ("evaluation", "training"):
        score = checkpoints.c[f"{name}_score"]
        finite = sa.case(((score > -INFINITY) & (score < INFINITY), score))
        for end, of in (("lowest", sa.func.min), ("highest", sa.func.max)):
            told = sa.select(of(finite)).where(checkpoints.c.run_id == runs.c.id).scalar_subquery()
            op.execute(sa.update(runs).values({f"{end}_{name}": told}))


def _name_makers(runs: sa.Table, agents: sa.Table, versions: sa.Table) -> None:
    """Tell them by time, once: a deployment saves while it is under way, a training as it ends."""
    named = sa.select(agents.c.name).where(agents.c.id == versions.c.agent_id)
    named = named.correlate(versions).scalar_subquery()
    deployed = (
        runs.c.experiment_id.is_(None)
        & (runs.c.start_checkpoint_id == versions.c.checkpoint_id)
        & (runs.c.config["agent_name"].as_string() == named)
        & (runs.c.created_at <= versions.c.created_at)
        & (sa.func.coalesce(runs.c.finished_at, INFINITY) >= versions.c.created_at)
    )
    added = runs.c.experiment_id.is_not(None) & (runs.c.finished_at == versions.c.created_at)
    made = sa.select(sa.func.max(runs.c.id)).where(deployed | added).correlate(versions).scalar_subquery()
    op.execute(sa.update(versions).values(run_id=made))


def downgrade() -> None:
    op.drop_index(op.f("ix_agent_versions_run_id"), table_name="agent_versions")
    op.drop_column("agent_versions", "run_id")
    for name in SCORES:
        op.drop_column("runs", name)
