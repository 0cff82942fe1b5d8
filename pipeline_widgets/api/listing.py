"""Listings: iterate, index by position or name, see as a DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from pipeline_widgets.errors import NotFoundError

if TYPE_CHECKING:
    import pandas as pd


class Summarised(Protocol):
    """Anything that has a row in a listing."""

    def summary(self) -> dict[str, Any]:
        """Its row: column and value."""
        ...


T = TypeVar("T", bound=Summarised)


class Listing(Sequence[T], Generic[T]):
    """What there was when it was asked for: `listing[0]`, `listing["name"]`, `for each in listing`."""

    def __init__(
        self, kind: str, items: Iterable[T], rows: Callable[[], list[dict[str, Any]]] | None = None
    ) -> None:
        self._kind = kind
        self._items = tuple(items)
        self._rows = rows or (lambda: [item.summary() for item in self._items])

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
            return Listing(self._kind, self._items[key])
        if isinstance(key, int):
            return self._items[key]
        for item in self._items:
            if getattr(item, "name", None) == key:
                return item
        names = [repr(name) for item in self._items if (name := getattr(item, "name", None))]
        fix = f"There are {', '.join(names)}." if names else "There are none yet."
        raise NotFoundError(f"There is no {self._kind} named {key!r}.", fix=fix)

    @property
    def df(self) -> pd.DataFrame:
        """The same as a pandas DataFrame, a row for each item."""
        import pandas as pd  # noqa: PLC0415  importing the package must not import pandas

        return pd.DataFrame(self._rows())

    def __repr__(self) -> str:
        if not self._items:
            return f"no {self._kind}s"
        return self.df.to_string(index=False)

    def _repr_html_(self) -> str:
        """Show as a table; pandas escapes all text."""
        return self.df.to_html(index=False, notebook=True) if self._items else f"no {self._kind}s"
