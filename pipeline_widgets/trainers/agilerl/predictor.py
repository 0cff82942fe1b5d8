"""Answers with the greedy action of a checkpoint, normalized as it was trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_widgets.trainers.agilerl import agents, checkpoint_files
from pipeline_widgets.trainers.gymnasium_spaces import as_observations, example_of, to_plain


class Policy:
    """A policy that answers an observation with the action that it thinks best, and several with a list.

    Args:
        agent: An algorithm of AgileRL, or a wrapper around one.
    """

    def __init__(self, agent: Any) -> None:
        self._act = agents.greedy(agent)
        self.space = agents.unwrapped(agent).observation_space
        self.example = example_of(self.space)

    def __call__(self, observation: Any) -> Any:
        """Return the action, in the units of the environment.

        Args:
            observation: As JSON has it: numbers, nested lists, or a mapping for a Dict space.

        Raises:
            PipelineError: It is not one of the space.
        """
        batch, single = as_observations(self.space, observation)
        actions = np.asarray(self._act(batch))
        return to_plain(actions[0] if single else actions)


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
    return Policy(agent)
