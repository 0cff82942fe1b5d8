"""How the cost of reads, edits and triggers grows, beside bare sqlite3 on the same file in one run.

    python benchmarks/growth.py [--sizes 10,100,1000]

For each call: milliseconds of CPU (the least of some repetitions), statements and transactions at each size,
the same question or write by sqlite3 alone, and the exponent over the last two sizes. A call over 40 s is
left out, and so are its larger sizes. No process is started: a trigger is measured up to its launch.
`benchmarks/metrics.py` has what metrics cost.
"""

from __future__ import annotations

import argparse
import math
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "support")]

import many  # noqa: E402
from sqlalchemy import event  # noqa: E402

import pipeline_widgets as pw  # noqa: E402
from pipeline_widgets.domain.checkpoint import Checkpoint, choose_checkpoint  # noqa: E402
from pipeline_widgets.execution.launchers import LaunchedJob  # noqa: E402
from pipeline_widgets.execution.launchers.local import LocalLauncher  # noqa: E402
from pipeline_widgets.persistence.store import Store  # noqa: E402
from pipeline_widgets.services.transfer import LONGEST  # noqa: E402
from pipeline_widgets.widgets.agents import AgentsView  # noqa: E402
from pipeline_widgets.widgets.pipeline import PipelineView  # noqa: E402
from pipeline_widgets.widgets.pipeline_list import PipelineList  # noqa: E402
from pipeline_widgets.widgets.results import ResultsView  # noqa: E402
from pipeline_widgets.widgets.workspace import WorkspaceView  # noqa: E402

TOO_LONG = 40.0  # seconds
REPEAT_FOR = 0.5  # seconds of CPU for which a call is repeated
STATUS = "SELECT status FROM runs WHERE stage_id = ? AND experiment_id IS ? ORDER BY id DESC LIMIT 1"
STATUSES = """SELECT s.id, (SELECT status FROM runs r
    WHERE r.stage_id = s.id AND r.experiment_id IS s.experiment_id ORDER BY r.id DESC LIMIT 1)
    FROM stages s WHERE s.pipeline_id = ? ORDER BY s.position"""
TITLES = """SELECT e.name FROM stages s JOIN experiments e ON e.id = s.experiment_id
    WHERE s.pipeline_id = ? ORDER BY s.position"""
ADD_RUN = """INSERT INTO runs (project_id, pipeline_id, stage_id, experiment_id, number, status, created_at,
    config, config_digest, seed, signature, launches, revision)
    VALUES (1, ?, ?, ?, ?, 'Succeeded', 1, '{}', 'x', 0, '{}', 1, 1)"""
ADD_CHECKPOINT = """INSERT INTO checkpoints (run_id, step, path, size, digest, evaluation_score, signature,
    created_at) VALUES (?, ?, 'runs/1/checkpoints/1', 1, 'x', ?, '{}', 1)"""
LATEST = "SELECT status FROM runs WHERE experiment_id = ? ORDER BY id DESC LIMIT 1"
ACTIVE = "SELECT id, token FROM runs WHERE status IN ('Pending', 'Running', 'Stopping')"
BEST = "SELECT id FROM checkpoints WHERE run_id = ? ORDER BY evaluation_score DESC, step DESC LIMIT 1"


@dataclass
class Cost:
    """The cost of one call at one size."""

    cpu: float
    statements: int
    transactions: int
    bare: float


@dataclass
class Row:
    """A call whose cost is measured; `bare` does the least that it needs by sqlite3."""

    name: str
    grows_with: str
    call: Callable[[], object]
    bare: Callable[[sqlite3.Connection], object]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="10,100,1000")
    parser.add_argument("--only", default="", help="the calls whose name has this, or that grow with it")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    LocalLauncher.submit = lambda *_: LaunchedJob(id="none")  # type: ignore[method-assign]
    costs: dict[tuple[str, str], list[Cost | None]] = {}
    for at, size in enumerate(sizes):
        for row, file, workspace in rows(size):
            if options.only not in f"{row.name} {row.grows_with}":
                continue
            listed = costs.setdefault((row.name, row.grows_with), [])
            is_left_out = len(listed) < at or (listed and listed[-1] is None)
            listed.append(None if is_left_out else measure(row, file, workspace))
    show(sizes, costs)


