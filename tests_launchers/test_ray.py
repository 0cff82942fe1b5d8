"""Runs on a real Ray cluster: what is particular to it. The faults that all launchers share are elsewhere."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import habits
import pytest
import ray_programs
import trainers
from benches import Bench, until
from notebook_chain import chain_trains_and_serves
from ray_cluster import BEGINS_WITHIN, RayCluster
from ray_node import HOST
from sqlalchemy import update

import pipeline_widgets as pw
from pipeline_widgets.domain import liveness
from pipeline_widgets.domain.engine_job import JobState
from pipeline_widgets.domain.liveness import Lease
from pipeline_widgets.execution.launchers.protocol import LaunchRequest
from pipeline_widgets.execution.launchers.ray import RayLauncher
from pipeline_widgets.execution.ownership import launch_of
from pipeline_widgets.execution.variables import LAUNCH, token_of
from pipeline_widgets.persistence import schema

pytestmark = pytest.mark.timeout(600)  # on a busy machine its head takes minutes to start

#: As quick as a beat can be that has to be heard of on a busy machine.
SOON = pw.Timing(beat_every=0.5, grace=10.0)


class RayBench(Bench):
    """A workspace whose runs are jobs of a cluster."""

    def __init__(self, cluster: RayCluster, folder: Path, url: str | None = None, **options: Any) -> None:
        self.folder, self.cluster = folder, cluster
        self.ws = pw.Workspace(
            url or f"sqlite:///{folder}/lab.db",
            artifacts=folder / "artifacts",
            launcher=cluster.launcher,
            timing=options.pop("timing", SOON),
            **options,
        )
        self.project = self.ws.create_project("Bench", advanced_training=True)

    def create(self, algorithm: Any, resources: dict[str, Any] | None = None, **config: Any) -> pw.Experiment:
        """Create an experiment that asks for resources."""
        name = f"e{len(self.project.experiments)}"
        made = self.project.create_experiment(name, algorithm=algorithm, config=config)
        database = self.ws._services.store.database
        with database.write() as connection:
            chosen = update(schema.experiments).where(schema.experiments.c.id == made._id)
            connection.execute(chosen.values(resources=resources))
        return made

    def train(self, algorithm: Any, resources: dict[str, Any] | None = None, **config: Any) -> pw.Run:
        """Trigger a run of an experiment of its own."""
        return self.create(algorithm, resources, **config).train()

    def begin(self, algorithm: Any, resources: dict[str, Any] | None = None, **config: Any) -> pw.Run:
        """Trigger a run, and wait until it trains."""
        run = self.train(algorithm, resources, **config)
        until(lambda: len(run.checkpoints) > 0 or run.status == "Crashed", timeout=BEGINS_WITHIN)
        assert run.status == "Running", run.error
        return run

    def job(self, run: pw.Run) -> str:
        """Return by which name Ray knows the job of a run."""
        found = self.lease(run).job
        assert found is not None
        return found

    def left(self, lease: Lease) -> list[int]:
        """Return the processes that bear the number of a launch, on whichever side."""
        numbers = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
        return [pid for pid in numbers if (it := launch_of(pid)) is not None and token_of(it) == lease.token]

    def supervisor_here(self, run: pw.Run) -> int:
        """Return how this side numbers the supervisor of a run."""
        return self.cluster.number_here(self.supervisor(run).pid)


@pytest.fixture
def bench(cluster: RayCluster, tmp_path: Path) -> Generator[RayBench]:
    """Yield a workspace whose runs are jobs of the cluster, and end what is left of them."""
    made = RayBench(cluster, tmp_path)
    yield made
    end_all(made)


def end_all(bench: RayBench) -> None:
    """End the jobs that a failed test may have left, and close its workspace."""
    bench.ws.close()
    code, said = bench.cluster.request("GET", "/api/jobs/")
    for job in json.loads(said) if code == 200 else ():
        if job["status"] in {"PENDING", "RUNNING"} and str(bench.folder) in str(job["metadata"]):
            bench.cluster.request("POST", f"/api/jobs/{job['submission_id']}/stop")


@pytest.mark.spec("11.2")
def test_a_run_on_ray_has_log_metrics_and_checkpoints_as_on_one_machine(bench: RayBench) -> None:
    """Its supervisor is a job of the cluster, and it is seen there under the run's name."""
    run = bench.train(trainers.counter, act="print")

    assert run.wait(BEGINS_WITHIN).status == "Succeeded", run.error
    assert [point.step for point in run.checkpoints] == [1, 2, 3]
    assert list(run.metrics["step"][run.metrics["metric"] == "loss"]) == [1, 2, 3]
    assert {"from stderr", "from a child"} <= {*run.log.splitlines()}
    job = bench.cluster.job(bench.job(run))
    assert job["metadata"]["job_name"] == f"pw-supervise-{run._id}"
    assert bench.supervisor(run).machine.startswith(f"{HOST}|")
    until(lambda: bench.cluster.job(bench.job(run))["status"] == "SUCCEEDED")


