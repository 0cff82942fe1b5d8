"""Trackers of anybody's, found by entry points: what they are told; none is in the way (spec 11.4)."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from benches import Bench, until

import pipeline_widgets as pw
from pipeline_widgets.domain.tracking import make_path_part, parse_trackers, split_tracker

FAKE = """
import json, os, pathlib, threading, time

class Fake:
    def __init__(self, location, folder):
        self.location, self.folder = location, folder
        if location == "raise":
            raise RuntimeError("no such server, https://me:hush-hush@host")
        if location == "exit":
            os._exit(3)

    def tell(self, *told):
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "told.jsonl").open("a") as file:
            file.write(json.dumps([self.location, *told]) + "\\n")

    def begin(self, run):
        self.run = run.name
        if self.location == "hang":
            time.sleep(600)
        self.tell("begin", run.name, run.facts, dict(run.config), run.begun)

    def report(self, step, metrics):
        if self.location == "raise later" and step == 2:
            raise ValueError("step 2")
        self.tell("report", self.run, step, metrics)

    def checkpoint(self, saved):
        self.tell("checkpoint", self.run, saved.step, saved.path)

    def finish(self, status, error):
        self.tell("finish", self.run, status, error)
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package with a tracker for this process and those that it starts."""
    site = tmp_path / "site"
    info = site / "fake_tracker-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "fake_tracker.py").write_text(FAKE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-tracker\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pipeline_widgets.trackers]\nfake = fake_tracker:Fake\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))


def told(bench: Bench, *kinds: str) -> list[Any]:
    """Return what the tracker was told, in that order."""
    path = bench.ws.artifacts / "trackers" / "fake" / "told.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [line[1:] for line in lines if not kinds or line[1] in kinds]


def ended(bench: Bench, runs: int = 1) -> bool:
    """Return whether so many runs were told to their end."""
    return len(told(bench, "finish")) == runs


@pytest.mark.usefixtures("installed")
@pytest.mark.spec("11.4")
def test_a_tracker_is_told_of_every_run_of_a_chain(bench: Bench) -> None:
    """Config, seed, metrics by step, checkpoints, the run that it starts from, and how it ended."""
    bench.ws.trackers = ["fake"]
    pipe = bench.chain({"steps": 3}, {"steps": 2})
    pipe.stages[0].trigger()
    pipe.wait(60)
    until(lambda: ended(bench, 2), timeout=60)

    first, second = told(bench, "begin")
    assert (first[1], first[4], second[1]) == ("e0, run 1", 0, "e1, run 1")
    assert first[3]["steps"] == 3
    facts = {"project": "Bench", "experiment": "e0", "algorithm": "Counter", "pipeline": "chain 0"}
    assert first[2].items() >= {**facts, "stage": 1, "run": 1, "seed": 0}.items()
    assert (second[2]["parent"], second[2]["parent_key"]) == ("e0, run 1", first[2]["key"])
    reports = [(run, step, metrics["loss"]) for _, run, step, metrics in told(bench, "report")]
    assert reports[:3] == [
        ("e0, run 1", 1, 1.0),
        ("e0, run 1", 2, 0.5),
        ("e0, run 1", 3, pytest.approx(1 / 3)),
    ]
    assert len(reports) == 5
    saved = [
        (step, Path(path).is_dir()) for _, run, step, path in told(bench, "checkpoint") if run[:2] == "e0"
    ]
    assert saved == [(1, True), (2, True), (3, True)]
    assert [each[1:] for each in told(bench, "finish")] == [
        ["e0, run 1", "Succeeded", None],
        ["e1, run 1", "Succeeded", None],
    ]


@pytest.mark.usefixtures("installed")
@pytest.mark.spec("11.4", "6.12")
def test_a_retry_is_tracked_as_a_run_that_goes_on(bench: Bench) -> None:
    """The crash is told with its evidence, and the retry begins at the step of its checkpoint."""
    bench.ws.trackers = ["fake"]
    pipe = bench.chain({"steps": 60, "pause": 0.05})
    pipe.stages[0].update(retries=1)
    run = pipe.stages[0].trigger()
    until(lambda: len(run.checkpoints) > 2)
    os.kill(bench.trainer(run).pid, signal.SIGKILL)
    pipe.wait(60)
    until(lambda: ended(bench, 2), timeout=60)

    crashed, succeeded = told(bench, "finish")
    assert (crashed[2], succeeded[2]) == ("Crashed", "Succeeded")
    assert "SIGKILL" in crashed[3]
    begun = told(bench, "begin")[1]
    assert (begun[2]["resumed"], begun[2]["retry"], begun[2]["parent"]) == (True, 1, "e0, run 1")
    assert begun[4] == run.checkpoints[-1].step
    steps = [step for _, _, step, _ in told(bench, "report")]
    assert sorted(set(steps)) == list(range(1, 61))


@pytest.mark.usefixtures("installed")
@pytest.mark.spec("11.4")
@pytest.mark.parametrize(
    ("tracker", "said"),
    [
        ("fake:raise", "RuntimeError: no such server, https://****@host"),
        ("fake:raise later", "ValueError: step 2"),
        ("gone", "There is no tracker named 'gone' where the run is."),
    ],
)
def test_a_tracker_that_fails_says_so_once_in_the_log_of_the_run(
    bench: Bench, tracker: str, said: str
) -> None:
    """The chain ends as ever, and the other tracker is told everything."""
    bench.ws._services.tracking.set_trackers([tracker, "fake:works"])
    pipe = bench.chain({}, {})
    pipe.stages[0].trigger()
    pipe.wait(60)
    until(lambda: ended(bench, 2), timeout=60)
    run = pipe.stages[0].run
    assert run is not None
    until(lambda: "has failed" in run.log, timeout=30)

    assert [stage.status for stage in pipe.stages] == ["Succeeded", "Succeeded"]
    name, _ = split_tracker(tracker)
    assert run.log.count(f"The tracker {name!r} has failed, and the run goes on without it: {said}") == 1
    assert run.log.count("has failed") == 1


@pytest.mark.usefixtures("installed")
@pytest.mark.spec("11.4")
@pytest.mark.parametrize("tracker", ["fake:hang", "fake:exit"])
def test_a_tracker_that_hangs_or_ends_its_process_delays_nothing(bench: Bench, tracker: str) -> None:
    """Three stages end while it hangs; the supervisor is gone before long, too."""
    bench.ws.trackers = [tracker]
    pipe = bench.chain({}, {}, {})
    pipe.stages[0].trigger()
    pipe.wait(60)

    assert [stage.status for stage in pipe.stages] == ["Succeeded"] * 3
    first, last = pipe.stages[0].run, pipe.stages[2].run
    assert first is not None
    assert last is not None
    assert last.finished_at is not None
    assert (last.finished_at - first.created_at).total_seconds() < 25


@pytest.mark.usefixtures("installed")
@pytest.mark.spec("11.4")
def test_a_killed_supervisor_ends_what_is_tracked(bench: Bench) -> None:
    """The process that tracks outlives it, and tells how the run was given up."""
    bench.ws.trackers = ["fake"]
    run = bench.chain({"steps": 10_000, "pause": 0.01}).stages[0].trigger()
    until(lambda: len(told(bench, "report")) > 5, timeout=60)
    os.kill(bench.supervisor(run).pid, signal.SIGKILL)
    until(lambda: run.status == "Crashed")
    until(lambda: ended(bench), timeout=30)

    ((_, name, status, error),) = told(bench, "finish")
    assert (name, status) == ("e0, run 1", "Crashed")
    assert "is gone" in error
    assert len(told(bench, "report")) == max(each[2] for each in told(bench, "report"))  # none is left out


@pytest.mark.spec("11.4")
def test_no_tracker_is_there_by_default_and_unknown_ones_are_refused(bench: Bench) -> None:
    """The list is kept in the workspace; nothing is started without one."""
    assert bench.ws.trackers == ()
    bench.chain({}).stages[0].trigger().wait(30)
    assert not (bench.ws.artifacts / "trackers.log").exists()
    with pytest.raises(
        pw.ConfigError, match=r"no tracker named 'nothing'\. There are: .*mlflow, tensorboard"
    ):
        bench.ws.trackers = ["nothing"]
    bench.ws.trackers = ["tensorboard", "mlflow:file:///runs", "tensorboard"]
    again = pw.Workspace(bench.ws._services.store.database.url)
    assert again.trackers == ("tensorboard", "mlflow:file:///runs")
    again.trackers = []
    assert bench.ws.trackers == ()
    again.close()


@pytest.mark.parametrize("value", ["tensorboard", [1], [""], [":x"], [None], {"mlflow"}, 3, [["mlflow"]]])
def test_what_is_no_list_of_trackers_is_refused(value: Any) -> None:
    """With an example of one."""
    with pytest.raises(pw.ConfigError, match="Use a list, such as"):
        parse_trackers(value)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("grpo", "grpo"),
        ("../../etc", "_.._etc"),
        ("a/b\\c", "a_b_c"),
        ("..", "_"),
        (" ", "_"),
        ("ü 1", "ü 1"),
    ],
)
def test_a_name_is_no_way_out_of_a_folder(name: str, part: str) -> None:
    """Names of experiments may hold anything."""
    assert make_path_part(name) == part
