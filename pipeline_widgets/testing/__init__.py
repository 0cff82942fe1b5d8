"""Conformance tests of launchers, for pytest: a third party runs them on a launcher of its own.

    from pipeline_widgets.testing import ChainSuite, LauncherSuite

    class TestMine(LauncherSuite):
        launcher_name = "mine://host"

    class TestChainsOnMine(ChainSuite):
        launcher_name = "mine://host"

`LauncherSuite` tests a launcher by itself, `ChainSuite` chains whose runs it launches. The engine has to run
its jobs on the machine of the tests, perhaps in namespaces. pipeline_widgets does not install pytest.
"""

from pipeline_widgets.testing.chain_suite import ChainSuite
from pipeline_widgets.testing.launcher_suite import LauncherSuite

__all__ = ["ChainSuite", "LauncherSuite"]
