"""The experiments of a project: a list that trains, and in an expanded row what an experiment has done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.retention import list_deletable, parse_keep, summarize_clean_up
from pipeline_widgets.errors import NotFoundError, PipelineError
from pipeline_widgets.services.queries.experiment_list import ListedExperiment
from pipeline_widgets.services.queries.overview import ExperimentRow
from pipeline_widgets.services.queries.paging import Page
from pipeline_widgets.widgets.base import Row, describe_error
from pipeline_widgets.widgets.clean_up import clean_up_row
from pipeline_widgets.widgets.experiment_form import filled_form, new_form, submitted
from pipeline_widgets.widgets.experiment_rows import detail_row, list_row, resume_row
from pipeline_widgets.widgets.paged import PagedView, Query
from pipeline_widgets.widgets.snapshot import table_html, table_text
from pipeline_widgets.widgets.steps import choice_up

COLUMNS = ("Name", "Algorithm", "Status", "Runs", "Best evaluation score", "Last modified")
POINTS = 600  # of a curve, at most
LISTED = 50  # checkpoints that an expanded row lists; as many more at each wish


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpandedRow:
    """What an expanded row shows of its experiment."""

    #: The run that is shown; None for the latest.
    run: int | None = None
    metric: str | None = None
    checkpoints: int = LISTED
    #: Whether the checkpoints of all runs are listed.
    every: bool = False


class ExperimentsView(PagedView):
    """A project's experiments, live.

    Args:
        services: The workspace.
        project_id: The project.
        on_results: Opens Results for an experiment; without it the list offers none.
    """

    view = t.Unicode("ExperimentsView").tag(sync=True)

    TITLE = "Experiments"

    #: What the rows that are expanded show, by the experiment's id.
    details = t.List(t.Dict()).tag(sync=True)
    #: Whether Results can be opened from here.
    results = t.Bool(default_value=False).tag(sync=True)

    def __init__(
        self, services: Services, project_id: int, *, on_results: Callable[[int], None] | None = None
    ) -> None:
        self._project_id = project_id
        self._on_results = on_results
        self._query = self.FIRST
        self._revision = -1
        self._open: dict[int, ExpandedRow] = {}
        self._previewed = set[int]()
        self._shown = services.experiment_list.page(project_id)
        super().__init__(services, results=on_results is not None)
        self.refresh()

    def update(self) -> bool:
        """Read the page where anything has changed; its rows stay where they are."""
        revision = self._services.store.revision(self._project_id)
        if revision != self._revision:
            self.show_page(self._query, stay=True)
            self.page_shown()
            self._revision = revision
        return any(row.status.active for row in self._shown.rows)

    # ---- commands: looking

    def do_expand(self, experiment: int) -> None:
        """Show what an experiment has done."""
        self._services.experiments.get(experiment)
        self._open.setdefault(experiment, ExpandedRow())
        self.page_shown()

    def do_collapse(self, experiment: int) -> None:
        """Show no more of it than its row."""
        self._open.pop(experiment, None)
        self.page_shown()

    def do_look(
        self,
        experiment: int,
        run: int | None = None,
        metric: str | None = None,
        *,
        more: bool = False,
        every: bool | None = None,
    ) -> None:
        """Show another run or metric of an experiment; list more checkpoints, or those of every run."""
        look = self._open.get(experiment, ExpandedRow())
        self._open[experiment] = ExpandedRow(
            run=run or look.run,
            metric=metric or look.metric,
            checkpoints=look.checkpoints + (LISTED if more else 0),
            every=look.every if every is None else every,
        )
        self.page_shown()

    def do_results(self, experiment: int) -> None:
        """Open Results for an experiment."""
        if self._on_results is not None:
            self._on_results(experiment)

    # ---- commands: forms

    def do_form(self, algorithm: str | None = None, experiment: int | None = None) -> Row:
        """Return the form of a new experiment with that algorithm, or of one that is there."""
        if experiment is not None:
            return filled_form(self._services.experiments.get(experiment))
        return new_form(algorithm)

    def do_create(self, **sent: Any) -> Row:
        """Make an experiment and show it, or return what is wrong with the form."""
        made, refused = submitted(self._services, self._project_id, sent)
        if made is None:
            return {"refused": refused}
        self.reveal(made.id)
        return {"id": made.id, "name": made.name}

    def do_change(self, experiment: int, **sent: Any) -> Row:
        """Give an experiment another config, or return what is wrong with the form."""
        before = self._services.experiments.get(experiment)
        made, refused = submitted(self._services, self._project_id, sent, changed=before)
        self.refresh()
        return {"refused": refused} if made is None else {"id": made.id, "name": made.name}

    def do_resume_form(self, experiment: int) -> Row:
        """Return what an experiment can go on from, and what that does to its pipeline."""
        return resume_row(self._services.resume_options.find_options(experiment))

    # ---- commands: doing

    def do_train(self, experiment: int) -> None:
        """Train an experiment by itself."""
        self._services.train(experiment)
        self.refresh()

    def do_stop(self, experiment: int) -> None:
        """Ask its active run to stop."""
        self._services.runs.stop_experiment(experiment)
        self.refresh()

    def do_resume(
        self, experiment: int, run: int, choice: Choice, name: str, config: dict[str, Any] | None = None
    ) -> Row:
        """Go on from a checkpoint of one of its runs, as a new experiment, with these fields changed."""
        chosen = self._services.resume_options.chosen(experiment, run, choice_up(choice))
        made, _ = self._services.resume(experiment, chosen.id, name, config)
        self.reveal(made.id)
        return {"id": made.id, "name": made.name}

    def do_duplicate(self, experiment: int, name: str | None = None) -> Row:
        """Copy an experiment without its runs."""
        made = self._services.experiments.duplicate(experiment, name)
        self.reveal(made.id)
        return {"id": made.id, "name": made.name}

    def do_copy_name(self, experiment: int) -> str:
        """Return the name that a copy would get."""
        return self._services.experiments.name_of_copy(experiment)

    def do_delete(self, experiment: int) -> None:
        """Delete an experiment with its runs and checkpoints."""
        self._services.experiments.delete(experiment)
        self._open.pop(experiment, None)
        self.refresh()

    def do_deploy(self, checkpoint: int, name: str, description: str = "", *, connect: bool = False) -> Row:
        """Save a checkpoint as an Agent, and serve it if that is wished; its key is told only here.

        One that cannot be served is saved all the same: the answer says so, with the trouble.
        """
        agent = self._services.agents.create(name, checkpoint, description)
        key, trouble = None, None
        try:
            key = self._services.connect_agent(agent.id) if connect else None
        except PipelineError as error:
            trouble = describe_error(error)
        self.refresh()
        return {"id": agent.id, "name": agent.name, "key": key, "trouble": trouble}

    def do_delete_checkpoint(self, checkpoint: int) -> None:
        """Delete a checkpoint and its files."""
        self._services.experiments.delete_checkpoint(checkpoint)
        self.refresh()

    def do_clean_up_form(self, keep: str) -> Row:
        """Return which checkpoints a clean-up would free, and why the others stay."""
        found = self._services.retention.preview(self._project_id, parse_keep(keep))
        self._previewed = {each.id for each in list_deletable(found)}
        return clean_up_row(found)

    def do_clean_up(self, keep: str) -> Row:
        """Free the checkpoints that were previewed last, as far as nobody asks for them meanwhile."""
        found = self._services.retention.delete_unreferenced(
            self._project_id, parse_keep(keep), only=self._previewed
        )
        self.refresh()
        return asdict(summarize_clean_up(found))

    # ---- without a kernel

    def static_html(self) -> str:
        """Return the page as a table."""
        rows = table_rows(self._shown.rows)
        return table_html(self.title, COLUMNS, rows, at=datetime.now(UTC), noun="experiment")

    def static_text(self) -> str:
        """Return the page in a few lines."""
        return table_text(self.title, COLUMNS, table_rows(self._shown.rows), at=datetime.now(UTC))

    # ---- reading

    def read_page(self, query: Query, holding: int | None = None) -> Page[ListedExperiment]:
        """Read a page of the project's experiments."""
        return self._services.experiment_list.page(self._project_id, **asdict(query), holding=holding)

    def row_of(self, listed: ListedExperiment, found: Page[ListedExperiment]) -> Row:
        """Return what the row of an experiment shows."""
        del found
        return list_row(listed)

    def page_shown(self) -> None:
        """Read what the expanded rows of this page show; on another page they stay expanded."""
        shown = [row.id for row in self._shown.rows if row.id in self._open]
        found = [self._detail(each, self._open[each]) for each in shown]
        self.show_rows("details", [each for each in found if each is not None])

    def _detail(self, experiment_id: int, look: ExpandedRow) -> Row | None:
        try:
            detail = self._services.experiment_details.get(experiment_id, checkpoints=look.checkpoints)
            latest = detail.runs[0].run.id if detail.runs else None
            charted = latest if look.run is None else look.run
            run_detail = None
            if charted is not None:
                run_detail = self._services.run_details.run(charted, points=POINTS, lines=0)
        except NotFoundError:  # it was deleted since the page was read
            return None
        return detail_row(detail, run_detail, look.metric, None if look.every else look.checkpoints)


def table_rows(found: Sequence[ExperimentRow | ListedExperiment]) -> list[tuple[Any, ...]]:
    """Return experiments as rows of a picture that is read without a kernel."""
    return [
        (each.name, each.algorithm, each.status, each.runs, each.best, each.modified_at) for each in found
    ]
