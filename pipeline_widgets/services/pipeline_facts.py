"""Load what the rules have to know about a pipeline's stages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pipeline_widgets.domain.agent import Agent
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, FromAgent, Pipeline, Stage
from pipeline_widgets.domain.checkpoint import Checkpoint, join_lineage
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.evaluator import EvaluatorSpec, Yardstick
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.pipeline_facts import PipelineFacts, StageFacts
from pipeline_widgets.domain.python_version import foreign_reason
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.persistence.store import UnitOfWork


def load(
    work: UnitOfWork, pipeline: Pipeline, only: Collection[int] | None = None, *, consumption: bool = True
) -> PipelineFacts:
    """Return what is known about the stages of a pipeline.

    Args:
        work: The transaction.
        pipeline: The pipeline.
        only: The ids of the stages to know about; all by default.
        consumption: Whether to tell what successful runs consumed, which only staleness asks for.
    """
    wanted = [stage for stage in pipeline.stages if only is None or stage.id in only]
    return load_stages(work, wanted, consumption=consumption, steps=_find_steps(pipeline.stages))


def load_stages(
    work: UnitOfWork,
    stages: Collection[Stage],
    *,
    consumption: bool = True,
    steps: Collection[int] = (),
) -> PipelineFacts:
    """Return what is known about stages, of whatever pipelines, with as many queries as for one.

    Args:
        work: The transaction.
        stages: The stages.
        consumption: As of `load`.
        steps: The steps that are chosen by number, beside those of these stages.
    """
    experiments = work.experiments.by_id([s.experiment_id for s in stages if isinstance(s, ExperimentStage)])
    runs = _by_stage(stages, work.runs.telling([stage.id for stage in stages]))
    busy = work.runs.active_of_experiments(experiments.keys())
    marks = work.pipelines.marks([stage.id for stage in stages])
    measured = _Measured(work, experiments, stages)
    offerings = {stage.id: _find_offerings(runs[stage.id]) for stage in stages}
    latest_runs = {stage.id: _last(runs[stage.id]) for stage in stages}
    asked = {run.id for found in offerings.values() for run in found}
    asked |= {run.id for run in latest_runs.values() if run is not None}
    saved = _Deciding(work, asked, {*steps, *_find_steps(stages)}, by_evaluators=measured.any)
    consumptions = _Consumed(work, (run for found in offerings.values() for run in found if consumption))
    scores = measured.of_checkpoints({*saved.ids, *consumptions.ids})
    code = CodeFacts(work, experiments.values()) if consumption else None
    known: dict[int, StageFacts] = {}
    for stage in stages:
        experiment = experiments.get(stage.experiment_id) if isinstance(stage, ExperimentStage) else None
        mine, mark = runs[stage.id], marks.get(stage.id)
        succeeded = _last(run for run in mine if run.status is Status.SUCCEEDED)
        offering = succeeded or _last(run for run in offerings[stage.id] if saved.of(run))
        latest = latest_runs[stage.id]
        consumed = consumptions.by(succeeded)
        offered, own = saved.of(offering), saved.of(latest)
        then, now = code.compare(succeeded or latest, experiment) if code and experiment else (None, None)
        accepted = mark is not None and succeeded is not None and mark.accepted_run_id == succeeded.id
        known[stage.id] = StageFacts(
            experiment=experiment,
            latest=latest,
            succeeded=succeeded,
            offered_run=offering,
            checkpoints=offered,
            latest_checkpoints=own,
            consumed=consumed,
            consumed_from=consumptions.maker(consumed),
            active_run=busy.get(experiment.id) if experiment else None,
            held=mark.held if mark else None,
            required_python=(
                find_required_python(work, experiment.spec.name, experiment.python) if experiment else None
            )
            or measured.required_python.get(stage.id),
            code_then=then,
            code_now=now,
            accepted=mark.accepted_state if mark and accepted else None,
            note=mark.accepted_note if mark and accepted else None,
            yardstick=measured.by(stage, scores, saved.unscored(offering)),
        )
    agents = _agents(work, stages)
    return PipelineFacts(
        stages=known,
        agents={agent.id: agent.current for agent in agents},
        deployed={agent.name: agent.current for agent in agents},
        deployed_scores=measured.of_agents(agents),
    )


class CodeFacts:
    """The code of experiments now, against that of their runs.

    Args:
        work: The transaction.
        experiments: The experiments.
    """

    def __init__(self, work: UnitOfWork, experiments: Iterable[Experiment]) -> None:
        self._work = work
        is_trusted = work.trust.reason is None  # a stranger's rows name no files to read
        self._wanted = {each.algorithm_id for each in experiments} if is_trusted else set[int]()
        self._references: Mapping[int, tuple[str, AlgorithmReference]] | None = None
        self._current: dict[int, CodeRecord | None] = {}

    def now(self, experiment: Experiment) -> CodeRecord | None:
        """Return the code of an experiment's algorithm now; None where it is not known."""
        key = experiment.algorithm_id
        if self._references is None:
            self._references = self._work.experiments.code_references(self._wanted)
        if key not in self._current and key in self._references:
            self._current[key] = self._work.current_code(*self._references[key])
        return self._current.get(key)

    def compare(self, run: Run | None, experiment: Experiment) -> tuple[CodeRecord | None, CodeRecord | None]:
        """Return the code that a run had, and that of its experiment now; texts only where they differ.

        Without a run, the former is the code with which the experiment was set up.
        """
        if run is not None and (run.code is None or run.code.digest is None):
            return None, None
        current = self.now(experiment)
        kept = None if self._references is None else self._references.get(experiment.algorithm_id)
        then = None if run is not None or kept is None else kept[1].code
        digest = run.code.digest if run and run.code else then and then.digest
        if current is None or current.digest == digest:
            return current, current
        if run is not None and run.code is not None:
            then = self._work.records.code(run.code.record)
        elif then is not None:
            then = then.with_texts(self._work.records.texts(then.sources))
        missing = [each for each in current.sources if each not in current.texts]
        return then, current.with_texts(self._work.records.texts(missing) if missing else {})


