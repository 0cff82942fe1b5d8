"""The yardstick of the task "sort four letters": what share of held-out prompts is answered exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline_widgets.algorithms.evaluators import evaluator
from pipeline_widgets.trainers.numpy import letters


@evaluator("exact answers", accepts={"lm"})
def exact_answers(answer: Callable[[Any], Any]) -> float:
    """Return the share of held-out prompts whose most likely completion is exact, 0 to 1.

    The scores that SFT, DPO and GRPO report are of sampled completions. This one asks any language model, one
    prompt after the other, as the client of an agent does, so that it compares models of whatever library.
    """
    prompts = [letters.decode(tokens) for tokens in letters.prompts().held_out]
    exact = [answer(prompt) == "".join(sorted(prompt.removesuffix(letters.END))) for prompt in prompts]
    return sum(exact) / len(exact)
