"""The base of all views: commands come up as messages of their own, and only changes go down."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import anywidget
import ipywidgets
import traitlets as t
from IPython.display import display

from pipeline_widgets.application import Services
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.widgets import assets
from pipeline_widgets.widgets.patches import find_patch
from pipeline_widgets.widgets.picture import Picture
from pipeline_widgets.widgets.refresher import Refresher, refresher
from pipeline_widgets.widgets.snapshot import Rows, table_html, table_text

_log = logging.getLogger(__name__)
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attached:
    """The result of a command with bytes, which are sent beside it as they are."""

    result: Row
    buffers: Sequence[bytes]


class ReadOnlyState(ipywidgets.Widget):
    """A widget whose state comes from Python only: what a browser sets is not taken.

    A page can hold other scripts than ours, and a notebook's outputs bring some along. Nothing that one
    sends changes what Python holds, is passed on to other pages, or tells of what was done.
    """

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Take nothing of what a browser sets, and tell it what holds instead."""
        known = [name for name in sync_data if name in self.keys]
        _log.debug("A browser tried to set %s of %r.", ", ".join(known) or "nothing that is known", self)
        if known:
            self.send_state(known)


class CommandChannel(ReadOnlyState):
    """The line on which a view's commands come up, and only answers go down.

    It is a widget of its own, since ipykernel sends a message to the shell that last published on its comm:
    on a line that neither a cell nor a thread publishes on, commands are heard while a cell runs (where
    the front end and the kernel have subshells).
    """

    def answer(self, content: Mapping[str, Any], buffers: Sequence[bytes] = ()) -> None:
        """Send an answer, with bytes beside it."""
        self.send(dict(content), list(buffers) or None)


class Code(ReadOnlyState):
    """The JavaScript and CSS of all views. A kernel sends it to a page once, however many views there are."""

    script = t.Unicode(assets.script()).tag(sync=True)
    style = t.Unicode(assets.style()).tag(sync=True)
    #: By which a page knows code that it has loaded already.
    digest = t.Unicode(assets.digest()).tag(sync=True)

    _shared: ClassVar[Code | None] = None
    _sharing: ClassVar[threading.Lock] = threading.Lock()

    @classmethod
    def shared(cls) -> Code:
        """Return the code of this kernel; it is made again where somebody has closed all widgets."""
        with cls._sharing:
            if cls._shared is None or cls._shared.comm is None:
                cls._shared = cls()
            return cls._shared


#: Whether this thread carries out a command or a refresh: a view that is made by it stands in another one.
_at_work = threading.local()


@contextmanager
def _mark_at_work() -> Generator[None]:
    before = getattr(_at_work, "on", False)
    _at_work.on = True
    try:
        yield
    finally:
        _at_work.on = before


def _needs_no_code() -> bool:
    """Return whether a view is made for another one in marimo, which takes code from running cells only."""
    marimo: Any = sys.modules.get("marimo")
    return getattr(_at_work, "on", False) and marimo is not None and marimo.running_in_notebook()


