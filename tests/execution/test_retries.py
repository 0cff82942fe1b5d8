"""Trainings that are killed, and go on by themselves (spec 6.12)."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
import trainers
from benches import Bench, alive, until

import pipeline_widgets as pw
from pipeline_widgets.domain.liveness import LAUNCH_AFTER

LOOKERS, ROUNDS = 6, 3


def fragile(
    bench: Bench, kills: Sequence[int], *, retries: int = 2, follows: bool = False, **config: object
) -> pw.Pipeline:
    """Return a pipeline whose training is killed at those steps, attempt by attempt."""
    pipe = bench.project.create_pipeline(f"chain {len(bench.project.pipelines)}")
    settings = {"kills": list(kills), "folder": str(bench.folder), **config}
    name = f"e{len(bench.project.experiments)}"
    first = bench.project.create_experiment(name, algorithm=trainers.fragile, config=settings)
    pipe.add_experiment_stage(first, retries=retries)
    if follows:
        other = bench.project.create_experiment(f"{name} next", algorithm=trainers.counter)
        pipe.add_experiment_stage(other, trigger="auto")
    return pipe


def attempts(bench: Bench) -> list[int]:
    """Return the step at which each attempt of the training began."""
    return [int(line) for line in (bench.folder / "attempts").read_text().split()]


@pytest.mark.spec("6.12")
def test_a_killed_training_goes_on_from_its_last_checkpoint_and_the_chain_with_it(bench: Bench) -> None:
    """Killed at step 3 and at step 5 of 6: three runs, the third succeeds, and the next stage follows."""
    pipe = fragile(bench, [3, 5], follows=True)
    pipe.stages[0].trigger()
    pipe.wait(60)

    runs = pipe.stages[0].runs
    assert [run.status for run in runs] == ["Crashed", "Crashed", "Succeeded"]
    assert [(run.number, run.retry) for run in runs] == [(1, 0), (2, 1), (3, 2)]
    assert attempts(bench) == [0, 2, 4]
    assert "killed by SIGKILL" in (runs[0].error or "")
    assert (runs[0].error or "").endswith("Retried: run 2 resumes from step 2.")
    assert [c.step for c in runs[2].checkpoints] == [6]
    assert pipe.stages[1].status == "Succeeded"
    assert bench.lease(runs[0]).token == bench.lease(runs[2]).token == bench.lease(pipe.stages[1].run).token  # pyright: ignore[reportArgumentType]


@pytest.mark.spec("6.12")
def test_a_training_that_is_killed_at_the_same_step_again_is_given_up(bench: Bench) -> None:
    """It would crash there for ever: two runs, although five were allowed, and the second one says why."""
    pipe = fragile(bench, [3, 3, 3], retries=5, follows=True)
    pipe.stages[0].trigger()
    pipe.wait(60)

    runs = pipe.stages[0].runs
    assert [run.status for run in runs] == ["Crashed", "Crashed"]
    assert "Not retried again: it crashed at step 3, as run 1 did" in (runs[1].error or "")
    assert pipe.stages[1].status == "Draft"


@pytest.mark.spec("6.12")
def test_a_training_without_checkpoints_starts_over(bench: Bench) -> None:
    """There is nothing to go on from, so the retry begins where the run began."""
    pipe = fragile(bench, [3], saves_every=100)
    run = pipe.stages[0].trigger()
    pipe.wait(60)

    assert attempts(bench) == [0, 0]
    assert (run.error or "").endswith("Retried: run 2 starts over.")
    assert pipe.stages[0].status == "Succeeded"


@pytest.mark.spec("6.12")
def test_a_training_that_raises_is_not_retried(bench: Bench) -> None:
    """An error of the code is not a crash."""
    pipe = bench.chain({"act": "raise"})
    pipe.stages[0].update(retries=3)
    pipe.stages[0].trigger().wait(30)

    assert [run.status for run in pipe.stages[0].runs] == ["Failed"]


@pytest.mark.spec("6.12", "6.9")
def test_a_killed_supervisor_is_replaced_and_the_retry_goes_on(bench: Bench) -> None:
    """Whoever looks writes the crash with its retry, and another supervisor takes that."""
    pipe = bench.chain({"steps": 400, "pause": 0.01}, {})
    pipe.stages[0].update(retries=1)
    run = pipe.stages[0].trigger()
    until(lambda: len(run.checkpoints) > 2)
    trainer, supervisor = bench.trainer(run), bench.supervisor(run)

    os.kill(supervisor.pid, signal.SIGKILL)
    pipe.wait(60)

    runs = pipe.stages[0].runs
    assert [run.status for run in runs] == ["Crashed", "Succeeded"]
    assert not alive(trainer.pid)
    begun = runs[1].checkpoints[0].step
    assert begun == runs[0].checkpoints[-1].step + 1
    assert f"Retried: run 2 resumes from step {begun - 1}." in (runs[0].error or "")
    assert pipe.stages[1].status == "Succeeded"


@pytest.mark.spec("6.12", "6.9")
def test_who_writes_a_crash_launches_its_retry_and_what_has_waited_for_the_slot(bench: Bench) -> None:
    """By one look, not by the next one two seconds later; of the two the older run has the slot."""
    bench.ws.limits(runs=1)
    pipe = bench.chain({"steps": 100_000, "pause": 0.01})
    pipe.stages[0].update(retries=1)
    run = pipe.stages[0].trigger()
    trainer = bench.trainer(run)
    waiting = bench.chain({"steps": 100_000, "pause": 0.01}).stages[0].trigger()
    os.kill(bench.supervisor(run).pid, signal.SIGKILL)
    until(lambda: not alive(bench.supervisor(run).pid))

    bench.ws._services.reconciler.reconcile()

    assert bench.row(run).status == "Crashed"
    assert not alive(trainer.pid)
    retry = pipe.stages[0].runs[1]
    assert [bench.lease(each).launches for each in (waiting, retry)] == [1, 0]
    waiting.stop()
    until(lambda: bench.lease(retry).launches == 1)
    retry.stop()
    retry.wait(30)


@pytest.mark.spec("6.12", "6.9")
def test_a_retry_is_launched_by_the_look_that_has_found_the_crash(bench: Bench) -> None:
    """Nobody else has enqueued it, who might be about to launch it."""
    pipe = bench.chain({"steps": 100_000, "pause": 0.01})
    pipe.stages[0].update(retries=1)
    run = pipe.stages[0].trigger()
    bench.trainer(run)
    os.kill(bench.supervisor(run).pid, signal.SIGKILL)
    until(lambda: not alive(bench.supervisor(run).pid))

    bench.ws._services.reconciler.reconcile()

    retry = pipe.stages[0].runs[1]
    assert bench.lease(retry).launches == 1
    retry.stop()
    retry.wait(30)


@pytest.mark.slow
@pytest.mark.spec("6.12", "6.9")
def test_however_many_processes_look_one_retry_is_made_and_carried_out_once(bench: Bench) -> None:
    """Six processes reconcile at once when a supervisor was killed, three times over."""
    context = multiprocessing.get_context("spawn")
    barrier, url = context.Barrier(LOOKERS + 1), bench.ws._services.store.database.url
    lookers = [context.Process(target=_look, args=(url, barrier)) for _ in range(LOOKERS)]
    for looker in lookers:
        looker.start()
    pipes = [bench.chain({"steps": 200, "pause": 0.01}) for _ in range(ROUNDS)]
    for pipe in pipes:
        barrier.wait()  # they are ready
        pipe.stages[0].update(retries=1)
        run = pipe.stages[0].trigger()
        until(lambda run=run: len(run.checkpoints) > 2)
        os.kill(bench.supervisor(run).pid, signal.SIGKILL)
        barrier.wait()
    for looker in lookers:
        looker.join()
        assert looker.exitcode == 0

    for pipe in pipes:
        pipe.wait(60)
        runs = pipe.stages[0].runs
        assert [run.status for run in runs] == ["Crashed", "Succeeded"]
        steps = [checkpoint.step for run in runs for checkpoint in run.checkpoints]
        assert steps == list(range(1, 201))  # no step is trained twice


def _look(url: str, barrier: Barrier) -> None:
    ws = pw.Workspace(url)
    for _ in range(ROUNDS):
        barrier.wait()
        barrier.wait()
        looks, begun = 0, time.monotonic()
        while looks < 40 or time.monotonic() - begun < LAUNCH_AFTER + 1.0:  # before that none is launched
            ws._services.reconciler.reconcile()
            looks += 1
    ws.close()


@pytest.mark.spec("6.12", "6.5")
def test_a_retry_is_stopped_like_any_run(bench: Bench, tmp_path: Path) -> None:
    """A stop of the retry ends the chain."""
    pipe = bench.chain({"steps": 100_000, "pause": 0.01}, {})
    pipe.stages[0].update(retries=3)
    run = pipe.stages[0].trigger()
    until(lambda: len(run.checkpoints) > 2)
    os.kill(bench.trainer(run).pid, signal.SIGKILL)
    until(lambda: len(pipe.stages[0].runs) == 2 and pipe.stages[0].status == "Running")

    pipe.stages[0].stop()
    pipe.wait(30)

    assert [each.status for each in pipe.stages[0].runs] == ["Crashed", "Stopped"]
    assert pipe.stages[1].status == "Draft"
