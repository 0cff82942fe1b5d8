"""Scoring from the views: which evaluators can be chosen, and what is shown of an evaluation (spec 7.9)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from factories import yardsticks
from factories.lab import Lab
from factories.values import PPO
from factories.yardsticks import EXACT, a_score

import pipeline_widgets as pw
from pipeline_widgets.algorithms import evaluators
from pipeline_widgets.application import Services
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.execution.launchers import LaunchedJob, LaunchRequest
from pipeline_widgets.execution.launchers.local import LocalLauncher
from pipeline_widgets.widgets.base import View
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.results import ResultsView

pytestmark = pytest.mark.spec("7.9")
Show = Callable[..., Any]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started, and no evaluator is known but those that the workspace keeps."""
    monkeypatch.setattr(evaluators, "catalogue", replace(evaluators.catalogue, defined={}))

    def submit(_: LocalLauncher, request: LaunchRequest) -> LaunchedJob:
        del request
        return LaunchedJob(id="none")

    monkeypatch.setattr(LocalLauncher, "submit", submit)


@pytest.fixture
def show(services: Services) -> Iterator[Show]:
    """Return what makes a view; all are closed in the end."""
    shown: list[View] = []

    def made(kind: type[View], *args: Any, **options: Any) -> View:
        shown.append(kind(services, *args, **options))
        return shown[-1]

    yield made
    for view in shown:
        view.close()


def ask(view: View, command: str, **args: Any) -> dict[str, Any]:
    """Send a command as the browser does, and return the answer as the browser reads it."""
    answers: list[Any] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    return json.loads(json.dumps(answers[0], allow_nan=False))


def trained(lab: Lab) -> tuple[Any, Run]:
    """Return a pipeline whose only stage has run and saved two checkpoints."""
    pipeline = lab.pipeline("SFT")
    run = lab.runs.trigger(pipeline.stages[0].id)
    lab.carry_out(run, 0.5, 0.7)
    return pipeline, run


def test_only_an_evaluator_that_accepts_the_kind_can_be_chosen(lab: Lab, show: Show) -> None:
    """Those of the workspace and of this process are listed by name, with the reason why not."""
    pipeline, run = trained(lab)
    yardsticks.keep(lab)
    pw.evaluator("walks", accepts={"policy"}, score="min")(lambda act: float(act(0)))
    view = show(PipelineView, pipeline.id)
    form = ask(view, "score_form", runs=[run.id])["result"]
    assert form["checkpoints"] == 2
    assert form["evaluators"] == [
        {"name": EXACT, "higher_is_better": True, "reason": ""},
        {
            "name": "walks",
            "higher_is_better": False,
            "reason": "'walks' scores a policy, SFT produces a language model.",
        },
    ]
    assert form["obstacle"] == ""


