"""AgileRL: ready algorithms with evolution, and pieces for one's own train function.

Ready are "AgileRL PPO" and "AgileRL DQN", by name; a population of more than one agent evolves. In one's own
environment it is one line, `ppo = agilerl.algorithm("PPO", make_env=my_env)`. In one's own train function:

    spec = TrainingSpec(max_steps=50_000, evo_steps=5_000)
    agilerl.train(ctx, lambda: LocalTrainer("PPO", GymEnvSpec(name="CartPole-v1", sync=True), training=spec))

The library is imported when something of it is used: `pip install 'pipeline-widgets[agilerl]'`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline_widgets.trainers.agilerl.checkpoint_files import TRAINING_ONLY
    from pipeline_widgets.trainers.agilerl.factory import algorithm
    from pipeline_widgets.trainers.agilerl.predictor import predict
    from pipeline_widgets.trainers.agilerl.training import train

_HOMES = {
    "TRAINING_ONLY": "checkpoint_files",
    "algorithm": "factory",
    "predict": "predictor",
    "train": "training",
}

__all__ = ["TRAINING_ONLY", "algorithm", "predict", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
