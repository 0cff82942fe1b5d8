"""What a cell prints when it meets one of our errors."""

from __future__ import annotations

import io
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import pipeline_widgets as pw
from pipeline_widgets.errors import PipelineError


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """IPython, as a kernel has it."""
    made = InteractiveShell.instance()
    made.user_ns["pw"] = pw
    yield made
    InteractiveShell.clear_instance()


def printed(shell: InteractiveShell, cell: str) -> str:
    """Return what a cell prints, without colours."""
    out = io.StringIO()
    with redirect_stdout(out):
        shell.run_cell(cell, store_history=True)
    return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())


@pytest.mark.spec("10.6")
def test_a_mistake_prints_its_sentences_and_the_line_of_the_cell(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    """Not one frame of this package is between the user's line and what is wrong with it."""
    cell = f"ws = pw.Workspace({str(tmp_path / 'lab.db')!r})\nproject = ws.create_project('')\nws.close()"
    said = printed(shell, cell)

    assert re.match(
        r"Cell In\[1\], line 2\n----> project = ws\.create_project\(''\)\n\nConfigError: .*\n", said
    )
    assert "pipeline_widgets/" not in said
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 7


@pytest.mark.spec("10.6")
def test_functions_of_the_user_are_named(shell: InteractiveShell) -> None:
    """All frames up to ours are shown, outermost first."""
    said = printed(
        shell, "def refuse():\n    raise pw.PipelineError('It is so.', 'Because.', 'Do that.')\nrefuse()"
    )

    assert said == (
        "Cell In[1], line 3\n----> refuse()\n\nCell In[1], line 2, in refuse\n"
        "----> raise pw.PipelineError('It is so.', 'Because.', 'Do that.')\n\n"
        "PipelineError: It is so.\nBecause.\nDo that.\n"
    )


@pytest.mark.spec("10.6")
def test_the_whole_traceback_stays_within_reach(shell: InteractiveShell, tmp_path: Path) -> None:
    """Verbose mode prints it, and so does Python's own module, from `sys.last_value`."""
    cell = f"ws = pw.Workspace({str(tmp_path / 'lab.db')!r})\nws.create_project('')"
    shell.run_line_magic("xmode", "Verbose")
    try:
        said = printed(shell, cell)
    finally:
        shell.run_line_magic("xmode", "Context")
    assert "pipeline_widgets/" in said
    printed(shell, cell)
    assert "pipeline_widgets/" in "".join(traceback.format_exception(sys.last_value))
    printed(shell, "ws.close()")


def test_without_ipython_the_sentences_are_there_as_well() -> None:
    """What an error was never raised with is no reason to fail."""
    error = PipelineError("It is so.", fix="Do that.")
    assert error._render_traceback_()[-2:] == ["\x1b[0;31mPipelineError\x1b[0m: It is so.", "Do that."]
