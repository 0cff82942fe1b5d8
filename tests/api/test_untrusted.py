"""A workspace that this user has neither made nor trusted: everything can be read, and nothing happens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import databases
import pytest
from sqlalchemy import func, select, update

import pipeline_widgets as pw
from pipeline_widgets.errors import UntrustedError
from pipeline_widgets.execution import endpoints
from pipeline_widgets.persistence import schema

Open = Callable[..., pw.Workspace]


@pytest.fixture
def foreign(
    ws: pw.Workspace,
    pipe: pw.Pipeline,
    finish: Callable[..., pw.Run],
    open_workspace: Open,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    launched: list[int],
) -> pw.Workspace:
    """A workspace of another user: a run that succeeded, an agent, and a run that waits to be launched."""
    run = finish(pipe.stages[0].trigger(), 0.1, 0.9)
    ws.create_agent("theirs", run.checkpoints[-1])
    pipe.stages[1].trigger()
    with ws._services.store.write() as work:  # as a row that was written by hand: nobody has launched it
        waiting = update(schema.runs).where(schema.runs.c.status == "Pending")
        work.connection.execute(waiting.values(launches=0, launched_at=None, created_at=0.0))
    ws.close()
    launched.clear()
    monkeypatch.setenv("PIPELINE_WIDGETS_DATA", str(tmp_path / "somebody else's data"))
    return open_workspace()


def unwanted(*_: object, **__: object) -> None:
    """Fail: this was not to be called."""
    pytest.fail("something was sent")


def rows_of(ws: pw.Workspace) -> dict[str, Any]:
    """Return all that its tables hold."""
    with ws._services.store.read() as work:
        return {
            table.name: [tuple(row) for row in work.connection.execute(select(table))]
            for table in schema.metadata.sorted_tables
        }


def test_row_12_a_look_runs_nothing_of_a_workspace_that_is_not_trusted(
    foreign: pw.Workspace, launched: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that waits is not launched by a status, whatever is looked at; the rows stay as they were."""
    monkeypatch.setattr(endpoints, "post", unwanted)
    before = rows_of(foreign)
    pipe = foreign.projects["Letters"].pipelines["chain"]
    assert [stage.status for stage in pipe.stages] == ["Succeeded", "Pending", "Draft"]
    foreign._services.reconciler.reconcile()
    foreign._services.endpoints.reconcile()
    assert pipe.stages[1].status == "Pending"
    assert foreign.agents["theirs"].status == "Undeployed"
    assert launched == []
    assert rows_of(foreign) == before


def test_everything_can_be_read(foreign: pw.Workspace) -> None:
    """Handles, listings, tables, results, metrics, logs, lineage and the pipeline as text work as ever."""
    assert not foreign.is_trusted
    assert "reading only" in repr(foreign)
    project = foreign.projects["Letters"]
    pipe = project.pipelines["chain"]
    run = pipe.stages[0].runs[0]
    assert repr(pipe)
    assert len(project.pipelines.df) == 1
    assert len(project.experiments.df) == 2
    assert len(project.compare().runs) >= 1
    assert len(run.metrics) >= 0
    assert run.log == ""
    assert [checkpoint.step for checkpoint in run.checkpoints] == [10, 20]
    assert repr(run.checkpoints[0].lineage)
    assert "Imitate" in pipe.to_yaml()
    assert pipe.to_python()
    assert pipe.check() is not None
    assert pipe.stages[0].plan() is not None
    assert foreign.agents["theirs"].versions


