"""Freeing checkpoints from the Experiments tab (spec 8.4, 10.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from factories.lab import Lab

from pipeline_widgets.application import Services
from pipeline_widgets.widgets.clean_up import LISTED
from pipeline_widgets.widgets.experiments import ExperimentsView

pytestmark = pytest.mark.spec("8.4", "10.1")


@pytest.fixture
def view(lab: Lab, services: Services) -> Iterator[ExperimentsView]:
    """The experiments of the project: one with a run of three checkpoints, the second is the best."""
    lab.carry_out(lab.runs.train(lab.experiment("sft").id), 0.1, 0.9, 0.5)
    made = ExperimentsView(services, lab.project.id)
    yield made
    made.close()


def ask(view: ExperimentsView, command: str, **args: Any) -> dict[str, Any]:
    """Send a command as the browser does, and return the answer."""
    answers: list[Any] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    return answers[0]


def steps(lab: Lab) -> list[int]:
    """Return the steps of the checkpoints that are on disk."""
    with lab.store.read() as work:
        runs = {run.id for run in work.runs.of_project(lab.project.id)}
        saved = work.checkpoints.of_runs(runs)
    return sorted(each.step for each in saved if Path(each.path).is_dir())


def test_the_preview_says_what_goes_and_why_the_rest_stays(lab: Lab, view: ExperimentsView) -> None:
    """By experiment, in checkpoints and bytes; nothing is deleted by it."""
    size = lab.runs.checkpoints(1)[0].size
    answer = ask(view, "clean_up_form", keep="best+final")["result"]
    whole = {"checkpoints": 3, "size": 3 * size, "freed": 1, "freed_size": size}
    assert answer["all"] == {"experiment": "", **whole}
    assert answer["experiments"] == [{"experiment": "sft", **whole}]
    assert [(each["step"], each["reasons"]) for each in answer["kept"]] == [
        (20, ["best of run 1"]),
        (30, ["final of run 1"]),
    ]
    assert steps(lab) == [10, 20, 30]
    assert ask(view, "clean_up_form", keep="best")["result"]["all"]["freed"] == 2


def test_only_what_was_previewed_goes(lab: Lab, view: ExperimentsView) -> None:
    """What another run has saved since then stays, although the rule would free it."""
    ask(view, "clean_up_form", keep="best+final")
    lab.carry_out(lab.runs.train(lab.experiment("late").id), 0.1, 0.9, 0.5)
    answer = ask(view, "clean_up", keep="best+final")["result"]
    assert (answer["freed"], steps(lab)) == (1, [10, 20, 20, 30, 30])
    assert next(row["checkpoints"] for row in view.rows if row["name"] == "sft") == 2


def test_without_a_preview_nothing_goes(lab: Lab, view: ExperimentsView) -> None:
    """A browser that asks for the deed alone gets nothing deleted."""
    assert ask(view, "clean_up", keep="best")["result"]["freed"] == 0
    assert steps(lab) == [10, 20, 30]


def test_an_unknown_option_is_refused(view: ExperimentsView) -> None:
    """With the options that there are."""
    assert "best+final" in ask(view, "clean_up_form", keep="none")["error"]["fix"]


def test_long_lists_are_cut_and_counted(lab: Lab, view: ExperimentsView) -> None:
    """A table holds so many rows, and says how many more there are."""
    lab.carry_out(lab.runs.train(lab.experiment("long").id), *(0.1 for _ in range(LISTED)))
    kept = ask(view, "clean_up_form", keep="all")["result"]
    assert (len(kept["kept"]), kept["more_kept"]) == (LISTED, 3)
