"""Videos of greedy episodes: environments that are known are drawn, others render themselves where they can.

Gymnasium's own pictures of its classic environments need pygame; what a policy has observed is enough to draw
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.trainers.drawing import BLUE, FAINT, GREEN, INK, ORANGE, Canvas, Point
from pipeline_widgets.trainers.gymnasium_spaces import name_of, open_environment

FRAMES = 60  # of a video at most: of a long episode every second step is drawn, or fewer
WIDTH, HEIGHT = 200, 130  # pixels
FPS = 30.0  # of environments that do not tell
LONGEST = 1_000  # steps


class Recording(NamedTuple):
    """An episode in pictures."""

    frames: Sequence[Any]
    #: Frames a second.
    fps: float
    #: How many steps it took.
    steps: int

    def show(self, ctx: TrainContext, step: int, name: str, seed: int) -> None:
        """Show it.

        Args:
            ctx: What the train function got.
            step: The step that it belongs to.
            name: The environment.
            seed: What the episode was begun with.
        """
        caption = f"Greedy episode of {name}, {self.steps:,} steps"
        ctx.show(step, video=np.stack(self.frames), fps=max(1.0, self.fps), seed=seed, caption=caption)


def draw_episode(env_id: str, observed: Sequence[Any]) -> Recording | None:
    """Return an episode as it can be drawn from what was observed in it; None of an unknown environment.

    Args:
        env_id: The environment.
        observed: What was observed, in the order of the steps.
    """
    draw = _DRAWN.get(env_id.partition("-")[0])
    if draw is None or not observed:
        return None
    stride = -(-len(observed) // FRAMES)
    return Recording([draw(each) for each in observed[::stride]], _DRAWN_FPS / stride, len(observed))


def record_episode(make_env: Any, act: Callable[[Any], Any], *, seed: int) -> Recording | None:
    """Play an episode and return its pictures; None where nobody can draw it.

    Args:
        make_env: A registered id, or a function that makes an environment with render_mode="rgb_array".
        act: Returns the action for one observation.
        seed: What the episode is begun with.
    """
    env_id = name_of(make_env) if isinstance(make_env, str) else ""
    is_drawn = env_id.partition("-")[0] in _DRAWN
    try:
        env = _open(make_env, renders=not is_drawn)
    except Exception:  # noqa: BLE001  it renders nothing, or lacks a library for it
        return None
    frames: list[Any] = []
    observed: list[Any] = []
    try:
        observation, ended = env.reset(seed=seed)[0], False
        while not ended and len(observed) < LONGEST:
            observed.append(np.array(observation))
            if not is_drawn:
                frames.append(np.asarray(env.render(), np.uint8))
            observation, _, terminated, truncated, _ = env.step(act(observation))
            ended = terminated or truncated
        fps = float(env.metadata.get("render_fps") or FPS)
    except Exception:  # noqa: BLE001  as where pygame is missing: that is no reason to end a training
        return None
    finally:
        env.close()
    if is_drawn:
        return draw_episode(env_id, observed)
    stride = -(-len(frames) // FRAMES)
    return Recording(frames[::stride], fps / stride, len(observed)) if frames else None


def _open(make_env: Any, *, renders: bool) -> Any:
    import gymnasium

    if isinstance(make_env, str):
        return gymnasium.make(make_env, render_mode="rgb_array" if renders else None)
    env: Any = open_environment(make_env)
    if env.render_mode != "rgb_array":
        env.close()
        raise ValueError("It renders no pictures.")
    return env


def _draw_cart_pole(observed: Any) -> Any:
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


def _draw_pendulum(observed: Any) -> Any:
    cos, sin = float(observed[0]), float(observed[1])
    canvas, middle, length = Canvas(WIDTH, HEIGHT), (WIDTH / 2, HEIGHT / 2), HEIGHT * 0.4
    canvas.line(middle, (middle[0] - length * sin, middle[1] - length * cos), 9, ORANGE)
    canvas.disc(middle, 4, INK)
    return canvas.pixels


def _draw_acrobot(observed: Any) -> Any:
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


def _draw_mountain_car(observed: Any) -> Any:
    def place(x: float) -> Point:
        return (x + 1.2) / 1.8 * WIDTH, HEIGHT - 18 - (np.sin(3 * x) * 0.45 + 0.55) * (HEIGHT - 50)

    canvas = Canvas(WIDTH, HEIGHT)
    canvas.path([place(x) for x in np.linspace(-1.2, 0.6, 40)], 2, INK)
    flag = place(0.5)
    canvas.line(flag, (flag[0], flag[1] - 22), 2, GREEN)
    x, y = place(float(observed[0]))
    canvas.disc((x, y - 7), 7, ORANGE)
    return canvas.pixels


_DRAWN: dict[str, Callable[[Any], Any]] = {
    "CartPole": _draw_cart_pole,
    "Pendulum": _draw_pendulum,
    "Acrobot": _draw_acrobot,
    "MountainCar": _draw_mountain_car,
    "MountainCarContinuous": _draw_mountain_car,
}
_DRAWN_FPS = 50.0
