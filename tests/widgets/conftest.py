"""What the tests of the widgets share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from factories.lab import Lab

from pipeline_widgets.application import Services
from pipeline_widgets.wiring import connect


@pytest.fixture
def services(lab: Lab) -> Iterator[Services]:
    """The services of the same workspace, as a view has them."""
    made = connect(lab.store.database.url, artifacts=lab.store.artifacts)
    yield made
    made.store.database.close()
