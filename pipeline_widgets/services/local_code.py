"""The code of this process, as a run will load it: what is kept of it, and which experiments it refuses.

A researcher who runs the cell that defines an algorithm again means the new code, so what starts a run lets
its experiments use the algorithms as this process defines them by then.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from pipeline_widgets.domain.algorithm import AlgorithmDeclaration, AlgorithmReference
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.run_record import TriggerPlace, choose_folder
from pipeline_widgets.domain.triggering import RunStart
from pipeline_widgets.errors import ConfigError, PipelineError
from pipeline_widgets.persistence.store import UnitOfWork
from pipeline_widgets.services.pipeline_facts import CodeFacts

#: Returns the error with which this process refuses an experiment whose code is there, if it does.
RefusalOf = Callable[[Experiment, AlgorithmReference], PipelineError | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Renewal:
    """An algorithm that this process defines otherwise than the workspace keeps it."""

    declaration: AlgorithmDeclaration
    #: The experiments that are to use it as it is declared now.
    experiments: tuple[Experiment, ...]


def find_renewals(
    work: UnitOfWork, experiments: Collection[Experiment], current: Mapping[str, AlgorithmDeclaration]
) -> tuple[Renewal, ...]:
    """Return the algorithms of experiments that are declared otherwise now; one query for all of them.

    Args:
        work: The transaction.
        experiments: The experiments.
        current: The algorithms as this process declares them, by name. One is looked up once: what a notebook
            has defined is pickled to be compared.
    """
    names = {experiment.spec.name for experiment in experiments}
    defined = {name: current[name] for name in names if name in current}
    by_algorithm: dict[int, list[Experiment]] = {}
    for experiment in experiments:
        if experiment.spec.name in defined:
            by_algorithm.setdefault(experiment.algorithm_id, []).append(experiment)
    stored = work.experiments.stored_references(by_algorithm)
    found: list[Renewal] = []
    for key, bound in by_algorithm.items():
        spec, reference = bound[0].spec, stored[key]
        code = work.current_code(spec.name, reference)
        kept = AlgorithmDeclaration(spec=spec, reference=reference)
        declared = defined[spec.name]
        if declared != kept or not _has_same_text(code, reference.code):
            now = replace(declared, reference=replace(declared.reference, code=code))
            found.append(Renewal(declaration=now, experiments=tuple(bound)))
    return tuple(found)


def renew(work: UnitOfWork, renewals: Collection[Renewal]) -> None:
    """Let experiments use their algorithms as they are declared now."""
    for renewal in renewals:
        algorithm_id = work.experiments.keep(renewal.declaration)
        work.experiments.rebind([experiment.id for experiment in renewal.experiments], algorithm_id)
    for project_id in {experiment.project_id for each in renewals for experiment in each.experiments}:
        work.projects.touch(project_id)


def check_refusal(
    work: UnitOfWork, find_refusal: RefusalOf, experiment: Experiment | None, *, is_configured: bool = True
) -> None:
    """Refuse what this process cannot import, and, once an experiment is configured, its config."""
    if experiment is None:
        return
    refusal = find_refusal(experiment, work.experiments.stored_reference(experiment.algorithm_id))
    if refusal is None:
        return
    if not isinstance(refusal, ConfigError):
        raise refusal
    if is_configured:
        what = f"Experiment {experiment.name!r} has a config that its algorithm no longer takes."
        why = f"{refusal.what} {refusal.why}".strip()
        raise ConfigError(what, why, "Give it another one: experiment.update(config=...).")


def find_code(work: UnitOfWork, experiment: Experiment | None) -> CodeRecord | None:
    """Return the code that a run of an experiment will load."""
    return CodeFacts(work, [experiment]).now(experiment) if experiment is not None else None


def record_origin(
    work: UnitOfWork, place: TriggerPlace | None, code: CodeRecord | None, run_start: RunStart
) -> Mapping[str, object] | None:
    """Keep where a run is triggered and which code it will load. One that resumes stays in its folder."""
    if place is None and code is None:
        return None
    kept = work.records.keep_origin(place, code)
    if run_start.resumed_run_id is not None:
        folder = (work.runs.get(run_start.resumed_run_id).code or kept).folder
        kept = replace(kept, folder=choose_folder(folder, kept.folder, exists=os.path.isdir))
    return kept.to_json()


def _has_same_text(code: CodeRecord | None, kept: CodeRecord | None) -> bool:
    """Return whether the texts are the same: a comment that is edited is kept, though it changes nothing."""
    return code is None or (kept is not None and code.to_json() == kept.to_json())
