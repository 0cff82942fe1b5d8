"""Scripts under real launchers and with real trainers report, save and stop (spec 9.1, habits 1 and 19)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from benches import Bench, alive, until
from pydantic import BaseModel

import pipeline_widgets as pw

PROGRAMS = Path(__file__).parent / "programs"
TORCHRUN = "torchrun --nproc-per-node 2"
ANY = [pw.Port("weights", {"model"})]
pytestmark = pytest.mark.slow


class Options(BaseModel):
    """The options of a script."""

    learning_rate: float = 0.1
    steps: int = 50
    pause: float = 0.0
    end: str = ""
    pids: str = ""


class Trainer(BaseModel):
    """The options of a script with a trainer."""

    steps: int = 20
    pause: float = 0.0
    save: str = "steps"


class Epochs(BaseModel):
    """The options of a script with epochs."""

    epochs: int = 3
    pause: float = 0.0


def program(name: str, config: type[BaseModel], launcher: str = "") -> pw.Algorithm:
    """Return one of the scripts as an algorithm."""
    path = PROGRAMS / f"{name}.py"
    return pw.script(
        path, name=name, produces="model", accepts=ANY, score="min", config=config, launcher=launcher
    )


def values(run: pw.Run, name: str) -> list[float]:
    """Return the values of a metric, by step."""
    told = run.metrics
    return told.loc[told["metric"] == name, "value"].tolist()


@pytest.mark.spec("9.1")
def test_torchrun_reports_once_and_its_chain_goes_on_from_the_saved_weights(bench: Bench) -> None:
    """Two ranks train one model; rank 0 reports, and the second stage begins where the first has ended."""
    ddp = program("ddp", Options, TORCHRUN)
    pipe = bench.project.create_pipeline("ddp")
    for name, steps in (("first", 60), ("second", 5)):
        experiment = bench.project.create_experiment(name, algorithm=ddp, config={"steps": steps})
        pipe.add_experiment_stage(experiment, trigger="manual" if name == "first" else "auto")
    pipe.stages[0].trigger()
    pipe.wait(300)
    first, second = (stage.run for stage in pipe.stages)
    assert first is not None
    assert second is not None
    assert second.status == "Succeeded", second.error or first.error
    losses = values(first, "loss")
    assert len(losses) == 60
    assert losses[-1] < 0.01 < losses[0]
    assert values(second, "loss")[0] < 0.01
    assert [len(run.checkpoints) for run in (first, second)] == [1, 1]


@pytest.mark.spec("7.4")
def test_a_rank_that_fails_fails_the_run(bench: Bench) -> None:
    """The error has the exit code of the launcher, and the traceback of the rank."""
    ddp = program("ddp", Options, TORCHRUN)
    run = bench.project.create_experiment("f", algorithm=ddp, config={"end": "raise", "pause": 0.01}).train()
    assert run.wait(120).status == "Failed"
    assert "The script ddp.py ended with exit code 1." in (run.error or "")
    assert "rank 1 has had enough" in run.log


@pytest.mark.spec("6.9")
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("success", "Succeeded"),
        ("failure", "Failed"),
        ("stop", "Stopped"),
        ("child", "Crashed"),
        ("supervisor", "Crashed"),
        ("fork server", "Crashed"),
    ],
)
def test_habit_01_no_rank_outlives_its_run(bench: Bench, tmp_path: Path, how: str, status: str) -> None:
    """The ranks of torchrun are gone once the run has ended, whichever of its processes was killed."""
    there = tmp_path / "ranks"
    there.mkdir()
    long = how not in {"success", "failure"}
    config = {
        "pids": str(there),
        "steps": 100_000 if long else 20,
        "pause": 0.01,
        "end": "raise" if how == "failure" else "",
    }
    ddp = program("ddp", Options, TORCHRUN)
    run = bench.project.create_experiment("e", algorithm=ddp, config=config).train()
    until(lambda: len(list(there.iterdir())) == 2, timeout=120)
    ranks = [int(each.stem) for each in there.iterdir()]
    if long:
        until(lambda: run.progress.step is not None, timeout=120)
        trainer = bench.trainer(run).pid
        victims = {
            "child": trainer,
            "supervisor": bench.supervisor(run).pid,
            "fork server": psutil.Process(trainer).ppid(),
        }
        if how == "stop":
            run.stop()
        else:
            os.kill(victims[how], signal.SIGKILL)
    assert run.wait(120).status == status, run.error
    until(lambda: not any(map(alive, ranks)), timeout=5)


@pytest.mark.spec("6.5")
def test_habit_19_torchrun_heeds_a_stop(bench: Bench) -> None:
    """Both ranks see the stop, and none has to be killed."""
    ddp = program("ddp", Options, TORCHRUN)
    config = {"steps": 100_000, "pause": 0.01}
    run = bench.project.create_experiment("e", algorithm=ddp, config=config).train()
    until(lambda: run.progress.step is not None, timeout=120)
    began = time.monotonic()
    run.stop()
    assert run.wait(60).status == "Stopped"
    assert time.monotonic() - began < 9
    assert run.error is None


@pytest.mark.spec("9.1")
@pytest.mark.parametrize(
    "launcher",
    [
        "",
        "accelerate launch --cpu --num_processes 1 --num_machines 1 --mixed_precision no --dynamo_backend no",
    ],
)
def test_a_trainer_of_transformers_reports_and_saves_with_the_callback(bench: Bench, launcher: str) -> None:
    """Its logs are metrics, its evaluation is the score, and what it saves is published."""
    hf = program("hf", Trainer, launcher)
    pipe = bench.project.create_pipeline("hf")
    for name in ("first", "second"):
        pipe.add_experiment_stage(
            bench.project.create_experiment(name, algorithm=hf),
            trigger="manual" if name == "first" else "auto",
        )
    pipe.stages[0].trigger()
    pipe.wait(300)
    first, second = (stage.run for stage in pipe.stages)
    assert first is not None
    assert second is not None
    assert second.status == "Succeeded", second.error or first.error
    assert [each.step for each in first.checkpoints] == [10, 20]
    assert all(each.evaluation_score is not None for each in first.checkpoints)
    assert (first.checkpoints[1].path / "optimizer.pt").is_file()
    assert len(values(first, "loss")) == 4
    assert values(second, "eval_loss")[0] < values(first, "eval_loss")[0]


@pytest.mark.spec("6.5")
def test_habit_06_a_trainer_of_transformers_saves_when_it_is_stopped(bench: Bench) -> None:
    """Its state at the stop is the last checkpoint, and the run is Stopped."""
    hf = program("hf", Trainer)
    config = {"steps": 10_000, "pause": 0.05, "save": "no"}
    run = bench.project.create_experiment("s", algorithm=hf, config=config).train()
    until(lambda: run.progress.step is not None, timeout=120)
    run.stop()
    assert run.wait(60).status == "Stopped", run.error
    assert len(run.checkpoints) == 1
    assert (run.checkpoints[0].path / "model.safetensors").is_file()


@pytest.mark.spec("9.1")
def test_a_trainer_of_lightning_reports_and_saves_with_the_callback(bench: Bench) -> None:
    """Every validation is a score and a checkpoint."""
    light = program("light", Epochs)
    run = bench.project.create_experiment("l", algorithm=light).train().wait(120)
    assert run.status == "Succeeded", run.error
    assert [each.step for each in run.checkpoints] == [8, 16, 24]
    scores = [each.evaluation_score or 9.0 for each in run.checkpoints]
    assert scores == sorted(scores, reverse=True)
    assert (run.checkpoints[0].path / "model.ckpt").is_file()


@pytest.mark.spec("6.5")
def test_habit_19_a_trainer_of_lightning_heeds_a_stop(bench: Bench) -> None:
    """It ends between two steps, and saves."""
    config = {"epochs": 1000, "pause": 0.02}
    run = bench.project.create_experiment("l", algorithm=program("light", Epochs), config=config).train()
    until(lambda: run.progress.step is not None, timeout=120)
    run.stop()
    assert run.wait(60).status == "Stopped", run.error
    assert len(run.checkpoints) > 0
