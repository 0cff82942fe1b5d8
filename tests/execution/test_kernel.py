"""A real Jupyter kernel that defines, triggers, and dies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import pipeline_widgets as pw

pytestmark = pytest.mark.sqlite  # scripts that name their own file

CELLS = """
import pipeline_widgets as pw
from pydantic import BaseModel

class Config(BaseModel):
    base: int = 14

FACTOR = 3
"""
DEFINITION = """
@pw.algorithm("From a cell", produces={"number"}, accepts=[pw.Port("weights", {"number"})], config=Config)
def train(ctx):
    import time
    before = int((ctx.start.path / "number").read_text()) if ctx.start else 0
    for step in range(1, 6):
        time.sleep(0.1)
        ctx.report(step, total=5)
    with ctx.checkpoint(5) as folder:
        (folder / "number").write_text(str(before + ctx.config.base * FACTOR))
"""
TRIGGER = """
ws = pw.Workspace()
project = ws.create_project("Cells", advanced_training=True)
pipe = project.create_pipeline("chain")
for name in ("a", "b"):
    experiment = project.create_experiment(name, algorithm="From a cell")
    pipe.add_experiment_stage(experiment, trigger="auto" if len(pipe.stages) else "manual")
pipe.stages[0].trigger()
"""


def _ignored(_message: dict[str, Any]) -> None:
    """What a cell shows is not asked for."""


@pytest.mark.spec("6.6", "7.1", "6.3")
def test_a_chain_of_a_notebook_cell_outlives_its_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a cell defined travels by value: the chain ends well after the kernel was killed (SIGKILL)."""
    monkeypatch.chdir(tmp_path)
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(tmp_path / "kernel"))
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        for cell in (CELLS, DEFINITION, TRIGGER):
            reply = client.execute_interactive(cell, timeout=60, output_hook=_ignored)
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)  # SIGKILL, to its process group

    ws = pw.Workspace(f"sqlite:///{tmp_path}/lab.db")
    stages = ws.projects["Cells"].pipelines["chain"].wait(60).stages
    last = stages[1].run

    assert [stage.status for stage in stages] == ["Succeeded"] * 2, last.error if last else None
    assert last is not None
    assert (last.checkpoints[0].path / "number").read_text() == "84"
    ws.close()
