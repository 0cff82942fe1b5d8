"""Supervised: regression and classification of tables, and the action decoder for LatentPPO."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.domain.compatibility import Port, Signature
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers.numpy import checkpoint_files, loop
from pipeline_widgets.trainers.numpy.action_vae import (
    DECODER_PART,
    ActionVAE,
    DecoderFacts,
    load_decoder,
    predict_action,
    vae_loss,
)
from pipeline_widgets.trainers.numpy.gait import GaitData, gait_data
from pipeline_widgets.trainers.numpy.loop import INITIALIZATION, generator
from pipeline_widgets.trainers.numpy.nn import Adam, Floats, cosine
from pipeline_widgets.trainers.numpy.tabular import (
    CLASSES,
    FEATURES,
    TabularFacts,
    TabularModel,
    friedman1,
    load_tabular,
    predict_row,
    tabular_loss,
)

CLIP = 1.0  # norm of the gradient


class SupervisedConfig(BaseModel):
    """Config of Supervised."""

    model_config = ConfigDict(extra="forbid")

    dataset: Literal["friedman1", "friedman1-classes", "gait"] = Field(
        "friedman1",
        description="friedman1: a value from eight numbers; friedman1-classes: its tercile; gait: joint "
        "actions of a swimmer, which makes a decoder for LatentPPO.",
    )
    steps: int = Field(1_500, ge=1, description="Total updates.", json_schema_extra={"unit": "steps"})
    batch_size: int = Field(
        128, ge=1, le=65_536, description="Batch size: rows per update.", json_schema_extra={"unit": "rows"}
    )
    learning_rate: float = Field(
        3e-3, gt=0, le=1, description="Peak of Adam's step size; it falls to 0 along a cosine."
    )
    hidden_units: int = Field(
        96,
        ge=1,
        le=4096,
        description="Units in each of the two hidden layers.",
        json_schema_extra={"unit": "units"},
    )
    latent_dim: int = Field(2, ge=1, le=64, description="Gait only: inputs of the decoder.")
    kl_weight: float = Field(
        1e-3, ge=0, description="Gait only: weight of the KL divergence of the latents from N(0, 1)."
    )
    links: int = Field(
        6, ge=3, le=16, description="Gait only: links of the swimmer.", json_schema_extra={"unit": "links"}
    )
    handover: Handover = handover_field()


class TabularTrainer:
    """Fits a network to a table."""

    def __init__(self, ctx: TrainContext, config: SupervisedConfig) -> None:
        self.config = config
        classes = config.dataset == "friedman1-classes"
        self.train, self.held_out = friedman1(classes=classes)
        facts = TabularFacts(
            features=FEATURES, classes=CLASSES if classes else 0, hidden_units=config.hidden_units
        )
        self.model = TabularModel(facts, generator(ctx.seed, INITIALIZATION))
        self.model.standardize(self.train)
        if ctx.start is not None:
            self.model = load_tabular(ctx.start.path)
            _same_facts(self.model.facts, facts)
        self.optimizer = _optimizer(ctx, config, self.model.network.parameters)
        self.rng = generator(ctx.seed, INITIALIZATION)

    def begin(self, rng: np.random.Generator) -> None:
        """Draw from this generator from now on."""
        self.rng = rng

    def advance(self, step: int) -> dict[str, float]:
        """Take one step on a random batch."""
        rows = self.rng.integers(0, len(self.train.features), self.config.batch_size)
        loss = tabular_loss(self.model, self.train.rows(rows))
        self.optimizer.step(loss.gradients, scale=cosine(step / self.config.steps))
        return {"loss": loss.value}

    def evaluate(self) -> dict[str, float]:
        """Return the scores on the rows trained on and on those held out."""
        return {
            "training_score": self.model.score(self.train),
            "evaluation_score": self.model.score(self.held_out),
        }

    def save(self, folder: Path) -> None:
        """Write the model and the state of the optimizer."""
        self.model.save(folder)
        arrays = checkpoint_files.named("optimizer", self.optimizer.state)
        checkpoint_files.save_arrays(folder, checkpoint_files.TRAINING_PART, arrays)


class DecoderTrainer:
    """Fits a conditional VAE to the gait data."""

    def __init__(self, ctx: TrainContext, config: SupervisedConfig) -> None:
        self.config = config
        self.train, self.held_out = gait_data(config.links)
        joints = config.links - 1
        facts = DecoderFacts(
            state_dim=joints,
            action_dim=joints,
            latent_dim=config.latent_dim,
            hidden_units=config.hidden_units,
        )
        self.model = ActionVAE(facts, generator(ctx.seed, INITIALIZATION))
        self.model.decoder.scale[:] = self.train.actions.std(axis=0)
        if ctx.start is not None:
            self._start(ctx.start.path, facts)
        self.optimizer = _optimizer(ctx, config, self.model.parameters)
        self.rng = generator(ctx.seed, INITIALIZATION)

    def begin(self, rng: np.random.Generator) -> None:
        """Draw from this generator from now on."""
        self.rng = rng

    def advance(self, step: int) -> dict[str, float]:
        """Take one step on a random batch."""
        rows = self.rng.integers(0, len(self.train.states), self.config.batch_size)
        noise = self.rng.standard_normal((len(rows), self.config.latent_dim), np.float32)
        actions = self.train.actions[rows] / self.model.decoder.scale
        loss = vae_loss(self.model, self.train.states[rows], actions, noise, self.config.kl_weight)
        self.optimizer.step(loss.gradients, scale=cosine(step / self.config.steps))
        return {"loss": loss.value, **loss.metrics}

    def evaluate(self) -> dict[str, float]:
        """Return how well actions are reconstructed, of the steps trained on and of those held out."""
        return {
            "training_score": self._explained_variance(self.train),
            "evaluation_score": self._explained_variance(self.held_out),
        }

    def save(self, folder: Path) -> None:
        """Write the decoder, and the encoder with the state of the optimizer."""
        self.model.decoder.save(folder)
        arrays = checkpoint_files.named("encoder", self.model.encoder.parameters)
        arrays |= checkpoint_files.named("optimizer", self.optimizer.state)
        checkpoint_files.save_arrays(folder, checkpoint_files.TRAINING_PART, arrays)

    def _explained_variance(self, data: GaitData) -> float:
        """Return the share of the variance of the actions that the mean latents carry (R squared)."""
        decoder = self.model.decoder
        latents = self.model.means(data.states, data.actions / decoder.scale)
        errors = (decoder.decode(data.states, latents) - data.actions) / decoder.scale
        return float(1 - (errors**2).mean() / (data.actions / decoder.scale).var())

    def _start(self, folder: Path, facts: DecoderFacts) -> None:
        decoder = load_decoder(folder)
        _same_facts(decoder.facts, facts)
        self.model.decoder = decoder
        arrays = checkpoint_files.load_arrays(folder, checkpoint_files.TRAINING_PART)
        checkpoint_files.restore_network(self.model.encoder, arrays, "encoder")


def signature(config: Any) -> Signature:
    """Return the dataset and the network; only a decoder states the size of its latents."""
    network = f"MLP({config.hidden_units}, {config.hidden_units})"
    facets: dict[str, str | int] = {"dataset": config.dataset, "network": network}
    if config.dataset == "gait":
        facets |= {"action": f"Box({config.links - 1})", "latent_dim": config.latent_dim}
    return facets


def predict(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: of a table's model or of a decoder."""
    if (folder / f"{DECODER_PART}.json").exists():
        return predict_action(folder)
    return predict_row(folder)


