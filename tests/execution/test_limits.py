"""Runs wait until they fit within the limits of the workspace, however many kernels trigger them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from benches import Bench, until

import pipeline_widgets as pw
from pipeline_widgets import TrainContext

pytestmark = pytest.mark.spec("6.13")

SOON = 120.0  # seconds within which what was released ends on a busy machine


@dataclass
class Waiting:
    """Where the file is looked for."""

    folder: str
    name: str


@pw.algorithm(
    "Until a file is there",
    produces={"model"},
    accepts=[pw.Port("weights", {"model"})],
    config=Waiting,
)
def wait_for_file(ctx: TrainContext) -> None:
    """Tell the GPUs that it sees, and train until a file is there."""
    folder, name = Path(ctx.config.folder), ctx.config.name
    mark = folder / f"{name}.sees"
    mark.write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all") or "none", encoding="utf-8")
    step = 0
    while not (folder / f"{name}.go").exists() and not (folder / "all.go").exists():
        step += 1
        ctx.report(step=step)
        time.sleep(0.02)
    with ctx.checkpoint(step + 1) as saved:
        (saved / "model.txt").write_text(name, encoding="utf-8")


class Lab(Bench):
    """A workspace with runs that end when they are told to."""

    def trigger(self, name: str, resources: Mapping[str, object] | None = None) -> pw.Stage:
        """Trigger a stage of a pipeline of its own, and return it."""
        experiment = self.project.create_experiment(
            name,
            algorithm=wait_for_file,
            config={"folder": str(self.folder), "name": name},
            resources=resources,
        )
        stage = self.project.create_pipeline(name).add_experiment_stage(experiment)
        stage.trigger()
        return stage

    def release(self, name: str) -> None:
        """Let a run end."""
        (self.folder / f"{name}.go").touch()

    def seen_gpus(self, name: str) -> str:
        """Return the GPUs that a training sees, once it has begun."""
        mark = self.folder / f"{name}.sees"
        until(lambda: mark.exists() and bool(mark.read_text(encoding="utf-8")), SOON)
        return mark.read_text(encoding="utf-8")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A workspace whose trainings wait for a file."""
    made = Lab(tmp_path)
    yield made
    (tmp_path / "all.go").touch()
    until(lambda: not made.ws.queue, SOON)


def has_begun(stage: pw.Stage) -> bool:
    """Return whether the run of a stage is Running."""
    return stage.status == "Running"


def test_a_run_waits_for_a_slot_and_is_launched_by_the_end_of_another(lab: Lab) -> None:
    """No kernel launches it: the supervisor of the run that ends does, so that a queue empties by itself."""
    assert lab.ws.limits(runs=1)["runs"] == 1
    first, second, third = (lab.trigger(name) for name in ("one", "two", "three"))
    until(lambda: has_begun(first), SOON)
    assert (second.status, third.status) == ("Pending", "Pending")
    assert second.runs[0].waits == "a slot: used by run 1 of 'one'"
    assert third.runs[0].waits == "its turn, after run 1 of 'two'"
    queue = lab.ws.queue.df
    assert list(queue["run"]) == ["run 1 of 'one'", "run 1 of 'two'", "run 1 of 'three'"]
    assert list(queue["waits"])[1:] == [second.runs[0].waits, third.runs[0].waits]
    view = lab.ws.view()
    shown = [(row["status"], row["waits"]) for row in view.active]
    view.close()
    assert shown[0] == ("Running", None)
    assert shown[1:] == [("Pending", stage.runs[0].waits) for stage in (second, third)]
    for name in ("one", "two", "three"):
        lab.release(name)
    row = lab.row(third.runs[0])
    until(lambda: lab.row(third.runs[0]).status.finished, SOON)  # the row only: nothing looks after the runs
    assert row.status == "Pending"
    begun = [lab.row(stage.runs[0]).started_at for stage in (first, second, third)]
    ended = [lab.row(stage.runs[0]).finished_at for stage in (first, second, third)]
    assert begun == sorted(begun, key=str)
    assert [ended[0] <= begun[1], ended[1] <= begun[2]] == [True, True]  # type: ignore[operator]
    assert [stage.status for stage in (first, second, third)] == ["Succeeded"] * 3
    assert third.runs[0].waits is None


def test_each_run_sees_the_gpus_that_it_was_given(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the three fit at once; a run that asks for none sees none, and passes the one that waits."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,9")
    lab.ws.limits(runs=4, gpu=3)
    lab.trigger("one", {"gpu": 1})
    lab.trigger("two", {"gpu": 2})
    waiting = lab.trigger("three", {"gpu": 1})
    lab.trigger("four")
    assert (lab.seen_gpus("one"), lab.seen_gpus("two")) == ("4", "7,9")
    assert lab.seen_gpus("four") == "none"
    assert waiting.status == "Pending"
    assert waiting.runs[0].waits == "1 GPU: used by run 1 of 'one', run 1 of 'two'"
    lab.release("one")
    assert lab.seen_gpus("three") == "4"


