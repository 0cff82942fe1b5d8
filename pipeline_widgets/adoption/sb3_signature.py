"""The signature of a model of Stable-Baselines3: by its JSON, and by a process that opens its spaces."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pipeline_widgets.adoption import sb3_files

#: By an argument that only one class has.
_TELLTALES = {
    "clip_range": "PPO",
    "exploration_fraction": "DQN",
    "target_policy_noise": "TD3",
    "target_entropy": "SAC",
    "normalize_advantage": "A2C",
}
#: Arguments of classes of sb3-contrib that have one of these as well.
_OTHERS = ("cg_max_steps", "n_quantiles", "top_quantiles_to_drop_per_net", "n_eval_episodes")
#: Hidden layers and activation where `policy_kwargs` says nothing, of policies without convolutions.
_DEFAULTS = {
    "PPO": ("64 x 64", "tanh"),
    "A2C": ("64 x 64", "tanh"),
    "DQN": ("64 x 64", "relu"),
    "SAC": ("256 x 256", "relu"),
    "TD3": ("400 x 300", "relu"),
}
_ACTIVATIONS = {"LeakyReLU": "leaky relu"}
_IMAGE = re.compile(r"Box\(\d+, \d+, \d+\) uint8")
_OPENING = 60.0  # seconds; it imports numpy and Gymnasium
#: The normalization of a model that was trained with VecNormalize, whose file is gone.
MISSING = "in a VecNormalize file that is missing"


def name_class(data: Mapping[str, Any]) -> str | None:
    """Return which of the five classes has made a model; None for another one.

    Args:
        data: Its JSON.
    """
    policy = data.get("policy_class")
    module = str(cast("dict[str, Any]", policy).get("__module__", "")) if isinstance(policy, dict) else ""
    if module.startswith("sb3_contrib") or any(name in data for name in _OTHERS):
        return None
    return next((made for telltale, made in _TELLTALES.items() if telltale in data), None)


def read_signature(model: Path, data: Mapping[str, Any]) -> dict[str, str]:
    """Return the facets of a model: library, spaces, what is normalized, and the network.

    What the JSON does not say is asked of a process that opens the pickles of spaces and of VecNormalize, and
    only these. A facet that cannot be told is left out.

    Args:
        model: The file.
        data: Its JSON.
    """
    statistics = sb3_files.find_statistics(model, data)
    made = {"library": f"stable-baselines3 {sb3_files.read_versions(model).library}"}
    for facet, name in (("observation", "observation_space"), ("action", "action_space")):
        if (text := _space(data.get(name))) is not None:
            made[facet] = text
    made["statistics"] = "none" if statistics is None else "VecNormalize"
    is_normalized = sb3_files.uses_statistics(data)
    if statistics is None and is_normalized is not None:
        made["normalization"] = MISSING if is_normalized else "none"
    made |= _ask_process(model, statistics)
    if (network := _network(data, made.get("observation", ""))) is not None:
        made["network"] = network
    if _IMAGE.search(made.get("observation", "")):
        # The model has the channels first, whichever order the environment has.
        made = {name: value for name, value in made.items() if not name.startswith("observation")}
    return made


def _ask_process(model: Path, statistics: Path | None) -> dict[str, str]:
    """Return the facets that are in pickles, by a process that opens no other classes than theirs."""
    command = [sys.executable, "-P", "-m", "pipeline_widgets.trainers.sb3.pickled_facts", str(model)]
    command += [] if statistics is None else [str(statistics)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_OPENING, check=True)  # noqa: S603  our own module
        told: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return {str(name): str(value) for name, value in told.items()}


def _space(described: Any) -> str | None:
    """Return a space as "Box(4) float32" or "Discrete(2)", by the texts beside its pickle."""
    if not isinstance(described, dict):
        return None
    told = cast("dict[str, Any]", described)
    kind = str(told.get(":type:", "")).rstrip("'>").rpartition(".")[2]
    if kind == "Box":
        shape = ", ".join(re.findall(r"\d+", str(told.get("_shape", told.get("shape", "")))))
        return f"Box({shape}) {told.get('dtype', '')}".rstrip()
    if kind == "Discrete":
        start = str(told.get("start", "0"))
        return f"Discrete({told.get('n')})" if start == "0" else f"Discrete({told.get('n')}, start={start})"
    return None  # its texts do not say all


def _network(data: Mapping[str, Any], observation: str) -> str | None:
    """Return the hidden layers and their activation, as the ready algorithms name them; None if unsaid."""
    kind, kept = name_class(data), data.get("policy_kwargs")
    if kind is None or not isinstance(kept, dict) or not observation.startswith(("Box", "Discrete", "Multi")):
        return None
    arguments = cast("dict[str, Any]", kept)
    layers, activation = _DEFAULTS[kind]
    if "net_arch" in arguments:
        told = _layers(arguments["net_arch"])
        if told is None:
            return None
        layers = told
    elif observation.count(",") > 1 or "features_extractor_class" in arguments:
        return None  # images have other layers by default
    if "activation_fn" in arguments:
        name = str(arguments["activation_fn"]).rstrip("'>").rpartition(".")[2]
        activation = _ACTIVATIONS.get(name, name.lower())
    return f"{layers} {activation}"


def _layers(told: Any) -> str | None:
    """Return `net_arch` as "64 x 64", or with the names of its parts where they differ."""
    if isinstance(told, str):  # older versions write lists as texts
        try:
            told = json.loads(told)
        except ValueError:
            return None
    if isinstance(told, list):
        listed = cast("list[Any]", told)
        if len(listed) == 1 and isinstance(listed[0], dict):  # as it was before 1.8
            return _layers(listed[0])
        sizes = [str(each) for each in listed if isinstance(each, int)]
        return " x ".join(sizes) if len(sizes) == len(listed) and sizes else None
    if isinstance(told, dict):
        parts = {name: _layers(each) for name, each in cast("dict[str, Any]", told).items()}
        known = {name: each for name, each in parts.items() if each is not None}
        if len(known) < len(parts) or not parts:
            return None
        same = set(known.values())
        return same.pop() if len(same) == 1 else ", ".join(f"{name} {each}" for name, each in known.items())
    return None
