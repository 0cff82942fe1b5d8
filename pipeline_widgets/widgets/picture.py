"""The picture that stays in a notebook when the kernel of a live view is gone (spec 4.7).

JupyterLab shows "model not found" for a widget whose kernel is gone, whatever else its output holds. So the
picture is an output of its own, after that of the view. The view hides it for as long as it is alive; the
picture's style hides an output of the view in which none has come up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from uuid import uuid4

from IPython.core.getipython import get_ipython
from IPython.display import display

from pipeline_widgets.widgets.assets import STATIC

METADATA = "pipeline_widgets"  # the key of ours in the metadata of an output


class Picture:
    """An output that is drawn again when what it shows has changed.

    Args:
        html: Returns what it shows.
        text: Returns the same where there is only text.
    """

    def __init__(self, html: Callable[[], str], text: Callable[[], str]) -> None:
        self.id = uuid4().hex
        self._html, self._text = html, text
        self._there = False
        #: How often it was drawn, so that a page can tell whether it has the latest one.
        self.drawn = 0

    def show(self) -> None:
        """Put it into the notebook."""
        self._display()
        self._there = True

    def renew(self) -> None:
        """Draw it again, wherever it is."""
        if self._there and get_ipython() is not None:
            self._display(update=True)

    def _display(self, *, update: bool = False) -> None:
        """Send it, with metadata by which the browser finds it in a notebook that was loaded again."""
        self.drawn += 1
        metadata = {METADATA: {"picture": self.id, "drawn": self.drawn}}
        display(self._data(), raw=True, metadata=metadata, display_id=self.id, update=update)

    def _data(self) -> dict[str, str]:
        html = f'<div data-pw-picture="{self.id}"><style>\n{_style()}</style>\n{self._html()}</div>'
        return {"text/html": html, "text/plain": self._text()}


@cache
def _style() -> str:
    """It comes up late, so that it does not flash where the view is about to hide it."""
    return (STATIC / "picture.css").read_text(encoding="utf-8")
