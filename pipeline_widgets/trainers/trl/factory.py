"""An algorithm of a user's own rows and functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.algorithms.registry import algorithm as register
from pipeline_widgets.errors import ConfigError, format_value
from pipeline_widgets.trainers.config_defaults import with_defaults
from pipeline_widgets.trainers.trl import config, letters, ready

Method = Literal["SFT", "Reward", "DPO", "GRPO"]
SETTINGS: dict[str, type[config.Settings]] = {
    "SFT": config.SFTSettings,
    "Reward": config.RewardSettings,
    "DPO": config.DPOSettings,
    "GRPO": config.GRPOSettings,
}


@dataclass(frozen=True)
class _Own:
    """The arguments of a user, as the process of a run needs them."""

    method: Method
    dataset: Any
    evaluate: Any
    reward_funcs: tuple[Any, ...]

    def train(self, ctx: TrainContext) -> None:
        """Train on the rows of the user, and score by the function of the user."""
        from pipeline_widgets.trainers.trl import training

        rows = training.rows_of(self.dataset)
        training.check_columns(self.method, rows)
        data = training.Data(rows=rows, evaluate=self.evaluate, reward_functions=self.reward_funcs)
        training.train(ctx, self.method, data)


def algorithm(
    method: Method,
    *,
    dataset: Any,
    evaluate: Callable[[Any, Any], Any],
    reward_funcs: Sequence[Callable[..., Any]] | Callable[..., Any] = (),
    base_model: str | Path = letters.NAME,
    name: str | None = None,
    evaluator: str | None = None,
    **defaults: Any,
) -> Algorithm:
    """Make and register an algorithm that trains by a method of TRL on one's own data.

    It works in a notebook cell, and is all that a ready algorithm is: config form, checkpoints, resuming,
    signature, predictor.

    Args:
        method: "SFT", "Reward", "DPO" or "GRPO".
        dataset: Rows as TRL names their columns: a list, a `datasets.Dataset`, a path, or a function that
            returns one of them, which is called in the process that trains.
        evaluate: Called with model and tokenizer; returns a score, a score with its standard error, or a
            list of scores, one for each row. Higher is better. It always draws the same random numbers.
        reward_funcs: For GRPO: functions of TRL's form, such as `reward(completions, **columns)`.
        base_model: The model that the chain begins with: a folder, a name on the Hub, or "letters".
        name: The name of the algorithm; "TRL SFT of my own" and the like by default.
        evaluator: Names what `evaluate` measures, so that later stages with the same name check the handover;
            by default its own name.
        **defaults: Other defaults of the config, such as `steps=200` or `lora=16`.

    Raises:
        ConfigError: The method or a default is unknown, or GRPO has no reward function.
    """
    if method not in SETTINGS:
        fix = 'Pass "SFT", "Reward", "DPO" or "GRPO".'
        raise ConfigError(f"There is no method {format_value(method)}.", fix=fix)
    functions = (reward_funcs,) if callable(reward_funcs) else tuple(reward_funcs)
    if method == "GRPO" and not functions:
        raise ConfigError("GRPO has no reward function.", fix="Pass reward_funcs=[reward].")
    if not callable(evaluate):
        raise ConfigError("evaluate is not a function.", f"Got {format_value(evaluate)}.", "Pass a function.")
    named = name or f"TRL {method} of my own"
    chosen = {"base_model": str(base_model), "dataset": "(of its own)", **defaults}
    form = with_defaults(SETTINGS[method], named, f"Own{SETTINGS[method].__name__}", chosen)
    own = _Own(method, dataset, evaluate, functions)

    def train(ctx: TrainContext) -> None:
        own.train(ctx)

    declared: dict[str, Any] = {**ready.declaration(method), "config": form}
    # A chain of one's own data begins with a language model, also where it makes a reward model.
    declared["accepts"] = [port for port in declared["accepts"] if "lm" in port.kinds]
    declared["evaluator"] = evaluator or getattr(evaluate, "__name__", "evaluate")
    made = register(named, **declared)(train)
    made.validate({})  # refuses defaults that the form would refuse
    return made
