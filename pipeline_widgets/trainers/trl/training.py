"""The four trainings with TRL, from a config to checkpoints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.errors import ConfigError, format_value
from pipeline_widgets.trainers.torch_threads import use_one_thread_if_small
from pipeline_widgets.trainers.trl import evaluation, letters, models
from pipeline_widgets.trainers.trl.evaluation import Evaluate

Method: TypeAlias = Literal["SFT", "Reward", "DPO", "GRPO"]
Row: TypeAlias = Mapping[str, Any]
#: Called with prompts, completions and the columns of the data set: a reward for each completion.
RewardFunction: TypeAlias = Callable[..., Sequence[float]]
#: Models below this many parameters are computed by one thread: more wait for each other.
COLUMNS: Mapping[Method, tuple[str, ...]] = {
    "SFT": ("prompt", "completion"),
    "Reward": ("prompt", "chosen", "rejected"),
    "DPO": ("prompt", "chosen", "rejected"),
    "GRPO": ("prompt",),
}


@dataclass(frozen=True, kw_only=True)
class Data:
    """The data of a training, and its score."""

    rows: list[Row]
    evaluate: Evaluate
    reward_functions: tuple[RewardFunction, ...] = ()


def train(ctx: TrainContext, method: Method, data: Data | None = None) -> None:
    """Train by a method of TRL with the config of the run.

    Args:
        ctx: What the train function got.
        method: Which one.
        data: What to learn from; None reads what the config names.
    """
    from pipeline_widgets.trainers.trl.callback import Callback

    config = ctx.config
    data = data or read_data(method, config, ctx.seed)
    if config.steps <= ctx.start_step:
        _keep(ctx)
        return
    model, tokenizer = models.start(
        ctx,
        config.base_model,
        lora=config.lora,
        adapter=config.adapter,
        pad_token=config.pad_token,
        reward_head=method == "Reward",
    )
    callback = Callback(ctx, evaluate=data.evaluate, every=config.evaluate_every, handover=config.handover)
    use_one_thread_if_small(model)
    with _quiet():
        trainer = make_trainer(ctx, method, data, model, tokenizer, callback)
        trainer.train(resume_from_checkpoint=models.resume(ctx))


def make_trainer(
    ctx: TrainContext, method: Method, data: Data, model: Any, tokenizer: Any, callback: Any
) -> Any:
    """Return the trainer of TRL for a method."""
    import trl
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback

    arguments = getattr(trl, f"{method}Config")(**trainer_arguments(ctx, method))
    special: dict[str, Any] = {}
    if method == "GRPO":
        functions, tokenizers = _rewards(ctx.config, data)
        special = {"reward_funcs": functions, "reward_processing_classes": tokenizers}
    trainer = getattr(trl, f"{method}Trainer")(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list([dict(row) for row in data.rows]),
        processing_class=tokenizer,
        callbacks=[callback],
        **special,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def trainer_arguments(ctx: TrainContext, method: Method) -> dict[str, Any]:
    """Return the arguments of a trainer, from the config of a run."""
    config = ctx.config
    on_gpu, half = _device(config)
    if config.batch_size % config.accumulate:
        why = f"batch_size is {config.batch_size}, accumulate {config.accumulate}."
        raise ConfigError("accumulate does not divide batch_size.", why, "Change one of them.")
    chosen: dict[str, Any] = {
        "output_dir": str(models.scratch_folder(ctx)),
        "max_steps": config.steps,
        "per_device_train_batch_size": config.batch_size // config.accumulate,
        "gradient_accumulation_steps": config.accumulate,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.schedule,
        "seed": ctx.seed,
        "use_cpu": not on_gpu,
        "bf16": half,
        "gradient_checkpointing": on_gpu,
        "logging_steps": max(1, config.steps // 50),
        "logging_first_step": True,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }
    if method != "GRPO":
        chosen["max_length"] = config.max_length
    if method == "DPO":
        chosen["beta"] = config.beta
        if config.sft_weight:
            chosen |= {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, config.sft_weight]}
    if method == "GRPO":
        chosen |= {name: getattr(config, name) for name in ("num_generations", "beta", "temperature")}
        longest = letters.ANSWER_TOKENS if config.dataset == letters.NAME else config.max_completion_length
        chosen["max_completion_length"] = min(config.max_completion_length, longest)
    return chosen


def read_data(method: Method, config: Any, seed: int) -> Data:
    """Return what the config of a ready algorithm names: the letters, or the rows of a file.

    Raises:
        ConfigError: The file is not there, cannot be read, or lacks a column.
    """
    del seed  # the data are the same for all seeds
    if config.dataset == letters.NAME:
        rows, held_out = _letters(method, config)
    else:
        rows = read_rows(config.dataset)
        if len(rows) <= config.held_out:
            why = f"It has {len(rows)} rows, of which the last {config.held_out} are held out."
            raise ConfigError(f"{config.dataset} has too few rows.", why, "Lower held_out.")
        rows, held_out = rows[: -config.held_out], rows[-config.held_out :]
    check_columns(method, rows)
    measure = evaluation.exact_answers if config.evaluation == "exact" else evaluation.likelihood
    if method == "Reward":
        measure = evaluation.preferred
    return Data(rows=rows, evaluate=measure(held_out), reward_functions=(letters.exact_reward,))


def read_rows(path: str) -> list[Row]:
    """Return the rows of a file, by the reader of its ending.

    Raises:
        ConfigError: It is not there, or cannot be read.
    """
    file = Path(path).expanduser()
    fix = "Name a file that ends in .jsonl, .json, .parquet or .csv."
    if not file.is_file():
        raise ConfigError(f"The data set {path!r} is not found.", "There is no such file.", fix)
    try:
        if file.suffix in {".jsonl", ".ndjson"}:
            text = file.read_text(encoding="utf-8")
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        if file.suffix == ".json":
            return list(json.loads(file.read_text(encoding="utf-8")))
        import pandas as pd

        readers: dict[str, Any] = {".parquet": pd.read_parquet, ".csv": pd.read_csv}
        if file.suffix not in readers:
            raise ConfigError(f"{file.name} cannot be read.", f"Nothing reads {file.suffix!r}.", fix)
        return readers[file.suffix](file).to_dict("records")
    except (OSError, ValueError, ImportError) as error:
        why = f"{type(error).__name__}: {error}."
        raise ConfigError(f"The data set {path!r} cannot be read.", why, fix) from error


def check_columns(method: Method, rows: Sequence[Any]) -> None:
    """Refuse rows that lack a column that the method needs.

    Raises:
        ConfigError: A row is no mapping, lacks a column, or there is none.
    """
    needed = COLUMNS[method]
    if not rows:
        raise ConfigError(f"There is nothing to train on with TRL {method}.", "The data set has no rows.")
    for index, row in enumerate(rows):
        missing = [name for name in needed if not isinstance(row, Mapping) or name not in row]
        if method == "SFT" and isinstance(row, Mapping) and ("messages" in row or "text" in row):
            continue
        if missing:
            why = f"Row {index} is {format_value(row)}."
            raise ConfigError(
                f"TRL {method} needs the columns {', '.join(needed)}.", why, f"Add {', '.join(missing)}."
            )


def rows_of(dataset: Any) -> list[Row]:
    """Return the rows of a data set as a user passes it: rows, a Dataset, a path, or a function."""
    if callable(dataset):
        dataset = dataset()
    if isinstance(dataset, (str, Path)):
        return read_rows(str(dataset))
    if hasattr(dataset, "to_list"):
        dataset = dataset.to_list()
    if not isinstance(dataset, Iterable):
        fix = "Pass a list of rows, a datasets.Dataset, a path, or a function that returns one of them."
        raise ConfigError("The data set has no rows.", f"Got {format_value(dataset)}.", fix)
    return list(dataset)


def _letters(method: Method, config: Any) -> tuple[list[Row], list[Row]]:
    held_out = letters.prompts(held_out=True)
    if method == "SFT":
        return list(letters.demonstrations(config.noise)), list(held_out)
    if method == "GRPO":
        return list(letters.prompts(held_out=False)), list(held_out)
    return list(letters.preferences()), list(letters.held_out_pairs() if method == "Reward" else held_out)


def _rewards(config: Any, data: Data) -> tuple[list[Any], list[Any] | None]:
    """Return the reward functions of GRPO: the user's, or a reward model with its tokenizer."""
    path = getattr(config, "reward_model", "")
    if not path:
        return list(data.reward_functions), None
    folder = Path(path).expanduser()
    folder = folder / models.MODEL if (folder / models.MODEL).is_dir() else folder
    model = models.load_model(folder, reward_head="present")
    tokenizer = models.load_tokenizer(folder)
    if tokenizer.pad_token_id is None:
        why = "It could not tell the last token of a text in a batch."
        raise ConfigError(
            "The tokenizer of the reward model has no token to pad with.", why, "Train it again."
        )
    model.config.pad_token_id = tokenizer.pad_token_id
    return [model], [tokenizer]


