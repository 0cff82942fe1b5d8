"""A look reads what it shows: not all checkpoints of a run, nor all agents, samples or projects."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from factories import yardsticks
from factories.lab import Lab
from factories.values import SFT
from sqlalchemy import insert, update
from statements import queries, sent

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.chain import FromSource
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.metrics import Metrics
from pipeline_widgets.services.queries.agent_list import AgentListQueries
from pipeline_widgets.services.queries.pipeline_state import PipelineStateQueries
from pipeline_widgets.services.queries.resume_options import ResumeOptionsQueries
from pipeline_widgets.services.queries.run_detail import RunDetailQueries
from pipeline_widgets.services.queries.workspace_overview import WorkspaceOverviewQueries

SIZES = (10, 500)


@contextmanager
def checkpoints_read(patch: pytest.MonkeyPatch) -> Generator[list[int]]:
    """Collect the ids of the checkpoints that are read."""
    found: list[int] = []
    as_it_was = row_mapping.to_checkpoint

    def note(row: Any, root: Any) -> Any:
        found.append(row["id"])
        return as_it_was(row, root)

    with patch.context() as patched:
        patched.setattr(row_mapping, "to_checkpoint", note)
        yield found


@contextmanager
def samples_read(patch: pytest.MonkeyPatch) -> Generator[list[int]]:
    """Collect how many samples of use each look reads."""
    found: list[int] = []
    as_it_was = Metrics.usage_after

    def note(self: Metrics, run_id: int, after: int) -> tuple[list[Usage], int]:
        told = as_it_was(self, run_id, after)
        found.append(len(told[0]))
        return told

    with patch.context() as patched:
        patched.setattr(Metrics, "usage_after", note)
        yield found


def save_many(lab: Lab, run: Run, count: int) -> None:
    """Let a run have saved so many checkpoints, the best one early on."""
    rows: list[dict[str, Any]] = [
        {"run_id": run.id, "step": 100 + at, "path": f"runs/{run.id}/checkpoints/{at}", "size": 1}
        | {"digest": str(at), "evaluation_score": 1.0 / (1 + abs(at - 3)), "signature": {}, "created_at": 1.0}
        for at in range(count)
    ]
    with lab.store.write() as work:
        work.connection.execute(insert(schema.checkpoints), rows)


@pytest.mark.spec("6.13")
@pytest.mark.parametrize("score_by", [None, yardsticks.EXACT])
def test_the_state_of_a_pipeline_reads_the_checkpoints_that_decide(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, score_by: str | None
) -> None:
    """Five hundred checkpoints take as many statements and rows as ten, also where stages choose a step."""
    if score_by is not None:
        yardsticks.keep(lab)
    counts: list[tuple[int, int]] = []
    for size in SIZES:
        chain = lab.pipeline("SFT", "SFT", name=f"of {size}")
        first, second = chain.stages
        save_many(lab, lab.do(first, 0.1), size)
        with lab.store.write() as work:
            work.connection.execute(update(schema.pipelines).values(score_by=score_by))
        for choice in ("best", 103, 7):
            lab.pipelines.update_stage(second.id, partial(choosing, choice=choice))
            with sent(lab.store) as statements, checkpoints_read(monkeypatch) as read:
                state = PipelineStateQueries(lab.store).pipeline(chain.id)
            counts.append((len(queries(statements)), len(set(read))))
        assert state.stages[1].blockers
        assert score_by is not None or state.stages[0].score == 1.0
    assert [many for many, _ in counts[:3]] == [many for many, _ in counts[3:]]
    assert max(rows for _, rows in counts) <= 12  # the ends of two scores, the last step, and eight near one


def choosing(stage: Any, choice: Choice) -> Any:
    """Return a stage that starts from another checkpoint."""
    return replace(stage, start=FromSource(choice))


@pytest.mark.spec("6.13")
def test_a_look_at_a_run_reads_a_page_of_its_checkpoints(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest ones, the best one and how many there are, whatever it has saved."""
    counts: list[int] = []
    for size in SIZES:
        run = lab.do(lab.pipeline("SFT", name=f"of {size}").stages[0], 0.1)
        save_many(lab, run, size)
        with sent(lab.store) as statements, checkpoints_read(monkeypatch) as read:
            detail = RunDetailQueries(lab.store).run(run.id, checkpoints=4)
        steps = [each.step for each in detail.checkpoints]
        assert steps == [103, *range(100 + size - 4, 100 + size)]
        assert next(each.step for each in detail.checkpoints if each.id == detail.best) == 103
        assert detail.saved == size + 1
        assert len(set(read)) <= 8
        chosen = ResumeOptionsQueries(lab.store).chosen(run.trained_experiment_id, run.id, "best")
        assert chosen.step == 103
        counts.append(len(queries(statements)))
    assert counts[0] == counts[1]


