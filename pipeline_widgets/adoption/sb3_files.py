"""The files of a model of Stable-Baselines3, and what its JSON says; nothing is unpickled."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

MODEL, STATISTICS = "model.zip", "vecnormalize.pkl"
_STEPS = re.compile(r"_(\d+)_steps$")
_STATISTICS = ("{stem}_vecnormalize.pkl", "vecnormalize_{stem}.pkl", STATISTICS, "vec_normalize.pkl")
_MOST_JSON = 256 << 20  # bytes
_LINE = re.compile(r"^- (Python|Stable-Baselines3): (\S+)", re.MULTILINE)


class Versions(NamedTuple):
    """The versions that have saved a model, as far as it says."""

    library: str
    python: str


def find_model(folder: Path) -> Path | None:
    """Return the model of a checkpoint: model.zip, or the only one that is there.

    Args:
        folder: The checkpoint.
    """
    if (folder / MODEL).is_file():
        return folder / MODEL
    models = [each for each in sorted(folder.glob("*.zip")) if read_data(each) is not None]
    return models[0] if len(models) == 1 else None


def find_statistics(model: Path, data: Mapping[str, Any]) -> Path | None:
    """Return the file of VecNormalize that belongs to a model, under any name that the tools give it.

    Args:
        model: The model.
        data: Its JSON.
    """
    if uses_statistics(data) is False:  # then it is of another model
        return None
    stem, folder = model.stem, model.parent
    candidates = [folder / pattern.format(stem=stem) for pattern in _STATISTICS]
    if (match := _STEPS.search(stem)) is not None:  # CheckpointCallback: PREFIX_vecnormalize_STEPS_steps.pkl
        prefix = stem[: match.start()]
        candidates.insert(0, folder / f"{prefix}_vecnormalize_{match[1]}_steps.pkl")
    # RL-Zoo keeps the statistics in a folder named after the environment, beside the model.
    candidates += sorted(folder.glob(f"*/{STATISTICS}"))
    return next((each for each in candidates if each.is_file()), None)


def read_data(model: Path) -> dict[str, Any] | None:
    """Return the JSON of a model, in which pickles are texts; None where a zip is something else.

    Args:
        model: The file.
    """
    try:
        with zipfile.ZipFile(model) as archive:
            if "data" not in archive.namelist() or archive.getinfo("data").file_size > _MOST_JSON:
                return None
            data: Any = json.loads(archive.read("data"))
            archive.getinfo("_stable_baselines3_version")
    except (zipfile.BadZipFile, KeyError, UnicodeDecodeError, json.JSONDecodeError):
        return None
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


def read_versions(model: Path) -> Versions:
    """Return the versions of Stable-Baselines3 and of Python that have saved a model; "" where unsaid.

    Args:
        model: The file.
    """
    with zipfile.ZipFile(model) as archive:
        library = archive.read("_stable_baselines3_version").decode().strip()
        has_more = "system_info.txt" in archive.namelist()
        told = dict(_LINE.findall(archive.read("system_info.txt").decode())) if has_more else {}
    return Versions(library, told.get("Python", ""))


def uses_statistics(data: Mapping[str, Any]) -> bool | None:
    """Return whether a model was trained with VecNormalize; None where its JSON does not tell.

    On-policy algorithms keep the observation before it was scaled, and only then
    (`BaseAlgorithm._setup_learn` of Stable-Baselines3 2.9). Others keep one in any case.

    Args:
        data: The JSON.
    """
    is_told = "gae_lambda" in data and "_last_original_obs" in data and data.get("_last_obs") is not None
    return data["_last_original_obs"] is not None if is_told else None
