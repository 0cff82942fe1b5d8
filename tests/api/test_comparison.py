"""Comparing experiments and runs, and following checkpoints, in Python (spec 9.3, 10.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

import pipeline_widgets as pw
from pipeline_widgets.errors import ForeignError, NotFoundError, RuleError

pytestmark = pytest.mark.spec("9.3", "10.1")


@pytest.fixture
def ran(project: pw.Project, pipe: pw.Pipeline, finish: Any) -> pw.Pipeline:
    """The chain, whose first stage ran twice with another number of steps."""
    finish(pipe.stages[0].trigger(), 0.1, 0.3)
    project.experiments["imitate"].update(config={"steps": 20}, seed=3)
    finish(pipe.stages[0].trigger(), 0.2)
    finish(pipe.stages[1].trigger(), 0.5)
    finish(pipe.stages[2].trigger())
    return pipe


def test_all_runs_of_all_experiments_by_default(project: pw.Project, ran: pw.Pipeline) -> None:
    """A row each, as the table of Results has it."""
    frame = project.compare().runs
    assert list(zip(frame["experiment"], frame["run"], frame["evaluation_score"], strict=True)) == [
        ("imitate", 1, 0.3),
        ("imitate", 2, 0.2),
        ("refine", 1, 0.5),
    ]
    assert set(frame["status"]) == {"Succeeded"}


def test_experiments_and_single_runs_are_mixed(project: pw.Project, ran: pw.Pipeline) -> None:
    """By name, as an experiment, or as a run, of which only that one is taken."""
    first = project.experiments["imitate"].runs[0]
    compared = project.compare(first, "refine")
    assert list(compared.runs["run"]) == [1, 1]
    assert list(project.compare(project.experiments["refine"]).runs["experiment"]) == ["refine"]


def test_what_differs_in_the_configs(project: pw.Project, ran: pw.Pipeline) -> None:
    """As each run was triggered, not as the experiment is now."""
    differences = project.compare("imitate").differences
    assert list(differences.columns) == ["imitate run 1", "imitate run 2"]
    assert {name: list(row) for name, row in differences.iterrows()} == {"seed": [0, 3], "steps": [10, 20]}
    whole = project.compare("imitate").config
    recorded = {"code", "commit"}  # a commit only where the tests run from a repository
    assert set(whole.index) - recorded == {"algorithm", "starts from", "seed", "steps", "base"}
    assert "code" in whole.index
    assert list(project.compare("imitate", "refine").config.loc["starts from"]) == [
        "scratch",
        "scratch",
        "imitate, run 2, step 10",
    ]


def test_the_metrics_are_those_of_results(project: pw.Project, pipe: pw.Pipeline, supervisor: Any) -> None:
    """The same frame by both roads."""
    job = supervisor.started(supervisor.runs.get(pipe.stages[0].trigger()._id))
    supervisor.report(job, 1, loss=0.5, aux=1.0)
    pd.testing.assert_frame_equal(project.compare("imitate").metrics, project.results(["imitate"]))


def test_what_cannot_be_compared_is_refused(
    ws: pw.Workspace, project: pw.Project, ran: pw.Pipeline, open_workspace: Callable[..., pw.Workspace]
) -> None:
    """Of another project, of another workspace, a deployment, or of no such name."""
    other = ws.create_project("Other", advanced_training=False)
    theirs = other.create_experiment("theirs", algorithm="Imitate")
    with pytest.raises(ForeignError, match="belongs to another project"):
        project.compare(theirs)
    elsewhere = open_workspace("elsewhere").create_project("Letters", advanced_training=False)
    with pytest.raises(ForeignError, match="belongs to another workspace"):
        project.compare(elsewhere.create_experiment("far", algorithm="Imitate"))
    deployed = ran.stages[2].run
    assert deployed is not None
    with pytest.raises(RuleError, match=r"run\.lineage"):
        project.compare(deployed)
    with pytest.raises(NotFoundError, match="imitate"):
        project.compare("nobody")


def test_lineage_of_a_checkpoint_a_run_and_an_agent(
    ws: pw.Workspace, project: pw.Project, ran: pw.Pipeline
) -> None:
    """A listing with a depth for each: below zero what was before, above what came of it; printed, a tree."""
    run = ran.stages[1].run
    assert run is not None
    frame = run.lineage.df
    assert list(
        zip(frame["depth"], frame["kind"], frame["name"], frame["number"], frame["step"], strict=True)
    ) == [
        (-1, "run", "imitate", 2, 10),
        (1, "deployment", "agent", 1, 10),
        (1, "agent", "agent", 1, 10),
    ]
    assert [each.name for each in run.lineage.ancestors] == ["imitate"]
    agent = ws.agents["agent"]
    assert repr(agent.lineage) == repr(run.checkpoints[0].lineage)
    assert (
        repr(agent.lineage).splitlines()[1]
        == "  from step 10 of run 2 of 'imitate' (stage 1 of pipeline 'chain')"
    )
    first = project.experiments["imitate"].runs[0]
    assert repr(first.lineage).splitlines()[1:] == ["  from scratch", "  not used yet"]


def test_what_is_compared_may_come_as_a_list(project: pw.Project, pipe: pw.Pipeline, finish: Any) -> None:
    """Names, handles and runs, one by one or in a list; an empty list is nothing, no argument is all."""
    run = finish(pipe.stages[0].trigger(), 0.5)
    one_by_one = project.compare("refine", run)
    listed = project.compare(["refine", run])
    pd.testing.assert_frame_equal(one_by_one.runs, listed.runs)
    assert len(project.compare().runs) == 1
    assert len(project.compare([]).runs) == 0
