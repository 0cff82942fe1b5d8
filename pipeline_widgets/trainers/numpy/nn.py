"""Multilayer perceptrons with backpropagation by hand, and the Adam optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Booleans: TypeAlias = npt.NDArray[np.bool_]
Arrays: TypeAlias = dict[str, npt.NDArray[Any]]
Activation: TypeAlias = Literal["tanh", "relu"]


class Loss(NamedTuple):
    """The value of a loss, its gradient for each parameter array, and figures worth reporting."""

    value: float
    gradients: list[Floats]
    metrics: dict[str, float]


class MLP:
    """A fully connected network: hidden layers with one activation, a linear output layer.

    The dtype of the parameters is float32, as that of the inputs should be; `astype` changes it.

    Args:
        sizes: Units of each layer, from the inputs to the outputs.
        rng: Draws the initial weights.
        activation: Of the hidden layers.
        output_scale: Scale of the initial weights of the output layer; small gives outputs near zero.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        rng: np.random.Generator,
        *,
        activation: Activation = "tanh",
        output_scale: float = 1.0,
    ) -> None:
        self.activation = activation
        self.parameters: list[Floats] = []
        gains = [math.sqrt(2) if activation == "relu" else 1.0] * (len(sizes) - 2) + [output_scale]
        for inputs, outputs, gain in zip(sizes[:-1], sizes[1:], gains, strict=True):
            weights = rng.standard_normal((inputs, outputs)) * (gain / math.sqrt(inputs))
            self.parameters += [weights.astype(np.float32), np.zeros(outputs, np.float32)]

    def __call__(self, inputs: Floats, *, by_row: bool = False) -> Floats:
        """Return the outputs for inputs of shape (batch, inputs).

        Args:
            inputs: The inputs.
            by_row: Compute each row as it would be by itself: a product of matrices rounds otherwise, by the
                size of the batch. It takes twice as long.
        """
        return self.forward(inputs[:, None])[-1][:, 0] if by_row else self.forward(inputs)[-1]

    def forward(self, inputs: Floats) -> list[Floats]:
        """Return the activations of all layers: the inputs first, the outputs last."""
        activations = [inputs]
        layers = len(self.parameters) // 2
        for layer in range(layers):
            weights, bias = self.parameters[2 * layer : 2 * layer + 2]
            outputs = activations[-1] @ weights + bias
            activations.append(outputs if layer == layers - 1 else self._activate(outputs))
        return activations

    def backward(self, activations: Sequence[Floats], gradient: Floats) -> list[Floats]:
        """Return the loss gradients of the parameters.

        Args:
            activations: What `forward` returned.
            gradient: The loss gradient of the outputs.
        """
        return self._backward(activations, gradient)[0]

    def backward_to_inputs(
        self, activations: Sequence[Floats], gradient: Floats
    ) -> tuple[list[Floats], Floats]:
        """Return the loss gradients of the parameters, and that of the inputs."""
        gradients, hidden = self._backward(activations, gradient)
        return gradients, hidden @ self.parameters[0].T

    def copy_from(self, other: MLP, *, rate: float = 1.0) -> None:
        """Move the parameters towards those of a network of the same sizes, by the share `rate`."""
        for mine, theirs in zip(self.parameters, other.parameters, strict=True):
            np.add(mine, rate * (theirs - mine), out=mine)

    def astype(self, dtype: npt.DTypeLike) -> None:
        """Change the dtype of the parameters."""
        self.parameters = [parameter.astype(dtype) for parameter in self.parameters]

    def _backward(self, activations: Sequence[Floats], gradient: Floats) -> tuple[list[Floats], Floats]:
        """Return the gradients of the parameters, and that of the first layer before its activation."""
        gradients: list[Floats] = []
        for layer in reversed(range(len(self.parameters) // 2)):
            gradients = [activations[layer].T @ gradient, gradient.sum(axis=0), *gradients]
            if layer > 0:
                gradient = (gradient @ self.parameters[2 * layer].T) * self._slope(activations[layer])
        return gradients, gradient

    def _activate(self, values: Floats) -> Floats:
        return np.tanh(values) if self.activation == "tanh" else np.maximum(values, 0)

    def _slope(self, activated: Floats) -> Floats:
        """The derivative of the activation, from its result."""
        return 1 - activated**2 if self.activation == "tanh" else (activated > 0).astype(activated.dtype)


class Adam:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980), changing the parameters in place.

    Args:
        parameters: The arrays to optimize.
        learning_rate: Step size.
        clip: Largest norm of the gradient of all parameters together; None leaves it as it is.
        epsilon: Keeps the division by small second moments harmless.
    """

    def __init__(
        self,
        parameters: Sequence[Floats],
        learning_rate: float,
        *,
        clip: float | None = None,
        epsilon: float = 1e-8,
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        self.clip = clip
        self.epsilon = epsilon
        self.betas = (0.9, 0.999)
        self.count = np.zeros((), np.int64)
        self.means = [np.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [np.zeros_like(parameter) for parameter in self.parameters]

    @property
    def state(self) -> list[npt.NDArray[Any]]:
        """The arrays that a resumed run needs back."""
        return [self.count, *self.means, *self.squares]

    def step(self, gradients: Sequence[Floats], *, scale: float = 1.0) -> None:
        """Take one step against the gradients, with the learning rate times `scale`."""
        beta1, beta2 = self.betas
        self.count += 1
        count = int(self.count)
        rate = scale * self.learning_rate * math.sqrt(1 - beta2**count) / (1 - beta1**count)
        shrink = self._shrink(gradients)
        for parameter, mean, square, raw in zip(
            self.parameters, self.means, self.squares, gradients, strict=True
        ):
            gradient = raw * shrink
            np.add(mean, (1 - beta1) * (gradient - mean), out=mean)
            np.add(square, (1 - beta2) * (gradient * gradient - square), out=square)
            np.subtract(parameter, rate * mean / (np.sqrt(square) + self.epsilon), out=parameter)

    def _shrink(self, gradients: Sequence[Floats]) -> float:
        if self.clip is None:
            return 1.0
        norm = math.sqrt(sum(float(np.vdot(gradient, gradient)) for gradient in gradients))
        return min(1.0, self.clip / (norm + 1e-12))


def log_softmax(logits: Floats) -> Floats:
    """Return the logarithms of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def gather(values: Floats, indices: Integers) -> Floats:
    """Return one value of each row: values (batch, n) at indices (batch,)."""
    return values[np.arange(len(indices)), indices]


def one_hot(indices: Integers, size: int, dtype: npt.DTypeLike = np.float32) -> Floats:
    """Return rows of zeros with a one at each index."""
    return np.eye(size, dtype=dtype)[indices]


def cosine(progress: float) -> float:
    """Return the cosine schedule from 1 to 0, for progress from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
