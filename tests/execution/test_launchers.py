"""Launchers: how one is found, and what `local` holds of what every launcher has to hold (spec 11.2)."""

from __future__ import annotations

import pytest

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers import find_launcher
from pipeline_widgets.testing import LauncherSuite


@pytest.mark.spec("11.2")
class TestLocal(LauncherSuite):
    """The launcher of this machine."""

    launcher_name = "local"


@pytest.mark.spec("11.2")
def test_an_unknown_launcher_is_refused_with_those_that_there_are() -> None:
    """By the scheme of its name."""
    with pytest.raises(ExecutionError, match=r"no launcher named 'cloud://here'\. .*local, ray, slurm, ssh"):
        find_launcher("cloud://here")
