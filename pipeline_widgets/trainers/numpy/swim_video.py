"""Videos of the swimmer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.trainers.drawing import BLUE, FAINT, GREEN, ORANGE, Canvas, Point
from pipeline_widgets.trainers.episode_videos import FRAMES, HEIGHT, WIDTH
from pipeline_widgets.trainers.numpy.nn import Floats
from pipeline_widgets.trainers.numpy.swimmer import REACHED, SwimmerEnvironment

STEPS_A_SECOND = 20


class Pose(NamedTuple):
    """A swimmer at a moment: the joints of its links from the head on, (links + 1, 2), and its goal, (2,)."""

    joints: Floats
    goal: Floats


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
    ctx.show(step, video=np.stack(frames), fps=max(1.0, STEPS_A_SECOND / stride), seed=seed, caption=caption)
