"""The composition root: connects a workspace's services. Nobody else constructs one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.algorithms import registry
from pipeline_widgets.domain.experiment import Configured, Experiment
from pipeline_widgets.domain.liveness import Timing
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import AlgorithmNotFoundError
from pipeline_widgets.execution.launchers import launcher as launcher_named
from pipeline_widgets.execution.reconcile import Reconciler
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.experiments import ExperimentService
from pipeline_widgets.services.forms import FormService
from pipeline_widgets.services.glimpse import GlimpseService
from pipeline_widgets.services.overview import OverviewService
from pipeline_widgets.services.pipelines import PipelineService
from pipeline_widgets.services.projects import ProjectService
from pipeline_widgets.services.runs import RunService
from pipeline_widgets.services.states import StateService
from pipeline_widgets.services.supervision import SupervisionService


@dataclass(frozen=True, kw_only=True)
class Services:
    """What can be done in a workspace, and what makes it come true."""

    store: Store
    projects: ProjectService
    experiments: ExperimentService
    pipelines: PipelineService
    runs: RunService
    agents: AgentService
    states: StateService
    forms: FormService
    glimpses: GlimpseService
    overview: OverviewService
    supervision: SupervisionService
    reconciler: Reconciler

    def trigger(self, stage_id: int, *, resume: bool = False) -> Run:
        """Trigger a stage with the algorithms as this process defines them now, and launch the run."""
        self._renew_experiments(stage_id)
        return self._launched(self.runs.trigger(stage_id, resume=resume))

    def train(self, experiment_id: int) -> Run:
        """Train an experiment by itself, and launch the run."""
        self.experiments.renew(self.experiments.get(experiment_id), registry.references())
        return self._launched(self.runs.train(experiment_id))

    def resume(self, experiment_id: int, checkpoint_id: int, name: str) -> tuple[Experiment, Run]:
        """Go on from a checkpoint as a new experiment, and launch the run."""
        experiment, run = self.runs.resume(experiment_id, checkpoint_id, name)
        return experiment, self._launched(run)

    def look(self) -> None:
        """Find crashed and never-started runs, as everything that looks does."""
        self.reconciler.look()

    def _launched(self, run: Run) -> Run:
        self.reconciler.launch(run.id)
        return run

    def _renew_experiments(self, stage_id: int) -> None:
        pipeline = self.pipelines.of_stage(stage_id)
        self.experiments.refresh(pipeline.id, registry.references())


def connect(
    url: str,
    *,
    artifacts: str | Path | None = None,
    launcher: str = "local",
    timing: Timing | None = None,
) -> Services:
    """Open a workspace, and make it where there is none yet.

    Raises:
        StorageError: The database or the artifact folder cannot be opened.
        ExecutionError: There is no such launcher.
    """
    starts = launcher_named(launcher)
    database = Database(url)
    try:
        store = open_store(database, artifacts, timing)
    except BaseException:
        database.close()
        raise
    supervision = SupervisionService(store)
    logs = store.artifacts / "runs"
    return Services(
        store=store,
        projects=ProjectService(store),
        experiments=ExperimentService(store),
        pipelines=PipelineService(store),
        runs=RunService(store),
        agents=AgentService(store),
        states=StateService(store),
        forms=FormService(store),
        glimpses=GlimpseService(store),
        overview=OverviewService(store),
        supervision=supervision,
        reconciler=Reconciler(supervision, starts, url=store.database.url, logs=logs, timing=store.timing),
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
