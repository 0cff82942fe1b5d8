"""Properties of chains that hold whatever launches them, and whatever dies, hangs, or does not answer."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pipeline_widgets as pw
from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.liveness import Lease, Process
from pipeline_widgets.execution import engine_jobs, processes, variables
from pipeline_widgets.execution.launch_request import create_launch_request
from pipeline_widgets.execution.launchers import Launcher, find_launcher
from pipeline_widgets.testing.counting import counting
from pipeline_widgets.testing.job_processes import find_here, is_alive, kill, wait_until

LONG = {"steps": 100_000, "pause": 0.02}
RACERS = 8


class ChainSuite:
    """The faults of chains. A subclass names a launcher, whose engine runs its jobs on this machine.

    The fixture `place` returns what `pw.Workspace` is opened with: by default a SQLite file.
    """

    #: As a user writes it.
    launcher_name: ClassVar[str] = ""
    #: Seconds within which a job begins with its run, and within which all of a chain has ended.
    begins_within: ClassVar[float] = 60.0
    ends_within: ClassVar[float] = 120.0
    #: Seconds within which a run is Crashed whose process on this machine was killed.
    found_within: ClassVar[float] = 15.0
    timing: ClassVar[pw.Timing] = pw.Timing(beat_every=0.5, grace=8.0)

    @pytest.fixture
    def place(self, tmp_path: Path) -> Mapping[str, Any]:
        """Return the folder of the workspace."""
        return {"url": f"sqlite:///{tmp_path}/lab.db"}

    @pytest.fixture
    def launcher(self) -> Launcher:
        """The launcher, found as a workspace finds it."""
        return find_launcher(self.launcher_name)

    @pytest.fixture
    def ws(
        self, place: Mapping[str, Any], launcher: Launcher, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[pw.Workspace]:
        """A workspace whose runs are launched so; nothing of it is left behind."""
        monkeypatch.setattr(engine_jobs, "ASK_EVERY", 0.5)
        opened = pw.Workspace(**place, launcher=launcher.describe().name, timing=self.timing)
        opened.create_project("Suite", advanced_training=True)
        yield opened
        self._end_all(opened, launcher)

    def chain(self, ws: pw.Workspace, *configs: Mapping[str, object]) -> pw.Pipeline:
        """Return a pipeline with a stage for each config, Auto but for the first."""
        project = ws.projects[0]
        pipe = project.create_pipeline(f"chain {len(project.pipelines)}")
        for at, config in enumerate(configs):
            name = f"{pipe.name}, {at}"
            experiment = project.create_experiment(name, algorithm=counting, config=config)
            pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
        return pipe

    def begin(self, ws: pw.Workspace, *more: Mapping[str, object]) -> pw.Run:
        """Trigger a long stage, before others, and wait until it has saved a checkpoint."""
        run = self.chain(ws, LONG, *more).stages[0].trigger()
        wait_until(lambda: len(run.checkpoints) > 0, self.begins_within, f"it did not save: {run}")
        return run

    def lease(self, run: pw.Run) -> Lease:
        """Return which process holds a run."""
        with run._services.store.read() as work:
            return work.runs.lease(run._id)

    def pid(self, run: pw.Run, process: Process | None) -> int:
        """Return the number that a process of a run has here."""
        assert process is not None
        token = self.lease(run).token
        found = find_here(process.pid, lambda launch: variables.token_of(launch) == token)
        assert found is not None, f"{process} is not on this machine"
        return found

    def pids(self, run: pw.Run) -> tuple[int, int]:
        """Return the numbers of the supervisor and of the training of a run."""
        wait_until(lambda: self.lease(run).worker is not None, self.begins_within)
        lease = self.lease(run)
        return self.pid(run, lease.holder), self.pid(run, lease.worker)

    def await_status(self, run: pw.Run, status: str, within: float | None = None) -> pw.Run:
        """Wait until a run has a status, as anybody's look finds it."""
        wait_until(lambda: run.status == status, within or self.ends_within, f"{run} is not {status}")
        return run

    # ---- how it ends well

    def test_a_chain_succeeds(self, ws: pw.Workspace) -> None:
        """Stage after stage, with no kernel; each has started from the checkpoint of the one before."""
        pipe = self.chain(ws, {}, {"steps": 6}, {"steps": 9})
        pipe.stages[0].trigger()
        pipe.wait(timeout=self.ends_within)
        assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
        runs = [stage.run for stage in pipe.stages]
        starts = [run.start_checkpoint for run in runs if run is not None]
        assert [start and start.step for start in starts] == [None, 3, 6]

    def test_a_stop_keeps_what_was_saved(self, ws: pw.Workspace) -> None:
        """Stopped, and the next stage does not begin."""
        run = self.begin(ws, {})
        run.stop()
        self.await_status(run, "Stopped")
        assert len(run.checkpoints) > 0
        assert ws.projects[0].pipelines[0].stages[1].status == "Draft"

    def test_a_run_is_resumed_from_its_last_checkpoint(self, ws: pw.Workspace) -> None:
        """It goes on at the step after that."""
        run = self.begin(ws)
        run.stop()
        self.await_status(run, "Stopped")
        last, stage = run.checkpoints[-1].step, ws.projects[0].pipelines[0].stages[0]
        assert stage.experiment is not None
        stage.experiment.update(config={"steps": last + 2, "pause": 0.0})
        resumed = self.await_status(stage.trigger(resume=True), "Succeeded")
        assert [each.step for each in resumed.checkpoints] == [last + 1, last + 2]

    # ---- what dies

    def test_a_killed_training_is_crashed(self, ws: pw.Workspace) -> None:
        """With the signal as evidence; what it has saved stays, and nothing follows."""
        run = self.begin(ws, {})
        kill(self.pids(run)[1])
        self.await_status(run, "Crashed", self.found_within)
        assert "SIGKILL" in (run.error or ""), run.error
        assert len(run.checkpoints) > 0
        assert ws.projects[0].pipelines[0].stages[1].status == "Draft"

    def test_a_killed_supervisor_is_found_and_leaves_no_orphan(self, ws: pw.Workspace) -> None:
        """Crashed with evidence, and its training does not go on."""
        run = self.begin(ws)
        supervisor, training = self.pids(run)
        kill(supervisor)
        wait_until(lambda: not is_alive(training), 10.0, "the training went on")
        self.await_status(run, "Crashed", self.found_within + self.timing.grace)
        assert "is gone" in (run.error or "") or "silent" in (run.error or ""), run.error

    def test_a_job_that_its_engine_ends_is_no_success(self, ws: pw.Workspace, launcher: Launcher) -> None:
        """Crashed in the words of the engine; on the machine itself SIGTERM is a stop."""
        run = self.begin(ws, {})
        job = self.lease(run).job
        if job is None:
            kill(self.pids(run)[0], signal.SIGTERM)
            self.await_status(run, "Stopped")
        else:
            launcher.stop(job)
            self.await_status(run, "Crashed")
            assert job in (run.error or ""), run.error
        assert ws.projects[0].pipelines[0].stages[1].status == "Draft"

    def test_a_run_whose_trigger_died_is_started_once(self, ws: pw.Workspace, tmp_path: Path) -> None:
        """Between the commit of a trigger and its launch: whoever looks launches it, once."""
        marks = tmp_path / "marks"
        pipe = self.chain(ws, {"marks": str(marks)})
        ws._services.runs.trigger(pipe.stages[0]._id)
        pipe.wait(timeout=self.ends_within)
        assert pipe.stages[0].status == "Succeeded"
        assert len(marks.read_text().splitlines()) == 1

    # ---- what happens twice

    def test_a_stage_that_is_triggered_by_many_runs_once(self, ws: pw.Workspace, tmp_path: Path) -> None:
        """One of them starts it; the others get the reason."""
        marks = tmp_path / "marks"
        pipe = self.chain(ws, {"marks": str(marks)})
        refused: list[pw.PipelineError] = []

        def trigger() -> None:
            try:
                pipe.stages[0].trigger()
            except pw.PipelineError as error:
                refused.append(error)

        racers = [threading.Thread(target=trigger) for _ in range(RACERS)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        pipe.wait(timeout=self.ends_within)
        assert len(refused) == RACERS - 1
        assert [run.status for run in pipe.stages[0].runs] == ["Succeeded"]
        assert len(marks.read_text().splitlines()) == 1

    def test_a_second_job_for_a_run_ends_by_itself(
        self, ws: pw.Workspace, launcher: Launcher, tmp_path: Path
    ) -> None:
        """A launch whose answer was lost is repeated: the job that comes second finds nothing to do."""
        run = self.begin(ws)
        services = ws._services
        request = create_launch_request(
            services.store.database.url,
            ("supervise", str(run._id)),
            tmp_path / "second.log",
            identity=services.store.identity,
        )
        job = launcher.submit(request)
        wait_until(lambda: launcher.status(job.id).state is JobState.ENDED, self.ends_within)
        assert run.status == "Running"
        run.stop()
        self.await_status(run, "Stopped")

    # ---- what cannot be seen

    def test_a_suspended_supervisor_is_given_up_and_fenced(self, ws: pw.Workspace) -> None:
        """Nothing that it writes counts after the grace."""
        run = self.begin(ws, {})
        supervisor, _ = self.pids(run)
        kill(supervisor, signal.SIGSTOP)
        try:
            self.await_status(run, "Crashed")
            kept = len(run.checkpoints), len(run.metrics), run.finished_at
        finally:
            if is_alive(supervisor):
                kill(supervisor, signal.SIGCONT)
        wait_until(lambda: not is_alive(supervisor), self.ends_within, "the supervisor went on")
        assert (len(run.checkpoints), len(run.metrics), run.finished_at) == kept
        assert run.status == "Crashed"
        assert ws.projects[0].pipelines[0].stages[1].status == "Draft"

    def test_clocks_that_differ_by_minutes_do_no_harm(
        self, ws: pw.Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The clock of who looks is ten minutes ahead, and then behind: times are those of the database."""
        run = self.begin(ws)
        clock, database = time.time, ws._services.store.database
        if database.is_sqlite:  # there the clock of the machine is that of the database
            monkeypatch.setattr(database, "_clock", clock)
        for ahead in (600.0, -600.0):
            monkeypatch.setattr(time, "time", lambda ahead=ahead: clock() + ahead)
            self.look_for(ws, 2 * self.timing.beat_every)
            assert run.status == "Running", run.error
        monkeypatch.setattr(time, "time", clock)
        run.stop()
        self.await_status(run, "Stopped")

    def test_an_engine_that_does_not_answer_ends_nothing(
        self, ws: pw.Workspace, launcher: Launcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Longer than the grace: a run that beats goes on, though nobody sees its process, or its job."""
        run = self.begin(ws)
        blind = _Blind(monkeypatch, type(launcher))
        self.look_for(ws, self.timing.grace + 2.0)
        assert run.status == "Running", run.error
        blind.see()
        run.stop()
        self.await_status(run, "Stopped")

    def test_a_job_that_nobody_sees_die_is_crashed(
        self, ws: pw.Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On another machine: what its engine says of the job counts, else the grace."""
        run = self.begin(ws)
        supervisor, training = self.pids(run)
        monkeypatch.setattr(processes, "is_here", _is_elsewhere)
        kill(supervisor)
        if is_alive(training):
            kill(training)
        self.await_status(run, "Crashed", self.ends_within)
        assert run.error

    def look_for(self, ws: pw.Workspace, seconds: float) -> None:
        """Reconcile for some seconds, as views do."""
        done = threading.Event()
        timer = threading.Timer(seconds, done.set)
        timer.start()
        while not done.wait(0.2):
            ws._services.reconciler.reconcile()

    def _end_all(self, ws: pw.Workspace, launcher: Launcher) -> None:
        for project in ws.projects:
            for pipe in project.pipelines:
                for stage in pipe.stages:
                    run = stage.run
                    if run is not None and run.status.active:
                        job = self.lease(run).job
                        run.stop()
                        if job is not None:
                            launcher.stop(job)
                        wait_until(lambda run=run: run.status.finished, self.ends_within)
        ws.close()


def _is_elsewhere(_: Process | None) -> bool:
    return False


def _answer_nothing(*_: object) -> JobObservation:
    return JobObservation(state=JobState.UNKNOWN)


class _Blind:
    """Lets this process see neither processes nor jobs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, launcher: type[Any]) -> None:
        self._monkeypatch = monkeypatch
        self._launcher = launcher
        self._before: tuple[Callable[..., bool], Callable[..., JobObservation]] = (
            processes.is_here,
            launcher.status,
        )
        monkeypatch.setattr(processes, "is_here", _is_elsewhere)
        monkeypatch.setattr(launcher, "status", _answer_nothing)

    def see(self) -> None:
        """Let it see again."""
        self._monkeypatch.setattr(processes, "is_here", self._before[0])
        self._monkeypatch.setattr(self._launcher, "status", self._before[1])