def find_required_python(work: UnitOfWork, algorithm: str, python: str | None) -> str | None:
    """Return the Python that alone can run an algorithm's code, where that is not this one.

    None also where this process has the algorithm itself: it renews what is kept when it starts a run.
    """
    return None if foreign_reason(python) is None or work.defines(algorithm) else python


def lineage(work: UnitOfWork, run: Run) -> tuple[Checkpoint, ...]:
    """Return all that a run saved and, before it, what the runs that it resumed had saved."""
    return _Lineages(work, [run]).of(run)


def lineages(work: UnitOfWork, runs: Iterable[Run]) -> dict[int, tuple[Checkpoint, ...]]:
    """Return the same for many runs, by their ids, with as many queries as for one."""
    listed = list(runs)
    saved = _Lineages(work, listed)
    return {run.id: saved.of(run) for run in listed}


def list_offered(work: UnitOfWork, known: PipelineFacts) -> dict[int, tuple[Checkpoint, ...]]:
    """Return, by stage, all that it offers to those after it; its facts have only what decides."""
    offering = {key: facts.offered_run for key, facts in known.stages.items()}
    saved = lineages(work, (run for run in offering.values() if run is not None))
    return {key: saved[run.id] if run is not None else () for key, run in offering.items()}


def start_steps(work: UnitOfWork, runs: Iterable[Run]) -> dict[int, int]:
    """Return, by run, the step at which each that was resumed has begun."""
    resumed = {
        run.id: run.start_checkpoint_id
        for run in runs
        if run.start_role == "resume" and run.start_checkpoint_id is not None
    }
    saved = work.checkpoints.by_id(set(resumed.values())) if resumed else {}
    return {run: saved[each].step for run, each in resumed.items() if each in saved}


class _Measured:
    """The evaluators that score stages, and the scores that they gave."""

    def __init__(
        self, work: UnitOfWork, experiments: Mapping[int, Experiment], stages: Iterable[Stage]
    ) -> None:
        self._work = work
        self._specs: dict[int, EvaluatorSpec] = {}
        #: By stage, the Python that alone can run its evaluator's code; where this one can, nothing.
        self.required_python: dict[int, str] = {}
        listed = {stage.id: stage for stage in stages}
        for key, stored in work.evaluators.of_stages(listed).items():
            stage, spec = listed[key], stored.spec
            bound = experiments.get(stage.experiment_id) if isinstance(stage, ExperimentStage) else None
            if bound is not None and spec.accepts_from(bound.spec):  # others go by their own scores
                self._specs[key] = spec
                if foreign_reason(stored.python) is not None and not work.defines_evaluator(spec.name):
                    self.required_python[key] = stored.python or ""

    @property
    def any(self) -> bool:
        """Whether an evaluator scores any of the stages."""
        return bool(self._specs)

    def of_checkpoints(self, ids: Collection[int]) -> Mapping[str, Mapping[int, float]]:
        """Return the scores of checkpoints, by the name of the evaluator."""
        found: dict[str, dict[int, float]] = {}
        for each in self._work.evaluators.scores_of_checkpoints(ids) if self._specs else ():
            found.setdefault(each.evaluator, {})[each.checkpoint_id] = each.value
        return found

    def by(self, stage: Stage, scores: Mapping[str, Mapping[int, float]], unscored: int) -> Yardstick | None:
        """Return the evaluator of a stage with its scores, and how many of what it offers have none."""
        if (spec := self._specs.get(stage.id)) is None:
            return None
        return Yardstick(spec=spec, scores=scores.get(spec.name, {}), unscored=unscored)

    def of_agents(self, agents: Iterable[Agent]) -> dict[tuple[str, int], float]:
        """Return the scores of what is deployed now, by evaluator and checkpoint."""
        ids = {agent.current.checkpoint.id for agent in agents} if self._specs else set[int]()
        scores = self._work.evaluators.scores_of_checkpoints(ids) if ids else ()
        return {(each.evaluator, each.checkpoint_id): each.value for each in scores}


