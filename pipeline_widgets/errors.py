"""Every error that a user can meet, as one tree.

* PipelineError
  x NotFoundError          + AlgorithmNotFoundError  + EvaluatorNotFoundError
  x ConflictError          + NameTakenError  + StaleWriteError
  x RuleError              + OrderError  + TriggerError  + TransitionError  + DoesNotFitError
                           + NoCheckpointError  + ClassicProjectError  + ForeignError  + InUseError
                           + UntrustedError
  x ConfigError            + FilterError
  x CheckpointError        + HandoverError
  x StorageError           + DataRefusedError
  x ExecutionError         + FencedError  + WaitTimeoutError
"""

from __future__ import annotations

from pipeline_widgets.cell_tracebacks import render
from pipeline_widgets.directions import with_quotes_isolated

LONGEST = 60  # letters of a value that an error shows


class PipelineError(Exception):
    """Something that the user asked for cannot be done.

    Args:
        what: What went wrong, one sentence.
        why: Why, one sentence; empty where `what` says it.
        fix: What to do about it, one sentence.
        code: Tells a program which case of its class it is, where there are several.

    Catch this class to catch everything that the package raises on purpose::

        try:
            stage.trigger()
        except pw.PipelineError as error:
            print(error.what, error.fix)
    """

    def __init__(self, what: str, why: str = "", fix: str = "", *, code: str = "") -> None:
        what, why, fix = map(with_quotes_isolated, (what, why, fix))
        super().__init__(what, why, fix)
        self.what = what
        self.why = why
        self.fix = fix
        self.code = code

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.why, self.fix) if part)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython prints instead of a traceback through this package."""
        return render(self, self.what, self.why, self.fix)


class NotFoundError(PipelineError):
    """A name or an id that the workspace does not hold."""


class AlgorithmNotFoundError(NotFoundError):
    """No algorithm of that name is registered here, or its code can no longer be loaded."""


class EvaluatorNotFoundError(NotFoundError):
    """No evaluator of that name is registered here, or its code can no longer be loaded."""


class ConflictError(PipelineError):
    """Somebody else was there first."""


class NameTakenError(ConflictError):
    """A name that has to be unique is in use."""


class StaleWriteError(ConflictError):
    """An edit was based on an old view (spec 5.13)."""


class RuleError(PipelineError):
    """The request breaks a rule of the chain."""


class OrderError(RuleError):
    """The stages would stand in an order that cannot work (spec 5.1, 5.3)."""


class TriggerError(RuleError):
    """The stage cannot be triggered now (spec 6.1)."""


class TransitionError(RuleError):
    """A run cannot go from its status to that one."""


class DoesNotFitError(RuleError):
    """An algorithm cannot start from what the source stage produces (spec 7.2)."""


class NoCheckpointError(RuleError):
    """There is no checkpoint to start from or to deploy."""


class ClassicProjectError(RuleError):
    """A classic project cannot hold pipelines (spec 2.2)."""


class ForeignError(RuleError):
    """An object of another project or workspace was passed (spec 5.11)."""


class InUseError(RuleError):
    """Something is still used, so it cannot be changed or deleted."""


class UntrustedError(RuleError):
    """The workspace is open for reading only, since this user has neither made nor trusted it."""


class ConfigError(PipelineError):
    """A config that the algorithm's config model refuses (spec 7.4)."""


class FilterError(ConfigError):
    """A filter that cannot be read; `column` says where, counted from 1, and 0 where it is not known."""

    def __init__(self, what: str, why: str = "", fix: str = "", *, code: str = "", column: int = 0) -> None:
        super().__init__(what, why, fix, code=code)
        self.column = column


class CheckpointError(PipelineError):
    """A checkpoint's files are missing or are not what was saved."""


class HandoverError(CheckpointError):
    """A start checkpoint does not score what it scored when it was saved (spec 7.6)."""


class StorageError(PipelineError):
    """The database or the artifact folder cannot be read or written."""


class DataRefusedError(StorageError):
    """A value that the database can never take; trying again does not help."""


class ExecutionError(PipelineError):
    """A run could not be carried out or observed."""


class FencedError(ExecutionError):
    """A process that was given up came back; what it writes does not count (spec 6.9)."""


class WaitTimeoutError(ExecutionError, TimeoutError):
    """Waiting took longer than asked for; the runs go on."""


def format_value(value: object) -> str:
    """Return a value as an error shows it: in one short line, whatever it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or what holds one
        text = f"<{type(value).__name__}, too long to show>"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def format_error(error: Exception) -> str:
    """Return the sentences of one of our errors, and the type and the words of any other."""
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}."
