"""Templates: pipelines to begin with, each time with experiments and agents of their own (spec 4.12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline_widgets.domain.chain import (
    UNSAVED_ID,
    DeploymentStage,
    ExperimentStage,
    FromScratch,
    FromSource,
    Trigger,
)
from pipeline_widgets.domain.document import Document, ExperimentEntry, StageEntry

ARROW = " → "


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A pipeline to begin with."""

    #: Its name and description are those of the template.
    document: Document
    #: Whether it comes with the package; one of the user's own can be deleted.
    is_ready: bool

    @property
    def name(self) -> str:
        """The name of the template."""
        return self.document.name

    @property
    def chain(self) -> str:
        """What its stages are, in their order, such as "SFT → DPO → agent"."""
        algorithms = {each.name: each.algorithm for each in self.document.experiments}
        return ARROW.join(
            "agent" if each.experiment is None else algorithms[each.experiment]
            for each in self.document.stages
        )


def name_parts(
    document: Document, name: str, experiments: Mapping[str, str], agents: Mapping[str, str]
) -> Document:
    """Return a document with other names, everywhere where they are used.

    Args:
        document: The document.
        name: The name of the pipeline.
        experiments: The new names of its experiments, by their names in it.
        agents: The new names of the agents that it deploys.
    """
    stages = [
        replace(
            each,
            experiment=None if each.experiment is None else experiments[each.experiment],
            stage=replace(each.stage, agent_name=agents[each.stage.agent_name])
            if isinstance(each.stage, DeploymentStage)
            else each.stage,
        )
        for each in document.stages
    ]
    named = tuple(replace(each, name=experiments[each.name]) for each in document.experiments)
    return replace(document, name=name, experiments=named, stages=tuple(stages))


def list_deployed_agents(document: Document) -> tuple[str, ...]:
    """Return the names of the agents that a document deploys, each once."""
    names = (each.stage.agent_name for each in document.stages if isinstance(each.stage, DeploymentStage))
    return tuple(dict.fromkeys(names))


def _chain(
    name: str, description: str, agent: str, *experiments: tuple[str, str, Mapping[str, Any]]
) -> Template:
    """Return a ready template: experiments one after the other from the best checkpoint, and an agent."""
    stages = [
        ExperimentStage(
            experiment_id=UNSAVED_ID,
            trigger=Trigger.AUTO if at else Trigger.MANUAL,
            start=FromSource() if at else FromScratch(),
        )
        for at in range(len(experiments))
    ]
    entries = [
        StageEntry(stage=stage, experiment=experiment)
        for stage, (experiment, _, _) in zip(stages, experiments, strict=True)
    ]
    deployed = StageEntry(stage=DeploymentStage(agent_name=agent, trigger=Trigger.AUTO))
    document = Document(
        name=name,
        description=description,
        experiments=tuple(
            ExperimentEntry(name=experiment, algorithm=algorithm, config=config, seed=0)
            for experiment, algorithm, config in experiments
        ),
        stages=(*entries, deployed),
    )
    return Template(document=document, is_ready=True)


#: With the defaults of their algorithms, so that each can be run at once on a laptop.
READY = (
    _chain(
        "Post-training",
        "Supervised fine-tuning, preferences, then a verifiable reward: a language model that answers.",
        "language model",
        ("sft", "SFT", {}),
        ("dpo", "DPO", {}),
        ("grpo", "GRPO", {}),
    ),
    _chain(
        "Latent policy",
        "A decoder of joint actions, then a policy that acts in its latent space.",
        "latent policy",
        ("decoder", "Supervised", {"dataset": "gait"}),
        ("policy", "LatentPPO", {}),
    ),
    _chain(
        "Train and fine-tune",
        "Train a model, then fine-tune its best checkpoint with a smaller learning rate.",
        "model",
        ("train", "Supervised", {}),
        ("fine-tune", "Supervised", {"steps": 500, "learning_rate": 3e-4}),
    ),
)
