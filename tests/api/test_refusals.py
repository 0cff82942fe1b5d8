"""Every refusal of bad input is a PipelineError that says what, and why or what to do (spec 10.3)."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from factories.lab import Lab
from pydantic import BaseModel
from tampering import overwrite

import pipeline_widgets as pw
from pipeline_widgets.errors import (
    AlgorithmNotFoundError,
    CheckpointError,
    ClassicProjectError,
    ConfigError,
    ConflictError,
    DoesNotFitError,
    ForeignError,
    InUseError,
    NameTakenError,
    NotFoundError,
    OrderError,
    PipelineError,
    RuleError,
    StorageError,
    TriggerError,
    WaitTimeoutError,
)


@dataclass
class Ground:
    """What a test stands on: a workspace with a chain whose first stage ran, and another workspace."""

    ws: pw.Workspace
    project: pw.Project
    classic: pw.Project
    pipe: pw.Pipeline
    run: pw.Run
    other: pw.Workspace
    lab: Lab

    @property
    def saved(self) -> pw.Checkpoint:
        """The checkpoint that the first stage saved."""
        return self.run.checkpoints[0]

    def foreign(self) -> pw.Experiment:
        """An experiment of another workspace."""
        return self.other.projects["Letters"].experiments["imitate"]

    def foreign_checkpoint(self) -> pw.Checkpoint:
        """A checkpoint of another workspace."""
        return self.other.agents["theirs"].checkpoint


@pytest.fixture
def ground(
    ws: pw.Workspace, pipe: pw.Pipeline, supervisor: Lab, open_workspace: Callable[..., pw.Workspace]
) -> Ground:
    """What the refusals below are about."""
    other, project = open_workspace("other"), ws.projects[0]
    theirs = other.create_project("Letters", advanced_training=True)
    theirs = theirs.create_experiment("imitate", algorithm="Imitate")
    lab = Lab(other._services.store, supervisor.clock)
    lab.carry_out(lab.runs.get(theirs.train()._id), 0.5)
    other.create_agent("theirs", theirs.checkpoints[0])
    run = pipe.stages[0].trigger()
    supervisor.carry_out(supervisor.runs.get(run._id), 0.5)
    return Ground(ws, project, ws.create_project("Classic"), pipe, run, other, supervisor)


def damaged(ground: Ground) -> pw.Checkpoint:
    """Change a byte of the saved checkpoint."""
    overwrite(ground.saved.path / "weights.txt", "changed")
    return ground.saved


def removed(ground: Ground) -> pw.Checkpoint:
    """Remove the files of the saved checkpoint."""
    shutil.rmtree(ground.saved.path)
    return ground.saved


def blocked(ground: Ground) -> pw.Checkpoint:
    """Put a file where the copies of agents would go."""
    (ground.ws.artifacts / "agents").write_text("")
    return ground.saved


def deleted_agent(ground: Ground) -> pw.Agent:
    """Return an agent that is gone."""
    agent = ground.ws.create_agent("gone", ground.saved)
    agent.delete()
    return agent


def add(ground: Ground, name: str = "new", algorithm: str = "Imitate", **options: Any) -> object:
    """Add a stage with a new experiment."""
    return ground.pipe.add_experiment_stage(
        ground.project.create_experiment(name, algorithm=algorithm), **options
    )


class Loose(BaseModel):
    """A config that takes anything."""

    x: Any


def loose(ground: Ground, value: object) -> object:
    """Make an experiment whose config model takes anything."""
    anything = pw.algorithm("Anything", produces={"lm"}, config=Loose)(train)
    return ground.project.create_experiment("x", algorithm=anything, config={"x": value})


def train(ctx: pw.TrainContext) -> None:
    """Train nothing."""


def itself() -> list[Any]:
    """Return a list that holds itself."""
    made: list[Any] = []
    made.append(made)
    return made


def nested(deep: int) -> list[Any]:
    """Return lists within lists."""
    made: list[Any] = []
    for _ in range(deep):
        made = [made]
    return made


REFUSALS: dict[str, tuple[type[PipelineError], Callable[[Ground], object]]] = {
    "unknown algorithm": (
        AlgorithmNotFoundError,
        lambda g: g.project.create_experiment("x", algorithm="Imitat"),
    ),
    "undecorated function": (
        PipelineError,
        lambda g: g.project.create_experiment("x", algorithm=add),  # pyright: ignore[reportArgumentType]
    ),
    "bad config field": (
        ConfigError,
        lambda g: g.project.create_experiment("x", algorithm="Imitate", config={"steps": -1}),
    ),
    "bad config type": (
        ConfigError,
        lambda g: g.project.create_experiment("x", algorithm="Imitate", config={"steps": "many"}),
    ),
    "unknown config field": (
        ConfigError,
        lambda g: g.project.create_experiment("x", algorithm="Imitate", config={"step": 1}),
    ),
    "bad config in an update": (ConfigError, lambda g: g.project.experiments[0].update(config={"steps": 0})),
    "huge seed": (PipelineError, lambda g: g.project.create_experiment("x", algorithm="Imitate", seed=2**64)),
    "seed of another type": (
        PipelineError,
        lambda g: g.project.create_experiment("x", algorithm="Imitate", seed="lucky"),  # pyright: ignore[reportArgumentType]
    ),
    "negative seed": (ConfigError, lambda g: g.project.create_experiment("x", algorithm="Imitate", seed=-1)),
    "seed of thousands of digits": (
        ConfigError,
        lambda g: g.project.create_experiment("x", algorithm="Imitate", seed=10**5000),
    ),
    "config number of thousands of digits": (ConfigError, lambda g: loose(g, 10**5000)),
    "steps of thousands of digits": (
        ConfigError,
        lambda g: g.project.create_experiment("x", algorithm="Imitate", config={"steps": -(10**5000)}),
    ),
    "config of bytes": (ConfigError, lambda g: loose(g, b"\x80")),
    "config of an object": (ConfigError, lambda g: loose(g, object())),
    "config that holds itself": (ConfigError, lambda g: loose(g, itself())),
    "config that is nested too deeply": (ConfigError, lambda g: loose(g, nested(300))),
    "half a letter in a description": (
        ConfigError,
        lambda g: g.project.create_pipeline("x", description="\ud800"),
    ),
    "no description": (ConfigError, lambda g: g.project.create_pipeline("x", description=None)),  # pyright: ignore[reportArgumentType]
    "description of another type": (ConfigError, lambda g: g.pipe.update(description=5)),  # pyright: ignore[reportArgumentType]
    "half a letter in the description of a stage": (
        ConfigError,
        lambda g: g.pipe.add_deployment_stage("x", description="\ud800"),
    ),
    "no description of a stage": (
        ConfigError,
        lambda g: g.pipe.add_deployment_stage("x", description=None),  # pyright: ignore[reportArgumentType]
    ),
    "half a letter in the description of an agent": (
        ConfigError,
        lambda g: g.ws.create_agent("x", g.saved, description="\ud800"),
    ),
    "half a letter in another description of an agent": (
        ConfigError,
        lambda g: g.ws.create_agent("x", g.saved).update(description="\ud800"),
    ),
    "half a letter in a note": (ConfigError, lambda g: g.pipe.stages[0].accept_as_fresh("\ud800")),
    "gate beyond all floats": (ConfigError, lambda g: g.pipe.stages[1].update(trigger="auto", gate=10**400)),
    "step beyond all steps": (ConfigError, lambda g: g.pipe.stages[1].update(start=10**5000)),
    "results of a number": (ForeignError, lambda g: g.project.results(5)),  # pyright: ignore[reportArgumentType]
    "results of a list of numbers": (ForeignError, lambda g: g.project.results([5])),  # pyright: ignore[reportArgumentType]
    "results of an unknown name": (NotFoundError, lambda g: g.project.results("refin")),
    "duplicate project": (NameTakenError, lambda g: g.ws.create_project("Letters")),
    "duplicate experiment": (
        NameTakenError,
        lambda g: g.project.create_experiment("refine", algorithm="Imitate"),
    ),
    "duplicate pipeline": (NameTakenError, lambda g: g.project.create_pipeline(" chain ")),
    "duplicate agent": (
        NameTakenError,
        lambda g: [g.ws.create_agent("a", g.saved), g.ws.create_agent("a", g.saved)],
    ),
    "empty name": (ConfigError, lambda g: g.project.create_pipeline(" ")),
    "long name": (ConfigError, lambda g: g.project.create_pipeline("x" * 256)),
    "unknown name": (NotFoundError, lambda g: g.project.pipelines["chian"]),
    "classic project": (ClassicProjectError, lambda g: g.classic.create_pipeline("x")),
    "experiment of another workspace": (ForeignError, lambda g: g.pipe.add_experiment_stage(g.foreign())),
    "experiment of another project": (
        ForeignError,
        lambda g: g.pipe.add_experiment_stage(g.classic.create_experiment("x", algorithm="Imitate")),
    ),
    "bound experiment of another workspace": (
        ForeignError,
        lambda g: g.pipe.stages[0].update(experiment=g.foreign()),
    ),
    "agent of another workspace": (ForeignError, lambda g: g.pipe.stages[0].update(start=g.other.agents[0])),
    "checkpoint of another workspace": (
        ForeignError,
        lambda g: g.ws.create_agent("x", g.foreign_checkpoint()),
    ),
    "resume from another workspace": (
        ForeignError,
        lambda g: g.project.experiments[0].resume(g.foreign_checkpoint(), "x"),
    ),
    "no checkpoint at all": (ForeignError, lambda g: g.ws.create_agent("x", "best")),  # pyright: ignore[reportArgumentType]
    "deleted agent": (NotFoundError, lambda g: g.pipe.stages[0].update(start=deleted_agent(g))),
    "deployment first": (OrderError, lambda g: g.pipe.add_deployment_stage("x", position=0)),
    "auto first": (OrderError, lambda g: g.pipe.stages[0].update(trigger="auto")),
    "scratch later": (OrderError, lambda g: add(g, start="scratch")),
    "source for the first": (OrderError, lambda g: g.pipe.stages[0].update(start="best")),
    "gate on manual": (OrderError, lambda g: g.pipe.stages[1].update(gate=0.5)),
    "experiment used twice": (
        RuleError,
        lambda g: g.pipe.add_experiment_stage(g.project.experiments["refine"]),
    ),
    "does not fit": (DoesNotFitError, lambda g: add(g, algorithm="Walk")),
    "no scratch": (TriggerError, lambda g: g.project.experiments["refine"].train()),
    "no source checkpoint": (TriggerError, lambda g: g.pipe.stages[2].trigger()),
    "nothing to resume": (TriggerError, lambda g: g.pipe.stages[0].trigger(resume=True)),
    "nothing to stop": (RuleError, lambda g: g.project.experiments["refine"].stop()),
    "nothing to accept": (RuleError, lambda g: g.pipe.stages[0].accept_as_fresh()),
    "corrupt checkpoint": (CheckpointError, lambda g: [damaged(g), g.pipe.stages[1].trigger()]),
    "missing checkpoint": (CheckpointError, lambda g: [removed(g), g.pipe.stages[1].trigger()]),
    "agent of a corrupt checkpoint": (CheckpointError, lambda g: g.ws.create_agent("x", damaged(g))),
    "agent of a missing checkpoint": (CheckpointError, lambda g: g.ws.create_agent("x", removed(g))),
    "agents cannot be written": (StorageError, lambda g: g.ws.create_agent("x", blocked(g))),
    "database in a file's place": (
        StorageError,
        lambda g: pw.Workspace(f"sqlite:///{g.ws.artifacts}/workspace.json/x.db"),
    ),
    "folder in a database's place": (
        StorageError,
        lambda g: pw.Workspace(f"sqlite:///{g.ws.artifacts.parent}"),
    ),
    "experiment in a stage": (InUseError, lambda g: g.project.experiments[0].delete()),
    "checkpoint of an agent": (
        InUseError,
        lambda g: [g.ws.create_agent("x", g.saved), g.saved.delete()],
    ),
    "agent of a stage": (
        InUseError,
        lambda g: [g.pipe.stages[0].update(start=g.ws.create_agent("x", g.saved)), g.ws.agents[0].delete()],
    ),
    "version that is not there": (NotFoundError, lambda g: g.ws.create_agent("x", g.saved).rollback(2)),
    "algorithm without answers": (
        AlgorithmNotFoundError,
        lambda g: [
            g.lab.do(g.pipe._now.stages[1], 0.5),
            g.ws.create_agent("x", g.project.experiments[1].checkpoints[0]).predict(1),
        ],
    ),
    "waiting for what does not end": (WaitTimeoutError, lambda g: g.pipe.stages[1].trigger().wait(timeout=0)),
}


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_what_and_why_or_what_to_do(ground: Ground, case: str) -> None:
    """The error is of the documented class, in whole sentences, and complete by itself."""
    kind, ask = REFUSALS[case]
    with pytest.raises(PipelineError) as refused:
        ask(ground)
    error = refused.value
    assert isinstance(error, kind), repr(error)
    assert error.why or error.fix
    for part in filter(None, (error.what, error.why, error.fix)):
        assert part[0] == part[0].upper() or part[0] in "'/", part
        assert part.endswith((".", "`", '"')), part
        assert ".." not in part.replace("...", ""), part
    for article in (" an Checkpoint", " an Project", "A a", "A e", " a a", " a e"):
        assert article not in str(error), str(error)


@pytest.mark.spec("7.4")
@pytest.mark.parametrize(
    ("config", "field"),
    [({"steps": 0}, "steps"), ({"steps": "many"}, "steps"), ({"nonsense": 1}, "nonsense")],
)
def test_a_bad_config_names_the_field(project: pw.Project, config: dict[str, Any], field: str) -> None:
    """A bad config is refused before anything starts, with the name of the field."""
    with pytest.raises(ConfigError, match=f"'{field}'"):
        project.create_experiment("x", algorithm="Imitate", config=config)
    assert len(project.experiments) == 0


@pytest.mark.spec("5.11", "10.3")
def test_a_wrong_handle_says_where_to_find_a_right_one(ground: Ground) -> None:
    """The hint names something that exists: a listing of the workspace, the project or the run."""
    for ask in (
        lambda: ground.pipe.add_experiment_stage("imitate"),  # pyright: ignore[reportArgumentType]
        lambda: ground.ws.create_agent("x", "best"),  # pyright: ignore[reportArgumentType]
    ):
        with pytest.raises(ForeignError) as refused:
            ask()
        owner, _, name = refused.value.fix.removesuffix(".").rpartition(" ")[2].partition(".")
        kinds = {"project": pw.Project, "ws": pw.Workspace, "run": pw.Run, "experiment": pw.Experiment}
        assert hasattr(kinds[owner], name), refused.value.fix


@pytest.mark.spec("10.3")
def test_a_refused_update_of_an_experiment_changes_nothing(project: pw.Project) -> None:
    """Name, config and seed are changed together or not at all."""
    experiment = project.create_experiment("a", algorithm="Imitate")
    before = experiment._now
    with pytest.raises(ConfigError):
        experiment.update(name="b", config={"steps": 0})
    assert experiment._now == before
    experiment.train()
    with pytest.raises(InUseError):
        experiment.update(name="b", seed=1)
    assert experiment.name == "a"


class Empty(BaseModel):
    """A config without fields."""


@pytest.mark.spec("7.1", "10.3")
def test_an_algorithm_that_cannot_be_sent_is_refused_by_itself(
    project: pw.Project, pipe: pw.Pipeline
) -> None:
    """What a notebook defined around something that cannot be pickled is refused; other algorithms go on."""
    lock = threading.Lock()

    @pw.algorithm("Locked", produces={"lm"}, config=Empty)
    def locked(ctx: pw.TrainContext) -> None:
        with lock:
            ctx.report(1)

    assert pipe.stages[0].trigger().status is pw.Status.PENDING
    with pytest.raises(PipelineError, match="Locked"):
        project.create_experiment("x", algorithm=locked)


@pytest.mark.spec("10.3")
def test_a_message_stays_short_however_many_use_a_thing(project: pw.Project) -> None:
    """What is used in a hundred places names some of them and counts the others."""
    experiment = project.create_experiment("a", algorithm="Imitate")
    for number in range(100):
        project.create_pipeline(f"pipeline number {number}").add_experiment_stage(experiment)
    with pytest.raises(InUseError, match="pipeline number 0") as refused:
        experiment.delete()
    assert len(str(refused.value)) < 1000


def test_a_conflict_is_no_rule(ground: Ground) -> None:
    """Names that are taken are conflicts, so that a caller can tell "choose another" from "not allowed"."""
    with pytest.raises(ConflictError):
        ground.ws.create_project("Letters")
