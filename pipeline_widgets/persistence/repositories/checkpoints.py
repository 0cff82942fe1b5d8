"""The checkpoints of runs."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import (
    BindParameter,
    Case,
    ColumnElement,
    Executable,
    Float,
    Integer,
    ScalarSelect,
    Select,
    bindparam,
    case,
    delete,
    func,
    select,
    update,
)

from pipeline_widgets.domain.checkpoint import Checkpoint, is_finite
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository, in_chunks, require

_C = schema.checkpoints.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_ALL = select(schema.checkpoints)
_BY_ID = _ALL.where(_C.id.in_(_IDS)).order_by(_C.run_id, _C.step)
_OF_RUNS = _ALL.where(_C.run_id.in_(_IDS)).order_by(_C.run_id, _C.step)
_IDS_OF_RUNS = select(_C.id).where(_C.run_id.in_(_IDS)).order_by(_C.run_id, _C.step)
_LATEST_OF_RUN = (
    _ALL.where(_C.run_id == bindparam("run")).order_by(_C.step.desc()).limit(bindparam("most", type_=Integer))
)
_COUNT_OF_RUN = select(func.count().label("saved")).where(_C.run_id == bindparam("run"))
_AT_STEPS = _ALL.where((_C.run_id == bindparam("run")) & _C.step.in_(_IDS)).order_by(_C.step)
_NEW = _ALL.where((_C.run_id == bindparam("run")) & (_C.id > bindparam("after"))).order_by(_C.step)
_REMOVE = delete(schema.checkpoints).where(_C.id.in_(_IDS))
_KEY = ("run_id", "step")
_STORED = tuple(column.name for column in _C if column.name not in {"id", *_KEY})
_INFINITY = float("inf")
_SAVED_BY = schema.checkpoints.join(schema.runs, schema.runs.c.id == _C.run_id)
_COUNTED = (
    select(_C.run_id, func.count().label("checkpoints"))
    .select_from(_SAVED_BY)
    .where(schema.runs.c.experiment_id.in_(_IDS))
    .group_by(_C.run_id)
)
_SAVING = (
    select(schema.runs.c.experiment_id)
    .distinct()
    .select_from(_SAVED_BY)
    .where(schema.runs.c.project_id == bindparam("project"))
)


def _widen(name: str) -> dict[str, Case[Any]]:
    """The extremes of a run's score once another value has come; one that is NULL changes nothing."""
    low, high = schema.runs.c[f"lowest_{name}"], schema.runs.c[f"highest_{name}"]
    new: BindParameter[float] = bindparam(name, type_=Float)
    return {
        low.name: case((low.is_(None) | (new < low), new), else_=low),
        high.name: case((high.is_(None) | (new > high), new), else_=high),
    }


_SCORED = (
    update(schema.runs)
    .where(schema.runs.c.id == bindparam("run"))
    .values(**_widen("evaluation"), **_widen("training"))
)

_FORMER = select(_C.id, _C.digest, _C.evaluation_score, _C.training_score).where(
    (_C.run_id == bindparam("run")) & (_C.step == bindparam("step"))
)


def _narrow(name: str) -> dict[str, ScalarSelect[Any]]:
    """The extremes of a run's score as its checkpoints have them now."""
    score = _C[f"{name}_score"]
    finite = (_C.run_id == bindparam("run")) & (score > -_INFINITY) & (score < _INFINITY)
    return {
        f"lowest_{name}": select(func.min(score)).where(finite).scalar_subquery(),
        f"highest_{name}": select(func.max(score)).where(finite).scalar_subquery(),
    }


_RESCORED = (
    update(schema.runs)
    .where(schema.runs.c.id == bindparam("run"))
    .values(**_narrow("evaluation"), **_narrow("training"))
)

_OF_EXPERIMENT = (
    select(schema.checkpoints)
    .select_from(_SAVED_BY)
    .where(schema.runs.c.experiment_id == bindparam("experiment"))
)
_LATEST = _OF_EXPERIMENT.order_by(_C.run_id.desc(), _C.step.desc()).limit(bindparam("most", type_=Integer))


