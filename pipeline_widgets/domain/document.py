"""A pipeline as a plain document, which names experiments and agents instead of counting them (spec 10.2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pipeline_widgets.domain.annotation import Annotation, AnnotationEdit, validate_tags
from pipeline_widgets.domain.chain import (
    UNSAVED_ID,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    Stage,
    Start,
)
from pipeline_widgets.domain.experiment import validate_seed
from pipeline_widgets.domain.names import validate_description, validate_name
from pipeline_widgets.domain.resources import (
    DEFAULT_PLACEMENT,
    Placement,
    parse_launcher,
    parse_resources,
)
from pipeline_widgets.domain.stage_settings import (
    SCRATCH,
    is_left_out,
    parse_choice,
    parse_gate,
    parse_retries,
    parse_start,
    parse_trigger,
    settings_to_plain,
)
from pipeline_widgets.errors import ConfigError, format_value

FORMAT = 1
T = TypeVar("T")
NAMED = 5  # experiments that an error names
_STAGE = {"trigger", "gate"}
_EXPERIMENT_STAGE = _STAGE | {"experiment", "start", "auto_add_agent", "retries", "launcher", "resources"}
_DEPLOYMENT_STAGE = _STAGE | {"agent", "description", "checkpoint"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentEntry:
    """An experiment that a stage is bound to."""

    name: str
    algorithm: str
    config: Mapping[str, Any]
    seed: int
    #: Where its runs are launched; one that is there already keeps its own.
    placement: Placement = DEFAULT_PLACEMENT
    #: One that is there already keeps its own.
    tags: tuple[str, ...] = ()


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
    #: The evaluator by whose scores Best and gates go.
    score_by: str | None = None
    tags: tuple[str, ...] = ()


def to_plain(document: Document) -> dict[str, Any]:
    """Return a document as what YAML and JSON know."""
    return {
        "format": FORMAT,
        "pipeline": document.name,
        "description": document.description,
        **({} if document.score_by is None else {"score_by": document.score_by}),
        **({"tags": [*document.tags]} if document.tags else {}),
        "experiments": {
            each.name: {
                "algorithm": each.algorithm,
                "seed": each.seed,
                "config": dict(each.config),
                **each.placement.to_plain(),
                **({"tags": [*each.tags]} if each.tags else {}),
            }
            for each in document.experiments
        },
        "stages": [_stage_to_plain(each) for each in document.stages],
    }


def from_plain(plain: Any) -> Document:
    """Return the document that `to_plain` has made of it.

    Raises:
        ConfigError: It is none; the place and what is wrong there are named.
    """
    top = DocumentNode("the document", plain)
    top.check_keys({"format", "pipeline", "description", "score_by", "tags", "experiments", "stages"})
    if top.integer("format") != FORMAT:
        raise import_error(
            "the document", f"Its format is {format_value(plain['format'])}, and {FORMAT} is known."
        )
    experiments = _experiments(top.mapping("experiments"))
    stages = tuple(
        _stage(DocumentNode(f"stage {at}", each), experiments)
        for at, each in enumerate(top.sequence("stages"), start=1)
    )
    if unused := experiments.keys() - {each.experiment for each in stages}:
        named = ", ".join(map(repr, sorted(unused)[:NAMED]))
        raise import_error("'experiments' of the document", f"No stage is bound to {named}.")
    return Document(
        name=top.name("pipeline", "pipeline"),
        description=top.description("pipeline"),
        experiments=tuple(experiments.values()),
        stages=stages,
        score_by=top.name("score_by", "evaluator") if "score_by" in top else None,
        tags=_tags(top),
    )


def import_error(place: str, why: str) -> ConfigError:
    """Return the error for a document that cannot be taken."""
    fix = "Correct that, or export the pipeline again with pipeline.to_yaml()."
    return ConfigError(f"The pipeline cannot be imported because of {place}.", why, fix)


@contextmanager
def _within(place: str) -> Generator[None]:
    """Name the place where a rule is broken that holds for what is typed elsewhere, too."""
    try:
        yield
    except ConfigError as error:
        raise import_error(place, f"{error.what} {error.why or error.fix}") from error


_NOTHING = object()


class DocumentNode:
    """A mapping within a document, read with the place named where something is wrong."""

    def __init__(self, place: str, value: Any) -> None:
        keys: Collection[Any] = cast("dict[Any, Any]", value) if isinstance(value, dict) else [None]
        if not all(isinstance(key, str) for key in keys):
            raise import_error(
                place, f"It should be a mapping of names, and is {format_value(cast('object', value))}."
            )
        self.place = place
        self.value: Mapping[str, Any] = value

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def check_keys(self, known: Collection[str]) -> None:
        """Refuse what is not known: it would be lost."""
        for key in self.value:
            if key not in known:
                raise import_error(
                    self.place, f"It has {format_value(key)}; known are {', '.join(sorted(known))}."
                )

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text."""
        return cast("str", self._get(key, (str,), "a text", _NOTHING if default is None else default))

    def name(self, key: str, kind: str) -> str:
        """Return the name of something of that kind."""
        text = self.text(key)
        with _within(self.place):
            return validate_name(text, kind)

    def description(self, kind: str) -> str:
        """Return the description of something of that kind; none where it is left out."""
        text = self.text("description", "")
        with _within(self.place):
            return validate_description(text, kind)

    def integer(self, key: str) -> int:
        """Return a whole number."""
        return cast("int", self._get(key, (int,), "a whole number", _NOTHING))

    def boolean(self, key: str) -> bool:
        """Return true or false; false where it is left out."""
        return cast("bool", self._get(key, (bool,), "true or false", default=False))

    def setting(self, key: str, parse: Callable[[object], T], default: object) -> T:
        """Return a setting of a stage, as the rule reads it that holds for arguments, too."""
        with _within(self.place):
            return parse(self.value.get(key, default))

    def sequence(self, key: str) -> Sequence[Any]:
        """Return a list."""
        return cast("list[Any]", self._get(key, (list,), "a list", _NOTHING))

    def mapping(self, key: str) -> Mapping[str, Any]:
        """Return a mapping."""
        found = self._get(key, (dict,), "a mapping", _NOTHING)
        return DocumentNode(f"{key!r} of {self.place}", found).value

    def _get(self, key: str, types: tuple[type, ...], kind: str, default: Any) -> Any:
        if key not in self.value:
            if default is _NOTHING:
                raise import_error(self.place, f"It has no {key!r}.")
            return default
        value = self.value[key]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise import_error(self.place, f"{key!r} should be {kind}, and is {format_value(value)}.")
        return value


