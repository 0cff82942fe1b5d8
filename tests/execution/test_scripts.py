"""Training scripts that a run starts as programs of their own, with real processes (spec 9.1, habit 19)."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import habits
import pytest
from benches import Bench, alive, until
from pydantic import BaseModel

import pipeline_widgets as pw

pytestmark = pytest.mark.slow


class Fit(BaseModel):
    """What a script is configured with."""

    learning_rate: float = 0.5
    steps: int = 3
    fast: bool = False


def write(folder: Path, text: str, name: str = "train.py") -> Path:
    """Write a script into a folder, and return its path."""
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return path


def outside(path: Path, *, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a user does by hand."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_WIDGETS")}
    command = [sys.executable, str(path)]
    return subprocess.run(
        command, cwd=cwd, env={**own, **environment}, capture_output=True, text=True, check=False
    )


def metric(run: pw.Run, name: str) -> list[float]:
    """Return the values of a metric, by step."""
    told = run.metrics
    return told.loc[told["metric"] == name, "value"].tolist()


LEARN = """
    import argparse, json
    from pipeline_widgets.client import run

    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float)
    parser.add_argument("--from", dest="source", default="")
    args = parser.parse_args()
    begun = run.start.step if run.start else 0
    done = json.loads((run.start.path / "state.json").read_text())["done"] if run.start else 0
    same = args.source == str(run.start.path if run.start else "")
    run.log("seed", run.seed, "rate", args.lr, "source", same)
    for step in range(1, run.config["steps"] + 1):
        done += args.lr
        run.report(step, {"loss": 1 / step}, total=run.config["steps"], training_score=done)
    with run.checkpoint(step, signature={"begun": begun}) as folder:
        (folder / "state.json").write_text(json.dumps({"done": done}))
    run.report(step, evaluation_score=done, evaluation_spread=0.25)
    (run.folder / "seen.json").write_text(json.dumps([dict(run.config), run.rank, run.is_attached]))
"""


@pytest.mark.spec("7.1", "9.1")
def test_a_script_trains_a_stage_and_starts_from_the_one_before(bench: Bench, tmp_path: Path) -> None:
    """Arguments, config, seed, start, scores, facets and progress pass between a run and its script."""
    learn = pw.script(
        write(tmp_path, LEARN),
        produces={"thing"},
        accepts=[pw.Port("weights", {"thing"})],
        args=["--lr", "{learning_rate}", "--from", "{start}"],
        config=Fit,
    )
    pipe = bench.project.create_pipeline("scripts")
    for name in ("first", "second"):
        config = {"learning_rate": 0.5}
        pipe.add_experiment_stage(
            bench.project.create_experiment(name, algorithm=learn, config=config, seed=7),
            trigger="manual" if name == "first" else "auto",
        )
    pipe.stages[0].trigger()
    pipe.wait(60)

    first, second = (stage.run for stage in pipe.stages)
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == ("Succeeded", "Succeeded"), second.error
    assert second.checkpoints[0].evaluation_score == 3.0
    assert second.checkpoints[0]._value.signature["begun"] == 3
    assert (second.progress.step, second.progress.total) == (3, 3)
    assert metric(first, "loss") == [1.0, 0.5, 1 / 3]
    log = second.log
    assert "seed 7 rate 0.5 source True" in log
    assert re.search(r"^\$ \S+python\S* \S+train.py --lr 0.5 --from \S+", log, re.MULTILINE)


@pytest.mark.spec("7.4")
def test_a_script_that_fails_fails_its_run_with_the_end_of_its_output(bench: Bench, tmp_path: Path) -> None:
    """The error of the run has the exit code, and what the script printed last."""
    bad = pw.script(
        write(tmp_path, "print('reading data'); raise ValueError('no such column')"), produces="thing"
    )
    run = bench.project.create_experiment("bad", algorithm=bad).train().wait(30)
    assert run.status == "Failed"
    assert "The script train.py ended with exit code 1." in (run.error or "")
    assert "ValueError: no such column" in (run.error or "")


WRONG = """
    import pipeline_widgets as pw
    from pipeline_widgets.client import run

    told = []
    for act in (
        lambda: run.report(-1, loss=1.0),
        lambda: run.report(1, loss="much"),
        lambda: run.report(1, 5),
        lambda: run.checkpoint(1, signature={"a": [1]}).__enter__(),
    ):
        try:
            act()
        except pw.PipelineError as error:
            told.append(f"{type(error).__name__}: {error.what}")
    run.log(" | ".join(told))
    try:
        with run.checkpoint(1) as folder:
            (folder / "half").write_text("half")
            raise KeyError("in the middle")
    except KeyError:
        run.report(2, loss=0.5)
