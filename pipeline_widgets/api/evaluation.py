"""Evaluations: runs that score checkpoints by an evaluator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pipeline_widgets.api.frames import data_frame
from pipeline_widgets.api.handle import id_in
from pipeline_widgets.api.pipeline import Pipeline
from pipeline_widgets.api.run import Checkpoint, Run
from pipeline_widgets.application import Services
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.services.evaluations import EvaluationStart

if TYPE_CHECKING:
    import pandas as pd

#: One of something, or several.
Checkpoints: TypeAlias = "Checkpoint | Iterable[Checkpoint]"
Runs: TypeAlias = "Run | Iterable[Run]"

COLUMNS = ("experiment", "run", "step", "score", "spread")


class EvaluationRun:
    """Checkpoints that an evaluator scores, or has scored already.

    The scores of all that was asked for are in `scores`, as far as they are known.
    """

    def __init__(
        self, services: Services, evaluator: str, checkpoint_ids: Sequence[int], started: EvaluationStart
    ) -> None:
        self._services = services
        self._evaluator = evaluator
        self._ids = tuple(checkpoint_ids)
        self._started = started

    def __repr__(self) -> str:
        parts = [f"{self._evaluator!r}", f"status={str(self.status)!r}"]
        parts += [f"refused={len(self.refused)}"] if self.refused else []
        parts += [f"outdated={len(self.outdated)}"] if self.outdated else []
        return f"EvaluationRun({', '.join(parts)})"

    @property
    def evaluator(self) -> str:
        """The name of the evaluator."""
        return self._evaluator

    @property
    def run(self) -> Run | None:
        """The run that scores; None where nothing was missing."""
        return Run(self._services, self._started.run.id) if self._started.run is not None else None

    @property
    def status(self) -> Status:
        """The status of the run: Failed where a checkpoint could not be scored; the others are."""
        return self.run.status if self.run is not None else Status.SUCCEEDED

    @property
    def refused(self) -> Mapping[str, str]:
        """Why checkpoints were left out beforehand, by what sentences call them."""
        return dict(self._started.refused)

    @property
    def outdated(self) -> tuple[str, ...]:
        """Checkpoints whose score is of an earlier version of the evaluator: `again=True` renews it."""
        return self._started.outdated

    @property
    def error(self) -> str | None:
        """Why checkpoints could not be scored; None where all were."""
        return self.run.error if self.run is not None else None

    @property
    def log(self) -> str:
        """The output of the evaluator so far."""
        return self.run.log if self.run is not None else ""

    @property
    def scores(self) -> pd.DataFrame:
        """A row for each checkpoint that is scored by now: experiment, run, step, score, spread, metrics."""
        found = self._services.evaluations.rows(self._evaluator, self._ids)
        measured = list(dict.fromkeys(name for each in found for name in each.score.metrics))
        rows = [
            (
                *(each.experiment, each.run, each.score.step, each.score.value, each.score.spread),
                *(each.score.metrics.get(name) for name in measured),
            )
            for each in found
        ]
        names = [f"metric {name}" if name in COLUMNS else name for name in measured]
        return data_frame(rows, columns=[*COLUMNS, *names])

    def stop(self) -> None:
        """Ask it to stop; the scores that are known stay.

        Raises:
            RuleError: It is not active.
        """
        if self.run is not None:
            self.run.stop()

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> EvaluationRun:
        """Wait until it has ended, and return it.

        Args:
            timeout: Seconds; None waits as long as it takes.
            progress: Show a progress bar.

        Raises:
            WaitTimeoutError: It has not ended in time; it goes on.
        """
        if self.run is not None:
            self.run.wait(timeout, progress=progress)
        return self


def chosen_checkpoints(
    services: Services,
    project_id: int,
    checkpoints: Checkpoints | None,
    runs: Runs | None,
    pipeline: Pipeline | None,
) -> tuple[int, ...]:
    """Return the ids of the checkpoints that a caller has chosen; all of the project by default.

    Args:
        services: The workspace.
        project_id: The project.
        checkpoints: Checkpoints.
        runs: Runs, of which all checkpoints are taken.
        pipeline: A pipeline, of which those are taken that its stages offer to later ones.

    Raises:
        ConfigError: More than one of them was passed.
        ForeignError: Something is of another workspace, or is no such handle.
    """
    if sum(each is not None for each in (checkpoints, runs, pipeline)) > 1:
        fix = "Pass checkpoints=, runs= or pipeline=, or none for all of the project."
        raise ConfigError("Checkpoints are chosen in one way at a time.", fix=fix)
    evaluations = services.evaluations
    if checkpoints is not None:
        return tuple(id_in(services, each, Checkpoint) for each in _several(checkpoints))
    if runs is not None:
        return evaluations.checkpoints_of_runs([id_in(services, each, Run) for each in _several(runs)])
    if pipeline is not None:
        return evaluations.checkpoints_of_pipeline(id_in(services, pipeline, Pipeline))
    return evaluations.checkpoints_of_project(project_id)


def _several(given: Any) -> list[Any]:
    return list(cast("Iterable[Any]", given)) if isinstance(given, Iterable) else [given]
