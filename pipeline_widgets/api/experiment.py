"""Experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline_widgets.api import display
from pipeline_widgets.api.annotated import Annotated, with_annotations
from pipeline_widgets.api.arguments import UNSET, ResourcesArgument, Unset, placement_from_arguments
from pipeline_widgets.api.handle import id_in, of_items
from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.api.run import Checkpoint, Run, checkpoints, runs
from pipeline_widgets.application import Services, configure
from pipeline_widgets.domain import experiment as values
from pipeline_widgets.domain.overview import ExperimentRow
from pipeline_widgets.domain.run import Status
from pipeline_widgets.persistence.repositories.base import NamedRow
from pipeline_widgets.services.queries import stage_form

if TYPE_CHECKING:
    from pipeline_widgets.widgets.experiment import ExperimentView


class Experiment(Annotated, display.ShowsView):
    """One training configuration: an algorithm, a config, a seed."""

    kind = "experiment"
    listed = "project.experiments"

    def __repr__(self) -> str:
        return f"Experiment({self.name!r}, algorithm={self.algorithm!r}, status={str(self.status)!r})"

    @property
    def name(self) -> str:
        """Its name, unique in its project."""
        return self._now.name

    @property
    def algorithm(self) -> str:
        """The name of its algorithm."""
        return self._now.spec.name

    @property
    def config(self) -> dict[str, Any]:
        """Its config, defaults filled in."""
        return dict(self._now.config)

    @property
    def seed(self) -> int:
        """The seed of its generators."""
        return self._now.seed

    @property
    def modified_at(self) -> datetime:
        """The time of the last change of its config, in UTC."""
        return self._now.modified_at

    @property
    def status(self) -> Status:
        """The status of its latest run, in whatever stage; Draft without one."""
        self._services.reconcile()
        latest = self._services.runs.latest_of_experiment(self._id)
        return latest.status if latest else Status.DRAFT

    @property
    def run(self) -> Run | None:
        """Its latest run."""
        latest = self._services.runs.latest_of_experiment(self._id)
        return None if latest is None else Run(self._services, latest.id)

    @property
    def runs(self) -> Listing[Run]:
        """All its runs, in whatever stage, oldest first."""
        return runs(self._services, self._services.runs.of_experiment(self._id))

    @property
    def checkpoints(self) -> Listing[Checkpoint]:
        """The checkpoints of all its runs, in the order of the steps."""
        return checkpoints(self._services, self._services.experiments.checkpoints(self._id))

    @property
    def launcher(self) -> str | None:
        """The launcher of its runs, as set on itself; None where the workspace decides."""
        return self._now.placement.launcher

    @property
    def resources(self) -> dict[str, Any] | None:
        """The resources of its runs (bytes, seconds), as set on itself; None where the workspace decides."""
        asked = self._now.placement.resources
        return None if asked is None else asked.to_json()

    def update(
        self,
        *,
        name: str | None = None,
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        launcher: str | Unset | None = UNSET,
        resources: ResourcesArgument | Unset = UNSET,
    ) -> None:
        """Change its name, some fields of its config, its seed, or where its runs are launched.

        Args:
            name: The new name.
            config: The fields that change, by name; all others stay.
            seed: The new random seed, from 0.
            launcher: Where runs are launched that are triggered from now on; None leaves it to the workspace.
            resources: What they ask for; None leaves it to the workspace.

        Raises:
            InUseError: It is running.
            ConfigError: The config model refuses a field.
            ExecutionError: There is no such launcher.
        """
        now = self._now
        placed = placement_from_arguments(now.placement, launcher, resources)
        if placed != now.placement:
            self._services.experiments.place(self._id, placed)
        if config is not None or seed is not None:
            changed = configure(now.spec.name, {**now.config, **(config or {})})
            kept = now.seed if seed is None else values.validate_seed(seed)
            self._services.experiments.update(self._id, changed, seed=kept, name=name)
        elif name is not None:
            self._services.experiments.rename(self._id, name)

    def train(self) -> Run:
        """Train it by itself, outside of any pipeline.

        Raises:
            TriggerError: It is running, or cannot start from scratch.
        """
        return Run(self._services, self._services.train(self._id).id)

    def stop(self) -> None:
        """Ask its active run to stop.

        Raises:
            RuleError: It is not running.
        """
        self._services.stop_experiment(self._id)

    def resume(
        self, checkpoint: Checkpoint, name: str, *, config: Mapping[str, Any] | None = None
    ) -> Experiment:
        """Go on from one of its checkpoints, as a new experiment of that name.

        Where it belongs to a pipeline, the stage is bound to the new experiment and runs it.

        Args:
            checkpoint: What it goes on from.
            name: The name of the new experiment.
            config: Fields that the new one has otherwise: what is complete needs more steps to go on.

        Raises:
            ConfigError: The config model refuses a field.
            NameTakenError: The project has an experiment of that name.
            RuleError: The checkpoint was saved by another experiment.
        """
        chosen = id_in(self._services, checkpoint, Checkpoint)
        made, _ = self._services.resume(self._id, chosen, name, config)
        return Experiment(self._services, made.id)

    def duplicate(self, name: str | None = None) -> Experiment:
        """Copy it without its runs, as "NAME (copy)" unless named.

        Args:
            name: The name of the copy.
        """
        return Experiment(self._services, self._services.experiments.duplicate(self._id, name).id)

    def delete(self) -> None:
        """Delete it with its runs and checkpoints.

        Raises:
            InUseError: A stage is bound to it, it is running, or a checkpoint of it is used elsewhere.
        """
        self._services.experiments.delete(self._id)

    def view(self) -> ExperimentView:
        """Return a new live view of it, as the last line of a cell shows it.

        `project.compare(experiment).view()` shows its results beside others.

        Raises:
            ExecutionError: What a notebook needs is not installed.
        """
        with display.needs_widgets():
            from pipeline_widgets.widgets.experiment import ExperimentView  # noqa: PLC0415  only for a notebook
        return ExperimentView(self._services, self._id)

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return _rows(self._services, self._now.project_id, [self])[0]

    @property
    def _now(self) -> values.Experiment:
        return self._services.experiments.get(self._id)


class ExperimentOption:
    """An experiment as a candidate for a stage: whether it fits, and why not."""

    def __init__(self, services: Services, value: stage_form.ExperimentOption) -> None:
        self._value = value
        self.experiment = Experiment(services, value.experiment.id)

    def __repr__(self) -> str:
        return f"ExperimentOption({self.name!r}, fits={self.fits}, reason={self.reason!r})"

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self._value.experiment.name

    @property
    def fits(self) -> bool:
        """Whether it can start from what the source stage produces."""
        return self._value.fit.fits

    @property
    def reason(self) -> str:
        """Why it fits or does not, in one sentence."""
        return self._value.fit.reason

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return {
            "name": self.name,
            "algorithm": self._value.experiment.spec.name,
            "fits": self.fits,
            "reason": self.reason,
            "ran": self._value.ran,
            "used_by_stage": self._value.used_by,
        }


def experiments(services: Services, project_id: int) -> Listing[Experiment]:
    """Return a listing of a project's experiments.

    Args:
        services: The workspace.
        project_id: The project.
    """

    def select(where: str) -> Listing[Experiment]:
        return listing(services.overview.experiment_names(project_id, where))

    def listing(found: Sequence[NamedRow]) -> Listing[Experiment]:
        made = (Experiment(services, each.id) for each in found)
        rows = partial(_rows, services, project_id)
        return Listing("experiment", made, rows, lambda: [each.name for each in found], select)

    return listing(services.overview.experiment_names(project_id))


def _rows(services: Services, project_id: int, listed: Sequence[Experiment]) -> list[dict[str, Any]]:
    services.reconcile()
    known = {each.id: _row(each) for each in services.overview.experiments(project_id)}
    return of_items(listed, with_annotations(services, "experiment", known))


def _row(value: ExperimentRow) -> dict[str, Any]:
    return select_columns(value, "name", "algorithm", "status", "runs", "modified_at")
