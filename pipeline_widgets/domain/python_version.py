"""Code that is kept by value is byte code: only the Python version that made it can run it."""

from __future__ import annotations

import sys

#: The Python that runs this process, such as "cpython 3.11".
HERE = f"{sys.implementation.name} {sys.version_info[0]}.{sys.version_info[1]}"


def foreign_reason(python: str | None, here: str = HERE, *, host: str = "") -> str | None:
    """Return why code of one Python cannot run under another, as a sentence; None where it can.

    Args:
        python: The Python under which it was defined; None for code that is imported, which any can run,
            and for what former versions kept, of which it is not known.
        here: The Python that would run it.
        host: The machine that has it, where the sentence is read on another one.
    """
    if python is None or python == here:
        return None
    where = f" on {host}" if host else ""
    return f"It was defined under {_name(python)}; this is {_name(here)}{where}."


def foreign_fix(python: str | None, decorator: str = "@pw.algorithm") -> str:
    """Return the advice for code of another Python."""
    return f"Define it again with {decorator}, or use {_name(python or HERE)}."


def _name(python: str) -> str:
    implementation, _, version = python.partition(" ")
    return f"{'Python' if implementation == 'cpython' else implementation} {version}"
