"""Networks, the optimizer and distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline_widgets.trainers.numpy.distributions import Categorical, DiagonalGaussian
from pipeline_widgets.trainers.numpy.nn import MLP, Adam, Floats, cosine, log_softmax

LOGITS = arrays(np.float64, (3, 5), elements=st.floats(-500, 500))


@given(logits=LOGITS)
def test_log_softmax_is_normalized(logits: Floats) -> None:
    """The probabilities of each row sum to 1, however large the logits."""
    assert np.allclose(np.exp(log_softmax(logits)).sum(axis=1), 1)


@given(logits=LOGITS, shift=st.floats(-100, 100))
def test_log_softmax_ignores_shifts(logits: Floats, shift: float) -> None:
    """Adding the same number to all logits changes nothing."""
    assert np.allclose(log_softmax(logits + shift), log_softmax(logits))


def test_parameters_and_outputs_are_float32() -> None:
    """Nothing turns a network into float64 behind its back, not even training."""
    network = MLP([3, 8, 2], np.random.default_rng(0))
    inputs = np.ones((4, 3), np.float32)
    activations = network.forward(inputs)
    Adam(network.parameters, 1e-3, clip=0.1).step(network.backward(activations, activations[-1] - 1))
    assert {array.dtype for array in [*network.parameters, network(inputs)]} == {np.dtype(np.float32)}


def test_adam_finds_the_minimum_of_a_bowl() -> None:
    """Adam comes to the minimum of a quadratic function of very unlike curvatures."""
    curvatures = np.array([100.0, 1.0, 0.01])
    point = np.array([1.0, -2.0, 3.0])
    optimizer = Adam([point], 0.05)
    for step in range(2_000):
        optimizer.step([curvatures * point], scale=cosine(step / 2_000))
    assert np.allclose(point, 0, atol=1e-2)


def test_the_first_step_of_adam_is_the_learning_rate() -> None:
    """Bias correction makes the first step as long as the learning rate, whatever the gradient."""
    point = np.zeros(2)
    Adam([point], 0.1).step([np.array([1e-3, -1e3])])
    assert point == pytest.approx([-0.1, 0.1], rel=1e-3)


def test_clipping_bounds_the_norm_over_all_parameters() -> None:
    """Gradients beyond the clip are shrunk together, those below it are left alone."""
    optimizer = Adam([np.zeros(1), np.zeros(1)], 0.1, clip=1.0)
    optimizer.step([np.array([30.0]), np.array([40.0])])
    assert [float(mean[0]) for mean in optimizer.means] == pytest.approx([0.06, 0.08])
    optimizer.step([np.array([0.0]), np.array([0.5])])
    assert float(optimizer.means[1][0]) == pytest.approx(0.9 * 0.08 + 0.05)


def test_copying_at_a_rate_moves_part_of_the_way() -> None:
    """`copy_from` at rate 1 makes the networks equal, at a lower rate moves by that share."""
    ours, theirs = (MLP([2, 3, 1], np.random.default_rng(seed)) for seed in (0, 1))
    middle = (ours.parameters[0] + theirs.parameters[0]) / 2
    ours.copy_from(theirs, rate=0.5)
    assert np.allclose(ours.parameters[0], middle)
    ours.copy_from(theirs)
    assert np.allclose(ours.parameters[0], theirs.parameters[0])


def test_cosine_falls_from_one_to_zero() -> None:
    """The schedule starts at 1, ends at 0, and stays there."""
    assert [cosine(progress) for progress in (0, 0.5, 1, 2)] == pytest.approx([1, 0.5, 0, 0])


def test_categorical_samples_as_often_as_its_probabilities_say() -> None:
    """Sampled actions have the frequencies of the distribution, and the mode is the likeliest."""
    probabilities = np.array([0.1, 0.6, 0.3])
    distribution = Categorical(np.tile(np.log(probabilities), (20_000, 1)))
    actions = distribution.sample(np.random.default_rng(0))
    assert np.bincount(actions) / 20_000 == pytest.approx(probabilities, abs=0.02)
    assert set(distribution.mode().tolist()) == {1}
    assert distribution.entropy()[0] == pytest.approx(-(probabilities * np.log(probabilities)).sum())


def test_gaussian_density_and_entropy_agree_with_samples() -> None:
    """The entropy is minus the mean log-density of samples."""
    distribution = DiagonalGaussian(np.zeros((50_000, 2)), np.array([0.5, -1.0]))
    samples = distribution.sample(np.random.default_rng(0))
    assert samples.std(axis=0) == pytest.approx(np.exp([0.5, -1.0]), rel=0.02)
    assert -distribution.log_prob(samples).mean() == pytest.approx(distribution.entropy()[0], abs=0.02)
