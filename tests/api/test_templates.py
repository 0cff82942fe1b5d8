"""Templates: pipelines to begin with, and pipelines kept as such (spec 4.12)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pipeline_widgets as pw
from pipeline_widgets.errors import (
    ClassicProjectError,
    NameTakenError,
    NotFoundError,
    RuleError,
)

pytestmark = pytest.mark.spec("4.12")


@pytest.fixture
def ws(open_workspace: Callable[..., pw.Workspace]) -> pw.Workspace:
    """A workspace."""
    return open_workspace()


@pytest.fixture
def project(ws: pw.Workspace) -> pw.Project:
    """A project that can hold pipelines."""
    return ws.create_project("Letters", advanced_training=True)


@pytest.fixture
def pipe(project: pw.Project) -> pw.Pipeline:
    """A pipeline of two experiments and a deployment."""
    made = project.create_pipeline("mine", description="What it is for.")
    for name, algorithm in (("one", "Imitate"), ("two", "Refine")):
        experiment = project.create_experiment(name, algorithm=algorithm, config={"steps": 7}, seed=3)
        trigger = "auto" if len(made.stages) else "manual"
        made.add_experiment_stage(experiment, trigger=trigger, retries=1)
    made.add_deployment_stage("answers", trigger="auto", gate=0.5)
    return made


@pytest.mark.parametrize(
    ("name", "chain"),
    [
        ("Post-training", "SFT → DPO → GRPO → agent"),
        ("Latent policy", "Supervised → LatentPPO → agent"),
        ("Train and fine-tune", "Supervised → Supervised → agent"),
    ],
)
def test_a_ready_template_makes_a_pipeline_that_can_run_at_once(
    project: pw.Project, name: str, chain: str
) -> None:
    """The check finds nothing, twice over: the second one has experiments and an agent of its own."""
    template = project.templates[name]
    assert (template.chain, template.is_ready) == (chain, True)
    first, second = project.new_from_template(name), project.new_from_template(template)
    for made in (first, second):
        assert made.check() == ()
        assert made.stages[0].summary()["trigger"] == "manual"
        assert {each.summary()["trigger"] for each in made.stages[1:]} == {"auto"}
    assert (first.name, second.name) == (name, f"{name} 2")
    assert not {each.name for each in first.stages} & {each.name for each in second.stages}
    assert project.new_from_template(name, name="another").name == "another"


def test_a_pipeline_is_kept_as_a_template(project: pw.Project, pipe: pw.Pipeline) -> None:
    """With stages, settings, configs and seeds; what is made of it is the same but for the names."""
    template = pipe.save_as_template("chain of mine")
    assert (template.name, template.chain) == ("chain of mine", "Imitate → Refine → agent")
    assert (template.description, template.is_ready) == ("What it is for.", False)
    assert [each.name for each in project.templates][-1] == "chain of mine"
    made = project.new_from_template("chain of mine")
    assert [each.name for each in made.stages] == ["one 2", "two 2", "answers 2"]
    renamed = pipe.to_yaml().replace("mine", "chain of mine", 1)
    for name in ("one", "two", "answers"):
        renamed = renamed.replace(f"{name}\n", f"{name} 2\n").replace(f"{name}:\n", f"{name} 2:\n")
    assert made.to_yaml() == renamed
    assert made.history[0].what == "Created from template 'chain of mine'."


def test_a_template_outlives_its_pipeline_and_serves_every_project(
    ws: pw.Workspace, open_workspace: Callable[..., pw.Workspace], pipe: pw.Pipeline
) -> None:
    """Also in another kernel; another workspace has others."""
    pipe.save_as_template("kept")
    pipe.delete()
    other = ws.create_project("Numbers", advanced_training=True)
    assert [each.name for each in other.new_from_template("kept").stages] == ["one", "two", "answers"]
    assert "kept" in [each.name for each in open_workspace().projects["Numbers"].templates]
    elsewhere = open_workspace("elsewhere").create_project("Letters", advanced_training=True)
    assert len(elsewhere.templates) == 3


def test_a_template_is_deleted(project: pw.Project, pipe: pw.Pipeline) -> None:
    """Pipelines that were made of it stay; a ready one stays, too."""
    template = pipe.save_as_template("kept")
    made = project.new_from_template(template)
    template.delete()
    assert len(project.templates) == 3
    assert len(made.stages) == 3
    with pytest.raises(NotFoundError, match="no template named 'kept'"):
        template.delete()
    with pytest.raises(RuleError, match="cannot be deleted"):
        project.templates["Post-training"].delete()


def test_what_cannot_be_a_template_is_refused(project: pw.Project, pipe: pw.Pipeline) -> None:
    """A name that is taken, by a ready one as well, and a pipeline without stages."""
    pipe.save_as_template("kept")
    for name in ("kept", " kept ", "Post-training"):
        with pytest.raises(NameTakenError, match="A template named"):
            pipe.save_as_template(name)
    with pytest.raises(RuleError, match="has no stages"):
        project.create_pipeline("empty").save_as_template("nothing")


def test_what_cannot_be_made_is_refused(ws: pw.Workspace, project: pw.Project) -> None:
    """A template that is not there, a name that is taken, a project without pipelines; nothing is made."""
    with pytest.raises(NotFoundError, match="no template named 'none'") as error:
        project.new_from_template("none")
    assert "'Post-training'" in error.value.fix
    project.create_pipeline("taken")
    with pytest.raises(NameTakenError):
        project.new_from_template("Post-training", name="taken")
    assert len(project.experiments) == 0
    classic = ws.create_project("Classic", advanced_training=False)
    with pytest.raises(ClassicProjectError):
        classic.new_from_template("Post-training")


def test_a_file_that_is_no_template_hinders_no_other(
    ws: pw.Workspace, project: pw.Project, pipe: pw.Pipeline
) -> None:
    """Somebody may have written into the folder."""
    pipe.save_as_template("kept")
    (Path(ws.artifacts) / "templates" / "a.yaml").write_text("{not: yaml", encoding="utf-8")
    (Path(ws.artifacts) / "templates" / "b.yaml").write_bytes(b"\xff\xfe\x00")
    assert [each.name for each in project.templates][3:] == ["kept"]


def test_a_backup_has_the_templates(ws: pw.Workspace, pipe: pw.Pipeline, tmp_path: Path) -> None:
    """They are files beside the artifacts."""
    if ws._services.store.database.path is None:
        pytest.skip("a server makes its own backups")
    pipe.save_as_template("kept")
    ws.backup(tmp_path / "copy")
    assert len([*(tmp_path / "copy").rglob("templates/kept-*.yaml")]) == 1
