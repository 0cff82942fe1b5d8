"""Chains that are wider than their cell, what a card says, and where one is: spec 4.9 and 4.10."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.views import bubble, show

SLOW = 30_000  # milliseconds
LONG_NAME = "a name that is far too long for the card that it stands on"
#: Makes a chain of that many stages in one transaction.
MANY = """
sys.path.insert(0, {folder!r})
import many
pipe = many.chain(project, {stages})
"""
BENCHMARKS = str(Path(__file__).parent.parent.parent / "benchmarks")
#: What covers the middle of each "+", if anything does; those that are scrolled away count as free.
COVERED = """box => {
    const area = box.getBoundingClientRect();
    return [...box.querySelectorAll('.pw-plus')].filter(plus => {
        const {x, y, width, height} = plus.getBoundingClientRect();
        const [cx, cy] = [x + width / 2, y + height / 2];
        if (cy < Math.max(area.top, 90) || cy > Math.min(area.bottom, innerHeight - 40)) return false;
        return !plus.contains(document.elementFromPoint(cx, cy));
    }).map(plus => plus.getAttribute('aria-label'));
}"""
#: The stages of a core and its edges, as far as they are drawn.
EDGES = """box => [...box.querySelectorAll('*')].find(each => each._cyreg)._cyreg.cy.edges()
    .map(edge => [edge.style('line-style'), edge.style('target-arrow-shape'), edge.style('curve-style')])"""
BORDERS = """box => [...box.querySelectorAll('*')].find(each => each._cyreg)._cyreg.cy.nodes()
    .map(node => node.style('border-color'))"""


def many(stages: int) -> str:
    """Return the code that makes a chain of that many stages."""
    return MANY.format(folder=BENCHMARKS, stages=stages)


def tops(root: Locator) -> list[float]:
    """Return how far from the top of the page the bubbles are."""
    return root.locator(".pw-bubble").evaluate_all("all => all.map(e => e.getBoundingClientRect().top)")


def graph(root: Locator) -> Locator:
    """Return the box of the graph."""
    return root.locator(".pw-graphbox")


def resize(page: Page, width: int) -> None:
    """Give the page another width."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(400)


@pytest.fixture(autouse=True)
def usual_size(page: Page) -> object:
    """Leave the page as wide as it was."""
    yield
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.spec("4.9")
@pytest.mark.parametrize("stages", [1, 2, 12, 40, 200])
def test_a_chain_of_any_length_is_readable_in_cells_of_any_width(
    notebook: Notebook,
    page: Page,
    screenshot: Callable[..., Path],
    axe: Callable[[Locator], str],
    stages: int,
) -> None:
    """No card is cut off or smaller than its words, each place has its plus, and the text its size."""
    root = show(notebook, many(stages))
    box = graph(root)
    for width in (600, 900, 1400):
        resize(page, width)
        root.scroll_into_view_if_needed()
        area = box.bounding_box()
        first = root.locator(".pw-bubble").first
        assert area
        cards = root.locator(".pw-bubble:not(:empty)")
        for at in range(min(cards.count(), 12)):
            card = cards.nth(at).bounding_box()
            assert card
            assert card["x"] >= area["x"]
            assert card["x"] + card["width"] <= area["x"] + area["width"]
        size = first.bounding_box()
        assert size
        assert size["width"] >= 120
        sizes = first.evaluate(
            "card => [...card.querySelectorAll('*')].map(each => parseFloat(getComputedStyle(each).fontSize))"
        )
        assert min(sizes) >= 12
        assert area["height"] < 640
        assert box.evaluate(COVERED) == []
        screenshot(f"chain of {stages} at {width}", root)
    assert axe(root) == ""


