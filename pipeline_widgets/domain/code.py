"""A pipeline as Python code that rebuilds it in an empty workspace (spec 10.2)."""

from __future__ import annotations

import keyword
import math
import pprint
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipeline_widgets.domain.chain import (
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromSource,
    ScoreAtLeast,
    Trigger,
)
from pipeline_widgets.domain.document import BETTER, Document, ExperimentEntry, StageEntry

WIDTH = 96
TAKEN = ("ws", "project", "pipe", "pw")


def to_python(document: Document, project: str, *, defined_in_notebooks: Collection[str] = ()) -> str:
    """Return the code.

    Args:
        document: The pipeline.
        project: The name of its project.
        defined_in_notebooks: The algorithms that no package announces: whoever runs the code has to define
            them first.
    """
    names = _variables(each.name for each in document.experiments)
    lines = ["import pipeline_widgets as pw", ""]
    if defined_in_notebooks:
        listed = ", ".join(sorted(map(repr, defined_in_notebooks)))
        lines += ["# Run the cells first that define these algorithms with @pw.algorithm:", f"# {listed}", ""]
    lines += [
        "ws = pw.Workspace()",
        f"project = {_call('ws.create_project', [repr(project)], {'advanced_training': True})}",
        "",
        *(f"{names[each.name]} = {_experiment(each)}" for each in document.experiments),
        "",
        f"pipe = {_call('project.create_pipeline', [repr(document.name)], _described(document))}",
        *(_stage(each, names, first=not at) for at, each in enumerate(document.stages)),
    ]
    return "\n".join(lines) + "\n"


def _experiment(entry: ExperimentEntry) -> str:
    given: dict[str, Any] = {"algorithm": entry.algorithm}
    given |= {"config": dict(entry.config)} if entry.config else {}
    given |= {"seed": entry.seed} if entry.seed else {}
    return _call("project.create_experiment", [repr(entry.name)], given)


def _described(document: Document) -> dict[str, Any]:
    return {"description": document.description} if document.description else {}


def _stage(entry: StageEntry, names: Mapping[str, str], *, first: bool) -> str:
    stage, given = entry.stage, dict[str, Any]()
    if stage.trigger is Trigger.AUTO:
        given["trigger"] = "auto"
    if isinstance(stage, ExperimentStage):
        if isinstance(stage.start, FromAgent):
            given["start"] = _Code(f"ws.agents[{entry.agent!r}]")
        elif isinstance(stage.start, FromSource) and not (stage.start.choice == "best" and not first):
            given["start"] = stage.start.choice
        given |= {"auto_add_agent": True} if stage.auto_add_agent else {}
    else:
        given |= _deployment(stage)
    if stage.gate is not None:
        given["gate"] = stage.gate.score if isinstance(stage.gate, ScoreAtLeast) else BETTER
    if isinstance(stage, DeploymentStage):
        return _call("pipe.add_deployment_stage", [repr(stage.agent_name)], given)
    return _call("pipe.add_experiment_stage", [names[entry.experiment or ""]], given)


def _deployment(stage: DeploymentStage) -> dict[str, Any]:
    given: dict[str, Any] = {"checkpoint": stage.choice} if stage.choice != "best" else {}
    return given | ({"description": stage.agent_description} if stage.agent_description else {})


class _Code(str):
    """What stands in the code as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class _Infinite(float):
    """An infinity, which Python writes as a call."""

    def __repr__(self) -> str:
        return f'float("{float(self)}")'


def _call(function: str, positional: list[str], given: Mapping[str, Any]) -> str:
    arguments = [*positional, *(f"{name}={_written(value)}" for name, value in given.items())]
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    inner = "".join(f"    {_indented(argument)},\n" for argument in arguments)
    return f"{function}(\n{inner})"


def _written(value: Any) -> str:
    if isinstance(value, str):  # not in pieces, as pprint would
        return repr(value)
    return pprint.pformat(_finite(value), width=WIDTH - 8, sort_dicts=False)


def _finite(value: Any) -> Any:
    """A value with its infinities as what Python can read."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]  JSON
    if isinstance(value, list):
        return [_finite(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return _Infinite(value) if isinstance(value, float) and not math.isfinite(value) else value


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _variables(names: Iterable[str]) -> dict[str, str]:
    """A variable for each experiment: its name, as far as Python allows."""
    found: dict[str, str] = {}
    for name in names:
        stem = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "experiment"
        stem = f"experiment_{stem}" if stem[0].isdigit() or keyword.iskeyword(stem) else stem
        variable, number = stem, 2
        while variable in found.values() or variable in TAKEN:
            variable, number = f"{stem}_{number}", number + 1
        found[name] = variable
    return found
