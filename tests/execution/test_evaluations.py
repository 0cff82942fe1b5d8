"""Evaluations, and trainings that an evaluator scores, with real processes (spec 7.9)."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trainers
import yardsticks
from benches import Bench, alive, until
from tampering import overwrite

import pipeline_widgets as pw

pytestmark = [pytest.mark.spec("7.9"), pytest.mark.slow]
LEFT = "steps left"


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Say what the evaluators are to do, in processes of runs as well."""
    folder = tmp_path / "asked"
    folder.mkdir()
    monkeypatch.setenv(yardsticks.FOLDER, str(folder))

    def made(name: str) -> Path:
        (folder / name).touch()
        return folder / name

    return made


@pytest.fixture(autouse=True)
def _asking(ask: Callable[[str], Path]) -> None:
    """Every evaluator looks for what it is asked for."""


def scores(run: pw.Run, name: str = LEFT) -> list[float | None]:
    """Return the scores of what a run saved, by step."""
    return [each.scores.get(name) for each in run.checkpoints]


def counted(bench: Bench, steps: int = 3) -> pw.Run:
    """Return a run of Counter that has succeeded."""
    experiment = bench.project.create_experiment(
        f"counted {len(bench.project.experiments)}", algorithm=trainers.counter, config={"steps": steps}
    )
    return experiment.train().wait(60)


def test_old_checkpoints_are_scored_in_a_process_of_their_own(bench: Bench) -> None:
    """By their folder or by their predictor; nothing of the evaluator runs in the kernel."""
    run = counted(bench)
    left = bench.project.evaluate(yardsticks.steps_left, runs=run).wait(60)
    assert (left.status, left.error, left.refused) == ("Succeeded", None, {})
    assert scores(run) == [1.0, 0.0, 1.0]
    told = [dict(row) for _, row in left.scores.iterrows()]
    common = {"experiment": "counted 0", "run": 1, "spread": 0.5}
    assert told == [
        {**common, "step": step, "score": score, "metric step": step, "half": step / 2}
        for step, score in ((1, 1.0), (2, 0.0), (3, 1.0))
    ]
    asked = bench.project.evaluate(yardsticks.answers, checkpoints=run.checkpoints[1]).wait(60)
    assert asked.status == "Succeeded"
    assert run.checkpoints[1].scores == {LEFT: 0.0, "answers": 2.0}
    assert run.checkpoints[0].scores == {LEFT: 1.0}
    assert "'answers' gives step 2 of run 1 of 'counted 0' 2." in asked.log


def test_one_that_fails_hinders_no_other(bench: Bench, ask: Callable[[str], Path]) -> None:
    """An error of the evaluator, and a checkpoint whose files have changed, are told by their names."""
    run = counted(bench, 4)
    ask("fail at 2")
    state = run.checkpoints[2].path / "state.txt"
    overwrite(state, state.read_text() + "changed")
    evaluation = bench.project.evaluate(yardsticks.steps_left).wait(60)
    assert evaluation.status == "Failed"
    assert scores(run) == [1.0, None, None, 2.0]
    error = evaluation.error or ""
    assert "step 2 of run 1 of 'counted 0':\nTraceback" in error
    assert "ValueError: the yardstick is <b>broken</b>" in error
    assert f"step 3 of run 1 of 'counted 0': The checkpoint {run.checkpoints[2].path} is corrupt." in error


def test_what_is_no_score_is_said(bench: Bench) -> None:
    """A function that returns a text has given no score, and is told what to return."""
    run = counted(bench, 1)
    evaluation = bench.project.evaluate(yardsticks.nothing).wait(60)
    assert evaluation.status == "Failed"
    assert "'nothing' returned no score. Got '" in (evaluation.error or "")
    assert "pw.Evaluation(score, spread" in (evaluation.error or "")
    assert run.checkpoints[0].scores == {}


