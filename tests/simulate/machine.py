"""Random steps against the services on a real SQLite file; after each, the model and the services agree."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from simulate.editing import Editing
from simulate.keeping import Keeping
from simulate.lockstep import SCORED, TRIGGERS
from simulate.running import Running
from simulate.values import Stage


class Chains(Editing, Running, Keeping):
    """All rules together."""

    @initialize(
        names=st.lists(st.sampled_from(["SFT", "GRPO", "DPO", "LOSS"]), min_size=2, max_size=4),
        trigger=TRIGGERS,
        done=st.integers(0, 4),
        scores=SCORED,
    )
    def begin(self, names: list[str], trigger: str, done: int, scores: list[tuple[Any, Any]]) -> None:
        """Begin with a chain of which some stages have run, so that much can happen."""
        pipeline = self._new_pipeline()
        for at, name in enumerate(["SFT", *names[1:]]):
            experiment = self._new_experiment(name, (10, None))
            start = ("source", "best") if at else ("scratch", None)
            stage = Stage(0, experiment.id, "auto" if at and trigger == "auto" else "manual", start)
            self._add(pipeline, stage, None, duplicate=False)
        for at in range(min(done, len(names))):
            if self.model.success(pipeline.stages[at]) is None:
                self._carry_out(self._trigger(pipeline, at, resume=False), scores, same=False)
