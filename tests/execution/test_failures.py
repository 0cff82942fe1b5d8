"""What is recorded of a training that fails: real processes, and files edited afterwards (spec 7.4)."""

from __future__ import annotations

import sys
from importlib import import_module, invalidate_caches
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from benches import Bench

import pipeline_widgets as pw

HELPERS = """
    import json
    import numpy as np

    def loss_of(batch):
        if batch == "library":
            return json.loads("{")
        if batch == "task":
            import asyncio
            async def part():
                raise ValueError("in a task")
            async def whole():
                async with asyncio.TaskGroup() as group:
                    group.create_task(part())
            asyncio.run(whole())
        if batch == "syntax":
            import mine_broken
        raise RuntimeError(
            f"The loss of {batch} is not a number."
        )
"""
TRAINING = """
    from dataclasses import dataclass
    import pipeline_widgets as pw
    from mine_helpers import loss_of

    @dataclass
    class Config:
        batch: str = "first"

    @pw.algorithm("Mine", produces={"thing"}, accepts={pw.Port("start", {"thing"})}, config=Config)
    def train(ctx):
        with ctx.checkpoint(10) as folder:
            (folder / "state").write_text("good")
        loss_of(ctx.config.batch)
"""


@pytest.fixture
def mine(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a user's own training function, which a helper of theirs lets fail."""
    (tmp_path / "mine_helpers.py").write_text(dedent(HELPERS))
    (tmp_path / "mine_training.py").write_text(dedent(TRAINING))
    (tmp_path / "mine_broken.py").write_text("x = 1\ny = = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    invalidate_caches()
    yield import_module("mine_training").train
    for name in ("mine_training", "mine_helpers"):
        sys.modules.pop(name, None)


def fail(bench: Bench, mine: Any, batch: str) -> pw.Run:
    """Return a run that has failed."""
    made = bench.project.create_experiment(batch, algorithm=mine, config={"batch": batch})
    run = made.train().wait(60)
    assert run.status == "Failed"
    return run


@pytest.mark.spec("7.4")
def test_the_users_own_line_is_recorded_as_it_was(bench: Bench, mine: Any, tmp_path: Path) -> None:
    """The message, and the innermost line of the user's with its text, which a later edit does not change."""
    run = fail(bench, mine, "first")
    (tmp_path / "mine_helpers.py").write_text("# all of it was replaced\n" * 40)
    found = run.failure
    assert found is not None
    assert found.message == "RuntimeError: The loss of first is not a number."
    assert (found.file, found.function) == (str(tmp_path / "mine_helpers.py"), "loss_of")
    assert [text.strip() for _, text, failed in found.lines() if failed] == [
        "raise RuntimeError(",
        'f"The loss of {batch} is not a number."',
        ")",
    ]
    assert found.place(str(tmp_path)) == f"mine_helpers.py:{found.line}"


@pytest.mark.spec("7.4")
@pytest.mark.parametrize(
    ("batch", "message", "line"),
    [
        ("library", "json.decoder.JSONDecodeError: Expecting property name", 'return json.loads("{")'),
        ("task", "ValueError: in a task", 'raise ValueError("in a task")'),
        ("syntax", "SyntaxError: invalid syntax", "y = = 2"),
    ],
)
def test_what_a_library_has_raised_is_named_by_the_line_that_called_it(
    bench: Bench, mine: Any, batch: str, message: str, line: str
) -> None:
    """Python's own frames, groups of one error and the import system are no lines of the user's."""
    found = fail(bench, mine, batch).failure
    assert found is not None
    assert found.message.startswith(message)
    assert [text.strip() for _, text, failed in found.lines() if failed] == [line]


@pytest.mark.spec("6.5")
def test_a_run_of_a_stage_is_resumed_by_itself(bench: Bench, mine: Any) -> None:
    """`run.resume()` is what "Resume from step 10" does; a run of no stage says what else can be done."""
    made = bench.project.create_experiment("first", algorithm=mine)
    stage = bench.project.create_pipeline("chain").add_experiment_stage(made)
    run = stage.trigger().wait(60)
    again = run.resume().wait(60)
    assert (again.number, again.start_role) == (2, "resume")
    assert again.start_checkpoint is not None
    assert again.start_checkpoint.step == 10
    with pytest.raises(pw.PipelineError, match=r"experiment\.resume"):
        run.resume()
