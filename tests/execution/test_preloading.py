"""A further stage finds the libraries of the stage before it imported, and nothing else of it (habit 22)."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from benches import Bench, until
from pydantic import BaseModel

import pipeline_widgets as pw
from pipeline_widgets.execution.fork_server import ForkServer
from pipeline_widgets.execution.next_worker import NextWorker
from pipeline_widgets.execution.preloading import ImportedModules
from pipeline_widgets.execution.process_spawner import Worker

ANY = [pw.Port("weights", {"thing"})]


class Habits(BaseModel):
    """What a training does to its process."""

    sets_variable: bool = False
    patches: bool = False


def wait_for_the_next_worker() -> None:
    """Wait until the other workers of this chain, if there are any, have come to rest."""
    me = psutil.Process()
    until, rests = time.monotonic() + 60, 0
    while rests < 5 and time.monotonic() < until:
        others = [each for each in psutil.Process(me.ppid()).children() if each.pid != me.pid]
        before = {each.pid: each.cpu_times() for each in others}
        time.sleep(0.3)
        rests = rests + 1 if all(before[each.pid] == each.cpu_times() for each in others) else 0


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a module of the user's own, which lies in no folder of installed packages."""
    (tmp_path / "own_helper.py").write_text("import random\nTAG = random.random()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return str(tmp_path)


@pytest.fixture
def importing(helper: str) -> pw.Algorithm:
    """Return an algorithm of a notebook cell that imports a large library within its function."""

    @pw.algorithm("Importing", produces={"thing"}, accepts=ANY, config=Habits)
    def importing(ctx: pw.TrainContext) -> None:
        sys.path.insert(0, helper)
        found = [name for name in ("pandas", "pandas.io.sql", "own_helper") if name in sys.modules]
        if ctx.config.sets_variable:
            os.environ["SOME_HOME"] = "/tmp/somewhere"  # noqa: S108  nothing is written there
        import own_helper  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
        import pandas as pd  # noqa: PLC0415
        import pandas.io.sql  # noqa: PLC0415  # pyright: ignore[reportUnusedImport]

        patched = getattr(pd, "PATCHED", False)
        if ctx.config.patches:
            pd.PATCHED = True  # pyright: ignore[reportAttributeAccessIssue]
            random.seed(0)
            os.chdir("/")
        with ctx.checkpoint(1) as folder:
            (folder / "found.txt").write_text(f"{found} {patched} {Path.cwd()} {'SOME_HOME' in os.environ}")
            (folder / "own.txt").write_text(f"{os.getpid()} {own_helper.TAG}")  # pyright: ignore[reportUnknownMemberType]
        ctx.report(1, evaluation_score=1.0)
        wait_for_the_next_worker()

    return importing


def told(pipe: pw.Pipeline, name: str = "found.txt") -> list[str]:
    """Return what the stages of a chain have written."""
    runs = [stage.run for stage in pipe.stages]
    return [(run.checkpoints[0].path / name).read_text() for run in runs if run is not None]


def chain(bench: Bench, algorithm: pw.Algorithm, *configs: dict[str, bool]) -> pw.Pipeline:
    """Return a chain that has run."""
    pipe = bench.project.create_pipeline("chain")
    for at, config in enumerate(configs):
        experiment = bench.project.create_experiment(f"e{at}", algorithm=algorithm, config=config)
        pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
    pipe.stages[0].trigger()
    pipe.wait(timeout=120)
    runs = [stage.run for stage in pipe.stages]
    assert [run and run.status for run in runs] == ["Succeeded"] * len(configs), runs[0] and runs[0].error
    return pipe


@pytest.mark.spec("6.3")
def test_habit_22_a_further_stage_finds_its_libraries_imported(bench: Bench, importing: pw.Algorithm) -> None:
    """The first stage imports pandas itself, the next ones find it; a module of the user's is fresh."""
    pipe = chain(bench, importing, {}, {}, {})
    first, *further = told(pipe)
    assert first.startswith("[] ")
    assert [each.split("] ")[0] for each in further] == ["['pandas', 'pandas.io.sql'"] * 2
    own = [text.split() for text in told(pipe, "own.txt")]
    assert len({pid for pid, _ in own}) == len({tag for _, tag in own}) == 3


@pytest.mark.spec("6.3")
def test_nothing_that_a_training_does_reaches_the_next_one(bench: Bench, importing: pw.Algorithm) -> None:
    """A patched library, a seed and another folder stay with the process that has made them."""
    first, second = told(chain(bench, importing, {"patches": True}, {}))
    assert first.endswith("False / False")
    assert second.startswith("['pandas', 'pandas.io.sql'] False ")
    assert not second.endswith(" / False")


@pytest.mark.spec("6.3")
def test_a_training_that_sets_variables_is_followed_by_a_fresh_process(
    bench: Bench, importing: pw.Algorithm
) -> None:
    """Libraries read variables while they are imported: they find what the next training sets, in time."""
    first, second = told(chain(bench, importing, {"sets_variable": True}, {"sets_variable": True}))
    assert first.startswith("[] ")
    assert second.startswith("[] ")
    assert second.endswith("True")


@pytest.fixture
def spawner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[ForkServer]:
    """Yield a fork server as a supervisor has it; its workers find a module whose import does not end."""
    (tmp_path / "endless_import.py").write_text("import time\ntime.sleep(3600)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    server = ForkServer()
    yield server
    server.close()


def next_worker(spawner: ForkServer) -> NextWorker:
    """Return the next worker of a supervisor that ends workers as supervisors do."""

    def end(worker: Worker) -> None:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)

    return NextWorker(spawner, end)


def imported(*names: str, **variables: str) -> ImportedModules:
    """Return what a training before has imported."""
    return ImportedModules(names=names, variables=variables)


@pytest.mark.spec("6.3")
@pytest.mark.parametrize(
    "modules",
    [imported("json.tool", "no_such_module", "xml.dom.minidom"), imported("no_such_module")],
)
def test_what_cannot_be_imported_is_left_to_the_training(
    spawner: ForkServer, modules: ImportedModules
) -> None:
    """A worker that waits is the one that has imported the rest."""
    ahead = next_worker(spawner)
    present = spawner.spawn()()
    ahead.preload(modules, present)
    parent = psutil.Process(present.pid).parent()
    assert parent is not None
    (waiting,) = [each.pid for each in parent.children() if each.pid != present.pid]
    importing = ahead._importing
    assert importing is not None
    until(importing.line.poll)
    taken = ahead.take()
    assert taken.pid == waiting
    assert taken.exit_code() is None


def has_loaded(process: psutil.Process, package: str) -> bool:
    """Return whether a process has a compiled module of a package in its memory."""
    return any(f"/{package}/" in each.path for each in process.memory_maps())


@pytest.mark.spec("6.3")
@pytest.mark.parametrize("how", ["unfinished", "died", "died afterwards", "set variables"])
def test_a_worker_that_is_not_ready_is_replaced_by_a_fresh_one(spawner: ForkServer, how: str) -> None:
    """One that is still importing, has died of it, or lacks variables of the training before: it is ended."""
    ahead = next_worker(spawner)
    present = spawner.spawn()()
    variables = {"SOME_HOME": "here"} if how == "set variables" else {}
    ahead.preload(imported("endless_import" if how == "unfinished" else "pandas", **variables), present)
    parent = psutil.Process(present.pid).parent()
    assert parent is not None
    (waiting,) = [each for each in parent.children() if each.pid != present.pid]
    if how in {"died afterwards", "set variables"}:
        until(lambda: has_loaded(waiting, "pandas") and waiting.status() == psutil.STATUS_SLEEPING, 120)
    if how.startswith("died"):
        waiting.kill()
        until(lambda: spawner.exit_code(waiting.pid) is not None)  # the fork server has told
    taken = ahead.take()
    assert taken.pid != waiting.pid
    assert taken.exit_code() is None
    assert not waiting.is_running() or waiting.status() == psutil.STATUS_ZOMBIE
    ahead.end()