class _Deciding:
    """The checkpoints that choices can mean among those that runs have."""

    def __init__(
        self, work: UnitOfWork, run_ids: Collection[int], steps: Collection[int], *, by_evaluators: bool
    ) -> None:
        self._saved = work.checkpoints.deciding(run_ids, steps, by_evaluators=by_evaluators)
        self._unscored = work.checkpoints.unscored(run_ids) if by_evaluators else {}
        self.ids = frozenset(each.id for found in self._saved.values() for each in found)

    def of(self, run: Run | None) -> tuple[Checkpoint, ...]:
        """Return those of a run and of those that it resumed."""
        return self._saved.get(run.id, ()) if run else ()

    def unscored(self, run: Run | None) -> int:
        """Return how many of a run's the evaluator of its stage has not scored."""
        return self._unscored.get(run.id, 0) if run else 0


class _Consumed:
    """The checkpoints that runs have started from, and the runs that saved them."""

    def __init__(self, work: UnitOfWork, runs: Iterable[Run]) -> None:
        keys = {run.source_checkpoint_id for run in runs if run.status is Status.SUCCEEDED}
        self._saved = work.checkpoints.by_id([key for key in keys if key is not None])
        self.ids = self._saved.keys()
        self._makers = work.runs.by_id({each.run_id for each in self._saved.values()})

    def by(self, run: Run | None) -> Checkpoint | None:
        """Return what a run has consumed."""
        return self._saved.get(run.source_checkpoint_id or 0) if run else None

    def maker(self, checkpoint: Checkpoint | None) -> Run | None:
        """Return the run that saved it."""
        return self._makers.get(checkpoint.run_id) if checkpoint else None


class _Lineages:
    """All checkpoints of runs and of the runs that these resumed, read at once."""

    def __init__(self, work: UnitOfWork, runs: Iterable[Run]) -> None:
        self._runs = {run.id: run for run in runs}
        forerunners = {run.resumed_run_id for run in self._runs.values() if run.resumed_run_id is not None}
        if missing := forerunners - self._runs.keys():
            self._runs |= work.runs.resumed(missing)
        self._ways: dict[int, tuple[Checkpoint, ...]] = {}
        self._by_run: dict[int, list[Checkpoint]] = {}
        for checkpoint in work.checkpoints.of_runs(self._runs.keys()):
            self._by_run.setdefault(checkpoint.run_id, []).append(checkpoint)

    def of(self, run: Run) -> tuple[Checkpoint, ...]:
        """Return the checkpoints of a run, and those of its forerunners up to where it was resumed."""
        left: list[Run] = []
        each: Run | None = run
        while each is not None and each.id not in self._ways:
            left.append(each)
            each = self._runs.get(each.resumed_run_id or 0)
        for each in reversed(left):
            self._ways[each.id] = self._way(each)
        return self._ways[run.id]

    def _way(self, run: Run) -> tuple[Checkpoint, ...]:
        """The same, once it is known of the run that this one resumed."""
        own = tuple(self._by_run.get(run.id, ()))
        way = self._ways.get(run.resumed_run_id or 0)
        if way is None:
            return own
        return join_lineage(way, own, next((c.step for c in way if c.id == run.start_checkpoint_id), None))


def _by_stage(stages: Iterable[Stage], runs: Iterable[Run]) -> dict[int, list[Run]]:
    """The runs of each stage that belong to the experiment which it is bound to now."""
    bound = {s.id: s.experiment_id if isinstance(s, ExperimentStage) else None for s in stages}
    mine: dict[int, list[Run]] = {stage_id: [] for stage_id in bound}
    for run in runs:
        if run.stage_id is not None and run.experiment_id == bound[run.stage_id]:
            mine[run.stage_id].append(run)
    return mine


def _find_offerings(runs: Iterable[Run]) -> list[Run]:
    """The runs of a stage of which it may offer one: the latest that succeeded, else all that ended."""
    ended = [run for run in runs if run.status.finished]
    succeeded = _last(run for run in ended if run.status is Status.SUCCEEDED)
    return ended if succeeded is None else [succeeded]


def _find_steps(stages: Iterable[Stage]) -> frozenset[int]:
    """The steps that stages choose by number."""
    return frozenset(stage.choice for stage in stages if isinstance(stage.choice, int))


def _last(runs: Iterable[Run]) -> Run | None:
    return max(runs, key=lambda run: run.id, default=None)


def _agents(work: UnitOfWork, stages: Iterable[Stage]) -> tuple[Agent, ...]:
    """The agents that stages start from, or whose score a gate asks for."""
    ids: set[int] = set()
    names: set[str] = set()
    for stage in stages:
        if isinstance(stage, DeploymentStage):
            names |= {stage.agent_name} if stage.gate else set[str]()
        elif isinstance(stage.start, FromAgent):
            ids.add(stage.start.agent_id)
    return work.agents.matching(ids, names)
