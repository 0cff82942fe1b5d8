"""A database in a temporary file, in which is executed ahead what another database will be asked.

SQLAlchemy compiles a statement when it is executed first, and keeps it for one dialect object: that of one
engine. So what a stand-in executes is compiled for the engine of the other database, which connects to nothing
meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ClauseElement, event, text

from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.migrate import VERSION_TABLE


class StandIn(Database):
    """An empty database in a new file, with the tables of a workspace. Whoever makes it closes it.

    Args:
        path: The file.
        other: The database for which statements are compiled.
    """

    def __init__(self, path: Path, other: Database) -> None:
        super().__init__(path)
        self._watched = True  # else a thread would close it when it rests, and who has a thread cannot fork
        if other.is_sqlite:
            for engine in (self._engine, self._reads, self._writes, self._lookups):
                engine.dialect = other._engine.dialect
                engine._compiled_cache = other._engine._compiled_cache
        else:
            self._other = other._engine
            event.listen(self._engine, "before_execute", self._compile)
        with self.write() as connection:
            schema.metadata.create_all(connection, checkfirst=False)
            connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)"))
            stamp = text(f"INSERT INTO {VERSION_TABLE} VALUES (:head)")  # noqa: S608  a constant
            connection.execute(stamp, {"head": schema.HEAD})

    def _compile(
        self,
        _connection: object,
        statement: object,
        several: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        _options: object,
    ) -> None:
        """Compile a statement as the other engine will when it executes it."""
        cache = self._other._compiled_cache
        if not isinstance(statement, ClauseElement) or cache is None:
            return
        known = set(cache)
        compiled, *_ = statement._compile_w_cache(
            self._other.dialect,
            compiled_cache=cache,
            column_keys=sorted(several[0] if several else values),
            for_executemany=len(several) > 1,
        )
        if "\\" in str(compiled):  # how that is written is told by the server, which nobody has asked yet
            for key in set(cache) - known:
                del cache[key]
