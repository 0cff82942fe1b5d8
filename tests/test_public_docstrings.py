"""What the docstrings of the public face tell, as source: arguments, and errors that can be named."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline_widgets as pw

PACKAGE = Path(pw.__file__).parent
FACE = (
    *sorted((PACKAGE / "api").glob("*.py")),
    PACKAGE / "algorithms/registry.py",
    PACKAGE / "algorithms/context.py",
)
BUILT_IN = {
    "NotImplementedError",
    "ValueError",
    "TypeError",
    "ImportError",
    "KeyError",
    "IndexError",
    "OSError",
}


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield each public function and method of the public face, and what it is called."""
    for path in FACE:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            members = (
                node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
            )
            for each in members:
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
                    yield f"{path.stem}.{getattr(node, 'name', '')}.{each.name}", each


FUNCTIONS = dict(functions())


def arguments(function: ast.FunctionDef) -> list[str]:
    """Return the names of a function's arguments, as its docstring writes them."""
    spec = function.args
    plain = [each.arg for each in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
    starred = [f"*{spec.vararg.arg}"] if spec.vararg else []
    named = [f"**{spec.kwarg.arg}"] if spec.kwarg else []
    return [*(name for name in plain if name not in {"self", "cls"}), *starred, *named]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_documents_its_arguments(name: str) -> None:
    """The Args section of its docstring has a line for each."""
    text = ast.get_docstring(FUNCTIONS[name]) or ""
    section = text.partition("Args:")[2].partition("\n\n")[0]
    documented = re.findall(r"^ {4}([*\w]+(?:, [*\w]+)*):", section, flags=re.MULTILINE)
    assert sorted(arguments(FUNCTIONS[name])) == sorted(
        each for line in documented for each in line.split(", ")
    )


@pytest.mark.spec("10.3", "10.5")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_error_that_a_docstring_names_can_be_caught_by_name(name: str) -> None:
    """It is `pw.SomethingError`, or one of Python's own."""
    text = ast.get_docstring(FUNCTIONS[name]) or ""
    for error in re.findall(r"^ {4}(\w+Error):", text, flags=re.MULTILINE):
        assert error in BUILT_IN or issubclass(getattr(pw, error), pw.PipelineError)
