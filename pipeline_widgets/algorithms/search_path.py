"""The search path of a user's modules in processes of runs: that of the kernel."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType

#: What folders of installed packages are called.
PACKAGE_FOLDERS = ("site-packages", "dist-packages")


def extend_search_path(entries: Iterable[str]) -> None:
    """Let modules in these folders be found where a kernel finds those beside its notebook.

    IPython looks there after the standard library and before installed packages.
    """
    new = [entry for entry in dict.fromkeys(entries) if entry and entry not in sys.path]
    at = (index for index, entry in enumerate(sys.path) if Path(entry).name in PACKAGE_FOLDERS)
    sys.path[(first := next(at, len(sys.path))) : first] = new


def is_installed(module: ModuleType) -> bool:
    """Return whether a module comes with Python or an installed package, and not from a user's folder."""
    origin: str | None = getattr(module, "__file__", None)
    return origin is None or is_the_interpreters(origin)


def search_path(home: ModuleType | None = None) -> str:
    """Return what sys.path has beside the interpreter's own folders: a module may import its neighbours.

    The folder of the module itself comes first, since the current folder, which sys.path may mean, can
    have changed since it was imported.
    """
    entries = [Path(entry or ".").resolve() for entry in sys.path]
    if home is not None and home.__file__ is not None:
        depth = home.__name__.count(".") + (Path(home.__file__).stem == "__init__")
        entries.insert(0, Path(home.__file__).resolve().parents[depth])
    outside = (entry for entry in entries if entry.is_dir() and not is_the_interpreters(entry))
    return os.pathsep.join(dict.fromkeys(map(str, outside)))


def is_the_interpreters(path: str | Path) -> bool:
    """Return whether a path is in the standard library or among the installed packages."""
    return _is_the_interpreters(os.fspath(path))


@lru_cache(maxsize=1024)  # a view that is looked after asks for the same few folders twice a second
def _is_the_interpreters(path: str) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in _interpreters_folders())


@cache
def _interpreters_folders() -> frozenset[str]:
    return frozenset(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib"))


def can_be_found(module: str, entries: Iterable[str] = ()) -> bool:
    """Return whether a module is installed. Importing some takes seconds, so that none is imported for it.

    Args:
        module: Its name.
        entries: Folders in which it may be as well.
    """
    top = module.partition(".")[0]
    if importlib.machinery.PathFinder.find_spec(top, [entry for entry in entries if entry]) is not None:
        return True
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):  # a module that was put into sys.modules without a spec is there
        return top in sys.modules
