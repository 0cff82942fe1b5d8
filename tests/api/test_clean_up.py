"""Checkpoint care as a user calls it (spec 8.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pipeline_widgets as pw
from pipeline_widgets.errors import ConfigError

pytestmark = pytest.mark.spec("8.4", "10.1")


def test_nothing_is_deleted_by_default(project: pw.Project, pipe: pw.Pipeline, finish: Any) -> None:
    """The preview lists each checkpoint with what becomes of it and why; the same call then does it."""
    run = finish(pipe.stages[0].trigger(), 0.1, 0.9, 0.5)
    paths = [Path(each.path) for each in run.checkpoints]
    preview = project.gc()
    assert [path.is_dir() for path in paths] == [True, True, True]
    size = run.checkpoints[0].size
    said = f"Would free 1 of 3 checkpoints, {size:,} bytes; nothing was deleted."
    assert repr(preview) == f"{said} project.gc(dry_run=False) does it."
    frame = preview.df
    assert list(frame.columns) == ["experiment", "run", "step", "size", "kept", "why"]
    assert list(frame["why"]) == ["", "best of run 1; stage 2 of pipeline 'chain'", "final of run 1"]
    done = project.gc(dry_run=False)
    assert repr(done) == f"Freed 1 of 3 checkpoints, {size:,} bytes."
    assert [path.is_dir() for path in paths] == [False, True, True]
    assert [each.step for each in run.checkpoints] == [20, 30]
    assert repr(project.gc()).startswith("Would free 0 of 2")


def test_a_checkpoint_tells_what_uses_it(project: pw.Project, pipe: pw.Pipeline, finish: Any) -> None:
    """What `checkpoint.delete()` would name."""
    run = finish(pipe.stages[0].trigger(), 0.9)
    finish(pipe.stages[1].trigger(), 0.5)
    assert run.checkpoints[0].used_by == ("run 1 of 'refine'", "stage 2 of pipeline 'chain'")


def test_an_option_that_is_unknown_is_refused(project: pw.Project) -> None:
    """Before anything is looked at."""
    with pytest.raises(ConfigError, match="keeps nothing that is known"):
        project.gc(keep="none", dry_run=False)
