"""Evaluators: functions that score checkpoints of any algorithm, also long after the training (spec 7.9).

One enters by `@pw.evaluator` (also in a notebook cell) or by the entry-point group
`pipeline_widgets.evaluators`. Another process finds it as it finds an algorithm: by import path, or by value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, overload

from pipeline_widgets.algorithms.algorithm import Algorithm
from pipeline_widgets.algorithms.catalogue import Catalogue
from pipeline_widgets.algorithms.code_reference import reference_to
from pipeline_widgets.algorithms.scalars import to_scalar
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.evaluator import EvaluatorDeclaration, EvaluatorSpec, Takes
from pipeline_widgets.domain.names import validate_name
from pipeline_widgets.errors import ConfigError, EvaluatorNotFoundError, format_value

GROUP = "pipeline_widgets.evaluators"
FIX = 'Return a number, (number, standard error), or pw.Evaluation(score, spread, metrics={"length": 12.0}).'


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluator for a checkpoint.

    Args:
        score: The score.
        spread: The standard error of the score; 0 where the evaluator always gives the same one.
        metrics: What else was measured, by name.
    """

    score: float
    spread: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])


#: What an evaluator returns.
Result: TypeAlias = "float | tuple[float, float] | Evaluation"
Measure: TypeAlias = Callable[[Any], Result]
OfPredictor: TypeAlias = Callable[[Callable[[Any], Any]], Result]
OfFolder: TypeAlias = Callable[[Path], Result]


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """A function that scores a checkpoint, with its declaration. Calling it scores."""

    spec: EvaluatorSpec
    measure: Measure

    def __call__(self, subject: Any) -> Evaluation:
        """Score what is passed: a predictor, or the folder of a checkpoint.

        Raises:
            ConfigError: The function returns something else than a score.
        """
        return _to_evaluation(self.spec.name, self.measure(subject))

    def score(self, folder: Path, algorithm: Algorithm | None = None) -> Evaluation:
        """Score a checkpoint.

        Args:
            folder: The checkpoint.
            algorithm: The algorithm that made it; not needed by one that takes the folder.

        Raises:
            ConfigError: It needs a predictor, and the algorithm has none; or it returns no score.
        """
        if self.spec.takes == "folder":
            return self(folder)
        if algorithm is None or algorithm.predict is None:
            made_by = "its algorithm" if algorithm is None else algorithm.spec.name
            what = f"{self.spec.name!r} asks checkpoints for answers, and {made_by} has no predict=."
            fix = 'Declare the algorithm with predict=, or the evaluator with takes="folder".'
            raise ConfigError(what, fix=fix)
        algorithm.check_installed()
        return self(algorithm.predict(folder))

    @property
    def reference(self) -> AlgorithmReference:
        """The reference by which another process finds this evaluator."""
        return reference_to(self, self.measure, self.spec.name)


catalogue = Catalogue(
    kind=Evaluator,
    group=GROUP,
    word="evaluator",
    decorator="@pw.evaluator",
    again="evaluate again",
    not_found=EvaluatorNotFoundError,
)
_KINDS = 'artifact kinds as texts, such as {"lm"}'