def test_a_further_stage_goes_on_in_the_slot_of_the_one_before(lab: Lab) -> None:
    """A chain keeps its slot and its GPU while a run of another chain waits; then that has its turn."""
    lab.ws.limits(runs=1, gpu=1)
    pipe = lab.project.create_pipeline("chain")
    for name, trigger in (("first", "manual"), ("second", "auto")):
        experiment = lab.project.create_experiment(
            name,
            algorithm=wait_for_file,
            config={"folder": str(lab.folder), "name": name},
            resources={"gpu": 1},
        )
        pipe.add_experiment_stage(experiment, trigger=trigger)
    pipe.stages[0].trigger()
    other = lab.trigger("other")
    assert lab.seen_gpus("first") == "0"
    lab.release("first")
    assert lab.seen_gpus("second") == "0"
    assert other.status == "Pending"
    lab.release("second")
    until(lambda: has_begun(other), SOON)


def test_raised_limits_let_a_run_begin_at_once_and_a_stop_takes_it_from_the_queue(lab: Lab) -> None:
    """None takes a limit away; a run that was stopped while it waited has never begun."""
    lab.ws.limits(runs=1)
    lab.trigger("one")
    second, third = lab.trigger("two"), lab.trigger("three")
    second.stop()
    assert second.status == "Stopped"
    assert second.runs[0].started_at is None
    lab.ws.limits(runs=None)
    until(lambda: has_begun(third), SOON)
    assert lab.ws.limits()["runs"] >= 2


def test_what_asks_for_more_than_there_is_is_refused_before_it_is_triggered(lab: Lab) -> None:
    """No run is queued; the error says what it asks for, what there is, and what to do."""
    lab.ws.limits(gpu=1, memory="2 GiB")
    with pytest.raises(pw.ConfigError, match="It asks for 2 GPUs, and the workspace's limit is 1 GPU"):
        lab.trigger("two", {"gpu": 2})
    with pytest.raises(pw.ConfigError, match="It asks for 3 GiB of memory"):
        lab.trigger("three", {"memory": "3 GiB"})
    assert not lab.ws.queue
    with pytest.raises(pw.ConfigError, match="The limit of runs cannot be 0"):
        lab.ws.limits(runs=0)
    assert lab.ws.limits()["gpu"] == 1


def test_a_supervisor_that_is_killed_frees_its_slot(lab: Lab) -> None:
    """Its run is Crashed, and the next one begins, launched by whoever looks."""
    lab.ws.limits(runs=1)
    first, second = lab.trigger("one"), lab.trigger("two")
    until(lambda: has_begun(first), SOON)
    os.kill(lab.supervisor(first.runs[0]).pid, 9)
    until(lambda: first.status == "Crashed", SOON)
    until(lambda: has_begun(second), SOON)


def test_kernels_that_trigger_at_once_never_exceed_the_limit(lab: Lab) -> None:
    """Four processes trigger five runs each: never are more than two at work, and each succeeds once."""
    lab.ws.limits(runs=2)
    code = f"""
        import sys, pipeline_widgets as pw
        sys.path.insert(0, {str(Path(__file__).parents[1] / "support")!r})
        import trainers
        ws = pw.Workspace({lab.url!r})
        project = ws.projects["Bench"]
        for number in range(5):
            name = f"{{sys.argv[1]}}-{{number}}"
            experiment = project.create_experiment(name, algorithm=trainers.counter, config={{"steps": 2}})
            project.create_pipeline(name).add_experiment_stage(experiment).trigger()
        """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    kernels = [subprocess.Popen([*command, f"kernel {number}"]) for number in range(4)]
    most = 0
    while True:
        with lab.ws._services.store.read() as work:
            active = [work.runs.get(each.subject_id) for each in work.runs.active()]
        most = max(most, sum(run.status in {"Running", "Stopping"} for run in active))
        if not active and all(kernel.poll() is not None for kernel in kernels):
            break
        lab.ws._services.reconcile()
        time.sleep(0.05)
    assert [kernel.returncode for kernel in kernels] == [0] * 4
    runs = [run for experiment in lab.project.experiments for run in experiment.runs]
    assert [str(run.status) for run in runs] == ["Succeeded"] * 20
    assert most <= 2
    lives = sorted((lab.row(run).started_at, lab.row(run).finished_at) for run in runs)  # type: ignore[type-var]
    for began, _ in lives:
        assert sum(start <= began < end for start, end in lives) <= 2  # type: ignore[operator]
