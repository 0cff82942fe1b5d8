"""One world: a chain in a workspace of its own, something that happens to it, and how it comes to rest."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import walker

import pipeline_widgets as pw
from chaos.cluster import Cluster
from chaos.launch import LaunchChaos
from chaos.sandbox import Sandbox
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import TriggerError

TIMING = pw.Timing(beat_every=0.2, grace=3.0)
REST = 75.0  # seconds within which a world has to come to rest
TARGET = 20.0  # seconds within which what is to be hit appears
LOOK_EVERY = 0.25
LEAVE = 20.0  # seconds that processes have to leave after the last run has ended
DONE = ("Succeeded", "Failed", "Crashed", "Stopped")


class NotHitError(Exception):
    """What was to be hit was not there: the chain had ended before."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a world is made of; follows from its seed."""

    stages: int
    steps: int
    pause: float
    deploy: bool
    by_value: bool
    helper: str
    resume: bool
    delay: float

    @staticmethod
    def drawn(rng: random.Random, *, deploy: bool) -> Shape:
        """Draw one."""
        stages, steps, pause = rng.randint(3, 6), rng.randint(2, 5), rng.choice([0.02, 0.05, 0.1, 0.2])
        return Shape(
            stages=stages,
            steps=steps,
            pause=pause,
            deploy=deploy or rng.random() < 0.12,
            by_value=rng.random() < 0.3,
            helper=rng.choice(["", "", "session", "group"]),
            resume=rng.random() < 0.5,
            delay=rng.uniform(0, 0.7 * stages * (steps * pause + 0.15)),  # while it runs, mostly
        )


@dataclass
class Memory:
    """What anybody who looked has seen so far."""

    ends: dict[int, tuple[str, str | None]] = field(default_factory=dict[int, tuple[str, str | None]])
    saved: dict[int, dict[int, Checkpoint]] = field(default_factory=dict[int, dict[int, Checkpoint]])
    changed: list[str] = field(default_factory=list[str])


