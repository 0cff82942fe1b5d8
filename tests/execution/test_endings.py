"""Signals, full disks, refused values: what was done is kept, what is said is true (faults 2 to 4, 9)."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

import databases
import habits
import psutil
import pytest
from benches import Bench, alive, until
from sites import Site

from pipeline_widgets import __main__ as commands
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import Job, Outcome
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import DataRefusedError, StorageError
from pipeline_widgets.execution import assembly
from pipeline_widgets.execution.endpoints import Endpoints
from pipeline_widgets.execution.fork_server import ForkServer
from pipeline_widgets.execution.streams import lossy_stream
from pipeline_widgets.execution.supervisor import Supervisor
from pipeline_widgets.services.supervision import Owner, SupervisionService


@pytest.mark.spec("6.5", "6.6")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_all_processes_is_a_stop_that_saves(bench: Bench, number: int) -> None:
    """Row 4: all processes of a run are asked to end, twice: Stopped, with the checkpoint of the stop."""
    run = bench.project.create_experiment("e", algorithm=habits.careful).train()
    until(lambda: len(run.checkpoints) > 0)
    trainer, supervisor = bench.trainer(run).pid, bench.supervisor(run).pid
    everybody = [psutil.Process(trainer).ppid(), trainer, supervisor]

    for pid in everybody * 2:
        os.kill(pid, number)

    assert run.wait(30).status == "Stopped"
    assert [checkpoint.step for checkpoint in run.checkpoints] == [1, 2]
    assert run.error is None
    until(lambda: not any(map(alive, everybody)))


@pytest.mark.spec("6.9")
def test_a_killed_fork_server_is_named(bench: Bench) -> None:
    """Row 9: the evidence says who was killed and how, and invents no exit code; the next trigger works."""
    stage = bench.chain({"steps": 100_000, "pause": 0.01}).stages[0]
    run = stage.trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    server = psutil.Process(bench.trainer(run).pid).ppid()

    os.kill(server, signal.SIGKILL)
    run.wait(30)

    assert run.status == "Crashed"
    assert f"process {server}, was killed by SIGKILL" in (run.error or "")
    assert "255" not in (run.error or "")


def test_children_come_from_another_fork_server_when_the_first_was_killed() -> None:
    """A fork server that is gone when a child is asked for is replaced: the chain goes on."""
    spawner = ForkServer()
    first = spawner.spawn()()
    os.kill(psutil.Process(first.pid).ppid(), signal.SIGKILL)
    until(lambda: first.exit_code() is not None)
    assert "was killed by SIGKILL" in first.describe_end()

    second = spawner.spawn()()

    assert alive(second.pid)
    spawner.close()
    until(lambda: not alive(second.pid))
    first.line.close()
    second.line.close()


def test_a_stream_to_a_full_disk_takes_everything() -> None:
    """Row 2: what only tells never fails; what cannot be written is lost."""
    full = os.open("/dev/full", os.O_WRONLY)
    stream = lossy_stream(full)
    print("x" * 100_000, "\ud800", file=stream, flush=True)
    stream.close()
    os.close(full)


def test_a_training_that_prints_to_a_full_disk_goes_on(bench: Bench) -> None:
    """Row 2: print, stderr and ctx.log of a training whose log takes nothing: Succeeded."""
    run = bench.project.create_experiment("e", algorithm=habits.chatty).train().wait(30)

    assert (run.status, run.error) == ("Succeeded", None)


class Full(io.StringIO):
    """A log on a full disk."""

    def write(self, text: str, /) -> int:
        """Refuse."""
        raise OSError(28, f"No space left on device for {text!r}")


class Flaky(SupervisionService):
    """A database that passes through a bad time at each kind of write."""

    failures = 0

    def finish(
        self, job: Job, outcome: Outcome, owner: Owner | None, last: Batch | None = None
    ) -> Job | Run | None:
        """Refuse three times."""
        self.failures += 1
        if self.failures <= 3:
            raise StorageError("The database cannot be used now.", "The disk is full.")
        return super().finish(job, outcome, owner, last)


@pytest.mark.usefixtures("in_process")
def test_a_supervisor_whose_own_log_is_full_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 2: the line that says that a write is tried again cannot be written itself; the run succeeds."""
    services = bench.ws._services
    run = services.runs.trigger(bench.chain({}).stages[0]._id)
    flaky, server = Flaky(services.store), ForkServer()
    monkeypatch.setattr(sys, "stderr", Full())

    Supervisor(
        flaky, lambda: services.reconciler, lambda: services.endpoints, services.store.timing, server
    ).run(run.id)
    server.close()

    assert services.runs.get(run.id).status == "Succeeded"
    assert flaky.failures == 4


