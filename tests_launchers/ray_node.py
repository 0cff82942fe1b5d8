"""The first process of a test's Ray namespaces: it runs commands, and reaps what they leave.

A line of its standard input is a command as a JSON list, and is answered by a line: its exit code and its
output. When its input ends, it ends, and with it the kernel ends every process of the namespace.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import tempfile
from pathlib import Path
from types import FrameType

SIOCSIFFLAGS, IFF_UP_AND_RUNNING = 0x8914, 0x43  # linux/sockios.h, net/if.h


MS_BIND = 4096
HOST = "ray-node"


def main() -> None:
    socket.sethostname(HOST)
    hosts = Path("hosts").absolute()  # what looks for its own name asks servers that cannot be reached
    hosts.write_text(f"127.0.0.1 localhost {HOST}\n", encoding="ascii")
    if ctypes.CDLL(None, use_errno=True).mount(os.fsencode(hosts), b"/etc/hosts", None, MS_BIND, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh14s", b"lo", IFF_UP_AND_RUNNING, b""))
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_run(json.loads(line))) + "\n")
        sys.stdout.flush()


def _run(command: list[str]) -> tuple[int, str]:
    """Run a command, and return its exit code and its output."""
    with tempfile.TemporaryFile() as output:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # its end is waited for below
        pid = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
            ],
            setsigmask=[],
        )
        _, status = os.waitpid(pid, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read().decode(errors="replace")


def _reap(_number: int, _frame: FrameType | None) -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


if __name__ == "__main__":
    main()
