"""Models of Stable-Baselines3 and folders of RL-Zoo: the JSON in the zip, and numbers without pickles.

The weights, `vecnormalize.pkl` and what the JSON holds as pickles are for other processes; here they stay
closed.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from pipeline_widgets.adoption import sb3_files, sb3_signature
from pipeline_widgets.adoption.sb3_files import MODEL, STATISTICS
from pipeline_widgets.domain.adoption import Adoption, FoundCheckpoint

BEST, EVALUATIONS = "best_model.zip", "evaluations.npz"
ORIGIN = "Stable-Baselines3"


def read(path: Path) -> Adoption | None:
    """Return what a model or a folder of models holds; None where there is none.

    Warns where a model needs a file of VecNormalize that is not there.
    """
    if path.is_file():
        models = [path] if path.suffix == ".zip" else []
        folder = path.parent
    elif path.is_dir():
        models, folder = sorted(path.glob("*.zip")), path
    else:
        return None
    zips = {each: data for each in models if (data := sb3_files.read_data(each)) is not None}
    if not zips:
        return None
    evaluations = _evaluations(folder / EVALUATIONS) if path.is_dir() else {}
    metrics = [(step, "evaluation_score", mean) for step, (mean, _) in sorted(evaluations.items())]
    best = max(evaluations, key=lambda step: evaluations[step][0], default=None)
    is_alone = path.is_dir() and len(zips) == 1  # then the folder is a checkpoint as it is
    chosen: dict[int, Path] = {}
    for each, data in zips.items():
        is_best = each.name == BEST and best is not None
        step = best if is_best and best is not None else int(data.get("num_timesteps", 0))
        if step not in chosen or each.name == BEST:
            chosen[step] = each
    found: list[FoundCheckpoint] = []
    for step, each in sorted(chosen.items()):
        mean, spread = evaluations.get(step, (None, None))
        signature = sb3_signature.read_signature(each, zips[each])
        if signature.get("normalization") == sb3_signature.MISSING:
            _warn_of_missing_statistics(each)
        found.append(
            FoundCheckpoint(
                step=step,
                folder=folder if is_alone else None,
                files=_files(each, zips[each]),
                evaluation_score=mean,
                evaluation_spread=spread,
                signature=signature,
            )
        )
    kinds = {sb3_signature.name_class(data) for data in zips.values()}
    kind = kinds.pop() if len(kinds) == 1 else None
    return Adoption(
        origin=ORIGIN if kind is None else f"{ORIGIN} {kind}",
        produces=frozenset({"policy"}),
        opened_by=None if kind is None else f"SB3 {kind}",
        checkpoints=tuple(found),
        metrics=tuple(metrics),
    )


def _files(model: Path, data: dict[str, Any]) -> dict[str, Path]:
    """Return the files of a checkpoint by the names that Stable-Baselines3's algorithms give them here."""
    statistics = sb3_files.find_statistics(model, data)
    return {MODEL: model} if statistics is None else {MODEL: model, STATISTICS: statistics}


def _warn_of_missing_statistics(model: Path) -> None:
    """Say that a policy will not act as it did, as long as the observations cannot be scaled as they were."""
    text = (
        f"{model} was trained with VecNormalize, and its file of statistics is not beside it: nothing can "
        f"start from it, and no agent can answer with it. Copy the file there as {STATISTICS}, and adopt it "
        "again."
    )
    warnings.warn(text, stacklevel=6)  # where a user has called project.adopt


def _evaluations(file: Path) -> dict[int, tuple[float, float]]:
    """Return mean and standard error of every evaluation of EvalCallback, by step."""
    if not file.is_file():
        return {}
    import numpy as np  # noqa: PLC0415  only such folders need it

    with np.load(file, allow_pickle=False) as arrays:
        steps, results = arrays["timesteps"], arrays["results"]
    spread = results.std(axis=1, ddof=1) / np.sqrt(results.shape[1]) if results.shape[1] > 1 else steps * 0.0
    means = results.mean(axis=1)
    return {
        int(step): (float(mean), float(error)) for step, mean, error in zip(steps, means, spread, strict=True)
    }