@pytest.mark.spec("11.2")
def test_a_submit_that_is_repeated_is_one_job(cluster: RayCluster, tmp_path: Path) -> None:
    """Ray refuses the second by its name, which comes from the launch."""
    launcher = RayLauncher(cluster.launcher)
    environment = {LAUNCH: os.urandom(16).hex(), "PIPELINE_WIDGETS_URL": "sqlite:////x"}
    request = LaunchRequest(
        arguments=("--help",), environment=environment, name="pw-twice", log=tmp_path / "log"
    )

    first, second = launcher.submit(request), launcher.submit(request)

    assert first == second
    until(lambda: launcher.status(first.id).state is JobState.ENDED, timeout=BEGINS_WITHIN)
    assert launcher.logs(first.id).startswith("usage: pipeline-widgets")


@pytest.mark.spec("11.2")
def test_ray_describes_itself(cluster: RayCluster) -> None:
    """With its version, and that of the Python that its jobs have."""
    described = RayLauncher(cluster.launcher).describe()
    assert described.engine.startswith("Ray 2.")
    assert described.python == f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.mark.spec("6.5")
def test_a_stopped_run_has_saved_and_its_job_has_ended_by_itself(bench: RayBench) -> None:
    """A stop goes through the workspace, and gets the time that the algorithm needs."""
    run = bench.begin(habits.careful)
    lease = bench.lease(run)

    run.stop()

    assert run.wait(60).status == "Stopped"
    assert [point.step for point in run.checkpoints] == [1, 2]
    until(lambda: bench.cluster.job(str(lease.job))["status"] == "SUCCEEDED")
    until(lambda: bench.left(lease) == [])


@pytest.mark.spec("11.2")
def test_a_job_that_somebody_stops_in_ray_is_a_crashed_run_and_leaves_nothing(
    bench: RayBench, tmp_path: Path
) -> None:
    """`ray job stop` kills after 3 s; what the training has detached is gone as well."""
    run = bench.begin(habits.detaching, end="wait", folder=str(tmp_path))
    lease = bench.lease(run)
    detached = [bench.cluster.number_here(int((tmp_path / name).read_text())) for name in ("rank", "daemon")]

    bench.cluster.request("POST", f"/api/jobs/{lease.job}/stop")

    assert run.wait(60).status == "Crashed"
    assert "Ray says of job" in str(run.error)
    until(lambda: bench.left(lease) == [])
    until(lambda: not [pid for pid in detached if Path(f"/proc/{pid}/stat").exists()], timeout=20)


@pytest.mark.spec("11.2")
def test_a_killed_supervisor_is_told_by_rays_exit_code_and_leaves_nothing(
    bench: RayBench, tmp_path: Path
) -> None:
    """What it had started in sessions of their own is ended by the guard of the job."""
    run = bench.begin(habits.detaching, end="wait", folder=str(tmp_path))
    lease = bench.lease(run)

    os.kill(bench.supervisor_here(run), signal.SIGKILL)

    until(lambda: bench.left(lease) == [], timeout=20)
    assert run.wait(60).status == "Crashed"
    assert "FAILED, signal 9" in str(run.error)


@pytest.mark.spec("11.2")
def test_when_ray_loses_its_own_process_of_a_job_the_run_is_crashed_and_nothing_is_left(
    bench: RayBench, tmp_path: Path
) -> None:
    """Ray then kills the process group of the job, and its guard the rest."""
    run = bench.begin(habits.detaching, end="wait", folder=str(tmp_path))
    lease = bench.lease(run)

    bench.cluster.kill(bench.cluster.processes_of("ray::JobSupervisor"))

    assert run.wait(90).status == "Crashed"
    assert "Job supervisor actor died" in str(run.error)
    until(lambda: bench.left(lease) == [], timeout=20)


@pytest.mark.spec("11.2")
def test_a_run_that_beats_goes_on_although_ray_calls_its_job_failed(bench: RayBench) -> None:
    """The engine's word is a hint: here Ray has lost the job, and what would have ended it."""
    run = bench.begin(trainers.counter, steps=400, pause=0.05)
    bench.cluster.kill(bench.cluster.processes_of("while kill -s 0"))
    bench.cluster.kill(bench.cluster.processes_of("ray::JobSupervisor"))
    until(lambda: bench.cluster.job(bench.job(run))["status"] == "FAILED", timeout=60)

    assert run.status == "Running"
    assert run.wait(BEGINS_WITHIN).status == "Succeeded"
    assert len(bench.project.experiments[-1].runs) == 1


