"""The return value of a language model's `predict=`; clients of the field can ask its agents (spec 8.5).

An author of an algorithm derives from `TextPredictor`::

    @pw.algorithm("My SFT", produces={"lm"}, predict=open_checkpoint)
    def train(ctx): ...

    def open_checkpoint(folder: Path) -> TextPredictor:
        return MyPredictor(load(folder))

`complete` and `tokenize` are enough for completions, streaming and usage; `render_chat` adds chat, `score`
the log-probabilities of prompts that evaluation harnesses ask for, and `detokenize` the way back from token
ids. What a predictor leaves out, its endpoint refuses, with the reason. An endpoint calls a predictor for
one request at a time, from a thread of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from pipeline_widgets.errors import PipelineError, format_value

#: A text, or the ids of its tokens. Ids are taken as they are: no special token is added to them.
Prompt: TypeAlias = str | tuple[int, ...]
#: What was said: {"role": "system" | "user" | "assistant", "content": a text}.
Message: TypeAlias = Mapping[str, str]
#: Takes a piece of a completion as soon as it is certain. It raises when nobody waits for more.
TakeText: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingSettings:
    """Settings of a completion. None leaves a setting to the predictor, as its checkpoint has it."""

    #: Tokens at most; at least 1.
    max_tokens: int | None = None
    #: 0 takes the most likely token, always.
    temperature: float | None = None
    #: Sample among the most likely tokens that have this probability together; above 0, up to 1.
    top_p: float | None = None
    #: The completion ends before the first of these texts, which is not part of it.
    stop: tuple[str, ...] = ()
    #: The same seed gives the same completion; without one every call draws anew.
    seed: int | None = None
    #: How many of the most likely tokens to name beside every token; 0 asks for the log-probabilities of the
    #: chosen tokens alone, and None for none.
    log_probs: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoredToken:
    """A token with its probability, given all tokens before it."""

    #: The texts of a completion's tokens together are its text, as far as they are whole characters.
    text: str
    #: The natural logarithm, at temperature 1; None where the model says nothing, as for the first token.
    log_prob: float | None
    #: The most likely tokens here with their log-probabilities, the most likely first.
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """The answer of a language model."""

    text: str
    #: "stop" where the model, or a stop text, ended it; "length" where it ran into a limit of tokens.
    finish_reason: Literal["stop", "length"]
    #: Tokens of the prompt, with those that the predictor has added.
    prompt_tokens: int
    #: Tokens that were generated, with the one that ended the text.
    completion_tokens: int
    #: All generated tokens, where log-probabilities were asked for, with the one that ended the text.
    tokens: tuple[ScoredToken, ...] = ()


class TextPredictor(ABC):
    """A language model that answers. It raises a `PipelineError` for what it cannot take."""

    #: A prompt that it takes; the endpoint shows it in its snippets and its metadata.
    example: Any = None
    #: Its special tokens, as `tokenizer_config.json` names them: {"eos_token": "</s>"}.
    special_tokens: Mapping[str, str] = {}
    #: Its chat template (Jinja), for clients that render chats themselves; None where there is none to show.
    chat_template: str | None = None

    @abstractmethod
    def complete(
        self, prompt: Prompt, settings: SamplingSettings, on_text: TakeText | None = None
    ) -> Completion:
        """Return the completion of a prompt, without the prompt.

        Args:
            prompt: A text, or token ids.
            settings: How to sample, and when to stop.
            on_text: Call it with every piece of the completion as soon as that is certain; the pieces make
                the text. What it raises has to end the completion soon and pass through: the client has gone.
                Call it with "" where a step gave no text. `StopTexts` tells what is certain.

        Raises:
            PipelineError: The prompt cannot be taken, or is too long, or a setting is not supported.
        """

    @abstractmethod
    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a text, without special tokens.

        Raises:
            PipelineError: The text has no tokens here.
        """

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self.tokenize(text))

    def detokenize(self, tokens: Sequence[int]) -> str:  # noqa: ARG002  for those who override it
        """Return the text of token ids.

        Raises:
            PipelineError: An id is unknown, or the predictor does not say.
        """
        raise PipelineError("This agent cannot turn token ids into text.", fix="Send a text.")

    def render_chat(self, messages: Sequence[Message]) -> Prompt:  # noqa: ARG002  as above
        """Return the prompt for the next turn of the assistant, by the chat template of the checkpoint.

        Args:
            messages: What was said so far, the latest last.

        Returns:
            A text; or token ids, where `complete` adds special tokens to a text that the template writes too.

        Raises:
            PipelineError: There is no chat template, or it refuses these messages.
        """
        what = "This agent has no chat template."
        raise PipelineError(what, "Its checkpoint brings none.", "Ask for a completion of a plain prompt.")

    def score(self, prompt: Prompt, top: int = 1) -> tuple[ScoredToken, ...]:  # noqa: ARG002  as above
        """Return the log-probability of every token of a prompt, given the tokens before it.

        Args:
            prompt: A text, or token ids.
            top: How many of the most likely tokens to name at every position.

        Returns:
            A token for every token of the prompt, in order. Where the model predicts none, as at the first,
            `log_prob` is None and `top` is empty.

        Raises:
            PipelineError: The prompt cannot be taken, or the predictor does not score.
        """
        raise PipelineError("This agent does not score prompts.", fix="Ask it for completions.")

    def __call__(self, prompt: Any) -> Any:
        """Return the completion of a prompt, or of several, with the settings of the checkpoint.

        Args:
            prompt: A text, or a list of texts.

        Raises:
            PipelineError: It is none, or cannot be taken.
        """
        if isinstance(prompt, (list, tuple)):
            return [self(each) for each in cast("Sequence[Any]", prompt)]
        if not isinstance(prompt, str):
            fix = "Pass a text" + (f", such as {self.example!r}." if self.example else ".")
            raise PipelineError("The prompt is not a text.", f"It is {format_value(prompt)}.", fix)
        return self.complete(prompt, SamplingSettings()).text


class StopTexts:
    """Cuts a text that comes in pieces before the first of some stop texts.

    What may be the beginning of a stop text is held back until it is certain::

        stops = StopTexts(settings.stop)
        for piece in pieces:
            on_text(stops.add(piece))
            if stops.found:
                break
        else:
            on_text(stops.finish())

    Args:
        stop: The stop texts; empty ones stop nothing.
    """

    def __init__(self, stop: Iterable[str]) -> None:
        self._stop = tuple(text for text in stop if text)
        self._held = ""
        #: Whether a stop text has come.
        self.found = False

    def add(self, piece: str) -> str:
        """Return the text that is certain by now, and was not returned before."""
        if self.found:
            return ""
        text = self._held + piece
        ends = [at for stop in self._stop if (at := text.find(stop)) >= 0]
        if ends:
            self.found, self._held = True, ""
            return text[: min(ends)]
        kept = max((self._count_begun(text, stop) for stop in self._stop), default=0)
        certain, self._held = text[: len(text) - kept], text[len(text) - kept :]
        return certain

    def finish(self) -> str:
        """Return what was held back: no more text comes."""
        rest, self._held = self._held, ""
        return rest

    @staticmethod
    def _count_begun(text: str, stop: str) -> int:
        """Return how many of the last characters may be the beginning of a stop text."""
        longest = min(len(text), len(stop) - 1)
        return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
