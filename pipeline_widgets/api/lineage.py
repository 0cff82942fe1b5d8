"""The ancestors and descendants of a checkpoint, as a user reads them."""

from __future__ import annotations

from typing import Any

from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.domain import lineage as values


class Relative:
    """A run or an agent that something descends from, or that descends from it."""

    def __init__(self, value: values.Relative, *, before: bool) -> None:
        self._value = value
        self._before = before

    def __repr__(self) -> str:
        return f"Relative({self._value.label!r}, {'ancestor' if self._before else 'descendant'})"

    @property
    def name(self) -> str:
        """The name of the experiment or the agent."""
        return self._value.name

    @property
    def kind(self) -> str:
        """One of "run", "deployment", "agent"."""
        return self._value.kind

    @property
    def depth(self) -> int:
        """The number of steps away: -1 is its start, 1 a run or an agent that started from it."""
        return -self._value.depth if self._before else self._value.depth

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        value = self._value
        columns = select_columns(value, "kind", "name", "number", "step", "role")
        return {"depth": self.depth, **columns, "stage": value.place}


class Lineage(Listing[Relative]):
    """All relatives, the furthest ancestor first; printed, it is a tree."""

    def __init__(self, value: values.Lineage) -> None:
        before = [Relative(each, before=True) for each in reversed(value.ancestors)]
        super().__init__("relative", [*before, *(Relative(each, before=False) for each in value.descendants)])
        self._value = value

    def __repr__(self) -> str:
        return str(self._value)

    @property
    def ancestors(self) -> Listing[Relative]:
        """Its ancestors, the furthest first."""
        return Listing("ancestor", (each for each in self if each.depth < 0))

    @property
    def descendants(self) -> Listing[Relative]:
        """Its descendants, each followed by its own."""
        return Listing("descendant", (each for each in self if each.depth > 0))
