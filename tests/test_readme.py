"""What the README shows works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from programs import check_program

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ["README.md", "docs/architecture.md", "CHANGELOG.md", ".github/CONTRIBUTING.md"]


@pytest.mark.spec("10.1", "10.3")
def test_the_code_of_the_readme_runs(tmp_path: Path) -> None:
    """Its blocks, one after the other as one script in an empty folder, print what the comments promise."""
    check_program(ROOT / "README.md", tmp_path)


def test_the_commands_of_the_readme_are_there() -> None:
    """Every `make` target that is named exists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:\$ |`)make ([a-z-]+)", README))
    assert {"lab", "demo", "test", "check"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_the_documents_lead_somewhere(document: str) -> None:
    """Every relative link names a file or folder that is there."""
    path = ROOT / document
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_that_the_documents_name_are_there(document: str) -> None:
    """What is set as code and looks like one of our files or folders exists."""
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:pipeline_widgets|tests|notebooks|benchmarks|docs)/[\w/.]*)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.spec("12.2")
def test_what_is_measured_can_be_measured_anew() -> None:
    """`make bench` runs each benchmark, or a page of the documentation names it."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "Makefile", *(ROOT / "docs").glob("*.md"))]
    found = [path for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text("utf-8")]
    assert found
    assert [each.name for each in found if not any(f"benchmarks/{each.name}" in text for text in texts)] == []
