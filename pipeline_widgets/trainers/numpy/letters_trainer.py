"""The common part of the trainers of the tiny language model: config, start, evaluation, checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.trainers.numpy import checkpoint_files, language_model, letters
from pipeline_widgets.trainers.numpy.language_model import BaseModelName, LanguageModel
from pipeline_widgets.trainers.numpy.loop import EVALUATION, INITIALIZATION, generator
from pipeline_widgets.trainers.numpy.nn import Adam, Booleans, Floats, Integers

SHOWN = 8  # held-out prompts whose first answer is shown at each evaluation
SAMPLES = 10  # completions sampled for each prompt in an evaluation
CLIP = 1.0  # norm of the gradient
EVALUATOR = f"exact answers to {letters.HELD_OUT} held-out prompts, {SAMPLES} samples of each"


class LettersConfig(BaseModel):
    """Config that SFT, DPO and GRPO share."""

    model_config = ConfigDict(extra="forbid")

    base_model: BaseModelName = Field(
        "letters-128", description="The language model to train; the number is its hidden units per layer."
    )


class LettersTrainer:
    """A language model in training, and the frozen reference that it is held near, if the method has one.

    Args:
        ctx: What the train function got.
        learning_rate: Of Adam.
        with_reference: Whether to keep the model of the start as a reference.
    """

    def __init__(self, ctx: TrainContext, learning_rate: float, *, with_reference: bool = False) -> None:
        self.model = _model(ctx)
        self.optimizer = Adam(self.model.network.parameters, learning_rate, clip=CLIP)
        self.reference = self.model.copy() if with_reference else None
        self.rng = generator(ctx.seed, INITIALIZATION)
        self._ctx = ctx
        self._answered: Integers | None = None
        if ctx.start is not None and ctx.start.role == "resume":
            self._resume(ctx.start.path)

    def begin(self, rng: np.random.Generator) -> None:
        """Draw from this generator from now on."""
        self.rng = rng

    def evaluate(self) -> dict[str, float]:
        """Return the shares of exact answers on prompts trained on and on held-out prompts."""
        trained, held_out = letters.prompts()
        self._answered = sample_answers(self.model, held_out)
        return {
            "training_score": exact_answers(self.model, trained[: len(held_out)]),
            "evaluation_score": score_answers(held_out, self._answered),
        }

    def show(self, step: int) -> None:
        """Show the first answers of the latest evaluation to the same held-out prompts."""
        if self._answered is None:
            return
        asked, answered = letters.prompts().held_out[:SHOWN], self._answered[: SHOWN * SAMPLES : SAMPLES]
        scores, right = letters.exact(asked, answered), letters.answers(asked)
        texts = (map(letters.decode, part) for part in (asked, answered, right))
        samples = [
            {"prompt": prompt, "output": output, "score": score, "reference": reference}
            for prompt, output, reference, score in zip(*texts, scores, strict=True)
        ]
        self._ctx.show(step, samples=samples, caption="Answers to held-out prompts")

    def save(self, folder: Path) -> None:
        """Write the model, the state of the optimizer and the reference."""
        language_model.save(self.model, folder)
        arrays = checkpoint_files.named("optimizer", self.optimizer.state)
        if self.reference is not None:
            arrays |= checkpoint_files.named("reference", self.reference.network.parameters)
        checkpoint_files.save_arrays(folder, checkpoint_files.TRAINING_PART, arrays)

    def _resume(self, folder: Path) -> None:
        arrays = checkpoint_files.load_arrays(folder, checkpoint_files.TRAINING_PART)
        checkpoint_files.restore(self.optimizer.state, arrays, "optimizer")
        if self.reference is not None:
            checkpoint_files.restore_network(self.reference.network, arrays, "reference")


def exact_answers(model: LanguageModel, prompts: Integers) -> float:
    """Return the share of exact answers among completions sampled for the prompts."""
    return score_answers(prompts, sample_answers(model, prompts))


def sample_answers(model: LanguageModel, prompts: Integers) -> Integers:
    """Return completions sampled for the prompts, `SAMPLES` for each of them, one after the other."""
    # Every evaluation draws the same numbers, so that two scores differ by the models alone.
    return model.generate(np.repeat(prompts, SAMPLES, axis=0), generator(0, EVALUATION))


def score_answers(prompts: Integers, answered: Integers) -> float:
    """Return the share of exact answers among what was sampled for the prompts."""
    return float(letters.exact(np.repeat(prompts, SAMPLES, axis=0), answered).mean())


def token_mean(values: Floats | Booleans, mask: Booleans) -> Floats:
    """Return the mean over the tokens of each completion."""
    return (values * mask).sum(axis=1) / mask.sum(axis=1)


def base_model_signature(config: Any) -> dict[str, str]:
    """Return the facet by which language models fit."""
    return {"base_model": config.base_model}


def _model(ctx: TrainContext) -> LanguageModel:
    if ctx.start is not None:
        return language_model.load(ctx.start.path, ctx.config.base_model)
    return LanguageModel(ctx.config.base_model, generator(ctx.seed, INITIALIZATION))
