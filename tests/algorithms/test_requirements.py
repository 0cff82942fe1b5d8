"""An algorithm whose library is not installed is listed, and says how to install it (spec 7.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import pipeline_widgets as pw
from pipeline_widgets.algorithms import registry
from pipeline_widgets.algorithms.preload import NOT_INSTALLED
from pipeline_widgets.widgets.experiment_form import new_form

INSTALL = "pip install 'some-package[extra]'"


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> pw.Algorithm:
    """An algorithm that needs a module which nobody has."""
    monkeypatch.setattr(registry, "catalogue", replace(registry.catalogue, defined={}))

    @pw.algorithm("Lacking", produces={"thing"}, requires="no_such_module", install=INSTALL)
    def train(ctx: pw.TrainContext) -> None:
        del ctx

    return train


@pytest.mark.spec("7.5")
def test_it_is_listed_with_the_command_that_installs_it(lacking: pw.Algorithm) -> None:
    """The form names it, cannot choose it, and has the command."""
    row = next(each for each in new_form(None)["algorithms"] if each["name"] == lacking.spec.name)
    assert row["install"] == INSTALL
    assert "no_such_module" in row["problem"]
    assert row["says"]


@pytest.mark.spec("7.5")
@pytest.mark.parametrize("use", ["configure", "__call__"])
def test_using_it_is_refused_with_the_command(lacking: pw.Algorithm, use: str) -> None:
    """No experiment is made of it, and no process trains it."""
    with pytest.raises(pw.AlgorithmNotFoundError) as caught:
        getattr(lacking, use)({})
    assert caught.value.code == NOT_INSTALLED
    assert INSTALL in str(caught.value)


def test_what_is_installed_is_no_hindrance() -> None:
    """A module that can be found is not missing, and is not imported to find that out."""

    @pw.algorithm("Having", produces={"thing"}, requires=("numpy", "wave.open"))
    def train(ctx: pw.TrainContext) -> None:
        del ctx

    assert train.missing == ()
    train.check_installed()


def test_a_trigger_says_what_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An experiment whose library was uninstalled since is refused with the command, before a run is made."""
    monkeypatch.setattr(registry, "catalogue", replace(registry.catalogue, defined={}))

    def train(ctx: pw.TrainContext) -> None:
        del ctx

    having = pw.algorithm("Lost", produces={"thing"})(train)
    project = pw.Workspace(f"sqlite:///{tmp_path}/lab.db").create_project("P")
    experiment = project.create_experiment("e", algorithm=having)
    pw.algorithm("Lost", produces={"thing"}, requires="no_such_module", install=INSTALL)(train)
    with pytest.raises(pw.AlgorithmNotFoundError, match="no_such_module") as caught:
        experiment.train()
    assert INSTALL in str(caught.value)
    assert not experiment.runs


@pytest.mark.parametrize(
    "options",
    [
        {"evaluator": 3},
        {"requires": [1]},
        {"training_only": 5},
        {"load_within": 0},
        {"load_within": True},
        {"answer_within": float("inf")},
        {"answer_within": "long"},
    ],
)
def test_a_wrong_declaration_is_refused(options: dict[str, object]) -> None:
    """Each argument names what it takes."""
    with pytest.raises(pw.ConfigError) as caught:
        pw.algorithm("Wrong", produces={"thing"}, **options)  # pyright: ignore[reportArgumentType]
    assert next(iter(options)) in str(caught.value)


def no_text(_: Any) -> Any:
    """Return a number."""
    return 3


def failing(config: Any) -> Any:
    """Ask for a field that the config does not have."""
    return config.nothing


@pytest.mark.parametrize("evaluator", [no_text, failing])
def test_an_evaluator_function_that_fails_is_named(evaluator: Callable[[Any], Any]) -> None:
    """An experiment is not made of an algorithm that cannot name its evaluator."""

    @pw.algorithm("Unnamed", produces={"thing"}, evaluator=evaluator)
    def train(ctx: pw.TrainContext) -> None:
        del ctx

    with pytest.raises(pw.ConfigError, match="evaluator function of Unnamed"):
        train.configure({})
