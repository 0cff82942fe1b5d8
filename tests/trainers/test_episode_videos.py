"""Videos of episodes: what is known is drawn, what renders itself is recorded (spec 9.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from direct_runs import context

from pipeline_widgets.domain.job import ShowReport
from pipeline_widgets.trainers.drawing import BLUE, WHITE, Canvas
from pipeline_widgets.trainers.episode_videos import FRAMES, HEIGHT, WIDTH, draw_episode, record_episode
from pipeline_widgets.trainers.numpy.swim_video import pose_of, show_swim
from pipeline_widgets.trainers.numpy.swimmer import SwimmerEnvironment

pytestmark = pytest.mark.spec("9.4")


class Growing(gymnasium.Env[Any, Any]):
    """Twenty steps; its picture tells which."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012  as Gymnasium has it
    observation_space = gymnasium.spaces.Box(-1, 1, (2,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self.count = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed, options=options)
        self.count = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        del action
        self.count += 1
        return np.zeros(2, np.float32), 1.0, self.count >= 20, False, {}

    def render(self) -> Any:
        return np.full((6, 8, 3), self.count, np.uint8)


def test_a_line_and_a_disc_are_where_they_are_said_to_be() -> None:
    """What is outside of the picture is left out."""
    canvas = Canvas(40, 30)
    canvas.line((10, 15), (30, 15), 4, BLUE)
    assert tuple(canvas.pixels[15, 20]) == BLUE
    assert tuple(canvas.pixels[5, 20]) == WHITE
    canvas.disc((-50, -50), 3, BLUE)
    canvas.disc((0, 0), 3, BLUE)
    assert tuple(canvas.pixels[0, 0]) == BLUE


@pytest.mark.parametrize(
    "env_id", ["CartPole-v1", "Pendulum-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0"]
)
def test_a_known_environment_is_drawn_from_what_was_observed(env_id: str) -> None:
    """No library for that is needed; a long episode has every second picture, or fewer."""
    env: Any = gymnasium.make(env_id)

    def act(_: Any) -> Any:
        return env.action_space.low * 0 + 0.5 if hasattr(env.action_space, "low") else 1

    recording = record_episode(env_id, act, seed=3)
    assert recording is not None
    assert recording.frames[0].shape == (HEIGHT, WIDTH, 3)
    assert len(recording.frames) <= FRAMES
    assert (recording.frames[0] != recording.frames[-1]).any()
    assert recording.fps == 50 / -(-recording.steps // FRAMES)
    assert draw_episode(env_id, []) is None
    env.close()


def test_an_environment_that_renders_itself_is_recorded(tmp_path: Path) -> None:
    """With its own frames a second; one that renders nothing shows nothing, and ends no training."""
    recording = record_episode(Growing, lambda _: 0, seed=3)
    assert recording is not None
    assert [int(frame[0, 0, 0]) for frame in recording.frames] == list(range(20))
    assert (recording.fps, recording.steps) == (10, 20)
    ctx, run = context(tmp_path)
    recording.show(ctx, 5, "Growing", 3)
    (event,) = run.events
    assert isinstance(event, ShowReport)
    assert (event.caption, event.seed, event.seconds) == ("Greedy episode of Growing, 20 steps", 3, 2.0)
    assert record_episode(lambda: Growing(None), lambda _: 0, seed=3) is None

    def fail(_: Any) -> Any:
        raise RuntimeError("no action")

    assert record_episode(Growing, fail, seed=3) is None


def test_a_swimmer_is_drawn_with_its_goal(tmp_path: Path) -> None:
    """Its links are as long as they are, wherever it is."""
    environment = SwimmerEnvironment(3, 6)
    environment.reset(1)
    poses = [pose_of(environment)]
    for _ in range(70):
        environment.step(np.full((3, 5), 0.3))
        poses.append(pose_of(environment))
    lengths = np.linalg.norm(np.diff(poses[-1].joints, axis=0), axis=1)
    assert lengths == pytest.approx(np.full(6, 1 / 6))
    centre = (poses[-1].joints[:-1] + poses[-1].joints[1:]).mean(axis=0) / 2
    assert centre == pytest.approx(environment.swimmers.centres()[0])
    ctx, run = context(tmp_path)
    show_swim(ctx, 9, poses, seed=1)
    (event,) = run.events
    assert isinstance(event, ShowReport)
    assert (event.kind, event.width, event.height) == ("video", WIDTH, HEIGHT)