class World:
    """A chain of real processes. Time passes in `watch`, which also looks.

    Args:
        sandbox: Where it lives.
        shape: What it is made of.
        rng: Where its chances come from.
        cluster: The PostgreSQL server that holds its database; None for SQLite.
        warm: Whether it has a launch server, which is killed at random moments.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        shape: Shape,
        rng: random.Random,
        cluster: Cluster | None,
        *,
        warm: bool = False,
    ) -> None:
        self.sandbox = sandbox
        self.shape = shape
        self.rng = rng
        self.cluster = cluster
        self.memory = Memory()
        self.story: list[str] = []
        self.triggers = 0
        self.wrong: list[str] = []
        self.doubled: list[str] = []
        self.lost: list[str] = []
        self.meanwhile: Callable[[], None] | None = None
        self._began = time.monotonic()
        self._looked = 0.0
        self._forks: list[int] = []
        self.kernel = 0
        self.act = ""
        self.file = sandbox.lab / "lab.db"
        self.database = f"chaos_{sandbox.name.replace('-', '_')}"
        if cluster is not None:
            cluster.create(self.database)
        self.ws = self.open()
        project = self.ws.create_project("Chaos", advanced_training=True)
        self.pipe = project.create_pipeline("chain")
        algorithm = self._algorithm()
        for at in range(shape.stages):
            config = {
                "witness": str(sandbox.witness),
                "stage": f"s{at}",
                "steps": shape.steps,
                "pause": shape.pause,
                "helper": shape.helper if at % 2 == 0 else "",
            }
            experiment = project.create_experiment(f"s{at}", algorithm=algorithm, config=config)
            self.pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
        if shape.deploy:
            self.pipe.add_deployment_stage("walker", trigger="auto")
        self._stages = tuple(each._id for each in self.pipe.stages)
        chances = random.Random(f"launch server {sandbox.name}")  # noqa: S311
        self.launch = LaunchChaos(sandbox, chances, self.tell) if warm else None

    def open(self) -> pw.Workspace:
        """Open the workspace once more."""
        if self.cluster is None:
            return pw.Workspace(self.file, timing=TIMING)
        artifacts = self.sandbox.lab / "lab-artifacts"
        return pw.Workspace(self.cluster.url(self.database), artifacts=artifacts, timing=TIMING)

    def reopen(self) -> None:
        """Open the workspace anew, as another kernel does."""
        project, pipe = self.ws.projects[0].name, self.pipe.name
        self.ws.close()
        self.ws = self.open()
        self.pipe = self.ws.projects[project].pipelines[pipe]

    def tell(self, what: str) -> None:
        """Add to the story."""
        self.story.append(f"{time.monotonic() - self._began:6.2f} {what}")

    # What happens.

    def trigger(self) -> None:
        """Start the chain, as a person does."""
        self.triggers += 1
        self.tell("triggered stage 1")
        self.pipe.stages[0].trigger()

    def from_kernel(self, act: Callable[[pw.Workspace], object]) -> int:
        """Do something from another kernel, and return its process."""
        self.ws.close()  # no connection may be open in two processes

        def elsewhere() -> None:
            ws = self.open()
            act(ws)
            ws.close()

        pid = self.sandbox.fork(elsewhere)
        self._forks.append(pid)
        return pid

    def ended(self, pid: int) -> bool:
        """Whether another kernel has ended."""
        if pid not in self._forks:
            return True
        found, status = os.waitpid(pid, os.WNOHANG)
        if found == 0:
            return False
        self._forks.remove(pid)
        code = os.waitstatus_to_exitcode(status)
        self.tell(f"kernel {pid} ended with {code}")
        told = self.sandbox.folder / f"fork-{pid}.txt"
        if told.exists():
            self.tell(f"kernel {pid}: {told.read_text()}")
        if code < 0 and -code in {4, 6, 7, 8, 11}:
            self.lost.append(f"a kernel was ended by signal {-code}")
        return True

    def until_ended(self, pids: list[int], timeout: float = 60.0) -> None:
        """Watch until other kernels have ended."""
        until = time.monotonic() + timeout
        left = list(pids)
        while left and time.monotonic() < until:
            self.watch(0.1)
            left = [pid for pid in left if not self.ended(pid)]
        if left:
            self.wrong.append("a kernel hung")

    def watch(self, seconds: float) -> None:
        """Let time pass, and look meanwhile."""
        if self.meanwhile is not None:
            then, self.meanwhile = self.meanwhile, None
            self.watch(min(seconds / 2, self.rng.uniform(0, 1)))
            with suppress(NotHitError):
                then()
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.look()
            time.sleep(min(left, 0.05))

    def look(self) -> None:
        """Look once, as a view does; what is seen is remembered."""
        if self.launch is not None:
            self.launch.strike()
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        try:
            self.ws.reconcile()
            for run in self.runs():
                self._remember(run)
        except pw.PipelineError as error:
            self.tell(f"a look was refused: {error}")
        except Exception as error:  # noqa: BLE001  whatever is raised, a user would see it
            self.wrong.append(f"a look raised {type(error).__name__}: {error}")
        self._looked = time.monotonic()

    # What is there.

    def runs(self) -> list[Run]:
        """Return all runs, in the order of the stages."""
        service = self.ws._services.runs
        return [run for stage in self._stages for run in service.of_stage(stage)]

    def runs_there(self) -> bool:
        """Whether anything was triggered, as far as that can be read."""
        try:
            return bool(self.runs())
        except pw.PipelineError:
            return True

    def lines(self) -> list[dict[str, Any]]:
        """Return what the walkers have witnessed."""
        file = self.sandbox.witness / "witness.jsonl"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]

    def supervisors(self) -> list[psutil.Process]:
        """Return the processes that carry out chains, not what they have forked."""
        mine = [each for each in self.sandbox.processes() if _runs(each, "supervise")]
        ids = {each.pid for each in mine}
        return [each for each in mine if _parent(each) not in ids]

    def endpoints(self) -> list[psutil.Process]:
        """Return the processes behind endpoints."""
        return [each for each in self.sandbox.processes() if _runs(each, "serve")]

    def trainer(self) -> psutil.Process:
        """Wait for a process that trains, and return it.

        Raises:
            NotHitError: There is none any more.
        """
        return self.await_one(self._trainers)

    def await_one(self, found: Callable[[], list[psutil.Process]]) -> psutil.Process:
        """Wait for one of those processes.

        Raises:
            NotHitError: The chain has come to rest without one.
        """
        until = time.monotonic() + TARGET
        while time.monotonic() < until:
            if there := found():
                return self.rng.choice(there)
            if self.resting() and not found():
                break
            self.watch(0.02)
        raise NotHitError

    def begun(self) -> bool:
        """Whether any training has begun."""
        return any(line["event"] == "began" for line in self.lines())

    def after_delay(self) -> None:
        """Wait for the first training, and then for the random moment.

        Raises:
            NotHitError: The chain is over by then.
        """
        until = time.monotonic() + TARGET
        while not self.begun() and time.monotonic() < until:
            self.watch(0.05)
        self.watch(self.shape.delay)
        if self.resting():
            raise NotHitError

    def resting(self) -> bool:
        """Whether nothing is active, so that without a person nothing will happen."""
        try:
            runs = self.runs()
            agents = [agent.status for agent in self.ws.agents]
        except pw.PipelineError:
            return False
        return bool(runs) and not any(run.status.active for run in runs) and "Pending" not in agents

    def rest(self) -> bool:
        """Watch until the world has come to rest; whether it has."""
        until = time.monotonic() + REST
        while time.monotonic() < until:
            self.watch(0.3)
            nothing = not self.runs_there() and time.monotonic() > until - REST + 5
            if (self.resting() or nothing) and not self._forks_alive():
                self.tell("at rest: " + ", ".join(self.statuses()))
                return True
        self.tell("not at rest: " + ", ".join(self.statuses()))
        return False

    def statuses(self) -> list[str]:
        """Return the status of each stage, and of the agents."""
        with suppress(pw.PipelineError):
            state = self.ws._services.states.pipeline(self.pipe._id)
            return [str(s.status) for s in state.stages] + [f"agent {a.status}" for a in self.ws.agents]
        return ["unreadable"]

    # What a person does afterwards.

    def repair(self) -> bool:
        """Trigger or resume what has not succeeded, as a person would; whether all has succeeded then."""
        if self.act:
            self._correct()
        for _ in range(self.shape.stages + 2):
            stages = list(self.pipe.stages)
            broken = [each for each in stages if each.status != "Succeeded"]
            if not broken:
                return self._agents_deployed()
            first = broken[0]
            resume = self.shape.resume and first.status in {"Stopped", "Failed", "Crashed"}
            try:
                self._trigger(first, resume=resume)
            except pw.PipelineError as error:
                self.tell(f"trigger refused: {error}")
                if first.position == 0:
                    return False
                if not self._again_from_the_first(stages):
                    return False
            if not self.rest():
                return False
        return False

    def integrity(self) -> str:
        """Return "ok", or what SQLite finds wrong with its file."""
        if self.cluster is not None:
            return "ok"
        connection = sqlite3.connect(self.file)
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
            foreign = list(connection.execute("PRAGMA foreign_key_check"))
        finally:
            connection.close()
        return "; ".join(found) if not foreign else f"foreign keys: {foreign[:3]}"

    def left(self) -> list[str]:
        """Disconnect all agents, and return the processes that will not leave."""
        for agent in self.ws.agents:
            try:
                agent.disconnect()
            except pw.PipelineError as error:
                self.tell(f"disconnect refused: {error!r}")
        until = time.monotonic() + LEAVE
        while time.monotonic() < until:
            left = self.sandbox.processes()
            if not left:
                return []
            time.sleep(0.1)
        return [_described(each) for each in self.sandbox.processes()]

    def close(self) -> None:
        """End all that is left, and forget the database."""
        for pid in list(self._forks):
            with suppress(OSError):
                os.kill(pid, 9)
                os.waitpid(pid, 0)
        with suppress(pw.PipelineError):
            self.ws.close()
        self.sandbox.kill_all()
        if self.cluster is not None:
            self.cluster.drop(self.database)

    def _algorithm(self) -> Any:
        """The walker: from its module, or as a notebook would define it, by value."""
        if not self.shape.by_value:
            return walker.walker
        source = Path(str(walker.__file__))
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), names)  # noqa: S102
        return names["walker"]

    def _trigger(self, stage: pw.Stage, *, resume: bool) -> None:
        self.triggers += 1
        try:
            stage.trigger(resume=resume)
        except TriggerError:
            if not resume:
                raise
            stage.trigger()
        self.tell(f"triggered stage {stage.position + 1}{' to resume' if resume else ''}")

    def _correct(self) -> None:
        """Let no training tell what is refused any more."""
        for stage in self.pipe.stages:
            experiment = stage.experiment
            if experiment is not None and stage.status != "Succeeded" and experiment.config.get("act"):
                experiment.update(config={**experiment.config, "act": ""})

    def _again_from_the_first(self, stages: list[pw.Stage]) -> bool:
        try:
            self._trigger(stages[0], resume=False)
        except pw.PipelineError as error:
            self.tell(f"trigger refused: {error}")
            return False
        return True

    def _agents_deployed(self) -> bool:
        for agent in self.ws.agents:
            if agent.status == "Failed":
                self.tell(f"agent failed: {agent.error}")
                if not agent.error:
                    self.wrong.append("an agent is Failed without a reason")
                agent.connect()
                self.rest()
            if agent.status != "Deployed":
                return False
        return True

    def _forks_alive(self) -> bool:
        return len([pid for pid in list(self._forks) if not self.ended(pid)]) > 0

    def _trainers(self) -> list[psutil.Process]:
        lines = self.lines()
        over = {line["run"] for line in lines if line["event"] in {"ended", "stopped"}}
        pids = [line["pid"] for line in lines if line["event"] == "began" and line["run"] not in over]
        there = {each.pid: each for each in self.sandbox.processes()} if pids else {}
        return [there[pid] for pid in pids[-1:] if pid in there]

    def _remember(self, run: Run) -> None:
        memory, end = self.memory, (str(run.status), run.error)
        known = memory.ends.get(run.id)
        if known is None and run.status in DONE:
            memory.ends[run.id] = end
            self.tell(f"run {run.id} is {run.status}: {(run.error or '').strip()[-300:]}")
        elif known is not None and known != end:
            memory.changed.append(f"run {run.id} was {known[0]} and is {end[0]}")
            memory.ends[run.id] = end
        if known is None:
            found = self.ws._services.runs.checkpoints(run.id)
            memory.saved.setdefault(run.id, {}).update({each.step: each for each in found})


def _runs(process: psutil.Process, command: str) -> bool:
    with suppress(psutil.Error):
        line = process.cmdline()
        return "pipeline_widgets" in line and command in line
    return False


def _parent(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.ppid()
    return 0


def _described(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return f"{process.pid} {' '.join(process.cmdline())[:80]}"
    return str(process.pid)
