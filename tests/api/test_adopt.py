"""What other tools have trained becomes an experiment (spec 7.8)."""

from __future__ import annotations

import shutil
from pathlib import Path

import foreign_folders
import numpy as np
import pytest
from sqlalchemy import update

import pipeline_widgets as pw
from pipeline_widgets.persistence import schema


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pw.Project:
    """A project of a workspace in which nothing runs."""
    monkeypatch.chdir(tmp_path)
    ws = pw.Workspace(tmp_path / "lab.db")
    return ws.create_project("Lab", advanced_training=True)


def values(experiment: pw.Experiment, name: str) -> list[float]:
    """Return the values of a metric, by step."""
    told = experiment.runs[0].metrics
    return told.loc[told["metric"] == name, "value"].tolist()


@pytest.mark.spec("7.8")
def test_checkpoints_of_a_trainer_are_adopted_where_they_are(project: pw.Project, tmp_path: Path) -> None:
    """Steps, losses and scores are those of its state, and no file is copied, changed or unpickled."""
    folder = foreign_folders.hugging_face(tmp_path / "output")
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    experiment = project.adopt(folder)
    assert (experiment.name, experiment.status) == ("output", "Succeeded")
    assert [(each.step, each.evaluation_score) for each in experiment.checkpoints] == [(10, 0.9), (20, 0.4)]
    assert experiment.checkpoints[1].path == folder / "checkpoint-20"
    assert values(experiment, "loss") == [1.0, 0.5]
    signature = experiment.checkpoints[0]._value.signature
    assert (signature["architecture"], signature["parameters"], signature["dtype"]) == ("gpt2", 36, "F32")
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before
    assert not (tmp_path / "opened").exists()
    copies = [path for path in (tmp_path / "lab-artifacts").rglob("*") if path.suffix == ".safetensors"]
    assert copies == []


@pytest.mark.spec("7.8")
def test_a_model_folder_is_one_checkpoint(project: pw.Project, tmp_path: Path) -> None:
    """The folder of `save_pretrained`, or a single checkpoint, with the step of its state."""
    folder = foreign_folders.hugging_face(tmp_path / "output") / "checkpoint-20"
    assert [each.step for each in project.adopt(folder).checkpoints] == [20]
    (folder / "trainer_state.json").unlink()
    assert [each.step for each in project.adopt(folder, name="bare").checkpoints] == [0]


@pytest.mark.spec("7.8")
def test_a_model_of_stable_baselines3_is_read_without_its_pickles(
    project: pw.Project, tmp_path: Path
) -> None:
    """Step, spaces and scores come from JSON and numbers; statistics are found, and stay closed."""
    folder = foreign_folders.rl_zoo(tmp_path / "CartPole-v1_1")
    experiment = project.adopt(folder)
    (best,) = experiment.checkpoints
    assert (best.step, best.evaluation_score, best._value.evaluation_spread) == (4000, 400.0, 100.0)
    signature = best._value.signature
    assert (signature["observation"], signature["action"]) == ("Box(4) float32", "Discrete(2)")
    assert signature["statistics"] == "VecNormalize"
    assert values(experiment, "evaluation_score") == [15.0, 400.0, 100.0]
    assert best.path == folder
    assert not (tmp_path / "opened").exists()


@pytest.mark.spec("7.8")
def test_models_that_lie_beside_each_other_are_copied_only_when_that_is_asked_for(
    project: pw.Project, tmp_path: Path
) -> None:
    """A checkpoint is a folder, as the error says; a copy has the statistics of the step of its model."""
    for step in (1000, 2000):
        foreign_folders.sb3(tmp_path / "logs" / f"ppo_{step}_steps.zip", step)
        (tmp_path / "logs" / f"ppo_vecnormalize_{step}_steps.pkl").write_bytes(b"%d" % step)
    with pytest.raises(pw.ConfigError, match=r"can only be adopted as a copy.*copy=True"):
        project.adopt(tmp_path / "logs")
    assert len(project.experiments) == 0
    experiment = project.adopt(tmp_path / "logs", copy=True)
    for checkpoint in experiment.checkpoints:
        assert (checkpoint.path / "vecnormalize.pkl").read_bytes() == b"%d" % checkpoint.step
        assert (checkpoint.path / "model.zip").is_file()
        assert checkpoint.path.is_relative_to(tmp_path / "lab-artifacts")


