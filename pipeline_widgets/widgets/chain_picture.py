"""The chain of stages as a picture without a kernel: SVG, in a page or as an image of its own (spec 4.7)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from urllib.parse import quote

from pipeline_widgets.directions import isolate
from pipeline_widgets.domain.chain import Trigger
from pipeline_widgets.services.queries.pipeline_state import StageState
from pipeline_widgets.widgets.icons import COLOURS, ICONS
from pipeline_widgets.widgets.text_layout import escape, fit_width, plain

A_ROW, WIDE, HIGH, GAP, LANE = 5, 176, 72, 56, 40  # stages a row; pixels: a bubble, between two, between rows
INSET = 20  # pixels beside the rows, where an arrow turns to the next one
NAMED_STAGES = 12  # stages that the picture's label names, and that a line of text shows

_SVG = "http://www.w3.org/2000/svg"
_UNQUOTED = " '<>/=:;,.()-+@{}"  # what a URL in an attribute can hold: base64 would take a third more
_DIM = 'class="pw-dim" font-size="11" fill="#616161"'
_BOX = 'class="pw-box" fill="#fff" stroke="#bdbdbd"'
_ARROW = 'class="pw-arrow" fill="none" stroke="#757575" stroke-width="1.25"'
#: What is an attribute in a page, which may lose its style, is style in an image, which is smaller by that.
_STYLED = {_DIM: 'class="pw-dim"', _BOX: 'class="pw-box"', _ARROW: 'class="pw-arrow"'}
_STYLE = (
    ".pw-dim{font-size:11px;fill:#616161}.pw-box{fill:#fff;stroke:#bdbdbd}"
    ".pw-arrow{fill:none;stroke:#757575}"
    "@media(prefers-color-scheme:dark){.pw-ground,.pw-box{fill:#212121}.pw-ink{fill:#fff}.pw-dim{fill:#bbb}}"
)


def chain_svg(stages: Sequence[StageState]) -> str:
    """Return a chain as SVG that wears the style of the page, left to right, in rows of five."""
    width, height = _size(stages)
    attributes = f'class="{_class(width)}" role="img" aria-label="{escape(describe_chain(stages))}"'
    return f"<svg {attributes} {_box(width, height)}>\n{_draw_chain(stages)}</svg>"


def chain_image(stages: Sequence[StageState]) -> str:
    """Return the same as an image, which a page that does not trust it shows as well.

    It follows the system's dark mode, but not JupyterLab's theme.
    """
    width, height = _size(stages)
    inside = _draw_chain(stages)
    for written, styled in _STYLED.items():  # nobody takes the style of an image away
        inside = inside.replace(written, styled)
    picture = f'<svg xmlns="{_SVG}" {_box(width, height)}><style>{_STYLE}</style>{inside}</svg>'
    # What is shown holds neither quotes nor line feeds, since escaped() takes them out: these are ours.
    source = "data:image/svg+xml," + quote(picture.replace("\n", "").replace('"', "'"), safe=_UNQUOTED)
    shown = (
        f'class="{_class(width)}" alt="{escape(describe_chain(stages))}" width="{width}" height="{height}"'
    )
    return f'<img {shown} src="{source}">'


def describe_chain(stages: Sequence[StageState]) -> str:
    """Return the chain as a line of text, for the label of its picture."""
    named = shorten_list(
        [f"{each.position + 1} {isolate(plain(each.name))}, {', '.join(each.marks)}" for each in stages]
    )
    return f"Chain of stages: {'; '.join(named)}"


def shorten_list(texts: Sequence[str]) -> list[str]:
    """Return the first of many texts, and how many more there are."""
    left = len(texts) - NAMED_STAGES
    return [*texts[:NAMED_STAGES], *([f"and {left:,} more"] if left > 0 else [])]


def _size(stages: Sequence[StageState]) -> tuple[int, int]:
    rows = -(-len(stages) // A_ROW)
    width = 2 * _inset(stages) + min(len(stages), A_ROW) * (WIDE + GAP) - GAP
    return width, rows * (HIGH + LANE) - LANE + 2


def _inset(stages: Sequence[StageState]) -> int:
    return INSET if len(stages) > A_ROW else 1


def _class(width: int) -> str:
    return "pw-chain pw-wide" if width > 4 * (WIDE + GAP) else "pw-chain"


def _box(width: int, height: int) -> str:
    return f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'


def _draw_chain(stages: Sequence[StageState]) -> str:
    width, height = _size(stages)
    inset = _inset(stages)
    return "\n".join(
        [
            f'<rect class="pw-ground" width="{width}" height="{height}" fill="#fff"/>',
            *_arrows(stages, inset),
            '<g class="pw-ink" fill="#212121" font-family="system-ui,sans-serif" font-size="12">',
            *(_bubble(stage, *_corner(at, inset)) for at, stage in enumerate(stages)),
            "</g>",
        ]
    )


def _corner(at: int, inset: int) -> tuple[int, int]:
    row, column = divmod(at, A_ROW)
    return inset + column * (WIDE + GAP), 1 + row * (HIGH + LANE)


def _bubble(state: StageState, x: int, y: int) -> str:
    name = plain(state.name)
    short = fit_width(name, WIDE - 28, 14)
    title = f"<title>{escape(name)}</title>" if short != name else ""
    first = f"{state.position + 1} · {state.stage.type}"
    parts = [
        f'<g transform="translate({x} {y})">{title}',
        f'<rect {_BOX} width="{WIDE}" height="{HIGH}" rx="4"/>',
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
    return [f'<path {_ARROW}{dashes} d="{"".join(drawn)}"/>' for dashes, drawn in kinds if drawn]
