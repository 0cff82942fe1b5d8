"""What a database refuses is told apart: values that it never takes, conflicts, and what passes."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories.lab import an_owner, configured
from hypothesis import given
from hypothesis import strategies as st
from postgres import Server, database_of
from sqlalchemy import exc, insert, text

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import MetricReport, Outcome, PublishedFolder, SavedCheckpoint
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.text import is_encodable, replace_unencodable
from pipeline_widgets.errors import ConflictError, DataRefusedError, StorageError
from pipeline_widgets.persistence import json_text, schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.services.experiments import ExperimentService
from pipeline_widgets.services.projects import ProjectService
from pipeline_widgets.services.runs import RunService
from pipeline_widgets.services.supervision import SupervisionService

Opened = Callable[[Path | str], Database]
NUL_AND_HALVES = "a\x00b\ud800c\udfff"


@pytest.fixture
def store(any_url: str, opened: Opened, tmp_path: Path) -> Store:
    """A workspace on each kind of database."""
    return open_store(opened(any_url), tmp_path / "files")


@given(st.text(st.characters() | st.sampled_from("\x00\ud800\udfff\n")))
def test_what_is_replaced_can_be_stored(text: str) -> None:
    """Cleaning leaves storable text alone, and makes the rest storable without changing its length."""
    cleaned = replace_unencodable(text)
    assert is_encodable(cleaned)
    assert len(cleaned) == len(text)
    assert (cleaned == text) is is_encodable(text)


def a_run(store: Store) -> Any:
    """Return the job of a run that has been taken."""
    project = ProjectService(store).create("p", advanced_training=True)
    experiment = ExperimentService(store).create(project.id, "e", configured(), seed=0)
    run = RunService(store).train(experiment.id)
    supervision = SupervisionService(store)
    job = supervision.take(run.id, an_owner())
    assert job is not None
    supervision.record_start(job, Process(machine="m", pid=1, started=1.0))
    return job


@pytest.mark.spec("6.9")
def test_fault_3_whatever_a_training_tells_is_kept(store: Store) -> None:
    """Huge steps and sizes, long names, NUL and halves of letters are stored, on both databases."""
    job, last = a_run(store), 2**63 - 1
    folder = PublishedFolder(
        path=store.run_folder(job.run_id) / "checkpoints" / "x", size=3 << 30, digest="d" * 64
    )
    signature = {NUL_AND_HALVES: NUL_AND_HALVES, "nan": math.nan, "inf": -math.inf}
    saved = SavedCheckpoint(
        step=last, folder=folder, training_score=math.inf, evaluation_score=math.nan, signature=signature
    )
    metrics = {NUL_AND_HALVES: math.nan, "x" * 5000: math.inf}
    reported = MetricReport(step=last, total=last, metrics=metrics)
    supervision = SupervisionService(store)
    supervision.record(job, Batch(reported=[reported], saved=[saved]))
    outcome = Outcome(status=Status.FAILED, error=f"ValueError: {NUL_AND_HALVES}")
    supervision.finish(job, outcome, an_owner(), Batch(reported=[reported]))
    runs = RunService(store)
    run, (checkpoint,) = runs.get(job.run_id), runs.checkpoints(job.run_id)
    cleaned = "a\ufffdb\ufffdc\ufffd"
    assert (run.status, run.step, run.total, run.error) == ("Failed", last, last, f"ValueError: {cleaned}")
    assert (checkpoint.step, checkpoint.size) == (last, 3 << 30)
    assert checkpoint.signature[cleaned] == cleaned
    assert (repr(checkpoint.signature["nan"]), checkpoint.signature["inf"]) == ("nan", -math.inf)
    assert {name for _, _, name, _ in runs.metrics([run.id]).rows()} == {cleaned, "x" * 5000}


def test_fault_3_a_value_that_can_never_be_stored_is_told_apart(store: Store) -> None:
    """A number past 64 bits, and what JSON cannot say, are refused with their column, and nothing stays."""
    row: dict[str, Any] = {
        "run_id": 1,
        "path": "x",
        "size": 1,
        "digest": "d",
        "signature": {},
        "created_at": 0,
    }
    refused = pytest.raises(DataRefusedError, match=r"cannot store a value. step = 9223372036854775808")
    with refused, store.write() as work:
        work.connection.execute(insert(schema.checkpoints).values(**row, step=2**63))
    algorithm = {"name": "A", "digest": "d", "spec": {"x": object()}, "created_at": 0}
    with pytest.raises(DataRefusedError, match="not JSON serializable"), store.write() as work:
        work.connection.execute(insert(schema.algorithms).values(**algorithm))
    with store.read() as work:
        assert work.connection.execute(text("SELECT count(*) FROM checkpoints")).scalar() == 0


def test_a_row_that_is_there_is_a_conflict_on_both(store: Store) -> None:
    """What a unique constraint refuses is a conflict, and no value that is refused for ever."""
    row = {"name": "a", "description": "", "status": "Undeployed", "version": 0, "created_at": 0}
    with pytest.raises(ConflictError, match="nothing was changed"), store.write() as work:
        work.connection.execute(insert(schema.agents), [row, row])


def test_a_mistake_of_the_program_is_not_taken_for_the_databases(store: Store) -> None:
    """A statement that is wrong is raised as it is: nothing that is tried again would mend it."""
    wrong = (exc.OperationalError, exc.ProgrammingError)
    with pytest.raises(wrong, match="nowhere"), store.read() as work:
        work.connection.execute(text("SELECT * FROM nowhere"))


def test_fault_10_what_passes_on_a_server_is_told_as_such(
    opened: Opened, postgres: Server, postgres_url: str, tmp_path: Path
) -> None:
    """A cut connection and too many of them are told as passing, and work goes on afterwards."""
    store = open_store(opened(postgres_url), tmp_path / "files")
    name = database_of(postgres_url)
    with pytest.raises(StorageError, match="cannot be used now") as caught, store.write() as work:  # noqa: PT012
        postgres.drop_connections(name)
        work.projects.add("lost", advanced_training=True)
    assert not isinstance(caught.value, DataRefusedError)
    store.database.close()
    postgres.ask(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    postgres.ask("CREATE ROLE guest LOGIN")
    guest = Database(postgres_url.replace("postgres@", "guest@"))
    with pytest.raises(StorageError, match="too many connections"), guest.read():
        pass
    guest.close()
    postgres.ask("DROP ROLE guest")
    with store.read() as work:
        assert work.projects.all() == ()


def test_fault_10_a_writer_that_waits_too_long_is_told(
    opened: Opened, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers of PostgreSQL come one after the other as those of SQLite do, and readers do not wait."""
    monkeypatch.setattr("pipeline_widgets.persistence.database.LOCK_TIMEOUT", 0.05)
    first, second = opened(postgres_url), opened(postgres_url)
    with first.write():
        with pytest.raises(StorageError, match="Another process holds its lock"), second.write():
            pass
        with second.read() as connection:
            connection.execute(text("SELECT 1"))


def test_a_reader_of_postgresql_sees_one_state(opened: Opened, postgres_url: str, tmp_path: Path) -> None:
    """What another process commits while one reads does not show in the same read."""
    reader = open_store(opened(postgres_url), tmp_path / "files")
    writer = open_store(opened(postgres_url))
    with reader.read() as work:
        assert work.projects.all() == ()
        with writer.write() as other:
            other.projects.add("new", advanced_training=True)
        assert work.projects.all() == ()
    with reader.read() as work:
        assert len(work.projects.all()) == 1


@pytest.mark.parametrize("value", [{"a": [1, math.nan, {"b": math.inf}]}, {"$float": "x"}, "", None, "NaN"])
def test_json_by_the_letter_says_the_same(value: Any) -> None:
    """NaN and the infinities come back from the JSON that PostgreSQL takes."""
    written = json_text.dump_strict(value)
    assert "NaN" not in written.replace('"NaN"', "")
    assert repr(json_text.load_strict(written)) == repr(value)
