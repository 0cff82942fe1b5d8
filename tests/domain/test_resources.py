"""What a run asks a launcher for, as people write it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.resources import Resources, format_memory, format_time
from pipeline_widgets.errors import ConfigError

pytestmark = pytest.mark.spec("6.13", "11.2")


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ("24 GiB", 24 << 30),
        ("1.5 GB", 1_500_000_000),
        ("512mib", 512 << 20),
        ("7", 7),
        (7, 7),
        ("2T", 2 * 10**12),
    ],
)
def test_memory_is_bytes_or_has_a_unit(given: Any, size: int) -> None:
    """Decimal and binary units are told apart."""
    assert Resources.parse({"memory": given}).memory == size


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("2 h", 7200.0), ("90 min", 5400.0), ("1.5d", 129_600.0), (60, 60.0), (timedelta(hours=1), 3600.0)],
)
def test_time_is_seconds_or_has_a_unit(given: Any, seconds: float) -> None:
    """A time is read as people write it."""
    assert Resources.parse({"time": given}).time == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"gpu": -1},
        {"gpu": 0.5},
        {"cpu": True},
        {"cpu": "two"},
        {"memory": "much"},
        {"memory": 0},
        {"memory": float("nan")},
        {"time": "1:00:00"},
        {"time": float("inf")},
        {"time": 0},
        {"partition": None},
        {"gres": ["gpu"]},
        {3: "x"},
        "gpu",
        ["gpu"],
    ],
)
def test_what_is_no_resource_is_refused_with_what_to_write(wrong: Any) -> None:
    """The error names the resource, its value, and how it is written."""
    with pytest.raises(ConfigError) as refused:
        Resources.parse(wrong)
    assert refused.value.fix


@given(
    st.builds(
        Resources,
        cpu=st.none() | st.integers(0, 512),
        gpu=st.none() | st.integers(0, 8),
        memory=st.none() | st.integers(1, 1 << 50),
        time=st.none() | st.floats(1e-3, 1e9),
        options=st.dictionaries(st.text("abc_", min_size=1), st.text() | st.booleans() | st.integers()),
    )
)
def test_a_column_gives_back_what_was_asked_for(asked: Resources) -> None:
    """What is stored is read as the same resources; nothing asked for is stored as nothing."""
    assert Resources.parse(asked.to_json()) == asked
    assert bool(asked) == (asked != Resources())


@given(st.integers(min_value=1, max_value=1 << 60))
def test_memory_is_written_as_it_is_read(size: int) -> None:
    """Every size comes back exactly, in whatever unit it is written."""
    assert Resources.parse({"memory": format_memory(size)}).memory == size


@given(st.integers(min_value=1, max_value=10**9).map(lambda n: n / 4))
def test_time_is_written_as_it_is_read(seconds: float) -> None:
    """Also one that has a fraction."""
    assert Resources.parse({"time": format_time(seconds)}).time == seconds


def test_sizes_and_times_are_written_in_the_largest_unit_that_is_exact() -> None:
    """As a person would write them."""
    sizes = (24 << 30, 1536 << 20, 2 * 10**9, 1000, 1001)
    assert [format_memory(each) for each in sizes] == ["24 GiB", "1536 MiB", "2 GB", "1 KB", "1001"]
    assert [format_time(each) for each in (7200, 5400, 86400, 90.5)] == ["2 h", "90 min", "1 d", "90.5 s"]
    asked = Resources.parse({"partition": "a100", "memory": "24 GiB", "time": 5400, "gpu": 1})
    assert asked.describe() == "partition a100, gpu 1, memory 24 GiB, time 90 min"
