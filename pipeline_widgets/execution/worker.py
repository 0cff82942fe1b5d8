"""The process of one run: it trains, deploys or scores checkpoints, and reports to its supervisor.

A worker knows no database. It leads a session of its own, so that it can be ended with everything that it has
started, and it ends itself when its supervisor is gone.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any, TypeAlias

from pipeline_widgets.algorithms import code_digest, evaluators, registry
from pipeline_widgets.algorithms.context import Event, Start, StopTraining, TrainContext
from pipeline_widgets.domain.checkpoint import Checkpoint, choose_checkpoint
from pipeline_widgets.domain.evaluator import Yardstick
from pipeline_widgets.domain.job import FrozenCopy, Job, LoadedCode, Outcome, Report, SavedCheckpoint
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.text import shorten
from pipeline_widgets.errors import RuleError, StorageError
from pipeline_widgets.execution import processes, scoring, streams
from pipeline_widgets.execution.failure import record_failure
from pipeline_widgets.execution.left_threads import await_threads
from pipeline_widgets.execution.messages import STOP
from pipeline_widgets.execution.preloading import ImportedModules, ImportWatcher, import_ahead
from pipeline_widgets.execution.script_server import ScriptServer
from pipeline_widgets.execution.stop_request import StopRequest
from pipeline_widgets.execution.uploads import (
    FolderUploads,
    open_artifact_store,
    print_line,
    start_log_upload,
)
from pipeline_widgets.persistence import artifacts, filesystem
from pipeline_widgets.persistence.artifact_store import ArtifactStore

#: Takes the reports of a run to its supervisor.
Emit: TypeAlias = Callable[[Report | ImportedModules], None]
MOST_ERROR = 200_000  # characters of a traceback that are kept; the log has all of it
STOP_TOLD_WITHIN = 0.5  # seconds between the SIGTERM of a stop and its message, at most
TERMINATED = 128 + signal.SIGTERM  # the exit code of shells, and of many handlers, after SIGTERM


@dataclass(frozen=True, slots=True)
class WorkerConnection:
    """The line to the supervisor. Train functions may report from several threads."""

    connection: Connection
    lock: threading.Lock
    owner: int

    def send(self, message: Report | Outcome | ImportedModules) -> None:
        """Send a message to the supervisor.

        Raises:
            RuleError: This is not the process that trains: messages of two processes would mix.
        """
        if os.getpid() != self.owner:
            why = "A worker that it forked has no line of its own."
            fix = "Send results to the training process, and report there."
            raise RuleError("Only the process that trains can report.", why, fix)
        with self.lock:
            self.connection.send(message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """Created by a worker before it receives its job, so that the training does not wait for it."""

    imports: ImportWatcher
    scripts: ScriptServer


def main(connection: Connection) -> None:
    """Receive a job from the supervisor, execute it, and send the outcome."""
    if hasattr(os, "setsid"):
        os.setsid()
    # Before numpy loads: on small matrices BLAS threads cost far more than they bring, above all on a busy
    # machine (a chain of 4 s took 39 s). The variable brings them back; torch has threads of its own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    processes.die_with_parent()
    begun, go, stop = threading.Event(), threading.Event(), StopRequest()
    _heed_signals(stop)
    streams.lose_what_cannot_be_printed()
    registry.claim_main()
    # Everything that needs no job is done before the job comes; the thread only waits until then.
    prepared = Prepared(imports=ImportWatcher(), scripts=ScriptServer())
    threading.Thread(
        target=_listen, args=(connection, begun, go, stop, prepared.scripts), daemon=True
    ).start()
    try:
        job: Job | ImportedModules = connection.recv()
        while isinstance(job, ImportedModules):
            connection.send(import_ahead(job))
            job = connection.recv()
    except EOFError:
        return
    begun.set()
    _show_gpus(job.gpus)
    line, me = WorkerConnection(connection, threading.Lock(), os.getpid()), os.getpid()
    refusal = _redirect(Path(job.folder))
    finish_log = start_log_upload(job)
    faulthandler.enable(2)  # a crash of compiled code leaves the Python stack in the log
    outcome = refusal or execute(job, line.send, stop, go.wait, prepared)
    if os.getpid() != me:  # a fork of the training code that was not ended: its outcome is not the run's
        os._exit(0 if outcome.status is Status.SUCCEEDED else 1)
    atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  as at any program's end
    for name in ("stdout", "stderr"):
        with suppress(Exception):  # training code may have put anything there, even None
            getattr(sys, name).flush()
    finish_log()
    line.send(outcome)


def _show_gpus(gpus: tuple[int, ...] | None) -> None:
    """Let the training see the GPUs that it was given, of those that this process sees; None leaves all."""
    if gpus is None:
        return
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in seen.split(",") if name.strip()]
    given = [names[gpu] if gpu < len(names) else str(gpu) for gpu in gpus]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(given)


def _heed_signals(stop: StopRequest) -> None:
    """Let SIGTERM and SIGHUP ask the training to stop; in its forks they end the process, as usual."""

    def ask_to_stop(*_: object) -> None:
        stop.ask()

    endings = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    for ending in endings:
        signal.signal(ending, ask_to_stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "register_at_fork"):  # a worker that training code forks ends on these as usual

        def as_usual() -> None:
            for ending in endings:
                signal.signal(ending, signal.SIG_DFL)

        os.register_at_fork(after_in_child=as_usual)


def execute(job: Job, emit: Emit, stop: StopRequest, go: Callable[[], object], prepared: Prepared) -> Outcome:
    """Execute a job in this process, and return its outcome.

    Args:
        job: The job.
        emit: Receives the reports of the train function.
        stop: Whether a stop was requested.
        go: Waits until training may begin. Before that, code is loaded and files are read, while the
            database still writes that the run is Running.
        prepared: Created before the job was received.
    """
    try:
        return _dispatch(job, emit, stop, go, prepared)
    except StopTraining:
        return Outcome(status=Status.STOPPED)
    except SystemExit as error:
        if error.code is not None and error.code != 0:
            return _end_outcome(stop, by_signal=error.code == TERMINATED)
        return Outcome(status=Status.STOPPED if stop.is_asked() else Status.SUCCEEDED)
    except KeyboardInterrupt:
        return _end_outcome(stop)
    except BaseExceptionGroup as group:  # asyncio's task groups and anyio raise it in a group
        others = group.split(StopTraining)[1]
        return Outcome(status=Status.STOPPED) if others is None else _failure()
    except BaseException:  # noqa: BLE001  any error of the user's code is the outcome of the run
        failed = _failure()
        # A program that the stop has ended is no failure of the training that waited for it.
        return Outcome(status=Status.STOPPED) if stop.is_passed_on else failed


def _dispatch(
    job: Job, emit: Emit, stop: StopRequest, go: Callable[[], object], prepared: Prepared
) -> Outcome:
    match job.kind:
        case "training":
            return _train(job, emit, stop, go, prepared)
        case "evaluation":
            return scoring.evaluate(job, emit, stop.heed, go)
        case "deployment":
            return _deploy(job, go)


def _train(job: Job, emit: Emit, stop: StopRequest, go: Callable[[], object], prepared: Prepared) -> Outcome:
    store = open_artifact_store(job)
    start = _start(job, store)
    _enter(job.code.folder)
    # Before the training: code that cannot be loaded ends the run at once, and `__main__` is the algorithm's.
    evaluator = evaluators.load(job.scoring.reference) if job.scoring else None
    reference = job.reference or registry.AlgorithmReference()
    algorithm = registry.load(reference)
    if (record := code_digest.confirm_code(reference)) is not None:
        emit(LoadedCode(record=record))
    saved: dict[int, SavedCheckpoint] = {}

    def tell(event: Event) -> None:
        if isinstance(event, SavedCheckpoint):
            saved[event.step] = event
        emit(event)
        # By its first report it has imported what it needs; the next run is likely to need the same.
        if (modules := prepared.imports.imported()) is not None:
            emit(modules)

    config = algorithm.validate(job.config)
    uploads = FolderUploads(store, tell) if store.is_remote else None
    context = TrainContext(
        config=config,
        seed=job.seed,
        start=start,
        folder=Path(job.folder),
        emit=uploads.tell if uploads else tell,
        stop=stop.heed,
        signature=job.signature,
        evaluator=algorithm.evaluator_of(config),
        publish=uploads.publish if uploads else partial(artifacts.publish, say=print_line),
    )
    go()
    with uploads.finishing() if uploads else nullcontext(), prepared.scripts.answer(context, job.config):
        algorithm(context)
        await_threads()
    if stop.is_asked():
        return Outcome(status=Status.STOPPED)
    own = {step: _as_checkpoint(event, -at) for at, (step, event) in enumerate(saved.items(), 1)}
    yardstick = None
    if job.scoring is not None and evaluator is not None:
        scores = scoring.score_saved(
            job.scoring,
            evaluator=evaluator,
            algorithm=algorithm,
            own=own,
            emit=emit,
            stop=stop.heed,
            store=store,
        )
        yardstick = Yardstick(spec=job.scoring.spec, scores=scores)
    return Outcome(status=Status.SUCCEEDED, frozen=_freeze_best(job, store, own, yardstick))


def _enter(folder: str | None) -> None:
    """Work in the folder from which the run was first triggered, which relative paths of the code mean."""
    if folder is not None:
        with suppress(OSError):  # it may be gone, or on another machine
            os.chdir(folder)


def _start(job: Job, store: ArtifactStore) -> Start | None:
    """Return the checkpoint to start from, after checking that its files are as they were saved."""
    if job.start is None:
        return None
    store.open(artifacts.folder_of(job.start), is_adopted=job.start.path in job.adopted)
    return Start(
        path=Path(job.start.path),
        role=job.start_role or "weights",
        step=job.start.step,
        training_score=job.start.training_score,
        evaluation_score=job.start.evaluation_score,
        evaluation_spread=job.start.evaluation_spread,
        signature=job.start.signature,
    )


def _deploy(job: Job, go: Callable[[], object]) -> Outcome:
    go()
    if job.start is None or job.freeze is None or job.freeze.name is None:
        return Outcome(status=Status.SUCCEEDED)
    is_adopted = job.start.path in job.adopted
    frozen = open_artifact_store(job).freeze(
        job.start, job.freeze.name, job.freeze.parent, job.freeze.training_only, is_adopted=is_adopted
    )
    return Outcome(status=Status.SUCCEEDED, frozen=frozen)


def _freeze_best(
    job: Job, store: ArtifactStore, own: Mapping[int, Checkpoint], yardstick: Yardstick | None
) -> FrozenCopy | None:
    """Freeze the best checkpoint for an agent, where the stage asks for that (spec 5.6)."""
    if job.freeze is None or job.freeze.name is None:
        return None
    first = min(own, default=None)
    inherited = [each for each in job.freeze.inherited if first is None or each.step < first]
    if not (own or inherited):
        return None
    higher = job.freeze.higher_is_better
    found = [*inherited, *own.values()]
    best = choose_checkpoint(found, "best", higher_is_better=higher, yardstick=yardstick).checkpoint
    name, is_adopted = f"{job.freeze.name} - step {best.step}", best.path in job.adopted
    return store.freeze(best, name, job.freeze.parent, job.freeze.training_only, is_adopted=is_adopted)


def _as_checkpoint(saved: SavedCheckpoint, key: int) -> Checkpoint:
    """Return what was saved as a checkpoint, with a negative id: its row is the supervisor's to write."""
    values: dict[str, Any] = {"id": key, "run_id": 0, "created_at": None}
    return Checkpoint(
        **values,
        step=saved.step,
        path=str(saved.folder.path),
        size=saved.folder.size,
        digest=saved.folder.digest,
        training_score=saved.training_score,
        evaluation_score=saved.evaluation_score,
    )


