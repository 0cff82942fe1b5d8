"""Looking for a text in columns, in upper or lower case of any alphabet."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, or_

LONGEST_SEARCH = 500  # letters that are looked for; SQLite bounds the length of a pattern


def contains_text(connection: Connection, text: str, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that one of those columns holds a text."""
    text = text[:LONGEST_SEARCH]
    if connection.dialect.name == "sqlite":  # its LIKE and lower() know the case of a to z only
        pattern = f"*{''.join(map(_either_case, text))}*"
        return or_(*(column.bool_op("GLOB")(pattern) for column in columns))
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def _either_case(letter: str) -> str:
    """Return the GLOB pattern of a letter in either case, and of any other sign as it stands."""
    cases = {each for each in (letter, letter.lower(), letter.upper()) if len(each) == 1}
    return f"[{''.join(sorted(cases))}]" if len(cases) > 1 or letter in "*?[" else letter
