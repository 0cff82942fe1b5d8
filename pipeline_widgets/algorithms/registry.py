"""The algorithms that this process knows, and how another process finds one of them again.

An algorithm enters by `@pw.algorithm` (also in a notebook cell) or by the entry-point group
`pipeline_widgets.algorithms`. A run's process loads it by its import path; what was defined in a notebook
or in `__main__` has none that another process could follow, so it is kept by value, with cloudpickle.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pipeline_widgets.algorithms.algorithm import Algorithm, Predictor, Train
from pipeline_widgets.algorithms.catalogue import Catalogue
from pipeline_widgets.algorithms.former_paths import current_path
from pipeline_widgets.algorithms.preload import find_preload_error
from pipeline_widgets.algorithms.search_path import can_be_found
from pipeline_widgets.domain.algorithm import AlgorithmDeclaration, AlgorithmReference
from pipeline_widgets.domain.code_record import CodeRecord
from pipeline_widgets.domain.compatibility import (
    ANSWER_WITHIN,
    LOAD_WITHIN,
    STOP_WITHIN,
    AlgorithmSpec,
    Port,
    Signature,
)
from pipeline_widgets.domain.experiment import Experiment
from pipeline_widgets.errors import (
    AlgorithmNotFoundError,
    ConfigError,
    PipelineError,
)

GROUP = "pipeline_widgets.algorithms"
_SEVERAL = "a list or a set"

catalogue = Catalogue(
    kind=Algorithm,
    group=GROUP,
    word="algorithm",
    decorator="@pw.algorithm",
    again="trigger the stage again",
    not_found=AlgorithmNotFoundError,
)


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
    evaluator: str | Callable[[Any], str] | None = None,
    requires: Iterable[str] = (),
    install: str = "",
    load_within: float = LOAD_WITHIN,
    answer_within: float = ANSWER_WITHIN,
    stop_within: float = STOP_WITHIN,
    training_only: Iterable[str] = (),
    preload: Iterable[str] = (),
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
        evaluator: Names what the evaluation score is measured by, such as "greedy episodes of CartPole-v1":
            a text, or a function that makes it from the validated config. A later stage with the same
            evaluator checks that a checkpoint still scores what it scored when it was saved.
        requires: The modules that training needs, such as "torch". Where one is not installed, the algorithm
            is listed, and cannot be used.
        install: What a user types to install them.
        load_within: Seconds that an agent may take to open a checkpoint.
        answer_within: Seconds that an agent may take for one answer.
        stop_within: Seconds that a training may take to end after a stop. While a checkpoint is being
            written they begin again with every sign of progress.
        training_only: Files of a checkpoint that only a resumed run needs, as glob patterns such as
            "optimizer*": the copies of agents leave them out.
        preload: Installed modules that take long to import, such as ("torch", "transformers.trainer"). On
            Linux a process beside the runs imports them as soon as an experiment is created or triggered,
            and the processes of later runs on this machine are forked from it; see "Imports ahead" in
            docs/training.md.

    Raises:
        ConfigError: An argument is not what it has to be.
    """
    ports = (
        (accepts,) if isinstance(accepts, Port) else tuple(catalogue.to_list("accepts", accepts, _SEVERAL))
    )
    kinds = frozenset(
        [produces] if isinstance(produces, str) else catalogue.to_list("produces", produces, _SEVERAL)
    )
    _check(name, kinds, ports, score)
    for argument, function in (("signature", signature), ("predict", predict)):
        if function is not None and not callable(function):
            raise catalogue.misdeclared(argument, function, "a function")
    if evaluator is not None and not isinstance(evaluator, str) and not callable(evaluator):
        raise catalogue.misdeclared(
            "evaluator", evaluator, "a text, or a function of the config that returns one"
        )
    modules = _texts("requires", requires, 'the names of modules, such as ("torch",)')
    resume_files = _texts("training_only", training_only, 'glob patterns, such as ("optimizer*",)')
    ahead = _module_names(preload)
    limits = {"load_within": load_within, "answer_within": answer_within, "stop_within": stop_within}
    for argument, seconds in limits.items():
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
            raise catalogue.misdeclared(argument, seconds, "seconds above 0")
    if config is not None:
        from pipeline_widgets.algorithms import config_model  # noqa: PLC0415  it imports pydantic

        config_model.check_type(config, name)
    spec = AlgorithmSpec(
        name=name,
        produces=kinds,
        accepts=ports,
        scratch=scratch,
        score=score,
        load_within=float(load_within),
        answer_within=float(answer_within),
        stop_within=float(stop_within),
        training_only=resume_files,
        preload=ahead,
    )

    def register(train: Train) -> Algorithm:
        if not callable(train):
            raise catalogue.misdeclared("the decorated object", train, "a function train(ctx)")
        made = Algorithm(
            spec=spec,
            train=train,
            config=config,
            signature=signature,
            predict=predict,
            evaluator=evaluator,
            requires=modules,
            install=install,
        )
        catalogue.defined[name] = made
        return made

    return register