@pytest.mark.spec("7.9", "6.9")
@pytest.mark.parametrize("victim", ["worker", "supervisor"])
def test_a_killed_evaluation_is_crashed_and_only_the_rest_is_scored_again(
    bench: Bench, ask: Callable[[str], Path], victim: str
) -> None:
    """A kill -9 leaves no process; what was scored stays; the next evaluation scores what is missing."""
    run = counted(bench, 4)
    bench.project.evaluate(yardsticks.steps_left, checkpoints=run.checkpoints[:1]).wait(60)
    slow = ask("slow")
    evaluation = bench.project.evaluate(yardsticks.steps_left)
    assert evaluation.run is not None
    until((slow.parent / "at 2").exists)
    worker, supervisor = bench.trainer(evaluation.run), bench.supervisor(evaluation.run)
    killed = worker if victim == "worker" else supervisor
    os.kill(killed.pid, signal.SIGKILL)
    took = until(lambda: evaluation.status == "Crashed")
    assert took <= 5.0
    until(lambda: not (alive(worker.pid) or alive(supervisor.pid)), timeout=5)
    assert ("SIGKILL" if victim == "worker" else "is gone") in (evaluation.error or "")
    assert scores(run) == [1.0, None, None, None]

    slow.unlink()
    again = bench.project.evaluate(yardsticks.steps_left).wait(60)
    assert (again.status, again.run and again.run.number) == ("Succeeded", 3)
    assert scores(run) == [1.0, 0.0, 1.0, 2.0]
    assert "step 1 of" not in again.log


def test_a_stop_keeps_the_scores_that_are_known(bench: Bench, ask: Callable[[str], Path]) -> None:
    """An evaluation stops between two checkpoints, and trainings of the experiment run meanwhile."""
    run = counted(bench)
    slow = ask("slow")
    evaluation = bench.project.evaluate(yardsticks.steps_left)
    until((slow.parent / "at 1").exists)
    experiment = bench.project.experiments[0]
    assert experiment.train().wait(60).status == "Succeeded"
    second = bench.project.evaluate(yardsticks.steps_left, runs=run)
    assert second.run is None
    assert set(second.refused.values()) == {
        "'steps left' is scoring checkpoints of its experiment already: evaluation 1."
    }
    evaluation.stop()
    time.sleep(1.0)  # by then its worker knows
    slow.unlink()
    assert evaluation.wait(60).status == "Stopped"
    assert scores(run)[0] == 1.0
    assert scores(run)[2] is None


# ---- in a pipeline


def test_a_chain_goes_by_the_evaluator(bench: Bench) -> None:
    """The worker of each stage scores what it saved, and the next one starts from the best of it."""
    pipe = bench.chain({"steps": 3}, {"steps": 3})
    pipe.add_deployment_stage("counter", trigger="auto", gate=0.0)
    pipe.stages[0].update(auto_add_agent=True)
    pipe.score_by(yardsticks.steps_left)
    pipe.stages[0].trigger()
    pipe.wait(120)
    first, second, deployed = (stage.runs[0] for stage in pipe.stages)
    assert [each.status for each in (first, second, deployed)] == ["Succeeded"] * 3
    assert scores(first) == scores(second) == [1.0, 0.0, 1.0]
    assert [each.evaluation_score for each in first.checkpoints] == [1.0, 2.0, 3.0]  # 3 were the best
    assert second.start_checkpoint == first.checkpoints[1]
    assert deployed.start_checkpoint == second.checkpoints[1]
    assert [agent.checkpoint.step for agent in bench.ws.agents] == [2, 2]
    assert bench.project.evaluations.df.empty
    assert "'steps left' gives step 2 0 ± 0.5." in first.log


def test_an_evaluator_that_fails_fails_the_run_and_resuming_scores_without_training(
    bench: Bench, ask: Callable[[str], Path]
) -> None:
    """Failed with its traceback, checkpoints and scores kept, nothing started; Resume scores the rest."""
    pipe = bench.chain({"steps": 3}, {"steps": 1})
    pipe.score_by(yardsticks.steps_left)
    fault = ask("fail at 3")
    run = pipe.stages[0].trigger().wait(60)
    assert run.status == "Failed"
    assert "ValueError: the yardstick is <b>broken</b>" in (run.error or "")
    assert "'steps left' was scoring step 3." in (run.error or "")
    assert scores(run) == [1.0, 0.0, None]
    assert pipe.stages[1].runs.df.empty

    fault.unlink()
    pipe.stages[0].trigger(resume=True)
    pipe.wait(120)
    resumed = pipe.stages[0].runs[-1]
    assert resumed.status == "Succeeded"
    assert len(resumed.checkpoints) == 0
    assert scores(run) == [1.0, 0.0, 1.0]
    assert pipe.stages[1].runs[0].start_checkpoint == run.checkpoints[1]


