"""The refresher of views: one thread for each workspace, alive while a view can be seen.

A thread and not a task of the event loop, because a task waits until the cell that runs has ended. The
browser leases a view while it is visible and renews that; where a page dies without a word, the lease runs
out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from pipeline_widgets.persistence.store import Store

_log = logging.getLogger(__name__)
REST = 5.0  # seconds between two looks while nothing runs
LIVE = 0.5  # seconds between two looks while something runs; what runs report is shown at every second one
LEASE = 30.0  # seconds that a view is taken for visible without a word from it


class Refreshed(Protocol):
    """Something that can be seen, and is to be kept up to date."""

    def refresh(self, *, wait: bool) -> bool:
        """Show what has changed, or pass where it is at work; return whether to look again soon."""
        ...


class AskOnce(Protocol):
    """Lets views ask once, within it, for what tells them whether anything has changed."""

    def __call__(self, *, holds_reports: bool) -> AbstractContextManager[None]:
        """Return the block of a round, in which reports may be left to the next one."""
        ...


class Refresher:
    """Refreshes what can be seen of one workspace.

    Args:
        look: Finds crashed and never-started runs, as everything that looks does.
        ask_once: The block around a round.
    """

    def __init__(self, look: Callable[[], None], ask_once: AskOnce | None = None) -> None:
        self._look = look
        self._ask_once = ask_once or _ask_each_time
        self._holds_reports = False  # in the next round
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._leases: dict[str, tuple[Refreshed, float]] = {}
        self._thread: threading.Thread | None = None
        self._cells = 0  # that run now: a kernel that is busy cannot hear that a view is still there

    def lease(self, view: str, seen: Refreshed) -> None:
        """Keep what a view shows up to date, until it is released or the lease runs out."""
        with self._lock:
            if view not in self._leases:
                self._wake.set()  # it may be old
            self._leases[view] = (seen, time.monotonic() + LEASE)
            if self._thread is None:
                self._listen(on=True)
                self._thread = threading.Thread(target=self._run, name="pipeline_widgets", daemon=True)
                self._thread.start()

    def release(self, view: str) -> None:
        """A view can no longer be seen."""
        with self._lock:
            self._leases.pop(view, None)
        self._wake.set()

    def is_leased(self, seen: Refreshed) -> bool:
        """Return whether a page has said that it shows something, and has not taken that back."""
        with self._lock:
            return any(each is seen for each, _ in self._leases.values())

    def forget(self, closed: Refreshed) -> None:
        """Something is no longer there to be seen."""
        with self._lock:
            self._leases = {view: lease for view, lease in self._leases.items() if lease[0] is not closed}
        self._wake.set()

    def wake(self, *_: object) -> None:
        """Look now, because something was done."""
        self._wake.set()

    def _run(self) -> None:
        while seen := self._find_seen():
            live = self._refresh(seen)
            if self._wake.wait(LIVE if live else REST):
                self._holds_reports = False
            self._wake.clear()

    def _refresh(self, seen: Iterable[Refreshed]) -> bool:
        """Let views show what has changed; return whether to look again soon."""
        live = False
        try:
            self._look()
        except Exception:  # a look that fails must not end the thread; the views say that they are old
            _log.exception("A look for crashed runs failed.")
        with self._ask_once(holds_reports=self._holds_reports):
            for each in seen:
                live |= each.refresh(wait=False)  # a command that copies gigabytes holds up its own view only
        self._holds_reports = live and not self._holds_reports
        return live

    def _find_seen(self) -> list[Refreshed]:
        """Return what can be seen; the thread ends where that is nothing."""
        with self._lock:
            now = time.monotonic()
            if not self._cells:
                self._leases = {view: lease for view, lease in self._leases.items() if lease[1] > now}
            if not self._leases:
                self._thread = None
                self._listen(on=False)
            return list({id(seen): seen for seen, _ in self._leases.values()}.values())

    def _listen(self, *, on: bool) -> None:
        """Take part in the kernel's cells: what a cell has changed shows at once."""
        from IPython.core.getipython import get_ipython  # noqa: PLC0415  only where there is a notebook

        shell: Any = get_ipython()
        if shell is None:
            return
        self._cells = 0
        for event, act in (("pre_run_cell", self._began), ("post_run_cell", self._on_end)):
            if on:
                shell.events.register(event, act)
            elif act in shell.events.callbacks[event]:
                shell.events.unregister(event, act)

    def _began(self, *_: object) -> None:
        with self._lock:
            self._cells += 1

    def _on_end(self, *_: object) -> None:
        with self._lock:
            self._cells = max(0, self._cells - 1)
            later = time.monotonic() + LEASE
            self._leases = {view: (seen, later) for view, (seen, _) in self._leases.items()}
        self._wake.set()


def _ask_each_time(*, holds_reports: bool) -> AbstractContextManager[None]:
    del holds_reports
    return nullcontext()


_of: WeakKeyDictionary[Store, Refresher] = WeakKeyDictionary()
_lock = threading.Lock()


def refresher(store: Store, look: Callable[[], None]) -> Refresher:
    """Return the refresher of a workspace; there is one for each."""
    with _lock:
        if store not in _of:
            _of[store] = Refresher(look, store.changes.ask_once)
        return _of[store]
