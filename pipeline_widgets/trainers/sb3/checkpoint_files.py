"""The files of a checkpoint: read and written in the process that trains or answers, never in a notebook.

===================  ==================================================================================
model.zip            Stable-Baselines3's own file: `PPO.load("model.zip")` opens it. Its optimizers are
                     fresh, since the library refuses a file without them and an agent needs none
vecnormalize.pkl     the statistics of VecNormalize of the same step, as the library saves them
facts.json           class, step, spaces, normalization, and digests of the files above
training.pt          for a resumed run alone: optimizers, counters, generators
replay_buffer.npz    for a resumed run alone: the transitions of an off-policy algorithm (.pkl for a
                     buffer of another class)
===================  ==================================================================================
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from pipeline_widgets.errors import CheckpointError, format_value
from pipeline_widgets.trainers.gymnasium_spaces import describe_spaces
from pipeline_widgets.trainers.sb3 import replay_buffers, training_state

MODEL, STATISTICS, FACTS = "model.zip", "vecnormalize.pkl", "facts.json"
BUFFER = "replay_buffer"
#: What only a resumed run needs, so that the copy of an agent is without it.
TRAINING_ONLY = (training_state.FILE, f"{BUFFER}.*")
FIX = "Choose another checkpoint, or run the experiment that made it again."
#: State that a resumed run takes from training.pt, or that differs between equal runs.
_LEFT_OUT = (
    "start_time",
    "ep_info_buffer",
    "ep_success_buffer",
    "_last_obs",
    "_last_original_obs",
    "_last_episode_starts",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can say


def save(model: Any, folder: Path) -> None:
    """Write a model with all that prediction, the next stage and a resumed run need.

    Weights and statistics are those of the same step. Equal runs write equal bytes.

    Args:
        model: An algorithm of Stable-Baselines3.
        folder: An empty folder, such as `ctx.checkpoint(step)` gives.
    """
    import stable_baselines3

    with io.BytesIO() as whole:
        model.save(whole, exclude=_LEFT_OUT)
        (folder / MODEL).write_bytes(_with_fresh_optimizers(whole))
    statistics = model.get_vec_normalize_env()
    if statistics is not None:
        statistics.save(str(folder / STATISTICS))
    names = [MODEL, STATISTICS] if statistics is not None else [MODEL]
    facts = {
        "library": "stable-baselines3",
        "version": stable_baselines3.__version__,
        "class": _importable_class(type(model)),
        "step": int(model.num_timesteps),
        "normalization": describe_normalization(statistics),
        **describe_spaces(model.observation_space, model.action_space),
        "files": {name: _digest(folder / name) for name in names},
    }
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    training_state.save(model, folder / training_state.FILE)
    if getattr(model, "replay_buffer", None) is not None:
        replay_buffers.save(model.replay_buffer, folder, BUFFER)


def describe_normalization(statistics: Any) -> str:
    """Return what a VecNormalize normalizes: "observations and rewards", "none" without one.

    Args:
        statistics: A VecNormalize, or None.
    """
    if statistics is None:
        return "none"
    names = {"observations": statistics.norm_obs, "rewards": statistics.norm_reward}
    return " and ".join(name for name, is_on in names.items() if is_on) or "none"


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts of a checkpoint whose files are those that were saved with it.

    A folder that holds nothing but a model of Stable-Baselines3, such as one that was adopted, has none.

    Args:
        folder: The checkpoint.

    Raises:
        CheckpointError: It has no model, or a file is not the one that was saved with it.
    """
    if not (folder / MODEL).is_file():
        why = f"{folder / MODEL} does not exist."
        raise CheckpointError(f"The checkpoint has no file {MODEL}.", why, FIX)
    path = folder / FACTS
    if not path.is_file():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        digests: dict[str, str] = dict(facts["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"It is corrupt ({type(error).__name__}: {error})."
        raise CheckpointError(f"The checkpoint file {path} cannot be read.", why, FIX) from error
    for name, digest in digests.items():
        if not (folder / name).is_file():
            why = _WITHOUT_STATISTICS if name == STATISTICS else f"{folder / name} does not exist."
            raise CheckpointError(f"The checkpoint has no file {name}.", why, FIX)
        if _digest(folder / name) != digest:
            what = f"{name} is not the file that was saved with this checkpoint."
            raise CheckpointError(what, "It is of another step or of another run.", FIX)
    return facts


def read_statistics(folder: Path) -> Any:
    """Return the VecNormalize of a checkpoint, without environments; None if it has none.

    It is a pickle: call this in a process that trains or answers.

    Args:
        folder: The checkpoint.

    Raises:
        CheckpointError: The file cannot be opened.
    """
    if not (folder / STATISTICS).is_file():
        return None
    from stable_baselines3.common.save_util import load_from_pkl
    from stable_baselines3.common.vec_env import VecNormalize

    try:
        opened = load_from_pkl(folder / STATISTICS)
        if not isinstance(opened, VecNormalize):
            raise TypeError(f"it holds {format_value(opened)}")  # noqa: TRY301  told as what a pickle raises
    except Exception as error:  # a pickle may raise anything
        raise unreadable(folder / STATISTICS, error) from error
    return opened


def read_weights(folder: Path, device: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the state dictionaries and the other variables of a model; nothing in it is unpickled.

    Args:
        folder: The checkpoint.
        device: Where the tensors go.

    Raises:
        CheckpointError: The file cannot be read, or holds NaN.
    """
    from stable_baselines3.common.save_util import load_from_zip_file

    try:
        _, parameters, variables = load_from_zip_file(folder / MODEL, device=device, load_data=False)
    except Exception as error:  # zipfile and torch raise nearly anything on foreign bytes
        raise unreadable(folder / MODEL, error) from error
    for name, tensor in (parameters or {}).get("policy", {}).items():
        if not bool(tensor.isfinite().all()):
            why = f"{name!r} holds NaN or infinities: the training diverged."
            fix = "Choose an earlier checkpoint, or lower the learning rate."
            raise CheckpointError("The checkpoint does not hold the expected weights.", why, fix)
    return parameters or {}, variables or {}


_WITHOUT_STATISTICS = "Its policy was trained on observations or rewards that VecNormalize had scaled."


def _with_fresh_optimizers(whole: io.BytesIO) -> bytes:
    """Return a saved model with optimizers that have done no step yet, and without the time of saving."""
    import torch

    with zipfile.ZipFile(whole) as source, io.BytesIO() as made:
        with zipfile.ZipFile(made, "w") as target:
            for entry in source.infolist():
                content = source.read(entry)
                if entry.filename.endswith("optimizer.pth"):
                    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
                    with io.BytesIO() as fresh:
                        torch.save({**state, "state": {}}, fresh)
                        content = fresh.getvalue()
                target.writestr(zipfile.ZipInfo(entry.filename, _EPOCH), content)
        return made.getvalue()


def _importable_class(kind: type[Any]) -> str:
    """Return where any process finds the class of a model, or that which it extends, if it is of a cell."""
    found = next(
        each for each in kind.__mro__ if each.__module__ != "__main__" and "<" not in each.__qualname__
    )
    return f"{found.__module__}:{found.__qualname__}"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unreadable(path: Path, error: Exception) -> CheckpointError:
    """Return the error for a file that is not what was saved."""
    why = f"It is corrupt or comes from another library ({type(error).__name__}: {error})."
    return CheckpointError(f"The checkpoint file {path} cannot be read.", why, FIX)
