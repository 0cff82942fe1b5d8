"""A launch server rehearses what a supervisor asks of its database, and has nothing of it left (spec 6.1)."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Generator
from pathlib import Path

import databases
import launch_servers
import psutil
import pytest
from benches import Bench, until
from sqlalchemy.dialects.sqlite import insert

from pipeline_widgets.errors import StorageError
from pipeline_widgets.execution import launch_place, rehearsal
from pipeline_widgets.execution.interpreter import environment
from pipeline_widgets.execution.launch_client import ForkedProcess
from pipeline_widgets.execution.launch_server import REHEARSAL
from pipeline_widgets.execution.launchers.local import LocalLauncher
from pipeline_widgets.persistence import idle_connections, prepared_databases, schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.trust import user_data_folder

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="launch servers are for Linux")
LONG = {"steps": 100_000, "pause": 0.01}
#: Writes each statement that a supervisor compiles, with its number, to the file that COMPILED names.
NOTE = """
import os, sys
from sqlalchemy.sql import compiler

compile_first = compiler.SQLCompiler.__init__

def note(self, dialect, statement, *args, **kwargs):
    compile_first(self, dialect, statement, *args, **kwargs)
    if "supervise" in sys.argv and statement is not None:
        with open(os.environ["COMPILED"], "a") as file:
            file.write(f"{os.getpid()} {' '.join(str(self).split())}\\n")

