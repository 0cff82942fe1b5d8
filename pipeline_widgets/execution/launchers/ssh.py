"""Start processes on another host, over SSH.

By OpenSSH's own client and not by asyncssh: jump hosts, agents, certificates, hardware keys, Kerberos and
the whole of ~/.ssh/config work as they do in a user's terminal, connections are shared between processes, and
there is nothing to install.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import sys
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.liveness import Process
from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.errors import ExecutionError, StorageError
from pipeline_widgets.execution import processes
from pipeline_widgets.execution.hosted_job import UNKNOWN_EXIT
from pipeline_widgets.execution.launch_place import VARIABLE
from pipeline_widgets.execution.launchers import ssh_package, ssh_scripts
from pipeline_widgets.execution.launchers.protocol import (
    REFUSED,
    LaunchedJob,
    LauncherDescription,
    LaunchRequest,
)
from pipeline_widgets.execution.launchers.ssh_address import SshAddress
from pipeline_widgets.execution.launchers.ssh_connection import (
    NEVER_CONNECTED,
    SshConnection,
    UnreachableError,
)
from pipeline_widgets.execution.variables import LAUNCH, LIBRARIES, URL, new_launch, token_of
from pipeline_widgets.persistence import urls
from pipeline_widgets.persistence.trust import FOLDER_VARIABLE

CHECKED_FOR = 300.0  # seconds for which facts about a host are believed
SUBMIT_WITHIN = 25.0  # seconds for a submit, with all tries
RETRY_AFTER = 1.0
OLDEST_PYTHON = (3, 11)
_JOB = re.compile(r"[0-9a-f]{32}")
#: Distributions of database drivers, and the extra that brings them.
_DRIVERS = {"psycopg": "postgres"}
#: States of a job, as a script prints them.
_STATES = {
    "at work": (JobState.AT_WORK, ""),
    "starting": (JobState.AT_WORK, ""),
    "absent": (JobState.ENDED, "its host does not know it"),
    "unstarted": (JobState.ENDED, "it could not be started"),
    "gone": (JobState.ENDED, "it is gone, with what watched it"),
    "restarted": (JobState.ENDED, "its host was restarted"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Host:
    """The folders and programs for jobs on a host."""

    #: The path of the interpreter.
    python: str
    #: The folder of the copy of this package; empty where none is used.
    copy: str
    facts: Mapping[str, Any]
    #: Of the paths that were asked for, those that are there.
    seen: frozenset[str]

    @property
    def version(self) -> tuple[int, ...]:
        """The version of Python."""
        return tuple(int(part) for part in str(self.facts["python"]).split("."))


class SshLauncher:
    """Starts processes on a host that OpenSSH can reach. They outlive the connection.

    Args:
        name: As it is written: `ssh://[USER@]HOST[:PORT][?python=PATH][&package=copy]`.

    Raises:
        ExecutionError: It is not written so.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._address = SshAddress.parse(name)
        self._connection = SshConnection(self._address)
        self._checked: dict[tuple[str, ...], tuple[float, _Host]] = {}
        self._lock = threading.Lock()

    def submit(self, request: LaunchRequest) -> LaunchedJob:
        """Start a job, unless it was started for the same launch number already.

        What a job needs is checked before. A job whose answer is lost counts as submitted: `status` tells
        what has become of it when the host can be reached again.

        Raises:
            ExecutionError: The host cannot be reached, or lacks what a job needs.
        """
        until = time.monotonic() + SUBMIT_WITHIN
        environment = {LAUNCH: new_launch(), **request.environment}
        job_id = token_of(environment[LAUNCH])
        if request.libraries is not None:
            environment[LIBRARIES] = request.libraries.key
        if (chosen := os.environ.get(VARIABLE)) is not None:
            environment.setdefault(VARIABLE, chosen)
        host = self._find_host(request)
        data = environment.get(FOLDER_VARIABLE)
        if data is not None and data not in host.seen:  # that host has a folder of its own
            del environment[FOLDER_VARIABLE]
        script = ssh_scripts.start_job(job_id, host.python, host.copy, request.arguments, environment)
        answer = self._ask_until(script, until)
        if answer is None:
            return LaunchedJob(id=job_id)
        lines = answer.splitlines()
        if not lines or lines[0].startswith("refused"):
            why = lines[0].removeprefix("refused ") if lines else ""
            fix = f"Make room, or get permission to write there: {self._address.command}."
            raise ExecutionError(f"No process could be started on {self._address.host}.", why, fix)
        return LaunchedJob(id=job_id, process=_read_process(lines[1:]))

    def status(self, job_id: str) -> JobObservation:
        """Return what its host says of a job; UNKNOWN where it cannot be reached."""
        if not _JOB.fullmatch(job_id):
            return JobObservation(state=JobState.UNKNOWN, reason="it is not a job of this launcher")
        try:
            said = self._connection.run(ssh_scripts.find_job(job_id)).strip()
        except ExecutionError as error:
            return JobObservation(state=JobState.UNKNOWN, reason=error.why or error.what)
        hosts = (self._address.host,)
        if said.startswith("exit "):
            return _describe_exit(said.removeprefix("exit "), hosts)
        if said.startswith("elsewhere "):
            where = said.removeprefix("elsewhere ")
            return JobObservation(state=JobState.UNKNOWN, reason=f"it was started on {where}", hosts=(where,))
        state, reason = _STATES.get(said, (JobState.UNKNOWN, said))
        return JobObservation(state=state, reason=reason, hosts=hosts)

    def stop(self, job_id: str) -> None:
        """Send SIGTERM to a job, and end what is left of it after 15 s.

        Raises:
            ExecutionError: Its host cannot be reached.
        """
        if _JOB.fullmatch(job_id):
            self._connection.run(ssh_scripts.stop_job(job_id), ssh_scripts.STOP_GRACE + 12.0)

    def logs(self, job_id: str, lines: int = 100) -> str:
        """Return the last lines that a job has printed; empty where its host cannot be reached."""
        if not _JOB.fullmatch(job_id):
            return ""
        try:
            printed = self._connection.run(ssh_scripts.read_log(job_id, lines))
        except ExecutionError:
            return ""
        return printed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def describe(self) -> LauncherDescription:
        """Return the host, and the Python of its jobs.

        Raises:
            ExecutionError: It cannot be reached, or lacks Python or this package; with what to install.
        """
        with _probe_file(Path.home()) as probe:
            host = self._ask_host((), [probe] if probe else [])
        facts = host.facts
        package = "a copy of pipeline_widgets" if host.copy else f"pipeline_widgets {facts['version']}"
        engine = f"SSH to {self._address.host} ({facts['system']}, Python {facts['python']}, {package})"
        python = ".".join(map(str, host.version[:2]))
        return LauncherDescription(
            name=self._name, engine=engine, python=python, shares_files=bool(host.seen)
        )

    def _ask_until(self, script: str, until: float) -> str | None:
        """Return the answer to a script that may be sent twice; None where it may have arrived unanswered.

        Raises:
            UnreachableError: It cannot have arrived.
        """
        may_have_arrived = False
        while True:
            try:
                return self._connection.run(script, max(until - time.monotonic(), RETRY_AFTER))
            except UnreachableError as error:
                self._checked.clear()
                may_have_arrived |= error.code != NEVER_CONNECTED
                if not may_have_arrived:
                    raise
            if time.monotonic() + RETRY_AFTER > until:
                return None
            time.sleep(RETRY_AFTER)

    def _find_host(self, request: LaunchRequest) -> _Host:
        """Return the host, once it has been seen that it has what a request needs.

        Raises:
            ExecutionError: It cannot be reached, or lacks something.
        """
        driver, database = _read_url(request.environment.get(URL))
        data = request.environment.get(FOLDER_VARIABLE)
        needed = (driver,) if driver in _DRIVERS else ()
        key = (*needed, database or "", data or "", *map(str, request.folders))
        with self._lock:
            known = self._checked.get(key)
        if known is None or time.monotonic() - known[0] > CHECKED_FOR:
            files = [Path(database)] if database else []
            with ExitStack() as stack:
                probes = [stack.enter_context(_probe_file(path.parent)) for path in files]
                probes += [stack.enter_context(_probe_file(folder)) for folder in request.folders]
                host = self._ask_host(needed, [path for path in (*probes, data) if path])
            for path, probe in zip((*files, *request.folders), probes, strict=True):
                if probe not in host.seen:
                    raise self._refuse_files(path, is_database=str(path) == database)
            known = (time.monotonic(), host)
            with self._lock:
                self._checked[key] = known
        self._check_resources(known[1], request.resources)
        return known[1]

    def _ask_host(self, needed: Sequence[str], paths: Sequence[str]) -> _Host:
        address = self._address
        copy = ssh_package.pack()[0] if address.copies_package else ""
        required = (*(ssh_package.find_requirements() if copy else ()), *needed)
        script = ssh_scripts.find_facts(address, sys.executable, copy, required, paths)
        lines = self._connection.run(script).splitlines()
        if lines[:1] == ["no python"]:
            fix = f"Name another one: ssh://{address.host}?python=PATH."
            raise ExecutionError(f"{address.host} has no Python at {lines[1]}.", fix=fix, code=REFUSED)
        try:
            python, has_copy, folder = lines[:3]
            seen = lines[3 : 3 + len(paths)]
            facts: dict[str, Any] = json.loads(lines[3 + len(paths)])
        except (IndexError, ValueError) as error:
            why, fix = f"It printed {' '.join(lines)!r}.", f"See that it runs: {address.command}."
            what = f"Python on {address.host} does not work."
            raise ExecutionError(what, why, fix, code=REFUSED) from error
        host = _Host(
            python=python,
            copy=folder if copy else "",
            facts=facts,
            seen=frozenset(path for path, word in zip(paths, seen, strict=True) if word == "seen"),
        )
        self._check_software(host)
        if copy and has_copy != "copied":
            answer = self._connection.run(ssh_scripts.unpack_copy(python, copy, ssh_package.pack()[1]))
            if answer.strip() != "unpacked":
                what = f"This package could not be copied to {address.host}."
                raise ExecutionError(what, answer, code=REFUSED)
        return host

    def _check_software(self, host: _Host) -> None:
        where, facts = self._address.host, host.facts
        if host.version < OLDEST_PYTHON:
            oldest = ".".join(map(str, OLDEST_PYTHON))
            why = f"It is Python {facts['python']}; {oldest} is needed."
            fix = f"Name a newer one: ssh://{where}?python=PATH."
            raise ExecutionError(f"{host.python} on {where} is too old.", why, fix, code=REFUSED)
        mine = ssh_package.find_version()
        there, missing = facts["version"], list(facts["missing"])
        extras = ",".join(sorted({_DRIVERS[name] for name in missing if name in _DRIVERS}))
        package = ssh_package.NAME + (f"[{extras}]" if extras else "") + (f"=={mine}" if mine else "")
        if host.copy:
            if missing:
                raise self._refuse_software(host, f"{', '.join(missing)} is missing there.", missing)
        elif there is None:
            name = f"{self._name}{'&' if '?' in self._name else '?'}package=copy"
            copy = f'; or let this one be copied there: launcher="{name}"'
            raise self._refuse_software(host, "pipeline_widgets is missing there.", [package], copy)
        elif mine is not None and there != mine:
            why = f"pipeline_widgets is {there} there, and {mine} here."
            raise self._refuse_software(host, why, [package])
        elif missing:
            raise self._refuse_software(host, f"{', '.join(missing)} is missing there.", [package])

    def _refuse_software(
        self, host: _Host, why: str, packages: Sequence[str], instead: str = ""
    ) -> ExecutionError:
        words = shlex.join([host.python, "-m", "pip", "install", *packages])
        fix = f"Install what is needed: {self._address.command} {shlex.quote(words)}{instead}."
        what = f"No run can start on {self._address.host} with {host.python}."
        return ExecutionError(what, why, fix, code=REFUSED)

    def _refuse_files(self, path: Path, *, is_database: bool) -> ExecutionError:
        where, shared = self._address.host, "or in a folder that both machines share"
        what = f"A run on {where} cannot reach the files of this workspace."
        if is_database:
            why = f"It is a SQLite file, and {path} of this machine is not seen there."
            fix = f"Keep it in PostgreSQL (`pipeline-widgets copy SOURCE TARGET` moves it there), {shared}."
        else:
            why = f"Its artifacts are in {path} of this machine, which is not seen there."
            fix = f'Keep them at a URL (pw.Workspace(..., artifacts="s3://bucket/prefix")), {shared}.'
        return ExecutionError(what, why, fix)

    def _check_resources(self, host: _Host, asked: Resources) -> None:
        """Refuse what a host does not have. Nothing is reserved: without a queue, nobody keeps count."""
        if asked.options:
            what = f"A launcher over SSH knows no resource named {next(iter(asked.options))!r}."
            raise ExecutionError(what, fix="It compares cpu, gpu and memory with what the host has.")
        for name in ("cpu", "gpu", "memory"):
            wanted, there = getattr(asked, name), host.facts.get(name)
            if wanted is not None and there is not None and wanted > there:
                what = f"A run asks for {wanted} of {name}, and {self._address.host} has {there}."
                raise ExecutionError(what, fix="Ask for less, or choose another host.")


