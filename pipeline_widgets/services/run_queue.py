"""A new run: Pending, with all that it will use frozen into it."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline_widgets.domain.chain import DeploymentStage, Pipeline, Stage
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement, resolve_placement
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.persistence import artifact_paths
from pipeline_widgets.persistence.store import Store, UnitOfWork

if TYPE_CHECKING:
    from pipeline_widgets.domain.agent import AgentVersion
    from pipeline_widgets.domain.pipeline_facts import PipelineFacts
    from pipeline_widgets.domain.triggering import RunStart

#: Raises where code of a Python, if it is kept by value, cannot run where it would be launched.
PlacementCheck = Callable[[Placement, str | None], None]
VERIFY_UP_TO = 64 << 20  # bytes that are read again before a trigger; above, the run itself reads them


def verify_start(run_start: RunStart, store: Store) -> None:
    """Check that what a run starts from is there as it was saved. No transaction waits for that.

    Raises:
        CheckpointError: It is missing or corrupt, or no folder of the workspace.
        StorageError: Nobody answers where it is kept.
    """
    if run_start.checkpoint is None:
        return
    folder = _folder(run_start)
    check_readable(folder, store)
    store.artifact_store.check(folder, VERIFY_UP_TO)


def check_readable(folder: PublishedFolder, store: Store) -> None:
    """Refuse to read a folder that is neither one of the workspace's nor one that this user has adopted.

    Raises:
        CheckpointError: It is neither.
    """
    if not store.trust.is_vouched_for(str(folder.path), folder.digest):
        artifact_paths.check_readable(folder.path, store.artifacts)


def find_unreachable_reason(run_start: RunStart, store: Store) -> str | None:
    """Return why what a run starts from is not there; None where it is. Reads no content, and asks nobody."""
    if run_start.checkpoint is None:
        return None
    try:
        check_readable(_folder(run_start), store)
    except CheckpointError as error:
        return str(error)
    if store.artifact_store.may_have(_folder(run_start).path):
        return None
    return f"The checkpoint {_folder(run_start).path} is missing."


def find_placement(work: UnitOfWork, stage: Stage | None, experiment: Experiment | None) -> Placement:
    """Return where a run is launched, and with which resources: by its stage, experiment, or workspace.

    A Deployment is always launched on the machine itself, where its endpoint will be.
    """
    if experiment is None or isinstance(stage, DeploymentStage):
        return DEFAULT_PLACEMENT
    own = stage.placement if stage is not None else DEFAULT_PLACEMENT
    return resolve_placement(own, experiment.placement, work.records.placement())


def enqueue_run(
    work: UnitOfWork,
    pipeline: Pipeline,
    stage: Stage,
    known: PipelineFacts,
    run_start: RunStart,
    *,
    placement: Placement | None = None,
    home: str | None = None,
    run_through: Collection[int] = (),
    **columns: object,
) -> Run:
    """Insert a Pending run of a stage, with all that it will use frozen into it.

    Args:
        work: The transaction.
        pipeline: The pipeline in which the stage stands.
        stage: The stage.
        known: What is known about it.
        run_start: What it starts from.
        placement: Where it is launched, where that is known already, and checked against the limits.
        home: The host on which it is launched if that is local; by default this one.
        run_through: Stages after it that its chain goes on to, though they are not Auto.
        **columns: The revision, and who has taken it already.
    """
    work.pipelines.touch(pipeline.id)
    if known.for_stage(stage.id).held is not None:
        work.pipelines.hold(stage.id, None)
    if (after := pipeline.after(stage.id)) is not None:  # what its last success was held for is over
        work.pipelines.hold(after.id, None)
    common = {
        "project_id": pipeline.project_id,
        "pipeline_id": pipeline.id,
        "stage_id": stage.id,
        "home": home or platform.node(),
        "run_through": list(run_through) or None,
        **frozen_start(run_start),
        **columns,
    }
    if isinstance(stage, DeploymentStage):
        config = {"agent_name": stage.agent_name, "agent_description": stage.agent_description}
        return work.runs.add(**common, kind="deployment", config=config, seed=0, signature={})
    experiment = known.for_stage(stage.id).experiment or work.experiments.get(stage.experiment_id)
    if placement is None:
        from pipeline_widgets.services.admission import check_limits  # noqa: PLC0415  not before Running

        placement = find_placement(work, stage, experiment)
        check_limits(work, placement)
    return work.runs.add(**common, **placement.to_row(), **_of_experiment(experiment))


def enqueue_experiment_run(
    work: UnitOfWork,
    experiment: Experiment,
    run_start: RunStart,
    revision: int,
    code: Mapping[str, object] | None = None,
) -> Run:
    """Insert a Pending run of an experiment by itself; `code` as the row names it."""
    project = {"project_id": experiment.project_id, "revision": revision, "code": code}
    placement = find_placement(work, None, experiment)
    from pipeline_widgets.services.admission import check_limits  # noqa: PLC0415  not before Running

    check_limits(work, placement)
    placed = {"home": platform.node(), **placement.to_row()}
    return work.runs.add(**project, **placed, **frozen_start(run_start), **_of_experiment(experiment))


def _of_experiment(experiment: Experiment) -> dict[str, object]:
    return {
        "experiment_id": experiment.id,
        "algorithm_id": experiment.algorithm_id,
        "config": dict(experiment.config),
        "config_digest": experiment.config_digest,
        "seed": experiment.seed,
        "signature": dict(experiment.signature),
    }


def frozen_start(run_start: RunStart) -> dict[str, object]:
    """Return the columns of a run that hold what it starts from."""
    return {
        "start_checkpoint_id": run_start.checkpoint.id if run_start.checkpoint else None,
        "start_agent_version_id": run_start.agent_version.id if run_start.agent_version else None,
        "start_role": run_start.role,
        "source_checkpoint_id": run_start.source_checkpoint_id,
        "source_run_id": run_start.source_run_id,
        "resumed_run_id": run_start.resumed_run_id,
    }


def find_start(work: UnitOfWork, run: Run) -> Checkpoint | None:
    """Return the checkpoint that a run starts from; for a saved Agent, as its frozen copy."""
    if run.start_checkpoint_id is None:
        return None
    version = run.start_agent_version_id
    found = work.agents.version(version) if version is not None else None
    return as_started(work.checkpoints.get(run.start_checkpoint_id), found)


def as_started(checkpoint: Checkpoint | None, version: AgentVersion | None) -> Checkpoint | None:
    """Return the checkpoint to start from; for a saved Agent, as its frozen copy."""
    return checkpoint if checkpoint is None or version is None else version.as_checkpoint()


def _folder(run_start: RunStart) -> PublishedFolder:
    if run_start.checkpoint is None:
        raise CheckpointError("There is no checkpoint.", fix="Run the source stage first.")
    kept = run_start.agent_version or run_start.checkpoint
    return PublishedFolder(path=Path(kept.path), size=kept.size, digest=kept.digest)
