"""SFT: supervised fine-tuning of the tiny language model on noisy demonstrations."""

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
from pipeline_widgets.trainers.numpy.letters_predictor import predict
from pipeline_widgets.trainers.numpy.letters_trainer import LettersConfig, LettersTrainer
from pipeline_widgets.trainers.numpy.nn import Integers, Loss, cosine


class SFTConfig(LettersConfig):
    """Config of SFT."""

    steps: int = Field(600, ge=1, description="Total updates.", json_schema_extra={"unit": "steps"})
    batch_size: int = Field(
        64, ge=1, le=4096, description="Demonstrations per update.", json_schema_extra={"unit": "texts"}
    )
    learning_rate: float = Field(
        3e-3, gt=0, le=1, description="Peak of Adam's step size; it falls to 0 along a cosine."
    )
    noise: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of demonstrations from a fallible teacher: it bounds what SFT can reach.",
    )
    handover: Handover = handover_field()


class SFTTrainer(LettersTrainer):
    """Minimizes the negative log-likelihood of demonstrations."""

    def __init__(self, ctx: TrainContext, config: SFTConfig) -> None:
        super().__init__(ctx, config.learning_rate)
        self.config = config
        self.prompts, self.completions = letters.demonstrations(config.noise)

    def advance(self, step: int) -> dict[str, float]:
        """Take one step on a random batch."""
        rows = self.rng.integers(0, len(self.prompts), self.config.batch_size)
        loss = sft_loss(self.model, self.prompts[rows], self.completions[rows])
        self.optimizer.step(loss.gradients, scale=cosine(step / self.config.steps))
        return {"loss": loss.value}


def sft_loss(model: LanguageModel, prompts: Integers, completions: Integers) -> Loss:
    """Return the mean negative log-likelihood of the tokens of the completions, in nats."""
    scored = model.score(prompts, completions)
    count = int(scored.mask.sum())
    weights = np.full(scored.log_probs.shape, -1 / count)
    return Loss(-float(scored.log_probs.sum()) / count, model.backward(scored, weights), {})


@algorithm(
    "SFT",
    produces={"lm"},
    accepts=[Port("weights", {"lm"}, match=("base_model",))],
    config=SFTConfig,
    signature=letters_trainer.base_model_signature,
    predict=predict,
    training_only=checkpoint_files.TRAINING_ONLY,
    evaluator=letters_trainer.EVALUATOR,
)
def sft(ctx: TrainContext) -> None:
    """Teach a language model to imitate demonstrations (Ouyang et al. 2022, arXiv:2203.02155, step 1).

    The demonstrations of "sort four letters" come from a careless teacher, so imitation alone stays well
    below 1: that leaves something to do for DPO and GRPO. One step is one update on a batch of texts. Scores
    are shares of exact answers among sampled ones, 0 to 1: the training score on prompts of the training
    split, the evaluation score on held-out prompts. Metric: loss, in nats a token.

    A resumed run restores weights and the state of Adam, and goes on exactly as the stopped one would have.
    """
    trainer = SFTTrainer(ctx, ctx.config)
    loop.run(ctx, trainer, total=ctx.config.steps, show=trainer.show)
