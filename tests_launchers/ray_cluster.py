"""A real Ray cluster for tests, in namespaces of its own: it has no network but its own loopback.

Ray binds to all interfaces and trusts whoever reaches them, so it is not started in the network of the
machine. What tests see of it is one port of the loopback interface, which passes connections on to the Jobs
API. It has a host name and process numbers of its own: its jobs look as those of another machine do. Files
are shared, and so are servers that listen on a Unix socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

NODE = Path(__file__).with_name("ray_node.py")
STARTS_WITHIN = 180.0  # seconds; on a busy machine its twenty processes import for a while
BEGINS_WITHIN = 120.0  # seconds; on a busy machine it takes a quarter of a minute to start what starts a job
NOT_PASSED = ("RAY_", "PIPELINE_WIDGETS_")
NAMESPACES = ("--net", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child")
CLONE_NEWNET = 0x40000000
STARTS = 3
AGENT_PORT = 52365  # the head's own, within the namespace
#: What is in the command lines of Ray's own processes.
OF_RAY = ("ray::", "gcs_server", "raylet", "ray/dashboard", "ray-dashboard", "ray/_private", "ray/autoscaler",
          "ray.util.client", "from multiprocessing")  # fmt: skip
OBJECT_STORE = "--object-store-memory=100000000"


def explain_absence() -> str | None:
    """Return why no Ray can be started here, and what to do; None where it can."""
    if not sys.platform.startswith("linux"):
        return "The tests of the Ray launcher need the namespaces of Linux."
    if os.geteuid() != 0:
        return (
            "The tests of the Ray launcher need root: they start Ray in a network namespace, since it would "
            "listen on all interfaces otherwise. Run `sudo make test-launchers`, or leave them out with "
            "PYTEST_FLAGS='--ignore-glob=*/test_ray*.py'."
        )
    if shutil.which("unshare") is None:
        return "The program unshare is missing. On Debian and Ubuntu: apt install util-linux"
    if not _ray().exists():
        return f"{_ray()} is missing. Run: pip install 'ray[default]'"
    return None


class RayCluster:
    """A Ray head, and further nodes where a test adds them.

    Args:
        cpus: CPUs that the head offers.
        resources: What else it offers, by name.
        variables: Variables of its head.
    """

    def __init__(
        self,
        *,
        cpus: int = 4,
        resources: dict[str, float] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # a socket's path is short
        self._offer = (f"--num-cpus={cpus}", f"--resources={json.dumps(resources or {})}")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED)},
            "RAY_TMPDIR": str(self.folder),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": f"{STARTS_WITHIN:g}",
            **(variables or {}),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # some 20 processes would compile Ray each time
        unshare = shutil.which("unshare") or "unshare"
        self._node = subprocess.Popen(
            [unshare, *NAMESPACES, sys.executable, str(NODE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.folder,
        )
        self._port: _ForwardedPort | None = None
        self._nodes = 1
        try:
            self._port = _ForwardedPort(self._first_process())
            self.start_head()
        except BaseException:
            self.close()
            raise

    @property
    def launcher(self) -> str:
        """The name of the launcher that starts jobs here; it holds on both sides."""
        return f"ray://127.0.0.1:{self.port.number}"

    @property
    def port(self) -> _ForwardedPort:
        """The way from the tests to the Jobs API."""
        assert self._port is not None
        return self._port

    def start_head(self) -> None:
        """Start the head; on a machine that is very busy Ray gives up after 30 s, and is started again."""
        command = (
            *(str(_ray()), "start", "--head", "--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1"),
            *(f"--temp-dir={self.folder}", "--disable-usage-stats", "--include-log-monitor=False"),
            *(f"--dashboard-port={self.port.number}", OBJECT_STORE, *self._offer),
        )
        code, said = self.run(*command)
        for _ in range(STARTS - 1):
            if code == 0:
                return
            self.kill(self.processes())
            code, said = self.run(*command)
        assert code == 0, f"{' '.join(command)} has ended with exit code {code}:\n{said}"

    def wait_until_ready(self) -> None:
        """Wait until the Jobs API answers, and an agent that takes jobs is there."""
        name = f"ready-{time.monotonic_ns()}"

        def takes_jobs() -> bool:
            code, said = self.request("POST", "/api/jobs/", {"entrypoint": "true", "submission_id": name})
            return code == 200 or "already exists" in said

        wait_for(takes_jobs, STARTS_WITHIN)
        wait_for(lambda: self.job(name).get("status") == "SUCCEEDED", STARTS_WITHIN)

    def add_node(self, resources: dict[str, float], *, cpus: int = 1) -> set[int]:
        """Start a second node, and return its processes as this side numbers them."""
        before = self.processes()
        self._nodes += 1
        command = (
            *(str(_ray()), "start", "--address=127.0.0.1:6379", f"--node-ip-address=127.0.0.{self._nodes}"),
            f"--dashboard-agent-listen-port={AGENT_PORT + self._nodes}",  # a node without one is not taken
            *(f"--num-cpus={cpus}", f"--resources={json.dumps(resources)}", "--disable-usage-stats"),
            *("--include-log-monitor=False", OBJECT_STORE),
        )
        code, said = self.run(*command)
        assert code == 0, said
        return self.processes() - before

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command in the namespaces, and return its exit code and its output."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(command) + "\n")
        self._node.stdin.flush()
        return tuple(json.loads(self._node.stdout.readline()))

    def request(self, method: str, path: str, data: Any = None) -> tuple[int, str]:
        """Ask the Jobs API, and return the status and the text of the answer; 0 where there is none."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port.number}{path}",
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def job(self, name: str) -> dict[str, Any]:
        """Return what Ray says of a job; empty where it knows none of that name."""
        code, said = self.request("GET", f"/api/jobs/{name}")
        return json.loads(said) if code == 200 else {}

    def processes(self) -> set[int]:
        """Return all processes of the namespace, numbered as this side numbers them."""
        here = _namespace(self._first_process())
        return {pid for pid in _numbers() if _namespace(pid) == here} - {self._first_process()}

    def number_here(self, pid: int) -> int:
        """Return how this side numbers a process of the namespace, by the number that it has there."""
        for each in self.processes():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{each}/status").read_text(encoding="utf-8")
                if f"NSpid:\t{each}\t{pid}\n" in status:
                    return each
        raise AssertionError(f"There is no process {pid} in the namespace")

    def processes_of(self, *words: str) -> set[int]:
        """Return those whose command line has one of these words in it."""
        return {pid for pid in self.processes() if any(word in _command(pid) for word in words)}

    def kill(self, pids: Collection[int]) -> None:
        """End processes at once."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)

    def kill_head(self) -> None:
        """End all that belongs to Ray, as a power cut does, but nothing that its jobs have started."""
        self.kill(self.processes_of(*OF_RAY))

    def close(self) -> None:
        """End everything."""
        if self._port is not None:
            self._port.close()
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        with contextlib.suppress(OSError):
            self._node.stdin.close()
        self._node.stdout.close()
        try:
            self._node.wait(10)
        except subprocess.TimeoutExpired:
            self._node.kill()
            self._node.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _first_process(self) -> int:
        """Return the first process of the namespaces, as this side numbers it."""
        path = Path(f"/proc/{self._node.pid}/task/{self._node.pid}/children")
        wait_for(lambda: bool(path.read_text().split()), 10.0)
        return int(path.read_text().split()[0])


class _ForwardedPort:
    """A port of this side's loopback interface that passes connections on to the same port of a namespace.

    Args:
        pid: A process of that namespace.
        number: The port, where it has to be a certain one.
    """

    def __init__(self, pid: int, number: int = 0) -> None:
        self._namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        self._open: set[socket.socket] = set()
        self._hangs = threading.Event()
        self._listener = self._listen(number)
        self.number: int = self._listener.getsockname()[1]

    def cut(self, *, silently: bool = False) -> None:
        """Cut the network: new connections are refused, or taken and never answered."""
        self._hangs.set()
        if not silently:
            self._shut(self._listener)
        for each in list(self._open):
            self._shut(each)

    def mend(self) -> None:
        """Let connections through again."""
        self._hangs.clear()
        if self._listener.fileno() < 0:
            self._listener = self._listen(self.number)

    def close(self) -> None:
        """Stop listening, and end all connections."""
        self.cut()
        os.close(self._namespace)

    def _listen(self, number: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", number))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                ours, _ = listener.accept()
            except OSError:
                return
            self._open.add(ours)
            if not self._hangs.is_set():
                threading.Thread(target=self._forward, args=(ours,), daemon=True).start()

    def _forward(self, ours: socket.socket) -> None:
        """Enter the namespace, which only this thread does, and pass bytes in both directions."""
        try:
            ctypes.CDLL(None).setns(self._namespace, CLONE_NEWNET)  # else there is nothing at this address
            theirs = socket.create_connection(("127.0.0.1", self.number), timeout=10)
        except OSError:
            self._shut(ours)
            return
        theirs.settimeout(None)
        self._open.add(theirs)
        back = threading.Thread(target=self._pump, args=(theirs, ours), daemon=True)
        back.start()
        self._pump(ours, theirs)
        back.join()
        self._shut(ours)
        self._shut(theirs)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while some := source.recv(65536):
                target.sendall(some)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _shut(self, each: socket.socket) -> None:
        self._open.discard(each)
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def wait_for(condition: Callable[[], bool], within: float) -> None:
    """Wait until something is true.

    Raises:
        AssertionError: It was not, in time.
    """
    until = time.monotonic() + within
    while not condition():
        assert time.monotonic() < until, f"not within {within:g} s"
        time.sleep(0.1)


def _ray() -> Path:
    return Path(sys.executable).with_name("ray")


def _numbers() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115  not a path, but a name
    except OSError:
        return ""


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
