"""The stand itself: what it shows, what it hears, and what it does not let pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from browser import chromium
from browser.notebook import FIRST_CELL, Notebook

HELLO = """
import anywidget, traitlets

class Hello(anywidget.AnyWidget):
    count = traitlets.Int(0).tag(sync=True)
    _esm = '''
export default {render({model, el}) {
    el.innerHTML = `<button class="plain">plain</button> <i></i>
        <button class="shielded" data-lm-suppress-shortcuts="true">shielded</button>
        <button class="throws">throws</button> <input class="nameless">`;
    const tell = () => { el.querySelector('i').textContent = `count ${model.get('count')}`; };
    model.on('change:count', tell);
    model.on('msg:custom', () => { throw new Error('not this message'); });
    el.querySelector('.shielded').onclick = () => model.send({text: 'x'.repeat(1000)});
    el.querySelector('.throws').onclick = () => { throw new Error('not this button'); };
    tell();
}}'''

hello = Hello()
hello
"""


@pytest.fixture
def hello(notebook: Notebook) -> Locator:
    """Return a small widget, once it is shown."""
    output = notebook.run(HELLO)
    output.get_by_text("count 0").wait_for()
    return output


def test_a_test_begins_with_one_cell_and_an_empty_folder(notebook: Notebook) -> None:
    """Nothing of the test before is left: no cells, no names, no files, no widgets, no messages."""
    for number in ("first", "second"):
        assert notebook.cells() == [FIRST_CELL], number
        assert notebook.python("[*__import__('os').scandir()]") == []
        assert notebook.python("'hello' in globals()") is False
        assert notebook.messages() == []
        notebook.run(HELLO).get_by_text("count 0").wait_for()
        notebook.run("open('left.txt', 'w').close()")
        assert len(notebook.cells()) == 3
        assert notebook.python("'hello' in globals()") is True
        empty = Path(notebook.python("__import__('os').getcwd()")) / number
        empty.mkdir()
        notebook.renew(empty)


def test_a_cell_that_fails_fails_the_test(notebook: Notebook) -> None:
    """The traceback comes without the colours of a terminal, and the next cell runs."""
    with pytest.raises(AssertionError, match=r"(?s)^-+\nZeroDivisionError.*division by zero$"):
        notebook.run("1 / 0")
    assert notebook.run("print('goes on')").inner_text() == "goes on\n"


def test_a_second_client_asks_the_kernel_and_the_notebook_knows_nothing(notebook: Notebook) -> None:
    """Threads, values and statements, without a cell, an execution count or an output."""
    notebook.execute("import threading; shared = [1, 2]")
    assert notebook.python("(shared, {'a': None})") == [[1, 2], {"a": None}]
    assert "MainThread" in notebook.python("[thread.name for thread in threading.enumerate()]")
    with pytest.raises(AssertionError, match="NameError"):
        notebook.python("no_such_name")
    assert notebook.cells() == [FIRST_CELL]


def test_a_widget_hears_the_kernel_while_a_cell_runs(
    notebook: Notebook, hello: Locator, tmp_path: Path
) -> None:
    """A cell that was started and goes on is waited for only where the test says so."""
    notebook.start(
        "import os, time\n"
        "hello.count = 7\n"
        "while not os.path.exists('go'):\n"
        "    time.sleep(0.01)\n"
        "print('over')"
    )
    hello.get_by_text("count 7").wait_for()
    assert "over" not in notebook.output.inner_text()
    (tmp_path / "go").touch()
    notebook.finish()
    notebook.output.get_by_text("over").wait_for()


@pytest.mark.parametrize("key", ["b", "x", "d d", "a"])
def test_a_key_that_reaches_the_notebook_is_noticed(notebook: Notebook, hello: Locator, key: str) -> None:
    """A plain button lets JupyterLab's shortcuts through."""
    with pytest.raises(AssertionError, match=f"the key '{key}' reached the notebook"):
        notebook.keys_leave_the_notebook_alone(hello.locator(".plain"), [key])


def test_a_control_can_keep_its_keys(notebook: Notebook, hello: Locator) -> None:
    """A button with the attribute, and a field, let none through."""
    notebook.keys_leave_the_notebook_alone(hello.locator(".shielded"))
    notebook.keys_leave_the_notebook_alone(hello.locator(".nameless"))
    assert hello.locator(".nameless").input_value() == "bxdda"


