"""What changed between two views of a pipeline (spec 5.13)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.values import a_chain
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import ExperimentStage, FromSource, Pipeline, Trigger
from pipeline_widgets.domain.edits import describe_changes

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
    assert describe_changes(SEEN, now) == told


@pytest.mark.spec("5.13")
@given(st.permutations([2, 3, 4, 5]), st.sets(st.sampled_from([2, 3, 4, 5])))
def test_no_change_of_the_stages_is_passed_over(order: list[int], gone: set[int]) -> None:
    """Unless two views have the same stages in the same order, there is something to tell."""
    seen = a_chain("SFT", "GRPO", "GRPO", "GRPO", "GRPO")
    stages = {stage.id: stage for stage in seen.stages}
    now = replace(seen, stages=(stages[1], *(stages[key] for key in order if key not in gone)))
    assert bool(describe_changes(seen, now)) == (seen.stages != now.stages)
