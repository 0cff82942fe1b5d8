"""Versions for the optimistic lock, and codes in place of words that were searched for in sentences."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

UNDONE = "Undone: "  # began the sentence of an undo
#: Kinds of events by the beginnings of their sentences; all others are edits, if they have a version.
BEGINNINGS = {
    "created": ("Created.", "Imported.", "Made as a copy of "),
    "ran": ("Triggered stage ", "Resumed stage ", "Stopped "),
    "deleted": ("Deleted pipeline ",),
}
REFUSED = re.compile(r"Version (\d{1,9}) cannot be opened,")
OWNERS = {"experiment_id": "experiments", "agent_id": "agents"}


def upgrade() -> None:
    op.alter_column("agents", "version", new_column_name="current_version")
    for table in ("experiments", "agents"):
        op.add_column(table, sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("endpoints", sa.Column("refused_version", sa.Integer(), nullable=True))
    with op.batch_alter_table("events", table_kwargs={"sqlite_autoincrement": True}) as events:
        events.alter_column("project_id", existing_type=sa.Integer(), nullable=True)
        for name, target in OWNERS.items():
            events.add_column(sa.Column(name, sa.Integer(), nullable=True))
            events.create_foreign_key(op.f(f"fk_events_{name}"), target, [name], ["id"], ondelete="SET NULL")
            events.create_index(op.f(f"ix_events_{name}"), [name])
        events.add_column(sa.Column("kind", sa.String(16), nullable=False, server_default="edited"))
        events.add_column(sa.Column("changes", sa.JSON(), nullable=True))
    _tell_kinds()
    _tell_refused_versions()


def _tell_kinds() -> None:
    """Take the kinds of events from their sentences, once."""
    events = sa.table("events", sa.column("version", sa.Integer()), sa.column("what", sa.Text()))
    events.append_column(sa.column("kind", sa.String()))
    what = events.c.what
    for kind, beginnings in BEGINNINGS.items():
        begins = sa.or_(*(what.startswith(each, autoescape=True) for each in beginnings))
        op.execute(sa.update(events).where(events.c.version.is_(None), begins).values(kind=kind))
    undone = what.startswith(UNDONE, autoescape=True)
    plain = sa.func.substr(what, len(UNDONE) + 1)
    op.execute(sa.update(events).where(undone).values(kind="undone", what=plain))


def _tell_refused_versions() -> None:
    """Take the version that an endpoint could not serve from its error."""
    endpoints = sa.table("endpoints", sa.column("id", sa.Integer()), sa.column("error", sa.Text()))
    endpoints.append_column(sa.column("refused_version", sa.Integer()))
    rows = op.get_bind().execute(sa.select(endpoints.c.id, endpoints.c.error)).all()
    for key, error in rows:
        if found := REFUSED.match(error or ""):
            mine = sa.update(endpoints).where(endpoints.c.id == key)
            op.execute(mine.values(refused_version=int(found[1])))


def downgrade() -> None:
    events = sa.table("events", sa.column("project_id"), sa.column("kind"), sa.column("what", sa.Text()))
    said = sa.literal(UNDONE) + events.c.what
    op.execute(sa.update(events).where(events.c.kind == "undone").values(what=said))
    op.execute(sa.delete(events).where(events.c.project_id.is_(None)))
    with op.batch_alter_table("events", table_kwargs={"sqlite_autoincrement": True}) as changed:
        for name in ("changes", "kind"):
            changed.drop_column(name)
        for name in OWNERS:
            changed.drop_index(op.f(f"ix_events_{name}"))
            changed.drop_constraint(op.f(f"fk_events_{name}"), type_="foreignkey")
            changed.drop_column(name)
        changed.alter_column("project_id", existing_type=sa.Integer(), nullable=False)
    op.drop_column("endpoints", "refused_version")
    for table in ("experiments", "agents"):
        op.drop_column(table, "version")
    op.alter_column("agents", "current_version", new_column_name="version")
