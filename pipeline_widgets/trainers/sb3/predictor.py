"""Answers with the action of a checkpoint, normalized as it was trained."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers.greedy_policy import GreedyPolicy
from pipeline_widgets.trainers.sb3 import checkpoint_files, pickled_facts


def predict(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: `@pw.algorithm(..., predict=sb3.predict)`.

    Args:
        folder: The checkpoint. It is unpickled: only a process that answers or trains calls this.

    Raises:
        CheckpointError: A file is missing, or is not the one that was saved with it, or cannot be read.
    """
    facts = checkpoint_files.read_facts(folder)
    statistics = checkpoint_files.read_statistics(folder)
    checkpoint_files.read_weights(folder, "cpu")
    model = load_model(folder, facts)

    def act(observations: Any) -> Any:
        normalized = observations if statistics is None else statistics.normalize_obs(observations)
        return model.predict(normalized, deterministic=True)[0]

    space = model.observation_space if statistics is None else statistics.observation_space
    return GreedyPolicy(space, act)


def load_model(folder: Path, facts: dict[str, Any]) -> Any:
    """Return the model of a checkpoint for answering alone: without environments and replay buffer.

    Args:
        folder: The checkpoint.
        facts: What it says of itself.

    Raises:
        CheckpointError: It cannot be opened.
    """
    path = checkpoint_files.model_of(folder)
    # They may hold code of another Python, and say nothing about how it acts.
    training = {
        "learning_rate": 0.0,
        "lr_schedule": None,
        "clip_range": 0.2,
        "clip_range_vf": None,
        "exploration_schedule": None,
        "buffer_size": 1,
        **pickled_facts.open_spaces(path),
    }
    try:
        made = _class_of(path, facts).load(path, device="cpu", custom_objects=training)
    except CheckpointError:
        raise
    except Exception as error:  # a pickle may raise anything
        raise checkpoint_files.unreadable(path, error) from error
    made.policy.set_training_mode(False)
    return made


def _class_of(path: Path, facts: dict[str, Any]) -> Any:
    if "class" not in facts:
        why = "It does not say of which class it is."
        raise CheckpointError(f"The checkpoint file {path} cannot be read.", why, checkpoint_files.FIX)
    module, _, name = facts["class"].partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
