"""What the tests of launchers share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import postgres as postgres_support
import pytest
from database_fixtures import any_url, postgres_url
from ray_cluster import RayCluster, explain_absence
from slurm import OneNodeSlurm, slurm_for_tests
from ssh import SshHost, running_host
from table import FaultTable
from trusted import TRUSTED

__all__ = ["any_url", "postgres_url"]  # fixtures

# A launch server would outlive the test whose supervisors it forks.
os.environ.setdefault("PIPELINE_WIDGETS_LAUNCH_SERVER", "off")


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_support.Server]:
    """A PostgreSQL server of this session, which listens on a Unix socket."""
    binaries = postgres_support.programs()
    assert binaries is not None, postgres_support.MISSING
    server = postgres_support.Server(binaries)
    yield server
    server.close()


@pytest.fixture(scope="session")
def slurm() -> Iterator[OneNodeSlurm]:
    """A Slurm of this session; a test leaves it as it was, with no job in it."""
    with slurm_for_tests() as started:
        yield started


@pytest.fixture(scope="session")
def ssh_host() -> Iterator[SshHost]:
    """A host that no test harms, and that does not have what this user has signed."""
    signed = Path(TRUSTED)
    signed.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="pw-ssh-", dir="/tmp") as folder,
        running_host(Path(folder), hides=signed) as host,
    ):
        yield host


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    """A Ray head of this session; where there can be none, that is an error with what to do."""
    reason = explain_absence()
    if reason is not None:
        pytest.fail(reason)
    made = RayCluster(cpus=4, resources={"gold": 1.0})
    try:
        made.wait_until_ready()
        yield made
    finally:
        made.close()


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
