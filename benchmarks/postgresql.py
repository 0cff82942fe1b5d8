"""What a workspace costs a PostgreSQL server, beside bare psycopg in one run.

    python benchmarks/postgresql.py [--pipelines 100000] [--points 10000000] [--seconds 3]

Starts a server of its own on a socket (fsync on, as a team's server has it), fills a workspace, and prints
the sizes of rows, what a view reads, and the refreshes and writes a second of several processes, with their
ratio to the same statements by psycopg alone. With Debian's pgbouncer, the same through it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "support")]

import pgbouncer  # noqa: E402  of tests/support, which is on the path now
import psutil  # noqa: E402
import psycopg  # noqa: E402
from postgres import ADMIN, Server, programs  # noqa: E402

import pipeline_widgets as pw  # noqa: E402
from pipeline_widgets.domain.metric_block import make_block, pack_block  # noqa: E402

STAGES = 3  # of a pipeline, with a run each
LOCK = 0x70775F77  # as persistence/postgresql.py takes it
TIMES = 500  # calls of which the CPU time is measured
POINTS = 20  # in a write: what a supervisor has gathered since its last one
FILL = """
INSERT INTO pipelines (project_id, name, description, version, created_at, modified_at, revision)
  SELECT 1, 'pipeline ' || n, 'from the sweep of the week', 1, n, n, n
  FROM generate_series(1, %(pipelines)s) n;
INSERT INTO experiments (project_id, name, algorithm_id, config, seed, config_digest, signature, created_at,
    modified_at, revision)
  SELECT 1, 'experiment ' || n, 1, '{"learning_rate": 0.001, "batch_size": 64, "steps": 1000}', n,
    md5(n::text) || md5(n::text), '{"base": "letters"}', n, n, n FROM generate_series(1, %(stages)s) n;
INSERT INTO stages (pipeline_id, position, kind, trigger, experiment_id, start, choice, auto_add_agent)
  SELECT 1 + (n - 1) / %(each)s, n %% %(each)s, 'experiment', 'auto', n, 'source', 'best', false
  FROM generate_series(1, %(stages)s) n;
INSERT INTO runs (project_id, pipeline_id, stage_id, experiment_id, number, status, created_at, started_at,
    finished_at, config, seed, signature, algorithm_id, launches, revision, token, host, pid, beat_at)
  SELECT 1, 1 + (n - 1) / %(each)s, n, n, 1, 'Succeeded', n, n, n,
    '{"learning_rate": 0.001, "batch_size": 64, "steps": 1000}', n, '{"base": "letters"}', 1, 1, n,
    md5(n::text), 'a-host-of-the-cluster|boot', 4242, n FROM generate_series(1, %(stages)s) n;
