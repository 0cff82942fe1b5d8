"""One metric over all stages of a pipeline (spec 9.5)."""

from __future__ import annotations

import pytest
from factories.lab import Lab
from statements import queries, sent

from pipeline_widgets.domain.chain import Stage
from pipeline_widgets.domain.run import Status
from pipeline_widgets.services.queries.pipeline_curves import PipelineCurveQueries
from pipeline_widgets.services.queries.pipeline_state import PipelineStateQueries

pytestmark = pytest.mark.spec("9.5")


def train(lab: Lab, stage: Stage, steps: range, *, resume: bool = False, stop: bool = False) -> None:
    """Report the loss of steps, save a checkpoint at the last one, and end."""
    job = lab.started(lab.runs.trigger(stage.id, resume=resume))
    for step in steps:
        lab.report(job, step, loss=float(step), entropy=1.0)
    lab.save(job, steps[-1], 0.5)
    lab.end(job, Status.STOPPED if stop else Status.SUCCEEDED)


def test_a_metric_lies_end_to_end_over_all_stages(lab: Lab) -> None:
    """A band behind the one before for every stage that has run; what its run resumed comes first."""
    stages = lab.pipeline("SFT", "GRPO", "GRPO", "deploy").stages
    train(lab, stages[0], range(1, 4), stop=True)
    train(lab, stages[0], range(4, 6), resume=True)
    train(lab, stages[1], range(1, 3))
    pipeline = PipelineStateQueries(lab.store).pipeline(lab.pipelines.of_project(lab.project.id)[0].id)
    curves = PipelineCurveQueries(lab.store)
    seen = curves.curve(pipeline, "loss")
    assert (seen.metrics, seen.metric, seen.whole) == (("entropy", "loss"), "loss", True)
    assert [(each.number, each.first, each.last, each.resumed) for each in seen.stages] == [
        (1, 0, 5, (3,)),
        (2, 6, 8, ()),
    ]
    assert seen.stages[0].points == tuple((step, float(step)) for step in range(1, 6))
    assert seen.stages[1].points == ((7, 1.0), (8, 2.0))
    assert curves.curve(pipeline).metric == "entropy"
    rows = [row for row in curves.metrics(pipeline).rows() if row[4] == "loss"]
    assert [(stage, run, step, value) for stage, _, run, step, _, value in rows] == [
        (1, 1, 1, 1.0),
        (1, 1, 2, 2.0),
        (1, 1, 3, 3.0),
        (1, 2, 4, 4.0),
        (1, 2, 5, 5.0),
        (2, 1, 1, 1.0),
        (2, 1, 2, 2.0),
    ]


def test_a_later_look_at_a_finished_chain_takes_two_statements(lab: Lab) -> None:
    """However many stages there are: what has ended is not read again."""
    stages = lab.pipeline("SFT", "GRPO", "GRPO").stages
    for stage in stages:
        train(lab, stage, range(1, 3))
    pipeline = PipelineStateQueries(lab.store).pipeline(lab.pipelines.of_project(lab.project.id)[0].id)
    curves = PipelineCurveQueries(lab.store)
    first = curves.curve(pipeline, "loss")
    with sent(lab.store) as statements:
        assert curves.curve(pipeline, "loss") == first
    assert len(queries(statements)) <= 2


def test_a_chain_that_has_not_run_has_no_metric(lab: Lab) -> None:
    """There is nothing to chart, and that is no error."""
    lab.pipeline("SFT")
    pipeline = PipelineStateQueries(lab.store).pipeline(lab.pipelines.of_project(lab.project.id)[0].id)
    seen = PipelineCurveQueries(lab.store).curve(pipeline)
    assert (seen.metrics, seen.metric, seen.stages) == ((), None, ())
    assert len(PipelineCurveQueries(lab.store).metrics(pipeline)) == 0
