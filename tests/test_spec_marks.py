"""The tests themselves: a sentence each, and marks that name rows of the specification."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

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


def marks(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[object]:
    """Yield what a test's spec marks name."""
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.spec":
            yield from (ast.literal_eval(argument) for argument in mark.args)


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
        for row in marks(node):
            assert isinstance(row, str)
            section, _, number = row.partition(".")
            assert int(section) in ROWS, row
            assert 0 <= int(number or 0) <= ROWS[int(section)], row
