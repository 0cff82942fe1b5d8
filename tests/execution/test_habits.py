"""Habits of people who train that a run has to bear, with real processes (rows of the issue by number)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import habits
import pytest
from benches import Bench, until

import pipeline_widgets as pw

pytestmark = pytest.mark.slow


@pytest.mark.spec("6.5")
def test_habit_06_a_save_that_makes_progress_is_not_cut_off(bench: Bench) -> None:
    """A checkpoint of five seconds is kept where a stop may take two."""
    run = bench.project.create_experiment("e", algorithm=habits.slow_to_save).train()
    until(lambda: run.progress.step is not None)
    run.stop()
    assert run.wait(30).status == "Stopped", run.error
    assert run.error is None
    assert [each.step for each in run.checkpoints] == [1]


@pytest.mark.spec("6.5")
def test_habit_06_a_save_that_hangs_is_ended_in_the_time_that_the_algorithm_declares(bench: Bench) -> None:
    """It ends after two seconds and leaves no half checkpoint."""
    config = {"seconds": 60.0, "grows": False}
    run = bench.project.create_experiment("e", algorithm=habits.slow_to_save, config=config).train()
    until(lambda: run.progress.step is not None)
    began = time.monotonic()
    run.stop()
    assert run.wait(30).status == "Stopped"
    assert 2 < time.monotonic() - began < 9
    assert list(run.checkpoints) == []
    assert list(Path(bench.ws.artifacts).glob("runs/*/checkpoints/.writing-*")) == []


@pytest.mark.spec("6.6")
def test_habit_10_threads_that_report_after_the_return_are_waited_for(bench: Bench) -> None:
    """Their scores count, an idle executor delays nothing, and the log says for what the run waited."""
    run = bench.project.create_experiment("e", algorithm=habits.uploading).train().wait(30)
    assert run.status == "Succeeded", run.error
    told = run.metrics
    assert set(told.loc[told["metric"] == "evaluation_score", "value"]) == {2.0, 3.0}
    assert "Waiting up to 60 s for threads that the training has left:" in run.log
    assert "uploads" in run.log


def test_habit_10_a_thread_that_never_ends_is_named_and_left() -> None:
    """The wait has a limit, which the log tells with the name of the thread."""
    code = """
import os, sys, threading, time
from pipeline_widgets.execution.left_threads import await_threads
threading.Thread(target=time.sleep, args=(600,), name="endless").start()
await_threads(0.3)
sys.stderr.flush()
os._exit(0)
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Threads that are still at work after 0 s end with the run: endless." in done.stderr
    assert time.monotonic() - began < 20


@pytest.mark.spec("8.4")
def test_habit_20_a_clean_up_counts_what_is_beside_the_checkpoints(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told in any case, and freed when it is asked for; log and checkpoints stay."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.txt").write_text("data")
    run = bench.project.create_experiment("e", algorithm=habits.reading).train().wait(30)
    assert run.status == "Failed"
    preview = bench.project.gc()
    assert preview.other_files == 1000
    assert "Trainings have left 1,000 bytes beside their checkpoints" in repr(preview)
    folder = run.checkpoints[0].path.parents[1]
    bench.project.gc(dry_run=False)
    assert (folder / "output").is_dir()
    freed = bench.project.gc(dry_run=False, other_files=True)
    assert "Freed 1,000 bytes that trainings have left beside their checkpoints." in repr(freed)
    assert not (folder / "output").exists()
    assert "ValueError: not yet" in run.log
    assert run.checkpoints[0].path.is_dir()
    assert bench.project.gc().other_files == 0


@pytest.mark.spec("6.5")
@pytest.mark.parametrize("gone", [False, True])
def test_habit_21_a_run_that_is_resumed_from_another_folder_works_where_the_first_one_did(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, gone: bool
) -> None:
    """A relative path means the same; where the folder is gone, it is that of the new kernel."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "data.txt").write_text(folder.name)
    monkeypatch.chdir(first)
    experiment = bench.project.create_experiment("e", algorithm=habits.reading)
    assert experiment.train().wait(30).status == "Failed"
    monkeypatch.chdir(second)
    if gone:
        os.rename(first, tmp_path / "elsewhere")  # noqa: PTH104  a folder, as a user moves it
    made = experiment.resume(experiment.runs[0].checkpoints[-1], "again")
    run = made.runs[-1].wait(30)
    assert run.status == "Succeeded", run.error
    used = (run.checkpoints[-1].path / "file").read_text()
    assert used == ("second" if gone else "first")


@pytest.mark.spec("6.6")
def test_habit_25_colours_of_a_terminal_are_no_part_of_the_log(bench: Bench) -> None:
    """`run.log` and the panel show the words alone."""

    @pw.algorithm("Colourful", produces={"thing"})
    def colourful(ctx: pw.TrainContext) -> None:
        ctx.log("\x1b[31mred\x1b[0m and \x1b]0;title\x07plain")

    run = bench.project.create_experiment("e", algorithm=colourful).train().wait(30)
    assert run.log == "red and plain\n"


MODULE = """
import pipeline_widgets as pw

@pw.algorithm("Of another environment", produces={"thing"})
def training(ctx):
    pass
"""


@pytest.mark.spec("6.1")
def test_habit_25_code_that_this_environment_lacks_is_found_before_a_run_is_made(
    bench: Bench, tmp_path: Path
) -> None:
    """The error names the module and the interpreter; no process is started."""
    package = tmp_path / "packages"
    package.mkdir()
    (package / "only_elsewhere.py").write_text(MODULE)
    code = f"""
import sys
sys.path.insert(0, {str(package)!r})
import only_elsewhere, pipeline_widgets as pw
project = pw.Workspace({bench.url!r}).projects["Bench"]
project.create_experiment("e", algorithm=only_elsewhere.training)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    experiment = bench.project.experiments["e"]
    (package / "only_elsewhere.py").rename(package / "hidden.txt")  # as in an environment without it
    with pytest.raises(
        pw.AlgorithmNotFoundError, match="Its module only_elsewhere is not there for"
    ) as refused:
        experiment.train()
    assert sys.executable in refused.value.why
    assert len(experiment.runs) == 0
    (package / "hidden.txt").rename(package / "only_elsewhere.py")
    assert experiment.train().wait(30).status == "Succeeded"
