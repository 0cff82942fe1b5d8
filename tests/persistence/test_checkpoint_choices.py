"""The few checkpoints that SQL finds decide a choice as all of them do (spec 5.5, 6.13)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from factories.lab import Lab
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.checkpoint import Checkpoint, Choice, choose_checkpoint, join_lineage
from pipeline_widgets.domain.evaluator import EvaluatorSpec, Yardstick
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import NoCheckpointError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.store import UnitOfWork

SCORES = st.none() | st.sampled_from((0.0, -0.0, 0.5, 1.0, math.nan, math.inf, -math.inf)) | st.floats()
NAME = "exact answers"


@dataclass(frozen=True)
class Saved:
    """A checkpoint that a run is to have."""

    step: int
    evaluation: float | None
    training: float | None
    #: What the evaluator of the pipeline has given it; NaN is a score that is none, None is no score.
    given: float | None
    #: Whether it is deleted in the end.
    is_deleted: bool


@dataclass(frozen=True)
class History:
    """What runs saved, each of which resumed the one before it."""

    runs: Sequence[Sequence[Saved]]
    #: By run, which of the checkpoints that there were it has started from: a share of them.
    starts: Sequence[float] = field(default_factory=list[float])


@st.composite
def histories(draw: st.DrawFn) -> History:
    """What up to three runs saved, at steps that may be the same ones."""
    saved = st.builds(
        Saved,
        step=st.integers(0, 14),
        evaluation=SCORES,
        training=SCORES,
        given=SCORES,
        is_deleted=st.sampled_from((False, False, False, True)),
    )
    of_run = st.lists(saved, max_size=12, unique_by=lambda each: each.step)
    runs = draw(st.lists(of_run, min_size=1, max_size=3))
    return History(runs, draw(st.lists(st.floats(0, 1), min_size=len(runs), max_size=len(runs))))


def write(work: UnitOfWork, pipeline: Pipeline, run: Run, history: History) -> tuple[list[int], list[int]]:
    """Write the rows of a history; return the runs and the ids of their start checkpoints, 0 for none."""
    runs, starts, lineage = list[int](), list[int](), tuple[Checkpoint, ...]()
    deleted: list[int] = []
    for at, listed in enumerate(history.runs):
        start = lineage[math.floor(history.starts[at] * (len(lineage) - 1))] if lineage else None
        values = {"project_id": run.project_id, "pipeline_id": pipeline.id, "stage_id": run.stage_id}
        values |= {"experiment_id": run.experiment_id, "number": run.number + 1 + at, "status": "Stopped"}
        values |= {"created_at": 1.0, "config": {}, "seed": 0, "signature": {}, "launches": 1, "revision": 1}
        values |= {"resumed_run_id": runs[-1] if start else None}
        key = work.runs._add(schema.runs, **values, start_checkpoint_id=start.id if start else None)
        for each in listed:
            scores = {"evaluation_score": each.evaluation, "training_score": each.training}
            told = {"step": each.step, "path": "x", "size": 1, "digest": f"{key} {each.step}"}
            saved = work.runs._add(
                schema.checkpoints, run_id=key, signature={}, created_at=1.0, **scores, **told
            )
            deleted += [saved] if each.is_deleted else []
            if each.given is not None:
                value = None if math.isnan(each.given) else each.given
                given = {"checkpoint_id": saved, "saved_by": key, "step": each.step, "evaluator": NAME}
                work.connection.execute(
                    insert(schema.scores).values(score=value, metrics={}, code="x", created_at=1.0, **given)
                )
        own = work.checkpoints.of_runs([key])
        lineage = join_lineage(lineage, own, start.step) if start else own
        runs.append(key)
        starts.append(start.id if start else 0)
    work.checkpoints.remove(deleted)
    return runs, starts


def join(work: UnitOfWork, runs: Sequence[int], starts: Sequence[int]) -> tuple[Checkpoint, ...]:
    """Return by the rule of the domain what the last run has."""
    lineage = tuple[Checkpoint, ...]()
    for key, start in zip(runs, starts, strict=True):
        own = work.checkpoints.of_runs([key])
        resumed_at = next((each.step for each in lineage if each.id == start), None)
        lineage = join_lineage(lineage if start else (), own, resumed_at)
    return lineage


def choose(
    saved: Sequence[Checkpoint], choice: Choice, *, higher: bool, yardstick: Yardstick | None = None
) -> object:
    """Return what a choice means, or why it means nothing."""
    try:
        chosen = choose_checkpoint(saved, choice, higher_is_better=higher, yardstick=yardstick)
    except NoCheckpointError as error:
        return error.what, error.fix
    return chosen.checkpoint.id, chosen.reason  # a NaN in it is not equal to itself


def given_by(work: UnitOfWork, saved: Sequence[Checkpoint]) -> Mapping[int, float]:
    """Return the scores of checkpoints by the evaluator."""
    found = work.evaluators.scores_of_checkpoints([each.id for each in saved])
    return {each.checkpoint_id: each.value for each in found if each.evaluator == NAME}


@pytest.fixture
def scored(lab: Lab) -> tuple[Lab, Pipeline, Run]:
    """A pipeline that goes by an evaluator, with a run that saved nothing."""
    pipeline = lab.pipeline("SFT")
    run = lab.do(pipeline.stages[0])
    with lab.store.write() as work:
        work.connection.execute(update(schema.pipelines).values(score_by=NAME))
    return lab, pipeline, run


class _UndoneError(Exception):
    """Ends an example, so that nothing of it stays."""


@pytest.mark.spec("5.5", "6.13")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), step=st.integers(0, 15))
def test_sql_decides_as_the_rule_does(scored: tuple[Lab, Pipeline, Run], history: History, step: int) -> None:
    """Best in both directions, Final and a step mean the same among the few rows as among all."""
    lab, pipeline, run = scored
    with suppress(_UndoneError), lab.store.write() as work:
        runs, starts = write(work, pipeline, run, history)
        last = runs[-1]
        everything = join(work, runs, starts)
        few = work.checkpoints.deciding([last], [step], by_evaluators=True).get(last, ())
        assert {each.id for each in few} <= {each.id for each in everything}
        assert bool(few) == bool(everything)
        assert [each.id for each in few][-1:] == [each.id for each in everything][-1:]
        for choice in ("best", "final", step):
            for higher in (True, False):
                wanted = choose(everything, choice, higher=higher)
                assert choose(few, choice, higher=higher) == wanted
                spec = EvaluatorSpec(name=NAME, accepts=frozenset({"lm"}), score="max" if higher else "min")
                by_all = Yardstick(spec=spec, scores=given_by(work, everything))
                unscored = work.checkpoints.unscored([last]).get(last, 0)
                by_few = Yardstick(spec=spec, scores=given_by(work, few), unscored=unscored)
                wanted = choose(everything, choice, higher=higher, yardstick=by_all)
                assert choose(few, choice, higher=higher, yardstick=by_few) == wanted
        raise _UndoneError
