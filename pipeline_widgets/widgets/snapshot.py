"""The static picture of a view, for a notebook without a kernel (spec 4.7).

Hosts take away what they do not trust: styles, SVG, attributes. So the chain is an image there, and the table
says all that the image says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TypeAlias

from pipeline_widgets.directions import isolate, quote
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.shown_item import ShownItem
from pipeline_widgets.services.queries.pipeline_state import PipelineState, StageState
from pipeline_widgets.widgets.chain_picture import NAMED_STAGES, chain_image, chain_svg, shorten_list
from pipeline_widgets.widgets.icons import COLOURS, ICONS
from pipeline_widgets.widgets.text_layout import escape, fit_width, plain

COLUMNS = ("#", "Type", "Name", "Trigger", "Status", "Evaluation score", "Why")
SHOWN = 1000  # rows of a table in a notebook, which keeps each of them
LONGEST = 200  # characters of an error
SAMPLES, READ = 5, 300  # samples of a run, and characters of each of their texts

# MathJax would set `$x$` in a name as a formula.
_CLASSES = "pw-snapshot mathjax_ignore tex2jax_ignore"
_NUMBER = ' class="pw-number"'
Rows: TypeAlias = Sequence[Sequence[object]]
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Marks(tuple[str, ...]):
    """Words that a table shows with their icons."""

    __slots__ = ()


def pipeline_html(
    state: PipelineState, samples: Iterable[ShownItem] = (), *, at: datetime, page: bool = False
) -> str:
    """Return a static picture of a pipeline.

    Args:
        state: The pipeline, and where its stages stand.
        samples: What the latest runs of the stages have shown last.
        at: When they stood there.
        page: As a complete file that needs nothing else, in place of a piece of a notebook.
    """
    pipeline, count = state.pipeline, len(state.stages)
    chain = chain_svg if page else chain_image
    parts = [
        _heading(pipeline.name, page=page),
        _about(pipeline.description) if pipeline.description else "",
        f'<div class="pw-scroll">{chain(state.stages)}</div>' if count else _about("No stages yet."),
        _table("Stages", COLUMNS, [_row(stage) for stage in state.stages], header=2) if count else "",
        *samples_html(samples, {each.run.id: each.name for each in state.stages if each.run}),
        _note(at, page=page),
    ]
    return _wrap(pipeline.name, parts, page=page)


def pipeline_text(state: PipelineState, *, at: datetime) -> str:
    """Return a pipeline as two lines of plain text."""
    stages = [
        f"{each.position + 1} {isolate(plain(each.name))} {', '.join(each.marks)}" for each in state.stages
    ]
    chain = " -> ".join(shorten_list(stages)) or "no stages yet"
    return f"Pipeline {quote(state.pipeline.name)}: {chain}\n{as_of(at)}"


def table_html(
    title: str,
    columns: Sequence[str],
    rows: Rows,
    *,
    at: datetime,
    noun: str = "row",
    page: bool = False,
    more: Iterable[str] = (),
) -> str:
    """Return a list as a static table. Its first column names the rows.

    Args:
        title: What is listed.
        columns: Their headings.
        rows: Text, numbers, times, statuses; None for what is missing.
        at: When it was so.
        noun: What a row is.
        page: As a complete file, with every row; a piece of a notebook shows the first 1,000.
        more: What stands below the table.
    """
    shown = rows if page else rows[:SHOWN]
    counted = f"{len(shown):,} of {len(rows):,}" if len(shown) < len(rows) else f"{len(rows):,}"
    caption = f"{counted} {noun if len(rows) == 1 else f'{noun}s'}"
    table = _table(caption, columns, shown, header=0) if rows else _about("There are none yet.")
    parts = [_heading(title, page=page), table, *more, _note(at, page=page)]
    return _wrap(title, parts, page=page)


def table_text(title: str, columns: Sequence[str], rows: Rows, *, at: datetime) -> str:
    """Return a list as plain text, a line for each of the first rows."""
    cells = [
        list(map(plain, columns)),
        *([", ".join(_words(value)) for value in row] for row in rows[:NAMED_STAGES]),
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells] if rows else []
    more = [f"and {len(rows) - NAMED_STAGES:,} more"] if len(rows) > NAMED_STAGES else []
    return "\n".join([f"{plain(title)}: {len(rows):,}", *lines, *more, as_of(at)])


def samples_html(items: Iterable[ShownItem], names: Mapping[int, str]) -> list[str]:
    """Return the samples that runs have shown last as tables.

    Args:
        items: Samples; of each the first few are shown.
        names: What to call the runs, by their ids.
    """
    tables: list[str] = []
    for item in items:
        shown = item.samples[:SAMPLES]
        more = f", {len(shown)} of {item.sample_count}" if len(shown) < item.sample_count else ""
        told = f": {item.caption}" if item.caption else ""
        caption = f"Samples of {isolate(names.get(item.run_id, ''))} at step {item.step:,}{more}{told}"
        rows = [
            (_shorten(each.prompt), _shorten(each.output), _shorten(each.reference), each.score)
            for each in shown
        ]
        tables.append(_table(caption, ("Prompt", "Output", "Reference", "Score"), rows, header=0))
    return tables


def as_of(at: datetime, *, page: bool = False) -> str:
    """Return the sentence that dates a picture; a file of its own has no cell."""
    return f"As of {_moment(at)}. Snapshot{'' if page else '; re-run the cell for the live view'}."


def _row(state: StageState) -> tuple[object, ...]:
    trigger = state.stage.trigger.capitalize()
    number = state.position + 1
    return (number, state.stage.type, state.name, trigger, Marks(state.marks), state.score, _why(state))


def _shorten(text: str | None) -> str | None:
    return text if text is None or len(text) <= READ else f"{text[:READ]}…"


def _why(state: StageState) -> tuple[str, ...]:
    """Return why a stage is stale, held, broken, or not begun."""
    stale, found = "; ".join(state.staleness.reasons), list[str]()
    if state.staleness.stale:
        found.append(f"Stale: {stale}")
    elif state.staleness.accepted:
        found.append(f"Accepted as fresh: {state.accepted or stale}")
    if state.run and (error := (state.run.error or "").strip()):
        found.append(fit_width(error.splitlines()[-1], LONGEST, 1))
    if state.held:
        found.append(f"Held: {state.held}")
    elif not state.status.active:
        found += state.blockers
    return tuple(found)


def _table(caption: str, columns: Sequence[str], rows: Rows, *, header: int) -> str:
    numeric = [any(_is_number(row[at]) for row in rows) for at in range(len(columns))]
    heads = "".join(
        f'<th scope="col"{_NUMBER if number else ""}>{escape(column)}</th>'
        for column, number in zip(columns, numeric, strict=True)
    )
    top = f'<div class="pw-scroll"><table class="pw-table"><caption>{escape(caption)}</caption>'
    lines = [f"{top}<thead><tr>{heads}</tr></thead>", "<tbody>"]
    for row in rows:
        cells = (_cell(each, named=at == header, number=numeric[at]) for at, each in enumerate(row))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody></table></div>"])


def _cell(value: object, *, named: bool, number: bool) -> str:
    tag, scope = ("th", ' scope="row"') if named else ("td", "")
    text = (
        _format_marks(value) if isinstance(value, Marks | Status) else "<br>".join(map(escape, _words(value)))
    )
    isolated = ' dir="auto"' if isinstance(value, str | tuple) and not text.isascii() else ""
    return f"<{tag}{scope}{_NUMBER if number else ''}{isolated}>{text}</{tag}>"


def _format_marks(value: Marks | Status) -> str:
    return " ".join(
        f'<span class="pw-mark"><svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true">'
        f'<path fill="{COLOURS[word]}" d="{ICONS[word]}"/></svg> {word}</span>'
        if word in ICONS
        else escape(word)
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
        return f'<h1 class="pw-title" dir="auto">{escape(text)}</h1>'
    # No <h3>: JupyterLab would list it in the notebook's table of contents.
    return f'<p class="pw-title" role="heading" aria-level="3" dir="auto"><strong>{escape(text)}</strong></p>'


def _about(text: str) -> str:
    return f'<p class="pw-about" dir="auto">{"<br>".join(map(escape, text.splitlines()))}</p>'


def _note(at: datetime, *, page: bool) -> str:
    return f'<p class="pw-note">{as_of(at, page=page)}</p>'


def _wrap(title: str, parts: Iterable[str], *, page: bool) -> str:
    body = "\n".join(filter(None, parts))  # no empty line: it would end a block of HTML in Markdown
    if not page:
        return f'<div class="{_CLASSES}"><style>\n{_style()}</style>\n{body}</div>'
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_style()}</style></head>\n"
        f'<body class="{_CLASSES} pw-page">\n{body}\n</body></html>\n'
    )


@cache
def _style() -> str:
    return (Path(__file__).parent / "static" / "snapshot.css").read_text(encoding="utf-8")
