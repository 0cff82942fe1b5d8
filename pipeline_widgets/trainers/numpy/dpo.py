"""DPO: direct preference optimization of the tiny language model."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.domain.compatibility import Port
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.trainers.numpy import checkpoint_files, letters, letters_trainer, loop
from pipeline_widgets.trainers.numpy.language_model import LanguageModel
from pipeline_widgets.trainers.numpy.letters import Pairs
from pipeline_widgets.trainers.numpy.letters_predictor import predict
from pipeline_widgets.trainers.numpy.letters_trainer import LettersConfig, LettersTrainer, token_mean
from pipeline_widgets.trainers.numpy.nn import Floats, Loss


class DPOConfig(LettersConfig):
    """Config of DPO."""

    steps: int = Field(150, ge=1, description="Total updates.", json_schema_extra={"unit": "steps"})
    batch_size: int = Field(
        32, ge=1, le=4096, description="Preference pairs per update.", json_schema_extra={"unit": "pairs"}
    )
    learning_rate: float = Field(5e-4, gt=0, le=1, description="Adam's step size.")
    beta: float = Field(0.1, gt=0, description="How strongly the model is kept close to the reference.")
    sft_weight: float = Field(
        0.5, ge=0, description="Weight of the likelihood of chosen answers in the loss; 0 is plain DPO."
    )
    handover: Handover = handover_field()


class DPOTrainer(LettersTrainer):
    """Widens the margin of chosen over rejected completions."""

    def __init__(self, ctx: TrainContext, config: DPOConfig) -> None:
        super().__init__(ctx, config.learning_rate, with_reference=True)
        self.config = config
        self.pairs = letters.preference_pairs()
        self.reference_log_ratios = log_ratios(self.reference or self.model, self.pairs)

    def advance(self, step: int) -> dict[str, float]:  # noqa: ARG002  its step size is constant
        """Take one step on a random batch of pairs."""
        rows = self.rng.integers(0, len(self.pairs.prompts), self.config.batch_size)
        batch = Pairs(*(part[rows] for part in self.pairs))
        loss = dpo_loss(
            self.model,
            batch,
            self.reference_log_ratios[rows],
            beta=self.config.beta,
            sft_weight=self.config.sft_weight,
        )
        self.optimizer.step(loss.gradients)
        return {"loss": loss.value, **loss.metrics}


def log_ratios(model: LanguageModel, pairs: Pairs) -> Floats:
    """Return log p(chosen) - log p(rejected) of each pair."""
    chosen = model.score(pairs.prompts, pairs.chosen).log_probs.sum(axis=1)
    return chosen - model.score(pairs.prompts, pairs.rejected).log_probs.sum(axis=1)


def dpo_loss(
    model: LanguageModel, pairs: Pairs, reference_log_ratios: Floats, *, beta: float, sft_weight: float
) -> Loss:
    """Return the mean of -log sigmoid(margin) and of the weighted negative log-likelihood of the chosen.

    The margin is beta times the log-ratio of chosen to rejected under the model, less that under the
    reference; the likelihood is normalized by length.
    """
    chosen = model.score(pairs.prompts, pairs.chosen)
    rejected = model.score(pairs.prompts, pairs.rejected)
    ratios = chosen.log_probs.sum(axis=1) - rejected.log_probs.sum(axis=1)
    margins = beta * (ratios - reference_log_ratios)
    likelihoods = token_mean(chosen.log_probs, chosen.mask)
    value = np.logaddexp(0, -margins).mean() - sft_weight * likelihoods.mean()

    count = len(margins)
    pull = (beta * np.exp(-np.logaddexp(0, margins)) / count)[:, None]  # beta * sigmoid(-margin)
    imitation = sft_weight / count / chosen.mask.sum(axis=1, keepdims=True)
    towards = model.backward(chosen, -(pull + imitation) * chosen.mask)
    away = model.backward(rejected, pull * rejected.mask)
    metrics = {
        "margin": float(margins.mean()),
        "preference_accuracy": float((margins > 0).mean()),
        "chosen_log_likelihood": float(likelihoods.mean()),
    }
    return Loss(float(value), [up + down for up, down in zip(towards, away, strict=True)], metrics)


@algorithm(
    "DPO",
    produces={"lm"},
    accepts=[Port("init+reference", {"lm"}, match=("base_model",))],
    config=DPOConfig,
    signature=letters_trainer.base_model_signature,
    predict=predict,
    training_only=checkpoint_files.TRAINING_ONLY,
    evaluator=letters_trainer.EVALUATOR,
)
def dpo(ctx: TrainContext) -> None:
    """Teach a language model to prefer right to careless answers (Rafailov et al. 2023, arXiv:2305.18290).

    The start checkpoint is both where training begins and the frozen reference. The loss has the SFT term of
    Pang et al. 2024 (arXiv:2404.19733), since the margin alone may grow by making both answers unlikely. One
    step is one update on a batch of pairs. Scores are shares of exact answers among sampled ones, 0 to 1: the
    training score on prompts of the training split, the evaluation score on held-out prompts. Metrics: loss
    and margin in nats, preference_accuracy (share of pairs with a positive margin), chosen_log_likelihood
    (nats a token).

    A resumed run restores weights, reference and the state of Adam, and goes on exactly as the stopped one
    would have.
    """
    trainer = DPOTrainer(ctx, ctx.config)
    loop.run(ctx, trainer, total=ctx.config.steps, show=trainer.show)
