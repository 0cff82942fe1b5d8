"""Agents: frozen copies of checkpoints, in versions (spec 5.6, 8)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories.lab import Lab
from factories.values import SFT
from sqlalchemy import update
from tampering import overwrite

from pipeline_widgets.domain.agent import Agent, AgentStatus
from pipeline_widgets.domain.chain import FromAgent
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.job import FrozenCopy, PublishedFolder
from pipeline_widgets.domain.names import MAX_NAME_LENGTH
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import (
    CheckpointError,
    ConfigError,
    InUseError,
    NameTakenError,
    NotFoundError,
    StaleWriteError,
)
from pipeline_widgets.persistence import artifacts, schema
from pipeline_widgets.services.agents import save


def a_saved(lab: Lab, name: str = "a", score: float = 0.5, content: str | None = None) -> Checkpoint:
    """Return a checkpoint of a new experiment."""
    experiment = lab.experiment(name)
    lab.carry_out(lab.runs.train(experiment.id), score, content=content)
    return lab.experiments.checkpoints(experiment.id)[0]


def whole(agent: Agent) -> None:
    """Check that the files of an agent are as they were saved."""
    saved = agent.current.checkpoint
    artifacts.verify(PublishedFolder(path=Path(agent.current.path), size=saved.size, digest=saved.digest))


Meanwhile = Callable[[Callable[[], object]], None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Lets somebody else act after the next copy is made, and before it is saved."""
    freeze = artifacts.freeze

    def plan(act: Callable[[], object]) -> None:
        def frozen(*args: Any, **options: Any) -> FrozenCopy:
            monkeypatch.setattr(artifacts, "freeze", freeze)
            copied = freeze(*args, **options)
            act()
            return copied

        monkeypatch.setattr(artifacts, "freeze", frozen)

    return plan


@pytest.mark.spec("8.2")
def test_an_agent_is_a_frozen_copy(lab: Lab) -> None:
    """Its folder has the checkpoint's content and stays when the original's files are gone."""
    checkpoint = a_saved(lab)
    agent = lab.agents.create(" saved ", checkpoint.id, "what for")
    assert (agent.name, agent.description, agent.status) == ("saved", "what for", AgentStatus.UNDEPLOYED)
    assert (agent.current.number, agent.current.experiment, agent.current.spec) == (1, "a", SFT)
    assert agent.current.checkpoint == checkpoint
    shutil.rmtree(checkpoint.path)
    copy = PublishedFolder(path=Path(agent.current.path), size=checkpoint.size, digest=checkpoint.digest)
    artifacts.verify(copy)
    assert copy.path.is_relative_to(lab.store.artifacts / "agents")
    assert lab.agents.get(agent.id) == agent == lab.agents.all()[0]


@pytest.mark.spec("8.1")
def test_a_name_is_required_and_unique(lab: Lab) -> None:
    """An agent without a name, or with one that is taken, is refused and leaves no files."""
    checkpoint = a_saved(lab)
    with pytest.raises(ConfigError, match="Enter a name"):
        lab.agents.create(" ", checkpoint.id)
    assert not (lab.store.artifacts / "agents").exists()
    lab.agents.create("saved", checkpoint.id)
    with pytest.raises(NameTakenError, match="named 'saved' already"):
        lab.agents.create("saved", a_saved(lab, "b").id)
    assert len(list((lab.store.artifacts / "agents").iterdir())) == 1


@pytest.mark.spec("5.13")
def test_a_description_is_in_the_way_of_no_version(lab: Lab) -> None:
    """Another version that became the current one meanwhile is nothing that a description is based on."""
    checkpoint = a_saved(lab)
    agent = lab.agents.create("saved", checkpoint.id, "old")
    path = agent.current.path
    with lab.store.write() as work:
        frozen = FrozenCopy(name="saved", path=path, digest=checkpoint.digest, step=checkpoint.step)
        save(work, frozen, checkpoint, None)
    newer = lab.agents.get(agent.id)
    assert (newer.current.number, newer.version) == (2, agent.version + 1)
    described = lab.agents.describe(agent.id, "mine", expected_version=agent.version)
    assert (described.description, described.version) == ("mine", agent.version + 2)
    with pytest.raises(StaleWriteError, match="Version 2 is the current one now"):
        lab.agents.rollback(agent.id, 1, expected_version=agent.version)
    assert lab.agents.rollback(agent.id, 1, expected_version=newer.version).current.number == 1


