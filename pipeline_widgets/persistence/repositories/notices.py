"""The receivers of messages about runs, and the messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, delete, insert, select, update

from pipeline_widgets.domain.notice import Notice, NoticeEvent, Notification
from pipeline_widgets.persistence import row_mapping, schema
from pipeline_widgets.persistence.repositories.base import Repository, require
from pipeline_widgets.persistence.row_mapping import Row

_N, _T = schema.notices.c, schema.notifications.c
_NOTIFICATIONS = select(schema.notifications).order_by(_T.id)
_NOTICES = select(schema.notices, _T.target).join(schema.notifications, _T.id == _N.notification_id)
_OF_RUN = _NOTICES.where(_N.run_id == bindparam("run")).order_by(_N.id)
_DUE = _NOTICES.where(_N.due_at <= bindparam("until")).order_by(_N.due_at, _N.id).limit(1)
_NEXT = select(_N.due_at).where(_N.due_at.is_not(None)).order_by(_N.due_at).limit(1)


class Notices(Repository):
    """The notifications of a workspace, and its notices."""

    def add_notification(self, target: str, events: Collection[NoticeEvent]) -> Notification:
        """Insert a notification."""
        named = sorted(map(str, events))
        key = self._add(schema.notifications, target=target, events=named, created_at=self.now)
        return self.get_notification(key)

    def get_notification(self, notification_id: int) -> Notification:
        """Return one notification; NotFoundError without it."""
        row = self._first(select(schema.notifications).where(_T.id == notification_id))
        return _to_notification(require(row, "notification"))

    def notifications(self) -> tuple[Notification, ...]:
        """Return all notifications in the order of their creation."""
        return tuple(map(_to_notification, self._all(_NOTIFICATIONS)))

    def set_events(self, notification_id: int, events: Collection[NoticeEvent]) -> None:
        """Give a notification other events."""
        self._set(schema.notifications, notification_id, events=sorted(map(str, events)))

    def remove_notification(self, notification_id: int) -> bool:
        """Delete a notification with its notices; False if it is gone."""
        self.connection.execute(delete(schema.notices).where(_N.notification_id == notification_id))
        return self._done(delete(schema.notifications).where(_T.id == notification_id))

    def remove_all(self) -> None:
        """Delete all notifications and notices."""
        self.connection.execute(delete(schema.notices))
        self.connection.execute(delete(schema.notifications))

    def add(self, notification_ids: Iterable[int], run_id: int, event: NoticeEvent, text: str) -> None:
        """Insert a notice for each of some notifications, due now."""
        common = {"run_id": run_id, "event": str(event), "text": text, "attempts": 0, "due_at": self.now}
        made = [{"notification_id": each, **common} for each in notification_ids]
        if made:
            self.connection.execute(insert(schema.notices), made)

    def of_run(self, run_id: int) -> tuple[Notice, ...]:
        """Return the notices about a run."""
        return tuple(map(_to_notice, self._all(_OF_RUN, run=run_id)))

    def next_due(self) -> float | None:
        """Return when the next notice is due, in seconds since 1970; None where none is."""
        row = self._first(_NEXT)
        return None if row is None else float(row["due_at"])

    def claim(self, within: float) -> Notice | None:
        """Take the notice that is due first for so many seconds, and count the attempt; None without one."""
        row = self._first(_DUE, until=self.now)
        if row is None:
            return None
        claimed = {"attempts": row["attempts"] + 1, "due_at": self.now + within}
        self._set(schema.notices, row["id"], **claimed)
        return _to_notice({**row, **claimed})

    def settle(self, notice: Notice, *, error: str | None, due_at: float | None) -> bool:
        """Write how an attempt ended; False if the notice is gone, or another attempt has begun meanwhile."""
        sent = {"sent_at": self.now} if error is None else {}
        written = update(schema.notices).where(_mine(notice)).values(error=error, due_at=due_at, **sent)
        return self._done(written)


def _mine(notice: Notice) -> ColumnElement[bool]:
    return (_N.id == notice.id) & (_N.attempts == notice.attempts) & _N.sent_at.is_(None)


def _to_notification(row: Row) -> Notification:
    events = frozenset(map(NoticeEvent, row["events"]))
    return Notification(id=row["id"], target=row["target"], events=events)


def _to_notice(row: Row) -> Notice:
    return Notice(
        id=row["id"],
        notification_id=row["notification_id"],
        run_id=row["run_id"],
        event=NoticeEvent(row["event"]),
        text=row["text"],
        target=row["target"],
        attempts=row["attempts"],
        error=row["error"],
        sent_at=_to_time(row["sent_at"]),
        due_at=_to_time(row["due_at"]),
    )


def _to_time(seconds: float | None) -> datetime | None:
    return None if seconds is None else row_mapping.to_datetime(seconds)
