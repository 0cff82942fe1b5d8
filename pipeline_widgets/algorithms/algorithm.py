"""An algorithm: a train function with its declaration, config model and predictor."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pipeline_widgets.algorithms.code_reference import readable_reference_to, reference_to
from pipeline_widgets.algorithms.preload import NOT_INSTALLED, find_preload_error
from pipeline_widgets.algorithms.scalars import to_facets
from pipeline_widgets.algorithms.search_path import can_be_found
from pipeline_widgets.domain.algorithm import AlgorithmReference, ConfiguredAlgorithm
from pipeline_widgets.domain.compatibility import AlgorithmSpec, Signature
from pipeline_widgets.errors import AlgorithmNotFoundError, ConfigError, format_error, format_value

if TYPE_CHECKING:
    from pipeline_widgets.algorithms.context import TrainContext

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
    #: Names what the evaluation score is measured by.
    evaluator: str | Callable[[Any], str] | None = None
    #: The modules that training and answering need, and how they are installed.
    requires: tuple[str, ...] = ()
    install: str = ""

    def __call__(self, ctx: TrainContext) -> None:
        """Train, as `train(ctx)` would."""
        self.check_installed()
        self.train(ctx)

    @property
    def missing(self) -> tuple[str, ...]:
        """The modules that it requires and that are not installed; none is imported."""
        return tuple(module for module in self.requires if not can_be_found(module))

    def check_installed(self) -> None:
        """Refuse to work without the modules that it requires.

        Raises:
            AlgorithmNotFoundError: One is not installed; the error says how to install it.
        """
        if missing := self.missing:
            what = f"{self.spec.name} needs {' and '.join(missing)}, which Python does not find here."
            fix = f"Install it: {self.install}" if self.install else "Install it, and restart the kernel."
            raise AlgorithmNotFoundError(what, fix=fix, code=NOT_INSTALLED)

    def evaluator_of(self, config: Any) -> str | None:
        """Return what scores a run with that config; None where the algorithm does not name it.

        Args:
            config: The config, as the config model makes it.

        Raises:
            ConfigError: The evaluator function raises something, or returns no text.
        """
        if self.evaluator is None or isinstance(self.evaluator, str):
            return self.evaluator
        what = f"The evaluator function of {self.spec.name} failed."
        fix = "Let it return a text for any valid config, such as the name of a benchmark."
        return _ask(self.evaluator, config, str, what, fix)

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
        return _facets(_ask(self.signature, config, Mapping, what, fix))

    @property
    def reference(self) -> AlgorithmReference:
        """The reference by which another process finds this algorithm."""
        return reference_to(self, self.train, self.spec.name)

    @property
    def code_reference(self) -> AlgorithmReference:
        """The reference for reading its code: code of a cell is not packed, so no process can run it."""
        return readable_reference_to(self, self.train)

    def configure(self, config: Mapping[str, Any]) -> ConfiguredAlgorithm:
        """Return what an experiment is made of: the declaration, and the config with its defaults.

        Args:
            config: Fields and their values; those that are left out have their defaults.

        Raises:
            ConfigError: The config model refuses it, or it would not come back as it is: it holds what JSON
                cannot say, or a secret, or its validators change what they have made.
            AlgorithmNotFoundError: A module that it requires, or declares to be preloaded, is not installed.
            RuleError: A module that it declares to be preloaded is a user's own.
        """
        valid = self.validate(config)
        self.check_installed()
        if (error := find_preload_error(self.spec)) is not None:
            raise error
        signature = dict(self.signature_of(valid))
        self.evaluator_of(valid)
        try:
            plain = self._plain(valid) if valid is not None else {}
            json.dumps([plain, signature])
        except (ValueError, TypeError, RecursionError) as error:
            what, why = f"The config of {self.spec.name} cannot be stored.", f"{error}."
            fix = "Use numbers, texts, lists and mappings, not nested too deeply."
            raise ConfigError(what, why, fix) from error
        from pipeline_widgets.algorithms import code_digest  # noqa: PLC0415  only what creates needs it

        reference = self.reference
        kept = replace(reference, code=code_digest.record_code(reference))
        return ConfiguredAlgorithm(spec=self.spec, reference=kept, config=plain, signature=signature)

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


def _ask(function: Callable[[Any], Any], config: Any, kind: type[Any], what: str, fix: str) -> Any:
    """Return what a user's function makes of a config; refuse an error, and what is not of that kind."""
    try:
        made = function(config)
    except Exception as error:  # it is the user's
        raise ConfigError(what, format_error(error), fix) from error
    if not isinstance(made, kind):
        raise ConfigError(what, f"It returned {format_value(made)}.", fix)
    return made


def _facets(signature: Mapping[str, Any]) -> Signature:
    """Return facets as Python's own scalars; lists and mappings of them are left to JSON."""
    listed = {name for name, value in signature.items() if isinstance(value, (list, tuple, dict))}
    scalars = {name: value for name, value in signature.items() if name not in listed}
    return {**to_facets(scalars), **{name: signature[name] for name in sorted(listed)}}
