"""The rules of an ordered list of stages (spec 5.1-5.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from factories.values import a_chain, a_pipeline, ids
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import (
    FIRST_IS_MANUAL,
    BetterThanDeployed,
    DeploymentStage,
    ExperimentStage,
    FromAgent,
    FromScratch,
    FromSource,
    Pipeline,
    ScoreAtLeast,
    Stage,
    Trigger,
)
from pipeline_widgets.errors import NotFoundError, OrderError, PipelineError, RuleError

AUTO = ExperimentStage(id=9, experiment_id=9, trigger=Trigger.AUTO, start=FromSource("best"))
MANUAL = ExperimentStage(id=9, experiment_id=9, start=FromSource("best"))
SCRATCH = ExperimentStage(id=9, experiment_id=9)
DEPLOY = DeploymentStage(id=9, agent_name="agent")


@pytest.mark.spec("5.1")
def test_a_deployment_cannot_be_first() -> None:
    """A Deployment stage is refused as the first stage, by insert, by move and by what a removal leaves."""
    chain = a_chain("SFT", "deploy")
    for edit in (
        lambda: a_pipeline().with_stage(DEPLOY),
        lambda: chain.with_stage(DEPLOY, 0),
        lambda: chain.with_stage_moved(2, 0),
        lambda: chain.with_stage_moved(1, 1),
        lambda: chain.without_stage(1),
    ):
        with pytest.raises(OrderError, match="A Deployment stage cannot be first"):
            edit()


@pytest.mark.spec("5.7")
def test_two_stages_cannot_share_one_experiment() -> None:
    """Neither by adding a stage, nor by binding one anew, nor where a whole chain is given."""
    chain = a_chain("SFT", "deploy", "GRPO")
    first, _, third = chain.stages
    assert isinstance(first, ExperimentStage)
    assert isinstance(third, ExperimentStage)
    twin = replace(MANUAL, experiment_id=first.experiment_id)
    for edit in (
        lambda: chain.with_stage(twin),
        lambda: chain.with_stage_replaced(replace(third, experiment_id=first.experiment_id)),
        lambda: a_pipeline().with_stages([first, twin]),
    ):
        with pytest.raises(RuleError, match=r"is already used by stage 1.*cannot share one experiment"):
            edit()
    assert chain.with_stage_replaced(replace(third, auto_add_agent=True)).side_effects == ()


@pytest.mark.spec("5.1")
def test_a_whole_chain_is_what_its_stages_make_one_by_one() -> None:
    """Filling a pipeline refuses what adding would, and names the stage."""
    chain = a_chain("SFT", "deploy", "GRPO")
    assert a_pipeline().with_stages(chain.stages).stages == chain.stages
    assert a_pipeline().with_stages([]).stages == ()
    with pytest.raises(OrderError, match="Stage 1: A Deployment stage cannot be first"):
        a_pipeline().with_stages([DEPLOY])
    with pytest.raises(OrderError, match="Stage 2: Only the first"):
        a_pipeline().with_stages([chain.stages[0], SCRATCH])


@pytest.mark.spec("5.2")
def test_an_auto_first_stage_is_refused_in_the_words_of_the_form() -> None:
    """Asking for an Auto first stage is refused with the sentence that the form shows."""
    assert FIRST_IS_MANUAL == "First stage can only be triggered manually"
    with pytest.raises(OrderError, match="First stage can only be triggered manually"):
        a_pipeline().with_stage(replace(AUTO, start=FromScratch()))
    with pytest.raises(OrderError, match="First stage can only be triggered manually"):
        a_chain("SFT").with_stage_replaced(replace(SCRATCH, id=1, trigger=Trigger.AUTO))


@pytest.mark.spec("5.3")
def test_moving_a_stage_to_the_front_sets_it_to_manual_and_scratch_and_says_so() -> None:
    """A stage that becomes first loses Auto, its gate and its source, and each change is listed."""
    chain = a_chain("SFT", "GRPO", trigger="auto")
    chain = chain.with_stage_replaced(replace(chain.stages[1], gate=ScoreAtLeast(0.5))).pipeline
    edited = chain.with_stage_moved(2, 0)
    first = edited.pipeline.stages[0]
    assert (first.id, first.trigger, first.gate) == (2, Trigger.MANUAL, None)
    assert isinstance(first, ExperimentStage)
    assert first.start == FromScratch()
    assert edited.side_effects == (
        "Stage 1 was set to manual: first stage can only be triggered manually.",
        "Stage 1 was set to 'Start from scratch': it is now first.",
        "Stage 2 was set to 'Best checkpoint': it is no longer the first.",
    )


@pytest.mark.spec("5.3")
def test_removing_the_first_stage_makes_the_next_one_manual() -> None:
    """Removing the first stage changes the second along, and the answer lists what was changed."""
    edited = a_chain("SFT", "GRPO", trigger="auto").without_stage(1)
    (first,) = edited.pipeline.stages
    assert (first.id, first.trigger) == (2, Trigger.MANUAL)
    assert len(edited.side_effects) == 2


@pytest.mark.spec("5.3")
def test_an_edit_that_changes_nothing_along_says_nothing() -> None:
    """Appending a stage that fits its place lists no changes."""
    assert a_chain("SFT").with_stage(AUTO).side_effects == ()


@pytest.mark.spec("5.4", "5.5")
@pytest.mark.parametrize(
    ("stage", "at", "message"),
    [
        (MANUAL, 0, "The first stage cannot start from a previous checkpoint"),
        (SCRATCH, 1, "Only the first stage starts from scratch or from a saved Agent"),
        (replace(SCRATCH, start=FromAgent(1)), 1, "Only the first stage starts from scratch or from a saved"),
    ],
)
def test_a_start_that_cannot_hold_there_is_refused(stage: Stage, at: int, message: str) -> None:
    """Scratch and a saved Agent are for the first stage, a source checkpoint is for later ones."""
    with pytest.raises(OrderError, match=message):
        a_chain("SFT").with_stage(stage, at)


@pytest.mark.spec("5.2")
def test_only_an_auto_stage_carries_a_gate() -> None:
    """A gate on a manual stage is refused, and so is one that compares an Experiment stage with an agent."""
    chain = a_chain("SFT")
    with pytest.raises(OrderError, match="Only an Auto stage can carry a gate"):
        chain.with_stage(replace(MANUAL, gate=ScoreAtLeast(1)))
    with pytest.raises(OrderError, match="Only a Deployment stage can be compared"):
        chain.with_stage(replace(AUTO, gate=BetterThanDeployed()))
    gated = replace(DEPLOY, trigger=Trigger.AUTO, gate=BetterThanDeployed())
    assert chain.with_stage(gated).pipeline.stages[1] == gated


@pytest.mark.spec("5.1")
def test_the_source_is_the_nearest_experiment_stage_before() -> None:
    """`before` is the stage next to it; the source skips Deployment stages."""
    chain = a_chain("SFT", "deploy", "deploy", "GRPO")
    before, source = chain.before(4), chain.source(4)
    assert before is not None
    assert source is not None
    assert (before.id, source.id) == (3, 1)
    assert (chain.before(1), chain.source(1), chain.after(4)) == (None, None, None)
    assert ids(chain.ancestors(4)) == [1]
    assert ids(chain.fed_by(1)) == [2, 3, 4]
    assert chain.fed_by(2) == ()
    assert chain.experiment_ids == (1, 4)


def test_a_stage_never_changes_its_type() -> None:
    """Replacing an Experiment stage by a Deployment stage of the same id is refused."""
    with pytest.raises(RuleError, match="cannot change its type"):
        a_chain("SFT", "deploy").with_stage_replaced(replace(MANUAL, id=2))


@pytest.mark.parametrize("at", [-1, 3])
def test_a_position_outside_is_refused(at: int) -> None:
    """A position that the pipeline does not have is refused with those that it has."""
    chain = a_chain("SFT", "GRPO")
    with pytest.raises(OrderError, match="Positions go from 0 to 2"):
        chain.with_stage(AUTO, at)
    with pytest.raises(OrderError, match="Positions go from 0 to 1"):
        chain.with_stage_moved(1, at)


USES: list[Callable[[Pipeline], object]] = [
    lambda chain: chain.stage(7),
    lambda chain: chain.without_stage(7),
    lambda chain: chain.with_stage_moved(7, 0),
    lambda chain: chain.with_stage_replaced(replace(SCRATCH, id=7)),
    lambda chain: chain.source(7),
]


@pytest.mark.parametrize("use", USES)
def test_a_stage_of_another_pipeline_is_not_found(use: Callable[[Pipeline], object]) -> None:
    """Every question about a stage that does not stand here raises NotFoundError."""
    with pytest.raises(NotFoundError, match="has no such stage"):
        use(a_chain("SFT", "GRPO"))


Edit: TypeAlias = Callable[[Pipeline], Pipeline]


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """An edit with any arguments, legal or not."""
    at, which = draw(st.integers(-1, 6)), draw(st.integers(1, 12))
    stage = draw(stages())
    return draw(
        st.sampled_from(
            [
                lambda p: p.with_stage(replace(stage, id=_fresh(p)), at).pipeline,
                lambda p: p.with_stage_moved(which, at).pipeline,
                lambda p: p.without_stage(which).pipeline,
                lambda p: p.with_stage_replaced(replace(stage, id=which)).pipeline,
            ]
        )
    )


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    """A stage with any settings, legal or not."""
    trigger = draw(st.sampled_from(Trigger))
    gate = draw(st.sampled_from([None, None, ScoreAtLeast(0.5), BetterThanDeployed()]))
    if draw(st.booleans()):
        return DeploymentStage(agent_name="agent", trigger=trigger, gate=gate)
    start = draw(st.sampled_from([FromScratch(), FromAgent(1), FromSource("best"), FromSource("final")]))
    return ExperimentStage(experiment_id=draw(st.integers(1, 5)), trigger=trigger, start=start, gate=gate)


def _fresh(pipeline: Pipeline) -> int:
    return max(ids(pipeline.stages), default=0) + 1


def check_invariants(pipeline: Pipeline) -> None:
    """Hold the rules of spec 5.1-5.5 against a pipeline."""
    for at, stage in enumerate(pipeline.stages):
        assert at or isinstance(stage, ExperimentStage)
        assert at or stage.trigger is Trigger.MANUAL
        assert stage.gate is None or stage.trigger is Trigger.AUTO
        if isinstance(stage, ExperimentStage):
            assert isinstance(stage.start, FromSource) == (at > 0)
            assert not isinstance(stage.gate, BetterThanDeployed)
    assert len(set(ids(pipeline.stages))) == len(pipeline.stages)


@pytest.mark.spec("5.1", "5.2", "5.3", "5.4", "5.5")
@given(st.lists(edits(), max_size=15))
def test_any_sequence_of_edits_keeps_the_rules(sequence: list[Edit]) -> None:
    """Whatever is edited in whatever order, refused edits aside, the chain stays one that can work."""
    pipeline = a_pipeline()
    for edit in sequence:
        try:
            pipeline = edit(pipeline)
        except PipelineError:
            continue
        check_invariants(pipeline)


@pytest.mark.spec("5.3")
@given(st.lists(edits(), max_size=12), st.integers(1, 12), st.integers(0, 6))
def test_a_move_keeps_every_stage(sequence: list[Edit], which: int, to: int) -> None:
    """A move loses, doubles and renames no stage, and puts the moved one where it was asked for."""
    pipeline = a_pipeline()
    for edit in sequence:
        try:
            pipeline = edit(pipeline)
        except PipelineError:
            continue
    try:
        after = pipeline.with_stage_moved(which, to).pipeline
    except PipelineError:
        return
    assert sorted(ids(after.stages)) == sorted(ids(pipeline.stages))
    assert after.stages[to].id == which
    others = [each for each in ids(after.stages) if each != which]
    assert others == [each for each in ids(pipeline.stages) if each != which]


@given(st.integers(1, 6), st.data())
def test_a_removal_takes_one_stage_and_an_insert_adds_one(length: int, data: st.DataObject) -> None:
    """Inserting a stage and removing it again leaves the stages in their order."""
    chain = a_chain(*["SFT"] * length)
    at = data.draw(st.integers(1, length))
    inserted = chain.with_stage(replace(AUTO, id=99), at).pipeline
    assert ids(inserted.stages) == [*ids(chain.stages[:at]), 99, *ids(chain.stages[at:])]
    assert inserted.without_stage(99).pipeline == chain


@given(st.lists(st.booleans(), max_size=8))
def test_the_positions_of_all_sources_are_those_of_each(deployed: list[bool]) -> None:
    """Found in one pass, they are the same as one by one."""
    chain = a_chain("SFT", *("deploy" if each else "SFT" for each in deployed))
    sources = [chain.source(stage.id) for stage in chain.stages]
    assert chain.source_positions() == tuple(
        None if source is None else chain.position(source.id) for source in sources
    )


class CountedStages(tuple[Stage, ...]):  # noqa: SLOT001  of a test
    """Stages that count how often one of them is looked at."""

    looks = 0

    def __getitem__(self, key: Any) -> Any:
        """Return a stage, or some of them."""
        type(self).looks += 1
        return tuple.__getitem__(self, key)  # pyright: ignore[reportUnknownVariableType]

    def __iter__(self) -> Iterator[Stage]:
        """Go through the stages."""
        type(self).looks += len(self)
        return super().__iter__()


def test_a_position_is_looked_up_and_not_searched() -> None:
    """All positions and sources together look at a stage a few times, however long the chain is."""
    chain = a_chain(*("SFT" for _ in range(300)))
    counted = replace(chain, stages=CountedStages(chain.stages))
    assert [counted.position(stage.id) for stage in chain.stages] == list(range(300))
    assert [counted.source(stage.id) for stage in chain.stages[1:]] == list(chain.stages[:-1])
    assert CountedStages.looks <= 3 * 300

    moved = counted.with_stage_moved(chain.stages[6].id, 0).pipeline
    assert [moved.position(chain.stages[at].id) for at in (6, 0, 7)] == [0, 1, 7]
    assert counted == chain  # where stages stand is no part of the value
