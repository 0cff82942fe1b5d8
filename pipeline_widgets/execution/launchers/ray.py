"""Start processes as jobs of a Ray cluster, through the REST API of Ray Jobs.

Only the standard library is used: Ray's own client takes seconds to import and 107 MB, and asks for a Ray of
the cluster's version beside the notebook. https://docs.ray.io/en/latest/cluster/running-applications/job-submission/rest.html
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.domain.resources import Resources
from pipeline_widgets.errors import ExecutionError, format_value
from pipeline_widgets.execution.launchers.protocol import LaunchedJob, LauncherDescription, LaunchRequest
from pipeline_widgets.execution.ray_entrypoint import ENVIRONMENT, ENVIRONMENT_FILE
from pipeline_widgets.execution.variables import LAUNCH
from pipeline_widgets.persistence import filesystem

DEFAULT_PORT = 8265
SUBMITS_WITHIN = 20.0  # seconds; the first job of a node starts the agent that takes it
ANSWERS_WITHIN = 8.0  # seconds, for whatever is only asked
BEGINS_WITHIN = 3.0  # seconds in which a job that was told to stop leaves the queue by itself
MOST_WORDS = 500  # letters of what Ray says that are kept

_NAME = "ray://HOST[:PORT][?python=PATH]"
_STATES = {"PENDING": JobState.WAITING, "RUNNING": JobState.AT_WORK}
_START_TIMEOUT = "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"
_START_TIMEOUT_VARIABLE = "RAY_JOB_START_TIMEOUT_SECONDS"
_OPTIONS = {"https", "python"}
#: What Ray itself writes into the log of a job.
_NOISE = re.compile(r".*\bjob_manager\.py:\d+ -- Runtime env is setting up\.$|Running entrypoint for job .*")
#: How Ray names the actor behind a job, in the middle of what it says.
_ACTOR = re.compile(r"^\s*(class_name|actor_id|pid|name|namespace|ip): \S*$", re.MULTILINE)
#: Takes a job out of Ray's queue, which its REST API cannot: one that was told to stop waits on.
_CANCEL = """\
import ray
from ray.dashboard.modules.job.common import JOB_ACTOR_NAME_TEMPLATE, SUPERVISOR_ACTOR_RAY_NAMESPACE
ray.init(log_to_driver=False)
ray.kill(ray.get_actor(JOB_ACTOR_NAME_TEMPLATE.format(job_id={job_id!r}), SUPERVISOR_ACTOR_RAY_NAMESPACE))
"""


class RayLauncher:
    """Starts processes by Ray Jobs.

    Args:
        name: `ray://HOST[:PORT]` with the port of Ray's dashboard, 8265 by default. `?python=PATH` names the
            interpreter of the jobs; by default it is that of this process where it is there, else `python` of
            Ray's own path. `?https=1` asks over TLS. As with Ray's own client, RAY_AUTH_TOKEN or the file
            RAY_AUTH_TOKEN_PATH has the token of a cluster that wants one, and RAY_JOB_HEADERS more headers.

    Raises:
        ExecutionError: The name is none of these.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            parts = urlsplit(name)
            port = parts.port or DEFAULT_PORT
        except ValueError as error:
            raise _unreadable(name, f"{error}.") from error
        options = parse_qs(parts.query, keep_blank_values=True)
        unknown = sorted(set(options) - _OPTIONS)
        if parts.scheme != "ray" or not parts.hostname or parts.path.strip("/") or parts.username or unknown:
            why = f"It has no option {unknown[0]!r}." if unknown else ""
            raise _unreadable(name, why)
        self._python = options.get("python", [""])[-1]
        scheme = "https" if options.get("https", ["0"])[-1] not in {"", "0"} else "http"
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._base = f"{scheme}://{host}:{port}"

    def submit(self, request: LaunchRequest) -> LaunchedJob:
        """Give a job to Ray under a name of its own, so that one whose answer was lost is not given twice."""
        job_id = _name_job(request)
        asked = _ask_for(request.resources)
        told, secrets = _pass_environment(request, job_id)
        body = {
            "entrypoint": self._entrypoint(request.arguments),
            "submission_id": job_id,
            "metadata": {"job_name": request.name, **told},
            **asked,
        }
        if secrets is not None:
            secrets.write()
        try:
            self._ask("POST", "/api/jobs/", body, within=SUBMITS_WITHIN)
        except _AnswerError as error:
            if not self._has_job(job_id):  # Ray refuses a second one of the same name
                _forget(secrets)
                what = f"Ray at {self._base} has refused the job."
                raise ExecutionError(what, error.words, "Change what it asks for, then try again.") from error
        except (OSError, ValueError) as error:
            if not self._has_job(job_id):
                _forget(secrets)
                raise self._silent(error) from error
        return LaunchedJob(id=job_id)

    def status(self, job_id: str) -> JobObservation:
        """Return what Ray says of a job, in its own words."""
        try:
            told = self._ask("GET", _job_path(job_id))
        except _AnswerError as error:
            reason = "Ray does not know it: its head was restarted" if error.code == 404 else error.words  # noqa: PLR2004
            return JobObservation(state=JobState.UNKNOWN, reason=reason)
        except (OSError, ValueError) as error:
            return JobObservation(state=JobState.UNKNOWN, reason=_describe_silence(error))
        state = _STATES.get(str(told.get("status")), JobState.ENDED)
        code = told.get("driver_exit_code")
        address = urlsplit(str(told.get("driver_agent_http_address") or "")).hostname
        return JobObservation(
            state=state,
            reason=self._describe_queue(told) if state is JobState.WAITING else _describe(told),
            exit_code=code if isinstance(code, int) and state is JobState.ENDED else None,
            hosts=(address,) if address else (),
            has_waited_too_long=state is JobState.ENDED and _has_waited_too_long(told),
        )

    def stop(self, job_id: str) -> None:
        """End a job: Ray sends SIGTERM, and SIGKILL after its RAY_JOB_STOP_WAIT_TIME_S, 3 s by default."""
        try:
            self._ask("POST", _job_path(job_id, "/stop"))
            until = time.monotonic() + BEGINS_WITHIN
            while self._ask("GET", _job_path(job_id)).get("status") == "PENDING":
                if time.monotonic() > until:
                    self._cancel(job_id)
                    return
                time.sleep(0.25)
        except _AnswerError as error:
            if error.code != 404:  # noqa: PLR2004  it is unknown: left alone
                raise self._silent(error) from error
        except (OSError, ValueError) as error:
            raise self._silent(error) from error

    def logs(self, job_id: str, lines: int = 100) -> str:
        """Return the last lines that a job has printed; empty where nothing is known of it."""
        try:
            log = str(self._ask("GET", _job_path(job_id, "/logs")).get("logs") or "")
            message = self._ask("GET", _job_path(job_id)).get("message")
        except (_AnswerError, OSError, ValueError):
            return ""
        if isinstance(message, str):  # Ray appends to the log why it has failed a job; `status` returns that
            log = log.removesuffix(message)
        printed = [line for line in log.splitlines() if not _NOISE.fullmatch(line)]
        return "\n".join(printed[-lines:]) if lines > 0 else ""

    def describe(self) -> LauncherDescription:
        """Ask Ray for its version, and for that of its Python."""
        try:
            version = self._ask("GET", "/api/version").get("ray_version")
        except (_AnswerError, OSError, ValueError) as error:
            raise self._silent(error) from error
        python = None
        try:
            data: Any = self._ask("GET", "/api/v0/cluster_metadata").get("data")
            python = ".".join(str(data["pythonVersion"]).split(".")[:2])
        except (_AnswerError, OSError, ValueError, LookupError, TypeError):  # an older Ray does not tell it
            pass
        where = self._base.partition("://")[2]
        return LauncherDescription(name=self.name, engine=f"Ray {version} ({where})", python=python)

    def _entrypoint(self, arguments: tuple[str, ...]) -> str:
        """Return the command line of a job. Everybody can read it: it says nothing of the workspace."""
        rest = shlex.join(("-P", "-m", "pipeline_widgets.execution.ray_entrypoint", *arguments))
        if self._python:
            return f"exec {shlex.quote(self._python)} {rest}"
        names = shlex.join((sys.executable, "python", "python3"))
        return f'for P in {names}; do command -v "$P" >/dev/null && break; done; exec "$P" {rest}'

    def _describe_queue(self, told: Mapping[str, Any]) -> str:
        """Return for what a job waits, in Ray's words, and what of the cluster is in use."""
        waits = str(told.get("message") or "").removeprefix("Job has not started yet. ")
        waits = waits.removeprefix("It may be waiting for ").rstrip(". ") or "its turn"
        try:
            report: Any = self._ask("GET", "/api/cluster_status")
            usage = report["data"]["clusterStatus"]["loadMetricsReport"]["usage"]
            used = ", ".join(
                f"{usage[name][0]:g} of {usage[name][1]:g} {name}s in use" if name in usage else f"no {name}s"
                for name in ("CPU", "GPU")
            )
        except (_AnswerError, OSError, ValueError, LookupError, TypeError):
            return waits
        return f"{waits} ({used})"

    def _cancel(self, job_id: str) -> None:
        """Take a job out of Ray's queue, by a job that asks for nothing and so need not wait."""
        code = shlex.quote(_CANCEL.format(job_id=job_id))
        command = f"python -c {code} || python3 -c {code}"
        body = {"entrypoint": command, "submission_id": f"{job_id}-cancel"}
        try:
            self._ask("POST", "/api/jobs/", body)
        except _AnswerError as error:
            if "already exists" not in error.words:
                raise

    def _has_job(self, job_id: str) -> bool:
        try:
            self._ask("GET", _job_path(job_id))
        except (_AnswerError, OSError, ValueError):
            return False
        return True

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        within: float | None = None,
    ) -> dict[str, Any]:
        """Return an answer of the Jobs API.

        Raises:
            _AnswerError: It refuses.
            OSError: It does not answer in time.
            ValueError: What answers is no Ray.
        """
        within = within or ANSWERS_WITHIN
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(  # noqa: S310  http or https, as made above
            self._base + path, data, {"Content-Type": "application/json", **_headers()}, method=method
        )
        try:
            with urllib.request.urlopen(asked, timeout=within) as answer:  # noqa: S310
                told: object = json.loads(_read(answer, within))
        except urllib.error.HTTPError as error:
            with error:
                raise _AnswerError(error.code, _read(error, within).decode(errors="replace")) from error
        if not isinstance(told, dict):
            raise ValueError("What answers there is not Ray's dashboard")  # noqa: TRY004  as for no JSON at all
        return cast("dict[str, Any]", told)

    def _silent(self, error: Exception) -> ExecutionError:
        why = f"{_describe_silence(error)}."
        fix = "Check that its head runs, and that its dashboard's port can be reached from here."
        if isinstance(error, _AnswerError) and error.code in {401, 403}:
            fix = "Set RAY_AUTH_TOKEN to the cluster's token, or RAY_AUTH_TOKEN_PATH to its file."
        return ExecutionError(f"Ray at {self._base} does not answer as it should.", why, fix)


