"""Add the identity of the workspace, of Python and of launched processes; no limits on PostgreSQL."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ADDED = {
    "workspace": {"identity": sa.String(32), "place": sa.Text()},
    "algorithms": {"python": sa.String(64)},
    "runs": {"launch_host": sa.Text(), "launch_pid": sa.Integer(), "launch_started": sa.Float()},
    "endpoints": {
        "launches": sa.Integer(),
        "launch_machine": sa.Text(),
        "launch_pid": sa.Integer(),
        "launch_started": sa.Float(),
    },
}
#: SQLite needs no change for these: its integers have 64 bits, and its texts no limit.
LONG = {
    "experiments": ["seed"],
    "runs": ["seed", "step", "total"],
    "checkpoints": ["step", "size"],
    "metrics": ["id", "step"],
}
UNLIMITED = {
    "algorithms": {"name": 255},
    "stages": {"choice": 16},
    "runs": {"start_role": 64},
    "metrics": {"name": 255},
    "events": {"who": 255},
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    workspace = sa.table("workspace", sa.column("identity", sa.String()))
    op.execute(workspace.update().values(identity=uuid.uuid4().hex))
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, names in LONG.items():
        for name in names:
            op.alter_column(table, name, type_=sa.BigInteger(), existing_type=sa.Integer())
    op.execute("ALTER SEQUENCE metrics_id_seq AS bigint")
    for table, texts in UNLIMITED.items():
        for name, length in texts.items():
            op.alter_column(table, name, type_=sa.Text(), existing_type=sa.String(length))


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        for table, texts in UNLIMITED.items():
            for name, length in texts.items():
                op.alter_column(table, name, type_=sa.String(length), existing_type=sa.Text())
        op.execute("ALTER SEQUENCE metrics_id_seq AS integer")
        for table, names in LONG.items():
            for name in names:
                op.alter_column(table, name, type_=sa.Integer(), existing_type=sa.BigInteger())
    for table, columns in ADDED.items():
        for name in columns:
            op.drop_column(table, name)
