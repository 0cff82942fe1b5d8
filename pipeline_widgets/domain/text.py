"""Which characters every database can store."""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
#: PostgreSQL stores no NUL, and neither database half a surrogate pair, which UTF-8 cannot encode.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a text can be stored as it is."""
    return text.isprintable() or _UNSTORABLE.search(text) is None


def replace_unstorable(text: str) -> str:
    """Return a text with U+FFFD in the place of each character that no database stores."""
    return text if text.isprintable() else _UNSTORABLE.sub(REPLACEMENT, text)
