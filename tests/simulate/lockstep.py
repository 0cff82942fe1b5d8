"""A workspace and its model, in step: what is done to the one is done to the other, and they are compared."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from factories.lab import Lab, configured, migrated, open_lab
from factories.values import SPECS
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from pipeline_widgets.domain import chain
from pipeline_widgets.domain.algorithm import ConfiguredAlgorithm
from pipeline_widgets.domain.job import Job
from pipeline_widgets.errors import PipelineError
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.retention import RetentionService
from pipeline_widgets.services.transfer import TransferService
from simulate.model import Model
from simulate.translate import plain_of
from simulate.values import Experiment, Pipeline, Run, Stage, Start

T = TypeVar("T")
PICK = st.integers(0, 5039)  # of a list, modulo its length: divided evenly by short ones
SCORES = st.sampled_from([None, 0.0, 1.0, 2.0, 2.0, 3.0, math.nan, math.inf, -math.inf])
SCORED = st.lists(st.tuples(SCORES, SCORES), min_size=1, max_size=3)
BASES = st.sampled_from([None, "a", "a", "b"])
TRIGGERS = st.sampled_from(["manual", "auto", "auto"])
CHOICES = st.sampled_from(["best", "final", "best", 10, 20])
GATES = st.sampled_from([None, None, None, ("at least", 1.0), ("at least", 2.5), ("better", 0.0)])
MOST = 5  # pipelines, and stages of one
#: Whether steps are counted, by `make simulate`.
STEPS = {"taken": 0, "refused": 0}


@cache
def _empty() -> Path:
    return migrated(Path(tempfile.mkdtemp(prefix="simulate-", dir=memory())))


def memory() -> str | None:
    """Return where files are in memory; None for the usual place."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108


def made(kind: str, config: tuple[Any, ...]) -> ConfiguredAlgorithm:
    """Return an algorithm with a config."""
    steps, base = config
    signature = {"base": base} if base is not None else {}
    return configured(SPECS[kind], {"steps": steps, "base": base}, signature)


