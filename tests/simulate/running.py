"""Runs: triggered, taken, carried out, ended, given up; what they save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from factories.lab import CHILD, a_folder, an_owner
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import (
    FrozenCopy,
    Job,
    MetricReport,
    Outcome,
    PublishedFolder,
    SavedCheckpoint,
)
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import FencedError
from pipeline_widgets.persistence import artifacts
from simulate.lockstep import MOST, PICK, SCORED, SCORES, Lockstep
from simulate.values import ACTIVE, ENDED, KINDS, Agent, Checkpoint, Pipeline, Run, Start


class Running(Lockstep):
    """Rules that run."""

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
        """Go on from any checkpoint as a new experiment, which takes the place of the old one."""
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

    @rule(pick=PICK, resume=st.sampled_from([False, False, True]))
    def trigger(self, pick: int, resume: bool) -> None:  # noqa: FBT001
        """Trigger a stage: any, or one that can be triggered."""
        found = self._stage(pick // 2, ready=pick % 2 == 0 and not resume)
        if found is not None:
            self._trigger(*found, resume=resume)

    @rule(pick=PICK, scores=SCORED, same=st.booleans())
    def do_stage(self, pick: int, scores: list[tuple[Any, Any]], same: bool) -> None:  # noqa: FBT001
        """Trigger a stage and carry it out, and what follows."""
        found = self._stage(pick, ready=True)
        if found is None:
            return
        self._carry_out(self._trigger(*found, resume=False), scores, same=same)

    @rule(pick=PICK, scores=SCORED, same=st.booleans())
    def go_on(self, pick: int, scores: list[tuple[Any, Any]], same: bool) -> None:  # noqa: FBT001
        """Carry out a run that is active, and what follows."""
        run = self._one(self.model.runs, pick, lambda r: r.status in {"Pending", "Running"})
        if run is not None:
            self._carry_out(run.id, scores, same=same)

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
        lease = next(each for each in leases if each.subject_id == run.id)
        assert self._must(lambda: self.lab.supervision.give_up(lease, "It is gone."))
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
            "start": lambda: self.lab.supervision.record_start(job, CHILD),
            "record": lambda: self.lab.supervision.record(
                job, Batch(reported=[MetricReport(step=99, total=None, metrics={"x": 1.0})])
            ),
            "finish": lambda: self.lab.supervision.finish(job, Outcome(status=Status.SUCCEEDED), an_owner()),
        }
        try:
            calls[how]()
        except FencedError:
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
        if pipeline is None:
            return
        self._must(lambda: self.lab.runs.stop_all(pipeline.id))
        for stage in pipeline.stages:
            latest = self.model.latest(stage)
            if latest is not None and latest.status in ACTIVE:
                self._stopped(latest)

    def _carry_out(self, key: int | None, scores: list[tuple[Any, Any]], *, same: bool) -> None:
        """Let a run, and what it starts, train and succeed."""
        for _ in range(MOST + 1):
            if key is None:
                return
            if key not in self.jobs:
                self._take(key)
            if self.model.runs[key].status == "Pending":
                self._start(key)
            first = max((c.step for c in self.model.saved_by(self.model.runs[key])), default=0)
            for number, score in enumerate(scores, 1):
                self._save(key, first + 10 * number, *score, content=f"same {number}" if same else None)
            key = self._finish(key, Status.SUCCEEDED)

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

    def _take(self, key: int) -> None:
        job = self.lab.supervision.take(key, an_owner())
        free = self.model.runs[key].status == "Pending" and key not in self.jobs
        assert (job is not None) == free, "a run is carried out once"
        if job is not None:
            self.jobs[key] = job

    def _start(self, key: int) -> None:
        job = self.jobs[key]
        self._must(lambda: self.lab.supervision.record_start(job, CHILD) or True)
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
        saved = SavedCheckpoint(
            step=step,
            folder=folder,
            training_score=training,
            evaluation_score=evaluation,
            signature=dict(job.signature),
        )
        self._must(lambda: self.lab.supervision.record(job, Batch(saved=[saved])) or True)
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
                self.lab.supervision.restore_former_version(placed)
                agent.current = placed.former - 1 if placed.former is not None else agent.current
        elif job.freeze is not None and status is Status.SUCCEEDED and model.line_of(run):
            best = model.best(model.line_of(run), higher=model.higher(run.experiment))
            value = next(c for c in self.lab.runs.checkpoints(best.run) if c.id == best.id)
            frozen = self._frozen(value, f"{job.freeze.name} - step {best.step}", best.step)
        error = "It broke." if status in {Status.FAILED, Status.CRASHED} else None
        outcome, owner = Outcome(status=status, error=error, frozen=frozen), an_owner()
        next_job = self._must(lambda: (self.lab.supervision.finish(job, outcome, owner),))
        assert next_job is not None
        run.status = "Stopped" if stopping and status is Status.SUCCEEDED else str(status)
        self._ended(run)
        if run.status == "Succeeded" and frozen is not None:
            agent_id = next(a.id for a in self.lab.agents.all() if a.name == frozen.name)
            best = model.best(model.line_of(run), higher=model.higher(run.experiment))
            self._version(frozen.name, agent_id, best.id)
        (following,) = next_job
        assert following is None or isinstance(following, Job)
        return self._cascaded(run, following)

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

    def _frozen(self, value: Any, name: str, step: int) -> FrozenCopy:
        folder = PublishedFolder(path=Path(value.path), size=value.size, digest=value.digest)
        copy = artifacts.copy(folder, self.lab.store.agents_folder, stem=f"{step:010d}-{value.id:032x}")
        return FrozenCopy(name=name, step=step, digest=copy.digest, path=str(copy.path))

    def _version(self, name: str, agent_id: int, checkpoint: int) -> Agent:
        """Remember that an agent has a new version, or that there is a new agent."""
        if agent_id not in self.model.agents:
            self.model.agents[agent_id] = Agent(self._fresh("agent", agent_id), name)
        agent = self.model.agents[agent_id]
        assert agent.name == name
        agent.versions.append(checkpoint)
        agent.current = len(agent.versions) - 1
        return agent
