"""The statuses of a run and the one table of its transitions (spec section 1)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.values import a_run, later
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.run import (
    ACTIVE,
    FINISHED,
    RESUMABLE,
    TRANSITIONS,
    Progress,
    Status,
    check_transition,
)
from pipeline_widgets.errors import TransitionError


def allowed(before: Status, after: Status) -> bool:
    """Whether the table holds a step."""
    try:
        check_transition(before, after)
    except TransitionError:
        return False
    return True


@pytest.mark.spec("1")
@pytest.mark.parametrize("before", sorted(FINISHED))
@pytest.mark.parametrize("after", list(Status))
def test_a_terminal_status_never_changes(before: Status, after: Status) -> None:
    """From Stopped, Succeeded, Failed and Crashed there is no way out, not even to themselves."""
    with pytest.raises(TransitionError, match=f"A {before} run cannot become {after}. A finished run never"):
        check_transition(before, after)


@pytest.mark.spec("1")
def test_every_status_is_active_or_finished_or_a_draft() -> None:
    """Active is Pending, Running and Stopping; Draft is no run's status."""
    assert {Status.PENDING, Status.RUNNING, Status.STOPPING} == ACTIVE
    assert {*ACTIVE, *FINISHED, Status.DRAFT} == set(Status)
    assert not ACTIVE & FINISHED
    assert all(each.active == (each in ACTIVE) and each.finished == (each in FINISHED) for each in Status)
    assert [str(each) for each in Status] == [
        "Draft", "Pending", "Running", "Stopping", "Stopped", "Succeeded", "Failed", "Crashed",
    ]  # fmt: skip
    assert {Status.STOPPED, Status.FAILED, Status.CRASHED} == RESUMABLE


@pytest.mark.spec("6.5")
def test_a_run_that_is_stopping_cannot_succeed() -> None:
    """Stopping leads to every end but Succeeded, so that Stop never starts the next stage."""
    ends = {after for after in Status if allowed(Status.STOPPING, after)}
    assert ends == {Status.STOPPED, Status.FAILED, Status.CRASHED}


def test_a_pending_run_cannot_succeed_or_fail_before_it_runs() -> None:
    """Pending leads to Running, or ends as Stopped or Crashed."""
    assert {after for after in Status if allowed(Status.PENDING, after)} == {
        Status.RUNNING,
        Status.STOPPED,
        Status.CRASHED,
    }


@given(st.lists(st.sampled_from(Status)))
def test_whatever_is_tried_a_run_ends_once_and_never_goes_back(tried: list[Status]) -> None:
    """Along any walk the order Pending, Running, Stopping, end is kept, and an end is the last."""
    order = [Status.PENDING, Status.RUNNING, Status.STOPPING]
    walk = [Status.PENDING]
    for after in tried:
        if allowed(walk[-1], after):
            walk.append(after)
    assert all(each.active for each in walk[:-1])
    ranks = [order.index(each) if each in order else len(order) for each in walk]
    assert ranks == sorted(set(ranks))
    assert Status.DRAFT not in walk


def test_every_status_has_a_row_in_the_table() -> None:
    """The table speaks of each status that a run can have."""
    assert set(TRANSITIONS) == set(Status) - {Status.DRAFT}


@pytest.mark.spec("6.6")
@given(st.none() | st.integers(-5, 10**9), st.none() | st.integers(-5, 10**9))
def test_a_fraction_is_between_nothing_and_all(step: int | None, total: int | None) -> None:
    """Progress never shows less than nothing or more than all, and None where it cannot be told."""
    fraction = Progress(step=step, total=total).fraction
    assert (fraction is None) == (step is None or not total)
    assert fraction is None or 0 <= fraction <= 1


@pytest.mark.spec("6.6")
def test_the_time_left_follows_from_the_pace() -> None:
    """A running run that did a quarter in one minute needs three more."""
    run = replace(a_run(status=Status.RUNNING), started_at=later(0), step=25, total=100)
    assert run.progress(later(1)) == Progress(step=25, total=100, eta=180)
    assert str(run.progress(later(1))) == "step 25/100, about 180 s left"


@pytest.mark.spec("6.6")
@pytest.mark.parametrize(
    "unknown",
    [{"step": None}, {"step": 0}, {"total": None}, {"started_at": None}, {"status": Status.SUCCEEDED}],
)
def test_no_time_left_is_told_where_it_is_not_known(unknown: dict[str, object]) -> None:
    """Without a step, a total or a start, and after the end, no estimate is made."""
    known = replace(a_run(status=Status.RUNNING), started_at=later(0), step=25, total=100)
    run = replace(known, **unknown)  # pyright: ignore[reportArgumentType]  fields of a Run
    assert run.progress(later(1)).eta is None


def test_a_run_without_reports_says_so() -> None:
    """Progress that was never reported is told in words."""
    assert str(Progress()) == "no progress reported"
    assert str(Progress(step=3)) == "step 3"
    assert a_run(number=5).label == "run 5"
