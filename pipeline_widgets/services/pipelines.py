"""Pipelines and their stages."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial

from pipeline_widgets.directions import isolate, quote
from pipeline_widgets.domain.chain import (
    STOP_FIRST,
    UNSAVED_ID,
    FromScratch,
    FromSource,
    Pipeline,
    PipelineEdit,
    Stage,
    Start,
    describe_active,
)
from pipeline_widgets.domain.edits import TEXTS, ChangeKind, describe_score_by
from pipeline_widgets.domain.evaluator import find_refusal
from pipeline_widgets.domain.history import EventKind
from pipeline_widgets.domain.names import (
    check_encodable,
    check_name_available,
    name_copy,
    validate_description,
    validate_name,
)
from pipeline_widgets.domain.staleness import compute_staleness, describe_upstream
from pipeline_widgets.errors import (
    ClassicProjectError,
    InUseError,
    RuleError,
)
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import history, pipeline_facts
from pipeline_widgets.services.stage_experiments import check_fit, validate_binding


class PipelineService:
    """The use cases of pipelines. `expected_version` is the version that an edit is based on (spec 5.13)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, project_id: int, name: str, description: str = "") -> Pipeline:
        """Make an empty pipeline.

        Raises:
            ClassicProjectError: The project is not an Advanced Training project.
            NameTakenError: The project has one of that name.
        """
        name, description = validate_name(name, "pipeline"), validate_description(description, "pipeline")
        with self._store.write() as work:
            revision = work.projects.touch(project_id)
            check_advanced(work, project_id)
            check_name_available(name, work.pipelines.named(project_id, [name]), "pipeline")
            made = work.pipelines.add(project_id, name, description, revision)
            history.record_event(work, made, EventKind.CREATED, "Created.")
            return made

    def update(
        self,
        pipeline_id: int,
        *,
        name: str | None = None,
        description: str | None = None,
        expected_version: int | None = None,
    ) -> Pipeline:
        """Give a pipeline another name or description.

        Raises:
            NameTakenError: The project has one of that name.
            StaleWriteError: Its name or description has changed since that version.
        """

        def change(work: UnitOfWork, pipeline: Pipeline) -> PipelineEdit:
            new = validate_name(name, "pipeline") if name is not None else pipeline.name
            others = work.pipelines.named(pipeline.project_id, [new])
            check_name_available(new, (other for other in others if other.id != pipeline.id), "pipeline")
            text = (
                pipeline.description if description is None else validate_description(description, "pipeline")
            )
            return PipelineEdit(pipeline=replace(pipeline, name=new, description=text))

        return self._edit(pipeline_id, change, _about, expected_version, concerning=TEXTS).pipeline

    def score_by(
        self, pipeline_id: int, evaluator: str | None, *, expected_version: int | None = None
    ) -> Pipeline:
        """Let Best and gates go by the scores of an evaluator; None by what the algorithms report (spec 7.9).

        Raises:
            EvaluatorNotFoundError: The workspace has no evaluator of that name.
            RuleError: It scores nothing that a stage makes.
            InUseError: A stage is active.
            StaleWriteError: The pipeline has changed since that version.
        """

        def change(work: UnitOfWork, pipeline: Pipeline) -> PipelineEdit:
            edited = replace(pipeline, score_by=evaluator)
            if edited != pipeline:
                _check_all_idle(work, pipeline, pipeline.stages, "How it is scored cannot be changed.")
            if evaluator is not None:
                check_scorable(work, edited)
            return PipelineEdit(pipeline=edited)

        def what(work: UnitOfWork, before: Pipeline, after: Pipeline) -> str:
            del work, before
            return describe_score_by(after.score_by)

        return self._edit(pipeline_id, change, what, expected_version).pipeline

    def duplicate(self, pipeline_id: int) -> Pipeline:
        """Copy stages and settings, not runs; experiments stay bound to both (spec 3.4)."""
        with self._store.write() as work:
            original = work.pipelines.get(pipeline_id)
            revision = work.projects.touch(original.project_id)
            name = name_copy(original.name, partial(work.pipelines.named, original.project_id))
            copy = work.pipelines.add(original.project_id, name, original.description, revision)
            stages = tuple(replace(stage, id=0) for stage in original.stages)
            filled = replace(copy, stages=stages, score_by=original.score_by)
            made = work.pipelines.save(filled, revision, before=copy)
            sentence = f"Made as a copy of {quote(original.name)}."
            history.record_event(work, made, EventKind.CREATED, sentence)
            return made

    def delete(self, pipeline_id: int) -> None:
        """Delete a pipeline; experiments, checkpoints, runs and agents stay.

        Raises:
            InUseError: A stage is active.
        """
        with self._store.write() as work:
            pipeline = work.pipelines.get(pipeline_id)
            work.projects.touch(pipeline.project_id)
            _check_all_idle(work, pipeline, pipeline.stages, "The pipeline cannot be deleted.")
            work.pipelines.remove(pipeline_id)
            sentence = f"Deleted pipeline {quote(pipeline.name)}."
            work.events.add_deletion(pipeline, history.current_user(), sentence)

    def add_stage(
        self,
        pipeline_id: int,
        stage: Stage,
        *,
        position: int | None = None,
        duplicate: bool = False,
        expected_version: int | None = None,
    ) -> tuple[Stage, tuple[str, ...]]:
        """Insert a stage, and return it with what was changed along.

        Args:
            pipeline_id: The pipeline.
            stage: The stage, not saved yet.
            position: Before which position, counted from 0; at the end by default.
            duplicate: Attach a copy of the experiment (spec 5.7).
            expected_version: The version that this is based on.

        Raises:
            OrderError: It could not stand there.
            DoesNotFitError: Its algorithm cannot start from what its source stage produces.
            ForeignError: Its experiment belongs to another project.
        """

        def change(work: UnitOfWork, pipeline: Pipeline) -> PipelineEdit:
            return pipeline.with_stage(validate_binding(work, pipeline, stage, duplicate=duplicate), position)

        def what(work: UnitOfWork, before: Pipeline, after: Pipeline) -> str:
            at = len(before.stages) if position is None else position
            return f"Added stage {_label(work, after, at)}."

        edited = self._edit(pipeline_id, change, what, expected_version, fitting=UNSAVED_ID)
        at = len(edited.pipeline.stages) - 1 if position is None else position
        return edited.pipeline.stages[at], edited.side_effects

    def update_stage(
        self,
        stage_id: int,
        settings: Callable[[Stage], Stage],
        *,
        duplicate: bool = False,
        expected_version: int | None = None,
    ) -> tuple[str, ...]:
        """Give a stage other settings, and return what was changed along.

        Raises:
            InUseError: It is active.
            OrderError: The settings cannot hold where it stands.
            DoesNotFitError: Its algorithm cannot start from what its source stage produces.
        """

        def change(work: UnitOfWork, pipeline: Pipeline) -> PipelineEdit:
            before = pipeline.stage(stage_id)
            _check_all_idle(work, pipeline, [before], "It cannot be edited.")
            return pipeline.with_stage_replaced(
                validate_binding(work, pipeline, settings(before), duplicate=duplicate)
            )

        def what(work: UnitOfWork, before: Pipeline, after: Pipeline) -> str:
            at = before.position(stage_id)
            return f"Edited stage {_label(work, after, at)}."

        home = self._find_pipeline_id(stage_id)
        return self._edit(home, change, what, expected_version, fitting=stage_id).side_effects

    def move_stage(self, stage_id: int, to: int, *, expected_version: int | None = None) -> tuple[str, ...]:
        """Move a stage to a position, counted from 0, and return what was changed along.

        Raises:
            InUseError: It is active.
            OrderError: The stages could not stand in that order.
        """

        def change(work: UnitOfWork, pipeline: Pipeline) -> PipelineEdit:
            _check_all_idle(work, pipeline, [pipeline.stage(stage_id)], "It cannot be moved.")
            return pipeline.with_stage_moved(stage_id, to)

        def what(work: UnitOfWork, before: Pipeline, after: Pipeline) -> str:
            del after
            at = before.position(stage_id)
            return f"Moved stage {_label(work, before, at)} to place {to + 1}."

        return self._edit(self._find_pipeline_id(stage_id), change, what, expected_version).side_effects

    def delete_stage(self, stage_id: int, *, expected_version: int | None = None) -> tuple[str, ...]:
        """Remove a stage, and return what was changed along; its runs stay.

        Raises:
            InUseError: It is active.
            OrderError: A Deployment stage would come first.
        """

        def change(work: UnitOfWork, pipeline: Pipeline) -> PipelineEdit:
            _check_all_idle(work, pipeline, [pipeline.stage(stage_id)], "It cannot be deleted.")
            return pipeline.without_stage(stage_id)

        def what(work: UnitOfWork, before: Pipeline, after: Pipeline) -> str:
            del after
            return f"Deleted stage {_label(work, before, before.position(stage_id))}."

        return self._edit(self._find_pipeline_id(stage_id), change, what, expected_version).side_effects

    def accept_as_fresh(self, stage_id: int, note: str) -> None:
        """Let a stale stage count as fresh until something upstream changes again; an undo takes it back.

        Raises:
            RuleError: It is not stale.
        """
        note = check_encodable(note, "note")
        with self._store.write() as work:
            pipeline = work.pipelines.of_stage(stage_id)
            work.projects.touch(pipeline.project_id)
            known = pipeline_facts.load(work, pipeline)
            succeeded = known.for_stage(stage_id).succeeded
            if succeeded is None or not compute_staleness(pipeline, known)[stage_id].stale:
                raise RuleError("There is nothing to accept.", "The stage is not stale.")
            state = describe_upstream(pipeline, stage_id, known)
            snapshot = history.take_snapshot(work, pipeline, pipeline, marked={stage_id})
            work.pipelines.accept(stage_id, succeeded.id, state, note)
            work.pipelines.touch(pipeline.id)
            label = _label(work, pipeline, pipeline.position(stage_id))
            said = f": {note}" if note else ""
            sentence = f"Accepted stage {label} as fresh{said}."
            history.record_edit(work, pipeline, pipeline, sentence, snapshot)

    def check_project(self, project_id: int) -> None:
        """Refuse a project that cannot hold pipelines.

        Raises:
            ClassicProjectError: It is not an Advanced Training project.
        """
        with self._store.read() as work:
            check_advanced(work, project_id)

    def get(self, pipeline_id: int) -> Pipeline:
        """Return one pipeline; NotFoundError without it."""
        with self._store.read() as work:
            return work.pipelines.get(pipeline_id)

    def of_stage(self, stage_id: int) -> Pipeline:
        """Return the pipeline in which a stage stands; NotFoundError without it."""
        with self._store.read() as work:
            return work.pipelines.of_stage(stage_id)

    def stage(self, stage_id: int) -> tuple[Stage, int]:
        """Return a stage, and its position; NotFoundError without it."""
        with self._store.read() as work:
            return work.pipelines.stage(stage_id)

    def of_project(self, project_id: int) -> tuple[Pipeline, ...]:
        """Return a project's pipelines in the order of their creation."""
        with self._store.read() as work:
            return work.pipelines.of_project(project_id)

    def _find_pipeline_id(self, stage_id: int) -> int:
        with self._store.read() as work:
            return work.pipelines.pipeline_id_of(stage_id)

    def _edit(
        self,
        pipeline_id: int,
        change: Callable[[UnitOfWork, Pipeline], PipelineEdit],
        done: Callable[[UnitOfWork, Pipeline, Pipeline], str],
        expected_version: int | None,
        *,
        fitting: int | None = None,
        concerning: Collection[ChangeKind] = frozenset(ChangeKind),
    ) -> PipelineEdit:
        """Do an edit in one transaction, and keep what was done; `fitting` is the stage that has to fit.

        What changes nothing is not an edit: else it would take the place of the one that can be undone.
        """
        with self._store.write() as work:
            before = work.pipelines.get(pipeline_id)
            revision = work.projects.touch(before.project_id)
            history.check_version(work, before, expected_version, concerning)
            edited = change(work, before)
            new = {stage.id: stage for stage in edited.pipeline.stages}
            changed = [stage for stage in before.stages if new.get(stage.id, stage) != stage]
            _check_all_idle(work, before, changed, "The edit would change it along.")
            after = before
            if edited.pipeline != before:
                snapshot = history.take_snapshot(work, before, edited.pipeline)
                after = work.pipelines.save(edited.pipeline, revision, before=before)
                history.record_edit(work, before, after, done(work, before, after), snapshot)
            known = {stage.id: stage for stage in before.stages}
            for stage in after.stages:
                if stage.id == fitting or (fitting == UNSAVED_ID and stage.id not in known):
                    check_fit(work, after, stage)
                if stage != known.get(stage.id):  # what held it may hold no longer
                    work.pipelines.hold(stage.id, None)
            return PipelineEdit(pipeline=after, side_effects=edited.side_effects)