"""


@pytest.mark.spec("10.3")
def test_a_script_sees_the_errors_that_a_train_function_sees(bench: Bench, tmp_path: Path) -> None:
    """Wrong steps, metrics and facets are refused in the script; a block that raises keeps no checkpoint."""
    wrong = pw.script(write(tmp_path, WRONG), produces="thing")
    run = bench.project.create_experiment("wrong", algorithm=wrong).train().wait(30)
    assert run.status == "Succeeded", run.error
    assert (
        "ConfigError: step has to be a whole number. | ConfigError: A metric has to be a number. | "
        "ConfigError: Metrics are a mapping from names to numbers. | "
        "ConfigError: A facet of a signature is a text, a number or a bool." in run.log
    )
    assert list(run.checkpoints) == []
    assert list((Path(bench.ws.artifacts) / "runs").glob("*/checkpoints/.writing-*")) == []


SAVING = """
    import time
    from pipeline_widgets.client import StopTraining, run

    step = 0
    try:
        while True:
            step += 1
            run.report(step)
            time.sleep(0.01)
    except StopTraining:
        time.sleep(1)
        assert run.should_stop
        with run.checkpoint(step) as folder:
            (folder / "state").write_text(str(step))
        raise
"""


@pytest.mark.spec("6.5")
def test_habit_19_a_script_sees_a_stop_and_saves_before_it_ends(bench: Bench, tmp_path: Path) -> None:
    """Its next report raises StopTraining, and no signal ends it while it saves for a second."""
    run = bench.project.create_experiment(
        "saving", algorithm=pw.script(write(tmp_path, SAVING), produces="thing")
    ).train()
    until(lambda: run.progress.step is not None)
    run.stop()
    assert run.wait(30).status == "Stopped", run.error
    assert len(run.checkpoints) == 1
    assert "Stopped, as was asked for." in run.log


@pytest.mark.spec("6.5")
@pytest.mark.parametrize("how", ["waiting", "checked", "script", "nested"])
def test_habit_19_a_stop_ends_a_script_that_knows_nothing_of_runs(
    bench: Bench, tmp_path: Path, how: str
) -> None:
    """SIGTERM reaches what the training waits for, and what that has started in turn, within two seconds."""
    there, pids = tmp_path / "there", tmp_path / "pids"
    sleeper = write(tmp_path, f"import os, time; open({str(pids)!r}, 'w').write(str(os.getpid())); "
                    f"open({str(there)!r}, 'w').close(); time.sleep(600)")  # fmt: skip
    nested = write(
        tmp_path, f"import subprocess, sys; subprocess.run([sys.executable, {str(sleeper)!r}])", "outer.py"
    )
    if how == "script":
        experiment = bench.project.create_experiment("e", algorithm=pw.script(sleeper, produces="thing"))
    else:
        config = {
            "end": "checked" if how == "checked" else "",
            "folder": str(nested if how == "nested" else sleeper),
        }
        experiment = bench.project.create_experiment("e", algorithm=habits.waiting, config=config)
    run = experiment.train()
    until(there.exists)
    began = time.monotonic()
    run.stop()
    assert run.wait(30).status == "Stopped", run.error
    took = time.monotonic() - began
    assert took < 2, f"{took:.1f} s"
    assert not alive(int(pids.read_text()))


@pytest.mark.spec("6.5")
def test_habit_19_the_workers_of_a_training_that_heeds_a_stop_are_left_alone(bench: Bench) -> None:
    """A training that saves with its own processes after a stop still has them: nothing was sent to them."""
    run = bench.project.create_experiment("pool", algorithm=habits.pooling).train()
    until(lambda: run.progress.step is not None)
    run.stop()
    assert run.wait(30).status == "Stopped", run.error
    assert (Path(run.checkpoints[0].path) / "file").read_text() == "[0, 1, 4]"


RANKED = """
    import sys
    from pipeline_widgets.client import run

    run.report(1, loss=float(run.rank))
    with run.checkpoint(1) as folder:
        (folder / "rank").write_text(str(run.rank))
    print("rank", run.rank, folder.exists(), run.should_stop)
