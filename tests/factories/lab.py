"""A workspace on a real SQLite file in which no process runs: a test plays the supervisor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from factories.values import GRPO, SFT, SPECS
from pipeline_widgets.domain.algorithm import AlgorithmReference, ConfiguredAlgorithm
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.chain import (
    DeploymentStage,
    ExperimentStage,
    FromScratch,
    FromSource,
    Gate,
    Pipeline,
    Stage,
    Start,
    Trigger,
)
from pipeline_widgets.domain.checkpoint import Checkpoint, Choice
from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.failure import Failure
from pipeline_widgets.domain.job import (
    FrozenCopy,
    Job,
    MetricReport,
    Outcome,
    PublishedFolder,
    SavedCheckpoint,
)
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.domain.project import Project
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.persistence import artifacts, schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import migrate
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.services.agents import AgentService
from pipeline_widgets.services.experiments import ExperimentService
from pipeline_widgets.services.pipelines import PipelineService
from pipeline_widgets.services.projects import ProjectService
from pipeline_widgets.services.queries.pipeline_state import PipelineStateQueries, StageState
from pipeline_widgets.services.runs import RunService
from pipeline_widgets.services.supervision import Owner, SupervisionService

_tokens = count(1)


@dataclass
class Clock:
    """Time stands still until a test moves it on."""

    now: float = 1_767_268_800.0

    def __call__(self) -> float:
        """Return the time, in seconds since 1970."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Move time on."""
        self.now += seconds


def configured(
    spec: AlgorithmSpec = SFT,
    config: Mapping[str, Any] | None = None,
    signature: Mapping[str, Any] | None = None,
) -> ConfiguredAlgorithm:
    """Return an algorithm with a config, as the registry would."""
    reference = AlgorithmReference(path=f"factories.lab:{spec.name}")  # it can be found, and nothing trains
    return ConfiguredAlgorithm(
        spec=spec, reference=reference, config=dict(config or {"steps": 10}), signature=dict(signature or {})
    )


def an_owner() -> Owner:
    """Return another supervisor each time."""
    number = next(_tokens)
    return Owner(process=Process(machine="host|boot|1", pid=number, started=1.0), token=f"token-{number}")


CHILD = Process(machine="host|boot|1", pid=4242, started=2.0)


