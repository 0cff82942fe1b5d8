"""Pages of a list: cut to size, never past the end, and the one that holds a row (spec 3.8)."""

from __future__ import annotations

from typing import Literal

import pytest

from pipeline_widgets.errors import ConfigError
from pipeline_widgets.services.queries.paging import LARGEST, Page, check_sort, cut

IDS = tuple(range(100, 110))


@pytest.mark.spec("3.8")
@pytest.mark.parametrize(
    ("page", "size", "listed", "at"),
    [(0, 4, IDS[:4], 0), (2, 4, IDS[8:], 2), (9, 4, IDS[8:], 2), (-1, 4, IDS[:4], 0), (0, 0, IDS[:1], 0)],
)
def test_a_page_is_cut_out(page: int, size: int, listed: tuple[int, ...], at: int) -> None:
    """A page past either end is the last or the first one, and a page has at least one row."""
    found = cut(IDS, page=page, size=size)
    assert (found.listed, found.page, found.total) == (listed, at, 10)


@pytest.mark.spec("3.8")
def test_the_page_that_holds_a_row_is_found() -> None:
    """Whatever page was asked for; where the list lacks the row, that page is given."""
    assert [cut(IDS, page=0, size=4, holding=each).page for each in IDS] == [0] * 4 + [1] * 4 + [2] * 2
    assert cut(IDS, page=1, size=4, holding=7).page == 1
    assert cut((), page=1, size=4, holding=7).listed == ()


def test_a_page_is_never_too_large() -> None:
    """However many rows are asked for."""
    assert len(cut(tuple(range(2 * LARGEST)), page=0, size=10**9).listed) == LARGEST


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (1, 1), (4, 1), (5, 2)])
def test_pages_are_counted(total: int, pages: int) -> None:
    """There is at least one."""
    page: Page[int] = Page(rows=(), total=total, all=total, page=0, size=4)
    assert page.pages == pages


def test_an_unknown_order_is_refused_with_those_there_are() -> None:
    """The error says what is listed, and by what it can be sorted."""
    order = Literal["name", "status"]
    check_sort("name", order, "agents")
    with pytest.raises(ConfigError, match=r"The list of agents cannot be sorted by 'x'.*name, status"):
        check_sort("x", order, "agents")
