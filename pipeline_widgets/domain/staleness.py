"""Decide which stages are stale, and why (spec 6.8): from what was consumed, never from time stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, FromSource, Pipeline, Stage
from pipeline_widgets.domain.checkpoint import Checkpoint, Choice
from pipeline_widgets.domain.code_difference import find_code_differences
from pipeline_widgets.domain.comparison import ABSENT, compare_settings, merge_config
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.pipeline_facts import PipelineFacts, StageFacts
from pipeline_widgets.domain.run import Run
from pipeline_widgets.errors import NoCheckpointError, format_value

CONFIG_CHANGED = "config changed"
CODE_CHANGED = "code changed"
MOST_FIELDS = 5  # of a config that a reason names
NO_LONGER_FED = "It no longer starts from the checkpoint that it used"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Something that was one thing when a stage ran, and is another now."""

    #: A field of the config, its keys joined by dots, what is used of another stage, or a place in code.
    name: str
    #: What the run used; `ABSENT` where it had none.
    old: Any
    #: What there is now; `ABSENT` where there is none.
    new: Any
    #: Whether the two are lines of code.
    is_code: bool = False


class StaleReason(str):
    """Why a stage is stale: a sentence, with the values that it is about."""

    __slots__ = ("_changes", "_headline", "_stage_id")

    def __new__(
        cls, text: str, *, headline: str = "", changes: Sequence[Change] = (), stage_id: int | None = None
    ) -> Self:
        """Make a reason.

        Args:
            text: The sentence.
            headline: The same without the values.
            changes: The values.
            stage_id: The other stage that it is about.
        """
        made = super().__new__(cls, text)
        made._headline, made._changes, made._stage_id = headline or text, tuple(changes), stage_id
        return made

    @property
    def changes(self) -> tuple[Change, ...]:
        """What has changed, with both values: fields of the config, or the checkpoint that would be used."""
        return self._changes

    @property
    def headline(self) -> str:
        """The sentence without the values that stand in `changes`."""
        return self._headline

    @property
    def stage_id(self) -> int | None:
        """The stage before it that the reason is about; None where it is about the stage's own."""
        return self._stage_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Staleness:
    """Whether a stage's latest success is out of date, with a sentence for each reason."""

    stale: bool
    reasons: tuple[StaleReason, ...]
    #: Set when there are reasons, but they were accepted as fresh.
    accepted: bool = False


def compute_staleness(pipeline: Pipeline, facts: PipelineFacts) -> dict[int, Staleness]:
    """Tell of each stage, by its id, whether it is stale."""
    found: dict[int, Staleness] = {}
    for stage in pipeline.stages:
        found[stage.id] = _of(stage, pipeline, facts, found)
    return found


def describe_upstream(pipeline: Pipeline, stage_id: int, facts: PipelineFacts) -> str:
    """Return what "Accept as fresh" accepts: the runs, configs and code upstream, and the stage's own.

    As long as it stays the same, the acceptance holds; the next re-run or edit upstream ends it.
    """
    parts: list[str] = []
    for each in (pipeline.stage(stage_id), *pipeline.ancestors(stage_id)):
        known = facts.for_stage(each.id)
        bound = f"{known.experiment.id}:{known.experiment.config_digest}" if known.experiment else ""
        ran = known.succeeded.id if known.succeeded else 0
        code = f":{known.code_now.digest}" if known.code_now and known.code_change else ""
        parts.append(f"{each.id}:{ran}:{bound}:{get_source_choice(each)}{code}")
    return "|".join(parts)


def get_source_choice(stage: Stage) -> Choice | None:
    """Return which checkpoint of the source stage a stage asks for; None if it needs none."""
    match stage:
        case DeploymentStage(choice=choice) | ExperimentStage(start=FromSource(choice)):
            return choice
        case _:
            return None


def _of(stage: Stage, pipeline: Pipeline, facts: PipelineFacts, found: dict[int, Staleness]) -> Staleness:
    known = facts.for_stage(stage.id)
    if known.succeeded is None:
        return Staleness(stale=False, reasons=())
    reasons = [*_own_reasons(known), *_source_reasons(stage, pipeline, facts, found)]
    accepted = (
        bool(reasons)
        and known.accepted is not None
        and known.accepted == describe_upstream(pipeline, stage.id, facts)
    )
    return Staleness(stale=bool(reasons) and not accepted, reasons=tuple(reasons), accepted=accepted)


def _own_reasons(known: StageFacts) -> list[StaleReason]:
    if known.experiment is None or known.succeeded is None:
        return []
    reasons: list[StaleReason] = []
    if known.succeeded.config_digest != known.experiment.config_digest:
        reasons.append(_describe_config_change(known.succeeded, known.experiment))
    if (place := known.code_change) is not None:
        reasons.append(StaleReason(f"{CODE_CHANGED}: {place}", changes=_list_code_changes(known)))
    return reasons


