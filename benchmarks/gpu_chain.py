"""Run a TRL chain and a PyTorch chain on a GPU, with what researchers do to them, and print what passes.

    python benchmarks/gpu_chain.py                 a GPU where there is one, else the CPU
    python benchmarks/gpu_chain.py --only torch    one of the two chains

Self-contained: it needs this package with the extra `trl`, makes its models and data itself, and leaves
nothing behind. The exit code is the number of checks that fail. Without a GPU it says so and runs the same on
the CPU.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import psutil

import pipeline_widgets as pw

PATIENCE = 300.0  # seconds for a stage that imports PyTorch and TRL on a busy machine
MEBI = 1 << 20
STEPS_OF_A_START = 5  # until a training counts as going on


@pw.algorithm("Torch regression", produces={"net"}, accepts=[pw.Port("weights", {"net"})], score="min")
def regression(ctx: pw.TrainContext) -> None:
    """Fit a sine with a small network; `resume` goes on exactly."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(ctx.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    hidden, steps = 64, 400
    net = torch.nn.Sequential(torch.nn.Linear(1, hidden), torch.nn.Tanh(), torch.nn.Linear(hidden, 1)).to(
        device
    )
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    x = torch.linspace(-3, 3, 2048)[:, None]
    loader = DataLoader(TensorDataset(x, torch.sin(x)), batch_size=64, shuffle=True, num_workers=2)
    step = ctx.start_step
    if ctx.start is not None:
        saved = torch.load(ctx.start.path / "net.pt", map_location=device, weights_only=True)
        net.load_state_dict(saved["net"])
        if ctx.start_role == "resume":
            optimizer.load_state_dict(saved["optimizer"])
    while step < steps:
        for inputs, wanted in loader:
            loss = (net(inputs.to(device)) - wanted.to(device)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step % 50 == 0:
                ctx.report(step, total=steps, loss=loss, evaluation_score=loss)
                with ctx.checkpoint(step) as folder:
                    torch.save(
                        {"net": net.state_dict(), "optimizer": optimizer.state_dict()}, folder / "net.pt"
                    )
            if step >= steps:
                break


@pw.algorithm("Torch endless", produces={"net"}, accepts=[pw.Port("weights", {"net"})])
def endless(ctx: pw.TrainContext) -> None:
    """Hold 256 MiB and train until a stop."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    held = torch.zeros(256 << 18, device=device)  # 4 bytes each
    step = ctx.start_step
    with ctx.checkpoint(step) as folder:
        torch.save({"step": step}, folder / "net.pt")
    while True:
        held += 1
        step += 1
        ctx.report(step, value=held[0], pid=os.getpid())
        time.sleep(0.02)


@pw.algorithm("Torch compiled", produces={"net"})
def compiled(ctx: pw.TrainContext) -> None:
    """Train with torch.compile."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    net = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 1)).to(device)
    fast = torch.compile(net)
    optimizer = torch.optim.SGD(net.parameters(), 1e-2)
    for step in range(1, 6):
        loss = fast(torch.randn(8, 16, device=device)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        ctx.report(step, loss=loss)
    with ctx.checkpoint(5) as folder:
        torch.save(net.state_dict(), folder / "net.pt")


@pw.algorithm("Torch hungry", produces={"net"})
def hungry(ctx: pw.TrainContext) -> None:  # noqa: ARG001  it never comes to report
    """Ask for more memory than any device has."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.zeros(1 << 50, device=device)


class Bench:
    """A workspace in a temporary folder, and what has passed in it."""

    def __init__(self, folder: Path) -> None:
        self._workspace = pw.Workspace(f"sqlite:///{folder}/lab.db")
        self.project = self._workspace.create_project("GPU", advanced_training=True)
        self.failed = 0

    def check(self, name: str, test: Callable[[], str]) -> None:
        """Run a check, and print how it went."""
        began = time.perf_counter()
        try:
            said = test()
        except Exception as error:  # noqa: BLE001  one that fails is a line of the table
            self.failed += 1
            print(f"FAIL  {name}: {type(error).__name__}: {error}")
            traceback.print_exc()
        else:
            print(f"PASS  {name}: {said} ({time.perf_counter() - began:.1f} s)")
        sys.stdout.flush()

    def close(self) -> None:
        """Close the workspace, so that its folder can go."""
        self._workspace.close()

    def train(self, name: str, algorithm: Any, **config: Any) -> Any:
        """Train an experiment, and return its run."""
        run = self.project.create_experiment(name, algorithm=algorithm, config=config).train()
        return run.wait(timeout=PATIENCE)


def require(holds: object, why: object = "") -> None:
    """Fail a check, also where assertions are switched off."""
    if not holds:
        raise RuntimeError(str(why) or "it does not hold")


def used_memory() -> int | None:
    """Return the bytes that are used on the GPU by anybody; None without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return total - free


def trl_chain(bench: Bench) -> None:
    """SFT -> DPO -> GRPO, full and with LoRA."""

    def chain(lora: int) -> str:
        name = f"LoRA {lora}" if lora else "full"
        pipe = bench.project.create_pipeline(f"TRL {name}")
        for method in ("SFT", "DPO", "GRPO"):
            experiment = bench.project.create_experiment(
                f"{method} {name}", algorithm=f"TRL {method}", config={"lora": lora}
            )
            pipe.add_experiment_stage(experiment, trigger="auto" if len(pipe.stages) else "manual")
        pipe.stages[0].trigger()
        pipe.wait(timeout=3 * PATIENCE)
        found = [stage.run for stage in pipe.stages]
        for run in found:
            require(run is not None and run.status == "Succeeded", run and run.error)
        scores = [max(saved.evaluation_score or 0 for saved in run.checkpoints) for run in found if run]
        require(scores == sorted(set(scores)), f"it does not rise: {scores}")
        return "exact answers " + " -> ".join(f"{score:.3f}" for score in scores)

    def stop_and_resume() -> str:
        experiment = bench.project.create_experiment("long SFT", algorithm="TRL SFT", config={"steps": 2000})
        run = experiment.train()
        until(lambda: begun(run), "it does not begin")
        began = time.perf_counter()
        run.stop()
        run.wait(timeout=60)
        took = time.perf_counter() - began
        require(run.status == "Stopped" and len(run.checkpoints), f"{run.status}: {run.error}")
        return f"stopped in {took:.1f} s, with the checkpoint of step {run.checkpoints[-1].step}"

    bench.check("TRL SFT -> DPO -> GRPO, full", lambda: chain(0))
    bench.check("TRL SFT -> DPO -> GRPO, LoRA", lambda: chain(16))
    bench.check("TRL stop", stop_and_resume)


def torch_chain(bench: Bench) -> None:
    """Train, continue, DataLoader workers, torch.compile, stop, resume, kill -9, out of memory."""

    def train_and_continue() -> str:
        pipe = bench.project.create_pipeline("Torch")
        for index in range(2):
            experiment = bench.project.create_experiment(f"regression {index}", algorithm=regression)
            pipe.add_experiment_stage(experiment, trigger="auto" if index else "manual")
        pipe.stages[0].trigger()
        pipe.wait(timeout=2 * PATIENCE)
        runs = [stage.run for stage in pipe.stages]
        for run in runs:
            require(run is not None and run.status == "Succeeded", run and run.error)
        best = [min(saved.evaluation_score or 1 for saved in run.checkpoints) for run in runs if run]
        require(best[1] < best[0], f"the loss does not fall: {best}")
        return f"loss {best[0]:.5f} -> {best[1]:.5f}, with 2 DataLoader workers"

    def stop_and_resume() -> str:
        experiment = bench.project.create_experiment("to stop", algorithm=endless)
        run = experiment.train()
        until(lambda: begun(run), "it does not begin")
        run.stop()
        run.wait(timeout=PATIENCE)
        require(run.status == "Stopped", run.error)
        resumed: Any = experiment.resume(run.checkpoints[-1], "resumed").run
        until(lambda: begun(resumed), "it does not go on")
        role = resumed.start_role
        resumed.stop()
        resumed.wait(timeout=PATIENCE)
        require(role == "resume" and resumed.status == "Stopped", resumed.error)
        return f"Stopped, resumed from step {run.checkpoints[-1].step}, and Stopped again"

    def kill() -> str:
        before = used_memory()
        run = bench.project.create_experiment("to kill", algorithm=endless).train()
        until(lambda: begun(run), "it does not begin")
        during = used_memory()
        told = run.metrics
        worker = int(told[told["metric"] == "pid"]["value"].iloc[-1])
        os.kill(worker, signal.SIGKILL)
        run.wait(timeout=PATIENCE)
        require(run.status == "Crashed", f"{run.status}: {run.error}")
        until(lambda: not psutil.pid_exists(worker), "the process is still there")
        if before is None or during is None:
            return "Crashed, and the process is gone"
        until(lambda: (used_memory() or 0) < during - 200 * MEBI, "the memory of the GPU is not free")
        return f"Crashed; {(during - (used_memory() or 0)) / MEBI:.0f} MiB of the GPU are free again"

    def out_of_memory() -> str:
        run = bench.train("hungry", hungry)
        require(run.status == "Failed", run.status)
        said = next((line for line in (run.error or "").splitlines() if "memory" in line.lower()), "")
        require(said, run.error)
        return f"Failed: {said.strip()[:80]}"

    bench.check("PyTorch train, continue, DataLoader workers", train_and_continue)
    bench.check("PyTorch torch.compile", lambda: _succeeded(bench.train("compiled", compiled)))
    bench.check("PyTorch stop and resume", stop_and_resume)
    bench.check("PyTorch kill -9", kill)
    bench.check("PyTorch out of memory", out_of_memory)


def begun(run: Any) -> bool:
    """Whether a run has reported some steps; one that has ended before is a failure."""
    require(run.status in {"Pending", "Running"}, f"{run.status}: {run.error}")
    return (run.progress.step or 0) > STEPS_OF_A_START


def until(holds: Callable[[], bool], why: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        require(time.monotonic() < end, why)
        time.sleep(0.1)


def _succeeded(run: Any) -> str:
    require(run.status == "Succeeded", run.error)
    return "Succeeded"


def main() -> int:
    """Run what the command line asks for."""
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=["trl", "torch"])
    only: str | None = parser.parse_args().only
    if torch.cuda.is_available():
        print(f"GPU: {torch.cuda.get_device_name()}, PyTorch {torch.__version__}")
    else:
        print(f"There is no GPU here: what follows runs on the CPU, PyTorch {torch.__version__}")
    with tempfile.TemporaryDirectory(prefix="gpu-chain-") as folder:
        bench = Bench(Path(folder))
        if only != "trl":
            torch_chain(bench)
        if only != "torch":
            trl_chain(bench)
        bench.close()
    print("All checks pass." if not bench.failed else f"{bench.failed} checks fail.")
    return bench.failed


if __name__ == "__main__":
    sys.exit(main())
