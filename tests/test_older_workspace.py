"""A workspace that an older version made opens, migrates, and shows what it showed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import pipeline_widgets as pw
from pipeline_widgets.algorithms import evaluators, registry
from pipeline_widgets.domain.algorithm import AlgorithmReference
from pipeline_widgets.domain.python_version import HERE
from pipeline_widgets.errors import UntrustedError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.schema import HEAD

DATA = Path(__file__).parent / "data" / "workspace_0004"
BUILT_IN = {"DPO", "DQN", "GRPO", "LatentPPO", "PPO", "SFT", "Supervised"}
WAIT = 120.0  # seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The database of a workspace at revision 0004, beside its artifacts."""
    connection = sqlite3.connect(tmp_path / "lab.db")
    connection.executescript((DATA / "lab.sql").read_text(encoding="utf-8"))
    connection.close()
    shutil.copytree(DATA / "artifacts", tmp_path / "lab-artifacts")
    return tmp_path / "lab.db"


@pytest.fixture
def ws(path: Path) -> Iterator[pw.Workspace]:
    """The workspace, opened and trusted by somebody who has not made it."""
    opened = pw.Workspace(path, trust=True)
    yield opened
    opened.close()


def shown(ws: pw.Workspace) -> dict[str, list[tuple[str, str, bool, str | None, int]]]:
    """Return name, status, stale mark, held reason and count of runs of each stage."""
    return {
        pipe.name: [(s.name, s.status.value, s.stale, s.held, len(s.runs)) for s in pipe.stages]
        for pipe in ws.projects["Letters"].pipelines
    }


def test_it_is_migrated(ws: pw.Workspace, path: Path) -> None:
    """Opening brings its tables to the newest revision."""
    assert ws.is_trusted
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)


def test_its_pipelines_show_the_same_stages(ws: pw.Workspace) -> None:
    """Statuses, stale marks, and why a stage is held are as they were."""
    held = "The gate is not met: evaluation score 0.3, wanted at least 0.9."
    assert shown(ws) == {
        "accidents": [("breaks", "Failed", False, None, 1)],
        "balance": [("ppo", "Succeeded", False, None, 1), ("balancer", "Succeeded", True, None, 2)],
        "patience": [("slow", "Stopped", False, None, 1)],
        "walks": [
            ("out", "Succeeded", False, None, 2),
            ("on", "Succeeded", True, None, 1),
            ("far", "Draft", False, held, 0),
        ],
    }
    pipelines = ws.projects["Letters"].pipelines
    assert pipelines["walks"].stages[1].stale_reasons == ("Stage 1 was re-run: used run 1, latest is run 2",)
    assert pipelines["balance"].stages[1].stale_reasons == ("Stage 1 now gives step 4096: used step 2048",)


def test_its_runs_show_the_same_results(ws: pw.Workspace) -> None:
    """Steps, checkpoints, scores, metrics, configs and errors are as they were."""
    project = ws.projects["Letters"]
    runs = project.compare().runs[["experiment", "run", "status", "steps", "checkpoints", "evaluation_score"]]
    assert list(runs.itertuples(index=False, name=None)) == [
        ("ppo", 1, "Succeeded", 4096, 2, 99.46875),
        ("out", 1, "Succeeded", 3, 3, 0.3),
        ("out", 2, "Succeeded", 3, 3, 0.3),
        ("on", 1, "Succeeded", 3, 3, 0.3),
        ("breaks", 1, "Failed", 3, 3, 0.3),
        ("slow", 1, "Stopped", 6, 5, 0.5),
    ]
    loss = project.experiments["on"].runs[0].metrics.query("metric == 'loss'")
    assert loss["value"].tolist() == [1.0, 0.5, 1 / 3]
    broken = project.experiments["breaks"].run
    assert broken is not None
    assert (broken.error or "").endswith("ValueError: the bridge is down\n")
    assert broken.config == {"steps": 3, "fail": True, "rest": 0.0}


def test_its_agent_has_the_same_versions(ws: pw.Workspace) -> None:
    """Both versions are there, and the frozen copies answer with the code of this version."""
    agent = ws.agents["balancer"]
    assert (agent.version, agent.status, agent.experiment) == (2, "Undeployed", "ppo")
    assert [(v.number, v.checkpoint.step) for v in agent.versions] == [(1, 2048), (2, 2048)]
    assert agent.predict([0.0, 0.0, 0.0, 0.0]) in {0, 1}


