"""Evaluators and scores as rows, on both databases (spec 7.9)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.evaluator import EvaluatorDeclaration, EvaluatorSpec
from pipeline_widgets.errors import EvaluatorNotFoundError
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store

pytestmark = pytest.mark.spec("7.9", "11.1")


@pytest.fixture
def store(any_url: str, tmp_path: Path) -> Any:
    """A workspace on either database."""
    opened = open_store(Database(any_url), tmp_path / "artifacts")
    yield opened
    opened.database.close()


def declared(path: str = "nowhere:exact", accepts: str = "lm") -> EvaluatorDeclaration:
    """Return an evaluator that can be imported from there."""
    spec = EvaluatorSpec(name="exact", accepts=frozenset({accepts}), score="min", takes="folder")
    return EvaluatorDeclaration(spec=spec, reference=AlgorithmReference(path=path, root="/home"))


def test_one_name_is_one_evaluator(store: Store) -> None:
    """Keeping it again replaces declaration and code, and makes no second one."""
    for each in (declared(), declared(), declared("elsewhere:exact", "policy")):
        with store.write() as work:
            work.evaluators.keep(each)
    with store.read() as work:
        assert work.evaluators.all() == (declared(accepts="policy").spec,)
        assert work.evaluators.reference("exact").path == "elsewhere:exact"
        kept = work.evaluators.get("exact")
        assert (kept.python, kept.is_by_value) == (None, False)
        with pytest.raises(EvaluatorNotFoundError):
            work.evaluators.reference("other")


def test_a_score_replaces_the_one_before(store: Store) -> None:
    """One for each checkpoint and evaluator; what is not finite comes back as it was."""
    with store.write() as work:
        project = work.projects.add("p", advanced_training=True)
        common: dict[str, Any] = {"project_id": project.id, "seed": 0, "signature": {}, "revision": 1}
        runs = [work.runs.add(kind="evaluation", config={}, **common) for _ in range(2)]
        assert [run.number for run in runs] == [1, 2]
        values: dict[str, Any] = {"evaluator": "exact", "code": "c", "run_id": runs[1].id, "spread": 0.5}
        values |= {"saved_by": runs[0].id, "checkpoint_id": 7, "step": 2**40}
        work.evaluators.put_score(value=0.25, metrics={}, **values)
        work.evaluators.put_score(value=math.nan, metrics={"length": math.inf}, **values)
        work.evaluators.put_score(value=-math.inf, metrics={}, **{**values, "evaluator": "other"})
    with store.read() as work:
        first, second = work.evaluators.scores_of_checkpoints([7])
        assert (first.evaluator, first.step, first.spread) == ("exact", 2**40, 0.5)
        assert math.isnan(first.value)
        assert first.metrics == {"length": math.inf}
        assert (second.evaluator, second.value) == ("other", -math.inf)
        assert work.evaluators.scores_of_runs([runs[0].id]) == (first, second) or math.isnan(first.value)
        assert work.evaluators.codes("exact", [7, 8]) == {7: "c"}
        assert work.runs.active_evaluations() == work.runs.evaluations(project.id) == tuple(runs)


def test_the_latest_evaluations_of_a_project_come_first(store: Store) -> None:
    """As many as were asked for, and none of another project or kind."""
    with store.write() as work:
        projects = [work.projects.add(name, advanced_training=True) for name in ("one", "other")]
        common: dict[str, Any] = {"config": {}, "seed": 0, "signature": {}, "revision": 1}
        for project in (*projects, projects[0], projects[0]):
            work.runs.add(kind="evaluation", project_id=project.id, **common)
        work.runs.add(kind="deployment", project_id=projects[0].id, **common)
    with store.read() as work:
        found = [work.runs.latest_evaluations(project.id, 2) for project in projects]
    assert [[run.number for run in runs] for runs in found] == [[3, 2], [1]]
