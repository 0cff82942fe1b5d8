"""Opening is safe from any number of threads and processes, and a workspace that rests is one file."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from benches import until
from factories.lab import Lab, open_lab
from sqlalchemy import Connection, event, text

from pipeline_widgets import __main__ as program
from pipeline_widgets.errors import StorageError
from pipeline_widgets.persistence import database as database_module
from pipeline_widgets.persistence.database import Database, absolute
from pipeline_widgets.persistence.postgresql import KIND
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.services.pipelines import PipelineService
from pipeline_widgets.services.projects import ProjectService
from pipeline_widgets.services.runs import RunService

Opened = Callable[[Path | str], Database]
THREADS, PROCESSES, EDITS = 8, 8, 5

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def _open(url: str, artifacts: str, barrier: Any) -> None:
    barrier.wait()
    store = open_store(Database(url), artifacts)
    with store.write() as work:
        work.projects.add(str(os.getpid()), advanced_training=False)
    store.database.close()


@pytest.mark.slow
def test_fault_5_processes_that_open_an_empty_database(any_url: str, opened: Opened, tmp_path: Path) -> None:
    """Eight processes that open a new workspace at once all succeed, and it is made once."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    arguments = (any_url, str(tmp_path / "files"), barrier)
    openers = [context.Process(target=_open, args=arguments) for _ in range(PROCESSES)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert [opener.exitcode for opener in openers] == [0] * PROCESSES
    with open_store(opened(any_url)).read() as work:
        assert work.connection.execute(text("SELECT count(*) FROM workspace")).scalar() == 1
        assert len(work.projects.all()) == PROCESSES


def test_a_second_opening_writes_nothing(any_url: str, opened: Opened, tmp_path: Path) -> None:
    """Neither a row, for which it would wait until others have written, nor whom the folder belongs to."""
    open_store(opened(any_url), tmp_path / "files")
    stamp = (tmp_path / "files" / "workspace.json").stat()
    second, kinds = opened(any_url), set[object]()

    def note(connection: Connection) -> None:
        kinds.add(connection.get_execution_options().get(KIND))

    event.listen(second._engine, "begin", note)

    open_store(second)

    assert "write" not in kinds
    assert os.path.samestat((tmp_path / "files" / "workspace.json").stat(), stamp)


def test_fault_5_threads_that_open_workspaces(tmp_path: Path) -> None:
    """Threads that open new workspaces, some of them the same, do not come between each other."""
    barrier = threading.Barrier(THREADS)

    def open_one(at: int) -> int:
        database = Database(tmp_path / f"{at % 4}.db")
        barrier.wait()
        store = open_store(database)
        with store.write() as work:
            work.projects.add(f"{at}", advanced_training=False)
            found = len(work.projects.all())
        database.close()
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        assert sorted(pool.map(open_one, range(THREADS))) == [1, 1, 1, 1, 2, 2, 2, 2]


def test_threads_make_one_file_log_ahead(tmp_path: Path) -> None:
    """Two threads that open one new file at the same moment both succeed, each of 300 times."""
    barrier = threading.Barrier(2)

    def open_one(at: int) -> int:
        database = Database(tmp_path / f"{at // 2}.db")
        barrier.wait(20)
        with database.read() as connection:
            found = connection.execute(text("SELECT 1")).scalar_one()
        database.close()
        return found

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(open_one, range(600))) == 600


def test_threads_share_a_database(any_url: str, opened: Opened, tmp_path: Path) -> None:
    """Many threads read and write by one object, and nothing is lost."""
    store = open_store(opened(any_url), tmp_path / "files")
    project = ProjectService(store).create("p", advanced_training=True)
    before = store.changes.revision(project.id)

    def touch(_: int) -> None:
        with store.write() as work:
            work.projects.touch(project.id)
        with store.read() as work:
            work.projects.get(project.id)

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(touch, range(96)))
    assert store.changes.revision(project.id) == before + 96


