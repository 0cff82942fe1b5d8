"""A conditional variational autoencoder of actions, whose decoder turns latents into joint actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from pydantic import Field

from pipeline_widgets.errors import CheckpointError, PipelineError
from pipeline_widgets.trainers.numpy import checkpoint_files
from pipeline_widgets.trainers.numpy.nn import MLP, Floats, Loss
from pipeline_widgets.trainers.numpy.predictor_inputs import Answering, as_batch

DECODER_PART = "decoder"
LATENT_BOUND = 3.0  # standard deviations of the prior that the decoder was trained for
LOG_STD_BOUNDS = (-6.0, 2.0)


class DecoderFacts(checkpoint_files.PartMetadata):
    """The facts that a checkpoint states about its decoder."""

    kind: Literal["action decoder"] = "action decoder"
    state_dim: int = Field(ge=1, le=10_000)
    action_dim: int = Field(ge=1, le=10_000)
    latent_dim: int = Field(ge=1, le=1_000)
    hidden_units: int = Field(ge=1, le=4096)


class ActionDecoder:
    """An action for a state and a latent.

    Args:
        facts: The sizes.
        rng: Draws the initial weights.
    """

    def __init__(self, facts: DecoderFacts, rng: np.random.Generator) -> None:
        self.facts = facts
        hidden = facts.hidden_units
        sizes = [facts.state_dim + facts.latent_dim, hidden, hidden, facts.action_dim]
        self.network = MLP(sizes, rng, output_scale=0.1)
        #: Standard deviation of each joint's actions in the data; the network works in these units.
        self.scale: Floats = np.ones(facts.action_dim, np.float32)

    def decode(self, states: Floats, latents: Floats, *, by_row: bool = False) -> Floats:
        """Return actions (batch, action_dim); latents are clipped to what the prior makes likely."""
        bounded = np.clip(latents, -LATENT_BOUND, LATENT_BOUND)
        inputs = np.concatenate([states, bounded], axis=1).astype(np.float32)
        return self.network(inputs, by_row=by_row) * self.scale

    def save(self, folder: Path) -> None:
        """Write the decoder into a checkpoint folder."""
        arrays = checkpoint_files.named("network", self.network.parameters) | {"scale.0": self.scale}
        checkpoint_files.save(folder, DECODER_PART, self.facts, arrays)


class ActionVAE:
    """An encoder q(latent | state, action) beside a decoder, in training.

    Args:
        facts: The sizes.
        rng: Draws the initial weights.
    """

    def __init__(self, facts: DecoderFacts, rng: np.random.Generator) -> None:
        hidden = facts.hidden_units
        sizes = [facts.state_dim + facts.action_dim, hidden, hidden, 2 * facts.latent_dim]
        self.latent_dim = facts.latent_dim
        self.encoder = MLP(sizes, rng, output_scale=0.1)
        self.decoder = ActionDecoder(facts, rng)

    @property
    def parameters(self) -> list[Floats]:
        """The parameters that `vae_loss` has gradients for."""
        return [*self.encoder.parameters, *self.decoder.network.parameters]

    def means(self, states: Floats, actions: Floats) -> Floats:
        """Return the mean latent of each state and action, in units of the decoder's scale."""
        return self.encoder(np.concatenate([states, actions], axis=1))[:, : self.latent_dim]


def vae_loss(model: ActionVAE, states: Floats, actions: Floats, noise: Floats, kl_weight: float) -> Loss:
    """Return the mean squared error of the reconstruction plus the weighted KL divergence from N(0, 1).

    Args:
        model: Encoder and decoder.
        states: (batch, state_dim).
        actions: (batch, action_dim), divided by the decoder's scale.
        noise: Standard normal numbers (batch, latent_dim) that the latents are sampled by.
        kl_weight: Weight of the divergence, which is in nats.
    """
    encoded = model.encoder.forward(np.concatenate([states, actions], axis=1))
    means, raw = np.split(encoded[-1], 2, axis=1)
    log_std = np.clip(raw, *LOG_STD_BOUNDS)
    std = np.exp(log_std)
    decoded = model.decoder.network.forward(np.concatenate([states, means + std * noise], axis=1))
    errors = decoded[-1] - actions
    error = float((errors**2).mean())
    kl = float(0.5 * (means**2 + std**2 - 1 - 2 * log_std).sum(axis=1).mean())

    share = kl_weight / len(states)
    decoder_gradients, inputs = model.decoder.network.backward_to_inputs(decoded, 2 * errors / errors.size)
    latents = inputs[:, -model.latent_dim :]
    to_log_std = np.where(raw == log_std, latents * noise * std + share * (std**2 - 1), 0)
    to_encoded = np.concatenate([latents + share * means, to_log_std], axis=1)
    gradients = model.encoder.backward(encoded, to_encoded) + decoder_gradients
    return Loss(error + kl_weight * kl, gradients, {"reconstruction_error": error, "kl": kl})


def load_decoder(folder: Path) -> ActionDecoder:
    """Read a decoder from a checkpoint folder.

    Raises:
        CheckpointError: The files are missing, corrupt or foreign.
    """
    facts, arrays = checkpoint_files.load(folder, DECODER_PART, DecoderFacts)
    decoder = ActionDecoder(facts, checkpoint_files.Placeholder(arrays))
    checkpoint_files.restore_network(decoder.network, arrays, "network")
    checkpoint_files.restore([decoder.scale], arrays, "scale")
    if (decoder.scale <= 0).any():
        raise CheckpointError("The decoder's scale is not positive.", "It is corrupt.", checkpoint_files.FIX)
    return decoder


def predict_action(folder: Path) -> Callable[[Any], Any]:
    """Open a decoder's checkpoint: the function answers a state and a latent with an action.

    They come as {"state": [...], "latent": [...]}, or as one list of numbers, the state first.
    """
    decoder = load_decoder(folder)
    state_dim, latent_dim = decoder.facts.state_dim, decoder.facts.latent_dim

    def answer(features: Any) -> Any:
        if isinstance(features, Mapping):
            features = _join(cast("Mapping[str, Any]", features), state_dim, latent_dim)
        rows, single = as_batch(features, state_dim + latent_dim, "state followed by its latent")
        actions = decoder.decode(rows[:, :state_dim], rows[:, state_dim:]).tolist()
        return actions[0] if single else actions

    return Answering(answer, {"state": [0.0] * state_dim, "latent": [0.0] * latent_dim})


def _join(features: Mapping[str, Any], state_dim: int, latent_dim: int) -> Floats:
    if set(features) != {"state", "latent"}:
        why = f"It has {', '.join(map(repr, sorted(map(str, features)))) or 'no keys'}."
        fix = "Pass a dict with 'state' and 'latent'."
        raise PipelineError("The decoder needs a state and a latent.", why, fix)
    states, single = as_batch(features["state"], state_dim, "state")
    latents, _ = as_batch(features["latent"], latent_dim, "latent")
    if len(states) != len(latents):
        why = f"There are {len(states)} states and {len(latents)} latents."
        raise PipelineError("Each state needs its latent.", why, "Pass as many latents as states.")
    joined = np.concatenate([states, latents], axis=1)
    return joined[0] if single else joined
