"""What every interpreter of a world does first: its clock can be stepped, and its start can be slow.

A supervisor gets a signal on which it hangs: it sleeps where it stands and never wakes.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import time
from pathlib import Path
from types import FrameType


def install(folder: Path) -> None:
    """Let the clock of this process follow the file `clock` of a folder: seconds, as a double."""
    with (folder / "clock").open("rb") as file:
        shift = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    true = time.time

    def stepped() -> float:
        return true() + struct.unpack("d", shift[:8])[0]

    time.time = stepped
    time.time_ns = lambda: int(stepped() * 1e9)


def _hang(signum: int, frame: FrameType | None) -> None:
    del signum, frame
    while True:
        time.sleep(3600)


def _begin() -> None:
    folder = os.environ.get("CHAOS_HOOKS")
    if folder is None or not Path(folder, "clock").exists():
        return
    install(Path(folder))
    if {"supervise", "serve"} & set(sys.orig_argv):
        slow = Path(folder, "slow")
        if slow.exists():
            time.sleep(float(slow.read_text()))
    if "supervise" in sys.orig_argv:
        signal.signal(signal.SIGUSR2, _hang)
    if "launch-server" in sys.orig_argv:  # what it forks sets all its signals
        set_signal = signal.signal
        signal.signal = lambda number, kept: set_signal(number, _hang if number == signal.SIGUSR2 else kept)


if __name__ == "sitecustomize":
    _begin()
