"""Renaming a project, and deleting it with everything that belongs to it (spec 2.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from factories.lab import Lab, configured
from factories.values import SFT
from sqlalchemy import select

from pipeline_widgets.domain.chain import ExperimentStage, FromAgent, Trigger
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.project import Project
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.errors import InUseError, NameTakenError, NotFoundError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import Store, open_store
from pipeline_widgets.services.evaluation_queue import enqueue_evaluation
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.projects import ProjectService

pytestmark = pytest.mark.spec("2.5")

#: What the rows of all projects share, and what is counted up by every write.
SHARED = {"workspace", "algorithms", "environments", "sources"}
ROUNDS = 6


def rows(lab: Lab) -> Mapping[str, Sequence[Any]]:
    """Return all rows that belong to a project or to the workspace's agents, by table."""
    tables = [table for table in schema.metadata.sorted_tables if table.name not in SHARED]
    with lab.store.read() as work:
        return {
            table.name: [tuple(row) for row in work.connection.execute(select(table).order_by(table.c.id))]
            for table in tables
        }


def second_project(lab: Lab) -> Lab:
    """Return a lab on the same workspace whose project is another one."""
    other = Lab(lab.store, lab.clock)
    other.__dict__["project"] = lab.projects.create("Words", advanced_training=True)
    return other


def fill(lab: Lab) -> list[Run]:
    """Give a project a pipeline with a history, resumed runs, scores, metrics and an evaluation."""
    pipe = lab.pipeline("SFT", "GRPO")
    one, two = pipe.stages
    lab.do(one, 0.1, status=Status.STOPPED)
    resumed = lab.do(one, 0.5, resume=True)
    job = lab.started(lab.runs.trigger(two.id))
    lab.report(job, 5, loss=1.0)
    lab.save(job, 10, 0.6)
    lab.end(job)
    lab.pipelines.delete_stage(two.id)
    HistoryService(lab.store).undo(pipe.id)
    lab.pipelines.update(pipe.id, description="A chain.")
    checkpoint = lab.runs.checkpoints(resumed.id)[-1]
    with lab.store.write() as work:
        work.metrics.add_usage(resumed.id, [Usage(seconds=1.0, cpu=0.9, memory=2**20)])
        revision = work.projects.touch(lab.project.id)
        evaluation = enqueue_evaluation(work, lab.project.id, "words", [checkpoint.id], revision)
        work.evaluators.put_score(
            checkpoint_id=checkpoint.id,
            saved_by=resumed.id,
            step=checkpoint.step,
            evaluator="words",
            value=0.5,
            spread=None,
            metrics={},
            code="0" * 64,
            run_id=evaluation.id,
        )
    lab.runs.stop(evaluation.id)
    with lab.store.read() as work:
        return list(work.runs.of_project(lab.project.id))


def test_a_project_is_renamed(lab: Lab) -> None:
    """It keeps everything else, its own name is no conflict, and another project's is refused."""
    before = lab.projects.get(lab.project.id)
    lab.projects.create("Words", advanced_training=False)

    renamed = lab.projects.rename(before.id, "  Sentences ")

    assert (renamed.name, renamed.advanced_training, renamed.created_at) == (
        "Sentences",
        True,
        before.created_at,
    )
    assert renamed.revision > before.revision
    assert lab.projects.rename(before.id, "Sentences").name == "Sentences"
    with pytest.raises(NameTakenError, match="A project named 'Words' already exists"):
        lab.projects.rename(before.id, "Words")
    with pytest.raises(NotFoundError, match="There is no such project"):
        lab.projects.rename(99, "x")
    assert [each.name for each in lab.projects.all()] == ["Sentences", "Words"]


def test_a_project_is_deleted_with_everything_that_belongs_to_it(lab: Lab) -> None:
    """No row and no folder of it is left, and not a row or file of another project is touched."""
    kept = [lab.store.run_folder(run.id) for run in fill(lab)]
    lab.agents.create("kept", lab.runs.checkpoints(2)[-1].id)
    before = rows(lab)
    other = second_project(lab)
    gone = [lab.store.run_folder(run.id) for run in fill(other)]
    with_both = rows(lab)
    assert all(
        len(with_both[name]) == 2 * len(before[name])
        for name in ("runs", "metric_blocks", "usage", "scores", "events")
    )
    assert (
        [folder.exists() for folder in gone].count(True)
        == [folder.exists() for folder in kept].count(True)
        == 3
    )

    other.projects.delete(other.project.id)

    assert rows(lab) == before
    assert not any(folder.exists() for folder in gone)
    assert [folder.exists() for folder in kept].count(True) == 3
    with pytest.raises(NotFoundError, match="There is no such project"):
        other.projects.get(other.project.id)
    assert lab.projects.create("Words", advanced_training=False).id > other.project.id


