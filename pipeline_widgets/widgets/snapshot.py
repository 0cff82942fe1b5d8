"""The static picture: what stands in a notebook that is read without a kernel (spec 4.7).

Hosts take away what they do not trust: styles, SVG, attributes. So colours are also attributes, the table
says all that the picture says, and the words of the picture stand in reading order.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypeAlias

from pipeline_widgets.domain.chain import DeploymentStage, Trigger
from pipeline_widgets.domain.run import Status
from pipeline_widgets.services.views.states import PipelineState, StageState
from pipeline_widgets.widgets.icons import COLOURS, ICONS

COLUMNS = ("#", "Type", "Name", "Trigger", "Status", "Evaluation score", "Why")
A_ROW, WIDE, HIGH, GAP, LANE = 5, 176, 72, 56, 40  # stages a row; pixels: a bubble, between two, between rows
INSET = 20  # pixels beside the rows, where an arrow turns to the next one
SPOKEN = 12  # stages that the picture's label names, and that a line of text shows
SHOWN = 1000  # rows of a table in a notebook, which keeps each of them
LONGEST = 200  # letters of an error

# What XML cannot hold, and what would turn the text around it to another direction.
_HOSTILE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
# MathJax would set `$x$` in a name as a formula.
_CLASSES = "pw-snapshot mathjax_ignore tex2jax_ignore"
_DIM = 'class="pw-dim" font-size="11" fill="#616161"'
_NUMBER = ' class="pw-number"'
Rows: TypeAlias = Sequence[Sequence[object]]
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Marks(tuple[str, ...]):
    """Words that a table shows with their icons."""

    __slots__ = ()


def pipeline_html(state: PipelineState, *, at: datetime, page: bool = False) -> str:
    """Return a static picture of a pipeline.

    Args:
        state: The pipeline, and where its stages stand.
        at: When they stood there.
        page: As a complete file that needs nothing else, in place of a piece of a notebook.
    """
    pipeline, count = state.pipeline, len(state.stages)
    parts = [
        _heading(pipeline.name, page=page),
        _about(pipeline.description) if pipeline.description else "",
        f'<div class="pw-scroll">{chain_svg(state)}</div>' if count else _about("No stages yet."),
        _table("Stages", COLUMNS, [_row(stage) for stage in state.stages], header=2) if count else "",
        _note(at, page=page),
    ]
    return _whole(pipeline.name, parts, page=page)


def pipeline_text(state: PipelineState, *, at: datetime) -> str:
    """Return a pipeline as two lines of plain text."""
    stages = [f"{each.position + 1} {plain(each.name)} {', '.join(_marks(each))}" for each in state.stages]
    chain = " -> ".join(_first(stages)) or "no stages yet"
    return f"Pipeline {state.pipeline.name!r}: {chain}\n{as_of(at)}"


def table_html(
    title: str, columns: Sequence[str], rows: Rows, *, at: datetime, noun: str = "row", page: bool = False
) -> str:
    """Return a list as a static table. Its first column names the rows.

    Args:
        title: What is listed.
        columns: Their headings.
        rows: Text, numbers, times, statuses; None for what is missing.
        at: When it was so.
        noun: What a row is.
        page: As a complete file, with every row; a piece of a notebook shows the first 1,000.
    """
    shown = rows if page else rows[:SHOWN]
    counted = f"{len(shown):,} of {len(rows):,}" if len(shown) < len(rows) else f"{len(rows):,}"
    caption = f"{counted} {noun if len(rows) == 1 else f'{noun}s'}"
    table = _table(caption, columns, shown, header=0) if rows else _about("There are none yet.")
    parts = [_heading(title, page=page), table, _note(at, page=page)]
    return _whole(title, parts, page=page)


def table_text(title: str, columns: Sequence[str], rows: Rows, *, at: datetime) -> str:
    """Return a list as plain text, a line for each of the first rows."""
    cells = [
        list(map(plain, columns)),
        *([", ".join(_words(value)) for value in row] for row in rows[:SPOKEN]),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells] if rows else []
    more = [f"and {len(rows) - SPOKEN:,} more"] if len(rows) > SPOKEN else []
    return "\n".join([f"{plain(title)}: {len(rows):,}", *lines, *more, as_of(at)])


def chain_svg(state: PipelineState) -> str:
    """Return the chain as an SVG picture, left to right, in rows of five."""
    stages = state.stages
    rows = -(-len(stages) // A_ROW)
    inset = INSET if rows > 1 else 1
    width = 2 * inset + min(len(stages), A_ROW) * (WIDE + GAP) - GAP
    size = f'width="{width}" height="{rows * (HIGH + LANE) - LANE + 2}"'
    view = f"0 0 {width} {rows * (HIGH + LANE) - LANE + 2}"
    spoken = "; ".join(_first([f"{s.position + 1} {plain(s.name)}, {', '.join(_marks(s))}" for s in stages]))
    label = escaped(f"Chain of stages: {spoken}")
    wide = " pw-wide" if width > 4 * (WIDE + GAP) else ""
    lines = [
        f'<svg class="pw-chain{wide}" role="img" aria-label="{label}" {size} viewBox="{view}">',
        f'<rect class="pw-ground" {size} fill="#fff"/>',
        *_arrows(stages, inset),
        '<g class="pw-ink" fill="#212121" font-family="system-ui,sans-serif" font-size="12">',
        *(_bubble(stage, *_corner(at, inset)) for at, stage in enumerate(stages)),
        "</g></svg>",
    ]
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Return text that means nothing but itself in HTML and in XML."""
    return html.escape(plain(text))


