"""The algorithms that this process knows, and how another process finds one of them again.

An algorithm enters by `@pw.algorithm` (also in a notebook cell) or by the entry-point group
`pipeline_widgets.algorithms`. A run's process loads it by its import path; what was defined in a notebook
or in `__main__` has none that another process could follow, so it is kept by value, with cloudpickle.
"""

from __future__ import annotations

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

from pipeline_widgets.algorithms.former_paths import current_path
from pipeline_widgets.algorithms.scalars import to_facets
from pipeline_widgets.domain.algorithm import AlgorithmDeclaration, AlgorithmReference, ConfiguredAlgorithm
from pipeline_widgets.domain.compatibility import AlgorithmSpec, Port, Signature
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.domain.python_version import HERE, foreign_fix, foreign_reason
from pipeline_widgets.errors import AlgorithmNotFoundError, ConfigError, format_error, format_value

if TYPE_CHECKING:
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
    #: A pydantic model or a dataclass; None for an algorithm without anything to configure.
    config: type[Any] | None = None
    signature: Callable[[Any], Signature] | None = None
    predict: Predictor | None = None

    def __call__(self, ctx: TrainContext) -> None:
        """Train, as `train(ctx)` would."""
        self.train(ctx)

    def validate(self, config: Mapping[str, Any]) -> Any:
        """Return the config as an instance of the config model, if there is one.

        Args:
            config: Fields and their values; those that are left out have their defaults.

        Raises:
            ConfigError: A field is unknown, missing or has a value that the model refuses.
        """
        if not isinstance(config, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
            fix = 'Write config={"steps": 100}, with the names of its fields.'
            raise ConfigError(
                f"The config of {self.spec.name} is not a mapping.", f"Got {format_value(config)}.", fix
            )
        if self.config is None:
            if config:
                what = f"{self.spec.name} has no config field {next(iter(config))!r}."
                raise ConfigError(what, fix="It has none: leave it out.")
            return None
        from pydantic import ValidationError  # noqa: PLC0415  the config model has imported it

        from pipeline_widgets.algorithms import config_model  # noqa: PLC0415  it imports pydantic

        try:
            return config_model.validate_config(self.config, config)
        except config_model.UnknownFieldError as error:
            what = f"{self.spec.name} has no config field {'.'.join(error.path)!r}."
            within = f"The fields of {'.'.join(error.path[:-1])!r}" if error.path[1:] else "Its fields"
            fix = f"{within} are {', '.join(error.known)}." if error.known else "It has none: leave it out."
            raise ConfigError(what, fix=fix) from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            field = ".".join(map(str, first["loc"])) or "config"
            what = f"The config field {field!r} of {self.spec.name} is refused."
            why = f"{first['msg']}, got {format_value(first['input'])}."
            raise ConfigError(what, why, f"Correct {field!r} and try again.") from error
        except Exception as error:  # a validator of a user's may raise anything
            what, why = f"The config of {self.spec.name} cannot be checked.", format_error(error)
            raise ConfigError(what, why, "Correct its config model, and define it again.") from error

    def signature_of(self, config: Any) -> Signature:
        """Return the facets of what this algorithm makes with that config.

        Without a signature function they are the config fields that its ports match by.

        Args:
            config: The config, as the config model makes it, or a mapping where there is no model.

        Raises:
            ConfigError: The signature function raises something, or returns no mapping.
        """
        if self.signature is None:
            facets = {facet.removeprefix("!") for port in self.spec.accepts for facet in port.match}
            return _facets({name: getattr(config, name) for name in sorted(facets) if hasattr(config, name)})
        what = f"The signature function of {self.spec.name} failed."
        fix = "Let it return a mapping of texts, numbers and bools for any valid config."
        try:
            made = self.signature(config)
        except Exception as error:  # it is the user's
            raise ConfigError(what, format_error(error), fix) from error
        if not isinstance(made, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  users return anything
            raise ConfigError(what, f"It returned {format_value(made)}.", fix)
        return _facets(made)

    @property
    def reference(self) -> AlgorithmReference:
        """Where another process finds this algorithm."""
        module, name = self.train.__module__, self.train.__qualname__
        home = sys.modules.get(module)
        if module != "__main__" and home is not None and getattr(home, name, None) is self:
            root = None if _is_installed(home) else _search_path(home)
            return AlgorithmReference(path=f"{module}:{name}", root=root)
        from pipeline_widgets.algorithms import by_value  # noqa: PLC0415  only notebooks need it

        return AlgorithmReference(value=by_value.pack(self, self.spec.name), root=_search_path(), python=HERE)

    def configure(self, config: Mapping[str, Any]) -> ConfiguredAlgorithm:
        """Return what an experiment is made of: the declaration, and the config with its defaults.

        Args:
            config: Fields and their values; those that are left out have their defaults.

        Raises:
            ConfigError: The config model refuses it, or it would not come back as it is: it holds what JSON
                cannot say, or a secret, or its validators change what they have made.
        """
        valid = self.validate(config)
        signature = dict(self.signature_of(valid))
        try:
            plain = self._plain(valid) if valid is not None else {}
            json.dumps([plain, signature])
        except (ValueError, TypeError, RecursionError) as error:
            what, why = f"The config of {self.spec.name} cannot be stored.", f"{error}."
            fix = "Use numbers, texts, lists and mappings, not nested too deeply."
            raise ConfigError(what, why, fix) from error
        return ConfiguredAlgorithm(
            spec=self.spec, reference=self.reference, config=plain, signature=signature
        )

    def _plain(self, valid: Any) -> dict[str, Any]:
        """Return a config as JSON values that are known to give the same config again."""
        from pipeline_widgets.algorithms import config_model  # noqa: PLC0415  it imports pydantic

        if (secret := config_model.find_secret(valid)) is not None:
            raise config_model.secret_refused(self.spec.name, secret)
        plain = config_model.to_plain_config(valid)
        what = f"The config of {self.spec.name} would not come back as it is when it is read again."
        fix = "Let its validators leave alone what they have made, and use types that JSON can say."
        try:
            again = self.validate(plain)
        except ConfigError as error:
            raise ConfigError(what, f"{error.what} {error.why}".strip(), fix) from error
        if (found := config_model.find_difference(valid, again)) is not None:
            path, ours, theirs = found
            why = f"{'.'.join(path) or 'It'} is {format_value(ours)}, and would be {format_value(theirs)}."
            raise ConfigError(what, why, fix)
        return plain


_defined: dict[str, Algorithm] = {}


def algorithm(
    name: str,
    *,
    produces: Iterable[str],
    accepts: Iterable[Port] = (),
    scratch: bool = True,
    score: Literal["max", "min"] = "max",
    config: type[Any] | None = None,
    signature: Callable[[Any], Signature] | None = None,
    predict: Predictor | None = None,
) -> Callable[[Train], Algorithm]:
    """Register the decorated `train(ctx)` as an algorithm. Works in a notebook cell.

    Args:
        name: The name that experiments use. Defining it again replaces it, as re-running a cell should.
        produces: Artifact kinds that its checkpoints are. Any words will do; an endpoint answers at
            /get_action for a "policy", at /generate for an "lm", and else at /predict.
        accepts: The ways in which it can start from a checkpoint.
        scratch: Whether it can start from nothing.
        score: "max" if a higher score is better, "min" if a lower one is.
        config: A pydantic model or a dataclass; its fields are what an experiment configures. None
            configures nothing.
        signature: From the validated config, the facets that have to agree with a start checkpoint.
        predict: Opens a checkpoint folder and returns a function that answers; agents use it.

    Raises:
        ConfigError: An argument is not what it has to be.
    """
    ports = (accepts,) if isinstance(accepts, Port) else tuple(_listed("accepts", accepts))
    kinds = frozenset([produces] if isinstance(produces, str) else _listed("produces", produces))
    _check(name, kinds, ports, score)
    for argument, function in (("signature", signature), ("predict", predict)):
        if function is not None and not callable(function):
            raise _misdeclared(argument, function, "a function")
    if config is not None:
        from pipeline_widgets.algorithms import config_model  # noqa: PLC0415  it imports pydantic

        config_model.check_type(config, name)
    spec = AlgorithmSpec(name=name, produces=kinds, accepts=ports, scratch=scratch, score=score)

    def register(train: Train) -> Algorithm:
        if not callable(train):
            raise _misdeclared("the decorated object", train, "a function train(ctx)")
        made = Algorithm(spec=spec, train=train, config=config, signature=signature, predict=predict)
        _defined[name] = made
        return made

    return register


def _check(name: object, kinds: Iterable[object], ports: Iterable[object], score: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise _misdeclared("name", name, "a text")
    for kind in kinds:
        if not isinstance(kind, str):
            raise _misdeclared("produces", kind, 'artifact kinds as texts, such as {"policy"}')
    for port in ports:
        if not isinstance(port, Port):
            raise _misdeclared("accepts", port, 'ports, such as [pw.Port("weights", {"policy"})]')
        for text in (port.role, *port.kinds, *port.match):
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
                raise _misdeclared("accepts", text, "ports with role, kinds and match as texts")
    if score not in {"max", "min"}:
        raise _misdeclared("score", score, '"max" if a higher score is better, or "min" if a lower one is')


def _listed(argument: str, given: Any) -> list[Any]:
    try:
        return list(given)
    except TypeError as error:
        raise _misdeclared(argument, given, "a list or a set") from error


def _misdeclared(argument: str, given: object, wanted: str) -> ConfigError:
    what = f"@pw.algorithm cannot use {format_value(given)} as {argument}."
    return ConfigError(what, fix=f"Pass {wanted}.")


def find(name: str) -> Algorithm:
    """Return the algorithm of that name: what this process defined, else an installed one.

    Args:
        name: The name that it was registered under.

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


class _Current(Mapping[str, AlgorithmDeclaration]):
    """Pickles only what is asked for, so that one algorithm that cannot be sent hinders no other."""

    def __getitem__(self, name: str) -> AlgorithmDeclaration:
        return AlgorithmDeclaration(spec=_defined[name].spec, reference=_defined[name].reference)

    def __iter__(self) -> Iterator[str]:
        return iter(_defined)

    def __len__(self) -> int:
        return len(_defined)


def references() -> Mapping[str, AlgorithmDeclaration]:
    """Return the algorithms that this process has defined or loaded so far, for other processes."""
    return _Current()


def defines(name: str) -> bool:
    """Whether this process has defined or loaded an algorithm of that name.

    Args:
        name: The name that it was registered under.
    """
    return name in _defined


def find_config_error(experiment: Experiment) -> str | None:
    """Return why an algorithm that this process has defined or loaded refuses an experiment's config.

    None where it takes it, and where the process does not know the algorithm: it is not loaded for that.

    Args:
        experiment: The experiment, with its algorithm and config.
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


def load(reference: AlgorithmReference) -> Algorithm:
    """Return the algorithm behind a reference, in any process.

    Args:
        reference: An import path, or the code itself by value.

    Raises:
        AlgorithmNotFoundError: Its module or name is gone, its pickled value cannot be opened, or another
            Python has made that.
    """
    if (why := foreign_reason(reference.python)) is not None:
        raise AlgorithmNotFoundError("The algorithm cannot be loaded.", why, foreign_fix(reference.python))
    earlier = [each for each in reference.earlier if each.value and foreign_reason(each.python) is None]
    entries = [entry for each in (reference, *earlier) for entry in (each.root or "").split(os.pathsep)]
    if sys.flags.safe_path:  # a process of ours, which was started isolated from the current folder
        with suppress(OSError):  # the folder was deleted
            entries.append(str(Path.cwd()))
    _extend_search_path(entries)
    if (value := reference.value) is not None:
        from pipeline_widgets.algorithms import by_value  # noqa: PLC0415  only what notebooks defined needs it

        values = [each.value for each in earlier if each.value]
        return _loaded("the pickled algorithm", lambda: by_value.unpack(value, values))
    path = reference.path or ""
    module, _, name = path.partition(":")
    return _loaded(path, lambda: getattr(importlib.import_module(current_path(module)), name))


def _extend_search_path(entries: Iterable[str]) -> None:
    """Let modules in these folders be found where a kernel finds those beside its notebook.

    IPython looks there after the standard library and before installed packages.
    """
    new = [entry for entry in dict.fromkeys(entries) if entry and entry not in sys.path]
    at = (index for index, entry in enumerate(sys.path) if Path(entry).name in _PACKAGES)
    sys.path[(first := next(at, len(sys.path))) : first] = new


def claim_main() -> None:
    """Let `__main__` of this process be that of the algorithms which it loads: it has no user's own."""
    from pipeline_widgets.algorithms import by_value  # noqa: PLC0415  only processes that train need it

    if not by_value.owns_main():
        sys.modules["__main__"] = by_value.Main()


def _loaded(origin: str, opened: Callable[[], Any]) -> Algorithm:
    try:
        value = opened()
    except Exception as error:
        why = format_error(error)
        fix = "Install what it needs, or define it again with @pw.algorithm and trigger the stage again."
        raise AlgorithmNotFoundError(f"{origin} cannot be loaded.", why, fix) from error
    if not isinstance(value, Algorithm):
        raise AlgorithmNotFoundError(f"{origin} is not an algorithm.", fix="Decorate it with @pw.algorithm.")
    return value


def _facets(signature: Mapping[str, Any]) -> Signature:
    """Return facets as Python's own scalars; lists and mappings of them are left to JSON."""
    listed = {name for name, value in signature.items() if isinstance(value, (list, tuple, dict))}
    scalars = {name: value for name, value in signature.items() if name not in listed}
    return {**to_facets(scalars), **{name: signature[name] for name in sorted(listed)}}


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