def test_what_is_active_is_in_the_way_of_a_deletion(lab: Lab) -> None:
    """Trainings, deployments and evaluations are named, and nothing is deleted."""
    pipe = lab.pipeline("SFT")
    lab.do(pipe.stages[0], 0.5)
    run = lab.runs.train(lab.experiment("alone").id)
    with lab.store.write() as work:
        evaluation = enqueue_evaluation(
            work, lab.project.id, "words", [1], work.projects.touch(lab.project.id)
        )
    before = rows(lab)

    with pytest.raises(InUseError) as refused:
        lab.projects.delete(lab.project.id)

    assert refused.value.what == "Project 'Letters' cannot be deleted."
    assert refused.value.why == "Active: run 1 of 'alone', evaluation 1."
    assert refused.value.fix == "Stop what is active first."
    assert rows(lab) == before
    lab.runs.stop(run.id)
    lab.runs.stop(evaluation.id)
    lab.projects.delete(lab.project.id)
    assert lab.projects.all() == ()


def test_an_agent_that_was_made_of_a_checkpoint_is_in_the_way(lab: Lab) -> None:
    """The error names the agents, which keep their own files; without them the project can go."""
    pipe = lab.pipeline("SFT", "deploy")
    lab.do(pipe.stages[0], 0.5)
    lab.do(pipe.stages[1])
    saved = lab.agents.create("saved", 1)
    deployed = next(agent for agent in lab.agents.all() if agent.name == "letters-agent")
    before = rows(lab)

    with pytest.raises(InUseError) as refused:
        lab.projects.delete(lab.project.id)

    assert refused.value.why == "Its checkpoints are the only source of agent 'letters-agent', agent 'saved'."
    assert refused.value.fix == "Delete those agents first."
    assert rows(lab) == before
    lab.agents.delete(saved.id)
    with lab.store.write() as work:  # nothing serves it in these tests
        work.agents.remove(deployed.id)
    lab.projects.delete(lab.project.id)
    assert lab.agents.all() == lab.projects.all() == ()


def test_what_another_project_has_made_of_a_checkpoint_is_in_the_way(lab: Lab) -> None:
    """A run that started from an agent stays traceable, also when the agent is gone."""
    trained = lab.runs.train(lab.experiment("source").id)
    lab.carry_out(trained, 0.5)
    agent = lab.agents.create("saved", lab.runs.checkpoints(trained.id)[0].id)
    other = second_project(lab)
    pipe = other.pipelines.create(other.project.id, "onward")
    stage = ExperimentStage(
        experiment_id=other.experiment("goes on").id, trigger=Trigger.MANUAL, start=FromAgent(agent.id)
    )
    stage, _ = other.pipelines.add_stage(pipe.id, stage)
    other.do(stage, 0.6)
    other.pipelines.delete_stage(stage.id)
    lab.agents.delete(agent.id)

    with pytest.raises(InUseError) as refused:
        lab.projects.delete(lab.project.id)

    assert refused.value.why == "Its checkpoints are used by run 1 of 'goes on' of project 'Words'."
    other.projects.delete(other.project.id)
    lab.projects.delete(lab.project.id)
    assert lab.projects.all() == ()


def test_rows_are_gone_before_the_first_folder_is(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends in between leaves files without rows, and never rows without files."""
    other = second_project(lab)
    run = other.runs.train(other.experiment("a").id)
    other.carry_out(run, 0.5)
    folder = lab.store.run_folder(run.id)

    def fail(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lab.store.artifact_store, "remove", fail)
    with pytest.raises(KeyboardInterrupt):
        other.projects.delete(other.project.id)

    assert folder.exists()
    assert [each.name for each in lab.projects.all()] == ["Letters"]
    with lab.store.read() as work:
        assert run.id not in work.runs.ids()


def test_of_a_deletion_and_a_trigger_at_the_same_moment_one_is_refused(lab: Lab) -> None:
    """Whatever comes first in the database: no run is left without its project."""
    store = open_store(Database(lab.store.database.url))
    outcomes: list[tuple[object, object]] = []
    for number in range(ROUNDS):
        made = lab.projects.create(f"p{number}", advanced_training=True)
        experiment = lab.experiments.create(made.id, "a", configured(SFT), seed=0)
        both = Barrier(2)
        with ThreadPoolExecutor(2) as pool:
            deletion = pool.submit(delete, store, made, both)
            start = pool.submit(train, lab, experiment, both)
            outcomes.append((deletion.result(), start.result()))
    store.database.close()
    assert len(outcomes) == ROUNDS
    assert set(outcomes) <= {("deleted", "no experiment"), ("in use", "started")}


def delete(store: Store, project: Project, both: Barrier) -> str:
    """Delete a project by another opening of the workspace."""
    both.wait()
    try:
        ProjectService(store).delete(project.id)
    except InUseError:
        return "in use"
    return "deleted"


def train(lab: Lab, experiment: Experiment, both: Barrier) -> str:
    """Start a run."""
    both.wait()
    try:
        lab.runs.train(experiment.id)
    except NotFoundError:
        return "no experiment"
    return "started"
