"""What the processes of a run use is sampled from outside of them (spec 6.14)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from benches import Bench

import pipeline_widgets as pw
from pipeline_widgets import TrainContext
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.execution import processes, usage_sampler
from pipeline_widgets.execution.usage_sampler import UsageSampler

pytestmark = pytest.mark.spec("6.14")

MIB = 2**20
_CHILD = "import sys, time; held = b'x' * (int(sys.argv[1]) * 2**20); time.sleep(float(sys.argv[2]))"


@dataclass
class Burning:
    """For how long, and how much memory a process of its own holds meanwhile."""

    seconds: float = 4.0
    child_mib: int = 96


@pw.algorithm("Burn", produces={"model"}, config=Burning)
def burn(ctx: TrainContext) -> None:
    """Keep one CPU at work, and some memory in a child; report nothing until the end."""
    config = ctx.config
    held = subprocess.Popen([sys.executable, "-c", _CHILD, str(config.child_mib), str(config.seconds)])
    until = time.monotonic() + config.seconds
    while time.monotonic() < until:
        sum(range(10_000))
    held.wait()
    with ctx.checkpoint(1) as saved:
        (saved / "model.txt").write_text("burnt", encoding="utf-8")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds 64 MiB and does nothing."""
    held = subprocess.Popen([sys.executable, "-c", _CHILD, "64", "60"])
    yield held
    held.kill()
    held.wait()


def test_a_run_tells_its_cpu_and_memory_and_its_row_the_peak(quick: Bench) -> None:
    """Those of its children are among them; samples come while it reports nothing."""
    experiment = quick.project.create_experiment("b", algorithm=burn)
    pipe = quick.project.create_pipeline("c")
    run = pipe.add_experiment_stage(experiment).trigger().wait(120)
    assert run.status == "Succeeded"
    usage = run.usage
    assert list(usage.columns) == ["seconds", "cpu", "memory", "gpu", "gpu_memory"]
    assert len(usage) >= 3
    assert usage["seconds"].is_monotonic_increasing
    assert usage["cpu"].max() > 0.1  # one CPU, which others want as well
    assert usage["memory"].max() > 96 * MIB
    assert (run.peak_cpu, run.peak_memory) == (usage["cpu"].max(), usage["memory"].max())
    assert run.peak_gpu_memory is None
    pipe.delete()
    experiment.delete()  # with its samples


def test_a_run_that_is_stopped_has_told_its_samples_with_the_beats(quick: Bench) -> None:
    """They do not wait for a report of its training, which tells none."""
    experiment = quick.project.create_experiment("b", algorithm=burn, config={"seconds": 60.0})
    run = quick.project.create_pipeline("c").add_experiment_stage(experiment).trigger()
    until = time.monotonic() + 60
    while not len(run.usage) and time.monotonic() < until:
        time.sleep(0.1)
    assert len(run.usage)
    assert run.peak_memory
    run.stop()
    run.wait(60)
    assert run.peak_memory


def test_a_sample_is_taken_when_it_is_due(child: subprocess.Popen[bytes]) -> None:
    """Not within the first second; and nothing is told of processes that have ended."""
    sampler = UsageSampler(lambda: {child.pid}, began=100.0)
    assert sampler.sample(100.9) is None
    usage = sampler.sample(101.5)
    assert usage is not None
    assert usage.seconds == 1.5
    assert sampler.sample(101.6) is None
    child.kill()
    child.wait()
    assert sampler.sample(1000.0) is None


def test_what_ended_children_have_used_is_counted() -> None:
    """The seconds of a child are not lost with it."""
    sampler = UsageSampler(lambda: {os.getpid()}, began=time.monotonic())
    before = sampler.sample(time.monotonic() + 2)
    subprocess.run([sys.executable, "-c", "sum(range(20_000_000))"], check=True)
    after = sampler.sample(time.monotonic() + 1000)
    assert before is not None
    assert after is not None
    assert after.cpu * 998 > 0.1  # seconds


class _FakeNvml:
    """Two GPUs; the process is on the second one."""

    class NVMLError(Exception):
        """As NVIDIA's library has it."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802  NVIDIA's names
        return 2

    def nvmlDeviceGetHandleByIndex(self, at: int) -> int:  # noqa: N802
        return at

    def nvmlDeviceGetComputeRunningProcesses(self, device: int) -> list[SimpleNamespace]:  # noqa: N802
        other = SimpleNamespace(pid=1, usedGpuMemory=7 * MIB)
        mine = SimpleNamespace(pid=self._pid, usedGpuMemory=300 * MIB)
        return [other, mine] if device == 1 else [other]

    def nvmlDeviceGetUtilizationRates(self, device: int) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=60 if device == 1 else 100)


def test_gpus_are_counted_on_which_the_run_has_a_process(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others use on them, and their GPUs, are not its own."""
    monkeypatch.setattr(usage_sampler, "_load_nvml", lambda: _FakeNvml(child.pid))
    usage = UsageSampler(lambda: {child.pid}, began=0.0).sample(2.0)
    assert usage is not None
    assert (usage.gpu, usage.gpu_memory) == (0.6, 300 * MIB)
    monkeypatch.setattr(usage_sampler, "_load_nvml", lambda: _FakeNvml(os.getpid()))
    usage = UsageSampler(lambda: {child.pid}, began=0.0).sample(2.0)
    assert isinstance(usage, Usage)
    assert (usage.gpu, usage.gpu_memory) == (None, None)


def test_the_memory_of_a_family_is_that_of_all_its_processes(child: subprocess.Popen[bytes]) -> None:
    """With those that the first one has started."""
    held, until = 0, time.monotonic() + 60
    while held < 64 * MIB and time.monotonic() < until:
        usage = UsageSampler(lambda: processes.family(child.pid), began=0.0).sample(2.0)
        held = usage.memory if usage is not None else 0
        time.sleep(0.05)
    assert held >= 64 * MIB
