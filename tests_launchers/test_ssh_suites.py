"""The suites that are shipped, on a host that is reached over SSH (spec 11.2, 6.9)."""

from __future__ import annotations

import pytest
from chains import ChainsOnBothDatabases
from ssh import SshHost

from pipeline_widgets.testing import LauncherSuite

pytestmark = pytest.mark.spec("11.2", "6.9")


class TestSsh(LauncherSuite):
    """A real OpenSSH server."""

    @pytest.fixture(autouse=True)
    def _engine(self, ssh_host: SshHost) -> None:
        type(self).launcher_name = ssh_host.url


class TestChainsOnSsh(ChainsOnBothDatabases):
    """Chains on a host that is reached over SSH."""

    @pytest.fixture(autouse=True)
    def _engine(self, ssh_host: SshHost) -> None:
        type(self).launcher_name = ssh_host.url
