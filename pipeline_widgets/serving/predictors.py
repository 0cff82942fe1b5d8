"""Open the version of an agent, so that it can answer in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms import registry
from pipeline_widgets.domain.agent import AgentVersion
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.job import PublishedFolder
from pipeline_widgets.errors import AlgorithmNotFoundError, CheckpointError, PipelineError, format_value
from pipeline_widgets.persistence.artifact_store import ArtifactStore


def open_version(
    version: AgentVersion, reference: AlgorithmReference, store: ArtifactStore
) -> Callable[[Any], Any] | None:
    """Open the frozen copy of a version; None where its algorithm does not say how that answers.

    Args:
        version: The version.
        reference: Where the code of its algorithm is.
        store: The artifacts of its workspace.

    Raises:
        AlgorithmNotFoundError: The algorithm's code is gone.
        CheckpointError: The copy is missing or corrupt.
    """
    algorithm = registry.load(reference)
    if algorithm.predict is None:
        return None
    algorithm.check_installed()
    copied = PublishedFolder(path=Path(version.path), size=version.size, digest=version.digest)
    store.open(copied)
    answer: object = algorithm.predict(Path(version.path))
    if not callable(answer):
        what = f"The predictor of {version.spec.name} has opened the checkpoint, and returned no function."
        raise CheckpointError(what, f"Got {format_value(answer)}.", "Let it return a function that answers.")
    return answer


def open_predictor(
    version: AgentVersion, reference: AlgorithmReference, store: ArtifactStore
) -> Callable[[Any], Any]:
    """Open the frozen copy of a version with what its algorithm declares for that.

    Raises:
        AlgorithmNotFoundError: The algorithm's code is gone, or declares no predictor.
        CheckpointError: The copy is missing or corrupt.
    """
    try:
        found = open_version(version, reference, store)
    except PipelineError:
        raise
    except Exception as error:  # it is the user's
        what = f"The predictor of {version.spec.name} cannot open the checkpoint."
        why = f"{type(error).__name__}: {error}."
        raise CheckpointError(what, why, "Correct its function predict, and save the agent again.") from error
    if found is None:
        what = f"{version.spec.name} does not say how its checkpoints answer."
        raise AlgorithmNotFoundError(what, fix="Declare it: @pw.algorithm(..., predict=open_checkpoint).")
    return found
