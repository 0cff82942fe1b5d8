"""From a trigger to Running: cold, warm, and without a launch server, against `import sqlalchemy` in one run.

    python benchmarks/launch_server.py [--rounds 7]

Cold is the first trigger of a workspace: its supervisor is started as without a launch server, and one is
started beside. Warm are the triggers after that. Each round has a workspace with and one without, in turn, so
that a busy machine is busy for both. Also: what a further stage of an Auto chain costs whose supervisor was
forked, and the memory of a chain's processes; what they share with others counts in part (PSS).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import chain_overhead
import noop_algorithm
import psutil

import pipeline_widgets as pw

SWITCH = "PIPELINE_WIDGETS_LAUNCH_SERVER"
READY_WITHIN = 30.0


def main() -> None:
    """Print medians, and ratios round by round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--stages", type=int, default=30)
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, median of {options.rounds} rounds")
    reference: list[float] = []
    told: dict[str, list[float]] = {name: [] for name in ("started", "cold", "warm")}
    stages: dict[str, list[float]] = {name: [] for name in ("started", "warm")}
    memory: dict[str, list[float]] = {name: [] for name in ("started", "warm")}
    for _ in range(options.rounds):
        reference.append(chain_overhead.command("import sqlalchemy", times=3))
        os.environ[SWITCH] = "off"
        one_workspace(options.stages, [told["started"]] * 2, stages["started"], memory["started"])
        os.environ[SWITCH] = "10"
        one_workspace(options.stages, [told["cold"], told["warm"]], stages["warm"], memory["warm"])
    for name, what in (("started", "no launch server"), ("cold", "cold"), ("warm", "warm")):
        each = len(told[name]) // options.rounds
        show(f"trigger to Running, {what}", told[name][::each], "import sqlalchemy", reference)
    show("cold", told["cold"], "no launch server", told["started"][::2])
    show("a further stage, warm", stages["warm"], "no launch server", stages["started"])
    show("memory of a chain, warm", memory["warm"], "no launch server", memory["started"], "MB")


def one_workspace(count: int, firsts: list[list[float]], stages: list[float], memory: list[float]) -> None:
    """Trigger a stage by itself as often as there are lists, then a chain, then one whose memory is read."""
    with tempfile.TemporaryDirectory() as folder:
        ws = pw.Workspace(f"sqlite:///{folder}/lab.db")
        project = ws.create_project("Launches", advanced_training=True)
        alone = chain(project, 1)
        for at, told in enumerate(firsts):
            told.append(running_after(alone))
            if at == 0 and os.environ[SWITCH] != "off":
                wait_for(lambda: bool(servers(folder)) and is_ready(folder))
        auto = chain(project, count)
        running_after(auto)
        ends = [stage.run.finished_at for stage in auto.stages if stage.run and stage.run.finished_at]
        stages.append((ends[-1] - ends[0]).total_seconds() / (count - 1))
        memory.append(memory_of_a_chain(project, folder))
        ws.close()
        for each in servers(folder):
            each.kill()


def chain(project: Any, count: int) -> Any:
    """Return an Auto chain of stages that do nothing."""
    pipe = project.create_pipeline(f"chain {len(project.pipelines)}")
    for at in range(count):
        name = f"no-op {len(project.experiments)}"
        experiment = project.create_experiment(name, algorithm=noop_algorithm.noop)
        pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
    return pipe


def running_after(pipe: Any) -> float:
    """Trigger a pipeline, wait for its end, and return the seconds until it was Running."""
    triggered = time.time()
    run = pipe.stages[0].trigger()
    pipe.wait(timeout=120)
    assert all(stage.status == "Succeeded" for stage in pipe.stages), pipe.stages  # noqa: S101
    return run.started_at.timestamp() - triggered


def memory_of_a_chain(project: Any, folder: str) -> float:
    """Return the megabytes of the processes that carry out a run, by what they share with others in part."""
    pipe = project.create_pipeline("sleeps")
    pipe.add_experiment_stage(project.create_experiment("sleeps", algorithm=sleeping))
    run = pipe.stages[0].trigger()
    wait_for(lambda: run.status == "Running")
    time.sleep(0.3)
    found = 0.0
    for process in psutil.process_iter(["cmdline", "environ"]):
        line, environment = process.info["cmdline"] or [], process.info["environ"] or {}
        if "supervise" in line and folder in environment.get("PIPELINE_WIDGETS_URL", ""):
            with suppress(psutil.Error):
                found += process.memory_full_info().pss
    run.stop()
    run.wait(30)
    return found / 1e9  # `show` prints thousandths


@pw.algorithm(name="Sleeping", produces="nothing")
def sleeping(ctx: pw.TrainContext) -> None:
    """Do nothing until it is stopped."""
    for step in range(10_000):
        ctx.report(step, score=0.0)
        time.sleep(0.02)


def servers(folder: str) -> list[psutil.Process]:
    """Return the launch servers of a workspace."""
    lines = ((each, each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))
    return [each for each, line in lines if "launch-server" in line and folder in line[6]]


def is_ready(folder: str) -> bool:
    """Whether the launch server of a workspace listens."""
    return any(Path(each.info["cmdline"][5]).exists() for each in servers(folder))


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + READY_WITHIN
    while not holds():
        assert time.monotonic() < until  # noqa: S101
        time.sleep(0.02)


def show(what: str, ours: list[float], against: str, reference: list[float], unit: str = "ms") -> None:
    """Print the medians, and the median of the ratios round by round."""
    ratio = statistics.median(a / b for a, b in zip(ours, reference, strict=True))
    mine, theirs = statistics.median(ours) * 1e3, statistics.median(reference) * 1e3
    print(f"{what:40} {mine:8.1f} {unit}   {against:18} {theirs:8.1f} {unit}   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
