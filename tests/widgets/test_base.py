"""What all views share: commands and answers, changed rows only, what is shown where there is no kernel."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import traitlets as t
from factories.lab import Lab
from pages import keep_in_sight

from pipeline_widgets.application import Services
from pipeline_widgets.errors import RuleError, StorageError
from pipeline_widgets.widgets.base import View
from pipeline_widgets.wiring import connect

Displayed = Callable[[Any], list[dict[str, Any]]]
FEW = [{"id": at, "status": "Draft"} for at in range(10)]


class Words(View):
    """A view of a list of words."""

    _esm = "export default {render() {}}"
    rows = t.List(t.Dict()).tag(sync=True)
    fails: ClassVar[Exception | None] = None
    shows: ClassVar[list[dict[str, Any]] | None] = None
    runs: ClassVar[bool] = False

    def update(self) -> bool:
        """Fail, show rows, or say that something runs, where a test wants that."""
        if (error := type(self).fails) is not None:
            raise error
        if (rows := type(self).shows) is not None:
            self.show_rows("rows", rows)
        return type(self).runs

    def do_add(self, one: int, other: int) -> int:
        """Add two numbers."""
        return one + other

    def do_refuse(self) -> None:
        """Refuse."""
        raise RuleError("It is refused.", "That is the reason.", "Do something else.")

    def do_break(self) -> None:
        """Have a fault."""
        raise ZeroDivisionError("by zero")

    def static_html(self) -> str:
        """Return a picture."""
        return "<p>words</p>"

    def static_text(self) -> str:
        """Return text."""
        return "words"


@pytest.fixture
def view(lab: Lab) -> Iterator[Words]:
    """A view whose messages are kept."""
    services: Services = connect(lab.store.database.url, artifacts=lab.store.artifacts)
    made = Words(services)
    yield made
    made.close()
    services.store.database.close()
    Words.fails, Words.shows, Words.runs = None, None, False


@pytest.fixture
def sent(view: Words, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What goes to the browser."""
    messages: list[dict[str, Any]] = []

    def publish(_: str, data: dict[str, Any] | None = None, **__: Any) -> None:
        messages.append(data or {})

    for each in (view.comm, view.line.comm):
        monkeypatch.setattr(each, "publish_msg", publish)
    return messages


def say(view: Words, **message: Any) -> None:
    """Send a message as the browser does."""
    view.line._handle_custom_msg(message, [])


def test_a_command_is_answered_under_its_id(view: Words, sent: list[dict[str, Any]]) -> None:
    """The result of do_<command> goes back with the id of the question."""
    say(view, id="7", command="add", args={"one": 1, "other": 2})

    assert [each["content"] for each in sent] == [{"id": "7", "ok": True, "result": 3}]


def test_what_is_only_told_wants_no_answer(view: Words, sent: list[dict[str, Any]]) -> None:
    """A message without an id is carried out in silence."""
    say(view, command="add", args={"one": 1, "other": 2})

    assert sent == []


def test_a_refusal_says_what_why_and_what_to_do(view: Words, sent: list[dict[str, Any]]) -> None:
    """A PipelineError goes back in its parts, with its kind."""
    say(view, id="7", command="refuse")

    assert sent[0]["content"] == {
        "id": "7",
        "ok": False,
        "error": {
            "kind": "RuleError",
            "what": "It is refused.",
            "why": "That is the reason.",
            "fix": "Do something else.",
            "code": "",
        },
    }