@pytest.mark.spec("5.13")
def test_a_description_based_on_an_old_one_is_refused(lab: Lab) -> None:
    """Whoever saved first is not overwritten; without a base nobody asks."""
    agent = lab.agents.create("saved", a_saved(lab).id, "old")
    lab.agents.describe(agent.id, " theirs ", expected_version=agent.version)
    with pytest.raises(StaleWriteError, match="Agent 'saved' was changed meanwhile"):
        lab.agents.describe(agent.id, "mine", expected_version=agent.version)
    assert lab.agents.get(agent.id).description == "theirs"
    assert lab.agents.describe(agent.id, "mine").description == "mine"


@pytest.mark.spec("8.1")
def test_a_checkpoint_that_is_gone_or_corrupt_makes_no_agent(lab: Lab) -> None:
    """What is not as it was saved is not frozen, and no agent is written."""
    checkpoint = a_saved(lab)
    overwrite(Path(checkpoint.path) / "weights.txt", "changed")
    with pytest.raises(CheckpointError, match="is corrupt"):
        lab.agents.create("saved", checkpoint.id)
    shutil.rmtree(checkpoint.path)
    with pytest.raises(CheckpointError, match="is missing"):
        lab.agents.create("saved", checkpoint.id)
    with pytest.raises(NotFoundError, match="There is no such checkpoint"):
        lab.agents.create("saved", 99)
    assert lab.agents.all() == ()


@pytest.mark.spec("5.1", "8.2")
def test_a_deployment_makes_an_agent_and_then_new_versions_of_it(lab: Lab) -> None:
    """Re-running a deployment keeps the former versions; a rollback makes one of them the current one."""
    chain = lab.pipeline("SFT", "deploy")
    first, deploy = chain.stages
    lab.pipelines.update_stage(deploy.id, lambda stage: replace(stage, agent_description="for letters"))  # pyright: ignore[reportCallIssue]
    for score in (0.5, 0.6):
        lab.do(first, score)
        lab.do(deploy)
    (agent,) = lab.agents.all()
    assert (agent.name, agent.description) == ("letters-agent", "for letters")
    versions = lab.agents.versions(agent.id)
    assert [(each.number, each.checkpoint.evaluation_score) for each in versions] == [(1, 0.5), (2, 0.6)]
    assert agent.current == versions[1]
    assert versions[0].path != versions[1].path
    rolled = lab.agents.rollback(agent.id, 1)
    assert rolled.current == versions[0]
    assert lab.agents.versions(agent.id) == versions
    lab.do(deploy)
    assert lab.agents.get(agent.id).current.number == 3
    with pytest.raises(NotFoundError, match=r"The agent has no version 9. There are 1, 2, 3"):
        lab.agents.rollback(agent.id, 9)


@pytest.mark.spec("5.9")
def test_a_deployment_deploys_what_was_frozen_when_it_was_triggered(lab: Lab) -> None:
    """The agent has the checkpoint, the name and the description of the moment of the trigger."""
    chain = lab.pipeline("SFT", "deploy")
    first, deploy = chain.stages
    lab.do(first, 0.5)
    run = lab.runs.trigger(deploy.id)
    lab.do(first, 0.9)
    lab.carry_out(run)
    (agent,) = lab.agents.all()
    assert agent.current.checkpoint.evaluation_score == 0.5
    assert lab.state(deploy).staleness.stale


@pytest.mark.spec("5.6")
def test_a_stage_can_add_its_best_checkpoint_to_the_agents(lab: Lab) -> None:
    """The agent is named after pipeline, stage and step, and comes with the success only."""
    made = lab.pipelines.create(lab.project.id, "chain")
    stage = lab.add(made.id, lab.experiment("sft"), auto_add_agent=True)
    lab.do(stage, 0.5, status=Status.STOPPED)
    assert lab.agents.all() == ()
    lab.do(stage, 0.5)
    (agent,) = lab.agents.all()
    assert agent.name == "chain - 1 sft - step 10"
    assert agent.current.checkpoint.evaluation_score == 0.5
    lab.do(stage, 0.6)
    (again,) = lab.agents.all()
    assert (again.id, again.current.number) == (agent.id, 2)


@pytest.mark.spec("5.6")
def test_the_name_of_an_added_agent_fits(lab: Lab) -> None:
    """However long the names that it is made of, the name of an agent can be stored everywhere."""
    made = lab.pipelines.create(lab.project.id, "p" * MAX_NAME_LENGTH)
    stage = lab.add(made.id, lab.experiment("e" * MAX_NAME_LENGTH), auto_add_agent=True)
    lab.do(stage, 0.5)
    (agent,) = lab.agents.all()
    assert len(agent.name) <= MAX_NAME_LENGTH


