"""An engine in a folder, with a queue, a launcher that enters by an entry point, and all that can befall it.

`queue:///FOLDER` keeps a file for each job. While the folder has a file "hold", jobs wait; while it has one
named "down", the engine does not answer; while it has one named "bare", it says that it can run nothing;
while it has one named "broken", jobs end at once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil

from pipeline_widgets.domain.engine_job import JobObservation, JobState
from pipeline_widgets.errors import ExecutionError
from pipeline_widgets.execution.launchers import REFUSED, LaunchedJob, LauncherDescription, LaunchRequest
from pipeline_widgets.persistence.logs import render_log

GRACE = 3.0  # seconds between SIGTERM and SIGKILL
WRAPPER = 'echo $$ >"$1.draft"; mv "$1.draft" "$1.pid"; name=$1; shift; "$@"; echo $? >"$name.exit"'


class QueueLauncher:
    """The launcher of such an engine."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.folder = Path(name.removeprefix("queue://"))

    def submit(self, request: LaunchRequest) -> LaunchedJob:
        """Keep a job, and start it unless the queue is held."""
        self._check()
        job_id = uuid4().hex[:12]
        kept = {
            "arguments": request.arguments,
            "environment": dict(request.environment),
            "log": str(request.log),
        }
        with open(self.folder / f"{job_id}.job", "x", opener=_private, encoding="utf-8") as file:
            json.dump(kept, file)
        if not (self.folder / "hold").exists():
            self.start(job_id)
        return LaunchedJob(id=job_id)

    def start(self, job_id: str) -> None:
        """Start a job."""
        kept = json.loads((self.folder / f"{job_id}.job").read_text(encoding="utf-8"))
        log = Path(kept["log"])
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        program = [sys.executable, "-P", "-m", "pipeline_widgets", *kept["arguments"]]
        if (self.folder / "broken").exists():
            program = ["sh", "-c", "echo no such module; exit 3"]
        command = ["sh", "-c", WRAPPER, "sh", str(self.folder / job_id), *program]
        environment = {**os.environ, **kept["environment"]}
        (self.folder / f"{job_id}.started").touch()
        with open(log, "ab", opener=_private) as output:
            started = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        started.returncode = 0  # so that nothing warns of what goes on

    def release(self) -> None:
        """Let all jobs begin that wait."""
        (self.folder / "hold").unlink(missing_ok=True)
        for job in self.jobs:
            if not (self.folder / f"{job}.started").exists() and self._exit_code(job) is None:
                self.start(job)

    def end(self, job_id: str, reason: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a job as an engine does that has its reasons."""
        (self.folder / f"{job_id}.reason").write_text(reason)
        for pid in self._pids(job_id):
            os.kill(pid, how)

    def suspend(self, job_id: str) -> None:
        """Let a job stand still, as an engine does whose resources another one needs."""
        (self.folder / f"{job_id}.suspended").touch()
        for pid in self._pids(job_id):
            os.kill(pid, signal.SIGSTOP)

    def resume(self, job_id: str) -> None:
        """Let it go on."""
        for pid in self._pids(job_id):
            os.kill(pid, signal.SIGCONT)
        (self.folder / f"{job_id}.suspended").unlink(missing_ok=True)

    @property
    def jobs(self) -> list[str]:
        """The ids of all jobs, in the order of their submission."""
        return [path.stem for path in sorted(self.folder.glob("*.job"), key=os.path.getmtime)]

    def status(self, job_id: str) -> JobObservation:
        """Return what the files say."""
        if (self.folder / "down").exists():
            return JobObservation(state=JobState.UNKNOWN, reason="no answer")
        if not job_id.isalnum() or not (self.folder / f"{job_id}.job").exists():
            return JobObservation(state=JobState.UNKNOWN)
        said = self.folder / f"{job_id}.reason"
        reason = said.read_text() if said.exists() else ""
        if (code := self._exit_code(job_id)) is not None:
            code = 128 - code if code > 128 else code
            return JobObservation(state=JobState.ENDED, reason=reason or f"FAILED {code}", exit_code=code)
        if not (self.folder / f"{job_id}.started").exists():
            return JobObservation(state=JobState.WAITING, reason="Resources")
        if (self.folder / f"{job_id}.pid").exists() and not self._pids(job_id):
            return JobObservation(state=JobState.ENDED, reason=reason or "NODE_FAIL")
        if (self.folder / f"{job_id}.suspended").exists():
            return JobObservation(state=JobState.SUSPENDED, reason="SUSPENDED")
        return JobObservation(state=JobState.AT_WORK, reason=reason)

    def stop(self, job_id: str) -> None:
        """End a job, or take it from the queue."""
        if self.status(job_id).state is JobState.UNKNOWN:
            if (self.folder / "down").exists():
                self._check()
            return
        if not (self.folder / f"{job_id}.started").exists():
            (self.folder / f"{job_id}.reason").write_text("CANCELLED")
            (self.folder / f"{job_id}.exit").write_text("0")
            return
        until = time.monotonic() + GRACE
        while not (self.folder / f"{job_id}.pid").exists() and time.monotonic() < until:
            time.sleep(0.05)  # it is just being started
        for pid in self._pids(job_id):
            os.kill(pid, signal.SIGTERM)
        self.resume(job_id)
        while (pids := self._pids(job_id)) and time.monotonic() < until:
            time.sleep(0.05)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def logs(self, job_id: str, lines: int = 100) -> str:
        """Return the end of its log."""
        kept = self.folder / f"{job_id}.job"
        if not job_id.isalnum() or not kept.exists():
            return ""
        return render_log(Path(json.loads(kept.read_text(encoding="utf-8"))["log"]), lines)

    def describe(self) -> LauncherDescription:
        """Say which engine it is, if it answers."""
        self._check()
        return LauncherDescription(name=self._name, engine="Queue 1.0", python=sys.version[:4])

    def _check(self) -> None:
        if (self.folder / "down").exists():
            raise ExecutionError("The queue does not answer.", "Its folder has a file named down.")
        if (self.folder / "bare").exists():
            why, fix = "Its folder has a file named bare.", "Delete that file."
            raise ExecutionError("The queue can run nothing.", why, fix, code=REFUSED)

    def _exit_code(self, job_id: str) -> int | None:
        try:
            return int((self.folder / f"{job_id}.exit").read_text())
        except (OSError, ValueError):
            return None

    def _pids(self, job_id: str) -> list[int]:
        """Return the processes of a job: its shell, and those in its session."""
        try:
            session = int((self.folder / f"{job_id}.pid").read_text())
        except (OSError, ValueError):
            return []
        return [pid for pid in psutil.pids() if _is_of(session, pid)]


def _is_of(session: int, pid: int) -> bool:
    try:
        return os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.Error):
        return False


def install(folder: Path) -> Path:
    """Make a folder for PYTHONPATH in which this launcher is an installed package of a third party."""
    info = folder / "queue_engine-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: queue-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[pipeline_widgets.launchers]\nqueue = queue_engine:QueueLauncher\n"
    )
    (folder / "queue_engine.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
