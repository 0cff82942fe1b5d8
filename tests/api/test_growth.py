"""What a handle asks the database does not grow with what there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from statements import queries, sent

import pipeline_widgets as pw
from pipeline_widgets.domain.run import Status


@pytest.fixture(autouse=True)
def _reconciled(ws: pw.Workspace) -> None:
    """Let no reconciliation be due, so that a test counts what is asked for alone."""
    ws._services.reconciler._reconciled_at = float("inf")


READS: dict[str, Callable[[pw.Stage], object]] = {
    "status": lambda stage: stage.status,
    "name": lambda stage: stage.name,
    "type": lambda stage: stage.type,
    "position": lambda stage: stage.position,
    "trigger_type": lambda stage: stage.trigger_type,
    "retries": lambda stage: stage.retries,
    "held": lambda stage: stage.held,
    "experiment": lambda stage: stage.experiment,
}


def train_otherwise(ctx: pw.TrainContext) -> None:
    """Train nothing, by another definition."""


def chain_of(project: pw.Project, stages: int) -> pw.Pipeline:
    """Return a pipeline of Imitate and Refine, so many in all."""
    pipe = project.create_pipeline(f"of {stages}")
    for at in range(stages):
        experiment = project.create_experiment(f"{stages}-{at}", algorithm="Refine" if at else "Imitate")
        pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
    return pipe


@pytest.mark.parametrize("read", READS)
def test_a_property_of_a_stage_is_one_query_at_any_length(project: pw.Project, read: str) -> None:
    """A pipeline of thirty stages is asked no more than one of two."""
    for length in (2, 30):
        stage, store = chain_of(project, length).stages[-1], project._services.store
        with sent(store) as statements:
            READS[read](stage)
        assert len(queries(statements)) == 1


def test_the_latest_run_of_a_stage_is_read_alone(pipe: pw.Pipeline, finish: Any) -> None:
    """Status and run are those of the experiment that the stage is bound to now, however many ran before."""
    stage, store = pipe.stages[0], pipe._services.store
    latest = [finish(stage.trigger(), 0.5) for _ in range(5)][-1]
    with sent(store) as statements:
        assert (stage.status, stage.run) == (Status.SUCCEEDED, latest)
    assert len(queries(statements)) == 3  # the status; whether it is there, and its run
    assert (stage.experiment.status, stage.experiment.run) == (Status.SUCCEEDED, latest)  # type: ignore[union-attr]

    stage.update(duplicate=True, experiment=stage.experiment)
    assert (stage.status, stage.run) == (Status.DRAFT, None)


def test_the_names_of_all_stages_are_one_query(project: pw.Project) -> None:
    """A look for a stage by its name, and the repr of its pipeline, read the names at once."""
    pipe = chain_of(project, 20)
    listed, store = pipe.stages, project._services.store
    with sent(store) as statements:
        assert listed["20-13"] == listed[13]
    assert len(queries(statements)) == 1
    with sent(store) as statements:
        assert "'20-7', and 12 more" in repr(pipe)
    assert len(queries(statements)) == 3  # the pipeline, its stages, their names


def test_the_latest_run_of_an_experiment_is_read_alone(pipe: pw.Pipeline, finish: Any) -> None:
    """An experiment reads one row of its runs to tell its status, and gives the last of them as its run."""
    stage, store = pipe.stages[0], pipe._services.store
    runs = [finish(stage.trigger(), 0.5) for _ in range(4)]
    experiment = stage.experiment
    assert experiment is not None
    with sent(store) as statements:
        assert experiment.run == runs[-1] == experiment.runs[-1]
    of_run, of_runs = queries(statements)
    assert "LIMIT" in of_run
    assert "LIMIT" not in of_runs


@pytest.mark.sqlite
@pytest.mark.parametrize("stages", [2, 40])
def test_a_trigger_takes_thirty_statements_in_four_transactions(
    project: pw.Project, finish: Any, stages: int
) -> None:
    """It reads once and writes the run, its launch, and what was launched, at any length of the chain."""
    pipe = chain_of(project, stages)
    stage, store = pipe.stages[0], project._services.store
    for _ in range(2):  # as a new chain, and as one that has run
        with sent(store) as statements:
            run = stage.trigger()
        assert len(statements) <= 30
        assert sum(each.startswith("BEGIN") for each in statements) == 4
        finish(run, 0.5)
        run = pipe.stages[1].run  # an Auto stage
        assert run is not None
        run.stop()


def test_a_trigger_renews_all_experiments_by_one_write(project: pw.Project) -> None:
    """An algorithm that was defined anew is kept once, and all experiments of the chain use it."""
    pipe = chain_of(project, 12)
    store = project._services.store
    lm = [pw.Port("weights", {"lm"}, match=("base",))]
    again = pw.algorithm("Refine", produces={"lm", "policy"}, accepts=lm, scratch=False)(train_otherwise)
    with pytest.warns(UserWarning, match="Refine is defined differently"), sent(store) as statements:
        pipe.stages[0].trigger()
    assert len([each for each in statements if each.startswith("UPDATE experiments")]) == 1
    bound = [stage.experiment for stage in pipe.stages[1:]]
    specs = {each._now.spec for each in bound if each is not None}
    assert {spec.produces for spec in specs} == {again.spec.produces}
