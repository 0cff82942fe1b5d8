"""The places of a run's relatives in a graph from left to right (spec 9.3)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.lineage import Lineage, Relative, lay_out

pytestmark = pytest.mark.spec("9.3")
MANY = 60


def a_relative(id_: int, depth: int, **more: Any) -> Relative:
    """Return a run."""
    values: dict[str, Any] = {"kind": "run", "name": f"e{id_}", "number": 1, "step": id_ * 10, **more}
    return Relative(id=id_, depth=depth, **values)


def a_lineage(before: int, depths: list[int]) -> Lineage:
    """Return the lineage of run 0 with so many ancestors, and descendants at these depths."""
    return Lineage(
        of="run 0",
        subject=a_relative(0, 0),
        ancestors=tuple(a_relative(100 + depth, depth) for depth in range(1, before + 1)),
        descendants=tuple(a_relative(at, depth) for at, depth in enumerate(depths, 1)),
    )


def places(lineage: Lineage, most: int = MANY) -> list[tuple[int, int, int, int | None]]:
    """Return the id, the column, the row and the parent of each node."""
    return [(each.relative.id, each.column, each.row, each.parent) for each in lay_out(lineage, most)]


def test_a_run_alone_is_one_node() -> None:
    """From scratch, and not used yet."""
    assert places(a_lineage(0, [])) == [(0, 0, 0, None)]


def test_a_chain_is_one_row() -> None:
    """The furthest ancestor is the first; each has the next one on its right."""
    assert places(a_lineage(2, [1, 2])) == [
        (102, 0, 0, None),
        (101, 1, 0, 0),
        (0, 2, 0, 1),
        (1, 3, 0, 2),
        (2, 4, 0, 3),
    ]


def test_what_is_used_several_times_branches_down() -> None:
    """The first descendant stands in the row of what it came from, any other in a row of its own."""
    assert places(a_lineage(0, [1, 2, 2, 1, 2])) == [
        (0, 0, 0, None),
        (1, 1, 0, 0),
        (2, 2, 0, 1),
        (3, 2, 1, 1),
        (4, 1, 2, 0),
        (5, 2, 2, 4),
    ]


def test_each_node_says_what_was_handed_to_it() -> None:
    """An ancestor names what it has handed on; the node that got it says so."""
    lineage = a_lineage(2, [1])
    handed = [(each.relative.id, each.handed, each.is_subject) for each in lay_out(lineage, MANY)]
    assert handed == [
        (102, "", False),
        (101, "step 1020", False),
        (0, "step 1010", True),
        (1, "step 10", False),
    ]


@st.composite
def lineages(draw: st.DrawFn) -> Lineage:
    """Return any lineage: a descendant is at most one deeper than the one before it."""
    depths: list[int] = []
    for _ in range(draw(st.integers(0, 30))):
        depths.append(draw(st.integers(1, (depths[-1] if depths else 0) + 1)))
    return a_lineage(draw(st.integers(0, 10)), depths)


@given(lineages(), st.integers(1, 40))
def test_no_two_nodes_share_a_place(lineage: Lineage, most: int) -> None:
    """Each stands one column right of its parent, which comes before it; the run itself is always there."""
    nodes = lay_out(lineage, most)
    assert len({(each.column, each.row) for each in nodes}) == len(nodes) <= most
    assert [each.relative.id for each in nodes if each.is_subject] == [0]
    assert nodes[0].parent is None
    for at, each in enumerate(nodes[1:], 1):
        assert each.parent is not None
        assert each.parent < at
        parent = nodes[each.parent]
        assert (parent.column + 1, parent.row <= each.row) == (each.column, True)
    if most > 1 + len(lineage.ancestors) + len(lineage.descendants):
        assert len(nodes) == 1 + len(lineage.ancestors) + len(lineage.descendants)
