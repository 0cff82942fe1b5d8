"""Random steps against the services on a real SQLite file; after each, the model and the services agree."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from factories.lab import CHILD, Lab, a_folder, an_owner, configured, migrated, open_lab
from factories.values import SPECS
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipeline_widgets.domain import chain
from pipeline_widgets.domain.care import Keep
from pipeline_widgets.domain.experiment import Configured
from pipeline_widgets.domain.job import Folder, Frozen, Job, Outcome, Reported, Saved
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import FencedError, PipelineError, StaleWriteError
from pipeline_widgets.persistence import artifacts
from pipeline_widgets.services.care import CareService
from pipeline_widgets.services.history import HistoryService
from pipeline_widgets.services.supervision import Batch
from pipeline_widgets.services.transfer import TransferService
from simulate.model import (
    ACTIVE,
    ENDED,
    KINDS,
    Agent,
    Checkpoint,
    Experiment,
    Mark,
    Model,
    Pipeline,
    Run,
    Stage,
    Start,
)

T = TypeVar("T")
PICK = st.integers(0, 5039)  # of a list, modulo its length: divided evenly by short ones
SCORES = st.sampled_from([None, 0.0, 1.0, 2.0, 2.0, 3.0, math.nan, math.inf, -math.inf])
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


def made(kind: str, config: tuple[Any, ...]) -> Configured:
    """Return an algorithm with a config."""
    steps, base = config
    signature = {"base": base} if base is not None else {}
    return configured(SPECS[kind], {"steps": steps, "base": base}, signature)


class Chains(RuleBasedStateMachine):
    """Two kernels, a supervisor for each run, and one project."""

    lab: Lab

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="simulate-", dir=memory()))
        shutil.copy(_empty(), self.folder / "lab.db")
        self.lab = open_lab(self.folder)
        self.project = self.lab.project.id
        store = self.lab.store
        self.history, self.care = HistoryService(store), CareService(store)
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

    @initialize(names=st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=4), trigger=TRIGGERS)
    def begin(self, names: list[str], trigger: str) -> None:
        """Begin with a chain, so that something can happen."""
        pipeline = self._new_pipeline()
        for at, name in enumerate(names):
            experiment = self._new_experiment(name, (10, None))
            start = ("source", "best") if at else ("scratch", None)
            stage = Stage(0, experiment.id, "auto" if at and trigger == "auto" else "manual", start)
            self._add(pipeline, stage, None, duplicate=False)

    # Experiments.

    @rule(kind=st.sampled_from(sorted(KINDS)), base=BASES)
    def new_experiment(self, kind: str, base: str | None) -> None:
        """Make an experiment."""
        if len(self.model.experiments) < 12:
            self._new_experiment(kind, (10, base))

    @rule(pick=PICK, steps=st.integers(10, 12), base=BASES)
    def update_experiment(self, pick: int, steps: int, base: str | None) -> None:
        """Give an experiment another config: refused while it runs."""
        experiment = self._one(self.model.experiments, pick)
        if experiment is None:
            return
        allowed = not self.model.busy(experiment.id)
        new = made(experiment.kind, (steps, base))
        if self._do(allowed, lambda: self.lab.experiments.update(experiment.id, new, seed=0)) is not None:
            experiment.config = (steps, base)

    @rule(pick=PICK)
    def delete_experiment(self, pick: int) -> None:
        """Delete an experiment: refused while a stage is bound to it, it runs, or others use what it saved."""
        experiment = self._one(self.model.experiments, pick)
        if experiment is None:
            return
        model, mine = self.model, {r.id for r in self.model.runs.values() if r.experiment == experiment.id}
        bound = any(s.experiment == experiment.id for p in model.pipelines.values() for s in p.stages)
        used = any(model.consumed(c.id, but=mine) for c in model.checkpoints.values() if c.run in mine)
        allowed = not bound and not model.busy(experiment.id) and not used
        if self._do(allowed, lambda: self.lab.experiments.delete(experiment.id) or True):
            del model.experiments[experiment.id]
            for key in mine:
                del model.runs[key]
            gone = [c.id for c in model.checkpoints.values() if c.run in mine]
            for key in gone:
                del model.checkpoints[key]
            for run in model.runs.values():
                run.resumed = None if run.resumed in mine else run.resumed

    @rule(pick=PICK)
    def train(self, pick: int) -> None:
        """Train an experiment by itself."""
        experiment = self._one(self.model.experiments, pick)
        if experiment is None:
            return
        allowed = KINDS[experiment.kind].scratch and not self.model.busy(experiment.id)
        run = self._do(allowed, lambda: self.lab.runs.train(experiment.id))
        if run is not None:
            self._ran(run.id, None, None, experiment.id, Start())

    @rule(pick=PICK)
    def resume_experiment(self, pick: int) -> None:
        """Go on from any checkpoint as a new experiment, which takes the place of the old one in its stage."""
        model = self.model
        saved = self._one(model.checkpoints, pick)
        if saved is None or len(model.experiments) > 12:
            return
        maker = model.runs[saved.run]
        original = model.experiments[maker.experiment or 0]
        homes = [
            (p, at)
            for p in model.pipelines.values()
            for at, s in enumerate(p.stages)
            if s.experiment == original.id
        ]
        home = homes[0] if len(homes) == 1 else None
        allowed = not model.busy(original.id)
        if home is not None:
            pipeline, at = home
            allowed = allowed and model.status(pipeline.stages[at]) not in ACTIVE
            allowed = allowed and not (at and model.status(pipeline.stages[at - 1]) in ACTIVE)
        name = self._name("resumed")
        done = self._do(allowed, lambda: self.lab.runs.resume(original.id, saved.id, name))
        if done is None:
            return
        copy = self._know(done[0].id, name, original.kind, original.config)
        start = Start(saved.id, "resume", maker.source, maker.id)
        if home is None:
            self._ran(done[1].id, None, None, copy.id, start)
            return
        pipeline, at = home
        stages = list(pipeline.stages)
        stages[at] = replace(stages[at], experiment=copy.id)
        held = model.mark(stages[at].id).held
        model.edit(pipeline, stages=stages)
        model.mark(stages[at].id).held = held
        self._ran(done[1].id, pipeline, stages[at], copy.id, start)

    # Pipelines and their stages.

    @rule(pick=PICK)
    def new_pipeline(self, pick: int) -> None:
        """Make an empty pipeline, or a copy of one."""
        if len(self.model.pipelines) >= MOST:
            return
        original = self._one(self.model.pipelines, pick)
        if pick % 2 or original is None:
            self._new_pipeline()
            return
        value = self._do(True, lambda: self.lab.pipelines.duplicate(original.id))
        assert value is not None
        copy = Pipeline(self._fresh("pipeline", value.id), value.name, value.description)
        copy.stages = [replace(s, id=v.id) for s, v in zip(original.stages, value.stages, strict=True)]
        for each in copy.stages:
            self._fresh("stage", each.id)
        self.model.pipelines[copy.id] = copy

    @rule(
        pick=PICK, which=PICK, position=st.integers(-1, 4), trigger=TRIGGERS, choice=CHOICES, gate=GATES,
        how=st.sampled_from(["fitting", "fitting", "fitting", "any", "duplicate", "agent", "auto-add"]),
    )  # fmt: skip
    def add_stage(
        self, pick: int, which: int, position: int, trigger: Any, choice: Any, gate: Any, how: str
    ) -> None:
        """Add an Experiment stage anywhere."""
        pipeline, experiment = self._one(self.model.pipelines, pick), self._one(self.model.experiments, which)
        if pipeline is None or experiment is None or len(pipeline.stages) >= MOST:
            return
        at = len(pipeline.stages) if position < 0 else position
        start: tuple[str, Any] = ("source", choice) if at else ("scratch", None)
        agent = self._one(self.model.agents, which)
        if how == "agent" and agent is not None:
            start = ("agent", agent.id)
        if how == "any":
            start = ("source", choice) if which % 2 else ("scratch", None)
        kind = trigger if at or how == "any" else "manual"
        gate = None if kind == "manual" and how != "any" else gate
        stage = Stage(0, experiment.id, kind, start, gate, auto_add=how == "auto-add")
        self._add(pipeline, stage, None if position < 0 else position, duplicate=how == "duplicate")

    @rule(pick=PICK, trigger=TRIGGERS, choice=CHOICES, gate=GATES, name=st.sampled_from(["one", "two"]))
    def add_deployment(self, pick: int, trigger: Any, choice: Any, gate: Any, name: str) -> None:
        """Add a Deployment stage at the end, or first, where it is refused."""
        pipeline = self._one(self.model.pipelines, pick)
        if pipeline is None or len(pipeline.stages) >= MOST:
            return
        stage = Stage(
            0, None, trigger, ("source", choice), gate if trigger == "auto" else None, agent_name=name
        )
        self._add(pipeline, stage, 0 if pick % 10 == 0 else None, duplicate=False)

    @rule(pick=PICK, what=st.sampled_from(["trigger", "start", "experiment", "gate", "auto-add"]), which=PICK,
          trigger=TRIGGERS, choice=CHOICES, gate=GATES)  # fmt: skip
    def update_stage(self, pick: int, what: str, which: int, trigger: Any, choice: Any, gate: Any) -> None:
        """Give a stage other settings."""
        found = self._stage(pick)
        if found is None:
            return
        pipeline, at = found
        old = pipeline.stages[at]
        new = replace(old)
        if what == "trigger":
            new = replace(old, trigger=trigger, gate=None)
        elif what == "start":
            new = replace(
                old, start=("source", choice) if at or old.deploys or which % 7 == 0 else ("scratch", None)
            )
        elif what == "gate":
            new = replace(old, gate=gate)
        elif what == "auto-add" and not old.deploys:
            new = replace(old, auto_add=not old.auto_add)
        elif what == "experiment" and not old.deploys:
            other = self._one(self.model.experiments, which)
            new = replace(old, experiment=other.id) if other is not None else new
        stages = [*pipeline.stages[:at], new, *pipeline.stages[at + 1 :]]
        settled = self.model.settled(stages)
        refused = (
            self.model.status(old) in ACTIVE
            or self.model.edit_refused(pipeline, stages, new)
            or not self._fits(pipeline, settled, at)
        )
        value = _value(new)
        if (
            self._do(not refused, lambda: self.lab.pipelines.update_stage(old.id, lambda _: value))
            is not None
        ):
            self._edited(pipeline, settled)

    @rule(pick=PICK, to=st.integers(0, 5))
    def move_stage(self, pick: int, to: int) -> None:
        """Move a stage."""
        found = self._stage(pick)
        if found is None:
            return
        pipeline, at = found
        stage = pipeline.stages[at]
        rest = [each for each in pipeline.stages if each is not stage]
        stages = [*rest[:to], stage, *rest[to:]]
        refused = (
            self.model.status(stage) in ACTIVE
            or to >= len(pipeline.stages)
            or self.model.edit_refused(pipeline, stages, None)
        )
        if self._do(not refused, lambda: self.lab.pipelines.move_stage(stage.id, to)) is not None:
            self._edited(pipeline, self.model.settled(stages))

    @rule(pick=PICK)
    def delete_stage(self, pick: int) -> None:
        """Delete a stage."""
        found = self._stage(pick)
        if found is None:
            return
        pipeline, at = found
        stage = pipeline.stages[at]
        stages = [each for each in pipeline.stages if each is not stage]
        refused = self.model.status(stage) in ACTIVE or self.model.edit_refused(pipeline, stages, None)
        if self._do(not refused, lambda: self.lab.pipelines.delete_stage(stage.id)) is not None:
            self._edited(pipeline, self.model.settled(stages))

    @rule(pick=PICK, name=st.sampled_from(["same", "new", "taken"]))
    def rename_pipeline(self, pick: int, name: str) -> None:
        """Give a pipeline another name."""
        pipeline = self._one(self.model.pipelines, pick)
        if pipeline is None:
            return
        other = self._one(self.model.pipelines, pick // 7)
        wanted = pipeline.name if name == "same" or other is None else other.name
        wanted = self._name("renamed") if name == "new" else wanted
        taken = any(p.name == wanted and p is not pipeline for p in self.model.pipelines.values())
        if self._do(not taken, lambda: self.lab.pipelines.update(pipeline.id, name=wanted)) is not None:
            if wanted != pipeline.name:
                self.model.edit(pipeline, name=wanted)

    @rule(pick=PICK)
    def delete_pipeline(self, pick: int) -> None:
        """Delete a pipeline, but for the last: its runs stay."""
        pipeline = self._one(self.model.pipelines, pick)
        if pipeline is None or len(self.model.pipelines) < 2 or pick % 4:
            return
        allowed = not any(self.model.status(each) in ACTIVE for each in pipeline.stages)
        if self._do(allowed, lambda: self.lab.pipelines.delete(pipeline.id) or True):
            del self.model.pipelines[pipeline.id]
            for run in self.model.runs.values():
                if run.pipeline == pipeline.id:
                    run.pipeline = run.stage = None

    @rule(pick=PICK)
    def undo(self, pick: int) -> None:
        """Undo the last edit of a pipeline; undone again it is done again."""
        pipeline = self._one(self.model.pipelines, pick)
        if pipeline is None:
            return
        model, undo = self.model, pipeline.undo
        allowed = undo is not None and undo.edition == pipeline.edition
        if undo is not None and allowed:
            then = dict(enumerate(undo.stages))
            for at, each in enumerate(pipeline.stages):
                allowed = allowed and (then.get(at) == each or model.status(each) not in ACTIVE)
            allowed = allowed and not any(
                p.name == undo.name and p is not pipeline for p in model.pipelines.values()
            )
            for each in undo.stages:
                allowed = allowed and (each.deploys or each.experiment in model.experiments)
                allowed = allowed and (each.start[0] != "agent" or each.start[1] in model.agents)
        if self._do(allowed, lambda: self.history.undo(pipeline.id)) is None or undo is None:
            return
        model.edit(
            pipeline,
            stages=undo.stages,
            name=undo.name,
            description=undo.description,
            marked=set(undo.marks),
        )
        for stage, ids in undo.runs.items():
            for key in ids:
                if key in model.runs and model.runs[key].stage is None:
                    model.runs[key].stage, model.runs[key].pipeline = stage, pipeline.id
        for stage, mark in undo.marks.items():
            later = any(r.stage == stage and r.id > mark.held for r in model.runs.values())
            model.marks[stage] = replace(mark, held=0 if later else mark.held)

    @rule(pick=PICK, note=st.just("good enough"))
    def accept(self, pick: int, note: str) -> None:
        """Accept a stale stage as fresh."""
        found = self._stage(pick)
        if found is None:
            return
        pipeline, at = found
        stage = pipeline.stages[at]
        allowed = self.model.stale(pipeline)[stage.id][0]
        if self._do(allowed, lambda: self.lab.pipelines.accept_as_fresh(stage.id, note) or True):
            success = self.model.success(stage)
            assert success is not None
            self.model.edit(pipeline, marked={stage.id}, accepts=True)
            self.model.mark(stage.id).accepted = (success.id, self.model.upstream(pipeline, at))

    @rule(pick=PICK)
    def export(self, pick: int) -> None:
        """Keep a pipeline as a text."""
        pipeline = self._one(self.model.pipelines, pick)
        if pipeline is None or pick % 3:
            return
        text = self.transfer.to_yaml(pipeline.id)
        bound = [self.model.experiments[s.experiment] for s in pipeline.stages if s.experiment is not None]
        known = {each.id: (each.name, each.kind, each.config) for each in bound}
        agents = {key: each.name for key, each in self.model.agents.items()}
        self.texts = [*self.texts[-3:], (text, pipeline.description, list(pipeline.stages), known, agents)]

    @precondition(lambda self: self.texts)
    @rule(pick=PICK)
    def import_text(self, pick: int) -> None:
        """Make a pipeline of a text that was kept, however things stand by now."""
        if len(self.model.pipelines) >= MOST:
            return
        model = self.model
        text, description, stages, known, agents = self.texts[pick % len(self.texts)]
        by_name = {each.name: each for each in model.experiments.values()}
        agents_by_name = {each.name: each.id for each in model.agents.values()}
        allowed = all(
            name not in by_name or (by_name[name].kind, by_name[name].config) == (kind, config)
            for name, kind, config in known.values()
        )
        allowed = allowed and all(
            s.start[0] != "agent" or agents.get(s.start[1]) in agents_by_name for s in stages
        )
        name = self._name("imported")
        done = self._do(allowed, lambda: self.transfer.import_pipeline(self.project, text, name=name))
        if done is None:
            return
        ids: dict[int, int] = {}
        experiments = {each.name: each.id for each in self.lab.experiments.of_project(self.project)}
        for key, (named, kind, config) in known.items():
            ids[key] = (
                by_name[named].id
                if named in by_name
                else self._know(experiments[named], named, kind, config).id
            )
        new = Pipeline(self._fresh("pipeline", done.pipeline.id), name, description)
        for each, value in zip(stages, done.pipeline.stages, strict=True):
            start = (
                ("agent", agents_by_name[agents[each.start[1]]]) if each.start[0] == "agent" else each.start
            )
            bound = None if each.experiment is None else ids[each.experiment]
            new.stages.append(replace(each, id=self._fresh("stage", value.id), experiment=bound, start=start))
        model.pipelines[new.id] = new

    # The other kernel.

    @rule(pick=PICK)
    def look_elsewhere(self, pick: int) -> None:
        """Let the other kernel look at a pipeline."""
        pipeline = self._one(self.model.pipelines, pick)
        if pipeline is not None:
            self.seen = [*self.seen[-2:], self.lab.pipelines.get(pipeline.id)]
            self.editions = [*self.editions[-2:], pipeline.edition]

    @precondition(lambda self: self.seen)
    @rule(pick=PICK)
    def edit_elsewhere(self, pick: int) -> None:
        """Let the other kernel edit what it has on its screen: refused where that is an old view."""
        at = pick % len(self.seen)
        seen, edition = self.seen[at], self.editions[at]
        pipeline = self.model.pipelines.get(seen.id)
        if pipeline is None:
            return
        text = f"described {pick}"
        fresh = pipeline.edition == edition
        try:
            done = self._do(fresh, lambda: self.lab.pipelines.update(seen.id, description=text, seen=seen))
        except StaleWriteError:
            raise AssertionError("a fresh view was refused") from None
        if done is not None and text != pipeline.description:
            self.model.edit(pipeline, description=text)

    # Runs.

    @rule(pick=PICK, resume=st.sampled_from([False, False, True]))
    def trigger(self, pick: int, resume: bool) -> None:  # noqa: FBT001
        """Trigger a stage."""
        found = self._stage(pick)
        if found is not None:
            self._trigger(*found, resume=resume)

    @rule(pick=PICK, scores=st.lists(st.tuples(SCORES, SCORES), min_size=0, max_size=3), same=st.booleans())
    def do_stage(self, pick: int, scores: list[tuple[Any, Any]], same: bool) -> None:  # noqa: FBT001
        """Trigger a stage and carry it out, and what follows."""
        found = self._stage(pick)
        if found is None or self.model.why_not(*found) is not None:
            return
        key = self._trigger(*found, resume=False)
        for _ in range(MOST + 1):
            if key is None:
                return
            self._take(key)
            self._start(key)
            for number, score in enumerate(scores, 1):
                self._save(key, 10 * number, *score, content=f"same {number}" if same else None)
            key = self._finish(key, Status.SUCCEEDED)

    @rule(pick=PICK)
    def take(self, pick: int) -> None:
        """Let a supervisor take a run; a second one gets nothing."""
        run = self._one(self.model.runs, pick, lambda r: r.status in ACTIVE)
        if run is not None:
            self._take(run.id)

    @rule(pick=PICK)
    def start(self, pick: int) -> None:
        """Let a run that was taken begin to train."""
        run = self._one(self.model.runs, pick, lambda r: r.status == "Pending" and r.id in self.jobs)
        if run is not None:
            self._start(run.id)

    @rule(pick=PICK, evaluation=SCORES, training=SCORES, same=st.booleans())
    def save(self, pick: int, evaluation: Any, training: Any, same: bool) -> None:  # noqa: FBT001
        """Let a run save a checkpoint."""
        run = self._one(self.model.runs, pick, self._trains)
        if run is not None:
            saved = self.model.line_of(run)
            step = max((c.step for c in saved), default=0) + 10
            self._save(run.id, step, evaluation, training, content=f"same {step}" if same else None)

    @rule(
        pick=PICK,
        status=st.sampled_from([Status.SUCCEEDED] * 4 + [Status.FAILED, Status.STOPPED, Status.CRASHED]),
    )
    def finish(self, pick: int, status: Status) -> None:
        """End a run that trains."""
        run = self._one(self.model.runs, pick, lambda r: r.status in {"Running", "Stopping"})
        if run is not None:
            self._finish(run.id, status)

    @rule(pick=PICK)
    def give_up(self, pick: int) -> None:
        """Give a run up: its process has died."""
        run = self._one(self.model.runs, pick, lambda r: r.status in ACTIVE)
        if run is None:
            return
        leases, _ = self.lab.supervision.active()
        lease = next(each for each in leases if each.run_id == run.id)
        assert self._do(True, lambda: self.lab.supervision.give_up(lease, "It is gone."))
        run.status = "Crashed"
        self._ended(run)

    @precondition(lambda self: self.over)
    @rule(pick=PICK, how=st.sampled_from(["beat", "record", "start", "finish", "status"]))
    def write_behind(self, pick: int, how: str) -> None:
        """Let one that was given up come back: it is fenced, and what it writes counts for nothing."""
        job = self.over[pick % len(self.over)]
        calls: dict[str, Callable[[], object]] = {
            "beat": lambda: self.lab.supervision.beat(job),
            "status": lambda: self.lab.supervision.status(job),
            "start": lambda: self.lab.supervision.started(job, CHILD),
            "record": lambda: self.lab.supervision.record(
                job, Batch(reported=[Reported(99, None, {"x": 1.0})])
            ),
            "finish": lambda: self.lab.supervision.finish(job, Outcome(status=Status.SUCCEEDED), an_owner()),
        }
        try:
            calls[how]()
        except (FencedError, PipelineError):
            return
        raise AssertionError(f"one that was given up may {how}")

    @rule(pick=PICK)
    def stop(self, pick: int) -> None:
        """Stop a run, active or not."""
        run = self._one(self.model.runs, pick)
        if run is None:
            return
        if self._do(run.status in ACTIVE, lambda: self.lab.runs.stop(run.id)) is not None:
            self._stopped(run)

    @rule(pick=PICK)
    def stop_all(self, pick: int) -> None:
        """Stop all that is active in a pipeline."""
        pipeline = self._one(self.model.pipelines, pick)
        if pipeline is not None and self._do(True, lambda: self.lab.runs.stop_all(pipeline.id)) is not None:
            for stage in pipeline.stages:
                latest = self.model.latest(stage)
                if latest is not None and latest.status in ACTIVE:
                    self._stopped(latest)

    # Agents and checkpoints.

    @rule(pick=PICK)
    def new_agent(self, pick: int) -> None:
        """Save a checkpoint as an agent."""
        saved = self._one(self.model.checkpoints, pick)
        if saved is None or len(self.model.agents) > 4:
            return
        name = self._name("agent")
        agent = self._do(True, lambda: self.lab.agents.create(name, saved.id))
        assert agent is not None
        self.model.agents[agent.id] = Agent(self._fresh("agent", agent.id), name, [saved.id])

    @rule(pick=PICK)
    def delete_agent(self, pick: int) -> None:
        """Delete an agent: refused while a stage starts from it."""
        agent = self._one(self.model.agents, pick)
        if agent is None:
            return
        starts = [s.start for p in self.model.pipelines.values() for s in p.stages]
        if self._do(("agent", agent.id) not in starts, lambda: self.lab.agents.delete(agent.id) or True):
            del self.model.agents[agent.id]

    @rule(pick=PICK)
    def roll_back(self, pick: int) -> None:
        """Make a former version of an agent the current one."""
        agent = self._one(self.model.agents, pick)
        if agent is not None:
            number = pick % (len(agent.versions) + 1)
            if self._do(number > 0, lambda: self.lab.agents.rollback(agent.id, number)) is not None:
                agent.current = number - 1

    @rule(pick=PICK)
    def delete_checkpoint(self, pick: int) -> None:
        """Delete a checkpoint: refused while anything uses it, or a stage names it."""
        saved = self._one(self.model.checkpoints, pick)
        if saved is None:
            return
        used = self.model.consumed(saved.id) or self.model.started_from(saved.id, by_step=True)
        allowed = not used and self.model.runs[saved.run].status not in ACTIVE
        if self._do(allowed, lambda: self.lab.experiments.delete_checkpoint(saved.id) or True):
            del self.model.checkpoints[saved.id]

    @rule(keep=st.sampled_from(["best+final", "best", "final", "all"]))
    def clean_up(self, keep: Keep) -> None:
        """Free the checkpoints that nobody asks for."""
        gone = self.model.checkpoints.keys() - self.model.kept(keep)
        self._do(True, lambda: self.care.free(self.project, keep), moves=bool(gone))
        for key in gone:
            del self.model.checkpoints[key]
        self._agree_on_runs()

    # Doing it.

    def _do(self, allowed: bool, act: Callable[[], T], *, moves: bool = True) -> T | None:  # noqa: FBT001
        """Do something that is allowed or refused, as the model says; None where it is refused.

        The project's revision, by which views see that something has changed, moves only where it has.
        """
        STEPS["taken"] += 1
        before = self.lab.store.revision(self.project)
        try:
            done = act()
        except PipelineError as error:
            assert not allowed, f"it should be allowed: {error}"
            assert self.lab.store.revision(self.project) == before, "a refusal has raised the revision"
            STEPS["refused"] += 1
            return None
        assert allowed, "it should be refused"
        moved = self.lab.store.revision(self.project) > before
        assert moved or not moves, "a change has not raised the revision"
        assert moves or not moved, "the revision was raised for nothing"
        return done

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
        assert [_plain(each.stage) for each in state.stages] == pipeline.stages
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

    def _trigger(self, pipeline: Pipeline, at: int, *, resume: bool) -> int | None:
        model, stage = self.model, pipeline.stages[at]
        allowed = model.why_not(pipeline, at, resume=resume) is None
        wanted = model.start_of(pipeline, at, resume=resume) if allowed else Start()
        plan = self.lab.runs.plan(stage.id, resume=resume)
        assert bool(plan.blockers) == (not allowed), f"{plan.blockers}"
        follows = 0
        while at + 1 + follows < len(pipeline.stages) and pipeline.stages[at + 1 + follows].trigger == "auto":
            follows += 1
        assert len(plan.follows) == follows
        run = self._do(allowed, lambda: self.lab.runs.trigger(stage.id, resume=resume))
        if run is None:
            return None
        self._ran(run.id, pipeline, stage, stage.experiment, wanted)
        return run.id

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

    def _take(self, key: int) -> None:
        job = self.lab.supervision.take(key, an_owner())
        free = self.model.runs[key].status == "Pending" and key not in self.jobs
        assert (job is not None) == free, "a run is carried out once"
        if job is not None:
            self.jobs[key] = job

    def _start(self, key: int) -> None:
        job = self.jobs[key]
        self._do(True, lambda: self.lab.supervision.started(job, CHILD) or True)
        self.model.runs[key].status = "Running"

    def _trains(self, run: Run) -> bool:
        return run.status in {"Running", "Stopping"} and run.experiment is not None

    def _save(self, key: int, step: int, evaluation: Any, training: Any, *, content: str | None) -> None:
        run, job = self.model.runs[key], self.jobs[key]
        if run.experiment is None:
            return
        text = f"run {key} step {step}" if content is None else content
        start = self.model.checkpoints.get(run.start or 0)
        if start is not None and run.start_role == "resume":
            step += start.step
        folder = a_folder(Path(job.folder) / "checkpoints", f"{step:010d}", text)
        saved = Saved(
            step=step,
            folder=folder,
            training_score=training,
            evaluation_score=evaluation,
            signature=dict(job.signature),
        )
        self._do(True, lambda: self.lab.supervision.record(job, Batch(saved=[saved])) or True)
        found = next(c for c in self.lab.runs.checkpoints(key) if c.step == step)
        base = run.config[1] if run.config is not None else None
        self.model.checkpoints[found.id] = Checkpoint(
            self._fresh("checkpoint", found.id), key, step, evaluation, training, text, base
        )

    def _finish(self, key: int, status: Status) -> int | None:
        """End a run; return the run that its supervisor goes on with."""
        model, run, job = self.model, self.model.runs[key], self.jobs[key]
        stopping = run.status == "Stopping"
        placed, frozen = None, None
        if run.experiment is None and status is not Status.STOPPED:
            checkpoint = model.checkpoints[run.start or 0]
            assert job.start is not None
            copy = self._frozen(job.start, run.agent_name, checkpoint.step)
            placed = self.lab.supervision.deploy(job, copy)
            agent = self._version(run.agent_name, placed.agent_id, checkpoint.id)
            if status is not Status.SUCCEEDED:
                self.lab.supervision.withdraw(placed)
                agent.current = placed.former - 1 if placed.former is not None else agent.current
        elif job.freeze is not None and status is Status.SUCCEEDED and model.line_of(run):
            best = model.best(model.line_of(run), higher=model.higher(run.experiment))
            value = next(c for c in self.lab.runs.checkpoints(best.run) if c.id == best.id)
            frozen = self._frozen(value, f"{job.freeze.name} - step {best.step}", best.step)
        error = "It broke." if status in {Status.FAILED, Status.CRASHED} else None
        outcome, owner = Outcome(status=status, error=error, frozen=frozen), an_owner()
        next_job = self._do(True, lambda: (self.lab.supervision.finish(job, outcome, owner),))
        assert next_job is not None
        run.status = "Stopped" if stopping and status is Status.SUCCEEDED else str(status)
        self._ended(run)
        if run.status == "Succeeded" and frozen is not None:
            agent_id = next(a.id for a in self.lab.agents.all() if a.name == frozen.name)
            best = model.best(model.line_of(run), higher=model.higher(run.experiment))
            self._version(frozen.name, agent_id, best.id)
        return self._cascaded(run, next_job[0])

    def _cascaded(self, run: Run, job: Job | None) -> int | None:
        model = self.model
        found = model.cascade(run) if run.status == "Succeeded" else None
        if found is None or not found[1]:
            assert job is None, "only a success starts the next stage, if that is Auto and can start"
            if found is not None:
                model.mark(found[0].id).held = max(model.runs)
            return None
        assert job is not None, "an Auto stage did not start"
        pipeline, at = model.pipeline_of(found[0].id)
        wanted = model.start_of(pipeline, at)
        self._ran(job.run_id, pipeline, found[0], found[0].experiment, wanted)
        self.jobs[job.run_id] = job
        return job.run_id

    def _frozen(self, value: Any, name: str, step: int) -> Frozen:
        folder = Folder(path=Path(value.path), size=value.size, digest=value.digest)
        copy = artifacts.copy(folder, self.lab.store.agents_folder, stem=f"{step:010d}-{value.id}")
        return Frozen(name=name, step=step, digest=copy.digest, path=str(copy.path))

    def _version(self, name: str, agent_id: int, checkpoint: int) -> Agent:
        """Remember that an agent has a new version, or that there is a new agent."""
        if agent_id not in self.model.agents:
            self.model.agents[agent_id] = Agent(self._fresh("agent", agent_id), name)
        agent = self.model.agents[agent_id]
        assert agent.name == name
        agent.versions.append(checkpoint)
        agent.current = len(agent.versions) - 1
        return agent

    def _ended(self, run: Run) -> None:
        self.ends[run.id] = run.status
        assert run.status in ENDED
        if run.id in self.jobs:
            self.over = [*self.over[-5:], self.jobs.pop(run.id)]

    def _stopped(self, run: Run) -> None:
        if run.status == "Pending":
            run.status = "Stopped"
            self._ended(run)
        else:
            run.status = "Stopping"

    def _add(self, pipeline: Pipeline, stage: Stage, position: int | None, *, duplicate: bool) -> None:
        model, at = self.model, len(pipeline.stages) if position is None else position
        stages = [*pipeline.stages[:at], stage, *pipeline.stages[at:]]
        allowed = at <= len(pipeline.stages)
        if allowed:
            asked = [replace(s, experiment=-1) if s is stage and duplicate else s for s in stages]
            mine = asked[at]
            allowed = not model.edit_refused(pipeline, asked, mine)
            allowed = allowed and self._fits(pipeline, model.settled(stages), at)
            allowed = allowed and (stage.start[0] != "agent" or stage.start[1] in model.agents)
        value = _value(stage)
        done = self._do(
            allowed,
            lambda: self.lab.pipelines.add_stage(pipeline.id, value, position=position, duplicate=duplicate),
        )
        if done is None:
            return
        added = done[0]
        self._fresh("stage", added.id)
        if duplicate and isinstance(added, chain.ExperimentStage):
            original = model.experiments[stage.experiment or 0]
            copy = self.lab.experiments.get(added.experiment_id)
            self._know(copy.id, copy.name, original.kind, original.config)
            stages[at] = replace(stages[at], experiment=copy.id)
        stages[at] = replace(stages[at], id=added.id)
        model.marks[added.id] = Mark()
        self._edited(pipeline, model.settled(stages))

    def _fits(self, pipeline: Pipeline, stages: list[Stage], at: int) -> bool:
        return self.model.fits(replace(pipeline, stages=stages), at, stages[at])

    def _edited(self, pipeline: Pipeline, stages: list[Stage]) -> None:
        if stages != pipeline.stages:
            self.model.edit(pipeline, stages=stages)

    def _new_pipeline(self) -> Pipeline:
        name = self._name("pipeline")
        value = self._do(True, lambda: self.lab.pipelines.create(self.project, name))
        assert value is not None
        self.model.pipelines[value.id] = Pipeline(self._fresh("pipeline", value.id), name)
        return self.model.pipelines[value.id]

    def _new_experiment(self, kind: str, config: tuple[Any, ...]) -> Experiment:
        name = self._name(kind.lower())
        value = self._do(
            True, lambda: self.lab.experiments.create(self.project, name, made(kind, config), seed=0)
        )
        assert value is not None
        return self._know(value.id, name, kind, config)

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

    def _stage(self, pick: int) -> tuple[Pipeline, int] | None:
        found = [(p, at) for p in self.model.pipelines.values() for at in range(len(p.stages))]
        return found[pick % len(found)] if found else None


def _value(stage: Stage) -> chain.Stage:
    """Return a stage as the services take it."""
    gate: chain.Gate | None = None
    if stage.gate is not None:
        gate = (
            chain.ScoreAtLeast(stage.gate[1]) if stage.gate[0] == "at least" else chain.BetterThanDeployed()
        )
    trigger = chain.Trigger(stage.trigger)
    if stage.experiment is None:
        return chain.DeploymentStage(
            id=stage.id, agent_name=stage.agent_name, choice=stage.start[1], trigger=trigger, gate=gate
        )
    kind, which = stage.start
    start = chain.FromScratch() if kind == "scratch" else chain.FromSource(which)
    return chain.ExperimentStage(
        id=stage.id,
        experiment_id=stage.experiment,
        trigger=trigger,
        start=chain.FromAgent(which) if kind == "agent" else start,
        auto_add_agent=stage.auto_add,
        gate=gate,
    )


def _plain(stage: chain.Stage) -> Stage:
    """Return a stage as the model knows it."""
    gate: tuple[str, float] | None = None
    if stage.gate is not None:
        gate = (
            ("at least", stage.gate.score) if isinstance(stage.gate, chain.ScoreAtLeast) else ("better", 0.0)
        )
    trigger: Any = str(stage.trigger)
    if isinstance(stage, chain.DeploymentStage):
        return Stage(stage.id, None, trigger, ("source", stage.choice), gate, stage.agent_name)
    start: tuple[str, Any] = ("scratch", None)
    if isinstance(stage.start, chain.FromAgent):
        start = ("agent", stage.start.agent_id)
    elif isinstance(stage.start, chain.FromSource):
        start = ("source", stage.start.choice)
    return Stage(stage.id, stage.experiment_id, trigger, start, gate, auto_add=stage.auto_add_agent)
