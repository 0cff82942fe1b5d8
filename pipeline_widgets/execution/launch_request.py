"""Requests to launchers: a supervisor of a workspace, or the process behind an endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline_widgets.domain.libraries import Libraries
from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.execution.launchers.protocol import LaunchRequest
from pipeline_widgets.execution.variables import LAUNCH, LAUNCHED_FOR, URL, new_launch
from pipeline_widgets.persistence.trust import FOLDER_VARIABLE, user_data_folder


def create_launch_request(
    url: str,
    arguments: Sequence[str],
    log: Path,
    *,
    resources: Resources | None = None,
    identity: str | None = None,
    folders: Sequence[Path] = (),
    server_log: Path | None = None,
    libraries: Libraries | None = None,
) -> LaunchRequest:
    """Return the request for a process of a workspace, with a launch number of its own.

    Args:
        url: The workspace. It may hold a password, and a command line can be read by everyone on a machine.
        arguments: What the process is to do: `("supervise", "12")`.
        log: Where it prints to.
        resources: What it asks its engine for.
        identity: The workspace that it may trust on a machine where this user has signed nothing.
        folders: What it has to see of this machine's files.
        server_log: Where the launch server of the workspace prints to, if one may fork this process.
        libraries: The libraries that it is likely to import.
    """
    environment = {URL: url, LAUNCH: new_launch(), FOLDER_VARIABLE: str(user_data_folder())}
    if identity is not None:
        environment[LAUNCHED_FOR] = identity
    return LaunchRequest(
        arguments=tuple(arguments),
        environment=environment,
        name="-".join(("pw", *arguments)),
        log=log,
        folders=tuple(folders),
        resources=resources or Resources(),
        server_log=server_log,
        libraries=libraries,
    )
