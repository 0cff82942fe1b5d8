"""The table of a project's experiments (spec 9.1)."""

from __future__ import annotations

import math
from typing import Any

import pytest
from factories.lab import Lab
from factories.values import GRPO, LOSS

from pipeline_widgets.domain.run import Status
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.wiring import Services


@pytest.fixture
def view(lab: Lab, services: Services) -> ExperimentsView:
    """The experiments of the project."""
    return ExperimentsView(services, lab.project.id)


@pytest.mark.spec("9.1")
def test_a_row_shows_the_experiment_and_its_latest_run(lab: Lab, services: Services) -> None:
    """Name, algorithm, status, how often it ran, and the better end of its evaluation scores."""
    made = lab.experiment("loss", LOSS)
    for scores in ((0.5, 0.2), (0.4,)):
        lab.carry_out(lab.runs.train(made.id), *scores)
    (row,) = ExperimentsView(services, lab.project.id).experiments
    assert row == {
        "id": made.id,
        "name": "loss",
        "algorithm": "LOSS",
        "status": "Succeeded",
        "runs": 2,
        "best": 0.2,
        "modified": made.modified_at.timestamp(),
    }


def test_it_follows_what_others_do(lab: Lab, view: ExperimentsView) -> None:
    """A new experiment and a run's statuses show at the next refresh, and it asks for more while one runs."""
    assert view.experiments == []
    made = lab.experiment("sft")
    assert view.refresh() is False
    job = lab.started(lab.runs.train(made.id))
    assert view.refresh() is True
    assert [row["status"] for row in view.experiments] == ["Running"]
    lab.end(job, Status.FAILED)
    assert view.refresh() is False
    assert [row["status"] for row in view.experiments] == ["Failed"]


def test_one_change_sends_one_row(lab: Lab, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four experiments the one that has changed goes down, and nothing where nothing has."""
    made = [lab.experiment(f"e{at}", GRPO) for at in range(4)]
    view = ExperimentsView(services, lab.project.id)
    sent: list[Any] = []
    monkeypatch.setattr(view.comm, "publish_msg", lambda *_, **message: sent.append(message["data"]))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    view.refresh()
    assert sent == []
    lab.runs.train(made[2].id)
    view.refresh()
    assert [message["content"]["patch"] for message in sent] == ["experiments"]
    assert [row["name"] for row in sent[0]["content"]["rows"]] == ["e2"]


def test_a_score_that_is_no_number_is_left_out(lab: Lab, services: Services) -> None:
    """JSON knows no NaN, and the table says N/A then."""
    made = lab.experiment("sft")
    lab.carry_out(lab.runs.train(made.id), math.nan)
    assert ExperimentsView(services, lab.project.id).experiments[0]["best"] is None


@pytest.mark.spec("4.7")
def test_without_a_kernel_the_table_stays(lab: Lab, services: Services) -> None:
    """The picture and the text have the rows, and a name is text."""
    lab.experiment("<b>sft</b>")
    view = ExperimentsView(services, lab.project.id)
    html = view.static_html()
    assert "&lt;b&gt;sft&lt;/b&gt;" in html
    assert "<b>" not in html
    assert "Draft" in html
    assert "<b>sft</b>" in view.static_text()
