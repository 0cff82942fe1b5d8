"""Workspaces whose runs are real processes."""

from __future__ import annotations

import gc
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from benches import QUICK, Bench, end_all
from launch_servers import warm
from sites import Site

__all__ = ["warm"]


@pytest.fixture
def bench(tmp_path: Path) -> Generator[Bench]:
    """Yield a workspace, and leave no process of it behind."""
    made = Bench(tmp_path)
    yield made
    end_all(made)


@pytest.fixture
def quick(tmp_path: Path) -> Generator[Bench]:
    """Yield a workspace whose supervisors beat five times a second and are given up after 1.5 s."""
    made = Bench(tmp_path, QUICK)
    yield made
    end_all(made)


@pytest.fixture
def site(bench: Bench) -> Site:
    """A pipeline whose agent can be asked."""
    return Site(bench)


@pytest.fixture
def in_process() -> Generator[None]:
    """Undo what a supervisor does to its process."""
    threshold = gc.get_threshold()
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for each, handler in handlers.items():
        signal.signal(each, handler)
    gc.set_threshold(*threshold)
    gc.unfreeze()
