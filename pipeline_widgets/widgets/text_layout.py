"""Text for pictures: on one line, harmless, and no longer than its place."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache

from pipeline_widgets.directions import ISOLATE, POP, is_balanced

# What XML cannot hold, and what would turn the text around it to another direction; a closed isolate cannot.
_HOSTILE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066\u2067\ud800-\udfff\ufffe\uffff]")
_ISOLATING = re.compile(f"[{ISOLATE}{POP}]")


def escape(text: str) -> str:
    """Return text that means nothing but itself in HTML and in XML."""
    return html.escape(plain(text))


def plain(text: str) -> str:
    """Return text on one line, without what cannot be shown."""
    harmless = _HOSTILE.sub("\ufffd", " ".join(text.split()))
    return harmless if is_balanced(harmless) else _ISOLATING.sub("\ufffd", harmless)


def fit_width(text: str, width: float, size: float) -> str:
    """Return text cut so that about `width` pixels hold it, with an ellipsis where something is missing."""
    used, cut = 0.0, 0
    room = width / size
    for at, character in enumerate(text):
        used += _em(character)
        if used > room:
            kept = text[:cut].rstrip(" \u200d\ufe0f")
            # A mark after it keeps the ellipsis at the end of a name that runs from right to left.
            return kept + ("…\u200f" if unicodedata.bidirectional(kept[-1:] or " ") in {"R", "AL"} else "…")
        if used <= room - 1:  # an ellipsis still has its place
            cut = at + 1
    return text


@cache
def _em(character: str) -> float:
    """About how wide a bold character is, in units of the font size."""
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0.0
    if character > "\uffff":
        return 1.3
    if character in "MW@%mw—…" or unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in "iljtfrI.,:;|!'()[]- ":
        return 0.38
    return 0.7 if character.isupper() else 0.6
