"""What is sent to a database, so that a test counts statements instead of seconds."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import event

from pipeline_widgets.persistence.store import Store


@contextmanager
def sent(store: Store) -> Generator[list[str]]:
    """Collect the statements of a block, those that begin a transaction on SQLite included."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found.append(statement)

    engine = store.database._engine
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def queries(statements: list[str]) -> list[str]:
    """Return the statements without those that begin transactions or read the server's clock."""
    return [each for each in statements if not each.startswith("BEGIN") and "clock_timestamp" not in each]
