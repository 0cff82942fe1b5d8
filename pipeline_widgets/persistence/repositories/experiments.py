"""Experiments, and the algorithms that they name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from sqlalchemy import ColumnElement, bindparam, case, delete, func, nulls_last, select, update

from pipeline_widgets.domain.algorithm import AlgorithmDeclaration, AlgorithmReference, ConfiguredAlgorithm
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.experiment import Experiment, compute_config_digest
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.domain.run import STATUSES_BY_URGENCY
from pipeline_widgets.errors import UntrustedError
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import NamedRow, Repository, in_chunks, require
from pipeline_widgets.persistence.repositories.experiment_runs import LATEST_RUN, LATEST_STATUS, of_runs
from pipeline_widgets.persistence.repositories.records import Records
from pipeline_widgets.persistence.trust import WorkspaceTrust

if TYPE_CHECKING:
    from pipeline_widgets.domain.filtering import Filter
    from pipeline_widgets.domain.overview import ExperimentRow, ExperimentSummary

CONFIGS_READ = 500  # experiments whose config fields are suggested
#: Characters of the code of an earlier stage that go along; larger code is left out, as it is sent each time.
MOST_EARLIER_CODE = 10_000_000

_EXPERIMENTS = select(schema.experiments, schema.algorithms.c.spec, schema.algorithms.c.python).join(
    schema.algorithms, schema.algorithms.c.id == schema.experiments.c.algorithm_id
)
_E = schema.experiments.c
_BY_ID = _EXPERIMENTS.where(_E.id.in_(bindparam("ids", expanding=True))).order_by(_E.id)
_NAMED = select(_E.id, _E.name).where(
    (_E.project_id == bindparam("project")) & _E.name.in_(bindparam("names", expanding=True))
)
_R, _A, _C = schema.runs.c, schema.algorithms.c, schema.checkpoints.c
#: By experiment: how many runs, the latest one, and the extremes of its scores.
_RUNS = (
    select(
        *(_R.experiment_id, func.count().label("runs"), func.max(_R.id).label("latest")),
        func.min(_R.lowest_evaluation).label("lowest"),
        func.max(_R.highest_evaluation).label("highest"),
    )
    .where((_R.project_id == bindparam("project")) & _R.experiment_id.is_not(None))
    .group_by(_R.experiment_id)
    .subquery()
)
_LISTED = (
    select(
        *(_E.id, _E.name, _E.modified_at, _A.name.label("algorithm")),
        *(_R.status, func.coalesce(_RUNS.c.runs, 0).label("runs")),
        case((_A.spec["score"].as_string() == "min", _RUNS.c.lowest), else_=_RUNS.c.highest).label("best"),
    )
    .select_from(schema.experiments)
    .join(schema.algorithms, _A.id == _E.algorithm_id)
    .outerjoin(_RUNS, _RUNS.c.experiment_id == _E.id)
    .outerjoin(schema.runs, _R.id == _RUNS.c.latest)
    .where(_E.project_id == bindparam("project"))
    .order_by(_E.id)
)
_SAVED = schema.checkpoints.join(schema.runs, _R.id == _C.run_id)
_WITH_ALGORITHM = schema.experiments.join(schema.algorithms, _A.id == _E.algorithm_id)
_PAGE = (
    select(
        *(_E.id, _E.name, _E.modified_at, _A.name.label("algorithm"), _A.spec, _A.python),
        LATEST_RUN.label("latest"),
        of_runs(func.count()).label("runs"),
        of_runs(func.count(), _SAVED).label("checkpoints"),
        of_runs(func.min(_R.lowest_evaluation)).label("lowest"),
        of_runs(func.max(_R.highest_evaluation)).label("highest"),
    )
    .select_from(_WITH_ALGORITHM)
    .where(_E.id.in_(bindparam("ids", expanding=True)))
)
_BOUND = (
    select(schema.stages.c.experiment_id, schema.pipelines.c.name)
    .join(schema.pipelines, schema.pipelines.c.id == schema.stages.c.pipeline_id)
    .where(schema.stages.c.experiment_id.in_(bindparam("ids", expanding=True)))
    .order_by(schema.pipelines.c.name)
)

#: By what a list of experiments is sorted.
Order: TypeAlias = Literal["modified", "name", "algorithm", "status", "best", "created"]
#: What needs a person most comes last, so that "descending" shows it at the top.
_NEED = {status.value: need for need, status in enumerate(reversed(STATUSES_BY_URGENCY))}
_ORDERS: dict[Order, ColumnElement[Any]] = {
    "modified": _E.modified_at,
    "name": func.lower(_E.name),
    "algorithm": func.lower(_A.name),
    "status": case(_NEED, value=func.coalesce(LATEST_STATUS, "Draft")),
    # What is best of one algorithm may be worst of another; a list of both shows the numbers as they are.
    "best": case(
        (_A.spec["score"].as_string() == "min", of_runs(func.min(_R.lowest_evaluation))),
        else_=of_runs(func.max(_R.highest_evaluation)),
    ),
    "created": _E.created_at,
}
_CODE = schema.algorithms.c
_REFERENCE = select(_CODE.path, _CODE.root, _CODE.value, _CODE.python, _CODE.code).where(
    _CODE.id == bindparam("algorithm")
)
_REFERENCES = select(_CODE.id, _CODE.path, _CODE.root, _CODE.value, _CODE.python, _CODE.code).where(
    _CODE.id.in_(bindparam("ids", expanding=True))
)
#: The same without the code itself, which may be large, for what reads it only.
_CODE_REFERENCES = select(_CODE.id, _CODE.name, _CODE.path, _CODE.root, _CODE.python, _CODE.code).where(
    _CODE.id.in_(bindparam("ids", expanding=True))
)
_REBIND = (
    update(schema.experiments)
    .where(_E.id.in_(bindparam("ids", expanding=True)))
    .values(algorithm_id=bindparam("algorithm"))
)
_SPEC = select(_A.spec).where(_A.id == bindparam("algorithm"))
_PYTHON = select(_CODE.python).where(_CODE.id == bindparam("algorithm"))


@dataclass(frozen=True, slots=True)
class Experiments(Repository):
    """The experiments of a workspace, and the algorithms that they name."""

    #: Whether this user trusts the workspace and its code.
    trust: WorkspaceTrust

    def keep(self, declared: AlgorithmDeclaration) -> int:
        """Return the id of an algorithm as declared now, inserting it if it is new or has changed.

        Its code is signed: this process has it from its user, or from a row whose code was signed.
        """
        columns, reference = schema.algorithms.c, declared.reference
        self.trust.sign(reference)
        spec = row_mapping.spec_to_json(declared.spec)
        same = (columns.name == declared.spec.name) & (columns.digest == reference.digest)
        row = self._first(select(columns.id, columns.spec, columns.code).where(same))
        code = None if reference.code is None else reference.code.to_json()
        if reference.code is not None and (row is None or row["code"] != code):
            Records(self.connection, self.now, self.root).keep_code(reference.code)
        if row is None:
            values = {"path": reference.path, "root": reference.root, "value": reference.value}
            values |= {"name": declared.spec.name, "digest": reference.digest, "python": reference.python}
            return self._add(schema.algorithms, **values, spec=spec, code=code, created_at=self.now)
        if row["spec"] != spec:  # the same import path, declared otherwise in a newer version
            self._set(schema.algorithms, row["id"], spec=spec)
        if code is not None and row["code"] != code:  # the same path leads to files that have changed
            self._set(schema.algorithms, row["id"], code=code)
        return int(row["id"])

    def reference(self, algorithm_id: int, start_run_id: int | None = None) -> AlgorithmReference:
        """Return where a process finds an algorithm's code.

        Args:
            algorithm_id: The algorithm.
            start_run_id: The run that saved the checkpoint which the code will open. Its own code, and that
                of the runs before it, comes along, since the checkpoint may have pickled objects of it.

        Raises:
            UntrustedError: This user has not signed that code.
        """
        reference = self.stored_reference(algorithm_id)
        self.trust.check_code(reference)
        if start_run_id is None:
            return reference
        from pipeline_widgets.persistence.repositories.run_lineage import EARLIER_CODE  # noqa: PLC0415  not before Running

        values = {"ids": [start_run_id], "own": algorithm_id, "most": MOST_EARLIER_CODE}
        earlier = (AlgorithmReference(**row) for row in self._all(EARLIER_CODE, **values))
        return replace(reference, earlier=tuple(each for each in earlier if self._is_trusted(each)))

    def _is_trusted(self, reference: AlgorithmReference) -> bool:
        try:
            self.trust.check_code(reference)
        except UntrustedError:
            return False
        return True

    def stored_reference(self, algorithm_id: int) -> AlgorithmReference:
        """Return the stored reference to an algorithm's code, to be compared and not to be run."""
        return _to_reference(require(self._first(_REFERENCE, algorithm=algorithm_id), "algorithm"))

    def stored_references(self, ids: Collection[int]) -> dict[int, AlgorithmReference]:
        """Return the stored references to the code of algorithms by id, to be compared and not to be run."""
        return {row["id"]: _to_reference(row) for row in self._of(_REFERENCES, ids)}

    def code_references(self, ids: Collection[int]) -> dict[int, tuple[str, AlgorithmReference]]:
        """Return, by algorithm, its name and where its code is read; no reference holds code to be run."""
        return {row["id"]: (row["name"], _to_reference(row)) for row in self._of(_CODE_REFERENCES, ids)}

    def preload(self, algorithm_id: int) -> tuple[str, ...]:
        """Return the modules that an algorithm declares to be imported ahead of its runs."""
        spec = require(self._first(_SPEC, algorithm=algorithm_id), "algorithm")["spec"]
        return row_mapping.to_spec(spec).preload

    def python(self, algorithm_id: int) -> str | None:
        """Return the Python that alone can run an algorithm's code; None where any can, or if unknown."""
        return require(self._first(_PYTHON, algorithm=algorithm_id), "algorithm")["python"]

    def add(
        self,
        project_id: int,
        name: str,
        configured: ConfiguredAlgorithm,
        seed: int,
        revision: int,
        *,
        placement: Placement = DEFAULT_PLACEMENT,
    ) -> Experiment:
        """Insert an experiment."""
        new = self._add(
            schema.experiments,
            project_id=project_id,
            name=name,
            created_at=self.now,
            **placement.to_row(),
            **self._columns(configured, seed, revision),
        )
        return self.get(new)

    def configure(
        self, experiment: Experiment, name: str, configured: ConfiguredAlgorithm, seed: int, revision: int
    ) -> Experiment:
        """Give an experiment another name and config."""
        self._edit(schema.experiments, experiment, name=name, **self._columns(configured, seed, revision))
        return self.get(experiment.id)

    def place(self, experiment_id: int, placement: Placement, revision: int) -> None:
        """Let the runs of an experiment be launched elsewhere: no edit of what it trains."""
        self._set(schema.experiments, experiment_id, revision=revision, **placement.to_row())

    def rename(self, experiment: Experiment, name: str, revision: int) -> Experiment:
        """Give an experiment another name."""
        self._edit(schema.experiments, experiment, name=name, modified_at=self.now, revision=revision)
        return self.get(experiment.id)

    def rebind(self, experiment_ids: Collection[int], algorithm_id: int) -> None:
        """Let experiments use the algorithm as it is declared now."""
        for part in in_chunks(experiment_ids):
            self.connection.execute(_REBIND, {"ids": part, "algorithm": algorithm_id})

    def get(self, experiment_id: int) -> Experiment:
        """Return one experiment; NotFoundError without it."""
        return self.by_id([experiment_id]).get(experiment_id) or require(None, "experiment")

    def by_id(self, ids: Collection[int]) -> dict[int, Experiment]:
        """Return experiments by id."""
        return {row["id"]: row_mapping.to_experiment(row) for row in self._of(_BY_ID, ids)}

    def of_project(self, project_id: int) -> tuple[Experiment, ...]:
        """Return a project's experiments in the order of their creation."""
        columns = schema.experiments.c
        query = _EXPERIMENTS.where(columns.project_id == project_id).order_by(columns.id)
        return tuple(map(row_mapping.to_experiment, self._all(query)))

    def named(self, project_id: int, names: Collection[str]) -> tuple[NamedRow, ...]:
        """Return which of a project's experiments bear one of those names."""
        return self._bearers(_NAMED, project=project_id, names=list(names))

    def listed(self, project_id: int) -> tuple[ExperimentRow, ...]:
        """Return the experiments of a project as a table shows them, in the order of their creation."""
        return tuple(map(row_mapping.to_experiment_row, self._all(_LISTED, project=project_id)))

    def count(self, project_id: int) -> int:
        """Return how many experiments a project has."""
        mine = _E.project_id == project_id
        return self._count(select(func.count()).select_from(schema.experiments).where(mine))

    def ids(self, project_id: int, where: Filter, order: Order, *, descending: bool) -> tuple[int, ...]:
        """Return, in that order, the experiments of a project for which a filter holds."""
        keys = [key.desc() if descending else key.asc() for key in (_ORDERS[order], _E.id)]
        keys = [nulls_last(keys[0]), keys[1]] if order == "best" else keys
        matching = select(_E.id).select_from(_WITH_ALGORITHM).where(self._matching(project_id, where))
        return tuple(self.connection.scalars(matching.order_by(*keys)))

    def names(self, project_id: int, where: Filter) -> tuple[NamedRow, ...]:
        """Return the names of a project's experiments for which a filter holds, as they were created."""
        return self._bearers(select(_E.id, _E.name).where(self._matching(project_id, where)).order_by(_E.id))

    def config_names(self, project_id: int) -> tuple[str, ...]:
        """Return the config fields of a project's latest experiments, by name; nested ones have dots."""
        latest = (
            select(_E.config).where(_E.project_id == project_id).order_by(_E.id.desc()).limit(CONFIGS_READ)
        )
        found: dict[str, None] = {}
        for config in self.connection.scalars(latest):
            found |= dict.fromkeys(_paths(config, ""))
        return tuple(sorted(found))

    def algorithm_names(self, project_id: int) -> tuple[str, ...]:
        """Return the names of the algorithms of a project's experiments, by name."""
        mine = select(_A.name).select_from(_WITH_ALGORITHM).where(_E.project_id == project_id)
        return tuple(self.connection.scalars(mine.distinct().order_by(_A.name)))

    def summaries(self, ids: Collection[int]) -> dict[int, ExperimentSummary]:
        """Return what a list shows of those experiments, but for their latest runs."""
        return {row["id"]: row_mapping.to_experiment_summary(row) for row in self._of(_PAGE, ids)}

    def bound(self, ids: Collection[int]) -> dict[int, tuple[str, ...]]:
        """Return, by experiment, the names of the pipelines with a stage that is bound to it."""
        return self._names(_BOUND, ids)

    def remove(self, experiment_id: int) -> None:
        """Delete an experiment's row."""
        self.connection.execute(delete(schema.experiments).where(schema.experiments.c.id == experiment_id))

    def _columns(self, configured: ConfiguredAlgorithm, seed: int, revision: int) -> dict[str, Any]:
        return {
            "algorithm_id": self.keep(configured),
            "config": dict(configured.config),
            "seed": seed,
            "config_digest": compute_config_digest(configured.config, seed),
            "signature": dict(configured.signature),
            "modified_at": self.now,
            "revision": revision,
        }

    def _matching(self, project_id: int, where: Filter) -> ColumnElement[bool]:
        from pipeline_widgets.domain.filter_subjects import EXPERIMENTS  # noqa: PLC0415  not before Running
        from pipeline_widgets.persistence.repositories.filters import build_condition, experiment_target  # noqa: PLC0415  not before Running

        holds = build_condition(self.connection, where, experiment_target(EXPERIMENTS))
        return (_E.project_id == project_id) & holds


def _paths(config: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _paths(cast("Mapping[str, Any]", value), f"{prefix}{name}.")
        elif name.isidentifier():
            yield prefix + name


def _to_reference(row: row_mapping.Row) -> AlgorithmReference:
    code = None if row["code"] is None else CodeRecord.from_json(row["code"])
    return AlgorithmReference(
        path=row["path"], root=row["root"], value=row.get("value"), python=row["python"], code=code
    )
