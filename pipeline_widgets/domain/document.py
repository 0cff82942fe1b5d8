"""A pipeline as a plain document, which names experiments and agents instead of counting them (spec 10.2)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pipeline_widgets.domain.chain import (
    NEW,
    BetterThanDeployed,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromScratch,
    FromSource,
    Gate,
    ScoreAtLeast,
    Stage,
    Start,
    Trigger,
)
from pipeline_widgets.domain.experiment import Choice
from pipeline_widgets.errors import ConfigError

FORMAT = 1
BETTER = "better than deployed"
_STAGE = {"trigger", "gate"}
_EXPERIMENT_STAGE = _STAGE | {"experiment", "start", "auto_add_agent"}
_DEPLOYMENT_STAGE = _STAGE | {"agent", "description", "checkpoint"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentEntry:
    """An experiment that a stage is bound to."""

    name: str
    algorithm: str
    config: Mapping[str, Any]
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StageEntry:
    """A stage; the ids in it mean nothing, the names beside it do."""

    stage: Stage
    experiment: str | None = None
    #: The saved Agent that it starts from.
    agent: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A pipeline that can stand in any project."""

    name: str
    description: str
    experiments: tuple[ExperimentEntry, ...]
    stages: tuple[StageEntry, ...]


def to_plain(document: Document) -> dict[str, Any]:
    """Return a document as what YAML and JSON know."""
    return {
        "format": FORMAT,
        "pipeline": document.name,
        "description": document.description,
        "experiments": {
            each.name: {"algorithm": each.algorithm, "seed": each.seed, "config": dict(each.config)}
            for each in document.experiments
        },
        "stages": [_stage_to_plain(each) for each in document.stages],
    }


def from_plain(plain: Any) -> Document:
    """Return the document that `to_plain` has made of it.

    Raises:
        ConfigError: It is none; the place and what is wrong there are named.
    """
    top = Part("the document", plain)
    top.only({"format", "pipeline", "description", "experiments", "stages"})
    if top.whole("format") != FORMAT:
        raise refused("the document", f"Its format is {plain['format']!r}, and {FORMAT} is known.")
    experiments = tuple(_experiment(name, each) for name, each in top.parts("experiments").items())
    names = {each.name for each in experiments}
    stages = tuple(
        _stage(Part(f"stage {at}", each), names) for at, each in enumerate(top.listed("stages"), start=1)
    )
    bound = [each.experiment for each in stages if each.experiment is not None]
    for name in {name for name in bound if bound.count(name) > 1}:
        raise refused("the stages", f"Two of them are bound to experiment {name!r}.")
    return Document(
        name=top.text("pipeline"),
        description=top.text("description", default=""),
        experiments=experiments,
        stages=stages,
    )


def refused(place: str, why: str) -> ConfigError:
    """Return the error for a document that cannot be taken."""
    fix = "Correct that, or export the pipeline again with pipeline.to_yaml()."
    return ConfigError(f"The pipeline cannot be imported because of {place}.", why, fix)


_NOTHING = object()


