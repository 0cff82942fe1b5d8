"""Evaluators and their scores, as a user declares and reads them (spec 7.9)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from factories.lab import Lab
from factories.yardsticks import a_score, train

import pipeline_widgets as pw
from pipeline_widgets.algorithms import evaluators
from pipeline_widgets.domain.batch import Batch

pytestmark = pytest.mark.spec("7.9")


@pytest.fixture(autouse=True)
def _evaluators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluators that are defined for one test."""
    monkeypatch.setattr(evaluators, "catalogue", replace(evaluators.catalogue, defined={}))


@pytest.fixture
def exact() -> pw.Evaluator:
    """An evaluator of a module, for language models."""
    return pw.evaluator("exact answers", accepts={"lm"})(lambda answer: answer("dbca") == "abcd")


def carry_out(supervisor: Lab, evaluation: pw.EvaluationRun, *values: float) -> None:
    """Play the process of an evaluation: give what it scores these values, in order."""
    assert evaluation.run is not None
    job = supervisor.started(supervisor.runs.get(evaluation.run._id))
    assert job.scoring is not None
    told = [
        a_score(each.checkpoint.step, value, checkpoint_id=each.checkpoint.id, name=evaluation.evaluator)
        for each, value in zip(job.scoring.targets, values, strict=True)
    ]
    supervisor.supervision.record(job, Batch(scored=told))
    supervisor.end(job)


# ---- declaring


def number(value: Any) -> float:
    """Return a number as a user's library might."""
    return value


@pytest.mark.parametrize(
    ("result", "wanted"),
    [
        (1, pw.Evaluation(1.0)),
        (np.float32(0.5), pw.Evaluation(0.5)),
        ((0.5, np.array(0.25)), pw.Evaluation(0.5, 0.25)),
        (pw.Evaluation(1, 2, {"length": cast("Any", np.int64(3))}), pw.Evaluation(1.0, 2.0, {"length": 3.0})),
        (-math.inf, pw.Evaluation(-math.inf)),
    ],
)
def test_an_evaluator_returns_a_number_a_pair_or_an_evaluation(result: Any, wanted: pw.Evaluation) -> None:
    """Numbers of other libraries are welcome; what comes out is Python's own."""
    made = pw.evaluator("any", accepts="any", takes="folder")(lambda _: result)
    assert made(Path()) == wanted
    assert type(made(Path()).score) is float


@pytest.mark.parametrize("result", [None, "0.9", True, [1.0, 2.0, 3.0], (1.0, None), {"score": 1.0}])
def test_anything_else_is_no_score(result: Any) -> None:
    """It is said what came, and what to return."""
    made = pw.evaluator("any", accepts="any", takes="folder")(lambda _: result)
    with pytest.raises(pw.ConfigError, match="'any' returned no score") as refused:
        made(Path())
    assert "Return a number" in refused.value.fix


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"accepts": set[str]()}, "accepts"),
        ({"accepts": 3}, "accepts"),
        ({"accepts": [3]}, "accepts"),
        ({"accepts": "lm", "score": "accuracy"}, '"max" if a higher score is better'),
        ({"accepts": "lm", "takes": "model"}, '"predictor" or "folder"'),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    """The argument is named, and what it takes."""
    with pytest.raises(pw.ConfigError, match=r"@pw\.evaluator cannot use") as refused:
        pw.evaluator("x", **given)
    assert said in str(refused.value)


def test_a_name_is_a_name() -> None:
    """An empty one is refused, and spaces around it are nothing."""
    with pytest.raises(pw.ConfigError, match="Enter a name for the evaluator"):
        pw.evaluator("  ", accepts="lm")
    assert pw.evaluator(" exact ", accepts="lm")(number).spec.name == "exact"


def test_one_that_asks_needs_a_predictor(tmp_path: Path) -> None:
    """An algorithm without predict= is named, with the way out."""
    from pipeline_widgets.algorithms import registry  # noqa: PLC0415  after the fixture has defined them

    made = pw.evaluator("asks", accepts="any")(lambda ask: ask("?"))
    with pytest.raises(pw.ConfigError, match="'asks' asks checkpoints for answers, and Walk has no predict="):
        made.score(tmp_path, registry.find("Walk"))


# ---- project.evaluate


def test_a_project_scores_what_is_missing(
    project: pw.Project, finish: Any, supervisor: Lab, exact: pw.Evaluator, launched: list[int]
) -> None:
    """One process for all checkpoints; the handle tells status and scores, and a second one finds them."""
    run = finish(project.create_experiment("imitate", algorithm="Imitate").train(), 0.1, 0.2)
    evaluation = project.evaluate(exact)
    assert launched[-1:] == [evaluation.run and evaluation.run._id]
    assert (evaluation.status, evaluation.evaluator) == ("Pending", "exact answers")
    carry_out(supervisor, evaluation, 0.5, 0.75)
    assert evaluation.wait(1).status == "Succeeded"
    assert evaluation.scores.to_dict("records") == [
        {"experiment": "imitate", "run": 1, "step": 10, "score": 0.5, "spread": 0.01, "n": 4.0},
        {"experiment": "imitate", "run": 1, "step": 20, "score": 0.75, "spread": 0.01, "n": 4.0},
    ]
    assert [each.scores for each in run.checkpoints] == [{"exact answers": 0.5}, {"exact answers": 0.75}]
    again = project.evaluate("exact answers", runs=run)
    assert (again.run, again.status, again.error, again.log) == (None, "Succeeded", None, "")
    assert again.scores["score"].tolist() == [0.5, 0.75]
    assert repr(again) == "EvaluationRun('exact answers', status='Succeeded')"
    assert project.evaluations.df["number"].tolist() == [1]
    last = project.evaluate("exact answers", checkpoints=run.checkpoints[0], again=True)
    last.stop()
    assert last.status == "Stopped"


