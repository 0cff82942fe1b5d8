"""A database in a temporary file, in which is executed ahead what another database will be asked.

SQLAlchemy compiles a statement when it is first executed, and keeps it for one dialect object, which is that
of one engine. So what a stand-in executes is compiled for the engine of the other database, which connects to
nothing meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sqlalchemy import ClauseElement, event, text
from sqlalchemy.exc import CompileError

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
        self._other, self._statements = other.compiled_statements
        if other.is_sqlite:
            engine: Any  # its cache can be given to it in no other way
            for engine in (self._engine, self._reads, self._writes, self._lookups):
                engine.dialect = self._other
                engine._compiled_cache = self._statements  # noqa: SLF001
        with self.write() as connection:
            schema.metadata.create_all(connection, checkfirst=False)
            connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)"))
            stamp = text(f"INSERT INTO {VERSION_TABLE} VALUES (:head)")  # noqa: S608  a constant
            connection.execute(stamp, {"head": schema.HEAD})
        if not other.is_sqlite:
            event.listen(self._engine, "before_execute", self._compile)

    def _compile(
        self,
        _connection: object,
        statement: object,
        several: Sequence[Mapping[str, Any]],
        values: Mapping[str, Any],
        _options: object,
    ) -> None:
        """Compile a statement as the other engine will when it executes it."""
        if not isinstance(statement, ClauseElement):
            return
        asked, cache = cast("Any", statement), self._statements
        known = set(cache)
        try:
            compiled, *_ = asked._compile_w_cache(  # noqa: SLF001  as an engine does
                self._other,
                compiled_cache=cache,
                column_keys=sorted(several[0] if several else values),
                for_executemany=len(several) > 1,
            )
        except (CompileError, AttributeError):  # an upsert, of which SQLite and the server have each a class
            return
        if "\\" in str(compiled):  # how that is written is told by the server, which nobody has asked yet
            for key in set(cache) - known:
                del cache[key]
