"""The suites that are shipped, on the machine itself (spec 11.2, 6.9)."""

from __future__ import annotations

import pytest
from chains import ChainsOnBothDatabases

from pipeline_widgets.testing import LauncherSuite

pytestmark = pytest.mark.spec("11.2", "6.9")


class TestLocal(LauncherSuite):
    """The machine itself."""

    launcher_name = "local"


class TestChainsOnLocal(ChainsOnBothDatabases):
    """Chains on the machine itself."""

    launcher_name = "local"
