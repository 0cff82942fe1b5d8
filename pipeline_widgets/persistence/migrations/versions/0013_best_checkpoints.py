"""Find the best checkpoint of a run by an index of its scores, however many it has saved."""

from alembic import op

revision = "0013"
down_revision = "0012"

INDEXES = (
    ("ix_checkpoints_evaluation", "checkpoints", ["run_id", "evaluation_score", "step"]),
    ("ix_checkpoints_training", "checkpoints", ["run_id", "training_score", "step"]),
    ("ix_scores_evaluator", "scores", ["saved_by", "evaluator", "score", "step"]),
)


def upgrade() -> None:
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns, unique=False)


def downgrade() -> None:
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
