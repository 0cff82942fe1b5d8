"""Launchers of supervisors and endpoints. Their work is a row already; a launcher only starts a process."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from pipeline_widgets.errors import ExecutionError, format_error, format_value
from pipeline_widgets.execution.launchers.local import LocalLauncher
from pipeline_widgets.execution.launchers.protocol import (
    REFUSED,
    LaunchedJob,
    Launcher,
    LauncherDescription,
    LaunchRequest,
)

__all__ = [
    "REFUSED",
    "LaunchRequest",
    "LaunchedJob",
    "Launcher",
    "LauncherDescription",
    "find_launcher",
    "has_launch_servers",
]

GROUP = "pipeline_widgets.launchers"


def has_launch_servers(name: str | None) -> bool:
    """Return whether launch servers fork the supervisors of a launcher; None is this machine's own."""
    return name is None or name.startswith("ssh:")


def find_launcher(name: str) -> Launcher:
    """Return a launcher by its name, which begins with the scheme of an entry point: "slurm", "ssh://host".

    Args:
        name: As a user writes it. What follows the scheme is for the launcher itself to read.

    Raises:
        ExecutionError: There is no launcher of that scheme, what it needs is not installed, or it refuses the
            rest of the name.
    """
    if name == "local":  # a supervisor's start does not read what every installed package announces
        return LocalLauncher(name)
    return _find(name if isinstance(name, str) else repr(name))  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything


@cache
def _find(name: str) -> Launcher:
    known = {point.name: point for point in entry_points(group=GROUP)}
    point = known.get(name.partition(":")[0])
    if point is None:
        there = ", ".join(sorted(known))
        what = f"There is no launcher named {format_value(name)}."
        raise ExecutionError(what, fix=f"Use one of these: {there}. More come with packages that bring them.")
    try:
        create = point.load()
    except Exception as error:
        raise _import_failure(name, point, error) from error
    return create(name)


def _import_failure(name: str, point: EntryPoint, error: Exception) -> ExecutionError:
    what, fix = f"The launcher {format_value(name)} cannot be used.", "Install what it needs."
    extras = point.dist.metadata.get_all("Provides-Extra") if point.dist is not None else None
    if point.dist is not None and point.name in (extras or ()):
        fix = f"Install what it needs: pip install '{point.dist.name}[{point.name}]'"
    return ExecutionError(what, format_error(error), fix)
