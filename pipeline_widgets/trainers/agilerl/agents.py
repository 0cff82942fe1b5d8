"""Agents of AgileRL: how they act greedily, and two repairs that loading them needs.

Found in AgileRL 2.58: `load_weights` makes new networks and leaves the optimizer with the parameters of the
old ones, so that what is trained never changes; and RSNorm keeps its statistics twice, of which loading and
cloning restore the copy that is not used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline_widgets.errors import CheckpointError


def unwrapped(agent: Any) -> Any:
    """Return the algorithm within its wrappers, such as RSNorm."""
    layers = _layers(agent)
    return vars(layers[-1])["agent"] if layers else agent


def is_normalized(agent: Any) -> bool:
    """Return whether an agent scales what it observes."""
    return any(hasattr(each, "obs_rms") for each in _layers(agent))


def relink_statistics(agent: Any) -> None:
    """Let RSNorm normalize by the statistics that it has, after it was loaded or cloned."""
    for each in _layers(agent):
        if hasattr(each, "obs_rms"):
            name = "_multi_obs_rms" if each.multi_agent else "_single_obs_rms"
            object.__setattr__(each, name, each.obs_rms)


def load_weights(agent: Any, path: Path, statistics: Any) -> None:
    """Take the weights and the statistics of a file, and nothing else; the optimizers are new.

    The flags of algorithms that have more to load than that are always passed: neither their optimizer
    nor another adapter than the actor's is loaded.

    Args:
        agent: An algorithm, or a wrapper around one.
        path: The file.
        statistics: The statistics of RSNorm in it, or None.
    """
    base = unwrapped(agent)
    flags = {"load_optimizer": False, "overwrite_reference_adapter": False, "overwrite_critic_adapter": False}
    base.load_weights(str(path), **_taken_by(base.load_weights, flags))
    base.reinit_optimizers()
    _set_statistics(agent, statistics)


def load_training(agent: Any, path: Path, statistics: Any) -> None:
    """Take everything that a file has: weights, optimizers, hyperparameters, steps and statistics.

    Args:
        agent: An algorithm, or a wrapper around one.
        path: The file.
        statistics: The statistics of RSNorm in it, or None.
    """
    base = unwrapped(agent)
    flags = {"load_optimizer": True, "overwrite_reference_adapter": False}
    base.load_checkpoint(str(path), **_taken_by(base.load_checkpoint, flags))
    _set_statistics(agent, statistics)


def greedy(agent: Any) -> Callable[[Any], Any]:
    """Return a function that answers a batch of observations with the actions that an agent thinks best.

    AgileRL's own PPO draws actions at random in tests as well; here it takes the most probable one.

    Args:
        agent: An algorithm, or a wrapper around one. It leaves training mode.
    """
    import torch
    from agilerl.networks.actors import StochasticActor
    from agilerl.utils.algo_utils import obs_to_tensor

    agent.set_training_mode(False)
    base = unwrapped(agent)

    def act(observations: Any) -> Any:
        normalized = observations
        for layer in _layers(agent):
            if hasattr(layer, "obs_rms"):
                normalized = layer.normalize_observation(obs_to_tensor(normalized, layer.device))
        if not isinstance(base.actor, StochasticActor):
            layers = _layers(agent)  # which have put their own get_action into the algorithm
            return np.asarray((layers[-1].wrapped_get_action if layers else base.get_action)(normalized))
        with torch.no_grad():
            latent = base.actor.extract_features(base.preprocess_observation(normalized))
            base.actor.head_net.forward(latent, None, sample=False)
            return _mode(base.actor)

    return act


def _mode(actor: Any) -> Any:
    """Return the most probable action of the distributions that an actor has just made."""
    import torch
    from gymnasium import spaces

    made, space = actor.head_net.dist, actor.action_space
    if isinstance(space, spaces.Box):
        action = torch.tanh(made.mu) if actor.squash_output else made.mu
        scaled = actor.scale_action(action) if actor.squash_output else action
        return np.clip(scaled.cpu().numpy(), space.low, space.high)
    if isinstance(space, spaces.MultiDiscrete):
        parts = torch.split(made.logits, [int(each) for each in space.nvec], dim=-1)
        return torch.stack([part.argmax(-1) for part in parts], dim=-1).cpu().numpy()
    if isinstance(space, spaces.MultiBinary):
        return (made.logits > 0).long().cpu().numpy()
    return made.logits.argmax(-1).cpu().numpy()


def _set_statistics(agent: Any, statistics: Any) -> None:
    if is_normalized(agent) != (statistics is not None):
        ours, theirs = ("is", "is not") if is_normalized(agent) else ("is not", "is")
        why = f"This run's agent {ours} wrapped in RSNorm, that of the checkpoint {theirs}."
        raise CheckpointError("The checkpoint does not fit this run.", why, "Wrap both alike, or neither.")
    for each in _layers(agent):
        if hasattr(each, "obs_rms"):
            object.__setattr__(each, "obs_rms", statistics)
    relink_statistics(agent)


def _layers(agent: Any) -> list[Any]:
    """Return an agent's wrappers, from the outermost; none for a plain algorithm."""
    layers: list[Any] = []
    while "wrapped_get_action" in vars(agent):
        layers.append(agent)
        agent = vars(agent)["agent"]
    return layers


def _taken_by(function: Callable[..., Any], flags: dict[str, Any]) -> dict[str, Any]:
    """Return those of the arguments that a function names."""
    import inspect

    names = inspect.signature(function).parameters
    return {name: value for name, value in flags.items() if name in names}
