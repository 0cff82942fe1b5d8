"""Videos of greedy episodes: environments that are known are drawn, others render themselves where they can.

Gymnasium's own pictures of its classic environments need pygame; what a policy has observed is enough to draw
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.trainers.numpy.drawing import BLUE, FAINT, GREEN, INK, ORANGE, Canvas, Point
from pipeline_widgets.trainers.numpy.environments import Spaces
from pipeline_widgets.trainers.numpy.nn import Floats
from pipeline_widgets.trainers.numpy.swimmer import REACHED, SwimmerEnvironment

FRAMES = 60  # of a video at most: of a long episode every second step is drawn, or fewer
WIDTH, HEIGHT = 200, 130  # pixels
FPS = 30.0  # of environments that do not tell
LONGEST = 1_000  # steps


class Pose(NamedTuple):
    """A swimmer at a moment: the joints of its links from the head on, (links + 1, 2), and its goal, (2,)."""

    joints: Floats
    goal: Floats


def show_gymnasium_episode(
    ctx: TrainContext,
    step: int,
    env_id: str,
    observed: Sequence[Floats],
    *,
    seed: int,
    act: Callable[[Floats], Any],
    spaces: Spaces,
) -> None:
    """Show an episode of a Gymnasium environment.

    Args:
        ctx: What the train function got.
        step: The step that it belongs to.
        env_id: The environment.
        observed: What was observed in it, in the order of its steps.
        seed: What the episode was begun with.
        act: Returns the greedy actions for observations (n, observation_dim).
        spaces: The spaces of the policy.
    """
    draw = _DRAWN.get(env_id.partition("-")[0])
    if draw is not None and observed:
        stride = -(-len(observed) // FRAMES)
        frames, fps = [draw(each) for each in observed[::stride]], _DRAWN_FPS / stride
    else:
        frames, fps = _render(env_id, seed, act, spaces)
    if frames:
        caption = f"Greedy episode of {env_id}, {len(observed):,} steps"
        ctx.show(step, video=np.stack(frames), fps=max(1.0, fps), seed=seed, caption=caption)


def pose_of(environment: SwimmerEnvironment) -> Pose:
    """Return how the first of some swimmers lies now."""
    return Pose(environment.swimmers.joint_places()[0], environment.goals[0].copy())


def show_swim(ctx: TrainContext, step: int, poses: Sequence[Pose], *, seed: int) -> None:
    """Show an episode of the swimmer.

    Args:
        ctx: What the train function got.
        step: The step that it belongs to.
        poses: How it lay at each moment.
        seed: What the episode was begun with.
    """
    stride = -(-len(poses) // FRAMES)
    every = np.concatenate([each.joints for each in poses] + [poses[0].goal[None]])
    low, high = every.min(axis=0) - 2 * REACHED, every.max(axis=0) + 2 * REACHED
    scale = min(WIDTH / (high[0] - low[0]), HEIGHT / (high[1] - low[1]))
    middle = (low + high) / 2

    def place(point: Floats) -> Point:
        x, y = (point - middle) * scale
        return WIDTH / 2 + float(x), HEIGHT / 2 - float(y)

    frames: list[Any] = []
    for pose in poses[::stride]:
        canvas = Canvas(WIDTH, HEIGHT)
        canvas.disc(place(pose.goal), REACHED * scale, FAINT)
        canvas.disc(place(pose.goal), 2.5, GREEN)
        points = [place(each) for each in pose.joints]
        canvas.path(points, 4, BLUE)
        canvas.disc(points[0], 3.5, ORANGE)
        frames.append(canvas.pixels)
    caption = f"Greedy episode of the swimmer, {len(poses):,} steps; the green dot is its goal"
    ctx.show(step, video=np.stack(frames), fps=max(1.0, 20 / stride), seed=seed, caption=caption)


def _render(env_id: str, seed: int, act: Callable[[Floats], Any], spaces: Spaces) -> tuple[list[Any], float]:
    """Return the pictures that an environment makes of itself in an episode; none where it cannot."""
    import gymnasium

    try:
        env: Any = gymnasium.make(env_id, render_mode="rgb_array")
    except Exception:  # noqa: BLE001  it renders nothing, or lacks a library for it
        return [], FPS
    frames: list[Any] = []
    try:
        observation, ended, steps = env.reset(seed=seed)[0], False, 0
        while not ended and steps < LONGEST:
            frames.append(env.render())
            actions = act(np.asarray(observation, np.float32).reshape(1, -1))
            action = actions[0]
            if not spaces.actions.discrete:
                action = spaces.actions.scaled(actions)[0].reshape(env.action_space.shape)
            observation, _, terminated, truncated, _ = env.step(action)
            ended, steps = terminated or truncated, steps + 1
    except Exception:  # noqa: BLE001  as where pygame is missing: nothing of that is about the training
        return [], FPS
    finally:
        env.close()
    stride = -(-len(frames) // FRAMES)
    return frames[::stride], float(env.metadata.get("render_fps") or FPS) / stride


def _draw_cart_pole(observed: Floats) -> Any:
    position, angle = float(observed[0]), float(observed[2])
    canvas, scale, floor = Canvas(WIDTH, HEIGHT), WIDTH / 5.2, HEIGHT - 34
    x = WIDTH / 2 + position * scale
    canvas.rectangle(0, floor + 13, WIDTH, floor + 15, FAINT)
    canvas.rectangle(x - 18, floor - 8, x + 18, floor + 8, INK)
    for wheel in (-11, 11):
        canvas.disc((x + wheel, floor + 9), 5, INK)
    tip = (x + 2 * scale * np.sin(angle), floor - 8 - 2 * scale * np.cos(angle))
    canvas.line((x, floor - 8), (float(tip[0]), float(tip[1])), 6, ORANGE)
    canvas.disc((x, floor - 8), 3, BLUE)
    return canvas.pixels


def _draw_pendulum(observed: Floats) -> Any:
    cos, sin = float(observed[0]), float(observed[1])
    canvas, middle, length = Canvas(WIDTH, HEIGHT), (WIDTH / 2, HEIGHT / 2), HEIGHT * 0.4
    canvas.line(middle, (middle[0] - length * sin, middle[1] - length * cos), 9, ORANGE)
    canvas.disc(middle, 4, INK)
    return canvas.pixels


def _draw_acrobot(observed: Floats) -> Any:
    first = float(np.arctan2(observed[1], observed[0]))
    second = first + float(np.arctan2(observed[3], observed[2]))
    canvas, length = Canvas(WIDTH, HEIGHT), HEIGHT * 0.22
    hinge = (WIDTH / 2, HEIGHT * 0.5)
    elbow = (hinge[0] + length * np.sin(first), hinge[1] + length * np.cos(first))
    hand = (elbow[0] + length * np.sin(second), elbow[1] + length * np.cos(second))
    canvas.rectangle(0, hinge[1] - length - 1, WIDTH, hinge[1] - length + 1, FAINT)  # what it has to reach
    canvas.path([hinge, elbow, hand], 6, BLUE)
    canvas.disc(hinge, 4, INK)
    canvas.disc(elbow, 4, ORANGE)
    return canvas.pixels


def _draw_mountain_car(observed: Floats) -> Any:
    def place(x: float) -> Point:
        return (x + 1.2) / 1.8 * WIDTH, HEIGHT - 18 - (np.sin(3 * x) * 0.45 + 0.55) * (HEIGHT - 50)

    canvas = Canvas(WIDTH, HEIGHT)
    canvas.path([place(x) for x in np.linspace(-1.2, 0.6, 40)], 2, INK)
    flag = place(0.5)
    canvas.line(flag, (flag[0], flag[1] - 22), 2, GREEN)
    x, y = place(float(observed[0]))
    canvas.disc((x, y - 7), 7, ORANGE)
    return canvas.pixels


_DRAWN: dict[str, Callable[[Floats], Any]] = {
    "CartPole": _draw_cart_pole,
    "Pendulum": _draw_pendulum,
    "Acrobot": _draw_acrobot,
    "MountainCar": _draw_mountain_car,
    "MountainCarContinuous": _draw_mountain_car,
}
_DRAWN_FPS = 50.0
