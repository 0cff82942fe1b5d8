"""The history: who did what and when."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeAlias

from sqlalchemy import Integer, Text, bindparam, cast, insert, select, update

from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.edits import Change, ChangeKind
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.history import EditStep, Event, EventKind, PipelineSnapshot, StageMarks
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository, in_chunks, require

#: What has a history.
Subject: TypeAlias = Pipeline | Experiment | Agent

_E, _R = schema.events.c, schema.runs.c
_ADD = insert(schema.events)
_SHOWN = (_E.id, _E.at, _E.who, _E.kind, _E.what, _E.changes)
_BY_ID = select(*_SHOWN).where(_E.id.in_(bindparam("ids", expanding=True)))
_SNAPSHOT = select(_E.before).where(_E.id == bindparam("event"))
# Of a long pipeline changes and snapshots are long, and none of them is read for this.
_STEPS = (
    select(
        *(_E.id, _E.kind, _E.version),
        _E.before.is_not(None).label("is_kept"),
        ((_E.kind != EventKind.EDITED.value) | (cast(_E.changes, Text) != "[]")).label("has_raised"),
    )
    .where(_E.pipeline_id == bindparam("pipeline"), _E.version.is_not(None))
    .order_by(_E.id.desc())
    .limit(bindparam("most", type_=Integer))
)
_RUNS_OF = select(_R.id, _R.stage_id).where(_R.stage_id.in_(bindparam("ids", expanding=True)))
_MARKS = tuple(field.name for field in fields(StageMarks))


class Events(Repository):
    """The history of pipelines, and the edits of experiments and agents."""

    def add(
        self,
        subject: Subject,
        kind: EventKind,
        who: str,
        sentence: str,
        *,
        before: PipelineSnapshot | None = None,
        version: int | None = None,
        changes: Sequence[Change] | None = None,
    ) -> int:
        """Append an event and return its id.

        Args:
            subject: What something was done to.
            kind: What kind of event it is.
            who: Who did it.
            sentence: What was done.
            before: The pipeline before an edit; with it the edit can be undone.
            version: The version of the subject after an edit.
            changes: What an edit has changed.
        """
        row: dict[str, Any] = {**_owner(subject), "at": self.now, "who": who, "kind": kind.value}
        row |= {
            "what": sentence,
            "before": None if before is None else _snapshot_to_json(before),
            "version": version,
        }
        row["changes"] = None if changes is None else [_change_to_json(change) for change in changes]
        key = self.connection.execute(_ADD, row).inserted_primary_key
        return int(key[0]) if key else 0

    def add_deletion(self, pipeline: Pipeline, who: str, sentence: str) -> None:
        """Append that a pipeline was deleted, which stays in the history of its project."""
        row = {"project_id": pipeline.project_id, "kind": EventKind.DELETED.value, "who": who}
        self.connection.execute(_ADD, {**row, "at": self.now, "what": sentence})

    def of_pipeline(self, pipeline_id: int, last: int | None = None) -> tuple[Event, ...]:
        """Return what was done to a pipeline, or the last of it, oldest first."""
        query = select(*_SHOWN).where(_E.pipeline_id == pipeline_id).order_by(_E.id.desc()).limit(last)
        return tuple(map(_event, reversed(self._all(query))))

    def by_id(self, ids: Collection[int]) -> dict[int, Event]:
        """Return events by id."""
        return {row["id"]: _event(row) for row in self._of(_BY_ID, ids)}

    def steps(self, pipeline_id: int, most: int) -> tuple[EditStep, ...]:
        """Return the newest edits, undos and redos of a pipeline, newest first."""
        return tuple(
            EditStep(
                id=row["id"],
                kind=EventKind(row["kind"]),
                version=row["version"],
                has_raised=row["has_raised"] is None or bool(row["has_raised"]),
                is_kept=bool(row["is_kept"]),
            )
            for row in self._all(_STEPS, pipeline=pipeline_id, most=most)
        )

    def snapshot(self, event_id: int) -> PipelineSnapshot:
        """Return the pipeline before an edit; NotFoundError where it is not kept."""
        row = self._first(_SNAPSHOT, event=event_id)
        return _snapshot_from_json(require(row and row["before"], "edit"))

    def changes_since(self, subject: Subject, version: int) -> tuple[Change, ...] | None:
        """Return what the edits since a version have changed; None where that is not known."""
        mine = [_E[name] == key for name, key in _owner(subject).items()]
        rows = self._all(select(_E.changes).where(*mine, _E.version > version).order_by(_E.id))
        if not rows or any(row["changes"] is None for row in rows):
            return None
        return tuple(_change_from_json(change) for row in rows for change in row["changes"])

    def keep_snapshots(self, pipeline_id: int, kept: Collection[int]) -> None:
        """Drop the snapshots of all edits of a pipeline but those."""
        mine = (_E.pipeline_id == pipeline_id) & _E.before.is_not(None)
        self.connection.execute(update(schema.events).where(mine, _E.id.not_in(kept)).values(before=None))

    def runs_of(self, stage_ids: Sequence[int]) -> dict[int, list[int]]:
        """Return the runs of stages, which lose their stage when that is deleted."""
        found: dict[int, list[int]] = {each: [] for each in stage_ids}
        for row in self._of(_RUNS_OF, stage_ids):
            found[row["stage_id"]].append(row["id"])
        return found

    def restore_runs(self, runs: Mapping[int, Sequence[int]], pipeline_id: int) -> None:
        """Give runs back to the stages that are there again."""
        for stage_id, ids in runs.items():
            for part in in_chunks(ids):
                lost = update(schema.runs).where(_R.id.in_(part), _R.stage_id.is_(None))
                self.connection.execute(lost.values(stage_id=stage_id, pipeline_id=pipeline_id))


def _owner(subject: Subject) -> dict[str, int]:
    match subject:
        case Pipeline():
            return {"project_id": subject.project_id, "pipeline_id": subject.id}
        case Experiment():
            return {"project_id": subject.project_id, "experiment_id": subject.id}
        case Agent():
            return {"agent_id": subject.id}


def _event(row: row_mapping.Row) -> Event:
    return Event(
        id=row["id"],
        at=row_mapping.to_datetime(row["at"]),
        who=row["who"],
        kind=EventKind(row["kind"]),
        sentence=row["what"],
        changes=None if row["changes"] is None else tuple(map(_change_from_json, row["changes"])),
    )


def _change_to_json(change: Change) -> dict[str, Any]:
    """Return a change without its empty fields."""
    return {name: value for name, value in asdict(change).items() if value}


def _change_from_json(made: Mapping[str, Any]) -> Change:
    told: dict[str, Any] = {**made, "kind": ChangeKind(made["kind"])}
    return Change(**told)


def _snapshot_to_json(snapshot: PipelineSnapshot) -> dict[str, Any]:
    stages = [{"id": stage.id, **row_mapping.stage_to_row(stage)} for stage in snapshot.stages]
    marks = {key: asdict(mark) for key, mark in snapshot.marks.items()}
    return {
        "name": snapshot.name,
        "description": snapshot.description,
        "stages": stages,
        "runs": dict(snapshot.runs),
        "last_run": snapshot.last_run,
        "marks": marks,
        "score_by": snapshot.score_by,
    }


def _snapshot_from_json(made: Mapping[str, Any]) -> PipelineSnapshot:
    """Return a snapshot. JSON has made texts of the ids of stages, and older rows know less."""
    marks = {
        int(key): StageMarks(**{name: mark[name] for name in _MARKS})
        for key, mark in made.get("marks", {}).items()
    }
    return PipelineSnapshot(
        name=made["name"],
        description=made["description"],
        stages=tuple(map(row_mapping.to_stage, made["stages"])),
        runs={int(key): runs for key, runs in made["runs"].items()},
        last_run=made.get("last_run"),
        marks=marks,
        score_by=made.get("score_by"),
    )
