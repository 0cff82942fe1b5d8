"""The builder of one pipeline: its stage graph, and what can be done with its stages."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import ipycytoscape
import ipywidgets
import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage
from pipeline_widgets.domain.history import Event
from pipeline_widgets.domain.revisions import NEVER
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.services.history import current_user
from pipeline_widgets.services.queries.pipeline_state import PipelineState, StageState
from pipeline_widgets.services.queries.run_detail import RunDetail
from pipeline_widgets.services.queries.stage_agent import StageAgent
from pipeline_widgets.widgets.base import ReadOnlyState, Row
from pipeline_widgets.widgets.config_editing import ConfigEditingView
from pipeline_widgets.widgets.deploying import DeployingView
from pipeline_widgets.widgets.encoding import encode, encode_fields
from pipeline_widgets.widgets.experiment_form import new_form, submitted
from pipeline_widgets.widgets.lineage import LineageView
from pipeline_widgets.widgets.pipeline_chart import pipeline_chart_row
from pipeline_widgets.widgets.pipeline_runs import pipeline_plan_row, start_pipeline_run
from pipeline_widgets.widgets.results import ResultsView
from pipeline_widgets.widgets.scoring import ScoringView, evaluators_row, known_evaluators, started_row
from pipeline_widgets.widgets.showing import ShowingView
from pipeline_widgets.widgets.snapshot import pipeline_html, pipeline_text
from pipeline_widgets.widgets.stage_form import find_placement_errors, form_row, parse_stage
from pipeline_widgets.widgets.stage_graph import stage_rows
from pipeline_widgets.widgets.stage_panel import environment_row, panel_row
from pipeline_widgets.widgets.triggering import TriggeringView

METRICS_AT_ONCE = 10_000_000  # that a look at a run reads: about a second; the next look goes on
EVENTS = 200  # that the history shows


class PipelineView(TriggeringView, ConfigEditingView, LineageView, ScoringView, DeployingView, ShowingView):
    """One pipeline, live.

    Args:
        services: The workspace.
        pipeline_id: The pipeline.
        headed: Whether it shows its own name and description; in a list the row does.
        on_results: Opens Results for an experiment; without it they open below the graph.
    """

    view = t.Unicode("PipelineView").tag(sync=True)

    #: Carries the Cytoscape core, which the browser drives.
    canvas: Any = t.Instance(ipycytoscape.CytoscapeWidget).tag(sync=True, **ipywidgets.widget_serialization)
    pipeline = t.Dict().tag(sync=True)
    stages = t.List(t.Dict()).tag(sync=True)
    #: The stage whose run the panel shows; 0 for none.
    selected = t.Int(0).tag(sync=True)
    #: Whether the stage that runs is selected, until a person selects another one (spec 4.9).
    following = t.Bool(default_value=True).tag(sync=True)
    panel = t.Dict().tag(sync=True)
    #: The chart of one metric over all stages; empty while it is closed.
    chart = t.Dict().tag(sync=True)
    headed = t.Bool(default_value=True).tag(sync=True)
    results: Any = t.Instance(ResultsView, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(
        self,
        services: Services,
        pipeline_id: int,
        *,
        headed: bool = True,
        on_results: Callable[[int], None] | None = None,
    ) -> None:
        self._services = services
        self._pipeline_id = pipeline_id
        self._on_results = on_results
        self._state = services.states.pipeline(pipeline_id)
        self._revision = NEVER
        self._code: Sequence[str | None] = ()
        self._references: Sequence[tuple[str, AlgorithmReference]] = ()
        self._references_read_at: object = None
        self._whole = True
        self._scoring = False
        self._run_detail: RunDetail | None = None
        self._evaluations: list[Row] = []  # of its checkpoints
        self._charted: str | None = None
        super().__init__(
            services,
            canvas=_canvas(),
            headed=headed,
            selected=_first_unfinished(self._state),
            **self._show(),
        )
        self._show_panel()

    def update(self) -> bool:
        """Read the pipeline where anything has changed, and the selected run where it is active."""
        before, project_id = self._revision, self._state.pipeline.project_id
        changes = self._services.store.changes
        revision = changes.revisions(project_id)
        records = self._services.run_records
        read_at = (revision.edits, self._services.read_only_reason)
        if read_at != self._references_read_at:
            self._references = records.code_references(self._pipeline_id)
            self._references_read_at = read_at
        code = records.code_versions(self._references)
        is_edited = not revision.has_only_reports_since(before) or code != self._code
        self._code = code
        if is_edited:
            self._read()
        reported: Collection[int] = ()
        if not is_edited and revision != before:
            told = changes.reported(project_id, before)
            reported = told.runs if self._pipeline_id in told.pipelines else ()  # else it is another one's
        moved = is_edited or bool(reported)
        prints = not self._state.settled and not changes.holds_reports
        if moved or prints or not self._whole or self._scoring:
            self._show_panel(is_edited=is_edited)
            if reported:
                self._show_reports(reported)
            if self.chart:
                self._show_chart()
        self._revision = revision
        return self._scoring or not (self._whole and self._state.settled)

    # ---- commands: looking

    def do_select(self, stage: int) -> None:
        """Show the run of a stage in the panel; one that does not run keeps the selection from following."""
        running = self._state.running
        self._select(stage, following=running is not None and running.stage.id == stage)

    def do_follow(self, *, on: bool) -> None:
        """Select the stage that runs, now and from now on, or no longer."""
        self.show(following=on)
        self._follow()
        self._show_panel()

    def do_form(self, stage: int | None = None, position: int | None = None) -> Row:
        """Return what the form for a stage needs, to edit one or to insert one at a position."""
        return form_row(self._services.forms.stage(self._pipeline_id, stage_id=stage, position=position))

    def do_experiment_form(
        self, algorithm: str | None = None, stage: int | None = None, position: int | None = None
    ) -> Row:
        """Return the form of a new experiment for a stage; algorithms that do not fit there say why."""
        find_misfit = self._services.forms.misfits(self._pipeline_id, stage_id=stage, position=position)
        return new_form(algorithm, find_misfit)

    def do_create_experiment(self, **sent: Any) -> Row:
        """Make an experiment for a stage, or return what is wrong with its form."""
        made, refused = submitted(self._services, self.project_to_score(), sent)
        return {"refused": refused} if made is None else {"id": made.id, "name": made.name}

    def do_check(self) -> list[Row]:
        """Return what would stop the chain, by stage."""
        return encode(self._services.runs.check(self._pipeline_id))

    def do_results(self, stage: int) -> None:
        """Open Results for the experiment of a stage (spec 4.3)."""
        bound = self._state.pipeline.stage(stage)
        if not isinstance(bound, ExperimentStage):
            raise NotFoundError("A Deployment has no results.", fix="Look at its source stage.")
        if self._on_results is not None:
            self._on_results(bound.experiment_id)
        elif self.results is None:
            project = self._state.pipeline.project_id
            self.results = ResultsView(self._services, project, chosen=(bound.experiment_id,))
        else:
            self.results.choose((bound.experiment_id,))

    def do_close_results(self) -> None:
        """Close Results below the graph."""
        if self.results is not None:
            closed, self.results = self.results, None
            closed.close()

    def do_chart(self, metric: str | None = None) -> None:
        """Show a metric over all stages, end to end (spec 9.5)."""
        self._charted = metric
        self._show_chart()

    def do_close_chart(self) -> None:
        """Close that chart."""
        self.show_patched(chart={})

    def do_environment(self, run: int) -> Row:
        """Return how a run came about: the machine, git, and the code with its texts."""
        return environment_row(self._services.run_records.run(run))

    # ---- commands: editing. `version` is that of the pipeline that the edit is based on (spec 5.13).

    def do_add(self, settings: Row, position: int, version: int, *, duplicate: bool = False) -> Row:
        """Insert a stage, or return what is wrong with fields of the form."""
        if errors := find_placement_errors(settings):
            return {"refused": errors}
        added, also = self._services.pipelines.add_stage(
            self._pipeline_id,
            parse_stage(settings),
            position=position,
            duplicate=duplicate,
            expected_version=version,
        )
        self.refresh()
        self._select(added.id, following=self.following and self._state.settled)
        return {"stage": added.id, "also": list(also), "version": self._state.pipeline.version}

    def do_edit(self, stage: int, settings: Row, version: int, *, duplicate: bool = False) -> Row:
        """Give a stage other settings, or return what is wrong with fields of the form."""
        if errors := find_placement_errors(settings):
            return {"refused": errors}
        return self._on_edit(
            self._services.pipelines.update_stage(
                stage,
                lambda before: parse_stage(settings, before),
                duplicate=duplicate,
                expected_version=version,
            )
        )

    def do_move(self, stage: int, to: int, version: int) -> Row:
        """Move a stage to a position."""
        return self._on_edit(self._services.pipelines.move_stage(stage, to, expected_version=version))

    def do_remove(self, stage: int, version: int) -> Row:
        """Remove a stage; its neighbour is selected then."""
        at = self._state.pipeline.position(stage)
        also = self._services.pipelines.delete_stage(stage, expected_version=version)
        self.refresh()
        left = self._state.stages
        neighbour = left[min(at, len(left) - 1)].stage.id if left else 0
        self._select(neighbour, following=self.following and self._state.settled)
        return {"also": list(also), "version": self._state.pipeline.version}

    def do_describe(self, version: int, name: str | None = None, description: str | None = None) -> None:
        """Give the pipeline another name or description."""
        self._services.pipelines.update(
            self._pipeline_id, name=name, description=description, expected_version=version
        )
        self.refresh()

    def do_plan_undo(self, *, redo: bool = False) -> Row:
        """Return what an undo or a redo would do, and the stages with runs or an agent that it takes away."""
        plan = self._services.history.plan(self._pipeline_id, redo=redo)
        return {**(_edit_row(plan.event) or {}), "version": plan.version, "losses": list(plan.losses)}

    def do_undo(self, version: int, *, redo: bool = False) -> Row:
        """Undo the last edit, or do again what was undone last, and return what was done."""
        act = self._services.history.redo if redo else self._services.history.undo
        return {"done": act(self._pipeline_id, expected_version=version).done.what, **self._on_edit(())}

    # ---- commands: scoring

    def project_to_score(self) -> int:
        """Return the project of the pipeline."""
        return self._state.pipeline.project_id

    def do_score_by_form(self) -> Row:
        """Return by what Best and gates go, and what they can go by."""
        options = self._services.evaluation_queries.options_for_pipeline(
            self._pipeline_id, known_evaluators()
        )
        pipeline = self._state.pipeline
        return {**encode_fields(pipeline, "version", "score_by"), **evaluators_row(options)}

    def do_score_by(self, evaluator: str | None, version: int, *, score: bool = False) -> Row:
        """Let Best and gates go by an evaluator; `score` also scores what the stages have saved."""
        services = self._services
        services.score_by(self._pipeline_id, evaluator, expected_version=version)
        started = None
        if score and evaluator is not None:
            saved = services.evaluations.checkpoints_of_pipeline(self._pipeline_id)
            started = services.evaluate(self.project_to_score(), evaluator, saved)
        self.refresh()
        self._refresher.wake()
        return {"started": started_row(started) if started is not None else None}

    # ---- commands: text and history

    def do_code(self) -> Row:
        """Return the pipeline as Python code and as YAML."""
        transfer, name = self._services.transfer, self._state.pipeline.name
        return {
            "python": transfer.to_python(self._pipeline_id),
            "yaml": transfer.to_yaml(self._pipeline_id),
            "file": re.sub(r"[^\w-]+", "-", name).strip("-") or "pipeline",
        }

    def do_save_as_template(self, name: str, description: str | None = None) -> Row:
        """Keep the pipeline as a template for new ones."""
        return {"name": self._services.templates.save(self._pipeline_id, name, description).name}

    def do_history(self) -> Row:
        """Return what was done, the latest first."""
        history = self._services.history
        events = history.events(self._pipeline_id, last=EVENTS + 1)[::-1]
        listed = [encode_fields(each, "at", "who", "what") for each in events[:EVENTS]]
        return {"events": listed, "more": len(events) > EVENTS}

    # ---- commands: running

    def show_triggered(self, stage: int) -> None:
        """Select the stage."""
        self._select(stage, following=True)

    def do_plan_run(self, goal: str, *, run_through: bool = False, start_over: bool = False) -> Row:
        """Return what running the pipeline, or bringing it up to date, will do (spec 4.8)."""
        return pipeline_plan_row(
            self._services, self._pipeline_id, goal, run_through=run_through, start_over=start_over
        )

    def do_run(
        self,
        goal: str,
        stage: int,
        *,
        run_through: bool = False,
        start_over: bool = False,
        duplicate: bool = False,
    ) -> Row:
        """Run the pipeline, or bring it up to date, and select the stage that runs first."""
        started = start_pipeline_run(
            self._services,
            self._pipeline_id,
            goal,
            stage,
            run_through=run_through,
            start_over=start_over,
            duplicate=duplicate,
        )
        self.refresh()
        self._select(stage, following=True)
        self._refresher.wake()
        return started

    def do_stop(self, stage: int) -> None:
        """Ask the active run of a stage to stop."""
        run = self._services.states.of_stage(stage).run
        if run is not None:
            self._services.stop(run.id)
        self.refresh()

    def do_accept(self, stage: int, note: str = "") -> None:
        """Let a stale stage count as fresh."""
        self._services.pipelines.accept_as_fresh(stage, note)
        self.refresh()

    def close(self) -> None:
        """End the view and what it holds."""
        if self.comm is not None:  # a view that could not be made holds nothing
            self.do_close_results()
            self.canvas.close()
        super().close()

    # ---- without a kernel

    def static_html(self) -> str:
        """Return the last state as a picture."""
        runs = [each.run.id for each in self._state.stages if each.run is not None]
        samples = self._services.shown_items.latest_samples(runs)
        return pipeline_html(self._state, samples, at=datetime.now(UTC))

    def static_text(self) -> str:
        """Return the last state in a few lines."""
        return pipeline_text(self._state, at=datetime.now(UTC))

    # ---- reading

    def _read(self) -> None:
        self._state = self._services.states.pipeline(self._pipeline_id)
        now = self._show()
        self.show(pipeline=now["pipeline"])
        self.show_rows("stages", now["stages"])
        if self.selected and self._find_chosen() is None:
            self.show(selected=0)
        self._follow()

    def _show_reports(self, run_ids: Collection[int]) -> None:
        """Show how far runs are now; the one in the panel was read for that."""
        known = {} if self._run_detail is None else {self._run_detail.run.id: self._run_detail.run}
        self._state = self._services.states.with_runs(self._state, run_ids, known)
        self.show_rows("stages", stage_rows(self._state))

    def _select(self, stage: int, *, following: bool) -> None:
        self.show(following=following)
        self._choose(stage)
        self._show_panel()

    def _follow(self) -> None:
        running = self._state.running
        if self.following and running is not None:
            self._choose(running.stage.id)

    def _choose(self, stage: int) -> None:
        if stage != self.selected:
            self.show_agent(0)  # of the stage before
        self.show(selected=stage)

    def _show(self) -> dict[str, Any]:
        pipeline = self._state.pipeline
        shown = encode_fields(pipeline, "id", "name", "description", "version", "score_by")
        shown["runs"] = encode(self._state.runs)
        options = self._services.history.options(pipeline.id)
        shown |= {"undo": _edit_row(options.undo), "redo": _edit_row(options.redo)}
        return {"pipeline": shown, "stages": stage_rows(self._state)}

    def _show_panel(self, *, is_edited: bool = True) -> None:
        """Show the run of the selected stage; without an edit, what it has reported and printed since."""
        chosen, before, was_scoring = self._find_chosen(), self._run_detail, self._scoring
        self._whole, self._scoring, self._run_detail = True, False, None
        if chosen is None:
            self.show_patched(panel={})
            return
        run_detail = None
        if chosen.run is not None:
            details = self._services.run_details
            if is_edited or before is None or before.run.id != chosen.run.id:
                run_detail, before = details.run(chosen.run.id, metrics=METRICS_AT_ONCE), None
            else:
                run_detail = details.with_reports(before, metrics=METRICS_AT_ONCE)
            self._whole = run_detail.whole  # a long run is read over several looks
        self._run_detail = run_detail
        deployed = None
        if isinstance(chosen.stage, DeploymentStage):
            deployed = self._services.stage_agents.get(chosen.stage, run_detail)
            self._show_its_agent(deployed)
        shown = panel_row(self._state, self.selected, run_detail, deployed)
        if run_detail is not None:
            if before is None or was_scoring:
                saved = self._services.evaluations.checkpoints_of_runs([run_detail.run.id])
                self._evaluations, self._scoring = self.open_evaluations(saved)
            shown["run"]["evaluations"] = self._evaluations
        self.show_patched(panel=shown)

    def _show_chart(self) -> None:
        curve = self._services.pipeline_curves.curve(self._state, self._charted, metrics=METRICS_AT_ONCE)
        self._whole = self._whole and curve.whole
        self.show_patched(chart=pipeline_chart_row(curve))

    def _show_its_agent(self, deployed: StageAgent) -> None:
        try:
            self.show_agent(deployed.agent_id or 0)
        except NotFoundError:  # it was deleted since
            self.show_agent(0)

    def _find_chosen(self) -> StageState | None:
        return next((each for each in self._state.stages if each.stage.id == self.selected), None)

    def _on_edit(self, also: tuple[str, ...]) -> Row:
        self.refresh()
        return {"also": list(also), "version": self._state.pipeline.version}


class Canvas(ReadOnlyState, ipycytoscape.CytoscapeWidget):
    """The Cytoscape core that a view draws on. What is dragged and zoomed there stays in the browser."""

    #: Not told to the browser: Cytoscape warns of any, and the wheel is ours.
    wheel_sensitivity = t.CFloat(1)


def _canvas() -> ipycytoscape.CytoscapeWidget:
    """Return the carrier of the Cytoscape core. Its own layout would move the viewport, so it has none."""
    canvas = Canvas()
    canvas.set_layout(name="preset", assess_fit=False)
    return canvas


def _first_unfinished(state: PipelineState) -> int:
    if state.running is not None:
        return state.running.stage.id
    for each in state.stages:
        if each.status != "Succeeded" or each.staleness.stale:
            return each.stage.id
    return state.stages[0].stage.id if state.stages else 0


def _edit_row(edit: Event | None) -> Row | None:
    """Return an edit that can be undone or done again; `by` where somebody else made it."""
    if edit is None:
        return None
    return {"what": edit.sentence.rstrip("."), "by": "" if edit.who == current_user() else edit.who}
