"""Make experiments of what other tools have trained (spec 7.8)."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline_widgets.domain.adoption import Adoption, FoundCheckpoint
from pipeline_widgets.domain.algorithm import ConfiguredAlgorithm
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.domain.names import check_name_available, validate_name
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.persistence.store import Store, UnitOfWork


@dataclass(frozen=True, slots=True)
class _Measured:
    found: FoundCheckpoint
    folder: PublishedFolder


class AdoptionService:
    """Make experiments of what is there already."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def adopt(
        self, project_id: int, name: str, found: Adoption, configured: ConfiguredAlgorithm, *, copy: bool
    ) -> Experiment:
        """Make an experiment with one run that has succeeded, with the metrics and checkpoints found.

        A checkpoint that is not copied stays where it is. Its folder is known by its digest, which is
        checked before every use, and this user vouches for it: a path in a row alone is never read.

        Args:
            project_id: The project.
            name: The name of the experiment.
            found: What was read.
            configured: The algorithm that the experiment has, with its config.
            copy: Whether the checkpoints are copied into the workspace.

        Raises:
            NameTakenError: The project has an experiment of that name.
            ConfigError: A checkpoint is no folder of its own, and can only be copied.
            CheckpointError: A folder holds something that no checkpoint can.
        """
        name = validate_name(name, "experiment")
        self._store.trust.check()
        kept = [] if copy else [_measure(each) for each in found.checkpoints]
        for each in kept:
            self._store.trust.vouch_for(str(each.folder.path), each.folder.digest)
        with self._store.write() as work:
            revision = work.projects.touch(project_id)
            check_name_available(name, work.experiments.named(project_id, [name]), "experiment")
            experiment = work.experiments.add(project_id, name, configured, 0, revision)
            run_id = _add_run(work, experiment, found, revision)
            _add_checkpoints(work, run_id, experiment, kept)
        if copy:
            self._copy(experiment, run_id, found.checkpoints)
        return experiment

    def _copy(self, experiment: Experiment, run_id: int, found: Iterable[FoundCheckpoint]) -> None:
        parent = self._store.checkpoints_folder(run_id)
        copied: list[_Measured] = []
        for each in found:
            with self._store.artifact_store.publish(parent, stem=f"{each.step:010d}") as publication:
                if each.files:
                    for name, source in each.files.items():
                        shutil.copyfile(source, publication.path / name)
                elif each.folder is not None:
                    shutil.copytree(each.folder, publication.path, dirs_exist_ok=True)
            copied.append(_Measured(each, publication.folder))
        with self._store.write() as work:
            work.projects.touch(experiment.project_id)
            _add_checkpoints(work, run_id, experiment, copied)


def _measure(found: FoundCheckpoint) -> _Measured:
    if found.folder is None:
        names = ", ".join(path.name for path in found.files.values())
        why = f"{names} of step {found.step} lie among other files, and a checkpoint is a folder."
        fix = "Copy them: project.adopt(..., copy=True)."
        raise ConfigError("This can only be adopted as a copy.", why, fix)
    folder = found.folder.resolve()
    return _Measured(found, artifacts.measure(folder))


def _add_run(work: UnitOfWork, experiment: Experiment, found: Adoption, revision: int) -> int:
    last = max((step for step, _, _ in found.metrics), default=0)
    last = max([last, *(each.step for each in found.checkpoints)])
    run = work.runs.add(
        project_id=experiment.project_id,
        experiment_id=experiment.id,
        algorithm_id=experiment.algorithm_id,
        config=dict(experiment.config),
        seed=experiment.seed,
        signature=dict(experiment.signature),
        status=Status.SUCCEEDED.value,
        started_at=work.now,
        finished_at=work.now,
        step=last,
        revision=revision,
    )
    work.metrics.add(run.id, found.metrics)
    return run.id


def _add_checkpoints(
    work: UnitOfWork, run_id: int, experiment: Experiment, measured: Iterable[_Measured]
) -> None:
    for each in measured:
        path, found = each.folder.path, each.found
        within = path.is_relative_to(work.root)
        work.checkpoints.add(
            run_id,
            step=found.step,
            path=str(path.relative_to(work.root) if within else path),
            size=each.folder.size,
            digest=each.folder.digest,
            training_score=found.training_score,
            evaluation_score=found.evaluation_score,
            evaluation_spread=found.evaluation_spread,
            signature={**experiment.signature, **found.signature},
        )
