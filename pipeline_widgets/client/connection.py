"""The line from a script to its run: a JSON object a line, and an answer to each."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any

from pipeline_widgets import errors
from pipeline_widgets.algorithms.scalars import to_scalar
from pipeline_widgets.domain.training import StopTraining
from pipeline_widgets.errors import ExecutionError, PipelineError, format_value

#: The environment variable that names the run: kind of address, address and key, with spaces between.
VARIABLE = "PIPELINE_WIDGETS_RUN"
UNIX, TCP = "unix", "tcp"
#: Stands for the zero byte with which a name begins that belongs to no file (Linux).
ABSTRACT = "@"
CONNECT_WITHIN = 10.0  # seconds
MOST_LINE = 16 << 20  # bytes of a message


class Connection:
    """A connection of this process to the run that has started it.

    Args:
        address: The value of the environment variable.

    Raises:
        ExecutionError: The run cannot be reached.
    """

    def __init__(self, address: str) -> None:
        try:
            kind, place, key = address.split(" ")
            self._socket = _connect(kind, place)
        except (OSError, ValueError) as error:
            fix = f"Start the script by its run, or unset {VARIABLE} to use it outside of any."
            raise ExecutionError("The run of this script cannot be reached.", f"{error}.", fix) from error
        self._file = self._socket.makefile("rwb")
        self.ask("open", key=key)

    def ask(self, request: str, **values: Any) -> Any:
        """Send a request, and return what the run answers.

        Raises:
            StopTraining: A stop was asked for.
            PipelineError: The same error that a train function would see.
            ExecutionError: The run has ended.
        """
        line = json.dumps({"request": request, **values}, default=_to_json).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            answer = self._file.readline(MOST_LINE)
        except OSError as error:
            raise _end() from error
        if not answer.endswith(b"\n"):
            raise _end()
        return _read_answer(json.loads(answer))

    def close(self) -> None:
        """Close the connection; a checkpoint that is open is not kept."""
        self._file.close()
        self._socket.close()


def describe_error(error: BaseException) -> dict[str, Any]:
    """Return an error as the answer that makes the script raise the same."""
    if isinstance(error, StopTraining):
        return {"stop": True}
    if isinstance(error, PipelineError):
        told = {"what": error.what, "why": error.why, "fix": error.fix, "code": error.code}
        return {"error": {"class": type(error).__name__, **told}}
    what = f"The run could not do that: {type(error).__name__}: {error}."
    return {"error": {"class": "ExecutionError", "what": what, "why": "", "fix": "", "code": ""}}


def _read_answer(answer: Mapping[str, Any]) -> Any:
    if answer.get("stop"):
        raise StopTraining
    if (told := answer.get("error")) is not None:
        kind: Any = getattr(errors, told["class"], ExecutionError)
        raise kind(told["what"], told["why"], told["fix"], code=told["code"])
    return answer.get("value")


def _connect(kind: str, place: str) -> socket.socket:
    if kind == UNIX:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(CONNECT_WITHIN)
        made.connect(f"\0{place[1:]}" if place.startswith(ABSTRACT) else place)
    else:
        host, _, port = place.rpartition(":")
        made = socket.create_connection((host, int(port)), CONNECT_WITHIN)
    made.settimeout(None)  # saving a checkpoint takes its time
    return made


def _to_json(value: object) -> Any:
    """Return a number of another library as Python's own, and anything else as what the error shows of it."""
    scalar = to_scalar(value)
    return scalar if isinstance(scalar, (bool, int, float, str)) else format_value(value)


def _end() -> ExecutionError:
    return ExecutionError(
        "The run of this script has ended.", "It no longer answers.", "End the script as well."
    )
