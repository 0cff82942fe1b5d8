"""Sends notices, in a process of its own: a slow server delays no training and no chain (spec 6.15).

Whoever has written notices starts the process, and whoever finds notices that nobody has sent. It sends what
is due, waits for what is to be tried again, and ends. A notice is claimed in a transaction before it is sent,
so that of several such processes one sends it.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.notice import Notice, mask_target, parse_target
from pipeline_widgets.errors import ConfigError, StorageError
from pipeline_widgets.execution.side_process import SideProcess
from pipeline_widgets.services.notices import NoticeService

ANSWER_WITHIN = 30.0  # seconds that a server has to take a notice
SOCKET_WITHIN = "10"  # seconds to connect, and between two answers, of what tells neither
LONGEST_SLEEP = 30.0  # seconds after which it is looked again what is due
OVERDUE = 3.0  # seconds: who has written a notice has had time to start a process that sends it
LOOK_EVERY, START_EVERY = 5.0, 60.0  # seconds between two looks, and two starts, of a process that reconciles
NO_APPRISE = "Apprise is not installed where it is sent from: pip install 'pipeline-widgets[notify]'."

_log = logging.getLogger(__name__)


class Notifier:
    """Starts processes that send notices. Nothing that goes wrong here is an error of whoever calls.

    Args:
        service: The notices of a workspace.
        url: The workspace.
        log: Where the process prints to.
    """

    def __init__(self, service: NoticeService, url: str, log: Path) -> None:
        self._service = service
        self._process = SideProcess(url, log)
        self._looked_at = self._started_at = float("-inf")

    def start_if_due(self, *, overdue: float = 0.0) -> None:
        """Start a process if a notice has been due for so many seconds."""
        try:
            left = self._service.seconds_until_due()
            is_due = left is not None and left <= -overdue
            if is_due and not self._process.is_at_work:  # two would change the order
                self._started_at = time.monotonic()
                self._process.start("notify")
        except Exception as error:  # noqa: BLE001  the next one who looks tries again
            _log.warning("Notices could not be sent: %s", error)

    def start_if_overdue(self) -> None:
        """Start a process if a notice waits that nobody sends; looks every 5 s, and starts one a minute."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_EVERY or now - self._started_at < START_EVERY:
            return
        self._looked_at = now
        if self._service.is_trusted:
            self.start_if_due(overdue=OVERDUE)

    def wait(self) -> None:
        """Wait for the process that was started last, for up to 15 s."""
        self._process.wait()
        self.start_if_due()  # it may have ended just before the last notice was written


def check_target(target: object) -> None:
    """Refuse a target that Apprise does not know. No error quotes it: it may be a secret.

    Raises:
        ConfigError: It is no URL that Apprise knows, or Apprise is not installed.
    """
    url = parse_target(target)
    try:
        apprise = _import_apprise()
    except ImportError as error:
        what = "Nobody can be told: Apprise is not installed."
        raise ConfigError(what, fix="pip install 'pipeline-widgets[notify]'") from error
    with _captured_log(apprise):
        is_known = _open_target(apprise, url) is not None
    if not is_known:
        what = f"Apprise knows no target {mask_target(url)!r}."
        fix = "Its URLs are listed at https://github.com/caronc/apprise/wiki."
        raise ConfigError(what, "The scheme is not known, or something is missing in it.", fix)


def run(service: NoticeService) -> None:
    """Send what is due until nothing is left to send."""
    while True:
        try:
            notice = service.claim()
            if notice is not None:
                service.settle(notice, send(notice))
                continue
            left = service.seconds_until_due()
        except StorageError as error:
            _log.warning("%s", error)
            left = LONGEST_SLEEP
        if left is None:
            return
        time.sleep(min(max(left, 0.1), LONGEST_SLEEP))


def send(notice: Notice) -> str | None:
    """Send a notice; return why that failed, or None.

    A server that answers nothing within 30 s counts as failed. Whoever sends is never held up for longer.
    """
    answers: list[str | None] = []
    sender = threading.Thread(target=lambda: answers.append(_send(notice)), daemon=True)
    sender.start()
    sender.join(ANSWER_WITHIN)
    return answers[0] if answers else f"The server did not take it within {ANSWER_WITHIN:.0f} s."


def _send(notice: Notice) -> str | None:
    try:
        apprise = _import_apprise()
    except ImportError:
        return NO_APPRISE
    title, _, body = notice.text.partition("\n")
    try:
        with _captured_log(apprise) as captured:
            target = _open_target(apprise, _with_limits(notice.target))
            if target is None:
                return "Its URL is not one that Apprise knows."
            is_sent = target.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
            said = str(captured.getvalue()).strip()
    except Exception as error:  # noqa: BLE001  a plugin's; it must end neither this process nor the others' notices
        return f"{type(error).__name__}: {error}"
    return None if is_sent else (said.splitlines()[-1] if said else "The server has refused it.")


def _import_apprise() -> Any:
    """Import Apprise: an extra that takes half a second, and only who sends or asks for messages needs it."""
    return import_module("apprise")


@contextmanager
def _captured_log(apprise: Any) -> Generator[Any]:
    """Yield what Apprise says, which reaches no other log: it names targets."""
    logger = logging.getLogger("apprise")
    was_passed_on, logger.propagate = logger.propagate, False
    try:
        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as captured:
            yield captured
    finally:
        logger.propagate = was_passed_on


def _open_target(apprise: Any, url: str) -> Any:
    """Return what sends to a target; None where Apprise knows no such target."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the modules that it imports for that
        return apprise.Apprise.instantiate(url, suppress_exceptions=True)


def _with_limits(target: str) -> str:
    """Return a target with time limits for its sockets, where it names none."""
    limits = [f"{name}={SOCKET_WITHIN}" for name in ("cto", "rto") if f"{name}=" not in target]
    return target + ("&" if "?" in target else "?") + "&".join(limits) if limits else target
