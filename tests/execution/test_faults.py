"""Disks and databases that refuse while a chain runs, and what is left then."""

from __future__ import annotations

import os
import shutil
import time
from enum import StrEnum
from pathlib import Path

import pytest
from benches import Bench, alive, until
from tampering import overwrite

import pipeline_widgets as pw
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import Job, Outcome
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.run_record import Environment
from pipeline_widgets.errors import CheckpointError, StorageError
from pipeline_widgets.execution import processes, supervisor
from pipeline_widgets.execution.fork_server import ForkServer
from pipeline_widgets.execution.supervisor import Supervisor
from pipeline_widgets.services.supervision import Owner, SupervisionService


@pw.algorithm("Full", produces={"thing"})
def full(ctx: pw.TrainContext) -> None:
    """Meet a full disk in the middle of a checkpoint."""
    with ctx.checkpoint(1) as folder:
        (folder / "good").write_text("good")
    with ctx.checkpoint(2) as folder:
        (folder / "bad").symlink_to("/dev/full")
        (folder / "bad").write_text("no room for this")


def test_a_full_disk_fails_the_run_and_leaves_no_half_checkpoint(bench: Bench) -> None:
    """A disk that fills up while a checkpoint is written: Failed with the reason; the former one stays."""
    run = bench.project.create_experiment("full", algorithm=full).train().wait(30)

    assert run.status == "Failed"
    assert "The disk is full. Free some space" in (run.error or "")
    assert [checkpoint.step for checkpoint in run.checkpoints] == [1]
    folder = run.checkpoints[0].path.parent
    assert [path.name for path in folder.iterdir()] == [run.checkpoints[0].path.name]


class Refusing(SupervisionService):
    """A database that refuses each kind of write a few times, as a full disk or a long lock does."""

    refused: dict[str, int]

    def record(self, job: Job, batch: Batch) -> None:
        """Refuse twice."""
        self._refuse("record")
        super().record(job, batch)

    def record_start(self, job: Job, child: Process, environment: Environment | None = None) -> None:
        """Refuse twice."""
        self._refuse("started")
        super().record_start(job, child, environment)

    def finish(
        self, job: Job, outcome: Outcome, owner: Owner | None, last: Batch | None = None
    ) -> Job | Run | None:
        """Refuse twice."""
        self._refuse("finish")
        return super().finish(job, outcome, owner, last)

    def _refuse(self, what: str) -> None:
        self.refused[what] = self.refused.get(what, 0) + 1
        if self.refused[what] <= 2:
            raise StorageError("The database cannot be used now.", "The disk is full.")


@pytest.mark.usefixtures("in_process")
def test_a_database_that_refuses_does_not_end_the_training(bench: Bench) -> None:
    """Writes that are refused are tried again: the chain runs to its end and no metric is lost."""
    pipe = bench.chain({"steps": 60, "pause": 0.04}, {})
    services = bench.ws._services
    refusing = Refusing(services.store)
    refusing.refused = {}
    first = services.runs.trigger(pipe.stages[0]._id)
    server = ForkServer()

    Supervisor(
        refusing, lambda: services.reconciler, lambda: services.endpoints, services.store.timing, server
    ).run(first.id)
    server.close()

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 2
    run = pipe.stages[0].run
    assert run is not None
    assert len(run.checkpoints) == 60
    assert len(run.metrics) == 120
    assert refusing.refused["finish"] == 4  # twice refused, and once done for each stage
    assert refusing.refused["started"] == 4
    assert refusing.refused["record"] >= 2


