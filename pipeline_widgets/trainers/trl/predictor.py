"""The predictors of checkpoints: a language model completes texts, a reward model scores them."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

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
from pipeline_widgets.errors import PipelineError, format_value
from pipeline_widgets.trainers.trl import evaluation, letters, models

MOST_TOKENS = 256  # of an answer, where neither the client nor the checkpoint says
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")


class LanguageModelPredictor(TextPredictor):
    """Completes texts with a model of transformers, by the generation config of its checkpoint.

    Args:
        model: The language model.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._config = model.generation_config
        ends = self._config.eos_token_id
        listed = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
        self._ends = frozenset([*listed, tokenizer.eos_token_id])
        self._context = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 30)
        self.special_tokens = {
            name: value for name in SPECIAL if isinstance(value := getattr(tokenizer, name, None), str)
        }
        template = tokenizer.chat_template
        self.chat_template = template if isinstance(template, str) else None
        is_letters = tokenizer.get_vocab().keys() == set(letters.VOCABULARY)
        self.example = f"dbca{letters.END}" if is_letters else "Once upon a time"

    @classmethod
    def open(cls, folder: Path) -> LanguageModelPredictor:
        """Open a checkpoint, on a GPU where there is one.

        Args:
            folder: The folder of the checkpoint. An adapter that was adopted is merged into its base.

        Raises:
            CheckpointError: It has no model, or not all of its weights.
        """
        import torch

        model, tokenizer = models.open_model(folder)
        if torch.cuda.is_available():
            model = model.to("cuda")
        return cls(model.eval(), tokenizer)

    def complete(
        self, prompt: Prompt, settings: SamplingSettings, on_text: TakeText | None = None
    ) -> Completion:
        """Return the completion of a prompt, token by token."""
        asked = self._ids(prompt)
        room = self._context - len(asked)
        limit = settings.max_tokens or self._config.max_new_tokens or MOST_TOKENS
        steps = _Steps(self._model, self._config, settings, asked)
        stops, text, taken = StopTexts(settings.stop), [""], list[int]()
        scored, reason, decoded = list[ScoredToken](), "length", ""

        def take(piece: str) -> None:
            text.append(piece)
            if on_text is not None:
                on_text(piece)

        for token, log_prob, top in steps.run(min(limit, room)):
            taken.append(token)
            if settings.log_probs is not None:
                scored.append(self._token_score(token, log_prob, top))
            if token in self._ends:
                reason = "stop"
                break
            whole = self._decode(taken)
            # A character of several tokens is certain only once all of them are there.
            piece = "" if whole.endswith("\ufffd") else whole[len(decoded) :]
            decoded += piece
            take(stops.add(piece))
            if stops.found:
                reason = "stop"
                break
        if not stops.found:
            kept = [token for token in taken if token not in self._ends]
            take(stops.add(self._decode(kept)[len(decoded) :]) + stops.finish())
        return Completion(
            text="".join(text),
            finish_reason="stop" if reason == "stop" else "length",
            prompt_tokens=len(asked),
            completion_tokens=len(taken),
            tokens=tuple(scored),
        )

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Return the token ids of a text, without special tokens."""
        return tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Return the text of token ids."""
        self._check_ids(tokens)
        return self._tokenizer.decode(list(tokens))

    def render_chat(self, messages: Sequence[Message]) -> Prompt:
        """Return the token ids of a chat, by the template of the checkpoint."""
        if not self._tokenizer.chat_template:
            return super().render_chat(messages)
        try:
            said = [dict(message) for message in messages]
            return tuple(evaluation.chat_ids(self._tokenizer, said, add_generation_prompt=True))
        except Exception as error:  # a template may raise anything
            why = f"{type(error).__name__}: {error}."
            raise PipelineError("The chat template refuses these messages.", why, "Send others.") from error

    def score(self, prompt: Prompt, top: int = 1) -> tuple[ScoredToken, ...]:
        """Return the log-probability of every token of a prompt, given the tokens before it."""
        import torch

        ids = self._ids(prompt)
        with torch.no_grad():
            logits = self._model(input_ids=torch.tensor([ids], device=self._model.device)).logits[0]
        found = logits[:-1].float().log_softmax(-1)
        first = ScoredToken(text=self._text(ids[0]), log_prob=None)
        rest = [
            self._token_score(token, float(row[token]), _most_likely(row, top))
            for token, row in zip(ids[1:], found, strict=True)
        ]
        return (first, *rest)

    def _ids(self, prompt: Prompt) -> list[int]:
        if isinstance(prompt, str):
            ids = list(self._tokenizer(prompt)["input_ids"])
        else:
            ids = list(prompt)
            self._check_ids(ids)
        if not ids:
            raise PipelineError("The prompt is empty.", "It has no tokens.", "Send some text.")
        if len(ids) >= self._context:
            why = f"It has {len(ids):,} tokens; with the answer, {self._context:,} are possible."
            raise PipelineError("The prompt is too long.", why, "Shorten it.")
        return ids

    def _check_ids(self, ids: Sequence[int]) -> None:
        size = len(self._tokenizer)
        for each in ids:
            if not 0 <= each < size:
                why = f"There are {size:,} tokens, from 0."
                raise PipelineError(f"There is no token {format_value(each)}.", why, "Correct the ids.")

    def _decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(list(tokens), skip_special_tokens=True)

    def _text(self, token: int) -> str:
        return self._tokenizer.decode([token])

    def _token_score(self, token: int, log_prob: float, top: Sequence[tuple[int, float]]) -> ScoredToken:
        named = tuple((self._text(each), value) for each, value in top)
        return ScoredToken(text=self._text(token), log_prob=log_prob, top=named)


