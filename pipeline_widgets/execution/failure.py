"""The record that a worker makes of an error which the user's code has raised."""

from __future__ import annotations

import linecache
import site
import sysconfig
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import cast

from pipeline_widgets.domain.failure import Failure, TracedCall, find_users_call, make_failure


def record_failure(raised: BaseException) -> Failure | None:
    """Return the message of an error and the user's own line, with its text as it is now.

    None where the error cannot be told, as where it fails to describe itself.
    """
    try:
        error = _find_only_error(raised)
        calls = _list_calls(error)
        # Cells have no file; their text is in the cache, and only there.
        written = [call.file for call in calls if call.file.startswith("<") and linecache.getlines(call.file)]
        call = find_users_call(calls, _find_installed_folders(), written)
        return make_failure(_describe(error), call, linecache.getlines(call.file) if call else ())
    except Exception:  # noqa: BLE001  the user's code may do anything there, and memory may be short
        return None


def _find_only_error(raised: BaseException) -> BaseException:
    """Return the one error that task groups of asyncio have wrapped, or the group of several."""
    found = raised
    while isinstance(found, BaseExceptionGroup):
        inner = cast("Sequence[BaseException]", found.exceptions)  # pyright: ignore[reportUnknownMemberType]
        if len(inner) != 1:
            break
        found = inner[0]
    return cast("BaseException", found)


def _list_calls(error: BaseException) -> Sequence[TracedCall]:
    frames = traceback.extract_tb(error.__traceback__)
    calls = [
        TracedCall(file=each.filename, line=each.lineno or 1, end_line=each.end_lineno, function=each.name)
        for each in frames
    ]
    if isinstance(error, SyntaxError) and error.filename and error.lineno:  # a module that was imported
        calls.append(TracedCall(file=error.filename, line=error.lineno, function=""))
    return calls


def _describe(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    return "".join(traceback.format_exception_only(error))


@cache
def _find_installed_folders() -> tuple[str, ...]:
    """Return where Python, installed packages and this package are."""
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [*site.getsitepackages(), site.getusersitepackages()]
    return (*dict.fromkeys(found), str(Path(__file__).parent.parent))
