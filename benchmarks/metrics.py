"""The cost of metrics: written, on disk, as a DataFrame, as a chart, beside bare sqlite3 in one run.

    python benchmarks/metrics.py [--points 1000000] [--names 100] [--kind random]

They are written as a supervisor writes them, at most 20,000 points at a time, beside one bare executemany;
the values are prepared before. `--kind float32` has values as trainings report them, those of `random` do not
compress, and `ragged` has names that not every report has. A chart is that of a view that was just opened.
Memory is the highest that a process had, less what it had before.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "support")]

import pipeline_widgets as pw  # noqa: E402
from pipeline_widgets.domain.batch import Batch  # noqa: E402
from pipeline_widgets.domain.job import Job, MetricReport  # noqa: E402
from pipeline_widgets.domain.liveness import Process  # noqa: E402
from pipeline_widgets.execution.active_job import POINTS_AT_ONCE  # noqa: E402
from pipeline_widgets.services.supervision import Owner  # noqa: E402

BARE = """CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL,
    step INTEGER NOT NULL, name TEXT NOT NULL, value REAL, reported_at REAL)"""
ADD = "INSERT INTO metrics (run_id, step, name, value, reported_at) VALUES (?, ?, ?, ?, ?)"
FRAME = "SELECT step, name, value FROM metrics WHERE run_id = ? ORDER BY id"
#: The lowest and the highest value of each of 60 parts, as SQL finds them.
CHART = """SELECT name, step * 60 / ?, min(value), max(value) FROM metrics WHERE run_id = ? GROUP BY 1, 2"""


@dataclass
class Cost:
    """What a call takes."""

    cpu: float
    wall: float
    memory: float

    def __str__(self) -> str:
        return f"{self.cpu:.2f} s of CPU, {self.wall:.2f} s, {self.memory:.0f} MB"


def main() -> None:
    """Print a line for each measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--names", type=int, default=100)
    parser.add_argument("--kind", choices=("random", "float32", "ragged"), default="random")
    parser.add_argument("--read", nargs=2, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        what, folder = options.read
        print(*(getattr(READERS[what](Path(folder), options), each) for each in ("cpu", "wall", "memory")))
        return
    print(f"{options.points:,} points of {options.names} names, {options.kind}:")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), options)
        for title, ours, bare in (
            ("run.metrics", "frame", "bare frame"),
            ("a chart of a run, opened", "chart", "bare chart"),
            ("its next look", "look", None),
            ("Results of the run, opened", "results", "bare chart"),
        ):
            mine = read(ours, Path(folder), options)
            theirs = read(bare, Path(folder), options) if bare else None
            ratio = f"; sqlite3 {theirs}; ratio {mine.wall / theirs.wall:.2f}" if theirs else ""
            print(f"  {title}: {mine}{ratio}")


def write(folder: Path, options: argparse.Namespace) -> None:
    """Write the points both ways, and print what that took."""
    ws = pw.Workspace(folder / "lab.db")
    services, job = ws._services, start(ws)
    ours = bare = longest = 0.0
    before = size(folder, "lab.db")
    highest = memory()
    lone = sqlite3.connect(folder / "bare.db", isolation_level=None)
    lone.execute("PRAGMA journal_mode=WAL")
    lone.execute("PRAGMA synchronous=FULL")
    lone.execute(BARE)
    lone.execute("CREATE INDEX ix ON metrics (run_id)")
    lone.execute("BEGIN")
    grown = 0.0
    for reports in take(make_reports(options), POINTS_AT_ONCE):
        highest = memory()
        used, began = time.process_time(), time.perf_counter()
        services.supervision.record(job, Batch.of(reports))
        ours += time.process_time() - used
        longest = max(longest, time.perf_counter() - began)
        grown = max(grown, memory() - highest)
        rows = [
            (1, each.step, name, value, 1.7e9) for each in reports for name, value in each.metrics.items()
        ]
        used = time.process_time()
        lone.executemany(ADD, rows)
        bare += time.process_time() - used
    used = time.process_time()
    lone.execute("COMMIT")
    bare += time.process_time() - used
    lone.close()
    ws.close()
    disk, theirs = size(folder, "lab.db") - before, size(folder, "bare.db")
    print(f"  written: {ours:.2f} s of CPU; executemany {bare:.2f} s; ratio {ours / bare:.2f}")
    print(f"  longest write {longest:.2f} s; it adds {grown:.0f} MB at most to {memory():.0f} MB in all")
    ours, bare = disk / options.points, theirs / options.points
    print(f"  on disk: {ours:.1f} bytes a point; sqlite3 {bare:.1f}; ratio {ours / bare:.2f}")


