"""Looking for a text in columns, in upper or lower case of any alphabet."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, or_

from pipeline_widgets.domain.filtering import letter_cases

LONGEST_SEARCH = 500  # letters that are looked for; SQLite bounds the length of a pattern


def contains_text(
    connection: Connection, text: str, *columns: ColumnElement[Any], whole: bool = False
) -> ColumnElement[bool]:
    """Return the condition that one of those columns holds a text; with `whole` that it is that text.

    The pattern names both cases of every letter: LIKE and lower() of SQLite know those of a to z only, and
    those of PostgreSQL know what the locale of the database knows, which may be no more.
    """
    text = text[:LONGEST_SEARCH]
    if connection.dialect.name == "sqlite":
        pattern = "".join(map(_glob, text))
        pattern = pattern if whole else f"*{pattern}*"
        return or_(*(column.bool_op("GLOB")(pattern) for column in columns))
    if connection.dialect.name == "postgresql":
        pattern = "".join(map(_regular_expression, text))
        pattern = f"\\A{pattern}\\Z" if whole else pattern
        return or_(*(column.regexp_match(pattern) for column in columns))
    if whole:
        return or_(*(column.ilike(text) for column in columns))
    return or_(*(column.icontains(text, autoescape=True) for column in columns))


def _glob(letter: str) -> str:
    """Return the GLOB pattern of a letter in either case, and of any other character as it stands."""
    cases = letter_cases(letter)
    return f"[{cases}]" if len(cases) > 1 or letter in "*?[" else letter


def _regular_expression(letter: str) -> str:
    """Return the same as an advanced regular expression of PostgreSQL."""
    cases = letter_cases(letter)
    if len(cases) > 1:
        return f"[{cases}]"
    return f"\\{letter}" if letter.isascii() and not letter.isalnum() else letter