class Part:
    """A mapping within a document, read with the place named where something is wrong."""

    def __init__(self, place: str, value: Any) -> None:
        keys = cast("dict[Any, Any]", value) if isinstance(value, dict) else [None]
        if not all(isinstance(key, str) for key in keys):
            raise refused(place, f"It should be a mapping of names, and is {_shown(value)}.")
        self.place = place
        self.value: Mapping[str, Any] = value

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def only(self, known: Collection[str]) -> None:
        """Refuse what is not known: it would be lost."""
        for key in self.value:
            if key not in known:
                raise refused(self.place, f"It has {key!r}; known are {', '.join(sorted(known))}.")

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text."""
        return cast("str", self._get(key, (str,), "a text", _NOTHING if default is None else default))

    def whole(self, key: str) -> int:
        """Return a whole number."""
        return cast("int", self._get(key, (int,), "a whole number", _NOTHING))

    def flag(self, key: str) -> bool:
        """Return true or false; false where it is left out."""
        return cast("bool", self._get(key, (bool,), "true or false", default=False))

    def any(self, key: str, default: Any) -> Any:
        """Return a value of any type."""
        return self.value.get(key, default)

    def listed(self, key: str) -> Sequence[Any]:
        """Return a list."""
        return cast("list[Any]", self._get(key, (list,), "a list", _NOTHING))

    def parts(self, key: str) -> Mapping[str, Any]:
        """Return a mapping."""
        found = self._get(key, (dict,), "a mapping", _NOTHING)
        return Part(f"{key!r} of {self.place}", found).value

    def _get(self, key: str, types: tuple[type, ...], kind: str, default: Any) -> Any:
        if key not in self.value:
            if default is _NOTHING:
                raise refused(self.place, f"It has no {key!r}.")
            return default
        value = self.value[key]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise refused(self.place, f"{key!r} should be {kind}, and is {_shown(value)}.")
        return value


def _experiment(name: str, value: Any) -> ExperimentEntry:
    part = Part(f"experiment {name!r}", value)
    part.only({"algorithm", "seed", "config"})
    return ExperimentEntry(
        name=name, algorithm=part.text("algorithm"), seed=part.whole("seed"), config=part.parts("config")
    )


def _stage(part: Part, experiments: Collection[str]) -> StageEntry:
    try:
        trigger = Trigger(part.text("trigger", "manual"))
    except ValueError as error:
        raise refused(part.place, "'trigger' should be manual or auto.") from error
    gate = _gate(part)
    if "agent" in part and "experiment" not in part:
        part.only(_DEPLOYMENT_STAGE)
        return StageEntry(
            stage=DeploymentStage(
                agent_name=part.text("agent"),
                agent_description=part.text("description", ""),
                choice=_choice(part, "checkpoint"),
                trigger=trigger,
                gate=gate,
            )
        )
    part.only(_EXPERIMENT_STAGE)
    name = part.text("experiment")
    if name not in experiments:
        raise refused(part.place, f"Its experiment {name!r} is not among 'experiments'.")
    start, agent = _start(part)
    stage = ExperimentStage(
        experiment_id=NEW, trigger=trigger, start=start, auto_add_agent=part.flag("auto_add_agent"), gate=gate
    )
    return StageEntry(stage=stage, experiment=name, agent=agent)


def _start(part: Part) -> tuple[Start, str | None]:
    value = part.any("start", "scratch")
    if isinstance(value, dict):
        inner = Part(f"'start' of {part.place}", value)
        inner.only({"agent"})
        return FromAgent(NEW), inner.text("agent")
    return (FromScratch() if value == "scratch" else FromSource(_choice(part, "start"))), None


def _choice(part: Part, key: str) -> Choice:
    value = part.any(key, "best")
    if isinstance(value, str) and value in {"best", "final"}:
        return value  # pyright: ignore[reportReturnType]  as the set says
    if type(value) is int and value >= 0:
        return value
    raise refused(part.place, f"{key!r} should be best, final or a step, and is {_shown(value)}.")


def _gate(part: Part) -> Gate | None:
    value = part.any("gate", None)
    if value is None:
        return None
    if value == BETTER:
        return BetterThanDeployed()
    if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value):
        return ScoreAtLeast(float(value))
    raise refused(part.place, f"'gate' should be a number or {BETTER!r}, and is {_shown(value)}.")


def _stage_to_plain(entry: StageEntry) -> dict[str, Any]:
    stage = entry.stage
    if isinstance(stage, DeploymentStage):
        plain: dict[str, Any] = {"agent": stage.agent_name, "checkpoint": stage.choice}
        plain |= {"description": stage.agent_description} if stage.agent_description else {}
    else:
        plain = {"experiment": entry.experiment, "start": _start_to_plain(stage.start, entry.agent)}
        plain |= {"auto_add_agent": True} if stage.auto_add_agent else {}
    plain["trigger"] = stage.trigger.value
    if stage.gate is not None:
        plain["gate"] = stage.gate.score if isinstance(stage.gate, ScoreAtLeast) else BETTER
    return plain


def _start_to_plain(start: Start, agent: str | None) -> Any:
    match start:
        case FromScratch():
            return "scratch"
        case FromAgent():
            return {"agent": agent}
        case FromSource(choice):
            return choice


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004  what an error can show
