"""The curves of runs that were resumed, and when their steps were reported (spec 9.5, 9.6)."""

from __future__ import annotations

import pytest
from factories.lab import Lab
from statements import queries, sent

from pipeline_widgets.domain.job import Job
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.services.queries.run_detail import RunDetailQueries


@pytest.fixture
def run_details(lab: Lab) -> RunDetailQueries:
    """The panel of the workspace."""
    return RunDetailQueries(lab.store)


def stopped(lab: Lab, stage_id: int, *, resume: bool, steps: range, saved: int) -> Run:
    """Train for some steps, a second each, save a checkpoint at one of them, and stop."""
    run = lab.runs.trigger(stage_id, resume=resume)
    job = lab.started(run)
    report(lab, job, steps)
    lab.save(job, saved, 0.5)
    lab.end(job, Status.STOPPED)
    return lab.runs.get(run.id)


def report(lab: Lab, job: Job, steps: range) -> None:
    """Report the loss of steps, a second each."""
    for step in steps:
        lab.clock.forward(1)
        lab.report(job, step, loss=float(job.run_id * 100 + step))


@pytest.mark.spec("9.5")
def test_a_resumed_run_continues_the_curve_of_the_run_that_it_resumed(
    lab: Lab, run_details: RunDetailQueries
) -> None:
    """Up to the checkpoint that it went on from, over several resumptions; what was redone counts once."""
    stage = lab.pipeline("SFT").stages[0]
    first = stopped(lab, stage.id, resume=False, steps=range(1, 5), saved=3)  # step 4 is lost
    second = stopped(lab, stage.id, resume=True, steps=range(4, 7), saved=6)
    third = stopped(lab, stage.id, resume=True, steps=range(7, 8), saved=7)
    seen = run_details.run(third.id)
    (loss,) = seen.curves
    made_by = [(first, 1), (first, 2), (first, 3), (second, 4), (second, 5), (second, 6), (third, 7)]
    assert loss.points == tuple((step, float(run.id * 100 + step)) for run, step in made_by)
    assert seen.resumed == (3, 6)
    assert run_details.run(first.id).resumed == ()
    assert [step for step, _ in run_details.run(first.id).curves[0].points] == [1, 2, 3, 4]
    (part,) = run_details.part([third.id], 3, 6, points=100, most=4)[third.id]
    assert part.points == loss.points[2:6]
    assert run_details.part([third.id], 3, 6, points=100, most=3) == {}


@pytest.mark.spec("9.6")
def test_the_clock_of_a_run_is_the_time_that_was_trained(lab: Lab, run_details: RunDetailQueries) -> None:
    """In seconds by step; a resumed run counts on from its checkpoint, without the pause in between."""
    stage = lab.pipeline("SFT").stages[0]
    stopped(lab, stage.id, resume=False, steps=range(1, 5), saved=3)
    lab.clock.forward(3600)
    second = stopped(lab, stage.id, resume=True, steps=range(4, 6), saved=5)
    clock = run_details.run(second.id).clock
    assert clock == ((1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0))


@pytest.mark.spec("9.6")
def test_metrics_without_known_times_have_no_clock(lab: Lab, run_details: RunDetailQueries) -> None:
    """As older versions, and imports, have written them."""
    run = lab.runs.trigger(lab.pipeline("SFT").stages[0].id)
    lab.started(run)
    with lab.store.write() as work:
        work.metrics.add(run.id, [(1, "loss", 1.0)])
    seen = run_details.run(run.id)
    assert (seen.clock, seen.curves[0].points) == ((), ((1, 1.0),))


def test_the_way_back_takes_as_many_statements_for_one_resumption_as_for_many(
    lab: Lab, run_details: RunDetailQueries
) -> None:
    """Two, and one for the metrics of each run."""
    counts: list[int] = []
    for times in (1, 12):
        stage = lab.pipeline("SFT", name=f"chain {times}").stages[0]
        run = stopped(lab, stage.id, resume=False, steps=range(1, 2), saved=1)
        last = lab.go_on_from(run, times, resume=True)
        with sent(lab.store) as statements:
            run_details.curves([last.id], points=10)
        counts.append(len(queries(statements)) - times)
    assert counts[0] == counts[1]
