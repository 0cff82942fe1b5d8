"""The code of an algorithm that a notebook cell or a script defines: its definitions, and what these use.

Only the process that has defined it can tell, so that the record goes along with the code (`by_value.py`).
"""

from __future__ import annotations

import ast
import functools
import linecache
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, cast

from pipeline_widgets.algorithms.captured import (
    code_in,
    global_names,
    is_importable,
    variables_around,
)
from pipeline_widgets.algorithms.search_path import is_the_interpreters
from pipeline_widgets.cell_tracebacks import find_shell
from pipeline_widgets.domain.code_record import CELL, CodePiece, CodeRecord, digest_of_text
from pipeline_widgets.domain.normalised_code import find_imports, normalise_statements

MAIN = "__main__"
LONGEST_CONSTANT = 100_000  # characters of a constant that counts by its value
DEEPEST = 20  # levels of a constant's containers
MOST_OBJECTS = 20_000  # that are looked through
_PLAIN = (str, bytes, int, float, complex, bool, type(None), type(...))
_CONTAINERS = (list, tuple, set, frozenset)


def record_cells(algorithm: object) -> CodeRecord:
    """Return the definitions of cells or scripts that an algorithm refers to, and the modules they import.

    Args:
        algorithm: The algorithm. Of its parts all count: the train function, the config model, the
            signature and the predictor.
    """
    search = _Search()
    search.look_through([getattr(algorithm, each.name) for each in fields(cast(Any, algorithm))])
    return search.record()


@dataclass(slots=True)
class _Search:
    """Goes from definition to definition."""

    pieces: dict[tuple[str, str], CodePiece] = field(default_factory=dict[tuple[str, str], CodePiece])
    constants: dict[tuple[str, str], CodePiece] = field(default_factory=dict[tuple[str, str], CodePiece])
    imports: dict[str, None] = field(default_factory=dict[str, None])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    _left: deque[tuple[object, str]] = field(default_factory=deque[tuple[object, str]])
    _seen: dict[int, object] = field(default_factory=dict[int, object])
    _statements: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def record(self) -> CodeRecord:
        """Return what was found."""
        pieces = (*self.pieces.values(), *self.constants.values())
        return CodeRecord(pieces=pieces, imports=tuple(self.imports), texts=self.texts)

    def look_through(self, values: Iterable[object]) -> None:
        """Find the code that values lead to."""
        self._left.extend((value, "") for value in values)
        while self._left and len(self._seen) < MOST_OBJECTS:
            value, name = self._left.popleft()
            if isinstance(value, _PLAIN):
                self._add_constant(name, value)
            elif id(value) not in self._seen:
                self._seen[id(value)] = value  # kept, so that no other object gets its id
                self._look_at(value, name)

    def _look_at(self, value: object, name: str) -> None:
        if isinstance(value, ModuleType):
            self._import(value.__name__)
        elif isinstance(value, FunctionType):
            self._look_at_function(value)
        elif isinstance(value, type):
            self._look_at_class(value)
        elif inner := code_in(value):
            self._left.extend((each, "") for each in inner)
        elif isinstance(value, functools.partial):
            parts = (value.func, *value.args, *value.keywords.values())
            self._left.extend((each, name) for each in parts)
        elif isinstance(value, (dict, *_CONTAINERS)):
            self._look_at_container(cast("dict[Any, Any] | list[Any]", value), name)
        else:
            self._look_at_instance(value)

    def _look_at_instance(self, value: object) -> None:
        self._left.append((type(value), ""))
        state = getattr(value, "__dict__", None)
        ours = type(value).__module__.partition(".")[0] == __name__.partition(".")[0]
        if ours and is_dataclass(value) and (path := getattr(value, "code_file", None)):  # a training script
            self.imports.setdefault(path)
            parts = [(getattr(value, each.name), each.name) for each in fields(value)]
            self._left.extend((each, f"{name} of {Path(path).name}") for each, name in parts if each != path)
        if isinstance(state, dict) and (ours or type(value).__module__ == MAIN or is_dataclass(value)):
            self._left.extend((each, "") for each in cast("dict[str, object]", state).values()
                              if not isinstance(each, _PLAIN))  # fmt: skip

    def _look_at_container(self, value: dict[Any, Any] | Sequence[Any], name: str) -> None:
        """A constant where all within is plain; else what is within."""
        if _is_plain(value):
            self._add_constant(name, value)
            return
        items = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
        self._left.extend((each, f"{name}[{at}]" if name else "") for at, each in enumerate(items))

    def _look_at_function(self, function: FunctionType) -> None:
        for name, value in variables_around(function):
            self._left.append((value, f"{name} of {function.__qualname__}"))
        if function.__module__ != MAIN:
            self._import(function.__module__)
            if not is_importable(function):  # made by a module for a cell, with what the cell has given
                defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
                self._left.extend((each, f"default of {function.__qualname__}") for each in defaults)
            return
        names = function.__globals__
        for name in dict.fromkeys(global_names(function.__code__)):
            if name in names:
                self._left.append((names[name], name))
                self._import_parts(names[name], function.__code__)
        statement = _statement_at(function.__code__)
        if statement is None:
            digest = _digest_of_code(function.__code__)
            self._add(CodePiece(file=CELL, definition=function.__qualname__, digest=digest, source=None))
        else:
            self._add_statement(statement, names)

    def _look_at_class(self, kind: type[Any]) -> None:
        if kind.__module__ != MAIN:
            self._import(kind.__module__)
            return
        methods = [each for value in list(vars(kind).values()) for each in _functions_in(value)]
        own = [each for each in methods if not _is_generated(each)]
        statement = _statement_of_class(kind, own)
        if statement is None:
            digest = _digest_of_class(kind)
            self._add(CodePiece(file=CELL, definition=kind.__qualname__, digest=digest, source=None))
        else:
            self._add_statement(statement, vars(sys.modules[MAIN]))
        self._left.extend((each, "") for each in (*kind.__bases__, type(kind), *own))

    def _add_statement(self, statement: _Statement, names: Mapping[str, Any]) -> None:
        """Add the definition that a statement is, and what it names while it defines."""
        key = (statement.text, statement.line)
        if key in self._statements:
            return
        self._statements.add(key)
        normal = normalise_statements([statement.node])
        source = digest_of_text(statement.text)
        self.texts[source] = statement.text
        self._add(
            CodePiece(
                file=statement.file,
                definition=statement.name,
                line=statement.line,
                digest=normal.digest,
                source=source,
            )
        )
        for each in find_imports([statement.node]):
            for name in (each.module, *(f"{each.module}.{name}" for name in each.names)):
                if not each.level:
                    self._import(name)
        for name in _names_while_defining(statement.node):
            if name in names:
                self._left.append((names[name], name))

    def _add(self, piece: CodePiece) -> None:
        if piece.key not in self.pieces:
            self.pieces[piece.key] = piece
        elif self.pieces[piece.key].digest != piece.digest:  # a former definition that is used still
            self._add(
                CodePiece(
                    file=piece.file,
                    definition=f"{piece.definition}'",
                    line=piece.line,
                    digest=piece.digest,
                    source=piece.source,
                )
            )

    def _add_constant(self, name: str, value: object) -> None:
        if not name:
            return
        text = _plain_text(value)
        if len(text) > LONGEST_CONSTANT:
            text = f"{type(value).__name__} of {len(text)} characters, {digest_of_text(text)}"
        text = f"{name} = {text}"
        source = digest_of_text(text)
        self.texts[source] = text
        file, line = _place_of_constant(name)
        piece = CodePiece(file=file, definition=name, line=line, digest=source, source=source)
        self.constants[piece.key] = piece

    def _import(self, module: str | None) -> None:
        if module and _may_be_own(module.partition(".")[0]):
            self.imports.setdefault(module)

    def _import_parts(self, value: object, code: CodeType) -> None:
        """Find the submodules that code reaches through their package, as in `import pkg.sub`."""
        if not isinstance(value, ModuleType):
            return
        for inner in _all_code(code):
            for name in inner.co_names:
                if f"{value.__name__}.{name}" in sys.modules:
                    self._import(f"{value.__name__}.{name}")


