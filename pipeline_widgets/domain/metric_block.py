"""The metrics of a run in blocks: columns of points in the order of their report, packed into bytes.

A row for each point costs a database five times what its value needs. In a block a value takes 8 bytes at
most; its step, its name and the time of its write take next to nothing, since they repeat. A block that is
still small is joined with those after it, so that a run that reports slowly ends with few of them.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, compress, pairwise, takewhile
from operator import le
from typing import Any, TypeAlias

#: Step, name, value.
Metric: TypeAlias = tuple[int, str, float]

MOST_POINTS = 20_000  # of a block that is written at once
SMALL = 8_192  # points, below which a block is joined with those after it
MOST_SMALL = 16  # blocks at the end of a run that are small
_FORMAT = 1
_HEAD = struct.Struct("<B7I")
_LEAST_SAVED = 0.9  # of the size: what is hardly smaller is not worth its inflation
_RAW, _DEFLATED = 0, 1  # the first byte of a part
_UNNUMBERED = -1


@dataclass(frozen=True, slots=True)
class MetricBlock:
    """Points of a run, in the order of their report."""

    names: tuple[str, ...]
    #: For each point its name, as an index into `names`; its step; its value.
    indices: array[int]
    steps: array[int]
    values: array[float]
    #: For each write its number, which grows over all writes of a workspace; how many points it has; when it
    #: was, in seconds since 1970, NaN where that is not known.
    numbers: array[int]
    counts: array[int]
    times: array[float]

    def __len__(self) -> int:
        return len(self.steps)

    def rows(self) -> Iterator[Metric]:
        """Yield step, name and value of each point."""
        return zip(self.steps, map(self.names.__getitem__, self.indices), self.values, strict=True)

    def part(self, start: int, stop: int) -> MetricBlock:
        """Return the points from one place to before another, counted from 0."""
        if start <= 0 and stop >= len(self):
            return self
        start, stop = max(start, 0), min(stop, len(self))
        ends = [*accumulate(self.counts)]
        kept = [
            min(end, stop) - max(end - count, start) for end, count in zip(ends, self.counts, strict=True)
        ]
        chosen = [count > 0 for count in kept]
        return MetricBlock(
            self.names,
            self.indices[start:stop],
            self.steps[start:stop],
            self.values[start:stop],
            array("q", compress(self.numbers, chosen)),
            array("q", compress(kept, chosen)),
            array("d", compress(self.times, chosen)),
        )

    def between(self, low: int, high: int) -> MetricBlock:
        """Return the points from one step to another; those of fewer as if they had been written at once."""
        if low <= min(self.steps) and max(self.steps) <= high:
            return self
        chosen = [low <= step <= high for step in self.steps]
        steps = array("q", compress(self.steps, chosen))
        return MetricBlock(
            self.names,
            array(self.indices.typecode, compress(self.indices, chosen)),
            steps,
            array("d", compress(self.values, chosen)),
            array("q", [_UNNUMBERED]),
            array("q", [len(steps)]),
            array("d", [math.nan]),
        )

    def last(self) -> dict[str, tuple[int, float]]:
        """Return the last step of each name, and the value that was reported for it last."""
        places: dict[int, int]
        if all(map(le, self.steps, self.steps[1:])):
            places = dict(zip(self.indices, range(len(self)), strict=True))
        else:
            places = {}
            for place, index in enumerate(self.indices):
                known = places.get(index)
                if known is None or self.steps[place] >= self.steps[known]:
                    places[index] = place
        return {self.names[index]: (self.steps[at], self.values[at]) for index, at in places.items()}


@dataclass(frozen=True, slots=True)
class MetricColumns:
    """Points of several runs, in the order of their report."""

    runs: array[int] = field(default_factory=lambda: array("q"))
    steps: array[int] = field(default_factory=lambda: array("q"))
    names: list[str] = field(default_factory=list[str])
    values: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.steps)

    def rows(self) -> Iterator[tuple[int, int, str, float]]:
        """Yield run, step, name and value of each point."""
        return zip(self.runs, self.steps, self.names, self.values, strict=True)


def make_block(metrics: Iterable[Metric], at: float | None = None, number: int = _UNNUMBERED) -> MetricBlock:
    """Return what is written at once as a block.

    Args:
        metrics: In the order of their report.
        at: When they were reported, in seconds since 1970; None where that is not known.
        number: The number of the write, where it has one already.

    Raises:
        OverflowError: A step is none of 64 bits.
    """
    columns = [*zip(*metrics, strict=True)] or [(), (), ()]
    steps, names, values = columns
    known = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return MetricBlock(
        tuple(known),
        array(_index_type(len(known)), map(known.__getitem__, names)),
        array("q", steps),
        array("d", values),
        array("q", [number]),
        array("q", [len(steps)]),
        array("d", [math.nan if at is None else at]),
    )


def join_blocks(blocks: Sequence[MetricBlock]) -> MetricBlock:
    """Return blocks that follow one another as one."""
    if len(blocks) == 1:
        return blocks[0]
    known: dict[str, int] = {}
    for block in blocks:
        for name in block.names:
            known.setdefault(name, len(known))
    indices: array[int] = array(_index_type(len(known)))
    for block in blocks:
        own = [known[name] for name in block.names]
        indices.extend(map(own.__getitem__, block.indices))
    return MetricBlock(
        tuple(known),
        indices,
        _concatenate("q", [block.steps for block in blocks]),
        _concatenate("d", [block.values for block in blocks]),
        _concatenate("q", [block.numbers for block in blocks]),
        _concatenate("q", [block.counts for block in blocks]),
        _concatenate("d", [block.times for block in blocks]),
    )


def count_joined(tail: Sequence[int], added: int) -> int:
    """Return how many of a run's last blocks become one with what is added.

    Args:
        tail: How many points each of them has, the last one first.
        added: How many points come.
    """
    small = [*takewhile(lambda points: points < SMALL, tail)]
    if sum(small) + added >= SMALL:
        return len(small)
    if len(small) < MOST_SMALL - 1:
        return 0
    count, total = 1, added + small[0]
    while count < len(small) and small[count] <= total:  # larger ones stay, so that a point is packed rarely
        count, total = count + 1, total + small[count]
    return count


def gather_columns(blocks: Iterable[tuple[int, MetricBlock]]) -> MetricColumns:
    """Return the points of runs in the order of their writes.

    Args:
        blocks: The blocks of each run in their order, each with the id of its run.
    """
    found = MetricColumns()
    writes: list[tuple[int, int, int]] = []  # number, first place, place after the last
    for run, block in blocks:
        place = len(found)
        found.runs.extend(array("q", [run]) * len(block))
        found.steps.extend(block.steps)
        found.names.extend(map(block.names.__getitem__, block.indices))
        found.values.extend(block.values)
        for number, count in zip(block.numbers, block.counts, strict=True):
            writes.append((number, place, place + count))
            place += count
    ordered = sorted(writes)
    if ordered == writes:
        return found
    sorted_ = MetricColumns()
    for _, start, stop in ordered:
        sorted_.runs.extend(found.runs[start:stop])
        sorted_.steps.extend(found.steps[start:stop])
        sorted_.names.extend(found.names[start:stop])
        sorted_.values.extend(found.values[start:stop])
    return sorted_


def pack_block(block: MetricBlock) -> bytes:
    """Return a block as bytes, the same on every machine."""
    columns = (block.indices, block.steps, block.values, block.numbers, block.counts, block.times)
    names = json.dumps(block.names, ensure_ascii=False, separators=(",", ":")).encode()
    parts = [_deflate(names, 1), *map(_pack_column, columns)]
    return b"".join((_HEAD.pack(_FORMAT, *map(len, parts)), *parts))


def unpack_block(data: bytes, number: int = _UNNUMBERED) -> MetricBlock:
    """Return the block of those bytes.

    Args:
        data: What `pack_block` has returned.
        number: The number of its write, where it had none when it was packed.

    Raises:
        ValueError: The bytes are of a later version.
    """
    known, *sizes = _HEAD.unpack_from(data)
    if known != _FORMAT:
        raise ValueError(f"The metrics have the format {known}; this version knows {_FORMAT}.")
    ends = [*accumulate(sizes, initial=_HEAD.size)]
    view = memoryview(data)
    named, *packed = [view[start:end] for start, end in pairwise(ends)]
    names = tuple(json.loads(_inflate(named, 1)))
    types = (_index_type(len(names)), "q", "d", "q", "q", "d")
    indices, steps, values, numbers, counts, times = map(_unpack_column, types, packed)
    if numbers and numbers[-1] == _UNNUMBERED:  # only the last write of a block has none
        numbers[-1] = number
    return MetricBlock(names, indices, steps, values, numbers, counts, times)


def _index_type(count: int) -> str:
    """Return the type of an index into so many names."""
    return "B" if count <= 2**8 else "H" if count <= 2**16 else "I"


def _concatenate(kind: str, parts: Iterable[array[Any]]) -> array[Any]:
    whole: array[Any] = array(kind)
    for part in parts:
        whole.extend(part)
    return whole


def _pack_column(column: array[Any]) -> bytes:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return _deflate(column.tobytes(), column.itemsize)


def _unpack_column(kind: str, packed: memoryview) -> array[Any]:
    column: array[Any] = array(kind)
    column.frombytes(_inflate(packed, column.itemsize))
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _deflate(raw: bytes, size: int) -> bytes:
    """Deflate numbers of that size, first bytes first and last bytes last, if that makes them smaller."""
    shuffled = raw if size == 1 else b"".join(raw[at::size] for at in range(size))
    deflated = zlib.compress(shuffled, 1)
    if len(deflated) < _LEAST_SAVED * len(raw):
        return bytes([_DEFLATED]) + deflated
    return bytes([_RAW]) + raw


def _inflate(packed: memoryview, size: int) -> bytes | bytearray:
    if packed[0] == _RAW:
        return bytes(packed[1:])
    shuffled = zlib.decompress(packed[1:])
    if size == 1:
        return shuffled
    raw, count = bytearray(len(shuffled)), len(shuffled) // size
    for at in range(size):
        raw[at::size] = shuffled[at * count : (at + 1) * count]
    return raw