compiler.SQLCompiler.__init__ = note
"""


@pytest.fixture(autouse=True)
def turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be launch servers."""
    launch_servers.turn_on(monkeypatch)


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which supervisors note what they compile."""
    site, found = tmp_path / "site", tmp_path / "compiled"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NOTE)
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("COMPILED", str(found))
    found.touch()
    return found


@pytest.fixture
def cold_bench(bench: Bench) -> Generator[Bench]:
    """A workspace whose launch servers are ended with the test."""
    yield bench
    launch_servers.end(launch_servers.log_of(bench))


def warm_up(bench: Bench) -> psutil.Process:
    """Start the launch server of a workspace as a trigger does, and return it once it is ready."""
    log = launch_servers.log_of(bench)
    launch_servers.start(log, PIPELINE_WIDGETS_URL=bench.ws._services.store.database.url)
    (found,) = launch_servers.servers(log)
    return found


def compiled_by(pid: int, compiled: Path) -> list[str]:
    """Return what a supervisor has compiled, but upserts that cannot be kept.

    Each database has a class of its own for these, and older versions of SQLAlchemy compile them each time.
    """
    upsert = insert(schema.workspace).on_conflict_do_nothing()
    is_kept = not databases.is_postgresql() and upsert._generate_cache_key() is not None
    lines = (line.partition(" ") for line in compiled.read_text().splitlines())
    found = [statement for number, _, statement in lines if int(number) == pid]
    return [each for each in found if is_kept or "ON CONFLICT" not in each]


@pytest.mark.spec("6.1")
def test_a_forked_supervisor_compiles_no_statement_in_a_chain(cold_bench: Bench, compiled: Path) -> None:
    """From its start to the end of the last stage. On a server an upsert is left, after it is Running."""
    warm_up(cold_bench)
    pipe = cold_bench.chain({}, {}, {})
    run = pipe.stages[0].trigger()
    pipe.wait(60)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    assert isinstance(LocalLauncher._started[cold_bench.supervisor(run).pid], ForkedProcess)
    assert compiled_by(cold_bench.supervisor(run).pid, compiled) == []


def test_a_launch_server_that_cannot_rehearse_serves_as_before(cold_bench: Bench, compiled: Path) -> None:
    """It says why in its log; its supervisors compile what they ask."""
    log = launch_servers.log_of(cold_bench)
    place = launch_place.find_place(environment(), log)
    assert place is not None
    in_its_way = place.socket.with_suffix(REHEARSAL)
    in_its_way.parent.mkdir(mode=0o700, exist_ok=True)
    in_its_way.write_text("")
    try:
        server = warm_up(cold_bench)
        run = cold_bench.chain(LONG).stages[0].trigger()
        until(lambda: run.status == "Running")
        supervisor = cold_bench.supervisor(run).pid
        assert psutil.Process(supervisor).ppid() == server.pid
        run.stop()
        assert run.wait(60).status == "Stopped"
    finally:
        in_its_way.unlink()

    assert "could not rehearse" in log.read_text()
    assert f"{supervisor} SELECT " in compiled.read_text()


@pytest.mark.sqlite
def test_a_launch_server_rehearses_while_another_process_holds_every_lock(cold_bench: Bench) -> None:
    """Nor does it read the workspace, or leave anything of the rehearsal."""
    path = cold_bench.ws._services.store.database.path
    assert path is not None
    cold_bench.ws._services.store.database.close()
    before = path.read_bytes()
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        server = warm_up(cold_bench)
    finally:
        holder.close()

    assert path.read_bytes() == before
    assert launch_servers.log_of(cold_bench).read_text() == ""
    assert server.num_threads() == 1
    files = [str(each.readlink()) for each in Path(f"/proc/{server.pid}/fd").iterdir()]
    assert not [each for each in files if each.endswith((".db", "-wal", "-shm")) or REHEARSAL in each]
    place = launch_place.find_place(environment(), launch_servers.log_of(cold_bench))
    assert place is not None
    assert not place.socket.with_suffix(REHEARSAL).exists()


def test_what_one_supervisor_does_reaches_no_other(cold_bench: Bench, compiled: Path) -> None:
    """Neither one at the same time, nor the next after one that was killed while it was connected."""
    warm_up(cold_bench)
    first, second = (cold_bench.chain(LONG).stages[0].trigger() for _ in range(2))
    until(lambda: first.status == second.status == "Running")
    os.kill(cold_bench.supervisor(first).pid, signal.SIGKILL)
    until(lambda: first.status == "Crashed")

    third = cold_bench.chain({}).stages[0].trigger()
    assert third.wait(60).status == "Succeeded"
    assert second.status == "Running"
    second.stop()
    assert second.wait(60).status == "Stopped"
    assert compiled_by(cold_bench.supervisor(third).pid, compiled) == []


def test_a_rehearsal_signs_and_keeps_nothing_of_its_own(tmp_path: Path) -> None:
    """The user's signatures, the variables and the folder are as before; the database has no connection."""
    data = user_data_folder()
    before = sorted(data.rglob("*")), dict(os.environ)
    url = f"sqlite:///{tmp_path}/lab.db"

    rehearsal.prepare_database(url, tmp_path / "rehearsal")

    assert (sorted(data.rglob("*")), dict(os.environ)) == before
    assert not (tmp_path / "rehearsal").exists()
    assert not (tmp_path / "lab.db").exists()
    prepared = prepared_databases.take(url)
    assert prepared is not None
    assert prepared.close_if_idle(float("inf")) is None
    assert prepared not in idle_connections._closer._due
    assert prepared_databases.take(url) is None


def test_a_rehearsal_for_a_server_connects_to_nothing(tmp_path: Path) -> None:
    """Statements are compiled for PostgreSQL; nobody listens where the workspace would be."""
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"

    rehearsal.prepare_database(url, tmp_path / "rehearsal")

    prepared = prepared_databases.take(url)
    assert prepared is not None
    statements = [str(each) for each in (prepared._engine._compiled_cache or {}).values()]
    assert [each for each in statements if each.startswith("UPDATE runs SET status") and "%(" in each]
    assert not [each for each in statements if "\\" in each]
    with pytest.raises(StorageError), prepared.read():
        pass


def test_a_database_is_made_anew_where_its_folder_is_another_one(tmp_path: Path) -> None:
    """It may be on a file system by now on which SQLite has to be used otherwise."""
    folder = tmp_path / "lab"
    folder.mkdir()
    url = f"sqlite:///{folder}/lab.db"
    prepared_databases.keep(url, Database(url, create=False))
    folder.rename(tmp_path / "moved")
    folder.mkdir()

    assert prepared_databases.take(url) is None