@pytest.mark.usefixtures("in_process")
def test_a_supervisor_that_waits_for_the_database_is_seen_to_move(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It wakes as often as at work, however long its pauses between two tries are: it does not hang."""
    monkeypatch.setattr(supervisor, "RETRY_FIRST", 1.5)
    pipe = bench.chain({})
    services = bench.ws._services
    refusing = Refusing(services.store)
    refusing.refused = {}
    seen: list[int] = []
    refuse = refusing._refuse

    def watch(what: str) -> None:
        if what == "finish":
            seen.append(processes.progress(os.getpid()) or 0)
        refuse(what)

    monkeypatch.setattr(refusing, "_refuse", watch)
    run = services.runs.trigger(pipe.stages[0]._id)
    server = ForkServer()

    Supervisor(
        refusing, lambda: services.reconciler, lambda: services.endpoints, services.store.timing, server
    ).run(run.id)
    server.close()

    assert pipe.stages[0].status == "Succeeded"
    first, second, last = seen
    assert second - first >= 1.5 / supervisor.TICK
    assert last - second >= 3.0 / supervisor.TICK


def test_a_start_checkpoint_that_was_changed_is_refused_before_anything_starts(bench: Bench) -> None:
    """A corrupt checkpoint: trigger raises, and no run is made; a missing one the same."""
    pipe = bench.chain({}, {}, trigger="manual")
    made = pipe.stages[0].trigger().wait(30).checkpoints[-1]
    overwrite(made.path / "state.txt", "something else")

    with pytest.raises(CheckpointError, match=r"is corrupt\. It has 14 bytes, 11 were saved.* run the stage"):
        pipe.stages[1].trigger()
    shutil.rmtree(made.path)
    with pytest.raises(CheckpointError, match=r"is missing\. Its folder is gone\. Choose another"):
        pipe.stages[1].trigger()

    assert len(pipe.stages[1].runs) == 0
    assert [problem.stage for problem in pipe.check()] == ["Stage 1 (e0)"]


@pytest.mark.spec("6.7")
def test_an_auto_stage_whose_start_checkpoint_vanished_is_held(bench: Bench, tmp_path: Path) -> None:
    """A checkpoint that is deleted behind our back before the next stage takes it: held, with the path."""
    experiment = bench.project.create_experiment("vanishing", algorithm=vanishing)
    pipe = bench.project.create_pipeline("vanishing")
    pipe.add_experiment_stage(experiment)
    after = bench.project.create_experiment("after", algorithm="Counter")
    pipe.add_experiment_stage(after, trigger="auto")

    pipe.stages[0].trigger()
    pipe.wait(30)

    assert pipe.stages[0].status == "Succeeded"
    assert "is missing" in (pipe.stages[1].held or "")


@pw.algorithm("Vanishing", produces={"thing"})
def vanishing(ctx: pw.TrainContext) -> None:
    """Save a checkpoint and delete it again."""
    with ctx.checkpoint(1) as folder:
        (folder / "file").write_text("0")
    shutil.rmtree(ctx.folder / "checkpoints")


def test_a_checkpoint_that_rots_after_the_trigger_fails_the_run(bench: Bench) -> None:
    """What a run starts from is read again by its own process, so that no rotten start is trained on."""
    pipe = bench.chain({}, {}, trigger="manual")
    made = pipe.stages[0].trigger().wait(30).checkpoints[-1]
    services = bench.ws._services
    run = services.runs.trigger(pipe.stages[1]._id)
    overwrite(made.path / "state.txt", "rotten")
    services.reconciler.launch(run)

    pipe.wait(30)

    second = pipe.stages[1].run
    assert second is not None
    assert second.status == "Failed"
    assert "CheckpointError" in (second.error or "")


class Late(SupervisionService):
    """A database that is slow to write that a run is Running."""

    def record_start(self, job: Job, child: Process, environment: Environment | None = None) -> None:
        """Write it only when the child has ended."""
        until(lambda: not alive(child.pid))
        super().record_start(job, child, environment)


@pytest.mark.usefixtures("in_process")
def test_what_a_child_told_counts_although_it_ended_early(bench: Bench) -> None:
    """A child that fails before its run is even written as Running: Failed with its reason, not Crashed."""
    pipe = bench.chain({}, {}, trigger="manual")
    made = pipe.stages[0].trigger().wait(30).checkpoints[-1]
    services = bench.ws._services
    run = services.runs.trigger(pipe.stages[1]._id)
    overwrite(made.path / "state.txt", "rotten")
    server = ForkServer()

    late = Late(services.store)
    Supervisor(
        late, lambda: services.reconciler, lambda: services.endpoints, services.store.timing, server
    ).run(run.id)
    server.close()

    second = pipe.stages[1].run
    assert second is not None
    assert second.status == "Failed"
    assert "CheckpointError" in (second.error or "")


def test_an_algorithm_whose_code_is_gone_fails_the_run_with_the_way_out(bench: Bench, tmp_path: Path) -> None:
    """A module that was removed after the trigger: Failed, and the error says what to do."""
    code = (
        "import pipeline_widgets as pw\n"
        "@pw.algorithm('Passing', produces={'x'})\n"
        "def passing(ctx):\n"
        "    pass\n"
    )
    (tmp_path / "passing_module.py").write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        import passing_module  # noqa: F401, PLC0415  # pyright: ignore[reportMissingImports, reportUnusedImport]

    experiment = bench.project.create_experiment("passing", algorithm="Passing")
    (tmp_path / "passing_module.py").unlink()
    run = experiment.train().wait(30)

    assert run.status == "Failed"
    assert "AlgorithmNotFoundError: passing_module:passing cannot be loaded." in (run.error or "")
    assert "define it again with @pw.algorithm" in (run.error or "")


@pytest.mark.parametrize("act", ["worker", "stray fork", "report from a fork", "leave a process"])
def test_what_a_training_forks_or_starts_does_not_disturb_its_run(
    bench: Bench, tmp_path: Path, act: str
) -> None:
    """Workers, strays and processes left behind: the run succeeds with all its checkpoints, and they end."""
    run = bench.chain({"act": act, "folder": str(tmp_path)}).stages[0].trigger().wait(30)

    assert (run.status, run.error) == ("Succeeded", None)
    assert len(run.checkpoints) == 3
    left = tmp_path / "left"
    until(lambda: not left.exists() or not alive(int(left.read_text())), timeout=2)


@pytest.mark.spec("6.5")
def test_a_stop_leaves_the_training_its_own_subprocesses(bench: Bench) -> None:
    """A stop is told to the training alone: what it has started may finish, and the run is Stopped."""
    run = bench.chain({"act": "subprocess"}).stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)

    run.stop()

    assert run.wait(30).status == "Stopped"
    assert run.error is None


@pytest.mark.spec("6.5")
def test_a_whole_pipeline_can_be_stopped(bench: Bench) -> None:
    """pipe.stop() stops what is active, and no Auto stage starts; doing it again does nothing."""
    pipe = bench.chain({"steps": 100_000, "pause": 0.01}, {}, {})
    run = pipe.stages[0].trigger()
    until(lambda: run.status == "Running" and len(run.checkpoints) > 0)

    pipe.stop()
    pipe.wait(30)
    pipe.stop()

    assert [stage.status for stage in pipe.stages] == ["Stopped", "Draft", "Draft"]


def test_a_run_that_cannot_be_launched_disturbs_no_other(bench: Bench) -> None:
    """One run's folder cannot be made: looking goes on, and other runs end as they should."""
    blocked = bench.chain({}).stages[0]
    good = bench.chain({"steps": 30, "pause": 0.02}).stages[0]
    pending = bench.ws._services.runs.trigger(blocked._id)
    (bench.ws.artifacts / "runs").mkdir(exist_ok=True)
    (bench.ws.artifacts / "runs" / f"{pending.id:08d}").write_text("in the way")
    run = good.trigger()
    time.sleep(2.5)  # until the pending run is due

    assert run.wait(30).status == "Succeeded"
    assert blocked.status in {"Pending", "Crashed"}


class Name(StrEnum):
    """Names as many keep them."""

    LOSS = "loss"


@pw.algorithm("Enumerated", produces={"thing"})
def enumerated(ctx: pw.TrainContext) -> None:
    """Report and save with members of an enum."""
    ctx.report(1, **{Name.LOSS: 0.5})  # pyright: ignore[reportArgumentType]  it is no other argument
    with ctx.checkpoint(1, signature={Name.LOSS: Name.LOSS}) as folder:
        (folder / "file").write_text("0")


def test_members_of_an_enum_are_kept_as_their_texts(bench: Bench) -> None:
    """Metric names and facets that are members of an enum reach the supervisor as plain texts."""
    run = bench.project.create_experiment("enumerated", algorithm=enumerated).train().wait(30)

    assert (run.status, run.error) == ("Succeeded", None)
    assert list(run.metrics.metric) == ["loss"]


@pw.algorithm("Wordy", produces={"thing"})
def wordy(ctx: pw.TrainContext) -> None:
    """Report a word as a metric."""
    ctx.report(1, loss="abc")  # pyright: ignore[reportArgumentType]  that is the fault


def test_a_metric_that_is_no_number_is_named(bench: Bench) -> None:
    """What cannot be a number fails the run with the metric's name."""
    run = bench.project.create_experiment("wordy", algorithm=wordy).train().wait(30)

    assert run.status == "Failed"
    assert "ConfigError: A metric has to be a number. 'loss' is 'abc'" in (run.error or "")
