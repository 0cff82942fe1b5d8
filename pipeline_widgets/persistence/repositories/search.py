"""Looking for a text in columns, in upper or lower case of any alphabet."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, or_

LONGEST_SEARCH = 500  # letters that are looked for; SQLite bounds the length of a pattern


def contains_text(connection: Connection, text: str, *columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that one of those columns holds a text.

    The pattern names both cases of every letter: LIKE and lower() of SQLite know those of a to z only, and
    those of PostgreSQL know what the locale of the database knows, which may be no more.
    """
    text = text[:LONGEST_SEARCH]
    if connection.dialect.name == "sqlite":
        pattern = f"*{''.join(map(_glob, text))}*"
        return or_(*(column.bool_op("GLOB")(pattern) for column in columns))
    if connection.dialect.name == "postgresql":
        pattern = "".join(map(_regular_expression, text))
        return or_(*(column.regexp_match(pattern) for column in columns))
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def _glob(letter: str) -> str:
    """Return the GLOB pattern of a letter in either case, and of any other character as it stands."""
    cases = _cases(letter)
    return f"[{cases}]" if len(cases) > 1 or letter in "*?[" else letter


def _regular_expression(letter: str) -> str:
    """Return the same as an advanced regular expression of PostgreSQL."""
    cases = _cases(letter)
    if len(cases) > 1:
        return f"[{cases}]"
    return f"\\{letter}" if letter.isascii() and not letter.isalnum() else letter


def _cases(letter: str) -> str:
    return "".join(sorted({each for each in (letter, letter.lower(), letter.upper()) if len(each) == 1}))