@pytest.mark.spec("8.1")
def test_an_agent_that_a_stage_starts_from_is_not_deleted(lab: Lab) -> None:
    """The refusal names the pipeline; afterwards its files go, and the checkpoint stays."""
    checkpoint = a_saved(lab)
    agent = lab.agents.create("saved", checkpoint.id)
    made = lab.pipelines.create(lab.project.id, "chain")
    stage = lab.add(made.id, lab.experiment("b"), start=FromAgent(agent.id))
    with pytest.raises(
        InUseError, match=r"'saved' cannot be deleted. The first stage of pipeline 'chain' starts"
    ):
        lab.agents.delete(agent.id)
    assert Path(agent.current.path).is_dir()
    lab.pipelines.delete_stage(stage.id)
    lab.agents.delete(agent.id)
    assert lab.agents.all() == ()
    assert not Path(agent.current.path).exists()
    assert Path(checkpoint.path).is_dir()


@pytest.mark.spec("8.2")
def test_agents_of_the_same_content_do_not_lose_each_others_files(lab: Lab) -> None:
    """Two agents made of equal checkpoints have a folder each; deleting one leaves the other whole."""
    first = lab.agents.create("one", a_saved(lab, "a", content="same").id)
    second = lab.agents.create("two", a_saved(lab, "b", content="same").id)
    assert first.current.path != second.current.path
    lab.agents.delete(first.id)
    whole(second)
    lab.agents.delete(second.id)
    assert list((lab.store.artifacts / "agents").iterdir()) == []


@pytest.mark.spec("8.2")
def test_a_copy_that_is_not_saved_yet_outlives_another_agent_of_its_content(
    lab: Lab, meanwhile: Meanwhile
) -> None:
    """Another agent is deleted between the copying and the saving, as while a Deployment is under way."""
    checkpoint = a_saved(lab)
    first = lab.agents.create("one", checkpoint.id)
    meanwhile(lambda: lab.agents.delete(first.id))
    whole(lab.agents.create("two", checkpoint.id))


def test_copies_that_share_a_folder_since_before_are_safe(lab: Lab) -> None:
    """A workspace of before may have them: the folder goes with the last agent that has it."""
    checkpoint = a_saved(lab)
    first, second = lab.agents.create("one", checkpoint.id), lab.agents.create("two", checkpoint.id)
    with lab.store.write() as work:
        shared = str(Path(first.current.path).relative_to(lab.store.artifacts))
        work.connection.execute(update(schema.agent_versions).values(path=shared))
    lab.agents.delete(first.id)
    whole(lab.agents.get(second.id))
    lab.agents.delete(second.id)
    assert not Path(first.current.path).exists()


@pytest.mark.spec("8.1")
def test_what_is_taken_away_while_it_is_copied_is_said_and_leaves_no_files(
    lab: Lab, meanwhile: Meanwhile
) -> None:
    """The checkpoint, or the name."""
    checkpoint, other = a_saved(lab), a_saved(lab, "b")
    meanwhile(lambda: lab.experiments.delete_checkpoint(checkpoint.id))
    with pytest.raises(NotFoundError, match="There is no such checkpoint"):
        lab.agents.create("one", checkpoint.id)
    assert list((lab.store.artifacts / "agents").iterdir()) == []
    meanwhile(lambda: lab.agents.create("one", other.id))
    with pytest.raises(NameTakenError):
        lab.agents.create("one", other.id)
    assert len(list((lab.store.artifacts / "agents").iterdir())) == 1


def test_the_files_of_an_endpoint_go_with_its_agent(lab: Lab) -> None:
    """What its process has printed, and its key, are of no use to anybody any more."""
    agent = lab.agents.create("one", a_saved(lab).id)
    files = [lab.store.endpoint_log(agent.id), lab.store.endpoint_key(agent.id)]
    files[0].parent.mkdir()
    for file in files:
        file.write_text("kept")
    lab.agents.delete(agent.id)
    assert not any(file.exists() for file in files)


def test_an_agent_that_is_gone_is_not_found(lab: Lab) -> None:
    """Every use of an agent that does not exist says so."""
    with pytest.raises(NotFoundError, match="There is no such agent"):
        lab.agents.get(9)
    with pytest.raises(NotFoundError, match="There is no such agent"):
        lab.agents.delete(9)
    with pytest.raises(NotFoundError):
        lab.agents.rollback(9, 1)
    assert lab.agents.versions(9) == ()
