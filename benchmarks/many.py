"""Chains and lists that are longer than anybody would click together, written in one transaction each."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import trainers

from pipeline_widgets.application import configure
from pipeline_widgets.domain.chain import ExperimentStage, FromScratch, FromSource, Trigger


def chain(project: Any, stages: int) -> Any:
    """Return a pipeline with so many Experiment stages, Auto but for the first."""
    pipe = project.create_pipeline(f"chain of {stages}")
    services, plain = pipe._services, configure(trainers.counter, {})
    made = [
        services.experiments.create(project._id, f"experiment {at}", plain, seed=0).id for at in range(stages)
    ]
    with services.store.write() as work:
        value, revision = work.pipelines.get(pipe._id), work.projects.touch(project._id)
        bound = tuple(
            ExperimentStage(
                experiment_id=each,
                trigger=Trigger.AUTO if at else Trigger.MANUAL,
                start=FromSource() if at else FromScratch(),
            )
            for at, each in enumerate(made)
        )
        work.pipelines.save(replace(value, stages=bound), revision, before=value)
    return pipe


def pipelines(project: Any, count: int) -> None:
    """Make so many pipelines of three stages each."""
    services, plain = project._services, configure(trainers.counter, {})
    made = [
        services.experiments.create(project._id, name, plain, seed=0).id for name in ("sft", "dpo", "grpo")
    ]
    first, *later = made
    stages = (
        ExperimentStage(experiment_id=first),
        *(ExperimentStage(experiment_id=each, trigger=Trigger.AUTO, start=FromSource()) for each in later),
    )
    with services.store.write() as work:
        revision = work.projects.touch(project._id)
        for at in range(count):
            value = work.pipelines.add(project._id, f"pipeline {at}", "", revision)
            work.pipelines.save(replace(value, stages=stages), revision, before=value)


def agents(file: Path, count: int) -> None:
    """Make so many agents of one version each, of the first checkpoint of a file."""
    with sqlite3.connect(file) as connection:
        checkpoint, algorithm = connection.execute(
            "SELECT checkpoints.id, (SELECT min(id) FROM algorithms) FROM checkpoints LIMIT 1"
        ).fetchone()
        made = [(at, f"agent {at}") for at in range(1, count + 1)]
        connection.executemany(
            "INSERT INTO agents (id, name, description, status, current_version, created_at)"
            " VALUES (?, ?, '', 'Undeployed', 1, 1)",
            made,
        )
        connection.executemany(
            "INSERT INTO agent_versions (agent_id, number, checkpoint_id, path, experiment, algorithm_id,"
            " created_at) VALUES (?, 1, ?, 'agents/x', 'saving', ?, 1)",
            [(at, checkpoint, algorithm) for at, _ in made],
        )
    connection.close()