@pytest.mark.spec("4.9")
def test_a_wide_chain_says_where_one_is_and_lets_one_jump(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Number and count, a map of statuses, and a list that is searched; the chosen stage gets the focus."""
    root = show(notebook, many(40))
    where = root.get_by_role("button", name="Stage 1 of 40")
    chart = root.get_by_role("slider", name="Stage")
    expect(chart).to_have_attribute("aria-valuetext", "Stage 1: experiment 0, Experiment, Draft, Manual")

    where.focus()
    page.keyboard.press("Enter")
    dialog = root.get_by_role("dialog", name="Go to a stage")
    search = dialog.get_by_role("combobox", name="Search stages")
    expect(search).to_be_focused()
    expect(dialog.get_by_role("option")).to_have_count(40)
    page.keyboard.type("experiment 3")
    expect(dialog.get_by_role("option")).to_have_count(11)  # 3, and 30 to 39
    page.keyboard.press("ArrowDown")
    expect(dialog.get_by_role("option", selected=True)).to_contain_text("experiment 30")
    assert axe(root) == ""
    screenshot("jump to a stage")
    page.keyboard.press("Enter")

    expect(dialog).to_have_count(0)
    expect(bubble(root, 31)).to_be_focused()
    expect(bubble(root, 31)).to_have_attribute("aria-pressed", "true")
    expect(bubble(root, 31)).to_contain_text("experiment 30")
    expect(root.get_by_role("button", name="Stage 31 of 40")).to_be_visible()
    seen, area = bubble(root, 31).bounding_box(), graph(root).bounding_box()
    assert seen
    assert area
    assert area["y"] <= seen["y"] <= area["y"] + area["height"] - seen["height"]

    chart.focus()
    page.keyboard.press("PageUp")
    expect(root.get_by_role("button", name="Stage 21 of 40")).to_be_visible()
    expect(chart).to_be_focused()
    map_box = chart.bounding_box()
    assert map_box
    chart.click(position={"x": 8, "y": 8})
    expect(bubble(root, 1)).to_have_attribute("aria-pressed", "true")

    root.get_by_role("button", name="Stage 1 of 40").click()
    page.keyboard.type("zzz")
    expect(dialog).to_contain_text("Nothing matches 'zzz'")
    page.keyboard.press("Escape")
    expect(root.get_by_role("button", name="Stage 1 of 40")).to_be_focused()


@pytest.mark.spec("4.9")
def test_another_width_wraps_anew_and_loses_nothing(notebook: Notebook, page: Page) -> None:
    """The selection, the focus, an open dialog and what is typed there stay."""
    root = show(notebook, many(12))
    resize(page, 1400)
    rows = len(set(tops(root)))
    assert 1 < rows < 6
    bubble(root, 7).focus()
    page.keyboard.press("Space")
    expect(bubble(root, 7)).to_have_attribute("aria-pressed", "true")
    resize(page, 900)
    assert len(set(tops(root))) > rows
    expect(bubble(root, 7)).to_be_focused()
    expect(bubble(root, 7)).to_have_attribute("aria-pressed", "true")
    seen, area = bubble(root, 7).bounding_box(), graph(root).bounding_box()
    assert seen
    assert area
    assert area["y"] <= seen["y"] <= area["y"] + area["height"]

    root.get_by_role("button", name="Edit stage").click()
    dialog = root.get_by_role("dialog")
    expect(dialog).to_be_visible()
    resize(page, 1280)
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(root.get_by_role("button", name="Edit stage")).to_be_focused()
    expect(bubble(root, 7)).to_have_attribute("aria-pressed", "true")


@pytest.mark.spec("4.9", "4.5")
def test_the_arrows_go_from_row_to_row(notebook: Notebook, page: Page) -> None:
    """Right goes on in the next row, Down to the stage below; the card that has the focus is seen."""
    root = show(notebook, many(40))
    tall = tops(root)
    columns = sum(top == tall[0] for top in tall)
    bubble(root, 1).focus()
    page.keyboard.press("ArrowDown")
    expect(bubble(root, 1 + columns)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(bubble(root, columns)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(bubble(root, columns)).to_be_focused()
    page.keyboard.press("End")
    expect(bubble(root, 40)).to_be_focused()
    area, card = graph(root).bounding_box(), bubble(root, 40).bounding_box()
    assert area
    assert card
    assert card["y"] + card["height"] <= area["y"] + area["height"]


@pytest.mark.spec("4.9")
def test_the_wheel_scrolls_the_notebook_and_not_the_chain(notebook: Notebook, page: Page) -> None:
    """Over a chain with more rows than it shows; with Shift it scrolls the rows."""
    root = show(notebook, many(40))
    notebook.run("for _ in range(80): print()")
    graph(root).evaluate("box => box.scrollIntoView({block: 'start'})")
    before = root.locator(".pw-layer").get_attribute("style")
    area = graph(root).bounding_box()
    assert area
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + 200)
    page.mouse.wheel(0, 150)
    page.wait_for_timeout(400)
    moved = graph(root).bounding_box()
    assert moved
    assert moved["y"] < area["y"]
    assert root.locator(".pw-layer").get_attribute("style") == before
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 150)
    page.keyboard.up("Shift")
    page.wait_for_timeout(300)
    assert root.locator(".pw-layer").get_attribute("style") != before


@pytest.mark.spec("4.9")
def test_fit_shows_all_that_can_be_read(notebook: Notebook, screenshot: Callable[..., Path]) -> None:
    """Forty stages at once, with their numbers, marks, names and a plus between all of them."""
    root = show(notebook, many(40))
    root.get_by_role("button", name="Fit all stages").click()
    for number in (1, 20, 40):
        expect(bubble(root, number)).to_contain_text(f"experiment {number - 1}")
    area, last = graph(root).bounding_box(), bubble(root, 40).bounding_box()
    assert area
    assert last
    assert last["y"] + last["height"] <= area["y"] + area["height"]
    drawn = bubble(root, 40).evaluate(
        "card => Math.min(...[...card.querySelectorAll('*')].map(each => parseFloat("
        "getComputedStyle(each).fontSize))) * card.getBoundingClientRect().width / card.offsetWidth"
    )
    assert drawn >= 11.9
    expect(root.locator(".pw-plus")).to_have_count(41)
    assert graph(root).evaluate(COVERED) == []
    screenshot("forty stages fitted", root)


@pytest.mark.spec("4.9")
def test_the_selection_follows_the_running_stage(notebook: Notebook, page: Page) -> None:
    """Until another one is selected; "Follow" turns it on again."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', steps=40, pause=0.05)")
    follow = root.get_by_role("button", name="Follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    notebook.execute("pipe.stages[0].trigger()")
    expect(bubble(root, 2)).to_have_attribute("aria-pressed", "true", timeout=SLOW)
    expect(bubble(root, 2)).to_contain_text("Running", timeout=SLOW)

    bubble(root, 1).focus()
    page.keyboard.press("Space")
    expect(follow).to_have_attribute("aria-pressed", "false")
    expect(bubble(root, 3)).to_contain_text("Running", timeout=SLOW)
    expect(bubble(root, 1)).to_have_attribute("aria-pressed", "true")
    follow.click()
    expect(bubble(root, 3)).to_have_attribute("aria-pressed", "true")
    expect(follow).to_be_focused()
    notebook.execute("pipe.wait(60)")


@pytest.mark.spec("4.10", "4.3")
def test_a_card_says_what_trains_how_well_and_its_whole_name(
    notebook: Notebook, page: Page, screenshot: Callable[..., Path]
) -> None:
    """The name that is cut off shows under the mouse and with the focus; Enter opens the results."""
    root = show(
        notebook,
        f"pipe = chain('a', {LONG_NAME!r}, trigger='manual', steps=3)\n"
        "pipe.stages[0].trigger(); pipe.wait(60)",
    )
    expect(bubble(root, 1)).to_contain_text("Counter")
    expect(bubble(root, 1)).to_contain_text("best eval")
    expect(bubble(root, 1)).to_have_accessible_description("Counter, best evaluation score 3")
    expect(bubble(root, 2)).to_have_accessible_name(f"Stage 2: {LONG_NAME}, Experiment, Draft, Manual")
    tip = root.get_by_role("tooltip")
    expect(tip).to_have_count(0)
    card = bubble(root, 2).bounding_box()
    assert card
    page.mouse.move(card["x"] + 50, card["y"] + 40)
    expect(tip).to_contain_text(LONG_NAME)
    screenshot("tip of a card")
    page.mouse.move(5, 5)
    expect(tip).to_have_count(0)
    bubble(root, 1).focus()
    page.keyboard.press("ArrowRight")
    expect(tip).to_contain_text(LONG_NAME)
    page.keyboard.press("Escape")
    expect(tip).to_have_count(0)

    page.keyboard.press("ArrowLeft")
    expect(tip).to_have_count(0)  # of a name that is seen whole
    page.keyboard.press("Enter")
    expect(root.get_by_role("group", name="Results", exact=True)).to_be_visible()
    expect(bubble(root, 1)).to_have_attribute("aria-pressed", "true")


@pytest.mark.spec("4.10", "4.1")
def test_a_selected_card_keeps_the_colour_of_its_status(notebook: Notebook, page: Page) -> None:
    """The ring of the selection lies around the border."""
    root = show(notebook, "pipe = chain('a', 'b', trigger='manual'); pipe.stages[0].trigger(); pipe.wait(60)")
    bubble(root, 2).focus()
    page.keyboard.press("Space")
    expect(bubble(root, 2)).to_have_attribute("aria-pressed", "true")
    before = graph(root).evaluate(BORDERS)
    bubble(root, 1).focus()
    page.keyboard.press("Space")
    expect(bubble(root, 1)).to_have_attribute("aria-pressed", "true")
    assert graph(root).evaluate(BORDERS) == before
    shadow = "card => getComputedStyle(card).boxShadow"
    assert bubble(root, 1).evaluate(shadow) != bubble(root, 2).evaluate(shadow)


@pytest.mark.spec("4.2")
def test_while_a_stage_is_dragged_a_bar_shows_its_place(
    notebook: Notebook, page: Page, screenshot: Callable[..., Path]
) -> None:
    """From row to row; the card can be read over others, and is selected where it was dropped."""
    root = show(notebook, many(7))
    start, target = bubble(root, 2).bounding_box(), bubble(root, 5).bounding_box()
    assert start
    assert target
    mark = root.locator(".pw-dropmark")
    expect(mark).to_be_hidden()
    page.mouse.move(start["x"] + 60, start["y"] + 30)
    page.mouse.down()
    page.mouse.move(target["x"] + 90, target["y"] + 34, steps=8)
    page.mouse.move(target["x"] + 40, target["y"] + 34, steps=3)
    expect(mark).to_be_visible()
    expect(mark).to_have_attribute("data-place", "Stage 4")
    dragged = root.locator(".pw-dragged")
    ground = dragged.evaluate("card => getComputedStyle(card).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert dragged.evaluate("card => getComputedStyle(card).opacity") == "1"
    screenshot("dragging", root)
    page.mouse.up()

    expect(bubble(root, 4)).to_contain_text("experiment 1")
    expect(bubble(root, 4)).to_have_attribute("aria-pressed", "true")
    expect(mark).to_be_hidden()
    assert notebook.python("[s.name for s in pipe.stages][3]") == "experiment 1"


@pytest.mark.spec("4.2", "4.5")
def test_escape_cancels_a_drag(notebook: Notebook, page: Page) -> None:
    """The card goes back while the button is down; letting go moves nothing, and no key leaves the view."""
    root = show(notebook, many(7))
    before, cells = notebook.python("[s.name for s in pipe.stages]"), notebook.cells()
    start, target = bubble(root, 2).bounding_box(), bubble(root, 5).bounding_box()
    assert start
    assert target
    page.mouse.move(start["x"] + 60, start["y"] + 30)
    page.mouse.down()
    page.mouse.move(target["x"] + 40, target["y"] + 34, steps=8)
    expect(root.locator(".pw-dragged")).to_be_visible()
    page.keyboard.press("Escape")
    expect(root.locator(".pw-dragged")).to_have_count(0)
    expect(root.locator(".pw-dropmark")).to_be_hidden()
    page.mouse.move(target["x"] + 20, target["y"] + 30, steps=3)
    expect(root.locator(".pw-dragged")).to_have_count(0)
    page.mouse.up()
    assert bubble(root, 2).bounding_box() == start
    assert notebook.python("[s.name for s in pipe.stages]") == before
    assert notebook.cells() == cells


@pytest.mark.spec("4.6")
def test_after_a_change_of_theme_each_plus_is_there(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Before, between and after the stages, whatever is selected, and the map has the theme's colours."""
    root = show(notebook, many(7))
    bubble(root, 2).focus()
    page.keyboard.press("Space")
    pixels = "map => map.querySelector('canvas').toDataURL()"
    drawn: list[str] = []
    for theme in ("dark", "light", "JupyterLab Dark High Contrast", "dark"):
        notebook.theme(theme)
        page.wait_for_timeout(400)
        expect(root.locator(".pw-plus")).to_have_count(8)
        for at in range(8):
            expect(root.locator(".pw-plus").nth(at)).to_be_visible()
        assert graph(root).evaluate(COVERED) == []
        drawn.append(root.locator(".pw-map").evaluate(pixels))
        assert axe(root) == ""
        screenshot(f"chain of 7 {theme}", root)
    dark, light, _, dark_again = drawn
    assert light != dark == dark_again


@pytest.mark.spec("6.6")
def test_without_a_kernel_the_graph_stays_whole_and_changes_nothing(
    notebook: Notebook, page: Page, screenshot: Callable[..., Path]
) -> None:
    """After a restart shapes and words stay together, and what needs the kernel says why not."""
    root = show(notebook, "pipe = chain('a', 'b', trigger='manual')")
    canvas, card = root.locator(".pw-canvas canvas").first, bubble(root, 1)
    apart = "([one, other]) => one.getBoundingClientRect().y - other.getBoundingClientRect().y"
    pair = [canvas.element_handle(), card.element_handle()]
    before = page.evaluate(apart, pair)

    notebook.restart_kernel()

    expect(root.get_by_text("Kernel disconnected; runs continue.")).to_be_visible()
    page.wait_for_timeout(500)
    assert page.evaluate(apart, pair) == before
    sign = "view => getComputedStyle(view, '::before').content"
    assert root.locator(".pw-canvas > div").evaluate(sign) == "none"
    for name in ("Trigger stage", "Edit stage", "Add stage", "Check pipeline", "Run pipeline", "Results"):
        control = root.get_by_role("button", name=name, exact=True)
        expect(control).to_have_attribute("aria-disabled", "true")
        expect(control).to_have_attribute("title", "Kernel disconnected: re-run this cell.")
    expect(root.get_by_role("button", name="Insert a stage between 1 and 2")).to_have_attribute(
        "aria-disabled", "true"
    )
    expect(root.get_by_role("button", name="Zoom in")).to_be_enabled()  # which needs nobody
    screenshot("graph without a kernel", root)


@pytest.mark.spec("4.1", "5.9")
def test_a_second_deployment_says_from_which_stage_it_deploys(
    notebook: Notebook, screenshot: Callable[..., Path]
) -> None:
    """The arrow from the first deployment is one of order, without a head, and the card names the source."""
    root = show(
        notebook,
        "pipe = chain('a'); pipe.add_deployment_stage('one', trigger='auto')\n"
        "pipe.add_deployment_stage('two', trigger='auto')",
    )
    expect(bubble(root, 3)).to_contain_text("from stage 1")
    expect(bubble(root, 3)).to_have_accessible_description("from stage 1")
    expect(bubble(root, 2)).not_to_contain_text("from stage")
    assert graph(root).evaluate(EDGES) == [
        ["solid", "triangle", "straight"],
        ["dotted", "circle", "straight"],
    ]
    screenshot("two deployments", root)


@pytest.mark.spec("4.1")
def test_the_graph_is_silent_in_the_console_and_has_no_frame_under_the_mouse(
    notebook: Notebook, page: Page
) -> None:
    """Neither Cytoscape nor ipycytoscape has anything to say or to show of its own."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    root = show(notebook, many(7))
    notebook.theme("dark")
    graph(root).hover()
    page.wait_for_timeout(300)
    view = root.locator(".pw-canvas > div")
    assert view.evaluate("view => getComputedStyle(view).borderTopWidth") == "0px"
    assert [text for text in heard if "style property" in text or "wheel sensitivity" in text] == []
