"""The protocol of launchers, and its values. The state of a run stays in our rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipeline_widgets.domain.engine_job import JobObservation
from pipeline_widgets.domain.libraries import Libraries
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.domain.resources import Resources

#: The code of the error of an engine that answers, and can run nothing until somebody changes it.
REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchRequest:
    """A process to start: `python -P -m pipeline_widgets ARGUMENTS`."""

    arguments: tuple[str, ...]
    #: Variables that it has to have. They hold the workspace's URL, and so perhaps a password: everybody can
    #: read command lines, so that no value of these may stand on one.
    environment: Mapping[str, str]
    #: How the engine's own listing names it, such as "pw-run-12".
    name: str
    #: Where its output goes, where the engine shares the file system of this machine.
    log: Path
    #: Folders of this machine that it has to see under the same paths, as one for artifacts that has no URL.
    folders: tuple[Path, ...] = ()
    resources: Resources = field(default_factory=Resources)
    #: Where the launch server of its workspace prints to; None for a process that none forks.
    server_log: Path | None = None
    #: The libraries that it is likely to import; None where that is not known.
    libraries: Libraries | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchedJob:
    """A job that was launched."""

    #: By which the engine knows it.
    id: str
    #: The process, where that is known at once.
    process: Process | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LauncherDescription:
    """The machine or engine behind a launcher."""

    #: As it is written: "slurm", "ssh://host".
    name: str
    #: What answers, with its version: "Slurm 22.05.8 (cluster pw)".
    engine: str
    #: The version of Python that its jobs have, such as "3.11"; None where that is not known before one runs.
    python: str | None = None
    #: Whether its jobs see the files of this machine under the same paths.
    shares_files: bool = True


class Launcher(Protocol):
    """Starts processes and knows what has become of them, on one machine or by an engine.

    A launcher is made of its name alone, holds nothing that has to be kept, and may be used from any thread,
    and from any process that can reach its engine: who asks for a job need not be who submitted it.
    Each call that needs the engine ends within 30 s.
    """

    def submit(self, request: LaunchRequest) -> LaunchedJob:
        """Give a job to the engine, and return it. The job may wait in a queue.

        Raises:
            ExecutionError: The engine has refused it, or does not answer.
        """
        ...

    def status(self, job_id: str) -> JobObservation:
        """Return what the engine says of a job; UNKNOWN where it does not answer, or has forgotten it."""
        ...

    def stop(self, job_id: str) -> None:
        """End a job: SIGTERM first where the engine can, and nothing of it is left after its own grace.

        One that has ended already, or is unknown, is left alone.

        Raises:
            ExecutionError: The engine does not answer.
        """
        ...

    def logs(self, job_id: str, lines: int = 100) -> str:
        """Return the last lines that a job has printed; empty where nothing is known of it."""
        ...

    def describe(self) -> LauncherDescription:
        """Ask the engine what it is.

        Raises:
            ExecutionError: It does not answer, or a program or package is missing; with what to install.
                With the code `REFUSED` it answers and can run nothing as it is: a run that it was to begin is
                given up. Without it, the run waits.
        """
        ...
