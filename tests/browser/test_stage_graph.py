"""The stage graph in a real JupyterLab: spec section 4."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import BUSY, HOSTILE
from browser.views import bubble, show

SLOW = 30_000  # milliseconds
#: The colour of the shapes in the Cytoscape core.
BACKGROUND = """box => [...box.querySelectorAll('*')].find(each => each._cyreg)._cyreg.cy
    .nodes()[0].style('background-color')"""


def names(root: Locator) -> list[str]:
    """Return the stages' names, from left to right."""
    return root.locator(".pw-bubbles .pw-bubble").evaluate_all(
        "all => all.map(each => each.getAttribute('aria-label').match(/: (.*?), /)[1])"
    )


@pytest.mark.spec("4.1")
def test_stages_are_a_chain_of_bubbles_in_cytoscape(
    notebook: Notebook, screenshot: Callable[..., Path], axe: Callable[[Locator], str]
) -> None:
    """Each bubble shows type, name and status in words and icons, and Cytoscape carries the chain."""
    root = show(notebook, "pipe = chain('sft', 'dpo'); pipe.add_deployment_stage('letters', trigger='auto')")

    expect(root.locator(".pw-graphbox")).to_have_attribute("data-renderer", "cytoscape")
    for number, words in enumerate(
        ("Experiment sft Draft", "Experiment dpo Draft", "Deployment letters Draft"), 1
    ):
        for word in words.split():
            expect(bubble(root, number)).to_contain_text(word)
        expect(bubble(root, number).locator(".pw-badge svg path")).to_have_count(1)
    left = [bubble(root, number).bounding_box() for number in (1, 2, 3)]
    xs = [box["x"] for box in left if box]
    assert xs == sorted(xs)
    assert len(set(xs)) == 3
    assert axe(root) == ""
    screenshot("graph", root)


@pytest.mark.spec("4.1", "6.8")
def test_stale_is_shown_with_its_reasons(notebook: Notebook) -> None:
    """After a re-run of the first stage the second bubble says Stale, and the reasons can be read."""
    root = show(notebook, "pipe = chain('sft', 'dpo'); pipe.stages[0].trigger(); pipe.wait(60)")
    expect(bubble(root, 2)).to_contain_text("Succeeded", timeout=SLOW)

    notebook.execute(
        "pipe.stages[1].update(trigger='manual')\n"
        "again = project.create_experiment('sft 2', algorithm=trainers.counter, config={'steps': 5})\n"
        "pipe.stages[0].update(experiment=again); pipe.stages[0].trigger().wait(60)"
    )

    expect(bubble(root, 2)).to_contain_text("Stale", timeout=SLOW)
    bubble(root, 2).focus()
    notebook.page.keyboard.press("Space")
    expect(root.get_by_text("Stage 1 has another experiment").first).to_be_visible()


@pytest.mark.spec("4.1")
def test_every_bubble_keeps_its_words_when_a_change_comes_while_nothing_is_laid_out(
    notebook: Notebook,
) -> None:
    """JupyterLab takes outputs out of the page for a moment: what comes then is drawn as wide as before."""
    root = show(notebook, "pipe = chain('sft', 'dpo', 'grpo')")
    expect(bubble(root, 3)).to_contain_text("grpo")
    box = root.locator(".pw-graphbox")
    box.evaluate("box => Object.defineProperty(box, 'clientWidth', {get: () => 0, configurable: true})")
    notebook.execute("pipe.stages[1].update(trigger='manual')")
    expect(bubble(root, 2)).to_contain_text("Manual", timeout=SLOW)
    for number, name in enumerate(("sft", "dpo", "grpo"), 1):
        expect(bubble(root, number)).to_contain_text(name)
    expect(root.get_by_role("button", name="Add a stage at the end")).to_be_visible()
    box.evaluate("box => delete box.clientWidth")


@pytest.mark.spec("4.2")
def test_plus_inserts_at_any_position(notebook: Notebook) -> None:
    """There is a "+" before, between and after the stages, and each opens the form for its position."""
    root = show(
        notebook, "pipe = chain('sft', 'dpo')\nproject.create_experiment('grpo', algorithm=trainers.counter)"
    )
    for name in (
        "Insert a stage at the beginning",
        "Insert a stage between 1 and 2",
        "Add a stage at the end",
    ):
        expect(root.get_by_role("button", name=name)).to_be_visible()

    root.get_by_role("button", name="Insert a stage between 1 and 2").click()
    dialog = root.get_by_role("dialog")
    expect(dialog).to_contain_text("Add stage")
    dialog.get_by_role("button", name="Add stage").click()

    expect(dialog).to_have_count(0)
    expect(bubble(root, 2)).to_contain_text("grpo")
    assert names(root) == ["sft", "grpo", "dpo"]


