"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("name", name=op.f("uq_agents_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "algorithms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("root", sa.Text(), nullable=True),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_algorithms")),
        sa.UniqueConstraint("name", "digest", name=op.f("uq_algorithms_name_digest")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("advanced_training", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("name", name=op.f("uq_projects_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "workspace",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("artifacts", sa.Text(), nullable=False),
        sa.Column("beat_every", sa.Float(), nullable=False),
        sa.Column("grace", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workspace")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "experiments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("algorithm_id", sa.Integer(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("config_digest", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["algorithm_id"], ["algorithms.id"], name=op.f("fk_experiments_algorithm_id")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_experiments_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_experiments_project_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_experiments_project_id_experiments_revision"),
        "experiments",
        ["project_id", "revision"],
        unique=False,
    )
    op.create_table(
        "pipelines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_pipelines_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pipelines")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_pipelines_project_id_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_pipelines_project_id_pipelines_revision"),
        "pipelines",
        ["project_id", "revision"],
        unique=False,
    )
    op.create_table(
        "stages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("pipeline_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=True),
        sa.Column("start", sa.String(length=16), nullable=True),
        sa.Column("start_agent_id", sa.Integer(), nullable=True),
        sa.Column("choice", sa.String(length=16), nullable=True),
        sa.Column("auto_add_agent", sa.Boolean(), nullable=False),
        sa.Column("agent_name", sa.String(length=255), nullable=True),
        sa.Column("agent_description", sa.Text(), nullable=True),
        sa.Column("gate", sa.String(length=16), nullable=True),
        sa.Column("gate_score", sa.Float(), nullable=True),
        sa.Column("held", sa.Text(), nullable=True),
        sa.Column("accepted_run_id", sa.Integer(), nullable=True),
        sa.Column("accepted_state", sa.Text(), nullable=True),
        sa.Column("accepted_note", sa.Text(), nullable=True),
        sa.Column("accepted_at", sa.Float(), nullable=True),
        sa.CheckConstraint("kind IN ('experiment', 'deployment')", name=op.f("ck_stages_kind")),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name=op.f("fk_stages_experiment_id")),
        sa.ForeignKeyConstraint(["pipeline_id"], ["pipelines.id"], name=op.f("fk_stages_pipeline_id")),
        sa.ForeignKeyConstraint(["start_agent_id"], ["agents.id"], name=op.f("fk_stages_start_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stages")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_stages_experiment_id"), "stages", ["experiment_id"], unique=False)
    op.create_index(
        op.f("ix_stages_pipeline_id_stages_position"), "stages", ["pipeline_id", "position"], unique=False
    )
    op.create_index(op.f("ix_stages_start_agent_id"), "stages", ["start_agent_id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("pipeline_id", sa.Integer(), nullable=True),
        sa.Column("stage_id", sa.Integer(), nullable=True),
        sa.Column("experiment_id", sa.Integer(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("finished_at", sa.Float(), nullable=True),
        sa.Column("start_checkpoint_id", sa.Integer(), nullable=True),
        sa.Column("start_agent_version_id", sa.Integer(), nullable=True),
        sa.Column("start_role", sa.String(length=64), nullable=True),
        sa.Column("source_checkpoint_id", sa.Integer(), nullable=True),
        sa.Column("source_run_id", sa.Integer(), nullable=True),
        sa.Column("resumed_run_id", sa.Integer(), nullable=True),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("config_digest", sa.String(length=64), nullable=True),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("signature", sa.JSON(), nullable=False),
        sa.Column("algorithm_id", sa.Integer(), nullable=True),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("pid", sa.Integer(), nullable=True),
        sa.Column("pid_started", sa.Float(), nullable=True),
        sa.Column("child_pid", sa.Integer(), nullable=True),
        sa.Column("child_started", sa.Float(), nullable=True),
        sa.Column("beat_at", sa.Float(), nullable=True),
        sa.Column("launches", sa.Integer(), nullable=False),
        sa.Column("launched_at", sa.Float(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["algorithm_id"], ["algorithms.id"], name=op.f("fk_runs_algorithm_id")),
        sa.ForeignKeyConstraint(["experiment_id"], ["experiments.id"], name=op.f("fk_runs_experiment_id")),
        sa.ForeignKeyConstraint(
            ["pipeline_id"], ["pipelines.id"], name=op.f("fk_runs_pipeline_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_runs_project_id")),
        sa.ForeignKeyConstraint(["resumed_run_id"], ["runs.id"], name=op.f("fk_runs_resumed_run_id")),
        sa.ForeignKeyConstraint(["source_run_id"], ["runs.id"], name=op.f("fk_runs_source_run_id")),
        sa.ForeignKeyConstraint(
            ["stage_id"], ["stages.id"], name=op.f("fk_runs_stage_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_runs_experiment_id_runs_number"), "runs", ["experiment_id", "number"], unique=False
    )
    op.create_index(op.f("ix_runs_pipeline_id"), "runs", ["pipeline_id"], unique=False)
    op.create_index(
        op.f("ix_runs_project_id_runs_revision"), "runs", ["project_id", "revision"], unique=False
    )
    op.create_index(op.f("ix_runs_resumed_run_id"), "runs", ["resumed_run_id"], unique=False)
    op.create_index(op.f("ix_runs_source_checkpoint_id"), "runs", ["source_checkpoint_id"], unique=False)
    op.create_index(op.f("ix_runs_source_run_id"), "runs", ["source_run_id"], unique=False)
    op.create_index(
        op.f("ix_runs_stage_id_runs_experiment_id_runs_status"),
        "runs",
        ["stage_id", "experiment_id", "status"],
        unique=False,
    )
    op.create_index(op.f("ix_runs_start_checkpoint_id"), "runs", ["start_checkpoint_id"], unique=False)
    op.create_index(
        "uq_runs_active_experiment",
        "runs",
        ["experiment_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('Pending', 'Running', 'Stopping')"),
        postgresql_where=sa.text("status IN ('Pending', 'Running', 'Stopping')"),
    )
    op.create_index(
        "uq_runs_active_stage",
        "runs",
        ["stage_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('Pending', 'Running', 'Stopping')"),
        postgresql_where=sa.text("status IN ('Pending', 'Running', 'Stopping')"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("training_score", sa.Float(), nullable=True),
        sa.Column("evaluation_score", sa.Float(), nullable=True),
        sa.Column("signature", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_checkpoints_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkpoints")),
        sa.UniqueConstraint("run_id", "step", name=op.f("uq_checkpoints_run_id_step")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "metrics",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_metrics_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metrics")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_metrics_run_id"), "metrics", ["run_id"], unique=False)
    op.create_table(
        "agent_versions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("agent_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("checkpoint_id", sa.Integer(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("experiment", sa.String(length=255), nullable=False),
        sa.Column("algorithm_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_agent_versions_agent_id")),
        sa.ForeignKeyConstraint(
            ["algorithm_id"], ["algorithms.id"], name=op.f("fk_agent_versions_algorithm_id")
        ),
        sa.ForeignKeyConstraint(
            ["checkpoint_id"], ["checkpoints.id"], name=op.f("fk_agent_versions_checkpoint_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agent_versions")),
        sa.UniqueConstraint("agent_id", "number", name=op.f("uq_agent_versions_agent_id_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_agent_versions_checkpoint_id"), "agent_versions", ["checkpoint_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_agent_versions_checkpoint_id"), table_name="agent_versions")
    op.drop_table("agent_versions")
    op.drop_index(op.f("ix_metrics_run_id"), table_name="metrics")
    op.drop_table("metrics")
    op.drop_table("checkpoints")
    op.drop_index(
        "uq_runs_active_stage",
        table_name="runs",
        sqlite_where=sa.text("status IN ('Pending', 'Running', 'Stopping')"),
        postgresql_where=sa.text("status IN ('Pending', 'Running', 'Stopping')"),
    )
    op.drop_index(
        "uq_runs_active_experiment",
        table_name="runs",
        sqlite_where=sa.text("status IN ('Pending', 'Running', 'Stopping')"),
        postgresql_where=sa.text("status IN ('Pending', 'Running', 'Stopping')"),
    )
    op.drop_index(op.f("ix_runs_start_checkpoint_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_stage_id_runs_experiment_id_runs_status"), table_name="runs")
    op.drop_index(op.f("ix_runs_source_run_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_source_checkpoint_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_resumed_run_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_project_id_runs_revision"), table_name="runs")
    op.drop_index(op.f("ix_runs_pipeline_id"), table_name="runs")
    op.drop_index(op.f("ix_runs_experiment_id_runs_number"), table_name="runs")
    op.drop_table("runs")
    op.drop_index(op.f("ix_stages_start_agent_id"), table_name="stages")
    op.drop_index(op.f("ix_stages_pipeline_id_stages_position"), table_name="stages")
    op.drop_index(op.f("ix_stages_experiment_id"), table_name="stages")
    op.drop_table("stages")
    op.drop_index(op.f("ix_pipelines_project_id_pipelines_revision"), table_name="pipelines")
    op.drop_table("pipelines")
    op.drop_index(op.f("ix_experiments_project_id_experiments_revision"), table_name="experiments")
    op.drop_table("experiments")
    op.drop_table("workspace")
    op.drop_table("projects")
    op.drop_table("algorithms")
    op.drop_table("agents")
