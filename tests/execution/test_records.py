"""What runs keep of how they came about, and code that makes stages stale, with real processes."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benches import Bench, until
from jupyter_client.manager import KernelManager

import pipeline_widgets as pw
from pipeline_widgets.algorithms import registry
from pipeline_widgets.execution import environment, trigger_place
from pipeline_widgets.widgets.pipeline import PipelineView

TRAIN = """
import pipeline_widgets as pw
import time
from pathlib import Path
from kept_helpers import scale

@pw.algorithm("Kept", produces={"thing"}, accepts=[pw.Port("weights", {"thing"})])
def kept(ctx):
    for step in range(ctx.start_step + 1, 4):
        ctx.report(step, total=3, evaluation_score=scale(step))
        with ctx.checkpoint(step) as folder:
            (folder / "value").write_text(Path("data.txt").read_text())
        while Path("wait").exists():
            ctx.report(step)
            time.sleep(0.02)
"""
HELPERS = "from kept_deep import by\n\ndef scale(x):\n    return by(x)\n"
DEEP = "def by(x):\n    return x * 2\n"


class Shop:
    """A folder of a user's with three modules and one file, and a workspace elsewhere."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.folder = bench, folder
        folder.mkdir()
        for name, text in (("kept_train", TRAIN), ("kept_helpers", HELPERS), ("kept_deep", DEEP)):
            self.edit(name, text)
        (folder / "data.txt").write_text("data")

    def edit(self, name: str, text: str) -> None:
        """Save a module."""
        (self.folder / f"{name}.py").write_text(text)

    def git(self, *arguments: str) -> None:
        """Do something in the folder's repository."""
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        command = ["git", *who, *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def chain(self, stages: int = 2) -> pw.Pipeline:
        """Return a chain of it."""
        kept = importlib.import_module("kept_train").kept
        pipe = self.bench.project.create_pipeline(f"kept {len(self.bench.project.pipelines)}")
        for at in range(stages):
            made = self.bench.project.create_experiment(f"{pipe.name} {at}", algorithm=kept)
            pipe.add_experiment_stage(made, trigger="auto" if at else "manual")
        return pipe


@pytest.fixture
def shop(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Work in the folder of a user."""
    folder = tmp_path / "shop"
    made = Shop(bench, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    yield made
    for name in ("kept_train", "kept_helpers", "kept_deep"):
        sys.modules.pop(name, None)
    registry.catalogue.defined.pop("Kept", None)


def run_of(stage: pw.Stage) -> pw.Run:
    """Return the latest run of a stage."""
    assert stage.run is not None
    return stage.run


@pytest.mark.spec("6.10")
def test_every_run_of_a_chain_keeps_how_it_came_about(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commit, branch, diff, untracked files, packages, machine, named variables, and sources with digests."""
    shop.git("init", "--initial-branch", "work")
    shop.git("add", ".")
    shop.git("commit", "--message", "First")
    shop.edit("kept_deep", DEEP.replace("2", "3"))
    (shop.folder / "new.py").write_text("")
    monkeypatch.setenv("KEPT_VARIABLE", "7")
    assert shop.bench.ws.record_environment("KEPT_VARIABLE", "KEPT_UNSET") == ("KEPT_VARIABLE", "KEPT_UNSET")
    pipe = shop.chain()
    pipe.stages[0].trigger()
    pipe.wait(60)
    asked = ["git", "rev-parse", "HEAD"]
    commit = subprocess.check_output(asked, cwd=shop.folder, text=True).strip()
    installed = {
        re.sub(r"[-_.]+", "-", each.name).lower(): each.version for each in importlib.metadata.distributions()
    }
    for stage in pipe.stages:
        run = run_of(stage)
        assert run.status == "Succeeded", run.error
        kept = run.environment
        assert (kept.commit, kept.branch, kept.folder) == (commit, "work", str(shop.folder))
        assert "-    return x * 2\n+    return x * 3" in kept.changes
        assert "new.py" in kept.untracked
        assert not kept.is_cut
        assert kept.variables == {"KEPT_VARIABLE": "7", "KEPT_UNSET": None}
        assert kept.packages == installed
        assert sys.executable in kept.python
        assert (kept.host, kept.cpu_count) == (os.uname().nodename, len(os.sched_getaffinity(0)))
        assert [each.name for each in run.code] == ["kept_train.py", "kept_helpers.py", "kept_deep.py"]
        assert run.code["kept_deep.py"].text == DEEP.replace("2", "3")
    assert "kept_deep.py" in repr(run_of(pipe.stages[0]).code)
    assert commit in run_of(pipe.stages[0]).environment._repr_html_()
    first, second = (run_of(stage).environment for stage in pipe.stages)
    assert list(first.diff(second)) == []


@pytest.mark.spec("6.11")
def test_code_that_was_edited_makes_stale_until_it_was_run_or_accepted(shop: Shop) -> None:
    """File and first line are told, two imports away; a comment is no reason; a re-run records new code."""
    pipe = shop.chain()
    first, second = pipe.stages
    first.trigger()
    pipe.wait(60)
    assert not first.stale
    shop.edit("kept_deep", "# A comment.\n" + DEEP)
    assert not first.stale
    assert first.plan().notes == ()
    shop.edit("kept_deep", "# A comment.\n" + DEEP.replace("x * 2", "x * 5"))
    assert first.stale_reasons == ("code changed: kept_deep.py:3",)
    (change,) = first.stale_reasons[0].changes
    assert (change.name, change.old.split(), change.new.split()) == (
        "kept_deep.py:3",
        ["return", "x", "*", "2"],
        ["return", "x", "*", "5"],
    )
    assert second.stale_reasons == ("code changed: kept_deep.py:3", "Stage 1 is stale")
    assert "Kept is defined differently here than in run 1 of 'kept 0 0': kept_deep.py:3." in str(
        first.plan()
    )

    view = PipelineView(shop.bench.ws._services, pipe._id)
    assert view.stages[0]["stale"] == ["code changed: kept_deep.py:3"]
    first.accept_as_fresh("the same within rounding")
    assert not first.stale
    view.refresh()
    assert "stale" not in view.stages[0]
    shop.edit("kept_deep", DEEP.replace("x * 2", "x * 6"))
    view.refresh()  # as every five seconds: nothing in the database has changed
    assert view.stages[0]["stale"] == ["code changed: kept_deep.py:2"]
    shown = view.do_environment(run_of(first)._id)
    assert {"name": "kept_deep.py", "text": DEEP} in shown["sources"]
    assert {"name": "Host", "value": os.uname().nodename} in shown["facts"]
    view.close()
    assert first.stale_reasons == ("code changed: kept_deep.py:2",)

    said = r"^Kept is defined differently here than in run 1 of 'kept 0 0': kept_deep.py:2\.$"
    with pytest.warns(UserWarning, match=said) as told:
        assert pipe.check() == ()
    assert [each.filename for each in told] == [__file__]
    with pytest.warns(UserWarning, match=said) as told:
        first.trigger()
    assert [each.filename for each in told] == [__file__]
    pipe.wait(60)
    assert [stage.stale for stage in pipe.stages] == [False, False]
    assert [each.evaluation_score for each in run_of(first).checkpoints] == [6, 12, 18]
    before, after = first.runs
    differences = [each.summary() for each in before.environment.diff(after.environment)]
    [row] = [each for each in differences if each["kind"] == "code"]
    assert row["name"] == "kept_deep.py:2"
    compared = shop.bench.project.compare(before, after).differences
    assert list(compared.index) == ["code"]


@pytest.mark.spec("6.10")
def test_an_auto_stage_records_the_code_that_its_process_has_loaded(shop: Shop) -> None:
    """A file that is saved while the stage before is training counts for the stage after it."""
    (shop.folder / "wait").touch()
    pipe = shop.chain()
    pipe.stages[0].trigger()
    until(lambda: len(run_of(pipe.stages[0]).checkpoints) > 0)
    shop.edit("kept_deep", DEEP.replace("x * 2", "x * 9"))
    (shop.folder / "wait").unlink()
    pipe.wait(60)
    texts = [run_of(stage).code["kept_deep.py"].text for stage in pipe.stages]
    assert texts == [DEEP, DEEP.replace("x * 2", "x * 9")]
    assert [each.evaluation_score for each in run_of(pipe.stages[1]).checkpoints][-1] == 27
    assert pipe.stages[0].stale_reasons == ("code changed: kept_deep.py:2",)
    assert "code changed" not in " ".join(pipe.stages[1].stale_reasons)


@pytest.mark.spec("6.5", "6.10")
def test_habit_21_a_run_goes_on_in_the_folder_of_its_first_trigger(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resumed from a kernel in another folder, it finds the files that its relative paths mean."""
    (shop.folder / "wait").touch()
    stage = shop.chain(1).stages[0]
    run = stage.trigger()
    until(lambda: len(run.checkpoints) > 0)
    run.stop()
    run.wait(60)
    assert run.status == "Stopped"
    (shop.folder / "wait").unlink()
    monkeypatch.chdir(tmp_path)
    assert f"It resumes in {shop.folder}, where it was first triggered" in str(stage.plan(resume=True))
    assert stage.plan().notes == ()
    with pytest.warns(UserWarning, match=f"^It resumes in {re.escape(str(shop.folder))}, where it was first"):
        resumed = stage.trigger(resume=True).wait(60)
    assert resumed.status == "Succeeded", resumed.error
    assert resumed.environment.folder == str(shop.folder)
    assert len(resumed.checkpoints) == 2


def test_git_that_is_slow_or_fails_delays_a_trigger_little(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two seconds at most; the folder is recorded anyway."""
    shop.git("init")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    began = time.monotonic()
    place = trigger_place.start_reading_place().result()
    assert time.monotonic() - began < trigger_place.GIT_PATIENCE + 2
    assert place is not None
    assert (place.folder, place.git) == (str(shop.folder), None)
    (programs / "git").write_text("#!/bin/sh\nexit 128\n")
    assert trigger_place.read_git(shop.folder) is None


def test_triggers_at_once_start_git_twice_and_not_for_each(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks while the folder is read waits for the next reading: none is told of what was before."""
    reads: list[float] = []

    def read(_folder: Path) -> None:
        reads.append(time.monotonic())
        time.sleep(0.2)

    (shop.folder / ".git").mkdir(exist_ok=True)
    monkeypatch.setattr(trigger_place, "read_git", read)
    first = trigger_place.start_reading_place()
    until(lambda: len(reads) == 1)
    asked = time.monotonic()
    later = [trigger_place.start_reading_place() for _ in range(50)]
    places = [each.result(10) for each in (first, *later)]
    assert [place and place.folder for place in places] == [str(shop.folder)] * 51
    assert len(reads) == 2
    assert reads[1] >= asked
    assert trigger_place.start_reading_place().result(10) == places[0]


def test_a_diff_is_cut_and_a_repository_without_commits_has_a_state(shop: Shop) -> None:
    """What is cut is said; no hook or filter of the repository is executed."""
    assert trigger_place.read_git(shop.folder) is None
    shop.git("init", "--initial-branch", "work")
    state = trigger_place.read_git(shop.folder)
    assert state is not None
    assert (state.commit, state.branch) == (None, "work")
    assert "kept_train.py" in state.untracked
    shop.git("add", ".")
    shop.git("commit", "--message", "First")
    (shop.folder / "data.txt").write_text("x" * 500_000)
    trap = shop.folder / "trap"
    shop.git("config", "diff.external", f"touch {trap}")
    shop.git("config", "core.fsmonitor", f"touch {trap}; false")
    state = trigger_place.read_git(shop.folder)
    assert state is not None
    assert state.is_diff_cut
    assert len(state.diff) == 200_000
    assert not trap.exists()


def test_gpus_and_packages_are_found_without_importing_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the driver's folder, else by nvidia-smi; of two packages of one name the first one counts."""
    for at in range(2):
        folder = tmp_path / "gpus" / str(at)
        folder.mkdir(parents=True)
        (folder / "information").write_text("Model: \t\t NVIDIA H100\nIRQ: 1\n")
    monkeypatch.setattr(environment, "_GPUS", tmp_path / "gpus")
    assert environment.find_gpus() == ("NVIDIA H100", "NVIDIA H100")
    monkeypatch.setattr(environment, "_GPUS", tmp_path / "nothing")
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA A10'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.find_gpus() == ("NVIDIA A10",)
    (tmp_path / "nvidia-smi").unlink()
    assert environment.find_gpus() == ()
    for folder, version in (("one", "1.0+cpu"), ("two", "2.0")):
        (tmp_path / folder / f"My_Package-{version}.dist-info").mkdir(parents=True)
    found = environment.find_packages([str(tmp_path / "one"), str(tmp_path / "two"), "/nowhere"])
    assert found == {"my-package": "1.0+cpu"}


@pytest.mark.parametrize("name", ["", "A=B", "A\0B", 3])
def test_what_is_no_name_of_a_variable_is_refused(bench: Bench, name: Any) -> None:
    """The error says what to write."""
    with pytest.raises(pw.ConfigError, match="is not the name of an environment variable"):
        bench.ws.record_environment(name)


CELL = """\
import pipeline_widgets as pw
from pydantic import BaseModel

class Config(BaseModel):
    base: int = 14

class Net:
    def score(self, x):
        return x * FACTOR

@pw.algorithm("Of a cell", produces={"number"}, config=Config)
def train(ctx):
    ctx.report(1, total=1, evaluation_score=Net().score(ctx.config.base))
    with ctx.checkpoint(1) as folder:
        (folder / "number").write_text("1")
"""
SETUP = """
FACTOR = 3
ws = pw.Workspace()
project = ws.create_project("Cells", advanced_training=True)
pipe = project.create_pipeline("chain")
pipe.add_experiment_stage(project.create_experiment("a", algorithm=train))
stage = pipe.stages[0]
def tell():
    with open("told", "a") as file:
        print(stage.stale_reasons, file=file)
"""


def _ignored(_message: dict[str, Any]) -> None:
    """What a cell shows is not asked for."""


def run_cells(socket: Path, cells: list[str]) -> None:
    """Run cells in a real kernel of their own, in the current folder."""
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(socket))
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        for cell in cells:
            reply = client.execute_interactive(cell, timeout=90, output_hook=_ignored)
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.spec("6.11")
@pytest.mark.slow
def test_code_of_a_cell_that_was_edited_makes_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a real kernel: what the algorithm refers to counts, and running the same cell again does not."""
    monkeypatch.chdir(tmp_path)
    cells = [
        CELL,
        SETUP,
        "stage.trigger().wait(60); tell()",
        CELL + "\nOTHER = 1",
        "tell()",
        CELL.replace("x * FACTOR", "x + FACTOR"),
        "tell()",
        CELL.replace("base: int = 14", "base: int = 15"),
        "tell()",
        CELL,
        "FACTOR = 4",
        "tell()",
        "FACTOR = 3\ntell()",
    ]
    run_cells(tmp_path / "kernel", cells)
    assert (tmp_path / "told").read_text().splitlines() == [
        "()",
        "()",
        "('code changed: cell:9 (Net)',)",
        "('code changed: cell:5 (Config)',)",
        "('code changed: cell:1 (FACTOR)',)",
        "()",
    ]
    ws = pw.Workspace(f"sqlite:///{tmp_path}/lab.db")
    code = run_of(ws.projects["Cells"].pipelines["chain"].stages[0]).code
    assert [each.name for each in code] == ["train", "Config", "Net", "FACTOR"]
    assert code["FACTOR"].text == "FACTOR = 3"
    ws.close()


PLAN = """
import pipeline_widgets as pw
stage = pw.Workspace().projects["Cells"].pipelines["chain"].stages[0]
with open("notes", "a") as file:
    print(stage.plan().notes, file=file)
"""
SECOND = """
ws = pw.Workspace()
pipe = ws.projects["Cells"].pipelines["chain"]
import warnings
def warned(of):
    with warnings.catch_warnings(record=True) as kept:
        warnings.simplefilter("always")
        of()
    return tuple(str(each.message) for each in kept)
stage = pipe.stages[0]
with open("notes", "a") as file:
    for notes in (stage.plan().notes, warned(pipe.check), warned(lambda: stage.trigger().wait(60))):
        print(notes, file=file)
"""


@pytest.mark.spec("6.11")
@pytest.mark.slow
def test_habit_12_two_notebooks_that_define_one_algorithm_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan, check and trigger say that the algorithm of that name is another one here, before it runs."""
    monkeypatch.chdir(tmp_path)
    other = CELL.replace("x * FACTOR", "x + FACTOR") + "FACTOR = 3"
    run_cells(tmp_path / "first", [CELL, SETUP, PLAN])
    run_cells(tmp_path / "unchanged", [CELL + "FACTOR = 3", PLAN])
    run_cells(tmp_path / "other", [other, SECOND])
    run_cells(tmp_path / "same", [other, SECOND])
    run_cells(tmp_path / "former", [CELL + "FACTOR = 3", SECOND])
    told = (tmp_path / "notes").read_text().splitlines()
    before = "Of a cell is defined differently here than {}: cell:9 (Net)."
    set_up, ran = (repr((before.format(each),)) for each in ("where 'a' was set up", "in run 2 of 'a'"))
    assert told == ["()"] * 2 + [set_up] * 3 + ["()"] * 3 + [ran] * 3