@pytest.mark.spec("4.2")
def test_a_bubble_is_reordered_by_drag(notebook: Notebook, page: Page) -> None:
    """Dropped beyond its neighbour a stage takes that place; in Python, too, and no viewport jumps."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', trigger='manual')")
    layer = root.locator(".pw-layer")
    before = layer.get_attribute("style")
    start, end = bubble(root, 2).bounding_box(), bubble(root, 3).bounding_box()
    assert start
    assert end

    page.mouse.move(start["x"] + 60, start["y"] + 30)
    page.mouse.down()
    page.mouse.move(end["x"] + 40, end["y"] + 34, steps=6)
    page.mouse.move(end["x"] + 90, end["y"] + 34, steps=3)
    page.mouse.up()

    expect(bubble(root, 3)).to_contain_text("b")
    assert names(root) == ["a", "c", "b"]
    assert layer.get_attribute("style") == before
    assert notebook.python("[s.name for s in pipe.stages]") == ["a", "c", "b"]


@pytest.mark.spec("4.2", "4.5")
def test_stages_are_walked_moved_and_deleted_by_keyboard(notebook: Notebook, page: Page) -> None:
    """Arrows walk, Alt and arrows move, Delete asks and deletes; the focus stays with the stage."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', trigger='manual')")
    bubble(root, 1).focus()

    page.keyboard.press("ArrowRight")
    expect(bubble(root, 2)).to_be_focused()
    page.keyboard.press("Alt+ArrowRight")
    expect(bubble(root, 3)).to_contain_text("b")
    expect(bubble(root, 3)).to_be_focused()
    page.keyboard.press("Home")
    expect(bubble(root, 1)).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Delete")
    expect(root.get_by_role("dialog")).to_contain_text("Delete stage 3 (b)?")
    root.get_by_role("dialog").get_by_role("button", name="Delete stage").press("Enter")

    expect(root.locator(".pw-bubble")).to_have_count(2)
    assert notebook.python("[s.name for s in pipe.stages]") == ["a", "c"]


@pytest.mark.spec("4.4")
def test_a_late_word_of_an_older_choice_does_not_move_the_selection(notebook: Notebook, page: Page) -> None:
    """What the kernel tells of a former choice, late, does not take the selection away for a moment."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', trigger='manual'); view = pipe.view()", "view")
    notebook.execute(BUSY)
    bubble(root, 1).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):  # the kernel hears of 2, 3 and 2 when it is free
        page.keyboard.press(key)
    expect(bubble(root, 2)).to_have_attribute("aria-pressed", "true")
    bubble(root, 3).evaluate(
        "one => { window.pressed = 0;"
        " new MutationObserver(() => window.pressed++).observe(one, {attributes: true}) }"
    )

    notebook.execute("done.set()")

    expect(root.get_by_role("region", name="Stage 2: b").get_by_text("Not run yet")).to_be_visible()
    page.wait_for_timeout(300)
    assert page.evaluate("window.pressed") == 0
    expect(bubble(root, 2)).to_have_attribute("aria-pressed", "true")


@pytest.mark.spec("4.2", "6.1")
def test_a_stage_is_triggered_or_says_why_not(notebook: Notebook) -> None:
    """The button "Trigger stage" runs the selected stage; where it cannot, its tooltip says why."""
    root = show(notebook, "pipe = chain('a', 'b', trigger='manual')")
    trigger = root.get_by_role("button", name="Trigger stage")
    bubble(root, 2).focus()
    notebook.page.keyboard.press("Space")
    expect(trigger).to_be_disabled()
    expect(trigger).to_have_attribute("title", "Waiting for a checkpoint from Stage 1 (a).")

    bubble(root, 1).focus()
    notebook.page.keyboard.press("Space")
    trigger.click()

    expect(bubble(root, 1)).to_contain_text("Succeeded", timeout=SLOW)
    expect(bubble(root, 2)).to_contain_text("Draft")


@pytest.mark.spec("4.4")
def test_a_refresh_moves_nothing(notebook: Notebook, page: Page) -> None:
    """Statuses arrive while viewport, selection, focus and an open dialog stay as they are."""
    root = show(notebook, "pipe = chain('a', 'b', 'c', steps=60, pause=0.05)")
    root.get_by_role("button", name="Zoom in").click()
    layer = root.locator(".pw-layer")
    bubble(root, 3).focus()
    page.keyboard.press("Space")
    before = layer.get_attribute("style")
    root.get_by_role("button", name="Edit stage").click()
    notebook.execute("pipe.stages[0].trigger()")

    expect(bubble(root, 2)).to_contain_text("Running", timeout=SLOW)

    expect(root.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(root.get_by_role("button", name="Edit stage")).to_be_focused()
    expect(bubble(root, 3)).to_have_attribute("aria-pressed", "true")
    assert layer.get_attribute("style") == before
    notebook.execute("pipe.stop(); pipe.wait(30)")


@pytest.mark.spec("4.4")
def test_the_graph_lives_while_a_cell_runs(notebook: Notebook) -> None:
    """During a cell that sleeps, a stage is triggered by its button and seen to run and to be stopped."""
    root = show(notebook, "pipe = chain('a', steps=600, pause=0.05)")
    expect(root.get_by_role("button", name="Trigger stage")).to_be_enabled()
    notebook.page.wait_for_timeout(500)
    notebook.start(
        "import time\nfor _ in range(300):\n    time.sleep(0.1)\n"
        "    if pipe.stages[0].status == 'Stopped': break"
    )

    root.get_by_role("button", name="Trigger stage").click()
    expect(bubble(root, 1)).to_contain_text("Running", timeout=15_000)
    root.get_by_role("button", name="Stop", exact=True).click()

    expect(bubble(root, 1)).to_contain_text("Stopped", timeout=15_000)
    notebook.finish()


@pytest.mark.spec("4.5")
def test_no_key_reaches_the_notebook(notebook: Notebook) -> None:
    """b, x, d d, a, Enter and Escape on each control of the graph leave the notebook's cells alone."""
    root = show(notebook, "pipe = chain('a', 'b', trigger='manual')")
    controls = root.locator("button:visible, [tabindex='0']:visible")

    for at in range(controls.count()):
        notebook.keys_leave_the_notebook_alone(controls.nth(at), ("b", "x", "d d", "a", "Escape"))
        notebook.page.keyboard.press("Escape")
    root.locator(".pw-root").first.or_(root).first.focus()
    notebook.keys_leave_the_notebook_alone(root)


