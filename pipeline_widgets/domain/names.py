"""Names and other texts of users: trimmed, storable; names unique where they stand, counted up for copies."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from pipeline_widgets.domain.text import is_encodable, with_article
from pipeline_widgets.errors import ConfigError, NameTakenError, format_value

MAX_NAME_LENGTH = 255
_AT_ONCE = 16  # names of copies that are looked up first; then twice as many, and so on
_MOST_AT_ONCE = 1024
_NUMBER = re.compile(r" \d{1,9}$")


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str:
        """Its name."""
        ...


def validate_name(name: str, kind: str) -> str:
    """Return a name without the spaces around it.

    Raises:
        ConfigError: It is not a text, empty, or too long.
    """
    if not isinstance(name, str) or not name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        what = f"Enter a name for the {kind}."
        raise ConfigError(what, f"Got {format_value(name)}.", "Use at least one visible character.")
    name = check_encodable(name, f"name of the {kind}")
    if len(name) > MAX_NAME_LENGTH:
        why = f"It has {len(name)} characters, {MAX_NAME_LENGTH} are possible."
        raise ConfigError(f"The name of the {kind} is too long.", why, "Shorten it.")
    return name


def validate_description(text: str, kind: str) -> str:
    """Return a description without the spaces around it; it may be empty.

    Raises:
        ConfigError: It is not a text.
    """
    return check_encodable(text, f"description of the {kind}")


def check_encodable(text: str, what: str) -> str:
    """Return a text without the spaces around it.

    Raises:
        ConfigError: It is not a text, or holds a NUL or half a surrogate pair, which no database stores.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        raise ConfigError(
            f"The {what} should be a text.", f"Got {format_value(text)}.", "Write it in quotes."
        )
    if not is_encodable(text):
        raise ConfigError(f"The {what} cannot be stored.", f"Got {format_value(text)}.", "Write it again.")
    return text.strip()


def check_name_available(name: str, others: Iterable[Named], kind: str) -> None:
    """Refuse a name that is in use among `others`; those of that name are enough.

    Raises:
        NameTakenError: One of `others` has it.
    """
    if any(other.name == name for other in others):
        fix = "Choose another name, or use the one that is there."
        raise NameTakenError(f"{with_article(kind).capitalize()} named {name!r} already exists.", fix=fix)


def name_copy(name: str, named: Callable[[Collection[str]], Iterable[Named]], word: str = "copy") -> str:
    """Return the name of a copy: "NAME (copy)", then "NAME (copy 2)" (spec 3.4).

    Args:
        name: What is copied.
        named: Looks up who bears one of those names.
        word: What the copy is called.
    """
    stem = name[: MAX_NAME_LENGTH - 8 - len(word)]
    return _first_free(lambda number: _add_number(stem, word, number), named)


def name_numbered(name: str, named: Callable[[Collection[str]], Iterable[Named]]) -> str:
    """Return a name that is free: "NAME", then "NAME 2"; after "NAME 2" comes "NAME 3".

    Args:
        name: What is named.
        named: Looks up who bears one of those names.
    """
    stem = _NUMBER.sub("", name)[: MAX_NAME_LENGTH - 8]
    return _first_free(lambda number: name if number == 1 else f"{stem} {number}", named)


def _first_free(make: Callable[[int], str], named: Callable[[Collection[str]], Iterable[Named]]) -> str:
    """Return the first of the names by number, from 1, that nobody bears."""
    first, many = 1, _AT_ONCE
    while True:
        candidates = [make(number) for number in range(first, first + many)]
        taken = {other.name for other in named(candidates)}
        for candidate in candidates:
            if candidate not in taken:
                return candidate
        first, many = first + many, min(2 * many, _MOST_AT_ONCE)


def _add_number(stem: str, word: str, number: int) -> str:
    return f"{stem} ({word})" if number == 1 else f"{stem} ({word} {number})"
