"""Handovers of Stable-Baselines3: bad ones are caught before the first step, good ones are never held."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from direct_runs import DirectRun, context, start_from, train
from sb3.conftest import QUICK
from sb3.environments import scaled_cart_pole
from sb3.sabotage import SABOTAGES, copy_of, sign
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.domain.job import SavedCheckpoint
from pipeline_widgets.errors import CheckpointError, HandoverError
from pipeline_widgets.trainers import sb3
from pipeline_widgets.trainers.episodes import SEED
from pipeline_widgets.trainers.sb3.algorithms import sb3_a2c, sb3_dqn

#: Sabotages that files alone tell, also where their digests were written anew.
REFUSED_BY_FILES = {"statistics missing": "vecnormalize.pkl", "wrong layer names": "has no layer"}


@pytest.fixture(scope="module")
def other(scaled_ppo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of another run, which has hardly trained."""
    run = train(
        scaled_ppo, {"steps": 1_024, "evaluation_episodes": 2}, tmp_path_factory.mktemp("other"), seed=9
    )
    return run.final.folder.path


@pytest.mark.spec("7.6")
@pytest.mark.parametrize("name", SABOTAGES)
def test_a_file_that_was_changed_is_refused(
    name: str, trained: DirectRun, other: Path, scaled_ppo: Any, folder: Path
) -> None:
    """What was exchanged, cut out or written anew is not what was saved: the run says which file."""
    copy = copy_of(trained.best.folder.path, folder / "copy")
    SABOTAGES[name](copy, other)
    with pytest.raises(CheckpointError, match=r"vecnormalize\.pkl|model\.zip"):
        train(scaled_ppo, {"steps": 10}, folder, start=start_from(trained.best, path=copy))
    with pytest.raises(CheckpointError, match=r"vecnormalize\.pkl|model\.zip"):
        scaled_ppo.predict(copy)


@pytest.mark.spec("7.6")
@pytest.mark.parametrize("name", SABOTAGES)
def test_a_sabotaged_handover_is_caught(
    name: str, trained: DirectRun, other: Path, scaled_ppo: Any, folder: Path
) -> None:
    """Also where a tool has written the digests anew: by what is missing, or by the score."""
    best = trained.best
    copy = copy_of(best.folder.path, folder / "copy")
    SABOTAGES[name](copy, other)
    sign(copy)
    with pytest.raises(CheckpointError) as caught:
        train(scaled_ppo, {"steps": 10}, folder, start=start_from(best, path=copy))
    print(f"{name}: {caught.value.what} {caught.value.why}")  # noqa: T201
    if name in REFUSED_BY_FILES:
        assert REFUSED_BY_FILES[name] in str(caught.value)
    else:
        assert isinstance(caught.value, HandoverError)
        assert f"was saved with {best.evaluation_score:.4g}" in str(caught.value)


@pytest.mark.spec("7.6")
def test_a_bad_handover_trains_where_that_is_asked_for(
    trained: DirectRun, other: Path, scaled_ppo: Any, folder: Path
) -> None:
    """`handover="warn"` writes the two numbers to the log and trains; "off" scores nothing."""
    copy = copy_of(trained.best.folder.path, folder / "copy")
    SABOTAGES["wrong action order"](copy, other)
    sign(copy)
    start = start_from(trained.best, path=copy)
    warned = train(
        scaled_ppo, {"steps": 10, "handover": "warn", "evaluation_episodes": 20}, folder, start=start
    )
    assert (warned.metric("evaluation_score")[0], warned.reports[0].step) == (pytest.approx(9, abs=3), 0)
    off = train(scaled_ppo, {"steps": 10, "handover": "off"}, folder, start=start)
    assert off.reports[0].step > 0


def cart_pole_run(algorithm: Any, folder: Path, seed: int, **config: Any) -> DirectRun:
    """Train for some thousand steps, with a checkpoint each 500."""
    common = {"steps": 3_000, "evaluate_every": 500, "evaluation_episodes": 10, "device": "cpu"}
    return train(algorithm, {**common, **config}, folder, seed=seed)


def check(ctx: TrainContext, model: Any, evaluation: Any) -> None:
    """Do what `learn()` does before its first step."""
    callback = sb3.Callback(ctx, evaluate=evaluation)
    callback.init_callback(model)
    model._setup_learn(1, callback)
    callback.on_training_start({}, {})


@pytest.mark.spec("7.6")
def test_of_over_a_hundred_good_handovers_none_is_held(trained: DirectRun, folder: Path) -> None:
    """All checkpoints of several runs, weak and strong, by four seeds, in new environments."""
    runs: list[tuple[Any, Any, list[SavedCheckpoint]]] = [(PPO, scaled_cart_pole, trained.checkpoints)]
    options = {"learning_starts": 100, "train_freq": 32, "gradient_steps": 32, "net_arch": [64]}
    for seed in (0, 1):
        a2c = cart_pole_run(sb3_a2c, folder, seed, normalize_observations=True)
        dqn = cart_pole_run(sb3_dqn, folder, seed, **options)
        runs += [(A2C, "CartPole-v1", a2c.checkpoints), (DQN, "CartPole-v1", dqn.checkpoints)]
    held = checked = 0
    for (kind, make_env, checkpoints), seed in itertools.product(runs, range(4)):
        # Two by the same episodes, as a run does it, two by others, which the spread must allow.
        own = seed % 2 == 0
        episodes = 20 if make_env is scaled_cart_pole or not own else 10
        evaluation = sb3.Evaluation(make_env, episodes, seed=SEED if own else 50 + seed)
        for saved in checkpoints:
            ctx, run = context(
                folder, seed=100 + seed, start=start_from(saved), evaluator=saved.signature["evaluator"]
            )
            env: Any = make_vec_env(make_env, 2, seed=seed)
            if (normalization := saved.signature["normalization"]) != "none":
                env = VecNormalize(env, norm_reward="rewards" in normalization)
            arguments = {"policy_kwargs": {"net_arch": [64] if kind is DQN else [64, 64]}, "device": "cpu"}
            try:
                check(ctx, sb3.start(ctx, kind, "MlpPolicy", env, **arguments), evaluation)
            except HandoverError:
                held += 1
            checked += 1
            assert not own or run.metric("evaluation_score") == [saved.evaluation_score]
    print(f"{checked} good handovers, {held} held")  # noqa: T201
    assert checked >= 100
    assert held == 0


def test_the_quick_run_of_these_tests_is_a_good_one(trained: DirectRun) -> None:
    """What is sabotaged scores well, or else nothing would be lost."""
    assert (trained.best.evaluation_score or 0) > 300
    assert len(trained.checkpoints) == QUICK["steps"] // QUICK["evaluate_every"]
