"""Ways in which a good checkpoint of PPO is handed over wrongly: each makes a copy that is bad in one way."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sb3.environments import scaled_cart_pole
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from pipeline_widgets.trainers.sb3 import checkpoint_files

POLICY = "policy.pth"


def copy_of(folder: Path, to: Path) -> Path:
    """Return a copy of a checkpoint.

    Args:
        folder: The checkpoint.
        to: Where the copy is made.
    """
    return Path(shutil.copytree(folder, to, copy_function=shutil.copyfile))


def sign(folder: Path) -> None:
    """Let a checkpoint say of its files that they are its own, as a tool would that writes all of it anew."""
    path = folder / checkpoint_files.FACTS
    facts = json.loads(path.read_text())
    for name in [name for name in facts["files"] if (folder / name).exists()]:
        facts["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(facts))


def statistics_missing(folder: Path, other: Path) -> None:
    """Keep the weights alone."""
    (folder / checkpoint_files.STATISTICS).unlink()


def statistics_of_another_step(folder: Path, other: Path) -> None:
    """Take the statistics of step 0, as a script has them that saves its environments before it trains."""
    environments = VecNormalize(make_vec_env(scaled_cart_pole, 1))
    environments.save(str(folder / checkpoint_files.STATISTICS))


def wrong_action_order(folder: Path, other: Path) -> None:
    """Exchange left and right."""

    def exchanged(weights: dict[str, Any]) -> dict[str, Any]:
        names = ("action_net.weight", "action_net.bias")
        return {**weights, **{name: weights[name].flip(0) for name in names}}

    change_weights(folder, exchanged)


def wrong_observation_order(folder: Path, other: Path) -> None:
    """Let the network see position, velocity, angle and rate in the reverse order."""
    name = "mlp_extractor.policy_net.0.weight"
    change_weights(folder, lambda weights: {**weights, name: weights[name].flip(1)})


def wrong_layer_names(folder: Path, other: Path) -> None:
    """Give the layers the names of another version."""
    change_weights(folder, lambda weights: {f"module.{name}": value for name, value in weights.items()})


def wrong_scale_of_the_type(folder: Path, other: Path) -> None:
    """Read weights that were stored as 8-bit integers without their scale."""
    change_weights(folder, lambda weights: {name: value.round() for name, value in weights.items()})


def file_of_another_run(folder: Path, other: Path) -> None:
    """Take the model of another run, of the same spaces and layers."""
    shutil.copy(other / checkpoint_files.MODEL, folder / checkpoint_files.MODEL)


#: By name: what spoils a copy, given another run's checkpoint.
SABOTAGES: dict[str, Callable[[Path, Path], None]] = {
    "statistics missing": statistics_missing,
    "statistics of another step": statistics_of_another_step,
    "wrong action order": wrong_action_order,
    "wrong observation order": wrong_observation_order,
    "wrong layer names": wrong_layer_names,
    "wrong dtype scale": wrong_scale_of_the_type,
    "file of another run": file_of_another_run,
}


def change_weights(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Write the weights of a policy anew.

    Args:
        folder: The checkpoint.
        change: From the state dictionary to another one.
    """
    path = folder / checkpoint_files.MODEL
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    weights = torch.load(io.BytesIO(entries[POLICY]), weights_only=True)
    with io.BytesIO() as made:
        torch.save(change(weights), made)
        entries[POLICY] = made.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
