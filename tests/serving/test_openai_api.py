"""The OpenAI API by plain HTTP: what a language model answers, streams and refuses (spec 8.5)."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from benches import until
from endpoint_server import KEY, Answer, Endpoint, endpoint

from pipeline_widgets.algorithms.text_predictor import (
    Completion,
    Prompt,
    SamplingSettings,
    TakeText,
    TextPredictor,
)
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.trainers.numpy.language_model import LanguageModel
from pipeline_widgets.trainers.numpy.letters_predictor import LettersPredictor

MODEL = "an agent"
PREDICTOR = LettersPredictor(LanguageModel("letters-64", np.random.default_rng(5)))
GREEDY = PREDICTOR("dbca")
COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
USER = [{"role": "user", "content": "dbca"}]


@pytest.fixture(name="agent", scope="module")
def _agent() -> Generator[Endpoint]:
    """An untrained language model: its answers are wrong, and always the same."""
    with endpoint(PREDICTOR, "generate", "dbca", opened_at=7) as made:
        yield made


def complete(agent: Endpoint, **parameters: Any) -> Any:
    """Ask for a completion."""
    answer = agent.ask(COMPLETIONS, {"model": MODEL, "prompt": "dbca>", **parameters})
    assert answer.status == 200, answer.body
    return answer.json


def sampled(seed: int) -> SamplingSettings:
    """Return the settings of a sample at temperature 1."""
    return SamplingSettings(temperature=1, seed=seed)


def chat(agent: Endpoint, **parameters: Any) -> Any:
    """Ask in a chat."""
    answer = agent.ask(CHAT, {"model": MODEL, "messages": USER, **parameters})
    assert answer.status == 200, answer.body
    return answer.json


def events(answer: Answer) -> list[Any]:
    """Return the events of a stream."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, last = answer.raw.decode().strip().split("\n\n")
    assert last == "data: [DONE]"
    return [json.loads(chunk.removeprefix("data: ")) for chunk in chunks]


@pytest.mark.spec("8.5")
def test_the_agent_is_the_only_model(agent: Endpoint) -> None:
    """It is listed and described; another name is refused as OpenAI does."""
    described = {"id": MODEL, "object": "model", "created": 7, "owned_by": "pipeline_widgets"}
    assert agent.get("/v1/models").json == {"object": "list", "data": [described]}
    assert agent.get("/v1/models/an%20agent").json == described
    for answer in (agent.get("/v1/models/gpt-4"), agent.ask(COMPLETIONS, {"model": "gpt-4", "prompt": "a"})):
        assert answer.status == 404
        error = answer.json["error"]
        assert (error["code"], error["param"]) == ("model_not_found", "model")


@pytest.mark.spec("8.5")
def test_a_completion_has_its_text_its_end_and_its_tokens(agent: Endpoint) -> None:
    """It is what /generate answers; a limit ends it as "length"."""
    made = complete(agent)
    assert made["object"] == "text_completion"
    assert made["model"] == MODEL
    (choice,) = made["choices"]
    assert choice["text"] == GREEDY == agent.ask("/generate", {"prompt": "dbca"}).json["text"]
    count = len(GREEDY) + (choice["finish_reason"] == "stop")
    assert made["usage"] == {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}
    (choice,) = complete(agent, max_tokens=1)["choices"]
    assert (choice["text"], choice["finish_reason"]) == (GREEDY[:1], "length")


@pytest.mark.spec("8.5")
def test_prompts_are_texts_or_token_ids_alone_or_in_lists(agent: Endpoint) -> None:
    """Each gets n choices, in order; tokens of a prompt count once."""
    ids = [list(PREDICTOR.tokenize(text)) for text in ("dbca>", "aabb>")]
    texts = [PREDICTOR("dbca"), PREDICTOR("aabb")]
    for prompt in (["dbca>", "aabb>"], ids):
        made = complete(agent, prompt=prompt)
        assert [choice["text"] for choice in made["choices"]] == texts
        assert made["usage"]["prompt_tokens"] == 10
    assert complete(agent, prompt=ids[1])["choices"][0]["text"] == texts[1]
    made = complete(agent, prompt=["dbca>", "aabb>"], n=2)
    assert [choice["index"] for choice in made["choices"]] == [0, 1, 2, 3]
    assert [choice["text"] for choice in made["choices"]] == [text for text in texts for _ in range(2)]
    assert made["usage"]["prompt_tokens"] == 10


