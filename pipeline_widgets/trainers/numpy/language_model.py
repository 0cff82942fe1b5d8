"""A language model that is small enough to train in a second: an MLP over the one-hot letters so far."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers.numpy import checkpoint_files, letters
from pipeline_widgets.trainers.numpy.letters import COMPLETION_LENGTH, PAD, PROMPT_LENGTH, STOP
from pipeline_widgets.trainers.numpy.nn import MLP, Booleans, Floats, Integers, log_softmax, one_hot

BaseModelName: TypeAlias = Literal["letters-64", "letters-128"]
HIDDEN_UNITS: dict[BaseModelName, int] = {"letters-64": 64, "letters-128": 128}

TOKENS = len(letters.VOCABULARY)
CONTEXT = PROMPT_LENGTH + COMPLETION_LENGTH - 1  # what the last token of a completion depends on
PART = "model"


class LanguageModelFacts(checkpoint_files.PartMetadata):
    """The facts that a checkpoint states about its model."""

    kind: Literal["letters language model"] = "letters language model"
    base_model: BaseModelName


class Scored(NamedTuple):
    """The log-probabilities of completions, with what their gradient needs."""

    #: (batch, COMPLETION_LENGTH), 0 at padding.
    log_probs: Floats
    #: True at tokens, False at padding.
    mask: Booleans
    activations: list[Floats]
    distribution: Floats
    targets: Integers


class LanguageModel:
    """p(next token | prompt, completion so far), for the texts of `letters`.

    The inputs are the one-hot tokens at each of CONTEXT positions; the outputs are logits of all tokens but
    padding, which is never generated.

    Args:
        base_model: Names the sizes of the network.
        rng: Draws the initial weights.
    """

    def __init__(self, base_model: BaseModelName, rng: np.random.Generator) -> None:
        self.base_model: BaseModelName = base_model
        hidden = HIDDEN_UNITS[base_model]
        self.network = MLP([CONTEXT * TOKENS, hidden, hidden, TOKENS - 1], rng, output_scale=0.1)

    def score(self, prompts: Integers, completions: Integers) -> Scored:
        """Return the log-probability of each token of the completions."""
        activations = self.network.forward(self._inputs(prompts, completions))
        distribution = log_softmax(activations[-1])
        mask = completions != PAD
        targets = np.where(mask, completions - 1, 0).ravel()
        chosen = distribution[np.arange(targets.size), targets].reshape(completions.shape)
        return Scored(np.where(mask, chosen, 0), mask, activations, distribution, targets)

    def backward(self, scored: Scored, weights: Floats) -> list[Floats]:
        """Return the gradient of the sum of weights times log-probabilities."""
        distribution = scored.distribution
        towards = one_hot(scored.targets, TOKENS - 1, distribution.dtype) - np.exp(distribution)
        flat = np.where(scored.mask, weights, 0).reshape(-1, 1).astype(distribution.dtype)
        return self.network.backward(scored.activations, towards * flat)

    def generate(self, prompts: Integers, rng: np.random.Generator | None = None) -> Integers:
        """Return completions: sampled at temperature 1, or without a generator the greedy ones."""
        completions = np.full((len(prompts), COMPLETION_LENGTH), PAD)
        going = np.ones(len(prompts), bool)
        for position in range(COMPLETION_LENGTH):
            context = self._contexts(prompts, completions)[:, position]
            logits = self.network(self._one_hot(context))
            noise = 0 if rng is None else rng.gumbel(size=logits.shape)
            completions[:, position] = np.where(going, (logits + noise).argmax(axis=1) + 1, PAD)
            going &= completions[:, position] != STOP
        return completions

    def next_log_probs(self, prompt: Sequence[int], begun: Sequence[int]) -> Floats:
        """Return the log-probabilities of the token that follows a prompt and the tokens after it.

        Args:
            prompt: PROMPT_LENGTH token ids.
            begun: Fewer than COMPLETION_LENGTH token ids.

        Returns:
            (TOKENS - 1,): of all tokens but padding.
        """
        completion = np.array([[*begun, *[PAD] * (COMPLETION_LENGTH - len(begun))]])
        context = self._contexts(np.array([prompt]), completion)[:, len(begun)]
        return log_softmax(self.network(self._one_hot(context)))[0]

    def copy(self) -> LanguageModel:
        """Return an independent copy, such as a frozen reference."""
        return copy.deepcopy(self)

    def _inputs(self, prompts: Integers, completions: Integers) -> Floats:
        return self._one_hot(self._contexts(prompts, completions).reshape(-1, CONTEXT))

    @staticmethod
    def _contexts(prompts: Integers, completions: Integers) -> Integers:
        """Return the tokens before each position of a completion: (batch, COMPLETION_LENGTH, CONTEXT)."""
        texts = np.concatenate([prompts, completions[:, :-1]], axis=1)
        seen = np.arange(CONTEXT) < PROMPT_LENGTH + np.arange(COMPLETION_LENGTH)[:, None]
        return np.where(seen, texts[:, None, :], PAD)

    def _one_hot(self, contexts: Integers) -> Floats:
        dtype = self.network.parameters[0].dtype
        return one_hot(contexts, TOKENS, dtype).reshape(len(contexts), CONTEXT * TOKENS)


def save(model: LanguageModel, folder: Path) -> None:
    """Write the model into a checkpoint folder."""
    facts = LanguageModelFacts(base_model=model.base_model)
    arrays = checkpoint_files.named("network", model.network.parameters)
    checkpoint_files.save(folder, PART, facts, arrays)


def load(folder: Path, base_model: BaseModelName | None = None) -> LanguageModel:
    """Read a model from a checkpoint folder.

    Raises:
        CheckpointError: The files are missing, corrupt or foreign, or hold another base model than asked for.
    """
    facts, arrays = checkpoint_files.load(folder, PART, LanguageModelFacts)
    if base_model is not None and facts.base_model != base_model:
        why = f"It holds {facts.base_model}, but the config says {base_model}."
        raise CheckpointError("The checkpoint does not fit.", why, f"Set base_model to {facts.base_model!r}.")
    model = LanguageModel(facts.base_model, checkpoint_files.Placeholder(arrays))
    checkpoint_files.restore_network(model.network, arrays, "network")
    return model
