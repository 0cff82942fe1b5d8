"""Settings side by side, and tables as files (spec 9.3)."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.comparison import (
    ABSENT,
    are_equal,
    assign_places,
    compare_settings,
    find_leaders,
    merge_config,
    to_csv,
)

pytestmark = pytest.mark.spec("9.3")

keys = st.text(max_size=4) | st.text('a."\\', max_size=4)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
configs = st.dictionaries(keys, values, max_size=5)


def differing(*given: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return what differs, by name."""
    return {each.name: each.values for each in compare_settings(given) if each.differs}


def test_what_differs_is_told_with_the_value_of_each_run() -> None:
    """Nested settings by their keys; a setting that one lacks is absent, which None is not."""
    first = {"lr": 0.1, "env": {"name": "Pendulum", "size": 3}, "note": None, "same": [1, 2]}
    other = {"lr": 0.01, "env": {"name": "Pendulum", "size": 4}, "same": [1, 2]}
    assert differing(first, other) == {"lr": (0.1, 0.01), "env.size": (3, 4), "note": (None, ABSENT)}


def test_a_key_with_a_dot_is_no_nesting() -> None:
    """Two settings whose names read alike stay two."""
    found = compare_settings([{"a.b": 1}, {"a": {"b": 1}}])
    assert [(each.name, each.values) for each in found] == [('"a.b"', (1, ABSENT)), ("a.b", (ABSENT, 1))]


def test_a_field_of_the_config_never_hides_what_the_run_has() -> None:
    """A field named as the seed of the run is told beside it, under another name."""
    config = {"seed": 5, "config": {"seed": 6}, "lr": 0.1}
    told = merge_config({"algorithm": "SFT", "seed": 1}, config)
    assert {each.name: each.values for each in compare_settings([told])} == {
        "algorithm": ("SFT",),
        "seed": (1,),
        "config.seed": (5,),
        "config.config.seed": (6,),
        "lr": (0.1,),
    }


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ("1", 1, False),
        (None, ABSENT, False),
        ([1, True], [1.0, True], True),
        ([1], [True], False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": 1}, {"b": 1}, False),
        ({}, [], False),
        (math.nan, math.nan, True),
        ([math.nan], [math.nan], True),
        (math.nan, None, False),
        (math.nan, 1, False),
    ],
)
def test_values_are_alike_where_json_says_the_same(one: object, other: object, same: bool) -> None:  # noqa: FBT001
    """A number may be written in two ways; a truth value is not a number."""
    assert are_equal(one, other) is same
    assert are_equal(other, one) is same


@given(configs)
def test_a_config_does_not_differ_from_its_copy(config: dict[str, Any]) -> None:
    """However deep, and after a trip through JSON."""
    assert differing(config, json.loads(json.dumps(config))) == {}


@given(st.lists(configs, min_size=1, max_size=4))
def test_every_leaf_of_every_run_is_there_once(given_configs: list[dict[str, Any]]) -> None:
    """With as many values as there are runs, and each where its config has it."""
    found = compare_settings(given_configs)
    assert len({each.path for each in found}) == len(found)
    assert len({each.name for each in found}) == len(found), "names are told apart as paths are"
    for each in found:
        assert len(each.values) == len(given_configs)
        for config, told in zip(given_configs, each.values, strict=True):
            assert _at(config, each.path) is told or told is ABSENT


def _at(config: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        try:
            config = config[key]
        except (KeyError, TypeError, IndexError):
            return ABSENT
    return config


text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=12)
cells = text | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none()


@given(st.lists(st.lists(cells, min_size=3, max_size=3), max_size=6))
def test_a_table_is_read_again_as_it_was(rows: list[list[Any]]) -> None:
    """Numbers to the last digit, None as an empty field, and text but for the apostrophe."""
    read = list(csv.reader(io.StringIO(to_csv(["a", "b", "c"], rows), newline="")))
    assert read[0] == ["a", "b", "c"]
    for row, told in zip(rows, read[1:], strict=True):
        for value, cell in zip(row, told, strict=True):
            if isinstance(value, float):
                assert float(cell) == value
            elif isinstance(value, str):
                assert cell == value or (cell == f"'{value}" and value[0] in "=+-@\t\r")
            else:
                assert cell == ("" if value is None else str(value))


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_spreadsheet_carries_out_a_name(value: str) -> None:
    """Text that begins as a formula does has an apostrophe before it; a negative number has none."""
    told = next(csv.reader(io.StringIO(to_csv([value], [[value, -1.5]]), newline="")))
    assert told[0] == value  # columns are ours
    assert list(csv.reader(io.StringIO(to_csv(["a", "b"], [[value, -1.5]]), newline="")))[1] == [
        f"'{value}",
        "-1.5",
    ]


def test_the_best_scores_lead() -> None:
    """Higher or lower is better; equals lead together, but nobody where all are equal or none is finite."""
    scores = {1: 0.5, 2: math.nan, 3: 0.9, 4: None, 5: 0.9, 6: math.inf}
    assert find_leaders(scores, higher_is_better=True) == {3, 5}
    assert find_leaders(scores, higher_is_better=False) == {1}
    for equal in ({}, {1: 0.5}, {1: 0.5, 2: 0.5}, {1: None, 2: math.nan}):
        assert find_leaders(equal, higher_is_better=True) == frozenset()


def test_what_is_shown_keeps_its_place() -> None:
    """What is new takes the first free place, whatever stands before it."""
    assert assign_places({}, [7, 8, 9]) == {7: 0, 8: 1, 9: 2}
    assert assign_places({7: 0, 8: 1, 9: 2}, [5, 7, 9, 6]) == {5: 1, 7: 0, 9: 2, 6: 3}
