"""The suite of chains that is shipped, with workspaces on both databases (spec 11.2, 6.9)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline_widgets.testing import ChainSuite


class ChainsOnBothDatabases(ChainSuite):
    """Chains on a real engine."""

    @pytest.fixture
    def place(self, any_url: str, tmp_path: Path) -> Mapping[str, Any]:
        """Where a workspace is, once on each database."""
        return {"url": any_url, "artifacts": tmp_path / "artifacts"}
