"""What an expanded experiment shows (spec 9.1)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from factories.lab import Lab, configured
from factories.values import LOSS, SFT

from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.staleness import Staleness
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.persistence import row_mapping
from pipeline_widgets.services.queries.experiment_detail import ExperimentDetailQueries, Use

pytestmark = pytest.mark.spec("9.1")


@pytest.fixture
def details(lab: Lab) -> ExperimentDetailQueries:
    """The read model of the workspace."""
    return ExperimentDetailQueries(lab.store)


def test_a_draft_has_neither_runs_nor_checkpoints(lab: Lab, details: ExperimentDetailQueries) -> None:
    """And one that is gone is not found."""
    made = lab.experiment("new")
    found = details.get(made.id)
    assert (found.experiment, found.uses, found.runs, found.checkpoints) == (made, (), (), ())
    assert (found.saved, found.best, found.final) == (0, None, None)
    lab.experiments.delete(made.id)
    with pytest.raises(NotFoundError):
        details.get(made.id)


def test_it_lists_the_runs_and_what_they_saved_latest_first(
    lab: Lab, details: ExperimentDetailQueries
) -> None:
    """Best is the best of all runs, Final the last of the latest run; missing scores are None."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), 0.2, 0.9)
    lab.carry_out(lab.runs.train(made.id), math.nan, 0.4, status=Status.FAILED)
    found = details.get(made.id)
    assert [(each.run, each.step, each.evaluation_score) for each in found.checkpoints] == [
        ("run 2", 20, 0.4),
        ("run 2", 10, None),
        ("run 1", 20, 0.9),
        ("run 1", 10, 0.2),
    ]
    assert (found.best, found.final) == (found.checkpoints[2].id, found.checkpoints[0].id)
    runs = [(each.run.number, each.run.status.value, each.checkpoints) for each in found.runs]
    assert runs == [(2, "Failed", 2), (1, "Succeeded", 2)]


def test_the_best_is_listed_although_the_list_is_short(lab: Lab, details: ExperimentDetailQueries) -> None:
    """Of equal ones the latest run's is best; lower is better where the algorithm says so."""
    made = lab.experiment("loss", LOSS)
    lab.carry_out(lab.runs.train(made.id), 0.1, 0.5, 0.6)
    found = details.get(made.id, checkpoints=1)
    assert ([each.step for each in found.checkpoints], found.saved) == ([30, 10], 3)
    lab.carry_out(lab.runs.train(made.id), 0.1)
    again = details.get(made.id, checkpoints=1)
    assert [each.run for each in again.checkpoints] == ["run 2"]
    assert again.best == again.checkpoints[0].id


def test_only_what_is_listed_is_read(
    lab: Lab, details: ExperimentDetailQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many checkpoints of many runs the latest ones and the best are; the others are counted."""
    made = lab.experiment("sft")
    for _ in range(3):
        lab.carry_out(lab.runs.train(made.id), 0.9, 0.2, 0.4)
    read = list[int]()
    value = row_mapping.to_checkpoint

    def counting(row: Any, root: Path) -> Checkpoint:
        read.append(row["id"])
        return value(row, root)

    monkeypatch.setattr(row_mapping, "to_checkpoint", counting)
    found = details.get(made.id, checkpoints=2)
    assert ([each.step for each in found.checkpoints], found.saved) == ([30, 20, 10], 9)
    assert sorted(read) == sorted(each.id for each in found.checkpoints)


def test_without_evaluation_scores_the_training_score_tells(
    lab: Lab, details: ExperimentDetailQueries
) -> None:
    """NaN and infinities never win."""
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    scores = (0.1, 0.7, math.inf, math.nan)
    saved = [lab.save(job, step, training=score) for step, score in enumerate(scores, start=1)]
    assert details.get(made.id).best == saved[1].id


def test_without_scores_none_is_best(lab: Lab, details: ExperimentDetailQueries) -> None:
    """But the last one is final."""
    made = lab.experiment("sft")
    job = lab.started(lab.runs.train(made.id))
    saved = lab.save(job, 10)
    found = details.get(made.id)
    assert (found.best, found.final) == (None, saved.id)


def test_it_says_where_it_is_used_and_where_it_ran(lab: Lab, details: ExperimentDetailQueries) -> None:
    """The pipeline of a run, and whether the run had the config of today."""
    pipeline = lab.pipeline("SFT", "GRPO", name="chain")
    second = pipeline.experiment_ids[1]
    for stage in pipeline.stages:
        lab.do(stage, 0.5)
    lab.carry_out(lab.runs.train(second), 0.6)
    found = details.get(second)
    assert found.uses == (
        Use(
            pipeline_id=pipeline.id,
            pipeline="chain",
            stage=2,
            stage_id=pipeline.stages[1].id,
            staleness=Staleness(stale=False, reasons=()),
            blockers=(),
        ),
    )
    assert [(each.pipeline, each.same_config) for each in found.runs] == [("", True), ("chain", True)]
    lab.experiments.update(second, configured(SFT, {"steps": 11}), seed=0)
    changed = details.get(second)
    assert [each.same_config for each in changed.runs] == [False, False]
    assert changed.uses[0].staleness.reasons == ("config changed: steps: 10 -> 11",)
    lab.pipelines.delete(pipeline.id)
    gone = details.get(second)
    assert gone.uses == ()
    assert [each.pipeline for each in gone.runs] == ["", ""]
