"""The stage form and its pickers in a real JupyterLab: spec section 5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from browser.notebook import Notebook
from browser.scenes import HOSTILE

LETTER_KEYS = ("b", "x", "d d", "a")

#: Defines `lab`, in which no process runs, and `show(pipeline)`.
LAB = """
import pipeline_widgets as pw
from factories.lab import Clock, Lab
from factories.values import DPO, GRPO, PPO, SFT
from pipeline_widgets.domain.chain import FromSource
from pipeline_widgets.widgets.pipeline import PipelineView

ws = pw.Workspace()
lab = Lab(ws._services.store, Clock())

def show(pipeline):
    global pipe, view
    pipe, view = pipeline, PipelineView(ws._services, pipeline.id)
    return view
"""
SETTINGS = "[__import__('dataclasses').asdict(each) for each in lab.pipelines.get(pipe.id).stages]"


def shown(notebook: Notebook, made: str) -> Locator:
    """Run code that ends with a builder, and return the builder."""
    root = notebook.run(f"{LAB}\n{made}").locator(".pw-root").first
    expect(root).to_be_visible()
    return root


def add(root: Locator, page: Page) -> Locator:
    """Open the form for a stage at the end."""
    root.get_by_role("button", name="Add stage").first.click()
    form = page.get_by_role("dialog", name="Add stage")
    expect(form).to_be_visible()
    return form


def edit(notebook: Notebook, root: Locator, number: int) -> Locator:
    """Open the form of a stage."""
    notebook.execute(f"view.do_select(lab.pipelines.get(pipe.id).stages[{number - 1}].id)")
    expect(root.get_by_role("group", name=f"Stage {number}:")).to_be_visible()
    root.get_by_role("button", name="Edit stage").click()
    form = notebook.page.get_by_role("dialog", name=f"Edit stage {number}")
    expect(form).to_be_visible()
    return form


def choice(form: Locator, name: str) -> Locator:
    """Return a radio button."""
    return form.get_by_role("radio", name=name, exact=True)


def submit(form: Locator, name: str = "Add stage") -> None:
    """Press the form's own button, and wait until it is closed."""
    form.get_by_role("button", name=name).click()
    expect(form).to_be_hidden()


