"""Evaluators, and the scores that they have given."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from sqlalchemy import BindParameter, Executable, bindparam, select, update

from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.evaluator import EvaluatorDeclaration, EvaluatorScore, EvaluatorSpec
from pipeline_widgets.errors import EvaluatorNotFoundError
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository, require
from pipeline_widgets.persistence.trust import WorkspaceTrust

_E, _C, _S, _P = schema.evaluators.c, schema.scores.c, schema.stages.c, schema.pipelines.c
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
#: Without the code, which may be large.
_SHORT = (_E.id, _E.spec, _E.digest, _E.path, _E.python, _E.value.is_not(None).label("is_by_value"))
_ONE = select(*_SHORT).where(_E.name == bindparam("named"))
_CODE = select(_E.path, _E.root, _E.value, _E.python).where(_E.name == bindparam("named"))
_ALL = select(_E.spec).order_by(_E.name)
_OF_CHECKPOINTS = select(schema.scores).where(_C.checkpoint_id.in_(_IDS))
_OF_RUNS = select(schema.scores).where(_C.saved_by.in_(_IDS))
_OF_STAGES = (
    select(_S.id.label("stage_id"), *_SHORT)
    .join(schema.pipelines, _P.id == _S.pipeline_id)
    .join(schema.evaluators, _E.name == _P.score_by)
    .where(_S.id.in_(_IDS))
)
_KEY = ("checkpoint_id", "evaluator")
_STORED = tuple(column.name for column in _C if column.name not in {"id", *_KEY})


@cache
def _upsert(dialect: str) -> Executable:
    """Return the statement for a dialect, whose module is imported already."""
    made = import_module(f"sqlalchemy.dialects.{dialect}").insert(schema.scores)
    replaced = {name: made.excluded[name] for name in _STORED}
    return made.on_conflict_do_update(index_elements=_KEY, set_=replaced)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEvaluator:
    """An evaluator as the workspace keeps it."""

    spec: EvaluatorSpec
    #: The digest of its code.
    digest: str
    #: The Python that alone can run its code; None where any can.
    python: str | None
    #: Whether its code is kept by value, since no package has it.
    is_by_value: bool


@dataclass(frozen=True, slots=True)
class Evaluators(Repository):
    """The evaluators of a workspace, and the scores that they have given."""

    #: Whether this user trusts the workspace and its code.
    trust: WorkspaceTrust

    def keep(self, declared: EvaluatorDeclaration) -> None:
        """Keep an evaluator as this process has it now: one name means one code in a workspace."""
        self.trust.sign(declared.reference)
        reference, spec = declared.reference, row_mapping.evaluator_to_json(declared.spec)
        values = {"path": reference.path, "root": reference.root, "value": reference.value, "spec": spec}
        values |= {"digest": reference.digest, "python": reference.python}
        row = self._first(_ONE, named=declared.spec.name)
        if row is None:
            self._add(schema.evaluators, name=declared.spec.name, created_at=self.now, **values)
        elif (row["digest"], row["spec"], row["python"]) != (reference.digest, spec, reference.python):
            self.connection.execute(update(schema.evaluators).where(_E.id == row["id"]).values(**values))

    def find(self, name: str) -> StoredEvaluator | None:
        """Return the evaluator of a name; None where the workspace has none."""
        row = self._first(_ONE, named=name)
        return _from_row(row) if row is not None else None

    def get(self, name: str) -> StoredEvaluator:
        """Return the evaluator of a name.

        Raises:
            EvaluatorNotFoundError: The workspace has none.
        """
        found = self.find(name)
        if found is None:
            what = f"There is no evaluator named {name!r}."
            raise EvaluatorNotFoundError(what, fix="Define it with @pw.evaluator, or install what has it.")
        return found

    def all(self) -> tuple[EvaluatorSpec, ...]:
        """Return all evaluators that this workspace has ever used, by name."""
        return tuple(row_mapping.to_evaluator(row["spec"]) for row in self._all(_ALL))

    def reference(self, name: str) -> AlgorithmReference:
        """Return where a process finds an evaluator's code.

        Raises:
            EvaluatorNotFoundError: The workspace has none of that name.
            UntrustedError: This user has not signed that code.
        """
        self.get(name)
        reference = AlgorithmReference(**require(self._first(_CODE, named=name), "evaluator"))
        self.trust.check_code(reference)
        return reference

    def of_stages(self, stage_ids: Iterable[int]) -> dict[int, StoredEvaluator]:
        """Return, by stage, the evaluator by whose scores Best and gates of its pipeline go."""
        return {row["stage_id"]: _from_row(row) for row in self._of(_OF_STAGES, stage_ids)}

    def put_score(self, *, value: float, **values: object) -> None:
        """Keep a score instead of a former one by the same evaluator; NaN is stored as NULL."""
        score = {"score": None if math.isnan(value) else value, "created_at": self.now, **values}
        self.connection.execute(_upsert(self.connection.dialect.name), score)

    def scores_of_checkpoints(self, ids: Collection[int]) -> tuple[EvaluatorScore, ...]:
        """Return all scores of checkpoints, by step and evaluator."""
        return _sort_by_name(self._of(_OF_CHECKPOINTS, ids))

    def scores_of_runs(self, run_ids: Collection[int]) -> tuple[EvaluatorScore, ...]:
        """Return all scores of what runs have saved, by step and evaluator."""
        return _sort_by_name(self._of(_OF_RUNS, run_ids))

    def codes(self, name: str, ids: Collection[int]) -> dict[int, str]:
        """Return, by checkpoint, the digest of the code that has given its score by an evaluator."""
        return {
            row["checkpoint_id"]: row["code"]
            for row in self._of(_OF_CHECKPOINTS, ids)
            if row["evaluator"] == name
        }


def _from_row(row: Mapping[Any, Any]) -> StoredEvaluator:
    return StoredEvaluator(
        spec=row_mapping.to_evaluator(row["spec"]),
        digest=row["digest"],
        python=row["python"],
        is_by_value=bool(row["is_by_value"]),
    )


def _sort_by_name(rows: Iterable[Mapping[Any, Any]]) -> tuple[EvaluatorScore, ...]:
    scores = map(row_mapping.to_evaluator_score, rows)
    return tuple(sorted(scores, key=lambda each: (each.saved_by, each.step, each.evaluator)))
