"""The read model of the form that adds a stage at a position, or edits one (spec 5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.chain import ExperimentStage, Pipeline, Stage
from pipeline_widgets.domain.checkpoint import Choice
from pipeline_widgets.domain.compatibility import AlgorithmSpec, FitResult, assess_compatibility
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.pipeline_facts import PipelineFacts, StageFacts
from pipeline_widgets.domain.triggering import (
    assess_agent_fit,
    assess_fit_at,
    assess_scratch_fit,
    stage_label,
)
from pipeline_widgets.errors import NoCheckpointError, OrderError
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts
from pipeline_widgets.services.queries.run_detail import CheckpointOption, CheckpointRow, checkpoint_rows

NOT_FIRST = "A Deployment stage cannot be first: it deploys the checkpoint of an Experiment stage before it."


@dataclass(frozen=True, eq=False, slots=True)
class FitResults(Mapping[int, FitResult]):
    """Whether each experiment can start so, and the reason, by its id.

    Experiments of the same algorithm and signature are of one kind and start alike: there may be thousands of
    experiments, and of agents, but few kinds.
    """

    #: By an experiment's id.
    kinds: Mapping[int, int]
    of_kinds: tuple[FitResult, ...]

    def __getitem__(self, experiment_id: int) -> FitResult:
        return self.of_kinds[self.kinds[experiment_id]]

    def __iter__(self) -> Iterator[int]:
        return iter(self.kinds)

    def __len__(self) -> int:
        return len(self.kinds)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentOption:
    """An experiment as a picker offers it for a position in a pipeline (spec 5.7)."""

    experiment: Experiment
    #: Whether it can start there, and the reason in one sentence.
    fit: FitResult
    #: Whether it has already run.
    ran: bool
    #: The number of the stage of this pipeline that is bound to it already.
    used_by: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentOption:
    """A saved Agent as the first stage's form offers it (spec 5.4)."""

    agent: Agent
    #: Which experiments can start from it.
    fits: FitResults


@dataclass(frozen=True, kw_only=True, slots=True)
class StageForm:
    """A form at one moment: what it shows and what can be chosen."""

    #: As it was seen: what the form saves is based on it (spec 5.13).
    pipeline: Pipeline
    #: The stage that is edited; None where one is added.
    stage: Stage | None
    #: Counted from 0.
    position: int
    can_deploy: bool
    #: Why it cannot be a Deployment; empty where it can.
    deploy_reason: str
    #: The source stage as sentences name it; None for the first.
    source: str | None
    #: Those that fit first. For the first stage, one that can start from a saved Agent only fits too.
    experiments: tuple[ExperimentOption, ...]
    #: What the source stage offers, in the order of the steps.
    checkpoints: tuple[CheckpointRow, ...]
    best: CheckpointOption
    final: CheckpointOption
    #: The direction of the source stage's scores.
    higher_is_better: bool
    #: For the first stage only: which experiments can start from scratch.
    scratch: FitResults
    #: For the first stage only: what can be started from instead.
    agents: tuple[AgentOption, ...]
    #: The names of all agents: a Deployment may give one of them a new version.
    agent_names: tuple[str, ...]

    @property
    def first(self) -> bool:
        """Whether it is the first stage, which can only be triggered manually."""
        return self.position == 0


