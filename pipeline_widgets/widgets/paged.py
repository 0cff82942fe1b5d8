"""A page of a list: searched, sorted and paged. Rows keep their order while somebody works in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar, cast

import traitlets as t

from pipeline_widgets.application import Services
from pipeline_widgets.services.queries.paging import Page
from pipeline_widgets.widgets.base import Row, TableView
from pipeline_widgets.widgets.encoding import encode_fields


class TableRow(Protocol):
    """A row of a page that a query has read."""

    @property
    def id(self) -> int:
        """The id of the item."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """The page of a list that is shown."""

    search: str = ""
    sort: str = "modified"
    descending: bool = True
    page: int = 0
    size: int = 50


R = TypeVar("R", bound=TableRow)


class PagedView(TableView):
    """A list of a page of rows, live. A subclass reads a page and says what a row shows."""

    #: The page that is shown first.
    FIRST: ClassVar[Query] = Query()
    TITLE: ClassVar[str]

    rows = t.List(t.Dict()).tag(sync=True)
    page = t.Dict().tag(sync=True)

    def __init__(self, services: Services, **traits: Any) -> None:
        self._services = services
        self._query = self.FIRST
        self._revision = self.read_revision()  # before the page: what changes meanwhile is shown next time
        self._shown: Any = self.read_page(self._query)
        super().__init__(services, **traits)
        self._set_page(self._query, self._shown)
        self.page_shown()
        self.refresh()

    def update(self) -> bool:
        """Read the page where anything has changed; its rows stay where they are."""
        revision = self.read_revision()
        if revision != self._revision:
            if not self.show_reports(self._revision, revision):
                self.show_page(self._query, stay=True)
                self.page_shown()
            self._revision = revision
        return any(self.is_live(row) for row in self._shown.rows)

    def read_revision(self) -> object:
        """Return the number, or numbers, that every change to what is listed raises. For subclasses."""
        raise NotImplementedError

    def show_reports(self, before: Any, now: Any) -> bool:
        """Show what runs have reported, where nothing else has changed; return whether that was so.

        Args:
            before: The revision of what is shown.
            now: That of now.
        """
        del before, now
        return False

    def is_live(self, listed: Any) -> bool:
        """Return whether what is listed will change soon by itself. For subclasses."""
        raise NotImplementedError

    def read_page(self, query: Query, holding: int | None = None) -> Any:
        """Read a page, or the one that holds a row. For subclasses."""
        raise NotImplementedError

    def row_of(self, listed: Any, found: Any) -> Row:
        """Return what a row shows. For subclasses."""
        raise NotImplementedError

    def about_page(self, found: Any) -> Row:
        """Return what else the browser needs of a page. For subclasses."""
        del found
        return {}

    def page_shown(self) -> None:
        """Show what belongs to the rows of the page. For subclasses."""

    def do_query(
        self,
        search: str | None = None,
        sort: str | None = None,
        page: int = 0,
        *,
        descending: bool | None = None,
        size: int | None = None,
    ) -> None:
        """Show a page; what is left out of search, sort and size stays as it is."""
        wanted = {"search": search, "sort": sort, "descending": descending, "size": size}
        given = {name: value for name, value in wanted.items() if value is not None}
        self.show_page(replace(self._query, page=page, **cast("dict[str, Any]", given)))
        self.page_shown()

    def show_page(self, query: Query, *, stay: bool = False) -> None:
        """Show a page; `stay` keeps the rows that are shown already in their order."""
        found: Any = self.read_page(query)
        if stay:
            found = replace(found, rows=keep_order(found.rows, self._shown.rows))
        self._set_page(query, found)

    def reveal(self, id_: int) -> None:
        """Show the page that holds a new row: as it is, without the search, or in the first order."""
        self.refresh()
        if _holds(self._shown, id_):
            return
        query = replace(self._query, search="", page=0)
        found = self.read_page(query)
        if not _holds(found, id_):
            query, found = self.FIRST, self.read_page(self.FIRST, holding=id_)
        self._set_page(query, found)
        self.page_shown()

    @property
    def title(self) -> str:
        """The title of the table where there is no kernel."""
        shown = self._shown
        if shown.total == len(shown.rows):
            return self.TITLE
        first = shown.page * shown.size
        return f"{self.TITLE} {first + 1:,} to {first + len(shown.rows):,} of {shown.total:,}"

    def replace_rows(self, changed: Mapping[int, TableRow]) -> None:
        """Show rows of this page in place of those of the same ids; the others stay as they are."""
        found = self._shown
        self._shown = replace(found, rows=tuple(changed.get(row.id, row) for row in found.rows))
        told = {each: self.row_of(row, self._shown) for each, row in changed.items()}
        self.show_rows("rows", [told.get(row["id"], row) for row in self.rows])

    def _set_page(self, query: Query, found: Page[Any]) -> None:
        self._shown, self._query = found, replace(query, page=found.page)
        self.show_rows("rows", [self.row_of(each, found) for each in found.rows])
        counts = encode_fields(found, "total", "all", "pages", "size")
        self.show(page={**asdict(self._query), **counts, **self.about_page(found)})


def _holds(page: Page[Any], id_: int) -> bool:
    return any(row.id == id_ for row in page.rows)


def keep_order(rows: Sequence[R], shown: Sequence[R]) -> tuple[R, ...]:
    """Return rows in the order in which they are shown, and new ones where the sort puts them.

    Working in a row changes it: sorted by its last change, it would move away from the pointer.
    """
    known = {row.id: row for row in rows}
    order = [row.id for row in shown if row.id in known]
    kept = {*order}
    for at, row in enumerate(rows):
        if row.id not in kept:
            order.insert(at, row.id)
    return tuple(known[each] for each in order)
