"""References to decorated functions, for other processes: an import path, or the code by value."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline_widgets.algorithms.former_paths import current_path
from pipeline_widgets.algorithms.search_path import extend_search_path, is_installed, search_path
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.python_version import HERE, foreign_reason


def reference_to(decorated: object, function: Any, name: str) -> AlgorithmReference:
    """Return where another process finds an algorithm or an evaluator.

    Args:
        decorated: What the decorator has made.
        function: What it was made of, whose module may have it.
        name: What errors call it.

    Raises:
        ConfigError: It has no import path, and cannot be pickled.
    """
    reference = readable_reference_to(decorated, function)
    if reference.path is not None:
        return reference
    from pipeline_widgets.algorithms import by_value  # noqa: PLC0415  only notebooks need it

    return replace(reference, value=by_value.pack(decorated, name), python=HERE)


def readable_reference_to(decorated: object, function: Any) -> AlgorithmReference:
    """Return where the code is read. What a cell defines is described and not packed: nothing can run it.

    Args:
        decorated: What the decorator has made.
        function: What it was made of.
    """
    module, path = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    home = sys.modules.get(module)
    if module != "__main__" and home is not None and getattr(home, path, None) is decorated:
        root = None if is_installed(home) else search_path(home)
        return AlgorithmReference(path=f"{module}:{path}", root=root)
    from pipeline_widgets.algorithms import cell_code  # noqa: PLC0415  only notebooks need it

    return AlgorithmReference(root=search_path(), code=cell_code.record_cells(decorated))


def open_code(reference: AlgorithmReference) -> Any:
    """Return what a reference leads to. Opening it runs code.

    Args:
        reference: An import path, or the code itself by value.
    """
    earlier = [each for each in reference.earlier if each.value and foreign_reason(each.python) is None]
    entries = [entry for each in (reference, *earlier) for entry in (each.root or "").split(os.pathsep)]
    if sys.flags.safe_path:  # a process of ours, which was started isolated from the current folder
        with suppress(OSError):  # the folder was deleted
            entries.append(str(Path.cwd()))
    extend_search_path(entries)
    if reference.value is not None:
        from pipeline_widgets.algorithms import by_value  # noqa: PLC0415  only what notebooks defined needs it

        return by_value.unpack(reference.value, [each.value for each in earlier if each.value])
    module, _, name = (reference.path or "").partition(":")
    return getattr(importlib.import_module(current_path(module)), name)
