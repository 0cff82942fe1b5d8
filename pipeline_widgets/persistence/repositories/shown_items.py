"""What trainings have shown: samples, images and videos."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple
from typing import Any, get_args

from sqlalchemy import BindParameter, Executable, Integer, bindparam, case, func, insert, select

from pipeline_widgets.domain.job import ShowReport
from pipeline_widgets.domain.shown_item import ItemKind, ShownItem, ShownSummary
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository, require

_I = schema.shown_items.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_LISTED = [column for column in _I if column.name != "samples"]
_OF_RUN = select(*_LISTED).where(_I.run_id == bindparam("run")).order_by(_I.step, _I.id)
_BY_ID = select(schema.shown_items).where(_I.id == bindparam("item"))
_KINDS: tuple[ItemKind, ...] = get_args(ItemKind)
_SUMMARIES = (
    select(
        _I.run_id,
        func.count().label("items"),
        func.count(_I.step.distinct()).label("steps"),
        *(func.max(case((_I.kind == kind, 1), else_=0)).label(kind) for kind in _KINDS),
    )
    .where(_I.run_id.in_(_IDS))
    .group_by(_I.run_id)
)
_STEP_AT = (
    select(_I.step)
    .where(_I.run_id == bindparam("run"))
    .distinct()
    .order_by(_I.step)
    .offset(bindparam("at", type_=Integer))
    .limit(1)
)
_ALL_STEPS = select(_I.step).where(_I.run_id == bindparam("run")).distinct().order_by(_I.step)
_OF_STEP = (
    select(schema.shown_items)
    .where((_I.run_id == bindparam("run")) & (_I.step == bindparam("step")))
    .order_by(_I.id)
    .limit(bindparam("most", type_=Integer))
)
_COUNT_OF_STEP = select(func.count().label("items")).where(
    (_I.run_id == bindparam("run")) & (_I.step == bindparam("step"))
)
_WITH_SAMPLES = (
    select(schema.shown_items)
    .where((_I.run_id == bindparam("run")) & (_I.kind == "samples"))
    .order_by(_I.step, _I.id)
)
_PATHS = select(_I.run_id, _I.path).where(_I.run_id.in_(_IDS) & _I.path.is_not(None))


class ShownItems(Repository):
    """What trainings have shown."""

    def add(self, run_id: int, shown: Sequence[ShowReport]) -> None:
        """Append what a run has shown, in the order in which it did."""
        if shown:
            self.connection.execute(insert(schema.shown_items), [self._row(run_id, each) for each in shown])

    def get(self, item_id: int) -> ShownItem:
        """Return one item with its samples; NotFoundError without it."""
        return row_mapping.to_shown_item(require(self._first(_BY_ID, item=item_id), "shown item"), self.root)

    def of_run(self, run_id: int) -> tuple[ShownItem, ...]:
        """Return what a run has shown, by step, without samples."""
        return self._items(_OF_RUN, run=run_id)

    def with_samples(self, run_id: int) -> tuple[ShownItem, ...]:
        """Return all samples that a run has shown, by step."""
        return self._items(_WITH_SAMPLES, run=run_id)

    def summaries(self, run_ids: Collection[int]) -> dict[int, ShownSummary]:
        """Return how much runs have shown, of those that have shown anything."""
        return {
            row["run_id"]: ShownSummary(
                run_id=row["run_id"],
                items=row["items"],
                steps=row["steps"],
                kinds=tuple(kind for kind in _KINDS if row[kind]),
            )
            for row in self._of(_SUMMARIES, run_ids)
        }

    def steps(self, run_id: int) -> tuple[int, ...]:
        """Return the different steps at which a run has shown something, in order."""
        return tuple(self.connection.scalars(_ALL_STEPS, {"run": run_id}))

    def step_at(self, run_id: int, at: int) -> int | None:
        """Return one of the different steps at which a run has shown something, counted from 0."""
        row = self._first(_STEP_AT, run=run_id, at=at)
        return None if row is None else int(row["step"])

    def of_step(self, run_id: int, step: int, most: int) -> tuple[ShownItem, ...]:
        """Return what a run has shown at a step, the first `most` of it, with samples."""
        return self._items(_OF_STEP, run=run_id, step=step, most=most)

    def count_of_step(self, run_id: int, step: int) -> int:
        """Return how much it has shown there."""
        return int(require(self._first(_COUNT_OF_STEP, run=run_id, step=step), "run")["items"])

    def paths(self, run_ids: Collection[int]) -> dict[int, set[str]]:
        """Return the folders of images and videos by run, as paths on this machine."""
        found: dict[int, set[str]] = {}
        for row in self._of(_PATHS, run_ids):
            found.setdefault(row["run_id"], set()).add(str(self.root / row["path"]))
        return found

    def _items(self, query: Executable, **values: object) -> tuple[ShownItem, ...]:
        return tuple(row_mapping.to_shown_item(row, self.root) for row in self._all(query, **values))

    def _row(self, run_id: int, shown: ShowReport) -> dict[str, Any]:
        folder = shown.folder
        return {
            "run_id": run_id,
            "step": shown.step,
            "kind": shown.kind,
            "caption": shown.caption,
            "prompt": shown.prompt,
            "seed": shown.seed,
            "sample_count": len(shown.samples),
            "path": None if folder is None else folder.path.relative_to(self.root).as_posix(),
            "media_type": shown.media_type,
            "size": sum(each.size for each in shown.samples) if folder is None else folder.size,
            "digest": None if folder is None else folder.digest,
            "width": shown.width,
            "height": shown.height,
            "seconds": shown.seconds,
            "created_at": self.now,
            "samples": [astuple(each) for each in shown.samples] or None,
        }