@dataclass
class Lab:
    """The services of a workspace, and short ways to bring its runs to each status."""

    store: Store
    clock: Clock

    def __post_init__(self) -> None:
        self.projects = ProjectService(self.store)
        self.experiments = ExperimentService(self.store)
        self.pipelines = PipelineService(self.store)
        self.runs = RunService(self.store)
        self.agents = AgentService(self.store)
        self.states = PipelineStateQueries(self.store)
        self.supervision = SupervisionService(self.store)

    @cached_property
    def project(self) -> Project:
        """An Advanced Training project, made when it is first asked for."""
        return self.projects.create("Letters", advanced_training=True)

    def experiment(self, name: str, spec: AlgorithmSpec = SFT, **options: Any) -> Experiment:
        """Make an experiment in the project."""
        return self.experiments.create(self.project.id, name, configured(spec, **options), seed=0)

    def pipeline(self, *names: str, trigger: str = "manual", name: str = "chain") -> Pipeline:
        """Make a pipeline with a stage for each algorithm, "deploy" being a Deployment stage.

        The experiment of stage n is "algorithm-n" in small letters.
        """
        made = self.pipelines.create(self.project.id, name)
        for at, named in enumerate(names):
            kind = trigger if at else "manual"
            if named == "deploy":
                self.add_deployment(made.id, trigger=kind)
            else:
                experiment = self.experiment(f"{name}-{named.lower()}-{at + 1}", SPECS[named])
                self.add(made.id, experiment, trigger=kind)
        return self.pipelines.get(made.id)

    def add(
        self,
        pipeline_id: int,
        experiment: Experiment,
        *,
        trigger: str = "manual",
        start: Start | None = None,
        gate: Gate | None = None,
        position: int | None = None,
        **options: Any,
    ) -> ExperimentStage:
        """Add an Experiment stage."""
        at = len(self.pipelines.get(pipeline_id).stages) if position is None else position
        stage = ExperimentStage(
            experiment_id=experiment.id,
            trigger=Trigger(trigger),
            start=start or (FromSource("best") if at else FromScratch()),
            gate=gate,
            auto_add_agent=options.pop("auto_add_agent", False),
        )
        added, _ = self.pipelines.add_stage(pipeline_id, stage, position=position, **options)
        assert isinstance(added, ExperimentStage)
        return added

    def add_deployment(
        self,
        pipeline_id: int,
        name: str = "letters-agent",
        *,
        trigger: str = "manual",
        choice: Choice = "best",
        gate: Gate | None = None,
        position: int | None = None,
    ) -> DeploymentStage:
        """Add a Deployment stage."""
        stage = DeploymentStage(agent_name=name, trigger=Trigger(trigger), choice=choice, gate=gate)
        added, _ = self.pipelines.add_stage(pipeline_id, stage, position=position)
        assert isinstance(added, DeploymentStage)
        return added

    def state(self, stage: Stage) -> StageState:
        """Return where a stage stands."""
        return self.states.of_stage(stage.id)

    def status(self, stage: Stage) -> Status:
        """Return the status of a stage."""
        return self.state(stage).status

    def take(self, run: Run, owner: Owner | None = None) -> Job:
        """Lease a run."""
        job = self.supervision.take(run.id, owner or an_owner())
        assert job is not None
        return job

    def started(self, run: Run) -> Job:
        """Lease a run and set it to Running."""
        job = self.take(run)
        self.supervision.record_start(job, CHILD)
        return job

    def save(
        self,
        job: Job,
        step: int,
        evaluation: float | None = None,
        training: float | None = None,
        *,
        content: str | None = None,
        signature: Mapping[str, Any] | None = None,
    ) -> Checkpoint:
        """Publish a folder as the run's checkpoint; its content is told from other runs' unless given."""
        text = f"run {job.run_id} step {step}" if content is None else content
        folder = a_folder(Path(job.folder) / "checkpoints", f"{step:010d}", text)
        saved = SavedCheckpoint(
            step=step,
            folder=folder,
            training_score=training,
            evaluation_score=evaluation,
            signature=dict(job.signature if signature is None else signature),
        )
        self.supervision.record(job, Batch(saved=[saved]))
        return next(c for c in self.runs.checkpoints(job.run_id) if c.step == step)

    def report(self, job: Job, step: int, total: int | None = None, **metrics: float) -> None:
        """Report metrics."""
        self.supervision.record(job, Batch(reported=[MetricReport(step=step, total=total, metrics=metrics)]))

    def end(
        self,
        job: Job,
        status: Status = Status.SUCCEEDED,
        error: str | None = None,
        failure: Failure | None = None,
    ) -> Job | None:
        """End a run; a deployment that succeeds, or an auto-added agent, is frozen as its child would."""
        frozen = self._frozen(job) if status is Status.SUCCEEDED else None
        outcome = Outcome(status=status, error=error, failure=failure, frozen=frozen)
        following = self.supervision.finish(job, outcome, an_owner())
        assert not isinstance(following, Run)
        return following

    def carry_out(
        self, run: Run, *scores: float, status: Status = Status.SUCCEEDED, content: str | None = None
    ) -> Job | None:
        """Carry out a run that saves a checkpoint every 10 steps with those evaluation scores."""
        return self.go_on(self.take(run), *scores, status=status, content=content)

    def go_on(
        self, job: Job, *scores: float, status: Status = Status.SUCCEEDED, content: str | None = None
    ) -> Job | None:
        """Carry out a run that is leased already; the return is the job of the next stage."""
        self.supervision.record_start(job, CHILD)
        first = job.start.step if job.start and job.start_role == "resume" else 0
        for number, score in enumerate(scores, start=1):
            self.save(job, first + 10 * number, score, content=content)
        return self.end(job, status, error="It broke." if status is Status.FAILED else None)

    def do(self, stage: Stage, *scores: float, **options: Any) -> Run:
        """Trigger a stage, carry the run out, and return it as it is then."""
        resume = options.pop("resume", False)
        run = self.runs.trigger(stage.id, resume=resume)
        self.carry_out(run, *scores, **options)
        return self.runs.get(run.id)

    def go_on_from(self, run: Run, times: int, *, resume: bool) -> Run:
        """Let as many runs follow a run of one checkpoint, each from the one before; return the last."""
        runs, saved = schema.runs, schema.checkpoints
        with self.store.write() as work:
            last = dict(work.connection.execute(select(runs).where(runs.c.id == run.id)).mappings().one())
            mine = select(saved).where(saved.c.run_id == run.id)
            checkpoint = dict(work.connection.execute(mine).mappings().one())
            role = {"start_role": "resume" if resume else "weights"}
            for _ in range(times):
                before = {"resumed_run_id": last["id"]} if resume else {}
                start = {"start_checkpoint_id": checkpoint["id"], **role, **before}
                last |= {"number": last["number"] + 1, **start}
                del last["id"], checkpoint["id"]
                made = insert(runs).values(**last).returning(runs.c.id)
                last["id"] = work.connection.execute(made).scalar_one()
                checkpoint |= {"run_id": last["id"], "step": checkpoint["step"] + 10}
                made = insert(saved).values(**checkpoint).returning(saved.c.id)
                checkpoint["id"] = work.connection.execute(made).scalar_one()
            return work.runs.get(last["id"])

    def _frozen(self, job: Job) -> FrozenCopy | None:
        if job.freeze is None or job.freeze.name is None:
            return None
        if job.kind == "deployment":
            assert job.start is not None
            return artifacts.freeze(job.start, job.freeze.name, job.freeze.parent)
        best = self.runs.checkpoints(job.run_id)[-1]
        return artifacts.freeze(best, f"{job.freeze.name} - step {best.step}", str(self.store.agents_folder))


def a_folder(parent: Path, stem: str, text: str) -> PublishedFolder:
    """Publish a folder with one file."""
    with artifacts.publish(parent, stem=stem) as publication:
        (publication.path / "weights.txt").write_text(text)
    return publication.folder


def migrated(folder: Path) -> Path:
    """Make an empty database with all tables; copying its file is quicker than making another."""
    database = Database(f"sqlite:///{folder}/empty.db")
    migrate(database)
    database.close()
    return folder / "empty.db"


def open_lab(
    folder: Path, name: str = "lab", store: Store | None = None, *, place: Mapping[str, Any] | None = None
) -> Lab:
    """Make a workspace with a project in a folder, where `place` says, or in a store that is open.

    Close it with `lab.store.database.close()`.
    """
    clock = Clock()
    if store is None:
        place = dict(place or {"url": folder / f"{name}.db", "artifacts": None})
        store = open_store(Database(place["url"], clock=clock), place["artifacts"])
    lab = Lab(store, clock)
    assert lab.project.name == "Letters"
    return lab


def texts(reasons: Iterable[object]) -> str:
    """Return sentences as one text, for looking up what they say."""
    return " ".join(map(str, reasons))


__all__ = [
    "CHILD",
    "GRPO",
    "Clock",
    "Lab",
    "a_folder",
    "an_owner",
    "configured",
    "migrated",
    "open_lab",
    "texts",
]