def _end_outcome(stop: StopRequest, *, by_signal: bool = False) -> Outcome:
    """Return the outcome of code that ends its process, as many SIGTERM handlers do after a stop."""
    until = time.monotonic() + STOP_TOLD_WITHIN
    while not (by_signal or stop.is_asked()) and time.monotonic() < until:
        time.sleep(0.01)  # the signal may be faster than the message
    return Outcome(status=Status.STOPPED) if by_signal or stop.is_asked() else _failure()


def _failure() -> Outcome:
    raised = sys.exception()
    try:
        text = traceback.format_exc()
    except Exception:  # noqa: BLE001  the user's code may fail to describe the error, and memory may be short
        text = f"{type(raised).__name__}: its traceback cannot be printed.\n"
    # Half a surrogate pair, which a message can hold, could not be stored.
    text = text.encode("utf-8", "replace").decode("utf-8")
    with suppress(Exception):  # training code may have closed it, or put anything there, even None
        sys.stderr.write(text)
    failure = record_failure(raised) if raised is not None else None
    return Outcome(status=Status.FAILED, error=shorten(text, MOST_ERROR), failure=failure)


def _listen(
    connection: Connection,
    begun: threading.Event,
    go: threading.Event,
    stop: StopRequest,
    scripts: ScriptServer,
) -> None:
    """Wait for the message to train, for a stop, and for scripts.

    When the line is cut, the supervisor is gone, and this process has to end as well.
    """
    processes.leave_signals_to_training()
    begun.wait()
    waited: list[Connection | socket.socket] = [connection]
    if sys.platform == "win32":  # waits for pipes or for sockets, and not for both
        threading.Thread(target=scripts.accept_all, daemon=True).start()
    else:
        waited.append(scripts.listener)
    try:
        while True:
            ready = wait(waited)
            if scripts.listener in ready and not scripts.accept():
                waited.remove(scripts.listener)
            if connection not in ready:
                continue
            if connection.recv() == STOP:
                stop.ask()
                threading.Thread(target=stop.pass_on, daemon=True).start()
            else:
                go.set()
    except (EOFError, OSError):
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)


def _redirect(folder: Path) -> Outcome | None:
    """Redirect the output of this process and of its children to the run's log.

    Returns:
        The outcome of a run whose folder cannot be written at all, since it could save nothing. If only the
        disk is full, the training goes on without a log: there may be room when it saves.
    """
    try:
        filesystem.make_private_folder(folder)
        log: IO[bytes] = filesystem.open_private(folder / "log.txt", "ab", buffering=0)
    except OSError as error:
        if error.errno not in streams.FULL:
            what = f"The folder of the run, {folder}, cannot be written."
            fix = "Get permission to write the artifact folder, and trigger it again."
            return Outcome(status=Status.FAILED, error=str(StorageError(what, f"{error}.", fix)))
        log = Path(os.devnull).open("ab", buffering=0)  # noqa: SIM115  closed below
    with log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return None