def _read_url(url: str | None) -> tuple[str, str | None]:
    """Return the driver of a workspace's database, and the path of its file where it has one."""
    with suppress(StorageError):  # what is no URL is refused by the process itself
        if url is not None:
            parsed = urls.parse(url)
            is_file = parsed.get_backend_name() == "sqlite"
            return parsed.get_driver_name(), parsed.database if is_file else None
    return "", None


@contextmanager
def _probe_file(folder: Path) -> Generator[str | None]:
    """Make a file by which another host can tell that it shares a folder; None where that cannot be made."""
    path = folder / f".pipeline-widgets-{secrets.token_hex(8)}"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError:
        yield None
        return
    os.close(descriptor)
    try:
        yield str(path)
    finally:
        with suppress(OSError):
            path.unlink()


def _read_process(lines: Sequence[str]) -> Process | None:
    """Return the process that a job is, by its number, start and machine, and the ticks of a second there."""
    with suppress(ValueError):
        pid, start, machine, ticks = lines[:4]
        return Process(machine=machine, pid=int(pid), started=int(start) / int(ticks))
    return None


def _describe_exit(code: str, hosts: tuple[str, ...]) -> JobObservation:
    """Return how a job ended. A shell tells a signal as 128 and its number."""
    try:
        number = int(code)
    except ValueError:
        return JobObservation(state=JobState.ENDED, reason=code, hosts=hosts)
    if number == UNKNOWN_EXIT:
        reason = "nobody saw how: it has outlived the launch server that had forked it"
        return JobObservation(state=JobState.ENDED, reason=reason, hosts=hosts)
    if number > 128:  # noqa: PLR2004
        reason = f"killed by {processes.signal_name(number - 128)}"
        return JobObservation(state=JobState.ENDED, reason=reason, exit_code=128 - number, hosts=hosts)
    return JobObservation(state=JobState.ENDED, exit_code=number, hosts=hosts)
