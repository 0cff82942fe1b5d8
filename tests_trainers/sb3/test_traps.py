"""The traps of Stable-Baselines3, a test for each row: the plain recipe, which falls in, and ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from direct_runs import DirectRun, context, start_from, train
from sb3.conftest import QUICK
from sb3.environments import scaled_cart_pole
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecNormalize

from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers import sb3
from pipeline_widgets.trainers.gymnasium_spaces import describe_spaces
from pipeline_widgets.trainers.sb3 import checkpoint_files
from pipeline_widgets.trainers.sb3.algorithms import sb3_dqn

SMALL = {"n_steps": 64, "batch_size": 64, "device": "cpu"}


def environments(count: int = 4, seed: int = 0) -> Any:
    """Return vectorized environments whose observations need normalization."""
    return make_vec_env(scaled_cart_pole, count, seed=seed)


@pytest.mark.spec("7.5")
def test_trap_sb3_1_statistics_are_not_in_model_zip(
    trained: DirectRun, scaled_ppo: Any, folder: Path
) -> None:
    """Plain: the next stage loads the model alone and plays at random. Ours scores what was saved."""
    best = trained.best
    assert (best.evaluation_score or 0.0) > 300

    plain = PPO.load(best.folder.path / "model.zip", env=VecNormalize(environments()), device="cpu")
    played: Any = evaluate_policy(plain, VecNormalize(environments(), training=False), 10)
    assert played[0] < 60

    ours = train(scaled_ppo, {"steps": 100}, folder, seed=5, start=start_from(best))
    assert ours.metric("evaluation_score")[0] == best.evaluation_score
    assert ours.reports[0].step == 0


@pytest.mark.spec("7.5")
def test_trap_sb3_1_the_callback_of_the_library_saves_the_best_model_without_them(
    trained: DirectRun, folder: Path
) -> None:
    """Plain: EvalCallback writes best_model.zip alone. Ours writes the statistics into every checkpoint."""
    model = PPO("MlpPolicy", VecNormalize(environments()), **SMALL)
    watcher = EvalCallback(
        VecNormalize(environments(1), training=False),
        eval_freq=64,
        n_eval_episodes=1,
        best_model_save_path=str(folder),
        verbose=0,
    )
    model.learn(512, callback=watcher)
    assert [file.name for file in folder.iterdir()] == ["best_model.zip"]

    for saved in trained.checkpoints:
        assert (saved.folder.path / "vecnormalize.pkl").is_file()


@pytest.mark.spec("7.5")
def test_trap_sb3_2_best_weights_with_the_final_statistics(trained: DirectRun, folder: Path) -> None:
    """Plain: the best model is of one step and env.save() of the last. Ours are of the same step."""
    env = VecNormalize(environments())
    model = PPO("MlpPolicy", env, **SMALL)
    watcher = EvalCallback(
        VecNormalize(environments(1), training=False),
        eval_freq=64,
        n_eval_episodes=1,
        best_model_save_path=str(folder),
        verbose=0,
    )
    model.learn(256, callback=watcher)
    at_best = PPO.load(folder / "best_model.zip").num_timesteps
    model.learn(2_048, reset_num_timesteps=False)
    env.save(str(folder / "vecnormalize.pkl"))
    plain = VecNormalize.load(str(folder / "vecnormalize.pkl"), environments())
    assert plain.obs_rms.count - at_best > 2_000  # it has seen far more than the weights had

    for saved in trained.checkpoints:
        statistics = checkpoint_files.read_statistics(saved.folder.path)
        seen = saved.step + QUICK["num_envs"]  # the first observations as well
        assert statistics.obs_rms.count == pytest.approx(seen, abs=1)
        assert PPO.load(saved.folder.path / "model.zip", device="cpu").num_timesteps == saved.step


DQN_CONFIG = {
    "steps": 2_000,
    "learning_starts": 100,
    "train_freq": 16,
    "gradient_steps": 4,
    "evaluate_every": 1_000,
    "evaluation_episodes": 2,
    "exploration_fraction": 1.0,
    "learning_rate_schedule": "linear",
    "device": "cpu",
}


@pytest.fixture(scope="module")
def half_way(tmp_path_factory: pytest.TempPathFactory) -> DirectRun:
    """A DQN that was stopped at about half of its steps."""
    folder = tmp_path_factory.mktemp("half")
    run = train(sb3_dqn, DQN_CONFIG, folder, stop=lambda run: any(each.step >= 1_000 for each in run.reports))
    assert run.stopped
    assert 1_000 <= run.final.step < 1_200
    return run


class Looking:
    """A callback for `learn()` that keeps a value of the model as it is at the first step."""

    def __init__(self, name: str) -> None:
        self.name, self.values = name, []

    def __call__(self, names: dict[str, Any], _: Any) -> bool:
        """Keep the value."""
        self.values.append(getattr(names["self"], self.name))
        return True


@pytest.mark.spec("7.5")
def test_trap_sb3_3_the_replay_buffer_is_not_saved(half_way: DirectRun, folder: Path) -> None:
    """Plain: a loaded model has an empty buffer. Ours keeps it for a resumed run, and starts without it."""
    saved = half_way.final
    plain = DQN.load(saved.folder.path / "model.zip", env=make_vec_env("CartPole-v1", 1), device="cpu")
    assert plain.num_timesteps == saved.step
    assert plain.replay_buffer is not None
    assert plain.replay_buffer.size() == 0

    for role, rows in (("resume", saved.step - 1), ("weights", 0)):  # the last step was not in it yet
        ctx, _ = context(folder, seed=1, start=start_from(saved, role))
        model = sb3.start(ctx, DQN, "MlpPolicy", make_vec_env("CartPole-v1", 1), **_dqn_arguments())
        assert model.replay_buffer.size() == rows
    with np.load(saved.folder.path / "replay_buffer.npz") as arrays:
        assert len(arrays["rewards"]) == saved.step  # the filled rows, not 100,000


def _dqn_arguments() -> dict[str, Any]:
    return {
        "buffer_size": 100_000,
        "learning_starts": 100,
        "train_freq": 16,
        "gradient_steps": 4,
        "exploration_fraction": 1.0,
        "exploration_final_eps": 0.04,
        "policy_kwargs": {"net_arch": [256, 256], "activation_fn": torch.nn.ReLU},
        "learning_rate": lambda left: 2.3e-3 * left,
        "device": "cpu",
    }


@pytest.mark.spec("7.5")
def test_trap_sb3_4_exploration_and_the_learning_rate_start_over(half_way: DirectRun, folder: Path) -> None:
    """Plain: load() and learn() explore at random again, at the full rate. Ours goes on to the total."""
    saved = half_way.final
    left = 1 - saved.step / 2_000
    plain = DQN.load(saved.folder.path / "model.zip", env=make_vec_env("CartPole-v1", 1), device="cpu")
    seen = Looking("exploration_rate")
    plain.learn(1_000, callback=seen)
    assert seen.values[1] > 0.99  # it was about 0.5
    assert plain.num_timesteps < saved.step + 50  # and its counter began at 0

    run = train(sb3_dqn, DQN_CONFIG, folder, start=start_from(saved, "resume"))
    rates = run.metric("train/learning_rate")
    assert rates[0] == pytest.approx(2.3e-3 * left, rel=0.15)
    assert rates[-1] < rates[0] / 2
    assert run.final.step == pytest.approx(2_000, abs=16)

    for role, expected in (("resume", 0.04 + 0.96 * left), ("weights", 1.0)):
        ctx, _ = context(folder, seed=1, start=start_from(saved, role))
        model = sb3.start(ctx, DQN, "MlpPolicy", make_vec_env("CartPole-v1", 1), **_dqn_arguments())
        seen = Looking("exploration_rate")
        callback = sb3.Callback(ctx, every=10_000)
        model.learn(2_000 if role == "resume" else 400, callback=[callback, seen_callback(seen)])
        # The first step of a new model is random, before its rate is set.
        assert seen.values[1] == pytest.approx(expected, abs=0.03)


def seen_callback(seen: Looking) -> Any:
    """Return it as a callback of the library, so that it comes after another one."""
    from stable_baselines3.common.callbacks import ConvertCallback

    return ConvertCallback(seen)


@pytest.mark.spec("7.5")
def test_trap_sb3_5_load_applies_the_seed_of_the_earlier_stage(trained: DirectRun, folder: Path) -> None:
    """Plain: every later stage draws what the first drew. Ours has the seed of its run."""
    path = trained.final.folder.path / "model.zip"
    draws: list[float] = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # what a user sets at the top of a script
        model = PPO.load(path, env=VecNormalize(environments()), device="cpu")
        draws.append(float(torch.rand(1)))
        assert model.seed == 0
    assert draws[0] == draws[1]

    ours: list[float] = []
    for seed in (1, 2):
        ctx, _ = context(folder, seed=seed, start=start_from(trained.final))
        model = sb3.start(ctx, PPO, "MlpPolicy", VecNormalize(environments()), **SMALL)
        ours.append(float(torch.rand(1)))
        assert model.seed == seed
    assert ours[0] != ours[1]


@pytest.mark.spec("7.5")
def test_trap_sb3_6_other_hyperparameters_at_load(trained: DirectRun, folder: Path) -> None:
    """Plain: ValueError for policy_kwargs, an error for n_envs, and load() changes nothing in place."""
    # Ours takes the weights into a model of this run's own hyperparameters and environments, and says which
    # layer differs where the network is another one.
    path = trained.final.folder.path / "model.zip"
    with pytest.raises(ValueError, match="policy kwargs do not equal"):
        PPO.load(path, policy_kwargs={"net_arch": [32]}, device="cpu")
    plain = PPO.load(path, env=VecNormalize(environments(8)), device="cpu")
    with pytest.raises(AssertionError, match="number of environments"):
        plain.set_env(VecNormalize(environments(2)))
    fresh = PPO("MlpPolicy", VecNormalize(environments()), **SMALL)
    before = fresh.policy.state_dict()["action_net.weight"].clone()
    fresh.load(path, device="cpu")
    assert torch.equal(fresh.policy.state_dict()["action_net.weight"], before)

    ctx, _ = context(folder, seed=1, start=start_from(trained.final))
    arguments = {**SMALL, "learning_rate": 1e-5, "gamma": 0.9, "clip_range": 0.1}
    model = sb3.start(ctx, PPO, "MlpPolicy", VecNormalize(environments(2)), **arguments)
    assert (model.n_envs, model.gamma, model.learning_rate, model.n_steps) == (2, 0.9, 1e-5, 64)
    assert torch.equal(
        model.policy.state_dict()["action_net.weight"], plain.policy.state_dict()["action_net.weight"]
    )
    assert not model.policy.optimizer.state  # new moments
    with pytest.raises(CheckpointError, match=r"mlp_extractor.*is \(64, 4\); \(32, 4\)"):
        sb3.start(
            ctx, PPO, "MlpPolicy", VecNormalize(environments()), policy_kwargs={"net_arch": [32]}, **SMALL
        )


@pytest.mark.spec("7.7")
def test_trap_sb3_7_a_space_as_text_is_unreadable(trained: DirectRun) -> None:
    """Plain: str(Box) is long, and the number of actions is numpy's. Ours are short, and tell bounds."""
    env: Any = environments(1)
    cart_pole: Any = make_vec_env("CartPole-v1", 1)
    assert len(str(cart_pole.observation_space)) > 70
    assert type(env.action_space.n) is not int
    with pytest.raises(TypeError):
        json.dumps({"actions": env.action_space.n})

    facets = describe_spaces(env.observation_space, env.action_space)
    assert json.loads(json.dumps(facets)) == facets
    assert facets["observation"] == "Box(4) float32"
    assert facets["action"] == "Discrete(2)"
    assert all(len(text) < 40 for text in facets.values())
    other = describe_spaces(cart_pole.observation_space, cart_pole.action_space)
    assert other["observation_bounds"] != facets["observation_bounds"]
    assert all(len(text) < 40 for text in other.values())
    signature = dict(trained.final.signature)
    assert signature | facets == signature
    assert signature["normalization"] == "observations and rewards"
