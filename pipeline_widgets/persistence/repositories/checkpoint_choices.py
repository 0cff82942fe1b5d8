"""The checkpoints that a choice can mean, found by the indexes of steps and scores.

A run has what it saved itself and, before it, what the runs that it resumed had saved: up to the step where
it went on from them, and without the steps that it has saved again. Of each of these runs a few rows decide,
however many there are: its last step and the ends of its scores. `choose_checkpoint` in
domain/checkpoint.py gives the same for them as for all that `join_lineage` joins.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Executable,
    ScalarSelect,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    union,
    union_all,
)

from pipeline_widgets.domain.checkpoint import LAST_STEP, NEAREST
from pipeline_widgets.persistence import schema

_C, _R, _S = schema.checkpoints.c, schema.runs.c, schema.scores.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_INFINITY = float("inf")


def _least(first: ColumnElement[int], second: ColumnElement[int]) -> ColumnElement[int]:
    """Return the smaller of two steps; the first where there is no second."""
    return case((second < first, second), else_=first)


def _follow() -> CTE:
    """The runs whose checkpoints count for a run: itself, the one that it resumed, and so on.

    `upto` is the last step that counts, `floor` the first step that a run after it has saved.
    """
    own = select(
        _R.id.label("root"),
        _R.id.label("run"),
        literal(0).label("depth"),
        literal(LAST_STEP, schema.LONG).label("upto"),
        literal(LAST_STEP, schema.LONG).label("floor"),
    )
    way = own.where(_R.id.in_(_IDS)).cte("way", recursive=True)
    started = schema.checkpoints.alias("started")
    saved = schema.checkpoints.alias("saved")
    first = select(func.min(saved.c.step)).where(saved.c.run_id == way.c.run).scalar_subquery()
    further = (
        select(
            way.c.root,
            _R.resumed_run_id,
            way.c.depth + 1,
            _least(way.c.upto, started.c.step),
            _least(way.c.floor, first),
        )
        .join(schema.runs, _R.id == way.c.run)
        .outerjoin(started, started.c.id == _R.start_checkpoint_id)
        .where(_R.resumed_run_id < _R.id)  # a run resumes an earlier one: this ends, whatever the rows say
    )
    return way.union_all(further)


_WAY = _follow()
_nearer, _again = _WAY.alias("nearer"), schema.checkpoints.alias("again")
_SAVED_AGAIN = (
    select(literal(1))
    .select_from(_nearer.join(_again, _again.c.run_id == _nearer.c.run))
    .where((_nearer.c.root == _WAY.c.root) & (_nearer.c.depth < _WAY.c.depth) & (_again.c.step == _C.step))
    .correlate(_WAY, schema.checkpoints)
    .exists()
)
_IS_OWN = (_C.run_id == _WAY.c.run) & or_(_C.step < _WAY.c.floor, ~_SAVED_AGAIN)
_COUNTS = _IS_OWN & (_C.step <= _WAY.c.upto)


def _is_finite(score: ColumnElement[float]) -> ColumnElement[bool]:
    return (score > -_INFINITY) & (score < _INFINITY)


def _pick(*order: ColumnElement[Any], where: ColumnElement[bool] | None = None) -> ScalarSelect[int]:
    """The first of what counts of a run on the way."""
    counting = select(_C.id).where(_COUNTS) if where is None else select(_C.id).where(_COUNTS, where)
    return counting.order_by(*order).limit(1).correlate(_WAY).scalar_subquery()


def _ends(score: ColumnElement[float]) -> Iterable[ScalarSelect[int]]:
    for best in (score.desc(), score.asc()):
        yield _pick(best, _C.step.desc(), where=_is_finite(score))


def _list(picks: Iterable[Any]) -> Any:
    """Return the checkpoints that were picked for each run, as its lineage has them."""
    picked = union(*picks).subquery("picked")
    return (
        select(picked.c.root, picked.c.depth, *_C)
        .select_from(picked)
        .join(schema.checkpoints, _C.id == picked.c.id)
        .order_by(picked.c.root, picked.c.depth.desc(), _C.step)
    )


def _of_way(pick: ScalarSelect[int]) -> Any:
    return select(_WAY.c.root, _WAY.c.depth, pick.label("id"))


#: What Best and Final can be, by what trainings have reported.
BEST_AND_FINAL = _list(
    map(_of_way, [_pick(_C.step.desc()), *_ends(_C.evaluation_score), *_ends(_C.training_score)])
)
_STAGES, _P = schema.stages.c, schema.pipelines.c
_judged = schema.runs.alias("judged")
#: The evaluator by which the stage of a run goes.
_JUDGED = (
    _WAY.join(_judged, _judged.c.id == _WAY.c.root)
    .join(schema.stages, _STAGES.id == _judged.c.stage_id)
    .join(schema.pipelines, _P.id == _STAGES.pipeline_id)
)
_SCORED = schema.scores.join(schema.checkpoints, _C.id == _S.checkpoint_id)
_GIVEN = (_S.saved_by == _WAY.c.run) & (_S.evaluator == _P.score_by) & (_S.step <= _WAY.c.upto) & _COUNTS


def _pick_scored(*order: ColumnElement[Any], where: ColumnElement[bool] | None = None) -> Any:
    given = select(_C.id).select_from(_SCORED).where(_GIVEN)
    given = given if where is None else given.where(where)
    pick = given.order_by(*order).limit(1).correlate(_WAY, schema.pipelines).scalar_subquery()
    return select(_WAY.c.root, _WAY.c.depth, pick.label("id")).select_from(_JUDGED).where(_P.score_by != "")


#: What Best can be by the evaluators of the stages, and one that has any score.
BEST_BY_EVALUATOR = _list(
    [
        _pick_scored(_S.score.desc(), _S.step.desc(), where=_is_finite(_S.score)),
        _pick_scored(_S.score.asc(), _S.step.desc(), where=_is_finite(_S.score)),
        _pick_scored(_S.step.desc()),
    ]
)
_NOT_GIVEN = ~(
    select(literal(1))
    .where((_S.checkpoint_id == _C.id) & (_S.evaluator == _P.score_by))
    .correlate(schema.checkpoints, schema.pipelines)
    .exists()
)
#: How many checkpoints of each way the evaluator of the stage has not scored.
UNSCORED = (
    select(_WAY.c.root, func.count().label("unscored"))
    .select_from(_JUDGED.join(schema.checkpoints, _COUNTS))
    .where((_P.score_by != "") & _NOT_GIVEN)
    .group_by(_WAY.c.root)
)


def at_steps(steps: Collection[int]) -> Executable:
    """Return the statement for what was saved at steps, and nearest to them: refusals name these."""
    asked = union_all(*(select(literal(step, schema.LONG).label("step")) for step in sorted(steps)))
    wanted = asked.subquery("wanted")
    before = _C.step <= _least(_WAY.c.upto, wanted.c.step)  # one bound: SQLite would search by the other one
    after = (_C.step > wanted.c.step) & (_C.step <= _WAY.c.upto)
    picks: list[Any] = []
    for where, order in ((before, _C.step.desc()), (after, _C.step.asc())):
        for at in range(NEAREST + 1):
            pick = select(_C.id).where(_IS_OWN, where).order_by(order).limit(1).offset(at)
            picked = pick.correlate(_WAY, wanted).scalar_subquery()
            picks.append(select(_WAY.c.root, _WAY.c.depth, picked.label("id")).join(wanted, literal(1) == 1))
    return _list(picks)
