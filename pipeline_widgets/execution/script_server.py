"""The worker's server for the scripts that a training starts as programs (`pipeline_widgets.client`).

The worker listens before its job comes; a training without scripts never asks. On Linux the address is an
abstract Unix socket, which leaves no file behind, whatever ends the worker; elsewhere a port of the loopback
interface. Both ask for a key, which only the environment of what the run starts holds.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import socket
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms.context import Start, TrainContext
from pipeline_widgets.client.connection import ABSTRACT, MOST_LINE, TCP, UNIX, VARIABLE, describe_error
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution import processes

_ABSTRACT_SOCKETS = sys.platform.startswith("linux")


class ScriptServer:
    """Listens from now on, and answers while a training is at work.

    Create it before the job comes. It has no thread of its own: to start one takes a fork as long as all else
    here. Whoever waits for the supervisor waits for `listener` as well, and calls `accept`.
    """

    def __init__(self) -> None:
        self._training: tuple[TrainContext, Mapping[str, Any]] | None = None
        self._key = secrets.token_hex(16)
        #: Becomes readable when a script connects.
        self.listener, place = _listen()
        self._address = f"{place} {self._key}"

    @contextmanager
    def answer(self, context: TrainContext, config: Mapping[str, Any]) -> Generator[None]:
        """Answer the scripts that are started within the block; the environment names the run to them.

        Args:
            context: What they see of the run, and what they report to.
            config: The config as plain values, by field.
        """
        self._training = context, config
        os.environ[VARIABLE] = self._address
        try:
            yield
        finally:
            os.environ.pop(VARIABLE, None)
            self._training = None

    def accept(self) -> bool:
        """Accept a connection, and answer it in a thread of its own; False where none can be accepted."""
        try:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._answer, args=(connection,), name="script", daemon=True).start()
        except (OSError, RuntimeError):  # the training has closed all files, or may start no further thread
            return False
        return True

    def accept_all(self) -> None:
        """Accept connections for as long as that is possible."""
        processes.leave_signals_to_training()
        while self.accept():
            pass

    def _answer(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as file, suppress(OSError, ValueError):
            first = json.loads(file.readline(MOST_LINE) or b"{}")
            key = str(first.get("key", "")).encode()
            if (training := self._training) is None or not hmac.compare_digest(key, self._key.encode()):
                return
            script = _Script(*training)
            file.write(b"{}\n")
            file.flush()
            try:
                while (line := file.readline(MOST_LINE)).endswith(b"\n"):
                    file.write(json.dumps(script.answer(json.loads(line))).encode() + b"\n")
                    file.flush()
            finally:
                script.discard()


class _Script:
    """One connection of a script; it has at most one checkpoint open."""

    def __init__(self, context: TrainContext, config: Mapping[str, Any]) -> None:
        self._context, self._config = context, config
        self._open: AbstractContextManager[Path] | None = None

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request; an error is an answer as well."""
        values = {name: value for name, value in asked.items() if name != "request"}
        try:
            match asked.get("request"):
                case "report":
                    return {"value": self._report(**values)}
                case "checkpoint":
                    return {"value": self._begin_checkpoint(**values)}
                case "show":
                    return {"value": self._context.show(**values)}
                case "publish":
                    return {"value": self._publish()}
                case "should_stop":
                    return {"value": self._context.should_stop}
                case "facts":
                    return {"value": self._facts()}
                case _:
                    return describe_error(_unknown(asked.get("request")))
        except BaseException as error:  # noqa: BLE001  it is raised in the script
            return describe_error(error)

    def discard(self) -> None:
        """Drop a checkpoint that the script has not finished."""
        opened, self._open = self._open, None
        if opened is not None:
            gone = ExecutionError("The script has ended within a checkpoint.")
            with suppress(Exception):
                opened.__exit__(type(gone), gone, None)

    def _report(self, step: Any, total: Any, logs: list[Any], metrics: dict[str, Any]) -> None:
        scores = {
            name: metrics.pop(name, None)
            for name in ("training_score", "evaluation_score", "evaluation_spread")
        }
        self._context.report(step, *logs, metrics, total=total, **scores)

    def _begin_checkpoint(self, step: Any, signature: dict[str, Any]) -> str:
        opened = self._context.checkpoint(step, signature=signature)
        folder = opened.__enter__()
        self._open = opened
        return str(folder)

    def _publish(self) -> None:
        opened, self._open = self._open, None
        if opened is None:
            raise ExecutionError("No checkpoint is open on this connection.")
        opened.__exit__(None, None, None)

    def _facts(self) -> dict[str, Any]:
        context = self._context
        return {
            "config": dict(self._config),
            "seed": context.seed,
            "folder": str(context.folder),
            "start": None if context.start is None else _describe_start(context.start),
        }


def _unknown(request: object) -> ExecutionError:
    fix = "Use the same version of pipeline_widgets in the script and in the run."
    return ExecutionError(f"A run knows no request {request!r}.", fix=fix)


def _describe_start(start: Start) -> dict[str, Any]:
    return {
        "path": str(start.path),
        "role": start.role,
        "step": start.step,
        "training_score": start.training_score,
        "evaluation_score": start.evaluation_score,
        "evaluation_spread": start.evaluation_spread,
        "signature": dict(start.signature),
    }


def _listen() -> tuple[socket.socket, str]:
    """Return a socket that listens, and where, as the environment names it."""
    if _ABSTRACT_SOCKETS:
        name = f"pipeline-widgets-{secrets.token_hex(8)}"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"\0{name}")
        listener.listen()
        return listener, f"{UNIX} {ABSTRACT}{name}"
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, f"{TCP} 127.0.0.1:{listener.getsockname()[1]}"
