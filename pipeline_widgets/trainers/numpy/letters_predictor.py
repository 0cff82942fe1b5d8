"""Agents of the tiny language model: what answers prompts with the letters that a checkpoint has learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline_widgets.algorithms.text_predictor import (
    Completion,
    Message,
    Prompt,
    SamplingSettings,
    ScoredToken,
    StopTexts,
    TakeText,
    TextPredictor,
)
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.trainers.numpy import language_model, letters
from pipeline_widgets.trainers.numpy.language_model import LanguageModel
from pipeline_widgets.trainers.numpy.letters import COMPLETION_LENGTH, PAD, PROMPT_LENGTH, STOP
from pipeline_widgets.trainers.numpy.nn import Floats

FIX = f'Pass {letters.LENGTH} letters of "{letters.LETTERS}", such as "dbca".'


class LettersPredictor(TextPredictor):
    """Completes "dbca", "dbca>" or what is begun, "dbca>ab"; greedily, unless it is asked otherwise."""

    example = letters.LETTERS[letters.LENGTH - 1 :: -1]
    chat_template = "{{ messages[-1]['content'] }}" + letters.END

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    def __call__(self, prompt: Any) -> Any:
        """Return the completion of a prompt, or of several."""
        if not isinstance(prompt, (str, list, tuple)):
            raise PipelineError("The prompt is not a text.", f"It is a {type(prompt).__name__}.", FIX)
        return super().__call__(prompt)

    def complete(
        self, prompt: Prompt, settings: SamplingSettings, on_text: TakeText | None = None
    ) -> Completion:
        """Return the completion of a prompt.

        Raises:
            PipelineError: It is no prompt of this model, or leaves no room for a completion.
        """
        asked = self._ids(prompt)
        tokens = asked[PROMPT_LENGTH:]
        room = PROMPT_LENGTH + COMPLETION_LENGTH - len(asked)
        if room < 1:
            why = f"It has {len(asked)} tokens, and the model sees {PROMPT_LENGTH + COMPLETION_LENGTH - 1}."
            raise PipelineError("The prompt leaves no room for a completion.", why, "Pass a shorter one.")
        limit = min(room, settings.max_tokens or room)
        rng = np.random.default_rng(settings.seed)
        stops, pieces, scored = StopTexts(settings.stop), list[str](), list[ScoredToken]()
        reason: Literal["stop", "length"] = "length"
        for _ in range(limit):
            log_probs = self._model.next_log_probs(asked[:PROMPT_LENGTH], tokens)
            token = _choose(log_probs, settings, rng)
            tokens.append(token)
            scored.append(_token_score(token, log_probs, settings.log_probs or 0))
            pieces.append(stops.add(letters.VOCABULARY[token]))
            _emit(on_text, pieces[-1])
            if token == STOP or stops.found:
                reason = "stop"
                break
        pieces.append(stops.finish())
        _emit(on_text, pieces[-1])
        return Completion(
            text="".join(pieces),
            finish_reason=reason,
            prompt_tokens=len(asked),
            completion_tokens=len(scored),
            tokens=tuple(scored) if settings.log_probs is not None else (),
        )

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a text of letters."""
        return tuple(_encode(text, text))

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Return the letters of token ids; padding and the end of a text show as nothing."""
        _check_ids(tokens)
        return "".join(letters.VOCABULARY[token] for token in tokens)

    def render_chat(self, messages: Sequence[Message]) -> Prompt:
        """Return the prompt of a chat of one message: the model sees no more than that."""
        if [message["role"] for message in messages] != ["user"]:
            what = "The model answers one message of the user at a time."
            raise PipelineError(what, "It has no room for what was said before.", "Send that message alone.")
        text = messages[0]["content"].strip().removesuffix(letters.END)
        return text + letters.END

    def score(self, prompt: Prompt, top: int = 1) -> tuple[ScoredToken, ...]:
        """Return the log-probabilities of a completion that a prompt holds: "dbca>abcd".

        The letters before ">" have none: the model does not predict them.
        """
        asked = self._ids(prompt)
        begun = asked[PROMPT_LENGTH:]
        padded = np.array([begun + [PAD] * (COMPLETION_LENGTH - len(begun))])
        made = self._model.score(np.array([asked[:PROMPT_LENGTH]]), padded)
        rows = made.distribution.reshape(COMPLETION_LENGTH, -1)
        unscored = [
            ScoredToken(text=letters.VOCABULARY[each], log_prob=None) for each in asked[:PROMPT_LENGTH]
        ]
        return (*unscored, *(_token_score(token, row, top) for token, row in zip(begun, rows, strict=False)))

    def _ids(self, prompt: Prompt) -> list[int]:
        """Return the tokens of a prompt, and of the completion that it begins with.

        Raises:
            PipelineError: It is no prompt of this model.
        """
        if isinstance(prompt, str):
            asked, end, begun = prompt.strip().partition(letters.END)
            ids = _encode(asked + (end or letters.END) + begun, prompt)
        else:
            _check_ids(prompt)
            ids = list(prompt)
            asked = self.detokenize(ids[: ids.index(_END) if _END in ids else None])
            if _END not in ids:
                what, why = (
                    "These token ids are not a prompt.",
                    f"{letters.END!r} ({_END}) is not among them.",
                )
                raise PipelineError(what, why, f"End the prompt with {_END}.")
        if len(asked) != letters.LENGTH or ids.index(_END) != letters.LENGTH:
            why = f"It has {len(asked)} letters."
            raise PipelineError(f"The prompt {prompt!r} cannot be answered.", why, FIX)
        if len(ids) > PROMPT_LENGTH + COMPLETION_LENGTH:
            why = f"It goes on for {len(ids) - PROMPT_LENGTH} letters, and {COMPLETION_LENGTH} fit."
            raise PipelineError(f"The prompt {prompt!r} is too long.", why, FIX)
        return ids


def predict(folder: Path) -> TextPredictor:
    """Open a checkpoint: what it returns answers a prompt ("dbca" or "dbca>") with the most likely letters.

    A list of prompts gives a list of answers.
    """
    return LettersPredictor(language_model.load(folder))


_END = letters.encode(letters.END)[0]


def _encode(text: str, shown: str) -> list[int]:
    if unknown := sorted(set(text) - set(letters.LETTERS + letters.END)):
        why = f"The model does not know {', '.join(map(repr, unknown))}."
        raise PipelineError(f"The prompt {shown!r} cannot be answered.", why, FIX)
    return letters.encode(text)


def _check_ids(tokens: Sequence[Any]) -> None:
    if not all(0 <= token < len(letters.VOCABULARY) for token in tokens):
        fix = f"Pass ids from 0 to {len(letters.VOCABULARY) - 1}."
        raise PipelineError("A token id is unknown.", fix=fix)


def _emit(on_text: TakeText | None, piece: str) -> None:
    if on_text is not None:
        on_text(piece)


def _choose(log_probs: Floats, settings: SamplingSettings, rng: np.random.Generator) -> int:
    """Return the next token: the most likely one, or one drawn at a temperature from the nucleus.

    Nucleus sampling: Holtzman et al. 2020, arXiv:1904.09751.
    """
    if not settings.temperature:
        return int(log_probs.argmax()) + 1
    scaled = log_probs.astype(np.float64) / settings.temperature
    probabilities = np.exp(scaled - scaled.max())
    probabilities /= probabilities.sum()
    order = np.argsort(-probabilities, kind="stable")
    before = np.cumsum(probabilities[order]) - probabilities[order]
    kept = order[before < (1.0 if settings.top_p is None else settings.top_p)]
    nucleus = np.zeros_like(probabilities)
    nucleus[kept] = probabilities[kept]
    return int(rng.choice(len(nucleus), p=nucleus / nucleus.sum())) + 1


def _token_score(token: int, log_probs: Floats, top: int) -> ScoredToken:
    likeliest: list[int] = np.argsort(-log_probs, kind="stable")[:top].tolist()
    return ScoredToken(
        text=letters.VOCABULARY[token],
        log_prob=float(log_probs[token - 1]) if token != PAD else None,
        top=tuple((letters.VOCABULARY[index + 1], float(log_probs[index])) for index in likeliest),
    )