@pytest.mark.spec("8.5")
def test_a_seed_repeats_a_sample_and_the_choices_of_one_request_differ(agent: Endpoint) -> None:
    """The n choices of a seed are those of the seeds that follow it."""
    drawn = [choice["text"] for choice in complete(agent, temperature=2, seed=3, n=8)["choices"]]
    assert len(set(drawn)) > 2
    assert drawn == [choice["text"] for choice in complete(agent, temperature=2, seed=3, n=8)["choices"]]
    assert complete(agent, temperature=2, seed=4)["choices"][0]["text"] == drawn[1]
    assert complete(agent, temperature=2, seed=3, top_p=1e-6)["choices"][0]["text"] == GREEDY
    assert complete(agent, temperature=2, seed=-1)["choices"]


@pytest.mark.spec("8.5")
def test_a_stop_text_ends_a_completion_before_itself(agent: Endpoint) -> None:
    """One text or several; the reason is "stop"."""
    drawn = {seed: PREDICTOR.complete("dbca", sampled(seed)).text for seed in range(50)}
    seed, text = next((seed, text) for seed, text in drawn.items() if len(text) > 2)
    for stop in (text[1:3], ["zz", text[1:3]]):
        (choice,) = complete(agent, temperature=1, seed=seed, stop=stop)["choices"]
        assert (choice["text"], choice["finish_reason"]) == (text[0], "stop")


@pytest.mark.spec("8.5")
def test_an_echo_has_the_prompt_and_its_log_probabilities(agent: Endpoint) -> None:
    """As evaluation harnesses ask: an entry for every token, and at the end that of the one that follows."""
    made = complete(agent, prompt="dbca>ab", echo=True, logprobs=1, max_tokens=1)
    (choice,) = made["choices"]
    told = choice["logprobs"]
    assert choice["text"].startswith("dbca>ab")
    assert told["tokens"][:7] == list("dbca>ab")
    assert told["text_offset"][:8] == list(range(8))
    assert len({len(told[name]) for name in told}) == 1
    assert len(told["tokens"]) == 8
    assert told["token_logprobs"][:5] == told["top_logprobs"][:5] == [None] * 5
    scored = PREDICTOR.score("dbca>ab")
    assert told["token_logprobs"][5:7] == [token.log_prob for token in scored[5:]]
    columns = (told[name] for name in ("tokens", "token_logprobs", "top_logprobs"))
    for token, log_prob, top in zip(*columns, strict=True):
        assert top is None or top[token] == log_prob <= max(top.values())
    assert complete(agent, echo=True, max_tokens=0)["choices"][0]["text"] == "dbca>"
    ids = list(PREDICTOR.tokenize("dbca>ab"))
    (again,) = complete(agent, prompt=ids, echo=True, logprobs=1, max_tokens=1)["choices"]
    assert again == choice


@pytest.mark.spec("8.5")
def test_a_chat_is_answered_by_its_template(agent: Endpoint) -> None:
    """The message is the assistant's; content may come in parts, and log-probabilities have bytes."""
    made = chat(agent)
    assert made["object"] == "chat.completion"
    (choice,) = made["choices"]
    assert choice["message"] == {"role": "assistant", "content": GREEDY, "refusal": None}
    parts = [{"type": "text", "text": "db"}, {"type": "text", "text": "ca"}]
    assert chat(agent, messages=[{"role": "user", "content": parts}])["choices"] == made["choices"]
    assert chat(agent, max_completion_tokens=1)["choices"][0]["message"]["content"] == GREEDY[:1]
    (choice,) = chat(agent, logprobs=True, top_logprobs=2, n=1)["choices"]
    first = choice["logprobs"]["content"][0]
    assert len(first["top_logprobs"]) == 2
    assert first["bytes"] == list(first["token"].encode())
    assert first["logprob"] == max(each["logprob"] for each in first["top_logprobs"])


