"""Filters as conditions of one statement. Each is true or false, never NULL, so that `not` negates it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    not_,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.types import Float, Text

from pipeline_widgets.domain.filtering import (
    COMPARISONS,
    CONFIG,
    METRIC,
    AllOf,
    AnyOf,
    Condition,
    FieldKind,
    Filter,
    FilterSubject,
    NameSearch,
    Not,
    is_config_path,
)
from pipeline_widgets.domain.project import describe_kind
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.repositories.experiment_runs import LATEST_RUN, LATEST_STATUS, of_runs
from pipeline_widgets.persistence.repositories.search import contains_text

_P, _E, _R, _A, _S = (
    schema.pipelines.c,
    schema.experiments.c,
    schema.runs.c,
    schema.algorithms.c,
    schema.stages.c,
)
_L, _J = schema.last_metrics.c, schema.projects.c
_MINIMISED = _A.spec["score"].as_string() == "min"

FLAGS = ("true", "false")  # as JSON writes them
#: Puts what is compared, one column, into its place: it may have to be looked up in other tables.
_Wrap = Callable[[ColumnElement[bool]], ColumnElement[bool]]


def _as_it_is(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return condition


@dataclass(frozen=True, kw_only=True, slots=True)
class _Column:
    """Where the values of a field are."""

    value: ColumnElement[Any]
    wrap: _Wrap = _as_it_is


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterTarget:
    """Where the rows that are filtered have what a filter asks for."""

    subject: FilterSubject
    #: The columns in which a word is searched.
    names: Collection[_Column]
    columns: Mapping[str, _Column]
    config: _Column
    #: The id of the run whose metrics count.
    run_id: _Column
    tags: ColumnElement[Any]
    #: By field that no column has: the ids for which a condition holds.
    computed: Callable[[Condition], Collection[int]] | None = None
    id: ColumnElement[int] | None = None


def _exists(table: FromClause, link: ColumnElement[bool]) -> _Wrap:
    def wrap(condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return select(literal(1)).select_from(table).where(link & condition).exists()

    return wrap


def _of_experiment(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The experiment's value for a run."""
    return select(column).where(_E.id == _R.experiment_id).correlate(schema.runs).scalar_subquery()


def _algorithm(owner: FromClause, key: ColumnElement[Any], column: ColumnElement[Any]) -> ColumnElement[Any]:
    return select(column).where(_A.id == key).correlate(owner).scalar_subquery()


def _best(owner: FromClause, key: ColumnElement[Any], low: Any, high: Any) -> _Column:
    is_min = _algorithm(owner, key, _A.spec["score"].as_string())
    return _Column(value=case((is_min == "min", low), else_=high))


def run_target(subject: FilterSubject) -> FilterTarget:
    """Return where runs have what a filter asks for."""
    name = _Column(value=_of_experiment(_E.name))
    pipeline = select(_P.name).where(_P.id == _R.pipeline_id).correlate(schema.runs).scalar_subquery()
    algorithm = _algorithm(schema.runs, _R.algorithm_id, _A.name)
    return FilterTarget(
        subject=subject,
        names=(name,),
        columns={
            "name": name,
            "status": _Column(value=_R.status),
            "note": _Column(value=_R.note),
            "favourite": _Column(value=_R.favourite),
            "algorithm": _Column(value=algorithm),
            "pipeline": _Column(value=pipeline),
            "seed": _Column(value=_R.seed),
            "run": _Column(value=_R.number),
            "step": _Column(value=_R.step),
            "evaluation_score": _best(
                schema.runs, _R.algorithm_id, _R.lowest_evaluation, _R.highest_evaluation
            ),
            "training_score": _best(schema.runs, _R.algorithm_id, _R.lowest_training, _R.highest_training),
            "peak_cpu": _Column(value=_R.peak_cpu),
            "peak_memory": _Column(value=_R.peak_memory),
            "peak_gpu_memory": _Column(value=_R.peak_gpu_memory),
        },
        config=_Column(value=_R.config),
        run_id=_Column(value=_R.id),
        tags=_R.tags,
    )


