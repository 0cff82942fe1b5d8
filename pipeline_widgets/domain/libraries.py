"""The libraries that runs of an algorithm import, and that can be imported ahead of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Libraries:
    """Which libraries a run is likely to import."""

    #: Runs with the same key find the same libraries.
    key: str
    #: The modules that the algorithm declares; empty where a run has to tell first what it imports.
    declared: tuple[str, ...] = ()

    @classmethod
    def of_declaration(cls, modules: tuple[str, ...]) -> Libraries:
        """Return the libraries that an algorithm declares; others that declare the same share them."""
        return cls(key=" ".join(("declared", *modules)), declared=modules)
