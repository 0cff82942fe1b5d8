"""The forms of an experiment as JSON, its config as it is read, and what a form sends back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.config_form import SEED, parse_form, seed_of
from pipeline_widgets.algorithms.config_schema import FormField, Kind, list_fields, written
from pipeline_widgets.application import Services
from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.experiment_actions import describe_algorithm
from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import AlgorithmNotFoundError, PipelineError
from pipeline_widgets.services.queries.resume_options import ResumableRun, ResumeOptions
from pipeline_widgets.widgets.base import Row
from pipeline_widgets.widgets.encoding import encode, encode_fields
from pipeline_widgets.widgets.placement_form import parse_placement, placement_rows

# ---- down


def new_form(algorithm: str | None, find_misfit: Callable[[AlgorithmSpec], str] = lambda _: "") -> Row:
    """Return an empty form for an algorithm, by default the first one, and all algorithms to choose from.

    Args:
        algorithm: The name of the algorithm.
        find_misfit: Tells why an algorithm cannot stand where the experiment is meant for; empty where it
            can.
    """
    offered = [_offer(name, find_misfit) for name in registry.names()]
    usable = [each["name"] for each in offered if not each["problem"]]
    fitting = [each["name"] for each in offered if not each["problem"] and not each["misfit"]]
    chosen = algorithm or next(iter((*fitting, *usable)), None)
    fields = list_fields(registry.find(chosen).config) if chosen is not None else ()
    return {
        "algorithms": offered,
        "algorithm": chosen,
        "name": "",
        "seed": field_row(SEED, SEED.default),
        "fields": [field_row(each, each.default) for each in fields],
        "placement": placement_rows(DEFAULT_PLACEMENT),
    }


def filled_form(experiment: Experiment) -> Row:
    """Return a form that is filled in with what an experiment has."""
    algorithm = registry.find(experiment.spec.name)
    config = experiment.config
    return {
        "algorithms": [_offer(experiment.spec.name)],
        "algorithm": experiment.spec.name,
        "name": experiment.name,
        "seed": field_row(SEED, str(experiment.seed)),
        "version": experiment.version,
        "fields": [
            field_row(each, written(each, config[each.name]) if each.name in config else each.default)
            for each in list_fields(algorithm.config)
        ],
        "placement": placement_rows(experiment.placement),
    }


def field_row(field: FormField, value: str) -> Row:
    """Return a field with what is typed into it at first."""
    return {**encode(field), "value": value}


def _offer(name: str, find_misfit: Callable[[AlgorithmSpec], str] = lambda _: "") -> Row:
    row: Row = {"name": name, "says": "", "problem": "", "install": "", "misfit": ""}
    try:
        algorithm = registry.find(name)
        row["says"] = describe_algorithm(algorithm.spec)
        row["misfit"] = find_misfit(algorithm.spec)
        row["install"] = algorithm.install if algorithm.missing else ""
        algorithm.check_installed()
    except AlgorithmNotFoundError as error:
        row["problem"] = str(error)
    return row


def resume_row(options: ResumeOptions) -> Row:
    """Return what a dialog for resuming offers; a checkpoint picker takes the checkpoints of one run."""
    return {
        **encode_fields(options, "name", "warning"),
        "obstacle": options.blocker,
        "runs": [_resumable_row(each, options.experiment) for each in options.saved],
    }


def _resumable_row(run: ResumableRun, experiment: Experiment) -> Row:
    length = known_fields(experiment.spec.name).get(run.length or "")
    return {
        **encode_fields(run, "best", "final", "ends"),
        "id": run.run_id,
        "label": run.run.capitalize(),
        "checkpoints": [
            encode_fields(each, "step", "training_score", "evaluation_score", "size")
            for each in run.checkpoints
        ],
        "higher_is_better": experiment.spec.higher_is_better,
        "length": encode_fields(length, "name", "label") if length else None,
    }


def config_rows(experiment: Experiment, run: Run | None) -> list[Row]:
    """Return a config and the seed as they are read: each field's name, value, unit and description.

    Args:
        experiment: The experiment.
        run: The run whose config is shown; what the experiment has now is said beside what differs.
    """
    known, now = known_fields(experiment.spec.name), experiment.config
    shown = run.config if run else now
    rows = [
        _config_row(
            known.get(name) or FormField(name=name, label=name, kind=Kind.JSON, required=False), shown, now
        )
        for name in {**shown, **now}
    ]
    seed = {SEED.name: run.seed if run else experiment.seed}
    return [*rows, _config_row(SEED, seed, {SEED.name: experiment.seed})]


def _config_row(field: FormField, shown: Mapping[str, Any], now: Mapping[str, Any]) -> Row:
    value, other = shown.get(field.name), now.get(field.name)
    return {
        **encode_fields(field, "name", "label", "description"),
        "unit": "" if value is None else field.unit,
        "value": _format_setting(value),
        "now": None if value == other else _format_setting(other),
    }


def _format_setting(value: Any) -> str:
    """Return a value of a config as it is read."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return value or "empty"
    return json.dumps(value, ensure_ascii=False)


def known_fields(algorithm: str) -> Mapping[str, FormField]:
    """Return the fields that this process knows of an algorithm's config."""
    try:
        return _fields_by_name(registry.find(algorithm).config)
    except AlgorithmNotFoundError:
        return {}


@lru_cache(maxsize=32)
def _fields_by_name(model: type[Any] | None) -> Mapping[str, FormField]:
    """Return the fields of a model; a row that is expanded asks for them at each refresh."""
    return {each.name: each for each in list_fields(model)}


# ---- up


def submitted(
    services: Services,
    project_id: int,
    sent: Mapping[str, Any],
    *,
    changed: Experiment | None = None,
) -> tuple[Experiment | None, Row | None]:
    """Make or change an experiment of what a form has sent.

    Args:
        services: The workspace.
        project_id: The project.
        sent: Name, algorithm, seed, values, version and placement.
        changed: The experiment that is changed; a new one is made by default.

    Returns:
        The experiment; or, where something is refused, what is wrong with each field, all at once.
    """
    algorithm = registry.find(changed.spec.name if changed else sent["algorithm"])
    read = parse_form(algorithm, sent["values"])
    seed, wrong_seed = seed_of(sent["seed"])
    errors = dict(read.errors)
    wrong = {"name": _wrong_name(services, project_id, sent["name"], changed), "seed": wrong_seed}
    wrong = {name: said for name, said in wrong.items() if said}
    placed = parse_placement(sent.get("placement") or {})
    if errors or read.general or wrong or placed.errors:
        refusal = {"about": wrong, "fields": errors, "general": read.general}
        return None, {**refusal, "placement": dict(placed.errors)}
    configured = algorithm.configure(read.config)
    if changed is None:
        create = services.create_experiment
        return create(project_id, sent["name"], configured, seed=seed, placement=placed.placement), None
    based_on, name = sent.get("version"), sent["name"]
    where = placed.placement if "placement" in sent else None
    return services.experiments.update(
        changed.id, configured, seed=seed, name=name, placement=where, expected_version=based_on
    ), None


def _wrong_name(services: Services, project_id: int, name: str, changed: Experiment | None) -> str:
    try:
        services.experiments.check_name(project_id, name, of=changed.id if changed else None)
    except PipelineError as error:
        return f"{error.what} {error.fix}"
    return ""
