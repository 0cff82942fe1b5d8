"""The variables of the processes that are launched. Nothing dear is imported: forked jobs begin here."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

TOKEN_LENGTH = 32  # hexadecimal digits, as the column of a row has
LAUNCH, URL = "PIPELINE_WIDGETS_LAUNCH", "PIPELINE_WIDGETS_URL"
#: Names the workspace that a process may trust which a launcher has started on another machine.
LAUNCHED_FOR = "PIPELINE_WIDGETS_LAUNCHED_FOR"
#: How workers are started, where that is not the fastest way.
START_METHOD = "PIPELINE_WIDGETS_START_METHOD"
#: A job, and where the launch server of its host prints to: its launcher lets its process outlive the login.
SERVER_LOG = "PIPELINE_WIDGETS_SERVER_LOG"
#: The algorithm of a job, whose libraries a launch server of its host may have imported.
LIBRARIES = "PIPELINE_WIDGETS_LIBRARIES"


def new_launch() -> str:
    """Return the number of a new launch."""
    return os.urandom(16).hex()


def token_of(launch: str) -> str:
    """Return the token under which the process with this launch number holds its run."""
    return hashlib.sha256(f"launch {launch}".encode()).hexdigest()[:TOKEN_LENGTH]


def find_server_log(environment: Mapping[str, str]) -> str | None:
    """Return where the launch server of a job's host prints to; None where a process is no such job.

    What the job starts has the variable as well, and another number: it is no job of that launcher.
    """
    job, _, path = environment.get(SERVER_LOG, "").partition(":")
    return path if path and job == token_of(environment.get(LAUNCH, "")) else None
