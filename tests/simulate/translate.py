"""Stages as the services take them, and as the model knows them."""

from __future__ import annotations

from typing import Any

from pipeline_widgets.domain import chain
from simulate.values import Stage


def value_of(stage: Stage) -> chain.Stage:
    """Return a stage as the services take it."""
    gate: chain.Gate | None = None
    if stage.gate is not None:
        gate = (
            chain.ScoreAtLeast(stage.gate[1]) if stage.gate[0] == "at least" else chain.BetterThanDeployed()
        )
    trigger = chain.Trigger(stage.trigger)
    if stage.experiment is None:
        return chain.DeploymentStage(
            id=stage.id, agent_name=stage.agent_name, choice=stage.start[1], trigger=trigger, gate=gate
        )
    kind, which = stage.start
    start = chain.FromScratch() if kind == "scratch" else chain.FromSource(which)
    return chain.ExperimentStage(
        id=stage.id,
        experiment_id=stage.experiment,
        trigger=trigger,
        start=chain.FromAgent(which) if kind == "agent" else start,
        auto_add_agent=stage.auto_add,
        gate=gate,
    )


def plain_of(stage: chain.Stage) -> Stage:
    """Return a stage as the model knows it."""
    gate: tuple[str, float] | None = None
    if stage.gate is not None:
        gate = (
            ("at least", stage.gate.score) if isinstance(stage.gate, chain.ScoreAtLeast) else ("better", 0.0)
        )
    trigger: Any = str(stage.trigger)
    if isinstance(stage, chain.DeploymentStage):
        return Stage(stage.id, None, trigger, ("source", stage.choice), gate, stage.agent_name)
    start: tuple[str, Any] = ("scratch", None)
    if isinstance(stage.start, chain.FromAgent):
        start = ("agent", stage.start.agent_id)
    elif isinstance(stage.start, chain.FromSource):
        start = ("source", stage.start.choice)
    return Stage(stage.id, stage.experiment_id, trigger, start, gate, auto_add=stage.auto_add_agent)
