"""What the database itself guarantees, whatever the code does."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import UniqueConstraint, insert, select, update

from pipeline_widgets.domain.run import ACTIVE, FINISHED, Status
from pipeline_widgets.errors import ConflictError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store


@pytest.fixture
def store(database: Database) -> Store:
    """A workspace with a project, an experiment and two stages of a pipeline."""
    opened = open_store(database)
    with opened.write() as work:
        times = {"created_at": 0, "modified_at": 0, "revision": 1}
        made: dict[str, Any] = {
            "algorithm_id": 1,
            "config": {},
            "seed": 0,
            "config_digest": "d",
            "signature": {},
        }
        stage = {"pipeline_id": 1, "kind": "experiment", "trigger": "manual", "auto_add_agent": False}
        project = {"name": "p", "advanced_training": True, "created_at": 0, "revision": 1}
        work.connection.execute(insert(schema.projects).values(project))
        algorithm: dict[str, Any] = {"name": "A", "digest": "d", "spec": {}, "created_at": 0}
        work.connection.execute(insert(schema.algorithms).values(algorithm))
        for key in (1, 2):
            experiment = {"project_id": 1, "name": f"e{key}", **made, **times}
            work.connection.execute(insert(schema.experiments).values(experiment))
        pipeline = {"project_id": 1, "name": "c", "description": "", "version": 1, **times}
        work.connection.execute(insert(schema.pipelines).values(pipeline))
        for key in (1, 2):
            work.connection.execute(insert(schema.stages).values(position=key, **stage))
    return opened


def add_run(store: Store, **values: Any) -> None:
    """Insert a run, past all rules."""
    common: dict[str, Any] = {
        "project_id": 1,
        "number": 1,
        "created_at": 0,
        "config": {},
        "seed": 0,
        "signature": {},
    }
    with store.write() as work:
        row: dict[str, Any] = {**common, "launches": 0, "revision": 1, **values}
        work.connection.execute(insert(schema.runs).values(**row))


@pytest.mark.spec("6.2")
@pytest.mark.parametrize("first", sorted(ACTIVE))
@pytest.mark.parametrize("second", sorted(ACTIVE))
@pytest.mark.parametrize("of", ["stage_id", "experiment_id"])
def test_the_database_refuses_a_second_active_run(
    store: Store, first: Status, second: Status, of: str
) -> None:
    """Two active runs of one stage, or of one experiment, cannot be stored, in whatever statuses."""
    add_run(store, status=first, **{of: 1})
    with pytest.raises(ConflictError):
        add_run(store, status=second, **{of: 1})
    add_run(store, status=second, **{of: 2})


@pytest.mark.spec("6.2")
@pytest.mark.parametrize("ended", sorted(FINISHED))
def test_finished_runs_are_history_and_stand_in_nobodys_way(store: Store, ended: Status) -> None:
    """Any number of finished runs of a stage and an experiment is stored beside one active run."""
    for _ in range(3):
        add_run(store, status=ended, stage_id=1, experiment_id=1)
    add_run(store, status=Status.PENDING, stage_id=1, experiment_id=1)
    with pytest.raises(ConflictError), store.write() as work:
        work.connection.execute(update(schema.runs).values(status="Running"))


@pytest.mark.spec("6.2")
def test_runs_without_a_stage_do_not_hinder_each_other(store: Store) -> None:
    """Two experiments that train by themselves, in no stage, are both active."""
    add_run(store, status=Status.RUNNING, experiment_id=1)
    add_run(store, status=Status.RUNNING, experiment_id=2)


@pytest.mark.parametrize("table", ["projects", "experiments", "pipelines", "agents"])
def test_names_are_unique_in_the_database_itself(table: str) -> None:
    """Two processes that choose the same name at the same moment cannot both have it."""
    constraints = schema.metadata.tables[table].constraints
    unique = {tuple(each.columns.keys()) for each in constraints if isinstance(each, UniqueConstraint)}
    assert (("name",) if table in {"projects", "agents"} else ("project_id", "name")) in unique


def test_a_second_row_of_a_name_is_refused(store: Store) -> None:
    """The constraint bites: the second insert is a conflict and the first is undone with it."""
    row = {"name": "a", "description": "", "status": "Undeployed", "version": 0, "created_at": 0}
    with pytest.raises(ConflictError), store.write() as work:
        work.connection.execute(insert(schema.agents), [row, row])
    with store.read() as work:
        assert work.agents.all() == ()


@pytest.mark.spec("3.7")
def test_removing_a_stage_or_a_pipeline_keeps_its_runs(store: Store) -> None:
    """Runs are history: they lose the link to a stage that is gone, and stay."""
    add_run(store, status=Status.SUCCEEDED, stage_id=1, pipeline_id=1, experiment_id=1)
    with store.write() as work:
        work.pipelines.remove(1)
    with store.read() as work:
        row = work.connection.execute(select(schema.runs)).mappings().one()
    assert (row["stage_id"], row["pipeline_id"], row["experiment_id"]) == (None, None, 1)


def test_an_id_is_never_given_again(store: Store) -> None:
    """A handle of something deleted cannot come to mean something else."""
    with store.write() as work:
        first = work.pipelines.add(1, "x", "", 1).id
        work.pipelines.remove(first)
        assert work.pipelines.add(1, "x", "", 1).id > first


def test_every_reference_is_checked() -> None:
    """What refers to a row of another table has a foreign key, but for those that the use cases guard."""
    unchecked = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("_id") and not column.foreign_keys
    }
    assert unchecked == {
        "scores.checkpoint_id",  # a score stays when its checkpoint is deleted
        "runs.start_checkpoint_id",
        "runs.source_checkpoint_id",
        "runs.start_agent_version_id",
        "stages.accepted_run_id",
        "agent_versions.run_id",
    }