@pytest.mark.spec("11.2")
def test_a_network_that_is_cut_loses_no_run(bench: RayBench) -> None:
    """Ray cannot be asked; the beats, which take another way, say that the run is at work."""
    run = bench.begin(trainers.counter, steps=600, pause=0.05)
    launcher = RayLauncher(bench.cluster.launcher)

    bench.cluster.port.cut()
    try:
        assert launcher.status(bench.job(run)).state is JobState.UNKNOWN
        cut = time.monotonic()
        while time.monotonic() - cut < 12:
            assert run.status == "Running"
            time.sleep(0.5)
    finally:
        bench.cluster.port.mend()

    assert launcher.status(bench.job(run)).state is JobState.AT_WORK
    assert run.wait(BEGINS_WITHIN).status == "Succeeded"


@pytest.mark.spec("11.2")
def test_a_trigger_while_ray_cannot_be_reached_is_an_error_that_says_so(bench: RayBench) -> None:
    """The run is Crashed with the reason, and can be triggered again."""
    bench.cluster.port.cut()
    try:
        with pytest.raises(pw.PipelineError, match=r"Ray at .* does not answer"):
            bench.train(trainers.counter)
    finally:
        bench.cluster.port.mend()
    experiment = bench.project.experiments[-1]
    assert [run.status for run in experiment.runs] == ["Crashed"]
    assert experiment.train().wait(BEGINS_WITHIN).status == "Succeeded"


@pytest.mark.spec("11.2")
def test_a_run_waits_for_resources_as_long_as_they_are_taken(bench: RayBench) -> None:
    """It is Pending, and says for what it waits; it begins when they are free."""
    first = bench.begin(habits.careful, {"gold": 1})
    second = bench.train(trainers.counter, resources={"gold": 1})
    until(lambda: "resources" in str(bench.lease(second).waits), timeout=30)
    assert second.status == "Pending"
    assert "CPUs in use, no GPUs" in str(bench.lease(second).waits)

    first.stop()

    assert second.wait(BEGINS_WITHIN).status == "Succeeded"


@pytest.mark.spec("11.2")
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_waits_for_longer_than_ray_lets_a_job_wait(tmp_path: Path) -> None:
    """Ray fails what has waited for long, here for 40 s; the run stays Pending and is given to it again."""
    variables = {"RAY_JOB_START_TIMEOUT_SECONDS": "40"}
    with closing(RayCluster(resources={"gold": 1.0}, variables=variables)) as cluster:
        cluster.wait_until_ready()
        bench = RayBench(cluster, tmp_path)
        first = bench.begin(habits.careful, {"gold": 1})
        second = bench.train(trainers.counter, resources={"gold": 1})
        jobs = {bench.job(second)}

        def is_given_again() -> bool:
            bench.ws.reconcile()
            jobs.add(bench.lease(second).job or bench.job(first))
            return len(jobs - {bench.job(first)}) > 2

        until(is_given_again, timeout=240)
        assert second.status == "Pending"
        until(lambda: "resources" in str(second.waits), timeout=30)
        first.stop()
        assert second.wait(BEGINS_WITHIN).status == "Succeeded"
        end_all(bench)


@pytest.mark.spec("11.2")
def test_a_run_that_is_stopped_while_it_waits_leaves_rays_queue(bench: RayBench) -> None:
    """Ray itself keeps what was told to stop in its queue, and would scale up for it."""
    run = bench.train(trainers.counter, resources={"gpu": 1})
    job = bench.job(run)
    until(lambda: bench.cluster.job(job).get("status") == "PENDING", timeout=30)

    run.stop()

    assert run.status == "Stopped"
    until(lambda: bench.cluster.job(job)["status"] == "FAILED", timeout=BEGINS_WITHIN)
    assert "cancelled before it started running" in bench.cluster.job(job)["message"]


@pytest.mark.spec("11.2")
@pytest.mark.parametrize(("resources", "threads"), [({"cpu": 2}, "2"), ({}, "1")])
def test_a_training_has_the_threads_that_ray_gives_it(
    bench: RayBench, resources: dict[str, Any], threads: str
) -> None:
    """As many as CPUs were asked for; nothing else of Ray's own process reaches it."""
    run = bench.train(ray_programs.surroundings, resources=resources)
    assert run.wait(BEGINS_WITHIN).status == "Succeeded", run.error
    found = ray_programs.read(run.checkpoints[-1].path)
    assert found == {"threads": threads, "breakpoint": None, "blocks SIGINT": False, "launch": True}


@pytest.mark.spec("11.2")
def test_a_training_can_use_ray_itself(bench: RayBench) -> None:
    """`ray.init()` joins the cluster that the job belongs to, and the tasks end with the run."""
    run = bench.train(ray_programs.uses_ray)
    assert run.wait(2 * BEGINS_WITHIN).status == "Succeeded", run.error
    assert (run.checkpoints[-1].path / "total.txt").read_text() == "14"
    until(lambda: bench.left(bench.lease(run)) == [])


