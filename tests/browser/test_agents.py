"""The Agents view in the browser (spec 2.3, 2.4, 8)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE, LETTERS

#: Two experiments that have run, and how to save what they saved.
RAN = """
line = project.create_experiment("line", algorithm=trainers.line, config={"above": 2.0})
many = project.create_experiment("many", algorithm=trainers.counter, config={"steps": 6})
for each in (line, many):
    each.train().wait(60)

def agent(name, experiment=line, step=None, **options):
    saved = experiment.checkpoints
    chosen = saved[-1] if step is None else next(each for each in saved if each.step == step)
    return ws.create_agent(name, chosen, **options)
"""
KEY = re.compile(r"^pw_[\w-]{43}$")
Show: TypeAlias = Callable[..., Locator]


@pytest.fixture
def show(notebook: Notebook) -> Iterator[Show]:
    """Yield what makes agents by a few lines of Python and shows them; afterwards nobody serves one."""

    def shown(code: str = "", view: str = "ws.agents_view()") -> Locator:
        root = notebook.run(f"{LETTERS}\n{code}\nview = {view}\nview").locator(".pw-root").first
        expect(root.locator(".pw-agents")).to_be_visible()
        return root

    yield shown
    notebook.execute("for each in ws.agents: each.disconnect()")


def row(root: Locator, name: str) -> Locator:
    """Return the row of an agent."""
    return root.locator(".pw-pt-row").filter(has=root.page.get_by_role("button", name=name, exact=True))


def opener(root: Locator, name: str) -> Locator:
    """Return the button that expands a row."""
    return root.get_by_role("button", name=name, exact=True)


def act(root: Locator, name: str, word: str) -> Locator:
    """Return a button of an agent's row."""
    return row(root, name).get_by_role("button", name=word, exact=True)


def part(root: Locator, name: str, agent: str = "greeter") -> Locator:
    """Return a part of the expanded row of an agent."""
    return root.get_by_role("region", name=f"{name} of {agent}", exact=True)


def connect(root: Locator, name: str) -> str:
    """Connect an agent, and return the key that is shown this once."""
    act(root, name, "Connect").click()
    expect(row(root, name)).to_contain_text("Deployed", timeout=30_000)
    key = part(root, "Endpoint").locator(".pw-ag-key")
    expect(key).to_have_text(KEY)
    return key.inner_text()


# ---- the list


