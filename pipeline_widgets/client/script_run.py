"""The run of a script, as the script sees it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pipeline_widgets.client.connection import VARIABLE, Connection
from pipeline_widgets.domain.training import Start, StopTraining

if TYPE_CHECKING:
    from pipeline_widgets.algorithms.showing import PreparedItem

#: The environment variables in which launchers number what they start; the first that is set counts.
RANKS = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "LOCAL_RANK")
STOP_ASKED_EVERY = 0.1  # seconds for which an answer to "should I stop?" counts
OUTSIDE = Path("run")  # where checkpoints are kept outside of any run


class ScriptRun:
    """The run that has started this script; outside of any run, what stands in for it.

    Use `pipeline_widgets.client.run`. Nothing happens before its first use. In the main thread of a program
    that has no SIGTERM handler of its own, the first use installs one: the signal with which a stop begins
    then lets `report` raise StopTraining, so that the script can save before it ends.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._owner = 0
        self._facts: dict[str, Any] | None = None
        self._is_signalled = False
        self._stop_asked_at = float("-inf")

    @property
    def is_attached(self) -> bool:
        """Whether a run has started this script."""
        return bool(os.environ.get(VARIABLE))

    @property
    def rank(self) -> int:
        """The rank of this process among those that a launcher has started; 0 without one, and the first.

        It is read from RANK (torchrun, accelerate), SLURM_PROCID, OMPI_COMM_WORLD_RANK or LOCAL_RANK.
        """
        found = next((os.environ[name] for name in RANKS if os.environ.get(name, "").isdigit()), "0")
        return int(found)

    @property
    def config(self) -> Mapping[str, Any]:
        """The config of the experiment, by field; empty outside of any run."""
        return self._read_facts()["config"] if self.is_attached else {}

    @property
    def seed(self) -> int:
        """The seed for generators; 0 outside of any run."""
        return int(self._read_facts()["seed"]) if self.is_attached else 0

    @property
    def start(self) -> Start | None:
        """The checkpoint to start from: path, role, step and scores. None from scratch."""
        found: dict[str, Any] | None = self._read_facts()["start"] if self.is_attached else None
        told = dict(found) if found else None
        return None if told is None else Start(path=Path(told.pop("path")), **told)

    @property
    def folder(self) -> Path:
        """The run's own folder; outside of any run the folder `run` below the current one, which is made."""
        if self.is_attached:
            return Path(self._read_facts()["folder"])
        OUTSIDE.mkdir(exist_ok=True)
        return OUTSIDE.absolute()

    @property
    def should_stop(self) -> bool:
        """Whether a stop was asked for. Every rank sees it, though not at the same step.

        A run answers at most ten times a second; in between, its last answer counts.
        """
        if not self.is_attached:
            return False
        with self._lock:
            now = time.monotonic()
            if not self._is_signalled and now - self._stop_asked_at >= STOP_ASKED_EVERY:
                self._stop_asked_at = now
                self._is_signalled = bool(self._ask("should_stop"))
            return self._is_signalled

    def report(
        self,
        step: int,
        *logs: Mapping[str, float],
        total: int | None = None,
        training_score: float | None = None,
        evaluation_score: float | None = None,
        evaluation_spread: float | None = None,
        **metrics: float,
    ) -> None:
        """Report the metrics of a step, as `ctx.report` does. Ranks other than 0 report nothing.

        Args:
            step: Steps done.
            *logs: Metrics by name, such as what a library logs.
            total: Steps in all, for progress and the estimate of the time left.
            training_score: The score on what it trains on.
            evaluation_score: The score on held-out data or evaluation episodes.
            evaluation_spread: The standard error of the evaluation score.
            **metrics: Anything else that is a number.

        Raises:
            StopTraining: A stop was asked for.
            ConfigError: A step is not a whole number that can be stored, or a metric is not a number.
            ExecutionError: The run has ended.
        """
        if self.rank != 0:
            return
        scores = {
            "training_score": training_score,
            "evaluation_score": evaluation_score,
            "evaluation_spread": evaluation_spread,
        }
        told = {**metrics, **{name: value for name, value in scores.items() if value is not None}}
        if not self.is_attached:
            _print_report(step, total, [*logs, told])
            return
        listed: list[Any] = [dict(each) if isinstance(each, Mapping) else each for each in logs]  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        with self._lock:
            self._ask("report", step=step, total=total, logs=listed, metrics=told)
            if self._is_signalled:
                raise StopTraining

    @contextmanager
    def checkpoint(self, step: int, *, signature: Mapping[str, Any] | None = None) -> Generator[Path]:
        """Save a checkpoint, as `ctx.checkpoint` does: write anything into the folder that this yields.

        On ranks other than 0 the folder is a scratch folder that is deleted when the block ends, so that
        the same code can run on all ranks. Outside of any run the folder is kept as
        `run/checkpoints/STEP`, in the place of an earlier one.

        Args:
            step: The step that the checkpoint belongs to.
            signature: Facets that only this checkpoint can know.

        Raises:
            ConfigError: The step is not a whole number, or a facet is not a text, number or bool.
            CheckpointError: Something in the folder cannot be kept.
            StorageError: The disk is full.
            ExecutionError: The run has ended.
        """
        if self.rank != 0:
            with tempfile.TemporaryDirectory(prefix="pipeline-widgets-rank-") as scratch:
                yield Path(scratch)
        elif not self.is_attached:
            with _keep_outside(self.folder / "checkpoints", step) as folder:
                yield folder
        else:
            connection = self._connect()
            try:  # one of its own, so that other threads can report meanwhile
                yield Path(connection.ask("checkpoint", step=step, signature=dict(signature or {})))
                connection.ask("publish")
            finally:
                connection.close()

    def show(
        self,
        step: int,
        *,
        samples: Iterable[Mapping[str, Any] | Sequence[Any]] | None = None,
        image: Any = None,
        video: Any = None,
        caption: str = "",
        prompt: str | None = None,
        seed: int | None = None,
        fps: float | None = None,
    ) -> bool:
        """Show samples, an image or a video, as `ctx.show` does. Ranks other than 0 show nothing.

        Outside of any run samples are printed, and files are kept in `run/shown`.

        Args:
            step: The step that it belongs to.
            samples: Prompt, output, and where there are such, score and reference of each.
            image: A path, or an array (height, width, 3).
            video: A path, or an array (frames, height, width, 3).
            caption: What is to be seen.
            prompt: What an image or a video was made from.
            seed: The seed of an episode.
            fps: Frames a second of an array.

        Returns:
            Whether it is kept: a run has room for 10,000 items and 2 GB.

        Raises:
            ConfigError: It cannot be shown, or is too large.
            StorageError: The disk is full.
            ExecutionError: The run has ended.
        """
        if self.rank != 0:
            return False
        # In this process: arrays do not fit through the line to the run, but files do.
        from pipeline_widgets.algorithms.showing import (  # noqa: PLC0415  for those that show anything
            prepare_item,
        )

        item = prepare_item(
            samples=samples, image=image, video=video, caption=caption, prompt=prompt, seed=seed, fps=fps
        )
        facts: dict[str, Any] = {"caption": item.caption, "prompt": item.prompt, "seed": item.seed}
        if not self.is_attached:
            _show_outside(self.folder / "shown", step, item)
            return True
        if item.media is None:
            listed = [[each.prompt, each.output, each.score, each.reference] for each in item.samples]
            return bool(self._ask("show", step=step, samples=listed, **facts))
        shown = self.folder / "shown"  # in the run's own folder, which both can read
        shown.mkdir(mode=0o700, exist_ok=True)
        draft = shown / f".writing-{uuid4().hex}"  # by that name it is deleted where this process dies
        draft.mkdir(mode=0o700)
        try:
            path = item.write(draft)
            return bool(self._ask("show", step=step, **{item.kind: str(path)}, **facts))
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def log(self, *words: object) -> None:
        """Write a line to the run's log, which is the output of this script.

        Args:
            *words: What is written, joined by spaces as `print` does.
        """
        with suppress(Exception):  # a full disk, or an output that the script has closed
            sys.stdout.write(" ".join(map(str, words)) + "\n")
            sys.stdout.flush()

    def _read_facts(self) -> dict[str, Any]:
        with self._lock:
            if self._facts is None:
                self._facts = self._ask("facts")
            return self._facts or {}

    def _ask(self, request: str, **values: Any) -> Any:
        with self._lock:
            if (
                self._connection is None or self._owner != os.getpid()
            ):  # a fork must not share its parent's line
                self._connection, self._owner = self._connect(), os.getpid()
            return self._connection.ask(request, **values)

    def _connect(self) -> Connection:
        _heed_stops(self._note_signal)
        return Connection(os.environ[VARIABLE])

    def _note_signal(self) -> None:
        self._is_signalled = True


