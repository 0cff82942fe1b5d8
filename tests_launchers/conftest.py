"""What the tests of launchers share."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator

import postgres as postgres_support
import pytest
from table import FaultTable

# What tests, and the processes that they start, trust is not among what their user trusts.
TRUSTED = tempfile.mkdtemp(prefix="pipeline-widgets-tests-")
os.environ["PIPELINE_WIDGETS_DATA"] = TRUSTED


@atexit.register
def _forget(of: int = os.getpid()) -> None:
    if os.getpid() == of:
        shutil.rmtree(TRUSTED, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_support.Server]:
    """A PostgreSQL server of this session, which listens on a Unix socket."""
    binaries = postgres_support.programs()
    assert binaries is not None, postgres_support.MISSING
    server = postgres_support.Server(binaries)
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres: postgres_support.Server) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    name = postgres.create()
    yield postgres.url(name)
    postgres.drop(name)


_table = FaultTable()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Take a result into the table of faults."""
    _table.note(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of faults by launcher and database."""
    if _table.results:
        terminalreporter.section("Chains: fault by launcher and database")
        for line in _table.render():
            terminalreporter.write_line(line)
