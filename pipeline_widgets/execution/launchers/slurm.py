"""Start processes as jobs of Slurm, by its own commands: sbatch, squeue, scancel, sacct, scontrol."""

from __future__ import annotations

import glob
import os
import re
import secrets
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.errors import ExecutionError, format_value
from pipeline_widgets.execution import interpreter
from pipeline_widgets.execution.launchers import slurm_jobs, slurm_options
from pipeline_widgets.execution.launchers.protocol import LaunchedJob, LauncherDescription, LaunchRequest
from pipeline_widgets.execution.launchers.slurm_jobs import SEPARATOR, SlurmJob
from pipeline_widgets.persistence import filesystem
from pipeline_widgets.persistence.logs import render_log

SUBMIT_WITHIN = 14.0  # seconds that sbatch may take; a controller that is not there is named after 9
ANSWER_WITHIN = 12.0  # seconds that any other command may take
SEARCH_WITHIN = 26.0  # seconds after which a job is no longer searched for whose submission was not answered
SEARCH_EVERY = 0.5
FRESH = 1.0  # seconds for which an answer counts; one question is for all jobs
SILENT = 5.0  # seconds for which a controller that did not answer is not asked again
ASKED_LATELY = 60.0  # seconds for which a job is asked for together with others
REMEMBERED = 1000  # jobs that the controller has forgotten, of which accounting has told the end

