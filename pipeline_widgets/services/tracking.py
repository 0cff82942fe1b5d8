"""The events for trackers, read from the rows, so that a training knows nothing of them (spec 11.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.tracking import TrackedCheckpoint, TrackedRun, parse_trackers
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts

MOST_AT_ONCE = 5_000  # metrics that are read in one transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class RunChanges:
    """The events of a run since the last reading."""

    #: Step and metrics, in the order of the reports.
    reports: tuple[tuple[int, Mapping[str, float]], ...]
    #: The checkpoints by their ids.
    checkpoints: Mapping[int, TrackedCheckpoint]
    #: How many of its metrics have been read.
    last: int
    #: Whether there may be more metrics already.
    has_more: bool
    status: Status
    error: str | None
    #: The last sign of life of its supervisor, in seconds since 1970.
    beat_at: float | None


class TrackingService:
    """The trackers of a workspace, and the events for them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def trackers(self) -> tuple[str, ...]:
        """Return the trackers of the workspace, as they were written."""
        with self._store.read() as work:
            return work.records.trackers()

    def set_trackers(self, written: object) -> tuple[str, ...]:
        """Let runs that begin from now on be tracked by these, and by no others.

        Raises:
            ConfigError: It is not a list of trackers.
        """
        parsed = parse_trackers(written)
        with self._store.write() as work:
            work.records.set_trackers(parsed)
        return parsed

    def following(self, run_id: int) -> tuple[tuple[int, ...], bool]:
        """Return the trainings that the supervisor of a run has had since, and whether it may have more.

        A chain may be over before a process that tracks it has come up, so that ended ones count as well.
        """
        with self._store.read() as work:
            runs = work.runs.of_supervisor(run_id)
        return tuple(run.id for run in runs if run.is_training), any(run.status.active for run in runs)

    def describe(self, run_id: int) -> TrackedRun:
        """Return what a tracker is told when a training begins."""
        with self._store.read() as work:
            run = work.runs.get(run_id)
            experiment = work.experiments.get(run.trained_experiment_id)
            pipeline = work.pipelines.get(run.pipeline_id) if run.pipeline_id and run.stage_id else None
            parent = _parent(work, run)
            identity = work.records.identity()
            return TrackedRun(
                key=f"{identity}-{run.id}",
                name=_name(work, run),
                project=work.projects.get(run.project_id).name,
                experiment=experiment.name,
                algorithm=experiment.spec.name,
                number=run.number,
                pipeline=pipeline.name if pipeline else None,
                stage=pipeline.position(run.stage_id) + 1 if pipeline and run.stage_id else None,
                config=dict(run.config),
                seed=run.seed,
                begun=pipeline_facts.start_steps(work, [run]).get(run.id, 0),
                parent=f"{identity}-{parent.id}" if parent else None,
                parent_name=_name(work, parent) if parent else None,
                is_resumed=run.resumed_run_id is not None,
                retry=run.retry,
            )

    def read(self, run_id: int, after: int, known: Collection[int]) -> RunChanges:
        """Return what a run has reported after so many metrics, and its checkpoints that are not known."""
        with self._store.read() as work:  # one snapshot: with the final status all metrics are there
            blocks = work.metrics.after(run_id, after, MOST_AT_ONCE)
            saved = work.checkpoints.saved_after(run_id, max(known, default=0))
            run, lease = work.runs.get(run_id), work.runs.lease(run_id)
        count = sum(map(len, blocks))
        reports: list[tuple[int, dict[str, float]]] = []
        for step, name, value in (row for block in blocks for row in block.rows()):
            if not reports or reports[-1][0] != step or name in reports[-1][1]:
                reports.append((step, {}))
            reports[-1][1][name] = value
        return RunChanges(
            reports=tuple(reports),
            checkpoints={
                each.id: TrackedCheckpoint(
                    step=each.step,
                    path=each.path,
                    digest=each.digest,
                    training_score=each.training_score,
                    evaluation_score=each.evaluation_score,
                )
                for each in saved
            },
            last=after + count,
            has_more=count == MOST_AT_ONCE,
            status=run.status,
            error=run.error,
            beat_at=lease.beat_at,
        )


def _parent(work: UnitOfWork, run: Run) -> Run | None:
    """Return the run whose checkpoint a run has started from; None from scratch."""
    if run.start_checkpoint_id is None:
        return None
    saved = work.checkpoints.by_id([run.start_checkpoint_id]).get(run.start_checkpoint_id)
    return work.runs.get(saved.run_id) if saved else None


def _name(work: UnitOfWork, run: Run) -> str:
    """Return a run's name as the views have it."""
    return f"{work.experiments.get(run.trained_experiment_id).name}, {run.label}"
