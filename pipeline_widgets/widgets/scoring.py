"""Scoring checkpoints by evaluators from a view: what can be chosen, what goes on, and what was refused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pipeline_widgets.algorithms import evaluators
from pipeline_widgets.application import Services
from pipeline_widgets.domain.evaluator import EvaluatorSpec
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import EvaluatorNotFoundError
from pipeline_widgets.services.evaluation_queue import evaluator_of
from pipeline_widgets.services.evaluations import EvaluationStart
from pipeline_widgets.services.queries.evaluations import EvaluatorOption
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode_fields
from pipeline_widgets.widgets.log import LogView

NONE_KNOWN = "There is no evaluator. Define one in a cell, with @pw.evaluator."


class ScoringView(LogView):
    """A view whose checkpoints can be scored by evaluators."""

    def project_to_score(self) -> int:
        """Return the project whose checkpoints are scored. For subclasses."""
        raise NotImplementedError

    def do_score_form(self, **chosen: Any) -> Row:
        """Return the evaluators, and which of them can score what is chosen; `chosen` as of `do_score`."""
        checkpoints = find_checkpoints(self._services, **chosen)
        options = self._services.evaluation_queries.options_for_checkpoints(checkpoints, known_evaluators())
        return {"checkpoints": len(checkpoints), **evaluators_row(options)}

    def do_score(self, evaluator: str, *, again: bool = False, **chosen: Any) -> Row:
        """Score checkpoints by an evaluator.

        Args:
            evaluator: Its name.
            again: Whether those that have a score get a new one.
            **chosen: One of `checkpoint`, `runs` and `experiment`.
        """
        checkpoints = find_checkpoints(self._services, **chosen)
        started = self._services.evaluate(self.project_to_score(), evaluator, checkpoints, again=again)
        if started.run is not None:
            self.evaluation_started(started.run.id)
        self.refresh()
        self._refresher.wake()
        return started_row(started)

    def evaluation_started(self, run_id: int) -> None:
        """Take notice of an evaluation that this view has asked for. For subclasses."""

    def do_stop_scoring(self, run: int) -> None:
        """Ask an evaluation to stop; the scores that are known stay."""
        self._services.stop(run)
        self.refresh()

    def open_evaluations(self, checkpoint_ids: Collection[int]) -> tuple[list[Row], bool]:
        """Return the evaluations of these checkpoints that go on or have failed, and whether any goes on."""
        found = self._services.evaluation_queries.find_open(self.project_to_score(), checkpoint_ids)
        return [evaluation_row(each.run) for each in found], any(each.run.status.active for each in found)


def evaluation_row(run: Run) -> Row:
    """Return what a view shows of an evaluation."""
    return {
        **encode_fields(run, "id", "number", "status", "started_at", "step", "total", "error"),
        "waits": run.waiting_for,
        "evaluator": evaluator_of(run),
    }


def known_evaluators() -> list[EvaluatorSpec]:
    """Return the evaluators that this process can use; what cannot be imported is left out."""
    found: list[EvaluatorSpec] = []
    for name in evaluators.names():
        try:
            found.append(evaluators.find(name).spec)
        except EvaluatorNotFoundError:
            continue
    return found


def evaluators_row(options: Sequence[EvaluatorOption]) -> Row:
    """Return what a picker of evaluators shows, and why there is none to choose."""
    usable = any(not each.reason for each in options)
    return {
        "evaluators": [encode_fields(each, "name", "higher_is_better", "reason") for each in options],
        "obstacle": "" if usable else " ".join(each.reason for each in options) or NONE_KNOWN,
    }


def started_row(started: EvaluationStart) -> Row:
    """Return what has become of a request to score."""
    return {
        "scoring": len(started.run.config["checkpoints"]) if started.run is not None else 0,
        "label": started.run.label if started.run is not None else "",
        "refused": [f"{label}: {reason}" for label, reason in started.refused.items()],
        "outdated": len(started.outdated),
    }


def find_checkpoints(
    services: Services,
    *,
    checkpoint: int | None = None,
    runs: Sequence[int] = (),
    experiment: int | None = None,
) -> tuple[int, ...]:
    """Return the ids of the checkpoints that a view has chosen: one, or all of runs or of an experiment."""
    if checkpoint is not None:
        return (checkpoint,)
    if experiment is not None:
        runs = [each.id for each in services.runs.of_experiment(experiment)]
    return services.evaluations.checkpoints_of_runs(runs)
