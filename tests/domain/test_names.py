"""Names, and the sentences that speak of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.names import (
    MAX_NAME_LENGTH,
    check_name_available,
    name_copy,
    validate_description,
    validate_name,
)
from pipeline_widgets.errors import ConfigError, NameTakenError


@dataclass
class Thing:
    """Something with a name."""

    name: str


@pytest.mark.spec("3.4")
@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=MAX_NAME_LENGTH),
    st.integers(0, 60),
)
def test_copies_never_collide_and_never_grow_too_long(name: str, copies: int) -> None:
    """Copying again and again gives free names that fit, counted up."""
    things = [Thing(name)]
    for _ in range(copies):
        things.append(Thing(name_copy(name, _bearers(things))))
    assert len({thing.name for thing in things}) == copies + 1
    assert all(len(thing.name) <= MAX_NAME_LENGTH for thing in things)


@pytest.mark.spec("3.4")
@pytest.mark.parametrize("gone", [1, 2, 15, 16, 17, 40, 49])
def test_a_copy_takes_the_first_number_that_is_free(gone: int) -> None:
    """A gap that a deleted copy left is filled, wherever it is."""
    names = ["x (copy)", *(f"x (copy {number})" for number in range(2, 60))]
    things = [Thing(name) for at, name in enumerate(names, start=1) if at != gone]
    assert name_copy("x", _bearers(things)) == names[gone - 1]


def _bearers(things: list[Thing]) -> Callable[[Collection[str]], list[Thing]]:
    return lambda names: [thing for thing in things if thing.name in names]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_NAME_LENGTH + 50))
def test_a_trimmed_name_is_stored_as_it_is_shown(name: str) -> None:
    """A name that is accepted has no spaces around it, is not empty, fits, and has no NUL."""
    try:
        kept = validate_name(name, "thing")
    except ConfigError:
        assert not name.strip() or len(name.strip()) > MAX_NAME_LENGTH or "\0" in name
        return
    assert "\0" not in kept
    assert kept == kept.strip() == name.strip()
    assert 0 < len(kept) <= MAX_NAME_LENGTH


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("text", [None, 5, b"text", "\ud800", "a \udfff b"])
def test_a_description_that_cannot_be_stored_is_refused(text: Any) -> None:
    """What is not a text, and half a letter, are told so instead of failing in the database."""
    with pytest.raises(ConfigError, match="description of the agent"):
        validate_description(text, "agent")


def test_a_description_has_no_spaces_around_it() -> None:
    """It may be empty, and has lines."""
    assert validate_description(" a\n b ", "agent") == "a\n b"
    assert validate_description(" ", "agent") == ""


@pytest.mark.spec("10.3")
@pytest.mark.parametrize("kind", ["agent", "experiment", "project", "pipeline"])
def test_sentences_about_names_are_english(kind: str) -> None:
    """Before a vowel stands "an"."""
    wrong = ("A agent", "A experiment", "a agent", "a experiment")
    with pytest.raises(ConfigError) as empty:
        validate_name(" ", kind)
    with pytest.raises(NameTakenError) as taken:
        check_name_available("x", [Thing("x")], kind)
    for error in (empty.value, taken.value):
        assert not any(each in str(error) for each in wrong), str(error)
        assert kind in str(error)
