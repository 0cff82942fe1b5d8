"""Checkpoint care: what uses a checkpoint, and freeing what nobody asks for (spec 8.4)."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import replace

from pipeline_widgets.domain.care import Fate, Keep, Saved, fates, freed
from pipeline_widgets.domain.experiment import choose
from pipeline_widgets.errors import NoCheckpointError
from pipeline_widgets.persistence.store import Store, Work
from pipeline_widgets.services import facts
from pipeline_widgets.services.experiments import users_by_checkpoint

FREED_AT_ONCE = 2_000  # checkpoints whose rows go in one transaction
ASKED_AT_ONCE = (
    5_000  # checkpoints of which one question tells the users: SQLite may bound its variables at 32,766
)


class CareService:
    """Tell what uses checkpoints, and free what nobody does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def users(self, checkpoint_id: int) -> tuple[str, ...]:
        """Return what uses a checkpoint: runs that consumed it, agents, stages that would start from it."""
        with self._store.read() as work:
            checkpoint = work.checkpoints.get(checkpoint_id)
            run = work.runs.get(checkpoint.run_id)
            users = users_by_checkpoint(work, [checkpoint]).get(checkpoint_id, [])
            return (*users, *_chosen(work, run.project_id).get(checkpoint_id, []))

    def look(self, project_id: int, keep: Keep) -> tuple[Fate, ...]:
        """Return what would become of each checkpoint of a project; nothing is deleted."""
        with self._store.read() as work:
            work.projects.get(project_id)
            return _fates(work, project_id, keep)

    def free(self, project_id: int, keep: Keep, *, only: Collection[int] | None = None) -> tuple[Fate, ...]:
        """Delete what nobody asks for, and return what became of each checkpoint.

        Rows go first, then folders: whatever ends this process in between, no row points to files that
        are gone. What is used between two transactions is kept: each looks again.

        Args:
            project_id: The project.
            keep: What is kept of each run even if nobody uses it.
            only: The ids of what may go at all, such as what a preview has shown; by default all.
        """
        found = self.look(project_id, keep)
        if only is not None:
            seen = frozenset(only)
            found = tuple(each for each in found if each.kept or each.checkpoint.id in seen)
        wanted = [each.id for each in freed(found)]
        for at in range(0, len(wanted), FREED_AT_ONCE):
            self._remove(project_id, keep, set(wanted[at : at + FREED_AT_ONCE]))
        left = {each.checkpoint.id for each in self.look(project_id, keep)}
        return tuple(
            replace(each, reasons=("used meanwhile",))
            if not each.kept and each.checkpoint.id in left
            else each
            for each in found
        )

    def _remove(self, project_id: int, keep: Keep, ids: set[int]) -> None:
        with self._store.write() as work:
            work.projects.touch(project_id)
            gone = [each for each in freed(_fates(work, project_id, keep)) if each.id in ids]
            for checkpoint in gone:
                work.checkpoints.remove([checkpoint.id])
            left = work.checkpoints.of_runs({each.run_id for each in gone})
            shared = {each.path for each in left}
        for checkpoint in gone:
            if checkpoint.path not in shared:
                shutil.rmtree(checkpoint.path, ignore_errors=True)


def _fates(work: Work, project_id: int, keep: Keep) -> tuple[Fate, ...]:
    runs = [run for run in work.runs.of_project(project_id) if run.experiment_id is not None]
    experiments = work.experiments.by_id({run.experiment_id for run in runs if run.experiment_id is not None})
    lineages = facts.lineages(work, runs)
    saved = [
        Saved(
            run=run,
            experiment=experiment.name,
            higher_is_better=experiment.spec.higher_is_better,
            lineage=lineages[run.id],
        )
        for run in runs
        if (experiment := experiments[run.experiment_id or 0])
    ]
    every = list({each.id: each for lineage in lineages.values() for each in lineage}.values())
    users: dict[int, list[str]] = {}
    for at in range(0, len(every), ASKED_AT_ONCE):
        users |= users_by_checkpoint(work, every[at : at + ASKED_AT_ONCE])
    return fates(saved, keep, users, _chosen(work, project_id))


def _chosen(work: Work, project_id: int) -> dict[int, list[str]]:
    """Which stages would start from a checkpoint if they were triggered now, by the checkpoint's id."""
    found: dict[int, list[str]] = {}
    for pipeline in work.pipelines.of_project(project_id):
        known = facts.load(work, pipeline, consumption=False)
        for at, stage in enumerate(pipeline.stages, 1):
            source = pipeline.source(stage.id)
            if source is None or stage.choice is None:
                continue
            experiment = known.of(source.id).experiment
            try:
                chosen = choose(
                    known.of(source.id).checkpoints,
                    stage.choice,
                    higher_is_better=experiment is None or experiment.spec.higher_is_better,
                )
            except NoCheckpointError:
                continue
            found.setdefault(chosen.checkpoint.id, []).append(f"stage {at} of pipeline {pipeline.name!r}")
    return found
