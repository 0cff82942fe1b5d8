"""The metrics of older workspaces become blocks, and show the same."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from factories.lab import Lab
from sqlalchemy import text

from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import SCRIPTS, migrate
from pipeline_widgets.persistence.store import open_store
from pipeline_widgets.persistence.workspace_copy import copy_workspace

Opened = Callable[[Path | str], Database]
ADD = text("""INSERT INTO metrics (run_id, step, name, value, reported_at)
    VALUES (:run_id, :step, :name, :value, :reported_at)""")
READ = text("SELECT run_id, step, name, value, reported_at FROM metrics ORDER BY id")
RUN = text("""
    INSERT INTO runs (project_id, kind, number, status, created_at, config, seed, signature, launches,
        revision, retry, favourite)
    VALUES (1, 'training', :number, 'Succeeded', 1, '{}', 0, '{}', 1, 1, 0, false)
""")
PROJECT = "INSERT INTO projects (name, advanced_training, created_at, revision) VALUES ('p', true, 1, 1)"


def move(database: Database, to: str, *, up: bool = False) -> None:
    """Bring a database to a revision."""
    from alembic import command  # noqa: PLC0415  as `migrate` does
    from alembic.config import Config  # noqa: PLC0415  as `migrate` does

    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", str(SCRIPTS))
        config.attributes["connection"] = connection
        (command.upgrade if up else command.downgrade)(config, to)


def fill(database: Database, count: int, *, runs: int = 3) -> list[tuple[Any, ...]]:
    """Let runs report by turns into a database of before, and return the rows."""
    random = Random(1)  # noqa: S311  no secret
    rows: list[dict[str, Any]] = []
    at = 1.7e9
    while len(rows) < count:
        at += random.random()
        run, time = random.randint(1, runs), random.choice([None, at, at, at])
        for _ in range(random.randint(1, 30)):
            value = random.choice([None, math.inf, -math.inf, 0.1 + 0.2, random.random(), -7.0])
            step = random.choice([0, 5, 2**63 - 1, len(rows)])
            rows.append(
                {
                    "run_id": run,
                    "step": step,
                    "name": random.choice("abß"),
                    "value": value,
                    "reported_at": time,
                }
            )
    with database.write() as connection:
        connection.execute(text(PROJECT))
        for number in range(1, runs + 2):
            connection.execute(RUN, {"number": number})
        for first in range(0, len(rows), 10_000):
            connection.execute(ADD, rows[first : first + 10_000])
        connection.execute(text("DELETE FROM metrics WHERE id % 50 = 7"))  # as those of a deleted run
        return [tuple(row) for row in connection.execute(READ)]


def test_the_metrics_of_an_older_workspace_are_the_same(opened: Opened, any_url: str, tmp_path: Path) -> None:
    """Values, order over all runs and times, on the way back as well; what comes next comes after them."""
    database = opened(any_url)
    move(database, "0010", up=True)
    before = fill(database, 3_000)
    migrate(database)
    store = open_store(database, artifacts=tmp_path / "files", trust=True)
    with store.read() as work:
        found = work.metrics.of_runs([3, 1, 2])
        assert repr([*found.rows()]) == repr(
            [(*row[:3], math.nan if row[3] is None else row[3]) for row in before]
        )
        for run in (1, 2, 3):
            blocks = work.metrics.after(run, 0, 10_000)
            times = [
                at
                for block in blocks
                for at, n in zip(block.times, block.counts, strict=True)
                for _ in range(n)
            ]
            told = [row[4] for row in before if row[0] == run]
            assert [None if math.isnan(at) else at for at in times] == told
    with store.write() as work:
        work.metrics.add(1, [(9, "new", 1.0)], 1.8e9)
        work.metrics.add(4, [(9, "new", 1.0)], 1.8e9)
    with store.read() as work:
        rows = [*work.metrics.of_runs([1, 2, 3, 4]).rows()]
        assert rows[-2:] == [(1, 9, "new", 1.0), (4, 9, "new", 1.0)]
        assert repr(rows[:-2]) == repr([*found.rows()])
    move(database, "0010")
    with database.read() as connection:
        back = [tuple(row) for row in connection.execute(READ)]
    for run in (1, 2, 3):
        mine = [row for row in back if row[0] == run]
        assert mine[: len(mine) - (run == 1)] == [row for row in before if row[0] == run]
    migrate(database)
    with open_store(database).read() as work:
        assert work.metrics.count([1, 2, 3, 4]) == len(before) + 2


def test_metrics_are_copied_to_another_database_and_back(lab: Lab, postgres_url: str, tmp_path: Path) -> None:
    """With their values, their order and their times, and a run can go on to report there."""
    job = lab.started(lab.runs.train(lab.experiment("long").id))
    for step in range(40):
        lab.clock.forward(1)
        lab.report(job, 2**62 + step, loss=0.1 * step, reward=(math.nan, math.inf, -0.5)[step % 3])
    lab.end(job)
    with lab.store.read() as work:
        before = work.metrics.after(job.run_id, 0, 1_000)
    copy_workspace(lab.store, postgres_url, tmp_path / "there")
    there = open_store(Database(postgres_url))
    copy_workspace(there, tmp_path / "back.db")
    back = open_store(Database(f"sqlite:///{tmp_path / 'back.db'}"))
    for store in (there, back):
        with store.write() as work:
            assert repr(work.metrics.after(job.run_id, 0, 1_000)) == repr(before)
            work.metrics.add(job.run_id, [(1, "new", 1.0)])
            assert [*work.metrics.of_runs([job.run_id]).rows()][-1] == (job.run_id, 1, "new", 1.0)
        store.database.close()


def test_many_metrics_are_migrated_in_little_memory(database: Database) -> None:
    """A hundred thousand rows need no more than some blocks of them."""
    move(database, "0010", up=True)
    before = fill(database, 100_000, runs=1)
    migrate(database)  # what is imported is
    move(database, "0010")
    tracemalloc.start()
    try:
        migrate(database)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 40_000_000
    with open_store(database).read() as work:
        assert work.metrics.count([1]) == len(before)
