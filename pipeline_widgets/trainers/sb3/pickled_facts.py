"""Tell the facts of a model that are in its pickles: `python -m ... MODEL.zip [VECNORMALIZE.pkl]`.

Only spaces, arrays and the statistics of VecNormalize are opened, and no class but theirs, so that reading
the facts of a model runs no code of it. The process of an adoption prints them as JSON; the process of a run
or of an agent reads them by `read`.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline_widgets.adoption import sb3_files
from pipeline_widgets.trainers.gymnasium_spaces import describe_spaces

_STATISTICS = ("stable_baselines3.common.vec_env.vec_normalize", "stable_baselines3.common.running_mean_std")
#: What numpy needs to make arrays, scalars and generators of their pickles.
_NUMPY = frozenset(
    {
        "dtype",
        "ndarray",
        "scalar",
        "_reconstruct",
        "_frombuffer",
        "Generator",
        "RandomState",
        "SeedSequence",
        "PCG64",
        "MT19937",
        "__generator_ctor",
        "__bit_generator_ctor",
        "__randomstate_ctor",
        "__pyx_unpickle_SeedSequence",
    }
)
_PLAIN = frozenset({("builtins", "int"), ("builtins", "float"), ("builtins", "object"), ("builtins", "set")})
_HELPERS = frozenset({("copyreg", "_reconstructor"), ("collections", "OrderedDict")})
#: The spaces of a model, by their names in its JSON.
SPACES = ("observation_space", "action_space")


class _State:
    """Stands for VecNormalize: it keeps the values, and does nothing."""

    norm_obs = norm_reward = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class _Unpickler(pickle.Unpickler):
    """Opens spaces, arrays and statistics, and refuses any other class.

    Args:
        content: The pickle.
        statistics: The classes of VecNormalize by name; by default one that keeps their values.
    """

    def __init__(self, content: bytes, statistics: Mapping[str, Any] | None = None) -> None:
        super().__init__(io.BytesIO(content))
        self._statistics = statistics

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return a class or function that a pickle names.

        Raises:
            UnpicklingError: It is none that these pickles need.
        """
        module, name = module_name, global_name
        if module in _STATISTICS:
            return _State if self._statistics is None else self._statistics[name]
        if module == "gym.spaces" or module.startswith("gym.spaces."):  # before version 2
            module = module.replace("gym.", "gymnasium.", 1)
        is_space = module == "gymnasium.spaces" or module.startswith("gymnasium.spaces.")
        is_numpy = module.partition(".")[0] == "numpy" and name in _NUMPY
        if is_space or is_numpy or (module, name) in _PLAIN | _HELPERS:
            found = super().find_class(module, name)
            if not is_space or _is_space(found):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not a space, array or VecNormalize")


def _is_space(found: Any) -> bool:
    from gymnasium.spaces import Space

    return isinstance(found, type) and issubclass(found, Space)


def read(model: Path, statistics: Path | None) -> dict[str, str]:
    """Return spaces, their bounds, and what is normalized; facts that cannot be told are left out.

    Args:
        model: The model.
        statistics: The file of its VecNormalize, if there is one.
    """
    facts: dict[str, str] = {}
    opened = None if statistics is None else open_statistics(statistics)
    spaces = open_spaces(model)
    if len(spaces) == len(SPACES):
        facts |= _try(lambda: describe_spaces(*(spaces[name] for name in SPACES))) or {}
    if isinstance(opened, _State):
        names = {"observations": opened.norm_obs, "rewards": opened.norm_reward}
        facts["normalization"] = " and ".join(name for name, is_on in names.items() if is_on) or "none"
    return facts


def open_spaces(model: Path) -> dict[str, Any]:
    """Return the spaces of a model by their names in its JSON, also those of the former gym.

    One that cannot be opened is left out.

    Args:
        model: The model.
    """
    data = sb3_files.read_data(model) or {}
    kept = {name: _try(lambda name=name: base64.b64decode(data[name][":serialized:"])) for name in SPACES}
    opened = {
        name: _try(lambda content=content: _Unpickler(content).load())
        for name, content in kept.items()
        if content is not None
    }
    return {name: space for name, space in opened.items() if space is not None}


def open_statistics(path: Path, classes: Mapping[str, Any] | None = None) -> Any:
    """Return the VecNormalize of a file, also of one with spaces of the former gym; None if that cannot be.

    Args:
        path: The file.
        classes: Its classes by name; by default something that keeps their values stands for them.
    """
    return _try(lambda: _Unpickler(path.read_bytes(), classes).load())


def _try(make: Callable[[], Any]) -> Any:
    """Return what a function makes; None where a pickle is not what it has to be."""
    try:
        return make()
    except Exception:  # noqa: BLE001  a pickle may raise anything
        return None


if __name__ == "__main__":
    given = [Path(each) for each in sys.argv[1:]]
    print(json.dumps(read(given[0], given[1] if given[1:] else None)))  # noqa: T201  its answer
