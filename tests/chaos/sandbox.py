"""A place for one world: its files, its marker, and, for root on Linux, file systems that only it sees."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil

HOOKS = Path(__file__).parent / "hooks"
MARKER = "CHAOS_WORLD"
_CLONE_NEWNS = 0x00020000
SIZE = 24  # MB of a world's disk


def can_mount() -> bool:
    """Whether this process may give a world file systems of its own."""
    return sys.platform.startswith("linux") and os.getuid() == 0 and shutil.which("mount") is not None


class Sandbox:
    """Where a world lives; to be made in a process of its own, whose environment and mounts it changes.

    Args:
        folder: A folder of its own, which outlives it.
        name: What its processes are marked with in their environment.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.lab = folder / "lab"
        self.witness = folder / "witness"
        self.hooks = folder / "hooks"
        self.mounts = can_mount()
        #: What was there before this world cannot be of it, and need not be looked at again and again.
        self._before = frozenset(psutil.pids())
        for each in (self.lab, self.witness, self.hooks):
            each.mkdir(parents=True)
        (self.hooks / "clock").write_bytes(struct.pack("d", 0.0))
        paths = [str(HOOKS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        os.environ |= {
            MARKER: name,
            "CHAOS_HOOKS": str(self.hooks),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "OPENBLAS_NUM_THREADS": "1",
            "PIPELINE_WIDGETS_LAUNCH_SERVER": "off",  # `LaunchChaos` turns it on
            "PIPELINE_WIDGETS_DATA": str(folder / "user"),  # nothing of a world is remembered for the user
        }
        if self.mounts:
            self._own_mounts()
        spec = importlib.util.spec_from_file_location("chaos_hooks", HOOKS / "sitecustomize.py")
        assert spec is not None
        assert spec.loader is not None
        hooks = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(hooks)
        hooks.install(self.hooks)
        os.chdir(self.lab)

    def processes(self, *, launch_servers: bool = False) -> list[psutil.Process]:
        """Return the processes that this world has started and that live, whoever their parents are.

        Args:
            launch_servers: Whether launch servers count, which stay for minutes.
        """
        found: list[psutil.Process] = []
        for pid in psutil.pids():
            if pid in self._before or not _is_marked(pid, self.name):
                continue
            with suppress(psutil.Error):
                process = psutil.Process(pid)
                is_server = "launch-server" in process.cmdline()
                if process.status() != psutil.STATUS_ZOMBIE and (launch_servers or not is_server):
                    found.append(process)
        return found

    def kill_all(self) -> None:
        """End what this world has started, and nothing else."""
        for _ in range(20):
            left = self.processes(launch_servers=True)
            for each in left:
                with suppress(psutil.Error):
                    each.kill()
            if not left:
                return
            time.sleep(0.05)

    def step_clock(self, seconds: float) -> None:
        """Step the clock of all processes of this world, as NTP or a person does."""
        file = self.hooks / "clock"
        now = struct.unpack("d", file.read_bytes())[0]
        with file.open("r+b") as shift:
            shift.write(struct.pack("d", now + seconds))
        if self.mounts:  # the time of the boot is reckoned from the clock, and moves with it
            lines = self._stat.read_text().splitlines()
            stepped = [
                f"btime {int(int(x.split()[1]) + seconds)}" if x.startswith("btime") else x for x in lines
            ]
            with self._stat.open("r+") as stat:
                stat.write("\n".join(stepped) + "\n")

    def reboot(self) -> None:
        """End all processes at once; the machine that comes up has another boot id."""
        self.kill_all()
        if self.mounts:
            boot = self.folder / "boot_id"
            boot.write_text(f"{uuid4()}\n")
            _mount("--bind", str(boot), "/proc/sys/kernel/random/boot_id")

    def read_only(self, folder: Path, *, yes: bool) -> bool:
        """Make a folder read-only, for root as well, or writable again; False if it is never idle."""
        if yes:
            _mount("--bind", str(folder), str(folder))
            for _ in range(100):  # what writes at the moment keeps it from becoming read-only
                with suppress(subprocess.CalledProcessError):
                    _mount("-o", "remount,bind,ro", str(folder))
                    return True
                time.sleep(0.02)
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607
        return not yes

    def fork(self, act: Callable[[], object]) -> int:
        """Do something in a process of its own, which ends without a word; return its number."""
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(90)
            act()
            code = 0
        except BaseException as error:  # noqa: BLE001  told by a file: nobody else would see it
            with suppress(OSError):
                (self.folder / f"fork-{os.getpid()}.txt").write_text(f"{type(error).__name__}: {error}")
        finally:
            os._exit(code)

    def keep(self) -> None:
        """Copy what only this process sees to where it can be looked at afterwards."""
        with suppress(OSError, shutil.Error):
            shutil.copytree(self.lab, self.folder / "kept", dirs_exist_ok=True)

    def _own_mounts(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNS) != 0:
            self.mounts = False
            return
        _mount("--make-rprivate", "/")
        _mount("-t", "tmpfs", "-o", f"size={SIZE}m,mode=700", "tmpfs", str(self.lab))
        self._stat = self.folder / "stat"
        self._stat.write_text(Path("/proc/stat").read_text())
        _mount("--bind", str(self._stat), "/proc/stat")


def end_marked(name: str) -> None:
    """End the processes that bear a world's mark, and nothing else."""
    for pid in psutil.pids():
        if _is_marked(pid, name):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _is_marked(pid: int, name: str) -> bool:
    mark = f"{MARKER}={name}"
    if not sys.platform.startswith("linux"):
        with suppress(psutil.Error):
            return psutil.Process(pid).environ().get(MARKER) == name
        return False
    with suppress(OSError):
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)  # noqa: S607
