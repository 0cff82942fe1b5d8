"""What every launcher has to hold, as tests for pytest: a third party runs them on a launcher of its own.

    from pipeline_widgets.testing import LauncherSuite

    class TestMine(LauncherSuite):
        launcher_name = "mine://host"

`LauncherSuite` tests a launcher by itself. Both need pytest, which pipeline_widgets does not install.
"""

from pipeline_widgets.testing.launcher_suite import LauncherSuite

__all__ = ["LauncherSuite"]
