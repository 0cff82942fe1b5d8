"""500 triggers from 16 threads in each of 4 processes, against bare transactions of SQLite in one run.

    python benchmarks/triggers.py [--triggers 500] [--processes 4] [--threads 16] [--slots 2]

All begin at once, and each thread triggers one pipeline after the other. Told are the triggers that were
refused, the runs that were executed more or less than once, the most that were at work at once, how many were
admitted before an older one, and how long `trigger()` took. Then runs that sleep take the slots, and others
wait behind them: told are the processes and the memory that these take, private (USS) and with what processes
share counted in part (PSS), and what a chain takes that works.

The reference is what as many threads and processes do with `sqlite3` alone: for each trigger as many
transactions as ours writes, each with one inserted row that is forced to the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import launch_server
import psutil

import pipeline_widgets as pw

WRITES = 3  # transactions of a trigger: it is queued, its launch is counted, its process is noted
WITHIN = 600.0  # seconds for all runs
BARE_TIMEOUT = 120.0  # seconds that a transaction of the reference waits for the others
MARKS = "PIPELINE_WIDGETS_BENCHMARK_MARKS"


@pw.algorithm("Marked", produces={"nothing"})
def marked(ctx: pw.TrainContext) -> None:
    """Leave a line that says which run was executed."""
    with Path(os.environ[MARKS]).open("a", encoding="utf-8") as marks:
        marks.write(f"{ctx.folder.name}\n")


def main() -> None:
    """Print what came of the triggers, and how long they took beside the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--triggers", type=int, default=500)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=16, help="of each process")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--waiting", type=int, default=30)
    parser.add_argument("--part", nargs=3, help="what, where and which: for the processes that it starts")
    options = parser.parse_args()
    if options.part is not None:
        what, where, number = options.part
        one_process(what, where, number, options)
        return
    threads = f"{options.processes} processes of {options.threads} threads"
    print(f"Python {sys.version.split()[0]}, {options.triggers} triggers of {threads}, {options.slots} slots")
    with tempfile.TemporaryDirectory() as folder:
        bare = all_processes("bare", make_bare(f"{folder}/bare.db"), options)
        os.environ[MARKS] = f"{folder}/marks"
        with closing(pw.Workspace(f"sqlite:///{folder}/lab.db")) as ws:
            ws.limits(runs=options.slots)
            project = ws.create_project("Triggers", advanced_training=True)
            for at in range(options.triggers):
                experiment = project.create_experiment(f"e{at}", algorithm=marked)
                project.create_pipeline(f"p{at}").add_experiment_stage(experiment)
            began = time.time()
            try:
                ours = all_processes("triggers", f"{folder}/lab.db", options)
                await_end(folder)
                tell(ours, bare, folder, began)
                tell_memory(project, folder, options)
            finally:
                for each in launch_server.servers(folder):
                    each.kill()


def all_processes(what: str, where: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Let all processes begin at once, and return what each trigger has told."""
    shape = [f"--{name}={getattr(options, name)}" for name in ("triggers", "processes", "threads")]
    started = [
        subprocess.Popen(
            [sys.executable, __file__, *shape, "--part", what, where, str(at)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for at in range(options.processes)
    ]
    for each in started:
        assert each.stdout is not None  # noqa: S101
        assert each.stdout.readline() == "ready\n"  # noqa: S101
    for each in started:
        assert each.stdin is not None  # noqa: S101
        each.stdin.write("go\n")
        each.stdin.flush()
    return [told for each in started for told in json.loads(each.communicate()[0])]


def one_process(what: str, where: str, number: str, options: argparse.Namespace) -> None:
    """Trigger the share of one process, and print what came of it."""
    share = range(int(number), options.triggers, options.processes)
    if what == "bare":
        local = threading.local()
        calls: list[Callable[[], object]] = [lambda: write_bare(where, local)] * len(share)
    else:
        pipes = pw.Workspace(f"sqlite:///{where}").projects["Triggers"].pipelines
        by_name = {pipe.name: pipe for pipe in pipes}
        calls = [by_name[f"p{at}"].stages[0].trigger for at in share]
    told: list[dict[str, Any]] = []
    print("ready", flush=True)
    sys.stdin.readline()
    workers = [
        threading.Thread(target=call_all, args=(calls[at :: options.threads], told))
        for at in range(options.threads)
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    print(json.dumps(told))


def call_all(calls: Sequence[Callable[[], object]], told: list[dict[str, Any]]) -> None:
    """Call one after the other, and tell how long each took."""
    for call in calls:
        began, error = time.perf_counter(), None
        try:
            call()
        except Exception as raised:  # noqa: BLE001  it is counted, and shown
            error = f"{type(raised).__name__}: {raised}"
        told.append({"seconds": time.perf_counter() - began, "error": error})


def make_bare(path: str) -> str:
    """Make the database of the reference."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, told TEXT)")
    return path


