"""The table of clients: a row is a client, its call, and what was answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ANSWERED = "answered"
#: Asks an agent by a client, holds the answer to what it has to be, and returns it in short.
Call = Callable[[Any], str]


class Table(dict[str, Call]):
    """The calls by their names."""

    def row(self, client: str, name: str) -> Callable[[Call], Call]:
        """Make the decorated function a row."""

        def add(function: Call) -> Call:
            self[f"{client} | {name}"] = function
            return function

        return add
