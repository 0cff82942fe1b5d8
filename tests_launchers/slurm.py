"""A real Slurm of one node on the loopback interface, in a folder of its own, with a munge of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = "slurm-wlm munge slurm-wlm-basic-plugins"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "sacct", "sinfo")
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
UP_WITHIN = 30.0  # seconds
POLL = 0.02
CPUS = 4
MEMORY = 4000  # MiB that the node says it has
KILL_WAIT = 4  # seconds between SIGTERM and SIGKILL
MEMORY_PER_CPU = 400  # MiB, where a job does not say

# The partitions: "main"; "spare", whose jobs end when one of "urgent" wants their place; "again", whose jobs
# are put back into the queue then.
_CONF = """\
ClusterName=pw
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmdParameters=config_overrides
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters={scheduler}
DefMemPerCPU={memory_per_cpu}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
ReturnToService=2
MinJobAge={remembers}
KillWait={kill_wait}
SlurmdTimeout=10
MpiDefault=none
NodeName=DEFAULT CPUs={cpus} RealMemory={memory} Gres=gpu:2 State=UNKNOWN
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1
PartitionName=DEFAULT Nodes={node} MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=main Default=YES PreemptMode=OFF
PartitionName=urgent PriorityTier=9 PreemptMode=OFF
PartitionName=spare PreemptMode=CANCEL
PartitionName=again PreemptMode=REQUEUE
"""

_CGROUP_CONF = """\
CgroupPlugin={version}
CgroupMountpoint={mount}
IgnoreSystemd=yes
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
"""
_CGROUPS = Path("/sys/fs/cgroup")


class SlurmMissingError(Exception):
    """There is no Slurm to test with."""


@dataclass
class OneNodeSlurm:
    """A controller, a node and a munge of their own.

    Args:
        folder: For its state and logs; it has to be open to all users, as the path to it has.
        remembers: Seconds for which the controller remembers a job that has ended.
        kill_wait: Seconds between SIGTERM and SIGKILL.
        scheduler: The parameters of the scheduler; by default it looks at the queue as soon as a job comes.
    """

    folder: Path
    remembers: int = 300
    kill_wait: int = KILL_WAIT
    scheduler: str = "batch_sched_delay=0"
    environment: Mapping[str, str] = field(init=False)
    #: The name of its node.
    node: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": PATH}

    def start(self) -> None:
        """Start all three, and wait until the node takes jobs."""
        check_installed()
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir(mode=0o755)
        node_port = free_port()
        # A name of its own: the cgroups of a node bear it, and another Slurm may be at work on this machine.
        self.node = f"pw{node_port}"
        key = self.folder / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        (self.folder / "slurm.conf").write_text(
            _CONF.format(
                host=socket.gethostname().partition(".")[0],
                node=self.node,
                folder=self.folder,
                controller_port=free_port(),
                node_port=node_port,
                remembers=self.remembers,
                kill_wait=self.kill_wait,
                scheduler=self.scheduler,
                cpus=CPUS,
                memory=MEMORY,
                memory_per_cpu=MEMORY_PER_CPU,
            )
        )
        devices = "".join(f"Name=gpu File=/dev/{name}\n" for name in ("null", "zero"))
        (self.folder / "gres.conf").write_text(devices)
        version = "cgroup/v2" if (_CGROUPS / "cgroup.controllers").exists() else "cgroup/v1"
        (self.folder / "cgroup.conf").write_text(_CGROUP_CONF.format(version=version, mount=_CGROUPS))
        at = self.folder / "munge"
        files = {
            "socket": "socket",
            "key-file": "key",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        self._run(["munged", "--force", *(f"--{option}={at / name}" for option, name in files.items())])
        self.start_controller()
        self.start_node()
        self.wait_for(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"), "the node to be idle")

    def stop(self) -> None:
        """Cancel all jobs, and end all three."""
        with suppress(subprocess.SubprocessError, OSError):
            self.run("scancel", "--user=root", "--signal=KILL", "--full")
            self.run("scancel", "--user=root")
            self.wait_for(lambda: not self.run("squeue", "-h"), "all jobs to be gone")
        self.stop_node()
        self.stop_controller()
        self._end(self.folder / "munge" / "pid", signal.SIGTERM)
        for path in sorted(_CGROUPS.glob(f"*/slurm_{self.node}/**/"), reverse=True):
            with suppress(OSError):
                path.rmdir()

    def start_controller(self) -> None:
        """Start slurmctld, which goes on where the one before has ended."""
        self._run(["slurmctld", "-f", self.environment["SLURM_CONF"]])
        self.wait_for(lambda: "UP" in self._ask("scontrol", "ping"), "the controller to answer")

    def stop_controller(self, with_signal: int = signal.SIGTERM) -> None:
        """End slurmctld: nobody answers then, and nothing is scheduled; what runs goes on."""
        self._end(self.folder / "slurmctld.pid", with_signal)

    def start_node(self) -> None:
        """Start slurmd."""
        self._run(["slurmd", "-N", self.node, "-f", self.environment["SLURM_CONF"]])

    def stop_node(self, with_signal: int = signal.SIGTERM) -> None:
        """End slurmd: its jobs go on, but the controller sees none of them."""
        self._end(self.folder / "slurmd.pid", with_signal)

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command of Slurm's, and return its output."""
        done = subprocess.run(
            command, env=self.environment, input=stdin, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.strip()

    def state(self, job: str) -> str:
        """Return the state of a job, such as "RUNNING"."""
        return self.run("squeue", "-h", "-t", "all", "-j", job, "-o", "%T")

    def wait_for(self, condition: Callable[[], bool], what: str, within: float = UP_WITHIN) -> None:
        """Wait until a condition holds."""
        until = time.monotonic() + within
        while not condition():
            if time.monotonic() > until:
                logs = "\n".join(self._tail(name) for name in ("slurmctld.log", "slurmd.log"))
                raise TimeoutError(f"Waited {within:.0f} s for {what}.\n{logs}")
            time.sleep(POLL)

    def _ask(self, *command: str) -> str:
        try:
            return self.run(*command)
        except subprocess.CalledProcessError as error:
            return error.stderr

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            raise SlurmMissingError(f"{command[0]} did not start: {done.stderr}")

    def _end(self, pid_file: Path, with_signal: int) -> None:
        with suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int(pid_file.read_text())
            os.kill(pid, with_signal)
            pid_file.unlink(missing_ok=True)
            until = time.monotonic() + UP_WITHIN
            while _is_alive(pid) and time.monotonic() < until:
                time.sleep(POLL)

    def _tail(self, name: str) -> str:
        with suppress(OSError):
            return "\n".join((self.folder / name).read_text(errors="replace").splitlines()[-15:])
        return ""


@contextmanager
def one_node_slurm(folder: Path, **options: Any) -> Generator[OneNodeSlurm]:
    """Start a Slurm, and end it, with all its jobs, after the block."""
    slurm = OneNodeSlurm(folder, **options)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


@contextmanager
def slurm_for_tests() -> Generator[OneNodeSlurm]:
    """Start a Slurm whose commands this process finds, in a temporary folder that is open to all users."""
    folder = Path(tempfile.mkdtemp(prefix="pw-slurm-", dir="/tmp"))
    folder.chmod(0o755)
    before = os.environ.get("SLURM_CONF")
    try:
        with one_node_slurm(folder) as started:
            os.environ["SLURM_CONF"] = started.environment["SLURM_CONF"]
            yield started
    finally:
        os.environ.pop("SLURM_CONF", None)
        if before is not None:
            os.environ["SLURM_CONF"] = before
        shutil.rmtree(folder, ignore_errors=True)


def check_installed() -> None:
    """Check that a Slurm can be started here.

    Raises:
        SlurmMissingError: A program is missing, or this user may not start it.
    """
    missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if missing:
        raise SlurmMissingError(
            f"{', '.join(missing)} cannot be found. The tests of the Slurm launcher start a real Slurm: "
            f"apt-get install --no-install-recommends {PACKAGES}"
        )
    if os.geteuid() != 0:
        raise SlurmMissingError(
            "slurmd makes cgroups and starts jobs as other users, for which it has to be root. "
            "Run `make test-launchers` as root, such as in a container."
        )


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
