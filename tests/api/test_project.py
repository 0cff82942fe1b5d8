"""A project as Python has it: renamed, and deleted (spec 2.5)."""

from __future__ import annotations

import re
from typing import Any

import pytest

import pipeline_widgets as pw
from pipeline_widgets.errors import ConfigError, InUseError, NameTakenError, NotFoundError

pytestmark = pytest.mark.spec("2.5")


def test_a_project_gets_another_name(ws: pw.Workspace, project: pw.Project) -> None:
    """The handle goes on, listings have the new name, and a name that is taken or empty is refused."""
    ws.create_project("Others")
    project.update(name="Sentences")
    assert project.name == "Sentences"
    assert ws.projects["Sentences"] == project
    with pytest.raises(NameTakenError, match="A project named 'Others' already exists"):
        project.update(name="Others")
    with pytest.raises(ConfigError, match="Enter a name for the project"):
        project.update(name=" ")


def test_a_project_is_deleted(ws: pw.Workspace, project: pw.Project, pipe: pw.Pipeline, finish: Any) -> None:
    """What is in the way is listed with what to do about it; after that handles of it say that it is gone."""
    run = finish(pipe.stages[0].trigger(), 0.5)
    agent = ws.create_agent("saved", run.checkpoints[0])
    other = ws.create_project("Others")
    active = project.experiments[0].train()
    name = project.experiments[0].name
    why = f"Active: run 2 of '{name}'. Its checkpoints are the only source of agent 'saved'."
    with pytest.raises(
        InUseError, match=re.escape(f"{why} Stop what is active first. Delete that agent first.")
    ):
        project.delete()
    active.stop()
    agent.delete()

    project.delete()

    assert list(ws.projects) == [other]
    for gone in (project, pipe):
        with pytest.raises(NotFoundError, match="It was deleted meanwhile"):
            _ = gone.name
