"""Code that is kept by value runs under the Python that made it, and nowhere else (case 6)."""

from __future__ import annotations

import pytest
from factories.lab import Lab
from sqlalchemy import update

from pipeline_widgets.domain.python_version import HERE, foreign_fix, foreign_reason
from pipeline_widgets.errors import AlgorithmNotFoundError, TriggerError
from pipeline_widgets.persistence import schema
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.services.queries.experiment_list import ExperimentListQueries

WORDS = "It was defined under Python 2.7; this is "


def of_another_python(lab: Lab, name: str, python: str | None = "cpython 2.7") -> None:
    """Let the algorithm of that name be one that another Python has kept."""
    with lab.store.write() as work:
        changed = update(schema.algorithms).where(schema.algorithms.c.name == name)
        work.connection.execute(changed.values(python=python))


@pytest.mark.parametrize(
    ("python", "here", "reason"),
    [
        ("cpython 3.11", "cpython 3.12", "It was defined under Python 3.11; this is Python 3.12."),
        ("cpython 3.13", "cpython 3.11", "It was defined under Python 3.13; this is Python 3.11."),
        ("pypy 3.11", "cpython 3.11", "It was defined under pypy 3.11; this is Python 3.11."),
        ("cpython 3.11", "cpython 3.11", None),
        (None, "cpython 3.11", None),
    ],
)
def test_case_6_another_python_is_named(python: str | None, here: str, reason: str | None) -> None:
    """Another minor version or another implementation cannot run the code; what is unknown is tried."""
    assert foreign_reason(python, here) == reason
    assert foreign_fix("cpython 3.11") == "Define it again with @pw.algorithm, or use Python 3.11."


@pytest.mark.spec("5.12", "6.1", "6.4")
def test_case_6_a_stage_of_another_python_is_refused_before_it_starts(lab: Lab) -> None:
    """Its check, its plan, its button, its trigger and its training all say why, and no run is made."""
    pipe = lab.pipeline("SFT")
    (stage,) = pipe.stages
    of_another_python(lab, "SFT")
    assert WORDS in str(lab.runs.check(pipe.id)[0])
    assert WORDS in str(lab.runs.plan(stage.id))
    assert WORDS in lab.states.pipeline(pipe.id).stages[0].blockers[0]
    (experiment,) = lab.experiments.of_project(lab.project.id)
    for act in (lambda: lab.runs.trigger(stage.id), lambda: lab.runs.train(experiment.id)):
        with pytest.raises(TriggerError, match=WORDS) as refused:
            act()
        assert refused.value.fix == "Define it again with @pw.algorithm, or use Python 2.7."
    row = ExperimentListQueries(lab.store).page(lab.project.id).rows[0]
    assert row.blockers.train.startswith(WORDS)
    assert lab.runs.of_experiment(experiment.id) == ()


def test_case_6_the_same_or_an_unknown_python_is_tried(lab: Lab) -> None:
    """What former versions kept has no Python, and is not refused."""
    pipe = lab.pipeline("SFT")
    for python in (HERE, None):
        of_another_python(lab, "SFT", python)
        assert lab.states.pipeline(pipe.id).stages[0].blockers == ()


def test_case_6_an_algorithm_that_this_process_has_is_no_obstacle(lab: Lab) -> None:
    """A trigger will use that one."""
    pipe = lab.pipeline("SFT")
    of_another_python(lab, "SFT")
    object.__setattr__(lab.store, "defines", "SFT".__eq__)
    assert lab.states.pipeline(pipe.id).stages[0].blockers == ()
    assert lab.runs.check(pipe.id) == ()


@pytest.mark.spec("6.7")
def test_case_6_an_auto_stage_of_another_python_is_held(lab: Lab) -> None:
    """The stage before it succeeds; it is held with the reason."""
    pipe = lab.pipeline("SFT", "DPO", trigger="auto")
    of_another_python(lab, "DPO")
    lab.do(pipe.stages[0], 0.5)
    assert WORDS in (lab.states.pipeline(pipe.id).stages[1].held or "")


def test_case_6_an_agent_of_another_python_is_not_connected(lab: Lab) -> None:
    """No process is started that could not open it."""
    pipe = lab.pipeline("SFT")
    run = lab.do(pipe.stages[0], 0.5)
    (checkpoint,) = lab.runs.checkpoints(run.id)
    agent = lab.agents.create("an agent", checkpoint.id)
    of_another_python(lab, "SFT")
    with pytest.raises(AlgorithmNotFoundError, match=WORDS):
        EndpointService(lab.store).connect(agent.id)
