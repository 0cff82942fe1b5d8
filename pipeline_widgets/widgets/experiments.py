"""The experiments of a project, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import traitlets as t

from pipeline_widgets.domain.experiment import is_finite
from pipeline_widgets.services.overview import ExperimentRow
from pipeline_widgets.widgets import assets
from pipeline_widgets.widgets.base import Row, View
from pipeline_widgets.widgets.snapshot import table_html, table_text
from pipeline_widgets.wiring import Services

TITLE = "Experiments"
COLUMNS = ("Name", "Algorithm", "Status", "Runs", "Best evaluation score", "Last modified")


class ExperimentsView(View):
    """A project's experiments, live."""

    _esm = assets.script("experiments")
    _css = assets.style("experiments")

    experiments = t.List(t.Dict()).tag(sync=True)

    def __init__(self, services: Services, project_id: int) -> None:
        self._project_id = project_id
        self._revision = -1
        self._live = False
        self._found: Sequence[ExperimentRow] = ()
        super().__init__(services)
        self.refresh()

    def update(self) -> bool:
        """Read the experiments where anything has changed."""
        revision = self._services.store.revision(self._project_id)
        if revision != self._revision:
            self._found = self._services.overview.experiments(self._project_id)
            self._live = any(each.status.active for each in self._found)
            self.show_rows("experiments", [_row(each) for each in self._found])
            self._revision = revision
        return self._live

    def static_html(self) -> str:
        """Return the table as it is now."""
        return table_html(TITLE, COLUMNS, table_rows(self._found), at=datetime.now(UTC))

    def static_text(self) -> str:
        """Return the table as it is now, in a few lines."""
        return table_text(TITLE, COLUMNS, table_rows(self._found), at=datetime.now(UTC))


def table_rows(found: Sequence[ExperimentRow]) -> list[tuple[Any, ...]]:
    """Return experiments as rows of a picture that is read without a kernel."""
    return [
        (each.name, each.algorithm, each.status, each.runs, each.best, each.modified_at) for each in found
    ]


def _row(row: ExperimentRow) -> Row:
    return {
        "id": row.id,
        "name": row.name,
        "algorithm": row.algorithm,
        "status": str(row.status),
        "runs": row.runs,
        "best": row.best if is_finite(row.best) else None,
        "modified": row.modified_at.timestamp(),
    }
