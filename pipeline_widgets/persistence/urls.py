"""Database URLs, and paths that are taken for one: a character of a path is never URL syntax.

SQLAlchemy 2.0 and 2.1 read and write a SQLite path differently, so that is done here.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode

from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pipeline_widgets.errors import StorageError

SQLITE_ENDINGS = (".db", ".sqlite", ".sqlite3")

_SQLITE = re.compile(r"(sqlite(?:\+\w+)?)://(?:/(.*))?", re.DOTALL)
_QUERY = re.compile(r"\w+=[^/\\]*(?:&\w+=[^/\\]*)*")
_ESCAPED = {character: f"%{ord(character):02X}" for character in "%?#"}


def parse(url: str | Path) -> URL:
    """Return a URL, with the path of a SQLite file made absolute.

    Args:
        url: A URL, or the path of a SQLite file: any Path, or a text that ends as those files do.

    Raises:
        StorageError: The URL is not understood, or names a database in memory.
    """
    if isinstance(url, Path) or ("://" not in url and url.endswith(SQLITE_ENDINGS)):
        return _file("sqlite", str(url), {})
    if matched := _SQLITE.fullmatch(url):
        path, mark, query = (matched[2] or "").partition("?")
        if mark and not _QUERY.fullmatch(query):  # who writes an f-string has not escaped the folder's name
            path, query = matched[2], ""
        return _file(matched[1], unquote(path, errors="surrogateescape"), dict(parse_qsl(query)))
    try:
        return make_url(url)
    except ArgumentError as error:
        fix = 'Write, say, "lab.db", "sqlite:///lab.db" or "postgresql+psycopg://user@host/lab".'
        raise StorageError(f"{url!r} is not a database URL.", fix=fix) from error


def render(url: URL) -> str:
    """Return the text that `parse` makes the same URL of, in every process."""
    if url.get_backend_name() != "sqlite":
        return url.render_as_string(hide_password=False)
    path = "".join(_ESCAPED.get(each, each) for each in str(url.database))
    query = f"?{urlencode(dict(url.query))}" if url.query else ""
    return f"{url.drivername}:///{path}{query}"


def hide_password(url: URL) -> str:
    """Return the URL as it can be shown: without its password."""
    return render(url) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def _file(driver: str, path: str, query: dict[str, str]) -> URL:
    if "\0" in path:
        raise StorageError(f"{path!r} is not a path.", "It holds a NUL.", 'Write, say, "lab.db".')
    if path in {"", ":memory:"} or query.get("mode") == "memory":
        why = "Runs are processes of their own, and could not see a database in this one's memory."
        raise StorageError("A workspace needs a file.", why, 'Write, say, "lab.db".')
    where = str(Path(path).expanduser().resolve())
    return URL.create(driver, database=where, query=query)
