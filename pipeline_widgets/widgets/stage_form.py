"""The form for a stage: what it shows as JSON, and a stage as the domain knows it from what it sends back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline_widgets.domain.chain import (
    FIRST_IS_MANUAL,
    UNSAVED_ID,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    Gate,
    ScoreAtLeast,
    Stage,
    Start,
    Trigger,
)
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.compatibility import FitResult
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement
from pipeline_widgets.domain.stage_settings import (
    choice_from_text,
    parse_choice,
    parse_gate,
    parse_retries,
    parse_start,
    parse_trigger,
    settings_to_plain,
)
from pipeline_widgets.errors import ConfigError, format_value
from pipeline_widgets.services.queries.stage_form import ExperimentOption, StageForm
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode, encode_fields
from pipeline_widgets.widgets.placement_form import parse_placement, placement_rows

NO_SCORE = ""  # a gate whose score cannot be typed, or has not been

# ---- down


def form_row(form: StageForm) -> Row:
    """Return what a form shows and offers, as JSON."""
    starts, indexes = _starts(form)
    return {
        **encode_fields(form, "position", "first", "can_deploy", "deploy_reason", "source", "best", "final"),
        **encode_fields(form, "higher_is_better", "agent_names"),
        "pipeline": encode_fields(form.pipeline, "id", "name", "version"),
        "stages": len(form.pipeline.stages),
        "stage": form.stage.id if form.stage else None,
        "settings": encode_settings(form.stage) if form.stage else None,
        "placement": placement_rows(_placement_of(form.stage)),
        "manual_only": FIRST_IS_MANUAL if form.first else "",
        "experiments": [
            _experiment_row(option, index) for option, index in zip(form.experiments, indexes, strict=True)
        ],
        "starts": starts,
        "checkpoints": [
            encode_fields(each, "step", "training_score", "evaluation_score", "size", "run")
            for each in form.checkpoints
        ],
        "agents": [
            {
                **encode_fields(option.agent, "id", "name"),
                "version": option.agent.current.number,
                "experiment": option.agent.current.experiment,
                **encode_fields(option.agent.current.checkpoint, "step"),
            }
            for option in form.agents
        ],
    }


def _placement_of(stage: Stage | None) -> Placement:
    return stage.placement if isinstance(stage, ExperimentStage) else DEFAULT_PLACEMENT


def encode_settings(stage: Stage) -> Row:
    """Return a stage's settings as a form sends them back; `parse_stage` reads them."""
    settings = settings_to_plain(stage)
    if isinstance(stage.gate, ScoreAtLeast) and not math.isfinite(stage.gate.score):
        settings["gate"] = NO_SCORE  # JSON knows no infinity
    if isinstance(stage, DeploymentStage):
        return encode({"kind": "deployment", "agent": stage.agent_name, **settings})
    return encode({"kind": "experiment", "experiment": stage.experiment_id, **settings})


def _starts(form: StageForm) -> tuple[list[Row], list[int | None]]:
    """Return how experiments can begin a chain, each way once, and which of them each experiment has.

    Experiments of one algorithm mostly start alike, so that many of them, with many agents, stay few rows.
    """
    if not form.first:
        return [], [None] * len(form.experiments)
    found: dict[tuple[FitResult, ...], int] = {}
    agents = (agent.fits.of_kinds for agent in form.agents)
    of_kinds = [
        found.setdefault(fits, len(found)) for fits in zip(form.scratch.of_kinds, *agents, strict=True)
    ]
    indexes: list[int | None] = [
        of_kinds[form.scratch.kinds[each.experiment.id]] for each in form.experiments
    ]
    return [{"scratch": encode(scratch), "agents": encode(agents)} for scratch, *agents in found], indexes


def _experiment_row(option: ExperimentOption, start: int | None) -> Row:
    named = encode_fields(option.experiment, "id", "name") | {"algorithm": option.experiment.spec.name}
    return {**named, **encode(option.fit), **encode_fields(option, "ran", "used_by"), "start": start}


# ---- up


def find_placement_errors(settings: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what is wrong with the fields of the launcher and the resources, by field."""
    if settings.get("kind") != "experiment":
        return {}
    return parse_placement(settings.get("placement") or {}).errors


def _parse_placement(settings: Mapping[str, Any], before: Stage | None) -> Placement:
    """Return where runs of the stage are launched; what was sent without these fields keeps it."""
    typed = settings.get("placement")
    if typed is None:
        return _placement_of(before)
    read = parse_placement(typed)
    if read.errors:
        raise ConfigError(" ".join(read.errors.values()))
    return read.placement


def parse_stage(settings: Mapping[str, Any], before: Stage | None = None) -> Stage:
    """Return a stage with the settings that a form has sent; `before` is the stage that it edits.

    Raises:
        ConfigError: A setting is missing or malformed.
    """
    stage_id = before.id if before else UNSAVED_ID
    trigger, gate = parse_trigger(settings.get("trigger")), _gate(settings.get("gate"))
    if trigger is Trigger.MANUAL:
        gate = None
    match settings.get("kind"):
        case "experiment":
            return ExperimentStage(
                id=stage_id,
                experiment_id=_require_chosen(settings.get("experiment"), "an experiment"),
                trigger=trigger,
                start=_start(settings.get("start")),
                auto_add_agent=settings.get("auto_add_agent") is True,
                gate=gate,
                retries=parse_retries(settings.get("retries", 0)),
                placement=_parse_placement(settings, before),
            )
        case "deployment":
            return DeploymentStage(
                id=stage_id,
                agent_name=_text(settings.get("agent", ""), "name"),
                agent_description=_text(settings.get("description", ""), "description").strip(),
                choice=_choice(settings.get("checkpoint")),
                trigger=trigger,
                gate=gate,
            )
        case kind:
            what = f"{format_value(kind)} is not a type of stage."
            raise ConfigError(what, fix="There are: 'experiment', 'deployment'.")


def _gate(value: object) -> Gate | None:
    gate = None if value == NO_SCORE else parse_gate(value)
    if value == NO_SCORE or (isinstance(gate, ScoreAtLeast) and not math.isfinite(gate.score)):
        raise ConfigError("The gate has no score.", fix="Type a number, such as 0.9, or choose no gate.")
    return gate


def _start(value: object) -> Start:
    match value:
        case {"agent": agent}:
            return FromAgent(_require_chosen(agent, "a saved Agent"))
        case None:
            raise _not_chosen()
        case _:
            return parse_start(choice_from_text(value))


def _choice(value: object) -> Choice:
    if value is None:
        raise _not_chosen()
    return parse_choice(choice_from_text(value))


def _not_chosen() -> ConfigError:
    return ConfigError("No checkpoint is chosen.", fix="Choose one, or its step in the table.")


def _require_chosen(value: object, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ConfigError(f"The stage needs {what}.", fix=f"Choose {what}.")


def _text(value: object, what: str) -> str:
    if isinstance(value, str):
        return value
    raise ConfigError(f"The agent's {what} is not a text.", fix="Type it.")