def experiment_target(subject: FilterSubject) -> FilterTarget:
    """Return where experiments have what a filter asks for."""
    bound = schema.stages.join(schema.pipelines, _P.id == _S.pipeline_id)
    scores = {
        f"{kind}_score": _best(
            schema.experiments,
            _E.algorithm_id,
            of_runs(func.min(_R[f"lowest_{kind}"])),
            of_runs(func.max(_R[f"highest_{kind}"])),
        )
        for kind in ("evaluation", "training")
    }
    name = _Column(value=_E.name)
    return FilterTarget(
        subject=subject,
        names=(name,),
        columns={
            "name": name,
            "status": _Column(value=func.coalesce(LATEST_STATUS, "Draft")),
            "note": _Column(value=_E.note),
            "favourite": _Column(value=_E.favourite),
            "algorithm": _Column(value=_algorithm(schema.experiments, _E.algorithm_id, _A.name)),
            "pipeline": _Column(value=_P.name, wrap=_exists(bound, _S.experiment_id == _E.id)),
            "seed": _Column(value=_E.seed),
            "runs": _Column(value=of_runs(func.count())),
            **scores,
        },
        config=_Column(value=_E.config),
        run_id=_Column(value=LATEST_RUN),
        tags=_E.tags,
    )


def pipeline_target(subject: FilterSubject, computed: Callable[[Condition], Collection[int]]) -> FilterTarget:
    """Return where pipelines have what a filter asks for.

    Args:
        subject: What is known of them.
        computed: Finds the pipelines for which a condition on what rules compute, such as a status, holds.
    """
    trained = schema.stages.join(schema.experiments, _E.id == _S.experiment_id)
    in_stage = _exists(trained, _S.pipeline_id == _P.id)
    count = select(func.count()).where(_S.pipeline_id == _P.id).correlate(schema.pipelines).scalar_subquery()
    name, description = _Column(value=_P.name), _Column(value=_P.description)
    return FilterTarget(
        subject=subject,
        names=(name, description),
        columns={
            "name": name,
            "description": description,
            "note": _Column(value=_P.note),
            "favourite": _Column(value=_P.favourite),
            "algorithm": _Column(
                value=_algorithm(schema.experiments, _E.algorithm_id, _A.name), wrap=in_stage
            ),
            "experiment": _Column(value=_E.name, wrap=in_stage),
            "seed": _Column(value=_E.seed, wrap=in_stage),
            "stages": _Column(value=count),
        },
        config=_Column(value=_E.config, wrap=in_stage),
        run_id=_Column(value=LATEST_RUN, wrap=in_stage),
        tags=_P.tags,
        computed=computed,
        id=_P.id,
    )


def project_target(subject: FilterSubject, computed: Callable[[Condition], Collection[int]]) -> FilterTarget:
    """Return where projects have what a filter asks for.

    Args:
        subject: What is known of them.
        computed: Finds the projects for which a condition on their statuses holds.
    """

    def count(table: Table) -> ColumnElement[Any]:
        mine = select(func.count()).select_from(table).where(table.c.project_id == _J.id)
        return mine.correlate(schema.projects).scalar_subquery()

    name, kinds = (
        _Column(value=_J.name),
        {each: describe_kind(advanced_training=each) for each in (True, False)},
    )
    return FilterTarget(
        subject=subject,
        names=(name,),
        columns={
            "name": name,
            "kind": _Column(value=case((_J.advanced_training.is_(True), kinds[True]), else_=kinds[False])),
            "experiments": _Column(value=count(schema.experiments)),
            "pipelines": _Column(value=count(schema.pipelines)),
        },
        config=_Column(value=null()),  # projects have neither config nor metrics nor tags
        run_id=_Column(value=null()),
        tags=null(),
        computed=computed,
        id=_J.id,
    )