def _by_score(score: ColumnElement[float], *, higher: bool) -> Select[Any]:
    """The best by a score: NaN and infinities never win, ties go to the later step, and the later run."""
    scored = _OF_EXPERIMENT.where((score > -_INFINITY) & (score < _INFINITY))
    best = score.desc() if higher else score.asc()
    return scored.order_by(best, _C.step.desc(), _C.run_id.desc()).limit(1)


_BEST = {
    higher: tuple(_by_score(score, higher=higher) for score in (_C.evaluation_score, _C.training_score))
    for higher in (True, False)
}


def _place(found: tuple[int, Checkpoint]) -> tuple[int, int]:
    """Order checkpoints of a lineage: those of the runs that were resumed come first."""
    depth, checkpoint = found
    return -depth, checkpoint.step


@cache
def _upsert(dialect: str) -> Executable:
    """Return the statement for a dialect, whose module is imported already: the other one takes 50 ms."""
    made = import_module(f"sqlalchemy.dialects.{dialect}").insert(schema.checkpoints)
    replaced = {name: made.excluded[name] for name in _STORED}
    return made.on_conflict_do_update(index_elements=_KEY, set_=replaced)


class Checkpoints(Repository):
    """The checkpoints of runs."""

    def add(
        self, run_id: int, *, training_score: float | None, evaluation_score: float | None, **values: object
    ) -> None:
        """Insert a checkpoint, or replace the one that the run saved at the same step before.

        Its scores stay with the run, also when the checkpoint goes. A score that is corrected while the
        run is active, when none of its checkpoints can go, counts no longer.
        """
        scores = {"training_score": training_score, "evaluation_score": evaluation_score}
        former = self._first(_FORMER, run=run_id, step=values["step"])
        upsert = _upsert(self.connection.dialect.name)
        self.connection.execute(upsert, {"run_id": run_id, "created_at": self.now, **scores, **values})
        told = {"training": training_score, "evaluation": evaluation_score}
        finite = {name: score if is_finite(score) else None for name, score in told.items()}
        if former is not None and former["digest"] != values["digest"]:
            of_former = schema.scores.c.checkpoint_id == former["id"]  # it is another one from now on
            self.connection.execute(delete(schema.scores).where(of_former))
        if former is not None and any(former[name] not in {None, value} for name, value in scores.items()):
            self.connection.execute(_RESCORED, {"run": run_id})
        elif any(value is not None for value in finite.values()):
            self.connection.execute(_SCORED, {"run": run_id, **finite})

    def get(self, checkpoint_id: int) -> Checkpoint:
        """Return one checkpoint; NotFoundError without it."""
        known = self.by_id([checkpoint_id])
        return known.get(checkpoint_id) or require(None, "checkpoint")

    def by_id(self, ids: Collection[int]) -> dict[int, Checkpoint]:
        """Return checkpoints by id."""
        return {row["id"]: row_mapping.to_checkpoint(row, self.root) for row in self._of(_BY_ID, ids)}

    def of_runs(self, run_ids: Collection[int]) -> tuple[Checkpoint, ...]:
        """Return what runs saved, in the order of their steps."""
        saved = [row_mapping.to_checkpoint(row, self.root) for row in self._of(_OF_RUNS, run_ids)]
        return tuple(sorted(saved, key=lambda each: (each.step, each.id)))

    def ids_of_runs(self, run_ids: Collection[int]) -> tuple[int, ...]:
        """Return the ids of what runs saved, by run and step."""
        return tuple(row["id"] for row in self._of(_IDS_OF_RUNS, sorted(run_ids)))

    def at_steps(self, run_id: int, steps: Collection[int]) -> dict[int, Checkpoint]:
        """Return what a run saved at steps, by step."""
        rows = self._of(_AT_STEPS, steps, run=run_id)
        return {row["step"]: row_mapping.to_checkpoint(row, self.root) for row in rows}

    def latest_of_run(self, run_id: int, most: int) -> tuple[Checkpoint, ...]:
        """Return what a run saved at its last steps, in their order."""
        rows = self._all(_LATEST_OF_RUN, run=run_id, most=most)
        return tuple(row_mapping.to_checkpoint(row, self.root) for row in reversed(rows))

    def count_of_run(self, run_id: int) -> int:
        """Return how many checkpoints of a run there are."""
        return int(require(self._first(_COUNT_OF_RUN, run=run_id), "run")["saved"])

    def saved_after(self, run_id: int, checkpoint_id: int) -> tuple[Checkpoint, ...]:
        """Return what a run saved first after it had saved a checkpoint, in the order of the steps."""
        rows = self._all(_NEW, run=run_id, after=checkpoint_id)
        return tuple(row_mapping.to_checkpoint(row, self.root) for row in rows)

    def deciding(
        self, run_ids: Collection[int], steps: Collection[int] = (), *, by_evaluators: bool = False
    ) -> dict[int, tuple[Checkpoint, ...]]:
        """Return what choices can mean among the checkpoints of runs and of those that these resumed.

        `choose_checkpoint` gives the same for these few as for all, and they come in the same order.

        Args:
            run_ids: The runs.
            steps: The steps that are chosen by number.
            by_evaluators: Whether evaluators score stages, so that their best counts as well.
        """
        from pipeline_widgets.persistence.repositories import checkpoint_choices as choices  # noqa: PLC0415  not before Running

        asked = [choices.BEST_AND_FINAL]
        asked += [choices.BEST_BY_EVALUATOR] if by_evaluators else []
        asked += [choices.at_steps(steps)] if steps else []
        found: dict[int, dict[int, tuple[int, Checkpoint]]] = {}
        for query in asked:
            for row in self._of(query, run_ids):
                of_root = found.setdefault(row["root"], {})
                if row["id"] not in of_root:
                    of_root[row["id"]] = row["depth"], row_mapping.to_checkpoint(row, self.root)
        return {
            root: tuple(each for _, each in sorted(rows.values(), key=_place)) for root, rows in found.items()
        }

    def deciding_of(
        self, run_id: int, steps: Collection[int] = (), *, by_evaluators: bool = False
    ) -> tuple[Checkpoint, ...]:
        """Return the same of what a run has saved itself, without those that it resumed."""
        found = self.deciding([run_id], steps, by_evaluators=by_evaluators).get(run_id, ())
        return tuple(each for each in found if each.run_id == run_id)

    def unscored(self, run_ids: Collection[int]) -> dict[int, int]:
        """Return, by run, how many of its lineage the evaluator of its stage has not scored, if any."""
        from pipeline_widgets.persistence.repositories.checkpoint_choices import UNSCORED  # noqa: PLC0415  not before Running

        return {row["root"]: row["unscored"] for row in self._of(UNSCORED, run_ids)}

    def saving(self, project_id: int) -> frozenset[int]:
        """Return the experiments of a project of which something is saved."""
        return frozenset(self.connection.scalars(_SAVING, {"project": project_id}))

    def counted(self, experiment_ids: Collection[int]) -> dict[int, int]:
        """Return, for each run of those experiments of which something is saved, how many checkpoints."""
        return {row["run_id"]: row["checkpoints"] for row in self._of(_COUNTED, experiment_ids)}

    def latest(self, experiment_id: int, most: int) -> tuple[Checkpoint, ...]:
        """Return what an experiment saved last: the latest run first, and of one run the latest step."""
        listed = self._all(_LATEST, experiment=experiment_id, most=most)
        return tuple(row_mapping.to_checkpoint(row, self.root) for row in listed)

    def best(self, experiment_id: int, *, higher_is_better: bool) -> Checkpoint | None:
        """Return the best of all that an experiment saved; None where nothing has a score."""
        asked = (self._first(query, experiment=experiment_id) for query in _BEST[higher_is_better])
        row = next((row for row in asked if row is not None), None)
        return row_mapping.to_checkpoint(row, self.root) if row is not None else None

    def any(self) -> bool:
        """Return whether anything was ever saved, and is still there."""
        return self._first(select(_C.id).limit(1)) is not None

    def remove(self, ids: Collection[int]) -> None:
        """Delete checkpoints' rows."""
        for part in in_chunks(ids):
            self.connection.execute(_REMOVE, {"ids": part})
