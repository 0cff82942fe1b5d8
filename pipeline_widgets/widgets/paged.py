"""A page of a list: searched, sorted and paged, with rows that stay where they are under the hands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar, cast

import traitlets as t

from pipeline_widgets.widgets.base import Row, View


class Listed(Protocol):
    """A row as a service lists it."""

    @property
    def id(self) -> int:
        """Of what is listed."""
        ...


class Page(Protocol):
    """A page as a service returns it, a frozen dataclass."""

    @property
    def rows(self) -> tuple[Any, ...]:
        """What is listed."""
        ...

    @property
    def total(self) -> int:
        """How many match the search, on all pages."""
        ...

    @property
    def all(self) -> int:
        """How many there are."""
        ...

    @property
    def page(self) -> int:
        """Counted from 0."""
        ...

    @property
    def pages(self) -> int:
        """How many pages there are."""
        ...

    @property
    def size(self) -> int:
        """How many rows a full page has."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """Which page of a list is shown."""

    search: str = ""
    sort: str = "modified"
    descending: bool = True
    page: int = 0


R = TypeVar("R", bound=Listed)


class PagedView(View):
    """A list of a page of rows, live. A subclass reads a page and says what a row shows."""

    #: The page that is shown first.
    FIRST: ClassVar[Query] = Query()
    TITLE: ClassVar[str]

    rows = t.List(t.Dict()).tag(sync=True)
    page = t.Dict().tag(sync=True)

    _query: Query
    _shown: Any

    def read_page(self, query: Query) -> Page:
        """Read a page. For subclasses."""
        raise NotImplementedError

    def row_of(self, listed: Any, found: Any) -> Row:
        """Return what a row shows. For subclasses."""
        raise NotImplementedError

    def about_page(self, found: Any) -> Row:
        """Return what else is told of a page. For subclasses."""
        del found
        return {}

    def page_shown(self) -> None:
        """Show what hangs on the rows that are shown. For subclasses."""

    def do_query(
        self,
        search: str | None = None,
        sort: str | None = None,
        page: int = 0,
        *,
        descending: bool | None = None,
    ) -> None:
        """Show a page, searched and sorted as before unless told otherwise."""
        wanted = {"search": search, "sort": sort, "descending": descending}
        given = {name: value for name, value in wanted.items() if value is not None}
        self.show_page(replace(self._query, page=page, **cast("dict[str, Any]", given)))
        self.page_shown()

    def show_page(self, query: Query, *, stay: bool = False) -> None:
        """Show a page; `stay` keeps the rows that are shown already in their order."""
        found: Any = self.read_page(query)
        if stay:
            found = replace(found, rows=in_place(found.rows, self._shown.rows))
        self._shown, self._query = found, replace(query, page=found.page)
        self.show_rows("rows", [self.row_of(each, found) for each in found.rows])
        counts = {"total": found.total, "all": found.all, "pages": found.pages, "size": found.size}
        self.show(page={**asdict(self._query), **counts, **self.about_page(found)})

    def reveal(self, id_: int) -> None:
        """Show the page that holds a new row: as it is, without the search, or in the first order."""
        self.refresh()
        if self.is_shown(id_):
            return
        self.show_page(replace(self._query, search="", page=0))
        if not self.is_shown(id_):
            self.show_page(self.FIRST)
        while not self.is_shown(id_) and self._shown.page + 1 < self._shown.pages:
            self.show_page(replace(self.FIRST, page=self._shown.page + 1))
        self.page_shown()

    def is_shown(self, id_: int) -> bool:
        """Whether a row is on the page that is shown."""
        return any(row.id == id_ for row in self._shown.rows)

    @property
    def title(self) -> str:
        """What the picture is called that is read without a kernel."""
        shown = self._shown
        if shown.total == len(shown.rows):
            return self.TITLE
        first = shown.page * shown.size
        return f"{self.TITLE} {first + 1:,} to {first + len(shown.rows):,} of {shown.total:,}"


def in_place(rows: Sequence[R], shown: Sequence[R]) -> tuple[R, ...]:
    """Return rows in the order in which they are shown, and new ones where the sort puts them.

    Who works in a row changes it: sorted by what has changed, it would jump under the hands.
    """
    known = {row.id: row for row in rows}
    order = [row.id for row in shown if row.id in known]
    kept = {*order}
    for at, row in enumerate(rows):
        if row.id not in kept:
            order.insert(at, row.id)
    return tuple(known[each] for each in order)
