"""Find a user's own modules by their names, as the process of a run does, without importing them.

The user's own are all but the standard library, installed packages, and this package. A package that is
installed in editable mode is the user's own.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from pipeline_widgets.algorithms.search_path import is_the_interpreters

_OURS = __name__.partition(".")[0]
_ASK_AGAIN = 30.0  # seconds after which a package that was nowhere may have been installed
_FORGET_ABOVE = 2000  # folders whose names are remembered

_listings: dict[str, tuple[int, frozenset[str]]] = {}
_installed_at: dict[tuple[str, str], tuple[float, OwnModule | None]] = {}


@dataclass(frozen=True, slots=True)
class OwnModule:
    """A module of the user's."""

    #: Its file; None for a package without `__init__.py`.
    file: str | None
    #: The file relative to the folder that the module is found in: "pkg/helpers.py".
    name: str
    #: Where its submodules are; empty for what is no package.
    folders: tuple[str, ...] = ()


class ModuleFinder:
    """Finds modules of the user's.

    Args:
        folders: Where the process of the run looks before installed packages.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = tuple(folders)
        self._found: dict[str, OwnModule | None] = {}

    def find(self, module: str) -> OwnModule | None:
        """Return a module of the user's; None for any other, and where there is none.

        Args:
            module: The absolute name, such as "pkg.helpers".
        """
        if module not in self._found:
            self._found[module] = self._search(module)
        return self._found[module]

    def _search(self, module: str) -> OwnModule | None:
        package, _, last = module.rpartition(".")
        if package:
            parent = self.find(package)
            within = f"{package.replace('.', '/')}/"
            return _in_folders(parent.folders, last, within) if parent is not None else None
        if not last or last == _OURS or last in sys.stdlib_module_names or last == "__main__":
            return None
        return _in_folders(self._folders, last, "") or _find_editable(last)


def _in_folders(folders: Sequence[str], name: str, within: str) -> OwnModule | None:
    """Return a module of a name that lies in one of these folders."""
    portions: list[str] = []
    for folder in folders:
        names = _names_in(folder)
        path = f"{folder}{os.sep}{name}"
        if name in names and "__init__.py" in (inner := _names_in(path)):
            del inner
            file = f"{path}{os.sep}__init__.py"
            return OwnModule(file, f"{within}{name}/__init__.py", (path,))
        for suffix in (".py", *EXTENSION_SUFFIXES):
            if f"{name}{suffix}" in names:
                return OwnModule(f"{path}{suffix}", f"{within}{name}{suffix}")
        if name in names and os.path.isdir(path):  # noqa: PTH112  asked for each import
            portions.append(path)
    return OwnModule(None, f"{within}{name}/", tuple(portions)) if portions else None


def _names_in(folder: str) -> frozenset[str]:
    """Return the names in a folder, which is read again when it has changed."""
    try:
        changed = os.stat(folder).st_mtime_ns  # noqa: PTH116  a Path takes ten times as long
    except OSError:
        return frozenset()
    known = _listings.get(folder)
    if known is not None and known[0] == changed:
        return known[1]
    names = frozenset[str]()
    with suppress(OSError):
        names = frozenset(os.listdir(folder))  # noqa: PTH208
    if time.time_ns() - changed > SETTLED:
        if len(_listings) > _FORGET_ABOVE:
            _listings.clear()
        _listings[folder] = (changed, names)
    return names


#: Nanoseconds after which another change to a file or folder gives it another time stamp.
SETTLED = 50_000_000


def _find_editable(top: str) -> OwnModule | None:
    """Return a package that is installed in editable mode; the search for any other is remembered."""
    key = (top, os.pathsep.join(sys.path))
    known = _installed_at.get(key)
    now = time.monotonic()
    if known is not None and known[0] > now:
        return known[1]
    found, until = None, now + _ASK_AGAIN
    with suppress(Exception):  # finders of other packages may raise anything
        spec = importlib.util.find_spec(top)
        if spec is not None:
            origin = spec.origin if spec.has_location else None
            where = [*([origin] if origin else []), *(spec.submodule_search_locations or ())]
            if where and not any(map(is_the_interpreters, where)):
                inner = tuple(spec.submodule_search_locations or ())
                name = f"{top}/" if inner else ""
                found = OwnModule(origin, f"{name}{Path(origin).name}" if origin else name, inner)
            until = float("inf")
    if len(_installed_at) > _FORGET_ABOVE:
        _installed_at.clear()
    _installed_at[key] = (until, found)
    return found