def _experiments(listed: Mapping[str, Any]) -> dict[str, ExperimentEntry]:
    found: dict[str, ExperimentEntry] = {}
    for key, value in listed.items():
        entry = _experiment(DocumentNode(f"experiment {format_value(key)}", value), key)
        if entry.name in found:
            raise import_error("'experiments' of the document", f"Two of them are named {entry.name!r}.")
        found[entry.name] = entry
    return found


def _experiment(node: DocumentNode, key: str) -> ExperimentEntry:
    node.check_keys({"algorithm", "seed", "config", "launcher", "resources", "tags"})
    number = node.integer("seed")
    with _within(node.place):
        name, seed = validate_name(key, "experiment"), validate_seed(number)
    return ExperimentEntry(
        name=name,
        algorithm=node.text("algorithm"),
        seed=seed,
        config=node.mapping("config"),
        placement=_placement(node),
        tags=_tags(node),
    )


def _tags(node: DocumentNode) -> tuple[str, ...]:
    if "tags" not in node:
        return ()
    listed = node.sequence("tags")
    with _within(node.place):
        return AnnotationEdit(tags=validate_tags(listed)).apply(Annotation()).tags


def _placement(node: DocumentNode) -> Placement:
    launcher = node.setting("launcher", parse_launcher, None)
    return Placement(launcher=launcher, resources=node.setting("resources", parse_resources, None))


def _stage(node: DocumentNode, experiments: Collection[str]) -> StageEntry:
    trigger = node.setting("trigger", parse_trigger, "manual")
    gate = node.setting("gate", parse_gate, None)
    if "agent" in node and "experiment" not in node:
        node.check_keys(_DEPLOYMENT_STAGE)
        return StageEntry(
            stage=DeploymentStage(
                agent_name=node.name("agent", "agent"),
                agent_description=node.description("agent"),
                choice=node.setting("checkpoint", parse_choice, "best"),
                trigger=trigger,
                gate=gate,
            )
        )
    node.check_keys(_EXPERIMENT_STAGE)
    name = node.name("experiment", "experiment")
    if name not in experiments:
        raise import_error(node.place, f"Its experiment {format_value(name)} is not among 'experiments'.")
    start, agent = _start(node)
    stage = ExperimentStage(
        experiment_id=UNSAVED_ID,
        trigger=trigger,
        start=start,
        auto_add_agent=node.boolean("auto_add_agent"),
        gate=gate,
        retries=node.setting("retries", parse_retries, 0),
        placement=_placement(node),
    )
    return StageEntry(stage=stage, experiment=name, agent=agent)


def _start(node: DocumentNode) -> tuple[Start, str | None]:
    value = node.value.get("start")
    if isinstance(value, dict):
        inner = DocumentNode(f"'start' of {node.place}", value)
        inner.check_keys({"agent"})
        return FromAgent(UNSAVED_ID), inner.name("agent", "agent")
    return node.setting("start", parse_start, SCRATCH), None


def _stage_to_plain(entry: StageEntry) -> dict[str, Any]:
    stage, settings = entry.stage, settings_to_plain(entry.stage, entry.agent)
    named = (
        {"agent": stage.agent_name}
        if isinstance(stage, DeploymentStage)
        else {"experiment": entry.experiment}
    )
    return named | {key: value for key, value in settings.items() if not is_left_out(value)}
