"""Names that run from right to left, or turn what follows them, turn only themselves."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.directions import ISOLATE, POP, is_balanced, isolate, quote, with_quotes_isolated
from pipeline_widgets.errors import PipelineError

HEBREW = "שלום 2"
OVERRIDE = "a\u202eb"
#: Text with much of what turns text.
TURNING = st.text(st.sampled_from("ab 1\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f\u061cשם"))


@given(st.text(st.characters(max_codepoint=0x58F)))
def test_a_name_that_turns_nothing_stays_as_it_is(name: str) -> None:
    """Byte for byte: Latin, Greek, Cyrillic, whatever signs it has."""
    assert isolate(name) == name
    assert with_quotes_isolated(f"There is no {name!r}.") == f"There is no {name!r}."


@given(TURNING)
def test_what_a_name_opens_is_closed_within_it(name: str) -> None:
    """An isolate around a name ends where the name ends, and the name stays readable."""
    shown = isolate(name)
    assert is_balanced(shown)
    if shown != name:
        assert (shown[0], shown[-1]) == (ISOLATE, POP)
        assert is_balanced(shown[1:-1])
        assert shown.replace(ISOLATE, "").replace(POP, "") == name.replace(ISOLATE, "").replace(POP, "")


@given(st.characters())
def test_every_character_that_runs_from_right_to_left_is_isolated(character: str) -> None:
    """As the Unicode database of this Python has it."""
    turns = unicodedata.bidirectional(character) in {
        "R",
        "AL",
        "RLE",
        "LRE",
        "RLO",
        "LRO",
        "RLI",
        "LRI",
        "FSI",
    }
    assert not turns or isolate(character) != character


@pytest.mark.parametrize("name", [HEBREW, OVERRIDE, "x\u2069\u202ey", "\u2067z"])
def test_an_error_keeps_its_order_around_a_name(name: str) -> None:
    """Quoted in what, why or fix: nothing of the sentence is inside of what the name turns."""
    error = PipelineError(f"There is no pipeline named {name!r}.", f"It is {name!r}.", f"Not {name!r}?")
    assert is_balanced(str(error))
    for part in (error.what, error.why, error.fix):
        assert quote(name) in part


def test_quotes_within_an_isolate_are_left_alone() -> None:
    """A quotation that would tear an isolate apart stays as it is."""
    sentence = f"It's {isolate(HEBREW)}'s."
    assert is_balanced(with_quotes_isolated(sentence))
