"""Which evaluators can score what is shown, and the evaluations of it that go on or have failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from pipeline_widgets.domain.evaluator import EvaluatorSpec, find_refusal
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.run import Run
from pipeline_widgets.persistence.store import Store
from pipeline_widgets.services.evaluation_queue import checkpoints_of, evaluator_of, find_makers

LATEST = 50  # evaluations of a project that are looked through


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatorOption:
    """An evaluator as a picker offers it."""

    name: str
    higher_is_better: bool
    #: Why it scores nothing of what is shown; empty where it can score some of it.
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenEvaluation:
    """An evaluation that goes on, or whose checkpoints could not all be scored."""

    run: Run
    evaluator: str


class EvaluationQueries:
    """The read model of evaluators and evaluations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def options_for_checkpoints(
        self, checkpoint_ids: Collection[int], known: Iterable[EvaluatorSpec]
    ) -> tuple[EvaluatorOption, ...]:
        """Return all evaluators by name, and which of them can score any of these checkpoints.

        Args:
            checkpoint_ids: The checkpoints.
            known: The evaluators that this process knows; those that the workspace keeps are added.
        """
        with self._store.read() as work:
            _, experiments = find_makers(work, work.checkpoints.by_id(checkpoint_ids).values())
            kept = work.evaluators.all()
        return _options([*kept, *known], experiments.values())

    def options_for_pipeline(
        self, pipeline_id: int, known: Iterable[EvaluatorSpec]
    ) -> tuple[EvaluatorOption, ...]:
        """Return all evaluators by name, and which of them score anything that a stage makes."""
        with self._store.read() as work:
            bound = work.experiments.by_id(work.pipelines.get(pipeline_id).experiment_ids)
            kept = work.evaluators.all()
        return _options([*kept, *known], bound.values())

    def find_open(self, project_id: int, checkpoint_ids: Collection[int]) -> tuple[OpenEvaluation, ...]:
        """Return, for each evaluator, the latest evaluation of these checkpoints if that has not succeeded.

        A failed one is found among the latest evaluations of the project.
        """
        shown = frozenset(checkpoint_ids)
        found: dict[str, Run] = {}
        if shown:
            with self._store.read() as work:
                for run in work.runs.latest_evaluations(project_id, LATEST):
                    if shown & set(checkpoints_of(run)):
                        found.setdefault(evaluator_of(run), run)
        return tuple(
            OpenEvaluation(run=run, evaluator=name)
            for name, run in sorted(found.items())
            if run.status != "Succeeded"
        )


def _options(
    specs: Sequence[EvaluatorSpec], experiments: Collection[Experiment]
) -> tuple[EvaluatorOption, ...]:
    latest = {each.name: each for each in specs}
    return tuple(
        EvaluatorOption(
            name=name, higher_is_better=spec.higher_is_better, reason=_find_reason(spec, experiments)
        )
        for name, spec in sorted(latest.items())
    )


def _find_reason(spec: EvaluatorSpec, experiments: Collection[Experiment]) -> str:
    reasons = [find_refusal(spec, each.spec) for each in experiments]
    return " ".join(dict.fromkeys(filter(None, reasons))) if reasons and all(reasons) else ""
