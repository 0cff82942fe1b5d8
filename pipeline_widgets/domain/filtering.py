"""The filter language of lists: `seed=3 and evaluation_score>0.9`, its parser, and what an expression means.

    expression  = all ("or" all)*
    all         = one ("and"? one)*
    one         = "not" one | "(" expression ")" | field operator value | word
    operator    = "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~"

A word by itself searches names. Words with spaces, signs or keywords stand in quotes, '...' or "...". `~` is
"contains". Upper and lower case of texts are the same. A field is one of those of what is listed, else a
config field or a metric (`config.x` and `metric.x` name one of them). What a row lacks equals nothing and is
neither more nor less than anything; `a != b` means `not a = b`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from difflib import get_close_matches
from enum import StrEnum
from operator import eq, ge, gt, le, lt
from typing import Any, TypeAlias, cast

from pipeline_widgets.domain.text import is_encodable
from pipeline_widgets.errors import FilterError

LONGEST_FILTER = 2000  # characters
LONGEST_VALUE = 500  # characters that are compared; SQLite bounds the length of a pattern
MOST_CONDITIONS = 100
DEEPEST = 40  # parentheses and "not" within each other

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "~")
#: Those that compare numbers, in Python and in SQL.
COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {"=": eq, "<": lt, "<=": le, ">": gt, ">=": ge}
_ORDERED = ("<", "<=", ">", ">=")
_KEYWORDS = ("and", "or", "not")
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_ALIASES = {"tags": "tag", "notes": "note", "favorite": "favourite", "starred": "favourite"}
CONFIG, METRIC = "config.", "metric."

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<paren>[()])
    |(?P<operator><=|>=|!=|==|[=<>~])
    |(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<word>(?:[^\s()<>=~!"']|!(?!=))(?:[^\s()<>=~!]|!(?!=))*)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WORD = re.compile(r"""(?:[^\s()<>=~!"']|!(?!=))(?:[^\s()<>=~!]|!(?!=))*""")

Scalar: TypeAlias = "str | bool | int | float | None"


class FieldKind(StrEnum):
    """What the values of a field are."""

    TEXT = "text"
    NUMBER = "number"
    STATUS = "status"
    FLAG = "yes or no"
    OPEN = "config field or metric"


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterSubject:
    """What a filter is about."""

    #: What is listed, in the plural.
    noun: str
    fields: Mapping[str, FieldKind]
    statuses: tuple[str, ...]
    #: Whether any other name is a field of a config, or a metric.
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class NameSearch:
    """A text that is searched in names."""

    text: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A field that is compared with a value."""

    field: str
    operator: str
    #: The value as it was written, without quotes.
    text: str
    #: The same as a number; None where it is none, or stands in quotes.
    number: float | None = None
    #: Where the field and the value begin, counted from 1.
    column: int = dataclass_field(default=0, compare=False)
    value_column: int = dataclass_field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    part: Filter


@dataclass(frozen=True, slots=True)
class AllOf:
    """Parts of which all have to hold; none of them holds for everything."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Parts of which one has to hold."""

    parts: tuple[Filter, ...]


Filter: TypeAlias = NameSearch | Condition | Not | AllOf | AnyOf
EVERYTHING = AllOf(())


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse_filter(text: str, subject: FilterSubject | None = None) -> Filter:
    """Return the expression that a filter is; an empty one holds for everything.

    Args:
        text: The filter.
        subject: What it is about; without it fields and values are taken as they are.

    Raises:
        FilterError: It cannot be read; the error names the column.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  users pass anything
        raise FilterError("A filter is a text.", fix='Write it in quotes, such as "seed=3".')
    if len(text) > LONGEST_FILTER:
        raise _error(
            LONGEST_FILTER + 1, f"A filter has at most {LONGEST_FILTER:,} characters.", "Shorten it."
        )
    found = _Parser(text).parse()
    return found if subject is None else _check(found, subject)


def format_filter(expression: Filter) -> str:
    """Return the text of an expression, which is parsed into the same expression."""
    match expression:
        case NameSearch(text):
            return _quote(text)
        case Condition(name, operator, text, number):
            return f"{_quote(name)}{operator}{text if number is not None else _quote(text, numbers=True)}"
        case Not(part):
            return f"not {_within(part)}"
        case AllOf(parts):
            return " and ".join(map(_within, parts))
        case AnyOf(parts):
            return " or ".join(map(_within, parts))


def list_conditions(expression: Filter) -> list[Condition]:
    """Return all conditions of an expression, in their order."""
    match expression:
        case NameSearch():
            return []
        case Condition():
            return [expression]
        case Not(part):
            return list_conditions(part)
        case AllOf(parts) | AnyOf(parts):
            return [each for part in parts for each in list_conditions(part)]


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterFacts:
    """What a filter knows of a row."""

    #: The texts in which a word is searched.
    names: Sequence[str] = ()
    #: Values by field: several where it has several, such as tags.
    fields: Mapping[str, Sequence[Scalar]] = dataclass_field(default_factory=dict[str, Sequence[Scalar]])
    config: Mapping[str, Any] = dataclass_field(default_factory=dict[str, Any])
    metrics: Mapping[str, float | None] = dataclass_field(default_factory=dict[str, "float | None"])


def matches(expression: Filter, facts: FilterFacts, subject: FilterSubject) -> bool:
    """Return whether an expression that was checked holds for a row."""
    match expression:
        case NameSearch(text):
            return any(contains(name, text) for name in facts.names)
        case Not(part):
            return not matches(part, facts, subject)
        case AllOf(parts):
            return all(matches(part, facts, subject) for part in parts)
        case AnyOf(parts):
            return any(matches(part, facts, subject) for part in parts)
        case Condition(operator="!="):
            return not matches(replace(expression, operator="="), facts, subject)
        case Condition(name):
            return any(compare(value, expression) for value in _values_of(name, facts, subject))


def _values_of(name: str, facts: FilterFacts, subject: FilterSubject) -> Sequence[Scalar]:
    if name in subject.fields:
        return facts.fields.get(name, ())
    path = name.removeprefix(CONFIG) if name.startswith(CONFIG) else name
    if not name.startswith(METRIC) and is_config_path(path):
        has, value = _look_up(facts.config, path.split("."))
        if has:
            return (value,)
    return () if name.startswith(CONFIG) else (facts.metrics.get(name.removeprefix(METRIC)),)


def is_config_path(path: str) -> bool:
    """Return whether a config can have a field of that name: names of Python, with dots between them."""
    return all(part.isidentifier() for part in path.split("."))


def _look_up(config: Any, path: Sequence[str]) -> tuple[bool, Scalar]:
    found = config
    for part in path:
        if not isinstance(found, Mapping) or part not in found:
            return False, None
        found = cast("Mapping[str, Any]", found)[part]
    return True, found if isinstance(found, str | bool | int | float) else None


def compare(value: Scalar, condition: Condition) -> bool:
    """Return whether a value is what a condition asks for; never for one that is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return False
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, str):
        if condition.operator == "=":
            return equals(value, condition.text)
        return condition.operator == "~" and contains(value, condition.text)
    ordered = COMPARISONS.get(condition.operator)
    return ordered is not None and condition.number is not None and ordered(value, condition.number)