def _functions_in(value: object) -> list[FunctionType]:
    """Return the functions of a cell or a script that an attribute of a class is or wraps."""
    found = [] if isinstance(value, type) else code_in(value)
    return [each for each in found if isinstance(each, FunctionType) and each.__module__ == MAIN]


def _is_generated(function: FunctionType) -> bool:
    """Return whether a library has made a method, as `dataclass` does: its class says all about it."""
    file = function.__code__.co_filename
    return is_the_interpreters(file) or (file.startswith("<") and not linecache.getlines(file))


def _may_be_own(top: str) -> bool:
    """Return whether a module can be the user's own, as far as can be told without looking for it."""
    if top in sys.stdlib_module_names or top in {MAIN, "pipeline_widgets"}:
        return False
    file = getattr(sys.modules.get(top), "__file__", None)
    return file is None or not is_the_interpreters(file)


def _all_code(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _all_code(constant)


# ---- statements


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement at the top of a cell or a script."""

    node: ast.stmt
    file: str
    name: str
    #: The line at which it begins, with its decorators.
    line: int
    text: str


def _statement_at(code: CodeType) -> _Statement | None:
    """Return the statement that has made code."""
    text = _text_of(code.co_filename)
    for each in _parse(text) if text else ():
        if _first_line(each) <= code.co_firstlineno <= (each.end_lineno or each.lineno):
            return _to_statement(each, text, code.co_filename)
    return None


def _statement_of_class(kind: type[Any], methods: Sequence[FunctionType]) -> _Statement | None:
    """Return the statement that has made a class."""
    for method in methods:
        statement = _statement_at(method.__code__)
        if statement is not None and _defines(statement.node, kind):
            return statement
    for file, text in _texts_of_main():
        for each in reversed(_parse(text)):
            if _defines(each, kind):
                return _to_statement(each, text, file)
    return None


def _defines(node: ast.stmt, kind: type[Any]) -> bool:
    """Return whether a statement defines a class, itself or within a function."""
    if isinstance(node, ast.ClassDef):
        return node.name == kind.__qualname__.partition(".")[0]
    outer = kind.__qualname__.partition(".<locals>")
    return bool(outer[1]) and getattr(node, "name", None) == outer[0]


def _texts_of_main() -> Iterator[tuple[str, str]]:
    """Yield the cells that were run, the latest first, or the script."""
    shell = find_shell()
    if shell is not None:
        for cell in reversed(list(shell.user_ns.get("In", ()))):
            yield "", _as_python(shell, cell)
    script = getattr(sys.modules.get(MAIN), "__file__", None)
    if script and (text := _text_of(script)):
        yield script, text
    for file in reversed([name for name in list(linecache.cache) if _is_cell(name)]):
        yield file, _text_of(file)


def _place_of_constant(name: str) -> tuple[str, int]:
    """Return the file and the line at which a constant was assigned last, as far as that can be told."""
    for file, text in _texts_of_main():
        for each in reversed(_parse(text)):
            if _name_of(each) == name:
                return _file_name(file), _first_line(each)
    return CELL, 1


def _as_python(shell: Any, cell: str) -> str:
    try:
        return str(shell.transform_cell(cell))
    except Exception:  # noqa: BLE001  it was no Python then, either
        return ""


def _to_statement(node: ast.stmt, text: str, file: str) -> _Statement:
    line = _first_line(node)
    lines = text.splitlines(keepends=True)[line - 1 : node.end_lineno]
    return _Statement(node, _file_name(file), _name_of(node), line, "".join(lines))


def _is_cell(file: str) -> bool:
    return "ipykernel_" in file or file.startswith(("<ipython-input", "<cell "))


def _name_of(node: ast.stmt) -> str:
    name = getattr(node, "name", None)
    if name:
        return str(name)
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    named = [each.id for each in targets if isinstance(each, ast.Name)]
    return named[0] if named else "a statement"


def _file_name(file: str) -> str:
    path = Path(file)
    is_script = path.suffix == ".py" and not _is_cell(file) and path.exists()
    return path.name if is_script else CELL


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _text_of(file: str) -> str:
    return "".join(linecache.getlines(file))


@lru_cache(maxsize=512)
def _parse(text: str) -> tuple[ast.stmt, ...]:
    try:
        return tuple(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError):
        return ()


def _names_while_defining(node: ast.stmt) -> list[str]:
    """Return the names that a statement looks up when it is executed: in decorators, defaults, classes."""
    found: dict[str, None] = {}
    left: list[ast.AST] = [node]
    while left:
        each = left.pop(0)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load):
            found.setdefault(each.id)
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
            kept: list[ast.AST | None] = [*each.decorator_list, *each.args.defaults, *each.args.kw_defaults]
            left += [one for one in kept if one is not None]
        elif isinstance(each, ast.Lambda):
            left += [one for one in (*each.args.defaults, *each.args.kw_defaults) if one is not None]
        else:
            left += list(ast.iter_child_nodes(each))
    return list(found)


# ---- values


def _is_plain(value: object, depth: int = 0) -> bool:
    if isinstance(value, _PLAIN):
        return True
    if depth > DEEPEST:
        return False
    if isinstance(value, dict):
        items = cast("dict[object, object]", value)
        return all(_is_plain(each, depth + 1) for pair in items.items() for each in pair)
    return type(value) in _CONTAINERS and all(
        _is_plain(each, depth + 1) for each in cast("Iterable[object]", value)
    )


def _plain_text(value: object) -> str:
    """Return a plain value as text that is the same in every process."""
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return "{" + ", ".join(f"{_plain_text(key)}: {_plain_text(each)}" for key, each in pairs) + "}"
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(map(_plain_text, cast("Iterable[object]", value)))) + "}"
    if isinstance(value, (list, tuple)):
        name, items = type(cast(object, value)).__name__, cast("Iterable[object]", value)
        return f"{name}({', '.join(map(_plain_text, items))})"
    return repr(value)


def _digest_of_code(code: CodeType) -> str:
    """Return what byte code is known by where its text is gone."""
    made = sha256()
    for inner in _all_code(code):
        constants = [_plain_text(each) for each in inner.co_consts if not isinstance(each, CodeType)]
        made.update(repr((inner.co_code, inner.co_names, constants)).encode())
    return made.hexdigest()


def _digest_of_class(kind: type[Any]) -> str:
    plain = {
        name: _plain_text(value)
        for name, value in vars(kind).items()
        if _is_plain(value) and not name.startswith("__")
    }
    hints = {name: str(each) for name, each in vars(kind).get("__annotations__", {}).items()}
    return sha256(repr((kind.__qualname__, sorted(plain.items()), list(hints.items()))).encode()).hexdigest()