def first_or_source(pipeline: Pipeline, start: Start | None, position: int | None) -> Start:
    """Return the start of a stage to add: as asked, else scratch for the first and Best for later ones."""
    if start is not None:
        return start
    at = len(pipeline.stages) if position is None else position
    return FromSource("best") if at else FromScratch()


def check_advanced(work: UnitOfWork, project_id: int) -> None:
    """Refuse pipelines in a classic project, however they come (spec 2.2)."""
    project = work.projects.get(project_id)
    if not project.advanced_training:
        raise ClassicProjectError(
            f"Project {project.name!r} cannot hold pipelines.",
            "It is a classic project, and that choice was fixed when it was created.",
            "Create another project with advanced_training=True.",
        )


def check_scorable(work: UnitOfWork, pipeline: Pipeline) -> None:
    """Refuse an evaluator that scores nothing that a stage of the pipeline makes.

    Raises:
        EvaluatorNotFoundError: The workspace has no evaluator of that name.
        RuleError: It scores nothing.
    """
    spec = work.evaluators.get(pipeline.score_by or "").spec
    bound = work.experiments.by_id(pipeline.experiment_ids)
    refusals = [find_refusal(spec, bound[key].spec) for key in pipeline.experiment_ids]
    if refusals and all(refusals):
        what = f"{spec.name!r} scores nothing that a stage of pipeline {pipeline.name!r} makes."
        raise RuleError(
            what, " ".join(filter(None, refusals)), "Choose an evaluator that accepts such a kind."
        )


def _about(work: UnitOfWork, before: Pipeline, after: Pipeline) -> str:
    """Return the sentence of an edit of the name or the description."""
    del work
    renamed = (
        f"Renamed from {quote(before.name)} to {quote(after.name)}." if before.name != after.name else ""
    )
    told = "Edited the description." if before.description != after.description else ""
    return f"{renamed} {told}".strip()


def _label(work: UnitOfWork, pipeline: Pipeline, at: int) -> str:
    """The number of a stage with its name."""
    return f"{at + 1} ({isolate(history.stage_name(work, pipeline.stages[at]))})"


def _check_all_idle(work: UnitOfWork, pipeline: Pipeline, stages: Collection[Stage], what: str) -> None:
    """Refuse what cannot be done while one of those stages is active."""
    statuses = work.pipelines.statuses([stage.id for stage in stages])
    for stage in stages:
        if (status := statuses[stage.id]).active:
            raise InUseError(what, describe_active(pipeline.position(stage.id), status), STOP_FIRST)