@pytest.mark.spec("11.2")
def test_a_password_of_the_workspace_is_shown_to_nobody(
    cluster: RayCluster, tmp_path: Path, postgres_url: str
) -> None:
    """Not in what Ray tells of the job, not on a command line, not in its log; the run gets it."""
    url = postgres_url.replace("postgres@", "postgres:hunter2@")
    bench = RayBench(cluster, tmp_path, url)
    try:
        run = bench.begin(habits.careful)
        shown = "".join(
            cluster.request("GET", f"/api/jobs/{path}")[1] for path in ("", f"{bench.job(run)}/logs")
        )
        lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in cluster.processes()]
        run.stop()
        assert run.wait(60).status == "Stopped"
    finally:
        end_all(bench)
    assert bench.job(run) in shown
    assert "hunter2" not in shown
    assert not [line for line in lines if b"hunter2" in line]
    assert list(tmp_path.rglob("*.environment")) == []


@pytest.mark.spec("11.2")
def test_a_node_that_dies_takes_its_run_with_it_and_is_named(bench: RayBench) -> None:
    """Crashed with Ray's own words; the rest of the cluster goes on."""
    node = bench.cluster.add_node({"silver": 1.0})
    run = bench.begin(habits.careful, {"silver": 1})
    lease = bench.lease(run)

    bench.cluster.kill(node)

    assert run.wait(120).status == "Crashed"
    assert "silent" in str(run.error) or "gone" in str(run.error)
    until(lambda: bench.left(lease) == [], timeout=20)
    assert bench.train(trainers.counter).wait(BEGINS_WITHIN).status == "Succeeded"


@pytest.mark.spec("11.2")
def test_the_chain_of_a_newcomer_runs_on_ray_and_its_agent_answers_here(
    cluster: RayCluster, tmp_path: Path, any_url: str
) -> None:
    """A stage that asks for other resources goes on as a new job; the agent is for this machine."""
    bench = RayBench(cluster, tmp_path, any_url, timing=pw.Timing())
    made = [bench.create(name, {"cpu": 2} if name == "GRPO" else None) for name in ("SFT", "DPO", "GRPO")]
    pipe = bench.project.create_pipeline("post-training")
    pipe.add_experiment_stage(made[0])
    for experiment in made[1:]:
        pipe.add_experiment_stage(experiment, trigger="auto")
    pipe.add_deployment_stage("letters", trigger="auto")
    try:
        pipe.stages[0].trigger()
        pipe.wait(timeout=280)
        assert [(stage.status, stage.run and stage.run.error) for stage in pipe.stages] == [
            ("Succeeded", None)
        ] * 4
        sft, dpo, grpo = (bench.lease(stage.run).job for stage in pipe.stages[:3] if stage.run)
        assert sft == dpo != grpo
        assert cluster.job(str(grpo))["entrypoint"]
        assert sorted(bench.ws.agents["letters"].predict("dcba")) == ["a", "b", "c", "d"]
    finally:
        for agent in bench.ws.agents:
            agent.disconnect()
        end_all(bench)


@pytest.mark.spec("11.2")
def test_a_chain_runs_as_jobs_of_ray_from_a_notebook(cluster: RayCluster, tmp_path: Path) -> None:
    """Views, curves, log and agent in JupyterLab are as on one machine."""
    chain_trains_and_serves(cluster.launcher, tmp_path)


# What ends the head comes last: it is started again, which takes a while.


@pytest.mark.spec("11.2")
@pytest.mark.timeout(900)
def test_a_head_that_is_killed_and_forgets_its_jobs_leaves_no_run_running_and_none_twice(
    bench: RayBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What trained is Crashed by its beats; what waited is given to the new head, once."""
    # 120 s; it has to be longer than a submit may take, or one that is on its way is given up.
    monkeypatch.setattr(liveness, "RELAUNCH_ELSEWHERE_AFTER", 40.0)
    trains = bench.begin(habits.careful, {"gold": 1})
    waits = bench.train(trainers.counter, resources={"gold": 1})
    lease = bench.lease(trains)
    until(lambda: bench.lease(waits).waits is not None, timeout=30)
    forgotten = bench.job(waits)

    bench.cluster.kill_head()

    assert trains.wait(90).status == "Crashed"
    assert "silent" in str(trains.error)
    until(lambda: bench.left(lease) == [], timeout=20)
    bench.cluster.start_head()
    assert waits.wait(2 * BEGINS_WITHIN).status == "Succeeded", waits.error
    assert bench.job(waits) != forgotten
    assert RayLauncher(bench.cluster.launcher).status(forgotten).state is JobState.UNKNOWN
    assert [len(experiment.runs) for experiment in bench.project.experiments] == [1, 1]
