"""Trained checkpoints that many tests start from; nothing changes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline_widgets.trainers.trl import letters, ready

if TYPE_CHECKING:
    from tests_trainers.trl.runs import Run

RANK = 16
STEPS = 150  # enough for a third of the answers


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared trainings are."""
    return tmp_path_factory.mktemp("trl")


@pytest.fixture(scope="session")
def base(place: Path) -> Path:
    """A folder with the untrained base model."""
    folder = place / "base"
    letters.write_base(folder, seed=0)
    return folder


@pytest.fixture(scope="session")
def sft(place: Path) -> Run:
    """An SFT of all weights."""
    from tests_trainers.trl import runs

    return runs.train(ready.sft, place, steps=STEPS)


@pytest.fixture(scope="session")
def sft_lora(place: Path) -> Run:
    """An SFT of an adapter."""
    from tests_trainers.trl import runs

    return runs.train(ready.sft, place, steps=STEPS, lora=RANK)


@pytest.fixture(scope="session")
def dpo_lora(place: Path, sft_lora: Run) -> Run:
    """A DPO of a new adapter on the merged SFT."""
    from tests_trainers.trl import runs

    start = runs.start_from(sft_lora.best, "init+reference")
    return runs.train(ready.dpo, place, start=start, lora=RANK)


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, Any]:
    """Arguments of a plain recipe: tiny, on the CPU, without a word."""
    return {
        "output_dir": str(tmp_path / "plain"),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": [],
        "disable_tqdm": True,
        "save_strategy": "no",
        "max_steps": 4,
        "per_device_train_batch_size": 16,
        "learning_rate": 1e-3,
        "seed": 0,
    }