"""


@pytest.mark.spec("9.1")
def test_only_rank_0_reports_and_saves(bench: Bench, tmp_path: Path) -> None:
    """The same code on other ranks writes into a scratch folder that is deleted, and reports nothing."""
    script = write(tmp_path, RANKED)
    both = write(tmp_path, f"""
        import os, subprocess, sys
        for rank in ("1", "0"):
            subprocess.run([sys.executable, {str(script)!r}], env=dict(os.environ, RANK=rank), check=True)
    """, "both.py")  # fmt: skip
    run = bench.project.create_experiment("r", algorithm=pw.script(both, produces="thing")).train().wait(30)
    assert run.status == "Succeeded", run.error
    assert metric(run, "loss") == [0.0]
    assert [(Path(each.path) / "rank").read_text() for each in run.checkpoints] == ["0"]
    assert "rank 1 False False" in run.log


def test_outside_of_any_run_a_script_prints_and_keeps_its_checkpoints_in_a_plain_folder(
    tmp_path: Path,
) -> None:
    """The script runs by hand as it is; a second run of it replaces what the first has saved."""
    script = write(tmp_path, """
        from pipeline_widgets.client import run
        run.report(2, {"loss": 0.123456789}, total=4, evaluation_score=1.0)
        with run.checkpoint(2) as folder:
            (folder / "x").write_text("new")
        print(run.is_attached, run.seed, run.start, dict(run.config), run.should_stop, run.folder.name)
    """)  # fmt: skip
    for _ in range(2):
        ended = outside(script, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [  # pyright: ignore[reportPossiblyUnboundVariable]
        "step 2 of 4: loss 0.123457, evaluation_score 1",
        "False 0 None {} False run",
    ]
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["0000000002"]
    assert (tmp_path / "run/checkpoints/0000000002/x").read_text() == "new"
    ended = outside(script, cwd=tmp_path, RANK="1")
    assert ended.stdout.splitlines() == ["False 0 None {} False run"]


def test_a_script_whose_run_is_gone_is_told_so(tmp_path: Path) -> None:
    """An address that nobody listens at is an error with what to do, and no script that trains for nobody."""
    script = write(tmp_path, "from pipeline_widgets.client import run; run.report(1)")
    ended = outside(script, cwd=tmp_path, PIPELINE_WIDGETS_RUN="unix @pipeline-widgets-nobody key")
    assert ended.returncode == 1
    assert "The run of this script cannot be reached." in ended.stderr


def test_the_client_imports_the_standard_library_alone() -> None:
    """A script that only reports waits for no database library, no numpy and no psutil."""
    listed = "print(*__import__('sys').modules)"

    def modules(code: str) -> set[str]:
        command = [sys.executable, "-c", f"{code}; {listed}"]
        return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())

    new = modules("from pipeline_widgets.client import run") - modules("pass")
    foreign = {name.partition(".")[0] for name in new} - sys.stdlib_module_names
    assert foreign == {"pipeline_widgets"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the address is a port")
def test_who_does_not_know_the_key_gets_no_answer(bench: Bench, tmp_path: Path) -> None:
    """Another user of the machine can connect to the socket, and neither reads the config nor reports."""
    address = tmp_path / "address"
    script = write(tmp_path, f"""
        import os, time
        from pipeline_widgets.client import run
        open({str(address)!r} + ".new", "w").write(os.environ["PIPELINE_WIDGETS_RUN"])
        os.rename({str(address)!r} + ".new", {str(address)!r})
        while True:
            run.report(1)
            time.sleep(0.05)
    """)  # fmt: skip
    run = bench.project.create_experiment("k", algorithm=pw.script(script, produces="thing")).train()
    until(address.exists)
    name = address.read_text().split()[1]
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(10)
        stranger.connect("\0" + name[1:])
        stranger.sendall(b'{"request": "open", "key": "guessed"}\n{"request": "facts"}\n')
        assert stranger.recv(100) == b""
    run.stop()
    assert run.wait(30).status == "Stopped"


def test_a_script_that_is_not_there_is_refused_where_it_is_declared(tmp_path: Path) -> None:
    """The path is resolved at once, not in the process of the run."""
    with pytest.raises(pw.ConfigError, match=re.escape(f"There is no script {tmp_path / 'no.py'}.")):
        pw.script(tmp_path / "no.py", produces="thing")


def test_without_arguments_named_every_field_is_an_option(bench: Bench, tmp_path: Path) -> None:
    """True is the option alone, False leaves it out; a field that the config lacks is named."""
    script = write(tmp_path, "import sys; print('got', *sys.argv[1:])")
    every = pw.script(script, produces="thing", config=Fit)
    run = bench.project.create_experiment("a", algorithm=every, config={"fast": True}).train().wait(30)
    assert "got --learning_rate 0.5 --steps 3 --fast" in run.log
    lacking = pw.script(script, produces="thing", config=Fit, args=["{batch}"])
    run = bench.project.create_experiment("b", algorithm=lacking).train().wait(30)
    assert run.status == "Failed"
    assert "KeyError: 'batch'" in (run.error or "")


@pytest.mark.spec("6.11", "7.4")
def test_an_edit_of_a_script_makes_its_stage_stale(bench: Bench, tmp_path: Path) -> None:
    """Of the script, or of a module beside it; not of a comment. Run again, it is fresh."""
    (tmp_path / "rates.py").write_text("RATE = 0.5\n")
    text = """
        import rates
        from pipeline_widgets.client import run

        with run.checkpoint(1) as folder:
            (folder / "rate.txt").write_text(str(rates.RATE))
        run.report(1, evaluation_score=rates.RATE)
    """
    script = write(tmp_path, text)
    algorithm = pw.script(script, produces="thing")
    pipe = bench.project.create_pipeline("scripts")
    stage = pipe.add_experiment_stage(bench.project.create_experiment("s", algorithm=algorithm))
    stage.trigger()
    pipe.wait(60)
    assert stage.status == "Succeeded", stage.run
    assert not stage.stale
    write(tmp_path, text.replace("import rates", "import rates  # which has the rate"))
    assert not stage.stale
    (tmp_path / "rates.py").write_text("# Slower.\nRATE = 0.25\n")
    assert stage.stale_reasons == ("code changed: rates.py:2",)
    with pytest.warns(UserWarning, match=r"defined differently here than in run 1 of 's': rates\.py:2\."):
        stage.trigger()
    pipe.wait(60)
    assert not stage.stale
    write(tmp_path, text.replace("str(rates.RATE)", "str(2 * rates.RATE)"))
    assert stage.stale_reasons == ("code changed: train.py:6",)
