"""The suites that are shipped, on a real Ray cluster (spec 11.2, 6.9)."""

from __future__ import annotations

import pytest
from chains import ChainsOnBothDatabases
from ray_cluster import BEGINS_WITHIN, RayCluster

from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.testing import LauncherSuite

# On a busy machine its head takes minutes to start.
pytestmark = [pytest.mark.spec("11.2", "6.9"), pytest.mark.timeout(600)]


class TestRay(LauncherSuite):
    """A real head, in namespaces of its own."""

    all_there_is = Resources(cpu=4)
    begins_within = BEGINS_WITHIN

    @pytest.fixture(autouse=True)
    def _engine(self, cluster: RayCluster) -> None:
        type(self).launcher_name = cluster.launcher


class TestChainsOnRay(ChainsOnBothDatabases):
    """Chains whose runs are jobs of Ray."""

    begins_within = BEGINS_WITHIN

    @pytest.fixture(autouse=True)
    def _engine(self, cluster: RayCluster) -> None:
        type(self).launcher_name = cluster.launcher
