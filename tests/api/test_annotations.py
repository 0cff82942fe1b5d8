"""Notes, tags, favourites and filters from Python (spec 9.8)."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipeline_widgets as pw


@pytest.fixture
def project(tmp_path: Path) -> pw.Project:
    """A project with three experiments and a pipeline of the first two."""
    project = pw.Workspace(tmp_path / "lab.db").create_project("Letters", advanced_training=True)
    pipe = project.create_pipeline("chain", description="of two")
    for seed, name in enumerate(("sft", "dpo", "sft again")):
        algorithm = "DPO" if name == "dpo" else "SFT"
        made = project.create_experiment(name, algorithm=algorithm, config={"steps": 20 + seed}, seed=seed)
        if seed < 2:
            pipe.add_experiment_stage(made)
    return project


@pytest.mark.spec("9.8")
def test_what_is_written_is_kept_and_found(project: pw.Project) -> None:
    """Notes, tags and favourites are there for every kind, and for a handle that is made later."""
    for kept in (project.experiments["sft"], project.pipelines["chain"]):
        assert (kept.note, kept.tags, kept.favourite) == ("", (), False)
        kept.annotate(note=" The one\nto keep ", tags=["baseline", "Best so far", "BASELINE"], favourite=True)
        kept.tag("new", "Baseline")
        kept.untag("best so far", "unknown")
    for kept in (project.experiments["sft"], project.pipelines["chain"]):
        assert (kept.note, kept.tags, kept.favourite) == ("The one\nto keep", ("baseline", "new"), True)
        kept.annotate(note="")
        assert (kept.note, kept.tags) == ("", ("baseline", "new"))
    assert project.tags == ("baseline", "new")


def test_what_is_written_again_as_it_is_changes_nothing(project: pw.Project) -> None:
    """So that no view reads anew."""

    def revision() -> int:
        with project._services.store.read() as work:
            return work.projects.count_changes(project._id)

    kept = project.experiments["sft"]
    kept.annotate(note="The one", tags=["best"])
    before = revision()
    kept.annotate(note="The one", favourite=False)
    kept.tag("Best")
    assert revision() == before
    kept.untag("best")
    assert revision() > before


@pytest.mark.spec("9.8")
def test_listings_take_filters(project: pw.Project) -> None:
    """A listing that is called with a filter returns those for which it holds, as a listing."""
    project.experiments["dpo"].annotate(tags="good", favourite=True)
    assert [each.name for each in project.experiments("sft")] == ["sft", "sft again"]
    assert [each.name for each in project.experiments("algorithm=SFT and seed>0")] == ["sft again"]
    assert list(project.experiments("tag=good or steps=20").df["name"]) == ["sft", "dpo"]
    assert project.experiments("favourite=yes")["dpo"].tags == ("good",)
    assert project.experiments("pipeline=chain")("dpo")[0].name == "dpo"
    assert [each.name for each in project.pipelines("stages=2 algorithm=DPO")] == ["chain"]
    assert len(project.pipelines("status=succeeded")) == 0
    assert repr(project.runs("seed=3")) == "no runs"


@pytest.mark.spec("9.8")
def test_mistakes_say_where_they_are(project: pw.Project) -> None:
    """A filter that cannot be read is a FilterError with its column; a listing without filters says so."""
    with pytest.raises(pw.FilterError, match=r"Column 6: seed is a number") as caught:
        project.runs("seed=three")
    assert caught.value.column == 6
    with pytest.raises(pw.ConfigError, match="takes no filter"):
        project.pipelines["chain"].stages("sft")


@pytest.mark.spec("9.8")
@pytest.mark.parametrize(
    ("tags", "what"),
    [
        ([""], "cannot be empty"),
        (["a" * 65], "too long"),
        ([3], "should be a text"),
        (map(str, range(51)), "many"),
    ],
)
def test_tags_are_short_words(project: pw.Project, tags: list[str], what: str) -> None:
    """What is no tag is refused, and nothing is written."""
    experiment = project.experiments["sft"]
    with pytest.raises(pw.ConfigError, match=what):
        experiment.annotate(tags=tags, note="not written")
    assert (experiment.tags, experiment.note) == ((), "")
