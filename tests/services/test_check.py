"""The check of a whole chain before its first trigger (spec 5.12)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import NamedTuple

import pytest
from factories.lab import Lab, texts
from factories.values import PPO

from pipeline_widgets.domain.chain import FromAgent


class Usage(NamedTuple):
    """What shutil.disk_usage tells."""

    total: int
    used: int
    free: int


@pytest.mark.spec("5.12")
def test_a_chain_that_can_run_has_no_problems(lab: Lab) -> None:
    """Before and after it ran, a chain whose pairs fit and whose files are there passes."""
    made = lab.pipeline("SFT", "GRPO", "deploy")
    assert lab.runs.check(made.id) == ()
    lab.do(made.stages[0], 0.5)
    assert lab.runs.check(made.id) == ()


@pytest.mark.spec("5.12")
def test_an_empty_chain_is_told(lab: Lab) -> None:
    """A pipeline without stages has that problem."""
    made = lab.pipelines.create(lab.project.id, "empty")
    assert texts(lab.runs.check(made.id)) == "The pipeline has no stages."


@pytest.mark.spec("5.12")
def test_every_problem_is_listed_by_stage(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs that do not fit, missing checkpoints and a full disk are all told, and nothing is started."""
    made = lab.pipeline("SFT", "GRPO", "GRPO")
    first, second, _ = made.stages
    lab.do(first, 0.5)
    shutil.rmtree(lab.runs.checkpoints(lab.do(second, 0.5).id)[0].path)
    policy = lab.experiment("policy", PPO)
    lab.pipelines.update_stage(first.id, lambda stage: replace(stage, experiment_id=policy.id))  # pyright: ignore[reportCallIssue]

    def nearly_full(_: object) -> Usage:
        return Usage(100, 99, 5 << 20)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    problems = list(map(str, lab.runs.check(made.id)))
    assert (
        problems[0]
        == "Stage 2 (chain-grpo-2): Can't start from PPO: GRPO needs a language model, PPO produces a policy."
    )
    assert problems[1].startswith("Stage 2 (chain-grpo-2): The checkpoint at step 10 is missing: ")
    assert problems[2] == f"Only 5 MiB are free in {lab.store.artifacts}."
    assert len(problems) == 3


@pytest.mark.spec("5.12")
def test_a_missing_agent_copy_is_told(lab: Lab) -> None:
    """The first stage's saved Agent is a checkpoint that has to be reachable too."""
    made = lab.pipeline("SFT")
    (stage,) = made.stages
    (checkpoint,) = lab.runs.checkpoints(lab.do(stage, 0.5).id)
    agent = lab.agents.create("saved", checkpoint.id)
    lab.pipelines.update_stage(stage.id, lambda each: replace(each, start=FromAgent(agent.id)))  # pyright: ignore[reportCallIssue]
    shutil.rmtree(agent.current.path)
    (problem,) = lab.runs.check(made.id)
    assert problem.stage == "Stage 1 (chain-sft-1)"
    assert "missing" in problem.problem
