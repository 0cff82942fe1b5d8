"""Play data of swimmers: joint angles and joint rates of a steerable travelling wave, without goals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline_widgets.trainers.numpy.nn import Floats
from pipeline_widgets.trainers.numpy.swimmer import INITIAL_BEND, JOINT_SPEED, Swimmers

SWIMMERS, STEPS = 64, 240
SEGMENT = 24  # steps between changes of the turn
AMPLITUDE = 0.9  # radians
PHASE_RATE = 0.6  # radians a step
WAVE = 1.2 * np.pi  # radians of phase from the first joint to the last
LARGEST_TURN = 0.45  # radians that every joint is bent by
NOISE = 0.05  # standard deviation of what is done but not recorded
HELD_OUT = 0.1  # share of the steps, the last ones
DATA_SEED = 0


class GaitData(NamedTuple):
    """Joint angles (n, joints) and the actions taken there (n, joints), in [-1, 1]."""

    states: Floats
    actions: Floats


def gait_data(links: int) -> tuple[GaitData, GaitData]:
    """Return the play data to train on, and those held out."""
    rng = np.random.default_rng(DATA_SEED)
    swimmers = Swimmers(SWIMMERS, links)
    swimmers.angles[:] = rng.normal(0, INITIAL_BEND, swimmers.angles.shape)
    phases = rng.uniform(0, 2 * np.pi, (SWIMMERS, 1))
    lags = np.arange(swimmers.joints) * WAVE / swimmers.joints
    turns = np.zeros((SWIMMERS, 1))
    states, actions = np.zeros((2, STEPS, SWIMMERS, swimmers.joints), np.float32)
    for step in range(STEPS):
        if step % SEGMENT == 0:
            turns = rng.uniform(-LARGEST_TURN, LARGEST_TURN, (SWIMMERS, 1))
        phases += PHASE_RATE
        wave = AMPLITUDE * np.sin(phases - lags) + turns
        states[step] = swimmers.angles
        actions[step] = np.clip((wave - swimmers.angles) / JOINT_SPEED, -1, 1)
        swimmers.bend(actions[step] + NOISE * rng.standard_normal(swimmers.angles.shape))
    cut = int(STEPS * (1 - HELD_OUT))
    return _flat(states[:cut], actions[:cut]), _flat(states[cut:], actions[cut:])


def _flat(states: Floats, actions: Floats) -> GaitData:
    joints = states.shape[-1]
    return GaitData(states.reshape(-1, joints), actions.reshape(-1, joints))
