"""Stale stages, with real runs (spec 6.8)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from factories.lab import Lab, configured
from factories.values import GRPO, SFT

from pipeline_widgets.domain.chain import FromSource, Pipeline
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import RuleError


def stale(lab: Lab, pipeline: Pipeline) -> list[bool]:
    """Return which stages are stale."""
    return [state.staleness.stale for state in lab.states.pipeline(pipeline.id).stages]


@pytest.fixture
def chain(lab: Lab) -> Pipeline:
    """A chain of three that ran through."""
    made = lab.pipeline("SFT", "GRPO", "GRPO")
    for stage, score in zip(made.stages, (0.5, 0.6, 0.7), strict=True):
        lab.do(stage, score)
    return made


@pytest.mark.spec("6.8")
def test_a_re_run_makes_everything_behind_it_stale(lab: Lab, chain: Pipeline) -> None:
    """The stage behind says which run it used, the one behind that is stale with it; re-runs mend it."""
    first, second, third = chain.stages
    assert stale(lab, chain) == [False, False, False]
    for _ in range(2):
        lab.do(first, 0.5)
    assert stale(lab, chain) == [False, True, True]
    assert lab.state(second).staleness.reasons == ("Stage 1 was re-run: used run 1, latest is run 3",)
    assert lab.state(third).staleness.reasons == ("Stage 2 is stale",)
    lab.do(second, 0.6)
    assert stale(lab, chain) == [False, False, True]
    assert lab.state(third).staleness.reasons == ("Stage 2 was re-run: used run 1, latest is run 2",)
    lab.do(third, 0.7)
    assert stale(lab, chain) == [False, False, False]


@pytest.mark.spec("6.8")
def test_the_same_checkpoint_again_makes_nothing_stale(lab: Lab) -> None:
    """A re-run that saves the same content leaves what consumed it fresh."""
    chain = lab.pipeline("SFT", "GRPO")
    lab.do(chain.stages[0], 0.5, content="the same")
    lab.do(chain.stages[1], 0.6)
    lab.do(chain.stages[0], 0.5, content="the same")
    assert stale(lab, chain) == [False, False]
    lab.do(chain.stages[0], 0.5, content="another")
    assert stale(lab, chain) == [False, True]


@pytest.mark.spec("6.8")
@pytest.mark.parametrize("status", [Status.FAILED, Status.STOPPED, Status.CRASHED])
def test_a_re_run_without_success_makes_nothing_stale(lab: Lab, chain: Pipeline, status: Status) -> None:
    """Only successes count."""
    lab.do(chain.stages[0], 0.9, status=status)
    assert stale(lab, chain) == [False, False, False]


@pytest.mark.spec("6.8")
def test_a_changed_config_is_told_apart(lab: Lab, chain: Pipeline) -> None:
    """The stage itself says "config changed"; the former config makes it fresh again."""
    experiment = chain.experiment_ids[1]
    lab.experiments.update(experiment, configured(GRPO, {"steps": 20}), seed=0)
    assert lab.state(chain.stages[1]).staleness.reasons == ("config changed: steps: 10 -> 20",)
    assert stale(lab, chain) == [False, True, True]
    lab.experiments.update(experiment, configured(GRPO, {"steps": 10}), seed=0)
    assert stale(lab, chain) == [False, False, False]
    lab.experiments.update(experiment, configured(GRPO, {"steps": 10}), seed=1)
    assert lab.state(chain.stages[1]).staleness.reasons == ("config changed: seed: 0 -> 1",)


@pytest.mark.spec("6.8")
def test_a_rename_is_no_change_of_the_config(lab: Lab, chain: Pipeline) -> None:
    """Other names for experiments and pipelines make nothing stale."""
    lab.experiments.rename(chain.experiment_ids[0], "another name")
    lab.pipelines.update(chain.id, name="another name")
    assert stale(lab, chain) == [False, False, False]


@pytest.mark.spec("6.8")
def test_another_choice_or_another_place_can_make_stale(lab: Lab) -> None:
    """Asking for another checkpoint than was used is stale, and so is coming behind another stage."""
    chain = lab.pipeline("SFT", "GRPO")
    lab.do(chain.stages[0], 0.9, 0.5)
    lab.do(chain.stages[1], 0.6)
    lab.pipelines.update_stage(chain.stages[1].id, lambda stage: replace(stage, start=FromSource("final")))  # pyright: ignore[reportCallIssue]
    assert lab.state(chain.stages[1]).staleness.reasons == ("Stage 1 now gives step 20: used step 10",)
    lab.pipelines.update_stage(chain.stages[1].id, lambda stage: replace(stage, start=FromSource(10)))  # pyright: ignore[reportCallIssue]
    assert stale(lab, chain) == [False, False]
    between = lab.add(chain.id, lab.experiment("between", GRPO), position=1)
    lab.do(between, 0.7)
    assert stale(lab, chain) == [False, False, True]


@pytest.mark.spec("6.8")
def test_accepting_as_fresh_holds_until_something_upstream_changes(lab: Lab, chain: Pipeline) -> None:
    """The flag goes, for this stage and those behind it; the next re-run or edit upstream brings it back."""
    first, second, _ = chain.stages
    lab.do(first, 0.5)
    lab.pipelines.accept_as_fresh(second.id, "only the seed differs")
    assert stale(lab, chain) == [False, False, False]
    assert lab.state(second).staleness.accepted
    assert lab.state(second).staleness.reasons != ()
    lab.do(first, 0.5, status=Status.FAILED)
    assert stale(lab, chain) == [False, False, False]
    lab.do(first, 0.5)
    assert stale(lab, chain) == [False, True, True]
    lab.pipelines.accept_as_fresh(second.id, "")
    lab.experiments.update(chain.experiment_ids[0], configured(SFT, {"steps": 20}), seed=0)
    assert stale(lab, chain) == [True, True, True]


@pytest.mark.spec("6.8")
def test_an_acceptance_is_of_one_result(lab: Lab, chain: Pipeline) -> None:
    """A new run of the stage itself is judged afresh."""
    first, second, _ = chain.stages
    lab.do(first, 0.5)
    lab.pipelines.accept_as_fresh(second.id, "")
    lab.do(second, 0.6)
    assert not lab.state(second).staleness.accepted
    lab.do(first, 0.5)
    assert lab.state(second).staleness.stale


@pytest.mark.spec("6.8")
def test_there_has_to_be_something_to_accept(lab: Lab, chain: Pipeline) -> None:
    """A stage that is fresh, or has no result, has nothing to accept."""
    with pytest.raises(RuleError, match=r"There is nothing to accept. The stage is not stale"):
        lab.pipelines.accept_as_fresh(chain.stages[1].id, "")
    new = lab.add(chain.id, lab.experiment("new", GRPO))
    with pytest.raises(RuleError, match="There is nothing to accept"):
        lab.pipelines.accept_as_fresh(new.id, "")


@pytest.mark.spec("6.8")
def test_a_stale_deployment_is_redeployed(lab: Lab) -> None:
    """An agent that is not of the latest run is told by its stage, until it is deployed again."""
    chain = lab.pipeline("SFT", "deploy")
    first, deploy = chain.stages
    for stage in (first, deploy):
        lab.do(stage, *([0.5] if stage is first else []))
    assert stale(lab, chain) == [False, False]
    lab.do(first, 0.6)
    assert lab.state(deploy).staleness.reasons == ("Stage 1 was re-run: used run 1, latest is run 2",)
    lab.do(deploy)
    assert stale(lab, chain) == [False, False]