def plain(text: str) -> str:
    """Return text on one line, without what cannot be shown."""
    return _HOSTILE.sub("\ufffd", " ".join(text.split()))


def fitted(text: str, width: float, size: float) -> str:
    """Return text cut so that about `width` pixels hold it, with an ellipsis where something is missing."""
    used, cut = 0.0, 0
    room = width / size
    for at, letter in enumerate(text):
        used += _em(letter)
        if used > room:
            kept = text[:cut].rstrip(" \u200d\ufe0f")
            # A mark after it keeps the ellipsis at the end of a name that runs from right to left.
            return kept + ("…\u200f" if unicodedata.bidirectional(kept[-1:] or " ") in {"R", "AL"} else "…")
        if used <= room - 1:  # an ellipsis still has its place
            cut = at + 1
    return text


def as_of(at: datetime, *, page: bool = False) -> str:
    """Return the sentence that dates a picture; a file of its own has no cell."""
    return f"As of {_moment(at)}. A static picture{'' if page else ': run the cell again for the live view'}."


def _corner(at: int, inset: int) -> tuple[int, int]:
    row, column = divmod(at, A_ROW)
    return inset + column * (WIDE + GAP), 1 + row * (HIGH + LANE)


def _bubble(state: StageState, x: int, y: int) -> str:
    name = plain(state.name)
    short = fitted(name, WIDE - 28, 14)
    title = f"<title>{escaped(name)}</title>" if short != name else ""
    first = f"{state.position + 1} · {_type(state)}"
    parts = [
        f'<g transform="translate({x} {y})">{title}',
        f'<rect class="pw-box" width="{WIDE}" height="{HIGH}" rx="4" fill="#fff" stroke="#bdbdbd"/>',
        _label(state),
        f'<text {_DIM} x="12" y="21">{first}</text>',
        f'<text x="12" y="41" font-size="13" font-weight="600">{html.escape(short)}</text>',
        _icon_text(state.status, 12, 62),
        _icon_text("Stale", WIDE - 60, 21) if state.staleness.stale else "",
        _icon_text("Held", WIDE - 60, 62) if state.held else "",
        "</g>",
    ]
    return "\n".join(filter(None, parts))


def _icon_text(word: str, x: int, y: int) -> str:
    icon = f'<path fill="{COLOURS[word]}" transform="translate({x} {y - 12})" d="{ICONS[word]}"/>'
    return f'{icon}<text x="{x + 21}" y="{y}">{word}</text>'


