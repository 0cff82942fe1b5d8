"""Pipelines to YAML and Python code, and from YAML (spec 10.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import yaml

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.algorithm import ConfiguredAlgorithm
from pipeline_widgets.domain.annotation import Annotation
from pipeline_widgets.domain.chain import ExperimentStage, FromAgent, Pipeline, Stage
from pipeline_widgets.domain.document import (
    Document,
    ExperimentEntry,
    StageEntry,
    from_plain,
    import_error,
    to_plain,
)
from pipeline_widgets.domain.evaluator import EvaluatorDeclaration
from pipeline_widgets.domain.experiment import Experiment, compute_config_digest
from pipeline_widgets.domain.history import EventKind
from pipeline_widgets.domain.names import Named, check_name_available, name_copy, validate_name
from pipeline_widgets.domain.python_code import to_python
from pipeline_widgets.domain.triggering import assess_fit
from pipeline_widgets.errors import (
    AlgorithmNotFoundError,
    ConfigError,
    NameTakenError,
    NotFoundError,
    PipelineError,
)
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import history, pipeline_facts
from pipeline_widgets.services.pipelines import check_advanced, check_scorable

LINE_ENDS = "\r\x85\u2028\u2029"
#: The code of the error that an import with `rename` does not have.
RENAMABLE = "experiment_name_taken"
LONGEST = 1_000_000  # characters of a text: seconds of reading
Configure = Callable[[str, Mapping[str, Any]], ConfiguredAlgorithm]
FindEvaluator = Callable[[str], EvaluatorDeclaration | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedPipeline:
    """A pipeline that was made of a text, and what was done along, one sentence each."""

    pipeline: Pipeline
    also: tuple[str, ...]


class TransferService:
    """Export and import pipelines.

    Args:
        store: The workspace.
        configure: Returns the algorithm of a name with a validated config.
        find_evaluator: Returns the evaluator of a name as this process has it; None where it has none.
    """

    def __init__(
        self, store: Store, configure: Configure, find_evaluator: FindEvaluator = lambda _: None
    ) -> None:
        self._store = store
        self._configure = configure
        self._find_evaluator = find_evaluator

    def to_yaml(self, pipeline_id: int) -> str:
        """Return a pipeline as YAML, from which it can be made again in any project."""
        return write_document(self.document(pipeline_id))

    def document(self, pipeline_id: int) -> Document:
        """Return a pipeline as a document."""
        with self._store.read() as work:
            return _document(work, work.pipelines.get(pipeline_id))

    def to_python(self, pipeline_id: int) -> str:
        """Return Python code that rebuilds a pipeline in an empty workspace."""
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            document = _document(work, pipeline)
            project = work.projects.get(pipeline.project_id)
            bound = work.experiments.by_id(pipeline.experiment_ids).values()
            algorithms = {each.algorithm_id: each.spec.name for each in bound}
            pickled = {
                name for key, name in algorithms.items() if work.experiments.stored_reference(key).value
            }
            known = pipeline_facts.load(work, pipeline, consumption=False)
            evaluator = work.evaluators.find(pipeline.score_by) if pipeline.score_by else None
        fits = [assess_fit(pipeline, stage, known) for stage in pipeline.stages]
        unfit = {at: fit.reason for at, fit in enumerate(fits) if not fit.fits}
        return to_python(
            document,
            project.name,
            defined_in_notebooks=pickled,
            unfit=unfit,
            evaluator_in_notebook=evaluator is not None and evaluator.is_by_value,
            workspace=str(self._store.database.path or self._store.database.safe_url),
        )

    def import_pipeline(
        self, project_id: int, text: str, *, name: str | None = None, rename: bool = False
    ) -> ImportedPipeline:
        """Make a pipeline of YAML: all of it, or nothing.

        An experiment that the project has with the same content is bound; one that it lacks is made.

        Args:
            project_id: The project.
            text: What `to_yaml` has returned.
            name: Another name for the pipeline.
            rename: Give experiments whose name is taken by another content a new name, instead of refusing.

        Raises:
            ClassicProjectError: The project is not an Advanced Training project.
            ConfigError: The text is not a pipeline; the place is named.
            NameTakenError: The project has such a pipeline, or another experiment of such a name.
            RuleError: A stage could not stand where it does.
            AlgorithmNotFoundError: An algorithm is not known here, and the project has no such experiment.
            EvaluatorNotFoundError: The evaluator by whose scores Best goes is not known here.
            NotFoundError: The workspace lacks the saved Agent that it starts from.
        """
        with self._store.read() as work:
            check_advanced(work, project_id)
        document = parse_document(text)
        if name is not None:
            document = replace(document, name=validate_name(name, "pipeline"))
        return self.add_document(project_id, document, "Imported.", rename=rename)

    def add_document(
        self, project_id: int, document: Document, said: str, *, rename: bool = False
    ) -> ImportedPipeline:
        """Make a pipeline of a document, as `import_pipeline` does.

        Args:
            project_id: The project.
            document: The document.
            said: What its history says of it.
            rename: As of `import_pipeline`.
        """
        entries = [self._configure_entry(each) for each in document.experiments]
        evaluator = self._find_evaluator(document.score_by) if document.score_by is not None else None
        with self._store.write() as work:
            revision = work.projects.touch(project_id)
            check_advanced(work, project_id)
            check_name_available(document.name, work.pipelines.named(project_id, [document.name]), "pipeline")
            ids, also = _bind_experiments(work, project_id, entries, revision, rename=rename)
            empty = work.pipelines.add(project_id, document.name, document.description, revision)
            stages = [_with_ids(work, each, ids, at) for at, each in enumerate(document.stages, 1)]
            made = replace(empty.with_stages(stages), score_by=document.score_by)
            if evaluator is not None:
                work.evaluators.keep(evaluator)
            if made.score_by is not None:
                check_scorable(work, made)
            pipeline = work.pipelines.save(made, revision, before=empty)
            if document.tags:
                work.annotations.write("pipeline", pipeline.id, Annotation(tags=document.tags), revision)
            history.record_event(work, pipeline, EventKind.CREATED, said)
            return ImportedPipeline(pipeline=pipeline, also=also)

    def _configure_entry(self, entry: ExperimentEntry) -> _Entry:
        try:
            return _Entry(entry=entry, made=self._configure(entry.algorithm, entry.config))
        except PipelineError as error:
            what = f"Experiment {entry.name!r} cannot be imported."
            named = type(error)(what, f"{error.what} {error.why}".strip(), error.fix)
            if isinstance(
                named, AlgorithmNotFoundError
            ):  # the experiment may be there, made by another kernel
                return _Entry(entry=entry, made=named)
            raise named from error


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    """An experiment of a text with its algorithm, as far as that is known here."""

    entry: ExperimentEntry
    made: ConfiguredAlgorithm | AlgorithmNotFoundError

    def is_(self, known: Experiment) -> bool:
        """Return whether an experiment has the same content."""
        config = self.made.config if isinstance(self.made, ConfiguredAlgorithm) else self.entry.config
        with suppress(TypeError, ValueError):  # what is not JSON is not the config of an experiment
            same = known.config_digest == compute_config_digest(config, self.entry.seed)
            return same and known.spec.name == self.entry.algorithm
        return False


def write_document(document: Document) -> str:
    """Return a document as YAML."""
    return yaml.dump(to_plain(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def parse_document(text: str) -> Document:
    """Return the document that YAML holds.

    Raises:
        ConfigError: The text is not a pipeline; the place is named.
    """
    return from_plain(_parse(text))


def _document(work: UnitOfWork, pipeline: Pipeline) -> Document:
    known = work.experiments.by_id(pipeline.experiment_ids)
    experiments = [known[each] for each in pipeline.experiment_ids]
    names = {each.id: each.name for each in experiments}
    agents = {each.id: each.name for each in work.agents.matching(pipeline.agent_ids, ())}
    written = work.annotations.of("experiment", list(names))
    return Document(
        name=pipeline.name,
        description=pipeline.description,
        experiments=tuple(_entry(each, written[each.id].tags) for each in experiments),
        stages=tuple(_name_stage(stage, names, agents) for stage in pipeline.stages),
        score_by=pipeline.score_by,
        tags=work.annotations.of("pipeline", [pipeline.id])[pipeline.id].tags,
    )


def _entry(experiment: Experiment, tags: tuple[str, ...]) -> ExperimentEntry:
    return ExperimentEntry(
        name=experiment.name,
        algorithm=experiment.spec.name,
        config=experiment.config,
        seed=experiment.seed,
        placement=experiment.placement,
        tags=tags,
    )


def _name_stage(stage: Stage, experiments: Mapping[int, str], agents: Mapping[int, str]) -> StageEntry:
    if not isinstance(stage, ExperimentStage):
        return StageEntry(stage=stage)
    agent = agents[stage.start.agent_id] if isinstance(stage.start, FromAgent) else None
    return StageEntry(stage=stage, experiment=experiments[stage.experiment_id], agent=agent)


def _bind_experiments(
    work: UnitOfWork, project_id: int, entries: Sequence[_Entry], revision: int, *, rename: bool
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The experiments that entries mean, by name: those that are there with the same content, or new."""
    mine = {each.entry.name: each for each in entries}
    there = work.experiments.by_id([each.id for each in work.experiments.named(project_id, mine)])
    known = {each.name: each for each in there.values()}
    ids: dict[str, int] = {}
    also: list[str] = []
    for name, each in mine.items():
        if name in known and each.is_(known[name]):
            ids[name] = known[name].id
            also.append(f"Experiment {quote(name)} already exists and was reused.")
            continue
        if not isinstance(each.made, ConfiguredAlgorithm):
            raise each.made
        free_name = _find_free_name(work, project_id, name, mine, rename=rename) if name in known else name
        entry = each.entry
        new = work.experiments.add(
            project_id, free_name, each.made, entry.seed, revision, placement=entry.placement
        )
        if entry.tags:
            work.annotations.write("experiment", new.id, Annotation(tags=entry.tags), revision)
        ids[name] = new.id
        also.append(f"Experiment {quote(free_name)} was created.")
    return ids, tuple(also)