@overload
def evaluator(
    name: str,
    *,
    accepts: Iterable[str],
    score: Literal["max", "min"] = "max",
    takes: Literal["predictor"] = "predictor",
) -> Callable[[OfPredictor], Evaluator]: ...
@overload
def evaluator(
    name: str, *, accepts: Iterable[str], score: Literal["max", "min"] = "max", takes: Literal["folder"]
) -> Callable[[OfFolder], Evaluator]: ...
def evaluator(
    name: str,
    *,
    accepts: Iterable[str],
    score: Literal["max", "min"] = "max",
    takes: Takes = "predictor",
) -> Callable[[Any], Evaluator]:
    """Register the decorated function as an evaluator of checkpoints. Works in a notebook cell.

    It returns a number, a number with its standard error, or an `Evaluation`. It runs in a process of its
    own, never in the kernel, and may raise anything: that checkpoint has no score then.

    Args:
        name: What its scores are called, in Results and by `project.evaluate`. Defining it again replaces it.
        accepts: The artifact kinds that it scores, such as {"lm"}; {"any"} scores all.
        score: "max" if a higher score is better, "min" if a lower one is.
        takes: What the function is called with. "predictor" is what the algorithm's `predict` opens, which
            answers as an agent does; "folder" is the checkpoint's folder, a `Path`.

    Raises:
        ConfigError: An argument is not what it has to be.
    """
    named = validate_name(name, "evaluator")
    kinds = frozenset(
        [accepts] if isinstance(accepts, str) else catalogue.to_list("accepts", accepts, _KINDS)
    )
    if not kinds or not all(isinstance(kind, str) for kind in kinds):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        raise catalogue.misdeclared("accepts", accepts, _KINDS)
    if score not in {"max", "min"}:
        raise catalogue.misdeclared(
            "score", score, '"max" if a higher score is better, or "min" if a lower one is'
        )
    if takes not in {"predictor", "folder"}:
        raise catalogue.misdeclared("takes", takes, '"predictor" or "folder"')
    spec = EvaluatorSpec(name=named, accepts=kinds, score=score, takes=takes)

    def register(measure: Measure) -> Evaluator:
        if not callable(measure):
            raise catalogue.misdeclared("the decorated object", measure, "a function of one argument")
        made = Evaluator(spec=spec, measure=measure)
        catalogue.defined[named] = made
        return made

    return register


def find(name: str) -> Evaluator:
    """Return the evaluator of that name: what this process defined, else an installed one.

    Args:
        name: The name that it was registered under.

    Raises:
        EvaluatorNotFoundError: There is none, or it cannot be imported.
    """
    return catalogue.find(name)


def declaration_of(wanted: str | Evaluator) -> EvaluatorDeclaration | None:
    """Return the declaration of an evaluator as this process has it; None where it has none of that name.

    Args:
        wanted: A name, or the evaluator itself.

    Raises:
        EvaluatorNotFoundError: What was passed is neither.
        ConfigError: It cannot be sent to another process.
    """
    if isinstance(wanted, str):
        if wanted not in names():
            return None
        wanted = find(wanted)
    if not isinstance(wanted, Evaluator):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        what = f"{getattr(wanted, '__name__', wanted)!r} is not an evaluator."
        raise EvaluatorNotFoundError(what, fix="Decorate it with @pw.evaluator, or pass a name.")
    return EvaluatorDeclaration(spec=wanted.spec, reference=wanted.reference)


def names() -> tuple[str, ...]:
    """Return the names of all evaluators that this process can find."""
    return catalogue.names()


def defines(name: str) -> bool:
    """Return whether this process has defined or loaded an evaluator of that name.

    Args:
        name: The name that it was registered under.
    """
    return name in catalogue.defined


def load(reference: AlgorithmReference) -> Evaluator:
    """Return the evaluator behind a reference, in any process.

    Args:
        reference: An import path, or the code itself by value.

    Raises:
        EvaluatorNotFoundError: Its module or name is gone, its pickled value cannot be opened, or another
            Python has made that.
    """
    return catalogue.load(reference)


def _to_evaluation(name: str, result: Any) -> Evaluation:
    match result:
        case Evaluation():
            told = result
        case (score, spread):
            told = Evaluation(score, spread)
        case _:
            told = Evaluation(result)
    try:
        measured = {str(key): _to_number(value) for key, value in dict(told.metrics).items()}
        return Evaluation(_to_number(told.score), _to_number(told.spread), measured)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{name!r} returned no score.", f"Got {format_value(result)}.", FIX) from error


def _to_number(value: Any) -> float:
    """Return a number as a float; a text is none, and neither is a bool, which counts nothing."""
    scalar = to_scalar(value)
    if isinstance(scalar, (str, bytes, bool)) or scalar is None:
        raise TypeError(type(scalar).__name__)
    return float(scalar)