WRITES: dict[str, Callable[[pw.Workspace], object]] = {
    "create_project": lambda ws: ws.create_project("new"),
    "create_agent": lambda ws: ws.create_agent("new", chain(ws).stages[0].runs[0].checkpoints[0]),
    "reconcile": lambda ws: ws.reconcile(),
    "trigger": lambda ws: chain(ws).stages[0].trigger(),
    "stop": lambda ws: chain(ws).stages[1].stop(),
    "train": lambda ws: ws.projects["Letters"].experiments["imitate"].train(),
    "edit": lambda ws: chain(ws).add_deployment_stage("new"),
    "delete_pipeline": lambda ws: chain(ws).delete(),
    "delete_checkpoint": lambda ws: chain(ws).stages[0].runs[0].checkpoints[0].delete(),
    "gc": lambda ws: ws.projects["Letters"].gc(dry_run=False),
    "gc_of_nothing": lambda ws: ws.projects["Letters"].gc(keep="all", dry_run=False),
    "delete_agent": lambda ws: ws.agents["theirs"].delete(),
    "connect": lambda ws: ws.agents["theirs"].connect(),
    "disconnect": lambda ws: ws.agents["theirs"].disconnect(),
    "rotate_key": lambda ws: ws.agents["theirs"].rotate_key(),
    "ask": lambda ws: ws._services.ask_agent(1, "x"),
    "predict": lambda ws: ws.agents["theirs"].predict("x"),
    "timing": lambda ws: pw.Workspace(
        ws._services.store.database.url, timing=pw.Timing(beat_every=1.0, grace=9.0)
    ),
}


def chain(ws: pw.Workspace) -> pw.Pipeline:
    """Return its pipeline."""
    return ws.projects["Letters"].pipelines["chain"]


@pytest.mark.parametrize("name", WRITES)
def test_every_change_is_refused_and_says_what_to_do(
    foreign: pw.Workspace, name: str, launched: list[int], tmp_path: Path
) -> None:
    """Nothing is written, started, opened, copied or sent; the error says how to trust the workspace."""
    before, files = rows_of(foreign), sorted(tmp_path.rglob("*"))
    with pytest.raises(UntrustedError, match=r"reading only.*trust=True.*pipeline-widgets trust"):
        WRITES[name](foreign)
    assert rows_of(foreign) == before
    assert launched == []
    assert sorted(tmp_path.rglob("*")) == files


def test_what_is_trusted_once_is_trusted_from_then_on(foreign: pw.Workspace, open_workspace: Open) -> None:
    """`trust=True` is remembered for that user, and the run that waited is found by the next look."""
    assert open_workspace(trust=True).is_trusted
    again = open_workspace()
    assert again.is_trusted
    assert again.agents["theirs"].predict("x")
    assert not foreign.is_trusted


def test_the_command_of_the_terminal_trusts_a_workspace(
    foreign: pw.Workspace, open_workspace: Open, tmp_path: Path
) -> None:
    """`pipeline-widgets trust PATH` does the same, and makes no workspace where there is none."""
    command = [sys.executable, "-m", "pipeline_widgets"]
    reconciled = subprocess.run(
        [*command, "--url", databases.url_in(tmp_path), "reconcile"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert reconciled.returncode == 1
    assert "UntrustedError" in reconciled.stderr
    done = subprocess.run(
        [*command, "trust", databases.url_in(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "is trusted" in done.stdout
    assert open_workspace().is_trusted
    nothing = subprocess.run(
        [*command, "trust", str(tmp_path / "none.db")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert nothing.returncode == 1
    assert not (tmp_path / "none.db").exists()
    assert not foreign.is_trusted


def test_the_processes_that_are_launched_ask_as_well(foreign: pw.Workspace, tmp_path: Path) -> None:
    """Started by hand or by an old kernel, a supervisor and an endpoint take nothing of it."""
    for command in (["supervise", "2"], ["serve", "1"]):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline_widgets", "--url", databases.url_in(tmp_path), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 1
        assert "UntrustedError" in done.stderr
    with foreign._services.store.read() as work:
        taken = select(func.count()).select_from(schema.runs).where(schema.runs.c.pid.is_not(None))
        pending = schema.runs.c.status == "Pending"
        assert work.connection.execute(taken.where(pending)).scalar_one() == 0
