"""A notebook that is open in a page of JupyterLab, and what tests do with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import ConsoleMessage, Locator, Page

from browser.console import Console
from browser.lab import Lab

STAND = Path(__file__).with_name("stand.js")
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
KEYS = ("b", "x", "d d", "a", "Enter", "Escape")
FIRST_CELL = "# the first cell"
FRESH: dict[str, object] = {
    "cells": [
        {
            "cell_type": "code",
            "id": "first",
            "source": FIRST_CELL,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
RENEW = """
import os as _os, ipywidgets as _widgets
_os.chdir({folder!r})
_widgets.Widget.close_all()
get_ipython().reset(new_session=False)
"""
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: What JupyterLab itself says when a kernel is restarted.
NOISE = re.compile(r"Could not restore the debugger state|Canceled future for \w+_request message")


class Message(NamedTuple):
    """A comm message: "down" from the kernel or "up" to it, and its bytes without the header."""

    direction: str
    msg_type: str
    comm_id: str
    bytes: int


class Notebook:
    """A notebook with a kernel of its own; nothing is shown but JupyterLab with this one tab."""

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        (lab.root / f"{name}.ipynb").write_text(json.dumps(FRESH), encoding="utf-8")
        self.page = page
        self.errors: list[str] = []
        self._last = 0
        page.on("pageerror", lambda error: self._heard(f"page error: {error.stack or error.message}"))
        page.on("console", self._on_console)
        page.add_init_script(path=STAND)
        # The kernel starts while the page loads.
        session = {"path": f"{name}.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
        assert page.request.post(f"{lab.url}/api/sessions", data=session).ok
        page.goto(f"{lab.url}/lab/tree/{name}.ipynb?reset", wait_until="commit")
        self._ready()
        self._console = Console(lab.runtime / f"kernel-{self._stand('kernelId')}.json")

    def run(self, code: str, timeout: float = 60.0) -> Locator:
        """Run code in a new cell at the end, and return its output area; a traceback is raised."""
        output = self.start(code)
        self.finish(timeout)
        return output

    def start(self, code: str) -> Locator:
        """Do the same without waiting for the cell."""
        self._last = self._stand("start", code)
        return self.output

    def finish(self, timeout: float = 60.0) -> None:
        """Wait for the cell that was started last."""
        failed = self._stand("finish", self._last, timeout=timeout)
        assert not failed, COLOUR.sub("", failed)

    @property
    def output(self) -> Locator:
        """The output area of the cell that was run last."""
        return self.cell(self._last).locator(".jp-OutputArea.jp-Cell-outputArea")

    def cell(self, index: int) -> Locator:
        """Return a cell of the notebook."""
        return self.page.locator(".jp-NotebookPanel .jp-Notebook .jp-Cell").nth(index)

    def cells(self) -> list[str]:
        """Return the sources of all cells of the notebook's model."""
        return self._stand("cells")

    def python(self, expression: str, timeout: float = 60.0) -> Any:
        """Evaluate an expression in the kernel by a second client; it waits for a running cell."""
        return self._console.evaluate(expression, timeout)

    def execute(self, code: str, timeout: float = 60.0) -> None:
        """Run statements in the kernel by a second client; no cell is made and nothing is shown."""
        self._console.execute(code, timeout)

    def messages(self) -> list[Message]:
        """Return the comm messages since the test began, or since the page was loaded."""
        return [Message(*told) for told in self._stand("messages")]

    def forget_messages(self) -> None:
        """Count from here."""
        self._stand("forget")

    def clear_outputs(self) -> None:
        """Clear the outputs of all cells, as the menu does."""
        self._stand("clearOutputs")

    def reload(self) -> None:
        """Save the notebook and load the page again; the kernel lives on."""
        self._stand("save")
        self.page.reload(wait_until="commit")
        self._ready()

    def restart_kernel(self) -> None:
        """Restart the kernel; the outputs stay."""
        self._stand("restart")

    def theme(self, name: str) -> None:
        """Switch JupyterLab to "light", "dark" or a theme by its full name."""
        full = THEMES.get(name, name)
        if self._stand("theme") != full:
            self._stand("setTheme", full)
            self.page.wait_for_function("name => stand.isTheme(name)", arg=full)

    def keys_leave_the_notebook_alone(self, control: Locator, keys: Iterable[str] = KEYS) -> None:
        """Focus a control, press keys, and assert of each that the notebook did not hear it."""
        for key in keys:
            if not control.evaluate("element => element.matches(':focus-within')"):
                control.focus()
            before = self._stand("state")
            for press in key.split():
                self.page.keyboard.press(press)
            after = self._stand("state")
            assert after == before, f"the key {key!r} reached the notebook:\n  {before}\n  {after}"

    def renew(self, folder: Path) -> None:
        """Make all as new for the next test: one cell, no widgets, no names, another working folder."""
        while self.page.locator(".jp-Dialog").count():
            self.page.keyboard.press("Escape")
        self._stand("clear", FIRST_CELL)
        failed = self._stand("aside", RENEW.format(folder=str(folder)))
        assert not failed, failed
        self._last = 0
        self.theme("light")
        self.forget_messages()

    def close(self) -> None:
        """End the kernel and close the page."""
        self._console.close()
        self._stand("shutdown")
        self.page.close()

    def _stand(self, name: str, *arguments: object, timeout: float = 60.0) -> Any:
        return self.page.evaluate("call => stand.call(...call)", [name, arguments, timeout])

    def _ready(self) -> None:
        self.page.wait_for_function("window.jupyterapp && stand.isOpen()")
        self._stand("ready")

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._heard(f"console: {message.text} ({message.location.get('url', '')[:80]})")

    def _heard(self, error: str) -> None:
        if not NOISE.search(error):
            self.errors.append(error)
