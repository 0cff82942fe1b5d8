"""openai, lm-eval and curl, unchanged, against language models (spec 8.5)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
import openai
import pytest
from clients.agents import Language
from clients.table import ANSWERED, Table
from lm_eval.tasks import TaskManager

from pipeline_widgets.algorithms.text_predictor import Completion, SamplingSettings

TASKS = Path(__file__).parent / "lm_eval_tasks"
table = Table()


def client(agent: Language, key: str | None = None) -> openai.OpenAI:
    """Return OpenAI's own client of an agent, with the agent's key as API key."""
    return openai.OpenAI(base_url=f"{agent.url}/v1", api_key=key or agent.key, max_retries=0)


def complete(agent: Language, prompt: str, **settings: Any) -> Completion:
    """Return the completion that has to be answered, by the predictor in this process."""
    return agent.predictor.complete(prompt, SamplingSettings(**settings))


def chat(agent: Language, **settings: Any) -> Completion:
    """Return the answer in a chat that has to be answered."""
    prompt = agent.predictor.render_chat([{"role": "user", "content": agent.message}])
    return agent.predictor.complete(prompt, SamplingSettings(**settings))


def messages(agent: Language) -> list[Any]:
    """Return the messages of a chat."""
    return [{"role": "user", "content": agent.message}]


@table.row("openai", "models.list, models.retrieve")
def models(agent: Language) -> str:
    (listed,) = client(agent).models.list().data
    assert listed.id == client(agent).models.retrieve(agent.name).id == agent.name
    return listed.id


@table.row("openai", "completions.create")
def completion(agent: Language) -> str:
    made = client(agent).completions.create(model=agent.name, prompt=agent.prompts[0], temperature=0)
    right = complete(agent, agent.prompts[0], temperature=0)
    (choice,) = made.choices
    assert (choice.text, choice.finish_reason) == (right.text, right.finish_reason)
    assert made.usage is not None
    assert made.usage.prompt_tokens == right.prompt_tokens
    assert made.usage.completion_tokens == right.completion_tokens
    return f"{choice.text!r}, {choice.finish_reason}, {made.usage.total_tokens} tokens"


@table.row("openai", "the snippet of the Agents view")
def snippet(agent: Language) -> str:
    command = [sys.executable, "-c", agent.snippet]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.removesuffix("\n") == agent.predictor(agent.predictor.example)
    return repr(said)


@table.row("openai", "completions.create, several prompts, n=2, seed, temperature")
def samples(agent: Language) -> str:
    settings = {"temperature": 1.0, "seed": 5}
    prompts = list(agent.prompts[:2])
    made = client(agent).completions.create(model=agent.name, prompt=prompts, n=2, **settings)
    right = [
        complete(agent, prompt, temperature=1.0, seed=5 + index).text
        for prompt in prompts
        for index in range(2)
    ]
    assert [choice.text for choice in made.choices] == right
    return str(right)


@table.row("openai", "completions.create, token ids, max_tokens=1")
def token_ids(agent: Language) -> str:
    ids = list(agent.predictor.tokenize(agent.prompts[0]))
    made = client(agent).completions.create(model=agent.name, prompt=ids, max_tokens=1, temperature=0)
    right = agent.predictor.complete(tuple(ids), SamplingSettings(max_tokens=1, temperature=0))
    assert (made.choices[0].text, made.choices[0].finish_reason) == (right.text, right.finish_reason)
    return f"{made.choices[0].text!r}, {made.choices[0].finish_reason}"


@table.row("openai", "completions.create, stop")
def stop(agent: Language) -> str:
    text = complete(agent, agent.prompts[0], temperature=0).text
    assert len(text) > 2
    made = client(agent).completions.create(
        model=agent.name, prompt=agent.prompts[0], stop=[text[1:3]], temperature=0
    )
    assert (made.choices[0].text, made.choices[0].finish_reason) == (text[:1], "stop")
    return f"{made.choices[0].text!r} before {text[1:3]!r}"


@table.row("openai", "completions.create, echo with logprobs")
def echo(agent: Language) -> str:
    prompt = agent.prompts[0] + agent.choices[0][0]
    made = client(agent).completions.create(
        model=agent.name, prompt=prompt, echo=True, logprobs=1, max_tokens=1, temperature=0
    )
    told = made.choices[0].logprobs
    assert told is not None
    assert told.token_logprobs is not None
    right = [token.log_prob for token in agent.predictor.score(prompt)]
    assert told.token_logprobs[:-1] == pytest.approx(right, abs=1e-4)
    return f"{len(right)} tokens scored, and one more"


@table.row("openai", "completions.create, stream")
def stream(agent: Language) -> str:
    chunks = client(agent).completions.create(
        model=agent.name, prompt=agent.prompts[0], stream=True, temperature=0
    )
    pieces = [chunk.choices[0].text for chunk in chunks]
    assert "".join(pieces) == complete(agent, agent.prompts[0], temperature=0).text
    return f"{len(pieces)} pieces"


@table.row("openai", "chat.completions.create")
def chat_completion(agent: Language) -> str:
    made = client(agent).chat.completions.create(
        model=agent.name, messages=messages(agent), temperature=0, max_completion_tokens=16
    )
    right = chat(agent, temperature=0, max_tokens=16)
    assert made.choices[0].message.content == right.text
    assert made.choices[0].finish_reason == right.finish_reason
    return repr(right.text)


@table.row("openai", "chat.completions.create, stream with usage")
def chat_stream(agent: Language) -> str:
    chunks = list(
        client(agent).chat.completions.create(
            model=agent.name,
            messages=messages(agent),
            temperature=0,
            max_tokens=16,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    right = chat(agent, temperature=0, max_tokens=16)
    assert text == right.text
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == right.completion_tokens
    return f"{text!r} in {len(chunks)} events, {usage.total_tokens} tokens"


@table.row("openai", "chat.completions.create, logprobs")
def chat_log_probs(agent: Language) -> str:
    made = client(agent).chat.completions.create(
        model=agent.name,
        messages=messages(agent),
        logprobs=True,
        top_logprobs=2,
        temperature=0,
        max_tokens=8,
    )
    told = made.choices[0].logprobs
    assert told is not None
    assert told.content is not None
    assert all(token.logprob == max(each.logprob for each in token.top_logprobs) for token in told.content)
    return f"{len(told.content)} tokens with 2 alternatives"


@table.row("openai", "AsyncOpenAI, 6 prompts at once")
def at_once(agent: Language) -> str:
    import asyncio

    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{agent.url}/v1", api_key=agent.key) as asking:
            made = await asyncio.gather(
                *(
                    asking.completions.create(model=agent.name, prompt=prompt, temperature=0)
                    for prompt in agent.prompts
                )
            )
        return [each.choices[0].text for each in made]

    got = asyncio.run(ask())
    assert got == [complete(agent, prompt, temperature=0).text for prompt in agent.prompts]
    return f"{len(got)} right answers"


@table.row("openai", "a stream that is left, then a request")
def leave(agent: Language) -> str:
    with client(agent).completions.create(
        model=agent.name, prompt=list(agent.prompts) * 5, n=4, stream=True, temperature=1
    ) as chunks:
        next(iter(chunks))
    return completion(agent)


@table.row("openai", "a wrong key")
def wrong_key(agent: Language) -> str:
    with pytest.raises(openai.AuthenticationError) as caught:
        client(agent, "sk-wrong").models.list()
    assert caught.value.code == "invalid_api_key"
    return f"{type(caught.value).__name__}: {caught.value.code}"


@table.row("openai", "another model")
def other_model(agent: Language) -> str:
    with pytest.raises(openai.NotFoundError) as caught:
        client(agent).completions.create(model="gpt-4", prompt=agent.prompts[0])
    assert caught.value.code == "model_not_found"
    return f"{type(caught.value).__name__}: {caught.value.code}"


@table.row("openai", "tools")
def tools(agent: Language) -> str:
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": {}}}
    with pytest.raises(openai.BadRequestError) as caught:
        client(agent).chat.completions.create(model=agent.name, messages=messages(agent), tools=[tool])
    assert (caught.value.param, caught.value.code) == ("tools", "unsupported_parameter")
    return f"{type(caught.value).__name__}: {caught.value.param}"


@table.row("openai", "response_format=json_object, streamed")
def json_mode(agent: Language) -> str:
    with pytest.raises(openai.BadRequestError) as caught:
        client(agent).chat.completions.create(
            model=agent.name,
            messages=messages(agent),
            response_format={"type": "json_object"},
            stream=True,
        )
    return f"{type(caught.value).__name__}: {caught.value.param}"


@table.row("openai", "embeddings.create")
def embeddings(agent: Language) -> str:
    with pytest.raises(openai.NotFoundError) as caught:
        client(agent).embeddings.create(model=agent.name, input="x")
    return f"{type(caught.value).__name__}: {caught.value.code}"


def curl(agent: Language, *arguments: str) -> Any:
    """Run curl as anybody would, and parse what it prints."""
    command = ["curl", "-sS", "--noproxy", "*", "-H", f"Authorization: Bearer {agent.key}", *arguments]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


@table.row("curl", "-d JSON /generate, no content type")
def curl_generate(agent: Language) -> str:
    got = curl(agent, "-d", json.dumps({"prompt": agent.prompts[0]}), f"{agent.url}/generate")
    assert got == {"text": agent.predictor(agent.prompts[0])}
    return str(got)


@table.row("curl", "-d JSON --compressed /v1/completions")
def curl_completions(agent: Language) -> str:
    body = {"model": agent.name, "prompt": list(agent.prompts), "temperature": 0}
    got = curl(agent, "--compressed", "-d", json.dumps(body), f"{agent.url}/v1/completions")
    right = [complete(agent, prompt, temperature=0).text for prompt in agent.prompts]
    assert [choice["text"] for choice in got["choices"]] == right
    return f"{len(right)} choices"


@table.row("curl", "-H 'Content-Type: image/png'")
def curl_image(agent: Language) -> str:
    image = ("-H", "Content-Type: image/png")
    got = curl(agent, *image, "-d", "{}", f"{agent.url}/v1/completions")
    assert "not declared as JSON" in got["error"]["message"]
    return str(got["error"]["message"])


def documents(agent: Language, folder: Path) -> Path:
    """Write the documents of the tasks; every other answer is what the agent says."""
    lines = [
        {"prompt": prompt, "answer": agent.predictor(prompt) if at % 2 else "other", "choices": list(choices)}
        for at, (prompt, choices) in enumerate(zip(agent.prompts, agent.choices, strict=True))
    ]
    path = folder / "documents.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def log_probs(agent: Language) -> list[list[float]]:
    """Return for every prompt the log-probabilities of its choices, by the predictor in this process."""

    def log_prob(prompt: str, choice: str) -> float:
        scored = agent.predictor.score(prompt + choice)
        return sum(token.log_prob or 0 for token in scored[agent.predictor.count(prompt) :])

    pairs = zip(agent.prompts, agent.choices, strict=True)
    return [[log_prob(prompt, choice) for choice in choices] for prompt, choices in pairs]


def arguments(agent: Language, **more: object) -> dict[str, Any]:
    """Return what lm-eval has to be told of an agent: its tokenizer is the agent's own."""
    return {
        "model": agent.name,
        "base_url": f"{agent.url}/v1/completions",
        "tokenizer_backend": "remote",
        "auth_token": agent.key,
        **more,
    }


