"""Where the launch server of a workspace is found, and which processes can be forked from it.

A process that is forked has from its server what it cannot change: Python, namespaces, limits, and what the
modules that are imported already have read of the environment. All of that is in the name of the socket, so
that a process that differs in any of it finds no server, or another one.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipeline_widgets.execution.variables import LAUNCHED_FOR, START_METHOD, URL, find_server_log

#: Minutes without a trigger after which a launch server ends; "0" or "off" where there is to be none.
VARIABLE = "PIPELINE_WIDGETS_LAUNCH_SERVER"
DEFAULT_MINUTES = 10.0
PROTOCOL = 1
LONGEST_PATH = 107  # bytes that the address of a socket may have
_OF_WORKSPACE = 8  # characters that the names of all its launch servers with libraries begin with
_OFF = {"0", "off", "no", "false"}
#: What an interpreter, or a module that a supervisor imports, reads of the environment when it is loaded.
_READ_AT_START = (
    *("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "HOME", "VIRTUAL_ENV", "XDG_", "TMPDIR", "COV"),
    *("SQLALCHEMY", "DISABLE_SQLALCHEMY", "PSYCOPG", "PYDANTIC", "PSUTIL", "OPENSSL_", "SSL_"),
)
#: What tells one start of a kernel or a terminal from the next, and no library.
_OF_ONE_START = ("PIPELINE_WIDGETS_", "JPY_", "PYTEST_", "SSH_", "TERM", "TMUX", "STY", "WINDOW")
#: What tells one login of a user from the next. A job over SSH outlives the one that it was asked for in.
_OF_ONE_LOGIN = ("XDG_SESSION", "XDG_RUNTIME_DIR")
_LOGIN_GROUP = re.compile(r"/session-[^/\n]+\.scope")
_OF_ONE_SHELL = {"_", "PWD", "OLDPWD", "SHLVL", "COLUMNS", "LINES", "PYDEVD_USE_FRAME_EVAL"}
_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
_RIGHTS = ("Uid:", "Gid:", "Groups:", "Cap", "NoNewPrivs:", "Seccomp:", "Cpus_allowed:", "Mems_allowed:")


class LaunchPlace(NamedTuple):
    """Where a launch server is found, or would be."""

    #: The socket on which it listens.
    socket: Path
    #: Whoever holds its lock starts a launch server, or is it.
    lock: Path
    #: Where it prints what goes wrong, in the workspace's folder.
    log: Path

    @property
    def libraries(self) -> Path:
        """The file with the modules to import, for one with libraries; removed once it is read."""
        return self.socket.with_suffix(".libraries")

    def is_private(self) -> bool:
        """Return whether the folder of the socket belongs to this user, and nobody else can enter it."""
        try:
            found = os.lstat(self.socket.parent)
        except OSError:
            return False
        return (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == os.geteuid()
            and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        )


def idle_seconds(environment: Mapping[str, str]) -> float:
    """Return after how many seconds without a trigger a launch server ends; 0 where there is to be none."""
    told = environment.get(VARIABLE, "").strip().lower()
    if told in _OFF:
        return 0.0
    try:
        minutes = float(told)
    except ValueError:
        minutes = DEFAULT_MINUTES
    return 60 * minutes if 0 < minutes < float("inf") else 60 * DEFAULT_MINUTES


def find_place(environment: Mapping[str, str], log: Path, libraries: str | None = None) -> LaunchPlace | None:
    """Return where the launch server for a process with an environment is; None where there can be none.

    Args:
        environment: The variables of the process that is to be started.
        log: Where the launch server of its workspace prints to.
        libraries: The key of the libraries that it has imported. These may read any variable meanwhile.
    """
    if not _can_fork(environment) or not idle_seconds(environment):
        return None
    try:
        is_hosted = find_server_log(environment) is not None
        workspace = f"{log.resolve()}\n{environment.get(URL, '')}" if is_hosted else str(log.resolve())
        told = [workspace, *_describe_process(is_hosted=is_hosted), *_describe_start(environment)]
        if libraries is not None:
            told += ["libraries", libraries, *_describe_all(environment)]
    except (OSError, ValueError):
        return None
    name = _digest("\0".join(told))
    if libraries is not None:
        name = _digest(told[0])[:_OF_WORKSPACE] + name[_OF_WORKSPACE:]
    folder = _runtime_folder({} if is_hosted else environment)
    place = LaunchPlace(socket=folder / f"{name}.sock", lock=folder / f"{name}.lock", log=log)
    return place if len(os.fsencode(place.socket)) <= LONGEST_PATH else None


def find_siblings(socket: Path) -> list[Path]:
    """Return the sockets of the other launch servers with libraries of a workspace, the latest last."""
    found: dict[Path, int] = {}
    for path in socket.parent.glob(f"{socket.stem[:_OF_WORKSPACE]}*.sock"):
        with suppress(OSError):
            if path != socket:
                found[path] = path.lstat().st_ctime_ns
    return sorted(found, key=lambda path: found[path])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def read_status(name: str) -> str:
    """Return a field of /proc/thread-self/status, such as "Umask".

    Raises:
        ValueError: This kernel has no such field.
    """
    for line in _read("/proc/thread-self/status").splitlines():
        field, _, value = line.partition(":")
        if field == name:
            return value.strip()
    raise ValueError(name)


def _can_fork(environment: Mapping[str, str]) -> bool:
    """Return whether a process can be forked so that it is as one that was started.

    Linux only: on macOS frameworks do not survive a fork, and no /proc shows a changed environment. What an
    engine has launched starts nothing that outlives its job, unless its launcher lets it. A relative path
    means another folder in each current folder.
    """
    paths = environment.get("PYTHONPATH", "")
    return (
        sys.platform.startswith("linux")
        and hasattr(os, "fork")
        and (LAUNCHED_FOR not in environment or find_server_log(environment) is not None)
        and environment.get(START_METHOD) in {None, "", "fork"}
        and all(Path(path).is_absolute() for path in paths.split(os.pathsep) if paths)
    )


def _describe_process(*, is_hosted: bool) -> list[str]:
    """Return what a process has from the one that it was forked from, and can hardly change.

    Args:
        is_hosted: Whether it is a job over SSH, for which one login is as good as another.
    """
    import resource  # noqa: PLC0415  not on Windows

    group = _read("/proc/self/cgroup")
    limits = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return [
        *(str(PROTOCOL), os.uname().nodename, _read("/proc/sys/kernel/random/boot_id")),
        *(sys.executable, sys.version, sys.prefix, sys.exec_prefix),
        str(Path(__file__).resolve()),
        *(_namespace(name) for name in _NAMESPACES),
        os.readlink("/proc/self/root"),  # noqa: PTH115  what it is called does not matter
        _LOGIN_GROUP.sub("/session.scope", group) if is_hosted else group,
        _read("/proc/self/oom_score_adj"),
        *(line for line in _read("/proc/thread-self/status").splitlines() if line.startswith(_RIGHTS)),
        *(f"{name}={resource.getrlimit(getattr(resource, name))}" for name in limits),
        f"{os.getpriority(os.PRIO_PROCESS, 0)} {os.sched_getscheduler(0)}",
    ]


def _describe_start(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that were read when the modules of a supervisor were loaded."""
    left_out = _OF_ONE_LOGIN if find_server_log(environment) is not None else ()
    return [
        f"{name}={environment[name]}"
        for name in sorted(environment)
        if name.startswith(_READ_AT_START) and not name.startswith(left_out)
    ]


def _describe_all(environment: Mapping[str, str]) -> list[str]:
    """Return all variables that a library may read while it is imported."""
    return [
        f"{name}={environment[name]}"
        for name in sorted(environment)
        if not name.startswith((*_OF_ONE_START, *_OF_ONE_LOGIN)) and name not in _OF_ONE_SHELL
    ]


def _namespace(name: str) -> str:
    try:
        return os.readlink(f"/proc/self/ns/{name}")  # noqa: PTH115  not a path, but a name
    except OSError:  # a kernel without them
        return ""


def _runtime_folder(environment: Mapping[str, str]) -> Path:
    """Return a folder on this machine, with a short path: the address of a socket has 107 bytes."""
    given = environment.get("XDG_RUNTIME_DIR", "")
    if given.startswith("/") and len(given) < LONGEST_PATH // 2 and os.access(given, os.W_OK):
        return Path(given) / "pipeline-widgets"
    return Path(f"/tmp/pipeline-widgets-{os.geteuid()}")  # noqa: S108  made private, and checked each time


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        return file.read()
