"""Which agent the panel of a Deployment stage shows, and what it says of it (spec 4.11)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.lab import Lab

from pipeline_widgets.domain.chain import DeploymentStage, Pipeline
from pipeline_widgets.domain.run import Status
from pipeline_widgets.services.endpoints import EndpointService
from pipeline_widgets.services.queries.run_detail import RunDetailQueries
from pipeline_widgets.services.queries.stage_agent import StageAgent, StageAgentQueries

pytestmark = pytest.mark.spec("4.11")


def of(lab: Lab, pipeline: Pipeline) -> StageAgent:
    """Return what is told of the agent of the last stage."""
    state = lab.states.pipeline(pipeline.id).stages[-1]
    assert isinstance(state.stage, DeploymentStage)
    run = RunDetailQueries(lab.store).run(state.run.id) if state.run else None
    return StageAgentQueries(lab.store).get(state.stage, run)


def deployed(lab: Lab, name: str = "chain") -> Pipeline:
    """Return a chain whose agent is deployed."""
    pipeline = lab.pipeline("SFT", "deploy", name=name)
    lab.do(pipeline.stages[0], 0.5)
    lab.do(pipeline.stages[1])
    return pipeline


def test_a_stage_that_never_ran_says_how_its_agent_comes(lab: Lab) -> None:
    """Where there is an agent of that name already, it is shown, and said not to be of this stage."""
    pipeline = lab.pipeline("SFT", "deploy")
    told = of(lab, pipeline)
    assert told.agent_id is None
    assert told.note == f"Trigger the stage: it saves the checkpoint as agent '{told.name}', and serves it."
    lab.do(pipeline.stages[0], 0.5)
    made = lab.agents.create(told.name, lab.runs.checkpoints(1)[0].id)
    told = of(lab, pipeline)
    assert told.agent_id == made.id
    assert "has not deployed to it yet; version 1 is current" in told.note


def test_what_the_latest_run_has_made_needs_no_note(lab: Lab) -> None:
    """It is the agent, with the version of that run."""
    pipeline = deployed(lab)
    (agent,) = lab.agents.all()
    assert of(lab, pipeline) == StageAgent(name=agent.name, agent_id=agent.id, note="")


def test_an_agent_that_was_deleted_is_said_to_be(lab: Lab) -> None:
    """And what makes it again."""
    pipeline = deployed(lab)
    (agent,) = lab.agents.all()
    EndpointService(lab.store).disconnect(agent.id)
    lab.agents.delete(agent.id)
    told = of(lab, pipeline)
    assert told.agent_id is None
    assert told.note == f"Agent '{agent.name}' was deleted. Trigger the stage to make it again."


def test_an_agent_that_another_pipeline_has_replaced_says_by_what(lab: Lab) -> None:
    """The version that is current, and the run of the other pipeline that made it."""
    pipeline, other = deployed(lab), lab.pipeline("SFT", "deploy", name="other")
    (agent,) = lab.agents.all()
    lab.pipelines.update_stage(other.stages[1].id, lambda stage: replace(stage, agent_name=agent.name))
    lab.do(other.stages[0], 0.75)
    lab.do(other.stages[1])
    note = of(lab, pipeline).note
    assert note.startswith(
        "Version 2 is current, not version 1, which the latest run of this stage has made."
    )
    assert "Deployed by stage 2 of pipeline 'other', run 1." in note
    lab.agents.rollback(agent.id, 1)
    assert of(lab, pipeline).note == ""


def test_a_run_that_failed_leaves_the_former_version(lab: Lab) -> None:
    """The agent is shown, with what is current."""
    pipeline = deployed(lab)
    (agent,) = lab.agents.all()
    lab.do(pipeline.stages[1], status=Status.FAILED)
    told = of(lab, pipeline)
    assert told.agent_id == agent.id
    assert (
        told.note == "The latest run of this stage has made no version of it; version 1 is the current one."
    )
