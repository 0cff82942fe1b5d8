"""Writers of a SQLite file come one after the other, in the order in which they have asked (spec 6.13)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline_widgets.persistence import write_queue
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.write_queue import WriteQueue

pytestmark = [pytest.mark.spec("6.13"), pytest.mark.sqlite]

HOLDS = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("has", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def queue(tmp_path: Path) -> WriteQueue:
    """Return a queue at a folder."""
    made = WriteQueue()
    made.folder = tmp_path
    return made


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yield another process, whose turn it is until it ends."""
    if sys.platform == "win32":
        pytest.skip("folders are not locked there")
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "has\n"
        yield process
        process.kill()


def test_threads_have_their_turn_in_the_order_in_which_they_have_come(queue: WriteQueue) -> None:
    """None that comes later goes first, however often the turn changes."""
    order: list[int] = []

    def write(number: int) -> None:
        with queue.turn():
            order.append(number)

    with queue.turn():
        threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
        for at, each in enumerate(threads, 1):
            each.start()
            while len(queue._line._waiting) < at:
                time.sleep(0.001)
    for each in threads:
        each.join()
    assert order == list(range(20))


def test_a_process_waits_for_the_turn_of_another(queue: WriteQueue, holder: subprocess.Popen[str]) -> None:
    """It goes on as soon as that one has begun, or has ended."""
    begun = threading.Event()

    def write() -> None:
        with queue.turn():
            begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert not begun.wait(0.3)
    holder.kill()
    assert begun.wait(write_queue.TURN_WITHIN - 1)
    thread.join()


def test_a_process_that_is_suspended_in_its_turn_keeps_nobody_for_long(
    queue: WriteQueue, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has waited for long goes on without, does not wait again, and leaves no lock behind."""
    monkeypatch.setattr(write_queue, "TURN_WITHIN", 0.2)
    os.kill(holder.pid, signal.SIGSTOP)
    began = time.monotonic()
    with queue.turn():
        first = time.monotonic() - began
    with queue.turn():
        second = time.monotonic() - began - first
    assert first >= 0.2
    assert second < 0.1
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    other = WriteQueue()
    other.folder = queue.folder
    monkeypatch.setattr(write_queue, "TURN_WITHIN", 5.0)
    with other.turn():
        assert other._alone_until == 0.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_does_not_keep_the_turn_of_the_process_it_was_forked_from(queue: WriteQueue) -> None:
    """Others write while it lives."""
    with queue.turn():
        pid = os.fork()
        if pid == 0:
            time.sleep(30)
            os._exit(0)
    other = WriteQueue()
    other.folder = queue.folder
    with other.turn():
        assert other._alone_until == 0.0
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


WRITES = """
import sys, time
from pathlib import Path
from sqlalchemy import text
from pipeline_widgets.persistence.database import Database
database = Database(sys.argv[1])
database.queue_at(Path(sys.argv[2]))
with database.read() as connection:
    connection.execute(text("SELECT 1"))
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[4])):
    with database.write() as connection:
        connection.execute(text("INSERT INTO written (who) VALUES (:who)"), {"who": sys.argv[3]})
"""


def test_writers_of_several_processes_take_turns(tmp_path: Path) -> None:
    """While all have something to write, none goes before another one many times in a row."""
    path, each, count = tmp_path / "lab.db", 60, 4
    database = Database(path)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE written (id INTEGER PRIMARY KEY, who TEXT)"))
    command = [sys.executable, "-c", WRITES, str(path), str(tmp_path)]
    writers = [
        subprocess.Popen(
            [*command, str(who), str(each)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for who in range(count)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0] * count
    with database.read() as connection:
        order = [row.who for row in connection.execute(text("SELECT who FROM written ORDER BY id"))]
    assert len(order) == each * count
    first_done = min(max(at for at, who in enumerate(order) if who == str(number)) for number in range(count))
    shares = [order[: first_done + 1].count(str(number)) for number in range(count)]
    assert min(shares) >= each // 3, shares
    database.close()
