"""The details of an expanded experiment: its config, runs, checkpoints and pipelines, as a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.pipeline_facts import PipelineFacts
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.staleness import Staleness, compute_staleness
from pipeline_widgets.domain.triggering import find_blockers
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.queries.run_detail import CheckpointRow, checkpoint_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """A stage that is bound to an experiment."""

    pipeline_id: int
    pipeline: str
    #: The number of the stage, counted from 1.
    stage: int
    stage_id: int
    #: Whether what the stage has made last is out of date, and why.
    staleness: Staleness
    #: Why the stage cannot be triggered now; empty where it can.
    blockers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """A run as an experiment's history shows it."""

    run: Run
    #: How many checkpoints it has saved.
    checkpoints: int
    #: The name of the pipeline that it ran in; empty where it was trained by itself, or the pipeline is gone.
    pipeline: str
    #: Whether it ran with the config that the experiment has now.
    same_config: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentDetail:
    """An experiment at one moment."""

    experiment: Experiment
    uses: tuple[Use, ...]
    #: Latest first.
    runs: tuple[RunRow, ...]
    #: Latest run first, and of one run the latest step first.
    checkpoints: tuple[CheckpointRow, ...]
    #: How many there are, with those that were left out.
    saved: int
    #: The id of the best of all; None where none has a score.
    best: int | None
    #: The id of the final one of the latest run that saved any.
    final: int | None


class ExperimentDetailQueries:
    """The read model of one experiment."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, experiment_id: int, *, checkpoints: int = 50, runs: int = 50) -> ExperimentDetail:
        """Return what is to be seen of an experiment.

        Args:
            experiment_id: The experiment.
            checkpoints: How many are listed at most; the best one is always among them.
            runs: How many runs are listed at most.

        Raises:
            NotFoundError: It is gone.
        """
        with self._store.read() as work:
            experiment = work.experiments.get(experiment_id)
            history = work.runs.of_experiment(experiment_id)
            counts = work.checkpoints.counted([experiment_id])
            higher = experiment.spec.higher_is_better
            best = work.checkpoints.best(experiment_id, higher_is_better=higher)
            latest = work.checkpoints.latest(experiment_id, checkpoints)
            listed = latest if best is None or best in latest else (*latest, best)
            return ExperimentDetail(
                experiment=experiment,
                uses=_uses(work, experiment_id, has_run=bool(history)),
                runs=_history(work, experiment, history[::-1][:runs], counts),
                checkpoints=checkpoint_rows(work, listed),
                saved=sum(counts.values()),
                best=best.id if best else None,
                final=latest[0].id if latest else None,
            )


def _uses(work: UnitOfWork, experiment_id: int, *, has_run: bool) -> tuple[Use, ...]:
    """Return where an experiment is used; what has never run is not stale, and nothing more is read."""
    found: list[Use] = []
    for pipeline in work.pipelines.using(experiment_id):
        known = pipeline_facts.load(work, pipeline) if has_run else PipelineFacts(stages={})
        stale = compute_staleness(pipeline, known)
        found += [
            Use(
                pipeline_id=pipeline.id,
                pipeline=pipeline.name,
                stage=number,
                stage_id=stage.id,
                staleness=stale[stage.id],
                blockers=tuple(map(str, find_blockers(pipeline, stage.id, known))) if has_run else (),
            )
            for number, stage in enumerate(pipeline.stages, start=1)
            if getattr(stage, "experiment_id", None) == experiment_id
        ]
    return tuple(found)


def _history(
    work: UnitOfWork, experiment: Experiment, runs: tuple[Run, ...], counts: Mapping[int, int]
) -> tuple[RunRow, ...]:
    pipelines = work.pipelines.by_id({run.pipeline_id for run in runs if run.pipeline_id is not None})
    return tuple(
        RunRow(
            run=run,
            checkpoints=counts.get(run.id, 0),
            pipeline=pipelines[run.pipeline_id].name if run.pipeline_id in pipelines else "",
            same_config=run.config_digest == experiment.config_digest,
        )
        for run in runs
    )
