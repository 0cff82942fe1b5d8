"""The fields for launcher and resources: what they show, and what is typed into them (spec 11.2)."""

from __future__ import annotations

import pytest

from pipeline_widgets.domain.resources import DEFAULT_PLACEMENT, Placement, Resources
from pipeline_widgets.widgets.placement_form import parse_placement, placement_rows

pytestmark = pytest.mark.spec("11.2")


def typed(placement: Placement) -> dict[str, str]:
    """Return what a form shows of a placement."""
    return {row["name"]: row["value"] for row in placement_rows(placement)}


@pytest.mark.parametrize(
    "asked",
    [
        {"cpu": 4, "gpu": 0, "memory": "24 GiB", "time": "2 h", "partition": "a100", "exclusive": True},
        {"memory": 1001, "time": 90.5},
        {"a100": 1},
    ],
)
def test_what_a_form_shows_is_what_it_reads(asked: dict[str, object]) -> None:
    """Saving a form in which nothing was changed changes nothing."""
    placement = Placement(launcher="slurm", resources=Resources.parse(asked))
    assert parse_placement(typed(placement)).placement == placement
    assert parse_placement(typed(DEFAULT_PLACEMENT)).placement == DEFAULT_PLACEMENT


def test_each_field_has_its_own_error() -> None:
    """In the words of Python, all at once; an option cannot go around the field of its name."""
    read = parse_placement(
        {"launcher": "x://", "cpu": "1.5", "memory": "much", "time": "-3", "options": '{"gpu": 1}'}
    )
    assert list(read.errors) == ["launcher", "cpu", "memory", "time", "options"]
    assert read.errors["cpu"] == "The resource 'cpu' cannot be '1.5'. Give a whole number of at least 0."
    assert (
        read.errors["options"] == "'gpu' is not an option of an engine. Type it into the field of that name."
    )
    assert read.placement == DEFAULT_PLACEMENT
    (error,) = parse_placement({"options": '{"partition": ["a"]}'}).errors.values()
    assert error == "The resource 'partition' cannot be ['a']. Give a text, a number, True or False."
