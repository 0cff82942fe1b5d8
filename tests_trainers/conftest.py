"""What the tests of trainers share: workspaces whose runs are real processes that import real libraries."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from benches import Bench, end_all

# What tests, and the processes that they start, trust is not among what their user trusts.
TRUSTED = tempfile.mkdtemp(prefix="pipeline-widgets-tests-")
os.environ["PIPELINE_WIDGETS_DATA"] = TRUSTED
# Tiny models: threads cost more than they bring, and two tests run at a time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing is downloaded: models, tokenizers and data are made from configs.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@atexit.register
def _forget(of: int = os.getpid()) -> None:
    if os.getpid() == of:
        shutil.rmtree(TRUSTED, ignore_errors=True)


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
