"""Score by an evaluator, in the process of a run: what it has trained, or the targets of an evaluation."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pipeline_widgets.algorithms import evaluators, registry
from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.context import StopTraining
from pipeline_widgets.algorithms.evaluators import Evaluator
from pipeline_widgets.directions import quote
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.job import (
    Job,
    MetricReport,
    Outcome,
    Report,
    ScoreReport,
    ScoreRequest,
    ScoreTarget,
)
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.execution.uploads import open_artifact_store
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.persistence.artifact_store import ArtifactStore


def evaluate(
    job: Job, emit: Callable[[Report], None], stop: Callable[[], bool], go: Callable[[], object]
) -> Outcome:
    """Score the targets of an evaluation; one that cannot be scored hinders no other.

    Args:
        job: The evaluation.
        emit: Receives the scores, as soon as they are known, and the progress.
        stop: Returns whether a stop was requested.
        go: Waits until scoring may begin.
    """
    request = job.scoring
    if request is None:
        return Outcome(status=Status.FAILED, error="It names no checkpoints to score.")
    evaluator = evaluators.load(request.reference)  # first, so that `__main__` is that of the algorithm
    go()
    failures: list[str] = []
    loaded, store = _Algorithms(), open_artifact_store(job)
    total = len(request.targets)
    for done, target in enumerate(request.targets):
        if stop():
            return Outcome(status=Status.STOPPED)
        emit(MetricReport(step=done, total=total, metrics={}))
        try:
            algorithm = loaded.get(target.reference)
            is_adopted = target.checkpoint.path in job.adopted
            store.open(artifacts.folder_of(target.checkpoint), is_adopted=is_adopted)
            report = _score(evaluator, target, algorithm)
        except Exception as error:  # noqa: BLE001  evaluators and predictors are the user's code
            failures.append(_describe_failure(target, error))
            _log(failures[-1])
            continue
        emit(replace(report, checkpoint_id=target.checkpoint.id))
    emit(MetricReport(step=total, total=total, metrics={}))
    if failures:
        return Outcome(status=Status.FAILED, error="\n".join(failures))
    return Outcome(status=Status.SUCCEEDED)


def score_saved(
    request: ScoreRequest,
    *,
    evaluator: Evaluator,
    algorithm: Algorithm,
    own: Mapping[int, Checkpoint],
    emit: Callable[[Report], None],
    stop: Callable[[], bool],
    store: ArtifactStore,
) -> dict[int, float]:
    """Score what a training has saved, and what it goes on from, so that the best of it is known.

    Args:
        request: The evaluator, and what the runs that this one resumes had saved, with the scores of these.
        evaluator: The evaluator.
        algorithm: The algorithm that has trained.
        own: What it has saved, by step; ids are this process's own.
        emit: Receives the scores.
        stop: Returns whether a stop was requested.
        store: The artifacts of the workspace.

    Returns:
        The scores by the id of the checkpoint.

    Raises:
        StopTraining: A stop was requested.
    """
    first = min(own, default=None)
    inherited = [each for each in request.targets if first is None or each.checkpoint.step < first]
    scores = dict(request.known)
    mine = [ScoreTarget(checkpoint=each, label=f"step {each.step}") for _, each in sorted(own.items())]
    for target in [*inherited, *mine]:
        if target.checkpoint.id in scores:
            continue
        if stop():
            raise StopTraining
        if target.checkpoint.id > 0:
            store.open(artifacts.folder_of(target.checkpoint))
        else:
            store.find(artifacts.folder_of(target.checkpoint))
        try:
            report = _score(evaluator, target, algorithm)
        except Exception as error:
            error.add_note(f"{quote(request.spec.name)} was scoring {target.label}.")
            raise
        scores[target.checkpoint.id] = report.value
        emit(replace(report, checkpoint_id=target.checkpoint.id if target.checkpoint.id > 0 else None))
    return scores


class _Algorithms:
    """Algorithms that open checkpoints, each loaded once; the one in use is the owner of `__main__`."""

    def __init__(self) -> None:
        self._last: tuple[AlgorithmReference, Algorithm] | None = None

    def get(self, reference: AlgorithmReference | None) -> Algorithm | None:
        if reference is None:
            return None
        if self._last is None or self._last[0] is not reference:
            self._last = (reference, registry.load(reference))
        return self._last[1]


def _score(evaluator: Evaluator, target: ScoreTarget, algorithm: Algorithm | None) -> ScoreReport:
    name = evaluator.spec.name
    _log(f"Scoring {target.label} by {quote(name)}.")
    found = evaluator.score(Path(target.checkpoint.path), algorithm)
    spread = f" ± {found.spread:.2g}" if found.spread else ""
    _log(f"{quote(name)} gives {target.label} {found.score:.6g}{spread}.")
    return ScoreReport(
        checkpoint_id=None,
        step=target.checkpoint.step,
        evaluator=name,
        value=found.score,
        spread=found.spread,
        metrics=found.metrics,
    )


def _describe_failure(target: ScoreTarget, error: Exception) -> str:
    """Say why a checkpoint has no score: in our sentences, or with the traceback of the user's code."""
    if isinstance(error, PipelineError):
        return f"{target.label}: {error}"
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001  the user's code may fail to describe the error
        text = f"{type(error).__name__}: its traceback cannot be printed.\n"
    return f"{target.label}:\n{text}".encode("utf-8", "replace").decode("utf-8")


def _log(line: str) -> None:
    with suppress(Exception):  # the user's code may have closed it
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
