"""The roll-up of a pipeline: one word and a sentence (spec 3.8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.agent import AGENT_STATUSES_BY_URGENCY, AgentStatus
from pipeline_widgets.domain.chain import Trigger
from pipeline_widgets.domain.rollup import PipelineStatus, Rollup, StageSummary, roll_up
from pipeline_widgets.domain.run import ACTIVE, STATUSES_BY_URGENCY, Status

DRAFT, PENDING, RUNNING, STOPPING = Status.DRAFT, Status.PENDING, Status.RUNNING, Status.STOPPING
SUCCEEDED, FAILED = Status.SUCCEEDED, Status.FAILED

summaries = st.builds(
    StageSummary,
    name=st.sampled_from(["sft", "dpo", "grpo"]),
    status=st.sampled_from(Status),
    trigger=st.sampled_from(Trigger),
    held=st.none() | st.just("The gate is not met."),
)
chains = st.lists(summaries, min_size=1, max_size=6)
done = StageSummary(name="done", status=SUCCEEDED)


def of(*statuses: Status, trigger: Trigger = Trigger.MANUAL, held: str | None = None) -> Rollup:
    """Roll up stages named a, b, c and so on; the trigger and what holds it are the last one's."""
    stages = [StageSummary(name="abcdef"[at], status=status) for at, status in enumerate(statuses[:-1])]
    last = StageSummary(name="abcdef"[len(stages)], status=statuses[-1], trigger=trigger, held=held)
    return roll_up([*stages, last])


@pytest.mark.spec("3.8")
@pytest.mark.parametrize(
    ("statuses", "word", "detail"),
    [
        ([DRAFT, DRAFT], "Waiting for you", "Stage 1 (a) is next"),
        ([SUCCEEDED, DRAFT, DRAFT], "Waiting for you", "Stage 2 (b) is next"),
        ([SUCCEEDED, RUNNING, DRAFT], "Running", "Stage 2 (b) is running"),
        ([PENDING, DRAFT], "Pending", "Stage 1 (a) is pending"),
        ([STOPPING, SUCCEEDED], "Stopping", "Stage 1 (a) is stopping"),
        ([PENDING, FAILED, RUNNING], "Running", "Stage 3 (c) is running, 1 more stage is active"),
        ([STOPPING, SUCCEEDED, PENDING], "Running", "Stage 1 (a) is stopping, 1 more stage is active"),
        ([PENDING, PENDING, PENDING], "Pending", "Stage 1 (a) is pending, 2 more stages are active"),
        ([SUCCEEDED, FAILED, SUCCEEDED], "Failed", "Stage 2 (b) has failed"),
        ([Status.CRASHED, FAILED], "Crashed", "Stage 1 (a) has crashed"),
        ([SUCCEEDED, Status.STOPPED], "Stopped", "Stage 2 (b) was stopped"),
        ([SUCCEEDED, SUCCEEDED], "Succeeded", "Every stage has succeeded"),
    ],
)
def test_the_word_and_the_sentence(statuses: list[Status], word: str, detail: str) -> None:
    """What is active counts first, then the first stage that has not succeeded."""
    assert of(*statuses) == Rollup(status=PipelineStatus(word), detail=detail)


@pytest.mark.spec("3.8")
def test_without_stages_it_says_so() -> None:
    """A new pipeline asks for its first stage."""
    assert roll_up([]) == Rollup(status=PipelineStatus.EMPTY, detail="Add a stage to begin")
    assert roll_up([]).status == "No stages"


@pytest.mark.spec("3.8", "5.2")
def test_an_auto_stage_after_an_earlier_success_waits_for_a_person() -> None:
    """It is not about to start: the sentence says what would start it."""
    waiting = of(SUCCEEDED, DRAFT, trigger=Trigger.AUTO)
    assert waiting.status is PipelineStatus.WAITING
    assert waiting.detail == "Stage 2 (b) is next: Auto starts it only when stage 1 succeeds again"


@pytest.mark.spec("3.8", "6.7")
def test_a_held_stage_is_told_with_its_reason() -> None:
    """A stage that never ran is Held; so is one whose former run succeeded, and a failure says both."""
    reason = "The gate is not met."
    for status in (DRAFT, SUCCEEDED):
        held = of(SUCCEEDED, status, trigger=Trigger.AUTO, held=reason)
        assert held == Rollup(status=PipelineStatus.HELD, detail=f"Stage 2 (b): {reason}")
    failed = of(SUCCEEDED, FAILED, trigger=Trigger.AUTO, held=reason)
    assert failed == Rollup(
        status=PipelineStatus.FAILED, detail=f"Stage 2 (b) has failed, and is held: {reason}"
    )


@pytest.mark.spec("3.8")
@given(chains)
def test_it_says_that_something_is_active_exactly_when_it_is(stages: list[StageSummary]) -> None:
    """A pipeline that waits for a person never says that it is running, and the reverse."""
    active = {stage.status for stage in stages} & ACTIVE
    assert (
        roll_up(stages).status in {PipelineStatus.RUNNING, PipelineStatus.PENDING, PipelineStatus.STOPPING}
    ) == bool(active)
    if len(active) == 1:
        assert roll_up(stages).status == active.pop().value


@given(chains, st.integers(0, 3))
def test_stages_that_succeeded_before_only_move_the_number(stages: list[StageSummary], before: int) -> None:
    """Successes at the head change neither the word nor anything but the stage's number."""
    longer = roll_up([*[done] * before, *stages])
    assert longer.status is roll_up(stages).status
    if longer.status is not PipelineStatus.SUCCEEDED:
        at = next(at for at in range(len(stages)) if f"Stage {at + 1} (" in roll_up(stages).detail)
        assert longer.detail.startswith(f"Stage {at + before + 1} ({stages[at].name})")


@given(chains.filter(lambda stages: not {stage.status for stage in stages} & ACTIVE), summaries)
def test_while_nothing_is_active_the_first_open_stage_decides(
    stages: list[StageSummary], more: StageSummary
) -> None:
    """A stage behind an open one changes nothing until it is active."""
    if roll_up(stages).status is not PipelineStatus.SUCCEEDED and not more.status.active:
        assert roll_up([*stages, more]) == roll_up(stages)


@pytest.mark.spec("3.8")
def test_what_needs_a_person_is_more_in_need_than_what_does_not() -> None:
    """Failures come before waiting, waiting before running, running before what is done."""
    order = [of(FAILED), of(DRAFT, held="x"), of(DRAFT), of(RUNNING), of(SUCCEEDED), roll_up([])]
    assert sorted(order, key=lambda each: -each.urgency) == order
    assert len({each.urgency for each in order}) == len(order)
    assert {Rollup(status=word, detail="").urgency for word in PipelineStatus} == set(
        range(len(PipelineStatus))
    )


@pytest.mark.spec("3.8")
def test_all_lists_say_alike_what_needs_a_person_most() -> None:
    """The words of a roll-up, the statuses of experiments, and those of agents, have one order."""
    shared = [word.value for word in PipelineStatus if word.value in set(Status)]
    assert shared == [status for status in STATUSES_BY_URGENCY if status is not Status.DRAFT]
    assert sorted(STATUSES_BY_URGENCY) == sorted(Status)
    assert sorted(AGENT_STATUSES_BY_URGENCY) == sorted(AgentStatus)
    assert AGENT_STATUSES_BY_URGENCY[0] == AgentStatus.FAILED
