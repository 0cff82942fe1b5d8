"""Artifact kinds and roles in the words of a sentence.

An author of an algorithm chooses kinds and roles as keys, such as "lm" or "init+reference". Those of the
trainers here have a name in plain English; any other stands in sentences as its author wrote it.
"""

from __future__ import annotations

from collections.abc import Collection

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.text import with_article

_KINDS = {
    "actor-critic:ppo": "actor-critic",
    "agilerl:dqn": "AgileRL Q-network",
    "agilerl:ppo": "AgileRL actor-critic",
    "decoder": "decoder",
    "latent-policy": "latent policy",
    "lm": "language model",
    "model:supervised": "supervised model",
    "policy": "policy",
    "q:dqn": "Q-network",
    "reward-model": "reward model",
    "sb3:actor-critic": "Stable-Baselines3 actor-critic",
    "sb3:q": "Stable-Baselines3 Q-network",
    "sb3:sac": "Stable-Baselines3 SAC policy",
    "sb3:td3": "Stable-Baselines3 TD3 policy",
}
_ROLES = {
    "weights": "starting weights",
    "init+reference": "starting weights and reference",
    "backbone": "body below a new head",
}


def describe_kinds(kinds: Collection[str], *, joined_by: str = "or") -> str:
    """Return artifact kinds as a sentence has them, with an article: "a decoder or a language model"."""
    nouns = sorted({_KINDS.get(kind, isolate(kind)) for kind in kinds})
    return f" {joined_by} ".join("any checkpoint" if noun == "any" else with_article(noun) for noun in nouns)


def describe_role(role: str) -> str:
    """Return the role of a start checkpoint as a sentence has it: "starting weights"."""
    return _ROLES.get(role, isolate(role))
