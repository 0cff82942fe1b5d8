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
    """Code in a language."""

    language: Literal["Python", "curl"]
    code: str


def make_snippets(endpoint: Endpoint, key: str | None = None) -> tuple[Snippet, ...]:
    """Return code that asks an endpoint: in Python with its standard library, and for a shell with curl.

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
    return (
        Snippet(language="Python", code=dedent(python)),
        Snippet(language="curl", code=dedent(curl)),
    )


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
