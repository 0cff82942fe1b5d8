"""Steps and curves as they go down to the browser (spec 9.3)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, cast

import pytest
from factories.lab import Lab
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.application import Services
from pipeline_widgets.domain.stage_settings import choice_from_text
from pipeline_widgets.widgets.agents import AgentsView
from pipeline_widgets.widgets.base import View
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.results import ResultsView
from pipeline_widgets.widgets.steps import EXACT, points_down, step_down, step_up

LARGEST = 2**63 - 1
STEPS = st.integers(0, LARGEST)
VALUES = st.floats(allow_nan=False, allow_infinity=False)


@given(STEPS)
def test_a_step_goes_down_and_comes_back_as_it_was(step: int) -> None:
    """Through JSON, and through JavaScript, which reads every number as a double."""
    down = json.loads(json.dumps(step_down(step)), parse_int=lambda text: int(float(text)))
    assert step_up(down) == step
    assert choice_from_text(down) == step


def test_what_javascript_holds_stays_a_number() -> None:
    """Up to 2**53 - 1; words for a choice stay words."""
    assert [step_down(each) for each in (0, EXACT, EXACT + 1)] == [0, EXACT, str(EXACT + 1)]
    assert [choice_from_text(each) for each in ("best", "final", 7)] == ["best", "final", 7]


@given(st.lists(VALUES, min_size=2, max_size=20))
def test_values_that_differ_are_not_drawn_as_a_flat_line(values: list[float]) -> None:
    """The lowest and the highest value of a curve stay apart, and each stays as near as one can see."""
    drawn = [value for _, value in points_down(enumerate(values)) if value is not None]
    assert all(map(math.isfinite, drawn))
    assert (min(drawn) < max(drawn)) == (min(values) < max(values))


def _too_large(value: Any) -> Iterator[int]:
    """Yield the integers within a value that JavaScript would round."""
    if isinstance(value, dict):
        yield from _too_large([*cast("dict[str, Any]", value).values()])
    elif isinstance(value, list | tuple):
        for each in cast("list[Any]", value):
            yield from _too_large(each)
    elif isinstance(value, int) and abs(value) > EXACT:
        yield value


@pytest.fixture
def chain(lab: Lab) -> Any:
    """A chain whose stages ran to the largest step, and whose first one runs again and is about there."""
    made = lab.pipeline("SFT", "DPO", "deploy")
    for stage in made.stages[:2]:
        job = lab.started(lab.runs.trigger(stage.id))
        for step in (LARGEST - 1, LARGEST):
            lab.report(job, step, LARGEST, loss=0.5, evaluation_score=0.5)
            lab.save(job, step, 0.5, training=0.25)
        lab.end(job)
    deployed = lab.started(lab.runs.trigger(made.stages[2].id))
    lab.end(deployed)
    again = lab.started(lab.runs.trigger(made.stages[0].id))
    lab.report(again, LARGEST - 1, LARGEST, loss=0.5)
    lab.save(again, LARGEST - 1, 0.5)
    return made


def test_no_step_that_javascript_would_round_goes_down(lab: Lab, services: Services, chain: Any) -> None:
    """Not as a trait, not as an answer, whatever is opened."""
    first, second, _ = chain.stages
    experiment = chain.experiment_ids[0]
    pipeline, agents = PipelineView(services, chain.id), AgentsView(services)
    experiments, results = ExperimentsView(services, lab.project.id), ResultsView(services, lab.project.id)
    (agent,) = [each["id"] for each in agents.rows]
    results.choose(chain.experiment_ids)
    asked: list[Any] = [pipeline.do_form(first.id), pipeline.do_form(second.id), pipeline.do_plan(second.id)]
    pipeline.do_select(first.id)
    asked += [
        experiments.do_expand(experiment),
        experiments.do_resume_form(experiment),
        agents.do_expand(agent),
    ]
    asked += [agents.do_sources(), agents.do_offer(experiment), experiments.do_clean_up_form("best")]
    asked += [results.do_look("loss", (str(LARGEST - 1), str(LARGEST)))]
    views: list[View] = [pipeline, agents, experiments, results]
    for view in views:
        view.refresh()
        state = cast("dict[str, Any]", view.get_state())
        asked.append([value for name, value in state.items() if name not in {"_esm", "code"}])
    assert [*_too_large(asked)] == []
    assert json.dumps(asked, default=str).count(f'"{LARGEST}"') > 10


@pytest.mark.spec("5.5")
def test_a_checkpoint_of_a_large_step_is_chosen_as_text(lab: Lab, services: Services) -> None:
    """Of neighbours that JavaScript cannot tell apart, the stage starts from the one that was chosen."""
    made = lab.pipeline("SFT", "DPO")
    job = lab.started(lab.runs.trigger(made.stages[0].id))
    for step in (LARGEST - 2, LARGEST - 1, LARGEST):
        lab.save(job, step, 0.5)
    lab.end(job)
    view, stage = PipelineView(services, made.id), made.stages[1].id
    settings = {**view.do_form(stage)["settings"], "start": str(LARGEST - 1)}
    view.do_edit(stage, settings, view.pipeline["version"])
    assert view.do_form(stage)["settings"]["start"] == str(LARGEST - 1)
    assert str(services.pipelines.get(made.id).stages[1]).count(f"choice={LARGEST - 1}") == 1
