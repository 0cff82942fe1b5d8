"""Answers to held-out prompts, to be shown at each evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.trainers.trl.evaluation import Row, answer_of, chat_ids, keep_undisturbed

SHOWN = 4  # prompts
MOST_TOKENS = 64  # of an answer


def show_answers(ctx: TrainContext, step: int, model: Any, tokenizer: Any, rows: Sequence[Row]) -> None:
    """Show greedy answers to the first prompts.

    Args:
        ctx: What the train function got.
        step: The step that they belong to.
        model: The language model.
        tokenizer: Its tokenizer.
        rows: Prompts with their answers.
    """
    try:
        with keep_undisturbed(model):
            samples = [_sample(model, tokenizer, row) for row in rows[:SHOWN]]
    except Exception as error:  # noqa: BLE001  a model that cannot generate is trained all the same
        ctx.log(f"No answers are shown: {type(error).__name__}: {error}.")
        return
    ctx.show(step, samples=samples, caption="Greedy answers to held-out prompts")


def _sample(model: Any, tokenizer: Any, row: Row) -> dict[str, Any]:
    import torch

    prompt, reference = row["prompt"], _text(answer_of(row))
    is_text = isinstance(prompt, str)
    ids = (
        tokenizer(prompt)["input_ids"] if is_text else chat_ids(tokenizer, prompt, add_generation_prompt=True)
    )
    room = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 30) - len(ids)
    asked = torch.tensor([ids], device=model.device)
    answered = model.generate(
        input_ids=asked,
        attention_mask=torch.ones_like(asked),
        do_sample=False,
        max_new_tokens=max(1, min(MOST_TOKENS, room)),
        pad_token_id=tokenizer.pad_token_id,
    )
    output = tokenizer.decode(answered[0][len(ids) :], skip_special_tokens=True)
    score = float(output.strip() == reference.strip())
    return {"prompt": _text(prompt), "output": output, "reference": reference, "score": score}


def _text(said: Any) -> str:
    """Return a text, or the messages of a chat as one."""
    if isinstance(said, str):
        return said
    messages = cast("Sequence[dict[str, Any]]", said)
    return "\n".join(str(each.get("content", "")) for each in messages)
