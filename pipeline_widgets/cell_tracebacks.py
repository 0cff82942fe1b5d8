"""Tracebacks of our errors in a notebook: their sentences, and the line of the user's code.

IPython asks an exception for `_render_traceback_`. Frames of this package explain nothing to who has made a
mistake; `%xmode Verbose` prints them again, and `traceback.print_exception(sys.last_value)` always does.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

_PACKAGE = str(Path(__file__).parent)
_RED, _GREEN, _PLAIN = "\x1b[0;31m", "\x1b[0;32m", "\x1b[0m"


def render(error: BaseException, *sentences: str) -> list[str]:
    """Return the lines that IPython prints for an error.

    Args:
        error: The error, with its traceback.
        sentences: What it says, one line each; empty ones are left out.

    Returns:
        The user's own frames, outermost first, and then the sentences; the whole traceback in IPython's
        Verbose mode.
    """
    shell = find_shell()
    if shell is not None and shell.InteractiveTB.mode == "Verbose":
        whole: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, error.__traceback__)
        return whole
    first, *others = [sentence for sentence in sentences if sentence] or [""]
    frames = [line for frame in _frames_of_the_user(error) for line in _show_frame(frame, shell)]
    return [*frames, f"{_RED}{type(error).__name__}{_PLAIN}: {first}", *others]


def _frames_of_the_user(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the frames between IPython's and the first one of this package."""
    frames = list(traceback.extract_tb(error.__traceback__))
    ours = next((at for at, frame in enumerate(frames) if _is_in(frame, _PACKAGE)), len(frames))
    ipython = str(Path(sys.modules["IPython"].__file__ or "").parent) if "IPython" in sys.modules else "\0"
    return [frame for frame in frames[:ours] if not _is_in(frame, ipython)]


def _is_in(frame: traceback.FrameSummary, folder: str) -> bool:
    return Path(folder) in Path(frame.filename).parents


def _show_frame(frame: traceback.FrameSummary, shell: Any) -> list[str]:
    named = shell.compile.format_code_name(frame.filename) if shell is not None else None
    where = " ".join(named) if named else frame.filename
    within = "" if frame.name == "<module>" else f", in {frame.name}"
    return [f"{_GREEN}{where}, line {frame.lineno}{within}{_PLAIN}", f"----> {frame.line}", ""]


def find_shell() -> Any:
    """Return IPython's shell; None outside of it. Nothing is imported for that."""
    module = sys.modules.get("IPython.core.getipython")
    return module.get_ipython() if module is not None else None
