"""Tabular data, and the network that learns a value or a class from a row of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline_widgets.trainers.numpy import checkpoint_files
from pipeline_widgets.trainers.numpy.nn import MLP, Floats, Loss, gather, log_softmax, one_hot
from pipeline_widgets.trainers.numpy.predictor_inputs import RowPredictor

PART = "model"
FEATURES = 8  # of which five matter
ROWS, HELD_OUT = 4_000, 800
CLASSES = 3
DATA_SEED = 0


class Table(NamedTuple):
    """Features (n, FEATURES) and targets (n,): values, or classes counted from 0."""

    features: Floats
    targets: npt.NDArray[Any]

    def rows(self, index: Any) -> Table:
        """Return some rows."""
        return Table(self.features[index], self.targets[index])


def friedman1(*, classes: bool) -> tuple[Table, Table]:
    """Return the Friedman #1 data (Friedman 1991, Ann. Stat. 19, 1-67) to train on, and those held out.

    Args:
        classes: Whether the targets are the values' terciles instead of the values, which carry noise of
            standard deviation 1.
    """
    rng = np.random.default_rng(DATA_SEED)
    x = rng.random((ROWS, FEATURES)).astype(np.float32)
    values = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    values += rng.standard_normal(ROWS)
    bounds = np.quantile(values, np.arange(1, CLASSES) / CLASSES)
    table = Table(x, np.digitize(values, bounds) if classes else values.astype(np.float32))
    return table.rows(slice(HELD_OUT, None)), table.rows(slice(HELD_OUT))


class TabularFacts(checkpoint_files.PartMetadata):
    """The facts that a checkpoint states about its network. No classes: it predicts a value."""

    kind: Literal["tabular"] = "tabular"
    features: int = Field(ge=1, le=100_000)
    classes: int = Field(ge=0, le=100_000)
    hidden_units: int = Field(ge=1, le=4096)


class TabularModel:
    """A network of two hidden layers on standardized features.

    Args:
        facts: The sizes.
        rng: Draws the initial weights.
    """

    def __init__(self, facts: TabularFacts, rng: np.random.Generator) -> None:
        self.facts = facts
        sizes = [facts.features, facts.hidden_units, facts.hidden_units, max(1, facts.classes)]
        self.network = MLP(sizes, rng, activation="relu")
        #: Mean and standard deviation of each feature, and of the value.
        self.feature_scale: Floats = np.tile(np.array([[0], [1]], np.float32), facts.features)
        self.target_scale: Floats = np.array([0.0, 1.0], np.float32)

    def standardize(self, table: Table) -> None:
        """Take the scales from the data to train on."""
        self.feature_scale[:] = table.features.mean(axis=0), table.features.std(axis=0)
        if not self.facts.classes:
            self.target_scale[:] = table.targets.mean(), table.targets.std()

    def inputs(self, features: Floats) -> Floats:
        """Return standardized features."""
        mean, std = self.feature_scale
        return (features - mean) / std

    def predict(self, features: Floats, *, by_row: bool = False) -> npt.NDArray[Any]:
        """Return a value or a class for each row."""
        outputs = self.network(self.inputs(features), by_row=by_row)
        if self.facts.classes:
            return outputs.argmax(axis=1)
        mean, std = self.target_scale
        return outputs[:, 0] * std + mean

    def score(self, table: Table) -> float:
        """Return the accuracy, or the share of the variance that is explained (R squared)."""
        predicted = self.predict(table.features)
        if self.facts.classes:
            return float((predicted == table.targets).mean())
        return float(1 - ((predicted - table.targets) ** 2).mean() / table.targets.var())

    def save(self, folder: Path) -> None:
        """Write the model into a checkpoint folder."""
        arrays = checkpoint_files.named("network", self.network.parameters)
        arrays |= checkpoint_files.named("scale", [self.feature_scale, self.target_scale])
        checkpoint_files.save(folder, PART, self.facts, arrays)


def tabular_loss(model: TabularModel, table: Table) -> Loss:
    """Return the mean squared error of standardized values, or the cross-entropy of classes in nats."""
    activations = model.network.forward(model.inputs(table.features))
    outputs = activations[-1]
    count = len(outputs)
    if model.facts.classes:
        log_probs = log_softmax(outputs)
        value = -float(gather(log_probs, table.targets).mean())
        gradient = (np.exp(log_probs) - one_hot(table.targets, model.facts.classes, outputs.dtype)) / count
    else:
        mean, std = model.target_scale
        errors = outputs - ((table.targets - mean) / std)[:, None]
        value, gradient = float((errors**2).mean()), 2 * errors / count
    return Loss(value, model.network.backward(activations, gradient), {})


def load_tabular(folder: Path) -> TabularModel:
    """Read a model from a checkpoint folder.

    Raises:
        CheckpointError: The files are missing, corrupt or foreign.
    """
    facts, arrays = checkpoint_files.load(folder, PART, TabularFacts)
    model = TabularModel(facts, checkpoint_files.Placeholder(arrays))
    checkpoint_files.restore_network(model.network, arrays, "network")
    checkpoint_files.restore([model.feature_scale, model.target_scale], arrays, "scale")
    return model


def predict_row(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint: the function answers a row of features with a value or a class.

    A list of rows gives a list of answers.
    """
    model = load_tabular(folder)

    def answer(rows: Floats, *, by_row: bool) -> list[Any]:
        return model.predict(rows, by_row=by_row).tolist()

    return RowPredictor(answer, model.facts.features, "row of features")
