"""Checkpoint care: what uses a checkpoint, and freeing what nobody asks for (spec 8.4)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.retention import (
    OUTSIDE_WORKSPACE,
    UNDELETED,
    Keep,
    OtherFiles,
    RetentionDecision,
    RunCheckpoints,
    decide_retention,
    list_deletable,
)
from pipeline_widgets.domain.run import Run, trained_experiment_ids
from pipeline_widgets.persistence import artifact_paths
from pipeline_widgets.persistence.artifact_folders import list_other_files
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts, references

FREED_AT_ONCE = 2_000  # checkpoints, or all of a run, whose rows go in one transaction
ORPHANED = 86_400.0  # seconds after which a copy that no agent has belongs to nobody


class RetentionService:
    """Tell what uses checkpoints, and free what nobody does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def references(self, checkpoint_id: int) -> tuple[str, ...]:
        """Return what uses a checkpoint: runs that consumed it, agents, stages that would start from it."""
        with self._store.read() as work:
            checkpoint = work.checkpoints.get(checkpoint_id)
            starting = references.find_stage_references(
                work, work.runs.resuming([checkpoint.run_id]).values()
            )
            consumers = references.find_references(work, [checkpoint_id])
        return (*consumers.get(checkpoint_id, ()), *starting.get(checkpoint_id, ()))

    def preview(self, project_id: int, keep: Keep) -> tuple[RetentionDecision, ...]:
        """Return what would become of each checkpoint of a project; nothing is deleted."""
        with self._store.read() as work:
            work.projects.get(project_id)
            return _fates(work, work.runs.of_project(project_id), keep)

    def delete_unreferenced(
        self, project_id: int, keep: Keep, *, only: Collection[int] | None = None
    ) -> tuple[RetentionDecision, ...]:
        """Delete what nobody asks for, and return what became of each checkpoint.

        Rows go first, then folders: whatever ends this process in between, no row points to files that
        are gone. What is used between two transactions is kept: each looks at its runs again. Folders
        without a row, which are left where that was interrupted, go as well.

        Args:
            project_id: The project.
            keep: What is kept of each run even if nobody uses it.
            only: The ids of what may go at all, such as what a preview has shown; by default all.
        """
        self._store.trust.check()  # also where no row goes: folders do
        found = self.preview(project_id, keep)
        if only is not None:
            seen = frozenset(only)
            found = tuple(each for each in found if each.is_kept or each.checkpoint.id in seen)
        kept: dict[int, RetentionDecision] = {}
        for part in _parts(list_deletable(found)):
            kept |= self._remove(project_id, keep, part)
        self._sweep(project_id)
        return tuple(_describe_decision(kept.get(each.checkpoint.id, each)) for each in found)

    def other_files(self, project_id: int) -> tuple[OtherFiles, ...]:
        """Return what ended trainings have left in their runs' folders beside their checkpoints."""
        with self._store.read() as work:
            ended = [run.id for run in work.runs.of_project(project_id) if run.status.finished]
        return tuple(
            OtherFiles(run_id=run_id, path=str(path), size=size)
            for run_id in ended
            for path, size in sorted(list_other_files(self._store.run_folder(run_id)).items())
        )

    def delete_other_files(self, found: Collection[OtherFiles]) -> None:
        """Delete what trainings have left beside their checkpoints.

        Args:
            found: What `other_files` has returned.
        """
        self._store.trust.check()
        for each in found:
            artifact_paths.remove(Path(each.path), self._store.artifacts)

    def _remove(
        self, project_id: int, keep: Keep, part: Collection[Checkpoint]
    ) -> dict[int, RetentionDecision]:
        """Delete rows of some runs; return, by id, what is needed after all."""
        ids = {each.id for each in part}
        with self._store.write() as work:
            work.projects.touch(project_id)
            runs = work.runs.resuming({each.run_id for each in part})
            now = {each.checkpoint.id: each for each in _fates(work, runs.values(), keep)}
            kept = {key: each for key, each in now.items() if each.is_kept and key in ids}
            work.checkpoints.remove(ids - kept.keys())
        return kept

    def _sweep(self, project_id: int) -> None:
        """Delete folders that no row points to, but for those of runs at work."""
        with self._store.read() as work:
            ended = [run.id for run in work.runs.of_project(project_id) if run.status.finished]
            saved: dict[int, set[str]] = {run_id: set() for run_id in ended}
            for each in work.checkpoints.of_runs(ended):
                saved[each.run_id].add(each.path)
            for run_id, paths in work.shown_items.paths(ended).items():
                saved[run_id] |= paths
            # While anything runs, a copy without a version may be that of a Deployment under way.
            copies = None if work.runs.active() else work.agents.paths()
        self._store.artifact_store.sweep_runs(saved, self._run_ids)
        if copies is not None:
            self._store.artifact_store.sweep_agents(copies, ORPHANED)

    def _run_ids(self) -> frozenset[int]:
        with self._store.read() as work:
            return work.runs.ids()


def _parts(gone: Iterable[Checkpoint]) -> Iterator[list[Checkpoint]]:
    """Split what goes between runs, so that none is looked at twice."""
    part: list[Checkpoint] = []
    for each in gone:
        if len(part) >= FREED_AT_ONCE and each.run_id != part[-1].run_id:
            yield part
            part = []
        part.append(each)
    if part:
        yield part


def _describe_decision(decision: RetentionDecision) -> RetentionDecision:
    """Return what became of a checkpoint, by its folder."""
    left = not decision.is_kept and os.path.lexists(decision.checkpoint.path)
    return replace(decision, reasons=(UNDELETED,)) if left else decision


def _fates(work: UnitOfWork, runs: Iterable[Run], keep: Keep) -> tuple[RetentionDecision, ...]:
    training = [run for run in runs if run.is_training]
    experiments = work.experiments.by_id(trained_experiment_ids(training))
    lineages = pipeline_facts.lineages(work, training)
    saved = [
        RunCheckpoints(
            run=run,
            experiment=experiment.name,
            higher_is_better=experiment.spec.higher_is_better,
            lineage=lineages[run.id],
        )
        for run in training
        if (experiment := experiments[run.trained_experiment_id])
    ]
    every = {each.id for lineage in lineages.values() for each in lineage}
    found = decide_retention(
        saved, keep, references.find_references(work, every), references.find_stage_references(work, training)
    )
    return tuple(_ours(each, work.root) for each in found)


def _ours(decision: RetentionDecision, root: Path) -> RetentionDecision:
    """Keep what a row places outside of the workspace: its files are not ours to delete."""
    checkpoint = decision.checkpoint
    if decision.is_kept or artifact_paths.is_checkpoint_folder(checkpoint.path, root, checkpoint.run_id):
        return decision
    return replace(decision, reasons=(OUTSIDE_WORKSPACE,))
