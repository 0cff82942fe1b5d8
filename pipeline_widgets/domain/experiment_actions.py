"""The actions that an experiment allows now, and why not the others (spec 9.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.artifact_words import describe_kinds, describe_role
from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.python_version import foreign_fix, foreign_reason
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.text import list_first
from pipeline_widgets.domain.triggering import assess_scratch_fit

SHOWN = 5  # users that a refusal names


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentBlockers:
    """Why each thing cannot be done with an experiment now; empty where it can be."""

    train: str = ""
    stop: str = ""
    resume: str = ""
    change: str = ""
    delete: str = ""


def find_experiment_blockers(
    spec: AlgorithmSpec,
    latest: Run | None,
    *,
    checkpoints: int,
    pipelines: Sequence[str],
    python: str | None = None,
) -> ExperimentBlockers:
    """Tell what stands in the way of each thing that can be done with an experiment.

    Args:
        spec: The declaration of its algorithm.
        latest: Its latest run; None where it has never run.
        checkpoints: How many all its runs have saved.
        pipelines: The names of the pipelines with a stage that is bound to it.
        python: The Python that alone can run its algorithm; None where this one can.
    """
    foreign = foreign_reason(python)
    foreign = f"{foreign} {foreign_fix(python)}" if foreign else ""
    busy = describe_running(latest) if latest is not None and latest.status.active else ""
    scratch = assess_scratch_fit(spec)
    return ExperimentBlockers(
        train=busy or foreign or ("" if scratch else scratch.reason),
        stop=_not_stoppable(latest),
        resume=busy or foreign or ("" if checkpoints else "It has saved no checkpoint to resume from."),
        change=busy,
        delete=busy or used_by([f"pipeline {quote(name)}" for name in pipelines]),
    )


def describe_algorithm(spec: AlgorithmSpec) -> str:
    """Say what an algorithm trains from, what it produces, and which score is better."""
    starts = ["from scratch"] if spec.scratch else []
    starts += [f"from {describe_kinds(port.kinds)} ({describe_role(port.role)})" for port in spec.accepts]
    better = "" if spec.higher_is_better else " A lower score is better."
    produced = describe_kinds(spec.produces, joined_by="and")
    return f"Trains {' or '.join(starts) or 'from nothing'}. Produces {produced}.{better}"


def length_field(config: Mapping[str, Any], total: int | None) -> str | None:
    """Return the field of a config that has set how many steps a run takes; None where none can be told."""
    fields = [name for name, value in config.items() if type(value) is int and value == total]
    if "steps" in fields:
        return "steps"
    return fields[0] if len(fields) == 1 else None


def describe_running(run: Run) -> str:
    """Say that an experiment has an active run."""
    return f"Its {run.label} is {run.status.lower()}."


def used_by(users: Sequence[str]) -> str:
    """Say what uses something; empty where nothing does."""
    if not users:
        return ""
    return f"It is used by {list_first(users, SHOWN)}."


def _not_stoppable(latest: Run | None) -> str:
    if latest is None:
        return "It has never run."
    if latest.status is Status.STOPPING:
        return "It is already stopping."
    return "" if latest.status.active else f"Its {latest.label} is {latest.status.lower()}."
