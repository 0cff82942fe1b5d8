"""Agents as a user holds them (spec 8)."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from tampering import overwrite

import pipeline_widgets as pw
from pipeline_widgets.errors import CheckpointError, ConfigError


@pytest.fixture
def agent(pipe: pw.Pipeline, ws: pw.Workspace, finish: Any) -> pw.Agent:
    """An agent that the chain deployed twice."""
    for score in (0.5, 0.6):
        finish(pipe.stages[0].trigger(), score)
        finish(pipe.stages[1].trigger(), score)
        finish(pipe.stages[2].trigger())
    return ws.agents["agent"]


@pytest.mark.spec("8.1", "8.2")
def test_a_deployed_agent_has_versions(agent: pw.Agent, pipe: pw.Pipeline) -> None:
    """The handle has name, source, version, checkpoint and status; a rollback moves the version."""
    run = pipe.stages[1].run
    assert run is not None
    assert (agent.name, agent.experiment, agent.version, str(agent.status)) == (
        "agent",
        "refine",
        2,
        "Undeployed",
    )
    assert agent.checkpoint == run.checkpoints[0]
    assert [(each.number, each.checkpoint.evaluation_score) for each in agent.versions] == [
        (1, 0.5),
        (2, 0.6),
    ]
    agent.rollback(1)
    assert (agent.version, agent.checkpoint.evaluation_score, len(agent.versions)) == (1, 0.5, 2)


@pytest.mark.spec("8.1")
def test_an_agent_is_made_of_any_checkpoint(ws: pw.Workspace, project: pw.Project, finish: Any) -> None:
    """A checkpoint, a name and a description are enough."""
    run = finish(project.create_experiment("a", algorithm="Imitate").train(), 0.5)
    agent = ws.create_agent("mine", run.checkpoints[0], description="what for")
    assert (agent.description, agent.version, agent.checkpoint) == ("what for", 1, run.checkpoints[0])
    agent.delete()
    assert len(ws.agents) == 0
    assert run.checkpoints[0].path.is_dir()


@pytest.mark.spec("5.4", "8.2")
def test_an_agent_starts_a_first_stage(ws: pw.Workspace, project: pw.Project, finish: Any) -> None:
    """The start "Use saved Agent" is an agent in the place of "scratch", and can be taken back."""
    run = finish(project.create_experiment("a", algorithm="Imitate").train(), 0.5)
    agent = ws.create_agent("mine", run.checkpoints[0])
    pipe = project.create_pipeline("chain")
    stage = pipe.add_experiment_stage(project.create_experiment("b", algorithm="Refine"), start=agent)
    begun = stage.trigger()
    assert (begun.start_checkpoint, begun.start_role) == (run.checkpoints[0], "weights")
    assert stage.plan().starts_from == "saved Agent, version 1"


@pytest.mark.spec("8.1")
def test_an_agent_answers(ws: pw.Workspace, project: pw.Project, finish: Any) -> None:
    """It answers from its frozen copy, from the new one after a rollback, and not from a corrupt one."""
    experiment = project.create_experiment("a", algorithm="Imitate")
    pipe = project.create_pipeline("chain")
    stage, deploy = pipe.add_experiment_stage(experiment), pipe.add_deployment_stage("mine")
    texts: list[str] = []
    for score in (0.5, 0.6):
        run = finish(stage.trigger(), score)
        finish(deploy.trigger())
        texts.append((run.checkpoints[0].path / "weights.txt").read_text())
        shutil.rmtree(run.checkpoints[0].path)
    agent = ws.agents["mine"]
    assert agent.predict("hello") == f"hello {texts[1]}"
    agent.rollback(1)
    assert agent.predict("hello") == f"hello {texts[0]}"
    for folder in (ws.artifacts / "agents").iterdir():
        overwrite(folder / "weights.txt", "changed")
    with pytest.raises(CheckpointError, match="is corrupt"):
        ws.agents["mine"].predict("hello")


@pytest.mark.spec("8.3", "10.3")
@pytest.mark.parametrize(
    "options",
    [
        {"timeout": -1},
        {"timeout": True},
        {"timeout": float("nan")},
        {"host": ""},
        {"port": "80"},
    ],
    ids=str,
)
def test_what_is_no_host_port_or_time_is_refused_at_once(agent: pw.Agent, options: dict[str, Any]) -> None:
    """The error says which, and nothing is started."""
    with pytest.raises(pw.PipelineError) as caught:
        agent.connect(**options)
    assert isinstance(caught.value, ConfigError)
    assert caught.value.fix
    assert agent.status == "Undeployed"
