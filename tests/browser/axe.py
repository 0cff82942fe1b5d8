"""What axe-core says of one element of the page; its script comes with the wheel, not from the net."""

from __future__ import annotations

from importlib.resources import files

from playwright.sync_api import Locator

SCRIPT = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RUN = "element => axe.run(element, {resultTypes: ['violations']}).then(found => found.violations)"


def violations(element: Locator) -> str:
    """Return a readable line or more for each violation within an element, or the empty string."""
    if not element.page.evaluate("'axe' in window"):
        element.page.evaluate(SCRIPT)
    return "\n".join(
        f"{rule['id']} ({rule['impact']}): {rule['help']}\n    {node['html']}\n    {node['failureSummary']}"
        for rule in element.evaluate(RUN)
        for node in rule["nodes"]
    )
