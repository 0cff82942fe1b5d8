"""The use cases of a workspace, and the execution that carries them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline_widgets.adoption.recognition import recognize
from pipeline_widgets.algorithms import evaluators, registry
from pipeline_widgets.domain.adoption import Adoption
from pipeline_widgets.domain.agent import Agent, VersionAnswer
from pipeline_widgets.domain.algorithm import AlgorithmReference, ConfiguredAlgorithm
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.limits import Limits
from pipeline_widgets.domain.notice import Notification
from pipeline_widgets.domain.pipeline_run import RunGoal
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.tracking import parse_trackers
from pipeline_widgets.errors import AlgorithmNotFoundError
from pipeline_widgets.execution import notifier
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.reconcile import Reconciler
from pipeline_widgets.execution.tracking import check_trackers
from pipeline_widgets.execution.trigger_place import start_reading_place
from pipeline_widgets.execution.version_comparison import VersionComparison
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.backup import back_up
from pipeline_widgets.persistence.store import Store, record_place
from pipeline_widgets.persistence.workspace_copy import WorkspaceCopy, copy_workspace
from pipeline_widgets.services.admission import QueueService
from pipeline_widgets.services.adoption import AdoptionService
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.annotations import AnnotationService
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.services.evaluations import EvaluationService, EvaluationStart
from pipeline_widgets.services.experiments import ExperimentService
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.notices import NoticeService
from pipeline_widgets.services.pipeline_runs import PipelineRunService
from pipeline_widgets.services.pipelines import PipelineService
from pipeline_widgets.services.projects import ProjectService
from pipeline_widgets.services.queries.agent_detail import AgentDetailQueries
from pipeline_widgets.services.queries.agent_list import AgentListQueries
from pipeline_widgets.services.queries.comparison import ComparisonQueries
from pipeline_widgets.services.queries.evaluations import EvaluationQueries
from pipeline_widgets.services.queries.experiment_detail import ExperimentDetailQueries
from pipeline_widgets.services.queries.experiment_list import ExperimentListQueries
from pipeline_widgets.services.queries.filter_fields import FilterFieldQueries
from pipeline_widgets.services.queries.lineage import LineageQueries
from pipeline_widgets.services.queries.overview import OverviewQueries
from pipeline_widgets.services.queries.pipeline_curves import PipelineCurveQueries
from pipeline_widgets.services.queries.pipeline_state import PipelineStateQueries
from pipeline_widgets.services.queries.resume_options import ResumeOptionsQueries
from pipeline_widgets.services.queries.run_detail import RunDetailQueries
from pipeline_widgets.services.queries.run_log import RunLogQueries
from pipeline_widgets.services.queries.run_records import RunRecordQueries
from pipeline_widgets.services.queries.shown_items import ShownItemQueries
from pipeline_widgets.services.queries.stage_agent import StageAgentQueries
from pipeline_widgets.services.queries.stage_form import StageFormQueries
from pipeline_widgets.services.queries.workspace_overview import WorkspaceOverviewQueries
from pipeline_widgets.services.retention import RetentionService
from pipeline_widgets.services.runs import RunService
from pipeline_widgets.services.stage_trigger import TriggerOptions
from pipeline_widgets.services.supervision import SupervisionService
from pipeline_widgets.services.templates import TemplateService
from pipeline_widgets.services.tracking import TrackingService
from pipeline_widgets.services.transfer import TransferService
from pipeline_widgets.serving.client import Reply


@dataclass(frozen=True, kw_only=True)
class Services:
    """The use cases of a workspace, and the execution that carries them out."""

    store: Store
    projects: ProjectService
    experiments: ExperimentService
    adoptions: AdoptionService
    experiment_list: ExperimentListQueries
    experiment_details: ExperimentDetailQueries
    resume_options: ResumeOptionsQueries
    pipelines: PipelineService
    annotations: AnnotationService
    filter_fields: FilterFieldQueries
    retention: RetentionService
    history: HistoryService
    transfer: TransferService
    templates: TemplateService
    evaluations: EvaluationService
    evaluation_queries: EvaluationQueries
    runs: RunService
    pipeline_runs: PipelineRunService
    queue: QueueService
    agents: AgentService
    agent_list: AgentListQueries
    agent_details: AgentDetailQueries
    stage_agents: StageAgentQueries
    states: PipelineStateQueries
    forms: StageFormQueries
    run_details: RunDetailQueries
    run_logs: RunLogQueries
    pipeline_curves: PipelineCurveQueries
    run_records: RunRecordQueries
    shown_items: ShownItemQueries
    overview: OverviewQueries
    workspace_overview: WorkspaceOverviewQueries
    comparisons: ComparisonQueries
    lineages: LineageQueries
    supervision: SupervisionService
    endpoint_service: EndpointService
    endpoints: Endpoints
    version_comparison: VersionComparison
    notices: NoticeService
    tracking: TrackingService
    reconciler: Reconciler

    def create_experiment(
        self,
        project_id: int,
        name: str,
        configured: ConfiguredAlgorithm,
        *,
        seed: int,
        placement: Placement = DEFAULT_PLACEMENT,
    ) -> Experiment:
        """Make an experiment. What its algorithm declares is imported ahead from now on."""
        made = self.experiments.create(project_id, name, configured, seed=seed, placement=placement)
        self.reconciler.preload(made)
        return made

    def trigger(
        self,
        stage_id: int,
        *,
        resume: bool = False,
        duplicate: bool = False,
        tell: Callable[[tuple[str, ...]], None] | None = None,
    ) -> Run:
        """Trigger a stage with the algorithms as this process defines them now, and launch the run.

        Args:
            stage_id: The stage.
            resume: Resume from its own last checkpoint instead of starting over.
            duplicate: Bind it to a copy of its experiment first.
            tell: Is told the notes of its plan, before anything is written.
        """
        options = TriggerOptions(
            resume=resume,
            duplicate=duplicate,
            find_place=start_reading_place().result,
            algorithms=registry.references(),
            keep_evaluator=self.keep_evaluator,
            tell=tell,
        )
        return self._launch(self.runs.trigger(stage_id, options))

    def run_pipeline(
        self,
        pipeline_id: int,
        goal: RunGoal = RunGoal.NEXT,
        *,
        run_through: bool = False,
        start_over: bool = False,
        duplicate: bool = False,
        from_stage: int | None = None,
        expected_stage: int | None = None,
    ) -> Run:
        """Run a pipeline with the algorithms as this process defines them now, and launch the first run."""
        place = start_reading_place()
        self._renew_pipeline(self.pipelines.get(pipeline_id))  # first: the plan tells what is stale by it
        run = self.pipeline_runs.start(
            pipeline_id,
            goal,
            run_through=run_through,
            start_over=start_over,
            from_stage=from_stage,
            expected_stage=expected_stage,
            options=TriggerOptions(duplicate=duplicate, find_place=place.result),
        )
        return self._launch(run)

    def adopt(
        self,
        project_id: int,
        path: Path,
        *,
        name: str | None = None,
        algorithm: ConfiguredAlgorithm | None = None,
        copy: bool = False,
    ) -> Experiment:
        """Make an experiment of what a folder or file of another tool holds.

        Args:
            project_id: The project.
            path: The folder or file.
            name: The name of the experiment; by default that of the folder.
            algorithm: The algorithm that the experiment is to have; by default one that trains nothing.
            copy: Whether the checkpoints are copied into the workspace.
        """
        place = path.expanduser().absolute()
        found = recognize(place)
        made = algorithm or _stand_in(found)
        return self.adoptions.adopt(project_id, name or place.name, found, made, copy=copy)

    def train(self, experiment_id: int) -> Run:
        """Train an experiment by itself, and launch the run."""
        place = start_reading_place()
        self.experiments.renew(self.experiments.get(experiment_id), registry.references())
        return self._launch(self.runs.train(experiment_id, place.result()))

    def resume(
        self, experiment_id: int, checkpoint_id: int, name: str, config: Mapping[str, Any] | None = None
    ) -> tuple[Experiment, Run]:
        """Go on from a checkpoint as a new experiment, with these fields changed, and launch the run."""
        place = start_reading_place()
        now = self.experiments.get(experiment_id)
        self.experiments.renew(now, registry.references())

        def changed() -> ConfiguredAlgorithm:
            return configure(now.spec.name, {**now.config, **(config or {})})

        experiment, run = self.runs.resume(
            experiment_id, checkpoint_id, name, changed if config else None, place.result()
        )
        return experiment, self._launch(run)

    def change_limits(self, **changes: object) -> Limits:
        """Change the limits of this machine, and launch the runs that fit within them by now."""
        limits = self.queue.change_limits(**changes)
        self.reconciler.launch_waiting()
        self.supervision.hold_back_waiting(self.supervision.active()[0])
        return limits

    def stop(self, run_id: int) -> Run:
        """Ask a run to stop. The job of one that has not begun is taken back from its engine."""
        return self._cancel(self.runs.stop(run_id))

    def stop_experiment(self, experiment_id: int) -> Run:
        """Ask the active run of an experiment to stop, in whatever stage it is."""
        return self._cancel(self.runs.stop_experiment(experiment_id))

    def stop_all(self, pipeline_id: int) -> tuple[Run, ...]:
        """Ask all active runs of a pipeline to stop."""
        return tuple(map(self._cancel, self.runs.stop_all(pipeline_id)))

    def evaluate(
        self,
        project_id: int,
        evaluator: str | evaluators.Evaluator,
        checkpoint_ids: Sequence[int],
        *,
        again: bool = False,
    ) -> EvaluationStart:
        """Score checkpoints by an evaluator, with the code as this process defines it now; launch that."""
        name = self.keep_evaluator(evaluator)
        current = registry.references()
        for experiment in self.evaluations.experiments_of(checkpoint_ids):
            self.experiments.renew(experiment, current)
        started = self.evaluations.start(project_id, name, checkpoint_ids, again=again)
        if started.run is not None:
            self._launch(started.run)
        return started

    def score_by(
        self,
        pipeline_id: int,
        evaluator: str | evaluators.Evaluator | None,
        *,
        expected_version: int | None = None,
    ) -> Pipeline:
        """Let Best and gates of a pipeline go by the scores of an evaluator, as this process has it."""
        name = None if evaluator is None else self.keep_evaluator(evaluator)
        return self.pipelines.score_by(pipeline_id, name, expected_version=expected_version)

    def notify(self, target: object, events: object) -> Notification:
        """Let a target be told of events, if Apprise knows it."""
        notifier.check_target(target)
        return self.notices.add(target, events)

    def set_trackers(self, written: object) -> tuple[str, ...]:
        """Let runs that begin from now on be tracked by these, if they are installed here."""
        check_trackers(parse_trackers(written))
        return self.tracking.set_trackers(written)

    def keep_evaluator(self, evaluator: str | evaluators.Evaluator) -> str:
        """Keep an evaluator as this process has it, if it has it, and return its name."""
        declared = evaluators.declaration_of(evaluator)
        if declared is not None:
            self.evaluations.keep(declared)
            return declared.spec.name
        return str(evaluator)

    def connect_agent(self, agent_id: int, *, host: str | None = None, port: int | None = None) -> str | None:
        """Have an agent served over HTTP; return its key if it got its first one now."""
        self.endpoints.connect(agent_id, host=host, port=port)
        return self.first_key(agent_id)

    def first_key(self, agent_id: int) -> str | None:
        """Give an agent its first key, and return it: it cannot be shown again. None if it has one."""
        return self.endpoints.first_key(agent_id)

    def disconnect_agent(self, agent_id: int) -> None:
        """Have an agent served no longer."""
        self.endpoints.disconnect(agent_id)

    def rotate_key(self, agent_id: int) -> str:
        """Give an agent a new key, and return it: it cannot be shown again."""
        return self.endpoints.rotate_key(agent_id)

    def roll_back(self, agent_id: int, number: int) -> Agent:
        """Make a former version the current one; a connected agent answers with it at once."""
        agent = self.agents.rollback(agent_id, number)
        self.endpoints.notify(agent_id)
        return agent

    def ask_agent(self, agent_id: int, value: object) -> Reply:
        """Ask a connected agent over HTTP, as anybody would."""
        return self.endpoints.ask(agent_id, value)

    def compare_versions(
        self, agent_id: int, value: object, chosen: Sequence[int] = ()
    ) -> tuple[VersionAnswer, ...]:
        """Give versions of an agent the same input: the current and the former one, or those chosen."""
        return self.version_comparison.compare(agent_id, value, chosen)

    @property
    def read_only_reason(self) -> str | None:
        """Why the workspace is open for reading only; None where this user trusts it."""
        return self.store.trust.reason

    def trust(self) -> None:
        """Trust the workspace, with all code that it holds now; that is remembered for this user.

        Raises:
            StorageError: It cannot be remembered.
        """
        self.store.trust.grant()
        record_place(self.store)
        filesystem.make_private_folder(self.store.artifacts)

    def back_up(self, target: str | Path) -> Path:
        """Copy the workspace into a new folder while processes work in it; return the copy's database."""
        return back_up(self.store, Path(target))

    def copy_to(
        self, url: str | Path, artifacts: str | Path | None = None, *, move: bool = False
    ) -> WorkspaceCopy:
        """Copy the workspace into another database, or move it there."""
        return copy_workspace(self.store, url, None if artifacts is None else Path(artifacts), move=move)

    def reconcile(self) -> None:
        """Find crashed and never-started runs, as everything that looks does.

        Does nothing in a workspace that is open for reading only.
        """
        self.reconciler.reconcile_if_due()

    def _launch(self, run: Run) -> Run:
        self.reconciler.launch(run)
        return run

    def _cancel(self, run: Run) -> Run:
        if run.status is Status.STOPPED:
            self.reconciler.cancel(run)
        return run

    def _renew_pipeline(self, pipeline: Pipeline) -> None:
        self.experiments.refresh(pipeline.id, registry.references())
        if pipeline.score_by is not None:
            self.keep_evaluator(pipeline.score_by)


def configure(algorithm: str | registry.Algorithm, config: dict[str, object]) -> ConfiguredAlgorithm:
    """Return an algorithm with a validated config.

    Raises:
        AlgorithmNotFoundError: There is no algorithm of that name.
        ConfigError: Its config model refuses a field.
    """
    found = registry.find(algorithm) if isinstance(algorithm, str) else algorithm
    if not isinstance(found, registry.Algorithm):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        what = f"{getattr(found, '__name__', found)!r} is not an algorithm."
        raise AlgorithmNotFoundError(what, fix="Decorate it with @pw.algorithm, or pass a name.")
    return found.configure(config)


def _stand_in(found: Adoption) -> ConfiguredAlgorithm:
    """Return an algorithm that trains nothing, and opens checkpoints as that which makes such ones does."""
    spec = AlgorithmSpec(name=found.origin, produces=found.produces, scratch=False, score=found.score)
    reference = AlgorithmReference()
    if found.opened_by in registry.names():
        maker = registry.find(found.opened_by)
        spec = replace(maker.spec, name=found.origin, accepts=(), scratch=False, score=found.score)
        reference = maker.reference
    return ConfiguredAlgorithm(spec=spec, reference=reference, config={}, signature={})
