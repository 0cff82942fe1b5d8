"""Code of an older workspace is found although its modules have moved."""

from __future__ import annotations

import base64

import pytest

from pipeline_widgets.algorithms import by_value, registry
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.trainers.numpy.nn import MLP
from pipeline_widgets.trainers.numpy.sft import sft


def test_a_row_leads_to_a_trainer_that_has_moved() -> None:
    """An import path that an older version wrote is still followed."""
    assert registry.load(AlgorithmReference(path="pipeline_widgets.algorithms.sft:sft")) is sft


@pytest.mark.parametrize("module", ["pipeline_widgets.algorithms.nn", "pipeline_widgets.trainers.numpy.nn"])
def test_a_pickle_leads_to_a_class_that_has_moved(module: str) -> None:
    """A pickled algorithm may name a module of this package by its former path."""
    value = base64.b64encode(f"c{module}\nMLP\n.".encode()).decode()
    assert by_value.unpack(f"b64:{value}") is MLP
