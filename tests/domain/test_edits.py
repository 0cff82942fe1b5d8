"""What an edit changes, and the one optimistic lock (spec 5.13)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.values import a_chain
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import ExperimentStage, FromSource, Pipeline, Trigger
from pipeline_widgets.domain.edits import Change, ChangeKind, check_version, describe_changes, find_changes
from pipeline_widgets.errors import StaleWriteError

SEEN = a_chain("SFT", "DPO", "GRPO")
NEW = ExperimentStage(id=9, experiment_id=9, start=FromSource("best"))


@pytest.mark.spec("5.13")
@pytest.mark.parametrize(
    ("now", "told"),
    [
        (SEEN, ()),
        (replace(SEEN, name="words"), ("It was renamed from 'letters'.",)),
        (replace(SEEN, description="more"), ("Its description was edited.",)),
        (SEEN.without_stage(3).pipeline, ("Stage 3 was deleted.",)),
        (SEEN.with_stage(NEW).pipeline, ("A stage was added as stage 4.",)),
        (
            SEEN.with_stage_replaced(replace(SEEN.stages[1], trigger=Trigger.AUTO)).pipeline,
            ("The settings of stage 2 were edited.",),
        ),
        (SEEN.with_stage_moved(3, 1).pipeline, ("Stage 3 is stage 2 now.", "Stage 2 is stage 3 now.")),
        (SEEN.without_stage(2).pipeline, ("Stage 2 was deleted.", "Stage 3 is stage 2 now.")),
    ],
)
def test_each_change_is_told_in_a_sentence(now: Pipeline, told: tuple[str, ...]) -> None:
    """A refused edit can say what happened since, with the numbers of the stages as they are shown."""
    assert describe_changes(find_changes(SEEN, now)) == " ".join(told)


@pytest.mark.spec("5.13")
@given(st.permutations([2, 3, 4, 5]), st.sets(st.sampled_from([2, 3, 4, 5])))
def test_no_change_of_the_stages_is_passed_over(order: list[int], gone: set[int]) -> None:
    """Unless two views have the same stages in the same order, there is something to tell."""
    seen = a_chain("SFT", "GRPO", "GRPO", "GRPO", "GRPO")
    stages = {stage.id: stage for stage in seen.stages}
    now = replace(seen, stages=(stages[1], *(stages[key] for key in order if key not in gone)))
    assert bool(describe_changes(find_changes(seen, now))) == (seen.stages != now.stages)


@pytest.mark.spec("5.13")
@pytest.mark.parametrize("version", [1, 2, 5])
def test_an_edit_of_the_present_version_is_done(version: int) -> None:
    """So is one that is based on no version."""
    check_version("Agent 'a'", version, version, None)
    check_version("Agent 'a'", version, None, None)


@pytest.mark.spec("5.13")
@pytest.mark.parametrize("kind", list(ChangeKind))
def test_an_edit_of_an_older_version_is_refused_where_it_concerns_the_same(kind: ChangeKind) -> None:
    """It says what was changed since; other changes are in nobody's way."""
    change = Change(kind, number=2, to=1, name="old")
    check_version("Agent 'a'", 3, 2, [change], concerning=set(ChangeKind) - {kind})
    with pytest.raises(StaleWriteError) as refused:
        check_version("Agent 'a'", 3, 2, [change], concerning={kind})
    assert refused.value.what == "Agent 'a' was changed meanwhile."
    assert refused.value.why == change.sentence


@pytest.mark.spec("5.13")
@pytest.mark.parametrize("expected", [2, 9])
def test_what_is_not_known_is_a_reason_to_refuse(expected: int) -> None:
    """An edit is not done where nobody knows what the edits since have changed."""
    with pytest.raises(StaleWriteError, match="The edit was based on an older view of it"):
        check_version("Pipeline 'p'", 3, expected, None, concerning=())


@pytest.mark.spec("5.13")
def test_several_edits_are_told_once_each_with_the_texts_first() -> None:
    """Ten edits of a description are one sentence."""
    described, renamed = Change(ChangeKind.DESCRIBED), Change(ChangeKind.RENAMED, name="old")
    changes = [Change(ChangeKind.STAGE_ADDED, 3), *[described] * 10, renamed]
    told = "Its description was edited. It was renamed from 'old'. A stage was added as stage 3."
    assert describe_changes(changes) == told
