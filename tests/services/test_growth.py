"""The number of statements of edits and triggers does not grow with the pipeline."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace

import databases
import pytest
from factories.lab import CHILD, Lab, an_owner
from statements import queries, sent

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.chain import ExperimentStage, FromSource, Pipeline, Stage
from pipeline_widgets.domain.job import Job, MetricReport, Outcome
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.errors import TriggerError
from pipeline_widgets.persistence.store import UnitOfWork
from pipeline_widgets.services.runs import RunService

Edit = Callable[[Lab, Pipeline], object]


def retry(stage: Stage) -> Stage:
    """Return a stage with another setting."""
    assert isinstance(stage, ExperimentStage)
    return replace(stage, retries=3)


EDITS: dict[str, Edit] = {
    "describe": lambda lab, chain: lab.pipelines.update(chain.id, description="of the week"),
    "rename": lambda lab, chain: lab.pipelines.update(chain.id, name=f"{chain.name} again"),
    "edit a stage": lambda lab, chain: lab.pipelines.update_stage(chain.stages[-1].id, retry),
    "move to the front": lambda lab, chain: lab.pipelines.move_stage(chain.stages[-1].id, 1),
    "delete a stage": lambda lab, chain: lab.pipelines.delete_stage(chain.stages[-1].id),
}


def chain_of(lab: Lab, stages: int) -> Pipeline:
    """Return a pipeline of that many stages."""
    return lab.pipeline("SFT", *["SFT"] * (stages - 1), name=f"of {stages}")


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_writes_what_it_changes(lab: Lab, edit: str) -> None:
    """A chain of forty stages takes as many statements as one of three; stages that stay are not written."""
    counts: list[int] = []
    for stages in (3, 40):
        chain = chain_of(lab, stages)
        with sent(lab.store) as statements:
            EDITS[edit](lab, chain)
        counts.append(len(queries(statements)))
        written = [each for each in statements if each.startswith(("UPDATE stages", "INSERT INTO stages"))]
        assert len(written) <= 2  # the stage or its place, and why it was held
    assert counts[0] == counts[1]
    assert counts[1] <= 25 + databases.is_postgresql()  # a server is asked for the lock of a writer


def test_what_an_edit_writes_is_all_that_it_changes(lab: Lab) -> None:
    """Stages that are added, edited, moved and deleted are stored as they were asked for, and no others."""
    chain = chain_of(lab, 6)
    ids = [stage.id for stage in chain.stages]
    lab.pipelines.move_stage(ids[4], 1)
    lab.pipelines.update_stage(ids[2], retry)
    lab.pipelines.delete_stage(ids[1])
    lab.add(chain.id, lab.experiment("more"), position=2)
    stored = lab.pipelines.get(chain.id)
    old = {stage.id: stage for stage in chain.stages}
    assert [stage.id for stage in stored.stages if stage.id in old] == [ids[0], ids[4], *ids[2:4], ids[5]]
    assert stored.stages[2].id not in old
    assert [stage for stage in stored.stages if stage.id in old and stage != old[stage.id]] == [
        retry(old[ids[2]])
    ]


def test_a_trigger_counts_with_what_has_changed_since_it_has_read(lab: Lab) -> None:
    """An edit, a run that ends, or another trigger between its reading and its writing is seen."""
    chain = lab.pipeline("SFT", "SFT")
    first, second = chain.stages
    lab.do(first, 0.9, 0.5)

    def trigger(act: Callable[[], object]) -> Run:
        def check_placement(_: object, __: object) -> None:
            act()

        return RunService(lab.store, check_placement=check_placement).trigger(second.id)

    def choose_final() -> None:
        lab.pipelines.update_stage(second.id, lambda stage: replace(stage, start=FromSource("final")))

    run = trigger(choose_final)
    assert run.start_checkpoint_id == lab.runs.checkpoints(lab.runs.of_stage(first.id)[0].id)[-1].id
    lab.runs.stop(run.id)

    run = trigger(lambda: lab.do(first, 0.1))
    assert run.source_run_id == lab.runs.of_stage(first.id)[1].id
    lab.runs.stop(run.id)

    with pytest.raises(TriggerError, match="already pending"):
        trigger(lambda: lab.runs.trigger(second.id))


MANY = range(1_000_000, 1_040_000)  # more than the 32,766 variables that SQLite may bound a statement at


def test_a_repository_is_asked_for_any_number_of_rows(lab: Lab) -> None:
    """Forty thousand ids in one question are no more than the database takes, and hide none that is there."""
    stage = lab.pipeline("SFT").stages[0]
    run = lab.do(stage, 0.5)
    job = lab.started(lab.runs.trigger(stage.id))
    lab.report(job, 3, loss=0.5)
    lab.report(job, 4, loss=0.25)
    (experiment,) = lab.pipelines.get(run.pipeline_id or 0).experiment_ids
    with lab.store.read() as work:
        limit_variables(work, 32_766)
        told = [(job.run_id, 3, "loss", 0.5), (job.run_id, 4, "loss", 0.25)]
        assert [*work.metrics.of_runs([*MANY, job.run_id]).rows()] == told
        assert work.metrics.count([job.run_id, *MANY]) == 2
        assert len(work.runs.listed(run.project_id, [*MANY, experiment])) == 2
        assert work.checkpoints.counted([*MANY, experiment]) == {run.id: 1}
        assert list(work.pipelines.summaries([*MANY, run.pipeline_id or 0])) == [run.pipeline_id]
        assert work.pipelines.shared(MANY) == {}
        assert sorted(work.events.runs_of([*MANY, stage.id])[stage.id]) == [run.id, job.run_id]
        assert work.agents.matching(MANY, [f"agent {each}" for each in MANY]) == ()
        assert work.agents.named_versions(MANY) == {}
        assert work.endpoints.by_agent(MANY) == {}


def limit_variables(work: UnitOfWork, most: int) -> None:
    """Let SQLite take so many variables in a statement, whatever it was built with."""
    driver = work.connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, most)


@pytest.mark.sqlite
def test_a_reconciliation_reads_the_active_runs_by_their_index(lab: Lab) -> None:
    """It goes through no run that has ended, and reads no config."""
    lab.started(lab.runs.trigger(lab.pipeline("SFT").stages[0].id))
    with sent(lab.store) as statements:
        leases, _ = lab.supervision.active()
    assert len(leases) == 1
    (statement,) = queries(statements)
    assert "config" not in statement
    with lab.store.read() as work:
        plan = work.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
    assert [row[-1] for row in plan] == ["SCAN runs USING INDEX uq_runs_active_stage"]


@pytest.mark.spec("6.3")
def test_the_end_of_a_stage_reads_the_chain_only_where_it_was_edited(lab: Lab) -> None:
    """A supervisor reads all stages once; after an edit, by whom ever, it follows the edited chain."""
    chain = lab.pipeline(*["SFT"] * 6, trigger="auto")

    def end(job: Job) -> tuple[Job, bool]:
        lab.supervision.record_start(job, CHILD)
        lab.save(job, 10, 0.5)
        with sent(lab.store) as statements:
            following = lab.supervision.finish(job, Outcome(status=Status.SUCCEEDED), an_owner())
        assert isinstance(following, Job)
        return following, any("FROM stages" in each and "ORDER BY" in each for each in statements)

    second, was_read = end(lab.take(lab.runs.trigger(chain.stages[0].id)))
    assert was_read
    third, was_read = end(second)
    assert not was_read
    assert [lab.runs.get(each.run_id).stage_id for each in (second, third)] == [
        stage.id for stage in chain.stages[1:3]
    ]
    lab.pipelines.move_stage(chain.stages[5].id, 3)
    fourth, was_read = end(third)
    assert was_read
    assert lab.runs.get(fourth.run_id).stage_id == chain.stages[5].id


def test_reports_are_written_in_parts_that_are_bounded_by_their_points() -> None:
    """A part has no more points than asked for, all parts together have everything, checkpoints come last."""
    reports = [
        MetricReport(step=step, total=None, metrics=dict.fromkeys("abc"[: step % 4], 1.0))
        for step in range(50)
    ]
    batch = Batch.of(reports)
    parts = batch.split_by_points(7)
    assert max(part.points for part in parts) <= 7
    assert [report for part in parts for report in part.reported] == reports
    assert sum(part.points for part in parts) == batch.points == sum(len(each.metrics) for each in reports)
    assert Batch.join(parts).reports == batch.reports
    assert batch.split_by_points(1000) == [batch]
    assert Batch().split_by_points(7) == []


def test_metrics_are_stored_as_they_were_reported(lab: Lab) -> None:
    """Names that no database stores are cleaned, NaN stays NaN, and large steps keep all their digits."""
    job = lab.started(lab.runs.trigger(lab.pipeline("SFT").stages[0].id))
    lab.report(job, 2**40, None, **{"a\0b": 1.0, "half \ud800": float("nan"), "loss": 2.0})
    stored = [*lab.runs.metrics([job.run_id]).rows()]
    assert {row[:2] for row in stored} == {(job.run_id, 2**40)}
    assert [row[2] for row in stored] == ["a\ufffdb", "half \ufffd", "loss"]
    assert [str(row[3]) for row in stored] == ["1.0", "nan", "2.0"]
