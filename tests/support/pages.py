"""A page that shows a view: what JupyterLab and `static/state.js` make of a view's messages."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from pipeline_widgets.widgets.base import View


def apply_patch(value: Any, patch: dict[str, Any]) -> Any:
    """Return a value with what has changed, as `static/patch.js` does."""
    if "value" in patch:
        return patch["value"]
    if "keep" in patch:
        return [*value[: patch["keep"]], *patch["add"]]
    if "fields" in patch:
        return {**value, **{name: apply_patch(value[name], each) for name, each in patch["fields"].items()}}
    changed = dict(patch["items"])
    return [apply_patch(each, changed[at]) if at in changed else each for at, each in enumerate(value)]


def keep_in_sight(view: View) -> None:
    """Let a page see a view that is refreshed by the test alone."""
    view._refresher._thread = threading.current_thread()
    view.do_lease("a page")


@dataclass
class Page:
    """What a page knows of a view."""

    view: View
    name: str
    state: dict[str, Any]
    #: Whether it hears nothing now, as while it has no connection.
    is_deaf: bool = False
    #: How often it has asked for the whole, and how many patches it has taken.
    asked: int = 0
    taken: int = 0

    def lease(self) -> None:
        """Say that the view can be seen."""
        self.tell("lease", view=self.name, sequence=self.state["sequence"])

    def tell(self, command: str, **args: Any) -> None:
        """Send a command."""
        self.view.line._handle_custom_msg({"command": command, "args": args}, [])

    def hear(self, data: dict[str, Any]) -> None:
        """Take a message."""
        if self.is_deaf:
            return
        if data["method"] == "update":
            self.state |= data["state"]
            return
        content = data["content"]
        if content["sequence"] == self.state["sequence"] + 1:
            self.taken += 1
            self.state["sequence"] += 1
            known = self.state[content["patch"]]
            if "rows" in content:
                changed = {row["id"]: row for row in content["rows"]}
                self.state[content["patch"]] = [changed.get(row["id"], row) for row in known]
            else:
                self.state[content["patch"]] = apply_patch(known, content["change"])
        elif content["sequence"] > self.state["sequence"]:
            self.asked += 1
            self.tell("resend")

    def shown(self, *names: str) -> dict[str, Any]:
        """Return what it shows."""
        return {name: self.state[name] for name in names}


@dataclass
class Pages:
    """The pages that show a view, and the bytes that it has sent since they were counted last."""

    view: View
    pages: list[Page] = field(default_factory=list[Page])
    sent: int = 0

    def __post_init__(self) -> None:
        view: Any = self.view
        view.comm.publish_msg = self._publish

    def open(self) -> Page:
        """Open a page: it asks for the state as it is now."""
        state = json.loads(json.dumps(self.view.get_state()))
        page = Page(self.view, f"page {len(self.pages)}", state)
        self.pages.append(page)
        page.lease()
        return page

    def refresh(self) -> int:
        """Refresh the view; return the bytes that it sends."""
        self.sent = 0
        self.view.refresh()
        return self.sent

    def _publish(self, _: str, data: dict[str, Any] | None = None, **__: Any) -> None:
        if not data or "method" not in data:
            return
        text = json.dumps(data, allow_nan=False)
        self.sent += len(text)
        for page in self.pages:
            page.hear(json.loads(text))