@pytest.mark.spec("8.5")
def test_a_stream_brings_the_pieces_of_the_same_answer(agent: Endpoint) -> None:
    """Completions and chats, every choice with its end, and the usage last where it is asked for."""
    whole = chat(agent, temperature=1, seed=1, n=2)
    parameters = {"temperature": 1, "seed": 1, "n": 2, "stream": True}
    body = {"model": MODEL, "messages": USER, **parameters, "stream_options": {"include_usage": True}}
    *chunks, usage = events(agent.ask(CHAT, body))
    assert usage["choices"] == []
    assert usage["usage"] == whole["usage"]
    assert all(chunk["usage"] is None and chunk["object"] == "chat.completion.chunk" for chunk in chunks)
    assert len({chunk["id"] for chunk in [*chunks, usage]}) == 1
    for index, expected in enumerate(whole["choices"]):
        deltas = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert [delta["delta"].get("role") for delta in deltas] == ["assistant"] + [None] * (len(deltas) - 1)
        text = "".join(delta["delta"].get("content", "") for delta in deltas)
        assert text == expected["message"]["content"]
        assert [delta["finish_reason"] for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
        assert deltas[-1]["finish_reason"] == expected["finish_reason"]
    body = {"model": MODEL, "prompt": "dbca>", "stream": True, "echo": True}
    chunks = events(agent.ask(COMPLETIONS, body))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == f"dbca>{GREEDY}"
    assert all("usage" not in chunk for chunk in chunks)


REFUSED: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "a tool": (CHAT, {"tools": [{"type": "function"}]}, "tools"),
    "a forced tool": (CHAT, {"tool_choice": "required"}, "tool_choice"),
    "JSON mode": (CHAT, {"response_format": {"type": "json_object"}}, "response_format"),
    "a penalty": (CHAT, {"presence_penalty": 0.5}, "presence_penalty"),
    "a bias": (COMPLETIONS, {"logit_bias": {"50256": -100}}, "logit_bias"),
    "the best of several": (COMPLETIONS, {"best_of": 3}, "best_of"),
    "a suffix": (COMPLETIONS, {"suffix": "end"}, "suffix"),
    "an unknown parameter": (COMPLETIONS, {"top_k": 5}, "top_k"),
    "an unknown option of streams": (
        COMPLETIONS,
        {"stream": True, "stream_options": {"x": 1}},
        "stream_options.x",
    ),
    "options without a stream": (COMPLETIONS, {"stream_options": {"include_usage": True}}, "stream_options"),
    "an image": (
        CHAT,
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        None,
    ),
    "a tool's message": (CHAT, {"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, None),
    "a name in a message": (CHAT, {"messages": [{**USER[0], "name": "Ann"}]}, "messages.0.name"),
    "no message": (CHAT, {"messages": []}, "messages"),
    "a chat that the model cannot take": (CHAT, {"messages": [*USER, *USER]}, None),
    "no prompt": (COMPLETIONS, {"prompt": None}, "prompt"),
    "mixed prompts": (COMPLETIONS, {"prompt": ["a", [1]]}, "prompt"),
    "a prompt that the model cannot take": (COMPLETIONS, {"prompt": "xyz"}, None),
    "ids that the model does not know": (COMPLETIONS, {"prompt": [99, 100]}, None),
    "a temperature over 2": (COMPLETIONS, {"temperature": 3}, "temperature"),
    "a temperature that is a text": (COMPLETIONS, {"temperature": "1"}, "temperature"),
    "no choices": (COMPLETIONS, {"n": 0}, "n"),
    "too many choices": (COMPLETIONS, {"n": 100, "prompt": ["a", "b"]}, "n"),
    "a stop that is a number": (COMPLETIONS, {"stop": 1}, "stop"),
    "no tokens": (COMPLETIONS, {"max_tokens": 0}, "max_tokens"),
    "log-probabilities of a stream": (COMPLETIONS, {"stream": True, "logprobs": 1}, "logprobs"),
    "alternatives without log-probabilities": (CHAT, {"top_logprobs": 2}, "top_logprobs"),
    "no model": (COMPLETIONS, {"model": None}, "model"),
}


@pytest.mark.spec("8.5")
@pytest.mark.parametrize(("path", "parameters", "param"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_done_here_is_refused_in_openais_form(
    agent: Endpoint, path: str, parameters: dict[str, Any], param: str | None
) -> None:
    """The status is 400, and the error names the parameter; nothing is ignored in silence."""
    asked = {"prompt": "dbca>"} if path == COMPLETIONS else {"messages": USER}
    for stream in ({}, {"stream": True}):
        if "options" in str(param):
            stream = {}  # noqa: PLW2901  these are about streams themselves
        answer = agent.ask(path, {"model": MODEL, **asked, **stream, **parameters})
        assert answer.status == 400, answer.body
        error = answer.json["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error"
        assert error["message"]
        assert param is None or error["param"] == param


@pytest.mark.spec("8.5")
def test_parameters_that_ask_for_nothing_are_taken(agent: Endpoint) -> None:
    """What clients send by default, and who they are, changes no answer."""
    assert complete(agent, frequency_penalty=0, logit_bias=None, best_of=1, user="me")["choices"]
    neutral: dict[str, Any] = {
        "tools": [],
        "tool_choice": "none",
        "response_format": {"type": "text"},
        "store": False,
    }
    assert chat(agent, **neutral, metadata={"a": "b"}, parallel_tool_calls=None)["choices"]


@pytest.mark.spec("8.5")
def test_our_own_path_takes_settings_and_chats_as_well(agent: Endpoint) -> None:
    """A prompt alone is answered as ever; what is not known beside it is refused in our own form."""

    def said(**body: Any) -> str:
        answer = agent.ask("/generate", body)
        assert answer.status == 200, answer.body
        return answer.json["text"]

    assert said(prompt="dbca") == said(prompt="dbca", temperature=0) == said(messages=USER) == GREEDY
    assert said(prompt="dbca", max_tokens=1) == GREEDY[:1]
    assert said(prompt="dbca", temperature=2.0, seed=9) == said(prompt="dbca", temperature=2.0, seed=9)
    assert said(messages=USER, stop=GREEDY[1]) == GREEDY[:1]
    for wrong in ({"prompt": "dbca", "top_k": 1}, {"prompt": "dbca", "messages": USER}, {"max_tokens": 1}):
        answer = agent.ask("/generate", wrong)
        assert (answer.status, isinstance(answer.json["error"], str)) == (422, True), answer.body


@pytest.mark.spec("8.3", "8.5")
def test_errors_before_the_api_have_its_form_too(agent: Endpoint) -> None:
    """A wrong key, a broken body, an unknown path and a wrong verb are told as OpenAI does."""
    wrong = agent.ask(COMPLETIONS, {"model": MODEL}, Authorization="Bearer sk-wrong")
    assert (wrong.status, wrong.json["error"]["code"]) == (401, "invalid_api_key")
    for answer, status in (
        (agent.ask(COMPLETIONS, b'{"model":'), 400),
        (agent.ask(COMPLETIONS, b"[]"), 400),
        (agent.ask(COMPLETIONS, b"x" * 1_000_001), 413),
        (agent.ask("/v1/embeddings", {}), 404),
        (agent.get(COMPLETIONS), 404),
        (agent.ask("/v1/models", {}), 404),
    ):
        assert answer.status == status, answer.body
        assert set(answer.json["error"]) == {"message", "type", "param", "code"}


@pytest.mark.spec("8.5")
def test_the_tokenizer_is_where_evaluation_harnesses_look_for_it(agent: Endpoint) -> None:
    """Texts to ids and back, and the chat template; what has no tokens is refused."""
    assert agent.get("/tokenizer_info").json == {"eos_token": None, "chat_template": PREDICTOR.chat_template}
    ids = list(PREDICTOR.tokenize("dbca>a"))
    asked = {"prompt": "dbca>a", "add_special_tokens": False}
    assert agent.ask("/tokenize", asked).json == {"tokens": ids, "count": 6}
    assert agent.ask("/detokenize", {"tokens": ids}).json == {"prompt": "dbca>a"}
    for path, body in (("/tokenize", {"prompt": "test"}), ("/tokenize", {"prompt": 1}), ("/detokenize", {})):
        assert agent.ask(path, body).status == 422
    assert agent.ask("/detokenize", {"tokens": [999]}).status == 422


@pytest.mark.spec("8.5")
@pytest.mark.parametrize(("route", "said"), [("get_action", "/get_action"), ("generate", "TextPredictor")])
def test_an_agent_that_is_no_such_language_model_says_where_it_answers(route: Any, said: str) -> None:
    """Whatever of the API is asked, also of a function that completes texts, but takes no settings."""
    with endpoint(str, route) as agent:
        for answer in (
            agent.get("/v1/models"),
            agent.ask(COMPLETIONS, {"model": MODEL, "prompt": "x"}),
            agent.ask(CHAT, {"model": MODEL, "messages": USER}),
            agent.ask("/v1/embeddings", {}),
        ):
            assert answer.status == 404
            assert said in answer.json["error"]["message"]
        assert agent.ask("/v1/models", {}, Authorization="").status == 401
        assert agent.ask("/tokenize", {"prompt": "a"}).status == 404


class Endless(TextPredictor):
    """Goes on until nobody listens any more."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.pieces = 0

    def complete(
        self,
        prompt: Prompt,
        settings: SamplingSettings,  # noqa: ARG002
        on_text: TakeText | None = None,
    ) -> Completion:
        if prompt == "short":
            return Completion(text="done", finish_reason="stop", prompt_tokens=1, completion_tokens=1)
        if prompt == "broken":
            if on_text is not None:
                on_text("a")
            raise PipelineError("It broke in the middle.")
        self.ended.clear()
        try:
            while True:
                self.pieces += 1
                time.sleep(0.01)
                if on_text is not None:
                    on_text("piece ")
        finally:
            self.ended.set()

    def tokenize(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))


def leave(agent: Endpoint, *, stream: bool, after: int) -> None:
    """Ask for an endless completion, and close the connection after some pieces of it."""
    body = json.dumps({"model": MODEL, "prompt": "endless", "stream": stream}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
    with socket.create_connection(("127.0.0.1", agent.port), 10) as made:
        made.sendall(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        came = b""
        while came.count(b"piece") < after:
            came += made.recv(4096)
        time.sleep(0.1)


@pytest.mark.spec("8.5")
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_frees_the_agent(*, stream: bool) -> None:
    """In the middle of a stream, or while it waits for the whole: the next request gets its turn at once."""
    predictor = Endless()
    with endpoint(predictor, "generate", answer_within=5.0) as agent:
        for _ in range(3):
            leave(agent, stream=stream, after=stream)
            began = time.monotonic()
            answer = agent.ask(COMPLETIONS, {"model": MODEL, "prompt": "short"})
            assert answer.json["choices"][0]["text"] == "done"
            assert time.monotonic() - began < 2
            assert predictor.ended.wait(2)
        before = predictor.pieces
        time.sleep(0.1)
        assert predictor.pieces == before


@pytest.mark.spec("8.5")
def test_who_leaves_the_queue_is_not_answered_later() -> None:
    """A client that has gone before its turn came costs the agent nothing."""
    predictor = Endless()
    with endpoint(predictor, "generate", answer_within=5.0) as agent:
        first = threading.Thread(target=leave, args=(agent,), kwargs={"stream": True, "after": 60})
        first.start()
        until(lambda: predictor.pieces > 5)
        leave(agent, stream=False, after=0)
        first.join()
        assert predictor.ended.wait(2)
        before = predictor.pieces
        assert agent.ask(COMPLETIONS, {"model": MODEL, "prompt": "short"}).status == 200
        assert predictor.pieces == before


@pytest.mark.spec("8.5")
def test_an_error_in_the_middle_of_a_stream_is_its_last_event() -> None:
    """It has the form that clients look for, and no [DONE] follows; before any piece it has a status."""
    with endpoint(Endless(), "generate") as agent:
        answer = agent.ask(COMPLETIONS, {"model": MODEL, "prompt": "broken", "stream": True})
        *_, last = answer.raw.decode().strip().split("\n\n")
        error = json.loads(last.removeprefix("data: "))["error"]
        assert "It broke in the middle." in error["message"]
        answer = agent.ask(COMPLETIONS, {"model": MODEL, "prompt": "broken"})
        assert answer.status == 400
        answer = agent.ask(CHAT, {"model": MODEL, "messages": USER, "stream": True})
        assert (answer.status, "no chat template" in answer.json["error"]["message"]) == (400, True)
