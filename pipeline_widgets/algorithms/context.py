"""The context of a train function: its config, its start, and how to report, save and log."""

from __future__ import annotations

import operator
import sys
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pipeline_widgets.algorithms.scalars import to_facets, to_scalar
from pipeline_widgets.domain.handover import Handover, Score, assess_handover
from pipeline_widgets.domain.job import MetricReport, SavedCheckpoint, ShowReport
from pipeline_widgets.domain.shown_item import MOST_ITEMS, MOST_OF_RUN
from pipeline_widgets.domain.training import EVALUATOR, Start, StopTraining
from pipeline_widgets.errors import ConfigError, HandoverError, format_value
from pipeline_widgets.persistence import artifacts

TRAINING_SCORE = "training_score"
EVALUATION_SCORE = "evaluation_score"
EVALUATION_SPREAD = "evaluation_spread"
HANDOVERS = ("check", "warn", "off")
MOST_STEPS = 2**63


Event: TypeAlias = MetricReport | SavedCheckpoint | ShowReport


class Publish(Protocol):
    """Yields a folder to write into, which is published when the block ends well."""

    def __call__(
        self, parent: Path, *, stem: str, private: bool
    ) -> AbstractContextManager[artifacts.Publication]:
        """Return the block."""
        ...


class TrainContext:
    """The argument of `train(ctx)`.

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
        evaluator: What the evaluation scores of this run are measured by; its checkpoints state it.
        publish: Yields the folder of a checkpoint, and publishes it.
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
        evaluator: str | None = None,
        publish: Publish = artifacts.publish,
    ) -> None:
        self.config = config
        self.seed = seed
        self.start = start
        self.folder = folder
        self._emit = emit
        self._stop = stop
        self._publish = publish
        self._signature = {**(signature or {}), **({EVALUATOR: evaluator} if evaluator else {})}
        self.evaluator = evaluator
        # Reports may come from several threads, and from a signal handler in the middle of one.
        self._lock = threading.RLock()
        self._scores = {name: _Series() for name in (TRAINING_SCORE, EVALUATION_SCORE, EVALUATION_SPREAD)}
        self._saved: dict[int, SavedCheckpoint] = {}
        self._shown_items, self._shown_bytes, self._is_full = 0, 0, False

    @property
    def start_role(self) -> str | None:
        """The role of the start checkpoint; None from scratch."""
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
        *logs: Mapping[str, float],
        total: int | None = None,
        training_score: float | None = None,
        evaluation_score: float | None = None,
        evaluation_spread: float | None = None,
        **metrics: float,
    ) -> None:
        """Report the metrics of a step. NaN and infinities are kept, but never win as Best.

        Scores belong to the checkpoint of their step, whenever they come: before that is saved, after
        later ones were saved, or from another thread.

        Args:
            step: Steps done, counted as the algorithm counts them (updates, environment steps, tokens).
            *logs: Metrics by name, such as what a library logs. Here a metric may have any name, also
                "step" or "total"; "training_score" and "evaluation_score" are the scores.
            total: Steps in all, for progress and the estimate of the time left.
            training_score: The score on what it trains on.
            evaluation_score: The score on held-out data or evaluation episodes.
            evaluation_spread: Its standard error, by which a later stage tells whether the checkpoint still
                scores the same; 0 where the evaluator always gives the same score.
            **metrics: Anything else that is a number.

        Raises:
            StopTraining: A stop was asked for.
            ConfigError: A step is not a whole number that can be stored, or a metric is not a number.
        """
        step, total = _steps("step", step), None if total is None else _steps("total", total)
        scores = {
            TRAINING_SCORE: training_score,
            EVALUATION_SCORE: evaluation_score,
            EVALUATION_SPREAD: evaluation_spread,
        }
        told: dict[str, float | None] = {**_merge_logs(logs), **metrics}
        told |= {name: value for name, value in scores.items() if value is not None}
        values = {
            str.__str__(name): _number(name, value) for name, value in told.items() if value is not None
        }
        with self._lock:
            shown = {name: value for name, value in values.items() if name != EVALUATION_SPREAD or value}
            self._emit(MetricReport(step=step, total=total, metrics=shown))
            scored = [name for name in self._scores if name in values]
            for name in scored:
                self._scores[name].put(step, values[name])
            if scored and step in self._saved:
                self._keep(self._saved[step])
        if self._stop():
            raise StopTraining

    @contextmanager
    def checkpoint(self, step: int, *, signature: Mapping[str, Any] | None = None) -> Generator[Path]:
        """Save a checkpoint: write anything into the folder that this yields.

        It is published atomically when the block ends, and not at all when the block raises. It carries
        the scores that are reported for the same step, before or after. Linked files and folders are
        copied into it, so that it is whole wherever it is moved.

        Args:
            step: The step that the checkpoint belongs to.
            signature: Facets that only this checkpoint can know, such as the size of a latent space.

        Raises:
            ConfigError: The step is not a whole number, or a facet is not a text, number or bool.
            CheckpointError: Something in the folder cannot be kept, such as a link to nothing.
            StorageError: The disk is full.
        """
        step = _steps("step", step)
        facets = {**self._signature, **to_facets(signature or {})}
        with self._publish(self.folder / "checkpoints", stem=f"{step:010d}", private=True) as publication:
            yield publication.path
        saved = SavedCheckpoint(
            step=step,
            folder=publication.folder,
            training_score=None,
            evaluation_score=None,
            signature=facets,
        )
        with self._lock:
            self._keep(saved)

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
        """Show what the policy does: samples of text, an image, or a video. It is kept with the run.

        Views have a slider over the steps, and compare two runs on the same prompt or seed. So show the same
        few prompts, or episodes of the same seeds, at each evaluation.

        Args:
            step: The step that it belongs to.
            samples: Up to 100 samples: mappings with prompt, output and, where there are such, score and
                reference; or tuples in that order. Long texts are cut, and say so.
            image: The path of a PNG, JPEG, WebP or GIF file, up to 20 MB; an array (height, width), (height,
                width, 3) or (height, width, 4) of uint8, or of floats from 0 to 1; a tensor like that; an
                image of Pillow or a figure of Matplotlib.
            video: The path of an MP4, WebM or GIF file, up to 100 MB; or an array (frames, height, width,
                3), encoded as H.264 where PyAV is installed (`pip install 'pipeline-widgets[video]'`), and
                else as an animated PNG.
            caption: What is to be seen, for whoever cannot see it as well.
            prompt: What an image or a video was made from.
            seed: The seed of an episode.
            fps: Frames a second of an array; 30 by default.

        Returns:
            Whether it is kept. A run keeps 10,000 items and 2 GB; the log says when there is no more room.

        Raises:
            ConfigError: It cannot be shown, or is too large.
            StorageError: The disk is full.
        """
        from pipeline_widgets.algorithms.showing import (  # noqa: PLC0415  for those that show anything
            prepare_item,
        )

        step = _steps("step", step)
        item = prepare_item(
            samples=samples, image=image, video=video, caption=caption, prompt=prompt, seed=seed, fps=fps
        )
        if not self._has_room(item.size):
            return False
        folder = None
        if item.media is not None:
            with self._publish(self.folder / "shown", stem=f"{step:010d}", private=True) as publication:
                item.write(publication.path)
            folder = publication.folder
        media = item.media
        shown = ShowReport(
            step=step,
            kind=item.kind,
            caption=item.caption,
            prompt=item.prompt,
            seed=item.seed,
            samples=item.samples,
            folder=folder,
            media_type=media.media_type if media else None,
            width=media.width if media else None,
            height=media.height if media else None,
            seconds=media.seconds if media else None,
        )
        with self._lock:
            self._emit(shown)
        return True

    def _has_room(self, size: int) -> bool:
        """Count an item, unless the run has no room for it; the log says so once."""
        with self._lock:
            has_room = self._shown_items < MOST_ITEMS and self._shown_bytes + size <= MOST_OF_RUN
            if has_room:
                self._shown_items, self._shown_bytes = self._shown_items + 1, self._shown_bytes + size
            elif not self._is_full:
                self._is_full = True
                self.log(
                    "Warning: this run has no room for more to show. A run keeps "
                    f"{MOST_ITEMS:,} items and {MOST_OF_RUN >> 30} GB; it has {self._shown_items:,} with "
                    f"{self._shown_bytes >> 20} MB. Show less often, or smaller."
                )
        return has_room

    @property
    def can_check_handover(self) -> bool:
        """Whether the start checkpoint has a score by the evaluator of this run."""
        start = self.start
        if start is None or start.evaluation_score is None or self.evaluator is None:
            return False
        return start.evaluator == self.evaluator

    def check_handover(self, score: float, spread: float | None = None, *, mode: Handover = "check") -> None:
        """Compare the start checkpoint's score with the one that it was saved with, before the first step.

        Does nothing from scratch, and where the checkpoint has no score by this run's evaluator.

        Args:
            score: What the start checkpoint scores now, by the evaluator that scores this run.
            spread: Its standard error; 0 where the evaluator always gives the same score.
            mode: "check" ends the run, "warn" writes it to the log, "off" does nothing.

        Raises:
            HandoverError: The score lies outside of what the spreads allow.
            ConfigError: The mode is not one of the three, or a score is not a number.
        """
        if mode not in HANDOVERS:
            fix = 'Pass "check", "warn" or "off".'
            raise ConfigError(f"There is no handover mode {format_value(mode)}.", fix=fix)
        error = None if spread is None else _number("spread", spread)
        now = Score(value=_number("score", score), spread=error)
        if mode == "off" or not self.can_check_handover or self.start is None:
            return
        saved = Score(value=self.start.evaluation_score or 0.0, spread=self.start.evaluation_spread)
        found = assess_handover(saved, now)
        what = f"The checkpoint of step {self.start.step} scores {now} now, and was saved with {saved}."
        if found:
            self.log(what)
            return
        why = f"Both by {self.evaluator}, whose scores may lie {found.allowed:.2g} apart."
        fix = (
            "Look for what was not handed over: statistics of a normalization, a tokenizer or chat template, "
            'an adapter that is missing or was loaded twice, new layers. handover="warn" trains anyway.'
        )
        if mode == "warn":
            self.log(f"Warning: {what} {why} {fix}")
            return
        raise HandoverError(what, why, fix)

    def log(self, *words: object) -> None:
        """Write a line to the run's log. Where nothing can be printed any more, it is lost.

        Args:
            *words: What is written, joined by spaces as `print` does.
        """
        line = " ".join(map(str, words)) + "\n"
        with suppress(Exception):  # training code may have closed it, or put anything there, also None
            sys.stdout.write(line)
            sys.stdout.flush()

    def _keep(self, saved: SavedCheckpoint) -> None:
        """Tell of a checkpoint with the scores of its step that are known by now."""
        scores = {name: series.get(saved.step) for name, series in self._scores.items()}
        saved = replace(saved, **scores)
        self._saved[saved.step] = saved
        self._emit(saved)


class _Series:
    """The latest value of one score at each step: 16 bytes a step, as long as steps are counted upwards."""

    def __init__(self) -> None:
        self._steps, self._values = array("q"), array("d")
        self._out_of_order: dict[int, float] = {}

    def put(self, step: int, value: float) -> None:
        """Keep the value of a step, instead of a former one."""
        if not self._steps or step > self._steps[-1]:
            self._steps.append(step)
            self._values.append(value)
        elif (at := self._index(step)) is not None:
            self._values[at] = value
        else:
            self._out_of_order[step] = value

    def get(self, step: int) -> float | None:
        """Return the value of a step; None without one."""
        at = self._index(step)
        return self._out_of_order.get(step) if at is None else self._values[at]

    def _index(self, step: int) -> int | None:
        at = bisect_left(self._steps, step)
        return at if at < len(self._steps) and self._steps[at] == step else None


def _merge_logs(logs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    merged: dict[str, float] = {}
    for each in logs:
        if not isinstance(each, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
            fix = 'Write ctx.report(step, {"loss": 0.5}) or ctx.report(step, loss=0.5).'
            raise ConfigError(
                "Metrics are a mapping from names to numbers.", f"Got {format_value(each)}.", fix
            )
        merged |= {str(name): value for name, value in each.items()}
    return merged


def _steps(name: str, value: object) -> int:
    """Return a count of steps as an int that a database can hold.

    Integers of numpy and of tensors are welcome.
    """
    try:
        steps = operator.index(to_scalar(value))  # pyright: ignore[reportArgumentType]  that is what is tried
    except TypeError:
        steps = -1
    if not 0 <= steps < MOST_STEPS:
        fix = "Count steps with whole numbers from 0."
        raise ConfigError(f"{name} has to be a whole number.", f"Got {format_value(value)}.", fix)
    return steps


def _number(name: str, value: Any) -> float:
    try:
        return float(to_scalar(value))
    except (TypeError, ValueError, OverflowError) as error:
        why = f"{name!r} is {format_value(value)}: {error}."
        raise ConfigError("A metric has to be a number.", why, "Convert it with float().") from error