class _AnswerError(Exception):
    """A refusal of the Jobs API."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        # A traceback within a traceback; the line that says something comes last.
        lines = [line.strip() for line in text.splitlines() if line.strip(". \t")]
        said = lines[-1] if lines else f"HTTP status {code}"
        self.words = f"{said.removeprefix('ValueError: ').rstrip('. ')[:MOST_WORDS]}."


@dataclass(frozen=True, slots=True)
class _PrivateFile:
    """The environment of a job in a file that only its user can read, and which the job deletes."""

    path: Path
    environment: Mapping[str, str]

    def write(self) -> None:
        try:
            filesystem.make_private_folder(self.path.parent)
            # Not even for the group with which this folder may be shared.
            with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(dict(self.environment), file)
        except OSError as error:
            what = f"{self.path} cannot be written, which takes the workspace's URL to the job."
            raise ExecutionError(what, f"{error.strerror}.", "Check the artifact folder.") from error


def _pass_environment(request: LaunchRequest, job_id: str) -> tuple[dict[str, str], _PrivateFile | None]:
    """Return the metadata that takes variables to a job, and the file for what nobody else may see.

    Ray shows metadata, variables and the command line of a job to everybody who can reach it. Metadata are
    not inherited by the tasks of the user's own Ray programs, as variables are.
    """
    environment = dict(request.environment)
    if not any(map(_has_password, environment.values())):
        return {ENVIRONMENT: json.dumps(environment)}, None
    path = request.log.absolute().with_name(f"{job_id}.environment")
    return {ENVIRONMENT_FILE: str(path)}, _PrivateFile(path, environment)


def _job_path(job_id: str, more: str = "") -> str:
    return f"/api/jobs/{quote(job_id, safe='') or '-'}{more}"  # without an id it would be the list of all


def _has_password(value: str) -> bool:
    """Return whether a variable holds a URL with a password."""
    if "://" not in value:
        return False
    try:
        parts = urlsplit(value)
        return bool(parts.password) or any("password" in name.lower() for name, _ in parse_qsl(parts.query))
    except ValueError:
        return True  # nobody can tell


def _forget(secrets: _PrivateFile | None) -> None:
    if secrets is not None:
        secrets.path.unlink(missing_ok=True)


def _name_job(request: LaunchRequest) -> str:
    """Return the name of a job: that of what it does, and a digest of its launch."""
    launch = request.environment.get(LAUNCH) or os.urandom(16).hex()
    digest = hashlib.sha256(f"ray {launch}".encode()).hexdigest()[:16]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', request.name)}-{digest}"


def _ask_for(resources: Resources) -> dict[str, Any]:
    """Return what a job reserves of a cluster.

    Raises:
        ExecutionError: Ray has nothing like it.
    """
    if resources.time is not None:
        fix = "Leave it out; `stage.stop()` ends a run, with a checkpoint."
        raise ExecutionError("Ray Jobs have no time limit.", fix=fix)
    custom = {name: _amount(name, value) for name, value in resources.options.items()}
    asked = {
        "entrypoint_num_cpus": resources.cpu,
        "entrypoint_num_gpus": resources.gpu,
        "entrypoint_memory": resources.memory,
        "entrypoint_resources": custom or None,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _amount(name: str, value: object) -> float:
    if isinstance(value, (str, bool)) or not isinstance(value, (int, float)) or value <= 0:
        what = f"Ray has no option {name!r} that can be {format_value(value)}."
        fix = 'Ask for cpu, gpu, memory, or for a resource of your cluster by its name: {"a100": 1}.'
        why = "Whatever else it is asked for is an amount of one of its custom resources."
        raise ExecutionError(what, why, fix)
    return float(value)


def _has_waited_too_long(told: Mapping[str, Any]) -> bool:
    """Return whether Ray has failed a job that waited for resources for 15 minutes, or as its head is told.

    An older Ray names no type of the error; all name the variable that sets the limit.
    """
    kind = str(told.get("error_type") or "")
    return kind == _START_TIMEOUT or (not kind and _START_TIMEOUT_VARIABLE in str(told.get("message") or ""))


def _describe(told: Mapping[str, Any]) -> str:
    """Return how a job has ended, in Ray's words without the log that it appends to them."""
    status, message = str(told.get("status")), str(told.get("message") or "")
    if status in {"RUNNING", "SUCCEEDED"} or message.startswith("Job entrypoint command failed"):
        return status
    words = " ".join(_ACTOR.sub("", message).split()).rstrip(". ")
    if len(words) > MOST_WORDS:
        words = f"{words[: MOST_WORDS // 2]} ... {words[-MOST_WORDS // 2 :]}"
    return f"{status}: {words}" if words else status


