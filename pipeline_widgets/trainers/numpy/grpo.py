"""GRPO: group relative policy optimization of the tiny language model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydantic import Field

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.domain.compatibility import Port
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.trainers.numpy import checkpoint_files, letters, letters_trainer, loop
from pipeline_widgets.trainers.numpy.language_model import LanguageModel
from pipeline_widgets.trainers.numpy.letters_predictor import predict
from pipeline_widgets.trainers.numpy.letters_trainer import LettersConfig, LettersTrainer, token_mean
from pipeline_widgets.trainers.numpy.nn import Floats, Integers, Loss


class GRPOConfig(LettersConfig):
    """Config of GRPO."""

    steps: int = Field(100, ge=1, description="Total updates.", json_schema_extra={"unit": "steps"})
    prompts: int = Field(
        32, ge=1, le=4096, description="Prompts per update.", json_schema_extra={"unit": "prompts"}
    )
    group_size: int = Field(
        8, ge=2, le=256, description="Answers per prompt.", json_schema_extra={"unit": "texts"}
    )
    epochs: int = Field(
        2,
        ge=1,
        le=32,
        description="Passes over the answers per update.",
        json_schema_extra={"unit": "passes"},
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Adam's step size.")
    clip: float = Field(0.2, gt=0, lt=1, description="How far a probability ratio may move from 1.")
    kl_weight: float = Field(0.02, ge=0, description="Weight of the divergence from the reference.")
    handover: Handover = handover_field()


class Answers(NamedTuple):
    """Sampled completions, with what the loss compares the model to."""

    prompts: Integers
    completions: Integers
    advantages: Floats
    old_log_probs: Floats
    reference_log_probs: Floats


class GRPOTrainer(LettersTrainer):
    """Samples groups of answers and makes the better ones of each group more likely."""

    def __init__(self, ctx: TrainContext, config: GRPOConfig) -> None:
        super().__init__(ctx, config.learning_rate, with_reference=True)
        self.config = config

    def advance(self, step: int) -> dict[str, float]:  # noqa: ARG002  its step size is constant
        """Ask some prompts, and learn from the answers."""
        train = letters.prompts().train
        asked = train[self.rng.integers(0, len(train), self.config.prompts)]
        prompts = np.repeat(asked, self.config.group_size, axis=0)
        completions = self.model.generate(prompts, self.rng)
        rewards = letters.exact(prompts, completions)
        answers = self._answers(prompts, completions, rewards)
        metrics = {"reward": float(rewards.mean())}
        for _ in range(self.config.epochs):
            loss = grpo_loss(self.model, answers, clip=self.config.clip, kl_weight=self.config.kl_weight)
            self.optimizer.step(loss.gradients)
            metrics |= {"loss": loss.value, **loss.metrics}
        return metrics

    def _answers(self, prompts: Integers, completions: Integers, rewards: Floats) -> Answers:
        reference = self.reference or self.model
        return Answers(
            prompts=prompts,
            completions=completions,
            advantages=group_advantages(rewards, self.config.group_size),
            old_log_probs=self.model.score(prompts, completions).log_probs,
            reference_log_probs=reference.score(prompts, completions).log_probs,
        )


def group_advantages(rewards: Floats, group_size: int) -> Floats:
    """Return the rewards, standardized within each group of answers to the same prompt."""
    groups = rewards.reshape(-1, group_size)
    centred = groups - groups.mean(axis=1, keepdims=True)
    return (centred / (groups.std(axis=1, keepdims=True) + 1e-4)).ravel()


def grpo_loss(model: LanguageModel, answers: Answers, *, clip: float, kl_weight: float) -> Loss:
    """Return the clipped surrogate and the weighted KL divergence, averaged over tokens, then over answers.

    The divergence is estimated by r - log r - 1, where r is the ratio of the reference to the model.
    """
    scored = model.score(answers.prompts, answers.completions)
    ratios = np.exp(scored.log_probs - answers.old_log_probs)
    advantages = answers.advantages[:, None]
    gains = np.minimum(ratios * advantages, np.clip(ratios, 1 - clip, 1 + clip) * advantages)
    log_references = answers.reference_log_probs - scored.log_probs
    divergences = np.exp(log_references) - log_references - 1
    value = token_mean(kl_weight * divergences - gains, scored.mask).mean()

    clipped = ratios * advantages > gains
    slopes = kl_weight * (1 - np.exp(log_references)) - np.where(clipped, 0, ratios * advantages)
    weights = slopes / scored.mask.sum(axis=1, keepdims=True) / len(ratios)
    metrics = {
        "kl": float(token_mean(divergences, scored.mask).mean()),
        "clipped": float(token_mean(clipped, scored.mask).mean()),
    }
    return Loss(float(value), model.backward(scored, weights), metrics)


@algorithm(
    "GRPO",
    produces={"lm"},
    accepts=[Port("init+reference", {"lm"}, match=("base_model",))],
    config=GRPOConfig,
    signature=letters_trainer.base_model_signature,
    predict=predict,
    training_only=checkpoint_files.TRAINING_ONLY,
    evaluator=letters_trainer.EVALUATOR,
)
def grpo(ctx: TrainContext) -> None:
    """Teach a language model by the rewards of its own answers (Shao et al. 2024, arXiv:2402.03300).

    The start checkpoint is both where training begins and the frozen reference. The reward of an answer is 1
    if it is exact, else 0; its advantage is the reward standardized within the group of answers to the same
    prompt. One step samples prompts x group_size answers and passes over them `epochs` times. Scores are
    shares of exact answers among sampled ones, 0 to 1: the training score on prompts of the training split,
    the evaluation score on held-out prompts. Metrics: loss, reward (mean of the step's answers), kl (nats a
    token), clipped (share of tokens whose ratio was clipped).

    A resumed run restores weights, reference and the state of Adam, and goes on exactly as the stopped one
    would have.
    """
    trainer = GRPOTrainer(ctx, ctx.config)
    loop.run(ctx, trainer, total=ctx.config.steps, show=trainer.show)