def _list_code_changes(known: StageFacts) -> list[Change]:
    """Return the lines of code that have changed, as far as both texts are kept."""
    if known.code_then is None or known.code_now is None:
        return []
    found = find_code_differences(known.code_then, known.code_now)
    return [
        Change(
            name=each.place,
            old=ABSENT if each.old is None else each.old,
            new=ABSENT if each.new is None else each.new,
            is_code=True,
        )
        for each in found
    ]


def _describe_config_change(run: Run, experiment: Experiment) -> StaleReason:
    """Name the fields that differ from those of a run, with both values."""
    configs = [merge_config({"seed": each.seed}, each.config) for each in (run, experiment)]
    changes = [
        Change(name=setting.name, old=setting.values[0], new=setting.values[1])
        for setting in compare_settings(configs)
        if setting.differs
    ]
    if not changes:
        return StaleReason(CONFIG_CHANGED)
    more = len(changes) - MOST_FIELDS
    named = ", ".join(f"{each.name}: {_say(each.old)} -> {_say(each.new)}" for each in changes[:MOST_FIELDS])
    text = f"{CONFIG_CHANGED}: {named}" + (f" and {more} more" if more > 0 else "")
    return StaleReason(text, headline=CONFIG_CHANGED, changes=changes)


def _say(value: object) -> str:
    return "none" if value is ABSENT else format_value(value)


def _source_reasons(
    stage: Stage, pipeline: Pipeline, facts: PipelineFacts, found: dict[int, Staleness]
) -> list[StaleReason]:
    source, known = pipeline.source(stage.id), facts.for_stage(stage.id)
    if source is None:
        if known.consumed is None:
            return []
        used = _name_checkpoint(known.consumed, known.consumed_from)
        return [StaleReason(NO_LONGER_FED, changes=[Change(name="Start", old=used, new=ABSENT)])]
    number = pipeline.position(source.id) + 1
    reasons: list[StaleReason] = []
    if changed := _consumption_changed(stage, known, facts.for_stage(source.id), number):
        change = _change_of_checkpoint(stage, known, facts.for_stage(source.id), number)
        reasons.append(StaleReason(changed, changes=[change], stage_id=source.id))
    if found[source.id].stale:
        reasons.append(StaleReason(f"Stage {number} is stale", stage_id=source.id))
    return reasons


def _change_of_checkpoint(stage: Stage, known: StageFacts, source: StageFacts, number: int) -> Change:
    """Return which checkpoint a stage has used, and which one it would use now."""
    now = None if source.succeeded is None else _choose_now(stage, source)
    made = source.succeeded if now and source.succeeded and now.run_id == source.succeeded.id else None
    choice = get_source_choice(stage) or "best"
    asked = f"Checkpoint at step {choice}" if isinstance(choice, int) else f"{choice.capitalize()} checkpoint"
    return Change(
        name=f"{asked} of stage {number}",
        old=ABSENT if known.consumed is None else _name_checkpoint(known.consumed, known.consumed_from),
        new=ABSENT if now is None else _name_checkpoint(now, made),
    )


def _name_checkpoint(checkpoint: Checkpoint, run: Run | None) -> str:
    return f"step {checkpoint.step}" + (f" of {run.label}" if run is not None else "")


def _consumption_changed(stage: Stage, known: StageFacts, source: StageFacts, number: int) -> str | None:
    used, latest = known.consumed_from, source.succeeded
    if known.consumed is None or used is None:
        return f"Stage {number} now comes before it, and was not used"
    if latest is None:
        bound = source.experiment.id if source.experiment else None
        if used.experiment_id == bound:
            return None  # it used a stopped run of the source stage, and no later one has succeeded
        return f"Stage {number} has another experiment, which has not succeeded yet"
    wanted = _choose_now(stage, source)
    if wanted is not None and wanted.digest == known.consumed.digest:
        return None  # the same content
    if used.id == latest.id:
        if wanted is None and source.yardstick is not None and source.checkpoints:
            return None  # without scores nothing tells that another one is the best
        now = "no checkpoint" if wanted is None else f"step {wanted.step}"
        return f"Stage {number} now gives {now}: used step {known.consumed.step}"
    if used.experiment_id != latest.experiment_id:
        return f"Stage {number} has another experiment: used {used.label} of the former one"
    return f"Stage {number} was re-run: used {used.label}, latest is {latest.label}"


def _choose_now(stage: Stage, source: StageFacts) -> Checkpoint | None:
    """The checkpoint that the stage would use now."""
    try:
        return source.choose(get_source_choice(stage) or "best").checkpoint
    except NoCheckpointError:
        return None
