"""Whether anything was lost, doubled, left behind, said wrongly, or hung."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pipeline_widgets as pw
from chaos.faults import Fault
from chaos.world import World
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.persistence import artifacts

COUNTS = ("lost", "doubled", "orphans", "wrong words", "hung")
GONE_WITHIN = 45.0  # seconds that processes have to see that their workspace is gone
#: What no error may say, whatever has happened.
NEVER = (r"exit code 255", r"supervisor failed", r"exit code 1\b", r"\bNone\b is")

Verdict = dict[str, list[str]]


def judge(world: World, faults: tuple[Fault, ...], *, rested: bool) -> Verdict:
    """Repair a world that has come to rest, and say what is wrong with it.

    Args:
        world: The world.
        faults: What has happened to it.
        rested: Whether it came to rest in its time.
    """
    found: Verdict = {name: [] for name in COUNTS}
    if any(each.ends for each in faults):
        return _of_ended(world, found)
    if not rested:
        found["hung"].append("it did not come to rest")
        return found
    harmed = (world.sandbox.folder / "corrupted").exists()
    found["wrong words"] += _words(world, faults)
    if all(each.saves for each in faults):
        found["lost"] += _unsaved(world)
    if not world.repair():
        found["lost"].append(f"it cannot be repaired by a trigger: {', '.join(world.statuses())}")
    found["wrong words"] += _words(world, faults)
    runs = world.runs()
    found["lost"] += [*world.lost, *world.memory.changed, *_vanished(world, runs)]
    if not harmed:
        found["lost"] += _broken(world, runs)
    if (integrity := world.integrity()) != "ok":
        found["lost"].append(f"integrity: {integrity}")
    found["doubled"] += [*world.doubled, *_doubled(world, runs)]
    found["wrong words"] += world.wrong
    found["orphans"] += world.left()
    return {name: list(dict.fromkeys(told)) for name, told in found.items()}


def _of_ended(world: World, found: Verdict) -> Verdict:
    """Judge a world whose database was deleted: it was said, nothing new was made, and all processes left."""
    until = time.monotonic() + GONE_WITHIN
    while world.sandbox.processes() and time.monotonic() < until:
        time.sleep(0.2)
    found["orphans"] += [f"{each.pid} goes on without a database" for each in world.sandbox.processes()]
    if world.file.exists():
        found["wrong words"].append("a new empty database was made in place of the deleted one")
    found["wrong words"] += [each for each in world.wrong if not each.startswith("a look raised")]
    found["lost"] += world.lost
    return found


def _words(world: World, faults: tuple[Fault, ...]) -> list[str]:
    began = {line["run"] for line in world.lines() if line["event"] == "began"}
    allowed = re.compile("|".join(each.says for each in faults))
    found: list[str] = []
    for run in world.runs():
        error = run.error or ""
        told = f"run {run.id} is {run.status}: {error.strip()[-200:]!r}"
        if run.status in {"Failed", "Crashed"} and not error.strip():
            found.append(f"run {run.id} is {run.status} without a reason")
        elif any(re.search(each, error) for each in NEVER):
            found.append(told)
        elif "never started" in error and run.id in began:
            found.append(f"{told}, and it had begun")
        elif (error or run.status == "Crashed") and not allowed.search(error):
            found.append(told)
        elif run.status == "Stopped" and not any("stop" in each.says for each in faults):
            found.append(f"run {run.id} is Stopped, and nobody asked for that")
    return found


def _unsaved(world: World) -> list[str]:
    """What a train function had saved, although nothing was killed, and is not there."""
    runs = {run.id: run for run in world.runs()}
    there = {key: {c.step for c in world.ws._services.runs.checkpoints(key)} for key in runs}
    return [
        f"run {line['run']} had saved step {line['step']}"
        for line in world.lines()
        if line["event"] == "saved" and line["step"] not in there.get(line["run"], set())
    ]


def _vanished(world: World, runs: list[Run]) -> list[str]:
    there = {run.id for run in runs}
    found = [
        f"run {key} was {end[0]} and is gone" for key, end in world.memory.ends.items() if key not in there
    ]
    for key, saved in world.memory.saved.items():
        now = {each.step: each for each in world.ws._services.runs.checkpoints(key)} if key in there else {}
        found += [f"the checkpoint of run {key} at step {step} is gone" for step in saved.keys() - now.keys()]
    return found


def _broken(world: World, runs: list[Run]) -> list[str]:
    """Checkpoints whose files are not what their rows say."""
    return [
        f"the checkpoint of run {run.id} at step {each.step}: {why}"
        for run in runs
        for each in world.ws._services.runs.checkpoints(run.id)
        if (why := _problem(each)) is not None
    ]


def _problem(checkpoint: Checkpoint) -> str | None:
    folder = Path(checkpoint.path)
    try:
        if (folder / "step.txt").read_text() != str(checkpoint.step):
            return "its files are another step's"
        artifacts.verify(PublishedFolder(path=folder, size=checkpoint.size, digest=checkpoint.digest))
    except (CheckpointError, OSError, pw.PipelineError) as error:
        return str(error)
    return None


def _doubled(world: World, runs: list[Run]) -> list[str]:
    lines = world.lines()
    found = [f"two trainings of stage {x['stage']} at once" for x in lines if x["event"] == "overlap"]
    began = [line["run"] for line in lines if line["event"] == "began"]
    found += [
        f"run {key} was carried out {began.count(key)} times" for key in set(began) if began.count(key) > 1
    ]
    per_stage: dict[int | None, int] = {}
    for run in runs:
        per_stage[run.stage_id] = per_stage.get(run.stage_id, 0) + 1
    found += [
        f"stage {key} has {count} runs of {world.triggers} triggers"
        for key, count in per_stage.items()
        if count > world.triggers
    ]
    return found
