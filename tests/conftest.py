"""What all tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories.lab import Lab, migrated, open_lab

# Before numpy loads: on small matrices BLAS threads cost more than they bring.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database with all tables and no rows."""
    return migrated(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def lab(tmp_path: Path, empty: Path) -> Iterator[Lab]:
    """A workspace with an Advanced Training project, in which no process runs."""
    shutil.copy(empty, tmp_path / "lab.db")
    made = open_lab(tmp_path)
    yield made
    made.store.database.close()
