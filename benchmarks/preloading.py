"""What a stage waits for libraries that a chain before it has imported, against importing them.

    .venv/trainers/bin/python benchmarks/preloading.py [--rounds 3]

Each round has a workspace. Its first chain imports the libraries itself. The second is triggered once a
launch server has them, and trains a small network, so that the libraries are used by a forked process, and
not only found. Told is what `import torch` and transformers' Trainer take in each training, against a new
interpreter.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import launch_server
import psutil

import pipeline_widgets as pw

IMPORTS = "import torch; from transformers import Trainer"
READY_WITHIN = 180.0


@pw.algorithm("Torch", produces={"nothing"})
def torch_user(ctx: pw.TrainContext) -> None:
    """Import torch and transformers, and train a small network with several threads."""
    began = time.perf_counter()
    import torch  # pyright: ignore[reportMissingImports]
    from transformers import Trainer  # pyright: ignore[reportMissingImports]

    took = time.perf_counter() - began
    assert Trainer is not None  # noqa: S101
    net: Any = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    data = torch.randn(512, 512)
    for step in range(20):
        loss = (net(data) - data.mean(1, keepdim=True)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ctx.report(step + 1, score=float(loss), seconds=took)
    time.sleep(1.0)


def main() -> None:
    """Print the seconds of the imports, and their ratio to those of a new interpreter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ[launch_server.SWITCH] = "10"
    rounds = [one_round() for _ in range(options.rounds)]
    bare, first, second = (statistics.median(each) for each in zip(*rounds, strict=True))
    print(f"Python {sys.version.split()[0]}, median of {options.rounds} rounds")
    print(f"a new interpreter   {bare:7.3f} s")
    for name, mine, at in (("the first chain", first, 1), ("the second chain", second, 2)):
        ratio = statistics.median(each[at] / each[0] for each in rounds)
        print(f"{name:18}  {mine:7.3f} s   ratio {ratio:.3f}")


def one_round() -> tuple[float, float, float]:
    """Return what the imports take in a new interpreter, in the first chain and in the second."""
    timed = f"import time; t = time.perf_counter(); {IMPORTS}; print(time.perf_counter() - t)"
    bare = float(subprocess.run([sys.executable, "-c", timed], capture_output=True, check=True).stdout)
    with tempfile.TemporaryDirectory() as folder, closing(pw.Workspace(f"sqlite:///{folder}/lab.db")) as ws:
        project = ws.create_project("Preloading", advanced_training=True)
        try:
            first = seconds_of(project, "first")
            until = time.monotonic() + READY_WITHIN
            while not any(has_torch(each) for each in launch_server.servers(folder)):
                assert time.monotonic() < until, (Path(ws.artifacts) / "launch-server.log").read_text()  # noqa: S101
                time.sleep(0.2)
            return bare, first, seconds_of(project, "second")
        finally:
            for each in launch_server.servers(folder):
                each.kill()


def seconds_of(project: Any, name: str) -> float:
    """Return what the imports take in a training of its own."""
    experiment = project.create_experiment(name, algorithm=torch_user)
    run = project.create_pipeline(name).add_experiment_stage(experiment).trigger()
    run.wait(300)
    assert run.status == "Succeeded", run.error  # noqa: S101
    return float(run.metrics.set_index("metric").loc["seconds", "value"].iloc[0])


def has_torch(process: psutil.Process) -> bool:
    """Whether a launch server has imported torch, and listens."""
    try:
        has = any("/torch/" in each.path for each in process.memory_maps())
        return has and Path(process.cmdline()[5]).exists()
    except psutil.Error:
        return False


if __name__ == "__main__":
    main()
