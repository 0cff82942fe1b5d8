"""Gymnasium's environments behind the face that the trainers see."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.trainers.episode_videos import draw_episode, record_episode
from pipeline_widgets.trainers.numpy.environments import ActionSpace, Spaces, Transition
from pipeline_widgets.trainers.numpy.nn import Booleans, Floats


class GymnasiumEnvironment:
    """Environments of Gymnasium, vectorized natively where they can be.

    Gymnasium begins the next episode either in the step that ended one, and then hands the last observation
    over in `info["final_obs"]`, or in the step after, whose action then has no effect.

    Args:
        env_id: A registered id, such as "CartPole-v1".
        num_envs: How many.
    """

    def __init__(self, env_id: str, num_envs: int) -> None:
        import gymnasium

        self.num_envs = num_envs
        self.spaces = gymnasium_spaces(env_id)
        native = gymnasium.spec(env_id).vector_entry_point is not None
        mode = "vector_entry_point" if native else "sync"
        self._env: Any = gymnasium.make_vec(env_id, num_envs=num_envs, vectorization_mode=mode)
        autoreset = gymnasium.vector.AutoresetMode
        self._same_step = _autoreset_mode(self._env, env_id) == autoreset.SAME_STEP
        self._ended: Booleans = np.zeros(num_envs, bool)

    def reset(self, seed: int) -> Floats:
        """Begin new episodes, drawn from the seed, and return their first observations."""
        self._ended = np.zeros(self.num_envs, bool)
        return self._flat(self._env.reset(seed=seed)[0])

    def step(self, actions: Any) -> Transition:
        """Act in all environments."""
        space = self.spaces.actions
        taken = actions if space.discrete else self._reshape(space.scaled(actions))
        raw, rewards, terminated, truncated, info = self._env.step(taken)
        observations = self._flat(raw)
        begun = np.zeros(self.num_envs, bool) if self._same_step else self._ended
        self._ended = terminated | truncated
        return Transition(
            observations=observations,
            successors=self._successors(observations, info),
            rewards=np.asarray(rewards, np.float32),
            terminated=np.array(terminated, bool),
            truncated=np.array(truncated, bool),
            valid=~begun,
        )

    def _successors(self, observations: Floats, info: dict[str, Any]) -> Floats:
        if not (self._same_step and self._ended.any()):
            return observations
        successors = observations.copy()
        last = np.stack([np.asarray(final, np.float32) for final in info["final_obs"][self._ended]])
        successors[self._ended] = last.reshape(len(last), -1)
        return successors

    def _reshape(self, actions: Floats) -> Floats:
        return actions.reshape(self.num_envs, *self._env.single_action_space.shape)

    def _flat(self, observations: Any) -> Floats:
        """Copied, since native environments may reuse their buffers."""
        return np.array(observations, np.float32).reshape(self.num_envs, -1)


@cache
def gymnasium_spaces(env_id: str) -> Spaces:
    """Return the spaces of a registered environment.

    Raises:
        ConfigError: It cannot be made, or its spaces are of a kind that the trainers do not handle.
    """
    import gymnasium

    try:
        env: Any = gymnasium.make(env_id)
    except Exception as error:  # an environment's own code runs here
        fix = "Correct env_id, or install and import the package that registers it."
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(f"The environment {env_id!r} cannot be made.", why, fix) from error
    observation, action = env.observation_space, env.action_space
    env.close()
    kinds = gymnasium.spaces
    if not _is(observation, kinds.Box):
        raise _unsupported_space(env_id, "observes", observation, "a Box")
    observation_dim = math.prod(observation.shape)
    if _is(action, kinds.Discrete) and action.start == 0:
        return Spaces(observation_dim, ActionSpace(discrete=True, size=int(action.n)))
    if not _is(action, kinds.Box):
        raise _unsupported_space(env_id, "acts in", action, "Discrete(n), counted from 0, or a Box")
    return Spaces(observation_dim, _continuous(action))


def _is(space: Any, kind: type[object]) -> bool:
    """As isinstance, without narrowing to a type whose parameters Gymnasium leaves open."""
    return isinstance(space, kind)


def _continuous(space: Any) -> ActionSpace:
    bounded = bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())
    low, high = (tuple(map(float, bound.ravel())) if bounded else () for bound in (space.low, space.high))
    return ActionSpace(discrete=False, size=math.prod(space.shape), low=low, high=high)


def _autoreset_mode(env: Any, env_id: str) -> Any:
    mode = env.metadata.get("autoreset_mode")
    if mode is None or mode.name == "DISABLED":
        why = "It does not begin new episodes by itself."
        raise ConfigError(f"{env_id!r} cannot be trained on.", why, "Choose another env_id.")
    return mode


def _unsupported_space(env_id: str, does: str, space: object, needed: str) -> ConfigError:
    why = f"It {does} {space}; {needed} is needed."
    return ConfigError(f"{env_id!r} cannot be trained on.", why, "Choose another env_id, or wrap it.")


def show_episode(
    ctx: TrainContext,
    step: int,
    env_id: str,
    observed: Sequence[Floats],
    *,
    seed: int,
    act: Callable[[Floats], Any],
    spaces: Spaces,
) -> None:
    """Show an episode, as it was observed in an evaluation, or played again where that has to be rendered.

    Args:
        ctx: What the train function got.
        step: The step that it belongs to.
        env_id: The environment.
        observed: What was observed in it, in the order of its steps.
        seed: What the episode was begun with.
        act: Returns the greedy actions for observations (n, observation_dim).
        spaces: The spaces of the policy.
    """

    def take(observation: Any) -> Any:
        action = act(np.asarray(observation, np.float32).reshape(1, -1))[0]
        return action if spaces.actions.discrete else spaces.actions.scaled(action)

    recording = draw_episode(env_id, observed) or record_episode(env_id, take, seed=seed)
    if recording is not None:
        recording.show(ctx, step, env_id, seed)


def greedy_episodes(config: Any) -> str:
    """Return the name of the episodes whose mean return is the score of PPO and DQN."""
    return f"{config.evaluation_episodes} greedy episodes of {config.env_id}"
