"""The pause of the cyclic collector within a transaction."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.garbage_collection import pause_collection
from pipeline_widgets.persistence.store import open_store


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """Leave the collector as it was."""
    before = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if before else gc.disable)()


def test_a_transaction_pauses_the_collector_and_its_end_lets_it_go_on(tmp_path: Path) -> None:
    """Whether it reads or writes, is committed or fails."""
    store = open_store(Database(tmp_path / "lab.db"))
    with store.read():
        assert not gc.isenabled()
    with store.write():
        assert not gc.isenabled()
    with pytest.raises(KeyError), store.read():
        raise KeyError
    assert gc.isenabled()
    store.database.close()


def test_a_collector_that_somebody_has_switched_off_stays_off() -> None:
    """A pause gives back what it found."""
    gc.disable()
    with pause_collection():
        pass
    assert not gc.isenabled()


def test_the_last_of_several_pauses_lets_it_go_on() -> None:
    """Pauses of several threads, or within each other, overlap."""
    first, second = threading.Event(), threading.Event()

    def other() -> None:
        with pause_collection():
            first.set()
            second.wait(20)

    thread = threading.Thread(target=other)
    with pause_collection(), pause_collection():
        thread.start()
        assert first.wait(20)
    assert not gc.isenabled()
    second.set()
    thread.join()
    assert gc.isenabled()


def test_a_fork_within_a_pause_collects() -> None:
    """The pauses of the process that it was forked from are not its own, before and after they would end."""
    with pause_collection():
        child = os.fork()
        collects = gc.isenabled()
    if not child:
        with pause_collection():
            paused = not gc.isenabled()
        os._exit(0 if collects and paused and gc.isenabled() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
