"""Text: which characters every database can store, how much of one is kept, and lists, English articles."""

from __future__ import annotations

import re
from collections.abc import Sequence

REPLACEMENT = "\ufffd"
#: PostgreSQL stores no NUL, and neither database half a surrogate pair, which UTF-8 cannot encode.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_encodable(text: str) -> bool:
    """Return whether a text can be stored as it is."""
    return text.isprintable() or _UNSTORABLE.search(text) is None


def replace_unencodable(text: str) -> str:
    """Return a text with U+FFFD in the place of each character that no database stores."""
    return text if text.isprintable() else _UNSTORABLE.sub(REPLACEMENT, text)


def with_article(noun: str) -> str:
    """Return a noun with its indefinite article, chosen by its first letter."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def list_first(names: Sequence[str], most: int) -> str:
    """Return the first names as a list in a sentence, and how many there are beside them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def shorten(text: str, most: int) -> str:
    """Return a text of about `most` characters at most: its beginning and its end, and what is left out."""
    if len(text) <= most:
        return text
    half = most // 2
    left_out = f"[{len(text) - 2 * half:,} characters are left out; the log has them.]"
    return f"{text[:half]}\n{left_out}\n{text[-half:]}"
