"""The suites that are shipped, on a real Slurm (spec 11.2, 6.9)."""

from __future__ import annotations

import pytest
from chains import ChainsOnBothDatabases

from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.testing import LauncherSuite

pytestmark = pytest.mark.spec("11.2", "6.9")


@pytest.mark.usefixtures("slurm")
class TestSlurm(LauncherSuite):
    """A real controller and node."""

    launcher_name = "slurm"
    all_there_is = Resources(cpu=4)


@pytest.mark.usefixtures("slurm")
class TestChainsOnSlurm(ChainsOnBothDatabases):
    """Chains whose runs are jobs of Slurm."""

    launcher_name = "slurm"