class StageFormQueries:
    """The read model of the stage form."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def stage(
        self, pipeline_id: int, *, stage_id: int | None = None, position: int | None = None
    ) -> StageForm:
        """Return what a form needs to add a stage, or to edit one.

        Args:
            pipeline_id: The pipeline.
            stage_id: The stage to edit; its own position counts then.
            position: Before which position a stage would be inserted, counted from 0; at the end by default.

        Raises:
            NotFoundError: The pipeline has no such stage.
            OrderError: The pipeline has no such position.
        """
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            at = _position(pipeline, stage_id, position)
            source = _source(pipeline, at)
            known = pipeline_facts.load(work, pipeline, {source.id} if source else set(), consumption=False)
            offered = known.for_stage(source.id) if source else StageFacts()
            listed = pipeline_facts.list_offered(work, known)[source.id] if source else ()
            named = stage_label(pipeline, source, known) if source else None
            experiments = work.experiments.of_project(pipeline.project_id)
            kinds = _kinds(experiments)
            fitting = _assess_at(pipeline, source, known, kinds)
            saved = work.agents.all()
            agents = () if source else tuple(_agent_option(agent, kinds) for agent in saved)
            rest = [each for each in pipeline.stages if each.id != stage_id]
            return StageForm(
                pipeline=pipeline,
                stage=pipeline.stages[at] if stage_id is not None else None,
                position=at,
                can_deploy=source is not None,
                deploy_reason="" if source else NOT_FIRST,
                source=named,
                experiments=_options(work, pipeline, rest, experiments, _add_agent_fits(fitting, agents)),
                checkpoints=checkpoint_rows(work, listed),
                best=_checkpoint_option("best", offered, named),
                final=_checkpoint_option("final", offered, named),
                higher_is_better=offered.higher_is_better,
                scratch=FitResults({}, ()) if source else fitting,
                agents=agents,
                agent_names=tuple(agent.name for agent in saved),
            )

    def misfits(
        self, pipeline_id: int, *, stage_id: int | None = None, position: int | None = None
    ) -> Callable[[AlgorithmSpec], str]:
        """Return what tells why no experiment of an algorithm can stand at a stage; empty where one can.

        Args:
            pipeline_id: The pipeline.
            stage_id: The stage; its own position counts then.
            position: Before which position a stage would be inserted, counted from 0; at the end by default.

        Raises:
            NotFoundError: The pipeline has no such stage.
            OrderError: The pipeline has no such position.
        """
        with self._store.read() as work:
            pipeline = work.pipelines.get(pipeline_id)
            source = _source(pipeline, _position(pipeline, stage_id, position))
            made = work.experiments.get(source.experiment_id) if source else None
            agents = () if source else work.agents.all()

        def find_misfit(spec: AlgorithmSpec) -> str:
            if made is not None:
                fits = [assess_compatibility(made.spec, {}, spec, {})]
            else:
                starts = (assess_compatibility(each.current.spec, {}, spec, {}) for each in agents)
                fits = [assess_scratch_fit(spec), *starts]
            return "" if any(each.fits for each in fits) else fits[0].reason

        return find_misfit


def _position(pipeline: Pipeline, stage_id: int | None, position: int | None) -> int:
    if stage_id is not None:
        return pipeline.position(stage_id)
    last = len(pipeline.stages)
    at = last if position is None else position
    if not 0 <= at <= last:
        what = f"Pipeline {pipeline.name!r} has no position {at}."
        raise OrderError(what, fix=f"Positions go from 0 to {last}.")
    return at


def _source(pipeline: Pipeline, at: int) -> ExperimentStage | None:
    before = reversed(pipeline.stages[:at])
    return next((stage for stage in before if isinstance(stage, ExperimentStage)), None)


def _assess_at(
    pipeline: Pipeline, source: ExperimentStage | None, known: PipelineFacts, kinds: _Kinds
) -> FitResults:
    """Tell which experiments can start from the source stage, or from scratch where there is none."""
    short = replace(pipeline, stages=(source,) if source else ())  # nothing else of a long chain matters
    return _assess_kinds(kinds, lambda experiment: assess_fit_at(short, None, experiment, known))


def _agent_option(agent: Agent, kinds: _Kinds) -> AgentOption:
    return AgentOption(
        agent=agent, fits=_assess_kinds(kinds, lambda experiment: assess_agent_fit(agent.current, experiment))
    )


@dataclass(frozen=True, slots=True)
class _Kinds:
    #: By an experiment's id.
    of: Mapping[int, int]
    #: One experiment of each.
    first: tuple[Experiment, ...]


def _kinds(experiments: Iterable[Experiment]) -> _Kinds:
    numbers: dict[tuple[int, str], int] = {}
    of: dict[int, int] = {}
    first: list[Experiment] = []
    for experiment in experiments:
        key = experiment.algorithm_id, json.dumps(dict(experiment.signature), sort_keys=True)
        if key not in numbers:
            numbers[key] = len(first)
            first.append(experiment)
        of[experiment.id] = numbers[key]
    return _Kinds(of, tuple(first))


def _assess_kinds(kinds: _Kinds, assess: Callable[[Experiment], FitResult]) -> FitResults:
    return FitResults(kinds.of, tuple(map(assess, kinds.first)))


def _add_agent_fits(fitting: FitResults, agents: Iterable[AgentOption]) -> FitResults:
    """Let an experiment fit as well if it can start from one of the agents."""
    found = list(fitting.of_kinds)
    for option in agents:
        for kind, fit in enumerate(option.fits.of_kinds):
            if fit.fits and not found[kind].fits:
                reason = f"It can start from saved Agent {quote(option.agent.name)}."
                found[kind] = replace(fit, reason=reason)
    return replace(fitting, of_kinds=tuple(found))


def _options(
    work: UnitOfWork,
    pipeline: Pipeline,
    others: Iterable[Stage],
    experiments: Iterable[Experiment],
    fits: FitResults,
) -> tuple[ExperimentOption, ...]:
    """Return the picker's rows; `others` are the stages but for the one that is edited."""
    ran = work.runs.experiments_that_ran(pipeline.project_id)
    numbers = {stage.id: at + 1 for at, stage in enumerate(pipeline.stages)}
    used = {each.experiment_id: numbers[each.id] for each in others if isinstance(each, ExperimentStage)}
    options = [
        ExperimentOption(
            experiment=experiment,
            fit=fits[experiment.id],
            ran=experiment.id in ran,
            used_by=used.get(experiment.id),
        )
        for experiment in experiments
    ]
    return tuple(sorted(options, key=lambda option: not option.fit.fits))


def _checkpoint_option(choice: Choice, offered: StageFacts, source: str | None) -> CheckpointOption:
    if source is None:
        return CheckpointOption(step=None, reason="There is no stage before it.")
    try:
        chosen = offered.choose(choice)
    except NoCheckpointError as error:
        waiting = f"Waiting for a checkpoint from {source}."
        reason = f"{error.what} {error.fix}" if offered.checkpoints else waiting
        return CheckpointOption(step=None, reason=reason)
    return CheckpointOption(step=chosen.checkpoint.step, reason=chosen.reason)
