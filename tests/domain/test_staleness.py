"""Which stages are stale, and why (spec 6.8)."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import pytest
from factories.values import SFT, a_chain, a_checkpoint, a_run, an_experiment, facts_of, later, succeeded
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, FromSource, Pipeline
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.comparison import ABSENT, are_equal
from pipeline_widgets.domain.pipeline_facts import PipelineFacts, StageFacts
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.staleness import StaleReason, compute_staleness, describe_upstream

CHAIN = a_chain("SFT", "GRPO", "GRPO")
SOURCE, SECOND = an_experiment(1), an_experiment(2)


def reasons(facts: PipelineFacts, pipeline: Pipeline = CHAIN) -> list[tuple[str, ...]]:
    """Return the reasons of each stage; empty where it is not stale."""
    found = compute_staleness(pipeline, facts)
    return [found[stage.id].reasons if found[stage.id].stale else () for stage in pipeline.stages]


def two_stages(latest: Run, now: Checkpoint, used: Run, consumed: Checkpoint, **more: Any) -> PipelineFacts:
    """Return facts where stage 1 now offers `now` of `latest`, and stage 2 consumed `consumed` of `used`."""
    second = a_run(8, of=SECOND, source=consumed)
    mine = succeeded(second, a_checkpoint(run_id=8), consumed=consumed, used=used) | more
    return facts_of("SFT", "GRPO", "GRPO", stage_1=succeeded(latest, now), stage_2=mine)


@pytest.mark.spec("6.8")
def test_a_re_run_of_the_source_makes_stale_in_the_words_of_the_specification() -> None:
    """A stage whose source was re-run since says which run it used and which is the latest."""
    third, fifth = a_run(3, of=SOURCE), a_run(5, of=SOURCE)
    facts = two_stages(fifth, a_checkpoint(run_id=5), third, a_checkpoint(run_id=3))
    assert reasons(facts) == [(), ("Stage 1 was re-run: used run 3, latest is run 5",), ()]


@pytest.mark.spec("6.8")
def test_the_same_content_is_not_stale() -> None:
    """A re-run that produced a checkpoint with the same digest makes nothing stale."""
    third, fifth = a_run(3, of=SOURCE), a_run(5, of=SOURCE)
    same = [a_checkpoint(run_id=run, digest="same") for run in (3, 5)]
    assert reasons(two_stages(fifth, same[1], third, same[0])) == [(), (), ()]


@pytest.mark.spec("6.8")
def test_what_was_consumed_counts_and_no_time_stamp() -> None:
    """An older run that consumed the latest is fresh, and a later one that did not is stale."""
    old, new = replace(a_run(5, of=SOURCE), created_at=later(500)), replace(a_run(3, of=SOURCE))
    fresh = two_stages(old, a_checkpoint(run_id=5), old, a_checkpoint(run_id=5))
    stale = two_stages(old, a_checkpoint(run_id=5), new, a_checkpoint(run_id=3))
    assert [bool(each) for each in reasons(fresh)] == [False, False, False]
    assert [bool(each) for each in reasons(stale)] == [False, True, False]


@pytest.mark.spec("6.8")
def test_staleness_passes_on() -> None:
    """A stage whose source stage is stale is stale too, with that as its reason."""
    third, fifth = a_run(3, of=SOURCE), a_run(5, of=SOURCE)
    facts = two_stages(fifth, a_checkpoint(run_id=5), third, a_checkpoint(run_id=3))
    middle, saved = facts.for_stage(2).succeeded, facts.for_stage(2).checkpoints[0]
    assert middle is not None
    last = succeeded(a_run(9, of=an_experiment(3), source=saved), consumed=saved, used=middle)
    stages = {**facts.stages, 3: replace(facts.for_stage(3), **last)}
    assert reasons(PipelineFacts(stages=stages))[2] == ("Stage 2 is stale",)


@pytest.mark.spec("6.8")
def test_a_changed_config_is_a_reason_of_its_own() -> None:
    """A config that was changed since the run gives "config changed", also for the first stage."""
    changed = an_experiment(1, config={"steps": 20})
    facts = facts_of("SFT", "GRPO", "GRPO", stage_1={"experiment": changed, **succeeded(a_run(1, of=SOURCE))})
    assert reasons(facts) == [("config changed: steps: none -> 20",), (), ()]


@pytest.mark.spec("6.8")
@pytest.mark.parametrize("status", [Status.FAILED, Status.STOPPED, Status.CRASHED, Status.RUNNING])
def test_only_successful_runs_count(status: Status) -> None:
    """A later run of the source that did not succeed makes nothing stale."""
    used = a_run(3, of=SOURCE)
    facts = two_stages(used, a_checkpoint(run_id=3), used, a_checkpoint(run_id=3))
    first = replace(facts.for_stage(1), latest=a_run(5, status, of=SOURCE))
    assert reasons(PipelineFacts(stages={**facts.stages, 1: first})) == [(), (), ()]


@pytest.mark.spec("6.8")
def test_a_stage_that_never_succeeded_is_not_stale() -> None:
    """Stale speaks of results; where there are none there is nothing to be stale."""
    failed = {"latest": a_run(2, Status.FAILED, of=SECOND)}
    facts = facts_of("SFT", "GRPO", "GRPO", stage_1=succeeded(a_run(1, of=SOURCE)), stage_2=failed)
    assert reasons(facts) == [(), (), ()]


@pytest.mark.spec("6.8")
def test_another_choice_than_what_was_used_is_told() -> None:
    """A stage that used Best and now asks for another checkpoint of the same run is stale."""
    used = a_run(3, of=SOURCE)
    best, final = a_checkpoint(10, 0.9, run_id=3), a_checkpoint(20, 0.1, run_id=3)
    second = succeeded(a_run(8, of=SECOND, source=best), consumed=best, used=used)
    facts = facts_of("SFT", "GRPO", "GRPO", stage_1=succeeded(used, best, final), stage_2=second)
    assert reasons(facts) == [(), (), ()]
    stage = CHAIN.stages[1]
    assert isinstance(stage, ExperimentStage)
    finals = CHAIN.with_stage_replaced(replace(stage, start=FromSource("final"))).pipeline
    assert reasons(facts, finals)[1] == ("Stage 1 now gives step 20: used step 10",)


@pytest.mark.spec("6.8")
def test_another_experiment_in_the_source_stage_is_told() -> None:
    """When the source stage has another experiment, the reason says whether that has succeeded."""
    used, consumed = a_run(3, of=SOURCE), a_checkpoint(run_id=3)
    other = an_experiment(7)
    mine = succeeded(a_run(8, of=SECOND, source=consumed), consumed=consumed, used=used)
    unrun = facts_of("SFT", "GRPO", "GRPO", stage_1={"experiment": other}, stage_2=mine)
    assert reasons(unrun)[1] == ("Stage 1 has another experiment, which has not succeeded yet",)
    ran = {"experiment": other, **succeeded(a_run(9, of=other, number=1), a_checkpoint(run_id=9))}
    rerun = facts_of("SFT", "GRPO", "GRPO", stage_1=ran, stage_2=mine)
    assert reasons(rerun)[1] == ("Stage 1 has another experiment: used run 3 of the former one",)


@pytest.mark.spec("6.8")
def test_a_stage_that_now_comes_after_another_is_stale() -> None:
    """A stage that ran from scratch and was moved behind another one did not consume that one."""
    alone = succeeded(a_run(8, of=SECOND))
    facts = facts_of("SFT", "GRPO", "GRPO", stage_1=succeeded(a_run(1, of=SOURCE)), stage_2=alone)
    assert reasons(facts)[1] == ("Stage 1 now comes before it, and was not used",)


@pytest.mark.spec("6.8")
def test_a_deployment_of_an_older_checkpoint_is_stale() -> None:
    """A Deployment stage follows the same rule as an Experiment stage."""
    third, fifth = a_run(3, of=SOURCE), a_run(5, of=SOURCE)
    consumed = a_checkpoint(run_id=3)
    deployed = succeeded(a_run(8, source=consumed), consumed=consumed, used=third)
    chain = a_chain("SFT", "deploy")
    first = succeeded(fifth, a_checkpoint(run_id=5))
    facts = facts_of("SFT", "deploy", stage_1=first, stage_2=deployed)
    assert reasons(facts, chain)[1] == ("Stage 1 was re-run: used run 3, latest is run 5",)


@pytest.mark.spec("6.8")
def test_accepted_reasons_stay_readable() -> None:
    """Accepting as fresh takes the flag away and keeps the reasons."""
    third, fifth = a_run(3, of=SOURCE), a_run(5, of=SOURCE)
    facts = two_stages(fifth, a_checkpoint(run_id=5), third, a_checkpoint(run_id=3))
    state = describe_upstream(CHAIN, 2, facts)
    accepted = PipelineFacts(stages={**facts.stages, 2: replace(facts.for_stage(2), accepted=state)})
    found = compute_staleness(CHAIN, accepted)[2]
    assert (found.stale, found.accepted, len(found.reasons)) == (False, True, 1)


@pytest.mark.spec("6.8")
def test_an_acceptance_ends_with_the_next_re_run_of_the_source() -> None:
    """What was accepted as fresh is stale again when the source stage has succeeded once more since."""
    third, fifth, sixth = (a_run(number, of=SOURCE) for number in (3, 5, 6))
    facts = two_stages(fifth, a_checkpoint(run_id=5), third, a_checkpoint(run_id=3))
    state = describe_upstream(CHAIN, 2, facts)

    re_run = two_stages(sixth, a_checkpoint(run_id=6), third, a_checkpoint(run_id=3), accepted=state)
    found = compute_staleness(CHAIN, re_run)[2]

    assert (found.stale, found.accepted) == (True, False)


# A workspace of three stages, played by Hypothesis, against a second, naive account of what is stale.

Action: TypeAlias = tuple[str, int, int]
actions = st.lists(
    st.tuples(
        st.sampled_from(["run", "run", "fail", "config", "accept"]), st.integers(0, 2), st.integers(0, 1)
    ),
    max_size=14,
)


@dataclass
class Played:
    """Three Experiment stages; a run saves one checkpoint of content 0 or 1, made of what it consumed."""

    configs: list[int] = field(default_factory=lambda: [0, 0, 0])
    known: list[StageFacts] = field(
        default_factory=lambda: [StageFacts(experiment=an_experiment(n)) for n in (1, 2, 3)]
    )
    #: By stage: what upstream looked like when it was accepted.
    accepted: list[Any] = field(default_factory=lambda: [None, None, None])
    runs: int = 0
    ages: int = 0

    def play(self, action: Action) -> None:
        """Do one thing, if it can be done."""
        what, at, content = action
        match what:
            case "run":
                self.run(at, content)
            case "fail":
                self.runs += 1
                failed = a_run(self.runs, Status.FAILED, of=self.known[at].experiment)
                self.known[at] = replace(self.known[at], latest=failed)
            case "config":
                self.configs[at] += 1
                changed = an_experiment(at + 1, config={"steps": self.configs[at]})
                self.known[at] = replace(self.known[at], experiment=changed)
            case _:
                if self.expected()[at]:
                    state = describe_upstream(CHAIN, at + 1, self.facts)
                    self.known[at] = replace(self.known[at], accepted=state)
                    self.accepted[at] = self.upstream(at)

    def run(self, at: int, content: int) -> None:
        """Let a stage succeed, if its source has."""
        source = self.known[at - 1] if at else None
        if source is not None and source.succeeded is None:
            return
        consumed = source.checkpoints[-1] if source else None
        self.runs += 1
        run = a_run(self.runs, of=self.known[at].experiment, source=consumed)
        run = replace(run, created_at=later(-self.runs if self.runs % 2 else self.runs))
        made = f"{consumed.digest if consumed else ''}>{content}"
        fields = succeeded(
            run,
            a_checkpoint(run_id=self.runs, digest=made),
            consumed=consumed,
            used=source.succeeded if source else None,
        )
        self.known[at] = replace(self.known[at], accepted=None, **fields)
        self.accepted[at] = None

    @property
    def facts(self) -> PipelineFacts:
        """What the rules are told."""
        return PipelineFacts(stages={at + 1: known for at, known in enumerate(self.known)})

    def upstream(self, at: int) -> Any:
        """Everything that an acceptance depends on."""
        ran = [known.succeeded.id if known.succeeded else 0 for known in self.known[: at + 1]]
        return ran, self.configs[: at + 1].copy()

    def expected(self) -> list[bool]:
        """The naive account: stale is what has a cause and was not accepted as it is now."""
        stale: list[bool] = []
        for at, known in enumerate(self.known):
            if known.succeeded is None:
                stale.append(False)
                continue
            assert known.experiment is not None
            cause = known.succeeded.config_digest != known.experiment.config_digest
            if at:
                assert known.consumed is not None
                cause |= known.consumed.digest != self.known[at - 1].checkpoints[-1].digest or stale[at - 1]
            stale.append(cause and self.accepted[at] != self.upstream(at))
        return stale


@pytest.mark.spec("6.8")
@given(actions)
def test_stale_is_what_a_second_account_says(history: list[Action]) -> None:
    """After any history stale is by content, config and source, and accepted until upstream changes."""
    played = Played()
    for action in history:
        played.play(action)
        found = compute_staleness(CHAIN, played.facts)
        assert [found[n].stale for n in (1, 2, 3)] == played.expected()
        assert all(bool(each.reasons) == (each.stale or each.accepted) for each in found.values())


@pytest.mark.spec("6.8")
@given(actions)
def test_what_is_behind_a_stale_stage_is_stale_or_accepted(history: list[Action]) -> None:
    """Staleness is transitive: only an acceptance, or having no result, stops it."""
    played = Played()
    for action in history:
        played.play(action)
    found = compute_staleness(CHAIN, played.facts)
    for number in (2, 3):
        if found[number - 1].stale and played.known[number - 1].succeeded is not None:
            assert found[number].stale or found[number].accepted


@pytest.mark.spec("6.8")
@given(actions, st.lists(st.integers(-1000, 1000), min_size=3, max_size=3))
def test_time_stamps_are_never_looked_at(history: list[Action], ages: list[int]) -> None:
    """Giving every run another time of creation changes no verdict."""
    played = Played()
    for action in history:
        played.play(action)
    before = compute_staleness(CHAIN, played.facts)
    for at, age in enumerate(ages):
        known = played.known[at]
        if known.succeeded is not None:
            played.known[at] = replace(known, succeeded=replace(known.succeeded, created_at=later(age)))
    assert compute_staleness(CHAIN, played.facts) == before


@pytest.mark.spec("6.8")
def test_another_experiment_upstream_ends_an_acceptance() -> None:
    """Binding the source stage to yet another experiment is a change upstream, even if neither ever ran."""
    used, consumed = a_run(3, of=SOURCE), a_checkpoint(run_id=3)
    mine = succeeded(a_run(8, of=SECOND, source=consumed), consumed=consumed, used=used)
    b, c = an_experiment(7, SFT), an_experiment(8, SFT)
    facts = facts_of("SFT", "GRPO", "GRPO", stage_1={"experiment": b}, stage_2=mine)
    state = describe_upstream(CHAIN, 2, facts)
    again = facts_of("SFT", "GRPO", "GRPO", stage_1={"experiment": c}, stage_2=mine | {"accepted": state})
    assert compute_staleness(CHAIN, again)[2].stale


def test_a_deployment_stage_feeds_nothing() -> None:
    """A stage behind a Deployment consumes the Experiment stage before that, and is judged by it."""
    chain = a_chain("SFT", "deploy", "GRPO")
    assert isinstance(chain.stages[1], DeploymentStage)
    third, fifth, consumed = a_run(3, of=SOURCE), a_run(5, of=SOURCE), a_checkpoint(run_id=3)
    mine = succeeded(a_run(8, of=an_experiment(3), source=consumed), consumed=consumed, used=third)
    first = succeeded(fifth, a_checkpoint(run_id=5))
    facts = facts_of("SFT", "deploy", "GRPO", stage_1=first, stage_3=mine)
    assert reasons(facts, chain)[2] == ("Stage 1 was re-run: used run 3, latest is run 5",)


def own_reason(facts: PipelineFacts, stage: int = 2, pipeline: Pipeline = CHAIN) -> StaleReason:
    """Return the first reason of a stage."""
    return compute_staleness(pipeline, facts)[stage].reasons[0]


@pytest.mark.spec("6.8", "6.11")
def test_a_reason_has_the_old_and_the_new_values() -> None:
    """All fields of a config that differ, nested ones by their dotted names, with absent ones told apart."""
    before = {"optimizer": {"lr": 0.001, "betas": [0.9, 0.99]}, "steps": 10, "gone": None, "same": 1}
    after = {"optimizer": {"lr": 0.0003, "betas": [0.9, 0.99]}, "steps": "10", "same": 1, "new": True}
    ran = replace(a_run(1, of=SOURCE), config=before, config_digest="before")
    changed = an_experiment(1, config=after)
    reason = own_reason(facts_of("SFT", stage_1={"experiment": changed, **succeeded(ran)}), 1, a_chain("SFT"))
    assert [(each.name, each.old, each.new) for each in reason.changes] == [
        ("optimizer.lr", 0.001, 0.0003),
        ("steps", 10, "10"),
        ("gone", None, ABSENT),
        ("new", ABSENT, True),
    ]
    assert (reason.headline, reason.stage_id) == ("config changed", None)
    assert reason.startswith("config changed: optimizer.lr: 0.001 -> 0.0003, ")


@pytest.mark.spec("6.8")
def test_a_reason_names_the_checkpoint_that_was_used_and_the_one_that_would_be() -> None:
    """The best of the former run, and that of the latest; the stage that it is about can be shown."""
    second, third = a_run(2, of=SOURCE), a_run(3, of=SOURCE)
    facts = two_stages(third, a_checkpoint(900, run_id=3), second, a_checkpoint(400, run_id=2))
    reason = own_reason(facts)
    assert reason == "Stage 1 was re-run: used run 2, latest is run 3"
    assert [(each.name, each.old, each.new) for each in reason.changes] == [
        ("Best checkpoint of stage 1", "step 400 of run 2", "step 900 of run 3")
    ]
    assert reason.stage_id == 1


@pytest.mark.spec("6.8")
def test_a_reason_without_a_checkpoint_says_so() -> None:
    """A stage that comes before it now has not been used; one without a success offers none."""
    alone = succeeded(a_run(8, of=SECOND))
    facts = facts_of("SFT", "GRPO", "GRPO", stage_1=succeeded(a_run(1, of=SOURCE)), stage_2=alone)
    (change,) = own_reason(facts).changes
    assert change.old is ABSENT


def test_a_reason_is_a_text() -> None:
    """It is compared, printed and copied as its sentence."""
    reason = StaleReason("Stage 1 is stale", stage_id=1)
    assert (reason, repr((reason,))) == ("Stage 1 is stale", "('Stage 1 is stale',)")
    copied = pickle.loads(pickle.dumps(reason))  # noqa: S301  it was made here
    assert (copied, copied.stage_id, copied.headline) == (reason, 1, "Stage 1 is stale")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
_CONFIGS = st.dictionaries(
    st.text(min_size=1), _VALUES | st.dictionaries(st.text(), _VALUES, max_size=3), max_size=5
)


@given(_CONFIGS, _CONFIGS)
def test_the_changes_are_what_makes_one_config_of_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Each field that differs is named once, with two values that differ; nothing else is."""
    ran = replace(a_run(1, of=SOURCE), config=before, config_digest="before")
    changed = an_experiment(1, config=after)
    reason = own_reason(facts_of("SFT", stage_1={"experiment": changed, **succeeded(ran)}), 1, a_chain("SFT"))
    assert not any(are_equal(each.old, each.new) for each in reason.changes)
    assert len({each.name for each in reason.changes}) == len(reason.changes)
    same = own_reason(
        facts_of("SFT", stage_1={"experiment": an_experiment(1, config=before), **succeeded(ran)}),
        1,
        a_chain("SFT"),
    )
    assert same.changes == ()
