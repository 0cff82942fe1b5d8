"""Pipelines."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_widgets.algorithms.evaluators import Evaluator
from pipeline_widgets.api import display
from pipeline_widgets.api.annotated import Annotated, annotation_columns, with_annotations
from pipeline_widgets.api.arguments import (
    GateArgument,
    ResourcesArgument,
    StartArgument,
    placement_from_arguments,
    start_from_argument,
)
from pipeline_widgets.api.experiment import Experiment, ExperimentOption
from pipeline_widgets.api.frames import column_frame
from pipeline_widgets.api.handle import id_in, of_items
from pipeline_widgets.api.listing import Listing
from pipeline_widgets.api.progress import Bars, waiting
from pipeline_widgets.api.run import Run
from pipeline_widgets.api.stage import Stage, stages
from pipeline_widgets.api.template import Template
from pipeline_widgets.application import Services
from pipeline_widgets.domain import chain
from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage
from pipeline_widgets.domain.history import Event
from pipeline_widgets.domain.pipeline_run import PipelinePlan, RunGoal
from pipeline_widgets.domain.plan import Problem
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT
from pipeline_widgets.domain.stage_settings import parse_choice, parse_gate, parse_retries, parse_trigger
from pipeline_widgets.persistence.repositories.base import NamedRow
from pipeline_widgets.services.pipelines import first_or_source
from pipeline_widgets.services.queries.pipeline_curves import STAGE_METRIC_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from pipeline_widgets.widgets.pipeline import PipelineView

SHOWN = 8  # names of stages in a repr


class Pipeline(Annotated, display.ShowsView):
    """An ordered list of stages."""

    kind = "pipeline"

    def __repr__(self) -> str:
        names = list(self._services.states.names(self._id).values())
        more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
        return f"Pipeline({self.name!r}, stages=[{', '.join([*map(repr, names[:SHOWN]), *more])}])"

    @property
    def name(self) -> str:
        """Its name, unique in its project."""
        return self._now.name

    @property
    def description(self) -> str:
        """Its description."""
        return self._now.description

    @property
    def modified_at(self) -> datetime:
        """The latest change to it or any of its stages, in UTC."""
        return self._now.modified_at

    @property
    def stages(self) -> Listing[Stage]:
        """Its stages, in order."""
        return stages(self._services, self._id)

    def add_experiment_stage(
        self,
        experiment: Experiment,
        *,
        trigger: str = "manual",
        start: StartArgument | None = None,
        auto_add_agent: bool = False,
        position: int | None = None,
        duplicate: bool = False,
        gate: GateArgument = None,
        retries: int = 0,
        launcher: str | None = None,
        resources: ResourcesArgument = None,
    ) -> Stage:
        """Add a stage that runs an experiment.

        Args:
            experiment: An experiment of the same project.
            trigger: "manual", or "auto" to start when the prior stage succeeds.
            start: For the first stage "scratch" (default) or a saved Agent; for later ones "best"
                (default), "final", or a step of the source stage.
            auto_add_agent: Add the best checkpoint to Agents when complete.
            position: Insert before this position, counted from 0; at the end by default.
            duplicate: Attach a copy of the experiment.
            gate: For an Auto stage, a bound for the evaluation score of what it starts from.
            retries: How often a run that crashes is retried, from its own last checkpoint. One that fails,
                or is stopped, is not.
            launcher: Where its runs are launched, such as "slurm"; by default as the experiment says, or the
                workspace.
            resources: What they ask for, such as `{"gpu": 1, "memory": "24 GiB"}`; by default as the
                experiment says, or the workspace.

        Raises:
            OrderError: It could not stand there.
            DoesNotFitError: Its algorithm cannot start from what its source stage produces.
            RuleError: The pipeline uses the experiment already; duplicate it.
        """
        begin = start_from_argument(self._services, start)
        stage = ExperimentStage(
            experiment_id=id_in(self._services, experiment, Experiment),
            trigger=parse_trigger(trigger),
            start=first_or_source(self._now, begin, position),
            auto_add_agent=auto_add_agent,
            gate=parse_gate(gate),
            retries=parse_retries(retries),
            placement=placement_from_arguments(DEFAULT_PLACEMENT, launcher, resources),
        )
        return self._add(stage, position, duplicate=duplicate)

    def add_deployment_stage(
        self,
        agent_name: str,
        *,
        trigger: str = "manual",
        checkpoint: Any = "best",
        description: str = "",
        position: int | None = None,
        gate: GateArgument = None,
    ) -> Stage:
        """Add a stage that deploys a checkpoint of the source stage to an Agent.

        Args:
            agent_name: The agent that it makes, or gives a new version.
            trigger: "manual", or "auto" to start when the prior stage succeeds.
            checkpoint: "best", "final", or a step.
            description: The agent's description.
            position: Insert before this position, counted from 0; at the end by default.
            gate: For an Auto stage, a bound for the evaluation score, or "better than deployed".

        Raises:
            OrderError: There is no Experiment stage before it.
        """
        stage = DeploymentStage(
            agent_name=agent_name,
            agent_description=description,
            choice=parse_choice(checkpoint),
            trigger=parse_trigger(trigger),
            gate=parse_gate(gate),
        )
        return self._add(stage, position, duplicate=False)

    def experiment_options(self, position: int | None = None) -> Listing[ExperimentOption]:
        """Return the project's experiments as candidates for a stage, those that fit first.

        Args:
            position: Where the stage would be inserted, counted from 0; at the end by default.
        """
        found = self._services.forms.stage(self._id, position=position).experiments
        return Listing("experiment", (ExperimentOption(self._services, each) for each in found))

    def update(self, *, name: str | None = None, description: str | None = None) -> None:
        """Change its name or description.

        Args:
            name: The new name.
            description: The new description; may be empty.

        Raises:
            NameTakenError: The project has a pipeline of that name.
        """
        self._services.pipelines.update(self._id, name=name, description=description)

    @property
    def evaluator(self) -> str | None:
        """The evaluator by whose scores Best and gates go; None where algorithms' own scores decide."""
        return self._now.score_by

    def score_by(self, evaluator: str | Evaluator | None) -> None:
        """Let Best and gates go by the scores of an evaluator, instead of what the algorithms report.

        A stage that it accepts is scored when its training has returned, before its run has succeeded. Stages
        of other kinds go by their own scores. Checkpoints of earlier runs are scored by `project.evaluate`.

        Args:
            evaluator: The name of an evaluator, or the evaluator itself; None for the algorithms' own scores.

        Raises:
            EvaluatorNotFoundError: There is no evaluator of that name.
            RuleError: It scores nothing that a stage makes.
            InUseError: A stage is active.
        """
        self._services.score_by(self._id, evaluator)

    def duplicate(self) -> Pipeline:
        """Copy stages and settings, not runs, as "NAME (copy)"."""
        return Pipeline(self._services, self._services.pipelines.duplicate(self._id).id)

    def delete(self) -> None:
        """Delete it; experiments, checkpoints, runs and agents stay.

        Raises:
            InUseError: A stage is active.
        """
        self._services.pipelines.delete(self._id)

    @property
    def history(self) -> Listing[PipelineEvent]:
        """The edits of it: who did what and when, oldest first."""
        found = self._services.history.events(self._id)
        return Listing("event", (PipelineEvent(each) for each in found))

    def undo(self) -> str:
        """Undo the last edit that is not undone yet, whoever made it, and return what that was.

        Repeated, it undoes the edits before that one; 20 of them are kept. A stage that was deleted comes
        back with its runs.

        Raises:
            RuleError: There is no edit to undo.
            InUseError: A stage that it concerns is active.
        """
        return self._services.history.undo(self._id).undone.sentence

    def redo(self) -> str:
        """Do again what was undone last, if nothing was edited since, and return what that was.

        Raises:
            RuleError: There is no such edit.
            InUseError: A stage that it concerns is active.
        """
        return self._services.history.redo(self._id).undone.sentence

    def to_yaml(self) -> str:
        """Return it as YAML, from which `project.import_pipeline` makes it again, here or elsewhere."""
        return self._services.transfer.to_yaml(self._id)

    def save_as_template(self, name: str, *, description: str | None = None) -> Template:
        """Keep its stages, settings and the configs of its experiments as a template for new pipelines.

        Args:
            name: The name of the template.
            description: What it is for; by default that of the pipeline.

        Raises:
            NameTakenError: There is a template of that name.
            RuleError: The pipeline has no stages.
        """
        return Template(self._services, self._services.templates.save(self._id, name, description))

    def to_python(self) -> str:
        """Return Python code that rebuilds it in an empty workspace."""
        return self._services.transfer.to_python(self._id)

    def check(self) -> tuple[Problem, ...]:
        """Return what would stop the chain, by stage; empty when all is well.

        Warns where the code here is another one than a stage ran, or was set up with in another notebook: it
        stops nothing, and is what a trigger would run.
        """
        for note in self._services.runs.code_notes(self._id):
            warnings.warn(note, stacklevel=2)
        return self._services.runs.check(self._id)

    def plan(
        self,
        *,
        bring_up_to_date: bool = False,
        run_through: bool = False,
        start_over: bool = False,
        from_stage: Stage | None = None,
    ) -> PipelinePlan:
        """Return the plan of `run`, or of `bring_up_to_date`: what runs, follows, and waits for you.

        Args:
            bring_up_to_date: Whether to plan bringing it up to date.
            run_through: Whether Manual stages on the way are started too.
            start_over: Whether a stage that could be resumed begins again.
            from_stage: The stage to begin with, again, in a plan of `bring_up_to_date`.
        """
        goal = RunGoal.UP_TO_DATE if bring_up_to_date or from_stage else RunGoal.NEXT
        return self._services.pipeline_runs.plan(
            self._id,
            goal,
            run_through=run_through,
            start_over=start_over,
            from_stage=self._own_stage(from_stage),
        )

    def run(self, *, run_through: bool = False, start_over: bool = False) -> Run:
        """Run what is next: trigger the first stage that has not succeeded, and let Auto stages follow.

        What follows needs no kernel. A stage that was stopped, failed or crashed goes on from its own last
        checkpoint, unless what it starts from or its config has changed. Warns of the notes of its plan.

        Args:
            run_through: Start the Manual stages on the way too, each when the one before it has succeeded;
                by default the chain ends before the first of them.
            start_over: Begin a stage again that could be resumed.

        Returns:
            The run of the first stage. `pipe.wait()` waits for all of them.

        Raises:
            TriggerError: There is nothing to do, or the stage cannot start now; it says why.
            CheckpointError: What it would start from is missing or corrupt.
            ConflictError: Another process has triggered it at the same moment.
        """
        return self._start(RunGoal.NEXT, run_through=run_through, start_over=start_over)

    def bring_up_to_date(
        self, *, run_through: bool = False, start_over: bool = False, from_stage: Stage | None = None
    ) -> Run:
        """Run again what is stale, from the first stage that is, and let Auto stages follow.

        Args:
            run_through: Start the stale Manual stages on the way too; by default the chain ends before the
                first of them.
            start_over: Begin a stage again that could be resumed.
            from_stage: Begin with this stage, from its beginning, whether it is stale or not; then run again
                what that makes stale.

        Returns:
            The run of the first stage.

        Raises:
            NotFoundError: `from_stage` is not one of this pipeline.
            TriggerError: Nothing is stale, or the stage cannot start now; it says why.
            CheckpointError: What it would start from is missing or corrupt.
            ConflictError: Another process has triggered it at the same moment.
        """
        return self._start(
            RunGoal.UP_TO_DATE,
            run_through=run_through,
            start_over=start_over,
            from_stage=self._own_stage(from_stage),
        )

    def stop(self) -> None:
        """Ask all its active runs to stop; no Auto stage starts then. Does nothing where none is active."""
        self._services.stop_all(self._id)

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> Pipeline:
        """Wait until nothing is active and no Auto stage is due, and return the pipeline.

        Args:
            timeout: Seconds; None waits as long as it takes.
            progress: Show a progress bar for each stage that runs.

        Raises:
            WaitTimeoutError: It was not done in time; the runs go on.
        """
        with Bars(shown=progress) as bars:
            for now in waiting(timeout, f"Pipeline {self.name!r}"):
                self._services.reconcile()
                settled = self._services.runs.is_settled(
                    self._id
                )  # before the bars, so that they show the end
                if progress:
                    self._show(bars, now)
                if settled:
                    break
        return self

    @property
    def metrics(self) -> pd.DataFrame:
        """The metrics of all stages: columns stage, name, run, step, metric, value.

        For a stage, those of its latest run after those of the runs that it resumed. Stages are counted
        from 1.
        """
        state = self._services.states.pipeline(self._id)
        told = self._services.pipeline_curves.metrics(state)
        values = told.values  # noqa: PD011  no pandas yet
        columns = (told.stages, told.stage_names, told.runs, told.steps, told.names, values)
        return column_frame(dict(zip(STAGE_METRIC_COLUMNS, columns, strict=True)))

    def view(self) -> PipelineView:
        """Return a new live view of it, as the last line of a cell shows it.

        Raises:
            ExecutionError: What a notebook needs is not installed.
        """
        with display.needs_widgets():
            from pipeline_widgets.widgets.pipeline import PipelineView  # noqa: PLC0415  only for a notebook
        return PipelineView(self._services, self._now.id)

    def to_html(self, path: str | Path) -> Path:
        """Write where it stands now as one HTML file that needs neither kernel nor network.

        Args:
            path: The file; one that is there is replaced.

        Raises:
            StorageError: There is no such folder, or it cannot be written.
        """
        from pipeline_widgets.widgets.snapshot import pipeline_html  # noqa: PLC0415  as all widgets

        state = self._services.states.pipeline(self._id)
        runs = [each.run.id for each in state.stages if each.run is not None]
        samples = self._services.shown_items.latest_samples(runs)
        return display.write(Path(path), pipeline_html(state, samples, at=datetime.now(UTC), page=True))

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return {**_row(self._now), **annotation_columns(self._annotation)}

    def _own_stage(self, stage: Stage | None) -> int | None:
        return None if stage is None else id_in(self._services, stage, Stage)

    def _start(self, goal: RunGoal, **options: Any) -> Run:
        self._services.reconcile()
        planned = self._services.pipeline_runs.plan(self._id, goal, **options)
        for note in planned.plan.notes if planned.plan else ():  # before the code as it is here is kept
            warnings.warn(note, stacklevel=3)
        return Run(self._services, self._services.run_pipeline(self._id, goal, **options).id)

    def _show(self, bars: Bars, now: datetime) -> None:
        for each in self._services.states.pipeline(self._id).stages:
            if each.run is not None:
                bars.show(each.run.id, each.name, each.run.progress(now), each.status)

    def _add(self, stage: chain.Stage, position: int | None, *, duplicate: bool) -> Stage:
        added, also = self._services.pipelines.add_stage(
            self._id, stage, position=position, duplicate=duplicate
        )
        return Stage(self._services, added.id, also)

    @property
    def _now(self) -> chain.Pipeline:
        return self._services.pipelines.get(self._id)