@pytest.mark.spec("4.6")
def test_the_graph_follows_the_theme(
    notebook: Notebook, screenshot: Callable[..., Path], axe: Callable[[Locator], str]
) -> None:
    """Light, dark and high contrast: shapes and texts take JupyterLab's colours without a re-run."""
    root = show(notebook, "pipe = chain('sft', 'dpo', 'grpo')")
    box = root.locator(".pw-graphbox")
    seen: set[str] = set()
    for theme in ("light", "dark", "JupyterLab Dark High Contrast"):
        notebook.theme(theme)
        notebook.page.wait_for_timeout(300)
        seen.add(str(box.evaluate(BACKGROUND)))
        assert axe(root) == ""
        screenshot(f"graph {theme}", root)
    assert len(seen) >= 2


@pytest.mark.spec("4.1", "4.4")
def test_without_cytoscape_the_chain_is_plain_svg(notebook: Notebook, page: Page) -> None:
    """Where the Cytoscape view cannot load, an SVG chain takes its place, and stages can be chosen in it."""
    page.route("**/jupyter-cytoscape/**", lambda route: route.abort())
    try:
        notebook.reload()
        root = show(notebook, "pipe = chain('a', 'b', trigger='manual')", renderer="svg")
        expect(root.locator(".pw-graphbox")).to_have_attribute("data-renderer", "svg")
        expect(root.locator(".pw-plain rect")).to_have_count(2)

        bubble(root, 2).click()
        expect(bubble(root, 2)).to_have_attribute("aria-pressed", "true")
    finally:
        page.unroute("**/jupyter-cytoscape/**")
        notebook.reload()
        notebook.errors.clear()  # that the view could not load is what was asked for


@pytest.mark.spec("10.4")
def test_names_are_text(notebook: Notebook, page: Page) -> None:
    """Names that are HTML are shown letter by letter, in the graph and in what a screen reader gets."""
    root = show(notebook, f"pipe = chain({HOSTILE!r}, {HOSTILE + ' 2'!r}, name={HOSTILE!r})")
    expect(bubble(root, 1)).to_contain_text(HOSTILE)
    expect(root.get_by_role("heading", name=HOSTILE).first).to_be_visible()
    assert root.locator("img").count() == 0


@pytest.mark.parametrize("stages", [1, 40])
def test_short_and_long_chains_are_readable(
    notebook: Notebook, screenshot: Callable[..., Path], stages: int
) -> None:
    """One stage is centred; of forty a readable part is shown, and "Fit all stages" shows them all."""
    root = show(notebook, f"pipe = chain(*[f'a rather long name of stage {{i}}' for i in range({stages})])")
    screenshot(f"graph of {stages}", root)
    box, first = root.locator(".pw-graphbox").bounding_box(), bubble(root, 1).bounding_box()
    assert box
    assert first
    assert first["width"] >= 130
    root.get_by_role("button", name="Fit all stages").click()
    last = root.locator(".pw-bubble").last.bounding_box()
    assert last
    assert last["x"] + last["width"] <= box["x"] + box["width"]