@pytest.mark.spec("5.13")
def test_fault_10_editors_at_once(any_url: str, opened: Opened, tmp_path: Path) -> None:
    """Eight editors of one pipeline lose no edit, and none is told that its view was old."""
    store = open_store(opened(any_url), tmp_path / "files")
    project = ProjectService(store).create("p", advanced_training=True)
    pipelines = PipelineService(store)
    pipeline = pipelines.create(project.id, "chain")

    def edit(editor: int) -> None:
        for at in range(EDITS):
            pipelines.update(pipeline.id, description=f"{editor} {at}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(edit, range(THREADS)))
    assert pipelines.get(pipeline.id).version == pipeline.version + THREADS * EDITS


def _whole(folder: Path, tmp_path: Path) -> list[str]:
    """Return the projects of a plain copy of the database's file alone."""
    copied = tmp_path / "copied.db"
    shutil.copyfile(folder / "lab.db", copied)
    connection = sqlite3.connect(copied)
    try:
        return [name for (name,) in connection.execute("SELECT name FROM projects ORDER BY id")]
    finally:
        connection.close()


def test_case_3_the_file_alone_is_whole_a_moment_after_the_last_use(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a kernel has a workspace open and does nothing, no log is left beside the file."""
    monkeypatch.setattr(database_module, "REST", 0.05)
    assert lab.project.name == "Letters"
    until(lambda: [path.name for path in tmp_path.glob("lab.db*")] == ["lab.db"])
    assert _whole(tmp_path, tmp_path) == ["Letters"]
    lab.projects.create("more", advanced_training=False)
    until(lambda: [path.name for path in tmp_path.glob("lab.db*")] == ["lab.db"])
    assert _whole(tmp_path, tmp_path) == ["Letters", "more"]


def test_case_3_who_looks_all_the_time_does_not_keep_the_log(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks of one that never rests, what was written comes into the file."""
    monkeypatch.setattr(database_module, "REST", 0.2)
    lab.projects.create("more", advanced_training=False)

    def looked_and_whole() -> bool:
        lab.projects.all()
        return _whole(tmp_path, tmp_path) == ["Letters", "more"]

    until(looked_and_whole)


@needs_fork
def test_case_3_the_next_use_folds_what_a_kill_has_left(tmp_path: Path) -> None:
    """A process that was killed leaves its log, and the next one that opens the workspace folds it."""
    code = (
        "import os, sys, signal; sys.path[:0] = sys.argv[2:]\n"
        "from factories.lab import open_lab; from pathlib import Path\n"
        "open_lab(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    tests = str(Path(__file__).parents[1])
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path), tests], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    assert (tmp_path / "lab.db-wal").stat().st_size > 0
    store = open_store(Database(tmp_path / "lab.db"))
    store.database.close()
    assert not list(tmp_path.glob("lab.db-*"))
    assert _whole(tmp_path, tmp_path) == ["Letters"]


def test_case_3_the_end_of_a_process_leaves_one_file(tmp_path: Path) -> None:
    """A process that ends without closing the workspace leaves no log, although it used it just now."""
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from factories.lab import open_lab; from pathlib import Path\n"
        "lab = open_lab(Path(sys.argv[1]))"
    )
    tests = str(Path(__file__).parents[1])
    subprocess.run([sys.executable, "-c", code, str(tmp_path), tests], check=True, timeout=120)
    assert not list(tmp_path.glob("lab.db-*"))


@pytest.mark.parametrize("how", ["deleted", "replaced"])
@pytest.mark.parametrize("rests", [True, False])
def test_case_17_a_database_that_is_gone_is_told(
    lab: Lab,
    tmp_path: Path,
    how: str,
    rests: bool,  # noqa: FBT001
) -> None:
    """The next look and the next write say that the file was deleted or replaced, and nothing is made."""
    assert lab.projects.all()
    if rests:
        lab.store.database.close_if_idle(float("inf"))
    for each in tmp_path.glob("lab.db*"):
        each.unlink()
    if how == "replaced":
        sqlite3.connect(tmp_path / "lab.db").execute("CREATE TABLE t (x)").connection.close()
    left = sorted(path.name for path in tmp_path.glob("lab.db*"))
    told = pytest.raises(StorageError, match=f"lab.db was {how} while it was open")
    with told:
        lab.projects.create("lost", advanced_training=False)
    with told:
        lab.projects.all()
    assert not lab.store.database.exists
    assert sorted(path.name for path in tmp_path.glob("lab.db*")) == left


def test_case_17_a_log_that_is_gone_is_told(lab: Lab, tmp_path: Path) -> None:
    """Where somebody has deleted the write-ahead log, the next write says so instead of being lost."""
    lab.projects.create("kept", advanced_training=False)
    (tmp_path / "lab.db-wal").unlink()
    with pytest.raises(StorageError, match=r"lab.db-wal was deleted while it was open"):
        lab.projects.create("lost", advanced_training=False)
    lab.store.database.close()
    lab.projects.create("new", advanced_training=False)