_ID = re.compile(r"[1-9]\d{0,9}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Variables of a user's that are options of every job; all others of Slurm's would change what its commands
#: do or print, or are those of the job in which a notebook is itself.
_KEPT = frozenset(
    {
        *("SLURM_CONF", "SBATCH_ACCOUNT", "SBATCH_CONSTRAINT", "SBATCH_PARTITION", "SBATCH_QOS"),
        *("SBATCH_RESERVATION", "SBATCH_TIMELIMIT", "SBATCH_WCKEY", "SBATCH_GRES"),
    }
)
_OF_SLURM = ("SLURM", "SBATCH_", "SRUN_", "SALLOC_", "SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_", "SPRIO_")
#: Variables that a job has of its own: those of a notebook would name a GPU or a folder that is not there.
_OF_MACHINE = frozenset(
    {
        *("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"),
        *("ZE_AFFINITY_MASK", "GPU_DEVICE_ORDINAL", "HOSTNAME", "TMPDIR", "XDG_RUNTIME_DIR", "DISPLAY"),
        *("JPY_PARENT_PID", "PWD", "OLDPWD", "SHLVL", "_"),
    }
)
#: What Slurm's commands say where the controller may have done what it was asked for.
_SILENCE = re.compile(
    r"unable to contact|timed out|zero bytes|connection (?:refused|failure|reset)|communication|"
    r"transport endpoint|slurmctld is|unexpected message|invalid protocol|temporarily unable|"
    r"authentication|munge",
    re.IGNORECASE,
)
_UNKNOWN_JOB = re.compile(r"invalid job id", re.IGNORECASE)
_NO_ACCOUNTING = re.compile(r"accounting storage is disabled", re.IGNORECASE)

# The variables stand in a file of their own, since a job's script is shown by `scontrol write batch_script`,
# and kept by accounting. It is moved before it is read, so that two starts of one job never both have it.
_SCRIPT = """\
#!/bin/sh
environment={environment}
if ! mv -- "$environment" "$environment.$SLURM_JOB_ID" 2>/dev/null; then
  echo "Job $SLURM_JOB_ID was withdrawn, or has begun before: its process is not started again." >&2
  exit 0
fi
. "$environment.$SLURM_JOB_ID"
rm -f -- "$environment.$SLURM_JOB_ID"
exec {command}
"""


class SlurmLauncher:
    """Starts processes as jobs of Slurm.

    Its commands have to be on this machine, and the artifact folder and this Python have to be on its nodes
    under the same paths. A job begins with the variables of the process that submits it, as with sbatch.

    Args:
        name: "slurm", or with what all of its jobs ask for: "slurm://?partition=gpu&account=lab".
    """

    def __init__(self, name: str = "slurm") -> None:
        read = slurm_options.read_name(name)
        self._name = name
        self._defaults = read.defaults
        self._python = read.python

    def submit(self, request: LaunchRequest) -> LaunchedJob:
        """Give a job to Slurm, and return it.

        A submission whose answer was lost is searched for by its comment. Where it is not found, the
        variables of its process are taken away, so that it starts none if it comes up later.

        Raises:
            ExecutionError: Slurm has refused it, or does not answer.
        """
        until = time.monotonic() + SEARCH_WITHIN
        asked = slurm_options.merge(self._defaults, request.resources)
        arguments = slurm_options.to_arguments(asked)
        log = request.log.absolute()
        if not _NAME.fullmatch(request.name):
            raise ExecutionError(f"A job of Slurm cannot be named {format_value(request.name)}.")
        if set(str(log)) & {"\\", "\n", SEPARATOR}:
            why = "It holds a backslash or a control character, which sbatch reads as something else."
            raise ExecutionError(f"Slurm cannot write the log {format_value(str(log))}.", why)
        if (waiting := self._find_waiting(request.name, log)) is not None:
            return waiting
        token = secrets.token_hex(8)
        environment = slurm_jobs.name_environment(log, token)
        self._write_files(request, log, environment)
        command = ["sbatch", "--parsable", "--export=ALL", f"--job-name={request.name}", "--open-mode=append"]
        comment = slurm_jobs.write_comment(token, slurm_options.read_warning(asked))
        command += [f"--comment={comment}", f"--output={str(log).replace('%', '%%')}", *arguments]
        try:
            job_id = _run(command, stdin=self._write_script(request, environment), within=SUBMIT_WITHIN)
        except _SilentError as error:
            return LaunchedJob(id=self._search(request.name, token, environment, until, error))
        except ExecutionError:
            environment.unlink(missing_ok=True)
            raise
        return LaunchedJob(id=job_id.strip().partition(";")[0])

    def status(self, job_id: str) -> JobObservation:
        """Return what Slurm says of a job; UNKNOWN where it does not answer, or has forgotten it."""
        if not _ID.fullmatch(job_id):
            return JobObservation(state=JobState.UNKNOWN, reason="It is not the number of a job.")
        return _TABLE.observe(job_id)

    def stop(self, job_id: str) -> None:
        """Cancel a job: all its processes get SIGTERM, and SIGKILL after the KillWait of the cluster.

        A job that no launcher of ours has submitted is left alone.

        Raises:
            ExecutionError: Slurm does not answer.
        """
        if not _ID.fullmatch(job_id):
            return
        job = _ask_queue(f"--jobs={job_id},{job_id}").get(job_id)
        if job is None or not job.token:
            return
        try:
            _run(["scancel", job_id])
        except _SilentError:
            raise
        except ExecutionError as error:
            if not _UNKNOWN_JOB.search(error.why):
                raise
        finally:
            _TABLE.forget(job_id)

    def logs(self, job_id: str, lines: int = 100) -> str:
        """Return the last lines that a job has printed, as long as the controller knows where to."""
        log = _TABLE.log(job_id) if _ID.fullmatch(job_id) else None
        return "" if log is None else render_log(log, lines)

    def describe(self) -> LauncherDescription:
        """Ask Slurm for its version and the cluster's name.

        Raises:
            ExecutionError: It does not answer, or its commands are not here.
        """
        told = _run(["scontrol", "show", "config"])
        values = {
            name.strip(): value.strip()
            for name, _, value in (line.partition("=") for line in told.splitlines())
        }
        version, cluster = values.get("SLURM_VERSION", ""), values.get("ClusterName", "")
        return LauncherDescription(
            name=self._name,
            engine=f"Slurm {version} (cluster {cluster})",
            python=f"{sys.version_info.major}.{sys.version_info.minor}" if self._python is None else None,
        )

    def _find_waiting(self, name: str, log: Path) -> LaunchedJob | None:
        """Return a job of an earlier submission that still waits; withdraw any other that has not begun.

        Whoever submitted it ended before it could write down the id. In the queue it keeps its place.
        """
        pattern = slurm_jobs.name_environment(Path(glob.escape(log.name)), "*").name
        left = set(log.parent.glob(pattern))
        if not left:
            return None
        found: LaunchedJob | None = None
        for job in _ask_queue(f"--name={name}", f"--user={os.getuid()}", "--states=all").values():
            environment = job.environment
            if job.is_waiting and environment in left:
                left.remove(environment)
                found = found or LaunchedJob(id=job.id)
        for path in left:
            path.unlink(missing_ok=True)
        return found

    def _search(self, name: str, token: str, environment: Path, until: float, error: ExecutionError) -> str:
        """Return the id of a job whose submission was not answered."""
        while True:
            with suppress(ExecutionError):
                queue = _ask_queue(f"--name={name}", f"--user={os.getuid()}", "--states=all")
                job = next((job for job in queue.values() if job.token == token), None)
                if job is not None:
                    return job.id
            if time.monotonic() > until - ANSWER_WITHIN and _withdraw(environment):
                raise error
            if time.monotonic() > until:  # it has begun, so that its supervisor takes the run
                raise error
            time.sleep(SEARCH_EVERY)

    def _write_files(self, request: LaunchRequest, log: Path, environment: Path) -> None:
        """Write what only this user can read: the variables, and an empty log, which sbatch would share."""
        variables = {**_pass_on(os.environ), **interpreter.path_to_package(), **request.environment}
        lines = (f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        try:
            filesystem.make_private_folder(log.parent)
            filesystem.open_private(log, "ab").close()
            with filesystem.open_private(environment, "xb") as file:
                file.write(os.fsencode("".join(lines)))
        except OSError as error:
            environment.unlink(missing_ok=True)
            fix = "Check the artifact folder, then try again."
            raise ExecutionError("No job could be given to Slurm.", f"{error}.", fix) from error

    def _write_script(self, request: LaunchRequest, environment: Path) -> str:
        command = [self._python or sys.executable, "-P", "-m", "pipeline_widgets", *request.arguments]
        return _SCRIPT.format(environment=shlex.quote(str(environment)), command=shlex.join(command))


class JobTable:
    """The states of this process's jobs in Slurm: one query for all of them a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}
        self._known: dict[str, SlurmJob] = {}
        self._ended: dict[str, SlurmJob] = {}
        self._refreshed_at = self._silent_until = float("-inf")
        self._silence = ""
        self._has_accounting = True

    def observe(self, job_id: str) -> JobObservation:
        """Return what Slurm says of a job."""
        with self._lock:
            self._refresh(job_id)
            if self._silence:
                return JobObservation(state=JobState.UNKNOWN, reason=self._silence)
            job = self._known.get(job_id) or self._ended.get(job_id)
        if job is None:
            return JobObservation(state=JobState.UNKNOWN, reason="Slurm has forgotten it.")
        return job.observe()

    def log(self, job_id: str) -> Path | None:
        """Return where a job prints to; None where that is unknown."""
        with self._lock:
            self._refresh(job_id)
            job = self._known.get(job_id)
        return None if job is None else job.log

    def forget(self, job_id: str) -> None:
        """Ask again for a job the next time, since something was done to it."""
        with self._lock:
            self._known.pop(job_id, None)

    def _refresh(self, job_id: str) -> None:
        now = time.monotonic()
        self._asked[job_id] = now
        is_fresh = job_id in self._known and now - self._refreshed_at < FRESH
        if is_fresh or now < self._silent_until or job_id in self._ended:
            return
        wanted = [
            key for key, at in self._asked.items() if now - at < ASKED_LATELY and key not in self._ended
        ]
        self._asked = {key: self._asked[key] for key in wanted}
        try:
            # Of one alone that it has forgotten, squeue would say that it is invalid.
            self._known = dict(_ask_queue(f"--jobs={','.join((*wanted, job_id))}", "--states=all"))
            self._ask_accounting([key for key in wanted if key not in self._known])
            self._silence = ""
        except ExecutionError as error:
            self._silence = f"{error.what} {error.why}".rstrip()
            self._silent_until = time.monotonic() + SILENT
        self._refreshed_at = time.monotonic()

    def _ask_accounting(self, forgotten: Iterable[str]) -> None:
        """Ask accounting, where there is one, for jobs that the controller has forgotten."""
        ids = ",".join(forgotten)
        if not ids or not self._has_accounting:
            return
        try:
            told = _run(["sacct", "-n", "-P", "-X", "-j", ids, "-o", slurm_jobs.SACCT_FORMAT])
        except ExecutionError as error:
            self._has_accounting = not _NO_ACCOUNTING.search(error.why)
            return
        for key, job in slurm_jobs.parse_sacct(told).items():
            if job.observe().state is JobState.ENDED:
                self._ended[key] = job
        for key in list(self._ended)[:-REMEMBERED]:
            del self._ended[key]


#: All launchers of this process ask together.
_TABLE = JobTable()


class _SilentError(ExecutionError):
    """The controller did not answer: it may have done what it was asked for."""


def _run(command: list[str], *, stdin: str = "", within: float = ANSWER_WITHIN) -> str:
    """Run a command of Slurm's, and return its output."""
    try:
        done = subprocess.run(  # noqa: S603  a list of arguments, which no shell reads
            command,
            env=_own_environment(),
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=within,
        )
    except FileNotFoundError as error:
        what = f"Slurm's command {command[0]} is not on this machine."
        fix = "Start the notebook on a login node or in a job of the cluster, or install Slurm's commands."
        raise ExecutionError(what, fix=fix) from error
    except subprocess.TimeoutExpired as error:
        raise _silent(f"{command[0]} had no answer after {within:.0f} s.") from error
    except OSError as error:
        raise ExecutionError(f"Slurm's command {command[0]} could not be run.", f"{error}.") from error
    if done.returncode == 0:
        return done.stdout
    said = " ".join(f"{done.stderr}\n{done.stdout}".split())[:500] or f"exit code {done.returncode}"
    if _SILENCE.search(said):
        raise _silent(said)
    raise ExecutionError(
        f"Slurm has refused {command[0]}.", said, "Correct what its message names, and try again."
    )


def _silent(why: str) -> _SilentError:
    fix = "Ask `scontrol ping` whether the controller is up; what runs goes on meanwhile."
    return _SilentError("Slurm does not answer.", why, fix)


def _ask_queue(*chosen: str) -> Mapping[str, SlurmJob]:
    """Return what squeue says of jobs that are in the queue, or have ended a short while ago."""
    try:
        told = _run(["squeue", "--noheader", f"--Format={slurm_jobs.SQUEUE_FORMAT}", *chosen])
    except _SilentError:
        raise
    except ExecutionError as error:
        if _UNKNOWN_JOB.search(error.why):
            return {}
        raise
    return slurm_jobs.parse_squeue(told)


def _withdraw(environment: Path) -> bool:
    """Take the variables of a process away, so that its job starts none; False if it has begun."""
    try:
        environment.unlink()
    except FileNotFoundError:
        return False
    return True


def _own_environment() -> dict[str, str]:
    """Return the variables of Slurm's commands: no secret of the notebook's, since sbatch keeps them."""
    kept = {*_KEPT, "PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH"}
    return {name: os.environ[name] for name in kept if name in os.environ}


def _pass_on(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables of this process that a job begins with."""
    return {
        name: value
        for name, value in environment.items()
        if _VARIABLE.fullmatch(name)
        and name not in _OF_MACHINE
        and (name == "SLURM_CONF" or not name.startswith(_OF_SLURM))
    }
