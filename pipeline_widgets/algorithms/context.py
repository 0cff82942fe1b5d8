"""What a train function sees: its config, its start, and three things to do: report, checkpoint, log."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from pipeline_widgets.domain.job import Reported, Saved
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.persistence import artifacts

TRAINING_SCORE = "training_score"
EVALUATION_SCORE = "evaluation_score"
MOST_STEPS = 2**63


class StopTraining(Exception):  # noqa: N818  a signal to the train function, not an error
    """Raised by `ctx.report` once a stop was asked for. Let it pass: the run ends as Stopped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """The checkpoint that a run starts from."""

    path: Path
    #: What it is used as: "weights", "decoder", "resume", ...
    role: str
    step: int
    training_score: float | None = None
    evaluation_score: float | None = None
    signature: Mapping[str, Any] = field(default_factory=dict[str, Any])


Event: TypeAlias = Reported | Saved


class TrainContext:
    """What `train(ctx)` sees.

    Returning ends the run as Succeeded; `StopTraining`, or returning after a stop was asked for, as
    Stopped; any other exception as Failed, with its traceback in `run.error`.

    Args:
        config: An instance of the algorithm's config model, validated.
        seed: Seed every generator with it.
        start: The checkpoint to start from, or None to start from scratch.
        folder: The run's own folder; checkpoints are published below it.
        emit: Takes what the train function reports.
        stop: Tells whether a stop was asked for.
        signature: Facets that every checkpoint of this run carries.
    """

    def __init__(
        self,
        *,
        config: Any,
        seed: int,
        folder: Path,
        start: Start | None = None,
        emit: Callable[[Event], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
        signature: Mapping[str, Any] | None = None,
    ) -> None:
        self.config = config
        self.seed = seed
        self.start = start
        self.folder = folder
        self._emit = emit
        self._stop = stop
        self._signature = dict(signature or {})
        self._last_step = -1
        self._last: dict[str, float] = {}
        self._saved: Saved | None = None

    @property
    def start_role(self) -> str | None:
        """What the start checkpoint is used as; None from scratch."""
        return self.start.role if self.start else None

    @property
    def start_step(self) -> int:
        """The step to go on from: that of the checkpoint when a run is resumed, else 0."""
        return self.start.step if self.start and self.start.role == "resume" else 0

    @property
    def should_stop(self) -> bool:
        """Whether a stop was asked for. `report` raises then; a loop without reports can ask."""
        return self._stop()

    def report(
        self,
        step: int,
        *,
        total: int | None = None,
        training_score: float | None = None,
        evaluation_score: float | None = None,
        **metrics: float,
    ) -> None:
        """Report the metrics of a step. NaN and infinities are kept, but never win as Best.

        Args:
            step: Steps done, counted as the algorithm counts them (updates, environment steps, tokens).
            total: Steps in all, for progress and the estimate of the time left.
            training_score: The score on what it trains on.
            evaluation_score: The score on held-out data or evaluation episodes.
            **metrics: Anything else that is a number.

        Raises:
            StopTraining: A stop was asked for.
            ConfigError: A step is no whole number that can be stored, or a metric is no number.
        """
        step, total = _steps("step", step), None if total is None else _steps("total", total)
        scores = {TRAINING_SCORE: training_score, EVALUATION_SCORE: evaluation_score}
        values = {
            str.__str__(name): _number(name, value)
            for name, value in {**scores, **metrics}.items()
            if value is not None
        }
        self._last = {**self._last, **values} if step == self._last_step else values
        self._last_step = step
        self._emit(Reported(step=step, total=total, metrics=values))
        if self._saved is not None and self._saved.step == step and scores.keys() & values.keys():
            self._emit(self._scored(self._saved))  # saved first, evaluated afterwards
        if self._stop():
            raise StopTraining

    @contextmanager
    def checkpoint(self, step: int, *, signature: Mapping[str, Any] | None = None) -> Generator[Path]:
        """Save a checkpoint: write anything into the folder that this yields.

        It is published atomically when the block ends, and not at all when the block raises. It carries
        the scores that are reported for the same step, before or after.

        Args:
            step: The step that the checkpoint belongs to.
            signature: Facets that only this checkpoint can know, such as the size of a latent space.

        Raises:
            ConfigError: The step is no whole number, or a facet no text, number or bool.
            StorageError: The disk is full.
        """
        step = _steps("step", step)
        facets = {**self._signature, **_facets(signature or {})}
        with artifacts.publish(self.folder / "checkpoints", stem=f"{step:010d}", private=True) as publication:
            yield publication.path
        self._saved = Saved(
            step=step,
            folder=publication.folder,
            training_score=None,
            evaluation_score=None,
            signature=facets,
        )
        if step == self._last_step:
            self._saved = self._scored(self._saved)
        self._emit(self._saved)

    def log(self, *words: object) -> None:
        """Write a line to the run's log."""
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()

    def _scored(self, saved: Saved) -> Saved:
        training, evaluation = self._last.get(TRAINING_SCORE), self._last.get(EVALUATION_SCORE)
        return replace(saved, training_score=training, evaluation_score=evaluation)


def _steps(name: str, value: object) -> int:
    """Return a count of steps as an int that a database can hold; numpy's integers are welcome."""
    try:
        steps = operator.index(value)  # pyright: ignore[reportArgumentType]  that is what is tried
    except TypeError:
        steps = -1
    if not 0 <= steps < MOST_STEPS:
        fix = "Count steps with whole numbers from 0."
        raise ConfigError(f"{name} has to be a whole number.", f"Got {value!r}.", fix)
    return steps


def _facets(signature: Mapping[str, Any]) -> dict[str, Any]:
    return {str.__str__(name): _facet(name, value) for name, value in signature.items()}


def _facet(name: str, value: Any) -> Any:
    """Return a facet as exactly a text, a number or a bool: what a supervisor can read without user code."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    why = f"{name!r} is {value!r}, a {type(value).__name__}."
    raise ConfigError("A facet of a signature is a text, a number or a bool.", why, "Convert it.")


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        why = f"{name!r} is {value!r}: {error}."
        raise ConfigError("A metric has to be a number.", why, "Convert it with float().") from error
