"""Count the reports among a project's writes: they change only what is shown of their own runs."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("projects", sa.Column("reports", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("projects", "reports")
