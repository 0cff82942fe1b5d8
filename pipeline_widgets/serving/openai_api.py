"""The OpenAI API for agents that are language models: models, completions, chat completions (spec 8.5).

Beside it the tokenizer, where lm-eval looks for that of a server.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from pipeline_widgets.algorithms.text_predictor import (
    Completion,
    Prompt,
    ScoredToken,
    TakeText,
    TextPredictor,
)
from pipeline_widgets.serving.auth import Authenticator, ServedState
from pipeline_widgets.serving.generation import generate, unless_gone
from pipeline_widgets.serving.openai_requests import (
    Asked,
    check_model,
    read_chat_request,
    read_completion_request,
    read_generate_request,
)
from pipeline_widgets.serving.payload import (
    OPENAI,
    RequestError,
    error_body,
    get_field,
    json_response,
    read_body,
)
from pipeline_widgets.serving.queue import LoadedVersion, PredictionQueue

LEAST = -9999.0  # stands for the logarithm of 0, which JSON has not
ROUTES = ("/v1/models", "/v1/completions", "/v1/chat/completions")


class OpenAIRoutes:
    """The handlers of the OpenAI API."""

    def __init__(self, live: ServedState, guard: Authenticator, queue: PredictionQueue) -> None:
        self._live, self._guard, self._queue = live, guard, queue

    async def models(self, request: Request) -> Response:
        """List the one model that there is: the agent."""
        opened = await self._authorize(request)
        return json_response({"object": "list", "data": [_describe(opened)]})

    async def model(self, request: Request) -> Response:
        """Describe the agent as a model."""
        opened = await self._authorize(request)
        check_model(request.path_params["model"], opened.agent)
        return json_response(_describe(opened))

    async def completions(self, request: Request) -> Response:
        """Complete prompts."""
        opened = await self._authorize(request)
        return await self._answer(
            request, opened, read_completion_request(await read_body(request), opened.agent)
        )

    async def chat_completions(self, request: Request) -> Response:
        """Answer a chat, by the chat template of the checkpoint."""
        opened = await self._authorize(request)
        return await self._answer(request, opened, read_chat_request(await read_body(request), opened.agent))

    async def generate(self, request: Request, opened: LoadedVersion, body: Mapping[str, Any]) -> Response:
        """Answer our own /generate where a request says how to sample, or is a chat."""
        asked = read_generate_request(body)
        made = await unless_gone(
            request, self._complete(opened, asked, _Writer(opened, replace(asked, chat=False)))
        )
        return json_response({"text": made["choices"][0]["text"]})

    async def elsewhere(self, request: Request) -> Response:
        """Refuse the rest of the API, and say where this agent answers."""
        await self._authorize(request)
        what = f"{request.method} {request.url.path[:80]} is not answered here."
        raise RequestError(404, what, f"There are {', '.join(ROUTES)}.", code="unknown_url")

    async def tokenizer_info(self, request: Request) -> Response:
        """Name the special tokens and the chat template."""
        predictor = (await self._authorize(request)).require_text_predictor()
        template = {"chat_template": predictor.chat_template}
        return json_response({"eos_token": None, **predictor.special_tokens, **template})

    async def tokenize(self, request: Request) -> Response:
        """Return the token ids of a text, without special tokens."""
        opened = await self._authorize(request)
        text = get_field(await read_body(request), "prompt")
        if not isinstance(text, str):
            raise RequestError(422, "The prompt is not a text.", fix='Send {"prompt": "…"}.')
        predictor = opened.require_text_predictor()
        tokens = await self._queue.run(opened, lambda: list(predictor.tokenize(text)))
        return json_response({"tokens": tokens, "count": len(tokens)})

    async def detokenize(self, request: Request) -> Response:
        """Return the text of token ids."""
        opened = await self._authorize(request)
        tokens: list[Any] = get_field(await read_body(request), "tokens")
        if type(tokens) is not list or not all(type(each) is int for each in tokens):
            raise RequestError(422, "The tokens are not ids.", fix='Send {"tokens": [1, 2]}.')
        predictor = opened.require_text_predictor()
        text = await self._queue.run(opened, lambda: predictor.detokenize(tokens))
        return json_response({"prompt": text})

    async def _authorize(self, request: Request) -> LoadedVersion:
        """Let a request with the key through, to an agent that is a language model."""
        await self._guard.authorize(request)
        opened = self._live.opened
        opened.require_text_predictor()
        return opened

    async def _answer(self, request: Request, opened: LoadedVersion, asked: Asked) -> Response:
        writer = _Writer(opened, asked)
        if not asked.stream:
            return json_response(await unless_gone(request, self._complete(opened, asked, writer)))
        chunks = self._chunks(opened, asked, writer)
        try:
            first = await unless_gone(request, _next(chunks))  # until then an error has a status of its own
        except RequestError:
            await chunks.aclose()
            raise
        return _EventStream(_events(first, chunks))

    async def _complete(self, opened: LoadedVersion, asked: Asked, writer: _Writer) -> dict[str, Any]:
        """Return the body of an answer."""
        choices = list[dict[str, Any]]()
        for index in range(len(asked.prompts) * asked.n):
            async with aclosing(self._generate(opened, asked, index)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completion):
                        choices.append(writer.choice(index, piece))
        return {**writer.head, "choices": choices, "usage": writer.usage}

    async def _chunks(
        self, opened: LoadedVersion, asked: Asked, writer: _Writer
    ) -> AsyncGenerator[dict[str, Any]]:
        """Yield the events of a stream, one choice after the other."""
        usage = {"usage": None} if asked.include_usage else {}
        for index in range(len(asked.prompts) * asked.n):
            async with aclosing(self._generate(opened, asked, index)) as pieces:
                async for piece in pieces:
                    yield {**writer.head, "choices": [writer.piece(index, piece)], **usage}
        if asked.include_usage:
            yield {**writer.head, "choices": [], "usage": writer.usage}

    def _generate(self, opened: LoadedVersion, asked: Asked, index: int) -> AsyncGenerator[str | Completion]:
        predictor = opened.require_text_predictor()
        return generate(self._queue, opened, lambda take: _perform(predictor, asked, index, take))


class _Writer:
    """Writes choices in the form of completions, or in that of chat completions, and counts tokens."""

    def __init__(self, opened: LoadedVersion, asked: Asked) -> None:
        self._asked = asked
        self._begun = set[int]()
        self._prompt_tokens = self._completion_tokens = 0
        kind = "chat.completion" if asked.chat else "text_completion"
        self.head: dict[str, Any] = {
            "id": f"{'chatcmpl' if asked.chat else 'cmpl'}-{uuid4().hex}",
            "object": f"{kind}.chunk" if asked.chat and asked.stream else kind,
            "created": int(time.time()),
            "model": opened.agent,
            "system_fingerprint": f"version-{opened.version}",
        }

    @property
    def usage(self) -> dict[str, int]:
        """The tokens so far; those of a prompt count once, however often it is completed."""
        total = self._prompt_tokens + self._completion_tokens
        counted = {"prompt_tokens": self._prompt_tokens, "completion_tokens": self._completion_tokens}
        return {**counted, "total_tokens": total}

    def choice(self, index: int, completion: Completion) -> dict[str, Any]:
        """Return a whole choice."""
        self._count(index, completion)
        scored = self._asked.settings.log_probs is not None
        if self._asked.chat:
            message = {"role": "assistant", "content": completion.text, "refusal": None}
            log_probs = _chat_log_probs(completion.tokens) if scored else None
            made = {"index": index, "message": message, "logprobs": log_probs}
        else:
            log_probs = _log_probs(completion.tokens) if scored else None
            made = {"index": index, "text": completion.text, "logprobs": log_probs}
        return {**made, "finish_reason": completion.finish_reason}

    def piece(self, index: int, piece: str | Completion) -> dict[str, Any]:
        """Return a part of a choice; the completion itself is its end."""
        reason = None
        if isinstance(piece, Completion):
            self._count(index, piece)
            reason = piece.finish_reason
        text = piece if isinstance(piece, str) else ""
        made = {"index": index, "logprobs": None, "finish_reason": reason}
        if not self._asked.chat:
            return {**made, "text": text}
        delta = {} if index in self._begun else {"role": "assistant"}
        self._begun.add(index)
        return {**made, "delta": {**delta, **({"content": text} if text else {})}}

    def _count(self, index: int, completion: Completion) -> None:
        self._completion_tokens += completion.completion_tokens
        if index % self._asked.n == 0:
            self._prompt_tokens += completion.prompt_tokens


class _EventStream(StreamingResponse):
    """Server-sent events, which end with their client."""

    def __init__(self, events: AsyncGenerator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        async with aclosing(self._events):
            await super().__call__(scope, receive, send)


async def _events(first: Mapping[str, Any], chunks: AsyncGenerator[dict[str, Any]]) -> AsyncGenerator[str]:
    async with aclosing(chunks):
        try:
            yield _event(first)
            async for chunk in chunks:
                yield _event(chunk)
        except RequestError as error:  # the status is sent already
            yield _event(error_body(error, OPENAI))
        else:
            yield "data: [DONE]\n\n"


def _event(content: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(content, allow_nan=False, separators=(',', ':'))}\n\n"


async def _next(chunks: AsyncGenerator[dict[str, Any]]) -> dict[str, Any]:
    return await anext(chunks)


def _perform(predictor: TextPredictor, asked: Asked, index: int, take: TakeText) -> Completion:
    """Complete a prompt, in the agent's thread; an echo is the prompt before its completion."""
    prompt = asked.prompts[index // asked.n](predictor)
    seed = asked.settings.seed
    settings = asked.settings if seed is None else replace(asked.settings, seed=seed + index % asked.n)
    if not asked.echo:
        return predictor.complete(prompt, settings, take)
    text = prompt if isinstance(prompt, str) else predictor.detokenize(prompt)
    top = settings.log_probs
    scored = () if top is None else predictor.score(prompt, top)
    take(text)
    if settings.max_tokens == 0:
        count = len(scored) or _count(predictor, prompt)
        made = Completion(text="", finish_reason="length", prompt_tokens=count, completion_tokens=0)
    else:
        made = predictor.complete(prompt, settings, take)
    return replace(made, text=text + made.text, tokens=(*scored, *made.tokens))


def _count(predictor: TextPredictor, prompt: Prompt) -> int:
    return predictor.count(prompt) if isinstance(prompt, str) else len(prompt)


def _log_probs(tokens: Sequence[ScoredToken]) -> dict[str, Any]:
    """Return log-probabilities as completions have them: lists with an entry for every token."""
    offsets, at = list[int](), 0
    for token in tokens:
        offsets.append(at)
        at += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [_finite(token.log_prob) for token in tokens],
        "top_logprobs": [_top(token) for token in tokens],
        "text_offset": offsets,
    }


def _top(token: ScoredToken) -> dict[str, float | None] | None:
    """Return the most likely tokens and the one that is there; of two that look alike the likelier."""
    if token.log_prob is None:
        return None
    likely = {token.text: _finite(token.log_prob)}
    for text, log_prob in reversed(token.top):
        likely[text] = _finite(log_prob)
    return likely


def _chat_log_probs(tokens: Sequence[ScoredToken]) -> dict[str, Any]:
    content = [
        {
            **_chat_token(token.text, token.log_prob),
            "top_logprobs": [_chat_token(text, log_prob) for text, log_prob in token.top],
        }
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def _chat_token(text: str, log_prob: float | None) -> dict[str, Any]:
    return {"token": text, "logprob": _finite(log_prob), "bytes": list(text.encode("utf-8", "replace"))}


def _finite(log_prob: float | None) -> float | None:
    return None if log_prob is None else max(log_prob, LEAST)


def _describe(opened: LoadedVersion) -> dict[str, Any]:
    return {
        "id": opened.agent,
        "object": "model",
        "created": opened.opened_at,
        "owned_by": "pipeline_widgets",
    }
