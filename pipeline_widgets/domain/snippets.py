"""Code that asks an agent, to copy: it needs nothing but what is there anyway (spec 8.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from textwrap import dedent
from typing import Any, Literal, cast

from pipeline_widgets.domain.endpoint import FIELDS, Endpoint

#: Stands where the key belongs while that is not known.
KEY = "YOUR-KEY"
EXAMPLES: dict[str, object] = {"get_action": [0.0], "generate": "…", "predict": [0.0]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """Code in a language, or for a library."""

    language: Literal["Python", "curl", "openai"]
    code: str


def make_snippets(endpoint: Endpoint, agent: str, key: str | None = None) -> tuple[Snippet, ...]:
    """Return code that asks an endpoint: in Python with its standard library, and for a shell with curl.

    For a language model, OpenAI's client as well. It completes texts, since not every checkpoint has a chat
    template.

    Lines are short, as there is little room beside the box to try it; only an example may be long. Proxies
    that the environment names are passed by, since none of them leads to this machine.
    """
    takes, returns = FIELDS[endpoint.route]
    example = EXAMPLES[endpoint.route] if endpoint.example is None else endpoint.example
    url = f"{endpoint.url}/{endpoint.route}"
    python = f"""\
        import json
        import urllib.request as web

        key = "{key or KEY}"
        url = {_python(url)}
        headers = {{
            "Authorization": f"Bearer {{key}}",
            "Content-Type": "application/json",
        }}
        body = json.dumps({_python({takes: example})})
        request = web.Request(url, body.encode(), headers)
        no_proxy = web.ProxyHandler({{}})
        with web.build_opener(no_proxy).open(request) as answer:
            print(json.load(answer)[{_python(returns)}])
        """
    body = json.dumps({takes: example}, ensure_ascii=False).replace("'", "'\\''")
    curl = f"""\
        key='{key or KEY}'
        curl -sS --noproxy '*' '{url}' \\
          -H "Authorization: Bearer $key" \\
          -H 'Content-Type: application/json' \\
          -d '{body}'
        """
    snippets = (
        Snippet(language="Python", code=dedent(python)),
        Snippet(language="curl", code=dedent(curl)),
    )
    if endpoint.route != "generate":
        return snippets
    openai = f"""\
        import openai

        key = "{key or KEY}"
        client = openai.OpenAI(
            base_url={_python(f"{endpoint.url}/v1")},
            api_key=key,
        )
        answer = client.completions.create(
            model={_python(agent)},
            prompt={_python(example)},
        )
        print(answer.choices[0].text)
        """
    return (*snippets, Snippet(language="openai", code=dedent(openai)))


def _python(value: Any) -> str:
    """Return a value of JSON as Python code, with double quotes throughout."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_python, cast('list[Any]', value)))}]"
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value).items()
        return f"{{{', '.join(f'{_python(name)}: {_python(each)}' for name, each in pairs)}}}"
    return repr(value)