def test_a_fault_is_answered_and_logged(
    view: Words, sent: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """A bug does not leave a button waiting: the answer names it, and the log has its traceback."""
    with caplog.at_level(logging.ERROR):
        say(view, id="7", command="break")
        say(view, id="8", command="add", args={"one": 1})
        say(view, id="9", command="nothing like that")

    assert [each["content"]["ok"] for each in sent] == [False] * 3
    assert "ZeroDivisionError: by zero" in sent[0]["content"]["error"]["what"]
    assert "TypeError" in sent[1]["content"]["error"]["what"]
    assert sent[2]["content"]["error"]["kind"] == "Unknown"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.spec("4.4")
def test_a_look_passes_a_view_that_carries_out_a_command(view: Words) -> None:
    """It neither waits for the command nor reads behind its back, and is to come again soon."""
    began, goes_on = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        goes_on.wait(10)

    view.do_work = work  # pyright: ignore[reportAttributeAccessIssue]  a command that takes its time
    command = threading.Thread(target=say, args=(view,), kwargs={"command": "work"})
    command.start()
    assert began.wait(10)
    Words.fails = StorageError("It was read.")

    assert view.refresh(wait=False) is True
    assert view.trouble == ""

    goes_on.set()
    command.join(10)
    view.refresh(wait=False)
    assert "It was read." in view.trouble


@pytest.mark.spec("4.4")
def test_equal_rows_are_not_sent(view: Words, sent: list[dict[str, Any]]) -> None:
    """Nothing is sent when nothing changed."""
    view.show_rows("rows", FEW)
    sent.clear()

    view.show_rows("rows", [dict(row) for row in FEW])
    view.show(rows=[dict(row) for row in FEW])

    assert sent == []


@pytest.mark.spec("4.4")
def test_only_changed_rows_are_sent_and_all_are_kept(view: Words, sent: list[dict[str, Any]]) -> None:
    """One changed row goes down alone, while a page that is loaded later gets the whole list as it is now."""
    keep_in_sight(view)
    view.show_rows("rows", FEW)
    sent.clear()
    changed = {"id": 3, "status": "Running"}

    view.show_rows("rows", [*FEW[:3], changed, *FEW[4:]])

    assert [each["content"] for each in sent] == [{"patch": "rows", "sequence": 1, "rows": [changed]}]
    assert view.get_state("rows") == {"rows": [*FEW[:3], changed, *FEW[4:]]}


@pytest.mark.parametrize(
    "now",
    [FEW[1:], [*FEW, {"id": 99}], FEW[::-1], [{**row, "status": "Running"} for row in FEW], []],
    ids=["removed", "added", "reordered", "most changed", "none left"],
)
def test_another_list_is_sent_whole(
    view: Words, sent: list[dict[str, Any]], now: list[dict[str, Any]]
) -> None:
    """Where rows came, went or moved, or most of them changed, the list goes down as one trait."""
    view.show_rows("rows", FEW)
    sent.clear()

    view.show_rows("rows", now)

    assert [each["state"] for each in sent] == [{"rows": now}]


@pytest.mark.parametrize("error", [StorageError("The disk is full."), ZeroDivisionError()])
def test_a_failed_refresh_says_since_when_it_is_old(view: Words, error: Exception) -> None:
    """What was shown stays, with a word since when; the next good look takes that away."""
    view.show_rows("rows", FEW)
    Words.fails = error

    assert view.refresh() is False
    assert view.trouble.startswith("Not updated since ")
    assert view.rows == FEW

    Words.fails = None
    view.refresh()
    assert view.trouble == ""


@pytest.mark.spec("4.7")
def test_a_display_is_a_picture_and_the_live_view(view: Words, displayed: Displayed) -> None:
    """The picture carries the id by which the view hides it, and all that an export shows."""
    live, picture = displayed(view)
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == view.model_id
    assert live["text/plain"] == ""
    assert f'<div data-pw-picture="{view.picture}">' in picture["text/html"]
    assert picture["text/html"].endswith("<p>words</p></div>")
    assert picture["text/plain"] == "words"
    assert repr(view) == "<Words>"


@pytest.mark.spec("4.7", "4.4")
def test_the_picture_is_renewed_when_what_has_changed_is_at_rest(
    view: Words, displayed: Displayed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while something runs or changes, and not where nothing has changed."""
    displayed(view)
    drawn: list[int] = []
    monkeypatch.setattr(view._picture, "renew", lambda: drawn.append(len(view.rows)))
    looks: list[tuple[list[dict[str, Any]], bool]] = [([], False), (FEW, False), (FEW, True), (FEW, False)]
    for rows, runs in looks:
        Words.shows, Words.runs = rows, runs
        assert drawn == []
        view.refresh()
    view.refresh()
    assert drawn == [len(FEW)]
