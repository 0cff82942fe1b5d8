"""Builders of domain values: a test states what matters to it, the rest has a default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline_widgets.domain.agent import AgentVersion
from pipeline_widgets.domain.chain import (
    DeploymentStage,
    ExperimentStage,
    FromScratch,
    FromSource,
    Pipeline,
    Stage,
    Trigger,
)
from pipeline_widgets.domain.checkpoint import Checkpoint
from pipeline_widgets.domain.compatibility import AlgorithmSpec, Port
from pipeline_widgets.domain.experiment import Experiment, compute_config_digest
from pipeline_widgets.domain.pipeline_facts import PipelineFacts, StageFacts
from pipeline_widgets.domain.run import Run, Status

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

SFT = AlgorithmSpec(name="SFT", produces=frozenset({"lm"}), accepts=(Port("weights", {"lm"}, ("base",)),))
GRPO = AlgorithmSpec(name="GRPO", produces=frozenset({"lm"}), accepts=(Port("policy", {"lm"}, ("base",)),))
#: Starts from a language model only.
DPO = AlgorithmSpec(
    name="DPO",
    produces=frozenset({"lm"}),
    accepts=(Port("init+reference", {"lm"}, ("base",)),),
    scratch=False,
)
#: Starts from scratch only.
PPO = AlgorithmSpec(name="PPO", produces=frozenset({"policy"}))
#: A lower score is better.
LOSS = AlgorithmSpec(name="LOSS", produces=frozenset({"lm"}), accepts=(Port("weights", {"lm"}),), score="min")

SPECS = {spec.name: spec for spec in (SFT, GRPO, DPO, PPO, LOSS)}


def later(minutes: int) -> datetime:
    """Return a time after NOON."""
    return NOON + timedelta(minutes=minutes)


def a_checkpoint(
    step: int = 10,
    evaluation: float | None = None,
    training: float | None = None,
    *,
    id: int | None = None,  # noqa: A002  as the field is called
    run_id: int = 1,
    digest: str | None = None,
    signature: Mapping[str, Any] | None = None,
) -> Checkpoint:
    """Return a checkpoint whose id, path and digest follow from its run and step."""
    return Checkpoint(
        id=run_id * 1000 + step if id is None else id,
        run_id=run_id,
        step=step,
        path=f"/nowhere/{run_id}/{step}",
        size=1,
        digest=digest or f"{run_id}/{step}",
        created_at=NOON,
        training_score=training,
        evaluation_score=evaluation,
        signature=dict(signature or {}),
    )


def an_experiment(
    id: int = 1,  # noqa: A002
    spec: AlgorithmSpec = SFT,
    *,
    name: str | None = None,
    config: Mapping[str, Any] | None = None,
    signature: Mapping[str, Any] | None = None,
) -> Experiment:
    """Return an experiment of project 1."""
    return Experiment(
        id=id,
        project_id=1,
        name=name or f"{spec.name.lower()}-{id}",
        algorithm_id=id,
        spec=spec,
        config=dict(config or {}),
        seed=0,
        config_digest=compute_config_digest(config or {}, 0),
        created_at=NOON,
        modified_at=NOON,
        signature=dict(signature or {}),
    )


def a_run(
    id: int = 1,  # noqa: A002
    status: Status = Status.SUCCEEDED,
    *,
    number: int | None = None,
    of: Experiment | None = None,
    source: Checkpoint | None = None,
    resumed: Run | None = None,
) -> Run:
    """Return a run of an experiment, triggered with its config, that consumed a checkpoint."""
    return Run(
        id=id,
        project_id=1,
        number=id if number is None else number,
        status=status,
        created_at=later(id),
        experiment_id=of.id if of else None,
        config_digest=of.config_digest if of else None,
        source_checkpoint_id=source.id if source else None,
        source_run_id=source.run_id if source else None,
        resumed_run_id=resumed.id if resumed else None,
    )


def a_version(
    checkpoint: Checkpoint, *, agent_id: int = 1, number: int = 1, spec: AlgorithmSpec = SFT
) -> AgentVersion:
    """Return a version of an agent, made of a checkpoint."""
    return AgentVersion(
        id=agent_id * 100 + number,
        agent_id=agent_id,
        number=number,
        checkpoint=checkpoint,
        experiment=f"{spec.name.lower()}-1",
        path=f"/nowhere/agents/{agent_id}/{number}",
        algorithm_id=1,
        spec=spec,
        created_at=NOON,
    )


def a_pipeline(*stages: Stage, name: str = "letters", version: int = 1) -> Pipeline:
    """Return a pipeline of those stages."""
    return Pipeline(
        id=1, project_id=1, name=name, stages=stages, version=version, created_at=NOON, modified_at=NOON
    )


def a_chain(*names: str, trigger: str = "manual") -> Pipeline:
    """Return a pipeline with a stage for each name, "deploy" being a Deployment stage.

    Ids count from 1; stage n is bound to experiment n. All but the first have the trigger.
    """
    return a_pipeline(*(_stage(at, each, trigger) for at, each in enumerate(names)))


def _stage(at: int, named: str, trigger: str) -> Stage:
    kind = Trigger(trigger) if at else Trigger.MANUAL
    if named == "deploy":
        return DeploymentStage(id=at + 1, agent_name=f"agent-{at + 1}", trigger=kind)
    start = FromSource("best") if at else FromScratch()
    return ExperimentStage(id=at + 1, experiment_id=at + 1, trigger=kind, start=start)


def facts_of(*names: str, **known: Mapping[str, Any]) -> PipelineFacts:
    """Return what is known about the stages of `a_chain(*names)`.

    Args:
        *names: As for a_chain: the names of algorithms, or "deploy".
        **known: Fields of StageFacts for single stages: `stage_2={"latest": ...}`.
    """
    stages: dict[int, StageFacts] = {}
    for at, named in enumerate(names):
        fields: dict[str, Any] = {
            "experiment": None if named == "deploy" else an_experiment(at + 1, SPECS[named])
        }
        fields |= known.get(f"stage_{at + 1}", {})
        stages[at + 1] = StageFacts(**fields)
    return PipelineFacts(stages=stages)


def succeeded(
    run: Run, *checkpoints: Checkpoint, consumed: Checkpoint | None = None, used: Run | None = None
) -> dict[str, Any]:
    """Return the fields of StageFacts of a stage whose latest run succeeded and saved checkpoints."""
    return {
        "latest": run,
        "succeeded": run,
        "offered_run": run,
        "checkpoints": tuple(checkpoints),
        "latest_checkpoints": tuple(checkpoints),
        "consumed": consumed,
        "consumed_from": used,
    }


def ids(stages: Iterable[Stage]) -> list[int]:
    """Return the ids of stages, in order."""
    return [stage.id for stage in stages]
