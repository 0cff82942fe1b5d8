"""Ask a version of an agent in a process of its own.

The checkpoints of libraries hold pickles, and opening one runs what it says: that happens in this process, as
it does in a worker and in an endpoint, and not in the kernel, which need not import the library either.
Questions and answers are lines of JSON, so that nothing of it is unpickled on the way back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle
from typing import IO, Any

from pipeline_widgets import errors
from pipeline_widgets.algorithms import registry
from pipeline_widgets.domain.agent import AgentVersion
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.errors import ExecutionError, PipelineError, format_value
from pipeline_widgets.execution import interpreter
from pipeline_widgets.execution.processes import describe_exit
from pipeline_widgets.execution.variables import URL
from pipeline_widgets.persistence.artifact_store import ArtifactStore
from pipeline_widgets.persistence.trust import FOLDER_VARIABLE, user_data_folder
from pipeline_widgets.serving.payload import encode_json
from pipeline_widgets.serving.predictors import open_predictor

END_WITHIN = 5.0  # seconds for a process whose pipe was closed
SHOWN = 2_000  # characters of the end of its output that an error shows


def open_answerer(
    url: str, version: AgentVersion, reference: AlgorithmReference, store: ArtifactStore
) -> Callable[[Any], Any]:
    """Return a function that answers for a version: here, or by a process if its algorithm needs a library.

    Args:
        url: The workspace.
        version: The version.
        reference: Where the code of its algorithm is.
        store: The artifacts of the workspace.

    Raises:
        AlgorithmNotFoundError: The algorithm's code or its library is gone, or it declares no predictor.
        CheckpointError: The frozen copy is missing or corrupt.
    """
    algorithm = registry.load(reference)
    if not algorithm.requires:
        return open_predictor(version, reference, store)
    algorithm.check_installed()
    return PredictorProcess(url, version.id)


class PredictorProcess:
    """A process that has opened a version, and the next one where that has ended.

    It ends with this object, and with the process that has made it.

    Args:
        url: The workspace.
        version_id: The version.
        load_within: Seconds within which the version has to be open; by default as long as it takes.
        answer_within: Seconds within which an answer has to come; by default as long as it takes.

    Raises:
        PipelineError: The version cannot be opened.
    """

    def __init__(
        self,
        url: str,
        version_id: int,
        *,
        load_within: float | None = None,
        answer_within: float | None = None,
    ) -> None:
        self._url, self._version_id = url, version_id
        self._load_within, self._answer_within = load_within, answer_within
        self._start()

    def __call__(self, x: Any) -> Any:
        """Answer, with arrays as lists.

        Raises:
            PipelineError: The agent refuses `x`, or its process has ended meanwhile.
        """
        try:
            question = encode_json(x)
        except ValueError as error:
            what = f"The agent cannot be called with {format_value(x)}."
            fix = "Use numbers, lists, arrays or a text."
            raise errors.ConfigError(what, f"{error}.", fix) from error
        if self._process.poll() is not None:
            self.close()
            self._start()
        return self._ask(question, self._answer_within)

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stdout.close()
        self._said.close()

    def __del__(self) -> None:
        """End the process with the last handle."""
        if hasattr(self, "_process"):
            with suppress(Exception):
                self.close()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None  # noqa: S101  Popen was asked for it
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None  # noqa: S101  Popen was asked for it
        return self._process.stdout

    def _start(self) -> None:
        variables = {URL: self._url, FOLDER_VARIABLE: str(user_data_folder())}
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                interpreter.command(["answer", str(self._version_id)]),
                env=interpreter.environment(**variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                start_new_session=True,  # an interrupted cell must not end it between two answers
            )
        except OSError as error:
            fix = "Check the memory and the number of processes, then try again."
            raise ExecutionError("No process could be started.", f"{error}.", fix) from error
        self._ask(b"", self._load_within)

    def _ask(self, question: bytes, within: float | None) -> Any:
        with self._ended_after(within) as is_late:
            try:
                self._stdin.write(question + b"\n")
                self._stdin.flush()
                line = self._stdout.readline()
            except OSError:
                line = b""
            except BaseException:  # an interrupt: its answer would be taken for that of the next question
                self._process.kill()
                self._process.wait()
                raise
        if not line and is_late.is_set():
            what = f"The agent did not answer within {within:g} s."
            fix = "Ask for less, or declare more with answer_within= or load_within=, and train again."
            raise ExecutionError(what, "Its process was ended.", fix)
        if not line:
            raise self._exit_error()
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise _error_of(said["error"])
        return said["answer"]

    @contextmanager
    def _ended_after(self, seconds: float | None) -> Generator[threading.Event]:
        """End the process where what is done meanwhile takes longer; the event says that it did."""
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self._process.kill()

        timer = None if seconds is None else threading.Timer(seconds, end)
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield is_late
        finally:
            if timer is not None:
                timer.cancel()

    def _exit_error(self) -> ExecutionError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_WITHIN)
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace")[-SHOWN:].strip()
        how = describe_exit(self._process.returncode)
        why = f"{how} It said:\n{said}\n" if said else how
        return ExecutionError("The process that answers for the agent has ended.", why, "Try again.")


def answer_questions(version: AgentVersion, reference: AlgorithmReference, store: ArtifactStore) -> None:
    """Answer the lines of the standard input until it ends: the child's side of the pipe.

    The first answer says whether the version could be opened; where not, there is no second one.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the user's code prints is no answer
    questions = iter(sys.stdin.buffer.readline, b"")
    predictors: list[Callable[[Any], Any]] = []
    next(questions, None)
    _say(answers, lambda: predictors.append(open_predictor(version, reference, store)))
    for predict, question in zip(cycle(predictors), questions, strict=False):
        _say(answers, partial(predict, json.loads(question)))


def _say(answers: IO[bytes], answer: Callable[[], Any]) -> None:
    try:
        line = encode_json({"answer": answer()})
    except Exception as error:  # noqa: BLE001  the user's code answers
        line = json.dumps({"error": _describe(error)}).encode()
    answers.write(line + b"\n")
    answers.flush()


def _describe(error: Exception) -> dict[str, str]:
    if isinstance(error, PipelineError):
        return {"type": type(error).__name__, "what": error.what, "why": error.why, "fix": error.fix}
    return {"type": "", "what": "The agent's code failed.", "why": errors.format_error(error), "fix": ""}


def _error_of(said: dict[str, str]) -> PipelineError:
    kind: object = getattr(errors, said["type"], None)
    made = kind if isinstance(kind, type) and issubclass(kind, PipelineError) else ExecutionError
    return made(said["what"], said["why"], said["fix"])
