"""The gradients that the trainers use, against central finite differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pipeline_widgets.trainers.numpy import letters
from pipeline_widgets.trainers.numpy.action_vae import ActionVAE, DecoderFacts, vae_loss
from pipeline_widgets.trainers.numpy.actor_critic import ActorCritic
from pipeline_widgets.trainers.numpy.dpo import dpo_loss, log_ratios
from pipeline_widgets.trainers.numpy.dqn import q_loss
from pipeline_widgets.trainers.numpy.environments import ActionSpace, Spaces
from pipeline_widgets.trainers.numpy.grpo import Answers, grpo_loss
from pipeline_widgets.trainers.numpy.language_model import LanguageModel
from pipeline_widgets.trainers.numpy.nn import MLP, Activation, Floats, Loss
from pipeline_widgets.trainers.numpy.ppo_trainer import policy_loss, value_loss
from pipeline_widgets.trainers.numpy.rollouts import Batch
from pipeline_widgets.trainers.numpy.sft import sft_loss
from pipeline_widgets.trainers.numpy.tabular import Table, TabularFacts, TabularModel, tabular_loss

STEP = 1e-6
TOLERANCE = 1e-5  # relative


def check(parameters: Sequence[Floats], compute: Callable[[], Loss], *, samples: int = 60) -> None:
    """Compare some entries of the gradients to central finite differences."""
    rng = np.random.default_rng(1)
    gradients = compute().gradients
    assert len(gradients) == len(parameters)
    compared = 0.0
    for _ in range(samples):
        which = int(rng.integers(len(parameters)))
        shape: tuple[int, ...] = parameters[which].shape
        entry = tuple(int(rng.integers(size)) for size in shape)
        numeric = difference(parameters[which], entry, lambda: compute().value)
        exact = float(gradients[which][entry])
        assert exact == pytest.approx(numeric, rel=TOLERANCE, abs=1e-8)
        compared = max(compared, abs(exact))
    assert compared > 1e-4, "only zeros were compared"


def difference(parameter: Floats, entry: tuple[int, ...], value: Callable[[], float]) -> float:
    """Return the central finite difference of a value by one entry of a parameter."""
    original = float(parameter[entry])
    parameter[entry] = original + STEP
    above = value()
    parameter[entry] = original - STEP
    below = value()
    parameter[entry] = original
    return (above - below) / (2 * STEP)


def smooth(network: MLP) -> None:
    """Turn a network into float64, with biases that keep activations off the kink of a ReLU at 0."""
    network.astype(np.float64)
    rng = np.random.default_rng(3)
    for bias in network.parameters[1::2]:
        np.add(bias, rng.normal(0, 0.1, bias.shape), out=bias)


def language_model(seed: int) -> LanguageModel:
    """Return a model in float64 whose weights are far enough from zero to matter."""
    model = LanguageModel("letters-64", np.random.default_rng(seed))
    model.network.astype(np.float64)
    model.network.parameters[-2] *= 5
    return model


def actor_critic(actions: ActionSpace) -> ActorCritic:
    """Return a policy and value function in float64."""
    model = ActorCritic(Spaces(4, actions), 8, np.random.default_rng(0))
    model.policy.astype(np.float64)
    model.policy.parameters[-2] *= 50
    model.value.astype(np.float64)
    model.log_std = np.array([-0.3, 0.2])
    return model


def batch_for(model: ActorCritic, *, discrete: bool) -> Batch:
    """Return rows whose ratios are on both sides of the clip."""
    rng = np.random.default_rng(2)
    observations = rng.standard_normal((40, 4))
    actions = rng.integers(0, 2, 40) if discrete else rng.standard_normal((40, 2))
    log_probs = model.distribution(model.policy(observations)).log_prob(actions)
    return Batch(
        observations=observations,
        actions=actions,
        log_probs=log_probs + rng.normal(0, 0.3, 40),
        advantages=rng.standard_normal(40),
        returns=rng.standard_normal(40),
    )


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_mlp(activation: Activation) -> None:
    """Backpropagation gives the gradients of parameters and inputs."""
    rng = np.random.default_rng(0)
    network = MLP([5, 8, 7, 3], rng, activation=activation)
    smooth(network)
    inputs, targets = rng.standard_normal((6, 5)), rng.standard_normal((6, 3))

    def compute() -> Loss:
        activations = network.forward(inputs)
        errors = activations[-1] - targets
        gradients, to_inputs = network.backward_to_inputs(activations, 2 * errors)
        return Loss(float((errors**2).sum()), [*gradients, to_inputs], {})

    check([*network.parameters, inputs], compute)


def test_sft() -> None:
    """The SFT loss has the gradient that its trainer steps along."""
    model = language_model(0)
    prompts = letters.prompts().train[:6]
    check(model.network.parameters, lambda: sft_loss(model, prompts, letters.answers(prompts)))


@pytest.mark.parametrize("sft_weight", [0.0, 0.5])
def test_dpo(sft_weight: float) -> None:
    """The DPO loss has the gradient that its trainer steps along, with and without the SFT term."""
    model, reference = language_model(0), language_model(1)
    pairs = letters.Pairs(*(part[:6] for part in letters.preference_pairs()))
    ratios = log_ratios(reference, pairs)
    check(
        model.network.parameters,
        lambda: dpo_loss(model, pairs, ratios, beta=0.3, sft_weight=sft_weight),
    )


@pytest.mark.parametrize("kl_weight", [0.0, 0.1])
def test_grpo(kl_weight: float) -> None:
    """The GRPO loss has the gradient that its trainer steps along, for completions of any length."""
    model, reference = language_model(0), language_model(1)
    rng = np.random.default_rng(0)
    prompts = letters.prompts().train[:12]
    completions = model.generate(prompts, rng)
    old = model.score(prompts, completions).log_probs
    answers = Answers(
        prompts=prompts,
        completions=completions,
        advantages=rng.standard_normal(12),
        old_log_probs=old + rng.normal(0, 0.3, old.shape),
        reference_log_probs=reference.score(prompts, completions).log_probs,
    )
    compute = lambda: grpo_loss(model, answers, clip=0.2, kl_weight=kl_weight)  # noqa: E731  read it in place
    assert 0 < compute().metrics["clipped"] < 1
    check(model.network.parameters, compute)


@pytest.mark.parametrize("discrete", [True, False])
def test_ppo_policy(discrete: bool) -> None:  # noqa: FBT001  a parameter of the test
    """The policy loss has the gradient that PPO steps along, for discrete and continuous actions."""
    model = actor_critic(ActionSpace(discrete=discrete, size=2))
    batch = batch_for(model, discrete=discrete)
    compute = lambda: policy_loss(model, batch, clip=0.2, entropy_weight=0.1)  # noqa: E731  read it in place
    assert 0 < compute().metrics["clipped"] < 1
    check(model.policy_parameters, compute)


def test_ppo_value() -> None:
    """The value loss has the gradient that PPO steps along."""
    model = actor_critic(ActionSpace(discrete=True, size=2))
    batch = batch_for(model, discrete=True)
    check(model.value.parameters, lambda: value_loss(model, batch))


def test_dqn() -> None:
    """The loss of the Q-network has the gradient that DQN steps along."""
    rng = np.random.default_rng(0)
    network = MLP([4, 8, 8, 3], rng, activation="relu")
    smooth(network)
    observations, actions = rng.standard_normal((20, 4)), rng.integers(0, 3, 20)
    targets = rng.standard_normal(20)
    check(network.parameters, lambda: q_loss(network, observations, actions, targets))


def test_vae() -> None:
    """The loss of the conditional VAE has the gradient that the decoder's trainer steps along."""
    rng = np.random.default_rng(0)
    model = ActionVAE(DecoderFacts(state_dim=4, action_dim=3, latent_dim=2, hidden_units=8), rng)
    model.encoder.astype(np.float64)
    model.encoder.parameters[-2] *= 100  # so that some log standard deviations are clipped
    model.decoder.network.astype(np.float64)
    states, actions, noise = (rng.standard_normal((30, size)) for size in (4, 3, 2))
    check(model.parameters, lambda: vae_loss(model, states, actions, noise, 0.05))


@pytest.mark.parametrize("classes", [0, 3])
def test_tabular(classes: int) -> None:
    """The losses of regression and classification have the gradients that Supervised steps along."""
    rng = np.random.default_rng(0)
    model = TabularModel(TabularFacts(features=5, classes=classes, hidden_units=8), rng)
    smooth(model.network)
    targets = rng.integers(0, classes, 20) if classes else rng.standard_normal(20)
    table = Table(rng.standard_normal((20, 5)), targets)
    check(model.network.parameters, lambda: tabular_loss(model, table))
