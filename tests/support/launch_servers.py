"""Launch servers in tests: none by default, and one for every workspace where the session asks for it.

    PIPELINE_WIDGETS_TEST_WARM=COUNTS pytest tests/execution

lets every supervisor of a workspace be forked from a launch server that is there already. COUNTS is a file
that gets a line for each supervisor: whether it was forked.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pipeline_widgets.execution import interpreter, launch_client, launch_place
from pipeline_widgets.execution.launchers import LaunchedJob, LaunchRequest
from pipeline_widgets.execution.launchers.local import LocalLauncher

if TYPE_CHECKING:
    from benches import Bench

WARM = "PIPELINE_WIDGETS_TEST_WARM"
PYTHON = sys.executable
READY_WITHIN = 60.0


def turn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test have launch servers, and none of another test count as silent."""
    monkeypatch.setenv(launch_place.VARIABLE, "5")
    monkeypatch.delenv(WARM, raising=False)
    monkeypatch.setattr(launch_client, "_silent", {})


def log_of(bench: Bench) -> Path:
    """Return where the launch servers of a workspace write to."""
    return Path(bench.ws.artifacts) / "launch-server.log"


def start(log: Path, **variables: str) -> launch_place.LaunchPlace:
    """Start a launch server, wait until it is ready, and return where it is."""
    environment = interpreter.environment(**variables)
    place = launch_place.find_place(environment, log)
    assert place is not None
    server = launch_client.start_server(place, environment, begin_after=0.0)
    if server is not None:
        LocalLauncher._started[server.pid] = server  # it is reaped with the others
    until = time.monotonic() + READY_WITHIN
    while not is_ready(place):
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.01)
    return place


def is_ready(place: launch_place.LaunchPlace) -> bool:
    """Whether a launch server listens, or has done so until it was killed."""
    return place.lock.exists() and place.lock.read_bytes().startswith(launch_client.READY)


def servers(log: Path) -> list[psutil.Process]:
    """Return the launch servers of a workspace that live, by the log that they write to."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line: list[str] = process.info["cmdline"] or []
        if "launch-server" in line and str(log) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def end(log: Path) -> None:
    """End the launch servers of a workspace."""
    for process in servers(log):
        with suppress(psutil.Error):
            process.kill()
            process.wait(10)


@pytest.fixture(autouse=True)
def warm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let supervisors be forked from a launch server that is warm, where the session asks for that."""
    counts = os.environ.get(WARM)
    if counts is None:
        yield
        return
    monkeypatch.setenv(launch_place.VARIABLE, "1")
    submit, logs = LocalLauncher.submit, set[Path]()

    def submit_warm(launcher: LocalLauncher, request: LaunchRequest) -> LaunchedJob:
        log = request.server_log
        environment = interpreter.environment(**request.environment)
        if sys.executable != PYTHON:  # a test counts what its own interpreter is started for
            with monkeypatch.context() as patched:
                patched.setenv(launch_place.VARIABLE, "off")
                return submit(launcher, request)
        if log is None or launch_place.find_place(environment, log) is None:
            return submit(launcher, request)
        logs.add(log)
        with suppress(AssertionError, OSError):  # it ends at once where the workspace is gone
            start(log, **request.environment)
        job = submit(launcher, request)
        assert job.process is not None
        forked = isinstance(LocalLauncher._started[job.process.pid], launch_client.ForkedProcess)
        with Path(counts).open("a") as file:
            file.write("forked\n" if forked else "started\n")
        return job

    monkeypatch.setattr(LocalLauncher, "submit", submit_warm)
    yield
    for log in logs:
        end(log)
