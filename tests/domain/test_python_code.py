"""A pipeline as Python code (spec 10.2)."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from factories.documents import documents
from hypothesis import given

from pipeline_widgets.domain.chain import UNSAVED_ID, ExperimentStage, FromSource, ScoreAtLeast, Trigger
from pipeline_widgets.domain.document import Document, ExperimentEntry, StageEntry
from pipeline_widgets.domain.python_code import TAKEN, to_python

CONFIG: dict[str, Any] = {
    "sizes": [1.5, float("-inf")],
    "text": 'it\'s "it"',
    "deep": {"note": "x" * 60},
    "none": [],
}
LONG = "a rather long name of an experiment"
CODE = """\
import pipeline_widgets as pw

ws = pw.Workspace()
project = ws.create_project("Letters", advanced_training=True)

float_2 = project.create_experiment(
    "float",
    algorithm="SFT",
    config={
        "sizes": [1.5, float("-inf")],
        "text": 'it\\'s "it"',
        "deep": {
            "note": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        },
        "none": [],
    },
)
a_rather_long_name_of_an_experiment = project.create_experiment(
    "a rather long name of an experiment", algorithm="DPO", seed=3
)

pipe = project.create_pipeline("chain")
pipe.add_experiment_stage(float_2)
# This stage is refused until it fits: It needs more.
pipe.add_experiment_stage(
    a_rather_long_name_of_an_experiment, trigger="auto", gate=float("inf")
)
"""


@pytest.mark.spec("10.2")
def test_the_code_stands_as_ruff_would_format_it() -> None:
    """A call is on a line, else its arguments on a second one, else each on its own, and so within."""
    later = ExperimentStage(
        experiment_id=UNSAVED_ID,
        trigger=Trigger.AUTO,
        start=FromSource("best"),
        gate=ScoreAtLeast(float("inf")),
    )
    document = Document(
        name="chain",
        description="",
        experiments=(
            ExperimentEntry(name="float", algorithm="SFT", config=CONFIG, seed=0),
            ExperimentEntry(name=LONG, algorithm="DPO", config={}, seed=3),
        ),
        stages=(
            StageEntry(stage=ExperimentStage(experiment_id=UNSAVED_ID), experiment="float"),
            StageEntry(stage=later, experiment=LONG),
        ),
    )
    assert to_python(document, "Letters", unfit={1: "It needs\nmore."}) == CODE


@pytest.mark.spec("10.2")
@given(documents())
def test_the_code_shadows_nothing_that_it_uses(document: Document) -> None:
    """Whatever experiments are named, no variable is a builtin, the package or another variable."""
    tree = ast.parse(to_python(document, "p"))
    assigned = [
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    assert len(set(assigned)) == len(assigned) == len(document.experiments) + 3
    assert set(assigned) & TAKEN == {"ws", "project", "pipe"}
