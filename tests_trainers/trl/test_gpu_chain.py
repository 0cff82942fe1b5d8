"""The script for a GPU says so where there is none, and runs what can run on the CPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu_chain.py"


@pytest.mark.slow
def test_the_gpu_script_runs_its_torch_chain_on_the_cpu_where_there_is_no_gpu() -> None:
    """Train, continue, workers, compile, stop, resume, kill -9 and out of memory: each prints a line."""
    import torch

    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--only", "torch"],
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("GPU: " if torch.cuda.is_available() else "There is no GPU here")
    assert [line.split(":")[0] for line in lines if line.startswith(("PASS", "FAIL"))] == [
        "PASS  PyTorch train, continue, DataLoader workers",
        "PASS  PyTorch torch.compile",
        "PASS  PyTorch stop and resume",
        "PASS  PyTorch kill -9",
        "PASS  PyTorch out of memory",
    ]