def start(ws: pw.Workspace) -> Job:
    """Return the job of a run that reports."""
    import trainers

    project = ws.create_project("points", advanced_training=True)
    run = ws._services.runs.train(project.create_experiment("long", algorithm=trainers.counter)._id)
    owner = Owner(process=Process(machine="m", pid=1, started=1.0), token=uuid4().hex)
    job = ws._services.supervision.take(run.id, owner)
    if job is None:
        sys.exit("The run was taken by somebody else.")
    ws._services.supervision.record_start(job, Process(machine="m", pid=2, started=1.0))
    return job


def make_reports(options: argparse.Namespace) -> Iterator[MetricReport]:
    """Yield the reports of a training."""
    names = [f"train/metric_{at}" for at in range(options.names)]
    number = random.Random(0)  # noqa: S311  no secret
    left, step = options.points, 0
    while left > 0:
        told = [*names]
        if options.kind == "ragged":  # one each step, a third of them now and then
            told = names[:1] if step % 100 else names[: 1 + len(names) // 3]
        values = [number.random() for _ in told]
        if options.kind == "float32":
            values = struct.unpack(f"{len(told)}f", struct.pack(f"{len(told)}f", *values))
        yield MetricReport(step=step, total=None, metrics=dict(zip(told, values, strict=True)))
        left, step = left - len(told), step + 1


def take(reports: Iterator[MetricReport], most: int) -> Iterator[list[MetricReport]]:
    """Yield reports as they come to a supervisor, so many points at a time."""
    part, points = list[MetricReport](), 0
    for each in reports:
        part.append(each)
        points += len(each.metrics)
        if points >= most:
            yield part
            part, points = [], 0
    if part:
        yield part


def read(what: str, folder: Path, options: argparse.Namespace) -> Cost:
    """Measure a reader in a process of its own."""
    command = [sys.executable, __file__, "--read", what, str(folder)]
    command += [f"--points={options.points}", f"--names={options.names}"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Cost(*map(float, told.split()))


def measure(call: Callable[[], object]) -> Cost:
    """Return the cost of a call in this process; what it imports is in it, but for pandas."""
    import pandas as pd

    pd.DataFrame({"name": ["x"]})
    before, used, began = memory("VmRSS:"), time.process_time(), time.perf_counter()
    result = call()  # kept until it is measured
    cost = Cost(time.process_time() - used, time.perf_counter() - began, memory() - before)
    del result
    return cost


def read_frame(folder: Path, _options: argparse.Namespace) -> Cost:
    """`run.metrics`."""
    run = open_run(folder)
    return measure(lambda: run.metrics)


def read_chart(folder: Path, _options: argparse.Namespace) -> Cost:
    """The panel of a run."""
    run = open_run(folder)
    return measure(lambda: run._services.run_details.run(run._id))


def read_look(folder: Path, _options: argparse.Namespace) -> Cost:
    """The same again."""
    run = open_run(folder)
    run._services.run_details.run(run._id)
    return measure(lambda: run._services.run_details.run(run._id))


def read_results(folder: Path, _options: argparse.Namespace) -> Cost:
    """The view of Results."""
    from pipeline_widgets.widgets.results import ResultsView

    project = pw.Workspace(folder / "lab.db").projects[0]
    experiment = project.experiments[0]._id
    return measure(lambda: ResultsView(project._services, project._id, [experiment]))


def read_bare_frame(folder: Path, _options: argparse.Namespace) -> Cost:
    """All rows as a DataFrame, by pandas itself."""
    import pandas as pd

    with sqlite3.connect(folder / "bare.db") as bare:
        return measure(lambda: pd.read_sql_query(FRAME, bare, params=(1,)))


def read_bare_chart(folder: Path, options: argparse.Namespace) -> Cost:
    """The extremes of 60 parts of each curve, by SQL."""
    with sqlite3.connect(folder / "bare.db") as bare:
        values = (options.points // options.names, 1)
        return measure(lambda: bare.execute(CHART, values).fetchall())


READERS: dict[str, Callable[[Path, argparse.Namespace], Cost]] = {
    "frame": read_frame,
    "chart": read_chart,
    "look": read_look,
    "results": read_results,
    "bare frame": read_bare_frame,
    "bare chart": read_bare_chart,
}


def open_run(folder: Path) -> Any:
    """Return the run."""
    return pw.Workspace(folder / "lab.db").projects[0].experiments[0].runs[0]


def size(folder: Path, name: str) -> int:
    """Return the bytes of a database whose log was written back."""
    with sqlite3.connect(folder / name) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return (folder / name).stat().st_size


def memory(which: str = "VmHWM:") -> float:
    """Return the most memory that this program has had, or what it has now, in MB."""
    try:  # what getrusage says, a program inherits of the one that has started it
        told = Path("/proc/self/status").read_text()
        return int(told.partition(which)[2].split()[0]) / 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
