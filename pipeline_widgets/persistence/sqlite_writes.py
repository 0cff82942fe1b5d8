"""Begin to write to a SQLite file as soon as the writer before has ended."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

ASK_FIRST, ASK_LAST = 0.0005, 0.02  # seconds between two tries; SQLite's own waits grow to 0.1
ASK_GROWTH = 1.05
_BEGIN = "BEGIN IMMEDIATE"


def begin_write(connection: Connection, within: float) -> None:
    """Begin a transaction that writes.

    Args:
        connection: The connection; other statements on it wait for locks as SQLite does.
        within: Seconds for which another transaction may keep it from that.

    Raises:
        OperationalError: Another one holds the lock for longer.
    """
    driver: Any = connection.connection.dbapi_connection
    until, pause = time.monotonic() + within, ASK_FIRST
    driver.execute("PRAGMA busy_timeout=0")
    try:
        try:
            connection.exec_driver_sql(_BEGIN)
        except OperationalError as error:
            if not _is_busy(error.orig):
                raise
        else:
            return
        while time.monotonic() < until:
            time.sleep(pause)
            pause = min(ASK_LAST, pause * ASK_GROWTH)
            try:
                driver.execute(_BEGIN)
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    break
            else:
                return
        connection.exec_driver_sql(_BEGIN)
    finally:
        driver.execute(f"PRAGMA busy_timeout={within * 1000:.0f}")


def _is_busy(error: BaseException | None) -> bool:
    # Every lock, as SQLITE_BUSY_SNAPSHOT and its like have the plain code in their low byte.
    return (
        isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    )
