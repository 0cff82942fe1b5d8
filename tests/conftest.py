"""What all tests share."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import databases
import postgres as postgres_support
import pytest
import trusted
from database_fixtures import any_url, postgres_url
from factories.lab import Lab, migrated, open_lab
from hypothesis import settings
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from pgbouncer import MISSING as PGBOUNCER_MISSING
from pgbouncer import PgBouncer, program

__all__ = ["any_url", "postgres_url", "trusted"]  # what is here for its being imported

# A shell ignores SIGINT for what it starts in the background, and processes of tests would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Before numpy loads: on small matrices BLAS threads cost more than they bring.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A launch server would outlive the test whose supervisors it forks; tests/support/launch_servers.py has some.
os.environ.setdefault("PIPELINE_WIDGETS_LAUNCH_SERVER", "off")

# How long an example takes says how busy the machine is; what code takes is told by the benchmarks.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `--db` choose where the workspaces of tests keep their rows."""
    parser.addoption("--db", choices=databases.KINDS, default=databases.KINDS[0], help="of workspaces")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the database."""
    databases.choose(str(config.getoption("--db")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are about the other kind of database."""
    other = "sqlite" if databases.is_postgresql() else "postgresql"
    left_out = [item for item in items if item.get_closest_marker(other)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker(other)]


@pytest.fixture(autouse=True)
def _drop_databases() -> Iterator[None]:
    """Leave no database of a test on the server."""
    yield
    databases.drop_all()


@pytest.fixture(scope="session", autouse=True)
def _stop_server() -> Iterator[None]:
    """Stop the server when the session ends, if one was started."""
    yield
    databases.close()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with all tables and no rows."""
    return migrated(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def lab(tmp_path: Path, empty: Path) -> Iterator[Lab]:
    """A workspace with an Advanced Training project, in which no process runs."""
    if not databases.is_postgresql():
        shutil.copy(empty, tmp_path / "lab.db")
    made = open_lab(tmp_path, place=databases.place_in(tmp_path))
    yield made
    made.store.database.close()


@pytest.fixture(scope="session")
def postgres() -> postgres_support.Server:
    """A PostgreSQL server of this session; where none is installed, CI fails and everybody else is told."""
    binaries = postgres_support.programs()
    if binaries is None and os.environ.get("CI"):
        pytest.fail(postgres_support.MISSING)
    if binaries is None:
        pytest.skip(postgres_support.MISSING)
    return databases.server()


@pytest.fixture
def pgbouncer(postgres: postgres_support.Server) -> Iterator[PgBouncer]:
    """A PgBouncer with three connections to each database of the server."""
    if program() is None and os.environ.get("CI"):
        pytest.fail(PGBOUNCER_MISSING)
    if program() is None:
        pytest.skip(PGBOUNCER_MISSING)
    made = PgBouncer(postgres, connections=3)
    yield made
    made.close()


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    """Sets the umask until the test ends."""
    before = os.umask(0o077)
    os.umask(before)

    def set_(mask: int) -> None:
        os.umask(mask)

    yield set_
    os.umask(before)


@pytest.fixture
def displayed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], list[dict[str, Any]]]]:
    """Display an object as the last line of a cell, and return its outputs as the notebook gets them."""
    shell: Any = InteractiveShell.instance()
    monkeypatch.setattr(shell, "kernel", SimpleNamespace(), raising=False)

    def outputs(shown: Any) -> list[dict[str, Any]]:
        with capture_output(stdout=False, stderr=False) as captured:
            result: dict[str, Any] = shell.display_formatter.format(shown)[0]
        printed: list[Any] = captured.outputs
        return [*(dict(each.data) for each in printed), *([result] if result else [])]

    yield outputs
    InteractiveShell.clear_instance()
