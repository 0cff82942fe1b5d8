"""Scores a model: greedy episodes, always the same ones, with normalization that does not move."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.trainers.episode_videos import record_episode
from pipeline_widgets.trainers.episodes import SEED, Score, to_score
from pipeline_widgets.trainers.gymnasium_spaces import name_of, open_environment

_MOST_ENVIRONMENTS = 8  # stepped together


class Evaluation:
    """Plays greedy episodes with a model, and returns their mean undiscounted return with its standard error.

    Observations are scaled by the statistics of the model's own VecNormalize as they are at that moment, and
    are not learned from; rewards are those of the environment.

    Args:
        make_env: A registered id, a function that makes an environment, an environment, or a VecEnv.
        episodes: How many.
        seed: Of the environments, the same in each evaluation.
    """

    def __init__(self, make_env: Any, episodes: int = 20, seed: int = SEED) -> None:
        self.make_env, self.episodes, self.seed = make_env, episodes, seed
        self._environments: Any = None

    def __call__(self, model: Any, watch: Callable[[], None] = lambda: None) -> Score:
        """Play the episodes.

        Args:
            model: An algorithm of Stable-Baselines3.
            watch: Called at each step; what it raises ends the evaluation.
        """
        from stable_baselines3.common.evaluation import evaluate_policy

        def at_each_step(_: Any, __: Any) -> None:
            watch()

        environments = self._open(model)
        environments.seed(self.seed)
        returns, _ = evaluate_policy(
            model,
            environments,
            n_eval_episodes=self.episodes,
            deterministic=True,
            return_episode_rewards=True,
            callback=at_each_step,
        )
        return to_score(returns)

    def show(self, ctx: TrainContext, step: int, model: Any) -> None:
        """Show the first episode, where its environment can be drawn or renders itself as pixels.

        Args:
            ctx: What the train function got.
            step: The step that it belongs to.
            model: An algorithm of Stable-Baselines3.
        """
        if not (isinstance(self.make_env, str) or callable(self.make_env)):
            return  # an environment that others use as well
        statistics = model.get_vec_normalize_env()

        def act(observation: Any) -> Any:
            seen = observation if statistics is None else statistics.normalize_obs(observation)
            return model.predict(seen, deterministic=True)[0]

        recording = record_episode(self.make_env, act, seed=self.seed)
        if recording is not None:
            recording.show(ctx, step, name_of(self.make_env), self.seed)

    def _open(self, model: Any) -> Any:
        from stable_baselines3.common.vec_env import VecNormalize, unwrap_vec_normalize

        if self._environments is None:
            self._environments = _vectorize(self.make_env, self.episodes, model)
        ours, theirs = unwrap_vec_normalize(self._environments), model.get_vec_normalize_env()
        if theirs is not None and ours is None:
            ours = self._environments = VecNormalize(
                self._environments,
                norm_obs=theirs.norm_obs,
                clip_obs=theirs.clip_obs,
                epsilon=theirs.epsilon,
                norm_obs_keys=theirs.norm_obs_keys,
            )
            self._environments = type(model)._wrap_env(ours, verbose=0)  # noqa: SLF001  images, as it does
        if ours is not None:
            ours.training, ours.norm_reward = False, False
            if theirs is not None and theirs.norm_obs:
                ours.obs_rms = copy.deepcopy(theirs.obs_rms)
        return self._environments


def _vectorize(make_env: Any, episodes: int, model: Any) -> Any:
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecEnv

    if isinstance(make_env, VecEnv) or hasattr(make_env, "action_space"):
        return type(model)._wrap_env(make_env, verbose=0)  # noqa: SLF001  a Monitor and one VecEnv around it
    count = min(episodes, _MOST_ENVIRONMENTS)
    environments = make_vec_env(lambda: open_environment(make_env), n_envs=count, seed=SEED)
    if model.get_vec_normalize_env() is not None:
        return environments  # images are transposed after that
    return type(model)._wrap_env(environments, verbose=0)  # noqa: SLF001
