"""Add why a run failed: the message, and the user's own line of code."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("runs", sa.Column("failure", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "failure")
