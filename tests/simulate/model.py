"""The rules of sections 5 and 6 of the specification, written down once more and independently.

Nothing of the domain is used: a disagreement between this file and the services is a fault of one of them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

from simulate.values import (
    ACTIVE,
    ENDED,
    KINDS,
    Agent,
    Checkpoint,
    Experiment,
    Mark,
    Pipeline,
    Run,
    Stage,
    Start,
    Undo,
)

KEPT_EDITS = 20


class Model:
    """A project, by the rules."""

    def __init__(self) -> None:
        self.experiments: dict[int, Experiment] = {}
        self.pipelines: dict[int, Pipeline] = {}
        self.runs: dict[int, Run] = {}
        self.checkpoints: dict[int, Checkpoint] = {}
        self.agents: dict[int, Agent] = {}
        self.marks: dict[int, Mark] = {}

    # What is there.

    def pipeline_of(self, stage: int) -> tuple[Pipeline, int]:
        """Return the pipeline in which a stage stands, and where."""
        for pipeline in self.pipelines.values():
            for at, each in enumerate(pipeline.stages):
                if each.id == stage:
                    return pipeline, at
        raise KeyError(stage)

    def mark(self, stage: int) -> Mark:
        """Return what is kept with a stage."""
        return self.marks.setdefault(stage, Mark())

    def runs_of(self, stage: Stage) -> list[Run]:
        """Return the runs of a stage with the experiment that it is bound to now."""
        return [r for r in self.runs.values() if r.stage == stage.id and r.experiment == stage.experiment]

    def latest(self, stage: Stage) -> Run | None:
        """Return the latest run."""
        mine = self.runs_of(stage)
        return max(mine, key=lambda r: r.id) if mine else None

    def status(self, stage: Stage) -> str:
        """Return the status of a stage: that of its latest run."""
        latest = self.latest(stage)
        return latest.status if latest else "Draft"

    def success(self, stage: Stage) -> Run | None:
        """Return the latest run that succeeded."""
        mine = [r for r in self.runs_of(stage) if r.status == "Succeeded"]
        return max(mine, key=lambda r: r.id) if mine else None

    def saved_by(self, run: Run) -> list[Checkpoint]:
        """Return what a run saved itself."""
        return [c for c in self.checkpoints.values() if c.run == run.id]

    def line_of(self, run: Run | None) -> list[Checkpoint]:
        """Return what a run saved and, up to where it was resumed, what those before it had saved."""
        if run is None:
            return []
        own = self.saved_by(run)
        before = self.runs.get(run.resumed or 0)
        if before is None:
            return own
        start = self.checkpoints.get(run.start or 0)
        steps = {c.step for c in own}
        line = self.line_of(before)
        last = start.step if start is not None and start in line else math.inf
        return [*(c for c in line if c.step <= last and c.step not in steps), *own]

    def offers(self, stage: Stage) -> list[Checkpoint]:
        """Return what a stage offers to those after it."""
        success = self.success(stage)
        if success is not None:
            return self.line_of(success)
        ended = [r for r in self.runs_of(stage) if r.status in ENDED and self.line_of(r)]
        return self.line_of(max(ended, key=lambda r: r.id)) if ended else []

    def source(self, pipeline: Pipeline, at: int) -> tuple[Stage, int] | None:
        """Return the nearest Experiment stage before a position."""
        for back in range(at - 1, -1, -1):
            if not pipeline.stages[back].deploys:
                return pipeline.stages[back], back
        return None

    # Which checkpoint.

    def higher(self, experiment: int | None) -> bool:
        """Whether a higher score is better."""
        return experiment is None or KINDS[self.experiments[experiment].kind].higher

    @staticmethod
    def best(found: list[Checkpoint], *, higher: bool) -> Checkpoint:
        """Return the best: by evaluation, else by training score, else the one with most steps."""
        for score in ("evaluation", "training"):
            scored = [c for c in found if getattr(c, score) is not None and math.isfinite(getattr(c, score))]
            if scored:
                best = (max if higher else min)(getattr(c, score) for c in scored)
                return max((c for c in scored if getattr(c, score) == best), key=lambda c: c.step)
        return max(found, key=lambda c: c.step)

    def chosen(self, source: Stage, choice: Any) -> Checkpoint | None:
        """Return the checkpoint of a source stage that a choice means."""
        found = self.offers(source)
        if not found:
            return None
        if choice == "best":
            return self.best(found, higher=self.higher(source.experiment))
        if choice == "final":
            return max(found, key=lambda c: c.step)
        return next((c for c in found if c.step == choice), None)

    # Whether it can start.

    def fits(self, pipeline: Pipeline, at: int, stage: Stage) -> bool:
        """Whether a stage's algorithm can start from what the stage is set to start from."""
        if stage.experiment is None:
            return True
        mine = self.experiments[stage.experiment]
        if stage.start[0] == "scratch":
            return KINDS[mine.kind].scratch
        if stage.start[0] == "agent":
            agent = self.agents.get(stage.start[1])
            if agent is None:
                return False
            saved = self.checkpoints[agent.checkpoint]
            return self._takes(mine, self._maker(saved), saved.base)
        source = self.source(pipeline, at)
        if source is None:
            return False
        assert source[0].experiment is not None
        theirs = self.experiments[source[0].experiment]
        offered = self.offers(source[0])
        base = theirs.base
        if offered:
            used = self.chosen(source[0], stage.start[1]) or max(offered, key=lambda c: (c.step, c.id))
            base = used.base if used.base is not None else base
        return self._takes(mine, theirs, base)

    def why_not(  # noqa: PLR0911  one reason each
        self, pipeline: Pipeline, at: int, *, resume: bool = False
    ) -> str | None:
        """Return why a stage cannot be triggered now; None where it can."""
        stage = pipeline.stages[at]
        if self.status(stage) in ACTIVE:
            return "it is active"
        if stage.experiment is not None and self.busy(stage.experiment):
            return "its experiment is running elsewhere"
        if at and self.status(pipeline.stages[at - 1]) in ACTIVE:
            return "the stage before it is active"
        if resume:
            latest = self.latest(stage)
            if latest is None or latest.status not in {"Stopped", "Failed", "Crashed"}:
                return "there is nothing to resume"
            if stage.deploys or not self.line_of(latest):
                return "there is no checkpoint to go on from"
            return None
        if not self.fits(pipeline, at, stage):
            return "it does not fit"
        source = self.source(pipeline, at)
        if (
            source is not None
            and stage.start[0] == "source"
            and self.chosen(source[0], stage.start[1]) is None
        ):
            return "its source stage has no such checkpoint"
        return None

    def busy(self, experiment: int) -> bool:
        """Whether an experiment has an active run, in whatever stage."""
        return any(r.experiment == experiment and r.status in ACTIVE for r in self.runs.values())

    def start_of(self, pipeline: Pipeline, at: int, *, resume: bool = False) -> Start:
        """Return what a stage that can be triggered starts from."""
        stage = pipeline.stages[at]
        if resume:
            latest = self.latest(stage)
            assert latest is not None
            last = max(self.line_of(latest), key=lambda c: c.step)
            return Start(last.id, "resume", latest.source, latest.id)
        if stage.start[0] == "agent":
            return Start(self.agents[stage.start[1]].checkpoint, "agent")
        source = self.source(pipeline, at)
        if source is None or stage.start[0] != "source":
            return Start()
        found = self.chosen(source[0], stage.start[1])
        assert found is not None
        return Start(found.id, "source", found.id)

    # What a success starts.

    def cascade(self, run: Run) -> tuple[Stage, bool] | None:
        """Return the Auto stage after a run that succeeded, and whether it starts; None without one."""
        if run.stage is None:
            return None
        pipeline, at = self.pipeline_of(run.stage)
        if at + 1 >= len(pipeline.stages) or pipeline.stages[at + 1].trigger != "auto":
            return None
        after = pipeline.stages[at + 1]
        if self.why_not(pipeline, at + 1) is not None:
            return after, False
        return after, self._gate_met(pipeline, at + 1)

    def _gate_met(self, pipeline: Pipeline, at: int) -> bool:
        stage, source = pipeline.stages[at], self.source(pipeline, at)
        if stage.gate is None or source is None:
            return True
        found = self.chosen(source[0], stage.start[1])
        assert found is not None
        score = found.evaluation
        if score is None or not math.isfinite(score):
            return False
        higher = self.higher(source[0].experiment)
        if stage.gate[0] == "at least":
            return score >= stage.gate[1] if higher else score <= stage.gate[1]
        named = next((a for a in self.agents.values() if a.name == stage.agent_name), None)
        now = self.checkpoints[named.checkpoint].evaluation if named else None
        if now is None or not math.isfinite(now):
            return True
        return score > now if higher else score < now

    # Stale.

    def stale(self, pipeline: Pipeline) -> dict[int, tuple[bool, bool]]:
        """Tell of each stage whether it is stale, and whether that was accepted as fresh."""
        found: dict[int, tuple[bool, bool]] = {}
        for at, stage in enumerate(pipeline.stages):
            out_of_date = self._out_of_date(pipeline, at, found)
            accepted = False
            if out_of_date:
                success, mark = self.success(stage), self.mark(stage.id)
                assert success is not None
                accepted = mark.accepted == (success.id, self.upstream(pipeline, at))
            found[stage.id] = (out_of_date and not accepted, accepted)
        return found

    def upstream(self, pipeline: Pipeline, at: int) -> tuple[Any, ...]:
        """Return what an acceptance holds for: the state of the stage and of all that feed it."""
        state: list[Any] = []
        feeding = [(pipeline.stages[at]), *(s for s in reversed(pipeline.stages[:at]) if not s.deploys)]
        for stage in feeding:
            success = self.success(stage)
            bound = None
            if stage.experiment is not None:
                bound = (stage.experiment, self.experiments[stage.experiment].config)
            choice = stage.start[1] if stage.start[0] == "source" else None
            state.append((stage.id, success.id if success else 0, bound, choice))
        return tuple(state)

    def _out_of_date(self, pipeline: Pipeline, at: int, before: dict[int, tuple[bool, bool]]) -> bool:
        stage = pipeline.stages[at]
        success = self.success(stage)
        if success is None:
            return False
        if stage.experiment is not None and success.config != self.experiments[stage.experiment].config:
            return True
        used = self.checkpoints.get(success.source or 0)
        source = self.source(pipeline, at)
        if source is None:
            return used is not None
        if used is None or before[source[0].id][0]:
            return True
        if self.success(source[0]) is None:
            return self.runs[used.run].experiment != source[0].experiment
        wanted = self.chosen(source[0], stage.start[1] if stage.start[0] == "source" else "best")
        return wanted is None or wanted.content != used.content

    # Edits.

    def edit_refused(self, pipeline: Pipeline, stages: list[Stage], asked: Stage | None) -> bool:
        """Whether stages cannot stand in that order, or an active one would be changed along.

        Args:
            pipeline: The pipeline as it is.
            stages: As it would be, before what has to change along.
            asked: The stage whose settings were asked for.
        """
        if asked is not None:
            at = next(i for i, each in enumerate(stages) if each is asked)
            if not self._may_stand(asked, at):
                return True
        bound = [each.experiment for each in stages if each.experiment is not None]
        if len(bound) != len(set(bound)):
            return True
        if stages and stages[0].deploys:
            return True
        new = {each.id: each for each in self.settled(stages) if each.id}
        return any(new.get(old.id, old) != old and self.status(old) in ACTIVE for old in pipeline.stages)

    @staticmethod
    def settled(stages: list[Stage]) -> list[Stage]:
        """Return stages with the settings that their positions demand."""
        settled: list[Stage] = []
        for at, each in enumerate(stages):
            stage = each
            if at == 0 and stage.trigger == "auto":
                stage = replace(stage, trigger="manual", gate=None)
            if not stage.deploys and at == 0 and stage.start[0] == "source":
                stage = replace(stage, start=("scratch", None))
            if not stage.deploys and at > 0 and stage.start[0] != "source":
                stage = replace(stage, start=("source", "best"))
            settled.append(stage)
        return settled

    @staticmethod
    def _may_stand(stage: Stage, at: int) -> bool:
        if at == 0 and stage.trigger == "auto":
            return False
        if stage.gate is not None and (stage.trigger != "auto" or math.isnan(stage.gate[1])):
            return False
        if stage.deploys:
            return True
        if stage.gate is not None and stage.gate[0] == "better":
            return False
        return (stage.start[0] == "source") == (at > 0)

    def edit(
        self,
        pipeline: Pipeline,
        *,
        stages: list[Stage] | None = None,
        name: str | None = None,
        description: str | None = None,
        marked: set[int] | None = None,
        accepts: bool = False,
        returns: Literal["undo", "redo"] | None = None,
    ) -> None:
        """Edit a pipeline and keep what an undo needs; an acceptance is none that makes others' views old."""
        before = pipeline.stages
        after = before if stages is None else stages
        new = {each.id: each for each in after}
        gone = [each.id for each in before if each.id not in new]
        changed = [each.id for each in before if new.get(each.id) != each or each.id in (marked or ())]
        undo = Undo(
            name=pipeline.name,
            description=pipeline.description,
            stages=list(before),
            runs={key: [r.id for r in self.runs.values() if r.stage == key] for key in gone},
            last_run=max(self.runs, default=0),
            marks={key: replace(self.mark(key)) for key in changed},
        )
        for key in gone:
            for run in self.runs.values():
                if run.stage == key:
                    run.stage = None
            self.marks.pop(key, None)
        old = {each.id: each for each in before}
        for each in after:
            if each.id in old and old[each.id] != each:
                self.mark(each.id).held = 0
        if not accepts:
            pipeline.edition += 1
        new_texts = (
            (pipeline.name if name is None else name),
            (pipeline.description if description is None else description),
        )
        if new_texts != (pipeline.name, pipeline.description):
            pipeline.text_edition = pipeline.edition
        pipeline.stages = list(after)
        pipeline.name = name if name is not None else pipeline.name
        pipeline.description = description if description is not None else pipeline.description
        if returns == "undo":
            pipeline.undos.pop()
            pipeline.redos.append(undo)
            return
        if returns == "redo":
            pipeline.redos.pop()
        else:
            pipeline.redos.clear()
        pipeline.undos = [*pipeline.undos, undo][-KEPT_EDITS:]

    # What uses a checkpoint.

    def consumed(self, checkpoint: int, *, but: set[int] | None = None) -> bool:
        """Whether a run has started from a checkpoint or consumed it, or an agent was made of it."""
        runs = (r for r in self.runs.values() if r.id not in (but or set()))
        return any(checkpoint in {r.start, r.source} for r in runs) or any(
            checkpoint in agent.versions for agent in self.agents.values()
        )

    def started_from(self, checkpoint: int, *, by_step: bool) -> bool:
        """Whether a stage would start from a checkpoint; `by_step`: it names the very step."""
        for pipeline in self.pipelines.values():
            for at, stage in enumerate(pipeline.stages):
                source = self.source(pipeline, at)
                if source is None or stage.start[0] != "source":
                    continue
                if by_step and isinstance(stage.start[1], str):
                    continue
                chosen = self.chosen(source[0], stage.start[1])
                if chosen is not None and chosen.id == checkpoint:
                    return True
        return False

    def kept(self, keep: str) -> set[int]:
        """Return the checkpoints that a clean-up leaves."""
        kept: set[int] = set()
        for run in self.runs.values():
            if run.experiment is None:
                continue
            line = self.line_of(run)
            if run.status in ACTIVE:
                kept |= {c.id for c in line}
            elif keep == "all":
                kept |= {c.id for c in self.saved_by(run)}
            elif line:
                if "best" in keep:
                    kept.add(self.best(line, higher=self.higher(run.experiment)).id)
                if "final" in keep or run.status != "Succeeded":
                    kept.add(max(line, key=lambda c: c.step).id)
        for each in self.checkpoints:
            if self.consumed(each) or self.started_from(each, by_step=False):
                kept.add(each)
        return kept

    def _maker(self, checkpoint: Checkpoint) -> Experiment:
        experiment = self.runs[checkpoint.run].experiment
        assert experiment is not None
        return self.experiments[experiment]

    @staticmethod
    def _takes(mine: Experiment, theirs: Experiment, base: str | None) -> bool:
        kind = KINDS[mine.kind]
        if kind.takes is None or kind.takes != KINDS[theirs.kind].makes:
            return False
        return not kind.matches or mine.base is None or base is None or mine.base == base