def test_messages_are_counted_with_their_size(notebook: Notebook, hello: Locator) -> None:
    """Down is what the kernel sends, up what the page does; a changed trait is one small message."""
    opened = [told for told in notebook.messages() if told.msg_type == "comm_open"]
    assert len(opened) == 2
    assert sum(told.bytes for told in opened) > len(HELLO) / 2
    notebook.forget_messages()
    notebook.run("hello.count = 1")
    hello.get_by_text("count 1").wait_for()
    (change,) = notebook.messages()
    assert (change.direction, change.msg_type) == ("down", "comm_msg")
    assert 50 < change.bytes < 300
    notebook.forget_messages()
    hello.locator(".shielded").click()
    sent = next(told for told in notebook.messages() if told.direction == "up")
    assert 1000 < sent.bytes < 1200


def test_an_error_in_the_page_is_noticed(notebook: Notebook, hello: Locator) -> None:
    """Also one in a handler of messages, which JupyterLab swallows."""
    hello.locator(".throws").click()
    assert [error for error in notebook.errors if "page error" in error and "not this button" in error]
    notebook.errors.clear()
    with notebook.page.expect_console_message(lambda said: "not this message" in said.text):
        notebook.execute("hello.send({})")
    assert notebook.errors
    notebook.errors.clear()


def test_a_page_is_loaded_again_and_a_kernel_restarted(notebook: Notebook, hello: Locator) -> None:
    """After the reload the widget shows the kernel's state; after the restart its names are gone."""
    notebook.execute("hello.count = 3")
    notebook.reload()
    hello.get_by_text("count 3").wait_for()
    assert notebook.python("hello.count") == 3
    notebook.restart_kernel()
    assert notebook.python("'hello' in globals()") is False
    notebook.clear_outputs()
    hello.get_by_text("count 3").wait_for(state="detached")


@pytest.mark.parametrize("theme", ["dark", "JupyterLab Dark High Contrast", "light"])
def test_the_theme_is_what_was_asked_for(notebook: Notebook, theme: str) -> None:
    """What widgets look at is there when the call returns."""
    notebook.theme(theme)
    light = notebook.page.locator("body").get_attribute("data-jp-theme-light")
    assert light == ("true" if theme == "light" else "false")


def test_accessibility_is_told_of_one_element(hello: Locator, axe: Callable[[Locator], str]) -> None:
    """What is wrong in it is named, and what is wrong elsewhere in JupyterLab is not."""
    assert axe(hello.locator(".nameless")).startswith("label (critical): ")
    assert axe(hello.locator(".plain")) == ""


def test_a_picture_is_kept(hello: Locator, screenshot: Callable[..., Path]) -> None:
    """It is a file of a folder that git does not see."""
    for name, element in (("stand, page", None), ("stand, widget", hello)):
        path = screenshot(name, element)
        assert path.read_bytes().startswith(b"\x89PNG")
        path.unlink()


def test_without_a_browser_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a skip nor a riddle: what to install, and how to run the other tests."""
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    monkeypatch.setattr(chromium, "NAMES", ("no-such-browser",))
    with pytest.raises(FileNotFoundError) as missing:
        chromium.executable()
    assert "apt-get install chromium" in str(missing.value)
    assert 'make test TESTS="tests --ignore=tests/browser notebooks"' in str(missing.value)
    monkeypatch.setenv(chromium.VARIABLE, "/no/such/chrome")
    with pytest.raises(FileNotFoundError, match="/no/such/chrome"):
        chromium.executable()


@pytest.mark.parametrize(("user", "code"), [(0, 0), (1000, 1)])
def test_a_browser_is_installed_for_root_only(
    user: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where apt-get is, root gets Chromium, and everybody else is told."""
    script = (
        f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n'
        f'case "$*" in *install*) cp "$0" {tmp_path}/our-browser;; esac\n'
    )
    (tmp_path / "apt-get").write_text(script, encoding="utf-8")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    monkeypatch.setattr(chromium, "NAMES", ("our-browser",))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert chromium.main() == code
    asked = tmp_path / "asked"
    assert asked.exists() == (code == 0)
    assert ("apt-get install chromium" in capsys.readouterr().err) == (code == 1)
    if code == 0:
        update, install = asked.read_text(encoding="utf-8").splitlines()
        assert update.endswith("update")
        assert install.endswith(
            "install --yes --no-install-recommends chromium fonts-liberation fonts-dejavu-core"
        )
