"""The folder from which a run is triggered, and its state under git."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Lock, Thread, Timer

from pipeline_widgets.domain.run_record import MOST_DIFF, GitState, TriggerPlace

GIT_PATIENCE = 2.0  # seconds that git may take
MOST_UNTRACKED = 1000  # names of untracked files that are kept
#: Nothing that a repository configures is executed, and nothing in it is written.
_GIT = (
    "git",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "--no-optional-locks",
    "--no-pager",
)


class _Readings:
    """The readings of this process: of those who ask while one goes on, all share the next one.

    None is told of what was read before it has asked. Of many triggers at once each would start git twice.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._next: Future[TriggerPlace | None] | None = None
        self._is_reading = False

    def ask(self) -> Future[TriggerPlace | None]:
        with self._lock:
            asked = self._next = self._next or Future()
            begins, self._is_reading = not self._is_reading, True
        if begins:
            Thread(target=self._read_all, daemon=True).start()
        return asked

    def _read_all(self) -> None:
        while True:
            with self._lock:
                asked, self._next = self._next, None
                self._is_reading = asked is not None
            if asked is None:
                return
            try:
                asked.set_result(_read_here())
            except BaseException as error:  # noqa: BLE001  who has asked waits for an answer
                asked.set_exception(error)


_readings = _Readings()


def _read_afresh() -> None:
    """In a fork no thread reads what was asked for before."""
    global _readings  # noqa: PLW0603
    _readings = _Readings()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_read_afresh)


def start_reading_place() -> Future[TriggerPlace | None]:
    """Begin to read the current folder's state; the result is None where the folder is gone."""
    return _readings.ask()


def _read_here() -> TriggerPlace | None:
    try:
        folder = Path.cwd()
    except OSError:  # it was deleted
        return None
    with suppress(Exception):  # no run fails because git does
        return TriggerPlace(folder=str(folder), git=read_git(folder))
    return TriggerPlace(folder=str(folder))


def read_git(folder: Path) -> GitState | None:
    """Return the state of a folder under git; None where it is in no repository, or git fails or is slow."""
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    until = time.monotonic() + GIT_PATIENCE
    status = ("status", "--porcelain=v2", "--branch", "--untracked-files=normal", "-z", "--", ".")
    told, _ = _ask(folder, status, until, 4_000_000)
    if told is None:
        return None
    lines = told.split("\0")
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    commit, branch = heads.get("branch.oid"), heads.get("branch.head")
    diff, is_cut = None, False
    if any(line[:2] in {"1 ", "2 ", "u "} for line in lines):
        against = ("HEAD",) if commit != "(initial)" else ("--cached",)
        asked = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", *against, "--", ".")
        diff, is_cut = _ask(folder, asked, until, MOST_DIFF)
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        diff=diff or "",
        is_diff_cut=is_cut,
        untracked=tuple(line[2:] for line in lines if line.startswith("? "))[:MOST_UNTRACKED],
    )


def _ask(folder: Path, arguments: Sequence[str], until: float, most: int) -> tuple[str | None, bool]:
    """Return what git says, and whether that was cut; None where it fails or takes too long."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    command = [*_GIT, *arguments]
    with Popen(command, cwd=folder, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL) as git:  # noqa: S603
        timer = Timer(max(0.0, until - time.monotonic()), git.kill)
        timer.start()
        try:
            said = git.stdout.read(most + 1) if git.stdout else b""
            is_cut = len(said) > most
            if is_cut:
                git.kill()
            code = git.wait()
        finally:
            timer.cancel()
    if code != 0 and not is_cut:
        return None, False
    return said[:most].decode(errors="replace"), is_cut
