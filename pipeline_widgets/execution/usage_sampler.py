"""Sample what the processes of a run use, from outside of them: the training is not slowed down."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache
from typing import Any

import psutil

from pipeline_widgets.domain.usage import FIRST_INTERVAL, Usage, find_interval

#: The device file of NVIDIA's driver: without it the library is not looked for.
NVIDIA_DRIVER = "/dev/nvidiactl"


class UsageSampler:
    """Samples what the processes of a run use, where that is due.

    Args:
        find_processes: Returns the numbers of the run's processes.
        began: When the run began, in seconds of the monotonic clock.
    """

    def __init__(self, find_processes: Callable[[], Collection[int]], began: float) -> None:
        self._find_processes = find_processes
        self._began = self._sampled_at = began
        self._due = began + FIRST_INTERVAL
        self._taken = 0
        self._seconds = 0.0  # of CPUs, so far

    def sample(self, now: float) -> Usage | None:
        """Return a sample; None where none is due, or no process of the run is left.

        Args:
            now: Seconds of the monotonic clock.
        """
        if now < self._due:
            return None
        begun = time.process_time()
        usage = self._read(now)
        self._taken += 1
        self._due = now + find_interval(self._taken, time.process_time() - begun)
        return usage

    def _read(self, now: float) -> Usage | None:
        pids = self._find_processes()
        seconds, memory, seen = 0.0, 0, False
        for pid in pids:
            with suppress(psutil.Error, OSError):  # it has ended meanwhile
                process = psutil.Process(pid)
                with process.oneshot():
                    times, resident = process.cpu_times(), process.memory_info().rss
                # With those of its children that have ended: what they used is not lost with them.
                seconds += times.user + times.system + times.children_user + times.children_system
                memory += resident
                seen = True
        if not seen:
            return None
        # One whose parent does not wait for it takes its seconds along: no CPU has worked backwards.
        cpu = max(0.0, seconds - self._seconds) / max(now - self._sampled_at, 1e-3)
        self._seconds, self._sampled_at = seconds, now
        gpu, gpu_memory = _read_gpus(pids)
        return Usage(seconds=now - self._began, cpu=cpu, memory=memory, gpu=gpu, gpu_memory=gpu_memory)


def _read_gpus(pids: Collection[int]) -> tuple[float | None, int | None]:
    """Return the GPUs at work and the bytes on them, where processes are on GPUs."""
    nvml = _load_nvml()
    if nvml is None:
        return None, None
    busy, used, seen = 0.0, 0, False
    with suppress(nvml.NVMLError):
        for at in range(nvml.nvmlDeviceGetCount()):
            device = nvml.nvmlDeviceGetHandleByIndex(at)
            here = [each for each in nvml.nvmlDeviceGetComputeRunningProcesses(device) if each.pid in pids]
            if here:
                seen = True
                used += sum(each.usedGpuMemory or 0 for each in here)
                busy += nvml.nvmlDeviceGetUtilizationRates(device).gpu / 100
    return (busy, used) if seen else (None, None)


@cache
def _load_nvml() -> Any:
    """Return NVIDIA's library (the package nvidia-ml-py); None without it, or without a driver."""
    if not os.path.exists(NVIDIA_DRIVER):  # noqa: PTH110  a device
        return None
    with suppress(Exception):  # a driver that does not fit must not end a training
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        return nvml
    return None