def write_bare(path: str, local: threading.local) -> None:
    """Write as many transactions as a trigger does."""
    if not hasattr(local, "connection"):
        local.connection = sqlite3.connect(path, timeout=BARE_TIMEOUT, isolation_level=None)
        local.connection.execute("PRAGMA synchronous=FULL")
    for _ in range(WRITES):
        local.connection.execute("BEGIN IMMEDIATE")
        local.connection.execute("INSERT INTO runs (told) VALUES (?)", ("x" * 200,))
        local.connection.execute("COMMIT")


def ask(folder: str, sql: str) -> list[Any]:
    """Return the rows of a query, without looking after the runs as every handle does."""
    with closing(sqlite3.connect(f"{folder}/lab.db")) as connection:
        return connection.execute(sql).fetchall()


def await_end(folder: str) -> None:
    """Wait until no run is active; nothing launches runs meanwhile but those that end."""
    until = time.monotonic() + WITHIN
    while ask(folder, "SELECT 1 FROM runs WHERE status IN ('Pending', 'Running', 'Stopping') LIMIT 1"):
        assert time.monotonic() < until, ask(folder, "SELECT status, count(*) FROM runs GROUP BY 1")  # noqa: S101
        time.sleep(0.2)


def tell(ours: list[dict[str, Any]], bare: list[dict[str, Any]], folder: str, began: float) -> None:
    """Print what came of the triggers."""
    refused = [each["error"] for each in ours if each["error"] is not None]
    marks = Counter(Path(os.environ[MARKS]).read_text(encoding="utf-8").split())
    rows = ask(folder, "SELECT started_at, finished_at, launched_at, launches, status FROM runs ORDER BY id")
    statuses = Counter(status for *_, status in rows)
    active = max(sum(start <= begin < end for start, end, *_ in rows) for begin, *_ in rows)
    admitted = [at for _, _, at, launches, _ in rows if launches == 1]
    passed = sum(later < earlier for earlier, later in pairwise(admitted))
    print(
        f"refused {len(refused)} {Counter(refused).most_common(2) or ''}, runs {len(rows)}, {dict(statuses)}"
    )
    doubled = sum(count > 1 for count in marks.values())
    print(f"executed more than once {doubled}, never {len(rows) - len(marks)}", end=", ")
    print(f"launched again {len(rows) - len(admitted)}; at work at once {active} at most", end=", ")
    print(f"admitted before an older one {passed}")
    for name in ("longest", "median"):
        of = max if name == "longest" else statistics.median
        mine, theirs = (of(each["seconds"] for each in told) for told in (ours, bare))
        print(f"{name:8} trigger() {mine:7.3f} s   bare {theirs:7.3f} s   ratio {mine / theirs:.2f}")
    last = max(end for _, end, *_ in rows)
    print(f"all ended after {last - began:.1f} s, {(last - began) / len(rows) * 1e3:.0f} ms each")


def tell_memory(project: Any, folder: str, options: argparse.Namespace) -> None:
    """Print what waiting chains take, and what one takes that works."""
    runs = [launch_sleeping(project, f"at work {at}") for at in range(options.slots)]
    for run in runs:
        launch_server.wait_for(lambda run=run: run.status == "Running")
    time.sleep(1.0)
    before = memory(folder)
    waiting = [launch_sleeping(project, f"waits {at}") for at in range(options.waiting)]
    time.sleep(3.0)
    after = memory(folder)
    assert all(run.status == "Pending" for run in waiting)  # noqa: S101
    more = [b - a for a, b in zip(before, after, strict=True)]
    each = [megabytes / options.waiting for megabytes in more[1:]]
    print(f"a waiting chain: {more[0] / options.waiting:.2f} processes", end=", ")
    print(f"{each[0]:.2f} MB private, {each[1]:.2f} MB with its share ({options.waiting} of them)")
    print(f"a chain at work: {before[0] / options.slots:.1f} processes", end=", ")
    print(f"{before[1] / options.slots:.1f} MB private, {before[2] / options.slots:.1f} MB with its share")
    for run in [*reversed(waiting), *runs]:
        run.stop()
    for run in runs:
        run.wait(60)


def launch_sleeping(project: Any, name: str) -> Any:
    """Trigger a run that sleeps until it is stopped."""
    pipe = project.create_pipeline(name)
    return pipe.add_experiment_stage(
        project.create_experiment(name, algorithm=launch_server.sleeping)
    ).trigger()


def memory(folder: str) -> tuple[float, float, float]:
    """Return the number of processes that supervise or train, and their megabytes: private, with a share."""
    count, private, shared = 0, 0.0, 0.0
    for process in psutil.process_iter(["cmdline", "environ"]):
        line, environment = process.info["cmdline"] or [], process.info["environ"] or {}
        if "supervise" in line and folder in environment.get("PIPELINE_WIDGETS_URL", ""):
            with suppress(psutil.Error):
                found = process.memory_full_info()
                count, private, shared = count + 1, private + found.uss / 1e6, shared + found.pss / 1e6
    return count, private, shared


if __name__ == "__main__":
    main()
