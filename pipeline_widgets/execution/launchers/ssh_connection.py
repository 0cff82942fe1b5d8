"""Run shell scripts on another host with OpenSSH's own client.

So the user's ~/.ssh/config, agents, jump hosts and known hosts count as they do in a terminal. A script goes
through the standard input of `/bin/sh` there: whatever the login shell is, it has nothing to interpret, and
no value is on a command line, here or there.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers.ssh_address import SshAddress
from pipeline_widgets.execution.variables import LAUNCH, URL

CONNECT_WITHIN = 10  # seconds for a connection
ANSWER_WITHIN = 20.0  # seconds for a script, with the connection
KEEP_FOR = 60  # seconds for which a connection without a session is kept for the next one
#: Bytes of a socket's path that every system takes, without the random ending of OpenSSH while it makes one.
MOST_SOCKET = 104 - 17 - 1
_DIGEST = 40  # characters of the %C of OpenSSH
_LAST_LINES = 3  # of what OpenSSH said
#: Always: nothing waits for a password or opens what an interactive session would.
_OPTIONS = (
    "-T",
    "-o BatchMode=yes",
    f"-o ConnectTimeout={CONNECT_WITHIN}",
    "-o ServerAliveInterval=5",
    "-o ServerAliveCountMax=3",
    "-o ClearAllForwardings=yes",
    "-o PermitLocalCommand=no",
    "-o RemoteCommand=none",
)


#: What OpenSSH says where there was no connection, so that nothing can have been done on the host.
_NO_CONNECTION = re.compile(
    r"connect to host|Could not resolve hostname|Permission denied \(|Host key verification failed"
    r"|kex_exchange_identification|banner exchange"
)
NEVER_CONNECTED = "never connected"


class UnreachableError(ExecutionError):
    """The host did not answer, or the connection was lost: it is unknown what has been done there.

    With the code `NEVER_CONNECTED` there was no connection, and nothing has been done.
    """


class SshConnection:
    """Runs scripts on a host, over one connection that is kept for a while (ControlMaster)."""

    #: Whether the user's own configuration shares connections, by the arguments of OpenSSH.
    _shared_by_user: ClassVar[dict[tuple[str, ...], bool]] = {}

    def __init__(self, address: SshAddress) -> None:
        self._address = address

    def run(self, script: str, within: float = ANSWER_WITHIN) -> str:
        """Run a script of a POSIX shell there, and return what it has printed.

        A script that has arrived in part only does nothing.

        Raises:
            UnreachableError: No answer came in time.
            ExecutionError: OpenSSH is not installed, or the host has no POSIX shell.
        """
        marker = f"pipeline-widgets-{secrets.token_hex(8)}"
        printed, complaints, code = self._call(os.fsencode(wrap(script, marker)), within)
        found = printed.decode("utf-8", "surrogateescape").split(f"{marker}\n")
        if len(found) == 3:  # noqa: PLR2004  before, between and after two markers
            return found[1].removesuffix("\n")
        if code in {255, None}:
            raise _explain(self._address, complaints, timed_out=code is None)
        why = f"Its answer to `/bin/sh -s` was exit code {code}. {_last_lines(complaints)}".rstrip()
        fix = f"See that `{self._address.command} /bin/sh -c true` works in a terminal, and prints nothing."
        raise ExecutionError(f"No script can be run on {self._address.host}.", why, fix)

    def _call(self, text: bytes, within: float) -> tuple[bytes, str, int | None]:
        """Return what was printed, the complaints, and the exit code; None where it took too long."""
        command = [_client(), *self._shared_options(), *self._options(), *self._address.arguments]
        command += ["exec", "/bin/sh", "-s"]
        # Not a pipe: older clients keep it open for as long as they keep the connection.
        with tempfile.TemporaryFile() as complaints:
            with subprocess.Popen(  # noqa: S603  OpenSSH, with arguments that were checked
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env=_environment(),
                start_new_session=True,  # an interrupt of the kernel does not reach it
            ) as client:
                try:
                    printed, code = client.communicate(text, timeout=within)[0], client.returncode
                except subprocess.TimeoutExpired:
                    client.kill()
                    printed, code = client.communicate()[0], None
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace")
        if code in {255, None}:
            self._let_go()
        return printed, said, code

    @staticmethod
    def _options() -> tuple[str, ...]:
        return tuple(word for option in _OPTIONS for word in option.split(" ", 1))

    def _shared_options(self) -> tuple[str, ...]:
        """Return how the connection is shared; nothing where the user's configuration says how."""
        if self._is_shared_by_user() or (folder := socket_folder()) is None:
            return ()
        path = f"ControlPath={str(folder).replace('%', '%%')}/%C"
        return ("-o", "ControlMaster=auto", "-o", f"ControlPersist={KEEP_FOR}", "-o", path)

    def _is_shared_by_user(self) -> bool:
        key = (_client(), *self._address.arguments)
        if key not in self._shared_by_user:
            with suppress(OSError, subprocess.SubprocessError):
                shown = subprocess.run(  # noqa: S603
                    [key[0], "-G", *self._address.arguments],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=CONNECT_WITHIN,
                    check=True,
                    env=_environment(),
                )
                text = shown.stdout.decode("utf-8", "replace")
                paths = re.findall(r"^controlpath (.*)$", text, re.MULTILINE)
                self._shared_by_user[key] = any(path != "none" for path in paths)
        return self._shared_by_user.get(key, False)

    def _let_go(self) -> None:
        """Give up a kept connection, which may lead nowhere by now: the next call makes a new one."""
        if not (options := self._shared_options()):
            return  # the user's own sessions may go over it
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(  # noqa: S603
                [_client(), *options, "-O", "stop", *self._address.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=CONNECT_WITHIN,
                check=False,
                env=_environment(),
            )


def wrap(script: str, marker: str) -> str:
    """Return a script as it is sent: nothing of it is executed before its last line has arrived.

    What the start-up files of the login shell print comes before the first marker.
    """
    return f"main() {{\n{script}\n}}\nprintf '%s\\n' {marker}\nmain </dev/null\nprintf '\\n%s\\n' {marker}\n"


def _client() -> str:
    """Return the path of OpenSSH's client.

    Raises:
        ExecutionError: It is not installed.
    """
    found = shutil.which("ssh")
    if found is None:
        fix = "Install it; on Debian and Ubuntu: apt install openssh-client."
        raise ExecutionError("There is no `ssh` on this machine.", "It is not on the PATH.", fix)
    return found


def _environment() -> Mapping[str, str]:
    """Return the environment for OpenSSH: without what marks a process as one of a launch."""
    return {name: value for name, value in os.environ.items() if name not in {LAUNCH, URL}}


_folders = threading.Lock()


def socket_folder() -> Path | None:
    """Return a private folder whose path is short enough for sockets; None where there is none."""
    name = f"pw-ssh-{os.getuid()}" if hasattr(os, "getuid") else None
    if name is None:
        return None  # Windows, whose OpenSSH shares no connections
    with _folders:
        for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108
            folder = Path(parent or "", name)
            if not parent or len(os.fsencode(folder)) + 1 + _DIGEST > MOST_SOCKET or '"' in parent:
                continue
            with suppress(OSError):
                folder.mkdir(mode=0o700, exist_ok=True)
                if _is_private(folder.lstat()):
                    return folder
    return None


def _is_private(status: os.stat_result) -> bool:
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o77


#: What OpenSSH says, and what to do about it.
_FIXES = (
    ("IDENTIFICATION HAS CHANGED", "Find out why its key has changed before you accept the new one."),
    ("Host key verification failed", "Connect once in a terminal, `{command}`, and compare its key."),
    (
        "Permission denied",
        "Nothing can ask for a password here: see that `{command}` needs none, by ssh-copy-id or an agent.",
    ),
    ("Could not resolve hostname", "Check the name, or add it to ~/.ssh/config."),
)


def _explain(address: SshAddress, complaints: str, *, timed_out: bool) -> UnreachableError:
    what = f"{address.host} cannot be reached over SSH."
    otherwise = "See that `{command} true` works in a terminal."
    fix = next((fix for said, fix in _FIXES if said in complaints), otherwise)
    why = _last_lines(complaints)
    if timed_out:
        why = f"It did not answer in time. {why}".rstrip()
    code = NEVER_CONNECTED if _NO_CONNECTION.search(complaints) else ""
    return UnreachableError(what, why, fix.format(command=address.command), code=code)


def _last_lines(complaints: str) -> str:
    lines = [line.strip() for line in complaints.splitlines() if line.strip("@ \t\r")]
    said = " ".join(re.sub(r"[^\x20-\x7e\xa0-\uffff]", "", line) for line in lines[-_LAST_LINES:])
    return said if not said or said.endswith((".", "!", "?")) else f"{said}."
