"""The JavaScript and CSS of the views.

The sources are ES modules, and style sheets that import others. anywidget loads JavaScript from a blob, which
cannot import its neighbours, so both are joined here: no build step, and nothing generated is kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"

_IMPORT = re.compile(
    r'^import \{(?P<names>\s*\w+(?:,\s*\w+)*,?\s*)\} from "(?P<path>[\w./]+)";\n', re.MULTILINE
)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) (?P<name>\w+))", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{ (?P<name>\w+) \};\n", re.MULTILINE)
_SHEET = re.compile(r'^@import "(?P<path>[\w./]+)";\n', re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export|@import)\b.*", re.MULTILINE)


@cache
def script(entry: Path = STATIC / "views.js") -> str:
    """Return a module and all that it imports as one module, which exports what the entry exports.

    A module may import and export by name only, without renaming, and it may use a name that another module
    exports only after importing it; the tests hold that no two modules declare the same name.

    Raises:
        ValueError: A module imports or exports in another way, imports what is not exported, or modules
            import one another in a circle.
    """
    text = "\n".join(_strip_script(path) for path in _in_order(entry, script_imports))
    return f"{text}\nexport {{ {', '.join(sorted(exported_names(entry)))} }};\n"


@cache
def style(entry: Path = STATIC / "views.css") -> str:
    """Return a style sheet and all that it imports, in that order, as one style sheet.

    Raises:
        ValueError: A sheet imports in another way, or sheets import one another in a circle.
    """
    return "\n".join(_strip(path, _SHEET) for path in _in_order(entry, _sheet_imports))


@cache
def loader() -> str:
    """Return the small module that each view is sent with; it loads the others from the view's code."""
    return _read(STATIC / "loader.js")


@cache
def digest() -> str:
    """Return a digest of what all views are made of."""
    return hashlib.sha256(f"{script()}\0{style()}".encode()).hexdigest()


@cache
def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def script_imports(path: Path) -> dict[Path, set[str]]:
    """Return the modules that a module imports, in order, and which names of each."""
    imports: dict[Path, set[str]] = {}
    for found in _IMPORT.finditer(_read(path)):
        names = {name.strip() for name in found["names"].split(",") if name.strip()}
        imports.setdefault((path.parent / found["path"]).resolve(), set()).update(names)
    return imports


def exported_names(path: Path) -> set[str]:
    """Return the names that a module exports."""
    text = _read(path)
    return {found["name"] for form in (_EXPORT, _EXPORT_LIST) for found in form.finditer(text)}


def _sheet_imports(path: Path) -> list[Path]:
    text = _read(path)
    return [(path.parent / found["path"]).resolve() for found in _SHEET.finditer(text)]


def _in_order(entry: Path, imports: Callable[[Path], Iterable[Path]]) -> list[Path]:
    """Return the files that an entry needs and the entry itself, each once and after what it imports."""
    ordered: list[Path] = []

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        if path in above:
            circle = " -> ".join(each.name for each in (*above[above.index(path) :], path))
            raise ValueError(f"These files import one another: {circle}.")
        if path in ordered:
            return
        for imported in imports(path):
            visit(imported, (*above, path))
        ordered.append(path)

    visit(entry.resolve(), ())
    return ordered


def _strip_script(path: Path) -> str:
    for imported, names in script_imports(path).items():
        if missing := sorted(names - exported_names(imported)):
            raise ValueError(
                f"{path.name} imports {', '.join(missing)}, which {imported.name} does not export."
            )
    return _strip(path, _IMPORT, _EXPORT, _EXPORT_LIST)


def _strip(path: Path, *forms: re.Pattern[str]) -> str:
    """Return the text of a file without its imports and exports."""
    text = _read(path)
    for form in forms:
        text = form.sub("", text)
    if left := _LEFT.search(text):
        raise ValueError(f"{path.name} has an import or export that cannot be joined: {left[0]}")
    return text
