"""Chains of training experiments in a notebook: SFT -> DPO -> GRPO -> deploy, with no server.

Start with `pipeline_widgets.Workspace`. The names below are loaded when they are first used, so that the
processes that carry out runs do not pay for what only a notebook needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline_widgets.algorithms.context import Start, StopTraining, TrainContext
    from pipeline_widgets.algorithms.registry import Algorithm, algorithm
    from pipeline_widgets.api.agent import Agent
    from pipeline_widgets.api.experiment import Experiment
    from pipeline_widgets.api.pipeline import Pipeline
    from pipeline_widgets.api.project import Project
    from pipeline_widgets.api.run import Checkpoint, Run
    from pipeline_widgets.api.stage import Stage
    from pipeline_widgets.api.workspace import Workspace
    from pipeline_widgets.domain.compatibility import Port
    from pipeline_widgets.domain.liveness import Timing
    from pipeline_widgets.domain.plan import Plan
    from pipeline_widgets.domain.run import Status
    from pipeline_widgets.errors import PipelineError

__version__ = "0.1.0"

_HOMES = {
    "Agent": "api.agent",
    "Algorithm": "algorithms.registry",
    "Checkpoint": "api.run",
    "Experiment": "api.experiment",
    "Pipeline": "api.pipeline",
    "PipelineError": "errors",
    "Plan": "domain.plan",
    "Port": "domain.compatibility",
    "Project": "api.project",
    "Run": "api.run",
    "Stage": "api.stage",
    "Start": "algorithms.context",
    "Status": "domain.run",
    "StopTraining": "algorithms.context",
    "Timing": "domain.liveness",
    "TrainContext": "algorithms.context",
    "Workspace": "api.workspace",
    "algorithm": "algorithms.registry",
}

__all__ = [
    "Agent",
    "Algorithm",
    "Checkpoint",
    "Experiment",
    "Pipeline",
    "PipelineError",
    "Plan",
    "Port",
    "Project",
    "Run",
    "Stage",
    "Start",
    "Status",
    "StopTraining",
    "Timing",
    "TrainContext",
    "Workspace",
    "algorithm",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
