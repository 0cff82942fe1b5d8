"""Projects, and what a classic one cannot hold (spec 1, 2.2)."""

from __future__ import annotations

import pytest
from factories.lab import Lab

from pipeline_widgets.domain.names import MAX_NAME_LENGTH
from pipeline_widgets.errors import ClassicProjectError, ConfigError, NameTakenError, NotFoundError


@pytest.mark.spec("2.2")
def test_a_classic_project_cannot_hold_pipelines(lab: Lab) -> None:
    """Creating a pipeline is refused, with the reason that the choice was fixed, and nothing is written."""
    classic = lab.projects.create("Classic", advanced_training=False)
    before = lab.store.changes.revision(classic.id)
    with pytest.raises(ClassicProjectError) as refused:
        lab.pipelines.create(classic.id, "chain")
    assert refused.value.what == "Project 'Classic' cannot hold pipelines."
    assert refused.value.why == "It is a classic project, and that choice was fixed when it was created."
    assert refused.value.fix == "Create another project with advanced_training=True."
    assert lab.pipelines.of_project(classic.id) == ()
    assert lab.store.changes.revision(classic.id) == before


@pytest.mark.spec("1")
def test_the_kind_of_a_project_is_kept(lab: Lab) -> None:
    """Classic or Advanced Training is chosen at creation, and there is no call that changes it."""
    lab.projects.create("Classic", advanced_training=False)
    assert [each.advanced_training for each in lab.projects.all()] == [True, False]
    public = {name for name in dir(lab.projects) if not name.startswith("_")}
    assert public == {"create", "rename", "delete", "all", "get"}


def test_names_are_trimmed_and_unique(lab: Lab) -> None:
    """A name loses the spaces around it, and cannot be given twice."""
    assert lab.projects.create("  Words ", advanced_training=True).name == "Words"
    with pytest.raises(NameTakenError, match="A project named 'Words' already exists"):
        lab.projects.create("Words", advanced_training=True)
    assert [each.name for each in lab.projects.all()] == ["Letters", "Words"]


@pytest.mark.parametrize("name", ["", "   ", "\n\t", None, 3])
def test_a_name_that_is_none_is_refused(lab: Lab, name: object) -> None:
    """An empty name, and what is not a text, are refused with what came."""
    with pytest.raises(ConfigError, match="Enter a name for the project"):
        lab.projects.create(name, advanced_training=True)  # pyright: ignore[reportArgumentType]  on purpose


def test_a_name_that_is_too_long_is_refused(lab: Lab) -> None:
    """A name fits the column, also in databases that mind."""
    lab.projects.create("x" * MAX_NAME_LENGTH, advanced_training=True)
    with pytest.raises(ConfigError, match="It has 256 characters, 255 are possible"):
        lab.projects.create("y" * (MAX_NAME_LENGTH + 1), advanced_training=True)


@pytest.mark.spec("10.4")
@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "'; DROP TABLE projects; --", "日本 🚀", "%s {0}"]
)
def test_any_text_is_a_name(lab: Lab, name: str) -> None:
    """Markup, quotes, other scripts and format characters are kept as they are."""
    made = lab.projects.create(name, advanced_training=True)
    assert lab.projects.get(made.id).name == name
    with pytest.raises(NameTakenError):
        lab.projects.create(name, advanced_training=True)


@pytest.mark.spec("10.3")
def test_a_name_that_cannot_be_stored_is_refused(lab: Lab) -> None:
    """Half a character, which no database can store, is refused in our own words."""
    with pytest.raises(ConfigError):
        lab.projects.create("half \ud83d", advanced_training=True)


def test_a_project_that_is_not_there_is_not_found(lab: Lab) -> None:
    """Looking up, and creating in, a project that does not exist says so."""
    with pytest.raises(NotFoundError, match="There is no such project"):
        lab.projects.get(99)
    with pytest.raises(NotFoundError, match="There is no such project"):
        lab.pipelines.create(99, "x")
