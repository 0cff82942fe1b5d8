"""The composition root: opens a workspace and constructs its services. Nobody else constructs one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms import evaluators, registry
from pipeline_widgets.application import Services, configure
from pipeline_widgets.execution.assembly import connect_execution
from pipeline_widgets.execution.launcher_check import check_launcher
from pipeline_widgets.execution.version_comparison import VersionComparison
from pipeline_widgets.services.admission import QueueService
from pipeline_widgets.services.adoption import AdoptionService
from pipeline_widgets.services.annotations import AnnotationService
from pipeline_widgets.services.evaluations import EvaluationService
from pipeline_widgets.services.experiments import ExperimentService
from pipeline_widgets.services.history import HistoryService
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
from pipeline_widgets.services.templates import TemplateService
from pipeline_widgets.services.transfer import TransferService


def connect(url: str | Path, **options: Any) -> Services:
    """Open a workspace with all that can be done in it.

    Args:
        url: The path of a SQLite file, or any SQLAlchemy URL.
        **options: As of `connect_execution`.

    Raises:
        StorageError: The database or the artifact folder cannot be opened.
        ExecutionError: No launcher has that name.
    """
    execution = connect_execution(url, **options)
    store = execution.store
    runs = RunService(store, registry.find_refusal, partial(check_launcher, store))
    transfer = TransferService(
        store, lambda name, config: configure(name, dict(config)), evaluators.declaration_of
    )
    return Services(
        store=store,
        projects=ProjectService(store),
        experiments=ExperimentService(store),
        adoptions=AdoptionService(store),
        experiment_list=ExperimentListQueries(store),
        experiment_details=ExperimentDetailQueries(store),
        resume_options=ResumeOptionsQueries(store),
        pipelines=PipelineService(store),
        queue=QueueService(store),
        annotations=AnnotationService(store),
        filter_fields=FilterFieldQueries(store),
        retention=RetentionService(store),
        history=HistoryService(store),
        transfer=transfer,
        templates=TemplateService(store, transfer),
        evaluations=EvaluationService(store),
        evaluation_queries=EvaluationQueries(store),
        runs=runs,
        pipeline_runs=PipelineRunService(store, runs),
        agents=execution.agents,
        agent_list=AgentListQueries(store),
        agent_details=AgentDetailQueries(store),
        stage_agents=StageAgentQueries(store),
        states=PipelineStateQueries(store),
        forms=StageFormQueries(store),
        run_details=RunDetailQueries(store),
        run_logs=RunLogQueries(store),
        pipeline_curves=PipelineCurveQueries(store),
        run_records=RunRecordQueries(store),
        shown_items=ShownItemQueries(store),
        overview=OverviewQueries(store),
        workspace_overview=WorkspaceOverviewQueries(store),
        comparisons=ComparisonQueries(store),
        lineages=LineageQueries(store),
        supervision=execution.supervision,
        endpoint_service=execution.endpoint_service,
        endpoints=execution.endpoints,
        version_comparison=VersionComparison(store.database.url, execution.agents, store.trust.check),
        notices=execution.notices,
        tracking=execution.tracking,
        reconciler=execution.reconciler,
    )
