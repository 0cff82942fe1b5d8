"""A chain that runs in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trainers
from benches import Bench, alive, until

import pipeline_widgets as pw


@pytest.mark.spec("6.3", "5.2", "5.5")
def test_auto_stages_follow_each_other_to_the_end(bench: Bench) -> None:
    """A chain of Auto stages runs to its end, each from the best checkpoint of the stage before."""
    pipe = bench.chain({}, {"steps": 5}, {})

    pipe.stages[0].trigger()
    pipe.wait(30)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    starts = [stage.run.start_checkpoint for stage in pipe.stages if stage.run]
    assert [start.step if start else None for start in starts] == [None, 3, 5]
    assert not any(stage.stale for stage in pipe.stages)


@pytest.mark.spec("8.2", "5.6", "5.9")
def test_a_deployment_freezes_its_checkpoint_and_the_agent_answers(bench: Bench) -> None:
    """A Deployment stage makes its Agent of a frozen copy, and the agent answers in this process."""
    pipe = bench.chain({})
    pipe.add_deployment_stage("agent", trigger="auto", description="counts")

    pipe.stages[0].trigger()
    pipe.wait(30)

    agent = bench.ws.agents["agent"]
    assert agent.checkpoint.step == 3
    assert agent.description == "counts"
    assert agent.predict("state.txt").read_text() == "3 of seed 0"
    assert not agent.predict("state.txt").is_relative_to(agent.checkpoint.path)


@pytest.mark.spec("5.6")
def test_the_best_checkpoint_is_added_to_agents_when_asked_for(bench: Bench) -> None:
    """A stage with the option adds its best checkpoint, named after pipeline, stage and step."""
    experiment = bench.project.create_experiment("count", algorithm="Counter")
    pipe = bench.project.create_pipeline("adding")
    pipe.add_experiment_stage(experiment, auto_add_agent=True).trigger()

    pipe.wait(30)

    assert [agent.name for agent in bench.ws.agents] == ["adding - 1 count - step 3"]


@pytest.mark.spec("6.6", "6.3")
def test_the_chain_finishes_after_the_process_that_triggered_it_was_killed(bench: Bench) -> None:
    """SIGKILL of the process that triggered the chain, right after the trigger, does not end it."""
    pipe = bench.chain({"pause": 0.1}, {"pause": 0.1}, {})
    code = (
        "import os, signal, pipeline_widgets as pw\n"
        f"ws = pw.Workspace({bench.url!r})\n"
        "ws.projects[0].pipelines[0].stages[0].trigger()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    ended = subprocess.run([sys.executable, "-c", code], check=False)
    pipe.wait(30)

    assert ended.returncode == -signal.SIGKILL
    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3


@pytest.mark.spec("7.4")
def test_a_training_that_raises_is_failed_with_its_traceback(bench: Bench) -> None:
    """An exception ends the run as Failed, its traceback is in run.error, and nothing follows."""
    pipe = bench.chain({"act": "raise"}, {})

    run = pipe.stages[0].trigger().wait(30)

    assert run.status == "Failed"
    assert run.error is not None
    assert "ValueError: the loss is <b>not</b> a number" in run.error
    assert "trainers.py" in run.error
    assert run.error in run.log
    assert pipe.stages[1].status == "Draft"
    assert [checkpoint.step for checkpoint in run.checkpoints] == [1]


def test_a_training_that_exits_with_a_code_is_failed(bench: Bench) -> None:
    """sys.exit(3) in a train function is a failure, not a success."""
    run = bench.chain({"act": "exit 3"}).stages[0].trigger().wait(30)

    assert run.status == "Failed"
    assert "SystemExit: 3" in (run.error or "")


@pytest.mark.spec("6.6")
def test_what_a_training_prints_goes_to_its_log(bench: Bench) -> None:
    """The log holds what the train function, its stderr and its own child processes print, as text."""
    run = bench.chain({"act": "print"}).stages[0].trigger().wait(30)

    assert "<img src=x onerror=alert(1)> seed 0\n" in run.log
    assert "from stderr\n" in run.log
    assert "from a child\n" in run.log


def test_metrics_progress_and_checkpoints_are_kept(bench: Bench) -> None:
    """All metrics are there in the order of their report; scores go with the checkpoint of their step."""
    run = bench.chain({"steps": 4}).stages[0].trigger().wait(30)

    assert list(run.metrics.columns) == ["step", "metric", "value"]
    losses = run.metrics[run.metrics.metric == "loss"]
    assert list(losses.step) == [1, 2, 3, 4]
    assert list(losses.value) == [1, 1 / 2, 1 / 3, 1 / 4]
    assert [c.evaluation_score for c in run.checkpoints] == [1.0, 2.0, 3.0, 4.0]
    assert run.progress.fraction == 1.0
    assert run.created_at <= run.started_at <= run.finished_at  # type: ignore[operator]


@pytest.mark.spec("6.7")
def test_an_auto_stage_without_a_checkpoint_to_start_from_is_held(bench: Bench) -> None:
    """Where the source stage saved nothing, the Auto stage is held and says so."""
    pipe = bench.project.create_pipeline("silence")
    for at, algorithm in enumerate(("Silent", "Counter")):
        experiment = bench.project.create_experiment(algorithm, algorithm=algorithm)
        pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")

    pipe.stages[0].trigger()
    pipe.wait(30)

    assert pipe.stages[0].status == "Succeeded"
    assert pipe.stages[1].status == "Draft"
    assert pipe.stages[1].held == "Waiting for a checkpoint from Stage 1 (Silent)."


@pytest.mark.spec("6.8")
def test_a_re_run_makes_the_rest_stale_unless_it_made_the_same(bench: Bench) -> None:
    """A re-run with the same seed gives the same content, so nothing is stale; another seed's does not."""
    pipe = bench.chain({}, {}, trigger="manual")
    first, second = pipe.stages
    first.trigger().wait(30)
    second.trigger().wait(30)

    first.trigger().wait(30)
    assert not second.stale

    first.experiment.update(seed=1)  # type: ignore[union-attr]
    assert second.stale_reasons == ("Stage 1 is stale",)
    first.trigger().wait(30)
    assert second.stale_reasons == ("Stage 1 was re-run: used run 1, latest is run 3",)