def letter_cases(letter: str) -> str:
    """Return a letter in upper and lower case, each where it is one character."""
    return "".join(sorted({each for each in (letter, letter.lower(), letter.upper()) if len(each) == 1}))


def equals(value: str, text: str) -> bool:
    """Return whether two texts are the same but for upper and lower case."""
    return _pattern(text).fullmatch(value) is not None


def contains(value: str, text: str) -> bool:
    """Return whether a text is in another one, in upper or lower case."""
    return _pattern(text).search(value) is not None


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile("".join(f"[{re.escape(letter_cases(each))}]" for each in text))


def read_flag(text: str) -> bool | None:
    """Return whether a text means yes; None where it means neither."""
    low = text.lower()
    return True if low in _YES else False if low in _NO else None


# ---- what a filter may ask for


def _check(expression: Filter, subject: FilterSubject) -> Filter:
    match expression:
        case NameSearch():
            return expression
        case Not(part):
            return Not(_check(part, subject))
        case AllOf(parts):
            return AllOf(tuple(_check(part, subject) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(_check(part, subject) for part in parts))
        case Condition():
            return _check_condition(expression, subject)


def _check_condition(condition: Condition, subject: FilterSubject) -> Condition:
    name = condition.field
    low = _ALIASES.get(name.lower(), name.lower())
    kind = _kind_of(low, condition, subject)
    if kind is not FieldKind.OPEN:
        condition = replace(condition, field=low)
    at, wanted, operator = condition.value_column, condition.text, condition.operator
    if kind is FieldKind.NUMBER:
        if operator == "~":
            raise _error(condition.column, f"{low} is a number.", "Compare it with =, !=, <, <=, > or >=.")
        if condition.number is None:
            raise _error(at, f"{low} is a number, {wanted!r} is not.", f"Write a number, such as {low}=3.")
    elif kind is not FieldKind.OPEN and operator in _ORDERED:
        raise _error(condition.column, f"{low} is not a number.", "Compare it with =, != or ~ (contains).")
    if kind is FieldKind.STATUS:
        return _check_status(condition, subject)
    if kind is FieldKind.FLAG:
        if operator == "~" or read_flag(wanted) is None:
            raise _error(at, f"{low} is yes or no.", f"Write {low}=yes or {low}=no.")
        return replace(condition, text="true" if read_flag(wanted) else "false", number=None)
    if kind is FieldKind.OPEN and operator in _ORDERED and condition.number is None:
        what = f"{operator} compares numbers, {wanted!r} is not."
        raise _error(at, what, f"Write a number, such as {name}{operator}0.5.")
    return condition


def _kind_of(name: str, condition: Condition, subject: FilterSubject) -> FieldKind:
    if name in subject.fields or subject.is_open:
        return subject.fields.get(name, FieldKind.OPEN)
    what = f"{subject.noun.capitalize()} have no {condition.field!r}."
    raise _error(condition.column, what, f"Choose one of {', '.join(subject.fields)}.")


def _check_status(condition: Condition, subject: FilterSubject) -> Condition:
    if condition.operator == "~":
        return condition
    known = {each.lower(): each for each in subject.statuses}
    if (status := known.get(condition.text.lower())) is not None:
        return replace(condition, text=status, number=None)
    close = get_close_matches(condition.text.lower(), list(known), n=1)
    names = ", ".join(_quote(each) for each in subject.statuses)
    fix = f"Did you mean {_quote(known[close[0]])}?" if close else f"Choose one of {names}."
    raise _error(condition.value_column, f"There is no status {condition.text!r}.", fix)


def _error(column: int, what: str, fix: str) -> FilterError:
    return FilterError(f"Column {column}: {what}", fix=fix, column=column)


# ---- the text of an expression


def _quote(text: str, *, numbers: bool = False) -> str:
    is_plain = _WORD.fullmatch(text) and text.lower() not in _KEYWORDS
    if is_plain and not (numbers and _NUMBER.fullmatch(text)):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _within(part: Filter) -> str:
    text = format_filter(part)
    return f"({text})" if isinstance(part, AllOf | AnyOf) else text


class _Parser:
    """Reads an expression from its tokens."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._end = len(text) + 1
        self._at = 0
        self._depth = 0
        self._conditions = 0

    def parse(self) -> Filter:
        """Return the whole expression."""
        if not self._tokens:
            return EVERYTHING
        found = self._any()
        if (token := self._peek()) is not None:  # only what nothing has opened is left
            raise _error(token.column, "This closes nothing.", "Remove it, or write ( before.")
        return found

    def _any(self) -> Filter:
        parts = [self._all()]
        while self._take_keyword("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Filter:
        parts = [self._one()]
        while self._take_keyword("and") or self._goes_on():
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Filter:
        token = self._peek()
        if token is None:
            raise _error(self._end, "Something is missing here.", "Write a word, or a condition like seed=3.")
        if self._is_keyword(token, "not"):
            self._at += 1
            return Not(self._deeper(token, self._one))
        if token.text == "(" and token.kind == "paren":
            self._at += 1
            inside = self._deeper(token, self._any)
            closing = self._peek()
            if closing is None:
                raise _error(token.column, "This ( is not closed.", "Write ) where it ends.")
            self._at += 1
            return inside
        if token.kind in {"paren", "operator"} or self._is_keyword(token, "and", "or"):
            what = f"Expected a word or a condition, found {token.text}"
            raise _error(token.column, f"{what}.", "Write one like seed=3, or put it in quotes.")
        return self._condition(token)

    def _deeper(self, token: _Token, read: Any) -> Filter:
        self._depth += 1
        if self._depth > DEEPEST:
            raise _error(token.column, "The filter is nested too deeply.", "Write it with fewer parentheses.")
        found = read()
        self._depth -= 1
        return found

    def _condition(self, name: _Token) -> Filter:
        self._at += 1
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            fix = f"Use at most {MOST_CONDITIONS} words and conditions."
            raise _error(name.column, "The filter is too long.", fix)
        operator = self._peek()
        if operator is None or operator.kind != "operator":
            return NameSearch(_text_of(name))
        self._at += 1
        value = self._peek()
        if value is None or value.kind not in ("word", "quoted"):
            column = self._end if value is None else value.column
            what = f"Expected a value after {name.text}{operator.text}."
            raise _error(column, what, "Write a number or a word; a text with spaces in quotes.")
        self._at += 1
        text = _text_of(value)
        return Condition(
            _text_of(name),
            "=" if operator.text == "==" else operator.text,
            text,
            _read_number(value) if value.kind == "word" else None,
            column=name.column,
            value_column=value.column,
        )

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _goes_on(self) -> bool:
        token = self._peek()
        return token is not None and token.text != ")" and not self._is_keyword(token, "or")

    def _take_keyword(self, word: str) -> bool:
        token = self._peek()
        if token is None or not self._is_keyword(token, word):
            return False
        self._at += 1
        return True

    def _is_keyword(self, token: _Token, *words: str) -> bool:
        return token.kind == "word" and token.text.lower() in words


def _tokens(text: str) -> Any:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            if text[at] in "\"'":
                raise _error(at + 1, "This quote is not closed.", "Write the same quote where the text ends.")
            raise _error(at + 1, f"Expected a word or a condition, found {text[at]}.", "Put it in quotes.")
        if found.lastgroup != "space":
            yield _Token(found.lastgroup or "", found.group(), at + 1)
        at = found.end()


def _text_of(token: _Token) -> str:
    text = token.text
    if token.kind == "quoted":
        text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    if len(text) > LONGEST_VALUE:
        raise _error(token.column, f"A value has at most {LONGEST_VALUE} characters.", "Shorten it.")
    if not is_encodable(text):
        raise _error(token.column, "This holds a character that is never stored.", "Write it again.")
    return text


def _read_number(token: _Token) -> float | None:
    if not _NUMBER.fullmatch(token.text):
        return None
    number = float(token.text)
    if math.isinf(number):
        raise _error(token.column, "This number is too large.", "Write one below 1e308.")
    # Beyond 2**53 a float has no digit of its own for each whole number; steps and seeds are exact.
    return int(token.text) if token.text.lstrip("+-").isdigit() and abs(number) < 2**63 - 1024 else number
