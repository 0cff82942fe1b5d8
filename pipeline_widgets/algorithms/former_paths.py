"""Modules that have moved: rows and pickles of older workspaces name them by their former paths."""

from __future__ import annotations

_NUMPY_TRAINERS = (
    "action_vae",
    "actor_critic",
    "checkpoint_files",
    "distributions",
    "dpo",
    "dqn",
    "environments",
    "gait",
    "grpo",
    "gymnasium_environment",
    "language_model",
    "latent_ppo",
    "letters",
    "letters_trainer",
    "loop",
    "nn",
    "ppo",
    "ppo_trainer",
    "predictor_inputs",
    "replay",
    "rollouts",
    "sft",
    "supervised",
    "swimmer",
    "tabular",
)
_MOVED = {
    f"pipeline_widgets.algorithms.{name}": f"pipeline_widgets.trainers.numpy.{name}"
    for name in _NUMPY_TRAINERS
}


def current_path(module: str) -> str:
    """Return the path of a module now, given the path that a row or a pickle names."""
    return _MOVED.get(module, module)
