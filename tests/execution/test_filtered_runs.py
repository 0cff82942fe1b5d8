"""Filters of runs that have trained (spec 9.8)."""

from __future__ import annotations

import pytest
from benches import Bench


@pytest.mark.spec("9.8")
def test_runs_are_filtered_by_what_they_were_and_did(bench: Bench) -> None:
    """`project.runs` finds runs by seed, config, metrics, scores, status, and what was written to them."""
    project = bench.ws.create_project("Letters", advanced_training=True)
    for seed, name in ((0, "sft"), (2, "sft again")):
        config = {"steps": 20 + seed}
        project.create_experiment(name, algorithm="SFT", config=config, seed=seed).train().wait(timeout=60)
    first, second = project.runs()
    first.annotate(tags="keep")
    assert list(project.runs("seed=0 and tag=keep")) == [first]
    assert list(project.runs("steps=22 and status=succeeded and algorithm=SFT")) == [second]
    assert list(project.runs("again or nothing>0")) == [second]
    last = first.metrics.query("metric == 'loss'")["value"].iloc[-1]
    assert first in project.runs(f"loss<={last + 1e-9} and loss>={last - 1e-9}")
    assert list(project.runs("step=20").df["number"]) == [1]
