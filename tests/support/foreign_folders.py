"""Folders as other tools leave them, written by plain code: just the bytes that are read."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import numpy as np

#: A pickle that makes a file when it is opened: `python -c "open('opened', 'w')"` as its only effect.
TRAP = b"cbuiltins\nopen\n(S'opened'\nS'w'\ntR."


def safetensors(path: Path, shapes: dict[str, list[int]]) -> None:
    """Write zeros of these shapes."""
    head, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **head}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))


def hugging_face(
    folder: Path, steps: tuple[int, ...] = (10, 20), losses: tuple[float, ...] = (0.9, 0.4)
) -> Path:
    """Write what transformers.Trainer leaves: `checkpoint-*` folders with weights, config and state."""
    history: list[dict[str, float]] = []
    for step, loss in zip(steps, losses, strict=True):
        history += [{"loss": loss + 0.1, "step": step}, {"eval_loss": loss, "epoch": 1.0, "step": step}]
        made = folder / f"checkpoint-{step}"
        made.mkdir(parents=True)
        (made / "config.json").write_text(
            json.dumps({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]})
        )
        safetensors(made / "model.safetensors", {"wte.weight": [8, 4], "ln.bias": [4]})
        (made / "trainer_state.json").write_text(json.dumps({"global_step": step, "log_history": history}))
        (made / "optimizer.pt").write_bytes(TRAP)
    return folder


def sb3(path: Path, steps: int = 5000) -> Path:
    """Write a model as Stable-Baselines3 does, whose weights and pickles are a trap."""
    box = {
        ":type:": "<class 'gymnasium.spaces.box.Box'>",
        "_shape": "[4]",
        "dtype": "float32",
        ":serialized:": "x",
    }
    discrete = {":type:": "<class 'gymnasium.spaces.discrete.Discrete'>", "n": "2", ":serialized:": "x"}
    data = {"num_timesteps": steps, "observation_space": box, "action_space": discrete}
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", json.dumps(data))
        archive.writestr("_stable_baselines3_version", "2.9.2")
        archive.writestr("policy.pth", TRAP)
    return path


def rl_zoo(folder: Path) -> Path:
    """Write what EvalCallback and RL-Zoo leave: the best model, evaluations, and pickled statistics."""
    sb3(folder / "best_model.zip", 4000)
    results = np.array([[10.0, 20.0], [300.0, 500.0], [100.0, 100.0]])
    np.savez(folder / "evaluations.npz", timesteps=np.array([2000, 4000, 6000]), results=results)
    (folder / "CartPole-v1").mkdir()
    (folder / "CartPole-v1" / "vecnormalize.pkl").write_bytes(TRAP)
    return folder


def trackio(path: Path, runs: tuple[str, ...] = ("first",)) -> Path:
    """Write a database with the columns of Trackio that count."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY, run_name TEXT, step INTEGER, metrics BLOB)"
        )
        for run in runs:
            for step in (0, 1):
                told = json.dumps({"loss": 1.0 - step / 2, "note": "words", "norm": "Infinity"}).encode()
                connection.execute(
                    "INSERT INTO metrics (run_name, step, metrics) VALUES (?, ?, ?)", (run, step, told)
                )
    return path


def pickled_evaluations(folder: Path) -> Path:
    """Write a folder whose evaluations can only be read by unpickling."""
    sb3(folder / "best_model.zip")
    with io.BytesIO() as made:
        np.savez(made, timesteps=np.array([1]), results=np.array([[object()]], dtype=object))
        (folder / "evaluations.npz").write_bytes(made.getvalue())
    return folder
