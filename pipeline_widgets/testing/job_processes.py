"""The processes of jobs that run on this machine, perhaps in a namespace that numbers them otherwise."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from pipeline_widgets.execution import ownership


def wait_until(holds: Callable[[], bool], within: float, what: str = "it did not come to hold") -> float:
    """Wait until something holds, and return the seconds that it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < within, f"{what} within {within:g} s"
        time.sleep(0.02)
    return time.monotonic() - began


def find_here(pid: int, launched: Callable[[str], bool]) -> int | None:
    """Return the number that a process has here, by the one that it has for itself; None if it is gone.

    Args:
        pid: Its number in the namespace of its job.
        launched: Whether a launch number is that of its job.
    """
    for each in psutil.pids():
        launch = ownership.launch_of(each)
        if launch is not None and launched(launch) and _own_number(each) == pid:
            return each
    return None


def is_alive(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process."""
    os.kill(pid, how)


def _own_number(pid: int) -> int:
    """Return the number that a process has for itself."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return pid
    found = next((line for line in lines if line.startswith("NSpid:")), f"NSpid: {pid}")
    return int(found.split()[-1])
