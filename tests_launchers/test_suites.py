"""The suites that are shipped, on launchers with real engines, and on both databases (spec 11.2, 6.9)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ray_cluster import RayCluster
from ssh import SshHost

from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.testing import ChainSuite, LauncherSuite

pytestmark = pytest.mark.spec("11.2", "6.9")


class _Chains(ChainSuite):
    """Chains on a real engine, on both databases."""

    @pytest.fixture
    def place(self, any_url: str, tmp_path: Path) -> Mapping[str, Any]:
        """Where a workspace is, once on each database."""
        return {"url": any_url, "artifacts": tmp_path / "artifacts"}


@pytest.mark.xdist_group("local")
class TestLocal(LauncherSuite):
    """The machine itself."""

    launcher_name = "local"


@pytest.mark.xdist_group("local")
class TestChainsOnLocal(_Chains):
    """Chains on the machine itself."""

    launcher_name = "local"


@pytest.mark.usefixtures("slurm")
@pytest.mark.xdist_group("slurm")
class TestSlurm(LauncherSuite):
    """A real controller and node."""

    launcher_name = "slurm"
    all_there_is = Resources(cpu=4)


@pytest.mark.usefixtures("slurm")
@pytest.mark.xdist_group("slurm")
class TestChainsOnSlurm(_Chains):
    """Chains whose runs are jobs of Slurm."""

    launcher_name = "slurm"


@pytest.mark.xdist_group("ssh")
class TestSsh(LauncherSuite):
    """A real OpenSSH server."""

    @pytest.fixture(autouse=True)
    def _engine(self, ssh_host: SshHost) -> None:
        type(self).launcher_name = ssh_host.url


@pytest.mark.xdist_group("ssh")
class TestChainsOnSsh(_Chains):
    """Chains on a host that is reached over SSH."""

    @pytest.fixture(autouse=True)
    def _engine(self, ssh_host: SshHost) -> None:
        type(self).launcher_name = ssh_host.url


@pytest.mark.xdist_group("ray")
class TestRay(LauncherSuite):
    """A real head, in namespaces of its own."""

    all_there_is = Resources(cpu=4)
    begins_within = 120.0

    @pytest.fixture(autouse=True)
    def _engine(self, cluster: RayCluster) -> None:
        type(self).launcher_name = cluster.launcher


@pytest.mark.xdist_group("ray")
class TestChainsOnRay(_Chains):
    """Chains whose runs are jobs of Ray."""

    begins_within = 120.0

    @pytest.fixture(autouse=True)
    def _engine(self, cluster: RayCluster) -> None:
        type(self).launcher_name = cluster.launcher
