"""Lineage: checkpoint -> run -> stage -> experiment -> agent, both ways (spec 9.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from pipeline_widgets.domain.chain import Pipeline
from pipeline_widgets.domain.experiment import Checkpoint
from pipeline_widgets.domain.lineage import Lineage, Relative
from pipeline_widgets.domain.run import Run
from pipeline_widgets.persistence.store import Store, Work


class LineageService:
    """Follow checkpoints from run to run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_run(self, run_id: int) -> Lineage:
        """Return what a run descends from, and what came of all that it saved."""
        with self._store.read() as work:
            run = work.runs.get(run_id)
            return _lineage(work, run, work.checkpoints.of_runs([run_id]))

    def of_checkpoint(self, checkpoint_id: int) -> Lineage:
        """Return what a checkpoint descends from, and what came of it."""
        with self._store.read() as work:
            checkpoint = work.checkpoints.get(checkpoint_id)
            found = _lineage(work, work.runs.get(checkpoint.run_id), [checkpoint])
        return replace(found, of=f"step {checkpoint.step} of {found.of}")


def place(run: Run, pipelines: Mapping[int, Pipeline]) -> str:
    """Name the stage that a run ran in; empty where it had none."""
    pipeline = pipelines.get(run.pipeline_id or 0)
    if pipeline is None:
        return ""
    numbers = {stage.id: at for at, stage in enumerate(pipeline.stages, start=1)}
    if run.stage_id in numbers:
        return f"stage {numbers[run.stage_id]} of pipeline {pipeline.name!r}"
    return f"a stage, now removed, of pipeline {pipeline.name!r}"


def _lineage(work: Work, run: Run, saved: Collection[Checkpoint]) -> Lineage:
    way = _ancestors(work, run)
    makers = [maker for _, maker, _ in way]
    levels = _levels(work, saved)
    runs = [each for level in levels for each in level.runs]
    known = _Names(work, [run, *makers, *runs])
    ancestors = [
        known.relative(maker, child, checkpoint, depth)
        for depth, (child, maker, checkpoint) in enumerate(way, 1)
    ]
    return Lineage(
        of=known.itself(run),
        ancestors=tuple(ancestors),
        descendants=tuple(_descendants(known, levels, {each.id: each for each in saved})),
    )


def _ancestors(work: Work, run: Run) -> list[tuple[Run, Run, Checkpoint]]:
    """The way back: each run, the one that saved what it started from, and that checkpoint."""
    found: list[tuple[Run, Run, Checkpoint]] = []
    while run.start_checkpoint_id is not None:
        checkpoint = work.checkpoints.by_id([run.start_checkpoint_id]).get(run.start_checkpoint_id)
        if checkpoint is None:
            break
        maker = work.runs.get(checkpoint.run_id)
        found.append((run, maker, checkpoint))
        run = maker
    return found


class _Level:
    """What started from some checkpoints, what these runs saved, and which agents were made of them."""

    def __init__(self, work: Work, checkpoints: Collection[Checkpoint]) -> None:
        ids = [each.id for each in checkpoints]
        self.runs = [run for run in work.runs.using(ids) if run.start_checkpoint_id in set(ids)]
        self.agents = work.agents.made_of(ids)
        self.saved = work.checkpoints.of_runs([run.id for run in self.runs])


def _levels(work: Work, saved: Collection[Checkpoint]) -> list[_Level]:
    """One for each generation, so that there are as many questions as generations."""
    found: list[_Level] = []
    while saved:
        found.append(_Level(work, saved))
        saved = found[-1].saved
    return found


def _descendants(
    known: _Names, levels: list[_Level], saved: Mapping[int, Checkpoint], depth: int = 1
) -> Iterable[Relative]:
    """Walk down, each run right before its own descendants."""
    if not levels:
        return
    level, deeper = levels[0], levels[1:]
    for run in level.runs:
        checkpoint = saved.get(run.start_checkpoint_id or 0)
        if checkpoint is None:
            continue
        yield known.relative(run, run, checkpoint, depth)
        own = {each.id: each for each in level.saved if each.run_id == run.id}
        yield from _descendants(known, deeper, own, depth + 1)
    for key, agent_id, name, number in level.agents:
        if key in saved:
            step = saved[key].step
            yield Relative(kind="agent", id=agent_id, depth=depth, name=name, number=number, step=step)


class _Names:
    """What runs are called, read at once."""

    def __init__(self, work: Work, runs: Collection[Run]) -> None:
        ids = {run.experiment_id for run in runs if run.experiment_id is not None}
        self._experiments = {key: each.name for key, each in work.experiments.by_id(ids).items()}
        self._pipelines = work.pipelines.by_id(
            {run.pipeline_id for run in runs if run.pipeline_id is not None}
        )
        versions = {run.start_agent_version_id for run in runs if run.start_agent_version_id is not None}
        self._versions = work.agents.named_versions(versions)

    def itself(self, run: Run) -> str:
        """What a run is called where it is the one that is asked about."""
        return self.relative(run, run, None, 1).label

    def relative(self, run: Run, child: Run, checkpoint: Checkpoint | None, depth: int) -> Relative:
        """Return a run as a relative; `child` is the one that started from the checkpoint."""
        deploys = run.experiment_id is None
        named = (
            str(run.config.get("agent_name", "")) if deploys else self._experiments[run.experiment_id or 0]
        )
        return Relative(
            kind="deployment" if deploys else "run",
            id=run.id,
            depth=depth,
            name=named,
            number=run.number,
            step=checkpoint.step if checkpoint else 0,
            place=place(run, self._pipelines),
            role=child.start_role or "",
            by_agent=self._versions.get(child.start_agent_version_id or 0, ""),
        )
