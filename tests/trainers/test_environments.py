"""Gymnasium's environments behind our face, advantages, and the memory of steps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.errors import ConfigError
from pipeline_widgets.trainers.numpy.environments import ActionSpace, EpisodeTracker, Transition, play
from pipeline_widgets.trainers.numpy.gymnasium_environment import GymnasiumEnvironment, gymnasium_spaces
from pipeline_widgets.trainers.numpy.nn import Floats
from pipeline_widgets.trainers.numpy.replay import ReplayMemory
from pipeline_widgets.trainers.numpy.rollouts import generalized_advantages

LENGTH = 3  # steps of a Counter's episode


class Counter(gymnasium.Env[Any, Any]):
    """Observes the steps of the episode and the action taken; ends after LENGTH steps."""

    def __init__(self) -> None:
        self.observation_space = gymnasium.spaces.Box(-10, 10, (2,), np.float32)
        self.action_space = gymnasium.spaces.Box(np.array([0.0]), np.array([4.0]), dtype=np.float64)
        self.count = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed, options=options)
        self.count = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        self.count += 1
        over = self.count == LENGTH
        observation = np.array([self.count, action[0]], np.float32)
        return observation, 1.0, False, over, {}


@pytest.fixture
def counter() -> Iterator[str]:
    """The id of the environment Counter."""
    gymnasium.register("Counter-v0", entry_point=lambda **_: Counter())
    yield "Counter-v0"
    gymnasium.registry.pop("Counter-v0")


def steps(environment: GymnasiumEnvironment, count: int) -> list[Transition]:
    """Step from the start on, always with action 0, which is scaled to 2."""
    environment.reset(0)
    return [environment.step(np.zeros((environment.num_envs, 1))) for _ in range(count)]


def same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make Gymnasium begin the next episode in the step that ended one."""
    mode = {"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP}
    monkeypatch.setattr(gymnasium, "make_vec", partial(gymnasium.make_vec, vector_kwargs=mode))


def test_next_step_autoreset_is_masked(counter: str) -> None:
    """Where Gymnasium begins an episode in the step after the last one, that step is not valid."""
    taken = steps(GymnasiumEnvironment(counter, 2), 2 * LENGTH + 2)
    assert [bool(step.valid[0]) for step in taken] == [True, True, True, False, True, True, True, False]
    assert [float(step.successors[0, 0]) for step in taken] == [1, 2, 3, 0, 1, 2, 3, 0]
    assert [bool(step.truncated[0]) for step in taken] == [False, False, True, False] * 2


def test_same_step_autoreset_hands_the_last_observation_over(
    counter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Gymnasium begins it in the same step, the successor is the last observation all the same."""
    same_step(monkeypatch)
    taken = steps(GymnasiumEnvironment(counter, 2), 2 * LENGTH)
    assert all(step.valid.all() for step in taken)
    assert [float(step.successors[0, 0]) for step in taken] == [1, 2, 3, 1, 2, 3]
    assert [float(step.observations[0, 0]) for step in taken] == [1, 2, 0, 1, 2, 0]


def test_continuous_actions_are_scaled_to_their_bounds(counter: str) -> None:
    """-1 and 1 are the bounds of the Box, and more is clipped."""
    environment = GymnasiumEnvironment(counter, 4)
    environment.reset(0)
    step = environment.step(np.array([[-1.0], [0.0], [1.0], [7.0]]))
    assert step.observations[:, 1].tolist() == [0, 2, 4, 4]
    assert environment.spaces.facets == {"observation": "Box(2)", "action": "Box(1)"}


def test_native_cartpole_is_what_single_ones_are() -> None:
    """The natively vectorized CartPole gives the same returns to the same policy as single ones."""

    def lean(observations: Floats) -> Any:
        return (observations[:, 2] + observations[:, 3] > 0).astype(np.int64)

    native = play(GymnasiumEnvironment("CartPole-v1", 200), lean, seed=0, limit=600).returns
    single = gymnasium.make("CartPole-v1")
    returns: list[int] = []
    for seed in range(40):
        observation, _ = single.reset(seed=seed)
        length, over = 0, False
        while not over:
            observation, _, terminated, truncated, _ = single.step(int(lean(observation[None])[0]))
            length, over = length + 1, terminated or truncated
        returns.append(length)
    assert native.mean() == pytest.approx(np.mean(returns), rel=0.15)


def test_play_counts_first_episodes_only(counter: str) -> None:
    """An episode's return ends with it, though the environments go on."""
    episodes = play(GymnasiumEnvironment(counter, 3), lambda _: np.zeros((3, 1)), seed=0, limit=50)
    assert episodes.returns.tolist() == [LENGTH] * 3
    assert not episodes.terminated.any()


def test_tracker_sums_up_the_episodes_that_ended(counter: str) -> None:
    """Steps that only begin an episode add nothing; before any has ended, those under way count."""
    tracker = EpisodeTracker(2)
    taken = steps(GymnasiumEnvironment(counter, 2), 2 * LENGTH + 1)
    tracker.add(taken[0])
    assert tracker.episodes.returns.tolist() == [1, 1]
    for step in taken[1:]:
        tracker.add(step)
    assert tracker.episodes.returns.tolist() == [LENGTH] * 4


@pytest.mark.spec("7.4", "10.3")
@pytest.mark.parametrize("env_id", ["Nothing-v0", "no id", "", "FrozenLake-v1"])
def test_unfit_environments_are_refused(env_id: str) -> None:
    """An unknown id and a space that is not handled are refused with what to do."""
    with pytest.raises(ConfigError) as caught:
        gymnasium_spaces(env_id)
    assert "env_id" in caught.value.fix


def test_spaces_of_cartpole() -> None:
    """CartPole observes four numbers and has two actions."""
    spaces = gymnasium_spaces("CartPole-v1")
    assert spaces.actions == ActionSpace(discrete=True, size=2)
    assert spaces.facets == {"observation": "Box(4)", "action": "Discrete(2)"}


@given(seed=st.integers(0, 1_000), discount=st.floats(0, 1), decay=st.floats(0, 1))
def test_advantages_are_what_their_definition_says(seed: int, discount: float, decay: float) -> None:
    """Advantages are the discounted sums of one-step errors up to the end of the episode."""
    rng = np.random.default_rng(seed)
    rewards, values, next_values = rng.standard_normal((3, 7, 2))
    terminated = rng.random((7, 2)) < 0.2
    done = terminated | (rng.random((7, 2)) < 0.2)
    advantages = generalized_advantages(
        rewards, values, next_values, terminated, done, discount=discount, trace_decay=decay
    )
    for env in range(2):
        for start in range(7):
            expected, weight = 0.0, 1.0
            for step in range(start, 7):
                future = 0 if terminated[step, env] else next_values[step, env]
                expected += weight * (rewards[step, env] + discount * future - values[step, env])
                weight *= discount * decay
                if done[step, env]:
                    break
            assert advantages[start, env] == pytest.approx(expected, abs=1e-9)


def test_memory_forgets_the_oldest_and_skips_invalid_steps() -> None:
    """A full memory holds the last steps, and none that only began an episode."""
    memory = ReplayMemory(4, 1)
    for number in range(6):
        column = np.array([[number], [number + 100]], np.float32)
        flags = np.zeros(2, bool)
        step = Transition(column, column, column[:, 0], flags, flags, valid=np.array([True, False]))
        memory.add(column, np.array([0, 1]), step)
    sampled = memory.sample(200, np.random.default_rng(0))
    assert memory.count == 6
    assert set(sampled.rewards.tolist()) == {2, 3, 4, 5}
    assert set(sampled.actions.tolist()) == {0}
