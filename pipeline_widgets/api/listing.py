"""Listings: iterate, index by position or name, see as a DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from pipeline_widgets.api.frames import data_frame
from pipeline_widgets.errors import ConfigError, NotFoundError
from pipeline_widgets.persistence.garbage_collection import pause_collection

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10  # names that an error lists


class Summarised(Protocol):
    """Anything that has a row in a listing."""

    def summary(self) -> dict[str, Any]:
        """Its row: column and value."""
        ...


T = TypeVar("T", bound=Summarised)


class Listing(Sequence[T], Generic[T]):
    """An immutable list, as it was when it was read: `listing[0]`, `listing["name"]`, `for each in listing`.

    Args:
        kind: What an item is called.
        items: What is listed.
        rows: Reads the rows of items at once, without those that are gone; by default each by itself.
        names: Tells the names of the items, in their order, at once; by default each item tells its own.
        select: Finds the items for which a filter holds; without it the listing takes no filter.
    """

    def __init__(
        self,
        kind: str,
        items: Iterable[T],
        rows: Callable[[Sequence[T]], list[dict[str, Any]]] | None = None,
        names: Callable[[], Sequence[str]] | None = None,
        select: Callable[[str], Listing[T]] | None = None,
    ) -> None:
        self._kind = kind
        with pause_collection():  # ten thousand items are made, and none of them is garbage
            self._items = tuple(items)
        self._rows = rows or _each_by_itself
        self._names = names or (lambda: [getattr(item, "name", "") for item in self._items])
        self._select = select

    def __call__(self, where: str) -> Listing[T]:
        """Return those for which a filter holds, such as `"seed=3 and evaluation_score>0.9"`, as of now.

        Args:
            where: Words that are searched in names, and conditions `field operator value` with the operators
                =, !=, <, <=, >, >= and ~ (contains), joined by and, or, not and parentheses. A field is name,
                status, tag, note, favourite, algorithm, seed, evaluation_score, a field of the config, or a
                metric; `config.x` and `metric.x` name one of these. Texts with spaces stand in quotes.

        Raises:
            FilterError: It cannot be read; the error names the column.
            ConfigError: This listing takes no filter.
        """
        if self._select is None:
            what = f"This listing of {self._kind}s takes no filter."
            raise ConfigError(what, fix="Filter its items in Python, or its .df.")
        return self._select(where)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    @overload
    def __getitem__(self, key: int | str) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> Listing[T]: ...
    def __getitem__(self, key: int | str | slice) -> T | Listing[T]:
        """Return the item at a position or of a name.

        Raises:
            NotFoundError: There is none of that name.
            IndexError: There is none at that position.
        """
        if isinstance(key, slice):
            return Listing(self._kind, self._items[key], self._rows, lambda: self._names()[key])
        if isinstance(key, int):
            return self._items[key]
        names = self._names()
        if key and key in names:
            return self._items[names.index(key)]
        raise NotFoundError(f"There is no {self._kind} named {key!r}.", fix=_there_are(names, key))

    @property
    def df(self) -> pd.DataFrame:
        """The same as a pandas DataFrame, a row for each item; times are in UTC, without a zone."""
        return data_frame(self._rows(self._items))

    def __repr__(self) -> str:
        if not self._items:
            return f"no {self._kind}s"
        return self.df.to_string(index=False)

    def _repr_html_(self) -> str:
        """Show as a table; pandas escapes all text."""
        return self.df.to_html(index=False, notebook=True) if self._items else f"no {self._kind}s"


def select_columns(value: object, *names: str) -> dict[str, Any]:
    """Return attributes of a value as columns of a row; a status is its word.

    Args:
        value: What the row is about.
        *names: The attributes, which name the columns.
    """
    found = {name: getattr(value, name) for name in names}
    return {name: str(each) if isinstance(each, StrEnum) else each for name, each in found.items()}


def _each_by_itself(items: Sequence[Summarised]) -> list[dict[str, Any]]:
    return [item.summary() for item in items]


def _there_are(names: Sequence[str], wanted: str) -> str:
    """Say which names there are; of many those that are closest to the one that was asked for."""
    names = [name for name in names if name]
    if not names:
        return "There are none yet."
    shown = names if len(names) <= SHOWN else get_close_matches(wanted, names, n=SHOWN) or names[:SHOWN]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return f"There are {', '.join(map(repr, shown))}{more}."