class Choosy(SupervisionService):
    """A database that can never take a metric of one name, whatever else it is told."""

    def record(self, job: Job, batch: Batch) -> None:
        """Refuse it."""
        self._check(batch)
        super().record(job, batch)

    def finish(
        self, job: Job, outcome: Outcome, owner: Owner | None, last: Batch | None = None
    ) -> Job | Run | None:
        """Refuse it."""
        self._check(last or Batch())
        return super().finish(job, outcome, owner, last)

    def _check(self, batch: Batch) -> None:
        if any(each.step == 2 and "loss" in each.metrics for each in batch.reported):
            raise DataRefusedError("The database cannot take this.", "Out of range.")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("config", [{}, {"steps": 100_000, "pause": 0.01}], ids=["short", "long"])
def test_a_value_that_can_never_be_stored_fails_the_run_and_nothing_else_is_lost(
    bench: Bench, config: dict[str, object]
) -> None:
    """Row 3: Failed with the reason, at once; all but the one metric is kept, and all checkpoints."""
    services, pipe = bench.ws._services, bench.chain(config, {})
    run = services.runs.trigger(pipe.stages[0]._id)
    server = ForkServer()

    Supervisor(
        Choosy(services.store),
        lambda: services.reconciler,
        lambda: services.endpoints,
        services.store.timing,
        server,
    ).run(run.id)
    server.close()

    made = pipe.stages[0].run
    assert made is not None
    assert made.status == "Failed"
    assert "the metric 'loss' of step 2. The database cannot take this." in (made.error or "")
    kept = [(step, name) for step, name in zip(made.metrics.step, made.metrics.metric, strict=True)]
    assert (2, "loss") not in kept
    assert {(1, "loss"), (2, "evaluation_score"), (3, "loss")} <= set(kept) or len(config) == 2
    assert [checkpoint.step for checkpoint in made.checkpoints][:2] == [1, 2]
    assert pipe.stages[1].status == "Draft"


def test_a_metric_name_with_half_a_character_is_no_fault_of_the_supervisor(bench: Bench) -> None:
    """Row 9: a surrogate in a name is cleaned, or is the reason; the supervisor goes on."""
    run = bench.project.create_experiment("e", algorithm=habits.odd).train().wait(30)

    assert run.status in {"Succeeded", "Failed"}
    assert "supervisor failed" not in (run.error or "")
    assert len(run.checkpoints) == 1


def test_a_run_whose_workspace_was_deleted_ends(bench: Bench) -> None:
    """Row 3: insisting has an end: without the database's file training and supervisor end by themselves."""
    run = bench.project.create_experiment("e", algorithm=habits.careful).train()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)
    everybody = [bench.trainer(run).pid, bench.supervisor(run).pid]
    bench.ws.close()
    databases.delete_in(bench.folder)

    until(lambda: not any(map(alive, everybody)))


