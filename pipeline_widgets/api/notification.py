"""The receivers of messages about runs, and the messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pipeline_widgets.api.handle import Handle
from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.application import Services
from pipeline_widgets.domain import notice as values
from pipeline_widgets.domain.notice import mask_target


class Notification(Handle):
    """A target that is told of the ends of runs. Its URL may be a secret, so that it is never shown whole."""

    kind = "notification"
    listed = "ws.notifications"

    def __repr__(self) -> str:
        return f"Notification({self.target!r}, on={sorted(self.on)})"

    @property
    def target(self) -> str:
        """The scheme of its URL and one character more: "ntfy://m****"."""
        return mask_target(self._services.notices.get(self._id).target)

    @property
    def on(self) -> frozenset[str]:
        """The events that it is told of: "succeeded", "failed", "crashed", "stopped", "held"."""
        return frozenset(map(str, self._services.notices.get(self._id).events))

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return {"target": self.target, "on": ", ".join(sorted(self.on))}

    def delete(self) -> None:
        """Remove it; what was not sent yet is not sent, and the notices of runs go with it.

        Raises:
            NotFoundError: It was removed already.
        """
        self._services.notices.remove(self._id)


class Notice:
    """A message about a run to one target, as it stood when it was asked for."""

    def __init__(self, value: values.Notice) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"Notice({self.event!r}, {self.target!r}, {self.status})"

    @property
    def event(self) -> str:
        """The event: "succeeded", "failed", "crashed", "stopped" or "held"."""
        return str(self._value.event)

    @property
    def target(self) -> str:
        """The scheme of the target's URL and one character more."""
        return mask_target(self._value.target)

    @property
    def text(self) -> str:
        """The text; its first line is the title."""
        return self._value.text

    @property
    def status(self) -> str:
        """Whether it is "sent", "waiting" for its first or next attempt, or "given up"."""
        if self._value.sent_at is not None:
            return "sent"
        return "waiting" if self._value.due_at is not None else "given up"

    @property
    def attempts(self) -> int:
        """The number of attempts to send it."""
        return self._value.attempts

    @property
    def error(self) -> str | None:
        """Why the last attempt failed, without secrets; None where none has."""
        return self._value.error

    @property
    def sent_at(self) -> datetime | None:
        """The time at which it was sent, in UTC; None where it was not."""
        return self._value.sent_at

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return select_columns(self, "event", "target", "status", "attempts", "error", "sent_at")


def notifications(services: Services) -> Listing[Notification]:
    """Return a listing of who is told.

    Args:
        services: The workspace.
    """
    found = services.notices.all()
    return Listing("notification", (Notification(services, each.id) for each in found))


def notices(services: Services, run_id: int) -> Listing[Notice]:
    """Return a listing of the messages about a run.

    Args:
        services: The workspace.
        run_id: The run.
    """
    return Listing("notice", map(Notice, services.notices.of_run(run_id)))
