"""What the tests of persistence share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline_widgets.persistence.database import Database


@pytest.fixture
def opened() -> Iterator[Callable[[Path | str], Database]]:
    """Opens databases by file or URL, and closes them when the test ends."""
    made: list[Database] = []

    def open_(where: Path | str) -> Database:
        made.append(Database(f"sqlite:///{where}" if isinstance(where, Path) else where))
        return made[-1]

    yield open_
    for database in made:
        database.close()


@pytest.fixture
def database(opened: Callable[[Path | str], Database], tmp_path: Path) -> Database:
    """An empty database."""
    return opened(tmp_path / "lab.db")