def test_a_folder_that_cannot_be_written_is_the_reason(bench: Bench) -> None:
    """Row 9: a stage whose folder cannot be made is Failed, and names it; no exit code is told."""
    pipe = bench.chain({"steps": 30, "pause": 0.02}, {})
    first = pipe.stages[0].trigger()
    in_the_way = bench.ws.artifacts / "runs" / f"{first._id + 1:08d}"
    in_the_way.write_text("")
    pipe.wait(30)

    second = pipe.stages[1].run
    assert second is not None
    assert second.status == "Failed"
    assert f"The folder of the run, {in_the_way}, cannot be written." in (second.error or "")


class Restarting(Endpoints):
    """The endpoints of a workspace whose database server is started again meanwhile."""

    failures = 0

    def connect(self, agent_id: int, *, host: str | None = None, port: int | None = None) -> None:
        """Refuse twice."""
        self._refuse()
        super().connect(agent_id, host=host, port=port)

    def answers(self, agent_id: int, version: int) -> bool:
        """Refuse twice."""
        self._refuse()
        return super().answers(agent_id, version)

    def _refuse(self) -> None:
        self.failures += 1
        if self.failures in {1, 2, 4, 5}:
            raise StorageError("The database refused.", "The server closed the connection.")


@pytest.mark.usefixtures("in_process")
def test_a_database_server_that_restarts_does_not_fail_a_deployment(site: Site) -> None:
    """Row 10: what passes is waited for: the Deployment succeeds, and its agent is Deployed."""
    site.trained.trigger().wait(30)
    until(lambda: site.pipe.stages[1].status == "Succeeded")  # once as usual, so that the agent is there
    agent = site.bench.ws.agents["a line"]
    agent.disconnect()
    services = site.services
    run = services.runs.trigger(site.deployed._id)
    endpoints, server = services.endpoints, ForkServer()
    restarting = Restarting.__new__(Restarting)
    restarting.__dict__.update(endpoints.__dict__)

    Supervisor(
        services.supervision, lambda: services.reconciler, lambda: restarting, services.store.timing, server
    ).run(run.id)
    server.close()

    ended = services.runs.get(run.id)
    assert ended.status == "Succeeded", ended.error
    assert agent.status == "Deployed"


def test_a_process_waits_for_a_database_that_takes_no_more_connections(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 10: a supervisor that finds the server full, or starting, tries again before it ends."""
    calls: list[object] = []
    opened = assembly.connect_execution(bench.ws._services.store.database.url)

    def connect(url: object, **_: object) -> assembly.Execution:
        calls.append(url)
        if len(calls) < 3:
            raise StorageError("The database refused.", "Too many clients already.")
        return opened

    monkeypatch.setattr(assembly, "connect_execution", connect)
    monkeypatch.setattr(commands, "RETRY_EVERY", 0.0)
    monkeypatch.setattr("pipeline_widgets.execution.streams.lose_what_cannot_be_printed", lambda: None)

    assert commands._open_launched(commands._parser().parse_args(["supervise", "1"])) is opened
    assert len(calls) == 3


SHADOWS = (
    "random.py",
    "logging.py",
    "sqlalchemy.py",
    "pydantic.py",
    "psutil.py",
    "colorsys.py",
    "uvicorn.py",
)


def test_files_beside_the_notebook_shadow_nothing_and_are_found(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 8: files named like modules break neither runs nor endpoints; other modules there can be used."""
    folder = tmp_path / "notebooks"
    (folder / "alembic").mkdir(parents=True)
    (folder / "alembic" / "__init__.py").write_text("raise ImportError('shadow')")
    for name in SHADOWS:
        (folder / f"{name}.py").write_text("raise ImportError('shadow')")
    (folder / "beside_the_notebook.py").write_text("VALUE = 42")
    monkeypatch.chdir(folder)

    run = bench.project.create_experiment("e", algorithm=habits.neighbourly).train().wait(30)
    assert (run.status, run.error) == ("Succeeded", None)
    assert (run.checkpoints[0].path / "file").read_text() == "42"

    agent = Site(bench).run()
    assert agent.status == "Deployed"
