"""Make the workspace beside this file, with the version that it is an example of: `python make.py FOLDER`.

It was made at revision 0004, and it is never made again: it stands for what users have on their disks. A
later revision that needs an example gets a folder of its own. Run a copy of this script outside of the
repository: the pickled algorithm names the script's path.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pipeline_widgets as pw

PACKAGE = str(Path(pw.__file__).parent.parent)
WAIT = 120.0  # seconds
BUILT_IN = ("DPO", "DQN", "GRPO", "LatentPPO", "SFT", "Supervised")

#: What names this machine, in the columns that hold such a thing.
NAMELESS = (
    "UPDATE workspace SET place = NULL, artifacts = 'lab-artifacts'",
    "UPDATE algorithms SET root = NULL",
    "UPDATE runs SET host = 'host|boot|1', pid = 1, pid_started = 1.0, child_pid = 2, child_started = 1.0",
    "UPDATE runs SET token = substr('00000000000000000000000000000000' || id, -32)",
    "UPDATE runs SET launch_host = NULL, launch_pid = NULL, launch_started = NULL",
    "UPDATE endpoints SET machine = NULL, pid = NULL, pid_started = NULL, token = NULL",
    "UPDATE endpoints SET launch_machine = NULL, launch_pid = NULL, launch_started = NULL",
    "UPDATE events SET who = 'somebody'",
)


@dataclass
class Walk:
    """How far to walk, and what happens on the way.

    A class of pydantic's would be pickled with the internals of one version of pydantic.
    """

    steps: int = 3
    fail: bool = False
    rest: float = 0.0


@pw.algorithm("Walk", produces={"path"}, accepts=[pw.Port("weights", {"path"})], config=Walk)
def walk(ctx: pw.TrainContext) -> None:
    """Walk, with a checkpoint at each step that no other run writes again."""
    for step in range(ctx.start_step + 1, ctx.config.steps + 1):
        ctx.report(step, total=ctx.config.steps, evaluation_score=step / 10, loss=1.0 / step)
        with ctx.checkpoint(step) as folder:
            (folder / "place.txt").write_text(f"{step} at {time.time()}\n")
        time.sleep(ctx.config.rest)
    if ctx.config.fail:
        raise ValueError("the bridge is down")


def main(target: Path) -> None:
    """Let real runs come to their ends, and keep the rows as SQL and the files as they are."""
    with tempfile.TemporaryDirectory() as made:
        ws = pw.Workspace(f"{made}/lab.db")
        fill(ws)
        ws.agents["balancer"].disconnect()
        ws.close()
        keep(Path(made), target)


def fill(ws: pw.Workspace) -> None:
    """Make pipelines whose stages show what a workspace can hold."""
    project = ws.create_project("Letters", advanced_training=True)
    plain = ws.create_project("Plain")
    for name in BUILT_IN:
        plain.create_experiment(name.lower(), algorithm=name)
    trained(project)
    walked(project)


def trained(project: Any) -> None:
    """Run a chain of algorithms of the package that deploys twice."""
    pipe = project.create_pipeline("balance", description="Keep a pole up.")
    config = {"env_id": "CartPole-v1", "steps": 4096, "hidden_units": 16}
    pipe.add_experiment_stage(project.create_experiment("ppo", algorithm="PPO", config=config, seed=1))
    pipe.add_deployment_stage("balancer", trigger="auto", description="Keeps a pole up.")
    pipe.stages[0].trigger()
    pipe.wait(WAIT)
    pipe.stages[1].trigger()
    pipe.wait(WAIT)
    pipe.stages[1].update(checkpoint="final")
    pipe.update(description="Keep a pole up, for long.")


def walked(project: Any) -> None:
    """Run a chain of an algorithm of a script: stale, held, failed, stopped."""

    def of(name: str, **config: Any) -> Any:
        return project.create_experiment(name, algorithm=walk, config=config)

    pipe = project.create_pipeline("walks")
    pipe.add_experiment_stage(of("out"))
    pipe.add_experiment_stage(of("on"))
    pipe.add_experiment_stage(of("far", steps=2), trigger="auto", gate=0.9)
    for number in (0, 1, 0):  # the second run of the first stage makes the second stage stale
        pipe.stages[number].trigger()
        pipe.wait(WAIT)
    bad = project.create_pipeline("accidents")
    bad.add_experiment_stage(of("breaks", fail=True))
    bad.stages[0].trigger()
    bad.wait(WAIT)
    slow = project.create_pipeline("patience")
    slow.add_experiment_stage(of("slow", steps=1000, rest=0.2))
    run = slow.stages[0].trigger()
    while not run.checkpoints:
        time.sleep(0.2)
    run.stop()
    run.wait(WAIT)


def keep(made: Path, target: Path) -> None:
    """Write the rows without what names this machine, and copy the checkpoints."""
    connection = sqlite3.connect(made / "lab.db")
    for statement in NAMELESS:
        connection.execute(statement)
    connection.execute("UPDATE runs SET error = replace(error, ?, '/packages')", [PACKAGE])
    connection.commit()
    (target / "lab.sql").write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
    connection.close()
    private = shutil.ignore_patterns("workspace.json", "supervisor.log", "endpoints")
    shutil.rmtree(target / "artifacts", ignore_errors=True)
    shutil.copytree(made / "lab-artifacts", target / "artifacts", ignore=private)
    for log in target.rglob("log.txt"):
        log.write_text(log.read_text(encoding="utf-8").replace(PACKAGE, "/packages"), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
