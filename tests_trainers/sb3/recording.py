"""An algorithm whose checkpoints tell which processes unpickle them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import pipeline_widgets as pw
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.trainers import sb3


class Recorder:
    """Writes the number of the process that unpickles it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return unpickled, (self.path,)


def unpickled(path: str) -> Recorder:
    """Return a recorder, as it is read from a pickle."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    return Recorder(path)


class RecordedConfig(BaseModel):
    """Config of Recorded."""

    path: str = ""


@pw.algorithm(
    "Recorded",
    produces={"policy"},
    accepts=[pw.Port("weights", {"policy"})],
    config=RecordedConfig,
    predict=sb3.predict,
)
def recorded(ctx: TrainContext) -> None:
    """Train for a moment, with a recorder in model.zip and in vecnormalize.pkl."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    env: Any = VecNormalize(make_vec_env("CartPole-v1", 2, seed=ctx.seed))
    model = sb3.start(ctx, PPO, "MlpPolicy", env, n_steps=32, batch_size=32, device="cpu")
    env.recorder = model.recorder = Recorder(ctx.config.path)
    model.learn(128, callback=sb3.Callback(ctx, every=64))
