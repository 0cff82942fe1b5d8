"""Do once, on an empty workspace in a temporary folder, what a supervisor does with its own.

A launch server does so before it is asked. A supervisor that it forks then has the statements compiled that
it executes, and what is made at the first use of anything is made. The workspace itself is not opened.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_widgets.domain.algorithm import AlgorithmReference, ConfiguredAlgorithm
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.chain import ExperimentStage, FromSource, Trigger
from pipeline_widgets.domain.compatibility import AlgorithmSpec, Port
from pipeline_widgets.domain.job import Job, MetricReport, Outcome, PublishedFolder, SavedCheckpoint
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.run_record import Environment
from pipeline_widgets.domain.triggering import RunStart
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.execution.assembly import Execution, connect_execution
from pipeline_widgets.persistence import prepared_databases
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.filesystem import make_private_folder
from pipeline_widgets.persistence.stand_in import StandIn
from pipeline_widgets.persistence.store import UnitOfWork, open_store
from pipeline_widgets.persistence.trust import FOLDER_VARIABLE
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.run_queue import enqueue_run
from pipeline_widgets.services.supervision import Owner

if TYPE_CHECKING:
    from pipeline_widgets.domain.chain import Pipeline

STAGES = 3  # the first, one in the middle and the last: each asks something that the others do not
_KIND = "nothing"
_PROCESS = Process(machine="", pid=0, started=0.0)
_OWNER = Owner(process=_PROCESS, token="rehearsal")  # noqa: S106  no secret: it holds runs of nobody


def prepare_database(url: str, folder: Path) -> None:
    """Make the database of a workspace ahead for `connect_execution`, in this process or one forked from it.

    Args:
        url: The workspace.
        folder: A folder to use meanwhile, which is removed.

    Raises:
        Exception: It cannot be made, or not be used as it will be. Nothing is kept then.
    """
    shutil.rmtree(folder, ignore_errors=True)
    database = Database(url, create=False)
    make_private_folder(folder)
    try:
        with _signatures_in(folder / "data"):
            stand_in = StandIn(folder / "lab.db", database)
            try:
                _rehearse(stand_in)
            finally:
                stand_in.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    prepared_databases.keep(url, database)


@contextmanager
def _signatures_in(folder: Path) -> Generator[None]:
    """Let nothing be remembered in the user's own folder meanwhile."""
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before


def _rehearse(stand_in: StandIn) -> None:
    """Carry out a chain without a process: all that a supervisor asks of the database, in its order."""
    open_store(stand_in)
    prepared_databases.keep(stand_in.url, stand_in)
    opened = connect_execution(stand_in.url, create=False, checks_code=False)
    opened.store.trust.check()
    with opened.store.write() as work:
        run = _enqueue_chain(work)
    opened.supervision.count_launch(opened.supervision.lease(run.id))
    opened.supervision.record_launch(run.id, 1, _PROCESS)
    opened.supervision.find_libraries(run.id)
    job: Job | Run | None = opened.supervision.take(run.id, _OWNER)
    while isinstance(job, Job):
        job = _carry_out(opened, job)
    opened.supervision.find_admissible()  # what has waited for the end of the chain


def _enqueue_chain(work: UnitOfWork) -> Run:
    """Insert a pipeline of Auto stages, each of which starts from the one before, and a run of the first."""
    project = work.projects.add("Rehearsal", advanced_training=True)
    ports = (Port(role="weights", kinds=frozenset({_KIND})),)
    algorithm = ConfiguredAlgorithm(
        spec=AlgorithmSpec(name="Rehearsal", produces=frozenset({_KIND}), accepts=ports),
        reference=AlgorithmReference(path="pipeline_widgets:rehearsal"),
        config={},
        signature={},
    )
    stages: list[ExperimentStage] = []
    for at in range(STAGES):
        experiment = work.experiments.add(project.id, f"Rehearsal {at}", algorithm, 0, 1)
        stage = ExperimentStage(experiment_id=experiment.id)
        stages.append(replace(stage, trigger=Trigger.AUTO, start=FromSource("best")) if at else stage)
    made: Pipeline = work.pipelines.add(project.id, "Rehearsal", "", 1)
    pipeline = work.pipelines.save(replace(made, stages=tuple(stages)), 1, before=made)
    known = pipeline_facts.load(work, pipeline)
    return enqueue_run(work, pipeline, pipeline.stages[0], known, RunStart(), revision=1)


def _carry_out(opened: Execution, job: Job) -> Job | Run | None:
    """Do what comes of one run, with reports of each common kind."""
    supervision = opened.supervision
    variables = supervision.recorded_variables()
    environment = Environment(python="", platform="", host="", variables=dict.fromkeys(variables))
    supervision.record_start(job, _PROCESS, environment)
    opened.notices.seconds_until_due()
    opened.tracking.trackers()
    supervision.status(job)
    supervision.beat(job)
    supervision.active()
    opened.endpoint_service.active()
    for step in (1, 2):  # a second block of metrics is put together with the first
        supervision.record(job, Batch.of([_report(step), Usage(seconds=1.0, cpu=1.0, memory=1)]))
    supervision.record(job, Batch.of([_report(3), _save(job, 3)]))
    ending = Batch.of([_report(4), _save(job, 4)])
    return supervision.finish(job, Outcome(status=Status.SUCCEEDED), _OWNER, ending)


def _report(step: int) -> MetricReport:
    return MetricReport(step=step, total=4, metrics={"loss": 1.0})


def _save(job: Job, step: int) -> SavedCheckpoint:
    path = Path(job.folder) / "checkpoints" / str(step)
    path.mkdir(parents=True)
    folder = PublishedFolder(path=path, size=1, digest=f"{step:064}")
    return SavedCheckpoint(step=step, folder=folder, training_score=None, evaluation_score=1.0, signature={})