def _check(name: object, kinds: Iterable[object], ports: Iterable[object], score: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise catalogue.misdeclared("name", name, "a text")
    for kind in kinds:
        if not isinstance(kind, str):
            raise catalogue.misdeclared("produces", kind, 'artifact kinds as texts, such as {"policy"}')
    for port in ports:
        if not isinstance(port, Port):
            raise catalogue.misdeclared("accepts", port, 'ports, such as [pw.Port("weights", {"policy"})]')
        for text in (port.role, *port.kinds, *port.match):
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
                raise catalogue.misdeclared("accepts", text, "ports with role, kinds and match as texts")
    if score not in {"max", "min"}:
        raise catalogue.misdeclared(
            "score", score, '"max" if a higher score is better, or "min" if a lower one is'
        )


def _texts(argument: str, given: Iterable[str], wanted: str) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else catalogue.to_list(argument, given, _SEVERAL)
    for text in texts:
        if not isinstance(text, str):
            raise catalogue.misdeclared(argument, text, wanted)
    return tuple(texts)


def _module_names(given: Iterable[str]) -> tuple[str, ...]:
    wanted = 'the full names of installed modules, such as ("torch", "transformers.trainer")'
    names = _texts("preload", given, wanted)
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise catalogue.misdeclared("preload", name, wanted)
    return tuple(dict.fromkeys(names))


def find(name: str) -> Algorithm:
    """Return the algorithm of that name: what this process defined, else an installed one.

    Args:
        name: The name that it was registered under.

    Raises:
        AlgorithmNotFoundError: There is none, or it cannot be imported.
    """
    return catalogue.find(name)


class _Current(Mapping[str, AlgorithmDeclaration]):
    """Pickles only what is asked for, so that one algorithm that cannot be sent hinders no other."""

    def __getitem__(self, name: str) -> AlgorithmDeclaration:
        known = catalogue.defined[name]
        return AlgorithmDeclaration(spec=known.spec, reference=known.reference)

    def __contains__(self, name: object) -> bool:
        return name in catalogue.defined  # a Mapping's own would pickle the algorithm to tell

    def __iter__(self) -> Iterator[str]:
        return iter(catalogue.defined)

    def __len__(self) -> int:
        return len(catalogue.defined)


def references() -> Mapping[str, AlgorithmDeclaration]:
    """Return the algorithms that this process has defined or loaded so far, for other processes."""
    return _Current()


def defines(name: str) -> bool:
    """Return whether this process has defined or loaded an algorithm of that name.

    Args:
        name: The name that it was registered under.
    """
    return name in catalogue.defined


def current_code(name: str, reference: AlgorithmReference) -> CodeRecord | None:
    """Return the code of an algorithm as it is now: on disk, and where this process defines it, in its cells.

    Nothing is imported. None where it cannot be told, as while a cell is just being executed.

    Args:
        name: The name that it was registered under.
        reference: Where the workspace found it last.
    """
    from pipeline_widgets.algorithms import code_digest  # noqa: PLC0415  not every process asks

    try:
        known = catalogue.defined.get(name)
        now = reference if known is None else known.code_reference
        return code_digest.record_code(now, reference.code)
    except Exception:  # noqa: BLE001  looking at a user's objects can raise anything
        return None


def find_refusal(experiment: Experiment, reference: AlgorithmReference) -> PipelineError | None:
    """Return the error with which this Python, or an algorithm as it knows it, refuses an experiment.

    An algorithm that this process has not loaded is not loaded for that: its module is looked for.

    Args:
        experiment: The experiment, with its algorithm and config.
        reference: Where the workspace found the code last.
    """
    known = catalogue.defined.get(experiment.spec.name)
    if (error := find_preload_error(known.spec if known else experiment.spec)) is not None:
        return error
    if known is None:
        return _find_import_error(experiment.spec.name, reference)
    try:
        known.check_installed()
        known.validate(experiment.config)
    except (ConfigError, AlgorithmNotFoundError) as error:
        return error
    return None


def names() -> tuple[str, ...]:
    """Return the names of all algorithms that this process can find."""
    return catalogue.names()


def load(reference: AlgorithmReference) -> Algorithm:
    """Return the algorithm behind a reference, in any process.

    Args:
        reference: An import path, or the code itself by value.

    Raises:
        AlgorithmNotFoundError: Its module or name is gone, its pickled value cannot be opened, or another
            Python has made that.
    """
    return catalogue.load(reference)


def _find_import_error(name: str, reference: AlgorithmReference) -> AlgorithmNotFoundError | None:
    """Return the error for a module that the Python of this kernel, which is that of its runs, has not."""
    if reference.path is None:
        return None
    module = current_path(reference.path.partition(":")[0])
    if can_be_found(module, [*(reference.root or "").split(os.pathsep), str(Path.cwd())]):
        return None
    why = f"Its module {module.partition('.')[0]} is not there for {sys.executable}."
    fix = "Use the kernel in which it was defined, or install that module into this one."
    return AlgorithmNotFoundError(f"The algorithm {name} cannot be loaded.", why, fix)


def claim_main() -> None:
    """Let `__main__` of this process be that of the algorithms which it loads: it has no user's own."""
    from pipeline_widgets.algorithms import by_value  # noqa: PLC0415  only processes that train need it

    if not by_value.owns_main():
        sys.modules["__main__"] = by_value.Main()