def _describe_silence(error: Exception) -> str:
    """Return why there is no answer, or none that helps, without a full stop."""
    if isinstance(error, _AnswerError):
        return error.words.rstrip(".")
    cause: object = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(error).__name__


def _headers() -> dict[str, str]:
    """Return the headers that Ray's own client would send: a token, and what the user has set."""
    found: dict[str, str] = {}
    token = os.environ.get("RAY_AUTH_TOKEN", "").strip()
    if not token and (path := os.environ.get("RAY_AUTH_TOKEN_PATH")):
        token = Path(path).expanduser().read_text(encoding="utf-8").strip()
    if token:
        found["Authorization"] = f"Bearer {token}"
    more: object = json.loads(os.environ.get("RAY_JOB_HEADERS") or "{}")
    if isinstance(more, dict):
        found |= {str(name): str(value) for name, value in cast("dict[object, object]", more).items()}
    return found


def _read(answer: Any, within: float) -> bytes:
    """Return the body of an answer.

    Raises:
        TimeoutError: It comes too slowly.
    """
    return b"".join(_parts(answer, within))


def _parts(answer: Any, within: float) -> Iterator[bytes]:
    until = time.monotonic() + within
    while some := answer.read1(65536):
        yield some
        if time.monotonic() > until:
            raise TimeoutError(f"The answer was not complete within {within:g} s")


def _unreadable(name: str, why: str) -> ExecutionError:
    fix = f"Write it as {_NAME}, with the port of Ray's dashboard."
    return ExecutionError(f"{format_value(name)} names no Ray cluster.", why, fix)
