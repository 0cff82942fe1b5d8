"""Names within sentences: a text that runs from right to left, or turns what follows it, turns only itself.

Names in Hebrew or Arabic, and the control characters of Unicode's bidirectional algorithm (UAX 9), change the
order in which the words and numbers around them are shown. An isolate keeps that inside. Texts without such
characters stay as they are, byte for byte. `static/text.js` has the same for the browser.
"""

from __future__ import annotations

import re

ISOLATE, POP = "\u2068", "\u2069"  # FIRST STRONG ISOLATE, POP DIRECTIONAL ISOLATE
_ISOLATES = frozenset("\u2066\u2067\u2068")
# Right-to-left scripts, and marks, embeddings, overrides and isolates.
_TURNING = re.compile(
    "[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


def isolate(text: str) -> str:
    """Return a text as it can stand in a sentence, isolated where it could turn the words around it."""
    if text.isascii() or not _TURNING.search(text):
        return text
    return f"{ISOLATE}{_balance(text)}{POP}"


def quote(name: str) -> str:
    """Return a name in quotes, as it can stand in a sentence."""
    return isolate(repr(name))


def with_quotes_isolated(sentence: str) -> str:
    """Return a sentence in which each quoted text is isolated where it could turn the words around it."""
    if sentence.isascii() or not _TURNING.search(sentence):
        return sentence
    return _QUOTED.sub(lambda found: _whole(found.group()), sentence)


def _whole(text: str) -> str:
    """Isolate a text, unless it reaches into an isolate that is there, which would then be torn apart."""
    return isolate(text) if is_balanced(text) else text


def is_balanced(text: str) -> bool:
    """Return whether a text closes each isolate that it opens, and no other."""
    return text.isascii() or _balance(text) == text


def _balance(text: str) -> str:
    """Close what a text opens, and drop what it closes without having opened it.

    Embeddings and overrides end with the isolate that they stand in; only isolates have to match.
    """
    kept: list[str] = []
    depth = 0
    for character in text:
        depth += character in _ISOLATES
        if character == POP:
            if not depth:
                continue
            depth -= 1
        kept.append(character)
    return "".join(kept) + POP * depth
