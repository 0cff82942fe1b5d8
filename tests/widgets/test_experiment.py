"""One experiment by itself: what it shows, and how it answers (spec 2.6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trainers
from factories.lab import Lab
from statements import queries, sent

from pipeline_widgets.application import Services
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.widgets.experiment import ExperimentView

pytestmark = pytest.mark.spec("2.6")


@pytest.fixture
def counter(lab: Lab) -> Experiment:
    """An experiment that has run, of two."""
    lab.experiment("other")
    made = lab.experiments.create(lab.project.id, "counter", trainers.counter.configure({}), seed=0)
    job = lab.started(lab.runs.train(made.id))
    for step, score in ((10, 0.1), (20, 0.9), (30, 0.5)):
        lab.report(job, step, evaluation_score=score)
        lab.save(job, step, score)
    lab.end(job)
    return made


@pytest.fixture
def view(services: Services, counter: Experiment) -> ExperimentView:
    """The view of that experiment."""
    return ExperimentView(services, counter.id)


def ask(view: ExperimentView, command: str, **args: Any) -> dict[str, Any]:
    """Send a command as the browser does, and return the answer as the browser reads it."""
    answers: list[Any] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return json.loads(json.dumps(answer, allow_nan=False))


def test_it_shows_the_one_experiment_with_all_that_its_row_expands_to(
    view: ExperimentView, lab: Lab, counter: Experiment
) -> None:
    """Config, runs, curves, checkpoints with the best first, and the end of the log."""
    (row,), (detail,) = view.rows, view.details
    assert (row["name"], row["status"], row["runs"]) == ("counter", "Succeeded", 1)
    assert detail["metrics"] == ["evaluation_score"]
    assert [curve["name"] for curve in detail["curves"]] == ["evaluation_score"]
    assert [each["step"] for each in detail["checkpoints"]][:2] == [20, 30]
    assert {each["name"] for each in detail["config"]} >= {"steps", "pause"}
    run = lab.runs.latest_of_experiment(counter.id)
    assert run is not None
    log = lab.store.log_path(run.id)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("step 1\nstep 2\n")
    view.page_shown()
    assert view.details[0]["run"]["log"] == "step 1\nstep 2"
    lab.experiment("a third")
    view.refresh()
    assert [each["name"] for each in view.rows] == ["counter"]


def test_a_refresh_at_rest_is_one_statement(view: ExperimentView) -> None:
    """Nothing is read but the revision, and what is shown stays."""
    before: Any = view
    shown = before.get_state()
    with sent(view._services.store) as statements:
        assert not view.refresh()
    assert len(queries(statements)) == 1
    assert view.get_state() == shown


def test_what_is_made_of_it_can_be_shown_in_its_place(
    view: ExperimentView, lab: Lab, counter: Experiment
) -> None:
    """A copy is made, and the experiment stays until the other one is asked for."""
    copy = ask(view, "duplicate", experiment=counter.id)["result"]
    assert [row["name"] for row in view.rows] == ["counter"]
    assert ask(view, "show", experiment=copy["id"])["ok"]
    assert [(row["name"], row["status"]) for row in view.rows] == [("counter (copy)", "Draft")]
    assert [detail["id"] for detail in view.details] == [copy["id"]]
    assert "Experiment counter (copy)" in view.static_html()
    lab.experiments.delete(copy["id"])
    view.refresh()
    assert (view.rows, view.details) == ([], [])
    assert "A deleted experiment" in view.static_html()


def test_results_stand_below_until_they_are_closed(view: ExperimentView, counter: Experiment) -> None:
    """They begin with the experiment, and nothing of them stays in the kernel after that."""
    assert ask(view, "results", experiment=counter.id)["ok"]
    results = view.compared
    assert results.title == "Results of counter"
    assert ask(view, "close_results")["ok"]
    assert (view.compared, results.comm) == (None, None)
    assert ask(view, "results", experiment=counter.id)["ok"]
    held = [view, view.line, view.compared]
    view.close()
    assert all(each.comm is None for each in held)


def test_an_error_is_told_with_the_run(view: ExperimentView, lab: Lab, counter: Experiment) -> None:
    """The status is that of the latest run, whose error and curves are shown."""
    lab.carry_out(lab.runs.train(counter.id), status=Status.FAILED)
    view.refresh()
    assert view.rows[0]["status"] == "Failed"
    assert (view.details[0]["run"]["number"], view.details[0]["run"]["error"]) == (2, "It broke.")


def test_an_experiment_that_is_gone_has_no_view(services: Services, lab: Lab) -> None:
    """The error is that of any handle."""
    gone = lab.experiment("gone")
    lab.experiments.delete(gone.id)
    with pytest.raises(NotFoundError, match="There is no such experiment"):
        ExperimentView(services, gone.id)


@pytest.mark.spec("9.3")
def test_the_lineage_of_its_run_leads_to_other_experiments(
    view: ExperimentView, lab: Lab, counter: Experiment
) -> None:
    """A relative is shown in its own experiment, in place of this one; not one of another project."""
    first, second = lab.pipeline("SFT", "GRPO").stages
    runs = [lab.do(first, 0.5), lab.do(second, 0.6)]
    for run in runs:
        ask(view, "show_run", experiment=run.experiment_id, run=run.id)
        assert (view.rows[0]["id"], view.details[0]["run"]["id"]) == (run.experiment_id, run.id)
    told = ask(view, "lineage", run=runs[1].id)["result"]
    assert [each["experiment"] for each in told["nodes"]] == [run.experiment_id for run in runs]
    elsewhere = lab.projects.create("Other", advanced_training=True)
    with_other = ExperimentView(
        view._services,
        lab.experiments.create(elsewhere.id, "else", trainers.counter.configure({}), seed=0).id,
    )
    assert ask(with_other, "show_run", experiment=counter.id, run=1)["error"]["kind"] == "NotFoundError"
