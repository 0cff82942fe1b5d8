"""Compare runs: their settings side by side, and a table of them as a file (spec 9.3)."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet knows a formula


class Absent:
    """The value of a setting that a run does not have, where None has a meaning of its own."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()

CONFIG = "config"  # comes before the name of a field that a run has itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A setting with its value in each run, in their order."""

    #: The keys that lead to it, the outermost first.
    path: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The keys, joined by dots; in quotes where they hold one, so that no two settings share a name."""
        return ".".join(map(_key, self.path))

    @property
    def differs(self) -> bool:
        """Whether two runs have different values, or one has none."""
        return any(not are_equal(self.values[0], other) for other in self.values[1:])


def merge_config(run: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Join what a run has itself, such as its seed, and its config.

    Fields of the config that bear the name of something that a run has are under "config" there.
    """
    also = {key: value for key, value in config.items() if key in run or key == CONFIG}
    rest = {key: value for key, value in config.items() if key not in also}
    return {**run, **({CONFIG: also} if also else {}), **rest}


def compare_settings(configs: Sequence[Mapping[str, Any]]) -> tuple[Setting, ...]:
    """Set configs side by side: a setting for each leaf, in the order in which the configs name them."""
    flat = [dict(_leaves(config)) for config in configs]
    paths = dict.fromkeys(path for each in flat for path in each)
    return tuple(Setting(path=path, values=tuple(each.get(path, ABSENT) for each in flat)) for path in paths)


def are_equal(one: Any, other: Any) -> bool:
    """Return whether two values of JSON say the same: 1 is 1.0, but no True, and NaN is NaN."""
    if isinstance(one, list) and isinstance(other, list):
        return _all_alike(cast("list[Any]", one), cast("list[Any]", other))
    if isinstance(one, dict) and isinstance(other, dict):
        mine, theirs = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return mine.keys() == theirs.keys() and all(
            are_equal(value, theirs[key]) for key, value in mine.items()
        )
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _all_alike(mine: list[Any], theirs: list[Any]) -> bool:
    return len(mine) == len(theirs) and all(map(are_equal, mine, theirs))


def find_leaders(scores: Mapping[int, float | None], *, higher_is_better: bool) -> frozenset[int]:
    """Return whose score is the best: more than one where the best are equal, none where all are.

    A score that is missing or not finite never wins.
    """
    told = {name: score for name, score in scores.items() if score is not None and math.isfinite(score)}
    low, high = min(told.values(), default=0.0), max(told.values(), default=0.0)
    best = high if higher_is_better else low
    return frozenset(name for name, score in told.items() if score == best and low != high)


def assign_places(before: Mapping[int, int], shown: Sequence[int]) -> dict[int, int]:
    """Give each of what is shown a place, from 0 on: what has one keeps it, what is new takes a free one."""
    kept = {name: before[name] for name in shown if name in before}
    taken = set(kept.values())
    free = (place for place in range(len(shown)) if place not in taken)
    return {name: kept[name] if name in kept else next(free) for name in shown}


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as RFC 4180 has it. Text that a spreadsheet would carry out gets an apostrophe first.

    None becomes an empty field, and a float as many digits as it takes to read it again unchanged.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return out.getvalue()


def _leaves(config: Mapping[str, Any], under: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], Any]]:
    for key, value in config.items():
        path = (*under, key)
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path)  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield path, value


def _key(key: str) -> str:
    return json.dumps(key, ensure_ascii=False) if not key or "." in key or '"' in key else key


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