def _find_free_name(
    work: UnitOfWork, project_id: int, name: str, mine: Mapping[str, _Entry], *, rename: bool
) -> str:
    """A name that neither the project nor the text has."""
    if not rename:
        what = f"Another experiment named {name!r} already exists."
        why = "Its algorithm, config or seed differs from that of the text."
        fix = "Rename one of them, or import with rename=True."
        raise NameTakenError(what, why, fix, code=RENAMABLE)

    def bearers(names: Collection[str]) -> list[Named]:
        in_text: list[Named] = [mine[each].entry for each in names if each in mine]
        return [*work.experiments.named(project_id, names), *in_text]

    return name_copy(name, bearers, "imported")


def _with_ids(work: UnitOfWork, entry: StageEntry, experiments: Mapping[str, int], number: int) -> Stage:
    stage = entry.stage
    if not isinstance(stage, ExperimentStage):
        return stage
    stage = replace(stage, experiment_id=experiments[entry.experiment or ""])
    if entry.agent is None:
        return stage
    found = work.agents.matching((), [entry.agent])
    if not found:
        what = f"Stage {number} starts from an agent that is not here."
        raise NotFoundError(what, f"It is named {entry.agent!r}.", "Save an agent of that name first.")
    return replace(stage, start=FromAgent(found[0].id))


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: what is there twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  as in yaml
        """Return whether a value is written out each time."""
        return True