def test_without_an_evaluator_it_is_said_how_to_define_one(
    lab: Lab, show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to choose, and the form says so; one that scores nothing of it says why."""
    monkeypatch.setattr(evaluators, "names", tuple)  # those that are installed are left out
    pipeline, run = trained(lab)
    view = show(PipelineView, pipeline.id)
    form = ask(view, "score_form", runs=[run.id])["result"]
    assert (form["evaluators"], form["obstacle"]) == (
        [],
        "There is no evaluator. Define one in a cell, with @pw.evaluator.",
    )
    yardsticks.keep(lab, "walks", accepts="policy")
    form = ask(view, "score_form", runs=[run.id])["result"]
    assert form["obstacle"] == "'walks' scores a policy, SFT produces a language model."


def test_the_panel_shows_an_evaluation_until_it_has_succeeded(lab: Lab, show: Show) -> None:
    """How far it is, then why it failed; a later one of the same evaluator takes its place."""
    pipeline, run = trained(lab)
    yardsticks.keep(lab)
    view = show(PipelineView, pipeline.id)
    assert view.panel["run"]["evaluations"] == []
    started = ask(view, "score", evaluator=EXACT, runs=[run.id])["result"]
    assert started == {"scoring": 2, "label": "evaluation 1", "refused": [], "outdated": 0}
    (shown,) = view.panel["run"]["evaluations"]
    assert (shown["evaluator"], shown["status"], shown["error"]) == (EXACT, "Pending", None)
    assert view.refresh() is True  # it looks again soon
    job = lab.started(lab.runs.get(shown["id"]))
    lab.report(job, 1, 2)
    view.refresh()
    (shown,) = view.panel["run"]["evaluations"]
    assert (shown["status"], shown["step"], shown["total"]) == ("Running", 1, 2)
    lab.end(job, Status.FAILED, error="step 20 of run 1: no")
    assert view.refresh() is False
    (shown,) = view.panel["run"]["evaluations"]
    assert (shown["status"], shown["error"]) == ("Failed", "step 20 of run 1: no")
    ask(view, "score", evaluator=EXACT, runs=[run.id])
    (shown,) = view.panel["run"]["evaluations"]
    job = lab.started(lab.runs.get(shown["id"]))
    saved = lab.runs.checkpoints(run.id)
    lab.supervision.record(job, Batch(scored=[a_score(10, 0.25, checkpoint_id=saved[0].id)]))
    lab.end(job)
    view.refresh()
    assert view.panel["run"]["evaluations"] == []
    assert view.panel["run"]["checkpoints"][-1]["scores"] == {EXACT: 0.25}


def test_one_checkpoint_is_scored_and_what_is_scored_already_is_left(lab: Lab, show: Show) -> None:
    """A second request says what is at work already, and starts nothing."""
    _, run = trained(lab)
    yardsticks.keep(lab)
    view = show(ExperimentsView, lab.project.id)
    first, _ = lab.runs.checkpoints(run.id)
    ask(view, "expand", experiment=run.experiment_id)
    assert ask(view, "score", evaluator=EXACT, checkpoint=first.id)["result"]["scoring"] == 1
    (row,) = view.details[0]["evaluations"]
    assert (row["number"], row["status"]) == (1, "Pending")
    assert view.refresh() is True
    refused = ask(view, "score", evaluator=EXACT, experiment=run.experiment_id)["result"]
    assert refused["scoring"] == 0
    assert len(refused["refused"]) == 2
    assert "is scoring checkpoints of its experiment already: evaluation 1." in refused["refused"][0]
    ask(view, "stop_scoring", run=row["id"])
    assert view.details[0]["evaluations"][0]["status"] == "Stopped"
    assert view.refresh() is False


def test_results_show_the_evaluation_that_was_asked_for_there(lab: Lab, show: Show) -> None:
    """Until it has succeeded; what somebody else asks for is not listed there."""
    _, run = trained(lab)
    yardsticks.keep(lab)
    view = show(ResultsView, lab.project.id, chosen=(run.experiment_id,))
    assert ask(view, "score", evaluator=EXACT, runs=view.drawn)["result"]["scoring"] == 2
    (row,) = view.evaluations
    assert row["status"] == "Pending"
    job = lab.started(lab.runs.get(row["id"]))
    lab.end(job)
    view.refresh()
    assert view.evaluations == []


def test_the_evaluator_of_a_pipeline_is_chosen_by_its_view(lab: Lab, show: Show) -> None:
    """What the stages have saved is scored along; an edit that somebody else has made meanwhile is kept."""
    pipeline, run = trained(lab)
    yardsticks.keep(lab)
    yardsticks.keep(lab, "walks", accepts="policy")
    view = show(PipelineView, pipeline.id)
    form = ask(view, "score_by_form")["result"]
    assert (form["score_by"], [each["reason"] != "" for each in form["evaluators"]]) == (None, [False, True])
    done = ask(view, "score_by", evaluator=EXACT, version=form["version"], score=True)["result"]
    assert done["started"]["scoring"] == 2
    assert view.pipeline["score_by"] == EXACT
    stale = ask(view, "score_by", evaluator=None, version=form["version"])
    assert stale["error"]["kind"] == "StaleWriteError"
    refused = ask(view, "score_by", evaluator="walks", version=view.pipeline["version"])
    assert refused["error"]["what"] == "'walks' scores nothing that a stage of pipeline 'chain' makes."
    job = lab.started(lab.runs.get(view.panel["run"]["evaluations"][0]["id"]))
    lab.end(job)
    assert ask(view, "score_by", evaluator=None, version=view.pipeline["version"])["ok"]
    assert view.pipeline["score_by"] is None
    assert lab.runs.get(run.id).status == "Succeeded"


def test_an_evaluation_of_another_project_is_not_shown(lab: Lab, services: Services) -> None:
    """Only those that score any of the checkpoints in question count, and the latest of each evaluator."""
    _, run = trained(lab)
    other = lab.experiment("policy", PPO)
    service = yardsticks.keep(lab)
    yardsticks.keep(lab, "walks", accepts="policy")
    lab.carry_out(lab.runs.train(other.id), 0.5)
    (theirs,) = services.evaluations.checkpoints_of_runs([lab.runs.of_experiment(other.id)[0].id])
    assert service.start(lab.project.id, "walks", [theirs]).run is not None
    mine = [each.id for each in lab.runs.checkpoints(run.id)]
    assert services.evaluation_queries.find_open(lab.project.id, mine) == ()
    assert services.evaluation_queries.find_open(lab.project.id, ()) == ()
    (found,) = services.evaluation_queries.find_open(lab.project.id, [theirs])
    assert (found.evaluator, found.run.number) == ("walks", 1)