@pytest.mark.spec("6.14")
def test_a_look_reads_the_samples_since_the_last_one(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is kept as curves, and the peak stays on them however many samples come."""
    job = lab.started(lab.runs.trigger(lab.pipeline("SFT").stages[0].id))
    looks = RunDetailQueries(lab.store)
    with samples_read(monkeypatch) as read:
        report(lab, job, range(300), peak_at=17)
        first = looks.run(job.run_id, points=20)
        report(lab, job, range(300, 303))
        later = looks.with_reports(first, points=20)
    assert read == [300, 3]
    memory = next(each.points for each in later.usage if each.name == "memory")
    assert max(value or 0 for _, value in memory) == 2**40
    assert memory[-1][0] == 302_000
    assert len(memory) <= 20


@pytest.mark.spec("6.14")
def test_a_look_reads_the_samples_of_use_that_came_since_the_last_one(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and shows all of them."""
    job = lab.started(lab.runs.trigger(lab.pipeline("SFT").stages[0].id))
    looks = RunDetailQueries(lab.store)
    samples = [Usage(seconds=float(at), cpu=1.0, memory=at) for at in range(1, 42)]
    with samples_read(monkeypatch) as read:
        lab.supervision.record(job, Batch(usage=samples[:40]))
        detail = looks.run(job.run_id)
        lab.supervision.record(job, Batch(usage=samples[40:]))
        detail = looks.with_reports(detail)
        looks.with_reports(detail)
    assert read == [40, 1, 0]
    assert [each.name for each in detail.usage] == ["cpu", "memory"]
    assert detail.usage[1].points == tuple((1000 * at, at) for at in range(1, 42))


def report(lab: Lab, job: Any, seconds: Iterable[int], peak_at: int | None = None) -> None:
    """Report a sample for each of those seconds."""
    samples = [
        Usage(seconds=float(at), cpu=1.0, memory=2**40 if at == peak_at else 2**30 + at % 7) for at in seconds
    ]
    lab.supervision.record(job, Batch(usage=samples))


@pytest.mark.spec("8.1")
@pytest.mark.parametrize("sort", ["name", "status", "experiment", "base_model"])
def test_a_page_of_agents_reads_the_agents_that_are_on_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, sort: Any
) -> None:
    """Forty agents take as many statements as five, and only those of the page are read."""
    run = lab.runs.train(lab.experiment("sft", SFT).id)
    lab.carry_out(run, 0.5)
    checkpoint = lab.runs.checkpoints(run.id)[-1]
    counts: list[int] = []
    for size in (5, 40):
        for at in range(size):
            lab.agents.create(f"{size} agents, {at}", checkpoint.id)
        with sent(lab.store) as statements, checkpoints_read(monkeypatch) as read:
            page = AgentListQueries(lab.store).page(search="AGENTS", sort=sort, size=5)
        assert len(page.rows) == 5
        assert len(read) <= 5
        counts.append(len(queries(statements)))
    assert (page.total, page.all) == (45, 45)
    assert counts[0] == counts[1]


@pytest.mark.spec("9.8")
def test_a_filter_of_projects_reads_what_it_names(lab: Lab) -> None:
    """One statement finds the projects; where runs stand is read only for a condition on the status."""
    lab.do(lab.pipeline("SFT").stages[0], 0.5)
    overview = WorkspaceOverviewQueries(lab.store)
    for search, most in (
        ("pipelines>=1 and kind~advanced", 1),
        ("not pipelines=7", 1),
        ("status=succeeded", 4),
    ):
        with sent(lab.store) as statements:
            assert overview.project_ids(search) == (lab.project.id,)
        assert len(queries(statements)) <= most
