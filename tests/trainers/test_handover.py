"""The trainers that come along check what is handed over to them (spec 7.6)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline_widgets.algorithms.context import Start
from pipeline_widgets.algorithms.registry import Algorithm
from pipeline_widgets.errors import HandoverError
from pipeline_widgets.trainers.numpy.dpo import dpo
from pipeline_widgets.trainers.numpy.dqn import dqn
from pipeline_widgets.trainers.numpy.grpo import grpo
from pipeline_widgets.trainers.numpy.latent_ppo import latent_ppo
from pipeline_widgets.trainers.numpy.ppo import ppo
from pipeline_widgets.trainers.numpy.sft import sft
from pipeline_widgets.trainers.numpy.supervised import supervised

if TYPE_CHECKING:
    from tests.trainers.conftest import Train

EPISODES = {"num_envs": 8, "rollout_length": 32, "evaluation_episodes": 8}
SFT = {"steps": 200}
PPO = {"steps": 8_192, **EPISODES}
DQN = {"steps": 4_000, "evaluation_episodes": 8, "warm_up": 200}
#: Pairs of a stage and the one that starts from it, with the role in which it does.
PAIRS: Mapping[str, tuple[Algorithm, Mapping[str, Any], Algorithm, Mapping[str, Any], str]] = {
    "SFT -> SFT": (sft, SFT, sft, {"steps": 1}, "weights"),
    "SFT -> DPO": (sft, SFT, dpo, {"steps": 1}, "init+reference"),
    "SFT -> GRPO": (sft, SFT, grpo, {"steps": 1, "prompts": 2}, "init+reference"),
    "PPO -> PPO": (ppo, PPO, ppo, {"steps": 1, **EPISODES}, "weights"),
    "DQN -> DQN": (dqn, DQN, dqn, {**DQN, "steps": 1}, "weights"),
    "Supervised -> Supervised": (supervised, {"steps": 100}, supervised, {"steps": 1}, "weights"),
}


def spoiled(start: Start, folder: Path, part: str, change: Callable[[dict[str, Any]], None]) -> Start:
    """Return a start from a copy of a checkpoint in which some arrays are others."""
    shutil.copytree(start.path, folder, copy_function=shutil.copyfile)
    with np.load(folder / f"{part}.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    change(arrays)
    np.savez(folder / f"{part}.npz", **arrays)
    return replace(start, path=folder)


@pytest.mark.spec("7.6")
@pytest.mark.parametrize("pair", PAIRS)
def test_a_good_handover_is_not_held(pair: str, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    """A stage that starts from Best scores it first, finds the saved score, and trains."""
    first, config, second, settings, role = PAIRS[pair]
    for seed in range(5):
        start = train(first, config, seed=seed).start(role)
        assert train(second, settings, seed=seed, start=start).checkpoints
        assert f"The checkpoint of step {start.step} scores" in capsys.readouterr().out


@pytest.mark.spec("7.6")
def test_statistics_that_were_not_handed_over_are_found(train: Train, tmp_path: Path) -> None:
    """A policy whose normalization is that of no observations scores otherwise, and the run ends."""

    def forget(arrays: dict[str, Any]) -> None:
        names = [name for name in arrays if name.startswith("normalizer")]
        assert len(names) == 3
        for name in names:
            arrays[name] = np.full_like(arrays[name], float(not name.endswith(".0")))

    start = spoiled(train(ppo, PPO).start("weights"), tmp_path / "spoiled", "policy", forget)
    with pytest.raises(HandoverError, match="statistics of a normalization"):
        train(ppo, {"steps": 1, **EPISODES}, start=start)
    assert train(ppo, {"steps": 1, **EPISODES, "handover": "off"}, start=start).checkpoints
    assert train(ppo, {"steps": 1, **EPISODES, "handover": "warn"}, start=start).checkpoints


@pytest.mark.spec("7.6")
@pytest.mark.parametrize("second", [sft, dpo, grpo])
def test_another_order_of_tokens_is_found(second: Algorithm, train: Train, tmp_path: Path) -> None:
    """A language model whose outputs mean other letters scores otherwise, and the run ends."""

    def permute(arrays: dict[str, Any]) -> None:
        last = max(name for name in arrays if name.startswith("network"))
        arrays[last] = np.roll(arrays[last], 1, axis=-1)

    start = spoiled(train(sft, {"steps": 400}).start("weights"), tmp_path / "spoiled", "model", permute)
    with pytest.raises(HandoverError, match="tokenizer"):
        train(second, {"steps": 1}, start=start)


@pytest.mark.spec("7.6")
def test_another_evaluator_is_not_compared(train: Train) -> None:
    """A stage that is scored on other episodes says nothing of a score that it cannot compare."""
    start = train(ppo, PPO).start("weights")
    assert train(ppo, {"steps": 1, **EPISODES, "evaluation_episodes": 9}, start=start).checkpoints
    decoder = train(supervised, {"steps": 100, "dataset": "gait"}).start("decoder")
    assert train(latent_ppo, {"steps": 64, **EPISODES}, start=decoder).checkpoints


def test_the_check_changes_nothing_of_the_training(train: Train) -> None:
    """The same seed gives the same bytes with the check and without it."""
    start = train(sft, SFT).start("weights")
    checked = train(dpo, {"steps": 8}, start=start)
    assert checked.digests == train(dpo, {"steps": 8, "handover": "off"}, start=start).digests
