"""The form for a stage: what it shows as JSON, and a stage as the domain knows it from what it sends back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline_widgets.domain.chain import (
    FIRST_IS_MANUAL,
    UNSAVED_ID,
    BetterThanDeployed,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromScratch,
    FromSource,
    Gate,
    ScoreAtLeast,
    Stage,
    Start,
    Trigger,
)
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.compatibility import FitResult
from pipeline_widgets.errors import ConfigError
from pipeline_widgets.services.queries.run_detail import CheckpointRow
from pipeline_widgets.services.queries.stage_form import CheckpointOption, ExperimentOption, StageForm
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.steps import Step, step_down, step_or_none, step_up

# ---- down


def form_row(form: StageForm) -> Row:
    """Return what a form shows and offers, as JSON."""
    starts, indexes = _starts(form)
    return {
        "pipeline": {"id": form.pipeline.id, "name": form.pipeline.name, "version": form.pipeline.version},
        "stages": len(form.pipeline.stages),
        "stage": form.stage.id if form.stage else None,
        "settings": settings_of(form.stage) if form.stage else None,
        "position": form.position,
        "first": form.first,
        "manual_only": FIRST_IS_MANUAL if form.first else "",
        "can_deploy": form.can_deploy,
        "deploy_reason": form.deploy_reason,
        "source": form.source,
        "experiments": [
            _experiment_row(option, index) for option, index in zip(form.experiments, indexes, strict=True)
        ],
        "starts": starts,
        "checkpoints": [_checkpoint_row(checkpoint) for checkpoint in form.checkpoints],
        "best": _offer_row(form.best),
        "final": _offer_row(form.final),
        "higher_is_better": form.higher_is_better,
        "agents": [
            {
                "id": option.agent.id,
                "name": option.agent.name,
                "version": option.agent.current.number,
                "experiment": option.agent.current.experiment,
                "step": step_down(option.agent.current.checkpoint.step),
            }
            for option in form.agents
        ],
        "agent_names": list(form.agent_names),
    }


def settings_of(stage: Stage) -> Row:
    """Return a stage's settings as a form sends them back; `stage_from` reads them."""
    shared: Row = {"trigger": str(stage.trigger), "gate": _gate_row(stage.gate)}
    if isinstance(stage, DeploymentStage):
        return {
            **shared,
            "kind": "deployment",
            "name": stage.agent_name,
            "description": stage.agent_description,
            "checkpoint": _choice_down(stage.choice),
        }
    settings: Row = {
        **shared,
        "kind": "experiment",
        "experiment": stage.experiment_id,
        "auto_add": stage.auto_add_agent,
    }
    match stage.start:
        case FromAgent(agent_id):
            return {**settings, "start": "agent", "agent": agent_id}
        case FromSource(choice):
            return {**settings, "start": _choice_down(choice), "agent": None}
        case FromScratch():
            return {**settings, "start": "scratch", "agent": None}


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
    rows = [
        {"scratch": _fit_row(scratch), "agents": [_fit_row(each) for each in agents]}
        for scratch, *agents in found
    ]
    return rows, indexes


def _experiment_row(option: ExperimentOption, start: int | None) -> Row:
    return {
        "id": option.experiment.id,
        "name": option.experiment.name,
        "algorithm": option.experiment.spec.name,
        **_fit_row(option.fit),
        "ran": option.ran,
        "used_by": option.used_by,
        "start": start,
    }


def _fit_row(fit: FitResult) -> Row:
    return {"fits": fit.fits, "reason": fit.reason, "role": fit.role}


def _checkpoint_row(checkpoint: CheckpointRow) -> Row:
    return {
        "step": step_down(checkpoint.step),
        "training_score": checkpoint.training_score,
        "evaluation_score": checkpoint.evaluation_score,
        "size": checkpoint.size,
        "run": checkpoint.run,
    }


def _offer_row(offer: CheckpointOption) -> Row:
    return {"step": step_or_none(offer.step), "reason": offer.reason}


def _gate_row(gate: Gate | None) -> Row | str | None:
    match gate:
        case ScoreAtLeast(score):
            return {"score": score if math.isfinite(score) else None}  # JSON knows no infinity
        case BetterThanDeployed():
            return "better"
        case None:
            return None


# ---- up


def stage_from(settings: Mapping[str, Any], before: Stage | None = None) -> Stage:
    """Return a stage with the settings that a form has sent; `before` is the stage that it edits.

    Raises:
        ConfigError: A setting is missing or malformed.
    """
    stage_id = before.id if before else UNSAVED_ID
    trigger, gate = _trigger(settings.get("trigger")), _gate(settings.get("gate"))
    if trigger is Trigger.MANUAL:
        gate = None
    match settings.get("kind"):
        case "experiment":
            return ExperimentStage(
                id=stage_id,
                experiment_id=_chosen(settings.get("experiment"), "an experiment"),
                trigger=trigger,
                start=_start(settings),
                auto_add_agent=settings.get("auto_add") is True,
                gate=gate,
            )
        case "deployment":
            return DeploymentStage(
                id=stage_id,
                agent_name=_text(settings, "name"),
                agent_description=_text(settings, "description").strip(),
                choice=_choice(settings.get("checkpoint")),
                trigger=trigger,
                gate=gate,
            )
        case kind:
            raise _malformed("type of stage", kind, ("experiment", "deployment"))


def _trigger(value: object) -> Trigger:
    if value in tuple(Trigger):
        return Trigger(str(value))
    raise _malformed("trigger", value, tuple(Trigger))


def _gate(value: object) -> Gate | None:
    match value:
        case None:
            return None
        case "better":
            return BetterThanDeployed()
        case {"score": int() | float() as score} if not isinstance(score, bool) and math.isfinite(score):
            return ScoreAtLeast(float(score))
        case dict():
            raise ConfigError("The gate has no score.", fix="Type a number, such as 0.9, or choose no gate.")
        case _:
            raise _malformed("gate", value, ("better",))


def _start(settings: Mapping[str, Any]) -> Start:
    match settings.get("start"):
        case "scratch":
            return FromScratch()
        case "agent":
            return FromAgent(_chosen(settings.get("agent"), "a saved Agent"))
        case choice:
            return FromSource(_choice(choice))


def _choice_down(choice: Choice) -> Step | Choice:
    return step_down(choice) if isinstance(choice, int) else choice


def _choice(value: object) -> Choice:
    match value:
        case "best":
            return "best"
        case "final":
            return "final"
        case int() as step if not isinstance(step, bool) and step >= 0:
            return step
        case str() as step if step.isdecimal():
            return step_up(step)
        case None:
            raise ConfigError("No checkpoint is chosen.", fix="Choose one, or its step in the table.")
        case _:
            raise _malformed("checkpoint", value, ("best", "final"))


def _chosen(value: object, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ConfigError(f"The stage needs {what}.", fix=f"Choose {what}.")


def _text(settings: Mapping[str, Any], key: str) -> str:
    value = settings.get(key, "")
    if isinstance(value, str):
        return value
    raise ConfigError(f"The agent's {key} is not a text.", fix="Type it.")


def _malformed(what: str, value: object, known: Sequence[str]) -> ConfigError:
    fix = f"There are: {', '.join(map(repr, map(str, known)))}."
    return ConfigError(f"{value!r} is not a {what}.", fix=fix)
