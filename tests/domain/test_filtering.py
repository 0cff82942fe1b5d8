"""The filter language: what is read, what it means, and what is said about a mistake."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_widgets.domain.filter_subjects import EXPERIMENTS, PIPELINES, RUNS
from pipeline_widgets.domain.filtering import (
    EVERYTHING,
    OPERATORS,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    FilterFacts,
    NameSearch,
    Not,
    format_filter,
    list_conditions,
    matches,
    parse_filter,
)
from pipeline_widgets.errors import FilterError

SUBJECTS = (RUNS, EXPERIMENTS, PIPELINES)
TEXTS = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=("Cs",)), max_size=8)
NAMES = st.one_of(st.sampled_from(["seed", "loss", "eval/accuracy", "config.lr", "metric.loss"]), TEXTS)
NUMBERS = st.one_of(st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False))


def _compare_number(name: str, operator: str, number: float) -> Condition:
    return Condition(name, operator, repr(number), number)


CONDITIONS = st.one_of(
    st.builds(Condition, NAMES, st.sampled_from(OPERATORS), TEXTS),
    st.builds(_compare_number, NAMES, st.sampled_from(OPERATORS), NUMBERS),
)


def _several(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(parts, min_size=2, max_size=4).map(tuple)


EXPRESSIONS: st.SearchStrategy[Filter] = st.recursive(
    st.one_of(st.builds(NameSearch, TEXTS), CONDITIONS),
    lambda parts: st.one_of(
        st.builds(Not, parts), st.builds(AllOf, _several(parts)), st.builds(AnyOf, _several(parts))
    ),
    max_leaves=8,
)


def facts(**given: Any) -> FilterFacts:
    """Return a run with some facts."""
    fields: dict[str, Any] = {
        name: value if isinstance(value, tuple) else (value,) for name, value in given.items()
    }
    return FilterFacts(
        names=("sft letters",),
        fields={"name": ("sft letters",), "seed": (3,), "tag": (), "favourite": (False,), **fields},
        config={"lr": 0.1, "steps": 600, "optimizer": {"name": "Adam"}, "warm": True, "decay": None},
        metrics={"loss": 0.25, "eval/accuracy": 0.9, "steps": 7.0},
    )


@pytest.mark.spec("9.8")
@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True),
        ("seed=3", True),
        ("seed = 3 and evaluation_score > 0.9", True),
        ("seed=3 evaluation_score>0.95", False),
        ("letters", True),
        ("LETTERS sft", True),
        ('"sft letters"', True),
        ("'letters sft'", False),
        ("name=sft", False),
        ("name~sft", True),
        ("not seed=3 or seed=3", True),
        ("not (seed=3 or seed=3)", False),
        ("seed!=4", True),
        ("tag=good", True),
        ("tag~goo and tag!=bad", True),
        ("tag=goo", False),
        ("status=running", True),
        ("favourite=no", True),
        ("favorite=true", False),
        ("config.lr=0.1", True),
        ("lr>=0.1", True),
        ("optimizer.name=adam", True),
        ("config.optimizer.name~DA", True),
        ("warm=true", True),
        ("warm=1", False),
        ("decay=0", False),
        ("decay!=0", True),
        ("loss<0.3", True),
        ("metric.loss<0.3", True),
        ("config.loss<0.3", False),
        ('"eval/accuracy">=0.9', True),
        ("eval/accuracy>0.9", False),
        ("steps=600", True),
        ("metric.steps=7", True),
        ("nowhere>0", False),
        ("not nowhere>0", True),
    ],
)
def test_what_a_filter_means(text: str, holds: bool) -> None:  # noqa: FBT001
    """Words, conditions, and, or, not and parentheses mean what they say; what is missing equals nothing."""
    run = facts(status="Running", tag=("good", "baseline"), evaluation_score=0.93)
    assert matches(parse_filter(text, RUNS), run, RUNS) is holds


@pytest.mark.spec("9.8")
@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("seed=", 6, "Expected a value after seed="),
        ("seed=abc", 6, "seed is a number, 'abc' is not"),
        ("seed~3", 1, "seed is a number"),
        ("status=runing", 8, "There is no status 'runing'"),
        ("status>3", 1, "status is not a number"),
        ("name<b", 1, "name is not a number"),
        ("favourite=maybe", 11, "favourite is yes or no"),
        ("lr>high", 4, "> compares numbers, 'high' is not"),
        ("(seed=3", 1, "This ( is not closed"),
        ("seed=3)", 7, "This closes nothing"),
        ("seed=3 and", 11, "Something is missing here"),
        ("or seed=3", 1, "Expected a word or a condition, found or"),
        ("=3", 1, "Expected a word or a condition, found ="),
        ('name="sft', 6, "This quote is not closed"),
        ("seed=1e999", 6, "This number is too large"),
        ("(" * 41 + "a" + ")" * 41, 41, "nested too deeply"),
        ("a " * 101, 201, "The filter is too long"),
        ("a" * 2001, 2001, "at most 2,000 characters"),
    ],
)
def test_a_mistake_is_named_with_its_column_and_what_is_expected(text: str, column: int, what: str) -> None:
    """An error has the column, counted from 1, what is wrong there, and what to write instead."""
    with pytest.raises(FilterError) as caught:
        parse_filter(text, RUNS)
    assert caught.value.column == column
    assert caught.value.what.startswith(f"Column {column}: ")
    assert what in caught.value.what
    assert caught.value.fix


@pytest.mark.spec("9.8")
def test_a_misspelt_status_is_told_with_the_one_that_is_meant() -> None:
    """A status that is close to one is suggested; else all of them are named."""
    with pytest.raises(FilterError) as caught:
        parse_filter("status=sucseeded", RUNS)
    assert caught.value.fix == "Did you mean Succeeded?"
    with pytest.raises(FilterError) as caught:
        parse_filter("status=xyz", PIPELINES)
    assert 'Held, Stopped, "Waiting for you"' in caught.value.fix


@pytest.mark.spec("9.8")
@given(EXPRESSIONS)
def test_an_expression_survives_its_text(expression: Filter) -> None:
    """What is formatted is parsed into the same expression."""
    assert parse_filter(format_filter(expression)) == expression


@pytest.mark.spec("9.8")
@given(
    st.one_of(st.text(max_size=60), st.text("seed=lo<>~!\"'() and or not 3.", max_size=60)),
    st.sampled_from(SUBJECTS),
)
def test_any_text_is_a_filter_or_a_filter_error(text: str, subject: Any) -> None:
    """Nothing but a FilterError with a column comes of a text; and what is read can be evaluated."""
    try:
        found = parse_filter(text, subject)
    except FilterError as error:
        assert 1 <= error.column <= len(text) + 1  # noqa: PT017  whether there is one is what is tried
        return
    matches(found, facts(), subject)


@pytest.mark.spec("9.8")
@given(st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 2**6 - 1))
def test_and_or_not_are_those_of_python(seed: int, steps: int, bound: int, shape: int) -> None:
    """An expression holds where Python's own expression of the same shape does."""
    bits = [bool(shape >> at & 1) for at in range(6)]
    nots = ["not " if bit else "" for bit in bits[:3]]
    first, second = ("and" if bit else "or" for bit in bits[3:5])
    text = f"{nots[0]}seed<{bound} {first} {nots[1]}steps=={steps} {second} {nots[2]}seed!={steps}"
    run = FilterFacts(fields={"seed": (seed,)}, config={"steps": bound})
    expected = eval(text, {"seed": seed, "steps": bound})  # noqa: S307  the text is ours
    assert matches(parse_filter(text, RUNS), run, RUNS) is bool(expected)


@given(st.text(string.printable, max_size=20), st.text(string.printable, max_size=3))
def test_texts_are_compared_in_upper_or_lower_case(text: str, part: str) -> None:
    """`=` and `~` are equality and containment of the texts in small letters, for ASCII."""
    row = FilterFacts(fields={"note": (text,)})
    same, within = Condition("note", "=", part), Condition("note", "~", part)
    assert matches(same, row, RUNS) is (text.lower() == part.lower())
    assert matches(within, row, RUNS) is (part.lower() in text.lower())


def test_conditions_are_listed_in_their_order() -> None:
    """All conditions are found, however deep."""
    found = parse_filter("a=1 and (b=2 or not c=3) word")
    assert [each.field for each in list_conditions(found)] == ["a", "b", "c"]
    assert parse_filter("  ") == EVERYTHING
