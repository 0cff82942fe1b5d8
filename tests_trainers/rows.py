"""Print which tests hold the traps of trainers and the habits of their users."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TRAP = re.compile(r"test_trap_(sb3|trl|agilerl|all)_?(\d*)")
HABITS = re.compile(r"test_habits?((?:_(?:and_)?\d+)+)")
#: Rows of each kind, as they were reported.
TRAPS = {"sb3": 7, "trl": 9, "agilerl": 5, "all": 1}
HABIT_ROWS = range(1, 26)


def names() -> Iterator[str]:
    """Yield the names of all test functions."""
    for folder in (ROOT / "tests", ROOT / "tests_trainers"):
        for path in folder.rglob("test_*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    yield node.name


def count() -> tuple[dict[str, set[int]], set[int]]:
    """Return the rows that have a test: of traps by library, and of habits."""
    traps: dict[str, set[int]] = defaultdict(set)
    habits: set[int] = set()
    for name in names():
        if trap := TRAP.match(name):
            traps[trap[1]].add(int(trap[2] or 1))
        elif habit := HABITS.match(name):
            habits |= {int(number) for number in re.findall(r"\d+", habit[1])}
    return traps, habits


def main() -> None:
    """Print the rows; a row that has lost its test ends the program with an error."""
    traps, habits = count()
    lacking = [
        f"{library} {row}"
        for library, rows in TRAPS.items()
        for row in range(1, rows + 1)
        if row not in traps[library]
    ]
    lacking += [f"habit {row}" for row in HABIT_ROWS if row not in habits]
    for library, rows in TRAPS.items():
        print(f"{library}: {len(traps[library])} tests of {rows} traps")
    print(f"habits: {len(habits)} of {len(HABIT_ROWS)}")
    print(f"rows with a test: {sum(TRAPS.values()) + len(habits)}")
    if lacking:
        raise SystemExit(f"Without a test: {', '.join(lacking)}.")


if __name__ == "__main__":
    main()
