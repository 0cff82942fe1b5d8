"""The modules that an algorithm declares to be imported ahead. None is imported to look for it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path

from pipeline_widgets.algorithms.search_path import PACKAGE_FOLDERS, is_the_interpreters
from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.errors import AlgorithmNotFoundError, PipelineError, RuleError

#: The code of the error of an algorithm whose modules are not installed.
NOT_INSTALLED = "not_installed"


def find_preload_error(spec: AlgorithmSpec) -> PipelineError | None:
    """Return the error for a declared module that is not installed, or is a user's own.

    Args:
        spec: The declaration of the algorithm.
    """
    for module in spec.preload:
        places = find_places(module)
        if places is None:
            what = f"{spec.name} declares preload={module!r}, and Python finds no module of that name here."
            fix = f"Install it, correct its name, or take it out of preload= of {spec.name}."
            return AlgorithmNotFoundError(what, fix=fix, code=NOT_INSTALLED)
        if not are_installed(places):
            what = f"{spec.name} declares preload={module!r}, which is a module of your own ({places[0]})."
            why = "Each run imports your modules anew, as they are by then."
            fix = f"Take it out of preload= of {spec.name}, or name the installed packages that it imports."
            return RuleError(what, why, fix)
    return None


def find_not_installed(modules: Iterable[str]) -> str | None:
    """Return the first of these modules that is no part of Python or of an installed package."""
    return next((each for each in modules if not are_installed(find_places(each))), None)


def find_places(module: str) -> tuple[str, ...] | None:
    """Return the file, or the folders, that a module would be imported from; None where it is not found.

    Args:
        module: Its name. What comes with the interpreter itself has no place.
    """
    top, *parts = module.split(".")
    spec = _find_top(top)
    name = top
    for part in parts:
        name = f"{name}.{part}"
        folders = None if spec is None else spec.submodule_search_locations
        spec = None if folders is None else PathFinder.find_spec(name, [*folders])
    if spec is None:
        return None
    if spec.origin in {"built-in", "frozen"}:
        return ()
    return (spec.origin,) if spec.origin else tuple(spec.submodule_search_locations or ())


def are_installed(places: Iterable[str] | None) -> bool:
    """Return whether all places of a module are Python's own or those of installed packages."""
    return places is not None and all(
        is_the_interpreters(place) or not {*PACKAGE_FOLDERS}.isdisjoint(Path(place).parts) for place in places
    )


def _find_top(name: str) -> ModuleSpec | None:
    """Return where a module is found that is in no package, as an import would find it."""
    if not name:
        return None
    for finder in (BuiltinImporter, FrozenImporter, PathFinder):
        if (spec := finder.find_spec(name)) is not None:
            return spec
    with suppress(ImportError, ValueError):  # what is installed to be edited has a finder of its own
        if name not in sys.modules:
            return importlib.util.find_spec(name)
    return getattr(sys.modules.get(name), "__spec__", None)
