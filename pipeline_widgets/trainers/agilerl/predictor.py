"""Answers with the greedy action of a checkpoint, normalized as it was trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline_widgets.trainers.agilerl import agents, checkpoint_files
from pipeline_widgets.trainers.greedy_policy import GreedyPolicy


def predict(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: `@pw.algorithm(..., predict=agilerl.predict)`.

    Args:
        folder: The checkpoint. It is unpickled: only a process that answers or trains calls this.

    Raises:
        CheckpointError: A file is missing, or is not the one that was saved with it, or cannot be read.
    """
    facts = checkpoint_files.read_facts(folder)
    path = folder / checkpoint_files.AGENT
    checkpoint_files.read(path)
    try:
        import agilerl.algorithms

        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="Attribute .* not found in checkpoint"
            )  # a rollout buffer
            agent = getattr(agilerl.algorithms, facts["algorithm"]).load(str(path))
    except Exception as error:  # a pickle may raise anything
        raise checkpoint_files.unreadable(path, error) from error
    agents.relink_statistics(agent)
    return GreedyPolicy(agents.unwrapped(agent).observation_space, agents.greedy(agent))