@pytest.fixture
def asked(language: Language, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Language:
    """A language model that lm-eval evaluates on documents of ours."""
    monkeypatch.setenv("CLIENT_TEST_DOCUMENTS", str(documents(language, tmp_path)))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", language.key)
    return language


@pytest.mark.spec("8.5")
@pytest.mark.parametrize("row", table)
def test_a_client_of_language_models_is_answered(row: str, language: Language, record_property: Any) -> None:
    """Every call of the table, by the client as it is installed."""
    client_name, name = row.split(" | ")
    record_property(ANSWERED, f"{client_name} | {name}, of {language.name} | {table[row](language)}")


WAYS: Sequence[tuple[str, dict[str, Any]]] = (
    ("token ids", {}),
    ("texts", {"tokenized_requests": False}),
    ("8 prompts a request", {"batch_size": 8}),
    ("4 requests at once", {"num_concurrent": 4}),
)


@pytest.mark.spec("8.5")
@pytest.mark.parametrize(("way", "options"), WAYS, ids=[way for way, _ in WAYS])
def test_lm_eval_scores_an_agent(
    asked: Language, way: str, options: dict[str, Any], record_property: Any
) -> None:
    """Both of its kinds of tasks: what the agent generates, and which of two texts is likelier."""
    made = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=arguments(asked, **options),
        tasks=["agent_generate", "agent_choose"],
        task_manager=TaskManager(include_path=str(TASKS), include_defaults=False),
        bootstrap_iters=0,
    )
    assert made is not None
    generated = made["results"]["agent_generate"]["exact_match,none"]
    chosen = made["results"]["agent_choose"]["acc,none"]
    assert generated == pytest.approx(0.5)
    right = log_probs(asked)
    assert chosen == pytest.approx(sum(first > second for first, second in right) / len(right))
    told = {sample["doc"]["prompt"]: sample["resps"] for sample in made["samples"]["agent_choose"]}
    got = [[float(resps[0][0]) for resps in told[prompt]] for prompt in asked.prompts]
    assert np.allclose(got, right, atol=1e-3)
    who = f"of {asked.name}"
    record_property(ANSWERED, f"lm-eval | generate_until, {way}, {who} | exact_match {generated:.3f}")
    record_property(ANSWERED, f"lm-eval | loglikelihood by echo, {way}, {who} | acc {chosen:.3f}")


@pytest.mark.spec("8.5")
@pytest.mark.slow
def test_lm_eval_scores_an_agent_from_the_command_line(
    asked: Language, tmp_path: Path, record_property: Any
) -> None:
    """Its program finds our folder of tasks, and writes its results."""
    given = ",".join(f"{name}={value}" for name, value in arguments(asked).items())
    command = [sys.executable, "-m", "lm_eval", "--model", "local-completions", "--model_args", given]
    command += ["--tasks", "agent_generate", "--include_path", str(TASKS), "--output_path", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
    assert ran.returncode == 0, ran.stderr
    (path,) = tmp_path.rglob("results_*.json")
    share = json.loads(path.read_text())["results"]["agent_generate"]["exact_match,none"]
    assert share == pytest.approx(0.5)
    record_property(ANSWERED, f"lm-eval | its program, of {asked.name} | exact_match {share:.3f}")
