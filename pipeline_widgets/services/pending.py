"""A new run: Pending, with all that it will use frozen into it."""

from __future__ import annotations

from pathlib import Path

from pipeline_widgets.domain.chain import DeploymentStage, Pipeline, Stage
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.facts import Facts
from pipeline_widgets.domain.job import Folder
from pipeline_widgets.domain.run import Run
from pipeline_widgets.domain.triggering import Begin
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.persistence import artifacts, layout
from pipeline_widgets.persistence.store import Work

VERIFY_UP_TO = 64 << 20  # bytes that are read again before a trigger; above, the run itself reads them


def verify(begin: Begin, root: Path) -> None:
    """Check that what a run starts from is on disk as it was saved.

    Raises:
        CheckpointError: It is missing or corrupt, or no folder of the workspace.
    """
    if begin.checkpoint is None:
        return
    folder = _folder(begin)
    layout.check_readable(folder.path, root)
    if not folder.path.is_dir() or folder.size <= VERIFY_UP_TO:
        artifacts.verify(folder)


def reachable(begin: Begin, root: Path) -> str | None:
    """Return why what a run starts from is not there; None where it is. Reads no content."""
    if begin.checkpoint is None:
        return None
    try:
        layout.check_readable(_folder(begin).path, root)
    except CheckpointError as error:
        return str(error)
    if _folder(begin).path.is_dir():
        return None
    return f"The checkpoint {_folder(begin).path} is missing."


def pend(work: Work, pipeline: Pipeline, stage: Stage, known: Facts, begin: Begin, **columns: object) -> Run:
    """Insert a Pending run of a stage, with all that it will use frozen into it.

    Args:
        work: The transaction.
        pipeline: The pipeline in which the stage stands.
        stage: The stage.
        known: What is known about it.
        begin: What it starts from.
        **columns: The revision, and who has taken it already.
    """
    work.pipelines.touch(pipeline.id)
    if known.of(stage.id).held is not None:
        work.pipelines.hold(stage.id, None)
    if (after := pipeline.after(stage.id)) is not None:  # what its last success was held for is over
        work.pipelines.hold(after.id, None)
    common = {
        "project_id": pipeline.project_id,
        "pipeline_id": pipeline.id,
        "stage_id": stage.id,
        **_frozen(begin),
        **columns,
    }
    if isinstance(stage, DeploymentStage):
        config = {"agent_name": stage.agent_name, "agent_description": stage.agent_description}
        return work.runs.add(**common, config=config, seed=0, signature={})
    experiment = known.of(stage.id).experiment or work.experiments.get(stage.experiment_id)
    return work.runs.add(**common, **_of_experiment(experiment))


def pend_experiment(work: Work, experiment: Experiment, begin: Begin, revision: int) -> Run:
    """Insert a Pending run of an experiment by itself."""
    project = {"project_id": experiment.project_id, "revision": revision}
    return work.runs.add(**project, **_frozen(begin), **_of_experiment(experiment))


def _of_experiment(experiment: Experiment) -> dict[str, object]:
    return {
        "experiment_id": experiment.id,
        "algorithm_id": experiment.algorithm_id,
        "config": dict(experiment.config),
        "config_digest": experiment.config_digest,
        "seed": experiment.seed,
        "signature": dict(experiment.signature),
    }


def _frozen(begin: Begin) -> dict[str, object]:
    return {
        "start_checkpoint_id": begin.checkpoint.id if begin.checkpoint else None,
        "start_agent_version_id": begin.agent_version.id if begin.agent_version else None,
        "start_role": begin.role,
        "source_checkpoint_id": begin.source_checkpoint_id,
        "source_run_id": begin.source_run_id,
        "resumed_run_id": begin.resumed_run_id,
    }


def _folder(begin: Begin) -> Folder:
    if begin.checkpoint is None:
        raise CheckpointError("There is no checkpoint.", fix="Run the source stage first.")
    path = begin.agent_version.path if begin.agent_version else begin.checkpoint.path
    return Folder(path=Path(path), size=begin.checkpoint.size, digest=begin.checkpoint.digest)
