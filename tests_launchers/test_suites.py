"""The suites that are shipped, on launchers with real engines, and on both databases (spec 11.2, 6.9)."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ray_cluster import RayCluster, explain_absence
from slurm import slurm_for_tests
from ssh import running_host

from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.testing import ChainSuite, LauncherSuite

pytestmark = pytest.mark.spec("11.2", "6.9")


@pytest.fixture(scope="session")
def slurm_name() -> Iterator[str]:
    """The launcher of a Slurm of this session."""
    with slurm_for_tests():
        yield "slurm"


@pytest.fixture(scope="session")
def ssh_name() -> Iterator[str]:
    """The launcher of a host that is reached over SSH."""
    with (
        tempfile.TemporaryDirectory(prefix="pw-ssh-", dir="/tmp") as folder,
        running_host(Path(folder)) as host,
    ):
        yield host.url


@pytest.fixture(scope="session")
def ray_name() -> Generator[str]:
    """The launcher of a Ray cluster."""
    reason = explain_absence()
    if reason is not None:
        pytest.fail(reason)
    cluster = RayCluster(cpus=4)
    try:
        cluster.wait_until_ready()
        yield cluster.launcher
    finally:
        cluster.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, Any]:
    """Where a workspace is, once on each database."""
    url = f"sqlite:///{tmp_path}/lab.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    return {"url": url, "artifacts": tmp_path / "artifacts"}


class _Chains(ChainSuite):
    """Chains on a real engine, on both databases."""

    @pytest.fixture
    def place(self, place: Mapping[str, Any]) -> Mapping[str, Any]:
        """As the fixture of this module."""
        return place


class TestLocal(LauncherSuite):
    """The machine itself."""

    launcher_name = "local"


class TestChainsOnLocal(_Chains):
    """Chains on the machine itself."""

    launcher_name = "local"


class TestSlurm(LauncherSuite):
    """A real controller and node."""

    all_there_is = Resources(cpu=4)

    @pytest.fixture(autouse=True)
    def _engine(self, slurm_name: str) -> None:
        type(self).launcher_name = slurm_name


class TestChainsOnSlurm(_Chains):
    """Chains whose runs are jobs of Slurm."""

    @pytest.fixture(autouse=True)
    def _engine(self, slurm_name: str) -> None:
        type(self).launcher_name = slurm_name


class TestSsh(LauncherSuite):
    """A real OpenSSH server."""

    @pytest.fixture(autouse=True)
    def _engine(self, ssh_name: str) -> None:
        type(self).launcher_name = ssh_name


class TestChainsOnSsh(_Chains):
    """Chains on a host that is reached over SSH."""

    @pytest.fixture(autouse=True)
    def _engine(self, ssh_name: str) -> None:
        type(self).launcher_name = ssh_name


class TestRay(LauncherSuite):
    """A real head, in namespaces of its own."""

    all_there_is = Resources(cpu=4)
    begins_within = 120.0

    @pytest.fixture(autouse=True)
    def _engine(self, ray_name: str) -> None:
        type(self).launcher_name = ray_name


class TestChainsOnRay(_Chains):
    """Chains whose runs are jobs of Ray."""

    begins_within = 120.0

    @pytest.fixture(autouse=True)
    def _engine(self, ray_name: str) -> None:
        type(self).launcher_name = ray_name
