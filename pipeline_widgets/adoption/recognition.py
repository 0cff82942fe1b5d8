"""Tell what a folder or file is, by what lies in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline_widgets.adoption import event_files, hugging_face, stable_baselines3, trackio_database
from pipeline_widgets.domain.adoption import Adoption
from pipeline_widgets.errors import ConfigError, StorageError

#: What is looked for, in this order; the first that is found counts.
_FORMATS: tuple[tuple[str, Callable[[Path], Adoption | None]], ...] = (
    ("checkpoint-* folders, or a model folder with config.json, of Hugging Face", hugging_face.read),
    ("a .zip of Stable-Baselines3, or a folder of RL-Zoo with best_model.zip", stable_baselines3.read),
    ("events.out.tfevents.* files of TensorBoard", event_files.read),
    ("a .db file of Trackio", trackio_database.read),
)


def recognize(path: Path) -> Adoption:
    """Return what a folder or file holds.

    Args:
        path: What `project.adopt` was given.

    Raises:
        ConfigError: It is not there, nothing in it is known, or a file in it is damaged.
        StorageError: It cannot be read.
    """
    if not path.exists():
        raise ConfigError(f"{path} cannot be adopted.", "It is not there.", "Give the path of a folder.")
    try:
        for _, read in _FORMATS:
            if (found := read(path)) is not None:
                return found
    except OSError as error:
        fix = "Get permission to read it."
        raise StorageError(f"{path} cannot be adopted.", f"{error}.", fix) from error
    except (ValueError, KeyError, TypeError) as error:
        why = f"A file in it is damaged: {type(error).__name__}: {error}."
        raise ConfigError(f"{path} cannot be adopted.", why) from error
    looked_for = "; ".join(words for words, _ in _FORMATS)
    fix = "Give the folder that holds one of these itself."
    raise ConfigError(f"{path} cannot be adopted.", f"Looked for {looked_for}.", fix)
