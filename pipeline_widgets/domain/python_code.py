"""A pipeline as Python code that rebuilds it in an empty workspace (spec 10.2)."""

from __future__ import annotations

import builtins
import keyword
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, FromAgent
from pipeline_widgets.domain.document import Document, ExperimentEntry, StageEntry
from pipeline_widgets.domain.stage_settings import SCRATCH, is_left_out, settings_to_plain

WIDTH = 88
INDENT = "    "
OTHERS = ("description", "gate", "retries", "launcher", "resources")
TAKEN = frozenset({"ws", "project", "pipe", "pw", *dir(builtins)})


def to_python(
    document: Document,
    project: str,
    *,
    defined_in_notebooks: Collection[str] = (),
    unfit: Mapping[int, str] | None = None,
    evaluator_in_notebook: bool = False,
    workspace: str | None = None,
) -> str:
    """Return the code.

    Args:
        document: The pipeline.
        project: The name of its project.
        defined_in_notebooks: The algorithms that no package announces: whoever runs the code has to define
            them first.
        unfit: Why stages, by their positions, cannot start from what they are set to: adding one is refused.
        evaluator_in_notebook: Whether no package announces the evaluator by which the pipeline scores.
        workspace: The file or URL of its workspace, which has these names already.
    """
    reasons = unfit or {}
    names = _variables(each.name for each in document.experiments)
    lines = ["import pipeline_widgets as pw", ""]
    if defined_in_notebooks:
        listed = ", ".join(sorted(map(_flat, defined_in_notebooks)))
        lines += ["# Run the cells first that define these algorithms with @pw.algorithm:", f"# {listed}", ""]
    if evaluator_in_notebook and document.score_by is not None:
        named = _flat(document.score_by)
        lines += [f"# Run the cell first that defines this evaluator with @pw.evaluator: {named}", ""]
    lines += [
        *([f"# An empty workspace: the pipeline itself is in {_flat(workspace)}"] if workspace else []),
        "ws = pw.Workspace()",
        _call("project = ws.create_project", [project], {"advanced_training": True}),
        "",
        *(_experiment(names[each.name], each) for each in document.experiments),
        "",
        _call("pipe = project.create_pipeline", [document.name], _describe(document)),
        *([_call("pipe.tag", document.tags, {})] if document.tags else []),
    ]
    if document.score_by is not None:
        lines.append(_call("pipe.score_by", [document.score_by], {}))
    for at, each in enumerate(document.stages):
        if at in reasons:
            lines.append(f"# This stage is refused until it fits: {' '.join(reasons[at].split())}")
        lines.append(_stage(each, names, first=not at))
    return "\n".join(lines) + "\n"


def _experiment(variable: str, entry: ExperimentEntry) -> str:
    given: dict[str, Any] = {"algorithm": entry.algorithm}
    given |= {"config": dict(entry.config)} if entry.config else {}
    given |= {"seed": entry.seed} if entry.seed else {}
    given |= entry.placement.to_plain()
    made = _call(f"{variable} = project.create_experiment", [entry.name], given)
    return made if not entry.tags else f"{made}\n{_call(f'{variable}.tag', entry.tags, {})}"


def _describe(document: Document) -> dict[str, Any]:
    return {"description": document.description} if document.description else {}


def _stage(entry: StageEntry, names: Mapping[str, str], *, first: bool) -> str:
    stage, settings = entry.stage, settings_to_plain(entry.stage)
    if isinstance(stage, ExperimentStage) and isinstance(stage.start, FromAgent):
        settings["start"] = _Code(f"ws.agents[{_flat(entry.agent)}]")
    defaults = {"trigger": "manual", "checkpoint": "best", "start": SCRATCH if first else "best"}
    given = {
        key: settings[key]
        for key in (*("trigger", "start", "auto_add_agent", "checkpoint"), *OTHERS)
        if key in settings and not is_left_out(settings[key]) and settings[key] != defaults.get(key)
    }
    if isinstance(stage, DeploymentStage):
        return _call("pipe.add_deployment_stage", [stage.agent_name], given)
    return _call("pipe.add_experiment_stage", [_Code(names[entry.experiment or ""])], given)


class _Code(str):
    """Python code that is written as it is."""

    __slots__ = ()


def _call(function: str, positional: Sequence[object], given: Mapping[str, object]) -> str:
    """A call as ruff formats it: on a line, else its arguments on a second one, else each on its own."""
    arguments = [("", each) for each in positional] + [(f"{name}=", each) for name, each in given.items()]
    listed = ", ".join(f"{name}{_flat(value)}" for name, value in arguments)
    if len(line := f"{function}({listed})") <= WIDTH:
        return line
    if len(INDENT) + len(listed) <= WIDTH:
        return f"{function}(\n{INDENT}{listed}\n)"
    inner = "".join(f"{INDENT}{name}{_write(value, INDENT, len(name))},\n" for name, value in arguments)
    return f"{function}(\n{inner})"


def _write(value: object, indent: str, taken: int) -> str:
    """A value after so many letters in its line, on which a comma follows: on the line, else on many."""
    flat = _flat(value)
    if not value or len(indent) + taken + len(flat) < WIDTH:
        return flat
    deeper = indent + INDENT
    if isinstance(value, dict):
        pairs = [(f"{_flat(key)}: ", each) for key, each in cast("dict[object, object]", value).items()]
    elif isinstance(value, list):
        pairs = [("", each) for each in cast("list[object]", value)]
    else:
        return flat
    inner = "".join(f"{deeper}{key}{_write(each, deeper, len(key))},\n" for key, each in pairs)
    return f"{flat[0]}\n{inner}{indent}{flat[-1]}"


def _flat(value: object) -> str:
    """A value of JSON, on one line."""
    if isinstance(value, _Code):
        return str(value)
    if isinstance(value, str):
        text = repr(value)
        return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text else text
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return f"{{{', '.join(f'{_flat(key)}: {_flat(each)}' for key, each in pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flat, cast('list[object]', value)))}]"
    infinite = isinstance(value, float) and not math.isfinite(value)
    return f'float("{value}")' if infinite else repr(value)


def _variables(names: Iterable[str]) -> dict[str, str]:
    """A variable for each experiment: its name, as far as Python allows."""
    found: dict[str, str] = {}
    taken = set(TAKEN)
    for name in names:
        stem = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "experiment"
        stem = f"experiment_{stem}" if stem[0].isdigit() or keyword.iskeyword(stem) else stem
        variable, number = stem, 2
        while variable in taken:
            variable, number = f"{stem}_{number}", number + 1
        taken.add(variable)
        found[name] = variable
    return found
