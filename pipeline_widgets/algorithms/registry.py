"""The algorithms that this process knows, and how another process finds one of them again.

An algorithm enters by `@pw.algorithm` (also in a notebook cell) or by the entry-point group
`pipeline_widgets.algorithms`. A run's process loads it by its import path; what was defined in a notebook
or in `__main__` has none that another process could follow, so it is kept by value, with cloudpickle.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pipeline_widgets.domain.compatibility import AlgorithmSpec, Port, Signature
from pipeline_widgets.domain.experiment import Configured, Declared, Experiment, Reference
from pipeline_widgets.errors import AlgorithmNotFoundError, ConfigError, shown

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipeline_widgets.algorithms.context import TrainContext

_PACKAGES = ("site-packages", "dist-packages")
GROUP = "pipeline_widgets.algorithms"

Train: TypeAlias = "Callable[[TrainContext], None]"
#: Opens a checkpoint folder and returns what answers: an action, a text, a value.
Predictor: TypeAlias = Callable[[Path], Callable[[Any], Any]]


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """A train function with its declaration. Calling it trains."""

    spec: AlgorithmSpec
    train: Train
    #: None for an algorithm without anything to configure.
    config: type[BaseModel] | None = None
    signature: Callable[[Any], Signature] | None = None
    predict: Predictor | None = None

    def __call__(self, ctx: TrainContext) -> None:
        """Train, as `train(ctx)` would."""
        self.train(ctx)

    def validate(self, config: Mapping[str, Any]) -> BaseModel | None:
        """Return the config as an instance of the config model, if there is one.

        Raises:
            ConfigError: A field is unknown, missing or has a value that the model refuses.
        """
        fields = self.config.model_fields if self.config else {}
        known = {field.alias or name for name, field in fields.items()} | set(fields)
        if unknown := [name for name in config if name not in known]:
            what = f"{self.spec.name} has no config field {unknown[0]!r}."
            fix = f"Its fields are {', '.join(sorted(fields))}." if fields else "It has none: leave it out."
            raise ConfigError(what, fix=fix)
        if self.config is None:
            return None
        from pydantic import ValidationError  # noqa: PLC0415  the config model has imported it

        try:
            return self.config.model_validate(dict(config), by_alias=True, by_name=True)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            field = ".".join(map(str, first["loc"])) or "config"
            what = f"The config field {field!r} of {self.spec.name} is refused."
            why = f"{first['msg']}, got {shown(first['input'])}."
            raise ConfigError(what, why, f"Correct {field!r} and try again.") from error

    def signature_of(self, config: BaseModel | None) -> Signature:
        """Return the facets of what this algorithm makes with that config.

        Without a signature function they are the config fields that its ports match by.
        """
        if self.signature is not None:
            return self.signature(config)
        facets = {facet.removeprefix("!") for port in self.spec.accepts for facet in port.match}
        return {name: getattr(config, name) for name in sorted(facets) if hasattr(config, name)}

    @property
    def reference(self) -> Reference:
        """Where another process finds this algorithm."""
        module, name = self.train.__module__, self.train.__qualname__
        home = sys.modules.get(module)
        if module != "__main__" and home is not None and getattr(home, name, None) is self:
            root = None if _is_installed(home) else _search_path(home)
            return Reference(path=f"{module}:{name}", root=root)
        import cloudpickle  # noqa: PLC0415  only notebooks need it

        try:
            pickled: bytes = cloudpickle.dumps(self)  # pyright: ignore[reportUnknownMemberType]
        except Exception as error:  # whatever the objects say that it refers to
            what = f"{self.spec.name} cannot be sent to the process that trains."
            fix = "Make what it names within the function, or put it into a module."
            raise ConfigError(what, f"{type(error).__name__}: {error}.", fix) from error
        return Reference(value=base64.b85encode(pickled).decode(), root=_search_path())

    def configured(self, config: Mapping[str, Any]) -> Configured:
        """Return what an experiment is made of: the declaration, and the config with its defaults.

        Raises:
            ConfigError: The config model refuses it, or it holds what JSON cannot say.
        """
        valid = self.validate(config)
        signature = dict(self.signature_of(valid))
        try:
            plain = valid.model_dump(mode="json") if valid else {}
            json.dumps([plain, signature])
        except (ValueError, TypeError, RecursionError) as error:
            what, why = f"The config of {self.spec.name} cannot be stored.", f"{error}."
            fix = "Use numbers, texts, lists and mappings, not nested too deeply."
            raise ConfigError(what, why, fix) from error
        return Configured(spec=self.spec, reference=self.reference, config=plain, signature=signature)


_defined: dict[str, Algorithm] = {}


def algorithm(
    name: str,
    *,
    produces: Iterable[str],
    accepts: Iterable[Port] = (),
    scratch: bool = True,
    score: Literal["max", "min"] = "max",
    config: type[BaseModel] | None = None,
    signature: Callable[[Any], Signature] | None = None,
    predict: Predictor | None = None,
) -> Callable[[Train], Algorithm]:
    """Register the decorated `train(ctx)` as an algorithm. Works in a notebook cell.

    Args:
        name: The name that experiments use. Defining it again replaces it, as re-running a cell should.
        produces: Artifact kinds that its checkpoints are.
        accepts: The ways in which it can start from a checkpoint.
        scratch: Whether it can start from nothing.
        score: "max" if a higher score is better, "min" if a lower one is.
        config: A pydantic model; its fields are what an experiment configures. None configures nothing.
        signature: From the validated config, the facets that have to agree with a start checkpoint.
        predict: Opens a checkpoint folder and returns a function that answers; agents use it.
    """
    spec = AlgorithmSpec(
        name=name,
        produces=frozenset([produces] if isinstance(produces, str) else produces),
        accepts=tuple(accepts),
        scratch=scratch,
        score=score,
    )

    def register(train: Train) -> Algorithm:
        made = Algorithm(spec=spec, train=train, config=config, signature=signature, predict=predict)
        _defined[name] = made
        return made

    return register


def find(name: str) -> Algorithm:
    """Return the algorithm of that name: what this process defined, else an installed one.

    Raises:
        AlgorithmNotFoundError: There is none, or it cannot be imported.
    """
    if name not in _defined:
        installed = _installed()
        if name not in installed:
            fix = f"Known are {', '.join(names())}; define others with @pw.algorithm."
            raise AlgorithmNotFoundError(f"There is no algorithm named {name!r}.", fix=fix)
        _defined[name] = _loaded(installed[name].value, installed[name].load)
    return _defined[name]


class _Current(Mapping[str, Declared]):
    """Pickles only what is asked for, so that one algorithm that cannot be sent hinders no other."""

    def __getitem__(self, name: str) -> Declared:
        return Declared(spec=_defined[name].spec, reference=_defined[name].reference)

    def __iter__(self) -> Iterator[str]:
        return iter(_defined)

    def __len__(self) -> int:
        return len(_defined)


def references() -> Mapping[str, Declared]:
    """Return the algorithms that this process has defined or loaded so far, for other processes."""
    return _Current()


def refusal_of(experiment: Experiment) -> str | None:
    """Return why an algorithm that this process has defined or loaded refuses an experiment's config.

    None where it takes it, and where the process does not know the algorithm: that is no reason to load it.
    """
    known = _defined.get(experiment.spec.name)
    if known is None:
        return None
    try:
        known.validate(experiment.config)
    except ConfigError as error:
        return f"{error.what} {error.why}".strip()
    return None


def names() -> tuple[str, ...]:
    """Return the names of all algorithms that this process can find."""
    return tuple(sorted(_defined.keys() | _installed().keys()))


def load(reference: Reference) -> Algorithm:
    """Return the algorithm behind a reference, in any process.

    Raises:
        AlgorithmNotFoundError: Its module or name is gone, or its pickled value cannot be opened.
    """
    entries = (reference.root or "").split(os.pathsep)
    if sys.flags.safe_path:  # a process of ours, which was started isolated from the current folder
        with suppress(OSError):  # the folder was deleted
            entries.append(str(Path.cwd()))
    _extend_search_path(entries)
    if reference.value is not None:
        value = base64.b85decode(reference.value)
        import cloudpickle  # noqa: PLC0415  only what notebooks defined needs it

        return _loaded("the pickled algorithm", lambda: cloudpickle.loads(value))
    path = reference.path or ""
    module, _, name = path.partition(":")
    return _loaded(path, lambda: getattr(importlib.import_module(module), name))


def _extend_search_path(entries: Iterable[str]) -> None:
    """Let modules in these folders be found where a kernel finds those beside its notebook.

    IPython looks there after the standard library and before installed packages.
    """
    new = [entry for entry in dict.fromkeys(entries) if entry and entry not in sys.path]
    at = (index for index, entry in enumerate(sys.path) if Path(entry).name in _PACKAGES)
    sys.path[(first := next(at, len(sys.path))) : first] = new


def _loaded(origin: str, opened: Callable[[], Any]) -> Algorithm:
    try:
        value = opened()
    except Exception as error:
        why = f"{type(error).__name__}: {error}."
        fix = "Install what it needs, or define it again with @pw.algorithm and trigger the stage again."
        raise AlgorithmNotFoundError(f"{origin} cannot be loaded.", why, fix) from error
    if not isinstance(value, Algorithm):
        raise AlgorithmNotFoundError(f"{origin} is no algorithm.", fix="Decorate it with @pw.algorithm.")
    return value


@cache
def _installed() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _is_installed(module: ModuleType) -> bool:
    origin: str | None = getattr(module, "__file__", None)
    return origin is None or _is_the_interpreters(Path(origin))


def _search_path(home: ModuleType | None = None) -> str:
    """What sys.path holds beside the interpreter's own folders: a module may import its neighbours.

    The folder of the module itself comes first, since the current folder, which sys.path may mean, can
    have changed since it was imported.
    """
    entries = [Path(entry or ".").resolve() for entry in sys.path]
    if home is not None and home.__file__ is not None:
        depth = home.__name__.count(".") + (Path(home.__file__).stem == "__init__")
        entries.insert(0, Path(home.__file__).resolve().parents[depth])
    outside = (entry for entry in entries if entry.is_dir() and not _is_the_interpreters(entry))
    return os.pathsep.join(dict.fromkeys(map(str, outside)))


def _is_the_interpreters(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in _interpreters_folders())


@cache
def _interpreters_folders() -> frozenset[str]:
    return frozenset(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib"))