def test_what_is_chosen_is_what_is_scored(
    project: pw.Project, pipe: pw.Pipeline, finish: Any, exact: pw.Evaluator
) -> None:
    """Checkpoints, runs, or what the stages of a pipeline offer; in one way at a time."""
    first = finish(pipe.stages[0].trigger(), 0.1, 0.2)
    second = finish(pipe.stages[0].trigger(), 0.3)
    finish(pipe.stages[1].trigger(), 0.4)

    def count(**options: Any) -> int:
        evaluation = project.evaluate(exact, **options)
        evaluation.stop()
        assert evaluation.run is not None
        return len(evaluation.run.config["checkpoints"])

    assert count() == 4
    assert count(runs=[first, second]) == 3
    assert count(checkpoints=list(first.checkpoints)) == 2
    assert count(pipeline=pipe) == 2  # of the latest success of each stage
    with pytest.raises(pw.ConfigError, match="in one way at a time"):
        project.evaluate(exact, runs=first, pipeline=pipe)
    with pytest.raises(pw.ForeignError, match="This takes a Run"):
        project.evaluate(exact, runs="first")  # pyright: ignore[reportArgumentType]  users pass anything


def test_what_nobody_has_is_named(project: pw.Project, pipe: pw.Pipeline) -> None:
    """A name without an evaluator, and what is none."""
    with pytest.raises(pw.EvaluatorNotFoundError, match="'taste'"):
        project.evaluate("taste")
    with pytest.raises(pw.EvaluatorNotFoundError, match="'taste'"):
        pipe.score_by("taste")
    with pytest.raises(pw.EvaluatorNotFoundError, match="is not an evaluator"):
        project.evaluate(number)  # pyright: ignore[reportArgumentType]  users pass anything


def test_the_one_that_ships_is_found_by_its_entry_point(project: pw.Project, pipe: pw.Pipeline) -> None:
    """Nobody has to define "exact answers" for the letters."""
    pipe.score_by("exact answers")
    assert pipe.evaluator == "exact answers"
    assert evaluators.find("exact answers").reference.path == (
        "pipeline_widgets.trainers.numpy.exact_answers:exact_answers"
    )
    assert "@pw.evaluator" not in pipe.to_python()
    assert project.import_pipeline(pipe.to_yaml(), name="again").evaluator == "exact answers"


@pytest.mark.spec("10.2")
def test_the_code_says_which_cell_to_run_first(pipe: pw.Pipeline, exact: pw.Evaluator) -> None:
    """Who rebuilds a pipeline elsewhere needs the evaluator of the notebook."""
    pipe.score_by(exact)
    assert '# Run the cell first that defines this evaluator with @pw.evaluator: "exact answers"' in (
        pipe.to_python()
    )


# ---- Results


@pytest.mark.spec("9.3")
def test_results_have_a_column_for_each_evaluator(
    project: pw.Project, pipe: pw.Pipeline, finish: Any, supervisor: Lab, exact: pw.Evaluator
) -> None:
    """The best of each run by its direction, beside what the algorithms report; and a frame of all scores."""
    pipe.score_by(exact)
    train(supervisor, supervisor.runs.get(pipe.stages[0].trigger()._id), [0.9, 0.8], [0.25, 0.5])
    train(supervisor, supervisor.runs.get(pipe.stages[1].trigger()._id), [0.1], [0.75])
    walk = finish(project.create_experiment("walk", algorithm="Walk").train(), 1.0)
    steps = pw.evaluator("steps", accepts={"any"}, score="min", takes="folder")(number)
    carry_out(supervisor, project.evaluate(steps), 20.0, 10.0, 30.0, 5.0)

    compared = project.compare()
    table = compared.runs.set_index("experiment")
    assert table["score by exact answers"].dropna().to_dict() == {"imitate": 0.5, "refine": 0.75}
    assert table["score by steps"].to_dict() == {"imitate": 10.0, "refine": 30.0, "walk": 5.0}
    frame = compared.scores
    assert list(frame.columns) == ["experiment", "run", "step", "evaluator", "score", "spread"]
    assert frame.query("evaluator == 'exact answers'")["score"].tolist() == [0.25, 0.5, 0.75]
    assert "score by steps" in project.compare(walk).runs.columns
    assert "score by exact answers" not in project.compare(walk).runs.columns
    with pytest.raises(pw.RuleError, match="Only runs that train can be compared"):
        project.compare(project.evaluations[0])


def test_plans_and_stages_say_by_what_they_go(
    pipe: pw.Pipeline, supervisor: Lab, exact: pw.Evaluator
) -> None:
    """The plan names the evaluator; a stage shows its best score by it; nothing is left to guess."""
    pipe.score_by(exact)
    assert "No checkpoint" not in str(pipe.stages[0].plan())
    train(supervisor, supervisor.runs.get(pipe.stages[0].trigger()._id), [0.9, 0.8], [0.25, 0.5])
    assert "best by 'exact answers': 0.5, step 20" in str(pipe.stages[1].plan())
    assert "Best and gates go by scores by 'exact answers' now." in [each.what for each in pipe.history]
    pipe.undo()
    assert pipe.evaluator is None
    assert "best evaluation score 0.9, step 10" in str(pipe.stages[1].plan())
