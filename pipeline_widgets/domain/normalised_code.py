"""Python source text without what changes no behaviour: two equal normal forms run alike.

Comments, formatting, docstrings, type hints of functions and variables, and the order of imports do not
count. Annotations in the body of a class do: dataclasses and pydantic read them. So do those of functions
with a decorator that reads them, such as `functools.singledispatch`.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

#: Decorators that read the annotations of what they decorate, by the last part of their name.
ANNOTATION_READERS = frozenset(
    {"register", "validate_call", "validate_arguments", "beartype", "typechecked", "jaxtyped", "script"}
    | {"triton", "jit", "njit", "vectorize", "singledispatch", "singledispatchmethod", "custom_op"}
)
#: Modules that give nothing but names for type hints.
TYPING_MODULES = frozenset(
    {"typing", "typing_extensions", "collections.abc", "types", "jaxtyping", "_typeshed", "numpy.typing"}
)
#: Fields of nodes that only say how the source is written.
_UNREAD = frozenset({"ctx", "kind", "type_comment", "type_ignores", "simple"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a normal form, with the line that it comes from."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Import:
    """A module that code imports: `names` of `module`, or the module itself where there are none."""

    module: str
    #: How many packages up the module is looked up; 0 for an absolute import.
    level: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NormalisedCode:
    """The normal form of a source text."""

    tokens: tuple[Token, ...]
    #: What it imports, wherever that stands.
    imports: tuple[Import, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the normal form."""
        return hashlib.sha256(
            "\0".join(token.text for token in self.tokens).encode(errors="replace")
        ).hexdigest()


