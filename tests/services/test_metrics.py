"""Whatever a training reports is read again as it was reported, on each database."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count, pairwise
from typing import TypeAlias

import pytest
from factories.lab import Lab
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from statements import queries, sent

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.curve import extend_curve
from pipeline_widgets.domain.job import Job, MetricReport
from pipeline_widgets.domain.metric_block import MOST_SMALL
from pipeline_widgets.errors import DataRefusedError, FencedError
from pipeline_widgets.persistence import schema
from pipeline_widgets.services.queries.curves import CurveReader
from pipeline_widgets.services.queries.run_detail import RunDetailQueries
from pipeline_widgets.services.tracking import TrackingService

Row: TypeAlias = tuple[int, int, str, str]
#: Whether by the second run, reports, seconds.
Write: TypeAlias = tuple[bool, list[tuple[int, dict[str, float]]], float]

numbers = count(1)

metrics = st.dictionaries(st.sampled_from(["loss", "reward", "lr"]), st.floats(), min_size=1)
reports = st.tuples(st.integers(0, 6) | st.integers(0, 2**63 - 1), metrics)
#: What supervisors write: of which of two runs, its reports, and the seconds since the write before.
writes = st.lists(st.tuples(st.booleans(), st.lists(reports, max_size=8), st.floats(0.1, 9)), max_size=40)


@pytest.fixture
def jobs(lab: Lab) -> tuple[Job, Job]:
    """Two runs that train."""
    first, second = (lab.experiment(name) for name in ("first", "second"))
    return lab.started(lab.runs.train(first.id)), lab.started(lab.runs.train(second.id))


def record(lab: Lab, job: Job, told: Sequence[tuple[int, dict[str, float]]]) -> None:
    """Write reports as a supervisor does."""
    made = [MetricReport(step=step, total=None, metrics=values) for step, values in told]
    lab.supervision.record(job, Batch.of(made))


def stored(lab: Lab, *run_ids: int) -> list[Row]:
    """Return all that is stored of runs, such that NaN is equal to NaN."""
    return [(run, step, name, repr(value)) for run, step, name, value in lab.runs.metrics(run_ids).rows()]


def find_last(lab: Lab, run_id: int) -> dict[str, tuple[int, float | None]]:
    """Return what a filter finds as the last values."""
    last = schema.last_metrics.c
    with lab.store.read() as work:
        rows = work.connection.execute(select(last.name, last.step, last.value).where(last.run_id == run_id))
        return {name: (step, value) for name, step, value in rows}


def count_blocks(lab: Lab) -> int:
    """Return how many blocks there are."""
    with lab.store.read() as work:
        return work.connection.execute(select(func.count()).select_from(schema.metric_blocks)).scalar_one()


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(written=writes)
def test_all_that_was_reported_is_read_again(lab: Lab, written: list[Write]) -> None:
    """In frames, last values, curves and trackers, in the order of the reports, whatever the steps are."""
    both = [lab.started(lab.runs.train(lab.experiment(f"run {next(numbers)}").id)) for _ in range(2)]
    expected: list[Row] = []
    last: dict[tuple[int, str], tuple[int, float | None]] = {}
    clock: dict[int, list[tuple[int, float]]] = {job.run_id: [] for job in both}
    views = {job.run_id: CurveReader() for job in both}
    curves: dict[tuple[int, str], list[tuple[int, float]]] = {}
    for is_second, told, seconds in written:
        job = both[int(is_second)]
        lab.clock.forward(seconds)
        record(lab, job, told)
        for step, values in told:
            for name, value in values.items():
                expected.append((job.run_id, step, name, repr(value)))
                curves.setdefault((job.run_id, name), []).append((step, value))
                if (job.run_id, name) not in last or step >= last[job.run_id, name][0]:
                    last[job.run_id, name] = (step, None if math.isnan(value) else value)
                if not clock[job.run_id] or step > clock[job.run_id][-1][0]:
                    clock[job.run_id].append((step, lab.clock()))
        with lab.store.read() as work:  # a view that looks after each write
            views[job.run_id].read(work, [job.run_id], 1000)
    ids = [job.run_id for job in both]
    assert stored(lab, *ids) == expected
    for run_id in ids:
        assert stored(lab, run_id) == [row for row in expected if row[0] == run_id]
        assert find_last(lab, run_id) == {name: told for (run, name), told in last.items() if run == run_id}
        with lab.store.read() as work:
            assert work.metrics.count([run_id]) == sum(row[0] == run_id for row in expected)
            live, late = (each.read(work, [run_id], 1000)[run_id] for each in (views[run_id], CurveReader()))
        assert live == late
        assert {curve.name: curve.points for curve in late.curves} == {
            name: extend_curve((), points, 1000) for (run, name), points in curves.items() if run == run_id
        }
        started = lab.runs.get(run_id).started_at
        assert started is not None
        assert late.clock == tuple(
            (step, pytest.approx(at - started.timestamp(), abs=1e-6)) for step, at in clock[run_id]
        )
        tracked = TrackingService(lab.store).read(run_id, 0, ())
        assert [
            (run_id, step, name, repr(value))
            for step, values in tracked.reports
            for name, value in values.items()
        ] == stored(lab, run_id)
        assert (tracked.last, tracked.has_more) == (len(stored(lab, run_id)), False)
    for job in both:
        lab.end(job)


def test_a_slow_run_has_few_blocks_at_the_cost_of_few_statements(lab: Lab, jobs: tuple[Job, Job]) -> None:
    """A write takes as many statements after a thousand others as at first, and two more where it joins."""
    counts: list[int] = []
    for step in range(300):
        lab.clock.forward(1)
        with sent(lab.store) as statements:
            record(lab, jobs[0], [(step, {"loss": step / 7})])
        counts.append(len(statements))
    assert set(counts) <= {counts[0], counts[0] + 2}
    assert counts.count(counts[0]) > 150
    assert count_blocks(lab) <= MOST_SMALL
    run = jobs[0].run_id
    assert stored(lab, run) == [(run, step, "loss", repr(step / 7)) for step in range(300)]
    clock = RunDetailQueries(lab.store).run(run, points=1000).clock
    assert [round((b or 0) - (a or 0), 6) for (_, a), (_, b) in pairwise(clock)] == [1.0] * 299


def test_a_live_view_reads_what_is_new_by_as_many_statements(lab: Lab, jobs: tuple[Job, Job]) -> None:
    """Also where the blocks that it has read were joined since."""
    details, counts, job = RunDetailQueries(lab.store), set[int](), jobs[0]
    details.run(job.run_id, points=500)
    for step in range(60):
        record(lab, job, [(step, {"loss": float(step)})])
        with sent(lab.store) as statements:
            seen = details.run(job.run_id, points=500)
        counts.add(len(queries(statements)))
        assert [step for step, _ in seen.curves[0].points] == list(range(step + 1))
    assert len(counts) == 1


def test_many_points_are_written_in_blocks_of_a_bounded_size(lab: Lab, jobs: tuple[Job, Job]) -> None:
    """As an adoption brings them, all at once; a part of them is read without the others."""
    rows = [(step, "loss", step / 3) for step in range(50_000)]
    with lab.store.write() as work:
        work.metrics.add(jobs[0].run_id, rows)
        points = schema.metric_blocks.c.points
        assert work.connection.scalars(select(points)).all() == [20_000, 20_000, 10_000]
    with lab.store.read() as work:
        found = work.metrics.after(jobs[0].run_id, 19_999, 20_002)
        assert [row for block in found for row in block.rows()] == rows[19_999:40_001]
        part = work.metrics.between(jobs[0].run_id, 39_999, 40_000, 2) or []
        assert [row for block in part for row in block.rows()] == rows[39_999:40_001]
        assert work.metrics.between(jobs[0].run_id, 39_999, 40_000, 1) is None
        assert work.metrics.between(jobs[0].run_id, 0, 50_000, 30_000) is None


def test_a_superseded_supervisor_and_a_refused_step_write_nothing(lab: Lab, jobs: tuple[Job, Job]) -> None:
    """What was there stays, and nothing is there twice."""
    job = jobs[0]
    record(lab, job, [(1, {"loss": 1.0})])
    with pytest.raises(DataRefusedError):
        record(lab, job, [(2, {"loss": 1.0}), (2**63, {"loss": 1.0})])
    beyond = pytest.raises(DataRefusedError, match="beyond what a database stores")
    with beyond, lab.store.write() as work:
        work.metrics.add(job.run_id, [(2, "loss", 1.0), (2**63, "loss", 1.0)])
    with lab.store.write() as work:
        work.connection.execute(schema.runs.update().where(schema.runs.c.id == job.run_id).values(token="t"))
    with pytest.raises(FencedError):
        record(lab, job, [(2, {"loss": 1.0})])
    assert stored(lab, job.run_id) == [(job.run_id, 1, "loss", "1.0")]


def test_names_that_are_cleaned_to_one_are_one(lab: Lab, jobs: tuple[Job, Job]) -> None:
    """As they were in rows."""
    run = jobs[0].run_id
    record(lab, jobs[0], [(1, {"a\0": 1.0, "a\ud800": 2.0}), (1, {"a\0": 3.0})])
    assert stored(lab, run) == [(run, 1, "a\ufffd", repr(value)) for value in (1.0, 2.0, 3.0)]
    assert find_last(lab, run) == {"a\ufffd": (1, 3.0)}
