"""Pieces for one's own train function: what a user writes in a dozen lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from direct_runs import DirectRun, context, start_from
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from pipeline_widgets.algorithms.context import Start, StopTraining
from pipeline_widgets.errors import CheckpointError, ConfigError
from pipeline_widgets.trainers import sb3

SMALL = {"n_steps": 32, "batch_size": 32, "device": "cpu"}


def own(folder: Path, start: Start | None = None, *, steps: int = 256, **callback: Any) -> DirectRun:
    """Train as a user's own function does."""
    ctx, run = context(folder, start=start, evaluator="mine")
    env = VecNormalize(make_vec_env("CartPole-v1", 2, seed=ctx.seed))
    model = sb3.start(ctx, PPO, "MlpPolicy", env, **SMALL)
    model.learn(steps, callback=sb3.Callback(ctx, every=128, **callback))
    return run


@pytest.mark.spec("7.5", "7.7")
def test_a_dozen_lines_report_save_start_and_resume(folder: Path) -> None:
    """The callback and the loader do what a ready algorithm does; the checkpoints state their spaces."""
    first = own(folder, evaluate=sb3.Evaluation("CartPole-v1", episodes=3))
    assert [saved.step for saved in first.checkpoints] == [128, 256]
    assert first.final.signature["observation"] == "Box(4) float32"
    assert first.final.evaluation_spread is not None

    started = own(folder, start_from(first.final), evaluate=sb3.Evaluation("CartPole-v1", episodes=3))
    assert started.metric("evaluation_score")[0] == first.final.evaluation_score
    resumed = own(folder, start_from(first.final, "resume"), steps=384)
    assert [saved.step for saved in resumed.checkpoints] == [384]
    assert sb3.predict(resumed.final.folder.path)([0.0] * 4) in {0, 1}


def test_the_librarys_own_way_to_go_on_is_right_as_well(folder: Path) -> None:
    """`learn(what is left, reset_num_timesteps=False)` after a resume ends at the same step."""
    first = own(folder)
    ctx, run = context(folder, start=start_from(first.final, "resume"))
    model = sb3.start(ctx, PPO, "MlpPolicy", VecNormalize(make_vec_env("CartPole-v1", 2)), **SMALL)
    assert model.num_timesteps == 256
    model.learn(384 - model.num_timesteps, callback=sb3.Callback(ctx, every=128), reset_num_timesteps=False)
    assert run.final.step == 384


def test_learn_may_be_called_again(folder: Path) -> None:
    """A curriculum calls it for each of its parts: the start checkpoint is restored once."""
    ctx, run = context(folder, start=start_from(own(folder).final))
    model = sb3.start(ctx, PPO, "MlpPolicy", VecNormalize(make_vec_env("CartPole-v1", 2)), **SMALL)
    callback = sb3.Callback(ctx, every=128)
    model.learn(128, callback=callback)
    model.learn(128, callback=callback, reset_num_timesteps=False)
    assert [saved.step for saved in run.checkpoints] == [128, 256]


@pytest.mark.parametrize(
    ("evaluate", "score"),
    [
        (lambda _: 0.5, (0.5, 0.0)),
        (lambda _: (0.5, 0.1), (0.5, 0.1)),
        (sb3.Evaluation("CartPole-v1", episodes=1), None),
        (lambda: make_vec_env("CartPole-v1", 1), None),
    ],
)
def test_what_can_evaluate(folder: Path, evaluate: Any, score: tuple[float, float] | None) -> None:
    """A function of the model, with or without a spread; an evaluation; environments."""
    is_environment = getattr(evaluate, "__code__", None) is not None and evaluate.__code__.co_argcount == 0
    run = own(folder, evaluate=evaluate() if is_environment else evaluate)
    made = (run.final.evaluation_score, run.final.evaluation_spread)
    assert made == (score or made)
    assert (made[0] or 0) > 0


def test_what_cannot_evaluate_is_refused(folder: Path) -> None:
    """With what to pass."""
    with pytest.raises(ConfigError, match=r"sb3\.Evaluation"):
        own(folder, evaluate=3)


@pytest.mark.spec("6.5")
def test_a_stop_saves_what_there_is(folder: Path) -> None:
    """Asked within a rollout or an evaluation, `learn()` ends at once, and the checkpoint is of that step."""
    asked: list[bool] = []
    ctx, run = context(folder, stop=lambda _: bool(asked))
    model = sb3.start(ctx, PPO, "MlpPolicy", VecNormalize(make_vec_env("CartPole-v1", 2)), **SMALL)

    def evaluate(_: Any) -> float:
        asked.append(True)
        return 1.0

    with pytest.raises(StopTraining):
        model.learn(10_000, callback=sb3.Callback(ctx, every=128, evaluate=evaluate))
    assert [saved.step for saved in run.checkpoints] == [128]


@pytest.mark.spec("7.5")
def test_an_environment_that_is_normalized_otherwise_is_refused(folder: Path) -> None:
    """With and without VecNormalize, before a step is done."""
    first = own(folder)
    for env in (
        make_vec_env("CartPole-v1", 2),
        VecNormalize(make_vec_env("CartPole-v1", 2), norm_reward=False),
    ):
        ctx, _ = context(folder, start=start_from(first.final))
        with pytest.raises(CheckpointError, match="normalization is observations and rewards"):
            sb3.start(ctx, PPO, "MlpPolicy", env, **SMALL)
    ctx, _ = context(folder, start=start_from(first.final))
    with pytest.raises(CheckpointError, match="Its observation is Box"):
        sb3.start(ctx, PPO, "MlpPolicy", VecNormalize(make_vec_env("Acrobot-v1", 2)), **SMALL)
    with pytest.raises(CheckpointError, match="has no layer 'q_net"):
        sb3.start(ctx, DQN, "MlpPolicy", VecNormalize(make_vec_env("CartPole-v1", 2)), device="cpu")


def test_a_class_of_a_cell_answers_as_what_it_extends(folder: Path) -> None:
    """A subclass that only the notebook has is opened as PPO."""
    base: Any = PPO

    class Mine(base):
        """As a cell defines it."""

    ctx, run = context(folder)
    model = sb3.start(ctx, Mine, "MlpPolicy", make_vec_env("CartPole-v1", 2), **SMALL)
    model.learn(64, callback=sb3.Callback(ctx))
    assert sb3.predict(run.final.folder.path)([0.0] * 4) in {0, 1}