def test_code_that_cannot_be_loaded_fails_before_the_training(bench: Bench, tmp_path: Path) -> None:
    """An evaluator whose module is gone ends the run at once, and nothing was trained in vain."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "passing_yardstick.py").write_text(
        "import pipeline_widgets as pw\n"
        "@pw.evaluator('passing', accepts={'thing'}, takes='folder')\n"
        "def passing(folder):\n    return 1.0\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(home)
        passing: Any = importlib.import_module("passing_yardstick")
        pipe = bench.chain({"steps": 3})
        pipe.score_by(passing.passing)
        shutil.rmtree(home)
        run = pipe.stages[0].trigger().wait(60)
    assert run.status == "Failed"
    assert "cannot be loaded" in (run.error or "")
    assert len(run.checkpoints) == 0


# ---- evaluators of a notebook cell

TRAINING = """
import pickle
import pipeline_widgets as pw

class Net:
    def __init__(self, n): self.n = n
    def twice(self): return 2 * self.n

def opened(path):
    net = pickle.loads((path / "net").read_bytes())
    return lambda x: x + net.twice()

@pw.algorithm("Netted", produces={"net"}, accepts=[pw.Port("weights", {"net"})], predict=opened)
def netted(ctx):
    for step in (1, 2, 3):
        ctx.report(step, evaluation_score=float(step))
        with ctx.checkpoint(step) as folder: (folder / "net").write_bytes(pickle.dumps(Net(step)))

TARGET = 5

def distance(answer): return abs(answer - TARGET)

@pw.evaluator("distance", accepts={"net"}, score="min")
def measure(ask): return distance(ask(1)), 0.25

if __name__ == "__main__":
    project = pw.Workspace("lab.db").create_project("P", advanced_training=True)
    pipe = project.create_pipeline("chain")
    pipe.score_by(measure)
    for name in ("one", "two"):
        experiment = project.create_experiment(name, algorithm=netted)
        pipe.add_experiment_stage(experiment, trigger="auto" if len(pipe.stages) else "manual")
    pipe.stages[0].trigger()
    pipe.wait(100)
    for stage in pipe.stages:
        assert stage.status == "Succeeded", (stage.held, stage.runs[-1].error)
        assert [each.scores for each in stage.runs[0].checkpoints] == [
            {"distance": 2.0}, {"distance": 0.0}, {"distance": 2.0}
        ]
    assert pipe.stages[1].runs[0].start_checkpoint.step == 2
    print("trained")
"""

LATER = """
import pipeline_widgets as pw

class Net:  # of this notebook, and no other's
    pass

@pw.evaluator("product", accepts={"net"})
def product(ask): return pw.Evaluation(ask(0) * FACTOR, metrics={"answer": ask(0)})

FACTOR = 10

if __name__ == "__main__":
    project = pw.Workspace("lab.db").projects["P"]
    done = project.evaluate("product", pipeline=project.pipelines["chain"]).wait(60)
    assert done.status == "Succeeded", done.error
    assert done.scores["score"].tolist() == [20.0, 40.0, 60.0] * 2
    assert done.scores["answer"].tolist() == [2.0, 4.0, 6.0] * 2
    assert project.evaluate("distance").run is None  # kept by the workspace, and all are scored
    again = project.evaluate("distance", again=True).wait(60)
    assert again.status == "Succeeded", again.error
    FACTOR = 1
    renewed = project.evaluate(product)
    assert renewed.run is None and len(renewed.outdated) == 6
    print("scored")
"""


@pytest.mark.spec("7.1", "7.9")
def test_an_evaluator_of_a_cell_scores_what_another_notebook_trained(tmp_path: Path) -> None:
    """It is sent by value, with the names that it uses, and opens what the algorithm's own code pickled."""
    for name, code, said in (("training.py", TRAINING, "trained\n"), ("later.py", LATER, "scored\n")):
        (tmp_path / name).write_text(code)
        done = subprocess.run(
            [sys.executable, name], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.stdout == said, done.stdout + done.stderr
