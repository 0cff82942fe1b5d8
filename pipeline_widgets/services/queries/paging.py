"""A page of a list: what the three lists share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from pipeline_widgets.errors import ConfigError

LARGEST = 500  # rows of a page

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """A page of a list."""

    rows: tuple[T, ...]
    #: How many match the search, on all pages.
    total: int
    #: How many there are.
    all: int
    #: Counted from 0; the last one where a later one was asked for.
    page: int
    #: How many rows a full page has.
    size: int

    @property
    def pages(self) -> int:
        """The number of pages; at least one."""
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRequest:
    """The position of a page in a list."""

    #: The ids that are on the page.
    listed: Sequence[int]
    total: int
    page: int
    size: int


def cut(ids: Sequence[int], *, page: int, size: int, holding: int | None = None) -> PageRequest:
    """Cut a page out of a list.

    Args:
        ids: Of all that is in the list, in its order.
        page: Counted from 0; a page past the end gives the last one.
        size: Rows of a page.
        holding: The id whose page is cut out instead, if it is in the list.
    """
    size = min(max(1, size), LARGEST)
    if holding is not None and holding in ids:
        page = ids.index(holding) // size
    page = min(max(0, page), max(0, len(ids) - 1) // size)
    return PageRequest(listed=ids[page * size : (page + 1) * size], total=len(ids), page=page, size=size)


def check_sort(sort: str, known: Any, kind: str) -> None:
    """Refuse a column by which a list is not sorted.

    Args:
        sort: The column.
        known: The literal type of those that are possible.
        kind: What is listed, in the plural.

    Raises:
        ConfigError: It is none of them.
    """
    if sort not in get_args(known):
        fix = f"Choose one of {', '.join(get_args(known))}."
        raise ConfigError(f"The list of {kind} cannot be sorted by {sort!r}.", fix=fix)
