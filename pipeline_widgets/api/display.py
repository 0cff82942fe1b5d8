"""Show a handle as the last line of a cell: its live widget, or text where there is no notebook."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from pipeline_widgets.cell_tracebacks import find_shell
from pipeline_widgets.errors import ExecutionError, StorageError


class Shown(Protocol):
    """A view, as far as displaying it goes."""

    def _ipython_display_(self) -> None: ...


class ShowsView:
    """Shows its view as the last line of a cell, in Jupyter and in marimo."""

    def view(self) -> Any:
        """Return a new view. For subclasses."""
        raise NotImplementedError

    def _ipython_display_(self) -> None:
        show(self.view)

    def _display_(self) -> object:
        """Return the view for marimo, or text where the packages of the widgets are missing."""
        try:
            return self.view()
        except ExecutionError:
            return repr(self)


def show(view: Callable[[], Shown]) -> None:
    """Show a new view.

    Args:
        view: Makes the view; called only where there is a notebook.

    Raises:
        NotImplementedError: There is no notebook, or not what one needs: IPython then shows the text.
    """
    if not _in_notebook():
        raise NotImplementedError
    try:
        made = view()
    except ExecutionError as error:
        raise NotImplementedError from error
    made._ipython_display_()  # pyright: ignore[reportPrivateUsage]  IPython's name


@contextmanager
def needs_widgets() -> Generator[None]:
    """Say what to install where the packages of the widgets are missing."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").startswith("pipeline_widgets"):
            raise
        why = f"It needs {error.name or 'packages that are not installed'}, which cannot be imported."
        fix = "Install them with: pip install 'pipeline-widgets[lab]'."
        raise ExecutionError("The live view cannot be shown here.", why, fix) from error


def write(path: Path, text: str) -> Path:
    """Write a file at once: a reader sees the former one or the new one, and never half of it.

    Args:
        path: The file; `~` is the home folder.
        text: What it shall hold, written as UTF-8.

    Raises:
        StorageError: There is no such folder, or it cannot be written.
    """
    path = path.expanduser()
    if path.is_dir():
        raise StorageError(f"{path} cannot be written.", "It is a folder.", "Add a name, as in chain.html.")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        fix = "Choose another file, in a folder that is there and that you may write to."
        raise StorageError(f"{path} cannot be written.", f"{error.strerror}.", fix) from error
    return path


def _in_notebook() -> bool:
    """Return whether a kernel runs this, rather than a script or IPython in a terminal."""
    return getattr(find_shell(), "kernel", None) is not None
