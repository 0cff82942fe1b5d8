"""The whole log of a run in the browser: in parts, searched, by time, saved (spec 9.7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS

#: An experiment with two runs that have ended; the log of the second is as large as one likes.
MADE = """
from factories.lab import Lab, Clock
from pipeline_widgets.persistence.log_times import _PAIR
lab = Lab(ws._services.store, Clock())
lab.__dict__["project"] = project._services.projects.get(project._id)
stage = lab.pipeline("SFT").stages[0]
runs = [lab.do(stage, 0.5), lab.do(stage, 0.75)]

def write(run, text, *pairs):
    log = ws._services.store.run_folder(run.id) / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    log.with_name("log-times.bin").write_bytes(b"".join(_PAIR.pack(*pair) for pair in pairs))

def lines(count):
    return "".join(f"line {at} of many{' needle' if at % 1000 == 7 else ''}\\n" for at in range(count))
"""
SHOWN = "view = project.experiments[0].view()\nview"


@pytest.fixture
def show(notebook: Notebook) -> Callable[[str], Locator]:
    """Return what writes logs by a few lines of Python, shows the experiment and opens the log."""

    def shown(code: str) -> Locator:
        root = notebook.run(f"{LETTERS}\n{MADE}\n{code}\n{SHOWN}").locator(".pw-root").first
        root.get_by_role("button", name="Open log").click()
        expect(root.get_by_role("dialog", name="Log")).to_be_visible()
        return root.locator(".pw-log-dialog")  # to find it by its role takes long among thousands of lines

    return shown


def expect_line(line: Locator, text: str) -> None:
    """Expect that a line is there, and in sight."""
    expect(line).to_have_text(text)
    expect(line).to_be_in_viewport()


@pytest.mark.spec("9.7")
def test_a_log_is_read_from_its_end_to_its_beginning(
    show: Callable[[str], Locator], page: Page, notebook: Notebook
) -> None:
    """It opens at its end, parts come as one scrolls, and only a few of them are held."""
    dialog = show("write(runs[1], lines(60_000))")
    log = dialog.get_by_role("group", name="Log")
    expect_line(log.locator(".pw-log-line").last, "line 59999 of many")
    for _ in range(4):
        log.evaluate("el => { el.scrollTop = 0; }")
        page.wait_for_timeout(150)
    held = log.locator(".pw-log-line").count()
    assert 2000 < held < 20_000
    expect(log.locator(".pw-log-line").last).not_to_have_text("line 59999 of many")
    dialog.get_by_role("button", name="Start").click()
    expect_line(log.locator(".pw-log-line").first, "line 0 of many")
    expect(dialog.locator(".pw-log-facts")).to_contain_text("When these lines were written was not recorded.")
    dialog.get_by_role("button", name="End").click()
    expect_line(log.locator(".pw-log-line").last, "line 59999 of many")


@pytest.mark.spec("9.7")
def test_a_search_counts_lines_and_goes_to_them(show: Callable[[str], Locator]) -> None:
    """Enter and Shift+Enter go to the next and the previous line; the count is that of the whole log."""
    dialog = show("write(runs[1], lines(60_000))")
    box = dialog.get_by_role("searchbox", name="Search log")
    log = dialog.get_by_role("group", name="Log")
    expect_line(log.locator(".pw-log-line").last, "line 59999 of many")
    counted = dialog.locator(".pw-log-search [role=status]")  # a search among all texts would read every line
    box.fill("NEEDLE")
    expect(counted).to_have_text("1 of 60 lines")
    expect(log.locator(".pw-log-current")).to_contain_text("line 7 of many needle")
    box.press("Enter")
    expect(counted).to_have_text("2 of 60 lines")
    expect(log.locator(".pw-log-current")).to_contain_text("line 1007 of many")
    box.press("Shift+Enter")
    box.press("Shift+Enter")
    expect(log.locator(".pw-log-current")).to_be_in_viewport()
    expect(log.locator(".pw-log-current")).to_contain_text("line 59007 of many")
    box.fill("nowhere")
    expect(counted).to_have_text("No line matches")


@pytest.mark.spec("9.7")
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_lines_have_times_and_any_run_can_be_chosen(
    show: Callable[[str], Locator],
    page: Page,
    notebook: Notebook,
    axe: Callable[[Locator], str],
    screenshot: Callable[..., Path],
    theme: str,
) -> None:
    """Times stand beside lines, one can go to a moment, and earlier runs are a choice; text is only text."""
    notebook.theme(theme)
    log = f"loading\n{HOSTILE}\nepoch 1\repoch 2\nstep 3 loss 0.25\n"
    dialog = show(f"write(runs[1], {log!r}, (1.7e9, 8), (1.7e9 + 60, 500))")
    region = dialog.get_by_role("group", name="Log")
    expect(region.locator(".pw-log-line")).to_have_count(4)
    expect(region.locator("time")).to_have_count(4)
    expect(region.get_by_text(HOSTILE)).to_be_visible()
    expect(region.get_by_text("epoch 2")).to_be_visible()
    dialog.get_by_role("searchbox").fill("loss")
    expect(region.locator("mark")).to_have_text(["loss"])
    assert axe(dialog) == ""
    screenshot(f"log {theme}", dialog)
    moment = page.evaluate(
        "() => new Date(1.7e12 + 30_000 - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 19)"
    )
    dialog.get_by_label("Go to time").fill(moment)
    dialog.get_by_label("Go to time").dispatch_event("change")
    expect(region.locator(".pw-log-line").first).to_contain_text("img")
    notebook.execute("write(runs[0], 'the first run')")
    dialog.get_by_label("Run", exact=True).select_option(label="Run 1 (Succeeded)")
    expect(region.get_by_text("the first run")).to_be_visible()
    notebook.keys_leave_the_notebook_alone(region)


@pytest.mark.spec("9.7")
def test_a_log_is_saved_as_it_is(
    show: Callable[[str], Locator], page: Page, tmp_path: Path, notebook: Notebook
) -> None:
    """The file that is saved has every byte, also what a terminal would not show."""
    dialog = show("write(runs[1], '\\x1b[31mred\\x1b[0m\\r\\n' + lines(60_000) + 'Größe')")
    with page.expect_download() as saved:
        dialog.get_by_role("button", name="Download").click()
    saved.value.save_as(tmp_path / "saved.log")
    data = (tmp_path / "saved.log").read_bytes()
    assert data.startswith(b"\x1b[31mred")
    assert data.endswith("Größe".encode())
    assert data.count(b"\n") == 60_001
