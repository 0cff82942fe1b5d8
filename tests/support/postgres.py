"""A PostgreSQL server of the tests' own, in a folder of its own, and what can befall one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

ADMIN = "postgres"  # the superuser of the server, and the database that it begins with
UNPRIVILEGED = ("postgres", "nobody")  # users as whom root starts the server, which refuses to run as root
START_TIMEOUT = 60.0  # seconds
MISSING = "No PostgreSQL server is installed. On Debian and Ubuntu: apt install postgresql"

_numbers = count(1)


def programs() -> Path | None:
    """Return the folder with `initdb` and `postgres`, of the newest version; None without a server."""
    for name in ("postgres", "initdb"):
        if (found := shutil.which(name)) and (Path(found).resolve().parent / "initdb").exists():
            return Path(found).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: float(path.parent.parent.name), default=None)
    return newest.parent if newest else None


class Server:
    """A server that listens on a Unix socket in a folder that only its user can enter.

    Args:
        binaries: The folder with `initdb` and `postgres`.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        #: Where its socket is: its path has to be short, and the server's user has to reach it.
        self.folder = Path(tempfile.mkdtemp(prefix="pw-pg-", dir="/tmp"))
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            user = unprivileged()
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[Any] | None = None
        options = ["--auth=trust", f"--username={ADMIN}", "--encoding=UTF8", "--no-locale", "--no-sync"]
        self._do("initdb", f"--pgdata={self._data}", *options)
        self.start()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str) -> str:
        """Return the URL of a database, as a workspace takes it."""
        return f"postgresql+psycopg://{ADMIN}@/{quote(database)}?host={quote(str(self.folder), safe='')}"

    def start(self, **settings: object) -> None:
        """Start the server, with those settings beside its defaults, and wait until it answers."""
        chosen = {"fsync": "off", "listen_addresses": "''", "unix_socket_directories": f"'{self.folder}'"}
        lines = [f"{name} = {value}\n" for name, value in {**chosen, **settings}.items()]
        (self._data / "postgresql.auto.conf").write_text("".join(lines))
        with (self.folder / "log.txt").open("ab") as log:
            command = [self._binaries / "postgres", "-D", self._data]
            process: subprocess.Popen[Any] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, **self._as
            )
        self._process = process
        until = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self.folder / "log.txt").read_text())
            time.sleep(0.02)

    def stop(self, *, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server; by default its connections are cut ("fast"), SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_TIMEOUT)
            self._process = None

    def restart(self, *, how: signal.Signals = signal.SIGINT, **settings: object) -> None:
        """Stop and start the server, with those settings, such as `max_connections`."""
        self.stop(how=how)
        self.start(**settings)

    def drop_connections(self, database: str) -> int:
        """Cut all connections to a database, and return how many there were."""
        ask = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
        return int(self.ask(ask, database)[0][0])

    def ask(self, statement: str, *values: object, database: str = ADMIN) -> list[tuple[Any, ...]]:
        """Execute a statement as the superuser, outside of a transaction, and return its rows."""
        with psycopg.connect(user=ADMIN, host=str(self.folder), dbname=database, autocommit=True) as asked:
            cursor = asked.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def create(self, name: str = "", template: str = "template1") -> str:
        """Make a database, an empty one or a copy of another that nobody uses, and return its name."""
        name = name or f"lab_{os.getpid()}_{next(_numbers)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        """Delete a database, whoever is connected to it."""
        self.ask(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def close(self) -> None:
        """Stop the server and delete all that it held."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _do(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr}")

    def _answers(self) -> bool:
        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


def database_of(url: str) -> str:
    """Return the name of the database that a URL of `Server.url` names."""
    return url.partition("?")[0].rpartition("/")[2]


def unprivileged() -> pwd.struct_passwd:
    """Return a user as whom a server may run."""
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError(f"PostgreSQL does not run as root, and there is no user {' or '.join(UNPRIVILEGED)}.")