def _label(state: StageState) -> str:
    """The word on the arrow that leads to a stage, placed as seen from its bubble."""
    if state.position == 0:
        return ""
    x, y = (WIDE // 2, -LANE // 2 - 5) if state.position % A_ROW == 0 else (-GAP // 2, HIGH // 2 - 6)
    return f'<text {_DIM} x="{x}" y="{y}" text-anchor="middle">{state.stage.trigger.capitalize()}</text>'


def _arrows(stages: Sequence[StageState], inset: int) -> list[str]:
    """Draw solid arrows to Auto stages and dashed ones to Manual stages, each kind as one path."""
    shafts: dict[Trigger, list[str]] = {Trigger.AUTO: [], Trigger.MANUAL: []}
    heads: list[str] = []
    for at, state in enumerate(stages[1:], start=1):
        x, top = _corner(at, inset)
        y = top + HIGH // 2
        heads.append(f"M{x - 7} {y - 4}l4 4-4 4")
        shaft = f"M{x - GAP + 3} {y}H{x - 4}"
        if at % A_ROW == 0:  # from the end of the row above
            end, lane = _corner(at - 1, inset)[0] + WIDE + 3, top - LANE // 2
            shaft = f"M{end} {y - HIGH - LANE}h8V{lane}H{x - 14}V{y}H{x - 4}"
        shafts[state.stage.trigger].append(shaft)
    kinds = (("", shafts[Trigger.AUTO]), (' stroke-dasharray="4 3"', shafts[Trigger.MANUAL]), ("", heads))
    line = 'class="pw-arrow" fill="none" stroke="#757575" stroke-width="1.25"'
    return [f'<path {line}{dashes} d="{"".join(drawn)}"/>' for dashes, drawn in kinds if drawn]


def _row(state: StageState) -> tuple[object, ...]:
    trigger = state.stage.trigger.capitalize()
    number = state.position + 1
    return (number, _type(state), state.name, trigger, Marks(_marks(state)), state.score, _why(state))


def _why(state: StageState) -> tuple[str, ...]:
    """What a reader would ask about a stage: why it is stale, held, broken, or not begun."""
    stale, found = "; ".join(state.staleness.reasons), list[str]()
    if state.staleness.stale:
        found.append(f"Stale: {stale}")
    elif state.staleness.accepted:
        found.append(f"Accepted as fresh: {state.accepted or stale}")
    if state.run and (error := (state.run.error or "").strip()):
        found.append(fitted(error.splitlines()[-1], LONGEST, 1))
    if state.held:
        found.append(f"Held: {state.held}")
    elif not state.status.active:
        found += state.blockers
    return tuple(found)


def _marks(state: StageState) -> tuple[str, ...]:
    extra = (("Stale", state.staleness.stale), ("Held", bool(state.held)))
    return (str(state.status), *(word for word, there in extra if there))


def _type(state: StageState) -> str:
    return "Deployment" if isinstance(state.stage, DeploymentStage) else "Experiment"


def _first(texts: Sequence[str]) -> list[str]:
    left = len(texts) - SPOKEN
    return [*texts[:SPOKEN], *([f"and {left:,} more"] if left > 0 else [])]


def _table(caption: str, columns: Sequence[str], rows: Rows, *, header: int) -> str:
    numeric = [any(_is_number(row[at]) for row in rows) for at in range(len(columns))]
    heads = "".join(
        f'<th scope="col"{_NUMBER if number else ""}>{escaped(column)}</th>'
        for column, number in zip(columns, numeric, strict=True)
    )
    top = f'<div class="pw-scroll"><table class="pw-table"><caption>{escaped(caption)}</caption>'
    lines = [f"{top}<thead><tr>{heads}</tr></thead>", "<tbody>"]
    for row in rows:
        cells = (_cell(each, named=at == header, number=numeric[at]) for at, each in enumerate(row))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody></table></div>"])


def _cell(value: object, *, named: bool, number: bool) -> str:
    tag, scope = ("th", ' scope="row"') if named else ("td", "")
    text = _marked(value) if isinstance(value, Marks | Status) else "<br>".join(map(escaped, _words(value)))
    isolated = ' dir="auto"' if isinstance(value, str | tuple) and not text.isascii() else ""
    return f"<{tag}{scope}{_NUMBER if number else ''}{isolated}>{text}</{tag}>"


def _marked(value: Marks | Status) -> str:
    return " ".join(
        f'<span class="pw-mark"><svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true">'
        f'<path fill="{COLOURS[word]}" d="{ICONS[word]}"/></svg> {word}</span>'
        if word in ICONS
        else html.escape(word)
        for word in _words(value)
    )


def _words(value: object) -> Sequence[str]:
    match value:
        case None:
            return ("N/A",)
        case bool():
            return ("yes" if value else "no",)
        case float():
            return (f"{value:.4g}",)
        case datetime():
            return (_moment(value),)
        case tuple():
            return [plain(str(each)) for each in value]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        case _:
            return (plain(str(value)),)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _heading(text: str, *, page: bool) -> str:
    if page:
        return f'<h1 class="pw-title" dir="auto">{escaped(text)}</h1>'
    # No <h3>: JupyterLab would list it in the notebook's table of contents.
    return (
        f'<p class="pw-title" role="heading" aria-level="3" dir="auto"><strong>{escaped(text)}</strong></p>'
    )


def _about(text: str) -> str:
    return f'<p class="pw-about" dir="auto">{"<br>".join(map(escaped, text.splitlines()))}</p>'


def _note(at: datetime, *, page: bool) -> str:
    return f'<p class="pw-note">{as_of(at, page=page)}</p>'


def _whole(title: str, parts: Iterable[str], *, page: bool) -> str:
    body = "\n".join(filter(None, parts))  # no empty line: it would end a block of HTML in Markdown
    if not page:
        return f'<div class="{_CLASSES}"><style>\n{_style()}</style>\n{body}</div>'
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{_style()}</style></head>\n"
        f'<body class="{_CLASSES} pw-page">\n{body}\n</body></html>\n'
    )


@cache
def _style() -> str:
    return (Path(__file__).parent / "static" / "snapshot.css").read_text(encoding="utf-8")


@cache
def _em(letter: str) -> float:
    """About how wide a bold letter is, in units of the font size."""
    if unicodedata.combining(letter) or unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0.0
    if letter > "\uffff":
        return 1.3
    if letter in "MW@%mw—…" or unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in "iljtfrI.,:;|!'()[]- ":
        return 0.38
    return 0.7 if letter.isupper() else 0.6
