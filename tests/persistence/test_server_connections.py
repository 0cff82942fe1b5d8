"""A workspace on a server takes few connections, keeps none in a transaction, and asks little of them."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from factories.lab import Lab, open_lab
from pgbouncer import PgBouncer
from postgres import Server, database_of
from sqlalchemy import event, insert, text

from pipeline_widgets.persistence import database as database_module
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.pipeline_list import PipelineList
from pipeline_widgets.wiring import connect

Opened = Callable[[Path | str], Database]

THREADS, ROUNDS = 12, 15
MANY = 3_000  # rows, so many that a scan of all is not the cheapest plan

pytestmark = pytest.mark.spec("11.1")


@pytest.fixture
def lab(opened: Opened, postgres_url: str, tmp_path: Path) -> Lab:
    """A workspace on the server."""
    return open_lab(tmp_path, store=open_store(opened(postgres_url), tmp_path / "files"))


def connected(server: Server, url: str) -> Counter[str]:
    """Return how many connections of clients there are to a database, by their state; autovacuum is none."""
    ask = (
        "SELECT coalesce(state, '') FROM pg_stat_activity"
        " WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return Counter(state for (state,) in server.ask(ask, database_of(url)))


@contextmanager
def sampled(server: Server, url: str) -> Generator[list[Counter[str]]]:
    """Count the connections again and again until the block ends."""
    found: list[Counter[str]] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.01):
            found.append(connected(server, url))

    thread = threading.Thread(target=sample)
    thread.start()
    yield found
    ended.set()
    thread.join()


@contextmanager
def statements(store: Store) -> Generator[list[tuple[str, Any]]]:
    """Collect what is sent to the database."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    engine = store.database._engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def test_many_threads_share_two_connections(lab: Lab, postgres: Server, postgres_url: str) -> None:
    """Whatever threads read and write at once, a workspace has two connections at most, and one at rest."""

    def use(thread: int) -> None:
        for at in range(ROUNDS):
            if thread % 2:
                lab.projects.create(f"{thread} {at}", advanced_training=False)
            else:
                lab.projects.all()

    with sampled(postgres, postgres_url) as found, ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(use, range(THREADS)))
    assert len(lab.projects.all()) == 1 + THREADS // 2 * ROUNDS
    assert max(each.total() for each in found) == 2
    assert connected(postgres, postgres_url) == {"idle": 1}


def test_a_reader_does_not_wait_for_threads_that_wait_to_write(
    lab: Lab, opened: Opened, postgres_url: str
) -> None:
    """While another process writes, threads that want to write leave a connection to those that read."""
    other = opened(postgres_url)
    with ThreadPoolExecutor(4) as pool:
        with other.write():
            waiting = [pool.submit(lab.projects.create, f"w{at}", advanced_training=False) for at in range(4)]
            time.sleep(0.3)
            began = time.monotonic()
            assert len(lab.projects.all()) == 1
            assert time.monotonic() - began < 5
            assert not any(each.done() for each in waiting)
        assert {each.result().name for each in waiting} == {f"w{at}" for at in range(4)}


def test_connections_at_rest_are_closed(
    lab: Lab, postgres: Server, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace that nobody uses for a while has none."""
    monkeypatch.setattr(database_module, "SERVER_REST", 0.3)
    lab.store.database.close()
    lab.projects.all()
    assert connected(postgres, postgres_url).total() == 1
    until = time.monotonic() + 20
    while connected(postgres, postgres_url) and time.monotonic() < until:
        time.sleep(0.05)
    assert not connected(postgres, postgres_url)


def test_a_refresh_at_rest_is_one_indexed_read_for_each_view(
    lab: Lab, postgres: Server, postgres_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Among thousands of pipelines and runs, views ask for two revisions, by the key, and nothing else."""
    pipe = lab.pipeline("SFT", "DPO", "GRPO")
    lab.do(pipe.stages[0], 0.5)
    _fill(lab)
    services = connect(postgres_url)
    views = (PipelineView(services, pipe.id), PipelineList(services, lab.project.id))
    try:
        for view in views:
            view.update()
        for view in views:
            with statements(services.store) as sent:
                view.update()
            assert len(sent) == 1, sent
            assert "revision" in sent[0][0]
            assert _scanned(services.store, sent) == set()
        with statements(services.store) as sent:
            services.reconciler.reconcile()
        asked = [each for each in sent if "set_config" not in each[0]]
        assert _scanned(services.store, asked) <= {"agents", "endpoints", "notices"}  # with a row or none
        with capsys.disabled():
            sys.stdout.write(f"\na refresh at rest: 1 statement a view, {len(sent)} to find who has died\n")
    finally:
        for view in views:
            view.close()
        services.store.database.close()


def _fill(lab: Lab) -> None:
    run: dict[str, Any] = {"number": 1, "status": "Succeeded", "created_at": 0.0, "config": {}, "seed": 0}
    run.update(signature={}, launches=1, revision=1, project_id=lab.project.id)
    named = {"description": "", "version": 1, "created_at": 0.0, "modified_at": 0.0, "revision": 1}
    pipelines = [{"project_id": lab.project.id, "name": f"p{at}", **named} for at in range(MANY)]
    made = {"advanced_training": True, "created_at": 0.0, "revision": 1}
    projects = [{"name": f"q{at}", **made} for at in range(MANY)]
    with lab.store.write() as work:
        work.connection.execute(insert(schema.pipelines), pipelines)
        work.connection.execute(insert(schema.runs), [run] * MANY)
        work.connection.execute(insert(schema.projects), projects)
        work.connection.execute(text("ANALYZE"))


def _scanned(store: Store, sent: list[tuple[str, Any]]) -> set[str]:
    """Return the tables of which all rows are read, but for that of the workspace, which has one row."""
    found: set[str] = set()
    with store.database.read() as connection:
        for statement, parameters in sent:
            explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            plan = json.dumps(explained.scalar_one())
            found |= {name for kind, name in _NODES.findall(plan) if kind == "Seq Scan"}
    return found - {"workspace"}


_NODES = re.compile(r'"Node Type": "([^"]+)"[^{}]*?"Relation Name": "([^"]+)"')


def test_it_works_behind_pgbouncer(
    pgbouncer: PgBouncer, postgres: Server, postgres_url: str, tmp_path: Path
) -> None:
    """Three connections serve six workspaces and their threads; nothing is left in a session."""
    url = pgbouncer.url(database_of(postgres_url))
    stores = [open_store(Database(url), tmp_path / "files") for _ in range(6)]
    lab = open_lab(tmp_path, store=stores[0])
    pipe = lab.pipeline("SFT")

    def use(at: int) -> int:
        store = stores[at % len(stores)]
        for number in range(ROUNDS):
            with store.write() as work:
                work.projects.add(f"{at} {number}", advanced_training=False)
            store.changes.revision(lab.project.id)
        with store.read() as work:
            return work.pipelines.get(pipe.id).id

    with sampled(postgres, postgres_url) as found, ThreadPoolExecutor(12) as pool:
        assert set(pool.map(use, range(12))) == {pipe.id}
    lab.do(pipe.stages[0], 0.5)
    assert lab.status(pipe.stages[0]) == "Succeeded"
    assert len(lab.projects.all()) == 1 + 12 * ROUNDS
    assert max(each.total() for each in found) <= 3
    assert connected(postgres, postgres_url)["idle in transaction"] == 0
    assert postgres.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
    with stores[1].database._engine.connect() as connection:  # the next transaction of anybody's
        left = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
        prepared = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one()
    assert (left, prepared) == ("0", 0)
    for store in stores:
        store.database.close()
