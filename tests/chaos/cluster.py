"""A PostgreSQL server of one lane: whatever happens to it happens to one world at a time."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from postgres import programs

USERS = ("postgres", "nobody")  # as whom root starts it: it refuses to run as root
MOST_CONNECTIONS = 60


class Cluster:
    """A server that any process can stop and start again: `pg_ctl` knows it by its folder."""

    def __init__(self) -> None:
        binaries = programs()
        if binaries is None:
            raise RuntimeError(
                "No PostgreSQL server is installed. On Debian and Ubuntu: apt install postgresql"
            )
        self._binaries = binaries
        # What a world starts bears its mark, and ends with it: a server that it starts again does not.
        self._environment = dict(os.environ)
        self._folder = Path(tempfile.mkdtemp(prefix="chaos-pg-", dir="/tmp"))
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            user = _unprivileged()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        data = f"--pgdata={self._folder}/data"
        self._do("initdb", data, "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")
        settings = {
            "fsync": "off",
            "listen_addresses": "''",
            "unix_socket_directories": f"'{self._folder}'",
            "max_connections": MOST_CONNECTIONS,
        }
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        (self._folder / "data" / "postgresql.auto.conf").write_text("".join(lines))
        self.start()

    def url(self, database: str) -> str:
        """Return the URL of a database, as a workspace takes it."""
        host = quote(str(self._folder), safe="")
        return f"postgresql+psycopg://postgres@/{database}?host={host}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._do(
            "pg_ctl", "start", f"--pgdata={self._folder}/data", f"--log={self._folder}/log.txt", "--wait"
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop it, and cut all connections; "immediate" is a crash."""
        self._do("pg_ctl", "stop", f"--pgdata={self._folder}/data", f"--mode={mode}", "--wait")

    def ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Execute a statement as the superuser, and return its rows."""
        with self.connect() as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg.Connection[Any]:
        """Return a connection of one's own."""
        return psycopg.connect(user=user, host=str(self._folder), dbname=database, autocommit=True)

    def create(self, database: str) -> None:
        """Make an empty database."""
        self.ask(f"CREATE DATABASE {database}")

    def drop(self, database: str) -> None:
        """Delete a database, whoever is connected to it."""
        self.ask(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def heal(self) -> None:
        """Start it again where a world was ended while it was down."""
        if not self._is_up():
            self.start()

    def close(self) -> None:
        """Stop the server and delete all that it held."""
        if self._is_up():
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_up(self) -> bool:
        try:
            self._do("pg_ctl", "status", f"--pgdata={self._folder}/data")
        except subprocess.CalledProcessError:
            return False
        return True

    def _do(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = self._environment
        subprocess.run(
            command, cwd=self._folder, env=environment, check=True, timeout=120, **quiet, **self._as
        )


def _unprivileged() -> pwd.struct_passwd:
    for name in USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError(f"PostgreSQL does not run as root, and there is no user {' or '.join(USERS)}.")