def test_a_connection_that_comes_while_others_are_closed_is_not_left_behind(lab: Lab, tmp_path: Path) -> None:
    """The file that rests is closed wholly, and the log that another process makes then is no deleted one."""
    database = lab.store.database
    database.close()

    def close_others(*_: object) -> None:
        database.close_if_idle(float("inf"))

    event.listen(database._engine, "do_connect", close_others)
    lab.projects.create("kept", advanced_training=False)
    event.remove(database._engine, "do_connect", close_others)
    database.close_if_idle(float("inf"))
    assert not (tmp_path / "lab.db-wal").exists()
    with closing(sqlite3.connect(tmp_path / "lab.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        other.rollback()
        lab.projects.create("new", advanced_training=False)
    assert {each.name for each in lab.projects.all()} >= {"kept", "new"}


def test_case_17_a_database_deleted_within_a_write(lab: Lab, tmp_path: Path) -> None:
    """A write during which the file is deleted is undone and told."""
    gone = pytest.raises(StorageError, match="was deleted while it was open")
    with gone, lab.store.write() as work:
        work.projects.add("lost", advanced_training=False)
        (tmp_path / "lab.db").unlink()


@pytest.mark.parametrize("command", [["supervise", "1"], ["serve", "1"], ["reconcile"], ["backup", "copy"]])
def test_case_17_what_is_launched_makes_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A supervisor or an endpoint whose database is gone ends with the reason, and makes no empty one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(program, "PATIENCE", 0.0)
    monkeypatch.setattr("pipeline_widgets.execution.streams.lose_what_cannot_be_printed", lambda: None)
    monkeypatch.setattr("pipeline_widgets.execution.fork_server.create_spawner", lambda *_: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert program.main(["--url", "gone/lab.db", *command]) == 1
    assert "There is no workspace" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "what?",
        "what?a=b",
        "a#b",
        "100%",
        "100%25",
        "a b",
        "übung",
        "~x",
        "a&b=c",
        "a;b",
        "a:b@c",
        "'\"",
        "\\",
    ],
)
def test_case_22_a_path_is_no_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Any character of a path is that of a file, given as text, as a Path or within the current folder."""
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    for given in (folder / "lab.db", str(folder / "lab.db"), "lab.db", Path("lab.db"), "sqlite:///lab.db"):
        database = Database(given)
        assert database.path == folder / "lab.db"
        again = Database(database.url)  # as a supervisor gets it
        assert (again.path, again.url, absolute(again.url)) == (database.path, database.url, again.url)
    store = open_store(Database(database.url))
    ProjectService(store).create("here", advanced_training=False)
    store.database.close()
    assert sorted(path.name for path in folder.iterdir()) == ["lab-artifacts", "lab.db"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_case_22_a_url_that_was_not_escaped(tmp_path: Path) -> None:
    """A folder with a question mark within a hand-made URL is that folder; a real query stays one."""
    assert Database(f"sqlite:///{tmp_path}/what?/lab.db").path == tmp_path / "what?" / "lab.db"
    asked = Database(f"sqlite:///{tmp_path}/lab.db?timeout=5")
    assert asked.path == tmp_path / "lab.db"
    assert asked.url.endswith("lab.db?timeout=5")


@pytest.mark.parametrize(
    "url", ["sqlite:///:memory:", "sqlite:///file:x.db?mode=memory&uri=true", "sqlite://", "nul\0.db"]
)
def test_case_22_what_names_no_file_is_refused(url: str) -> None:
    """A database in memory, which other processes cannot see, and a path that no system takes."""
    with pytest.raises(StorageError, match=r"needs a file|is not a path"):
        Database(url)


@needs_fork
def test_a_fork_opens_its_own_connections(lab: Lab) -> None:
    """A process that was forked after the opening reads and writes, and the first one goes on."""
    lab.projects.create("before", advanced_training=False)
    pid = os.fork()
    if pid == 0:
        try:
            lab.projects.create("forked", advanced_training=False)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    lab.projects.create("after", advanced_training=False)
    assert [project.name for project in lab.projects.all()] == ["Letters", "before", "forked", "after"]


def _race(store: Store, stage_id: int) -> bool:
    try:
        RunService(store).trigger(stage_id)
    except Exception:  # noqa: BLE001
        return False
    return True


@pytest.mark.spec("6.2")
def test_triggers_at_once_make_one_run_on_postgresql(
    opened: Opened, postgres_url: str, tmp_path: Path
) -> None:
    """Eight triggers of one stage at the same moment make one run."""
    store = open_store(opened(postgres_url), tmp_path / "files")
    lab = open_lab(tmp_path, store=store)
    (stage,) = lab.pipeline("SFT").stages
    with ThreadPoolExecutor(THREADS) as pool:
        won = list(pool.map(partial(_race, store), [stage.id] * THREADS))
    assert won.count(True) == 1
    assert len(lab.runs.of_stage(stage.id)) == 1


@needs_fork
def test_case_17_forks_keep_the_log_that_each_other_writes(lab: Lab) -> None:
    """A process and its forks write at once, and the first closes the file again and again."""
    lab.projects.create("before", advanced_training=False)
    pids: list[int] = []
    for fork in range(4):
        lab.projects.all()  # the connection is open again
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for number in range(15):
                    lab.projects.create(f"fork {fork}, {number}", advanced_training=False)
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    for number in range(15):
        lab.projects.create(f"first {number}", advanced_training=False)
        lab.store.database.close()
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    assert len(lab.projects.all()) == 2 + 5 * 15


@needs_fork
def test_case_17_a_fork_waits_for_the_transactions_of_other_threads(lab: Lab) -> None:
    """What another thread has begun is done before the fork, which inherits no open file."""
    begun, goes_on = threading.Event(), threading.Event()

    def write() -> None:
        with lab.store.write():
            begun.set()
            goes_on.wait(10)

    thread = threading.Thread(target=write)
    thread.start()
    begun.wait(10)
    threading.Timer(0.2, goes_on.set).start()
    path = str(lab.store.database.path)
    pid = os.fork()
    if pid == 0:
        os._exit(any(each.path.startswith(path) for each in psutil.Process().open_files()))
    thread.join(10)
    assert os.waitpid(pid, 0)[1] == 0
