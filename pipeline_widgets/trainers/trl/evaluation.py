"""Score a language model on held-out rows: deterministically, by its own probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from pipeline_widgets.errors import ConfigError, format_value

Row: TypeAlias = Mapping[str, Any]
#: Called with the model and the tokenizer: a score; a score with its standard error; or a score for each row.
Evaluate: TypeAlias = Callable[[Any, Any], Any]
BATCH = 128  # rows at once
IGNORED = -100  # label of a token that is no part of the answer


@dataclass(frozen=True)
class RowEvaluation:
    """An evaluation on held-out rows, whose answers can be shown as well."""

    rows: Sequence[Row]
    measure: Evaluate

    def __call__(self, model: Any, tokenizer: Any) -> Any:
        """Return the score, and its standard error."""
        return self.measure(model, tokenizer)


def exact_answers(rows: Sequence[Row]) -> Evaluate:
    """Return an evaluation: the share of exact answers, as expected when the model samples at temperature 1.

    It is the mean probability of the right answer with its end, so it needs no samples, has no noise, and
    tells two checkpoints apart that answer the same prompts right.

    Args:
        rows: Prompts with their answers, in the columns `prompt` and `answer`, `completion` or `chosen`.
    """

    def evaluate(model: Any, tokenizer: Any) -> tuple[float, float]:
        found = [math.exp(total) for total, _ in log_probs(model, tokenizer, rows)]
        return sum(found) / len(found), 0.0

    return RowEvaluation(rows, evaluate)


def likelihood(rows: Sequence[Row]) -> Evaluate:
    """Return an evaluation: the mean log-likelihood of the answers, in nats a token.

    Args:
        rows: Prompts with their answers, in the columns `prompt` and `answer`, `completion` or `chosen`.
    """

    def evaluate(model: Any, tokenizer: Any) -> tuple[float, float]:
        found = [total / count for total, count in log_probs(model, tokenizer, rows)]
        return sum(found) / len(found), 0.0

    return RowEvaluation(rows, evaluate)


def preferred(rows: Sequence[Row]) -> Evaluate:
    """Return an evaluation of a reward model: the share of pairs whose chosen answer has the higher score.

    Args:
        rows: Prompts with `chosen` and `rejected` answers.
    """

    def evaluate(model: Any, tokenizer: Any) -> tuple[float, float]:
        chosen, rejected = (
            reward_scores(model, tokenizer, [sum_up(tokenizer, row, column) for row in rows])
            for column in ("chosen", "rejected")
        )
        return sum(one > other for one, other in zip(chosen, rejected, strict=True)) / len(rows), 0.0

    return evaluate


def reward_scores(model: Any, tokenizer: Any, texts: Sequence[Sequence[int]]) -> list[float]:
    """Return the scores that a reward model gives to texts of token ids."""
    import torch

    scores: list[float] = []
    for begin in range(0, len(texts), BATCH):
        part = texts[begin : begin + BATCH]
        ids, mask = _pad(part, tokenizer.pad_token_id, model.device)
        with torch.no_grad():
            scores += model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
    return scores


def sum_up(tokenizer: Any, row: Row, column: str) -> list[int]:
    """Return the token ids of a prompt with one of its answers."""
    prompt, answer = tokenize(tokenizer, row["prompt"], row[column])
    return [*prompt, *answer]


def log_probs(model: Any, tokenizer: Any, rows: Sequence[Row]) -> list[tuple[float, int]]:
    """Return for each row the log-probability of its answer, in nats, and the number of tokens of that."""
    import torch

    found: list[tuple[float, int]] = []
    pairs = [tokenize(tokenizer, row["prompt"], answer_of(row)) for row in rows]
    for begin in range(0, len(pairs), BATCH):
        part = pairs[begin : begin + BATCH]
        ids, mask = _pad([[*one, *other] for one, other in part], tokenizer.pad_token_id, model.device)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[:, :-1].float()
        chosen = logits.log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
        for row, (_, answer) in zip(chosen, part, strict=True):
            found.append((float(row[len(row) - len(answer) :].sum()), len(answer)))
    return found


def tokenize(tokenizer: Any, prompt: Any, answer: Any) -> tuple[list[int], list[int]]:
    """Return the token ids of a prompt and of its answer with its end, as TRL makes them.

    Args:
        tokenizer: The tokenizer.
        prompt: A text, or the messages of a chat.
        answer: A text, or the messages that answer the chat.

    Raises:
        ConfigError: The chat template changes the prompt when an answer follows.
    """
    if isinstance(prompt, str):
        asked = tokenizer(prompt)["input_ids"]
        whole = tokenizer(prompt + answer)["input_ids"]
        whole = whole if whole[-1:] == [tokenizer.eos_token_id] else [*whole, tokenizer.eos_token_id]
    else:
        said = [{"role": "assistant", "content": answer}] if isinstance(answer, str) else list(answer)
        asked = chat_ids(tokenizer, list(prompt), add_generation_prompt=True)
        whole = chat_ids(tokenizer, [*prompt, *said], add_generation_prompt=False)
    return asked, whole[len(asked) :]


def chat_ids(tokenizer: Any, messages: list[Any], *, add_generation_prompt: bool) -> list[int]:
    """Return the token ids of a chat, by its template."""
    made = tokenizer.apply_chat_template(
        messages, tokenize=True, return_dict=True, add_generation_prompt=add_generation_prompt
    )
    return list(made["input_ids"])


def answer_of(row: Row) -> Any:
    """Return the right answer of a row.

    Raises:
        ConfigError: It has none.
    """
    for column in ("answer", "completion", "chosen"):
        if column in row:
            return row[column]
    why = f"It has {', '.join(map(repr, row))}."
    fix = "Add a column 'answer' or 'completion', or pass a function as evaluate."
    raise ConfigError("A held-out row has no answer to score by.", why, fix)


def score_with(evaluate: Evaluate, model: Any, tokenizer: Any) -> tuple[float, float | None]:
    """Return the score and its standard error, as an evaluation tells it; None where it does not tell.

    The model is in evaluation mode meanwhile, and the random numbers of the training go on as if nothing had
    happened. Every evaluation draws the same numbers, so that two scores differ by the models alone.

    Args:
        evaluate: The evaluation.
        model: The model.
        tokenizer: Its tokenizer.

    Raises:
        ConfigError: The evaluation returns something else.
    """
    with keep_undisturbed(model):
        found = evaluate(model, tokenizer)
    if isinstance(found, tuple):
        pair = cast("tuple[Any, ...]", found)
        if len(pair) == 2:  # noqa: PLR2004  score and standard error
            return float(pair[0]), float(pair[1])
    try:
        return float(cast("Any", found)), None
    except (TypeError, ValueError):
        pass
    try:
        scores = [float(each) for each in cast("Any", found)]
        mean = sum(scores) / len(scores)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        fix = "Return a number, a number with its standard error, or a list of scores, one for each row."
        raise ConfigError("evaluate does not return a score.", f"Got {format_value(found)}.", fix) from error
    variance = sum((each - mean) ** 2 for each in scores) / max(len(scores) - 1, 1)
    return mean, math.sqrt(variance / len(scores))


@contextmanager
def keep_undisturbed(model: Any) -> Generator[None]:
    """Put the model in evaluation mode within the block, whose random numbers disturb no training."""
    import random

    import numpy as np
    import torch

    training = model.training
    states = random.getstate(), np.random.get_state()  # noqa: NPY002  the state that user code shares
    devices = [model.device] if model.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002  as above
        model.eval()
        try:
            yield
        finally:
            model.train(training)
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002  as above


def _pad(rows: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[Any, Any]:
    import torch

    width = max(map(len, rows))
    ids = [[pad] * (width - len(row)) + list(row) for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