@pytest.mark.spec("5.1", "5.2", "5.4")
def test_a_first_stage_is_manual_and_no_deployment(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """The form says so beside the choices that cannot be made, and adds the stage."""
    root = shown(notebook, "lab.experiment('sft', SFT)\nshow(lab.pipelines.create(lab.project.id, 'chain'))")
    form = add(root, page)
    expect(choice(form, "Deployment")).to_be_disabled()
    expect(form.get_by_text("A Deployment stage cannot be first")).to_be_visible()
    expect(choice(form, "Auto")).to_be_disabled()
    expect(choice(form, "Auto")).to_have_accessible_description("First stage can only be triggered manually")
    expect(choice(form, "Start from scratch")).to_be_checked()
    expect(choice(form, "Use saved Agent")).to_be_disabled()
    expect(form.get_by_text("There are no saved Agents yet.")).to_be_visible()
    expect(choice(form, "sft")).to_be_checked()
    assert axe(form) == ""
    screenshot("stage form first", form)
    submit(form)
    (stage,) = notebook.python(SETTINGS)
    assert (stage["trigger"], stage["start"]) == ("manual", {})


@pytest.mark.spec("5.1")
def test_the_type_of_a_stage_is_fixed_when_it_is_edited(notebook: Notebook) -> None:
    """The form of a stage shows its type and its settings, and the other type cannot be chosen."""
    root = shown(notebook, "show(lab.pipeline('SFT', 'deploy', trigger='auto'))")
    form = edit(notebook, root, 2)
    expect(choice(form, "Deployment")).to_be_checked()
    expect(choice(form, "Experiment")).to_be_disabled()
    expect(choice(form, "Experiment")).to_have_accessible_description("A stage cannot change its type.")
    expect(form.get_by_label("Agent name")).to_have_value("letters-agent")
    expect(choice(form, "Auto")).to_be_checked()
    form.get_by_label("Agent description").fill("sorts four letters")
    submit(form, "Save stage")
    assert notebook.python(SETTINGS)[1]["agent_description"] == "sorts four letters"


@pytest.mark.spec("5.2")
def test_an_auto_stage_may_carry_a_gate(notebook: Notebook, page: Page) -> None:
    """The form says when an Auto stage starts, and asks for the score of its gate."""
    root = shown(notebook, "lab.experiment('grpo', GRPO)\nshow(lab.pipeline('SFT'))")
    form = add(root, page)
    expect(form.get_by_role("group", name="Start only if…")).to_be_hidden()
    choice(form, "Auto").check()
    expect(choice(form, "Auto")).to_have_accessible_description("Starts when the prior stage succeeds")
    expect(choice(form, "Better than the agent now deployed")).to_be_hidden()
    choice(form, "Evaluation score at least").check()
    form.get_by_role("button", name="Add stage").click()
    expect(form.get_by_role("alert")).to_contain_text("The gate has no score.")
    least = form.get_by_label("Least evaluation score")
    expect(least).to_be_focused()
    least.fill("0.9")
    submit(form)
    stage = notebook.python(SETTINGS)[1]
    assert (stage["trigger"], stage["gate"]) == ("auto", {"score": 0.9})


@pytest.mark.spec("5.3")
def test_what_an_insertion_changes_along_is_told(notebook: Notebook, page: Page) -> None:
    """A stage before the first one takes its place, and a notice says what became of the former first."""
    root = shown(notebook, "lab.experiment('before', SFT)\nshow(lab.pipeline('SFT'))")
    root.get_by_role("button", name="Insert before").click()
    form = page.get_by_role("dialog", name="Add stage")
    expect(form.get_by_text("Will be stage 1 of chain.")).to_be_visible()
    submit(form)
    said = root.get_by_role("group", name="Notification")
    expect(said).to_contain_text("Stage 2 was set to 'Best checkpoint'")


@pytest.mark.spec("5.4")
def test_a_first_stage_starts_from_an_agent_that_fits(notebook: Notebook, page: Page) -> None:
    """Only agents that the chosen experiment's algorithm can start from are offered."""
    root = shown(
        notebook,
        "def agent(name, spec):\n"
        "    made = lab.pipeline(spec, name=name)\n"
        "    lab.do(made.stages[0], 0.5)\n"
        "    lab.agents.create(name, lab.experiments.checkpoints(made.experiment_ids[0])[0].id)\n"
        "agent('acts', 'PPO'); agent('speaks', 'SFT')\n"
        "lab.experiment('dpo', DPO), lab.experiment('control', PPO)\n"
        "show(lab.pipelines.create(lab.project.id, 'chain'))",
    )
    form = add(root, page)
    choice(form, "control").check()
    expect(choice(form, "Start from scratch")).to_be_checked()
    expect(choice(form, "Use saved Agent")).to_be_disabled()
    expect(form.get_by_text("PPO always starts from scratch.")).to_be_visible()
    choice(form, "dpo").check()
    expect(choice(form, "Start from scratch")).to_be_disabled()
    expect(form.get_by_text("DPO can't start from scratch")).to_be_visible()
    expect(choice(form, "Use saved Agent")).to_be_checked()
    agents = form.get_by_role("combobox", name="Saved Agent")
    expect(agents.get_by_role("option")).to_have_text(["speaks (version 1: speaks-sft-1, step 10)"])
    submit(form)
    speaks = notebook.python("next(agent.id for agent in lab.agents.all() if agent.name == 'speaks')")
    assert notebook.python(SETTINGS)[0]["start"] == {"agent_id": speaks}


@pytest.mark.spec("5.4")
def test_a_later_stage_says_that_it_waits_for_a_checkpoint(notebook: Notebook, page: Page) -> None:
    """Before the source stage has run there is no step to choose."""
    root = shown(notebook, "lab.experiment('grpo', GRPO)\nshow(lab.pipeline('SFT'))")
    form = add(root, page)
    sentence = "Waiting for a checkpoint from Stage 1 (chain-sft-1)."
    for name in ("Best checkpoint", "Final checkpoint", "A specific step"):
        expect(choice(form, name)).to_have_accessible_description(sentence)
    expect(form.get_by_text(sentence).filter(visible=True)).to_have_count(1)  # said once
    expect(choice(form, "A specific step")).to_be_disabled()


@pytest.mark.spec("5.5")
def test_a_later_stage_starts_from_best_final_or_a_step_of_a_table(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """Best and Final say which step that is now; a step is chosen from a table with both scores."""
    root = shown(
        notebook,
        "lab.experiment('grpo', GRPO)\nchain = lab.pipeline('SFT')\n"
        "lab.do(chain.stages[0], 0.2, 0.8, 0.6)\nshow(chain)",
    )
    form = add(root, page)
    expect(choice(form, "Best checkpoint")).to_have_accessible_description(
        "Best evaluation score 0.8, step 20."
    )
    expect(choice(form, "Final checkpoint")).to_have_accessible_description("Final, step 30.")
    expect(form.get_by_role("img", name="Evaluation Score by step; marked: step 20, 0.8")).to_be_visible()
    choice(form, "Final checkpoint").check()
    expect(form.get_by_role("img", name="Evaluation Score by step; marked: step 30, 0.6")).to_be_visible()
    table = form.get_by_role("table", name="Checkpoints")
    expect(table).to_be_hidden()
    choice(form, "A specific step").check()
    heads = table.get_by_role("columnheader")
    expect(heads).to_have_text(["Steps", "Training Score", "Evaluation Score", "Size"])
    expect(choice(table, "Step 20")).to_be_checked()
    table.get_by_role("row", name="Step 10").click()
    expect(choice(table, "Step 10")).to_be_checked()
    assert axe(form) == ""
    screenshot("stage form step", form)
    submit(form)
    assert notebook.python(SETTINGS)[1]["start"] == {"choice": 10}


@pytest.mark.spec("5.5")
def test_without_scores_the_form_says_that_best_is_final(notebook: Notebook, page: Page) -> None:
    """There is no curve then, and the table shows N/A."""
    root = shown(
        notebook,
        "lab.experiment('grpo', GRPO)\nchain = lab.pipeline('SFT')\n"
        "lab.do(chain.stages[0], None, None)\nshow(chain)",
    )
    form = add(root, page)
    expect(choice(form, "Best checkpoint")).to_have_accessible_description(
        "No scores were reported: final, step 20."
    )
    expect(form.get_by_role("img")).to_have_count(0)
    choice(form, "A specific step").check()
    expect(form.get_by_role("row", name="Step 20").get_by_role("cell")).to_contain_text(
        ["20", "N/A", "N/A", "B"]
    )


@pytest.mark.spec("5.5")
def test_latent_ppo_takes_the_previous_checkpoint_as_its_decoder(notebook: Notebook, page: Page) -> None:
    """The form says so when an experiment of that algorithm is chosen."""
    root = shown(
        notebook,
        "from pipeline_widgets.trainers.numpy.latent_ppo import latent_ppo\n"
        "from pipeline_widgets.trainers.numpy.supervised import supervised\n"
        "made = {'latent_dim': 4, 'action': 'Box(5)'}\n"
        "chain = lab.pipelines.create(lab.project.id, 'chain')\n"
        "lab.add(chain.id, lab.experiment('actions', supervised.spec, signature=made))\n"
        "lab.experiment('latent', latent_ppo.spec, signature={'action': 'Box(5)'})\n"
        "show(chain)",
    )
    form = add(root, page)
    choice(form, "latent").check()
    expect(form.get_by_text("The previous checkpoint is used as the decoder.")).to_be_visible()
    choice(form, "actions").check()
    expect(form.get_by_text("The previous checkpoint is used as the decoder.")).to_be_hidden()


@pytest.mark.spec("5.6")
def test_a_checkpoint_can_be_added_to_agents_when_complete(notebook: Notebook, page: Page) -> None:
    """The option says which checkpoint that is, and what it will be named after."""
    root = shown(notebook, "lab.experiment('sft', SFT)\nshow(lab.pipelines.create(lab.project.id, 'chain'))")
    form = add(root, page)
    box = form.get_by_role("checkbox", name="Auto-add checkpoint to Agents when complete")
    expect(box).to_have_accessible_description("The best checkpoint, named after pipeline, stage and step.")
    box.check()
    submit(form)
    assert notebook.python(SETTINGS)[0]["auto_add_agent"] is True


@pytest.mark.spec("6.12")
def test_retries_are_typed_beside_the_trigger(notebook: Notebook, page: Page) -> None:
    """The field says what is retried, refuses what is no number of them, and shows what was kept."""
    root = shown(notebook, "lab.experiment('sft', SFT)\nshow(lab.pipelines.create(lab.project.id, 'chain'))")
    form = add(root, page)
    retries = form.get_by_label("Retries")
    expect(retries).to_have_value("0")
    expect(retries).to_have_accessible_description(
        "Of a run that crashes, from its last checkpoint. A run that fails is not retried."
    )
    retries.fill("101")
    form.get_by_role("button", name="Add stage").click()
    expect(form.get_by_role("alert")).to_contain_text("101 is not a number of retries.")
    retries.fill("2")
    submit(form)
    assert notebook.python(SETTINGS)[0]["retries"] == 2
    expect(edit(notebook, root, 1).get_by_label("Retries")).to_have_value("2")


@pytest.mark.spec("5.7", "10.4")
def test_the_picker_lists_what_fits_and_shows_the_rest_with_reasons(notebook: Notebook, page: Page) -> None:
    """The others cannot be chosen, and names are text."""
    root = shown(
        notebook,
        f"lab.experiment('grpo', GRPO); lab.experiment({HOSTILE!r}, GRPO); lab.experiment('control', PPO)\n"
        "show(lab.pipeline('SFT'))",
    )
    form = add(root, page)
    group = form.get_by_role("group", name="Experiment", exact=True)
    expect(group.get_by_role("radio")).to_have_count(3)
    expect(choice(group, "grpo")).to_be_checked()
    expect(choice(group, HOSTILE)).to_be_visible()
    assert form.locator("img").count() == 0
    expect(choice(group, "chain-sft-1")).to_have_accessible_description("Used by stage 1 SFT")
    others = form.get_by_role("list", name="Experiments that do not fit")
    expect(others).to_be_hidden()
    form.get_by_role("checkbox", name="Show experiments that do not fit").check()
    expect(others.get_by_role("listitem")).to_have_text(["controlPPOPPO always starts from scratch."])


@pytest.mark.spec("5.7")
def test_a_project_without_experiments_says_where_they_come_from(notebook: Notebook, page: Page) -> None:
    """The form cannot add a stage then, and the error says what is missing."""
    root = shown(notebook, "show(lab.pipelines.create(lab.project.id, 'chain'))")
    form = add(root, page)
    expect(form.get_by_text("This project has no experiments yet.")).to_be_visible()
    expect(form.get_by_text("Make the first one here, in the Experiments tab, or in code.")).to_be_visible()
    form.get_by_role("button", name="Add stage").click()
    expect(form.get_by_role("alert")).to_contain_text("The stage needs an experiment.")


@pytest.mark.spec("5.7")
def test_an_experiment_that_ran_or_is_used_is_duplicated_on_demand(notebook: Notebook, page: Page) -> None:
    """The form offers "Attach as is" only if it merely ran; Cancel goes back to what was chosen."""
    root = shown(
        notebook,
        "ran = lab.pipeline('SFT', name='other')\nlab.do(ran.stages[0], 0.5)\nshow(lab.pipeline('GRPO'))",
    )
    form = add(root, page)
    choice(form, "chain-grpo-1").check()
    form.get_by_role("button", name="Add stage").click()
    expect(form.get_by_text("chain-grpo-1 is already used by stage 1.")).to_be_visible()
    expect(form.get_by_role("button", name="Attach as is")).to_be_hidden()
    form.get_by_role("button", name="Cancel").click()
    choice(form, "other-sft-1").check()
    form.get_by_role("button", name="Add stage").click()
    expect(form.get_by_text("other-sft-1 has already run.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(choice(form, "other-sft-1")).to_be_checked()
    form.get_by_role("button", name="Add stage").click()
    submit(form, "Attach as is")
    form = add(root, page)
    choice(form, "chain-grpo-1").check()
    form.get_by_role("button", name="Add stage").click()
    submit(form, "Duplicate and attach")
    bound = "[lab.experiments.get(key).name for key in lab.pipelines.get(pipe.id).experiment_ids]"
    assert notebook.python(bound) == ["chain-grpo-1", "other-sft-1", "chain-grpo-1 (copy)"]


@pytest.mark.spec("5.8")
def test_a_stage_that_no_longer_fits_says_so_and_asks_for_another(notebook: Notebook) -> None:
    """After the stage before it was changed, its form names the reason and offers what fits now."""
    root = shown(
        notebook,
        "vision = lab.experiment('vision', SFT, signature={'base': 'vision'})\n"
        "lab.experiment('letters', SFT, signature={'base': 'letters'})\n"
        "chain = lab.pipelines.create(lab.project.id, 'chain')\n"
        "seen = lab.experiment('seen', GRPO, signature={'base': 'vision'})\n"
        "lab.add(chain.id, vision); lab.add(chain.id, seen)\n"
        "lab.experiment('read', GRPO, signature={'base': 'letters'})\n"
        "show(chain)",
    )
    form = edit(notebook, root, 1)
    choice(form, "letters").check()
    submit(form, "Save stage")
    form = edit(notebook, root, 2)
    why = "seen no longer fits here. Can't start from SFT: its base is letters, GRPO needs vision."
    expect(form.get_by_text(why)).to_be_visible()
    form.get_by_role("button", name="Save stage").click()
    expect(form.get_by_role("alert")).to_contain_text("The stage needs an experiment.")
    choice(form, "read").check()
    submit(form, "Save stage")
    assert notebook.python("lab.experiments.get(lab.pipelines.get(pipe.id).experiment_ids[1]).name") == "read"


@pytest.mark.spec("5.9", "5.2")
def test_a_deployment_names_its_agent_and_the_checkpoint(
    notebook: Notebook, page: Page, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """The name is required, and the form says when an agent of that name gets a new version."""
    root = shown(
        notebook,
        "chain = lab.pipeline('SFT')\nlab.do(chain.stages[0], 0.2, 0.8)\n"
        "lab.agents.create('known', lab.experiments.checkpoints(chain.experiment_ids[0])[0].id)\nshow(chain)",
    )
    form = add(root, page)
    choice(form, "Deployment").check()
    group = form.get_by_role("group", name="Checkpoint from Previous Stage")
    expect(choice(group, "Best checkpoint")).to_be_checked()
    choice(group, "Final checkpoint").check()
    choice(form, "Auto").check()
    choice(form, "Better than the agent now deployed").check()
    form.get_by_role("button", name="Add stage").click()
    expect(form.get_by_role("alert")).to_contain_text("Enter a name for the agent.")
    name = form.get_by_label("Agent name")
    expect(name).to_be_focused()
    name.fill("known")
    expect(name).to_have_accessible_description(
        "This Agent exists: it gets a new version, and the former ones are kept."
    )
    assert axe(form) == ""
    notebook.theme("dark")
    assert axe(form) == ""
    screenshot("stage form deployment", form)
    submit(form)
    stage = notebook.python(SETTINGS)[1]
    assert (stage["agent_name"], stage["choice"], stage["gate"]) == ("known", "final", {})


@pytest.mark.spec("5.13")
def test_an_edit_based_on_an_old_view_is_refused_and_loses_nothing(notebook: Notebook, page: Page) -> None:
    """The form says what changed meanwhile, and goes on from the latest with everything typed."""
    root = shown(notebook, "show(lab.pipeline('SFT'))")
    form = add(root, page)
    choice(form, "Deployment").check()
    form.get_by_label("Agent name").fill("typed")
    notebook.execute("lab.add(pipe.id, lab.experiment('meanwhile', GRPO))")
    form.get_by_role("button", name="Add stage").click()
    expect(form.get_by_role("alert")).to_contain_text("A stage was added as stage 2.")
    expect(form.get_by_label("Agent name")).to_have_value("typed")
    form.get_by_role("button", name="Use the latest").click()
    expect(form.get_by_text("Will be stage 3 of chain, starting from Stage 2 (meanwhile).")).to_be_visible()
    expect(form.get_by_label("Agent name")).to_have_value("typed")
    submit(form)
    assert notebook.python(SETTINGS)[2]["agent_name"] == "typed"


@pytest.mark.spec("5.7", "5.5")
def test_hundreds_of_experiments_and_checkpoints_stay_usable(
    notebook: Notebook, page: Page, screenshot: Callable[..., Path]
) -> None:
    """A search narrows the experiments down, and both lists scroll within the form."""
    root = shown(
        notebook,
        "chain = lab.pipeline('SFT')\n"
        "lab.do(chain.stages[0], *[step / 200 for step in range(200)])\n"
        "for number in range(300): lab.experiment(f'sweep-{number}', GRPO)\n"
        "show(chain)",
    )
    form = add(root, page)
    search = form.get_by_role("searchbox", name="Search experiments")
    search.fill("sweep-27 grpo")
    names = [f"sweep-{number}" for number in (27, *range(270, 280))]
    expect(form.locator(".pw-option-name:visible")).to_have_text(names)
    search.press("Enter")
    expect(choice(form, "sweep-27")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(choice(form, "sweep-270")).to_be_checked()
    choice(form, "A specific step").check()
    expect(choice(form, "Step 2,000")).to_be_in_viewport()
    expect(form.get_by_role("columnheader", name="Size")).to_be_in_viewport()
    expect(form.get_by_role("button", name="Add stage")).to_be_in_viewport()
    notebook.theme("dark")
    screenshot("stage form many")
    submit(form)
    assert notebook.python(SETTINGS)[1]["start"] == {"choice": 2000}


@pytest.mark.spec("4.5", "5.2")
def test_a_stage_is_added_by_keyboard_alone(notebook: Notebook, page: Page) -> None:
    """From the button to the stage and back to the button, without a mouse."""
    root = shown(
        notebook, "lab.experiment('dpo', DPO); lab.experiment('grpo', GRPO)\nshow(lab.pipeline('SFT'))"
    )
    opener = root.get_by_role("button", name="Add stage").first
    opener.focus()
    page.keyboard.press("Enter")
    form = page.get_by_role("dialog", name="Add stage")
    expect(choice(form, "Experiment")).to_be_focused()
    page.keyboard.press("Tab")
    expect(choice(form, "dpo")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(choice(form, "grpo")).to_be_checked()
    page.keyboard.press("Tab")
    expect(form.get_by_role("button", name="New experiment")).to_be_focused()
    page.keyboard.press("Tab")
    expect(choice(form, "Best checkpoint")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(choice(form, "Auto")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("0.75")
    page.keyboard.press("Tab")
    page.keyboard.type("2")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(form).to_be_hidden()
    expect(opener).to_be_focused()
    stage = notebook.python(SETTINGS)[1]
    assert (stage["trigger"], stage["gate"], stage["start"], stage["auto_add_agent"]) == (
        "auto",
        {"score": 0.75},
        {"choice": "final"},
        True,
    )


@pytest.mark.spec("4.5")
def test_keys_on_the_form_leave_the_notebook_alone(notebook: Notebook, page: Page) -> None:
    """No cell is cut, inserted or run by a key that is pressed on one of its controls."""
    root = shown(
        notebook,
        "chain = lab.pipeline('SFT')\nlab.do(chain.stages[0], 0.2, 0.8)\n"
        "lab.experiment('control', PPO), lab.experiment('grpo', GRPO)\nshow(chain)",
    )
    form = add(root, page)
    form.get_by_role("checkbox", name="Show experiments that do not fit").check()
    choice(form, "A specific step").check()
    for control in (
        choice(form, "Experiment"),
        choice(form, "grpo"),
        choice(form, "Step 20"),
        form.get_by_role("list", name="Experiments that do not fit"),
        form.get_by_role("checkbox", name="Auto-add"),
        form.get_by_role("button", name="Cancel"),
    ):
        notebook.keys_leave_the_notebook_alone(control, LETTER_KEYS)
    choice(form, "Deployment").check()
    notebook.keys_leave_the_notebook_alone(form.get_by_label("Agent name"), LETTER_KEYS)
    notebook.keys_leave_the_notebook_alone(form.get_by_label("Agent description"), (*LETTER_KEYS, "Enter"))
    notebook.keys_leave_the_notebook_alone(choice(form, "Deployment"), ("Escape",))
    expect(form).to_be_hidden()
    form = add(root, page)
    notebook.keys_leave_the_notebook_alone(choice(form, "grpo"), ("Enter",))
    expect(form).to_be_hidden()
    assert len(notebook.python(SETTINGS)) == 2


@pytest.mark.spec("4.4")
def test_a_refresh_leaves_an_open_form_alone(notebook: Notebook, page: Page) -> None:
    """What is typed and focused stays while the view behind it shows other stages."""
    root = shown(notebook, "show(lab.pipeline('SFT'))")
    form = add(root, page)
    choice(form, "Deployment").check()
    name = form.get_by_label("Agent name")
    name.fill("typed")
    notebook.execute("lab.add(pipe.id, lab.experiment('meanwhile', GRPO)); view.refresh()")
    expect(root.get_by_role("button", name="Stage 2: meanwhile")).to_have_count(1)
    expect(name).to_be_focused()
    expect(name).to_have_value("typed")