class View(ReadOnlyState, anywidget.AnyWidget):
    """A live view of something in a workspace.

    A command is a message `{id, command, args}`; `do_<command>(**args)` carries it out, and the answer is
    `{id, ok, result}` or `{id, ok, error}`. Callbacks run on whatever thread, so one lock guards the view: a
    command keeps it, however long it takes, and a look that comes meanwhile passes.
    Python owns all traits: what the browser sets is not taken.
    """

    _esm = assets.loader()

    code: Any = t.Instance(Code).tag(sync=True, **ipywidgets.widget_serialization)
    #: What the browser renders, of all that the code has.
    view = t.Unicode().tag(sync=True)
    line: Any = t.Instance(CommandChannel).tag(sync=True, **ipywidgets.widget_serialization)
    #: Why what is shown may be old; empty where it is not.
    trouble = t.Unicode("").tag(sync=True)
    #: Why nothing can be changed or run here; empty in a workspace that this user trusts.
    untrusted = t.Unicode("").tag(sync=True)
    #: The id of the picture that the view hides while it is alive.
    picture = t.Unicode("").tag(sync=True)
    #: Raised with each change of what goes down in patches: so a page knows whether it has missed one.
    sequence = t.Int(0).tag(sync=True)

    #: Whether a list of rows is sent as a whole; below that share of changed rows, only these are sent.
    _WHOLE: ClassVar[float] = 0.5

    def __init__(self, services: Services, **traits: Any) -> None:
        self._services = services
        self._guard = threading.RLock()
        self._silent: set[str] = set()
        self._sequence_at_lease = 0
        self._fresh_at = time.time()
        self._changes = 0  # of what is shown, ever
        self._pictured = 0  # how many of them the picture has
        self._picture = Picture(self.static_html, self.static_text)
        reason = services.read_only_reason or ""
        if _needs_no_code():
            self._esm = ""
        super().__init__(
            code=Code.shared(),
            line=CommandChannel(),
            picture=self._picture.id,
            untrusted=reason,
            **traits,
        )
        self.line.on_msg(self._handle_message)

    def refresh(self, *, wait: bool = True) -> bool:
        """Show what has changed; return whether something runs, so that it will change soon.

        Args:
            wait: Whether to wait for a command that is carried out now. Otherwise the view is left to it: it
                shows what it has done itself, and is looked at again soon.
        """
        if not self._guard.acquire(blocking=wait):
            return True
        try:
            return self._on_refresh()
        finally:
            self._guard.release()

    def update(self) -> bool:
        """Read what is shown and show what has changed; return whether something runs. For subclasses."""
        raise NotImplementedError

    def show(self, **traits: Any) -> None:
        """Set traits; what has not changed is not sent."""
        for name, value in traits.items():
            if getattr(self, name) != value:
                self._changes += 1
                self.set_trait(name, value)

    def show_rows(self, name: str, rows: Sequence[Row]) -> None:
        """Set a trait that lists rows with an id each; where few have changed, only these are sent."""
        before: list[Row] = getattr(self, name)
        new = list(rows)
        if new == before:
            return
        changed = [row for row, old in zip(new, before, strict=False) if row != old]
        alike = [row["id"] for row in new] == [row["id"] for row in before]
        if alike and len(changed) <= max(1, self._WHOLE * len(new)):
            self._show_change(name, new, rows=changed)
        else:
            self.show(**{name: new})

    def show_patched(self, **traits: Any) -> None:
        """Set traits of which little changes at a time, such as curves that grow: only that is sent."""
        for name, now in traits.items():
            patch = find_patch(getattr(self, name), now)
            if patch is not None:
                self._show_change(name, now, change=patch)

    def _show_change(self, name: str, now: Any, **changed: Any) -> None:
        """Set a trait, and send only what has changed of it.

        Where no page has leased the view, a trait is sent as a whole: who keeps its state there, such as
        `nbconvert --execute`, knows no patches.
        """
        self._changes += 1
        state = {name: now, "sequence": self.sequence + 1}
        if self._refresher.is_leased(self):
            self._set_silently(**state)
            self.send({"patch": name, "sequence": self.sequence, **changed})
            return
        with self.hold_sync():  # one message
            for each, value in state.items():
                self.set_trait(each, value)

    def do_hello(self) -> None:
        """Answer, so that what the browser says from now on is heard while a cell runs."""

    def do_trust(self) -> None:
        """Trust the workspace: from now on it may run the code that it holds."""
        self._services.trust()
        self.refresh()
        self._refresher.wake()  # for the other views

    def do_lease(self, view: str, sequence: int | None = None) -> None:
        """A view of this can be seen, or still can. It has seen the patches up to this one.

        One that is older than at the lease before is not on its way any more: the page has missed it.
        """
        if sequence is not None and sequence < self._sequence_at_lease:
            self.do_resend()
        self._sequence_at_lease = self.sequence
        self._refresher.lease(view, self)

    def do_resend(self) -> None:
        """A page has missed a patch, and perhaps more: send all that is shown as a whole."""
        self.send_state([name for name in self.keys if not name.startswith("_")])

    def do_release(self, view: str) -> None:
        """A view of this can no longer be seen."""
        self._refresher.release(view)

    def do_picture(self, drawn: Sequence[int]) -> None:
        """A page has these pictures of the view; it may have missed the latest one."""
        if any(each != self._picture.drawn for each in drawn):
            self._pictured = -1
            self._refresher.wake()

    def close(self) -> None:
        """End the view: no thread looks after it any more."""
        if self.comm is not None:  # a view that could not be made was never open
            self._refresher.forget(self)
            self.line.close()
        super().close()

    def static_html(self) -> str:
        """Return what is shown where there is no kernel. For subclasses."""
        raise NotImplementedError

    def static_text(self) -> str:
        """Return what is shown where there is only text. For subclasses."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _ipython_display_(self, **_: Any) -> None:
        """Show the live view, and a picture for whoever has no kernel, which the view hides (spec 4.7)."""
        data, meta = self._repr_mimebundle_() or ({}, {})
        display({**data, "text/plain": ""}, metadata=meta, raw=True)  # the picture has the text
        self._picture.show()
        self._pictured = self._changes

    def _renew_picture(self) -> None:
        """Let the picture show what the view shows. It is large, so this waits until nothing changes."""
        if self._pictured != self._changes:
            self._picture.renew()
            self._pictured = self._changes

    def _set_silently(self, **traits: Any) -> None:
        """Set traits that are told otherwise; a page that is loaded later gets them as they are now."""
        self._silent |= traits.keys()
        try:
            for name, value in traits.items():
                self.set_trait(name, value)
        finally:
            self._silent -= traits.keys()

    def _should_send_property(self, key: str, value: Any) -> bool:
        return key not in self._silent and super()._should_send_property(key, value)

    def _on_refresh(self) -> bool:
        before = self._changes
        self.show(untrusted=self._services.read_only_reason or "")
        try:
            with _mark_at_work():
                live = self.update()
        except PipelineError as error:
            self._doubt(str(error))
            return False
        except Exception:  # the thread that refreshes has nobody to raise it to
            _log.exception("A view could not be refreshed.")
            self._doubt("The kernel's log has the reason.")
            return False
        self._fresh_at = time.time()
        self.show(trouble="")
        if not live and self._changes == before:
            self._renew_picture()
        return live

    @property
    def _refresher(self) -> Refresher:
        return refresher(self._services.store, self._services.reconcile)

    def _doubt(self, why: str) -> None:
        since = datetime.fromtimestamp(self._fresh_at, tz=UTC).astimezone().strftime("%H:%M")
        self.show(trouble=f"Not updated since {since}: {why}")

    def _handle_message(self, _: Any, content: Mapping[str, Any], __: Any) -> None:
        command = getattr(self, f"do_{content.get('command')}", None)
        answer = self._execute(command, content.get("args") or {})
        if "id" not in content:  # what is only told wants no answer
            return
        if isinstance(found := answer.get("result"), Attached):
            self.line.answer({"id": content["id"], **answer, "result": found.result}, found.buffers)
        else:
            self.line.answer({"id": content["id"], **answer})

    def _execute(self, command: Callable[..., Any] | None, args: Mapping[str, Any]) -> Mapping[str, Any]:
        if command is None:
            return {"ok": False, "error": {"kind": "Unknown", "what": "This view is older than its kernel."}}
        try:
            with self._guard, _mark_at_work():
                return {"ok": True, "result": command(**args)}
        except PipelineError as error:
            return {"ok": False, "error": describe_error(error)}
        except Exception as error:
            _log.exception("A command of a view failed.")
            what = f"That failed, and it should not have: {type(error).__name__}: {error}."
            return {
                "ok": False,
                "error": {"kind": "Fault", "what": what, "why": "The kernel's log has more."},
            }


class TableView(View):
    """A view of a list, which is a table where there is no kernel."""

    #: What a row of the table is.
    noun: str

    def read_table(self) -> tuple[str, Sequence[str], Rows]:
        """Return the title, the columns and the rows of the table. For subclasses."""
        raise NotImplementedError

    def static_html(self) -> str:
        """Return the list as a table."""
        return table_html(*self.read_table(), at=datetime.now(UTC), noun=self.noun)

    def static_text(self) -> str:
        """Return the list in a few lines."""
        return table_text(*self.read_table(), at=datetime.now(UTC))


def describe_error(error: PipelineError) -> dict[str, str]:
    """Return an error as a view shows it."""
    words = {"what": error.what, "why": error.why, "fix": error.fix}
    return {"kind": type(error).__name__, "code": error.code, **words}
