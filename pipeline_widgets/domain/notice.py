"""Messages to people about runs: their events, their text, and when sending is tried again (spec 6.15)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import cast

from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.errors import ConfigError, format_value

#: Seconds between two attempts to send a notice; after the last attempt it is given up.
PAUSES = (10.0, 30.0, 120.0, 600.0, 1800.0)
#: Seconds for which who sends a notice has it for itself: a sender that dies is replaced after that.
SENDING_WITHIN = 60.0
LONGEST_LINE = 300  # characters of an error in a notice
SHOWN_OF_TARGET = 1  # characters after the scheme
_SCHEME = re.compile(r"\A([A-Za-z][A-Za-z0-9+.-]{0,31})://(.+)\Z", re.DOTALL)
_CREDENTIALS = re.compile(r"(://)[^/\s@]+@")
_PART = re.compile(r"[^/?&=:@,+#\s]+")
_LEAST_SECRET = 4  # characters: shorter parts of a URL are words such as "to"


class NoticeEvent(StrEnum):
    """An event that a person can be told of."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CRASHED = "crashed"
    STOPPED = "stopped"
    HELD = "held"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """A receiver of messages, and the events that it is told of."""

    id: int
    #: An Apprise URL: a secret.
    target: str
    events: frozenset[NoticeEvent]


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One message to one target."""

    id: int
    notification_id: int
    run_id: int
    event: NoticeEvent
    text: str
    #: The target: a secret.
    target: str
    #: How often sending was tried.
    attempts: int
    #: Why the last attempt failed, without secrets.
    error: str | None
    sent_at: datetime | None
    #: When it is tried next; None where it was sent or given up.
    due_at: datetime | None


def parse_events(value: object) -> frozenset[NoticeEvent]:
    """Return the events that are written so: their names, one or several.

    Raises:
        ConfigError: There are none, or one is not known.
    """
    known = ", ".join(repr(str(event)) for event in NoticeEvent)
    fix = f"Use some of {known}."
    named = cast("object", [value] if isinstance(value, str) else value)
    if not isinstance(named, Collection) or isinstance(named, bytes) or not named:
        raise ConfigError(f"{format_value(value)} names no events.", fix=fix)
    named = cast("Collection[str]", named)
    try:
        return frozenset(NoticeEvent(each) for each in named)
    except ValueError as error:
        raise ConfigError(f"{format_value(value)} is not a known event.", fix=fix) from error


def parse_target(value: object) -> str:
    """Return a target, which has to be a URL with a scheme; what it names is not looked at here.

    Raises:
        ConfigError: It is none. The error does not quote it, since it may be a secret.
    """
    if isinstance(value, str) and _SCHEME.match(value) and "\0" not in value:
        return value
    raise ConfigError(
        "This is not the URL of a target.", fix='Use an Apprise URL, such as "ntfy://my-topic".'
    )


def mask_target(target: str) -> str:
    """Return how a target is shown: "ntfy://m****". Topics, tokens and passwords are secrets alike."""
    found = _SCHEME.match(target)
    return f"{found[1]}://{found[2][:SHOWN_OF_TARGET]}****" if found else "****"


def remove_secrets(text: str, target: str) -> str:
    """Return a text without the parts of a target and without credentials in URLs."""
    found = _SCHEME.match(target)
    parts = _PART.findall(found[2]) if found else [target]
    for part in sorted({target, *parts}, key=len, reverse=True):
        if len(part) >= _LEAST_SECRET:
            text = text.replace(part, "****")
    return _CREDENTIALS.sub(r"\1****@", text)


def pause_after(attempts: int) -> float | None:
    """Return the seconds until a notice is tried again after so many attempts; None where it is given up."""
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def event_of(run: Run) -> NoticeEvent | None:
    """Return the event that the end of a run is; None while it is active."""
    ends = {
        Status.SUCCEEDED: NoticeEvent.SUCCEEDED,
        Status.FAILED: NoticeEvent.FAILED,
        Status.CRASHED: NoticeEvent.CRASHED,
        Status.STOPPED: NoticeEvent.STOPPED,
    }
    return ends.get(run.status)


def describe_end(run: Run, *, subject: str, project: str, score: float | None) -> str:
    """Return the text of a notice about the end of a run: a title, and lines below it.

    Args:
        run: The run.
        subject: What it was a run of, such as "letters: stage 2 (grpo)".
        project: The name of its project.
        score: Its best score; None where it has none.
    """
    step = f"step {run.step}" + (f" of {run.total}" if run.total else "") if run.step is not None else ""
    facts = [
        f"{run.label.capitalize()}{f', retry {run.retry}' if run.retry else ''}, project {project}",
        f"best score {score:.4g}" if score is not None else "",
        step,
        _describe_duration(run),
    ]
    error = describe_error(run.error)
    lines = [f"{subject} {run.status.lower()}", f"{', '.join(filter(None, facts))}.", error]
    return "\n".join(filter(None, lines))


def describe_held(reason: str, *, subject: str, project: str, after: str) -> str:
    """Return the text of a notice about a stage that was held.

    Args:
        reason: Why.
        subject: The stage, such as "letters: stage 3 (agent)".
        project: The name of its project.
        after: The run whose success would have started it, such as "run 2 of stage 2 (grpo)".
    """
    return f"{subject} was held\nAfter {after}, project {project}.\n{describe_error(reason)}"


def describe_error(error: str | None) -> str:
    """Return the line of an error that says most: the last of a traceback, else the first; no credentials."""
    lines = [line.strip() for line in (error or "").splitlines() if line.strip()]
    if not lines:
        return ""
    line = lines[-1] if lines[0].startswith("Traceback (most recent call last)") else lines[0]
    line = _CREDENTIALS.sub(r"\1****@", line)
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _describe_duration(run: Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    seconds = max(0, round((run.finished_at - run.started_at).total_seconds()))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"took {hours} h {minutes} min"
    return f"took {minutes} min {seconds % 60} s" if minutes else f"took {seconds} s"
