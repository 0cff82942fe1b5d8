"""Chains of training experiments in a notebook: SFT -> DPO -> GRPO -> deploy, with no server.

Start with `pipeline_widgets.Workspace`. The names below are loaded when they are first used, so that the
processes that carry out runs do not pay for what only a notebook needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline_widgets.algorithms.batch_predictor import BatchPredictor
    from pipeline_widgets.algorithms.context import Start, StopTraining, TrainContext
    from pipeline_widgets.algorithms.evaluators import Evaluation, Evaluator, evaluator
    from pipeline_widgets.algorithms.registry import Algorithm, algorithm
    from pipeline_widgets.algorithms.script import script
    from pipeline_widgets.api.agent import Agent
    from pipeline_widgets.api.evaluation import EvaluationRun
    from pipeline_widgets.api.experiment import Experiment
    from pipeline_widgets.api.pipeline import Pipeline
    from pipeline_widgets.api.project import Project
    from pipeline_widgets.api.run import Checkpoint, Run
    from pipeline_widgets.api.stage import Stage
    from pipeline_widgets.api.workspace import Workspace
    from pipeline_widgets.domain.compatibility import Port
    from pipeline_widgets.domain.liveness import Timing
    from pipeline_widgets.domain.pipeline_run import PipelinePlan
    from pipeline_widgets.domain.plan import Plan
    from pipeline_widgets.domain.run import Status
    from pipeline_widgets.errors import (
        AlgorithmNotFoundError,
        CheckpointError,
        ClassicProjectError,
        ConfigError,
        ConflictError,
        DataRefusedError,
        DoesNotFitError,
        EvaluatorNotFoundError,
        ExecutionError,
        FencedError,
        FilterError,
        ForeignError,
        HandoverError,
        InUseError,
        NameTakenError,
        NoCheckpointError,
        NotFoundError,
        OrderError,
        PipelineError,
        RuleError,
        StaleWriteError,
        StorageError,
        TransitionError,
        TriggerError,
        UntrustedError,
        WaitTimeoutError,
    )

__version__ = "0.1.0"

_HOMES = {
    "Agent": "api.agent",
    "Algorithm": "algorithms.registry",
    "AlgorithmNotFoundError": "errors",
    "BatchPredictor": "algorithms.batch_predictor",
    "Checkpoint": "api.run",
    "CheckpointError": "errors",
    "ClassicProjectError": "errors",
    "ConfigError": "errors",
    "ConflictError": "errors",
    "DataRefusedError": "errors",
    "DoesNotFitError": "errors",
    "Evaluation": "algorithms.evaluators",
    "Evaluator": "algorithms.evaluators",
    "EvaluationRun": "api.evaluation",
    "EvaluatorNotFoundError": "errors",
    "ExecutionError": "errors",
    "Experiment": "api.experiment",
    "FencedError": "errors",
    "FilterError": "errors",
    "ForeignError": "errors",
    "HandoverError": "errors",
    "InUseError": "errors",
    "NameTakenError": "errors",
    "NoCheckpointError": "errors",
    "NotFoundError": "errors",
    "OrderError": "errors",
    "Pipeline": "api.pipeline",
    "PipelineError": "errors",
    "PipelinePlan": "domain.pipeline_run",
    "Plan": "domain.plan",
    "Port": "domain.compatibility",
    "Project": "api.project",
    "RuleError": "errors",
    "Run": "api.run",
    "Stage": "api.stage",
    "StaleWriteError": "errors",
    "Start": "algorithms.context",
    "Status": "domain.run",
    "StopTraining": "algorithms.context",
    "StorageError": "errors",
    "Timing": "domain.liveness",
    "TrainContext": "algorithms.context",
    "TransitionError": "errors",
    "TriggerError": "errors",
    "UntrustedError": "errors",
    "WaitTimeoutError": "errors",
    "Workspace": "api.workspace",
    "algorithm": "algorithms.registry",
    "evaluator": "algorithms.evaluators",
    "script": "algorithms.script",
}

__all__ = [
    "Agent",
    "Algorithm",
    "AlgorithmNotFoundError",
    "BatchPredictor",
    "Checkpoint",
    "CheckpointError",
    "ClassicProjectError",
    "ConfigError",
    "ConflictError",
    "DataRefusedError",
    "DoesNotFitError",
    "Evaluation",
    "EvaluationRun",
    "Evaluator",
    "EvaluatorNotFoundError",
    "ExecutionError",
    "Experiment",
    "FencedError",
    "FilterError",
    "ForeignError",
    "HandoverError",
    "InUseError",
    "NameTakenError",
    "NoCheckpointError",
    "NotFoundError",
    "OrderError",
    "Pipeline",
    "PipelineError",
    "PipelinePlan",
    "Plan",
    "Port",
    "Project",
    "RuleError",
    "Run",
    "Stage",
    "StaleWriteError",
    "Start",
    "Status",
    "StopTraining",
    "StorageError",
    "Timing",
    "TrainContext",
    "TransitionError",
    "TriggerError",
    "UntrustedError",
    "WaitTimeoutError",
    "Workspace",
    "algorithm",
    "evaluator",
    "script",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
