"""The composition root: connects a workspace's services. Nobody else constructs one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms import registry
from pipeline_widgets.domain.experiment import Agent, Configured, Experiment
from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import AlgorithmNotFoundError
from pipeline_widgets.execution.endpoint_client import Reply
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.launchers import launcher as launcher_named
from pipeline_widgets.execution.reconcile import Reconciler
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.backup import back_up
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store, settle_place
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.care import CareService
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.services.experiments import ExperimentService
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.pipelines import PipelineService
from pipeline_widgets.services.projects import ProjectService
from pipeline_widgets.services.runs import RunService
from pipeline_widgets.services.supervision import SupervisionService
from pipeline_widgets.services.transfer import TransferService
from pipeline_widgets.services.views.agent_detail import AgentDetailService
from pipeline_widgets.services.views.agent_list import AgentListService
from pipeline_widgets.services.views.comparison import ComparisonService
from pipeline_widgets.services.views.experiment_detail import ExperimentDetailService
from pipeline_widgets.services.views.experiment_list import ExperimentListService
from pipeline_widgets.services.views.forms import FormService
from pipeline_widgets.services.views.glimpse import GlimpseService
from pipeline_widgets.services.views.lineage import LineageService
from pipeline_widgets.services.views.overview import OverviewService
from pipeline_widgets.services.views.resume_offer import ResumeOfferService
from pipeline_widgets.services.views.states import StateService


@dataclass(frozen=True, kw_only=True)
class Services:
    """What can be done in a workspace, and what makes it come true."""

    store: Store
    projects: ProjectService
    experiments: ExperimentService
    experiment_list: ExperimentListService
    experiment_details: ExperimentDetailService
    resumes: ResumeOfferService
    pipelines: PipelineService
    care: CareService
    history: HistoryService
    transfer: TransferService
    runs: RunService
    agents: AgentService
    agent_list: AgentListService
    agent_details: AgentDetailService
    states: StateService
    forms: FormService
    glimpses: GlimpseService
    overview: OverviewService
    comparisons: ComparisonService
    lineages: LineageService
    supervision: SupervisionService
    serving: EndpointService
    endpoints: Endpoints
    reconciler: Reconciler

    def trigger(self, stage_id: int, *, resume: bool = False, duplicate: bool = False) -> Run:
        """Trigger a stage with the algorithms as this process defines them now, and launch the run."""
        self._renew_experiments(stage_id)
        return self._launched(self.runs.trigger(stage_id, resume=resume, duplicate=duplicate))

    def train(self, experiment_id: int) -> Run:
        """Train an experiment by itself, and launch the run."""
        self.experiments.renew(self.experiments.get(experiment_id), registry.references())
        return self._launched(self.runs.train(experiment_id))

    def resume(
        self, experiment_id: int, checkpoint_id: int, name: str, config: Mapping[str, Any] | None = None
    ) -> tuple[Experiment, Run]:
        """Go on from a checkpoint as a new experiment, with these fields changed, and launch the run."""
        now = self.experiments.get(experiment_id)
        self.experiments.renew(now, registry.references())
        changed = configured(now.spec.name, {**now.config, **config}) if config else None
        experiment, run = self.runs.resume(experiment_id, checkpoint_id, name, changed)
        return experiment, self._launched(run)

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
        self.endpoints.nudge(agent_id)
        return agent

    def ask_agent(self, agent_id: int, value: object) -> Reply:
        """Ask a connected agent over HTTP, as anybody would."""
        return self.endpoints.ask(agent_id, value)

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
        settle_place(self.store)
        filesystem.make_private_folder(self.store.artifacts)

    def back_up(self, target: str | Path) -> Path:
        """Copy the workspace into a new folder while processes work in it; return the copy's database."""
        return back_up(self.store, Path(target))

    def look(self) -> None:
        """Find crashed and never-started runs, as everything that looks does.

        Does nothing in a workspace that is open for reading only.
        """
        self.reconciler.look()

    def _launched(self, run: Run) -> Run:
        self.reconciler.launch(run.id)
        return run

    def _renew_experiments(self, stage_id: int) -> None:
        pipeline = self.pipelines.of_stage(stage_id)
        self.experiments.refresh(pipeline.id, registry.references())


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
    starts = launcher_named(launcher)
    database = Database(url, create=create)
    try:
        opened = open_store(database, artifacts, timing, trust=trust, checks_code=checks_code)
        store = replace(opened, defines=registry.defines)
    except BaseException:
        database.close()
        raise
    supervision = SupervisionService(store)
    agents, serving = AgentService(store), EndpointService(store)
    common: dict[str, Any] = {"url": store.database.url, "timing": store.timing}
    kept = {"logs": store.endpoint_log, "keys": store.endpoint_key}
    endpoints = Endpoints(serving, agents, starts, **kept, **common)
    return Services(
        store=store,
        projects=ProjectService(store),
        experiments=ExperimentService(store),
        experiment_list=ExperimentListService(store),
        experiment_details=ExperimentDetailService(store),
        resumes=ResumeOfferService(store),
        pipelines=PipelineService(store),
        care=CareService(store),
        history=HistoryService(store),
        transfer=TransferService(store, lambda name, config: configured(name, dict(config))),
        runs=RunService(store, registry.refusal_of),
        agents=agents,
        agent_list=AgentListService(store),
        agent_details=AgentDetailService(store),
        states=StateService(store),
        forms=FormService(store),
        glimpses=GlimpseService(store),
        overview=OverviewService(store),
        comparisons=ComparisonService(store),
        lineages=LineageService(store),
        supervision=supervision,
        serving=serving,
        endpoints=endpoints,
        reconciler=Reconciler(supervision, starts, endpoints, logs=store.artifacts / "runs", **common),
    )


def configured(algorithm: str | registry.Algorithm, config: dict[str, object]) -> Configured:
    """Return an algorithm with a validated config.

    Raises:
        AlgorithmNotFoundError: There is no algorithm of that name.
        ConfigError: Its config model refuses a field.
    """
    found = registry.find(algorithm) if isinstance(algorithm, str) else algorithm
    if not isinstance(found, registry.Algorithm):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        what = f"{getattr(found, '__name__', found)!r} is no algorithm."
        raise AlgorithmNotFoundError(what, fix="Decorate it with @pw.algorithm, or pass a name.")
    return found.configured(config)