@pytest.mark.spec("2.4", "8.1", "10.4")
def test_the_list_shows_all_agents(
    notebook: Notebook, show: Show, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """With the columns that have something to show; names are text; in every theme, accessible."""
    about = "Greets who comes in, and adds what lies above."
    made = f"agent('greeter', description={about!r})\nagent({HOSTILE!r}, many, 3, description={HOSTILE!r})"
    root = show(f"{RAN}\n{made}")
    heads = root.get_by_role("table", name="Agents").get_by_role("columnheader")
    expect(heads).to_have_text(["Agent", "Description", "Source Experiment", "Status", "Actions"])
    expect(row(root, "greeter")).to_contain_text("Greets who comes in")
    expect(row(root, "greeter").get_by_role("cell").nth(1)).to_have_text("line")
    expect(row(root, "greeter").get_by_role("cell").nth(2)).to_have_text("Undeployed")
    expect(row(root, HOSTILE)).to_contain_text("many")
    expect(root.locator("img")).to_have_count(0)
    opener(root, HOSTILE).click()
    opener(root, "greeter").click()
    expect(part(root, "Versions")).to_be_visible()
    expect(part(root, "Versions", HOSTILE)).to_contain_text(
        "Step 3 of run 1 of experiment 'many', trained on its own."
    )
    for theme in ("light", "dark", "JupyterLab Dark High Contrast"):
        notebook.theme(theme)
        assert not axe(root)
        screenshot(f"agents {theme}", root)


@pytest.mark.spec("8.1")
def test_a_base_model_has_a_column_where_there_is_one(show: Show) -> None:
    """Agents without one show a dash."""
    root = show(
        RAN
        + """
sft = project.create_experiment("sft", algorithm="SFT", config={"steps": 20})
sft.train().wait(120)
agent("speaker", sft)
agent("greeter")
"""
    )
    heads = root.get_by_role("table", name="Agents").get_by_role("columnheader")
    expect(heads).to_have_text(
        ["Agent", "Description", "Source Experiment", "Base Model", "Status", "Actions"]
    )
    expect(row(root, "speaker").get_by_role("cell").nth(2)).to_have_text(re.compile("^letters"))
    expect(row(root, "greeter").get_by_role("cell").nth(2)).to_have_text("–")
    root.get_by_role("button", name="Base Model", exact=True).click()
    expect(heads.nth(3)).to_have_attribute("aria-sort", "ascending")
    expect(root.locator(".pw-pt-title")).to_have_text(["greeter", "speaker"])


#: Where each element that is shown lies in its view.
PLACES = """
root => {
  root.querySelectorAll("time").forEach((el) => delete el.dataset.at); // which would go on
  const at = root.getBoundingClientRect();
  return [...root.querySelectorAll("*")].filter((el) => el.getClientRects().length).map((el) => {
    const { left, top, width, height } = el.getBoundingClientRect();
    const place = [left - at.left, top - at.top, width, height].map(Math.round);
    return [el.tagName, el.getAttribute("class"), ...place].join(" ");
  });
}
"""


@pytest.mark.spec("8.1")
def test_another_view_moves_nothing(notebook: Notebook, show: Show) -> None:
    """Each view brings its own sheets of styles; none reaches what another view shows."""
    root = show(f"{RAN}\nagent('greeter', description='what it says')")
    connect(root, "greeter")
    before = root.evaluate(PLACES)
    other = notebook.run("project.view()").locator(".pw-root").first
    for tab in ("Pipelines", "Results", "Experiments"):
        other.get_by_role("tab", name=tab).click()
        expect(other.get_by_role("tabpanel", name=tab).locator(".pw-root")).to_be_visible()
    assert root.evaluate(PLACES) == before


@pytest.mark.spec("8.1")
def test_a_narrow_list_gives_the_description_a_line_of_its_own(
    page: Page, show: Show, screenshot: Callable[..., Path]
) -> None:
    """Nothing is cut, also while it is edited, and what is short is beside its name where there is room."""
    about = "What this policy was trained on, and for what it shall be used. " * 2
    root = show(f"{RAN}\nagent('greeter', description={about!r})\nagent('x' * 90, many)")
    line, said = row(root, "greeter"), row(root, "greeter").get_by_text("What this policy")
    name, wide = opener(root, "greeter"), page.viewport_size or {"width": 0, "height": 0}
    try:
        for width in (700, 500):
            page.set_viewport_size(
                {"width": wide["width"] - round(box(root)["width"]) + width, "height": wide["height"]}
            )
            expect(root).to_have_js_property("offsetWidth", width)
            assert box(said)["y"] > box(name)["y"] + box(name)["height"]
            assert box(said)["width"] > 0.75 * width
            scroll = root.locator(".pw-pt-scroll")
            assert scroll.evaluate("el => el.scrollWidth <= el.clientWidth")
            screenshot(f"agents at {width}", root)
            line.get_by_role("button", name="Edit description").click()
            assert box(root.get_by_role("textbox", name="Description of greeter"))["width"] > 0.75 * width
            root.get_by_role("button", name="Cancel").click()
            page.set_viewport_size(wide)
            expect(root).not_to_have_js_property("offsetWidth", width)
    finally:
        page.set_viewport_size(wide)
    assert box(said)["x"] > box(name)["x"] + box(name)["width"]


def box(found: Locator) -> dict[str, float]:
    """Return where an element is."""
    place = found.bounding_box()
    assert place is not None
    return {"x": place["x"], "y": place["y"], "width": place["width"], "height": place["height"]}


@pytest.mark.spec("2.3")
def test_an_agent_as_the_last_line_shows_its_live_view(notebook: Notebook) -> None:
    """Only this agent, without the list's buttons; once it is deleted it says so."""
    made = f"{LETTERS}\n{RAN}\nagent('other')\nview = agent('greeter')\nview"
    root = notebook.run(made).locator(".pw-root").first
    expect(root.get_by_role("heading", name="greeter")).to_be_visible()
    expect(root.get_by_role("group", name="Actions for greeter").get_by_role("button")).to_have_count(2)
    expect(part(root, "Versions")).to_be_visible()
    expect(root.get_by_role("button", name="New Agent")).to_have_count(0)
    expect(root.get_by_role("searchbox", name="Search agents")).to_have_count(0)
    notebook.execute("view.delete()")
    expect(root.get_by_text("This agent was deleted")).to_be_visible()


@pytest.mark.spec("8.1")
def test_the_list_is_searched_sorted_and_paged(notebook: Notebook, page: Page, show: Show) -> None:
    """As the list of pipelines: 50 rows a page, a search as one types, headers that are buttons."""
    root = show(f"{RAN}\nfor number in range(60): agent(f'a{{number}}')")
    titles = root.locator(".pw-pt-title")
    expect(titles).to_have_count(50)
    expect(root.get_by_role("navigation", name="Pages")).to_contain_text("1–50 of 60")
    root.get_by_role("button", name="Next page").press("Enter")
    expect(titles).to_have_text([f"a{number}" for number in range(50, 60)])
    expect(root.get_by_role("button", name="Next page")).to_be_focused()
    find = root.get_by_role("searchbox", name="Search agents")
    find.fill("a5")
    expect(titles).to_have_text(["a5", *(f"a{number}" for number in range(50, 60))])
    expect(root.get_by_text("11 of 60 agents")).to_be_visible()
    root.get_by_role("button", name="Agent", exact=True).click()
    expect(titles.first).to_have_text("a59")
    find.fill("nobody")
    expect(root.get_by_text("No agents found")).to_be_visible()
    root.get_by_role("button", name="Clear search").click()
    expect(titles).to_have_count(50)
    expect(find).to_be_focused()
    page.keyboard.type("b")
    expect(root.get_by_text("No agents found")).to_be_visible()
    root.get_by_role("button", name="Clear search").click()
    notebook.keys_leave_the_notebook_alone(
        root.get_by_role("button", name="Status", exact=True), ("b", "x", "d d")
    )


# ---- making, editing, deleting


@pytest.mark.spec("8.1")
def test_without_a_checkpoint_no_agent_can_be_made(notebook: Notebook, show: Show) -> None:
    """The button says why; that goes by itself when something was saved."""
    root = show("made = project.create_experiment('line', algorithm=trainers.line)")
    expect(root.get_by_text("No agents yet")).to_be_visible()
    new = root.get_by_role("button", name="New Agent")
    expect(new).to_have_attribute("aria-disabled", "true")
    expect(new).to_have_attribute("title", re.compile("No experiment has a checkpoint yet"))
    new.click(force=True)
    expect(root.get_by_role("dialog")).to_have_count(0)
    notebook.execute("made.train().wait(60)")
    expect(new).not_to_have_attribute("aria-disabled", "true")
    new.click()
    expect(root.get_by_role("dialog", name="New Agent")).to_be_visible()


@pytest.mark.spec("8.1")
def test_after_a_first_deployment_further_agents_can_be_made(notebook: Notebook, show: Show) -> None:
    """The button above the list is another one than that of the empty list, and knows the same."""
    root = show("pipe = chain('sft', steps=3)\npipe.add_deployment_stage('letters-agent', trigger='auto')")
    new = root.get_by_role("button", name="New Agent")
    expect(new).to_have_attribute("aria-disabled", "true")
    notebook.execute("pipe.stages[0].trigger()\npipe.wait(60)", timeout=120)
    expect(row(root, "letters-agent")).to_contain_text("Deployed", timeout=30_000)
    expect(new).not_to_have_attribute("aria-disabled", "true")
    expect(new).not_to_have_attribute("title", re.compile("No experiment"))
    new.click()
    expect(root.get_by_role("dialog", name="New Agent")).to_be_visible()


@pytest.mark.spec("8.1")
def test_a_new_agent_is_made_by_keyboard(
    notebook: Notebook, page: Page, show: Show, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Of a specific checkpoint, out of a table with both scores and charts; a refusal loses nothing typed."""
    root = show(f"{RAN}\nagent('taken')")
    root.get_by_role("button", name="New Agent").press("Enter")
    dialog = root.get_by_role("dialog", name="New Agent")
    name = dialog.get_by_label("Name")
    expect(name).to_be_focused()
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_have_text("Give the agent a name.")
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    name.fill("taken")
    expect(name).not_to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_role("alert")).to_be_empty()
    dialog.get_by_label("Description").fill("of the\nthird step")
    source = dialog.get_by_label("Source experiment")
    expect(source.get_by_role("option")).to_have_text(["many (Counter)", "line (Line)"])
    expect(dialog.get_by_label("Best checkpoint")).to_be_checked()
    expect(dialog.get_by_text("Best evaluation score 6, step 6.")).to_be_visible()
    for chart in ("Training Score", "Evaluation Score"):
        expect(dialog.get_by_role("figure").filter(has_text=chart)).to_be_visible()
    expect(dialog.get_by_role("img", name="Evaluation Score by step; marked: step 6, 6")).to_be_visible()
    dialog.get_by_label("A specific step").press("Space")
    heads = dialog.get_by_role("table", name="Checkpoints").get_by_role("columnheader")
    expect(heads).to_have_text(["Steps", "Training Score", "Evaluation Score", "Size"])
    dialog.get_by_role("radio", name="Step 3").press("Space")
    expect(dialog.get_by_role("img", name="Evaluation Score by step; marked: step 3, 3")).to_be_visible()
    assert not axe(dialog)
    screenshot("agents new")
    name.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("An agent named 'taken' already exists.")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_role("radio", name="Step 3")).to_be_checked()
    name.fill("third")
    notebook.keys_leave_the_notebook_alone(dialog.get_by_role("button", name="Create"), ("b", "x", "d d"))
    name.press("Enter")
    expect(dialog).to_have_count(0)
    expect(opener(root, "third")).to_be_focused()
    expect(row(root, "third")).to_contain_text("of the third step")
    assert notebook.python("(ws.agents['third'].checkpoint.step, ws.agents['third'].experiment)") == [
        3,
        "many",
    ]


@pytest.mark.spec("8.1")
def test_a_source_is_searched_among_many(notebook: Notebook, page: Page, show: Show) -> None:
    """Of all projects of the workspace, which are named then; what was not found is said."""
    root = show(
        RAN
        + """
other = ws.create_project("Classic")
runs = [other.create_experiment(f"e{number}", algorithm=trainers.bare).train() for number in range(14)]
for each in runs:
    each.wait(60)
"""
    )
    root.get_by_role("button", name="New Agent").click()
    dialog = root.get_by_role("dialog", name="New Agent")
    dialog.get_by_label("Name").fill("found")
    source = dialog.get_by_label("Source experiment")
    source.fill("nothing like it")
    source.press("Tab")
    expect(dialog.get_by_text("No experiment matches 'nothing like it'.")).to_be_visible()
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("No source experiment is chosen.")
    source.fill("line")
    source.press("Enter")
    expect(source).to_have_value("line in Letters (Line)")
    expect(dialog.get_by_label("Best checkpoint")).to_be_focused()
    source.fill("1 classic")
    expect(dialog.get_by_label("Best checkpoint")).to_have_count(0)  # what is typed is not what was chosen
    source.press("Enter")
    expect(
        dialog.get_by_text("5 experiments match: e13 in Classic (Bare), e12 in Classic (Bare)")
    ).to_be_visible()
    source.fill("e13 classic")
    source.press("Tab")
    expect(source).to_have_value("e13 in Classic (Bare)")
    expect(dialog.get_by_text("No scores were reported: final, step 1.")).to_be_visible()
    expect(dialog.get_by_text("Bare does not say how its checkpoints answer")).to_be_visible()
    expect(dialog.get_by_label("Best checkpoint")).to_be_focused()
    dialog.get_by_role("button", name="Create").click()
    expect(row(root, "found")).to_contain_text("e13")
    expect(row(root, "found")).to_contain_text("Classic")


@pytest.mark.spec("8.1", "5.13")
def test_a_description_is_edited_in_its_cell(notebook: Notebook, page: Page, show: Show) -> None:
    """Ctrl+Enter saves, Escape cancels; what others wrote meanwhile is shown, and nothing typed is lost."""
    root = show(f"{RAN}\nagent('greeter', description='old')")
    edit = row(root, "greeter").get_by_role("button", name="Edit description")
    edit.press("Enter")
    text = root.get_by_role("textbox", name="Description of greeter")
    expect(text).to_be_focused()
    notebook.keys_leave_the_notebook_alone(text, ("b", "x"))
    text.fill("mine")
    notebook.execute("ws.agents['greeter'].update(description='theirs')")
    expect(root.get_by_text("Now it says: theirs")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(root.get_by_role("alert")).to_contain_text("Its description was edited.")
    expect(text).to_have_value("mine")
    page.keyboard.press("Control+Enter")
    expect(edit).to_be_focused()
    expect(row(root, "greeter")).to_contain_text("mine")
    assert notebook.python("ws.agents['greeter'].description") == "mine"
    edit.press("Enter")
    page.keyboard.press("Escape")
    expect(edit).to_be_focused()


@pytest.mark.spec("8.1")
def test_an_agent_is_deleted_after_a_question(notebook: Notebook, page: Page, show: Show) -> None:
    """One that a stage starts from is refused by name; focus goes to the neighbour of what is gone."""
    root = show(
        RAN
        + """
pipe = project.create_pipeline("next")
first = agent("first")
pipe.add_experiment_stage(project.create_experiment("on", algorithm=trainers.line), start=first)
agent("second")
"""
    )
    act(root, "first", "Delete").press("Enter")
    dialog = root.get_by_role("dialog", name="Delete agent 'first'?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()  # a second Enter deletes nothing
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The first stage of pipeline 'next' starts from it.")
    page.keyboard.press("Escape")
    expect(act(root, "first", "Delete")).to_be_focused()
    act(root, "second", "Delete").click()
    root.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(opener(root, "second")).to_have_count(0)
    expect(opener(root, "first")).to_be_focused()
    assert notebook.python("[each.name for each in ws.agents]") == ["first"]


# ---- serving


@pytest.mark.spec("8.1", "8.3")
def test_a_connected_agent_shows_how_to_ask_it(
    notebook: Notebook, page: Page, show: Show, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """The status changes by itself; URL, key and snippets are there to copy, and the snippets work."""
    root = show(f"{RAN}\nagent('greeter')")
    key = connect(root, "greeter")
    expect(root.get_by_text("greeter is Deployed.")).to_be_attached()
    url = part(root, "Endpoint").locator(".pw-ag-url").inner_text()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/get_action", url)
    expect(part(root, "Endpoint")).to_contain_text("It listens on this machine only")
    expect(part(root, "Endpoint")).to_contain_text("Copy the key now, it won't be shown again.")
    code = part(root, "Code")
    for language, command in (("Python", [sys.executable, "-c"]), ("curl", ["bash", "-c"])):
        code.get_by_role("tab", name=language).click()
        expect(code.get_by_role("tab", name=language)).to_have_attribute("aria-selected", "true")
        text = code.get_by_role("tabpanel").inner_text()
        assert text.count(key) == 1
        ran = subprocess.run([*command, text], capture_output=True, text=True, check=True)
        assert "8.0" in ran.stdout
    code.get_by_role("tab", name="curl").press("ArrowLeft")
    expect(code.get_by_role("tab", name="Python")).to_be_focused()
    expect(code.get_by_role("tabpanel")).to_contain_text("import json")
    for button, copied in (("Copy key", key), ("Copy URL", url)):
        root.get_by_role("button", name=button).click()
        expect(root.get_by_role("button", name=button)).to_have_class(re.compile("pw-copied"))
        box = part(root, "Try it").get_by_label("Observation")
        box.fill("")
        box.press("Control+v")
        expect(box).to_have_value(copied)
    screenshot("agents connected", root)
    assert not axe(root)
    notebook.keys_leave_the_notebook_alone(code.get_by_role("tab", name="Python"), ("b", "x", "d d"))
    act(root, "greeter", "Disconnect").click()
    expect(row(root, "greeter")).to_contain_text("Undeployed")
    expect(act(root, "greeter", "Connect")).to_be_focused()
    expect(part(root, "Endpoint")).to_have_count(0)


@pytest.mark.spec("8.3")
def test_a_key_is_shown_once_and_saved_nowhere(notebook: Notebook, show: Show, opened: Notebook) -> None:
    """Hidden, or on another load of the page, only its end is told; no file has it."""
    root = show(f"{RAN}\nagent('greeter')")
    key = connect(root, "greeter")
    notebook.reload()
    root = notebook.page.locator(".pw-root").first
    expect(part(root, "Endpoint")).to_contain_text(f"Key ends in …{key[-4:]}. It was shown once.")
    assert key not in notebook.page.content()
    expect(part(root, "Code")).to_contain_text("YOUR-KEY")
    folder = Path(notebook.python("str(ws.artifacts.parent)"))
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert files
    assert not [each for each in files if key.encode() in each.read_bytes()]
    assert key not in json.dumps(notebook.python("__import__('json').dumps(view.get_state(), default=str)"))
    assert key not in saved_notebook(notebook)


@pytest.mark.spec("8.3")
def test_a_key_is_rotated_after_a_question(notebook: Notebook, page: Page, show: Show) -> None:
    """The new one is shown once and focused, the old one refused; Hide leaves its end."""
    root = show(f"{RAN}\nagent('greeter')")
    old = connect(root, "greeter")
    endpoint = part(root, "Endpoint")
    endpoint.get_by_role("button", name="Hide").press("Enter")
    expect(endpoint).to_contain_text(f"Key ends in …{old[-4:]}. It was shown once.")
    rotate = endpoint.get_by_role("button", name="Rotate key")
    expect(rotate).to_be_focused()
    rotate.press("Enter")
    dialog = root.get_by_role("dialog", name="Rotate the key of 'greeter'?")
    expect(dialog).to_contain_text(f"The key that ends in …{old[-4:]} is refused at once.")
    page.keyboard.press("Escape")
    expect(rotate).to_be_focused()
    rotate.press("Enter")
    dialog.get_by_role("button", name="Rotate key").click()
    shown = endpoint.locator(".pw-ag-key")
    expect(shown).to_have_text(KEY)
    new = shown.inner_text()
    assert new != old
    expect(endpoint.get_by_role("button", name="Copy key")).to_be_focused()
    url = endpoint.locator(".pw-ag-url").inner_text()
    statuses = [
        page.request.post(
            url, data={"observation": [1, 2, 3]}, headers={"Authorization": f"Bearer {key}"}
        ).status
        for key in (old, new)
    ]
    assert statuses == [401, 200]


@pytest.mark.spec("8.1")
def test_an_agent_is_tried_in_its_row(
    notebook: Notebook, page: Page, show: Show, screenshot: Callable[..., Path]
) -> None:
    """An example is there to begin with; Ctrl+Enter sends; answers and refusals come with code and time."""
    root = show(f"{RAN}\nagent('greeter')")
    connect(root, "greeter")
    box = part(root, "Try it")
    text, said = box.get_by_label("Observation, as JSON"), box.get_by_role("status")
    expect(text).to_have_value("[1.0, 2.0, 3.0]")
    text.press("Control+Enter")
    expect(said).to_contain_text("200 OK")
    expect(said).to_contain_text(re.compile(r"\d ms"))
    expect(said).to_contain_text("Answer to [1.0, 2.0, 3.0]")
    expect(box.get_by_label("Answer")).to_contain_text('"action": 8.0')
    expect(text).to_be_focused()
    text.fill("[1]")
    box.get_by_role("button", name="Send").click()
    expect(said).to_contain_text("422")
    expect(box.get_by_label("Answer")).to_contain_text("3 numbers, not 1")
    screenshot("agents tried", root)
    text.fill("[1, 2")
    text.press("Control+Enter")
    expect(said).to_contain_text("That is not JSON.")
    text.fill(json.dumps([HOSTILE]))
    text.press("Control+Enter")
    expect(said).to_contain_text("422")
    text.fill("[0, 0, 7]")
    notebook.execute("ws.agents['greeter'].update(description='another')")
    expect(row(root, "greeter")).to_contain_text("another")
    expect(text).to_have_value("[0, 0, 7]")  # what is typed stays whatever comes
    expect(text).to_be_focused()
    notebook.execute("ws.agents['greeter'].disconnect()")
    expect(row(root, "greeter")).to_contain_text("Undeployed")
    notebook.keys_leave_the_notebook_alone(act(root, "greeter", "Connect"), ("b", "x", "d d"))


@pytest.mark.spec("8.1")
def test_one_question_at_a_time(page: Page, show: Show) -> None:
    """While the answer is awaited the button says so; the answer says which question it is for."""
    root = show(
        RAN
        + """
slow = project.create_experiment("slow", algorithm=trainers.line, config={"act": "slow"})
slow.train().wait(60)
agent("greeter", slow)
"""
    )
    connect(root, "greeter")
    box = part(root, "Try it")
    text, send, said = (
        box.get_by_role("textbox"),
        box.get_by_role("button", name="Send"),
        box.get_by_role("status"),
    )
    send.click()
    expect(said).to_have_text("Waiting for the answer")
    expect(send).to_have_attribute("aria-disabled", "true")
    expect(send).to_have_attribute("title", "Waiting for the answer")
    expect(box.get_by_text(re.compile(r"^\d s$"))).to_be_visible()
    text.fill("[9, 9, 9]")
    expect(said).to_contain_text("Answer to [1.0, 2.0, 3.0]")
    expect(said).to_contain_text(re.compile(r"\d\.\d s"))
    expect(text).to_have_value("[9, 9, 9]")
    expect(send).not_to_have_attribute("aria-disabled", "true")


@pytest.mark.spec("8.1")
def test_an_agent_that_cannot_answer_says_so(show: Show) -> None:
    """Where its algorithm declares no predictor, there is no code that would be refused, and no box."""
    root = show(
        RAN
        + """
bare = project.create_experiment("bare", algorithm=trainers.bare)
bare.train().wait(60)
agent("greeter", bare)
"""
    )
    connect(root, "greeter")
    expect(root.locator(".pw-ag-trouble")).to_contain_text("Bare does not say how its checkpoints answer.")
    expect(part(root, "Code")).to_be_hidden()
    expect(part(root, "Try it")).to_be_hidden()


@pytest.mark.spec("8.1", "8.2")
def test_a_deployment_appears_and_is_rolled_back(notebook: Notebook, page: Page, show: Show) -> None:
    """It is Deployed, has no key until one is made, and a former version answers after Roll back."""
    root = show(
        """
pipe = project.create_pipeline("chain")
line = project.create_experiment("line", algorithm=trainers.line, config={"above": 2.0})
pipe.add_experiment_stage(line)
pipe.add_deployment_stage("greeter", trigger="auto")
"""
    )
    notebook.execute("pipe.stages[0].trigger(); pipe.wait(90)", timeout=120)
    expect(row(root, "greeter")).to_contain_text("Deployed")
    opener(root, "greeter").click()
    expect(part(root, "Versions")).to_contain_text("Deployed by stage 2 of pipeline 'chain', run 1.")
    endpoint = part(root, "Endpoint")
    expect(endpoint).to_contain_text("No key yet.")
    endpoint.get_by_role("button", name="Create key").click()
    expect(endpoint.locator(".pw-ag-key")).to_have_text(KEY)
    again = "line.update(config={'above': 3.0}); pipe.stages[0].trigger(); pipe.wait(90)"
    notebook.execute(again, timeout=120)
    versions = root.get_by_role("table", name="Versions of greeter").get_by_role("row")
    expect(versions).to_have_count(3)
    expect(versions.nth(1)).to_contain_text("Current")
    box = part(root, "Try it")
    box.get_by_role("button", name="Send").click()
    expect(box.get_by_label("Answer")).to_contain_text('"action": 9.0')
    back = versions.nth(2).get_by_role("button", name="Roll back")
    back.press("Enter")
    dialog = root.get_by_role("dialog", name="Roll back 'greeter' to version 1?")
    expect(dialog).to_contain_text("Its endpoint answers with it at once.")
    dialog.get_by_role("button", name="Roll back").click()
    expect(versions.nth(2)).to_contain_text("Current")
    expect(versions.nth(1).get_by_role("button", name="Make current")).to_be_visible()
    expect(versions.nth(2)).not_to_contain_text("Served")
    box.get_by_role("button", name="Send").click()
    expect(box.get_by_label("Answer")).to_contain_text('"action": 8.0')
    assert notebook.python("ws.agents['greeter'].version") == 1


@pytest.mark.spec("8.1", "8.3")
def test_an_endpoint_that_dies_is_found_failed(
    notebook: Notebook, show: Show, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """With the evidence, by itself; so is one whose checkpoint cannot be opened, with what its code said."""
    root = show(
        RAN
        + """
broken = project.create_experiment("broken", algorithm=trainers.line, config={"act": "cannot be opened"})
broken.train().wait(60)
agent("greeter"), agent("broken", broken)
"""
    )
    act(root, "broken", "Connect").click()
    expect(row(root, "broken")).to_contain_text("Failed", timeout=30_000)
    expect(root.locator(".pw-ag-trouble")).to_contain_text("the line is <b>broken</b>")
    expect(root.locator(".pw-ag-trouble")).to_contain_text("Connect starts it again; its key stays.")
    expect(root.get_by_role("group", name="Log of broken", exact=True)).to_contain_text("in open_line")
    expect(root.get_by_text("broken is Failed.")).to_be_attached()
    opener(root, "broken").click()
    connect(root, "greeter")
    notebook.execute(
        """
import psutil
with ws._services.store.read() as work:
    service = work.endpoints.lease(ws.agents["greeter"]._id)
psutil.Process(service.holder.pid).kill()
"""
    )
    expect(row(root, "greeter")).to_contain_text("Failed", timeout=30_000)
    expect(root.locator(".pw-ag-trouble")).to_contain_text("Its endpoint failed: Its process")
    expect(root.locator("b")).to_have_count(0)
    screenshot("agents failed", root)
    assert not axe(root)
    act(root, "greeter", "Connect").click()
    expect(row(root, "greeter")).to_contain_text("Deployed", timeout=30_000)


def saved_notebook(notebook: Notebook) -> str:
    """Return the file of the notebook as it was saved last."""
    reply = notebook.page.request.get(re.sub(r"/lab/tree/([^?]+).*", r"/files/\1", notebook.page.url))
    assert reply.ok
    return reply.text()