class _Steps:
    """Draws one token after the other."""

    def __init__(self, model: Any, config: Any, settings: SamplingSettings, asked: list[int]) -> None:
        import torch

        self._model = model
        self._settings = settings
        self._asked = asked
        told = settings.temperature
        samples = bool(config.do_sample) if told is None else told > 0
        default = 1.0 if config.temperature is None else config.temperature
        self._temperature = (default if told is None else told) if samples else 0.0
        self._warpers = _warpers(config, settings) if self._temperature else []
        takes = inspect.signature(model.forward).parameters
        self._cache = "cache" if "cache" in takes else "past_key_values"  # its name since transformers 5.20
        self._generator = torch.Generator(device=model.device)
        if settings.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(settings.seed)

    def run(self, most: int) -> Any:
        """Yield a token, its log-probability, and the most likely tokens at its place."""
        import torch

        device, past = self._model.device, None
        ids = torch.tensor([self._asked], device=device)
        seen = ids
        for _ in range(most):
            with torch.no_grad():
                made = self._model(input_ids=ids, use_cache=True, **{self._cache: past})
            past, logits = made[self._cache], made.logits[:, -1].float()
            log_probs = logits[0].log_softmax(-1)
            token = self._choose(seen, logits)
            named = self._settings.log_probs
            top = _most_likely(log_probs, named) if named else ()
            yield token, float(log_probs[token]), top
            ids = torch.tensor([[token]], device=device)
            seen = torch.cat([seen, ids], dim=1)

    def _choose(self, seen: Any, logits: Any) -> int:
        import torch

        if not self._temperature:
            return int(logits.argmax())
        logits = logits / self._temperature
        for warper in self._warpers:
            logits = warper(seen, logits)
        return int(torch.multinomial(logits.softmax(-1)[0], 1, generator=self._generator))


def _warpers(config: Any, settings: SamplingSettings) -> list[Any]:
    """Return what narrows the choice of tokens: the client's setting, else that of the checkpoint."""
    from transformers import TopKLogitsWarper, TopPLogitsWarper

    made: list[Any] = []
    top_p = settings.top_p if settings.top_p is not None else config.top_p
    if config.top_k and settings.top_p is None:
        made.append(TopKLogitsWarper(config.top_k))
    if top_p is not None and top_p < 1:
        made.append(TopPLogitsWarper(top_p))
    return made


def _most_likely(log_probs: Any, count: int) -> tuple[tuple[int, float], ...]:
    if count <= 0:
        return ()
    values, tokens = log_probs.topk(min(count, len(log_probs)))
    return tuple(zip(tokens.tolist(), values.tolist(), strict=True))


def open_reward_model(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint of a reward model.

    The function takes a text, a chat as a list of messages, or {"prompt": ..., "completion": ...}, and
    returns its score; a list of them gives a list of scores.
    """
    import torch

    model, tokenizer = models.open_model(folder, reward_head="present")
    model = model.eval()
    if torch.cuda.is_available():
        model = model.to("cuda")
    lock = threading.Lock()

    def answer(asked: Any) -> Any:
        several = isinstance(asked, list) and not _is_chat(cast("Any", asked))
        texts = [_tokens(tokenizer, each) for each in (cast("list[Any]", asked) if several else [asked])]
        with lock:
            scores = evaluation.reward_scores(model, tokenizer, texts) if texts else []
        return scores if several else scores[0]

    return answer


def _tokens(tokenizer: Any, asked: Any) -> list[int]:
    if isinstance(asked, str):
        return [*tokenizer(asked)["input_ids"], tokenizer.eos_token_id]
    if _is_chat(asked):
        return evaluation.chat_ids(tokenizer, asked, add_generation_prompt=False)
    if isinstance(asked, Mapping) and {"prompt", "completion"} <= set(cast("Mapping[str, Any]", asked)):
        return evaluation.sum_up(tokenizer, cast("Mapping[str, Any]", asked), "completion")
    fix = 'Pass a text, a list of messages, or {"prompt": "...", "completion": "..."}.'
    raise PipelineError("There is nothing to score.", f"Got {format_value(asked)}.", fix)


def _is_chat(asked: Any) -> bool:
    listed = cast("list[Any]", asked) if isinstance(asked, list) else []
    return bool(listed) and all(isinstance(each, Mapping) and "role" in each for each in listed)
