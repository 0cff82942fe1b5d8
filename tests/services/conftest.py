"""What the tests of the services share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from factories.lab import Lab, open_lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A workspace with an Advanced Training project, in which no process runs."""
    made = open_lab(tmp_path)
    yield made
    made.store.database.close()
