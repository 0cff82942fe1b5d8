"""Which versions of an agent are compared (spec 4.11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.agent import choose_compared, find_counterpart
from pipeline_widgets.errors import NotFoundError, RuleError

pytestmark = pytest.mark.spec("4.11")


@pytest.mark.parametrize(
    ("current", "numbers", "other"),
    [(3, [1, 2, 3], 2), (2, [1, 2, 3], 1), (1, [1, 2, 3], 2), (1, [1], None), (5, [2, 5, 9], 2)],
)
def test_a_version_is_compared_with_the_one_before_it(
    current: int, numbers: list[int], other: int | None
) -> None:
    """The oldest one, after a roll back, with the next newer one."""
    assert find_counterpart(current, numbers) == other


def test_versions_can_be_chosen() -> None:
    """A single one is compared with the current one; the current one alone with the one before it."""
    assert choose_compared(3, [1, 2, 3]) == (2, 3)
    assert choose_compared(3, [1, 2, 3], [1]) == (1, 3)
    assert choose_compared(3, [1, 2, 3], [3]) == (2, 3)
    assert choose_compared(3, [1, 2, 3], [2, 1]) == (1, 2)


def test_what_cannot_be_compared_is_refused() -> None:
    """Versions that are not there, and a version that is the only one."""
    with pytest.raises(NotFoundError, match="no version 4") as none:
        choose_compared(1, [1, 2], [4])
    assert none.value.fix == "There are 1, 2."
    with pytest.raises(RuleError, match="only one"):
        choose_compared(1, [1])


@given(st.sets(st.integers(1, 99), min_size=2), st.data())
def test_at_least_two_versions_are_compared_in_their_order(numbers: set[int], data: st.DataObject) -> None:
    """Whatever is chosen of those that there are."""
    current = data.draw(st.sampled_from(sorted(numbers)))
    chosen = data.draw(st.sets(st.sampled_from(sorted(numbers))))
    found = choose_compared(current, numbers, chosen)
    assert len(found) >= 2
    assert list(found) == sorted(set(found))
    assert chosen <= set(found) <= numbers