class PipelineEvent:
    """Something that was done to a pipeline."""

    def __init__(self, value: Event) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.who}: {self.what}"

    @property
    def at(self) -> datetime:
        """The time, in UTC."""
        return self._value.at

    @property
    def who(self) -> str:
        """User and host."""
        return self._value.who

    @property
    def what(self) -> str:
        """The edit, in a sentence."""
        return self._value.what

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return {"at": self.at, "who": self.who, "what": self.what}


def pipelines(services: Services, project_id: int) -> Listing[Pipeline]:
    """Return a listing of a project's pipelines.

    Args:
        services: The workspace.
        project_id: The project.
    """

    def rows(listed: Sequence[Pipeline]) -> list[dict[str, Any]]:
        known = services.pipelines.of_project(project_id)
        made = {each.id: _row(each) for each in known}
        return of_items(listed, with_annotations(services, "pipeline", made))

    def select(where: str) -> Listing[Pipeline]:
        return listing(services.overview.pipeline_names(project_id, where))

    def listing(found: Sequence[NamedRow]) -> Listing[Pipeline]:
        made = (Pipeline(services, each.id) for each in found)
        return Listing("pipeline", made, rows, lambda: [each.name for each in found], select)

    return listing(services.overview.pipeline_names(project_id))


def _row(value: chain.Pipeline) -> dict[str, Any]:
    return {
        "name": value.name,
        "description": value.description,
        "stages": len(value.stages),
        "modified_at": value.modified_at,
    }
