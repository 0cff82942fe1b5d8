"""The code of a run: a digest for each file and each definition of a cell, and what has changed since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline_widgets.domain.normalised_code import find_first_difference

CELL = "cell"  # the file of code that a notebook cell defines


@dataclass(frozen=True, kw_only=True, slots=True)
class CodePiece:
    """A file of the user's, or one definition of a cell or a script."""

    #: The file relative to the folder that its module is found in, such as "pkg/helpers.py", or "cell".
    file: str
    #: The class, function or constant, for code of a cell or a script; "" for a whole file.
    definition: str = ""
    #: The line of the file or cell at which its text begins.
    line: int = 1
    #: SHA-256 of the normal form: what changes no behaviour does not count.
    digest: str
    #: SHA-256 of the text, under which the text is kept; None for what has no text.
    source: str | None

    @property
    def key(self) -> tuple[str, str]:
        """The name by which two records of the same code know it."""
        return self.file, self.definition

    def at(self, line: int) -> str:
        """Return how a sentence names one of its lines, counted from 1: "helpers.py:12"."""
        place = f"{self.file}:{self.line + line - 1}"
        return f"{place} ({self.definition})" if self.file == CELL else place


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeRecord:
    """The code of an algorithm: the training function, and the user's own modules that it reaches."""

    #: In the order in which they are reached.
    pieces: tuple[CodePiece, ...]
    #: The modules that code of a cell or a script imports; their files are pieces, too.
    imports: tuple[str, ...] = ()
    #: The texts by their digests, as far as they are at hand.
    texts: Mapping[str, str] = field(default_factory=dict[str, str], compare=False, repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 over the pieces: two equal digests mean code that behaves alike."""
        listed = sorted([*piece.key, piece.digest] for piece in self.pieces)
        return hashlib.sha256(json.dumps(listed).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the record as plain values, without the texts."""
        listed = [[each.file, each.definition, each.line, each.digest, each.source] for each in self.pieces]
        return {"pieces": listed, "imports": list(self.imports)}

    def with_texts(self, texts: Mapping[str, str]) -> CodeRecord:
        """Return the record with further texts."""
        return replace(self, texts={**texts, **self.texts})

    @property
    def sources(self) -> tuple[str, ...]:
        """The digests of the texts."""
        return tuple(each.source for each in self.pieces if each.source is not None)

    @property
    def record_text(self) -> str:
        """The record as the text under which runs share it."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    @property
    def record_digest(self) -> str:
        """SHA-256 of that text: it differs where only a comment does."""
        return digest_of_text(self.record_text)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], texts: Mapping[str, str] | None = None) -> CodeRecord:
        """Return a record from its plain values."""
        pieces = (
            CodePiece(file=file, definition=definition, line=line, digest=digest, source=source)
            for file, definition, line, digest, source in plain["pieces"]
        )
        return cls(pieces=tuple(pieces), imports=tuple(plain["imports"]), texts=texts or {})


def digest_of_text(text: str) -> str:
    """Return the digest under which a text is kept."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def describe_change(before: CodeRecord, after: CodeRecord) -> str | None:
    """Return where code differs: "helpers.py:12", the file and the first line that differs, as it is now.

    Where the texts are at hand, their normal forms decide, and not the digests: these may come from another
    version of Python. None where the code behaves alike.

    Args:
        before: The code of a run, with its texts.
        after: The code as it is now, with its texts.
    """
    if before.digest == after.digest:
        return None
    former = {piece.key: piece for piece in before.pieces}
    changed = [
        place
        for piece in after.pieces
        if (place := _describe_piece(former.get(piece.key), piece, before, after)) is not None
    ]
    now = {piece.key for piece in after.pieces}
    gone = [piece for piece in before.pieces if piece.key not in now]
    changed += [f"{piece.definition or piece.file} is no longer used" for piece in gone]
    if not changed:
        return None
    more = len(changed) - 1
    return changed[0] if not more else f"{changed[0]} and {more} more"


def _describe_piece(
    former: CodePiece | None, piece: CodePiece, before: CodeRecord, after: CodeRecord
) -> str | None:
    if former is None:
        return piece.at(1)
    if former.digest == piece.digest:
        return None
    old, new = before.texts.get(former.source or ""), after.texts.get(piece.source or "")
    if old is None or new is None:
        return piece.at(1)
    line = find_first_difference(old, new)
    return None if line is None else piece.at(line)
