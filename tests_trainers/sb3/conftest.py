"""What the tests of Stable-Baselines3 share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from direct_runs import DirectRun, train
from sb3.environments import scaled_cart_pole

from pipeline_widgets.trainers import sb3

#: Learns CartPole in some seconds, also where its observations are scaled.
QUICK: dict[str, Any] = {
    "steps": 12_000,
    "num_envs": 8,
    "n_steps": 128,
    "batch_size": 256,
    "learning_rate": 3e-3,
    "evaluate_every": 3_000,
    "evaluation_episodes": 20,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def scaled_ppo() -> Any:
    """PPO with normalization, in an environment that needs it."""
    return sb3.algorithm("PPO", make_env=scaled_cart_pole, normalize=True, name="Scaled PPO", **QUICK)


@pytest.fixture(scope="session")
def trained(scaled_ppo: Any, tmp_path_factory: pytest.TempPathFactory) -> DirectRun:
    """A run of it, which the tests start from and leave as it is."""
    return train(scaled_ppo, {}, tmp_path_factory.mktemp("trained"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where runs of a test are made."""
    return tmp_path
