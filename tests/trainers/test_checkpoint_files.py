"""Checkpoint files that ask for more memory than they are large."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline_widgets.errors import CheckpointError
from pipeline_widgets.trainers.numpy import action_vae, actor_critic, checkpoint_files, dqn, tabular

MIB = 1 << 20
LARGE = 256 * MIB


def header(count: int) -> bytes:
    """Return the header of an array of so many bytes."""
    stream = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(stream, described)
    return stream.getvalue()


def compressed(path: Path) -> None:
    """Write zeros that take a thousandth of their size."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        member.write(header(LARGE))
        for _ in range(LARGE // MIB):
            member.write(bytes(MIB))


def declared(path: Path) -> None:
    """Write an array whose header declares what is not there."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header(LARGE) + bytes(10))


def overlapping(path: Path) -> None:
    """Write an archive whose directory names the same MiB of the file again and again."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header(MIB) + bytes(MIB))
        (first,) = archive.infolist()
        archive.filelist.extend([first] * (LARGE // MIB))


def lying(path: Path) -> None:
    """Write a compressed array whose directory tells that it is small."""
    compressed(path)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 200)
    path.write_bytes(content)


def not_ours(path: Path) -> None:
    """Write what is no archive, as long as a large one."""
    with path.open("wb") as file:
        file.truncate(LARGE)


@contextmanager
def little_memory() -> Generator[None]:
    """Hold that no more than a few MiB are in use at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 16 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("write", [compressed, declared, overlapping, lying, not_ours])
def test_row_15_a_small_file_does_not_take_much_memory(tmp_path: Path, write: Callable[[Path], None]) -> None:
    """What would be larger in memory than on the disk is refused before it is read."""
    write(tmp_path / "part.npz")
    with little_memory(), pytest.raises(CheckpointError, match=r"part\.npz cannot be read"):
        checkpoint_files.load_arrays(tmp_path, "part")


DESCRIBED: list[tuple[Callable[[Path], Any], str, dict[str, Any]]] = [
    (tabular.load_tabular, "model", {"kind": "tabular", "features": 100_000, "classes": 0}),
    (action_vae.load_decoder, "decoder", {"state_dim": 10_000, "action_dim": 9, "latent_dim": 9}),
    (dqn.predict, "policy", {"kind": "q-network", "observation_dim": 100_000, "actions": 9}),
    (
        actor_critic.load,
        "policy",
        {"observation_dim": 100_000, "action_space": [True, 9, [], []]},
    ),
    (
        actor_critic.load,
        "policy",
        {"observation_dim": 9, "action_space": [False, LARGE, [], []]},
    ),
]


@pytest.mark.parametrize(("load", "part", "facts"), DESCRIBED)
def test_row_15_a_short_description_does_not_take_much_memory(
    tmp_path: Path, load: Callable[[Path], Any], part: str, facts: dict[str, Any]
) -> None:
    """A network is not larger than the weights that were saved of it, whatever its description says."""
    for name in ("model", "decoder", "policy", "q_network", part):
        (tmp_path / f"{name}.json").write_text(json.dumps({**facts, "hidden_units": 4096}))
        checkpoint_files.save_arrays(tmp_path, name, {"network.0": np.zeros((2, 2))})
    with little_memory(), pytest.raises(CheckpointError, match="a larger network"):
        load(tmp_path)


def test_row_15_a_long_description_is_not_read_as_a_whole(tmp_path: Path) -> None:
    """A file that describes a part and is far too long is refused by its beginning."""
    with (tmp_path / "model.json").open("wb") as file:
        file.write(b'{"kind": "tabular", "x": "')
        file.truncate(LARGE)
    with little_memory(), pytest.raises(CheckpointError, match=r"model\.json cannot be read"):
        checkpoint_files.load(tmp_path, "model", tabular.TabularFacts)


def test_what_was_saved_is_read_as_ever(tmp_path: Path) -> None:
    """Arrays of any shape and kind come back, also empty ones and scalars."""
    saved = {
        "a": np.arange(6.0).reshape(2, 3),
        "empty": np.zeros((0, 3)),
        "scalar": np.array(3),
        "flags": np.array([True]),
        "many": np.zeros(MIB, np.uint8),
    }
    checkpoint_files.save_arrays(tmp_path, "part", saved)
    found = checkpoint_files.load_arrays(tmp_path, "part")
    assert found.keys() == saved.keys()
    assert all(
        (found[name] == saved[name]).all() and found[name].dtype == saved[name].dtype for name in saved
    )
