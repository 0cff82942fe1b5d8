"""What runs have shown, as a view shows it: one step at a time, and two runs side by side."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.domain.shown_item import (
    MEDIA_TYPES,
    ComparedPair,
    ShownItem,
    ShownSummary,
    find_nearest,
    match_items,
)
from pipeline_widgets.errors import CheckpointError, NotFoundError
from pipeline_widgets.persistence import artifact_paths
from pipeline_widgets.persistence.store import Store, UnitOfWork

LATEST = -1  # the place of the last step
MOST_AT_STEP = 60  # items of one step that a view shows
MOST_PART = 1 << 20  # bytes of a file that are read at once


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownStep:
    """What a run has shown at one of its steps."""

    run_id: int
    #: How many steps there are.
    steps: int
    #: Which of them this is, counted from 0.
    at: int
    step: int
    items: tuple[ShownItem, ...]
    #: How many items of that step are not among these.
    more: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownComparison:
    """Two runs side by side, each at one of its steps; a side is None where nothing was shown."""

    left: ShownStep | None
    right: ShownStep | None
    pairs: tuple[ComparedPair, ...]


class ShownItemQueries:
    """Reads what trainings have shown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_items(self, run_id: int) -> tuple[ShownItem, ...]:
        """Return what a run has shown, by step, without samples."""
        with self._store.read() as work:
            return work.shown_items.of_run(run_id)

    def list_samples(self, run_id: int) -> tuple[ShownItem, ...]:
        """Return all items of samples of a run, by step."""
        with self._store.read() as work:
            return work.shown_items.with_samples(run_id)

    def get(self, item_id: int) -> ShownItem:
        """Return an item with its samples; NotFoundError without it."""
        with self._store.read() as work:
            return work.shown_items.get(item_id)

    def summaries(self, run_ids: Collection[int]) -> dict[int, ShownSummary]:
        """Return how much runs have shown, of those that have shown anything."""
        with self._store.read() as work:
            return work.shown_items.summaries(run_ids)

    def step(self, run_id: int, at: int = LATEST) -> ShownStep | None:
        """Return what a run has shown at one of its steps; None where it has shown nothing.

        Args:
            run_id: The run.
            at: Which of its steps, counted from 0; the last one by default, and where there are fewer.
        """
        with self._store.read() as work:
            return _read_step(work, run_id, at)

    def compare(
        self, left: int, right: int, left_at: int = LATEST, right_at: int = LATEST, *, follows: str = ""
    ) -> ShownComparison:
        """Return what two runs have shown, matched by prompt and seed.

        Args:
            left: A run.
            right: The other run.
            left_at: Which of the steps of the first one, counted from 0; the last one by default.
            right_at: Which of the steps of the other one.
            follows: "left" or "right": the side that goes to the step nearest to that of the other one.
        """
        with self._store.read() as work:
            ours, theirs = _read_step(work, left, left_at), _read_step(work, right, right_at)
            if ours and theirs and follows == "right":
                theirs = _read_step(work, right, find_nearest(work.shown_items.steps(right), ours.step))
            elif ours and theirs and follows == "left":
                ours = _read_step(work, left, find_nearest(work.shown_items.steps(left), theirs.step))
        pairs = match_items(ours.items if ours else (), theirs.items if theirs else ())
        return ShownComparison(left=ours, right=theirs, pairs=pairs)

    def latest_samples(self, run_ids: Sequence[int], most: int = 6) -> tuple[ShownItem, ...]:
        """Return the samples that runs have shown last, of the last `most` of those that have shown any."""
        with self._store.read() as work:
            shown = work.shown_items.summaries(run_ids)
            chosen = [run_id for run_id in run_ids if run_id in shown and "samples" in shown[run_id].kinds]
            steps = [_read_step(work, run_id, LATEST) for run_id in chosen[-most:]]
        return tuple(item for step in steps if step for item in step.items if item.samples)

    def read_part(self, item_id: int, offset: int, most: int = MOST_PART) -> bytes:
        """Return some bytes of the file of an item; it is brought to this machine first where it is not here.

        Args:
            item_id: The item.
            offset: Where they begin.
            most: How many there are at most.

        Raises:
            NotFoundError: There is no such item, or it has no file.
            CheckpointError: Its file is gone, or is none of this workspace.
            StorageError: It cannot be brought here.
        """
        item = self.get(item_id)
        with self.find_file(item).open("rb") as file:
            file.seek(max(0, offset))
            return file.read(min(most, MOST_PART))

    def find_file(self, item: ShownItem) -> Path:
        """Return where the file of an item is; it is brought to this machine first where it is not here.

        Raises:
            NotFoundError: It has none.
            CheckpointError: It is gone, or is none of this workspace: a row may come from anybody.
            StorageError: It cannot be brought here.
        """
        media = item.media
        if media is None or media.media_type not in MEDIA_TYPES:
            raise NotFoundError("This item has no file.", fix="Samples are text: read item.samples.")
        artifact_paths.check_readable(media.path, self._store.artifacts)
        folder = PublishedFolder(path=media.path, size=media.size, digest=media.digest)
        path = self._store.artifact_store.find(folder) / media.file_name
        if not path.is_file() or path.is_symlink():
            what = f"The {item.kind} of step {item.step} is missing."
            raise CheckpointError(what, f"There is no file {path}.", "Nothing else of the run depends on it.")
        return path


def _read_step(work: UnitOfWork, run_id: int, at: int) -> ShownStep | None:
    summary = work.shown_items.summaries([run_id]).get(run_id)
    if summary is None:
        return None
    place = summary.steps - 1 if at < 0 or at >= summary.steps else at
    step = work.shown_items.step_at(run_id, place)
    if step is None:
        return None
    items = work.shown_items.of_step(run_id, step, MOST_AT_STEP)
    count = len(items) if len(items) < MOST_AT_STEP else work.shown_items.count_of_step(run_id, step)
    return ShownStep(
        run_id=run_id, steps=summary.steps, at=place, step=step, items=items, more=count - len(items)
    )
