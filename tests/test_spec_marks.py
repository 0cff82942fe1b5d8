"""The tests themselves: a sentence each, and marks that name rows of the specification."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import parity
import pytest

TESTS = Path(__file__).parent
TRAINERS = TESTS.parent / "tests_trainers"
#: The last row of each section of the specification.
ROWS = {1: 0, 2: 6, 3: 8, 4: 12, 5: 13, 6: 15, 7: 9, 8: 5, 9: 8, 10: 6, 11: 4, 12: 3}
FILES = sorted(path for folder in (TESTS, TRAINERS) for path in folder.rglob("test_*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the test functions of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS.parent).as_posix())
def test_every_test_says_in_one_sentence_what_is_true(path: Path) -> None:
    """Reading the docstrings of a file tells what holds."""
    for node in functions(path):
        text = (ast.get_docstring(node) or "").strip()
        assert text.endswith("."), f"{path.name}: {node.name}"
        assert "\n\n" not in text, f"{path.name}: {node.name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TESTS.parent).as_posix())
def test_marks_name_rows_that_exist(path: Path) -> None:
    """A mark is a section, or a section and one of its rows."""
    for node in functions(path):
        for row in parity.read_marks(node.decorator_list):
            assert isinstance(row, str)
            section, _, number = row.partition(".")
            assert int(section) in ROWS, row
            assert 0 <= int(number or 0) <= ROWS[int(section)], row


@pytest.mark.spec("12.1")
def test_the_parity_page_lists_every_row_and_which_of_them_are_proven() -> None:
    """It has each row of the specification once, and calls those "not yet" whose number no test carries."""
    page = parity.PAGE.read_text(encoding="utf-8")
    proofs = parity.find_proofs()
    rows = [f"{section}.{row}" if row else f"{section}" for section, last in ROWS.items()
            for row in range(bool(last), last + 1)]  # fmt: skip
    assert parity.read_rows(page) == rows
    unproven = [line.split("|")[1].strip() for line in page.splitlines() if "| not yet |" in line]
    assert unproven == [row for row in rows if row not in proofs], "make parity"


@pytest.mark.spec("12.1")
def test_what_the_parity_page_links_proves_the_row() -> None:
    """A link leads to a file with a test that carries the number of its row."""
    proofs = parity.find_proofs()
    for line in parity.PAGE.read_text(encoding="utf-8").splitlines():
        for file in re.findall(r"\]\(\.\./([^)]+)\)", line):
            assert file in proofs[line.split("|")[1].strip()], f"make parity: {line}"


@pytest.mark.spec("12.1")
def test_a_mark_counts_for_its_test_its_class_or_its_module(tmp_path: Path) -> None:
    """A test proves the rows that it carries itself, and those of its class and module, each once."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_one.py").write_text(
        "pytestmark = pytest.mark.spec('1')\n"
        "@pytest.mark.spec('2.1', '2.2')\n"
        "class TestIt:\n"
        "    @pytest.mark.spec('2.1')\n"
        "    def test_a(self): ...\n"
        "    def helper(self): ...\n"
        "def test_b(): ...\n"
    )
    counted = {row: found.total() for row, found in parity.find_proofs(tmp_path).items()}
    assert counted == {"1": 2, "2.1": 1, "2.2": 1}
    page = "| 1 | Words | | |\n| 3.1 | New | 4 | [x](../x) |\n"
    filled = parity.render(page, parity.find_proofs(tmp_path))
    assert filled == ("| 1 | Words | 2 | [test_one](../tests/test_one.py) |\n| 3.1 | New | not yet |  |\n")
