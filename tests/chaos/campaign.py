"""Many worlds, some at a time, and the table of what became of them."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pipeline_widgets as pw
from chaos import launch
from chaos.cluster import Cluster
from chaos.faults import BY_NAME, FAULTS, TOGETHER, Fault
from chaos.judge import COUNTS, judge
from chaos.sandbox import Sandbox, can_mount, end_marked
from chaos.world import NotHitError, Shape, World

LONGEST = 240.0  # seconds after which a world is ended from outside
COLUMNS = ("worlds", "chains", "injected", "survived", *COUNTS)


@dataclass
class Told:
    """What became of one world."""

    number: int
    fault: str
    hit: bool = False
    chains: int = 0
    seconds: float = 0.0
    verdict: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    story: list[str] = field(default_factory=list[str])
    supervisors: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def broken(self) -> bool:
        """Whether anything is wrong."""
        return any(self.verdict.values())


@dataclass
class Campaign:
    """Worlds that follow from a seed: world n of a seed is always the same.

    Args:
        seed: The seed.
        postgresql: Whether the databases are on PostgreSQL.
        quick: Whether only faults are taken that are over soon.
        lanes: How many worlds live at a time.
        keep: Whether the folders of worlds are kept even where nothing broke.
        only: The name of the one fault that happens.
        warm: Whether worlds have launch servers, which are killed at random moments.
    """

    seed: int
    postgresql: bool = False
    quick: bool = False
    lanes: int = 6
    keep: bool = False
    only: str = ""
    warm: bool = False

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.told: list[Told] = []
        # What a world needs is loaded once, before it is forked.
        os.environ["PIPELINE_WIDGETS_DATA"] = str(self.folder / "user")
        with tempfile.TemporaryDirectory() as first:
            pw.Workspace(Path(first, "lab.db")).close()
        kind = "postgresql" if self.postgresql else "sqlite"
        self._names = [
            each.name
            for each in FAULTS
            if each.only in {"", kind} and (each.quick or not self.quick) and (can_mount() or not each.root)
        ]
        self._names.append(TOGETHER)
        if self.only:
            self._names = [self.only]

    def fault_of(self, number: int) -> str:
        """Return what happens to a world: each fault once in every round, in an order of its own."""
        turn, place = divmod(number, len(self._names))
        order = list(self._names)
        random.Random(f"{self.seed}/{turn}").shuffle(order)  # noqa: S311
        return order[place]

    def run(self, *, minutes: float | None = None, worlds: list[int] | None = None) -> None:
        """Let worlds live for some minutes, or those of the given numbers."""
        until = time.monotonic() + (minutes or 0) * 60
        numbers: Iterator[int] = iter(worlds) if worlds is not None else iter(range(10**9))
        clusters = [Cluster() for _ in range(self.lanes)] if self.postgresql else []
        free, living = list(range(self.lanes)), dict[int, tuple[int, int, float]]()
        try:
            while True:
                while free and (worlds is not None or time.monotonic() < until):
                    number = next(numbers, None)
                    if number is None:
                        break
                    lane = free.pop()
                    cluster = clusters[lane] if clusters else None
                    if cluster is not None:
                        cluster.heal()
                    pid = self._fork(number, cluster)
                    living[pid] = (lane, number, time.monotonic())
                if not living:
                    break
                self._reap(living, free)
                time.sleep(0.02)
        finally:
            for pid in living:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                end_marked(f"{os.getpid()}-{self.seed}-{living[pid][1]}")
            for each in clusters:
                each.close()

    def table(self) -> str:
        """Return the table: what happened, how often, and what was wrong afterwards."""
        rows: dict[str, dict[str, int]] = {}
        for told in self.told:
            for name in (told.fault, "all"):
                row = rows.setdefault(name, dict.fromkeys(COLUMNS, 0))
                row["worlds"] += 1
                row["chains"] += told.chains
                row["injected"] += told.hit
                row["survived"] += told.hit and not told.broken
                for count in COUNTS:
                    row[count] += bool(told.verdict.get(count))
        names = [*(name for name in [*BY_NAME, TOGETHER] if name in rows), "all"]
        width = max((len(name) for name in names), default=5)
        lines = [
            f"| {'fault':{width}} | {' | '.join(COLUMNS)} |",
            f"|{'-' * (width + 2)}|{'---|' * len(COLUMNS)}",
        ]
        for name in names:
            if name in rows:
                cells = " | ".join(f"{rows[name][c]:>{len(c)}}" for c in COLUMNS)
                lines.append(f"| {name:{width}} | {cells} |")
        return "\n".join(lines)

    def stories(self) -> str:
        """Return the stories of the worlds that broke."""
        return "\n\n".join(_story(told, self) for told in self.told if told.broken)

    @property
    def broken(self) -> bool:
        """Whether anything is wrong with any world."""
        return any(told.broken for told in self.told)

    def close(self) -> None:
        """Forget the folders, but for those of worlds that broke."""
        if not self.broken and not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def folder_of(self, number: int) -> Path:
        """Return the folder of a world."""
        return self.folder / f"world-{number}"

    def _fork(self, number: int, cluster: Cluster | None) -> int:
        pid = os.fork()
        if pid:
            return pid
        try:
            told = self._live(number, cluster)
            (self.folder_of(number) / "told.json").write_text(json.dumps(told.__dict__))
        except BaseException:  # noqa: BLE001  the harness itself is at fault: it must be seen
            (self.folder_of(number) / "fault.txt").write_text(traceback.format_exc())
        finally:
            os._exit(0)

    def _live(self, number: int, cluster: Cluster | None) -> Told:
        """Let one world live, in a process of its own."""
        begun, name = time.monotonic(), self.fault_of(number)
        rng = random.Random(f"{self.seed}/{number}/{name}")  # noqa: S311
        faults = _two(rng, postgresql=self.postgresql) if name == TOGETHER else (BY_NAME[name],)
        shape = Shape.drawn(rng, deploy=any(each.deploy for each in faults))
        folder = self.folder_of(number)
        folder.mkdir()
        logging.basicConfig(filename=folder / "log.txt", format="%(relativeCreated)d %(message)s", force=True)
        sandbox = Sandbox(folder, f"{os.getppid()}-{self.seed}-{number}")
        world = World(sandbox, shape, rng, cluster, warm=self.warm)
        told = Told(number=number, fault=name)
        try:
            world.tell(f"{' and '.join(each.name for each in faults)}; {shape}")
            told.hit = _strike(world, faults)
            rested = world.rest()
            # A database that is there still, since the chain was over before, is judged as any other.
            happened = () if not told.hit and any(each.ends for each in faults) else faults
            told.verdict = judge(world, happened, rested=rested)
        finally:
            told.chains = world.triggers
            told.supervisors = launch.count(folder)
            told.story = world.story
            if told.broken or self.keep:
                sandbox.keep()
            world.close()
        told.seconds = time.monotonic() - begun
        if not told.broken and not self.keep:
            shutil.rmtree(folder / "copy", ignore_errors=True)
        return told

    def _reap(self, living: dict[int, tuple[int, int, float]], free: list[int]) -> None:
        for pid, (lane, number, since) in list(living.items()):
            late = time.monotonic() - since > LONGEST
            if late:
                os.kill(pid, signal.SIGKILL)
            done, _ = os.waitpid(pid, 0 if late else os.WNOHANG)
            if not done:
                continue
            del living[pid]
            free.append(lane)
            end_marked(f"{os.getpid()}-{self.seed}-{number}")
            self.told.append(self._read(number, late=late))
            if not self.told[-1].broken and not self.keep:
                shutil.rmtree(self.folder_of(number), ignore_errors=True)

    def _read(self, number: int, *, late: bool) -> Told:
        file = self.folder_of(number) / "told.json"
        if file.exists():
            return Told(**json.loads(file.read_text()))
        fault = self.folder_of(number) / "fault.txt"
        why = fault.read_text() if fault.exists() else f"ended from outside after {LONGEST:.0f} s"
        return Told(number, self.fault_of(number), verdict={"hung": [why if not late else "it hung"]})


def _strike(world: World, faults: tuple[Fault, ...]) -> bool:
    first, *others = faults
    for each in faults:
        each.prepare(world)
    for each in others:
        world.meanwhile = _later(world, each)
    first.begin(world)
    try:
        first.strike(world)
    except NotHitError:
        world.tell("there was nothing left to hit")
        return False
    return True


def _later(world: World, fault: Fault) -> Any:
    return lambda: fault.strike(world)


def _two(rng: random.Random, *, postgresql: bool) -> tuple[Fault, ...]:
    kind = "postgresql" if postgresql else "sqlite"
    some = [
        each
        for each in FAULTS
        if each.together and each.only in {"", kind} and (can_mount() or not each.root)
    ]
    return tuple(rng.sample(some, 2))


def _story(told: Told, campaign: Campaign) -> str:
    wrong = [f"  {kind}: {each}" for kind, found in told.verdict.items() for each in found]
    replay = f"make chaos SEED={campaign.seed} WORLD={told.number}"
    replay += " DB=postgresql" if campaign.postgresql else ""
    replay += " QUICK=1" if campaign.quick else ""
    replay += " WARM=1" if campaign.warm else ""
    where = campaign.folder_of(told.number)
    return "\n".join(
        [
            f"World {told.number} ({told.fault}), {where}",
            *wrong,
            *(f"  {s}" for s in told.story),
            f"  again: {replay}",
        ]
    )