def _quote(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Write a text that holds unusual line ends with escapes: else they would be read as spaces."""
    style = '"' if any(letter in text for letter in LINE_ENDS) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _quote)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    """Read a whole number that can be written again: Python refuses to where it has thousands of digits."""
    number = loader.construct_yaml_int(node)
    str(number)
    return number


class _Loader(yaml.SafeLoader):
    """Reads what `_Dumper` writes: neither anchors, which can blow up, nor keys that are there twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse references to anchors."""
        if self.check_event(yaml.AliasEvent):  # pyright: ignore[reportUnknownMemberType]
            raise yaml.YAMLError("an alias (*) is not taken here")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  as in yaml
        """Refuse a key that is there twice."""
        found = super().construct_mapping(node, deep)
        if len(found) != len(node.value):
            raise yaml.YAMLError(f"a key is there twice{node.start_mark}")
        return found


_Loader.add_constructor("tag:yaml.org,2002:int", _whole)

_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)


def _tell_numbers(reader_or_writer: type[_Loader | _Dumper]) -> None:
    """Let a number be what YAML 1.2 says, as 1e-4 is; the writer quotes texts that look like one."""
    tag = "tag:yaml.org,2002:float"
    reader_or_writer.yaml_implicit_resolvers = {
        first: [rule for rule in rules if rule[0] != tag]
        for first, rules in reader_or_writer.yaml_implicit_resolvers.items()
    }
    reader_or_writer.add_implicit_resolver(tag, _FLOAT, list("-+.0123456789"))  # pyright: ignore[reportUnknownMemberType]


_tell_numbers(_Loader)
_tell_numbers(_Dumper)


def _parse(text: str) -> Any:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        raise import_error("its type", f"It should be a text, and is a {type(text).__name__}.")
    if len(text) > LONGEST:
        raise import_error("its length", f"It has {len(text):,} characters; at most {LONGEST:,} are taken.")
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a safe loader
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        fix = "Correct it there, or export a pipeline with to_yaml() and begin with that."
        raise ConfigError(*_describe_yaml_error(error), fix) from error


def _describe_yaml_error(error: Exception) -> tuple[str, str]:
    """Return what is wrong with a text that is not YAML, with its place, and the parser's reason."""
    if isinstance(error, RecursionError):
        return "Not valid YAML.", "It is nested too deeply."
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return "Not valid YAML.", f"{error}."
    mark = error.problem_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}"
    return f"Not valid YAML: {place}.", f"{str(error.problem or error.context).capitalize()}."
