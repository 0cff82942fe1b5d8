"""The static picture: what stands in a notebook that is read without a kernel."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from factories.lab import Lab
from factories.values import a_pipeline, a_run
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline_widgets.domain.agent import AgentStatus
from pipeline_widgets.domain.chain import DeploymentStage, ExperimentStage, Trigger
from pipeline_widgets.domain.pipeline_run import RunOffer
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.staleness import Staleness, StaleReason
from pipeline_widgets.services.queries.pipeline_state import PipelineState, StageState
from pipeline_widgets.widgets.icons import COLOURS, ICONS
from pipeline_widgets.widgets.snapshot import (
    COLUMNS,
    SHOWN,
    pipeline_html,
    pipeline_text,
    table_html,
    table_text,
)
from pipeline_widgets.widgets.text_layout import fit_width, plain

AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
DATED = "As of 2026-11-22 23:30 UTC. Snapshot; re-run the cell for the live view."
CSS = Path(__file__).parents[2] / "pipeline_widgets" / "widgets" / "static" / "snapshot.css"
VOID = {"meta", "br", "img"}
OURS = {
    *("html", "head", "meta", "title", "style", "body", "div", "h1", "p", "strong", "span", "br"),
    *("img", "svg", "g", "rect", "path", "text", "table", "caption", "thead", "tbody", "tr", "th", "td"),
}
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</style></title></svg><script>alert(1)</script>",
    "]]><![CDATA[",
    '" onload="alert(1)" \'',
    "&lt;b&gt; &amp;",
    "a\x00b\x0bc\x1b[31md\x9be\ufffef\ud800g",
    "one\n\n\ttwo\u2028three",
    "\u202egnp.exe",
    "👩\u200d👩\u200d👧\u200d👦" * 9,
    "ניסוי ארוך מאוד " * 9,
    "e\u0301" * 99,
    "W" * 200,
    "$x$ \\(y\\) {{z}} ${w}",
]


def a_stage(
    at: int = 0, name: str = "sft", status: Status = Status.DRAFT, *, auto: bool = False, deploy: bool = False
) -> StageState:
    """Return where a stage stands; `replace` it for what else matters."""
    trigger = Trigger.AUTO if auto else Trigger.MANUAL
    stage = (
        DeploymentStage(id=at + 1, agent_name=name, trigger=trigger)
        if deploy
        else ExperimentStage(id=at + 1, experiment_id=at + 1, trigger=trigger)
    )
    return StageState(
        stage=stage,
        position=at,
        name=name,
        status=status,
        staleness=Staleness(stale=False, reasons=()),
        blockers=(),
        condition="",
        held=None,
        run=None if status is Status.DRAFT else a_run(at + 1, status),
        accepted=None,
        score=None,
    )


def a_state(*stages: StageState, name: str = "letters", description: str = "") -> PipelineState:
    """Return a pipeline with those states of its stages."""
    pipeline = replace(a_pipeline(*(each.stage for each in stages), name=name), description=description)
    offer = RunOffer(next="", up_to_date="", is_stale=False)
    return PipelineState(pipeline=pipeline, stages=stages, runs=offer)


def a_long_one(count: int) -> PipelineState:
    """Return a pipeline of many stages, of all statuses."""
    statuses = list(Status)
    return a_state(
        *(a_stage(at, f"experiment-{at}", statuses[at % 8], auto=at % 2 == 1) for at in range(count))
    )


def drawing(text: str) -> str:
    """Return the picture of the chain: what is in the image of a notebook, or SVG in a page."""
    image = re.search(r'<img class="pw-chain[^"]*" alt="[^"]*" width="\d+" height="\d+" src="([^"]*)">', text)
    if image is not None:
        return unquote(image[1].removeprefix("data:image/svg+xml,"), errors="strict")
    found = re.search(r'<svg class="pw-chain.*?</svg>', text, re.DOTALL)
    assert found is not None
    return found[0]


def picture(text: str) -> ET.Element:
    """Parse the picture of the chain as XML; elements of an image lose their namespace."""
    return ET.fromstring(re.sub(r" xmlns='[^']*'", "", drawing(text)))  # noqa: S314  our own text


@dataclass
class Read(HTMLParser):
    """What a browser would read: elements that were opened, their attributes, and the cells of tables."""

    opened: list[str] = field(default_factory=list[str])
    attributes: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    rows: list[list[str]] = field(default_factory=list[list[str]])
    text: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag == "br" and self.rows and self.rows[-1]:
            self.rows[-1][-1] += "\n"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data


def read(text: str) -> Read:
    """Parse HTML; every element has to be closed where it should be."""
    parser = Read()
    parser.feed(text)
    parser.close()
    assert not parser._open  # pyright: ignore[reportPrivateUsage]
    return parser


def words(svg: ET.Element) -> list[str]:
    """Return the texts of a picture, in reading order."""
    return [text for each in svg.iter("text") if (text := "".join(each.itertext()))]


@pytest.mark.spec("4.7", "4.1")
def test_the_picture_and_the_table_show_where_each_stage_of_a_real_pipeline_stands(lab: Lab) -> None:
    """Number, type, name, trigger, status, Stale, score and reasons are in it, and when that was."""
    pipeline = lab.pipeline("SFT", "GRPO", "deploy")
    first, second, _ = pipeline.stages
    lab.do(first, 0.4)
    lab.do(second, 0.82)
    lab.do(first, 0.45)
    text = pipeline_html(lab.states.pipeline(pipeline.id), at=AT)
    assert words(picture(text)) == [
        *("1 · Experiment", "chain-sft-1", "Succeeded"),
        *("Manual", "2 · Experiment", "chain-grpo-2", "Succeeded", "Stale"),
        *("Manual", "3 · Deployment", "letters-agent", "Draft"),
    ]
    heads, *rows = read(text).rows
    why = "Stale: Stage 1 was re-run: used run 1, latest is run 2"
    assert heads == list(COLUMNS)
    assert [[" ".join(cell.split()) for cell in row] for row in rows] == [
        ["1", "Experiment", "chain-sft-1", "Manual", "Succeeded", "0.45", ""],
        ["2", "Experiment", "chain-grpo-2", "Manual", "Succeeded Stale", "0.82", why],
        ["3", "Deployment", "letters-agent", "Manual", "Draft", "N/A", ""],
    ]
    assert DATED in text


@pytest.mark.spec("4.7", "6.7")
def test_why_tells_what_a_stage_waits_for_what_holds_it_and_what_broke_it() -> None:
    """Each reason has a line; an active stage needs none, and a held one says only what holds it."""
    waits, held = "Waiting for a checkpoint from Stage 1 (sft).", "The gate is not met."
    error = "Traceback (most recent call last):\n  File 'x'\nValueError: broken\n"
    stages = [
        replace(
            a_stage(0, status=Status.FAILED),
            run=replace(a_run(1, Status.FAILED), error=error),
            blockers=("No.",),
        ),
        replace(a_stage(1), blockers=(waits,)),
        replace(a_stage(2), blockers=(waits,), held=held),
        replace(a_stage(3, status=Status.RUNNING), blockers=("This stage is already running.",)),
        replace(
            a_stage(4, status=Status.SUCCEEDED),
            staleness=Staleness(stale=False, reasons=(StaleReason("config changed"),), accepted=True),
            accepted="only a comment",
        ),
    ]
    text = pipeline_html(a_state(*stages), at=AT)
    assert [row[-1] for row in read(text).rows[1:]] == [
        "ValueError: broken\nNo.",
        waits,
        f"Held: {held}",
        "",
        "Accepted as fresh: only a comment",
    ]
    assert words(picture(text)).count("Held") == 1


def check_that_it_is_text(name: str) -> None:
    stage = replace(a_stage(1, name), held=name, blockers=(name,))
    state = a_state(a_stage(0, name), stage, name=name, description=name)
    for page in (False, True):
        text = pipeline_html(state, at=AT, page=page)
        seen = read(text)
        assert set(seen.opened) <= OURS
        drawn = read(drawing(text))
        assert set(drawn.opened) <= OURS - {"img"}
        for each in (seen, drawn):
            assert not {name for name in each.attributes if name.startswith("on")}
            assert not each.attributes.keys() & {"href", "xlink:href"}
        assert "src" not in drawn.attributes
        sources = seen.attributes.get("src", set())
        assert len(sources) == (0 if page else 1)
        assert all(each.startswith("data:image/svg+xml,<svg xmlns=") for each in sources)
        assert seen.rows[1][2] == plain(name)
        assert len(picture(text).findall("g/g")) == 2
        table = table_html(name, [name], [[name]], at=AT, page=page)
        assert read(table).rows == [[plain(name)], [plain(name)]]
        for each in (text, table, pipeline_text(state, at=AT), table_text(name, [name], [[name]], at=AT)):
            assert each.encode().decode() == each


@pytest.mark.spec("4.7", "10.4")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_shown_as_text(name: str) -> None:
    """The picture is XML, no element or attribute comes of a name, and UTF-8 can write it."""
    check_that_it_is_text(name)


@pytest.mark.spec("4.7", "10.4")
@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=255))
def test_any_name_is_shown_as_text(name: str) -> None:
    """The same holds for every text there is."""
    check_that_it_is_text(name)


@pytest.mark.spec("10.4")
def test_what_cannot_be_shown_is_replaced_and_lines_become_one() -> None:
    """Control characters, half characters and marks that turn the text around are replaced, letters stay."""
    assert plain("a\x00b\x1b[31mc\ufffe\ud800") == "a\ufffdb\ufffd[31mc\ufffd\ufffd"
    assert plain(" one\n\n\ttwo ") == "one two"
    assert plain("\u202egnp.exe") == "\ufffdgnp.exe"
    assert plain("שלום 👩\u200d👧 é") == "שלום 👩\u200d👧 é"


@pytest.mark.spec("10.4")
def test_no_name_is_set_as_a_formula() -> None:
    """The classes that MathJax 2 and 3 look for keep `$x$` as it is, in a notebook and in a page."""
    for page in (False, True):
        classes = read(pipeline_html(a_state(a_stage(name="$x$")), at=AT, page=page)).attributes["class"]
        assert any({"mathjax_ignore", "tex2jax_ignore"} <= set(each.split()) for each in classes)


@pytest.mark.spec("4.7")
@pytest.mark.parametrize(("count", "rows"), [(1, 1), (2, 1), (4, 1), (5, 1), (6, 2), (40, 8), (1000, 200)])
def test_a_picture_holds_every_stage_and_stays_small(count: int, rows: int) -> None:
    """Rows of five, a bubble a stage, all inside the picture; each stage costs less than 1 kB."""
    text = pipeline_html(a_long_one(count), at=AT)
    svg = picture(text)
    corners = [tuple(map(int, re.findall(r"\d+", each.attrib["transform"]))) for each in svg.findall("g/g")]
    assert len(set(corners)) == count
    assert len({y for _, y in corners}) == rows
    assert all(x + 176 < int(svg.attrib["width"]) for x, _ in corners)
    assert all(y + 72 < int(svg.attrib["height"]) for _, y in corners)
    assert len(text.encode()) <= CSS.stat().st_size + 1000 * (count + 1)


def test_arrows_say_what_starts_the_next_stage() -> None:
    """An arrow to an Auto stage is solid and says Auto; to a Manual one it is dashed and says Manual."""
    text = pipeline_html(a_state(a_stage(0), a_stage(1, auto=True), a_stage(2), a_stage(3)), at=AT)
    svg = picture(text)
    solid, dashed, heads = svg.findall("path")
    assert [each.attrib["d"].count("M") for each in (solid, dashed, heads)] == [1, 2, 3]
    assert [each.get("stroke-dasharray") is None for each in (solid, dashed, heads)] == [True, False, True]
    assert [word for word in words(svg) if word in {"Auto", "Manual"}] == ["Auto", "Manual", "Manual"]


@pytest.mark.spec("4.7")
def test_a_pipeline_without_stages_is_not_blank() -> None:
    """Its name, its description and a sentence are shown, and no picture."""
    state = a_state(name="to come", description="Two lines\nof plans")
    seen = read(pipeline_html(state, at=AT))
    assert all(part in seen.text for part in ("to come", "Two lines", "of plans", "No stages yet.", DATED))
    assert "svg" not in seen.opened
    assert pipeline_text(state, at=AT) == f"Pipeline 'to come': no stages yet\n{DATED}"


@pytest.mark.spec("4.7")
def test_a_long_name_is_cut_and_its_full_text_is_the_title() -> None:
    """A name that fits has no title; one that does not ends in an ellipsis."""
    long = "a name that is much too long for a bubble"
    first, second = picture(pipeline_html(a_state(a_stage(0), a_stage(1, long)), at=AT)).findall("g/g")
    assert first.find("title") is None
    assert second.findtext("title") == long
    shown = next(each.text or "" for each in second.findall("text") if each.get("font-weight"))
    assert shown.endswith("…")
    assert long.startswith(shown[:-1])


@settings(deadline=None)
@given(st.text(max_size=80), st.integers(20, 300))
@example("👩\u200d👩\u200d👧\u200d👦" * 4, 60)
@example("שלום עולם שלום עולם", 60)
def test_cutting_keeps_the_beginning_and_breaks_no_joined_letters(text: str, width: int) -> None:
    """What is kept is the start of the name, without a joiner that joins nothing."""
    shown = fit_width(text, width, 14)
    if shown != text:
        kept = shown.rstrip("\u200f").removesuffix("…")
        assert text.startswith(kept)
        assert not kept.endswith(("\u200d", " "))
        assert fit_width(text, 10 * width + 2000, 14) == text


@pytest.mark.spec("4.7")
def test_a_page_is_one_file_that_loads_nothing_and_runs_nothing() -> None:
    """It has a character set, a policy that forbids all but its own styles, no script and no address."""
    text = pipeline_html(a_long_one(6), at=AT, page=True)
    seen = read(text)
    assert text.startswith("<!doctype html>\n")
    assert seen.attributes["charset"] == {"utf-8"}
    assert "run the cell" not in seen.text  # a file has none
    assert "default-src 'none'; style-src 'unsafe-inline'" in seen.attributes["content"]
    assert seen.opened.count("title") == seen.opened.count("h1") == seen.opened.count("style") == 1
    assert not re.search(r"script|https?:|url\(|@import|\bsrc=|\bhref=", text)


@pytest.mark.spec("4.7")
def test_a_piece_of_a_notebook_leaks_nothing_into_it() -> None:
    """Each style is scoped; no heading gets into the table of contents; no empty line ends it in Markdown."""
    text = pipeline_html(a_long_one(6), at=AT)
    css = re.sub(r"@media[^{]*\{(.*)\}\n", r"\1\n", CSS.read_text(encoding="utf-8"))
    selectors = [one for group in re.findall(r"([^{}]+)\{[^{}]*\}", css) for one in group.split(",")]
    assert len(selectors) > 20
    assert [each for each in selectors if not each.strip().startswith(".pw-snapshot")] == []
    assert not {"h1", "h2", "h3", "html", "body"} & set(read(text).opened)
    assert "\n\n" not in text


@pytest.mark.spec("4.7")
def test_the_picture_can_be_read_where_styles_are_taken_away() -> None:
    """Colours and sizes are attributes as well, on a ground of its own, for a page of any colour."""
    svg = picture(
        re.sub(r"<style>.*?</style>", "", pipeline_html(a_long_one(2), at=AT, page=True), flags=re.DOTALL)
    )
    (ground,) = svg.findall("rect")
    assert (ground.get("fill"), ground.get("width")) == ("#fff", svg.get("width"))
    assert [each.get("fill") for each in svg.findall("g")] == ["#212121"]
    assert {each.get("fill") for each in svg.findall("g/g/rect")} == {"#fff"}
    assert all(each.get("stroke") for each in svg.findall("path"))


@pytest.mark.spec("4.5")
def test_the_picture_has_a_label_and_the_table_has_headers() -> None:
    """The label names the first stages and how many more there are; each row is named by its stage."""
    text = pipeline_html(a_long_one(40), at=AT)
    svg = picture(pipeline_html(a_long_one(40), at=AT, page=True))
    assert svg.get("role") == "img"
    for label in (svg.get("aria-label") or "", *read(text).attributes["alt"]):
        assert label.startswith("Chain of stages: 1 experiment-0, Draft; 2 experiment-1, Pending; ")
        assert label.endswith("; 12 experiment-11, Stopping; and 28 more")
    assert read(text).attributes["scope"] == {"col", "row"}
    assert "<caption>Stages</caption>" in text
    assert '<th scope="row">experiment-39</th>' in text


@pytest.mark.spec("4.1", "4.6")
def test_every_status_has_an_icon_of_its_own_shape() -> None:
    """Never by colour alone: the shapes differ, and each stands with its word."""
    words_ = {*map(str, Status), *map(str, AgentStatus), "Stale", "Held"}
    assert set(ICONS) == set(COLOURS) == words_
    assert len(set(ICONS.values())) == len(words_)
    assert all(re.fullmatch(r"[MmLlHhVvAaCcZz0-9. -]+", path) for path in ICONS.values())


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * each for each in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.spec("4.6")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_told_apart_outside_of_jupyterlab(theme: str) -> None:
    """Text has a contrast of 4.5 or more, and icons of 3 or more, on what they stand on."""
    light, dark = CSS.read_text(encoding="utf-8").split("@media (prefers-color-scheme:dark)")
    rule = light if theme == "light" else dark.partition("\n")[0]
    colours = dict(re.findall(r"--pw-(\w+):var\([\w-]+,(#\w+)\)", rule))
    assert colours.keys() >= {"page", "paper", "ink", "dim"}
    for ground in (colours["page"], colours["paper"]):
        assert contrast(colours["ink"], ground) >= 4.5
        assert contrast(colours["dim"], ground) >= 4.5
        assert min(contrast(each, ground) for each in COLOURS.values()) >= 3
    assert {rule.count("var(--jp-") for rule in (light, dark.partition("\n")[0])} == {6, 7}


@pytest.mark.spec("4.7")
def test_as_plain_text_it_is_the_chain_and_the_time() -> None:
    """The text names the stages in order with what they are; many are counted."""
    stale = replace(
        a_stage(1, "dpo", Status.RUNNING), staleness=Staleness(stale=True, reasons=(StaleReason("x"),))
    )
    text = pipeline_text(a_state(a_stage(0, "sft", Status.SUCCEEDED), stale), at=AT)
    assert text == f"Pipeline 'letters': 1 sft Succeeded -> 2 dpo Running, Stale\n{DATED}"
    assert pipeline_text(a_long_one(1000), at=AT).endswith(f"-> and 988 more\n{DATED}")


def test_times_are_told_in_utc() -> None:
    """A time of another zone is shown as the same moment in UTC."""
    zurich = AT.astimezone(timezone(timedelta(hours=1)))
    assert pipeline_text(a_state(), at=zurich) == pipeline_text(a_state(), at=AT)


ROWS: Sequence[Sequence[object]] = [
    ["sft", Status.SUCCEEDED, 0.45123, 3, AT, True],
    ["<b>dpo</b>", Status.CRASHED, None, 12, AT, False],
]
HEADS = ["Name", "Status", "Score", "Runs", "Last modified", "Stale"]


@pytest.mark.spec("4.7", "10.4", "9.1")
@pytest.mark.parametrize("page", [False, True])
def test_any_list_can_stand_as_a_table(page: bool) -> None:  # noqa: FBT001
    """Numbers, times, statuses and what is missing are written as in the live views; text stays text."""
    seen = read(table_html("Experiments", HEADS, ROWS, at=AT, page=page))
    assert [[cell.strip() for cell in row] for row in seen.rows] == [
        HEADS,
        ["sft", "Succeeded", "0.4512", "3", "2026-11-22 23:30 UTC", "yes"],
        ["<b>dpo</b>", "Crashed", "N/A", "12", "2026-11-22 23:30 UTC", "no"],
    ]
    assert (DATED in seen.text) is not page
    assert "As of 2026-11-22 23:30 UTC. Snapshot" in seen.text
    assert ("html" in seen.opened) is page


@pytest.mark.spec("3.8")
def test_a_notebook_keeps_the_first_rows_of_a_long_list_and_a_page_all() -> None:
    """The piece of a notebook says how many there are."""
    rows = [[f"pipeline-{at}"] for at in range(SHOWN + 1)]
    piece, page = (
        read(table_html("Pipelines", ["Name"], rows, at=AT, noun="pipeline", page=page))
        for page in (False, True)
    )
    assert (len(piece.rows), len(page.rows)) == (SHOWN + 1, SHOWN + 2)
    assert "1,000 of 1,001 pipelines" in piece.text
    assert "1,001 pipelines" in page.text


def test_an_empty_list_says_so() -> None:
    """A sentence stands in place of the table."""
    seen = read(table_html("Pipelines", ["Name"], [], at=AT))
    assert "There are none yet." in seen.text
    assert "table" not in seen.opened
    assert table_text("Pipelines", ["Name"], [], at=AT) == f"Pipelines: 0\n{DATED}"


def test_a_list_as_text_has_aligned_columns() -> None:
    """A heading with the number of rows, the first rows, and how many more there are."""
    assert table_text("Runs", ["Name", "Status"], [row[:2] for row in ROWS], at=AT).splitlines() == [
        "Runs: 2",
        "Name        Status",
        "sft         Succeeded",
        "<b>dpo</b>  Crashed",
        DATED,
    ]
    assert "\nand 88 more\n" in table_text("Runs", ["Name"], [[str(at)] for at in range(100)], at=AT)
