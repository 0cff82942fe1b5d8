"""What can happen to a chain, and what may be said about it afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import psycopg

import pipeline_widgets as pw
from chaos.world import NotHitError, World
from pipeline_widgets.errors import ConflictError, NameTakenError, RuleError, TriggerError
from pipeline_widgets.execution import processes

NOTHING = r"(?!)"  # no run may end with an error
SUPERVISOR_GONE = r"supervisor.*(gone|killed|ended|died|silent)"
KILLED = r"SIGKILL|killed"
ALSO_SUPERVISOR = rf"{KILLED}|{SUPERVISOR_GONE}"
ANY_REFUSAL = r"refus|stored|metric|step|name|ValueError"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that happens once in a world.

    Args:
        name: Its row in the table.
        strike: Lets it happen; raises NotHitError where the chain was over before.
        says: What the error of a run that did not succeed may say, as a pattern.
        begin: How the chain is triggered; by default as a person does.
        prepare: What is done before it is triggered.
        root: Whether it needs mounts.
        only: "sqlite" or "postgresql", where it means nothing to the other.
        quick: Whether it is over soon enough for the run of `make test`.
        deploy: Whether the chain ends with a Deployment.
        saves: Whether all that was saved has to be there afterwards, since nothing was killed.
        together: Whether it can happen together with another one.
        ends: Whether the workspace is gone afterwards.
    """

    name: str
    strike: Callable[[World], None]
    says: str = NOTHING
    begin: Callable[[World], None] = World.trigger
    prepare: Callable[[World], None] = lambda _: None
    root: bool = False
    only: str = ""
    quick: bool = True
    deploy: bool = False
    saves: bool = False
    together: bool = False
    ends: bool = False


def _signal(found: psutil.Process, number: int) -> None:
    with suppress(psutil.Error):
        found.send_signal(number)


def _hit(world: World, found: psutil.Process, number: int) -> None:
    world.tell(f"{signal.Signals(number).name} to {found.pid}")
    _signal(found, number)


def _nothing(world: World) -> None:
    with suppress(NotHitError):
        world.after_delay()


# The clock.


def _clock(*steps: float) -> Callable[[World], None]:
    def strike(world: World) -> None:
        world.after_delay()
        for step in steps:
            world.tell(f"the clock steps by {step} s")
            world.sandbox.step_clock(step)
            world.watch(1.2)

    return strike


# Disks and databases.


def _disk_full(world: World) -> None:
    world.after_delay()
    filler = world.sandbox.lab / "filler"
    world.tell("the disk is full")
    with suppress(OSError), filler.open("wb") as file:  # closing writes, too
        while True:
            file.write(b"x" * 65536)
            file.flush()
    until = time.monotonic() + world.rng.uniform(4, 6)
    while time.monotonic() < until:
        world.watch(0.2)
        with suppress(OSError), filler.open("ab") as file:  # what was freed meanwhile is taken, too
            file.write(b"x" * 65536)
    filler.unlink()
    world.tell("the disk has room again")


def _read_only(world: World) -> None:
    world.after_delay()
    world.tell("the artifacts are read-only")
    if not world.sandbox.read_only(world.ws.artifacts, yes=True):
        raise NotHitError
    world.watch(world.rng.uniform(2, 4))
    world.sandbox.read_only(world.ws.artifacts, yes=False)
    world.tell("the artifacts are writable again")


