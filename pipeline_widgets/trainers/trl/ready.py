"""The ready algorithms: TRL SFT, TRL Reward, TRL DPO and TRL GRPO.

Nothing here imports a library that trains: the forms are there without the extra, with the sentence that
installs it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.registry import algorithm
from pipeline_widgets.algorithms.text_predictor import TextPredictor
from pipeline_widgets.domain.compatibility import Port
from pipeline_widgets.trainers.trl import config
from pipeline_widgets.trainers.trl.models import TRAINING_ONLY

REQUIRES = ("trl", "peft", "transformers", "torch")
INSTALL = "pip install 'pipeline-widgets[trl]'"
#: Facets that two stages of a chain have to agree in. `lora` is asked for where an adapter is trained on.
MATCH = ("base_model", "tokenizer", "chat_template", "generation_config", "lora")
REWARD_MODEL = "reward-model"
LOAD_WITHIN, ANSWER_WITHIN = 600.0, 120.0  # seconds: importing and loading a model of some GB; a long answer


def open_checkpoint(folder: Path) -> TextPredictor:
    """Open a checkpoint of a language model: the function completes a prompt."""
    from pipeline_widgets.trainers.trl.predictor import LanguageModelPredictor

    return LanguageModelPredictor.open(folder)


def open_reward_model(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint of a reward model: the function scores a text."""
    from pipeline_widgets.trainers.trl.predictor import open_reward_model as opened

    return opened(folder)


def declaration(method: str) -> dict[str, Any]:
    """Return what `@pw.algorithm` is told of a method, but for its config.

    Args:
        method: "SFT", "Reward", "DPO" or "GRPO".
    """
    common = {
        "requires": REQUIRES,
        "install": INSTALL,
        "load_within": LOAD_WITHIN,
        "answer_within": ANSWER_WITHIN,
        "training_only": TRAINING_ONLY,
    }
    if method == "Reward":
        return {
            **common,
            "produces": {REWARD_MODEL},
            "accepts": [Port("backbone", {"lm"}, match=MATCH), Port("weights", {REWARD_MODEL}, match=MATCH)],
            "signature": config.reward_signature,
            "evaluator": config.preference_evaluator,
            "predict": open_reward_model,
        }
    role = "weights" if method == "SFT" else "init+reference"
    return {
        **common,
        "produces": {"lm"},
        "accepts": [Port(role, {"lm"}, match=MATCH)],
        "signature": config.signature,
        "evaluator": config.evaluator,
        "predict": open_checkpoint,
    }


@algorithm("TRL SFT", config=config.SFTSettings, **declaration("SFT"))
def sft(ctx: TrainContext) -> None:
    """Teach a language model to imitate demonstrations, with TRL's SFTTrainer, in full or with LoRA.

    Rows have a `prompt` and a `completion`, as texts or as chats; or `messages`. One step is one update. The
    evaluation score is the share of exact answers to held-out prompts that is expected when the model
    samples at temperature 1, or their mean log-likelihood in nats a token.
    """
    from pipeline_widgets.trainers.trl import training

    training.train(ctx, "SFT")


@algorithm("TRL Reward", config=config.RewardSettings, **declaration("Reward"))
def reward(ctx: TrainContext) -> None:
    """Teach a model to score answers by preferences, with TRL's RewardTrainer, in full or with LoRA.

    Rows have a `prompt`, a `chosen` and a `rejected` answer. On a language model it puts a new head, which is
    asked for here and nowhere else. The evaluation score is the share of held-out pairs whose chosen answer
    gets the higher score (Bradley-Terry loss, as in Ouyang et al. 2022, arXiv:2203.02155).
    """
    from pipeline_widgets.trainers.trl import training

    training.train(ctx, "Reward")


@algorithm("TRL DPO", config=config.DPOSettings, **declaration("DPO"))
def dpo(ctx: TrainContext) -> None:
    """Teach a language model to prefer chosen to rejected answers, with TRL's DPOTrainer.

    In full or with LoRA. Rows have a `prompt`, a `chosen` and a `rejected` answer (Rafailov et al. 2023,
    arXiv:2305.18290; with the likelihood of chosen answers in the loss, as in Pang et al. 2024,
    arXiv:2404.19733). The reference is the start checkpoint, also when the run is resumed; its digest is in
    the signature. The evaluation score is that of TRL SFT.
    """
    from pipeline_widgets.trainers.trl import training

    training.train(ctx, "DPO")


@algorithm("TRL GRPO", config=config.GRPOSettings, **declaration("GRPO"))
def grpo(ctx: TrainContext) -> None:
    """Teach a language model by rewards of its own answers, with TRL's GRPOTrainer, in full or with LoRA.

    Rows have a `prompt`, and an `answer` where exact answers are rewarded (Shao et al. 2024,
    arXiv:2402.03300). The reference is the start checkpoint, also when the run is resumed; its digest is in
    the signature. The evaluation score is that of TRL SFT.
    """
    from pipeline_widgets.trainers.trl import training

    training.train(ctx, "GRPO")