@pytest.mark.sqlite
@pytest.mark.spec("7.1")
def test_an_algorithm_of_a_script_is_found_after_the_script_has_ended(tmp_path: Path) -> None:
    """An algorithm of `__main__` travels by value: its run is carried out when the script is long gone."""
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal\n"
        "from pydantic import BaseModel\n"
        "import pipeline_widgets as pw\n"
        "SCALE = 3\n"
        "class Config(BaseModel):\n"
        "    base: int = 14\n"
        "@pw.algorithm('Mine', produces={'x'}, config=Config, predict=lambda p: lambda x: x)\n"
        "def mine(ctx):\n"
        "    with ctx.checkpoint(1) as folder:\n"
        "        (folder / 'answer').write_text(str(ctx.config.base * SCALE))\n"
        "ws = pw.Workspace('sqlite:///lab.db')\n"
        "project = ws.create_project('P', advanced_training=True)\n"
        "pipe = project.create_pipeline('pipe')\n"
        "for name in ('a', 'b'):\n"
        "    project.create_experiment(name, algorithm='Mine')\n"
        "pipe.add_experiment_stage(project.experiments['a']).trigger()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, str(script)], cwd=tmp_path, check=False)
    script.unlink()

    ws = pw.Workspace(f"sqlite:///{tmp_path}/lab.db")
    run = ws.projects[0].pipelines[0].wait(30).stages[0].run

    assert run is not None
    assert (run.status, run.error) == ("Succeeded", None)
    assert (run.checkpoints[0].path / "answer").read_text() == "42"
    ws.close()


@pytest.mark.sqlite
@pytest.mark.spec("7.1")
def test_an_algorithm_of_a_module_beside_the_notebook_is_found_by_its_path(tmp_path: Path) -> None:
    """An algorithm of a module that is not installed is imported from where it lies, not pickled."""
    (tmp_path / "mine_beside.py").write_text(
        "import pipeline_widgets as pw\n"
        "@pw.algorithm('Beside', produces={'x'})\n"
        "def beside(ctx):\n"
        "    with ctx.checkpoint(1) as folder:\n"
        "        (folder / 'where').write_text(__file__)\n"
    )
    (tmp_path / "elsewhere").mkdir()
    code = (
        f"import os, sys; sys.path.insert(0, '{tmp_path}')\n"
        "import mine_beside, pipeline_widgets as pw\n"
        "ws = pw.Workspace('sqlite:///lab.db')\n"
        "project = ws.create_project('P', advanced_training=True)\n"
        "project.create_experiment('a', algorithm='Beside').train()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "elsewhere", check=True)

    ws = pw.Workspace(f"sqlite:///{tmp_path}/elsewhere/lab.db")
    run = ws.projects[0].experiments["a"].runs[0].wait(30)

    assert (run.status, run.error) == ("Succeeded", None)
    assert (run.checkpoints[0].path / "where").read_text() == str(tmp_path / "mine_beside.py")
    ws.close()


def test_running_the_cell_again_brings_the_new_code(bench: Bench) -> None:
    """An algorithm that was defined again is used as it is now by the next trigger."""

    def define(text: str) -> pw.Algorithm:
        def train(ctx: pw.TrainContext) -> None:
            with ctx.checkpoint(1) as folder:
                (folder / "text").write_text(text)

        train.__module__ = "__main__"
        return pw.algorithm("Cell", produces={"x"})(train)

    experiment = bench.project.create_experiment("cell", algorithm=define("old"))
    old = experiment.train().wait(30)
    define("new")
    new = experiment.train().wait(30)

    assert [(run.checkpoints[0].path / "text").read_text() for run in (old, new)] == ["old", "new"]


@pytest.mark.spec("6.2")
def test_without_fork_everything_works_as_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fresh interpreters instead of forked children a chain runs, stops and crashes the same way."""
    monkeypatch.setenv("PIPELINE_WIDGETS_START_METHOD", "spawn")
    pipe = bench.chain({}, {})
    crashing = bench.chain({"act": "kill"})
    stopping = bench.chain({"steps": 10_000, "pause": 0.01})

    pipe.stages[0].trigger()
    crash = crashing.stages[0].trigger()
    stop = stopping.stages[0].trigger()
    until(lambda: stop.status == "Running" and len(stop.checkpoints) > 0)
    stop.stop()

    assert [stage.status for stage in pipe.wait(60).stages] == ["Succeeded"] * 2
    assert crash.wait(60).status == "Crashed"
    assert "SIGKILL" in (crash.error or "")
    assert stop.wait(60).status == "Stopped"


def test_no_process_is_left_when_a_chain_has_ended(bench: Bench) -> None:
    """Supervisor, fork server and children are gone soon after the last stage has ended."""
    pipe = bench.chain({}, {})
    run = pipe.stages[0].trigger()
    until(lambda: bench.lease(run).holder is not None)
    supervisor = bench.supervisor(run)
    pipe.wait(30)

    until(lambda: not alive(supervisor.pid))
    assert os.getpid() != supervisor.pid


def test_trainers_are_declared_as_the_tests_assume() -> None:
    """The algorithm for tests without a config has none."""
    assert trainers.bare.config is None
