"""The entry point of a job of Ray: it becomes the launched process, in the environment that this needs.

Imports little: it is on the way from a trigger to a run that trains.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

#: Metadata of a job: its environment as JSON, or the file that has it.
ENVIRONMENT, ENVIRONMENT_FILE = "pipeline_widgets", "pipeline_widgets_file"
OURS, LAUNCH = "PIPELINE_WIDGETS_", "PIPELINE_WIDGETS_LAUNCH"
JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"
LEFTOVER_GRACE = 10.0  # seconds within which the leftovers of a job have to be gone
POLL = 0.5


def main() -> None:
    """Become `python -P -m pipeline_widgets ARGUMENTS`."""
    try:
        environment = _read_environment()
    except (OSError, ValueError, LookupError) as error:
        raise SystemExit(f"This job cannot start on {socket.gethostname()}. {error}") from error
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]  # of the run in which somebody has started this node
    os.environ.update(environment)
    if os.environ.get("PYTHONBREAKPOINT", "").startswith("ray."):
        del os.environ["PYTHONBREAKPOINT"]  # would wait for a client that nobody starts
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, [])  # Ray blocks some in its own processes
    if hasattr(os, "fork"):
        _leave_guard(os.environ.get(LAUNCH, ""))
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pipeline_widgets", *sys.argv[1:]])  # noqa: S606  our own module


def _read_environment() -> dict[str, str]:
    """Return the variables that came with the job, and delete the file that had them."""
    metadata: dict[str, Any] = json.loads(os.environ[JOB_CONFIG])["metadata"]
    if ENVIRONMENT_FILE not in metadata:
        return dict(json.loads(metadata[ENVIRONMENT]))
    path = Path(metadata[ENVIRONMENT_FILE])
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise OSError(
            f"The URL of its workspace has a password, which Ray would show to everybody. So it was written "
            f"to {path}, which cannot be read here: {error.strerror}. Share that folder with the cluster, "
            f"or leave the password out of the URL: libpq reads it from ~/.pgpass, or from the file that "
            f"PGPASSFILE names, of the user that runs Ray."
        ) from error
    with suppress(OSError):
        path.unlink()
    return found


def _leave_guard(launch: str) -> None:
    """Leave a process behind that ends what is left of the launch when this process has ended.

    Ray kills the processes that it sees below a job at one moment, or only its process group; whatever these
    have started in sessions of their own would go on. The guard is in neither.
    """
    watched = os.getpid()
    if (child := os.fork()) != 0:
        os.waitpid(child, 0)
        return
    try:
        if os.fork() == 0:
            os.setsid()
            os.chdir("/")
            quiet = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(quiet, number)
            _await_end(watched)
            _end_leftovers(launch)
    finally:
        os._exit(0)


def _await_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):  # no Linux, an old one, or it has ended already
        from pipeline_widgets.execution import processes  # noqa: PLC0415  only here

        watched = processes.identify(pid)
        while processes.probe(watched) is not processes.ProcessState.GONE:
            time.sleep(POLL)
        return
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.poll()


def _end_leftovers(launch: str) -> None:
    import psutil  # noqa: PLC0415  not on the way to a run

    from pipeline_widgets.execution import ownership, processes  # noqa: PLC0415  as above

    if launch:
        processes.kill_all(
            lambda: {pid for pid in psutil.pids() if ownership.launch_of(pid) == launch} - {os.getpid()},
            LEFTOVER_GRACE,
        )


if __name__ == "__main__":
    main()
