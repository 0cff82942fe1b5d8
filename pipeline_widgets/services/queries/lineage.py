"""Lineage: checkpoint -> run -> stage -> experiment -> agent, both ways (spec 9.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.agent import AgentVersion
from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.lineage import Lineage, LineageNode, Relative, lay_out
from pipeline_widgets.domain.run import Run, Status, trained_experiment_ids
from pipeline_widgets.domain.staleness import compute_staleness
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services import pipeline_facts

MOST_NODES = 60  # of a graph; more of them could be neither read nor told apart


class LineageQueries:
    """Follow checkpoints from run to run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_run(self, run_id: int) -> Lineage:
        """Return what a run descends from, and what came of all that it saved."""
        with self._store.read() as work:
            run = work.runs.get(run_id)
            return _lineage(work, run, work.checkpoints.of_runs([run_id]))

    def graph(self, run_id: int, most: int = MOST_NODES) -> LineageGraph:
        """Return the lineage of a run as a graph.

        Args:
            run_id: The run.
            most: How many nodes it has at most.

        Raises:
            NotFoundError: It is gone.
        """
        with self._store.read() as work:
            run = work.runs.get(run_id)
            return _graph(work, _lineage(work, run, work.checkpoints.of_runs([run_id])), most)

    def agent_graph(self, agent_id: int, most: int = MOST_NODES) -> LineageGraph:
        """Return as a graph which runs led to the current version of an agent, and what started from that.

        Args:
            agent_id: The agent.
            most: How many nodes it has at most.

        Raises:
            NotFoundError: It is gone.
        """
        with self._store.read() as work:
            agent = work.agents.get(agent_id)
            return _graph(work, _lineage_of_version(work, agent.name, agent.current), most)

    def of_checkpoint(self, checkpoint_id: int) -> Lineage:
        """Return what a checkpoint descends from, and what came of it."""
        with self._store.read() as work:
            checkpoint = work.checkpoints.get(checkpoint_id)
            found = _lineage(work, work.runs.get(checkpoint.run_id), [checkpoint])
        return replace(found, of=f"step {checkpoint.step} of {found.of}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LineageGraph:
    """The lineage of a run or an agent as a graph, with where its runs stand now."""

    lineage: Lineage
    nodes: tuple[LineageNode, ...]
    #: How many relatives are left out.
    more: int
    #: The statuses of its runs, by id.
    statuses: Mapping[int, Status]
    #: The runs whose stages are stale.
    stale: frozenset[int]


def place(run: Run, pipelines: Mapping[int, Pipeline]) -> str:
    """Name the stage that a run ran in; empty where it had none."""
    pipeline = pipelines.get(run.pipeline_id or 0)
    if pipeline is None:
        return ""
    numbers = {stage.id: at for at, stage in enumerate(pipeline.stages, start=1)}
    if run.stage_id in numbers:
        return f"stage {numbers[run.stage_id]} of pipeline {quote(pipeline.name)}"
    return f"a stage, now removed, of pipeline {quote(pipeline.name)}"


def _graph(work: UnitOfWork, found: Lineage, most: int) -> LineageGraph:
    nodes = lay_out(found, most)
    shown = [node.relative for node in nodes if node.relative.kind != "agent"]
    runs = work.runs.by_id({each.id for each in shown})
    pipelines = {each.pipeline_id for each in shown if each.pipeline_id is not None}
    stale = frozenset[int]().union(*(_stale_runs(work, each) for each in sorted(pipelines)))
    return LineageGraph(
        lineage=found,
        nodes=nodes,
        more=1 + len(found.ancestors) + len(found.descendants) - len(nodes),
        statuses={each.id: each.status for each in runs.values()},
        stale=stale & runs.keys(),
    )


def _lineage(work: UnitOfWork, run: Run, saved: Collection[Checkpoint]) -> Lineage:
    way, descent = _ancestors(work, run), _Descent(work, saved)
    known = _Names(work, [run, *(maker for _, maker, _ in way), *descent.runs])
    ancestors = [
        known.relative(maker, child, checkpoint, depth)
        for depth, (child, maker, checkpoint) in enumerate(way, 1)
    ]
    subject = known.relative(run, run, None, 0)
    return Lineage(
        of=subject.label,
        subject=subject,
        ancestors=tuple(ancestors),
        descendants=tuple(_descendants(known, descent, descent.of(saved, 1))),
    )


def _lineage_of_version(work: UnitOfWork, name: str, version: AgentVersion) -> Lineage:
    """Return both ways from a version of an agent: what else uses its checkpoint does not come of it."""
    saved = version.checkpoint
    maker = work.runs.get(saved.run_id)
    way, descent = _ancestors(work, maker), _Descent(work, [saved])
    known = _Names(work, [maker, *(each for _, each, _ in way), *descent.runs])
    nearest = replace(known.relative(maker, maker, saved, 1), role="", by_agent="")
    further = [known.relative(run, child, at, depth) for depth, (child, run, at) in enumerate(way, 2)]
    subject = Relative(
        kind="agent", id=version.agent_id, depth=0, name=name, number=version.number, step=saved.step
    )
    started = [
        each
        for each in descent.of([saved], 1)
        if isinstance(each.what, Run) and each.what.start_agent_version_id == version.id
    ]
    return Lineage(
        of=subject.label,
        subject=subject,
        ancestors=(nearest, *further),
        descendants=tuple(_descendants(known, descent, started)),
    )


def _stale_runs(work: UnitOfWork, pipeline_id: int) -> frozenset[int]:
    """Return the latest successful runs of a pipeline's stages that are stale."""
    pipeline = work.pipelines.get(pipeline_id)
    known = pipeline_facts.load(work, pipeline)
    stale = compute_staleness(pipeline, known)
    made = {stage.id: known.for_stage(stage.id).succeeded for stage in pipeline.stages}
    return frozenset(run.id for key, run in made.items() if run is not None and stale[key].stale)


def _ancestors(work: UnitOfWork, run: Run) -> list[tuple[Run, Run, Checkpoint]]:
    """The way back: each run, the one that saved what it started from, and that checkpoint."""
    runs = work.runs.ancestors(run.id)
    starts = {each.start_checkpoint_id for each in runs.values() if each.start_checkpoint_id is not None}
    checkpoints = work.checkpoints.by_id(starts)
    found: list[tuple[Run, Run, Checkpoint]] = []
    while (checkpoint := checkpoints.get(run.start_checkpoint_id or 0)) is not None:
        maker = runs[checkpoint.run_id]
        found.append((run, maker, checkpoint))
        run = maker
    return found


@dataclass(frozen=True, slots=True)
class _Version:
    """A version that is made of a checkpoint."""

    agent_id: int
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class _Child:
    """The descendants of a checkpoint."""

    depth: int
    checkpoint: Checkpoint
    what: Run | _Version


class _Descent:
    """All runs and agents that came of some checkpoints, with as many queries for one as for thousands."""

    def __init__(self, work: UnitOfWork, saved: Collection[Checkpoint]) -> None:
        runs = work.runs.descendants([each.id for each in saved])
        self.runs = tuple(runs[each] for each in sorted(runs))
        self._saved: dict[int, list[Checkpoint]] = {}
        for each in work.checkpoints.of_runs(runs.keys()):
            self._saved.setdefault(each.run_id, []).append(each)
        every = [*(each.id for each in saved), *(each.id for own in self._saved.values() for each in own)]
        made = [(key, _Version(*told)) for key, told in work.agents.made_of(every)]
        started = [(run.start_checkpoint_id or 0, run) for run in self.runs]
        self._of: dict[int, list[tuple[int, Run | _Version]]] = {}
        for at, (key, what) in enumerate((*started, *made)):
            self._of.setdefault(key, []).append((at, what))

    def of(self, saved: Iterable[Checkpoint], depth: int) -> list[_Child]:
        """Return the descendants of checkpoints: first the runs, then the agents."""
        found = [(at, each, what) for each in saved for at, what in self._of.get(each.id, ())]
        return [_Child(depth, each, what) for _, each, what in sorted(found, key=lambda each: each[0])]

    def after(self, child: _Child) -> list[_Child]:
        """Return the descendants of the checkpoints of a run."""
        return (
            []
            if isinstance(child.what, _Version)
            else self.of(self._saved.get(child.what.id, ()), child.depth + 1)
        )


def _descendants(known: _Names, descent: _Descent, first: Sequence[_Child]) -> Iterable[Relative]:
    """Walk down, each run right before its own descendants."""
    left = list(first[::-1])
    while left:
        child = left.pop()
        made, depth = child.what, child.depth
        if isinstance(made, _Version):
            step = child.checkpoint.step
            yield Relative(
                kind="agent", id=made.agent_id, depth=depth, name=made.name, number=made.number, step=step
            )
        else:
            yield known.relative(made, made, child.checkpoint, depth)
            left += descent.after(child)[::-1]


class _Names:
    """The names of runs, read at once."""

    def __init__(self, work: UnitOfWork, runs: Collection[Run]) -> None:
        experiments = work.experiments.by_id(trained_experiment_ids(runs))
        self._experiments = {key: each.name for key, each in experiments.items()}
        self._pipelines = work.pipelines.by_id(
            {run.pipeline_id for run in runs if run.pipeline_id is not None}
        )
        versions = {run.start_agent_version_id for run in runs if run.start_agent_version_id is not None}
        self._versions = work.agents.named_versions(versions)

    def relative(self, run: Run, child: Run, checkpoint: Checkpoint | None, depth: int) -> Relative:
        """Return a run as a relative; `child` is the one that started from the checkpoint."""
        if run.is_deployment:
            named = str(run.config.get("agent_name", ""))
        else:
            named = self._experiments[run.trained_experiment_id]
        return Relative(
            kind="deployment" if run.is_deployment else "run",
            id=run.id,
            depth=depth,
            name=named,
            number=run.number,
            step=checkpoint.step if checkpoint else 0,
            place=place(run, self._pipelines),
            role=child.start_role or "",
            by_agent=self._versions.get(child.start_agent_version_id or 0, ""),
            pipeline_id=run.pipeline_id if run.pipeline_id in self._pipelines else None,
            stage_id=run.stage_id,
            experiment_id=run.experiment_id,
        )
