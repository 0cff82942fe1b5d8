"""Edits of experiments, pipelines and stages, from two kernels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from pipeline_widgets.domain import chain
from pipeline_widgets.errors import StaleWriteError
from simulate.lockstep import BASES, CHOICES, GATES, MOST, PICK, TRIGGERS, Lockstep, made
from simulate.translate import value_of
from simulate.values import ACTIVE, KINDS, Experiment, Mark, Pipeline, Stage


class Editing(Lockstep):
    """Rules that edit."""

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
    def new_pipeline(self, pick: int) -> None:
        """Make an empty pipeline, or a copy of one."""
        if len(self.model.pipelines) >= MOST:
            return
        original = self._one(self.model.pipelines, pick)
        if pick % 2 or original is None:
            self._new_pipeline()
            return
        value = self._must(lambda: self.lab.pipelines.duplicate(original.id))
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
    def add_stage(  # noqa: PLR0917  as the rule draws them
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
        value = value_of(new)
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
        done = self._do(not taken, lambda: self.lab.pipelines.update(pipeline.id, name=wanted))
        if done is not None and wanted != pipeline.name:
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
        """Undo the last edit of a pipeline that is not undone yet, or do it again."""
        pipeline = self._one(self.model.pipelines, pick // 3)
        if pipeline is None:
            return
        redo = pick % 3 == 0
        model, left = self.model, pipeline.redos if redo else pipeline.undos
        undo = left[-1] if left else None
        allowed = undo is not None
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
        act = self.history.redo if redo else self.history.undo
        if self._do(allowed, lambda: act(pipeline.id)) is None or undo is None:
            return
        now = {each.id: model.mark(each.id).held for each in pipeline.stages}
        model.edit(
            pipeline,
            stages=undo.stages,
            name=undo.name,
            description=undo.description,
            marked=set(undo.marks),
            returns="redo" if redo else "undo",
        )
        for stage, ids in undo.runs.items():
            for key in ids:
                if key in model.runs and model.runs[key].stage is None:
                    model.runs[key].stage, model.runs[key].pipeline = stage, pipeline.id
        ran = {r.stage for r in model.runs.values() if r.id > undo.last_run}
        ids = [each.id for each in undo.stages]
        for stage, mark in undo.marks.items():
            at = ids.index(stage)
            since = stage in ran or (at > 0 and ids[at - 1] in ran)
            model.marks[stage] = replace(mark, held=now.get(stage, 0) if since else mark.held)

    @rule(pick=PICK, note=st.just("good enough"))
    def accept(self, pick: int, note: str) -> None:
        """Accept a stale stage as fresh; now and then one that is not stale, where it is refused."""
        found = self._stage(pick // 4, stale=pick % 4 > 0)
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
        """Let the other kernel edit what it has on its screen: refused where that is an old view.

        An edit of the description minds edits of the texts only; one of a stage minds all.
        """
        at = pick % len(self.seen)
        seen, edition = self.seen[at], self.editions[at]
        pipeline = self.model.pipelines.get(seen.id)
        if pipeline is None:
            return
        if pick % 2 and pipeline.stages:
            last, to = pipeline.stages[-1], len(pipeline.stages) - 1
            fresh = pipeline.edition == edition and self.model.status(last) not in ACTIVE
            self._do(fresh, lambda: self.lab.pipelines.move_stage(last.id, to, expected_version=seen.version))
            return
        text = f"described {pick}"
        fresh = pipeline.text_edition <= edition
        try:
            done = self._do(
                fresh,
                lambda: self.lab.pipelines.update(seen.id, description=text, expected_version=seen.version),
            )
        except StaleWriteError:
            raise AssertionError("a fresh view was refused") from None
        if done is not None and text != pipeline.description:
            self.model.edit(pipeline, description=text)

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
        value = value_of(stage)
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
        value = self._must(lambda: self.lab.pipelines.create(self.project, name))
        assert value is not None
        self.model.pipelines[value.id] = Pipeline(self._fresh("pipeline", value.id), name)
        return self.model.pipelines[value.id]

    def _new_experiment(self, kind: str, config: tuple[Any, ...]) -> Experiment:
        name = self._name(kind.lower())
        value = self._must(
            lambda: self.lab.experiments.create(self.project, name, made(kind, config), seed=0)
        )
        assert value is not None
        return self._know(value.id, name, kind, config)
