"""The users of checkpoints: runs that consumed them, agents, stages that would start from them (spec 8.4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.chain import ExperimentStage, Pipeline
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.run import Run, trained_experiment_ids
from pipeline_widgets.errors import NoCheckpointError
from pipeline_widgets.persistence.store import UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.evaluation_queue import find_active_evaluations


def find_references(
    work: UnitOfWork, ids: Collection[int], *, but: Collection[int] = ()
) -> dict[int, list[str]]:
    """Name what uses those checkpoints, by id: runs, but for those in `but`, agents, active evaluations."""
    runs = [run for run in work.runs.using(ids) if run.id not in but]
    names = work.experiments.by_id(trained_experiment_ids(runs))
    asked, found = frozenset(ids), dict[int, list[str]]()
    for run in runs:
        for key in asked & {run.start_checkpoint_id, run.source_checkpoint_id}:
            found.setdefault(key, []).append(describe_run(run, names))
    for key, (_, name, _) in work.agents.made_of(ids):
        found.setdefault(key, []).append(f"agent {quote(name)}")
    for key, evaluations in find_active_evaluations(work, ids).items():
        found.setdefault(key, []).extend(f"{run.label}, which is scoring it" for run in evaluations)
    return {key: list(dict.fromkeys(names)) for key, names in found.items()}


def describe_run(run: Run, experiments: Mapping[int, Experiment]) -> str:
    """Return how a sentence names a run: "run 2 of 'sft'", "deployment run 1", "evaluation 1".

    Args:
        run: The run.
        experiments: The experiments of the runs that train, by id.
    """
    if run.is_deployment:
        return f"deployment {run.label}"
    return (
        f"{run.label} of {quote(experiments[run.trained_experiment_id].name)}"
        if run.is_training
        else run.label
    )


def find_stage_references(
    work: UnitOfWork, runs: Iterable[Run], *, named: bool = False
) -> dict[int, list[str]]:
    """Name the stages that would start from what those runs saved, if they were triggered now.

    Args:
        work: The transaction.
        runs: Runs, with those that resumed them: a stage offers what a run inherits as well.
        named: Only the stages that name the very step.
    """
    bound = trained_experiment_ids(runs)
    asking = list(_asking(work.pipelines.binding(bound).values(), bound, named=named))
    known = pipeline_facts.load_stages(
        work,
        {source.id: source for _, source, _ in asking}.values(),
        consumption=False,
        steps={choice for *_, choice in asking if isinstance(choice, int)},
    )
    found: dict[int, list[str]] = {}
    for place, source, choice in asking:
        try:
            chosen = known.for_stage(source.id).choose(choice)
        except NoCheckpointError:
            continue
        found.setdefault(chosen.checkpoint.id, []).append(place)
    return found


def _asking(
    pipelines: Iterable[Pipeline], bound: Collection[int], *, named: bool
) -> Iterator[tuple[str, ExperimentStage, Choice]]:
    """The stages whose source stage is bound to one of those experiments, and what they choose of it."""
    for pipeline in pipelines:
        for at, stage in enumerate(pipeline.stages, 1):
            source = pipeline.source(stage.id)
            if source is None or stage.choice is None or source.experiment_id not in bound:
                continue
            if isinstance(stage.choice, int) or not named:
                yield f"stage {at} of pipeline {quote(pipeline.name)}", source, stage.choice
