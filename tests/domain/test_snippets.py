"""The code that asks an agent (spec 8.1); tests/execution/test_serving.py runs it against one."""

from __future__ import annotations

import ast
import json
import shlex
from typing import Any

import pytest

from pipeline_widgets.domain.endpoint import Endpoint, Route
from pipeline_widgets.domain.snippets import KEY, make_snippets

A_KEY = f"pw_{'x' * 43}"
SHORT = 60  # characters of a line that are never cut beside the box to try it


def endpoint(example: Any, route: Route = "get_action") -> Endpoint:
    """Return an endpoint of an agent that names an example."""
    return Endpoint(
        host="127.0.0.1",
        port=43591,
        key_hint=None,
        version=1,
        route=route,
        example=example,
        ready_at=None,
        error=None,
    )


def test_lines_are_short() -> None:
    """Also with a key in place of the word for it."""
    for key in (None, A_KEY):
        for each in make_snippets(endpoint([0.12, -0.4, 1.0, 0.003]), "line", key):
            assert max(map(len, each.code.splitlines())) <= SHORT
            assert each.code.count(key or KEY) == 1


@pytest.mark.parametrize(
    "example",
    [[0.5, -1, 1e-9], {"a": [True, None], "it's": "\"{key}\" \\ 'ü😀'\n"}, "{", None, [[1, 2], [3, 4]]],
)
def test_an_example_is_sent_as_it_is(example: Any) -> None:
    """Whatever is in it, in Python with double quotes and for a shell."""
    python, curl = (each.code for each in make_snippets(endpoint(example), "line"))
    expected = {"observation": [0.0] if example is None else example}
    body = next(
        node.value.args[0]
        for node in ast.walk(ast.parse(python))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args
        if ast.unparse(node.targets[0]) == "body"
    )
    assert ast.literal_eval(body) == expected
    words = shlex.split(curl)
    assert json.loads(words[words.index("-d") + 1]) == expected


@pytest.mark.spec("8.1", "8.5")
def test_a_language_model_is_asked_by_openais_client_as_well() -> None:
    """The agent is the model, and the first prompt that it names is the prompt, whatever is in them."""
    name = 'it\'s "mine" {key} \\\\ ü'
    for key in (None, A_KEY):
        *others, openai = make_snippets(endpoint("db\n'ca", "generate"), name, key)
        assert [each.language for each in others] == ["Python", "curl"]
        assert openai.language == "openai"
        assert max(map(len, openai.code.splitlines())) <= SHORT
        said = {
            keyword.arg: ast.literal_eval(keyword.value)
            for node in ast.walk(ast.parse(openai.code))
            if isinstance(node, ast.Call)
            for keyword in node.keywords
            if keyword.arg != "api_key"
        }
        assert openai.code.count(key or KEY) == 1
        assert said == {
            "base_url": "http://127.0.0.1:43591/v1",
            "model": name,
            "prompt": "db\n'ca",
        }
    assert [each.language for each in make_snippets(endpoint([0.0]), name)] == ["Python", "curl"]
