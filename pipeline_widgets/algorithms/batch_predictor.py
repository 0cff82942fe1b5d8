"""The return value of a `predict=` that answers several inputs by one call, as a network does best.

An author of an algorithm returns one::

    @pw.algorithm("My PPO", produces={"policy"}, predict=open_checkpoint)
    def train(ctx): ...

    def open_checkpoint(folder: Path) -> pw.BatchPredictor:
        policy = load(folder)
        return pw.BatchPredictor(lambda inputs: policy(np.array(inputs)).tolist(), example=[0.0] * 4)

An agent's endpoint then answers requests that come at the same time by one call (micro-batching). A request
that finds the agent idle is answered at once, by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pipeline_widgets.errors import ConfigError, PipelineError, format_value

MOST_IN_BATCH = 64


class BatchPredictor:
    """Answers one input, or several by one call.

    Args:
        predict_batch: From a list of inputs, as JSON has them, to as many answers in the same order. The
            answer to an input must not depend on what else is in the batch. What it raises reaches only the
            request that has caused it: the inputs are then answered one by one.
        max_batch_size: Inputs of a batch at most, at least 1.
        max_batch_delay_ms: Milliseconds for which requests that had to wait for their turn go on waiting
            until the batch is full. By default none: a batch is what has queued up while the agent was busy.
            A request that finds it idle never waits.
        example: An input that it takes; endpoints show it. None where it names none.

    Raises:
        ConfigError: A bound is out of range.
    """

    def __init__(
        self,
        predict_batch: Callable[[Sequence[Any]], Sequence[Any]],
        *,
        max_batch_size: int = MOST_IN_BATCH,
        max_batch_delay_ms: float = 0.0,
        example: Any = None,
    ) -> None:
        if max_batch_size < 1 or not 0 <= max_batch_delay_ms < float("inf"):
            what = "A batch cannot have these bounds."
            why = f"max_batch_size is {max_batch_size}, max_batch_delay_ms {max_batch_delay_ms}."
            raise ConfigError(what, why, "Pass a size of at least 1 and milliseconds of at least 0.")
        self._predict_batch = predict_batch
        self.max_batch_size = max_batch_size
        self.max_batch_delay_ms = max_batch_delay_ms
        self.example = example

    def __call__(self, value: Any) -> Any:
        """Answer one input.

        Args:
            value: The input.
        """
        return self.predict_batch([value])[0]

    def predict_batch(self, values: Sequence[Any]) -> Sequence[Any]:
        """Answer several inputs by one call.

        Args:
            values: The inputs.

        Returns:
            As many answers, in the same order.

        Raises:
            PipelineError: The function returns something else.
        """
        found: object = self._predict_batch(values)
        count = getattr(found, "__len__", lambda: None)()
        if count != len(values) or isinstance(found, (str, bytes, dict)):
            what = f"The predictor does not answer {len(values)} inputs with as many answers."
            fix = "Let predict_batch return a list with an answer for every input."
            raise PipelineError(what, f"It returned {format_value(found)}.", fix)
        return found  # type: ignore[return-value]
