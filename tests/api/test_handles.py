"""Handles: thin, equal when they mean the same, and documented (spec 5.11, 10.1)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pipeline_widgets as pw
from pipeline_widgets import errors
from pipeline_widgets.api.agent import AgentVersion
from pipeline_widgets.api.handle import Handle
from pipeline_widgets.api.listing import Listing
from pipeline_widgets.errors import NotFoundError

HANDLES = (pw.Project, pw.Experiment, pw.Pipeline, pw.Stage, pw.Run, pw.Checkpoint, pw.Agent)
PUBLIC = (pw.Workspace, *HANDLES, AgentVersion, Listing, pw.TrainContext, pw.Algorithm, pw.Plan, pw.Timing)


def members() -> Iterator[Any]:
    """Yield the public methods and properties of all public classes."""
    for kind in PUBLIC:
        for name, member in vars(kind).items():
            if not name.startswith("_") and (isinstance(member, property) or inspect.isfunction(member)):
                yield pytest.param(member, id=f"{kind.__name__}.{name}")


@pytest.mark.parametrize("member", list(members()))
def test_every_public_member_is_documented(member: Any) -> None:
    """The first line says in a sentence what it gives or does; what it raises is listed by our own errors."""
    text = inspect.getdoc(member) or ""
    assert re.fullmatch(r"[A-Z\"].*\.", text.split("\n")[0]), text
    for name in re.findall(r"^    (\w+Error):", text, re.MULTILINE):
        assert hasattr(errors, name) or name == "IndexError", name


@pytest.mark.parametrize("kind", PUBLIC)
def test_every_public_class_is_documented(kind: type) -> None:
    """A class says in a sentence what it is."""
    assert (inspect.getdoc(kind) or "").split("\n")[0].endswith(".")


@pytest.mark.spec("10.1")
def test_handles_of_the_same_thing_are_equal(
    pipe: pw.Pipeline, ws: pw.Workspace, open_workspace: Callable[..., pw.Workspace], finish: Any
) -> None:
    """However they were come by, in whichever opening of the workspace, and in sets and dictionaries."""
    run = finish(pipe.stages[0].trigger(), 0.5)
    ws.create_agent("saved", run.checkpoints[0])

    def all_of(workspace: pw.Workspace) -> list[Handle]:
        project = workspace.projects[0]
        chain = project.pipelines[0]
        first = chain.stages[0]
        run = first.runs[0]
        return [project, project.experiments[0], chain, first, run, run.checkpoints[0], workspace.agents[0]]

    ours, again, elsewhere = all_of(ws), all_of(ws), all_of(open_workspace())
    assert {type(each) for each in ours} == set(HANDLES)
    assert ours == again == elsewhere
    assert len({*ours, *again, *elsewhere}) == len(ours)
    assert run.checkpoints[0].run == run
    assert pipe.stages[0].experiment == ours[1]


@pytest.mark.spec("5.11")
def test_handles_of_different_things_differ(
    pipe: pw.Pipeline, open_workspace: Callable[..., pw.Workspace]
) -> None:
    """Another kind, another id and another workspace are other things, whatever their numbers."""
    first, second, _ = pipe.stages
    assert first != second
    assert pipe != first
    assert first != "imitate"
    other = open_workspace("other").create_project("Letters", advanced_training=True)
    assert other != pw.Project(pipe._services, other._id)


@pytest.mark.spec("10.1")
def test_a_handle_is_never_out_of_date(pipe: pw.Pipeline) -> None:
    """It shows what is true now, whoever changed it."""
    same = pipe.stages[0]
    pipe.update(name="renamed")
    pipe.stages[0].experiment.update(name="other")  # pyright: ignore[reportOptionalMemberAccess]
    assert (same.name, pipe.name) == ("other", "renamed")
    pipe.stages[2].delete()
    assert [stage.position for stage in pipe.stages] == [0, 1]


@pytest.mark.spec("10.3")
def test_a_handle_of_what_is_gone_says_so(pipe: pw.Pipeline, project: pw.Project) -> None:
    """Using a deleted stage, pipeline or experiment is refused in words."""
    stage, experiment = pipe.stages[2], project.create_experiment("gone", algorithm="Imitate")
    stage.delete()
    experiment.delete()
    for use in (
        lambda: stage.status,
        stage.trigger,
        lambda: experiment.name,
        experiment.train,
    ):
        with pytest.raises(
            NotFoundError, match=r"There is no such (stage|experiment). It was deleted meanwhile"
        ):
            use()
    pipe.delete()
    with pytest.raises(NotFoundError, match="There is no such pipeline"):
        _ = pipe.stages


@pytest.mark.spec("10.1")
def test_what_is_printed_names_the_thing(pipe: pw.Pipeline, ws: pw.Workspace, finish: Any) -> None:
    """The text of a handle says what it is and how it stands."""
    project = ws.projects[0]
    run = finish(pipe.stages[0].trigger(), 0.5)
    agent = ws.create_agent("saved", run.checkpoints[0])
    assert repr(project) == "Project('Letters', advanced_training=True)"
    assert repr(project.experiments[0]) == "Experiment('imitate', algorithm='Imitate', status='Succeeded')"
    assert repr(pipe) == "Pipeline('chain', stages=['imitate', 'refine', 'agent'])"
    assert repr(pipe.stages[0]) == "Stage('imitate', Experiment, manual, Succeeded)"
    assert repr(pipe.stages[2]) == "Stage('agent', Deployment, manual, Draft)"
    assert repr(run) == "Run(number=1, status='Succeeded')"
    assert repr(run.checkpoints[0]) == "Checkpoint(step=10, training None, evaluation 0.5)"
    assert repr(agent) == "Agent('saved', version=1)"
    assert repr(agent.versions[0]) == "AgentVersion(number=1, step=10)"
