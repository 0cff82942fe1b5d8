"""Which tests prove which row of the specification: fills the table of docs/parity.md."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "parity.md"
SUITES = ("tests", "tests_trainers", "tests_launchers")
NAMED = 2  # files that a row names
_ROW = re.compile(r"^\| (?P<row>\d+(?:\.\d+)?) \| (?P<what>[^|]+) \|")


def find_proofs(root: Path = ROOT) -> dict[str, Counter[str]]:
    """Return, by row, how many tests of which files carry its number; a parametrized test is one."""
    proofs: dict[str, Counter[str]] = {}
    for suite in SUITES:
        for file in sorted((root / suite).rglob("test_*.py")):
            for row in _rows_of(ast.parse(file.read_text(encoding="utf-8"))):
                proofs.setdefault(row, Counter())[file.relative_to(root).as_posix()] += 1
    return proofs


def render(page: str, proofs: dict[str, Counter[str]]) -> str:
    """Return the page with its table filled in."""
    return "\n".join(_render_line(line, proofs) for line in page.splitlines()) + "\n"


def read_rows(page: str) -> list[str]:
    """Return the rows that the page lists, in its order."""
    return [match["row"] for line in page.splitlines() if (match := _ROW.match(line))]


def _render_line(line: str, proofs: dict[str, Counter[str]]) -> str:
    match = _ROW.match(line)
    if match is None:
        return line
    found = proofs.get(match["row"], Counter())
    files = sorted(found, key=lambda file: (-found[file], file))[:NAMED]
    links = ", ".join(f"[{Path(file).stem}](../{file})" for file in files)
    return f"| {match['row']} | {match['what']} | {found.total() or 'not yet'} | {links} |"


def _rows_of(module: ast.Module) -> Iterator[str]:
    """Yield the rows of each test once, those of a class or module for each of their tests."""
    for_all = _marks_of_module(module)
    for node in module.body:
        yield from _rows_of_node(node, for_all)


def _rows_of_node(node: ast.stmt, above: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.ClassDef):
        mine = above | _marks(node.decorator_list)
        for each in node.body:
            yield from _rows_of_node(each, mine)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
        yield from above | _marks(node.decorator_list)


def _marks_of_module(module: ast.Module) -> frozenset[str]:
    for node in module.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
        ):
            given = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            return _marks(given)
    return frozenset()


def read_marks(decorators: list[ast.expr]) -> Iterator[object]:
    """Yield what spec marks among decorators name, or among the marks of a module."""
    for each in decorators:
        if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.spec":
            yield from (ast.literal_eval(argument) for argument in each.args)


def _marks(given: list[ast.expr]) -> frozenset[str]:
    return frozenset(map(str, read_marks(given)))


def main() -> None:
    """Fill in the page."""
    page = PAGE.read_text(encoding="utf-8")
    filled = render(page, find_proofs())
    PAGE.write_text(filled, encoding="utf-8")
    open_rows = [line.split("|")[1].strip() for line in filled.splitlines() if "| not yet |" in line]
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: rows without a test: {', '.join(open_rows) or 'none'}\n")


if __name__ == "__main__":
    main()
