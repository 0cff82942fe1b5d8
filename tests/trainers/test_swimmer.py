"""The physics of the swimmer, its task and its play data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline_widgets.trainers.numpy import swimmer
from pipeline_widgets.trainers.numpy.environments import play
from pipeline_widgets.trainers.numpy.gait import gait_data
from pipeline_widgets.trainers.numpy.nn import Floats
from pipeline_widgets.trainers.numpy.swimmer import SwimmerEnvironment, Swimmers

STROKES = arrays(np.float64, (6, 5), elements=st.floats(-0.3, 0.3))


def swim(swimmers: Swimmers, steps: int, *, speed: float = 0.6, substeps: int = 1) -> float:
    """Run a travelling wave from the head to the tail, and return how far it leads."""
    lags = np.arange(swimmers.joints) * 1.2 * np.pi / swimmers.joints
    swimmers.angles[:] = 0.6 * np.sin(-lags)
    start = swimmers.centres()
    for step in range(1, steps * substeps + 1):
        wave = 0.6 * np.sin(step * speed / substeps - lags)
        swimmers.bend((wave - swimmers.angles) / swimmer.JOINT_SPEED)
    return float(np.linalg.norm(swimmers.centres() - start, axis=1)[0])


@given(strokes=STROKES)
def test_scallop_theorem(strokes: Floats) -> None:
    """Strokes that are taken back in reverse order lead nowhere (Purcell 1977)."""
    swimmers = Swimmers(1, 6)
    swimmers.heading[:] = 0.7
    start = np.concatenate([swimmers.head[0], swimmers.heading, swimmers.angles[0]])
    for stroke in [*strokes, *-strokes[::-1]]:
        swimmers.bend(stroke[None])
    end = np.concatenate([swimmers.head[0], swimmers.heading, swimmers.angles[0]])
    assert end == pytest.approx(start, abs=1e-9)


def test_a_travelling_wave_swims() -> None:
    """Coordinated motion moves the swimmer, though each joint only goes to and fro."""
    assert swim(Swimmers(1, 6), 40) > 0.15


def test_drag_alike_along_and_across_does_not_swim(monkeypatch: pytest.MonkeyPatch) -> None:
    """What moves the swimmer is that drag across a link is larger than along it."""
    monkeypatch.setattr(swimmer, "ACROSS", swimmer.ALONG)
    assert swim(Swimmers(1, 6), 40, substeps=4) < 0.01


def test_steps_are_fine_enough() -> None:
    """Steps sixteen times as fine lead as far, within some percent."""
    coarse, fine = swim(Swimmers(1, 6), 40), swim(Swimmers(1, 6), 40, substeps=16)
    assert coarse == pytest.approx(fine, rel=0.05)


@given(angle=st.floats(-3, 3), x=st.floats(-5, 5), y=st.floats(-5, 5))
def test_motion_is_the_same_in_all_directions(angle: float, x: float, y: float) -> None:
    """A turned and moved swimmer does the same, turned and moved."""
    here, there = Swimmers(1, 6), Swimmers(1, 6)
    there.heading[:], there.head[:] = angle, (x, y)
    rng = np.random.default_rng(0)
    for _ in range(5):
        action = rng.uniform(-1, 1, (1, 5))
        here.bend(action)
        there.bend(action)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert there.centres() == pytest.approx(here.centres() @ turn + [x, y], abs=1e-9)


def test_joints_stop_at_their_limit() -> None:
    """However hard it is driven, a joint does not bend beyond its limit."""
    swimmers = Swimmers(2, 4)
    for _ in range(20):
        swimmers.bend(np.array([[9.0, -9.0, 0.0]] * 2))
    assert swimmers.angles == pytest.approx(np.array([[swimmer.JOINT_LIMIT, -swimmer.JOINT_LIMIT, 0.0]] * 2))


def test_episodes_end_in_time_and_begin_anew() -> None:
    """An episode is cut short after its time, and the next one has another goal and starts from step 0."""
    environment = SwimmerEnvironment(3, 6)
    first = environment.reset(0)
    transitions = [environment.step(np.zeros((3, 5))) for _ in range(swimmer.EPISODE)]
    assert not any(transition.done.any() for transition in transitions[:-1])
    assert transitions[-1].truncated.all()
    assert transitions[-1].successors == pytest.approx(first, abs=1e-6)
    assert not np.allclose(transitions[-1].observations, first)


def test_progress_is_rewarded_unless_sparse() -> None:
    """The rewards of an episode sum up to the way towards the goal, times a factor; sparse ones are 0."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (20, 4, 5))
    for sparse in (False, True):
        environment = SwimmerEnvironment(4, 6, sparse=sparse)
        before = environment.reset(1)[:, -1]
        transitions = [environment.step(action) for action in actions]
        gained = np.sum([transition.rewards for transition in transitions], axis=0)
        way = swimmer.PROGRESS_REWARD * (before - transitions[-1].successors[:, -1])
        assert gained == pytest.approx(np.zeros(4) if sparse else way, abs=1e-4)


def test_random_joints_reach_no_goal() -> None:
    """Uncoordinated noise hardly ever brings a swimmer to its goal."""
    rng = np.random.default_rng(0)
    episodes = play(SwimmerEnvironment(100, 6), lambda _: rng.uniform(-1, 1, (100, 5)), seed=0, limit=200)
    assert episodes.terminated.mean() < 0.05


def test_play_data_are_split_and_bounded() -> None:
    """Actions are in [-1, 1], and the held-out steps are a tenth of them."""
    train, held_out = gait_data(6)
    assert np.abs(train.actions).max() <= 1
    assert len(held_out.states) == pytest.approx(0.1 * (len(train.states) + len(held_out.states)), rel=0.01)
