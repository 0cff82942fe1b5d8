"""Processes start from what was adopted (spec 7.8)."""

from __future__ import annotations

from pathlib import Path

import foreign_folders
import habits
import pytest
from benches import Bench


@pytest.mark.spec("7.8")
@pytest.mark.slow
def test_a_first_stage_starts_from_what_was_adopted(bench: Bench, tmp_path: Path) -> None:
    """Through a saved agent, in a process of its own."""
    folder = foreign_folders.hugging_face(tmp_path / "output")
    adopted = bench.project.adopt(folder)
    agent = bench.ws.create_agent("base", adopted.checkpoints[-1])
    pipe = bench.project.create_pipeline("goes on")
    pipe.add_experiment_stage(
        bench.project.create_experiment("e", algorithm=habits.counting_files), start=agent
    )
    run = pipe.stages[0].trigger().wait(60)
    assert run.status == "Succeeded", run.error
    assert (run.checkpoints[0].path / "count").read_text() == "4"
