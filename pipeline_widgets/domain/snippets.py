"""Code that asks an agent, to copy: it needs nothing but what is there anyway (spec 8.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from textwrap import dedent
from typing import Literal

from pipeline_widgets.domain.endpoint import FIELDS, Endpoint

#: Stands where the key belongs while that is not known.
KEY = "YOUR-KEY"
EXAMPLES: dict[str, object] = {"get_action": [0.0], "generate": "…", "predict": [0.0]}


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippet:
    """Code in a language."""

    language: Literal["Python", "curl"]
    code: str


def snippets(endpoint: Endpoint, key: str | None = None) -> tuple[Snippet, ...]:
    """Return code that asks an endpoint: in Python with its standard library, and for a shell with curl."""
    takes, returns = FIELDS[endpoint.route]
    example = EXAMPLES[endpoint.route] if endpoint.example is None else endpoint.example
    url, key = f"{endpoint.url}/{endpoint.route}", key or KEY
    python = f"""\
        import json
        from urllib.request import Request, urlopen

        body = json.dumps({{{takes!r}: {example!r}}}).encode()
        headers = {{"Authorization": "Bearer {key}", "Content-Type": "application/json"}}
        with urlopen(Request({url!r}, body, headers)) as answer:
            print(json.load(answer)[{returns!r}])
        """
    body = json.dumps({takes: example}, ensure_ascii=False).replace("'", "'\\''")
    curl = f"""\
        curl -sS '{url}' \\
          -H 'Authorization: Bearer {key}' \\
          -H 'Content-Type: application/json' \\
          -d '{body}'
        """
    return (
        Snippet(language="Python", code=dedent(python)),
        Snippet(language="curl", code=dedent(curl)),
    )