def rows(size: int) -> Any:
    """Yield what is measured at a size, with the file of its workspace."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "lab.db")
        ws = pw.Workspace(file)
        project = ws.create_project("growth", advanced_training=True)
        pipe = many.chain(project, size)
        for row in of_stages(project, pipe):
            yield row, file, ws
        yield from ((row, file, ws) for row in of_runs(project, file, size))
        for row in of_lists(ws, file, size):
            yield row, file, ws
        ws.close()


def of_stages(project: Any, pipe: Any) -> list[Row]:
    """Return the calls whose cost grows with the stages of a chain."""
    document = pipe.to_yaml()
    listed = list(pipe.stages)
    stage, last = listed[0], listed[-1]
    experiment, count = stage.experiment._id, iter(range(1, 1_000_000_000))

    def trigger() -> None:
        stage.trigger().stop()

    def state() -> None:
        value = pipe._services.pipelines.get(pipe._id)
        for each in value.stages:
            value.position(each.id)

    def write(sql: str, *values: object) -> Callable[[sqlite3.Connection], object]:
        def run(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(sql, values)
            connection.execute("COMMIT")

        return run

    imported = Row(
        "project.import_pipeline()", "stages",
        lambda: project.import_pipeline(document, name=f"import {next(count)}", rename=True),
        ask(TITLES, pipe._id),
    )  # fmt: skip
    return [
        *([imported] if len(document) <= LONGEST else []),
        Row("stage.status", "stages", lambda: last.status, ask(STATUS, last._id, experiment)),
        Row("[s.status for s in pipe.stages]", "stages", lambda: [s.status for s in pipe.stages],
            ask(STATUSES, pipe._id)),
        Row("[s.name for s in pipe.stages]", "stages", lambda: [s.name for s in pipe.stages],
            ask(TITLES, pipe._id)),
        Row("pipe.stages.df", "stages", lambda: pipe.stages.df, ask(STATUSES, pipe._id)),
        Row("all positions of a pipeline", "stages", state, ask(TITLES, pipe._id)),
        Row("pipe.update(description)", "stages", lambda: pipe.update(description=f"{next(count)}"),
            write("UPDATE pipelines SET description = 'x' WHERE id = ?", pipe._id)),
        Row("stage.update(retries)", "stages", lambda: last.update(retries=next(count) % 9),
            write("UPDATE stages SET retries = 1 WHERE id = ?", last._id)),
        Row("stage.trigger() and its stop", "stages", trigger,
            write(ADD_RUN, pipe._id, stage._id, None, 0)),
        Row("PipelineView, one change", "stages", changed(PipelineView(pipe._services, pipe._id), pipe),
            ask(STATUSES, pipe._id)),
    ]  # fmt: skip


def of_runs(project: Any, file: Path, size: int) -> list[Row]:
    """Return the calls whose cost grows with the runs of an experiment, or the checkpoints of a run."""
    experiment = project.create_experiment("often", algorithm="Counter")
    pipe = project.create_pipeline("short")
    stage = pipe.add_experiment_stage(project.create_experiment("saving", algorithm="Counter"))
    with sqlite3.connect(file) as connection:
        connection.executemany(ADD_RUN, [(None, None, experiment._id, at) for at in range(1, size + 1)])
        values = (pipe._id, stage._id, stage.experiment._id, 1)
        saved = connection.execute(ADD_RUN, values).lastrowid or 0
        connection.executemany(ADD_CHECKPOINT, [(saved, at, at % 97) for at in range(size)])
    services = project._services
    return [
        Row("experiment.status", "runs", lambda: experiment.status, ask(LATEST, experiment._id)),
        Row("ws.reconcile()", "ended runs", services.reconciler.reconcile, ask(ACTIVE)),
        Row("stage.status", "checkpoints", lambda: stage.status,
            ask(STATUS, stage._id, stage.experiment._id)),
        Row("state of a stage", "checkpoints", lambda: services.states.of_stage(stage._id), ask(BEST, saved)),
        Row("best by SQL", "checkpoints", lambda: best_by_sql(services.store, saved), ask(BEST, saved)),
        Row("best of all in Python", "checkpoints", lambda: best_of_all(services.store, saved),
            ask(BEST, saved)),
        Row("panel of a run", "checkpoints", lambda: services.run_details.run(saved), ask(BEST, saved)),
    ]  # fmt: skip


def best_by_sql(store: Store, run_id: int) -> Checkpoint:
    """Return the best checkpoint of a run among those that decide."""
    with store.read() as work:
        saved = work.checkpoints.deciding([run_id])[run_id]
    return choose_checkpoint(saved, "best", higher_is_better=True).checkpoint


def best_of_all(store: Store, run_id: int) -> Checkpoint:
    """Return the same among all that the run has saved, as it was found before."""
    with store.read() as work:
        saved = work.checkpoints.of_runs([run_id])
    return choose_checkpoint(saved, "best", higher_is_better=True).checkpoint


def of_lists(ws: Any, file: Path, size: int) -> list[Row]:
    """Return the calls whose cost grows with the pipelines of a project, or the agents of a workspace."""
    project = ws.create_project("lists", advanced_training=True)
    many.pipelines(project, size)
    many.agents(file, size)
    services, first = project._services, project.pipelines[0]
    results = ResultsView(services, project._id, [project.experiments["sft"]._id])
    names = "SELECT name FROM pipelines WHERE project_id = ? ORDER BY name"
    page = "SELECT name FROM pipelines WHERE project_id = ? ORDER BY id LIMIT 50"
    agents = "SELECT name FROM agents ORDER BY id LIMIT 50"
    uses = "SELECT experiment_id, pipeline_id FROM stages WHERE experiment_id IS NOT NULL"
    return [
        Row("project.pipelines", "pipelines", lambda: project.pipelines, ask(names, project._id)),
        Row("project.pipelines.df", "pipelines", lambda: project.pipelines.df, ask(names, project._id)),
        Row("project.experiments.df", "pipelines", lambda: project.experiments.df, ask(uses)),
        Row("project.gc()", "pipelines", project.gc, ask(uses)),
        Row("first page of pipelines", "pipelines", lambda: PipelineList(services, project._id),
            ask(page, project._id)),
        Row("PipelineList, one change", "pipelines", changed(PipelineList(services, project._id), first),
            ask(page, project._id)),
        Row("ResultsView, one change", "pipelines", changed(results, first), ask(page, project._id)),
        Row("first page of agents", "agents", lambda: AgentsView(services), ask(agents)),
        Row("AgentsView, one change", "agents", changed(AgentsView(services), ws.agents[0]), ask(agents)),
        Row("first page of the workspace", "pipelines", lambda: WorkspaceView(services), ask(names, 1)),
        Row("WorkspaceView, one change", "pipelines", changed(WorkspaceView(services), first), ask(names, 1)),
    ]  # fmt: skip


def changed(view: Any, edited: Any) -> Callable[[], object]:
    """Return a call that edits something and lets a view show that; the edit itself is in its cost."""
    count = iter(range(1, 1_000_000_000))

    def change() -> None:
        edited.update(description=f"{next(count)}")
        view.refresh()

    return change


def ask(sql: str, *values: object) -> Callable[[sqlite3.Connection], object]:
    """Return a call that reads the rows of a query."""
    return lambda connection: connection.execute(sql, values).fetchall()


def measure(row: Row, file: Path, workspace: Any) -> Cost | None:
    """Return the cost of a call; None where it takes too long."""
    engine, sent = workspace._services.store.database._engine, list[str]()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    began = time.perf_counter()
    row.call()  # what is made once is made
    if time.perf_counter() - began > TOO_LONG:
        return None
    event.listen(engine, "before_cursor_execute", note)
    row.call()
    event.remove(engine, "before_cursor_execute", note)
    cpu = least(row.call)
    with sqlite3.connect(file, isolation_level=None) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        bare = least(lambda: row.bare(connection))
    connection.close()
    begun = sum(statement.startswith("BEGIN") for statement in sent)
    return Cost(cpu, len(sent) - begun, begun, bare)


def least(call: Callable[[], object]) -> float:
    """Return the least seconds of CPU of a call, of at least three."""
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < REPEAT_FOR:
        used = time.process_time()
        call()
        taken.append(time.process_time() - used)
        if sum(taken) > TOO_LONG or len(taken) > 500:
            break
    return min(taken)


def show(sizes: list[int], costs: dict[tuple[str, str], list[Cost | None]]) -> None:
    """Print a line for each call."""
    print("CPU ms (bare sqlite3 ms) statements/transactions, at", ", ".join(f"{size:,}" for size in sizes))
    for (name, grows_with), listed in costs.items():
        cells = [
            "over 40 s" if each is None else
            f"{each.cpu * 1000:.2f} ({each.bare * 1000:.3f}) {each.statements}/{each.transactions}"
            for each in listed
        ]  # fmt: skip
        print(f"{name:<34} {grows_with:<12}", *(f"{cell:<26}" for cell in cells), exponent(sizes, listed))


def exponent(sizes: list[int], listed: list[Cost | None]) -> str:
    """Return the exponents of ours and of the reference over the last two sizes."""
    if len(sizes) < 2 or len(listed) < len(sizes) or listed[-1] is None or listed[-2] is None:
        return ""
    span = math.log(sizes[-1] / sizes[-2])
    ours = math.log(listed[-1].cpu / listed[-2].cpu) / span
    bare = math.log(max(listed[-1].bare, 1e-6) / max(listed[-2].bare, 1e-6)) / span
    return f"exponent {ours:.2f} (bare {bare:.2f})"


if __name__ == "__main__":
    main()