@pytest.mark.spec("7.8")
def test_evaluations_that_are_pickled_stay_closed(project: pw.Project, tmp_path: Path) -> None:
    """The reader of numpy refuses objects, and the error says that the file is damaged."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    with pytest.raises(pw.ConfigError, match="allow_pickle=False"):
        project.adopt(foreign_folders.pickled_evaluations(folder))


@pytest.mark.spec("7.8")
def test_metrics_of_trackio_are_adopted(project: pw.Project, tmp_path: Path) -> None:
    """One run has its metrics by name; of several the run is named as well."""
    one = project.adopt(foreign_folders.trackio(tmp_path / "one.db"))
    assert values(one, "loss") == [1.0, 0.5]
    assert np.isnan(values(one, "norm")).all()
    assert len(one.checkpoints) == 0
    two = project.adopt(foreign_folders.trackio(tmp_path / "two.db", ("a", "b")))
    assert values(two, "b/loss") == [1.0, 0.5]


@pytest.mark.spec("7.8")
def test_event_files_need_tensorboard(project: pw.Project, tmp_path: Path) -> None:
    """Where its reader is not installed, the error says how to install it."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "events.out.tfevents.1.host").write_bytes(b"")
    with pytest.raises(pw.ExecutionError, match=r"pip install 'pipeline-widgets\[adopt\]'"):
        project.adopt(tmp_path / "runs")


@pytest.mark.spec("7.8")
def test_what_is_not_known_is_refused_with_what_was_looked_for(project: pw.Project, tmp_path: Path) -> None:
    """A folder of something else, a damaged file, and a path to nothing."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(pw.ConfigError, match=r"Looked for checkpoint-\* folders.*Trackio"):
        project.adopt(tmp_path / "empty")
    with pytest.raises(pw.ConfigError, match="It is not there"):
        project.adopt(tmp_path / "nothing")
    folder = foreign_folders.hugging_face(tmp_path / "output")
    (folder / "checkpoint-20" / "model.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(pw.ConfigError, match=r"model.safetensors is not a safetensors file"):
        project.adopt(folder)
    assert len(project.experiments) == 0


@pytest.mark.spec("7.8", "8.4")
def test_no_clean_up_and_no_deletion_touches_an_adopted_folder(project: pw.Project, tmp_path: Path) -> None:
    """The files belong to somebody else: they stay, whatever is deleted here."""
    folder = foreign_folders.hugging_face(tmp_path / "output")
    experiment = project.adopt(folder)
    found = project.gc("final", dry_run=False)
    assert {each.reasons[0] for each in found if each.step == 10} == {
        "its files are outside of this workspace"
    }
    with pytest.raises(pw.CheckpointError, match="is not used"):
        experiment.checkpoints[0].delete()
    experiment.delete()
    assert (folder / "checkpoint-10" / "model.safetensors").is_file()
    assert (folder / "checkpoint-20" / "model.safetensors").is_file()


@pytest.mark.spec("7.8")
def test_an_adopted_folder_is_checked_before_every_use(tmp_path: Path, project: pw.Project) -> None:
    """An agent is made of what was adopted, and never of a folder that has changed since."""
    folder = foreign_folders.hugging_face(tmp_path / "output")
    checkpoint = project.adopt(folder).checkpoints[-1]
    ws = pw.Workspace(tmp_path / "lab.db")
    agent = ws.create_agent("kept", checkpoint)
    assert agent.name == "kept"
    (folder / "checkpoint-20" / "config.json").write_text("{}")
    with pytest.raises(pw.CheckpointError, match="is corrupt"):
        ws.create_agent("changed", checkpoint)
    shutil.rmtree(folder)
    with pytest.raises(pw.CheckpointError, match="is missing"):
        ws.create_agent("gone", checkpoint)


@pytest.mark.spec("7.8")
def test_a_row_alone_lets_nobody_read_a_folder_outside_of_the_workspace(
    tmp_path: Path, project: pw.Project
) -> None:
    """A path that a stranger has written into the database was not adopted by this user, and is not read."""
    folder = foreign_folders.hugging_face(tmp_path / "output")
    checkpoint = project.adopt(folder).checkpoints[-1]
    other = shutil.copytree(folder / "checkpoint-20", tmp_path / "secret")
    with project._services.store.write() as work:
        work.connection.execute(
            update(schema.checkpoints).where(schema.checkpoints.c.step == 20).values(path=str(other))
        )
    with pytest.raises(pw.CheckpointError, match="It is not a folder that this workspace keeps"):
        pw.Workspace(tmp_path / "lab.db").create_agent("stolen", project.experiments[0].checkpoints[-1])
    assert checkpoint.step == 20
