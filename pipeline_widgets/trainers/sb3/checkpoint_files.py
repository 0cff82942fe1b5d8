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
import platform
import zipfile
from pathlib import Path
from typing import Any

from pipeline_widgets.adoption import sb3_files, sb3_signature
from pipeline_widgets.adoption.sb3_files import MODEL, STATISTICS
from pipeline_widgets.errors import CheckpointError, format_value
from pipeline_widgets.trainers.gymnasium_spaces import describe_spaces
from pipeline_widgets.trainers.sb3 import pickled_facts, replay_buffers, training_state

FACTS = "facts.json"
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

    A folder of Stable-Baselines3 or RL-Zoo that was adopted says nothing of itself: then they are those that
    its model says.

    Args:
        folder: The checkpoint.

    Raises:
        CheckpointError: It has no model, or a file is missing or not the one that was saved with it.
    """
    path = folder / FACTS
    if not path.is_file():
        return _read_foreign_facts(model_of(folder))
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


def model_of(folder: Path) -> Path:
    """Return the file with the model of a checkpoint.

    Args:
        folder: The checkpoint.

    Raises:
        CheckpointError: There is none.
    """
    if (found := sb3_files.find_model(folder)) is None:
        why = f"{folder / MODEL} does not exist."
        raise CheckpointError(f"The checkpoint has no file {MODEL}.", why, FIX)
    return found


def _read_foreign_facts(model: Path) -> dict[str, Any]:
    data = sb3_files.read_data(model)
    if data is None:
        raise unreadable(model, ValueError("it has no JSON of Stable-Baselines3"))
    statistics = sb3_files.find_statistics(model, data)
    if statistics is None and sb3_files.uses_statistics(data):
        what, fix = (
            f"The checkpoint has no file {STATISTICS}.",
            f"Copy it beside {model.name}, and adopt it again.",
        )
        raise CheckpointError(what, _WITHOUT_STATISTICS, fix)
    name = sb3_signature.name_class(data)
    facts = {} if name is None else {"class": f"stable_baselines3:{name}"}
    return {**facts, **pickled_facts.read(model, statistics)}


def read_statistics(folder: Path) -> Any:
    """Return the VecNormalize of a checkpoint, without environments; None if it has none.

    It is a pickle: call this in a process that trains or answers.

    Args:
        folder: The checkpoint.

    Raises:
        CheckpointError: The file cannot be opened.
    """
    model = model_of(folder)
    is_foreign = not (folder / FACTS).is_file()
    path = (
        sb3_files.find_statistics(model, sb3_files.read_data(model) or {})
        if is_foreign
        else folder / STATISTICS
    )
    if path is None or not path.is_file():
        return None
    from stable_baselines3.common.running_mean_std import RunningMeanStd
    from stable_baselines3.common.save_util import load_from_pkl
    from stable_baselines3.common.vec_env import VecNormalize

    try:
        try:
            opened = load_from_pkl(path)
        except ModuleNotFoundError:  # the former gym, which nobody has any more
            classes = {"VecNormalize": VecNormalize, "RunningMeanStd": RunningMeanStd}
            if (opened := pickled_facts.open_statistics(path, classes)) is None:
                raise
        if not isinstance(opened, VecNormalize):
            raise TypeError(f"it holds {format_value(opened)}")  # noqa: TRY301  told as what a pickle raises
    except Exception as error:  # a pickle may raise anything
        raise unreadable(path, error, model) from error
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

    path = model_of(folder)
    try:
        _, parameters, variables = load_from_zip_file(path, device=device, load_data=False)
    except Exception as error:  # zipfile and torch raise nearly anything on foreign bytes
        raise unreadable(path, error) from error
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


def unreadable(path: Path, error: Exception, model: Path | None = None) -> CheckpointError:
    """Return the error for a file that is not what was saved.

    Args:
        path: The file.
        error: What was raised when it was opened.
        model: The model that it belongs to, which says by what it was saved, if that is another file.
    """
    what, told = f"The checkpoint file {path} cannot be read.", f"{type(error).__name__}: {error}"
    if (versions := _other_versions(path if model is None else model)) is not None:
        saved, ours = versions
        why = f"It was saved by {saved}, and its pickles do not open in {ours} ({told})."
        fix = "Load it with those versions, and save it with versions that are nearer to these."
        return CheckpointError(what, why, fix)
    return CheckpointError(what, f"It is corrupt or comes from another library ({told}).", FIX)


def _other_versions(model: Path) -> tuple[str, str] | None:
    """Return which library and Python have saved a model, and which are here; None if they are the same."""
    import stable_baselines3

    try:
        library, python = sb3_files.read_versions(model)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    here, ours = platform.python_version(), str(stable_baselines3.__version__)
    is_other = python != "" and _minor(python) != _minor(here)
    if not is_other and library.partition(".")[0] == ours.partition(".")[0]:
        return None
    named = f"stable-baselines3 {library}" + (f" and Python {python}" if python else "")
    return named, f"stable-baselines3 {ours} and Python {here}"


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2])
