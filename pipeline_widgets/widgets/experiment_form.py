"""The form of an experiment: what it shows as JSON, and an experiment of what it sends back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.config_form import SEED, parse_form, seed_of
from pipeline_widgets.algorithms.config_schema import FormField, list_fields, written
from pipeline_widgets.application import Services
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.experiment_actions import describe_algorithm
from pipeline_widgets.errors import AlgorithmNotFoundError, PipelineError
from pipeline_widgets.widgets.base import Row

# ---- down


def new_form(algorithm: str | None) -> Row:
    """Return an empty form for an algorithm, by default the first one, and all algorithms to choose from."""
    offered = [_offered(name) for name in registry.names()]
    usable = [each["name"] for each in offered if not each["problem"]]
    chosen = algorithm or (usable[0] if usable else None)
    fields = list_fields(registry.find(chosen).config) if chosen is not None else ()
    return {
        "algorithms": offered,
        "algorithm": chosen,
        "name": "",
        "seed": field_row(SEED, SEED.default),
        "fields": [field_row(each, each.default) for each in fields],
    }


def filled_form(experiment: Experiment) -> Row:
    """Return a form that is filled in with what an experiment has."""
    algorithm = registry.find(experiment.spec.name)
    config = experiment.config
    return {
        "algorithms": [_offered(experiment.spec.name)],
        "algorithm": experiment.spec.name,
        "name": experiment.name,
        "seed": field_row(SEED, str(experiment.seed)),
        "seen": experiment.config_digest,
        "fields": [
            field_row(each, written(each, config[each.name]) if each.name in config else each.default)
            for each in list_fields(algorithm.config)
        ],
    }


def field_row(field: FormField, value: str) -> Row:
    """Return a field with what is typed into it at first."""
    return {
        "name": field.name,
        "label": field.label,
        "kind": str(field.kind),
        "required": field.required,
        "description": field.description,
        "unit": field.unit,
        "bounds": field.bounds,
        "default": field.default,
        "value": value,
        "choices": [{"value": value, "word": word} for value, word in field.choices],
        "optional": field.optional,
        "computed": field.computed,
    }


def _offered(name: str) -> Row:
    try:
        return {"name": name, "says": describe_algorithm(registry.find(name).spec), "problem": ""}
    except AlgorithmNotFoundError as error:
        return {"name": name, "says": "", "problem": str(error)}


# ---- up


def submitted(
    services: Services,
    project_id: int,
    sent: Mapping[str, Any],
    *,
    changed: Experiment | None = None,
) -> tuple[Experiment | None, Row | None]:
    """Make or change an experiment of what a form has sent: {name, algorithm, seed, values, seen}.

    Returns:
        The experiment; or, where something is refused, what is wrong with each field, all at once.
    """
    algorithm = registry.find(changed.spec.name if changed else sent["algorithm"])
    read = parse_form(algorithm, sent["values"])
    seed, wrong_seed = seed_of(sent["seed"])
    errors = dict(read.errors)
    wrong = {"name": _wrong_name(services, project_id, sent["name"], changed), "seed": wrong_seed}
    wrong = {name: said for name, said in wrong.items() if said}
    if errors or read.general or wrong:
        return None, {"about": wrong, "fields": errors, "general": read.general}
    configured = algorithm.configure(read.config)
    if changed is None:
        return services.experiments.create(project_id, sent["name"], configured, seed=seed), None
    seen, name = sent.get("seen"), sent["name"]
    return services.experiments.update(changed.id, configured, seed=seed, name=name, seen=seen), None


def _wrong_name(services: Services, project_id: int, name: str, changed: Experiment | None) -> str:
    try:
        services.experiments.check_name(project_id, name, of=changed.id if changed else None)
    except PipelineError as error:
        return f"{error.what} {error.fix}"
    return ""
