"""The code of the documentation runs, and its messages and pictures are those of the product."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import check_program, find, find_blocks, run

import pipeline_widgets as pw

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
#: Pages whose blocks are one program each, which runs where nothing but the package is installed.
GUIDES = [page for folder in ("tutorials", "how-to") for page in sorted((DOCS / folder).glob("*.md"))]
PROGRAMS = [DOCS / "quickstart.md", *GUIDES]


@pytest.mark.spec("12.3")
@pytest.mark.parametrize("page", PROGRAMS, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    """Its blocks, one after the other as one script in an empty folder, print what the comments promise."""
    check_program(page, tmp_path)


@pytest.mark.spec("12.3")
def test_the_reference_has_every_public_name() -> None:
    """Each name of the package stands once in the reference, and no other name does."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md"))
    named = find(r"^\.\. auto(?:class|function|exception):: pipeline_widgets\.(\w+)(?:\(\))?$", text)
    assert sorted(named) == sorted(pw.__all__)


@pytest.mark.spec("12.3")
def test_the_commands_of_the_reference_say_what_the_program_says(tmp_path: Path) -> None:
    """The help of each command stands there as the program prints it, and no command is left out."""
    page = REFERENCE / "commands.md"
    asked = find(r"^## `pipeline-widgets ?(.*?)`$", page.read_text(encoding="utf-8"))
    texts = find_blocks(page, "text")
    assert asked[1:] == find(r"^    (\w+)", texts[0].partition("\n  COMMAND\n")[2])
    for command, text in zip(asked, texts, strict=True):
        assert (
            run(tmp_path, "-m", "pipeline_widgets", *command.split(), "--help", COLUMNS="100").stdout == text
        )


@pytest.mark.spec("12.3")
def test_troubleshooting_quotes_what_is_said() -> None:
    """Each message that a heading quotes is one of the package, but for what stands in it for a name."""
    headings = find(r"^### “(.*)”$", (DOCS / "troubleshooting.md").read_text(encoding="utf-8"))
    package = ROOT / "pipeline_widgets"
    sources = [*package.rglob("*.py"), *(package / "widgets" / "static").rglob("*.js")]
    said = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    assert headings
    assert [part for each in headings for part in each.split("…") if part.strip() not in said] == []


@pytest.mark.spec("12.3")
def test_the_pictures_are_those_of_the_tests() -> None:
    """Each picture that a page shows is one that `make pictures` makes, light and dark."""
    pages = [page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md")]
    shown = {name for page in pages for name in find(r"pictures/([\w-]+)\.(?:png|webp)$", page)}
    made = (ROOT / "tests" / "browser" / "test_pictures.py").read_text(encoding="utf-8")
    stems = {name.removesuffix("-light").removesuffix("-dark") for name in shown}
    assert stems
    assert {f"{stem}-{theme}" for stem in stems for theme in ("light", "dark")} == shown
    assert [stem for stem in sorted(stems) if f'"{stem}"' not in made] == []
    assert [name for name in sorted(shown) if not list((DOCS / "pictures").glob(f"{name}.*"))] == []


@pytest.mark.spec("12.3")
def test_every_page_of_the_site_is_in_its_contents() -> None:
    """No page and no notebook is left out, and no entry of the contents leads nowhere."""
    index = DOCS / "index.md"
    lines = "".join(find_blocks(index, "{toctree}")).splitlines()
    entries = [line.partition("<")[2].rstrip(">") or line for line in lines]
    listed = {(DOCS / entry).resolve() for entry in entries if entry and not entry.startswith(":")}
    pages = {page.with_suffix("") for page in [*DOCS.rglob("*.md"), *ROOT.glob("notebooks/**/*.ipynb")]}
    pages = {page for page in pages if ".ipynb_checkpoints" not in page.parts}
    assert pages - {index.with_suffix("")} - listed == set()
    assert [page for page in listed - pages if not page.with_name(f"{page.name}.md").exists()] == []
