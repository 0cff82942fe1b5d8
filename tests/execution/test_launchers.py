"""Launchers: how one is found, and what `local` holds of what every launcher has to hold (spec 11.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers import find_launcher
from pipeline_widgets.testing import ChainSuite, LauncherSuite


@pytest.mark.spec("11.2")
class TestLocal(LauncherSuite):
    """The launcher of this machine."""

    launcher_name = "local"


@pytest.mark.slow
@pytest.mark.spec("11.2", "6.9")
class TestChains(ChainSuite):
    """Chains on this machine, whatever dies meanwhile."""

    launcher_name = "local"

    @pytest.fixture
    def place(self, any_url: str, tmp_path: Path) -> Mapping[str, Any]:
        """On both databases."""
        return {"url": any_url, "artifacts": tmp_path / "artifacts"}


@pytest.mark.spec("11.2")
def test_an_unknown_launcher_is_refused_with_those_that_there_are() -> None:
    """By the scheme of its name."""
    with pytest.raises(ExecutionError, match=r"no launcher named 'cloud://here'\. .*local, ray, slurm, ssh"):
        find_launcher("cloud://here")
