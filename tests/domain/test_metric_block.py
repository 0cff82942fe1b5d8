"""Metrics in blocks: what is packed comes back as it was reported."""

from __future__ import annotations

import math
from base64 import b64decode
from itertools import repeat
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.metric_block import (
    MOST_SMALL,
    SMALL,
    Metric,
    MetricBlock,
    count_joined,
    gather_columns,
    join_blocks,
    make_block,
    pack_block,
    unpack_block,
)

#: Points that were written at once, and when.
Write: TypeAlias = tuple[list[Metric], float | None]

steps = st.integers(0, 5) | st.integers(0, 2**63 - 1) | st.integers(-(2**63), 2**63 - 1)
names = st.sampled_from(["loss", "reward", "Größe 😀", ""]) | st.text(
    st.characters(codec="utf-8"), max_size=5
)
values = st.floats(allow_nan=True, allow_infinity=True)
points = st.tuples(steps, names, values)
times = st.none() | st.floats(0, 4e9)
writes = st.lists(st.tuples(st.lists(points, min_size=1, max_size=12), times), min_size=1, max_size=6)
#: As the first version has packed it.
PACKED = (
    "AQ0AAAAEAAAADgAAABMAAAAJAAAACQAAAAkAAAAAWyJsb3NzIiwiYSJdAAAAAQF4AWNgZGLABgAAWwAEAXgBY2BABw9+fLCv/w8AEKoE"
    "hgD//////////wADAAAAAAAAAAAAAABguBPaQQ=="
)


def plain(block: MetricBlock) -> list[tuple[int, str, str]]:
    """Return the points of a block such that NaN is equal to NaN."""
    return [(step, name, repr(value)) for step, name, value in block.rows()]


def times_of(block: MetricBlock) -> list[str]:
    """Return when each point was written."""
    return [repr(at) for at, count in zip(block.times, block.counts, strict=True) for at in repeat(at, count)]


def joined(written: list[Write]) -> MetricBlock:
    """Return a block of several writes, each packed by itself."""
    parts = [
        unpack_block(pack_block(make_block(each, at)), 7 + 3 * n) for n, (each, at) in enumerate(written)
    ]
    return join_blocks(parts)


@given(writes)
def test_what_is_packed_comes_back(written: list[Write]) -> None:
    """All steps of 64 bits, values and names in their order, with number, size and time of each write."""
    block = joined(written)
    known = unpack_block(pack_block(block))
    assert plain(known) == [(step, name, repr(value)) for each, _ in written for step, name, value in each]
    assert list(known.counts) == [len(each) for each, _ in written]
    assert list(known.numbers) == [7 + 3 * n for n in range(len(written))]
    assert [None if math.isnan(at) else at for at in known.times] == [at for _, at in written]
    assert pack_block(known) == pack_block(block)


@given(writes, st.integers(-2, 80), st.integers(-2, 80))
def test_a_part_has_the_points_of_that_part(written: list[Write], start: int, stop: int) -> None:
    """And their times."""
    block = joined(written)
    start, stop = max(start, 0), max(stop, start, 0)
    part = block.part(start, stop)
    assert plain(part) == plain(block)[start:stop]
    assert times_of(part) == times_of(block)[start:stop]
    assert sum(part.counts) == len(part)
    assert 0 not in part.counts


@given(writes, steps, steps)
def test_points_between_two_steps(written: list[Write], low: int, high: int) -> None:
    """Those whose step is one of these, in their order."""
    block = joined(written)
    assert plain(block.between(low, high)) == [row for row in plain(block) if low <= row[0] <= high]


@given(writes)
def test_the_last_value_is_that_of_the_last_step(written: list[Write]) -> None:
    """Of the highest step of each name, and there of the report that came last."""
    block = joined(written)
    last: dict[str, tuple[int, float]] = {}
    for step, name, value in block.rows():
        if name not in last or step >= last[name][0]:
            last[name] = (step, value)
    assert repr(sorted(block.last().items())) == repr(sorted(last.items()))


@given(st.lists(st.tuples(st.integers(1, 3), st.lists(points, min_size=1, max_size=5)), max_size=12))
def test_points_of_several_runs_come_in_the_order_of_their_writes(
    written: list[tuple[int, list[Metric]]],
) -> None:
    """Although the blocks are those of one run after those of another."""
    blocks: dict[int, list[MetricBlock]] = {}
    for number, (run, each) in enumerate(written):
        blocks.setdefault(run, []).append(make_block(each, 1.0, number))
    found = gather_columns((run, join_blocks(blocks[run])) for run in sorted(blocks))
    expected = [(run, step, name, repr(value)) for run, each in written for step, name, value in each]
    assert [(run, step, name, repr(value)) for run, step, name, value in found.rows()] == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("added", [1, 20, 700, 5_000, 20_000])
def test_few_blocks_are_small_and_few_points_are_written_again(added: int) -> None:
    """However many points a write has, there are few small blocks, and a point is packed a few times."""
    blocks: list[int] = []  # points, the last block first
    written = packed = 0
    while written < 40 * SMALL:
        count = count_joined(blocks[:MOST_SMALL], added)
        size = added + sum(blocks[:count])
        del blocks[:count]
        blocks.insert(0, size)
        written, packed = written + added, packed + size
        assert sum(blocks) == written
        assert sum(points < SMALL for points in blocks) <= MOST_SMALL
        assert max(blocks) <= SMALL + added
    assert packed / written < 12


def test_a_point_takes_no_more_than_its_value() -> None:
    """Of reports of many names, and of one name, however its values look."""
    reports = [
        (step, f"train/metric_{name}", math.sin(step * 100 + name))
        for step in range(200)
        for name in range(100)
    ]
    assert len(pack_block(make_block(reports, 1.7e9))) < 8.1 * len(reports)
    single = [(step, "loss", math.sin(step)) for step in range(20_000)]
    assert len(pack_block(make_block(single, 1.7e9))) < 8.1 * len(single)


def test_many_names_have_wide_indices() -> None:
    """Up to 256, up to 65,536, and more."""
    for count in (1, 256, 257, 65_537):
        reports = [(1, f"{name}", float(name)) for name in range(count)]
        assert [*unpack_block(pack_block(make_block(reports))).rows()] == reports


def test_what_the_first_version_has_packed_is_read() -> None:
    """The format of a stored block stays readable; a later one is refused."""
    block = make_block([(0, "loss", 0.5), (1, "loss", math.nan), (2, "a", -math.inf)], 1.75e9)
    assert plain(unpack_block(b64decode(PACKED))) == plain(block)
    with pytest.raises(ValueError, match="format 2"):
        unpack_block(b"\2" + b64decode(PACKED)[1:])


def test_a_step_beyond_64_bits_is_refused() -> None:
    """As a database refuses it."""
    with pytest.raises(OverflowError):
        make_block([(2**63, "loss", 0.5)])
    assert len(make_block([])) == 0
