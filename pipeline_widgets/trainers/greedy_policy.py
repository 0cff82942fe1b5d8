"""Answers with the greedy action of a checkpoint, whichever library has trained it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline_widgets.trainers.gymnasium_spaces import as_observations, example_of, to_plain


class GreedyPolicy:
    """A policy that answers an observation with the action that it thinks best, and several with a list.

    Args:
        space: The observation space, before any normalization.
        act: From a batch of observations to as many actions.
    """

    def __init__(self, space: Any, act: Callable[[Any], Any]) -> None:
        self._act = act
        self.space = space
        self.example = example_of(space)

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
