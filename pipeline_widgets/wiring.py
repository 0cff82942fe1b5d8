"""The composition root: opens a workspace and constructs its services. Nobody else constructs one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms import registry
from pipeline_widgets.application import Services, configure
from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.launchers import launcher as create_launcher
from pipeline_widgets.execution.reconcile import Reconciler
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import open_store
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.services.experiments import ExperimentService
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.pipelines import PipelineService
from pipeline_widgets.services.projects import ProjectService
from pipeline_widgets.services.queries.agent_detail import AgentDetailQueries
from pipeline_widgets.services.queries.agent_list import AgentListQueries
from pipeline_widgets.services.queries.comparison import ComparisonQueries
from pipeline_widgets.services.queries.experiment_detail import ExperimentDetailQueries
from pipeline_widgets.services.queries.experiment_list import ExperimentListQueries
from pipeline_widgets.services.queries.lineage import LineageQueries
from pipeline_widgets.services.queries.overview import OverviewQueries
from pipeline_widgets.services.queries.pipeline_state import PipelineStateQueries
from pipeline_widgets.services.queries.resume_options import ResumeOptionsQueries
from pipeline_widgets.services.queries.run_detail import RunDetailQueries
from pipeline_widgets.services.queries.stage_form import StageFormQueries
from pipeline_widgets.services.retention import RetentionService
from pipeline_widgets.services.runs import RunService
from pipeline_widgets.services.supervision import SupervisionService
from pipeline_widgets.services.transfer import TransferService


def connect(
    url: str | Path,
    *,
    artifacts: str | Path | None = None,
    launcher: str = "local",
    timing: Timing | None = None,
    create: bool = True,
    trust: bool = False,
    checks_code: bool = True,
) -> Services:
    """Open a workspace, and make it where there is none yet, unless `create` is False.

    Args:
        url: The path of a SQLite file, or any SQLAlchemy URL.
        artifacts: The folder for checkpoints and logs.
        launcher: Where supervisors start.
        timing: How often supervisors beat.
        create: Whether a workspace is made where there is none.
        trust: Whether this user trusts the workspace from now on.
        checks_code: Whether all of its code is compared now with what this user has signed; a process that
            uses little of it leaves that to the use.

    Raises:
        StorageError: The database or the artifact folder cannot be opened.
        ExecutionError: There is no such launcher.
    """
    starts = create_launcher(launcher)
    database = Database(url, create=create)
    try:
        opened = open_store(database, artifacts, timing, trust=trust, checks_code=checks_code)
        store = replace(opened, defines=registry.defines)
    except BaseException:
        database.close()
        raise
    supervision = SupervisionService(store)
    agents, endpoint_service = AgentService(store), EndpointService(store)
    common: dict[str, Any] = {"url": store.database.url, "timing": store.timing}
    kept = {"logs": store.endpoint_log, "keys": store.endpoint_key}
    endpoints = Endpoints(endpoint_service, agents, starts, **kept, **common)
    return Services(
        store=store,
        projects=ProjectService(store),
        experiments=ExperimentService(store),
        experiment_list=ExperimentListQueries(store),
        experiment_details=ExperimentDetailQueries(store),
        resume_options=ResumeOptionsQueries(store),
        pipelines=PipelineService(store),
        retention=RetentionService(store),
        history=HistoryService(store),
        transfer=TransferService(store, lambda name, config: configure(name, dict(config))),
        runs=RunService(store, registry.find_config_error),
        agents=agents,
        agent_list=AgentListQueries(store),
        agent_details=AgentDetailQueries(store),
        states=PipelineStateQueries(store),
        forms=StageFormQueries(store),
        run_details=RunDetailQueries(store),
        overview=OverviewQueries(store),
        comparisons=ComparisonQueries(store),
        lineages=LineageQueries(store),
        supervision=supervision,
        endpoint_service=endpoint_service,
        endpoints=endpoints,
        reconciler=Reconciler(supervision, starts, endpoints, logs=store.artifacts / "runs", **common),
    )
