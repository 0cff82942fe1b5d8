"""The requests of the OpenAI API: parsed, and refused where they ask for what is not done here (spec 8.5).

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline_widgets.algorithms.text_predictor import Prompt, SamplingSettings, TextPredictor
from pipeline_widgets.serving.open_inference import abbreviate
from pipeline_widgets.serving.payload import UNPROCESSABLE, RequestError

CHOICES = 128  # that a request may ask for
LOG_PROBS = 20  # tokens at a position
SEEDS = 2**63
#: Parameters with the values by which they ask for nothing, as None does; any other value is refused.
NEUTRAL: dict[str, tuple[object, ...]] = {
    "best_of": (1,),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "parallel_tool_calls": (True, False),
    "presence_penalty": (0,),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
}
#: Parameters that name who asks, and change no answer.
LABELS = frozenset({"metadata", "prompt_cache_key", "safety_identifier", "user"})

_T = TypeVar("_T", bound=BaseModel)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for completions."""

    #: For every prompt, a function that makes it in the agent's thread.
    prompts: tuple[Callable[[TextPredictor], Prompt], ...]
    settings: SamplingSettings
    #: Completions of every prompt.
    n: int
    chat: bool
    #: Whether the prompt is to stand before its completion.
    echo: bool = False
    stream: bool = False
    #: Whether the last event of a stream counts the tokens.
    include_usage: bool = False


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _StreamOptions(_Strict):
    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class _Sampling(_Strict):
    """The settings of sampling."""

    max_tokens: int | None = Field(None, ge=0)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    stop: str | list[str] | None = None
    seed: int | None = None

    def settings(self, max_tokens: int | None, log_probs: int | None) -> SamplingSettings:
        """Return how to sample."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return SamplingSettings(
            max_tokens=max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=tuple(text for text in stop if text),
            seed=None if self.seed is None else self.seed % SEEDS,
            log_probs=log_probs,
        )


class _Request(_Sampling):
    """The fields that requests for completions and for chat completions share."""

    model: str
    n: int | None = Field(None, ge=1, le=CHOICES)
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


class _CompletionRequest(_Request):
    prompt: Any
    logprobs: int | None = Field(None, ge=0, le=LOG_PROBS)
    echo: bool | None = None


class _TextPart(_Strict):
    type: Literal["text"]
    text: str


class _Message(_Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_TextPart]

    def plain(self) -> dict[str, str]:
        """Return the message as templates take it."""
        parts = self.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class _ChatRequest(_Request):
    messages: list[_Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=LOG_PROBS)


class _GenerateRequest(_Sampling):
    prompt: str | None = None
    messages: list[_Message] | None = Field(None, min_length=1)
    max_tokens: int | None = Field(None, ge=1)


def read_generate_request(body: Mapping[str, Any]) -> Asked:
    """Return what a request to our own /generate asks for: a prompt or a chat, and how to sample.

    Raises:
        RequestError: It is none, or asks for what is not known.
    """
    request = _read(_GenerateRequest, body)
    if (request.prompt is None) == (request.messages is None):
        raise _refusal("prompt", "A request has a prompt or messages.", "Send one of them.")
    for index, message in enumerate(request.messages or ()):
        _check_extra(message, f"messages.{index}.")
    messages = [message.plain() for message in request.messages or ()]
    chat = request.prompt is None
    prompt = _constant(request.prompt or "")
    return Asked(
        prompts=((lambda predictor: predictor.render_chat(messages)) if chat else prompt,),
        settings=request.settings(request.max_tokens, None),
        n=1,
        chat=chat,
    )


def read_completion_request(body: Mapping[str, Any], agent: str) -> Asked:
    """Return what a request to /v1/completions asks an agent for.

    Raises:
        RequestError: It is none, or asks for another model, or for what is not done here.
    """
    request = _read(_CompletionRequest, body, agent)
    prompts = _read_prompts(request.prompt)
    echo, n = bool(request.echo), request.n or 1
    if len(prompts) * n > CHOICES:
        raise _refusal("n", f"{len(prompts) * n} completions are too many.", f"Ask for {CHOICES} at most.")
    if request.max_tokens == 0 and not echo:
        raise _refusal("max_tokens", "A completion has at least 1 token.", "Ask for 1, or set 'echo'.")
    if request.stream and request.logprobs is not None:
        raise _refusal("logprobs", "A stream has no log-probabilities.", "Leave out 'stream'.")
    return Asked(
        prompts=tuple(_constant(prompt) for prompt in prompts),
        settings=request.settings(request.max_tokens, request.logprobs),
        n=n,
        chat=False,
        echo=echo,
        stream=bool(request.stream),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
    )


def read_chat_request(body: Mapping[str, Any], agent: str) -> Asked:
    """Return what a request to /v1/chat/completions asks an agent for.

    Raises:
        RequestError: It is none, or asks for another model, or for what is not done here.
    """
    request = _read(_ChatRequest, body, agent)
    for index, message in enumerate(request.messages):
        _check_extra(message, f"messages.{index}.")
    if request.max_tokens == 0:
        raise _refusal("max_tokens", "A completion has at least 1 token.", "Ask for 1.")
    if request.top_logprobs is not None and not request.logprobs:
        raise _refusal("top_logprobs", "'top_logprobs' needs 'logprobs'.", "Set 'logprobs' to true.")
    if request.stream and request.logprobs:
        raise _refusal("logprobs", "A stream has no log-probabilities.", "Leave out 'stream'.")
    messages = [message.plain() for message in request.messages]
    limit = request.max_tokens if request.max_completion_tokens is None else request.max_completion_tokens
    return Asked(
        prompts=(lambda predictor: predictor.render_chat(messages),),
        settings=request.settings(limit, (request.top_logprobs or 0) if request.logprobs else None),
        n=request.n or 1,
        chat=True,
        stream=bool(request.stream),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
    )


def check_model(model: object, agent: str) -> None:
    """Refuse a request for another model than the agent.

    Raises:
        RequestError: It is.
    """
    if model != agent:
        what, why = f"There is no model {abbreviate(model)} here.", f"This is {agent!r}."
        raise RequestError(404, what, why, param="model", code="model_not_found")


def _read(kind: type[_T], body: Mapping[str, Any], agent: str | None = None) -> _T:
    if agent is not None and isinstance(body.get("model"), str):
        check_model(body["model"], agent)
    try:
        request = kind.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part in body or isinstance(part, int))
        path = place or str(first["loc"][0])
        what = f"The parameter '{path}' is missing." if first["type"] == "missing" else ""
        raise _refusal(path, what or f"The parameter '{path}' is wrong.", f"{first['msg']}.") from error
    _check_extra(request)
    if isinstance(options := getattr(request, "stream_options", None), _StreamOptions):
        _check_extra(options, "stream_options.")
        if not getattr(request, "stream", None):
            raise _refusal("stream_options", "'stream_options' needs 'stream'.", "Set 'stream' to true.")
    return request


def _check_extra(given: BaseModel, prefix: str = "") -> None:
    """Refuse parameters that are not known, unless they ask for nothing."""
    for name, value in (given.model_extra or {}).items():
        if value is None or name in LABELS or any(_same(value, each) for each in NEUTRAL.get(name, ())):
            continue
        what = f"The parameter '{abbreviate(f'{prefix}{name}')[1:-1]}' is not supported here."
        why = f"It is {abbreviate(value)}."
        raise RequestError(
            UNPROCESSABLE,
            what,
            why,
            "Leave it out.",
            param=f"{prefix}{name}"[:80],
            code="unsupported_parameter",
        )


def _same(value: object, neutral: object) -> bool:
    return value == neutral and isinstance(value, bool) == isinstance(neutral, bool)


def _read_prompts(prompt: Any) -> list[Prompt]:
    """Return the prompts: a text, a list of texts, token ids, or a list of lists of those."""
    if isinstance(prompt, str):
        return [prompt]
    listed: Sequence[Any] = cast("list[Any]", prompt) if isinstance(prompt, list) else ()
    if listed and _are_ids(listed):
        return [tuple(listed)]
    if listed and all(isinstance(each, str) for each in listed):
        return list(listed)
    if listed and all(type(each) is list and each and _are_ids(each) for each in listed):
        return [tuple(each) for each in listed]
    what = f"The prompt is {abbreviate(cast('object', prompt))}."
    raise _refusal("prompt", what, "Send a text, token ids, or a list of either.")


def _are_ids(listed: Sequence[Any]) -> bool:
    return all(type(each) is int and each >= 0 for each in listed)


def _constant(prompt: Prompt) -> Callable[[TextPredictor], Prompt]:
    return lambda _: prompt


def _refusal(param: str, what: str, fix: str) -> RequestError:
    return RequestError(UNPROCESSABLE, what, "", fix, param=param)
