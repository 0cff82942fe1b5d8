"""An algorithm as other processes know it: its declaration, and where its code is found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.compatibility import AlgorithmSpec, Signature


@dataclass(frozen=True, kw_only=True, slots=True)
class AlgorithmReference:
    """A reference by which another process finds an algorithm: a `path` ("module:name"), or its `value`."""

    path: str | None = None
    #: What sys.path held beside the installed packages, such as the notebook's folder; as in PATH.
    root: str | None = None
    #: The algorithm itself, by cloudpickle, in base64.
    value: str | None = None
    #: The Python that made `value`, and that alone can open it, such as "cpython 3.11"; None if unknown.
    python: str | None = None
    #: The code as it was recorded last: what a cell defines, and the files of the user's that it reaches.
    code: CodeRecord | None = field(default=None, compare=False, repr=False)
    #: The code that made what a run starts from, latest first: what it pickled can name its classes.
    earlier: tuple[AlgorithmReference, ...] = field(default=(), compare=False)

    @property
    def digest(self) -> str:
        """The digest of the reference: two equal digests mean the same code."""
        made = hashlib.sha256(f"{self.path}|{self.root}|".encode())
        made.update(str(self.value).encode())  # it may be large, and is not copied once more
        return made.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class AlgorithmDeclaration:
    """An algorithm: its declaration, and where its code is found."""

    spec: AlgorithmSpec
    reference: AlgorithmReference


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfiguredAlgorithm(AlgorithmDeclaration):
    """An algorithm with a validated config: what an experiment is made of."""

    #: Plain JSON values, defaults filled in.
    config: Mapping[str, Any]
    signature: Signature