class Lockstep(RuleBasedStateMachine):
    """Two kernels, a supervisor for each run, one project, and the model of all that."""

    lab: Lab

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="simulate-", dir=memory()))
        shutil.copy(_empty(), self.folder / "lab.db")
        self.lab = open_lab(self.folder)
        self.project = self.lab.project.id
        store = self.lab.store
        self.history, self.retention = HistoryService(store), RetentionService(store)
        self.transfer = TransferService(store, lambda name, c: made(name, (c["steps"], c["base"])))
        self.model = Model()
        self.jobs: dict[int, Job] = {}
        self.over: list[Job] = []  # of runs that have ended: whoever holds one may write nothing
        self.ends: dict[int, str] = {}  # how runs ended, for ever
        self.seen: list[chain.Pipeline] = []  # what the other kernel has on its screen
        self.editions: list[int] = []
        self.texts: list[tuple[str, str, list[Stage], dict[int, tuple[str, str, Any]], dict[int, str]]] = []
        self.highest: dict[str, int] = {}
        self.names = 0
        self.turn = 0

    def teardown(self) -> None:
        """Look at everything once more, and forget it."""
        try:
            if sys.exc_info()[0] is None:  # else what failed first is what is told
                for pipeline in self.model.pipelines.values():
                    self._agree_on(pipeline)
                self._agree_on_runs()
        finally:
            self.lab.store.database.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _do(self, allowed: bool, act: Callable[[], T], *, moves: bool = True) -> T | None:  # noqa: FBT001
        """Do something that is allowed or refused, as the model says; None where it is refused.

        The project's revision, by which views see that something has changed, moves only where it has.
        """
        STEPS["taken"] += 1
        before = self.lab.store.changes.revision(self.project)
        try:
            done = act()
        except PipelineError as error:
            if allowed:
                raise AssertionError(f"it should be allowed: {error}") from error
            if self.lab.store.changes.revision(self.project) != before:
                raise AssertionError("a refusal has raised the revision") from error
            STEPS["refused"] += 1
            return None
        assert allowed, "it should be refused"
        moved = self.lab.store.changes.revision(self.project) > before
        assert moved or not moves, "a change has not raised the revision"
        assert moves or not moved, "the revision was raised for nothing"
        return done

    def _must(self, act: Callable[[], T], *, moves: bool = True) -> T:
        """Do something that is always allowed."""
        return cast("T", self._do(allowed=True, act=act, moves=moves))

    def check_invariants(self, *arguments: Any, **options: Any) -> None:
        """Compare the model with the services, after each step."""
        super().check_invariants(*arguments, **options)
        self.turn += 1
        if self.model.pipelines:
            self._agree_on(list(self.model.pipelines.values())[self.turn % len(self.model.pipelines)])
        if self.turn % 20 == 0:
            self._agree_on_runs()

    def _agree_on(self, pipeline: Pipeline) -> None:
        state = self.lab.states.pipeline(pipeline.id)
        model, stale = self.model, self.model.stale(pipeline)
        assert (state.pipeline.name, state.pipeline.description) == (pipeline.name, pipeline.description)
        assert [plain_of(each.stage) for each in state.stages] == pipeline.stages
        for at, (stage, told) in enumerate(zip(pipeline.stages, state.stages, strict=True)):
            latest = model.latest(stage)
            assert (told.run.id if told.run else None) == (latest.id if latest else None), (
                f"latest of {stage}"
            )
            assert told.status == model.status(stage), f"status of {stage}"
            assert (told.staleness.stale, told.staleness.accepted) == stale[stage.id], (
                f"{told.staleness} of {stage}"
            )
            why = model.why_not(pipeline, at)
            assert bool(told.blockers) == (why is not None), f"{told.blockers}, {why} of {stage}"
            assert bool(told.held) == bool(model.mark(stage.id).held), f"held {told.held!r} of {stage}"
            if told.held:
                assert told.held.strip(), "held without a reason"
        if pipeline.stages:
            first = pipeline.stages[0]
            assert not first.deploys
            assert first.trigger == "manual"
            assert first.start[0] in {"scratch", "agent"}

    def _agree_on_runs(self) -> None:
        """Whether runs and checkpoints are the same, each of them; what has ended has ended for ever."""
        with self.lab.store.read() as work:
            runs = {run.id: run for run in work.runs.of_project(self.project)}
            saved = {each.id: each for each in work.checkpoints.of_runs(runs.keys())}
        assert {key: str(run.status) for key, run in runs.items()} == {
            key: run.status for key, run in self.model.runs.items()
        }
        for key, end in self.ends.items():
            assert key not in runs or runs[key].status == end, (
                f"run {key} was {end} and is {runs[key].status}"
            )
        active = [run for run in runs.values() if run.status.active]
        for ids in (
            [r.stage_id for r in active if r.stage_id],
            [r.experiment_id for r in active if r.experiment_id],
        ):
            assert len(ids) == len(set(ids)), "two active runs of one stage or experiment"
        assert saved.keys() == self.model.checkpoints.keys()
        assert all(Path(each.path).is_dir() for each in saved.values()), "a checkpoint without its files"

    def _ran(
        self, key: int, pipeline: Pipeline | None, stage: Stage | None, experiment: int | None, wanted: Start
    ) -> None:
        """Remember a new run, and that it starts from what the rules say."""
        model, run = self.model, self.lab.runs.get(key)
        self._fresh("run", key)
        assert run.status == "Pending"
        assert run.start_checkpoint_id == wanted.checkpoint, (
            f"starts from {run.start_checkpoint_id}, not {wanted}"
        )
        assert (run.source_checkpoint_id, run.resumed_run_id) == (wanted.source, wanted.resumed)
        assert (run.start_role == "resume") == (wanted.role == "resume")
        assert experiment is None or (run.start_role is None) == (wanted.checkpoint is None)
        model.runs[key] = Run(
            id=key,
            stage=stage.id if stage else None,
            pipeline=pipeline.id if pipeline else None,
            experiment=experiment,
            config=model.experiments[experiment].config if experiment is not None else None,
            start=wanted.checkpoint,
            start_role=wanted.role,
            source=wanted.source,
            resumed=wanted.resumed,
            agent_name=stage.agent_name if stage else "",
        )
        if pipeline is not None and stage is not None:
            at = pipeline.stages.index(stage)
            for each in pipeline.stages[at : at + 2]:
                model.mark(each.id).held = 0

    def _know(self, key: int, name: str, kind: str, config: tuple[Any, ...]) -> Experiment:
        self.model.experiments[key] = Experiment(self._fresh("experiment", key), name, kind, config)
        return self.model.experiments[key]

    def _fresh(self, kind: str, key: int) -> int:
        """Return a new id, which nothing of that kind has ever had."""
        assert key > self.highest.get(kind, 0), f"the id {key} of a {kind} is used again"
        self.highest[kind] = key
        return key

    def _name(self, word: str) -> str:
        self.names += 1
        return f"{word} {self.names}"

    def _one(self, there: dict[int, T], pick: int, which: Callable[[T], bool] = lambda _: True) -> T | None:
        found = [each for each in there.values() if which(each)]
        return found[pick % len(found)] if found else None

    def _stage(self, pick: int, *, ready: bool = False, stale: bool = False) -> tuple[Pipeline, int] | None:
        """Return a stage by its pipeline and position; where asked for, one that is ready, or stale."""
        found = [(p, at) for p in self.model.pipelines.values() for at in range(len(p.stages))]
        if stale:
            found = [(p, at) for p, at in found if self.model.stale(p)[p.stages[at].id][0]]
        if ready:
            found = [(p, at) for p, at in found if self.model.why_not(p, at) is None]
        return found[pick % len(found)] if found else None