def _locked(world: World) -> None:
    world.after_delay()
    world.tell("the database is locked")
    file, seconds, cluster = world.file, world.rng.uniform(3, 10), world.cluster

    def hold() -> None:
        if cluster is not None:
            with psycopg.connect(cluster.url(world.database).replace("+psycopg", "")) as connection:
                connection.execute("LOCK TABLE runs, checkpoints, projects IN EXCLUSIVE MODE")
                time.sleep(seconds)
            return
        connection = sqlite3.connect(file, timeout=20, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(seconds)
        connection.execute("ROLLBACK")

    world.until_ended([world.from_kernel(lambda _: hold())])
    world.tell("the database is free")


def _corrupt(world: World) -> None:
    world.after_delay()
    for run in reversed(world.runs()):
        for checkpoint in world.ws._services.runs.checkpoints(run.id)[-1:]:
            world.tell(f"corrupted {checkpoint.path}")
            with suppress(OSError):
                damaged = Path(checkpoint.path, "path.txt")
                damaged.unlink()  # an agent may share it, and is not what is damaged
                damaged.write_text("something else")
            world.memory.saved.get(run.id, {}).pop(checkpoint.step, None)
            world.sandbox.folder.joinpath("corrupted").write_text(checkpoint.path)
            return
    raise NotHitError


def _artifacts_deleted(world: World) -> None:
    world.after_delay()
    world.tell("all checkpoints are deleted from the disk")
    for folder in (world.ws.artifacts / "runs").glob("*/checkpoints"):
        shutil.rmtree(folder, ignore_errors=True)
    world.sandbox.folder.joinpath("corrupted").write_text("")


def _database_deleted(world: World) -> None:
    world.after_delay()
    world.tell("the database is deleted")
    for end in ("", "-wal", "-shm", "-journal"):
        world.file.with_name(f"lab.db{end}").unlink(missing_ok=True)
    try:
        world.pipe.update(description="written to nothing")
        world.lost.append("a write to a deleted database was taken")
    except pw.PipelineError as error:
        world.tell(f"said: {error}")
        if not _says_gone(str(error)):
            world.wrong.append(f"a deleted database is called: {error}")
    except Exception as error:  # noqa: BLE001  a user would see it
        world.wrong.append(f"a deleted database raises {type(error).__name__}: {error}")


def _says_gone(error: str) -> bool:
    return any(word in error for word in ("deleted", "gone", "missing", "no longer", "replaced"))


def _copied(world: World) -> None:
    world.after_delay()
    copy = world.sandbox.folder / "copy"
    world.tell("the workspace is copied")
    copy.mkdir()
    for each in sorted(world.sandbox.lab.iterdir()):
        with suppress(OSError, shutil.Error):
            if each.is_dir():
                shutil.copytree(each, copy / each.name)
            else:
                shutil.copy(each, copy / each.name)

    def meddle(_original: pw.Workspace) -> None:
        if not (copy / "lab.db").exists():
            return
        ws = pw.Workspace(copy / "lab.db")
        for _ in range(3):
            ws.reconcile()
            time.sleep(0.6)
        for agent in ws.agents:
            with suppress(pw.PipelineError):
                agent.disconnect()
        for pipe in ws.projects[0].pipelines:
            with suppress(pw.PipelineError):
                pipe.stop()
        ws.reconcile()
        ws.close()

    world.until_ended([world.from_kernel(meddle)])


# Processes that are ended, or suspended.


def _sigterm(world: World) -> None:
    world.trainer()
    world.after_delay()
    world.tell("SIGTERM to all")
    for each in world.sandbox.processes():
        _signal(each, signal.SIGTERM)
    world.watch(0.5)


def _fork_server_killed(world: World) -> None:
    world.after_delay()
    trainer = world.trainer()
    with suppress(psutil.Error):
        parent = trainer.parent()
        mine = {each.pid for each in world.sandbox.processes()} - {each.pid for each in world.supervisors()}
        if parent is not None and parent.pid in mine:
            _hit(world, parent, signal.SIGKILL)
            return
    raise NotHitError


def _supervisor_killed(world: World) -> None:
    world.after_delay()
    _hit(world, world.await_one(world.supervisors), signal.SIGKILL)


def _three_reconcilers(world: World) -> None:
    world.after_delay()
    found = world.await_one(world.supervisors)

    def reconcile(ws: pw.Workspace) -> None:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            with suppress(pw.PipelineError):
                ws.reconcile()

    kernels = [world.from_kernel(reconcile) for _ in range(3)]
    world.watch(0.5)
    _hit(world, found, signal.SIGKILL)
    world.until_ended(kernels)


def _child_killed(world: World) -> None:
    world.after_delay()
    _hit(world, world.trainer(), signal.SIGKILL)


def _between_stages(world: World) -> None:
    """Kill a supervisor at the moment when a stage has ended and the next is about to begin."""
    world.after_delay()
    before = sum(line["event"] == "ended" for line in world.lines())
    until = time.monotonic() + 10
    while time.monotonic() < until and sum(line["event"] == "ended" for line in world.lines()) == before:
        if world.resting():
            raise NotHitError
        time.sleep(0.002)
    time.sleep(world.rng.uniform(0, 0.03))
    _hit(world, world.await_one(world.supervisors), signal.SIGKILL)


def _suspended(world: World) -> None:
    world.after_delay()
    found = world.await_one(world.supervisors)
    _hit(world, found, signal.SIGSTOP)
    world.watch(world.rng.uniform(4.5, 7))
    _hit(world, found, signal.SIGCONT)


def _hung(world: World) -> None:
    world.after_delay()
    _hit(world, world.await_one(world.supervisors), signal.SIGUSR2)


def _everything_killed(world: World) -> None:
    world.after_delay()
    world.tell("everything is killed")
    world.sandbox.kill_all()


def _rebooted(world: World) -> None:
    world.after_delay()
    world.tell("the machine reboots")
    world.sandbox.reboot()
    cache = getattr(getattr(processes, "machine", None), "cache_clear", None)
    if cache is not None:  # whoever looks afterwards has come up on the new boot
        cache()
    world.reopen()


def _endpoint_killed(world: World) -> None:
    _hit(world, _endpoint(world), signal.SIGKILL)


def _endpoint_suspended(world: World) -> None:
    found = _endpoint(world)
    _hit(world, found, signal.SIGSTOP)
    world.watch(world.rng.uniform(2, 6))
    _hit(world, found, signal.SIGCONT)


def _endpoint(world: World) -> psutil.Process:
    until = time.monotonic() + 45
    while time.monotonic() < until:
        if found := world.endpoints():
            world.watch(world.rng.uniform(0, 3))
            return found[0]
        world.watch(0.1)
    raise NotHitError


# Kernels.


def _kernel_begins(world: World) -> None:
    """Another kernel triggers the chain and waits for it."""
    world.triggers += 1
    name = world.pipe.name

    def act(ws: pw.Workspace) -> None:
        pipe = ws.projects[0].pipelines[name]
        pipe.stages[0].trigger()
        pipe.wait(60)

    world.kernel = world.from_kernel(act)


def _kernel_killed(world: World) -> None:
    until = time.monotonic() + TRIGGERED
    while not world.runs() and time.monotonic() < until:
        world.watch(0.02)
    world.watch(world.shape.delay)
    world.tell("the kernel is killed")
    with suppress(OSError):
        os.kill(world.kernel, signal.SIGKILL)


TRIGGERED = 20.0  # seconds that another kernel has to trigger


def _dies_before_launch(world: World) -> None:
    world.triggers += 1
    stage = world.pipe.stages[0]._id

    def act(ws: pw.Workspace) -> None:
        ws._services.runs.trigger(stage)  # the row is written; nobody has launched it
        os.kill(os.getpid(), signal.SIGKILL)

    world.until_ended([world.from_kernel(act)])


def _eight_triggers(world: World) -> None:
    world.triggers += 1
    at, name, folder = time.monotonic() + 1.0, world.pipe.name, world.sandbox.folder

    def act(ws: pw.Workspace) -> None:
        stage = ws.projects[0].pipelines[name].stages[0]
        time.sleep(max(0.0, at - time.monotonic()))
        try:
            stage.trigger()
            told = "started"
        except pw.PipelineError as error:
            told = f"refused: {error}"
        except Exception as error:  # noqa: BLE001  a user would see it
            told = f"raised {type(error).__name__}: {error}"
        (folder / f"trigger-{os.getpid()}").write_text(told)

    world.until_ended([world.from_kernel(act) for _ in range(8)])
    told = [each.read_text() for each in folder.glob("trigger-*")]
    world.tell(f"8 triggers: {sorted(told)}")
    _count_started(world, told, of="8 triggers")
    world.wrong += [each for each in told if each.startswith("raised")]


def _threads_open(world: World) -> None:
    """16 threads open this workspace and new ones; one of them triggers."""
    world.triggers += 1
    name, folder, file = world.pipe.name, world.sandbox.folder / "threads", world.sandbox.folder
    folder.mkdir()

    def act(_: pw.Workspace) -> None:
        gate, told = threading.Barrier(16), list[str]()

        def one(at: int) -> None:
            gate.wait()
            try:
                if at % 2:
                    new = pw.Workspace(folder / f"{at % 5}.db")
                    with suppress(NameTakenError):
                        new.create_project(f"p{at % 5}", advanced_training=True)
                    new.close()
                    return
                ws = world.open()
                with suppress(TriggerError, ConflictError):
                    ws.projects[0].pipelines[name].stages[0].trigger()
                    told.append("started")
                ws.close()
            except Exception as error:  # noqa: BLE001  a user would see it
                told.append(f"raised {type(error).__name__}: {error}")

        threads = [threading.Thread(target=one, args=(at,)) for at in range(16)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        (file / "trigger-threads").write_text("\n".join(told))

    world.until_ended([world.from_kernel(act)], timeout=150.0)
    told = (file / "trigger-threads").read_text().splitlines() if (file / "trigger-threads").exists() else []
    world.tell(f"16 threads: {sorted(told)}")
    world.wrong += [each for each in told if each.startswith("raised")]
    _count_started(world, told, of="8 triggering threads")


def _count_started(world: World, told: list[str], *, of: str) -> None:
    """Count the triggers that have started a run; one that came when the chain was over may start another."""
    started = told.count("started")
    runs = sorted((run for run in world.runs() if run.stage_id == 1), key=lambda run: run.id)
    later = sum(
        before.finished_at is not None and after.created_at >= before.finished_at
        for before, after in pairwise(runs)
    )
    world.triggers += min(later, max(started - 1, 0))
    if started - later > 1 or started == 0:
        world.doubled.append(f"of {of} {started} have started")


def _stopped_during_start(world: World) -> None:
    time.sleep(world.rng.uniform(0, 1.5))
    world.tell("stop")
    with suppress(RuleError):
        world.pipe.stages[0].stop()


# What a training tells.

DATA = ("step", "raise", "NUL \0 in a name", "half a letter \udcff", "n" * 300, "<b>tag</b>")


def _tells_what_is_refused(world: World) -> None:
    world.act = world.rng.choice(DATA)
    stage = world.rng.randrange(world.shape.stages)
    experiment = world.pipe.stages[stage].experiment
    assert experiment is not None
    try:
        experiment.update(config={**_config(experiment), "act": world.act})
    except pw.PipelineError as error:  # refused before anything starts: that is right as well
        world.tell(f"a config was refused: {error}")
        world.act = ""
    world.tell(f"stage {stage + 1} tells {world.act!r:.60}")


def _config(experiment: pw.Experiment) -> dict[str, Any]:
    return dict(experiment.config)


# Starts.


def _slow(seconds: float) -> Callable[[World], None]:
    def prepare(world: World) -> None:
        (world.sandbox.hooks / "slow").write_text(str(seconds))

    return prepare


def _slow_start(world: World) -> None:
    world.after_delay()
    (world.sandbox.hooks / "slow").unlink()


# PostgreSQL.


def _server_restarts(world: World) -> None:
    world.after_delay()
    assert world.cluster is not None
    mode = world.rng.choice(["fast", "immediate"])
    world.tell(f"the server restarts ({mode})")
    world.cluster.stop(mode)
    world.watch(world.rng.uniform(0, 3))
    world.cluster.start()
    world.tell("the server is up again")


def _connections_dropped(world: World) -> None:
    world.after_delay()
    assert world.cluster is not None
    world.tell("all connections are dropped")
    for _ in range(world.rng.randint(1, 3)):
        world.cluster.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", world.database
        )
        world.watch(0.3)


def _no_connections_left(world: World) -> None:
    assert world.cluster is not None
    if world.rng.random() < 0.5:  # in the middle; else while the supervisor starts
        world.after_delay()
    held: list[psycopg.Connection[Any]] = []
    world.tell("no connections are left")
    until = time.monotonic() + world.rng.uniform(3, 6)
    while time.monotonic() < until:
        with suppress(psycopg.Error):
            while True:
                held.append(world.cluster.connect())
        world.watch(0.2)
    for each in held:
        each.close()
    world.tell("connections are free again")


FAULTS = (
    Fault(name="none", strike=_nothing, saves=True),
    Fault(name="clock + 2 s", strike=_clock(2), root=True, saves=True, together=True),
    Fault(name="clock - 5 s", strike=_clock(-5), root=True, saves=True, together=True),
    Fault(name="clock + 1 h", strike=_clock(3600), root=True, saves=True),
    Fault(name="clock back and forth", strike=_clock(40, -80, 40), root=True, saves=True),
    Fault(
        name="disk full for 4-6 s",
        strike=_disk_full,
        says=r"disk is full|[Nn]o space left|could not be written",
        root=True,
        only="sqlite",
        together=True,
    ),
    Fault(
        name="artifacts read-only",
        strike=_read_only,
        says=r"[Rr]ead-only|cannot be written",
        root=True,
        together=True,
    ),
    Fault(name="SIGTERM to all", strike=_sigterm, says=r"SIGTERM|stop|asked to end|shut", saves=True),
    Fault(
        name="fork server killed",
        strike=_fork_server_killed,
        says=r"forked|fork server|SIGKILL|killed",
        together=True,
    ),
    Fault(name="supervisor killed", strike=_supervisor_killed, says=ALSO_SUPERVISOR, together=True),
    Fault(name="three reconcilers", strike=_three_reconcilers, says=ALSO_SUPERVISOR),
    Fault(name="child killed", strike=_child_killed, says=KILLED, together=True),
    Fault(name="killed between stages", strike=_between_stages, says=ALSO_SUPERVISOR),
    Fault(
        name="supervisor suspended",
        strike=_suspended,
        says=r"suspended|silent",
        quick=False,
    ),
    Fault(name="supervisor hung", strike=_hung, says=r"hang|hung|silent|progress|moved|beat", quick=False),
    Fault(name="endpoint killed", strike=_endpoint_killed, says=r"endpoint|process.*gone", deploy=True),
    Fault(name="endpoint suspended", strike=_endpoint_suspended, says=r"endpoint", deploy=True, quick=False),
    Fault(name="database locked for 3-10 s", strike=_locked, saves=True, together=True, quick=False),
    Fault(
        name="checkpoint corrupt",
        strike=_corrupt,
        says=r"corrupt|missing|CheckpointError",
        saves=False,
    ),
    Fault(
        name="artifacts deleted",
        strike=_artifacts_deleted,
        says=r"missing|gone|deleted|[Nn]o such file|CheckpointError",
    ),
    Fault(name="kernel killed", begin=_kernel_begins, strike=_kernel_killed, saves=True),
    Fault(name="kernel killed before launch", begin=_dies_before_launch, strike=_nothing, saves=True),
    Fault(name="stop during start", strike=_stopped_during_start, says=r"stop|ended", saves=True),
    Fault(name="8 triggers at once", begin=_eight_triggers, strike=_nothing, saves=True),
    Fault(name="16 threads open and trigger", begin=_threads_open, strike=_nothing, saves=True),
    Fault(
        name="everything killed",
        strike=_everything_killed,
        says=rf"{ALSO_SUPERVISOR}|never started",
        together=True,
    ),
    Fault(
        name="everything killed, new boot",
        strike=_rebooted,
        says=rf"{ALSO_SUPERVISOR}|never started|out of sight|boot",
        root=True,
        quick=False,
    ),
    Fault(
        name="data that is refused",
        prepare=_tells_what_is_refused,
        strike=_nothing,
        says=ANY_REFUSAL,
        saves=True,
    ),
    Fault(name="copied while it runs", strike=_copied, saves=True, only="sqlite"),
    Fault(name="database deleted", strike=_database_deleted, only="sqlite", ends=True, quick=False),
    Fault(name="slow start, 6 s", prepare=_slow(6), strike=_slow_start, saves=True, quick=False),
    Fault(name="slow start, 35 s", prepare=_slow(35), strike=_slow_start, saves=True, quick=False),
    Fault(name="server restart", strike=_server_restarts, only="postgresql", saves=True),
    Fault(
        name="server restart, deployment", strike=_server_restarts, only="postgresql", deploy=True, saves=True
    ),
    Fault(name="connections dropped", strike=_connections_dropped, only="postgresql", saves=True),
    Fault(name="no connections left", strike=_no_connections_left, only="postgresql", saves=True),
)
BY_NAME = {each.name: each for each in FAULTS}
TOGETHER = "two at once"
