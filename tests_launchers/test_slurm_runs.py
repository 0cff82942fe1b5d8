"""Runs as jobs of a real Slurm: what becomes of them where Slurm ends, delays or forgets a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from benches import Bench, alive, end_all, until
from pydantic import BaseModel
from slurm import OneNodeSlurm

import pipeline_widgets as pw

pytestmark = pytest.mark.spec("11.2")

TIMING = pw.Timing(beat_every=0.5, grace=5.0)
LONG: Mapping[str, object] = {"steps": 4000, "pause": 0.05}

#: What a notebook cell would hold: a train function of its own among those that come along.
CELL = """
import sys, time
import pipeline_widgets as pw
from pipeline_widgets import demo

@pw.algorithm("Warm-up", produces={"nothing"})
def warm_up(ctx):
    import socket
    ctx.log("trained on", socket.gethostname(), "job", __import__("os").environ["SLURM_JOB_ID"])
    ctx.report(1, total=1)
    with ctx.checkpoint(1) as folder:
        (folder / "x").write_text("1")

resources = {"cpu": 1, "memory": "900 MiB"}
ws = pw.Workspace(sys.argv[1], artifacts=sys.argv[2], launcher="slurm", resources=resources)
pipe = demo._pipeline(ws)
project = ws.projects[demo.PROJECT]
single = project.create_pipeline("cell")
single.add_experiment_stage(project.create_experiment("warm-up", algorithm=warm_up))
single.stages[0].trigger()
pipe.stages[0].trigger()
single.wait(timeout=240)
pipe.wait(timeout=240)
print([str(stage.status) for stage in (*single.stages, *pipe.stages)])
print(single.stages[0].run.log)
print("answer", ws.agents[demo.AGENT].predict("dcba"))
print("rows", [len(stage.run.metrics) > 0 for stage in pipe.stages[:3]])
for agent in ws.agents:
    agent.disconnect()
