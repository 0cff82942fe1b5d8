"""On what this process runs: Python, machine, GPUs, installed packages. Nothing is imported for that."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline_widgets.domain.run_record import Environment

NVIDIA_PATIENCE = 1.0  # seconds that nvidia-smi may take
_GPUS = Path("/proc/driver/nvidia/gpus")
_METADATA = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist-info|egg-info)")
_SEPARATORS = re.compile(r"[-_.]+")


def describe_environment(variables: Iterable[str] = ()) -> Environment:
    """Return on what this process runs.

    Args:
        variables: The environment variables to record.
    """
    uname = platform.uname()  # by its names: read by position, it starts a program for the processor
    return Environment(
        python=f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})",
        platform=f"{uname.system} {uname.release} {uname.machine}",
        host=socket.gethostname(),
        cpu=_cpu_model(),
        cpu_count=_usable_cpus(),
        gpus=find_gpus(),
        packages=find_packages(),
        variables={name: os.environ.get(name) for name in variables},
    )


def find_packages(path: Iterable[str] | None = None) -> dict[str, str]:
    """Return versions of the installed packages by name, as `importlib.metadata` finds them.

    Names and versions are read from the names of the metadata's folders: opening the files of some hundred
    packages takes fifty times as long. Of two with the same name, the one that is imported counts.

    Args:
        path: Where to look; `sys.path` by default.
    """
    found: dict[str, str] = {}
    for folder in sys.path if path is None else path:
        for name, version in _packages_in(folder or "."):
            found.setdefault(name, version)
    return dict(sorted(found.items()))


def _packages_in(folder: str) -> Iterator[tuple[str, str]]:
    with suppress(OSError):  # a zip file, or a folder that is gone
        for name in os.listdir(folder):  # noqa: PTH208  names are enough
            if name.endswith((".dist-info", ".egg-info")) and (told := _METADATA.fullmatch(name)):
                yield _SEPARATORS.sub("-", told["name"]).lower(), told["version"]


def find_gpus() -> tuple[str, ...]:
    """Return the models of the NVIDIA GPUs of this machine, by number; none where there are none."""
    if _GPUS.is_dir():
        with suppress(OSError):
            told = [(each / "information").read_text(errors="replace") for each in sorted(_GPUS.iterdir())]
            return tuple(line.split(":", 1)[1].strip() for text in told for line in text.splitlines()
                         if line.startswith("Model:"))  # fmt: skip
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    with suppress(OSError, subprocess.SubprocessError):
        asked = [command, "--query-gpu=name", "--format=csv,noheader"]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=NVIDIA_PATIENCE, check=True)  # noqa: S603
        return tuple(line.strip() for line in told.stdout.splitlines() if line.strip())
    return ()


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith(("model name", "Hardware")):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _usable_cpus() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()
