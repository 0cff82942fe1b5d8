"""Documents of pipelines of every kind, for tests with Hypothesis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from pipeline_widgets.domain.chain import (
    UNSAVED_ID,
    BetterThanDeployed,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromScratch,
    FromSource,
    Gate,
    ScoreAtLeast,
    Stage,
    Trigger,
)
from pipeline_widgets.domain.checkpoint import LAST_STEP, Choice
from pipeline_widgets.domain.document import Document, ExperimentEntry, StageEntry

#: Names as people type them, and as attackers do: no control letters of YAML are left out.
LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")  # no database stores the others
ANY_NAMES = st.text(LETTERS, min_size=1, max_size=12).filter(lambda name: name == name.strip())
#: And names that mean something elsewhere: to Python, to the code that is written, to an import that renames.
LOADED = ("float", "True", "class", "pw", "print", "1e3", "a", "a (imported)", "a (imported 2)")
NAMES = ANY_NAMES | st.sampled_from(LOADED)
TEXTS = st.text(LETTERS, max_size=30).map(str.strip)
CHOICES: st.SearchStrategy[Choice] = st.one_of(st.just("best"), st.just("final"), st.integers(0, LAST_STEP))  # pyright: ignore[reportAssignmentType]  as Choice says
IDS = st.integers(1, 2**31)
SCORES = st.floats(allow_nan=False).map(ScoreAtLeast)
CONFIGS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=4,
    ),
    max_size=3,
)


#: Tags of a pipeline or an experiment, in the order in which they were given.
TAGS = st.lists(st.sampled_from(["baseline", "to check", "2024"]), unique=True, max_size=3).map(tuple)


def _gated(draw: st.DrawFn, trigger: Trigger, gates: st.SearchStrategy[Gate]) -> Gate | None:
    return draw(st.none() | gates) if trigger is Trigger.AUTO else None


@st.composite
def documents(draw: st.DrawFn, configs: st.SearchStrategy[dict[str, Any]] = CONFIGS) -> Document:
    """Draw a pipeline that could stand in a workspace."""
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    experiments = tuple(
        ExperimentEntry(
            name=name,
            algorithm=draw(NAMES),
            config=draw(configs),
            seed=draw(st.integers(0, 2**31 - 1)),
            tags=draw(TAGS),
        )
        for name in names
    )
    stages: list[StageEntry] = []
    for at, name in enumerate(names):
        trigger = draw(st.sampled_from(Trigger)) if at else Trigger.MANUAL
        agent = draw(st.none() | NAMES) if not at else None
        start = FromAgent(UNSAVED_ID) if agent else FromSource(draw(CHOICES)) if at else FromScratch()
        stage = ExperimentStage(
            experiment_id=UNSAVED_ID,
            trigger=trigger,
            start=start,
            auto_add_agent=draw(st.booleans()),
            gate=_gated(draw, trigger, SCORES),
            retries=draw(st.integers(0, 3)),
        )
        stages.append(StageEntry(stage=stage, experiment=name, agent=agent))
        if draw(st.booleans()):
            stages.append(StageEntry(stage=draw(deployments())))
    return Document(
        name=draw(NAMES),
        description=draw(TEXTS),
        experiments=experiments,
        stages=tuple(stages),
        tags=draw(TAGS),
    )


@st.composite
def spaced(draw: st.DrawFn, plain: dict[str, Any]) -> dict[str, Any]:
    """Draw spaces around the names of a document that was made plain."""
    spaces = st.text(" \t\n", max_size=2)

    def around(name: str) -> str:
        return f"{draw(spaces)}{name}{draw(spaces)}"

    def stage(each: dict[str, Any]) -> dict[str, Any]:
        named = {key: around(each[key]) for key in ("experiment", "agent") if key in each}
        start = (
            {"start": {"agent": around(each["start"]["agent"])}}
            if isinstance(each.get("start"), dict)
            else {}
        )
        return {**each, **named, **start}

    return {
        **plain,
        "pipeline": around(plain["pipeline"]),
        "experiments": {around(name): each for name, each in plain["experiments"].items()},
        "stages": [stage(each) for each in plain["stages"]],
    }


@st.composite
def deployments(draw: st.DrawFn) -> DeploymentStage:
    """Draw a Deployment stage that is not the first."""
    trigger = draw(st.sampled_from(Trigger))
    return DeploymentStage(
        agent_name=draw(NAMES),
        agent_description=draw(TEXTS),
        choice=draw(CHOICES),
        trigger=trigger,
        gate=_gated(draw, trigger, SCORES | st.just(BetterThanDeployed())),
    )


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    """Draw a saved stage of any type, with any settings."""
    if draw(st.booleans()):
        return replace(draw(deployments()), id=draw(IDS))
    trigger = draw(st.sampled_from(Trigger))
    return ExperimentStage(
        id=draw(IDS),
        experiment_id=draw(IDS),
        trigger=trigger,
        start=draw(st.just(FromScratch()) | IDS.map(FromAgent) | CHOICES.map(FromSource)),
        auto_add_agent=draw(st.booleans()),
        gate=_gated(draw, trigger, SCORES),
        retries=draw(st.integers(0, 100)),
    )