ws.close()
"""


class Eating(BaseModel):
    """How much to eat."""

    megabytes: int = 600


@pw.algorithm("Eater", produces={"thing"}, config=Eating)
def eater(ctx: pw.TrainContext) -> None:
    """Take more memory than there is."""
    with ctx.checkpoint(1) as folder:
        (folder / "x").write_text("1")
    taken = [bytearray(10_000_000) for _ in range(ctx.config.megabytes // 10)]
    ctx.report(2, bytes=float(len(taken)))


@pytest.fixture
def bench(slurm: OneNodeSlurm, tmp_path: Path) -> Iterator[Bench]:
    """A workspace whose runs are jobs."""
    made = Bench(tmp_path, TIMING, launcher="slurm")
    yield made
    end_all(made)
    slurm.run("scancel", "--user=root", "--signal=KILL", "--full")
    slurm.run("scancel", "--user=root")
    slurm.wait_for(lambda: not slurm.run("squeue", "-h"), "all jobs to be gone")


def place(bench: Bench, **resources: Any) -> None:
    """Let the runs of a workspace ask for resources from now on."""
    pw.Workspace(f"sqlite:///{bench.folder}/lab.db", resources=resources).close()


def begin(bench: Bench, config: Mapping[str, object] = LONG, **resources: Any) -> pw.Run:
    """Trigger a run that trains for minutes, and return it once it has saved."""
    place(bench, **resources)
    run = bench.chain(config).stages[0].trigger()
    until(lambda: len(run.checkpoints) > 0, timeout=60)
    return run


def shown(bench: Bench, run: pw.Run) -> str:
    """Return what the panel of a run says of its start."""
    return bench.ws._services.run_details.run(run._id).start


def ended(run: pw.Run, within: float = 60) -> str:
    """Wait until a run has ended, and return its status."""
    run.wait(within)
    return str(run.status)


def test_a_chain_of_a_notebook_runs_as_a_job_and_its_agent_answers(
    slurm: OneNodeSlurm, tmp_path: Path, any_url: str
) -> None:
    def states() -> set[str]:
        told = (line.split() for line in slurm.run("squeue", "-h", "-t", "all", "-o", "%i %T").splitlines())
        return {state for job, state in told if int(job) > before}

    before = max((int(job) for job in slurm.run("squeue", "-h", "-t", "all", "-o", "%i").split()), default=0)
    script = tmp_path / "cell.py"
    script.write_text(CELL)
    done = subprocess.run(
        [sys.executable, script, any_url, tmp_path / "artifacts"],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    assert str(["Succeeded"] * 5) in done.stdout
    assert "answer abcd" in done.stdout
    assert "rows [True, True, True]" in done.stdout
    assert "trained on" in done.stdout
    # Three stages with the same resources are one job; the agent is served where the notebook is.
    slurm.wait_for(lambda: states() == {"COMPLETED"}, "the end of its jobs")


def test_a_run_that_is_preempted_is_crashed_with_slurms_word_and_what_it_saved(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    run = begin(bench, partition="spare", cpu=4)
    saved = len(run.checkpoints)
    slurm.run("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 1")
    assert ended(run) == "Crashed"
    assert "PREEMPTED" in (run.error or "")
    assert len(run.checkpoints) >= saved


def test_a_preempted_run_is_retried_as_a_job_of_its_own_from_what_it_saved(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    place(bench, partition="spare", cpu=4)
    stage = bench.chain({"steps": 150, "pause": 0.1}).stages[0]
    stage.update(retries=1)
    first = stage.trigger()
    until(lambda: len(first.checkpoints) > 20, timeout=60)
    slurm.run("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 1")
    assert ended(first) == "Crashed"
    assert "PREEMPTED" in (first.error or "")
    until(lambda: stage.run is not None and stage.run.number != first.number)
    second = stage.run
    assert second is not None
    assert ended(second, 90) == "Succeeded"
    assert bench.row(second).job not in {None, bench.row(first).job}
    assert min(checkpoint.step for checkpoint in second.checkpoints) > 20


def test_a_run_whose_job_slurm_would_start_again_is_crashed_and_not_started_twice(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    run = begin(
        bench, {**LONG, "act": "mark", "folder": str(bench.folder)}, partition="again", cpu=4, requeue=True
    )
    job = bench.row(run).job or ""
    slurm.run("sbatch", "--partition=urgent", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 1")
    assert ended(run) == "Crashed"
    assert "REQUEUED" in (run.error or "") or "PREEMPTED" in (run.error or "")
    slurm.wait_for(lambda: "Restarts=1" in slurm.run("scontrol", "show", "job", job), "the requeue")
    slurm.wait_for(lambda: slurm.state(job) == "PENDING", "the queue")
    slurm.run("scontrol", "update", f"jobid={job}", "StartTime=now")
    slurm.wait_for(lambda: slurm.state(job) == "COMPLETED", "its second start")
    assert len((bench.folder / "started").read_text().splitlines()) == 1
    assert str(run.status) == "Crashed"


def test_a_run_whose_node_fails_is_crashed_with_slurms_word(bench: Bench, slurm: OneNodeSlurm) -> None:
    run = begin(bench)
    slurm.run("scontrol", "update", f"nodename={slurm.node}", "state=down", "reason=test")
    try:
        assert ended(run) == "Crashed"
        assert "NODE_FAIL (NodeDown)" in (run.error or "")
    finally:
        slurm.run("scontrol", "update", f"nodename={slurm.node}", "state=idle")


def test_a_run_that_takes_more_memory_than_it_asked_for_is_crashed_for_that(bench: Bench) -> None:
    pipe = bench.project.create_pipeline("eats")
    stage = pipe.add_experiment_stage(bench.project.create_experiment("eats", algorithm=eater))
    place(bench, memory="400 MiB")
    run = stage.trigger()
    assert ended(run) == "Crashed"
    assert "OUT_OF_MEMORY" in (run.error or "")
    assert [checkpoint.step for checkpoint in run.checkpoints] == [1]


def test_a_stop_of_a_run_is_a_stop_and_its_job_ends(bench: Bench, slurm: OneNodeSlurm) -> None:
    run = begin(bench)
    run.stop()
    assert ended(run, 30) == "Stopped"
    slurm.wait_for(lambda: slurm.state(bench.row(run).job or "") == "COMPLETED", "the end of the job")


def test_a_job_that_somebody_cancels_is_crashed_since_nobody_has_stopped_the_run(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    run = begin(bench)
    slurm.run("scancel", bench.row(run).job or "")
    assert ended(run) == "Crashed"
    assert "asked to end (SIGTERM)" in (run.error or "")


def test_a_supervisor_that_is_killed_is_crashed_with_slurms_words(bench: Bench, slurm: OneNodeSlurm) -> None:
    run = begin(bench)
    trainer = bench.trainer(run)
    os.kill(bench.supervisor(run).pid, signal.SIGKILL)
    assert ended(run, 30) == "Crashed"
    assert "FAILED" in (run.error or "")
    until(lambda: not alive(trainer.pid))
    slurm.wait_for(lambda: not slurm.run("squeue", "-h"), "the end of the job")


def test_a_run_in_the_queue_says_for_what_it_waits_and_can_be_stopped(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    blocking = slurm.run(
        "sbatch", "--parsable", "--cpus-per-task=4", "--output=/dev/null", "--wrap=sleep 600"
    )
    slurm.wait_for(lambda: slurm.state(blocking) == "RUNNING", "the other job")
    place(bench, cpu=4)
    run = bench.chain({}).stages[0].trigger()
    job = bench.row(run).job

    def waiting() -> str:
        bench.ws.reconcile()
        return bench.row(run).waiting_for or ""

    until(lambda: "Resources" in waiting())
    assert waiting() == f"Resources (Slurm job {job})"
    time.sleep(TIMING.grace + 2)
    assert str(run.status) == "Pending"
    run.stop()
    assert ended(run, 10) == "Stopped"
    slurm.wait_for(lambda: slurm.state(job or "") == "CANCELLED", "the end of the job")


def suspended(bench: Bench, slurm: OneNodeSlurm) -> tuple[pw.Run, str]:
    """Return a run whose job an admin has suspended, and the job, once the run says so."""
    run = begin(bench)
    job = bench.row(run).job or ""
    slurm.run("scontrol", "suspend", job)
    assert slurm.state(job) == "SUSPENDED"
    until(lambda: run.waits is not None)
    assert (str(run.status), run.waits) == ("Running", f"Slurm, which has suspended it (Slurm job {job})")
    return run, job


def test_a_run_whose_job_is_suspended_says_so_and_goes_on_when_it_is_resumed(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    run, job = suspended(bench, slurm)
    trainer, saved = bench.trainer(run), len(run.checkpoints)
    time.sleep(3 * TIMING.grace + 2)
    another = pw.Workspace(f"sqlite:///{bench.folder}/lab.db", timing=TIMING)  # has never asked Slurm before
    for _ in range(20):
        another.reconcile()
        time.sleep(0.1)
    another.close()
    assert (str(run.status), len(run.checkpoints)) == ("Running", saved)
    assert f"Waits for Slurm, which has suspended it (Slurm job {job})." in shown(bench, run)

    slurm.run("scontrol", "resume", job)
    until(lambda: len(run.checkpoints) > saved + 50, timeout=60)
    assert (str(run.status), run.waits, bench.trainer(run)) == ("Running", None, trainer)


def test_a_suspended_job_that_is_cancelled_is_crashed_with_slurms_words(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    run, job = suspended(bench, slurm)
    slurm.run("scancel", job)
    assert ended(run) == "Crashed"
    assert "CANCELLED" in (run.error or "") or "asked to end (SIGTERM)" in (run.error or "")
    assert run.waits is None


def test_a_stop_ends_a_suspended_job(bench: Bench, slurm: OneNodeSlurm) -> None:
    run, job = suspended(bench, slurm)
    run.stop()
    assert ended(run, 30) == "Stopped", run.error
    slurm.wait_for(lambda: not slurm.run("squeue", "-h"), "the end of the job")
    assert slurm.state(job) == "CANCELLED"


def test_a_controller_that_is_away_for_half_a_minute_harms_no_chain(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    mark = {"steps": 60, "pause": 0.1, "act": "mark", "folder": str(bench.folder)}
    pipe = bench.chain(mark, mark, mark)
    pipe.stages[0].trigger()
    until((bench.folder / "started").exists, timeout=60)
    slurm.stop_controller()
    try:
        time.sleep(30)
        assert str(pipe.stages[1].status) in {"Running", "Succeeded"}
    finally:
        slurm.start_controller()
    pipe.wait(timeout=120)
    assert [str(stage.status) for stage in pipe.stages] == ["Succeeded"] * 3
    assert len((bench.folder / "started").read_text().splitlines()) == 3


def test_a_run_that_is_triggered_while_the_controller_is_away_is_refused_and_never_begins(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    pipe = bench.chain({"act": "mark", "folder": str(bench.folder)})
    slurm.stop_controller()
    try:
        with pytest.raises(pw.PipelineError, match="does not answer"):
            pipe.stages[0].trigger()
    finally:
        slurm.start_controller()
    refused = pipe.stages[0].run
    assert refused is not None
    assert (str(refused.status), "does not answer" in (refused.error or "")) == ("Crashed", True)
    assert ended(pipe.stages[0].trigger()) == "Succeeded"
    assert len((bench.folder / "started").read_text().splitlines()) == 1


def test_a_run_that_beats_goes_on_though_slurm_calls_its_node_failed(
    bench: Bench, slurm: OneNodeSlurm
) -> None:
    run = begin(bench)
    job = bench.row(run).job or ""
    slurm.stop_node(signal.SIGKILL)  # its daemon: what it has started lives on
    try:
        slurm.wait_for(lambda: slurm.state(job) == "NODE_FAIL", "the node to be given up", within=90)
        saved = len(run.checkpoints)
        until(lambda: bench.ws.reconcile() or len(run.checkpoints) > saved + 100, timeout=60)
        assert str(run.status) == "Running"
    finally:
        slurm.start_node()
    # The node that is back ends what its controller has given up.
    assert ended(run) == "Crashed"
    assert "NODE_FAIL" in (run.error or "")
    slurm.wait_for(lambda: "idle" in slurm.run("sinfo", "-h", "-o", "%T"), "the node to be idle")


@pytest.mark.slow
def test_a_run_that_reaches_its_time_limit_is_crashed_with_slurms_word_and_what_it_saved(
    bench: Bench,
) -> None:
    run = begin(bench, time="1 min")
    assert ended(run, 120) == "Crashed"
    assert "TimeLimit" in (run.error or "")
    assert len(run.checkpoints) > 10