def test_its_last_edit_can_be_undone(ws: pw.Workspace) -> None:
    """What was done to a pipeline is listed, and the latest edit is kept whole."""
    pipe = ws.projects["Letters"].pipelines["balance"]
    latest = [event.what for event in pipe.history][-2:]
    assert latest == [
        "Edited stage 2 (balancer).",
        "Edited the description.",
    ]
    pipe.undo()
    assert pipe.description == "Keep a pole up."


def test_its_algorithms_of_the_package_are_found(ws: pw.Workspace) -> None:
    """Import paths in its rows lead to the trainers, wherever these are now."""
    with ws._services.store.read() as work:
        rows = work.connection.execute(select(schema.algorithms.c.name, schema.algorithms.c.path)).all()
    paths = {row.name: row.path for row in rows if row.path is not None}
    assert {name: registry.load(AlgorithmReference(path=path)).spec.name for name, path in paths.items()} == {
        name: name for name in BUILT_IN
    }


@pytest.mark.skipif(HERE != "cpython 3.11", reason="byte code of Python 3.11")
def test_its_algorithm_of_a_script_runs_again(ws: pw.Workspace) -> None:
    """An algorithm that was kept by value is opened by the process of a new run."""
    stage = ws.projects["Letters"].pipelines["walks"].stages[0]
    assert stage.trigger().wait(WAIT).status == "Succeeded"
    assert [checkpoint.step for checkpoint in stage.runs[-1].checkpoints] == [1, 2, 3]


def test_it_is_read_only_until_it_is_trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not made it sees all of it, and changes nothing."""
    monkeypatch.setenv("PIPELINE_WIDGETS_DATA", str(path.parent / "data of somebody else"))
    ws = pw.Workspace(path)
    assert not ws.is_trusted
    first = {name: stages[0][1] for name, stages in shown(ws).items()}
    assert first == {
        "accidents": "Failed",
        "balance": "Succeeded",
        "patience": "Stopped",
        "walks": "Succeeded",
    }
    with pytest.raises(UntrustedError):
        ws.projects["Letters"].pipelines["balance"].stages[0].trigger()
    ws.close()


@pytest.mark.spec("7.9")
@pytest.mark.skipif(HERE != "cpython 3.11", reason="byte code of Python 3.11")
def test_its_checkpoints_are_scored(ws: pw.Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an evaluator of today: policies by their predictor, and what a script trained by its folder."""
    monkeypatch.setattr(evaluators, "catalogue", replace(evaluators.catalogue, defined={}))
    project = ws.projects["Letters"]
    pole = [[0.0, 0.0, 0.2, 1.0], [0.0, 0.0, -0.2, -1.0]]

    @pw.evaluator("pushes under the pole", accepts={"policy", "actor-critic:ppo"})
    def pushes(answer: Callable[[Any], Any]) -> float:
        return float(answer(pole[0]) == 1) + float(answer(pole[1]) == 0)

    @pw.evaluator("steps walked", accepts={"path"}, takes="folder")
    def walked(folder: Path) -> float:
        return float((folder / "place.txt").read_text().split()[0])

    asked = project.evaluate(pushes, pipeline=project.pipelines["balance"]).wait(WAIT)
    assert (asked.status, asked.error) == ("Succeeded", None)
    assert asked.scores[["experiment", "step", "score"]].values.tolist() == [
        ["ppo", 2048, 2.0],
        ["ppo", 4096, 2.0],
    ]
    read = project.evaluate(walked).wait(WAIT)
    assert (read.status, read.error) == ("Succeeded", None)
    assert set(read.refused.values()) == {
        "'steps walked' scores a path, PPO produces an actor-critic and a policy."
    }
    columns = project.compare().runs.set_index(["experiment", "run"])
    assert columns["score by steps walked"].dropna().to_dict() == {
        ("out", 1): 3.0,
        ("out", 2): 3.0,
        ("on", 1): 3.0,
        ("breaks", 1): 3.0,
        ("slow", 1): 5.0,
    }
    pipe = project.pipelines["walks"]
    pipe.score_by(walked)
    assert "best by 'steps walked': 3, step 3" in str(pipe.stages[1].plan())
