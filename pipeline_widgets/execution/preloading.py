"""Import the libraries of a training ahead of the next one.

A worker is forked from a process that has imported no library, so that nothing of one run reaches the next.
A training with torch and transformers waits for seconds for imports that the stage before it has just made.
So the worker of the next stage is started while this one trains, and imports the same in its own process.
"""

from __future__ import annotations

import importlib
import os
import stat
import sys
import sysconfig
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline_widgets.algorithms.preload import find_not_installed
from pipeline_widgets.domain.libraries import Libraries

#: Modules beside which a training imports nothing that is worth another process; numpy has 140, torch 1,100.
FEW = 300
#: Threads that a fork can do without: jemalloc, in pyarrow, goes on without its own in a fork.
_NOT_NEEDED = {"jemalloc_bg_thd"}
_PLAIN_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero", "/dev/pts")


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedModules:
    """The installed modules that a training has imported, in their order."""

    names: tuple[str, ...]
    #: The variables that have changed meanwhile, as they are now; None for one that is gone.
    variables: Mapping[str, str | None]
    #: Whether no training has told them: the algorithm declares them.
    is_declared: bool = False


def declared_modules(libraries: Libraries) -> ImportedModules:
    """Return the modules that an algorithm declares, which no training has imported yet."""
    return ImportedModules(names=libraries.declared, variables={}, is_declared=True)


class ImportWatcher:
    """Tells once which installed modules a training has imported.

    Create it before the training's code is loaded.
    """

    def __init__(self) -> None:
        # A number, and not the names: a fork copies each page of memory on which it counts a reference.
        self._before = len(sys.modules)
        self._variables: Mapping[str, str] | None = _variables()

    def imported(self) -> ImportedModules | None:
        """Return the modules; None where they are few, and when asked again."""
        before, self._variables = self._variables, None
        if before is None:
            return None
        if len(sys.modules) - self._before < FEW:
            return None
        places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        new = list(sys.modules)[self._before :]  # they stand in the order of their imports
        names = tuple(name for name in new if _is_installed(name, places))
        if len(names) < FEW:
            return None
        now = _variables()
        changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
        return ImportedModules(names=names, variables={name: now.get(name) for name in changed})


def import_ahead(modules: ImportedModules) -> bool:
    """Import modules; one that cannot be is left to the training, whatever it raises.

    Returns:
        Whether the imports have changed the environment as the training did. Where not, the training has set
        variables itself. Libraries read some, such as HF_HOME, while they are imported: the next training
        would set them too late here.
    """
    for name in modules.names:
        if name not in sys.modules:
            with suppress(BaseException):
                importlib.import_module(name)
    now = _variables()
    return all(now.get(name) == value for name, value in modules.variables.items())


def import_libraries(modules: ImportedModules) -> tuple[Mapping[str, str | None], str | None]:
    """Import modules in a process from which others are forked that will not import them again.

    Returns:
        The variables that the imports have changed, and the reason for which nothing can be forked from this
        process; None where it can be.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as every worker does
    before = _variables()
    failure = _import_declared(modules.names) if modules.is_declared else None
    is_same = modules.is_declared or import_ahead(modules)
    now = _variables()
    changed = {name: now.get(name) for name in {*before, *now} if before.get(name) != now.get(name)}
    if failure is not None:
        return changed, failure
    if not modules.is_declared and (not is_same or changed != {**modules.variables}):
        return changed, "The training sets variables itself that libraries may read."
    return changed, find_hindrance(is_declared=modules.is_declared)


def _import_declared(names: Collection[str]) -> str | None:
    """Import the modules that an algorithm declares; return why one cannot be."""
    if (own := find_not_installed(names)) is not None:
        return f"{own} is not an installed package here, and is not imported ahead."
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001  a module may even exit
            return f"{name} cannot be imported ahead ({type(error).__name__}: {error})."
    return None


def find_hindrance(*, is_declared: bool) -> str | None:
    """Return why what is forked from this process would not be as a process that has imported the same.

    Args:
        is_declared: Whether the user has declared what it imports. A thread that a library has started is
            then no hindrance as long as it is a daemon of Python's that does nothing but wait, as monitors
            do: Python itself notes in a fork that it has ended. A pool of threads is: who hands it work in a
            fork, in Python or in C, waits for ever.
    """
    if (opened := _find_device()) is not None:
        return f"A library has opened {opened}, which cannot be used in a fork."
    threads = find_threads()
    waiting = _find_waiting_daemons() if is_declared and threads else ()
    for number, name in threads.items():
        if number not in waiting:
            return f"A library has started a thread ({name}), which would be missing in a fork."
    return None


def find_threads() -> Mapping[int, str]:
    """Return the names of the threads that a fork of this process would lack, by their numbers (Linux)."""
    found: dict[int, str] = {}
    for number in map(int, os.listdir("/proc/self/task")):  # noqa: PTH208
        if number != os.getpid():
            with suppress(OSError):
                comm = Path(f"/proc/self/task/{number}/comm")
                found[number] = comm.read_text(encoding="utf-8").strip()
    return {number: name for number, name in found.items() if name not in _NOT_NEEDED}


def _find_waiting_daemons() -> frozenset[int]:
    """Return the system's numbers of the daemon threads of Python that wait for an event at this moment."""
    frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    waits = threading.Condition.wait.__code__
    found: set[int] = set()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if thread.daemon and thread.native_id is not None and frame is not None and frame.f_code is waits:
            found.add(thread.native_id)
    return frozenset(found)


def _find_device() -> str | None:
    """Return a device that this process has opened, such as a GPU; None without one."""
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208  as above
        with suppress(OSError):
            opened = f"/proc/self/fd/{number}"
            mode, path = os.stat(opened).st_mode, os.readlink(opened)  # noqa: PTH115, PTH116  a socket is no path
            is_device = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)  # and no memory that processes share
            if is_device and not path.startswith(_PLAIN_DEVICES):
                return path
    return None


def _variables() -> Mapping[str, str]:
    """Return the variables that are not ours: scripts find their run by one that this process sets.

    Which GPUs a run sees is set for each, and read when CUDA begins, which no import does.
    """
    ours = ("PIPELINE_WIDGETS_", "CUDA_VISIBLE_DEVICES")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def _is_installed(name: str, places: Collection[str]) -> bool:
    """Return whether a module is installed: a user's own modules have to be fresh for each run."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    origin: object = getattr(spec, "origin", None)
    if not isinstance(origin, str) or getattr(spec, "name", None) != name:
        return False
    return any(origin.startswith(f"{place}{os.sep}") for place in places)