CREATE TABLE bare_metrics (id BIGSERIAL PRIMARY KEY, run_id INTEGER, step BIGINT, name TEXT, value FLOAT);
CREATE INDEX ON bare_metrics (run_id);
"""
BLOCKS = """INSERT INTO metric_blocks (run_id, until, points, lowest_step, highest_step, data)
  SELECT n, %(count)s, %(count)s, 0, %(count)s - 1, %(data)s FROM generate_series(1, %(stages)s) n"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pipelines", type=int, default=100_000)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    binaries = programs()
    if binaries is None:
        sys.exit("No PostgreSQL server is installed. On Debian and Ubuntu: apt install postgresql")
    server, folder = Server(binaries), Path(tempfile.mkdtemp())
    try:
        server.restart(fsync="on", shared_buffers="'256MB'", max_wal_size="'4GB'")
        print(server.ask("SHOW server_version")[0][0], f"{multiprocessing.cpu_count()} cores", sep=", ")
        database = server.create()
        ws = pw.Workspace(server.url(database), artifacts=folder / "files")
        ws.create_project("Scale", advanced_training=True).create_experiment("first", algorithm="SFT")
        ws.close()
        fill(server, database, options.pipelines, options.points)
        sizes(server, database)
        reads(server.url(database))
        costs(server, database, server.url(database))
        rates(server, database, server.url(database), options.seconds, "")
        if pgbouncer.program():
            between = pgbouncer.PgBouncer(server, connections=4)
            rates(server, database, between.url(database), options.seconds, " through PgBouncer")
            between.close()
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def fill(server: Server, database: str, pipelines: int, points: int) -> None:
    """Insert the rows on the server itself."""
    began = time.perf_counter()
    values = {"pipelines": pipelines, "stages": STAGES * pipelines, "each": STAGES}
    with psycopg.connect(user=ADMIN, host=str(server.folder), dbname=database) as connection:
        for statement in (FILL % values).split(";"):
            if statement.strip():
                connection.execute(statement.encode())
        count = max(1, points // (STAGES * pipelines))  # of each run, the same of all
        block = make_block((step, "train/loss", random.random()) for step in range(count))  # noqa: S311  no secret
        connection.execute(BLOCKS, {"count": count, "data": pack_block(block), "stages": STAGES * pipelines})
        connection.execute("ANALYZE")
    print(f"{pipelines:,} pipelines of {STAGES} stages and runs, {points:,} points: {_since(began):.0f} s")


def sizes(server: Server, database: str) -> None:
    """Print the bytes of a row with its indexes."""
    for table in ("pipelines", "experiments", "stages", "runs", "metric_blocks"):
        ask = f"SELECT pg_total_relation_size('{table}'), (SELECT count(*) FROM {table})"  # noqa: S608  of ours
        size, rows = server.ask(ask, database=database)[0]
        print(f"{table:<12} {rows:>12,} rows, {size / rows:>6.0f} bytes a row, {size / 1e6:>8,.0f} MB")


def reads(url: str) -> None:
    """Print what the views of that workspace read, in milliseconds."""
    ws = pw.Workspace(url)
    services, project = ws._services, ws.projects[0]
    pipe = project.pipelines[0]
    asked: dict[str, Callable[[], object]] = {
        "a refresh at rest": lambda: services.store.changes.revision(project._id),
        "what has died (each process, every 5 s)": services.reconciler.reconcile,
        "a pipeline, opened": lambda: services.states.pipeline(pipe._id),
        "a page of all pipelines": lambda: services.overview.pipelines(project._id),
        "the same, searched": lambda: services.overview.pipelines(project._id, search="4242"),
    }
    for name, ask in asked.items():
        ask()
        taken = []
        for _ in range(20):
            began = time.perf_counter()
            ask()
            taken.append(_since(began) * 1000)
        print(f"{name:<42} {statistics.median(taken):>9.2f} ms")
    ws.close()


def costs(server: Server, database: str, url: str) -> None:
    """Print the CPU time of a refresh and of a write, which is much the same however busy the machine is."""
    bare = f"user={ADMIN} host={server.folder} dbname={database}"
    for name, ours, reference in (
        ("a refresh", _refresh, _refresh_bare),
        (f"a write of {POINTS} points", _write, _write_bare),
    ):
        mine, theirs = _cost(server, ours(url)), _cost(server, reference(bare))
        print(
            f"{name:<42} {mine[0]:>6.2f} ms of the client's CPU and {mine[1]:.2f} of the server's, "
            f"psycopg {theirs[0]:.2f} and {theirs[1]:.2f}, ratio {sum(mine) / sum(theirs):.2f}"
        )


def _cost(server: Server, act: Callable[[], object]) -> tuple[float, float]:
    """Return milliseconds of CPU of this process, and of the server's, of one call."""
    act()
    used, before = time.process_time(), _server_cpu(server)
    for _ in range(TIMES):
        act()
    client, after = time.process_time() - used, _server_cpu(server)
    backend = sum(seconds - before.get(pid, 0.0) for pid, seconds in after.items())
    return client / TIMES * 1000, backend / TIMES * 1000


def _server_cpu(server: Server) -> dict[int, float]:
    """Return the seconds of CPU of each process of the server that is there."""
    found: dict[int, float] = {}
    for process in psutil.process_iter(["cmdline"]):
        if f"{server.folder}/data" in (process.info["cmdline"] or ()):
            for each in (process, *process.children(recursive=True)):
                used = each.cpu_times()
                found[each.pid] = used.user + used.system
    return found


def rates(server: Server, database: str, url: str, seconds: float, how: str) -> None:
    """Print transactions a second of several processes, and their ratio to bare psycopg directly."""
    bare = f"user={ADMIN} host={server.folder} dbname={database}"
    for name, ours, reference in (
        ("refreshes", _refresh, _refresh_bare),
        (f"writes of {POINTS} points", _write, _write_bare),
    ):
        for processes in (1, 4, 16):
            mine = _rate(ours, url, processes, seconds)
            theirs = _rate(reference, bare, processes, seconds)
            print(
                f"{name + how:<42} {processes:>3} processes: {mine:>7,.0f}/s, psycopg {theirs:>7,.0f}/s, "
                f"ratio {mine / theirs:.2f}"
            )


def _rate(act: Callable[[str], Callable[[], object]], where: str, processes: int, seconds: float) -> float:
    context = multiprocessing.get_context("fork")
    barrier, counts = context.Barrier(processes), context.SimpleQueue()
    started = [
        context.Process(target=_repeat, args=(act, where, barrier, counts, seconds)) for _ in range(processes)
    ]
    for each in started:
        each.start()
    total = sum(counts.get() for _ in started)
    for each in started:
        each.join()
    return total / seconds


def _repeat(
    act: Callable[[str], Callable[[], object]], where: str, barrier: Any, counts: Any, seconds: float
) -> None:
    done, once = 0, act(where)
    once()
    barrier.wait()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        once()
        done += 1
    counts.put(done)


def _refresh(url: str) -> Callable[[], object]:
    store = pw.Workspace(url)._services.store
    return lambda: store.changes.revision(1)


def _refresh_bare(where: str) -> Callable[[], object]:
    connection = psycopg.connect(where, autocommit=True)
    ask = "SELECT projects.revision + workspace.revision FROM projects, workspace WHERE projects.id = %s"
    return lambda: connection.execute(ask, (1,)).fetchone()


def _write(url: str) -> Callable[[], object]:
    store = pw.Workspace(url)._services.store
    rows = [(step, "train/loss", 0.5) for step in range(POINTS)]

    def write() -> None:
        with store.write() as work:
            work.metrics.add(1, rows)

    return write


def _write_bare(where: str) -> Callable[[], object]:
    connection = psycopg.connect(where)
    rows = [(1, step, "train/loss", 0.5) for step in range(POINTS)]
    insert = "INSERT INTO bare_metrics (run_id, step, name, value) VALUES (%s, %s, %s, %s)"

    def write() -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            cursor.executemany(insert, rows)

    return write


def _since(began: float) -> float:
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
