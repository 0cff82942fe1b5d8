"""Stable-Baselines3: ready algorithms, one of one's own environment, and pieces for one's own function.

Ready are "SB3 PPO", "SB3 A2C", "SB3 DQN", "SB3 SAC" and "SB3 TD3", by name. In one's own environment it is
one line, `ppo = sb3.algorithm("PPO", make_env=my_env, normalize=True)`. In one's own train function:

    env = VecNormalize(make_vec_env("CartPole-v1", 8, seed=ctx.seed))
    model = sb3.start(ctx, PPO, "MlpPolicy", env)
    model.learn(50_000, callback=sb3.Callback(ctx, every=4096, evaluate=sb3.Evaluation("CartPole-v1")))

The library is imported when something of it is used: `pip install 'pipeline-widgets[sb3]'`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline_widgets.trainers.sb3.callback import Callback
    from pipeline_widgets.trainers.sb3.checkpoint_files import TRAINING_ONLY, save
    from pipeline_widgets.trainers.sb3.evaluation import Evaluation
    from pipeline_widgets.trainers.sb3.factory import algorithm
    from pipeline_widgets.trainers.sb3.predictor import predict
    from pipeline_widgets.trainers.sb3.starting import start

_HOMES = {
    "Callback": "callback",
    "Evaluation": "evaluation",
    "TRAINING_ONLY": "checkpoint_files",
    "algorithm": "factory",
    "predict": "predictor",
    "save": "checkpoint_files",
    "start": "starting",
}

__all__ = ["TRAINING_ONLY", "Callback", "Evaluation", "algorithm", "predict", "save", "start"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