def build_condition(connection: Connection, expression: Filter, target: FilterTarget) -> ColumnElement[bool]:
    """Return the condition of a statement that an expression which was checked is.

    Args:
        connection: Says which database it is for.
        expression: The expression.
        target: Where the rows have what it asks for.
    """
    return _Builder(connection, target).build(expression)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds the condition of one statement."""

    connection: Connection
    target: FilterTarget

    def build(self, expression: Filter) -> ColumnElement[bool]:
        """Return the condition that an expression is."""
        match expression:
            case NameSearch(text):
                names = self.target.names
                return or_(*(self._sure(each, self._text(each.value, "~", text)) for each in names))
            case Not(part):
                return not_(self.build(part))
            case AllOf(parts):
                return and_(true(), *map(self.build, parts))
            case AnyOf(parts):
                return or_(false(), *map(self.build, parts))
            case Condition(operator="!="):
                return not_(self.build(replace(expression, operator="=")))
            case Condition():
                return self._condition(expression)

    def _condition(self, condition: Condition) -> ColumnElement[bool]:
        if condition.field == "tag":
            return self._tag(condition)
        if condition.field in self.target.columns:
            return self._known(self.target.columns[condition.field], condition)
        if condition.field in self.target.subject.fields:
            return self._computed(condition)
        return self._open(condition)

    def _sure(self, column: _Column, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return func.coalesce(column.wrap(func.coalesce(condition, false())), false())

    def _text(self, value: ColumnElement[Any], operator: str, text: str) -> ColumnElement[bool]:
        return contains_text(self.connection, text, value, whole=operator == "=")

    def _tag(self, condition: Condition) -> ColumnElement[bool]:
        text = condition.text
        if "\n" in text:
            return false()
        # An empty text is part of every tag, and no tag is empty.
        wanted = f"\n{text}\n" if condition.operator == "=" else text
        return func.coalesce(contains_text(self.connection, wanted, self.target.tags), false())

    def _known(self, column: _Column, condition: Condition) -> ColumnElement[bool]:
        match self.target.subject.fields[condition.field]:
            case FieldKind.NUMBER:
                return self._sure(column, COMPARISONS[condition.operator](column.value, condition.number))
            case FieldKind.FLAG:
                return column.value.is_(condition.text == "true")
            case FieldKind.STATUS if condition.operator == "=":
                return self._sure(column, column.value == condition.text)
            case _:
                return self._sure(column, self._text(column.value, condition.operator, condition.text))

    def _computed(self, condition: Condition) -> ColumnElement[bool]:
        if self.target.computed is None or self.target.id is None:
            raise LookupError(condition.field)
        found = self.target.computed(condition)
        ids: list[ColumnElement[Any]] = [literal_column(str(each)) for each in found]
        return self.target.id.in_(ids)  # in the statement: a database bounds its variables

    def _open(self, condition: Condition) -> ColumnElement[bool]:
        name = condition.field
        path = name.removeprefix(CONFIG)
        metric = false() if name.startswith(CONFIG) else self._metric(condition, name.removeprefix(METRIC))
        if name.startswith(METRIC) or not is_config_path(path):
            return metric
        column = self.target.config
        kind, value = self._config(column.value, path.split("."))
        holds = self._config_value(kind, value, condition)
        if name.startswith(CONFIG):
            return self._sure(column, holds)
        if column.wrap is _as_it_is:
            return case((kind.is_not(None), func.coalesce(holds, false())), else_=metric)
        of_row = self._metric_of_row(condition, name)
        return self._sure(column, case((kind.is_not(None), func.coalesce(holds, false())), else_=of_row))

    def _metric(self, condition: Condition, name: str) -> ColumnElement[bool]:
        return self._sure(self.target.run_id, self._metric_of_row(condition, name))

    def _metric_of_row(self, condition: Condition, name: str) -> ColumnElement[bool]:
        if condition.number is None or condition.operator not in COMPARISONS:
            return false()
        holds = COMPARISONS[condition.operator](_L.value, condition.number)
        mine = (_L.run_id == self.target.run_id.value) & (_L.name == name) & holds
        return select(literal(1)).select_from(schema.last_metrics).where(mine).exists()

    def _config(
        self, column: ColumnElement[Any], path: list[str]
    ) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Return what kind of value a config has at a path, NULL where it has none, and the value as text."""
        if self.connection.dialect.name == "sqlite":
            inside = "$" + "".join(f'."{part}"' for part in path)
            # A NaN in it is no JSON for SQLite, and its functions would end the statement.
            valid = case((func.json_valid(column) == 1, column))
            return func.json_type(valid, inside), func.json_extract(valid, inside)
        found = func.json_extract_path(column, *path)
        return func.json_typeof(found), func.json_extract_path_text(column, *path)

    def _config_value(
        self, kind: ColumnElement[Any], value: ColumnElement[Any], condition: Condition
    ) -> ColumnElement[bool]:
        holds = self._text(cast(value, Text), condition.operator, condition.text)
        text = case((kind.in_(("text", "string")), holds))
        # SQLite has a kind for each word, PostgreSQL one for both.
        held = (and_(kind.in_((each, "boolean")), self._flag(value, each, condition)) for each in FLAGS)
        flag = case((kind.in_((*FLAGS, "boolean")), or_(*held)))
        words = func.coalesce(text, flag, false()) if condition.operator in ("=", "~") else false()
        if condition.number is None or condition.operator not in COMPARISONS:
            return words
        number = COMPARISONS[condition.operator](cast(value, Float), condition.number)
        return case((kind.in_(("integer", "real", "number")), number), else_=words)

    def _flag(self, value: ColumnElement[Any], word: str, condition: Condition) -> ColumnElement[bool]:
        wanted = condition.text.lower()
        holds = wanted == word if condition.operator == "=" else wanted in word
        if self.connection.dialect.name == "sqlite":
            return true() if holds else false()
        return (cast(value, Text) == word) if holds else false()