def evaluator(config: Any) -> str:
    """Return the name of the rows that the score is measured on."""
    links = f" of {config.links} links" if config.dataset == "gait" else ""
    return f"held-out rows of {config.dataset}{links}"


@algorithm(
    "Supervised",
    produces={"model:supervised", "decoder"},
    accepts=[Port("weights", {"model:supervised"}, match=("dataset", "network", "latent_dim", "action"))],
    config=SupervisedConfig,
    signature=signature,
    predict=predict,
    training_only=checkpoint_files.TRAINING_ONLY,
    evaluator=evaluator,
)
def supervised(ctx: TrainContext) -> None:
    """Fit a network to data: a table's values or classes, or the action decoder that LatentPPO acts through.

    The tables are Friedman #1 (1991): eight numbers in [0, 1] to a value, or to its tercile. The decoder is
    that of a conditional variational autoencoder (Sohn et al. 2015, NeurIPS 28) of a swimmer's play data:
    joint angles (radians) and a latent of `latent_dim` numbers to joint actions in [-1, 1]. One step is one
    update on a batch. Scores, on the rows trained on and on those held out, are R squared (values, actions)
    or accuracy (classes), at most 1. Metrics: loss; reconstruction_error and kl (nats) of the decoder.

    A resumed run restores the networks and the state of Adam, and goes on exactly as the stopped one would
    have.
    """
    trainer = DecoderTrainer if ctx.config.dataset == "gait" else TabularTrainer
    loop.run(ctx, trainer(ctx, ctx.config), total=ctx.config.steps, signature=signature(ctx.config))


def _optimizer(ctx: TrainContext, config: SupervisedConfig, parameters: list[Floats]) -> Adam:
    optimizer = Adam(parameters, config.learning_rate, clip=CLIP)
    if ctx.start is not None and ctx.start.role == "resume":
        arrays = checkpoint_files.load_arrays(ctx.start.path, checkpoint_files.TRAINING_PART)
        checkpoint_files.restore(optimizer.state, arrays, "optimizer")
    return optimizer


def _same_facts(theirs: checkpoint_files.PartMetadata, ours: checkpoint_files.PartMetadata) -> None:
    if theirs != ours:
        why = f"It holds {theirs!r}; {ours!r} is needed."
        raise CheckpointError("The checkpoint does not fit the config.", why, checkpoint_files.FIX)
