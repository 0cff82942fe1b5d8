"""Start another interpreter that runs a command of this package."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def command(arguments: Sequence[str]) -> list[str]:
    """Return the command line that runs `python -m pipeline_widgets ARGUMENTS`.

    It is isolated: a file of the user's in the current folder that is named like a module of ours, or of the
    standard library, must not take its place. PYTHONPATH counts, as it does in the kernel.
    """
    return [sys.executable, "-P", "-m", "pipeline_widgets", *arguments]


def environment(**more: str) -> dict[str, str]:
    """Return the variables of this process and these; with a path to this package if it is not installed."""
    return {**os.environ, **path_to_package(), **more}


def path_to_package() -> dict[str, str]:
    """Return the variables with which another interpreter finds this package if it is not installed."""
    try:
        version("pipeline-widgets")
    except PackageNotFoundError:
        root = str(Path(__file__).resolve().parents[2])
        return {"PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), root)))}
    return {}
