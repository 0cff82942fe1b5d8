"""What keeps a project from being deleted (spec 2.5)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline_widgets.domain.project import Project, ProjectUse, check_deletable
from pipeline_widgets.errors import InUseError

pytestmark = pytest.mark.spec("2.5")

PROJECT = Project(id=1, name="Letters", advanced_training=True, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def test_a_project_that_nothing_uses_can_go() -> None:
    """There is nothing to say then."""
    check_deletable(PROJECT, ProjectUse())


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    """Each with what to do about it."""
    use = ProjectUse(active=["run 2 of 'a'"], agents=["agent 'x'", "agent 'y'"], runs=["run 1 of 'b'"])
    with pytest.raises(InUseError) as refused:
        check_deletable(PROJECT, use)
    assert refused.value.what == "Project 'Letters' cannot be deleted."
    assert refused.value.why == (
        "Active: run 2 of 'a'. Its checkpoints are the only source of agent 'x', agent 'y'. "
        "Its checkpoints are used by run 1 of 'b'."
    )
    assert refused.value.fix == (
        "Stop what is active first. Delete those agents first. "
        "Keep it, so that what was made of its checkpoints can be traced."
    )


def test_five_of_many_are_named() -> None:
    """The others are counted."""
    with pytest.raises(InUseError, match=r"Active: a, b, c, d, e and 2 more\. Stop what is active first\."):
        check_deletable(PROJECT, ProjectUse(active=[*"abcdefg"]))