def normalise(source: str) -> NormalisedCode:
    """Return the normal form of a source text; that of its lines where it is not valid Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = enumerate(source.splitlines(), 1)
        return NormalisedCode(tuple(Token(line, at) for at, line in lines))
    return normalise_statements(tree.body)


def normalise_statements(statements: Sequence[ast.stmt]) -> NormalisedCode:
    """Return the normal form of parsed statements."""
    writer = _Writer()
    try:
        writer.write_block(statements, in_class=False)
    except RecursionError:  # thousands of nested expressions
        texts = (Token(ast.unparse(each), each.lineno) for each in statements)
        return NormalisedCode(tuple(texts), tuple(find_imports(statements)))
    return NormalisedCode(tuple(writer.finish()), tuple(find_imports(statements)))


def find_first_difference(before: str, after: str) -> int | None:
    """Return the first line of `after` that does something else than `before`; None where they run alike."""
    former, latter = normalise(before).tokens, normalise(after).tokens
    for one, other in zip(former, latter, strict=False):
        if one.text != other.text:
            return other.line
    if len(former) == len(latter):
        return None
    if len(latter) > len(former):
        return latter[len(former)].line
    return latter[-1].line if latter else 1


def find_imports(statements: Iterable[ast.stmt]) -> Iterator[Import]:
    """Yield what statements import, also within functions; not what only type checkers read."""
    left: list[ast.AST] = list(reversed(list(statements)))
    while left:
        node = left.pop()
        if isinstance(node, ast.Import):
            yield from (Import(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield Import(node.module or "", node.level, tuple(alias.name for alias in node.names))
        elif isinstance(node, ast.If) and _is_for_type_checkers(node.test):
            left += reversed(node.orelse)
        else:
            if isinstance(node, ast.Call) and (module := _constant_import(node)) is not None:
                yield Import(module)
            left += reversed(list(ast.iter_child_nodes(node)))


def _constant_import(call: ast.Call) -> str | None:
    """Return the module that `import_module("...")` or `__import__("...")` names."""
    name = _last_name(call.func)
    first = call.args[0] if call.args else None
    if name in {"import_module", "__import__"} and isinstance(first, ast.Constant):
        return first.value if isinstance(first.value, str) and not first.value.startswith(".") else None
    return None


def _is_for_type_checkers(test: ast.expr) -> bool:
    return _last_name(test) == "TYPE_CHECKING"


def _last_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _reads_annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    for each in node.decorator_list:
        parts = {
            part.attr if isinstance(part, ast.Attribute) else part.id
            for part in ast.walk(each)
            if isinstance(part, (ast.Attribute, ast.Name))
        }
        if parts & ANNOTATION_READERS:
            return True
    return False


@dataclass(slots=True)
class _Imports:
    """Imports that stand together, whose order does not count."""

    bound: list[tuple[str, str, str, int]] = field(default_factory=list[tuple[str, str, str, int]])


@dataclass(slots=True)
class _Writer:
    """Writes the normal form of statements."""

    tokens: list[Token | _Imports] = field(default_factory=list["Token | _Imports"])
    used: set[str] = field(default_factory=set[str])
    hinted: set[str] = field(default_factory=set[str])

    def finish(self) -> Iterator[Token]:
        """Yield the tokens, with the imports in one order, but for names that only hints use."""
        for each in self.tokens:
            if isinstance(each, Token):
                yield each
            else:
                yield from self._sorted_imports(each)

    def _sorted_imports(self, imports: _Imports) -> Iterator[Token]:
        bound: dict[tuple[str, str, str], int] = {}
        for module, name, alias, line in imports.bound:
            visible = alias or name or module.partition(".")[0]
            hint_only = visible in self.hinted or (name and module in TYPING_MODULES)
            if not hint_only or visible in self.used:
                bound.setdefault((module, name, alias), line)
            elif not _is_harmless(module):
                bound.setdefault((module, "", "(not used)"), line)
        needed = {module for module, _, alias in bound if alias != "(not used)"}
        for key in sorted(bound):
            if key[2] != "(not used)" or key[0] not in needed:
                yield Token(f"import {' '.join(key)}", bound[key])

    def write_block(self, statements: Sequence[ast.stmt], *, in_class: bool) -> None:
        """Write the statements of one block."""
        run: _Imports | None = None
        for each in statements:
            if isinstance(each, (ast.Import, ast.ImportFrom)):
                if run is None:
                    self.tokens.append(run := _Imports())
                run.bound += _bindings(each)
                continue
            if _does_nothing(each):
                continue
            run = None
            if isinstance(each, ast.If) and _is_for_type_checkers(each.test):
                self.write_block(each.orelse, in_class=in_class)
            elif isinstance(each, ast.AnnAssign) and not in_class:
                self._write_hinted(each)
            elif isinstance(each, ast.Delete):
                self._write_deletion(each)
            else:
                self._write(each, each.lineno)

    def _write_hinted(self, node: ast.AnnAssign) -> None:
        """Write `x: int = 3` as `x = 3`, and `x: int` not at all."""
        self._hint(node.annotation)
        if node.value is not None:
            assigned = ast.Assign(targets=[node.target], value=node.value)
            self._write(ast.copy_location(assigned, node), node.lineno)

    def _write_deletion(self, node: ast.Delete) -> None:
        """Write `del (a, b)` as `del a, b`."""
        targets = [
            each
            for target in node.targets
            for each in (target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target])
        ]
        self._write(ast.copy_location(ast.Delete(targets=targets), node), node.lineno)

    def _write(self, node: ast.AST, line: int) -> None:
        line = getattr(node, "lineno", line)
        self._add(type(node).__name__, line)
        if isinstance(node, ast.Constant):
            self._write_constant(node, line)
            return
        if isinstance(node, ast.Name):
            self.used.add(node.id)
        without_hints = isinstance(node, _FUNCTIONS) and not _reads_annotations(node)
        for name in node._fields:
            value = getattr(node, name, None)
            if name in _UNREAD or value is None or value == []:
                continue
            if without_hints and name in {"returns", "type_params"}:
                self._hint(value)
            elif name == "args" and isinstance(value, ast.arguments):
                self._add(name, line)
                self._write_arguments(value, line, hints=not (without_hints or isinstance(node, ast.Lambda)))
            else:
                self._add(name, line)
                self._write_value(node, name, value, line)
        self._add(")", getattr(node, "end_lineno", None) or line)

    def _write_value(self, node: ast.AST, name: str, value: object, line: int) -> None:
        if isinstance(value, ast.AST):
            self._write(value, line)
        elif isinstance(value, list) and name in {"body", "orelse", "finalbody"}:
            if value and isinstance(value[0], ast.stmt):
                self.write_block(value, in_class=isinstance(node, ast.ClassDef))  # pyright: ignore[reportUnknownArgumentType]
            else:
                self._write_list(value, line)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(value, list):
            self._write_list(value, line)  # pyright: ignore[reportUnknownArgumentType]
        else:
            self._add(repr(value), line)

    def _write_list(self, values: Iterable[object], line: int) -> None:
        for each in values:
            if isinstance(each, ast.AST):
                self._write(each, line)
            else:  # None in a dictionary that another one is unpacked into, or a name of `global`
                self._add(repr(each), line)
                self.used.add(str(each))
        self._add("]", line)

    def _write_arguments(self, arguments: ast.arguments, line: int, *, hints: bool) -> None:
        for name in ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg"):
            given = getattr(arguments, name)
            listed = cast("list[ast.arg]", given if isinstance(given, list) else [given] if given else [])
            if listed:
                self._add(name, line)
            for each in listed:
                self._add(each.arg, each.lineno)
                if each.annotation is not None and hints:
                    self._write(each.annotation, each.lineno)
                elif each.annotation is not None:
                    self._hint(each.annotation)
        self._write_list(arguments.defaults, line)
        self._write_list(arguments.kw_defaults, line)

    def _write_constant(self, node: ast.Constant, line: int) -> None:
        value = node.value
        if isinstance(value, str):
            self.used.add(value)  # a name of `__all__`, or one that `getattr` asks for
        self._add(f"{type(value).__name__} {value!r}", line)

    def _hint(self, hint: object) -> None:
        """Remember the names that a hint uses, which is not written."""
        for each in hint if isinstance(hint, list) else [hint]:  # pyright: ignore[reportUnknownVariableType]
            for node in ast.walk(each) if isinstance(each, ast.AST) else ():
                if isinstance(node, ast.Name):
                    self.hinted.add(node.id)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    with suppress(SyntaxError, ValueError):
                        self._hint(ast.parse(node.value, mode="eval"))

    def _add(self, text: str, line: int) -> None:
        self.tokens.append(Token(text, line))


def _bindings(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str, str, int]]:
    """Yield module, name and alias of what an import binds, with its line."""
    for each in node.names:
        if isinstance(node, ast.Import):
            yield each.name, "", each.asname or "", node.lineno
        elif node.module != "__future__" or each.name != "annotations":
            alias = each.asname if each.asname != each.name else None
            yield "." * node.level + (node.module or ""), each.name, alias or "", each.lineno


def _does_nothing(node: ast.stmt) -> bool:
    """Return whether a statement is `pass`, a docstring, or another constant by itself."""
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_harmless(module: str) -> bool:
    """Return whether importing a module does nothing but give names."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or module in TYPING_MODULES
