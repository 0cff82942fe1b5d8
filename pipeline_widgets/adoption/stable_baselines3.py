"""Models of Stable-Baselines3 and folders of RL-Zoo: the JSON in the zip, and numbers without pickles.

The weights, `vecnormalize.pkl` and what the JSON holds as pickles are for Stable-Baselines3 itself, in the
process of a run or of an agent; here they stay closed.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.adoption import Adoption, FoundCheckpoint

BEST, EVALUATIONS = "best_model.zip", "evaluations.npz"
STATISTICS, MODEL = "vecnormalize.pkl", "model.zip"
ORIGIN = "Stable-Baselines3"
_STEPS = re.compile(r"_(\d+)_steps$")
_STATISTICS = ("{stem}_vecnormalize.pkl", "vecnormalize_{stem}.pkl", "vecnormalize.pkl", "vec_normalize.pkl")
_MOST_JSON = 256 << 20  # bytes


def read(path: Path) -> Adoption | None:
    """Return what a model or a folder of models holds; None where there is none."""
    if path.is_file():
        zips = [path] if path.suffix == ".zip" and _data(path) is not None else []
        folder = path.parent
    elif path.is_dir():
        zips = [each for each in sorted(path.glob("*.zip")) if _data(each) is not None]
        folder = path
    else:
        return None
    if not zips:
        return None
    evaluations = _evaluations(folder / EVALUATIONS) if path.is_dir() else {}
    metrics = [(step, "evaluation_score", mean) for step, (mean, _) in sorted(evaluations.items())]
    best = max(evaluations, key=lambda step: evaluations[step][0], default=None)
    found: dict[int, FoundCheckpoint] = {}
    for each in zips:
        data = _data(each) or {}
        steps = best if each.name == BEST and best is not None else None
        step = int(data.get("num_timesteps", 0)) if steps is None else steps
        mean, spread = evaluations.get(step, (None, None))
        if step in found and each.name != BEST:
            continue
        found[step] = FoundCheckpoint(
            step=step,
            folder=folder if _lies_alone(zips, path) else None,
            files=_files(each),
            evaluation_score=mean,
            evaluation_spread=spread,
            signature=_signature(data, _files(each)),
        )
    return Adoption(
        origin=ORIGIN,
        produces=frozenset({"policy"}),
        checkpoints=tuple(found[step] for step in sorted(found)),
        metrics=tuple(metrics),
    )


def _lies_alone(zips: list[Path], path: Path) -> bool:
    """Whether a folder is one checkpoint as it is: it was given itself, and has one model."""
    return path.is_dir() and len(zips) == 1


def _files(model: Path) -> dict[str, Path]:
    """Return the files of a checkpoint by the names that Stable-Baselines3's algorithms give them here."""
    stem, folder = model.stem, model.parent
    candidates = [folder / pattern.format(stem=stem) for pattern in _STATISTICS]
    if (match := _STEPS.search(stem)) is not None:  # CheckpointCallback: PREFIX_vecnormalize_STEPS_steps.pkl
        prefix = stem[: match.start()]
        candidates.insert(0, folder / f"{prefix}_vecnormalize_{match[1]}_steps.pkl")
    # RL-Zoo keeps the statistics in a folder named after the environment, beside the model.
    candidates += sorted(folder.glob("*/vecnormalize.pkl"))
    statistics = next((each for each in candidates if each.is_file()), None)
    return {MODEL: model} if statistics is None else {MODEL: model, STATISTICS: statistics}


def _data(file: Path) -> dict[str, Any] | None:
    """Return the JSON of a model; None where a zip is something else."""
    try:
        with zipfile.ZipFile(file) as archive:
            if "data" not in archive.namelist() or archive.getinfo("data").file_size > _MOST_JSON:
                return None
            data: Any = json.loads(archive.read("data"))
            version = archive.read("_stable_baselines3_version").decode().strip()
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    return {**data, "version": version} if isinstance(data, dict) else None  # pyright: ignore[reportUnknownVariableType]  JSON


def _signature(data: dict[str, Any], files: dict[str, Path]) -> dict[str, Any]:
    made = {"library": f"stable-baselines3 {data['version']}"}
    for facet, name in (("observation", "observation_space"), ("action", "action_space")):
        if (text := _space(data.get(name))) is not None:
            made[facet] = text
    made["statistics"] = "VecNormalize" if STATISTICS in files else "none"
    return made


def _space(described: Any) -> str | None:
    """Return a space as "Box(4) float32" or "Discrete(2)", by the texts beside its pickle."""
    if not isinstance(described, dict):
        return None
    told: dict[str, Any] = described  # pyright: ignore[reportUnknownVariableType]  JSON
    kind = str(told.get(":type:", "")).rstrip("'>").rpartition(".")[2]
    if kind == "Box":
        shape = ", ".join(re.findall(r"\d+", str(told.get("_shape", ""))))
        return f"Box({shape}) {told.get('dtype', '')}".rstrip()
    if kind == "Discrete":
        return f"Discrete({told.get('n')})"
    return kind or None


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
