"""The messages of a worker to its supervisor: metrics, checkpoints, scores, the outcome; and those back."""

from __future__ import annotations

import pickle
from multiprocessing.connection import Connection

from pipeline_widgets.domain.job import Outcome, Report
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.preloading import ImportedModules

#: The message to a worker once its run is Running in the database: train.
GO = "go"
#: The message to a worker when a stop was requested.
STOP = "stop"
LONGEST_MESSAGE = 64 << 20  # bytes; four characters of text, read as a length, are far more


def read_message(line: Connection) -> Outcome | Report | ImportedModules:
    """Return the next message of a worker.

    Args:
        line: The supervisor's end of the pipe.

    Raises:
        EOFError: The worker has ended.
        OSError: The worker has ended within a message.
        ExecutionError: The training wrote other bytes into the pipe.
    """
    try:
        data = line.recv_bytes(LONGEST_MESSAGE)
    except OSError as error:
        if line.closed or not line.readable:  # by an impossible length
            raise _overwritten(error) from error
        raise
    try:
        message: object = pickle.loads(data)  # noqa: S301  a worker runs user code as this user anyway
    except Exception as error:
        raise _overwritten(error) from error
    if not isinstance(message, Outcome | Report | ImportedModules):
        raise _overwritten(TypeError(type(message).__name__))
    return message


def _overwritten(error: Exception) -> ExecutionError:
    what = (
        "The training wrote into file descriptors that are not its own, so that what it told cannot be read"
    )
    fix = "Let it write to files that it has opened itself."
    return ExecutionError(f"{what} ({type(error).__name__}: {error}).", fix=fix)
