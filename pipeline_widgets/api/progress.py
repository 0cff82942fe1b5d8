"""Waiting for processes, with a progress bar where one is wanted."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from pipeline_widgets.domain.run import Progress, Status
from pipeline_widgets.errors import WaitTimeoutError

POLL_FIRST, POLL_LAST = 0.02, 0.25  # seconds between two looks
#: Without a rate: runs tell in bursts, which says nothing about their pace.
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"


def waiting(timeout: float | None, what: str) -> Iterator[datetime]:
    """Yield the time, again and again, until the caller breaks off.

    Args:
        timeout: Seconds to wait at most; None waits as long as it takes.
        what: What is waited for, as the error names it.

    Raises:
        WaitTimeoutError: It took longer than `timeout` seconds.
    """
    began, pause = time.monotonic(), POLL_FIRST
    while True:
        yield datetime.now(UTC)
        left = None if timeout is None else timeout - (time.monotonic() - began)
        if left is not None and left <= 0:
            why = f"It had not finished after {timeout:g} s."
            raise WaitTimeoutError(
                f"{what} has not finished.", why, "It is still active; wait again, or stop it."
            )
        time.sleep(pause if left is None else min(pause, left))
        pause = min(1.5 * pause, POLL_LAST)


class Bars:
    """A progress bar for each run that becomes active while one waits."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._bars: dict[int, Any] = {}
        self._ended: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in self._bars.values():
            bar.close()

    def show(self, key: int, name: str, progress: Progress, status: Status) -> None:
        """Show how far a run has come.

        Args:
            key: The run.
            name: What its bar is called.
            progress: How far it has come.
            status: Its status.
        """
        if not self._shown or status is Status.DRAFT or key in self._ended:
            return
        bar = self._bars.get(key)
        if bar is None:
            if status.finished:  # it had ended before anybody waited
                return
            bar = self._bars[key] = _new_bar(name)
        total, step = progress.total, progress.step or 0
        if status is Status.SUCCEEDED and not total:  # a deployment counts no steps
            total = step = max(1, step)
        if total and bar.total != total:
            bar.reset(total=total)
        bar.n = step
        bar.set_postfix_str(status)
        if status.finished:
            bar.close()
            self._ended.add(key)


def _new_bar(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tqdm warns where ipywidgets is missing, and prints a text bar
        from tqdm.auto import tqdm  # noqa: PLC0415  not for importing the package

        return tqdm(desc=name, leave=True, bar_format=BAR)
