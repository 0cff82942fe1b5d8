"""Random steps against the services on a real SQLite file; after each, the model and the services agree."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize

from simulate.editing import Editing
from simulate.keeping import Keeping
from simulate.lockstep import TRIGGERS
from simulate.running import Running
from simulate.values import KINDS, Stage


class Chains(Editing, Running, Keeping):
    """All rules together."""

    @initialize(names=st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=4), trigger=TRIGGERS)
    def begin(self, names: list[str], trigger: str) -> None:
        """Begin with a chain, so that something can happen."""
        pipeline = self._new_pipeline()
        for at, name in enumerate(names):
            experiment = self._new_experiment(name, (10, None))
            start = ("source", "best") if at else ("scratch", None)
            stage = Stage(0, experiment.id, "auto" if at and trigger == "auto" else "manual", start)
            self._add(pipeline, stage, None, duplicate=False)
