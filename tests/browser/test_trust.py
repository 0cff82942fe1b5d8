"""A view of a workspace that this user has neither made nor trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, expect

from browser.notebook import Notebook
from browser.scenes import LETTERS
from browser.views import eventually

#: Somebody else's workspace: what this kernel has signed is not among what its user trusts now.
FOREIGN = f"""{LETTERS}
pipe = chain("sft", "grpo", trigger="manual", steps=2)
pipe.stages[0].trigger()
pipe.wait(60)
ws.close()
import os
os.environ["PIPELINE_WIDGETS_DATA"] = os.path.abspath("data of somebody else")
ws = pw.Workspace()
project = ws.projects["Letters"]
"""
REASON = "open for reading only: trust it first"


def test_row_12_a_view_says_that_it_is_for_reading_and_trusts_when_told_to(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """One banner says why; what changes something is disabled and says why; the button ends that for good."""
    kept = notebook.python("__import__('os').environ['PIPELINE_WIDGETS_DATA']")
    try:
        output = notebook.run(f"{FOREIGN}\nview = project.view()\nview")
        banner = output.locator(".pw-untrusted:visible")
        expect(banner).to_contain_text("This workspace is open for reading only. You have neither made")
        opener = output.get_by_role("button", name="chain 0")
        opener.first.click()
        trigger = output.get_by_role("button", name="Add stage")
        expect(trigger).to_have_attribute("aria-disabled", "true")
        expect(trigger).to_have_attribute("title", f"This workspace is {REASON}, above.")
        expect(output.get_by_role("button", name="New Pipeline")).to_have_attribute("aria-disabled", "true")
        expect(output.get_by_role("button", name="Check pipeline")).not_to_have_attribute(
            "aria-disabled", "true"
        )
        expect(banner).to_have_count(1)  # the views within this one do not say it again
        assert axe(output) == ""
        for theme in ("light", "dark"):
            notebook.theme(theme)
            screenshot(f"trust {theme}", output)
        notebook.theme("light")
        output.get_by_role("button", name="New Pipeline").click(force=True)  # it is disabled, and says why
        expect(output.locator(".pw-explained")).to_contain_text(REASON)
        expect(output.get_by_role("dialog")).to_have_count(0)
        banner.get_by_role("button", name="Trust this workspace").click()
        expect(banner).to_have_count(0)
        expect(trigger).not_to_have_attribute("aria-disabled", "true")
        output.get_by_role("button", name="New Pipeline").click()
        expect(output.get_by_role("dialog")).to_be_visible()
        notebook.page.keyboard.press("Escape")
        eventually(notebook, "pw.Workspace().is_trusted", wanted=True)
    finally:
        notebook.execute(f"import os; os.environ['PIPELINE_WIDGETS_DATA'] = {kept!r}")
