"""Predict a trigger before it is carried out (spec 6.4), and list the problems of a chain (spec 5.12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline_widgets.directions import isolate, quote
from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, Pipeline, Stage, Trigger
from pipeline_widgets.domain.pipeline_facts import PipelineFacts, StageFacts
from pipeline_widgets.domain.retry import count_retries
from pipeline_widgets.domain.triggering import (
    assess_fit,
    can_resume,
    describe_gate,
    find_blockers,
    find_python_blockers,
    resolve_resume,
    resolve_start,
    stage_label,
)
from pipeline_widgets.errors import PipelineError


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The effects of a trigger. Stages are named as in "Stage 2 (grpo)"."""

    runs_now: str
    #: Which checkpoint it starts from, and by what that one was chosen.
    starts_from: str
    #: Whether finished work of this stage is run again.
    reruns: bool
    #: Stages that start automatically, each when the one before it succeeds and its gate is met.
    follows: tuple[str, ...]
    #: Stages whose results will no longer be of the latest.
    turns_stale: tuple[str, ...]
    #: Agents that get a new version.
    redeploys: tuple[str, ...]
    #: Why it cannot be triggered now; empty where it can.
    blockers: tuple[str, ...]
    #: Stages whose runs are retried after a crash, with how often.
    retries: tuple[str, ...] = ()
    #: Manual stages on the way, before which the run of a pipeline ends.
    stops_before: tuple[str, ...] = ()
    #: The run that could be resumed, where it begins again instead.
    not_resumed: tuple[str, ...] = ()
    #: Other code than before, another folder: what one should know of it.
    notes: tuple[str, ...] = ()

    @property
    def to_be_confirmed(self) -> bool:
        """Whether it re-runs finished work, cascades, begins again or has notes: a person should see it."""
        told = (self.follows, self.stops_before, self.turns_stale, self.not_resumed, self.notes)
        return self.reruns or any(told)

    def __str__(self) -> str:
        lines = [f"Runs now: {self.runs_now}, {self.starts_from}" + (" (again)" if self.reruns else "")]
        for title, names in (
            ("Follows automatically", self.follows),
            ("Waits for you", self.stops_before),
            ("Retried after a crash", self.retries),
            ("Turns stale", self.turns_stale),
            ("Deploys", self.redeploys),
            ("Not resumed", self.not_resumed),
            ("Note", self.notes),
            ("Cannot start yet", self.blockers),
        ):
            lines += [f"{title}: {'; '.join(names)}"] if names else []
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something that would stop a chain; `stage` is its label, empty for the whole pipeline."""

    stage: str
    problem: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.problem}" if self.stage else self.problem


def make_plan(
    pipeline: Pipeline,
    stage_id: int,
    facts: PipelineFacts,
    *,
    resume: bool = False,
    following: Sequence[Stage] | None = None,
    stops_before: Sequence[Stage] = (),
    folder_note: str | None = None,
) -> Plan:
    """Return what triggering a stage will do.

    Args:
        pipeline: The pipeline.
        stage_id: The stage.
        facts: What is known about the pipeline.
        resume: Whether its last run is resumed.
        following: The stages that are started after it without a person; by default the Auto stages.
        stops_before: The Manual stages on the way that are not.
        folder_note: What to know of the folder in which that goes on.
    """
    stage = pipeline.stage(stage_id)
    cascade = (stage, *(find_automatic(pipeline, stage) if following is None else following))
    ids = {each.id for each in cascade}
    stale = [
        each
        for each in pipeline.fed_by(stage_id)
        if each.id not in ids and facts.for_stage(each.id).succeeded is not None
    ]
    return Plan(
        runs_now=stage_label(pipeline, stage, facts),
        starts_from=_starts_from(pipeline, stage, facts, resume=resume),
        reruns=facts.for_stage(stage_id).succeeded is not None,
        follows=tuple(_following(pipeline, each, facts) for each in cascade[1:]),
        turns_stale=tuple(stage_label(pipeline, each, facts) for each in stale),
        stops_before=tuple(stage_label(pipeline, each, facts) for each in stops_before),
        redeploys=tuple(each.agent_name for each in cascade if isinstance(each, DeploymentStage)),
        blockers=tuple(map(str, find_blockers(pipeline, stage_id, facts, resume=resume))),
        retries=tuple(
            f"{stage_label(pipeline, each, facts)}, {count_retries(each.retries)}"
            for each in cascade
            if isinstance(each, ExperimentStage) and each.retries
        ),
        not_resumed=() if resume else tuple(_describe_resumable(facts.for_stage(stage_id))),
        notes=_notes(cascade, facts, folder_note),
    )


def find_notes(
    pipeline: Pipeline, stage: Stage, facts: PipelineFacts, folder_note: str | None = None
) -> tuple[str, ...]:
    """Return the notes on a trigger: other code than before, another folder.

    Args:
        pipeline: The pipeline.
        stage: The stage.
        facts: What is known about it, and about the Auto stages after it.
        folder_note: What to know of the folder in which a resumed run goes on.
    """
    return _notes((stage, *find_automatic(pipeline, stage)), facts, folder_note)


def _notes(stages: Sequence[Stage], facts: PipelineFacts, folder_note: str | None) -> tuple[str, ...]:
    return (*describe_other_code(stages, facts), *filter(None, [folder_note]))


def find_problems(pipeline: Pipeline, facts: PipelineFacts) -> tuple[Problem, ...]:
    """Return what is wrong with a chain before it runs.

    That is missing experiments, pairs that do not fit, and code of another Python.
    """
    found: list[Problem] = []
    if not pipeline.stages:
        found.append(Problem(stage="", problem="The pipeline has no stages."))
    for stage in pipeline.stages:
        fit = assess_fit(pipeline, stage, facts)
        reasons = [] if fit.fits else [fit.reason]
        reasons += [f"{each.reason} {each.fix}" for each in find_python_blockers(facts.for_stage(stage.id))]
        found += [Problem(stage=stage_label(pipeline, stage, facts), problem=reason) for reason in reasons]
    return tuple(found)


def describe_other_code(stages: Iterable[Stage], facts: PipelineFacts) -> Iterator[str]:
    """Say where code differs from what stages ran, or were set up with: every change once.

    Args:
        stages: The stages.
        facts: What is known about their pipeline.
    """
    said: set[tuple[str, str]] = set()
    for known in (facts.for_stage(stage.id) for stage in stages):
        place, experiment = known.code_change, known.experiment
        if place is None or experiment is None or (experiment.spec.name, place) in said:
            continue
        said.add((experiment.spec.name, place))
        ran, name = known.succeeded or known.latest, quote(experiment.name)
        before = f"in {ran.label} of {name}" if ran else f"where {name} was set up"
        yield f"{isolate(experiment.spec.name)} is defined differently here than {before}: {place}."


def find_automatic(pipeline: Pipeline, stage: Stage) -> Iterator[Stage]:
    """Yield the Auto stages that the success of a stage starts, one after the other."""
    following = pipeline.after(stage.id)
    while following is not None and following.trigger is Trigger.AUTO:
        yield following
        following = pipeline.after(following.id)


def _following(pipeline: Pipeline, stage: Stage, facts: PipelineFacts) -> str:
    condition = describe_gate(pipeline, stage, facts)
    return ", ".join(filter(None, (stage_label(pipeline, stage, facts), condition)))


def _describe_resumable(known: StageFacts) -> Iterator[str]:
    """Say which run of a stage could be resumed; nothing where none could."""
    if can_resume(known) and known.latest is not None:
        yield f"{known.latest.label.capitalize()}, {resolve_resume(known).reason.removeprefix('resumed ')}"


def _starts_from(pipeline: Pipeline, stage: Stage, facts: PipelineFacts, *, resume: bool) -> str:
    try:
        if resume:
            return resolve_resume(facts.for_stage(stage.id)).reason
        return resolve_start(pipeline, stage.id, facts).reason
    except PipelineError as error:
        return str(error)
