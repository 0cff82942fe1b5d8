"""A PgBouncer of the tests' own, in transaction mode, before a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from postgres import ADMIN, START_TIMEOUT, Server, unprivileged

MISSING = "No PgBouncer is installed. On Debian and Ubuntu: apt install pgbouncer"
PORT = 6432  # the number in the name of a socket, which is in a folder of its own


def program() -> str | None:
    """Return the path of `pgbouncer`, which is not on everybody's PATH; None without one."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class PgBouncer:
    """Lends a server's few connections to many clients, a transaction at a time.

    Args:
        server: The server.
        connections: How many connections it opens to a database at most.
    """

    def __init__(self, server: Server, connections: int) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pw-pb-", dir="/tmp"))
        user: dict[str, Any] = {}
        if os.getuid() == 0:
            found = unprivileged()
            os.chown(self._folder, found.pw_uid, found.pw_gid)
            user = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        settings = {
            "listen_port": PORT,
            "unix_socket_dir": self._folder,
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": connections,
            "max_client_conn": 200,
        }
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        configuration = self._folder / "pgbouncer.ini"
        databases = f"[databases]\n* = host={server.folder} user={ADMIN}\n[pgbouncer]\n"
        configuration.write_text(databases + "".join(lines))
        command = [program() or "pgbouncer", configuration]
        with (self._folder / "log.txt").open("ab") as log:
            quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self._process: subprocess.Popen[Any] = subprocess.Popen(
                command, cwd=self._folder, **quiet, **user
            )
        until = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._folder / "log.txt").read_text())
            time.sleep(0.02)

    def url(self, database: str) -> str:
        """Return the URL of a database, as a workspace takes it."""
        host = quote(str(self._folder), safe="")
        return f"postgresql+psycopg://{ADMIN}@/{quote(database)}?host={host}&port={PORT}"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(START_TIMEOUT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            psycopg.connect(user=ADMIN, host=str(self._folder), port=PORT, dbname=ADMIN).close()
        except psycopg.OperationalError:
            return False
        return True
