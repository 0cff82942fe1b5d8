"""What the tests of trainers share: workspaces whose runs are real processes that import real libraries."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
import trusted
from benches import Bench, end_all

__all__ = ["trusted"]  # for its being imported

# A launch server would outlive the test whose supervisors it forks.
os.environ.setdefault("PIPELINE_WIDGETS_LAUNCH_SERVER", "off")
# Tiny models: threads cost more than they bring, and two tests run at a time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing is downloaded: models, tokenizers and data are made from configs.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture
def bench(tmp_path: Path) -> Generator[Bench]:
    """Yield a workspace, and leave no process of it behind."""
    made = Bench(tmp_path)
    yield made
    end_all(made)


def pytest_runtest_setup() -> None:
    """Let `import trl` find the library: pytest makes modules named after the folders of these tests."""
    for name in ("trl", "agilerl"):
        if name in sys.modules and getattr(sys.modules[name], "__file__", None) is None:
            del sys.modules[name]