def _device(config: Any) -> tuple[bool, bool]:
    """Return whether to train on a GPU, and whether in bf16."""
    import torch

    found = torch.cuda.is_available()
    if config.device == "cuda" and not found:
        why = "PyTorch finds no GPU that it can use."
        raise ConfigError("There is no GPU.", why, 'Set device to "auto" or "cpu".')
    on_gpu = found and config.device != "cpu"
    half = config.precision == "bf16" or (
        config.precision == "auto" and on_gpu and torch.cuda.is_bf16_supported()
    )
    return on_gpu, half


def _keep(ctx: TrainContext) -> None:
    """Publish the start again: it was resumed when nothing was left to do, and a run has a checkpoint."""
    if ctx.start is None:
        return
    scores = {
        "evaluation_score": ctx.start.evaluation_score,
        "evaluation_spread": ctx.start.evaluation_spread,
    }
    ctx.report(ctx.start.step, {name: score for name, score in scores.items() if score is not None})
    facets = {name: value for name, value in ctx.start.signature.items() if value is not None}
    with ctx.checkpoint(ctx.start.step, signature=facets) as folder:
        shutil.copytree(ctx.start.path, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)


@contextmanager
def _quiet() -> Generator[None]:
    """Leave progress bars out of the log: the run has its own."""
    import datasets
    from transformers.utils import logging

    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()
        if bars:
            datasets.enable_progress_bars()