def _heed_stops(note: Callable[[], None]) -> None:
    """Let SIGTERM be seen by the next report, unless the script handles it itself; end quietly of a stop."""
    if threading.current_thread() is not threading.main_thread():
        return
    if hasattr(signal, "SIGTERM") and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:

        def handle(number: int, frame: FrameType | None) -> None:
            del number, frame
            note()

        signal.signal(signal.SIGTERM, handle)
        if sys.excepthook is sys.__excepthook__:
            sys.excepthook = _end_quietly


def _end_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, StopTraining):
        sys.stderr.write("Stopped, as was asked for.\n")
    else:
        sys.__excepthook__(kind, error, trace)


def _print_report(step: int, total: int | None, logs: list[Any]) -> None:
    merged: dict[str, Any] = {}
    for each in logs:
        merged |= each
    told = ", ".join(f"{name} {_short(value)}" for name, value in merged.items())
    where = f"step {step}" if total is None else f"step {step} of {total}"
    sys.stdout.write(f"{where}: {told}\n" if told else f"{where}\n")


def _show_outside(parent: Path, step: int, item: PreparedItem) -> None:
    if item.media is None:
        for each in item.samples:
            sys.stdout.write(f"step {step}: {each.prompt} -> {each.output}\n")
        return
    with _keep_outside(parent, step) as folder:
        item.write(folder)


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@contextmanager
def _keep_outside(parent: Path, step: int) -> Generator[Path]:
    parent.mkdir(exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".writing-", dir=parent))
    try:
        yield draft
        kept = parent / f"{step:010d}"
        shutil.rmtree(kept, ignore_errors=True)
        draft.rename(kept)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


#: The run that has started this script.
run = ScriptRun()
