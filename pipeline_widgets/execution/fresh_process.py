"""Make a process that was forked from a launch server like one that was started (Linux)."""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import signal
import struct
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

_PR_SET_MM, _PR_SET_MM_MAP = 35, 14
#: Fields of /proc/self/stat, from its parent on: what the kernel knows of the memory of a process.
_CODE, _DATA, _BRK, _STACK, _ARGUMENTS, _VARIABLES = (22, 23), (41, 42), 43, 24, (44, 45), (46, 47)
#: start and end of code and data, start and end of brk, stack, start and end of arguments and variables, two
#: fields for the auxiliary vector, and a file that takes the place of the program: none.
_MAP = struct.Struct("@11QQII")
_NO_FILE = 0xFFFFFFFF
_NEVER_SET = {signal.SIGKILL, signal.SIGSTOP}
_IGNORED_BY_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}


class NoRoomError(Exception):
    """The arguments and variables of a process have no room where the kernel shows those of its server."""


def set_signals(ignored: Collection[int], blocked: Collection[int]) -> None:
    """Set the signals as an interpreter does that was started with some of them ignored or blocked."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - _NEVER_SET:
        kept = signal.SIG_IGN if number in ignored or number in _IGNORED_BY_PYTHON else signal.SIG_DFL
        if number == signal.SIGINT and kept is signal.SIG_DFL:
            kept = signal.default_int_handler
        with suppress(OSError, ValueError):  # two belong to the C library
            signal.signal(number, kept)
    signal.pthread_sigmask(signal.SIG_SETMASK, {*blocked})


def set_streams(output: int) -> None:
    """Read from nothing and print to a file, as what is started detached does."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, nothing), (1, output), (2, output)):
        os.dup2(source, number)


def close_descriptors() -> None:
    """Close all but the standard streams: a program that is started inherits no others."""
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)  # noqa: PTH208


def set_environment(environment: Mapping[str, str]) -> None:
    """Replace all variables of this process."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()


def change_environment(changes: Mapping[str, str | None]) -> None:
    """Set variables, and remove those that are None, as the libraries have done that were imported."""
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def show(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Let the kernel show a command line and variables, by which other processes know this one.

    They take the place of those with which the process was started, as with setproctitle; the C library has
    its own copies by then.

    Args:
        arguments: The command line.
        environment: The variables; `set_environment` has set them.

    Raises:
        NoRoomError: They are longer than what the server has kept free.
    """
    fields = [int(each) for each in _read_stat()]
    begin, end = fields[_ARGUMENTS[0]], fields[_VARIABLES[1]]
    between = fields[_VARIABLES[0]]
    line = b"".join(os.fsencode(each) + b"\0" for each in arguments)
    variables = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in environment.items())
    if len(line) > fields[_ARGUMENTS[1]] - begin or len(variables) > end - between:
        raise NoRoomError
    ctypes.memset(begin, 0, fields[_ARGUMENTS[1]] - begin)
    ctypes.memmove(begin, line, len(line))
    ctypes.memset(between, 0, end - between)
    ctypes.memmove(between, variables, len(variables))
    _set_ends(fields, begin + len(line), between + len(variables))


def renew(line: Sequence[str], arguments: Sequence[str]) -> None:
    """Forget what the server has found out, and what two processes must not share.

    Args:
        line: The command line.
        arguments: Those in it that are for this package.
    """
    sys.orig_argv[:], sys.argv[1:] = line, arguments
    importlib.invalidate_caches()  # what was installed or written meanwhile is seen
    process: Any = multiprocessing.current_process()
    process.authkey = os.urandom(32)
    numpy: Any = sys.modules.get("numpy")  # `random` seeds itself after a fork
    if numpy is not None:
        numpy.random.seed()


def _set_ends(fields: Sequence[int], arguments_end: int, variables_end: int) -> None:
    """Let the kernel show no more than that, where it lets this process say so; else NULs follow."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sbrk.restype = ctypes.c_void_p
    told = _MAP.pack(
        *(fields[at] for at in (*_CODE, *_DATA, _BRK)),
        libc.sbrk(0),
        fields[_STACK],
        *(fields[_ARGUMENTS[0]], arguments_end, fields[_VARIABLES[0]], variables_end),
        *(0, 0, _NO_FILE),
    )
    libc.prctl(_PR_SET_MM, _PR_SET_MM_MAP, ctypes.c_char_p(told), ctypes.c_ulong(_MAP.size), 0)


def _read_stat() -> list[bytes]:
    """Return the fields of this process from its parent on; those before it are no numbers."""
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
        return file.read().rpartition(b")")[2].split()[1:]
