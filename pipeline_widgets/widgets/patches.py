"""What has changed of a value that a browser knows, so that only that goes down.

A curve grows at its end, and the ones that it is thinned to keep what comes before the last bucket
(`domain/curve.py`): so a list is told by how many of its first items stay, and what follows them. Where the
buckets widen, nothing stays, which happens as often as the steps of a curve double.

A patch has one of these forms; `static/patch.js` applies it:

* `{"value": V}`: another value.
* `{"fields": {name: patch}}`: an object with the same names; the others are as before.
* `{"items": [[place, patch], ...]}`: as many objects in a list; the others are as before.
* `{"keep": N, "add": [...]}`: the first N items of a list, and these after them.

JSON Patch (RFC 6902) has an operation with a path for each item, and no way to say that the end of a list
is replaced: for a point of thirty curves it takes five times the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

Patch: TypeAlias = dict[str, Any]


def find_patch(before: Any, now: Any) -> Patch | None:
    """Return what makes one value of the other.

    Args:
        before: A value that is JSON.
        now: Another one.

    Returns:
        The patch; None where they are alike.
    """
    if before is now:
        return None
    if isinstance(before, dict) and isinstance(now, dict):
        return _find_fields(cast("dict[str, Any]", before), cast("dict[str, Any]", now))
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        return _find_items(list(cast("Sequence[Any]", before)), list(cast("Sequence[Any]", now)))
    return None if before == now else {"value": now}


def _find_fields(before: Mapping[str, Any], now: Mapping[str, Any]) -> Patch | None:
    if before.keys() != now.keys():
        return {"value": now}
    fields = {name: patch for name in now if (patch := find_patch(before[name], now[name]))}
    if not fields:
        return None
    if len(fields) == len(now) and all("value" in patch for patch in fields.values()):
        return {"value": now}
    return {"fields": fields}


def _find_items(before: list[Any], now: list[Any]) -> Patch | None:
    if len(before) == len(now):
        if before == now:
            return None
        if all(isinstance(each, dict) for each in (*before, *now)):
            found = [(at, find_patch(*both)) for at, both in enumerate(zip(before, now, strict=True))]
            return {"items": [[at, patch] for at, patch in found if patch]}
    if not now:
        return {"value": []}
    kept = _count_kept(before, now)
    return {"keep": kept, "add": now[kept:]}


def _count_kept(before: list[Any], now: list[Any]) -> int:
    """Return how many first items are alike. The difference is sought from the end, where it mostly is."""
    most = min(len(before), len(now))
    kept, back = most, 1
    while before[:kept] != now[:kept]:
        kept, back = max(0, most - back), 2 * back
    while kept < most and before[kept] == now[kept]:
        kept += 1
    return kept
