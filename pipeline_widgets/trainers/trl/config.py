"""The configs of the ready algorithms: what the form of an experiment shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from pipeline_widgets.adoption import model_facets
from pipeline_widgets.algorithms.handover_field import handover_field
from pipeline_widgets.domain.handover import Handover
from pipeline_widgets.trainers.trl import letters

TOKENS: dict[str, JsonValue] = {"unit": "tokens"}
ROWS: dict[str, JsonValue] = {"unit": "rows"}
STEPS: dict[str, JsonValue] = {"unit": "steps"}


class Settings(BaseModel):
    """The settings that all trainings of a language model share."""

    model_config = ConfigDict(extra="forbid")

    base_model: str = Field(
        letters.NAME,
        min_length=1,
        description='The model that the chain begins with: a folder, a name on the Hub, or "letters".',
    )
    dataset: str = Field(
        letters.NAME,
        min_length=1,
        description='Rows to train on: a file (.jsonl, .json, .parquet, .csv), or "letters".',
    )
    steps: int = Field(100, ge=1, description="Total updates.", json_schema_extra=STEPS)
    batch_size: int = Field(32, ge=1, description="Rows per update.", json_schema_extra=ROWS)
    accumulate: int = Field(
        1, ge=1, description="Parts that an update is computed in, to save memory; they divide batch_size."
    )
    learning_rate: float = Field(5e-4, gt=0, le=1, description="Peak of AdamW's step size.")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "constant", description="How the step size changes over the steps of the run."
    )
    max_length: int = Field(1024, ge=2, description="Longer rows are cut.", json_schema_extra=TOKENS)
    lora: int = Field(0, ge=0, description="Rank of a LoRA adapter; 0 trains all weights.")
    adapter: Literal["merge", "continue"] = Field(
        "merge",
        description="What becomes of an adapter of the start checkpoint: merged into its base below a new "
        "adapter, or trained on.",
    )
    evaluate_every: int = Field(
        0,
        ge=0,
        description="Updates from one evaluation and checkpoint to the next; 0 means four times a run.",
        json_schema_extra=STEPS,
    )
    evaluation: Literal["exact", "likelihood"] = Field(
        "exact",
        description="The score on held-out rows: expected share of exact answers, or mean log-likelihood.",
    )
    held_out: int = Field(
        100, ge=1, description="Rows at the end of a file that nothing trains on.", json_schema_extra=ROWS
    )
    pad_token: str = Field(
        "",
        description="A token of the vocabulary to pad with, where the tokenizer has none, or pads with "
        "the one that ends an answer.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where to train; auto takes a GPU.")
    precision: Literal["auto", "bf16", "float32"] = Field(
        "auto", description="Numbers to compute with; auto takes bf16 on a GPU that has it."
    )
    handover: Handover = handover_field()


class SFTSettings(Settings):
    """Config of TRL SFT."""

    steps: int = Field(300, ge=1, description="Total updates.", json_schema_extra=STEPS)
    batch_size: int = Field(64, ge=1, description="Rows per update.", json_schema_extra=ROWS)
    learning_rate: float = Field(3e-3, gt=0, le=1, description="Peak of AdamW's step size.")
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "cosine", description="How the step size changes over the steps of the run."
    )
    noise: float = Field(
        0.5, ge=0, le=1, description="Share of demonstrations of letters that are careless: it bounds SFT."
    )


class RewardSettings(Settings):
    """Config of TRL Reward."""

    steps: int = Field(60, ge=1, description="Total updates.", json_schema_extra=STEPS)
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Peak of AdamW's step size.")


class DPOSettings(Settings):
    """Config of TRL DPO."""

    steps: int = Field(40, ge=1, description="Total updates.", json_schema_extra=STEPS)
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "linear", description="How the step size changes over the steps of the run."
    )
    beta: float = Field(0.1, gt=0, description="How strongly the model is kept close to the reference.")
    sft_weight: float = Field(
        0.5, ge=0, description="Weight of the likelihood of chosen answers in the loss; 0 is plain DPO."
    )


class GRPOSettings(Settings):
    """Config of TRL GRPO."""

    steps: int = Field(40, ge=1, description="Total updates.", json_schema_extra=STEPS)
    batch_size: int = Field(
        128,
        ge=2,
        description="Answers per update; num_generations divides it.",
        json_schema_extra={"unit": "answers"},
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Peak of AdamW's step size.")
    num_generations: int = Field(
        8, ge=2, description="Answers to each prompt.", json_schema_extra={"unit": "answers"}
    )
    beta: float = Field(0.02, ge=0, description="Weight of the divergence from the reference; 0 has none.")
    temperature: float = Field(1.0, gt=0, le=10, description="Temperature of the answers that are rewarded.")
    max_completion_length: int = Field(
        256, ge=1, description="Tokens of an answer.", json_schema_extra=TOKENS
    )
    reward_model: str = Field(
        "",
        description="A checkpoint of TRL Reward whose scores are the reward; empty rewards exact answers.",
    )


def base_name(base: str) -> str:
    """Return what the base model is called in signatures: the last folder of a path, else its whole name."""
    return Path(base).name if _is_folder(base) else base


def base_facets(base: str) -> dict[str, str]:
    """Return the facets of a base model as far as they are known without loading it.

    Those of a name on the Hub are known once a stage has saved a checkpoint.
    """
    known: dict[str, str] = {}
    if base == letters.NAME:
        known = letters.base_facets()
    elif _is_folder(base):
        known = model_facets.read_facets(Path(base).expanduser())
    return {"base_model": base_name(base), **known}


def signature(config: Any) -> dict[str, Any]:
    """Return the facets that have to agree between the stages of a chain."""
    wanted: dict[str, Any] = base_facets(config.base_model)
    if config.adapter == "continue" and config.lora:
        wanted["lora"] = config.lora
    return wanted


def reward_signature(config: Any) -> dict[str, Any]:
    """Return the facets of a reward model: it writes no text, so there is nothing to end one."""
    return {name: value for name, value in signature(config).items() if name != "generation_config"}


def evaluator(config: Any) -> str:
    """Return the name of what scores a checkpoint."""
    if config.dataset == letters.NAME:
        return (
            letters.EXACT
            if config.evaluation == "exact"
            else letters.EXACT.replace("share of exact", "log-likelihood of exact")
        )
    kind = "share of exact answers" if config.evaluation == "exact" else "log-likelihood of answers"
    return f"{kind} to the last {config.held_out} rows of {Path(config.dataset).name}"


def preference_evaluator(config: Any) -> str:
    """Return the name of what scores a reward model."""
    where = "letters" if config.dataset == letters.NAME else Path(config.dataset).name
    return f"preferences of {config.held_out} held-out pairs of {where}"


def _is_folder(base: str) -> bool:
    return Path(base).expanduser().is_dir()
