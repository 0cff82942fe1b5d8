"""The thread that keeps views up to date: alive while something can be seen, and no longer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from benches import until

from pipeline_widgets.widgets import refresher as module
from pipeline_widgets.widgets.refresher import Refresher


@dataclass(eq=False)
class Seen:
    """Something that can be seen; each refresh is an event."""

    live: bool = False
    fails: bool = False
    count: int = 0
    looked: threading.Event = field(default_factory=threading.Event)
    idle: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, *, wait: bool = True) -> bool:
        """Count, unless it is at work."""
        if not self.idle.acquire(blocking=wait):
            return True
        self.idle.release()
        self.count += 1
        self.looked.set()
        return self.live

    def wait(self) -> None:
        """Wait until it is refreshed."""
        assert self.looked.wait(10)
        self.looked.clear()


@pytest.fixture
def refresher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Refresher]:
    """A refresher that looks very often."""
    monkeypatch.setattr(module, "LIVE", 0.01)
    made = Refresher(lambda: None)
    yield made
    for view in list(made._leases):
        made.release(view)
    until(lambda: made._thread is None, 10)


def alive() -> int:
    """How many of its threads there are."""
    return sum(thread.name == "pipeline_widgets" for thread in threading.enumerate())


@pytest.mark.spec("4.4")
def test_a_thread_lives_from_the_first_lease_to_the_last_release(refresher: Refresher) -> None:
    """Two views share one thread, which ends when neither can be seen."""
    one, other = Seen(), Seen()
    refresher.lease("a", one)
    refresher.lease("b", other)
    one.wait()
    other.wait()
    assert alive() == 1

    refresher.release("a")
    refresher.lease("b", other)
    assert alive() == 1
    refresher.release("b")

    until(lambda: alive() == 0, 10)
    refresher.lease("a", one)
    one.looked.clear()
    refresher.wake()
    one.wait()
    assert alive() == 1


@pytest.mark.spec("4.4")
def test_what_runs_is_looked_at_again_soon(refresher: Refresher) -> None:
    """While something runs the next look comes by itself, without anybody waking the thread."""
    seen = Seen(live=True)
    refresher.lease("a", seen)
    for _ in range(5):
        seen.wait()


@pytest.mark.spec("4.4")
def test_a_view_that_comes_into_sight_is_refreshed_at_once(refresher: Refresher) -> None:
    """It need not wait until the thread, which is at rest, would look anyway."""
    first, second = Seen(), Seen()
    refresher.lease("a", first)
    first.wait()

    refresher.lease("b", second)

    second.wait()


@pytest.mark.spec("4.4")
def test_a_view_that_is_at_work_holds_up_no_other(refresher: Refresher) -> None:
    """While a view carries out a long command the others are refreshed; it is itself when that is done."""
    busy, other = Seen(live=True), Seen(live=True)
    with busy.idle:
        refresher.lease("a", busy)
        refresher.lease("b", other)
        for _ in range(5):
            other.wait()
        assert busy.count == 0

    busy.wait()


def test_a_lease_that_nobody_renews_runs_out(refresher: Refresher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that died without a word does not keep the thread alive."""
    monkeypatch.setattr(module, "LEASE", 0.05)
    refresher.lease("a", Seen(live=True))

    until(lambda: alive() == 0, 10)


def test_a_busy_kernel_hears_no_renewals_and_drops_no_view(
    refresher: Refresher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a cell runs no lease runs out; it has its whole time again when the cell has ended."""
    monkeypatch.setattr(module, "LEASE", 0.05)
    seen = Seen(live=True)
    refresher._began()
    refresher.lease("a", seen)
    for _ in range(20):
        seen.wait()
    assert alive() == 1

    refresher._on_end()

    until(lambda: alive() == 0, 10)


def test_what_is_closed_is_forgotten(refresher: Refresher) -> None:
    """All leases of a view that was closed end."""
    seen = Seen()
    refresher.lease("a", seen)
    refresher.lease("b", seen)

    refresher.forget(seen)

    until(lambda: alive() == 0, 10)


def test_a_look_that_fails_ends_no_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where crashed runs cannot be looked for, views are refreshed all the same, and the log says why."""

    def fail() -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(module, "LIVE", 0.01)
    seen, made = Seen(live=True), Refresher(fail)
    made.lease("a", seen)
    seen.wait()
    seen.wait()
    made.release("a")
    until(lambda: alive() == 0, 10)
    assert "the disk is gone" in caplog.text


@pytest.mark.parametrize("views", [1, 3])
def test_one_thing_in_several_views_is_refreshed_once(refresher: Refresher, views: int) -> None:
    """However many views of one model there are, one look reads it once."""
    rounds: list[int] = []
    seen = Seen(live=True)
    look: Callable[[], None] = lambda: rounds.append(seen.count)  # noqa: E731
    refresher._look = look
    for at in range(views):
        refresher.lease(str(at), seen)
    for _ in range(6):
        seen.wait()
    assert all(later - before <= 1 for before, later in pairwise(rounds))
