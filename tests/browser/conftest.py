"""The stand: one JupyterLab and one browser for the folder, one kernel and page for a file of tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from browser import axe as axe_core
from browser.chromium import executable
from browser.lab import Lab
from browser.notebook import Notebook

ARTIFACTS = Path(__file__).parent.parent.parent / "test-artifacts"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=15_000)  # ms; a busy machine is slow, and what never comes is late enough then


# "package" rather than "session": Playwright keeps an event loop running, and no other test shall see it.
@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Generator[Lab]:
    """Yield a JupyterLab, and end it with its kernels."""
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.fixture(scope="package")
def browser() -> Generator[Browser]:
    """Yield a browser; without one the test fails and says what to install."""
    program = executable()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="package")
def context(browser: Browser) -> Generator[BrowserContext]:
    """Yield what pages share: the cache that holds JupyterLab's own scripts."""
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    yield made
    made.close()


@pytest.fixture(scope="module")
def opened(lab: Lab, context: BrowserContext, request: pytest.FixtureRequest) -> Generator[Notebook]:
    """Yield the notebook of a file of tests."""
    made = Notebook(lab, context.new_page(), request.path.stem)
    yield made
    made.close()


@pytest.fixture
def notebook(opened: Notebook, tmp_path: Path, request: pytest.FixtureRequest) -> Generator[Notebook]:
    """Yield the notebook as new, its kernel in an empty folder; afterwards no error may be left in it."""
    failed = request.session.testsfailed
    opened.renew(tmp_path)
    opened.errors.clear()
    yield opened
    if request.session.testsfailed > failed:
        opened.page.screenshot(path=_picture(f"failed {request.node.name}"))
    assert not opened.errors, "\n".join(opened.errors)


@pytest.fixture
def page(notebook: Notebook) -> Page:
    """Return the page of the notebook."""
    return notebook.page


@pytest.fixture
def axe() -> Callable[[Locator], str]:
    """Return what tells the accessibility violations within one element, as text."""
    return axe_core.violations


@pytest.fixture
def screenshot(notebook: Notebook) -> Callable[..., Path]:
    """Return what saves a picture of the page, or of one element, for a later look."""

    def save(name: str, element: Locator | None = None) -> Path:
        path = _picture(name)
        (element or notebook.page).screenshot(path=path)
        return path

    return save


def _picture(name: str) -> Path:
    ARTIFACTS.mkdir(exist_ok=True)
    plain = re.sub(r"[^\w.-]+", "-", name)
    return ARTIFACTS / f"{plain}.png"
