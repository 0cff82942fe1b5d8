"""Launcher and resources in the forms, and what a Pending run waits for (spec 11.2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from browser import views
from browser.notebook import Notebook
from browser.scenes import LETTERS

pytestmark = pytest.mark.spec("11.2")

TAB = """
from pipeline_widgets.widgets.experiments import ExperimentsView
view = ExperimentsView(project._services, project._id)
view
"""
#: Nobody launches a run, and `wait(run)` says that the job of its engine waits.
QUEUED = """
from sqlalchemy import update
from pipeline_widgets.persistence import schema
services = ws._services
services.reconciler.reconcile_if_due = lambda: None
services.reconciler.launch = services.reconciler.cancel = lambda run: None

def wait(run_id, why):
    with services.store.write() as work:
        held = update(schema.runs).where(schema.runs.c.id == run_id)
        work.connection.execute(held.values(launcher="slurm", job="12"))
        revision = work.projects.touch(project._id)
        assert work.runs.set_waits(work.runs.lease(run_id), why, revision)
"""


def fill(form: Locator, **typed: str) -> None:
    """Type into the fields of the launcher and the resources."""
    for label, text in typed.items():
        form.get_by_label(label.replace("_", " "), exact=True).fill(text)


def wrong(form: Locator, label: str) -> Locator:
    """Return what is said beside a field."""
    return (
        form.locator(".pw-xf-field")
        .filter(has=form.page.get_by_label(label, exact=True))
        .get_by_role("status")
    )


def test_the_form_of_an_experiment_has_launcher_and_resources(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """What is wrong is said beside its field, as Python says it; what is right is kept, and shown again."""
    root = notebook.run(LETTERS + TAB).locator(".pw-root").first
    root.get_by_role("button", name="New experiment").first.click()
    form = root.get_by_role("dialog", name="New experiment")
    form.get_by_label("Algorithm").select_option("Counter")
    form.get_by_label("Name", exact=True).fill("sft")
    form.get_by_text("Launcher and resources").click()
    fill(form, Launcher="slurmy", GPUs="one", Memory="24 pounds", Engine_options="[1]")
    form.get_by_text("Launcher and resources").click()  # closed: the errors open it
    form.get_by_role("button", name="Create").click()
    expect(wrong(form, "Launcher")).to_contain_text("There is no launcher named 'slurmy'.")
    expect(wrong(form, "Launcher")).to_contain_text("Use one of these: local,")
    expect(wrong(form, "GPUs")).to_have_text(
        "The resource 'gpu' cannot be 'one'. Give a whole number of at least 0."
    )
    expect(wrong(form, "Memory")).to_contain_text("The resource 'memory' cannot be '24 pounds'.")
    expect(wrong(form, "Engine options")).to_contain_text("is not a JSON object.")
    expect(form.get_by_label("Launcher", exact=True)).to_be_focused()
    expect(form.get_by_role("alert")).to_contain_text("4 fields need fixing.")
    for theme in ("dark", "light"):
        notebook.theme(theme)
        screenshot(f"placement refused {theme}")
        assert not axe(root)
    fill(form, Launcher="slurm", GPUs="1", Memory="24 GiB", Time_limit="90 min")
    fill(form, Engine_options='{"partition": "a100"}')
    form.get_by_role("button", name="Create").click()
    expect(form).to_be_hidden()
    asked = {"gpu": 1, "memory": 24 << 30, "time": 5400.0, "partition": "a100"}
    assert notebook.python("(project.experiments['sft'].launcher, project.experiments['sft'].resources)") == [
        "slurm",
        asked,
    ]
    opener = root.get_by_role("button", name="sft", exact=True)
    if opener.get_attribute("aria-expanded") != "true":
        opener.click()
    said = "Launched by slurm, with partition a100, gpu 1, memory 24 GiB, time 90 min."
    expect(root.get_by_text(said)).to_be_visible()
    screenshot("placement of an experiment", root)
    root.get_by_role("button", name="Edit config").click()
    form = root.get_by_role("dialog", name="Edit config of 'sft'")
    expect(form.get_by_label("Memory", exact=True)).to_have_value("24 GiB")  # the part is open
    for label in ("Launcher", "GPUs", "Memory", "Time_limit", "Engine_options"):
        fill(form, **{label: ""})
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    views.eventually(notebook, "project.experiments['sft'].launcher", None)
    assert notebook.python("project.experiments['sft'].resources") is None


def test_the_form_of_a_stage_has_launcher_and_resources(
    notebook: Notebook, axe: Callable[[Locator], str], screenshot: Callable[..., Path]
) -> None:
    """The same errors at the fields; an edit of anything else keeps it; a Deployment has none."""
    root = views.show(notebook, "pipe = chain('sft', 'dpo')")
    views.bubble(root, 2).press("Space")
    root.get_by_role("button", name="Edit stage").click()
    form = root.page.get_by_role("dialog", name="Edit stage 2")
    form.get_by_text("Launcher and resources").click()
    fill(form, Launcher="ssh://", CPUs="-1")
    form.get_by_role("button", name="Save stage").click()
    expect(wrong(form, "CPUs")).to_contain_text("The resource 'cpu' cannot be '-1'.")
    expect(wrong(form, "Launcher")).not_to_have_text("")
    expect(form.get_by_role("alert")).to_have_text("The launcher or the resources need fixing.")
    expect(form.get_by_label("Launcher", exact=True)).to_be_focused()
    for theme in ("dark", "light"):
        notebook.theme(theme)
        screenshot(f"placement of a stage refused {theme}")
        assert not axe(root)
    fill(form, Launcher="slurm", CPUs="4")
    form.get_by_role("button", name="Save stage").click()
    expect(form).to_be_hidden()
    assert notebook.python("(pipe.stages[1].launcher, pipe.stages[1].resources)") == ["slurm", {"cpu": 4}]
    expect(root.get_by_text("Launched by slurm, with cpu 4.")).to_be_visible()
    root.get_by_role("button", name="Edit stage").click()
    form = root.page.get_by_role("dialog", name="Edit stage 2")
    expect(form.get_by_label("CPUs", exact=True)).to_have_value("4")
    form.get_by_label("Retries").fill("2")
    form.get_by_role("button", name="Save stage").click()
    expect(form).to_be_hidden()
    assert notebook.python("(pipe.stages[1].launcher, pipe.stages[1].retries)") == ["slurm", 2]
    root.get_by_role("button", name="Add stage").first.click()
    form = root.page.get_by_role("dialog", name="Add stage")
    form.get_by_role("radio", name="Deployment", exact=True).check()
    expect(form.get_by_text("Launcher and resources")).to_be_hidden()


def test_a_pending_run_says_for_what_it_waits(notebook: Notebook, screenshot: Callable[..., Path]) -> None:
    """In the panel, on the bubble, in the list and in the Experiments tab; no longer when it goes on."""
    made = f"{QUEUED}\npipe = chain('sft', 'dpo')\nrun = services.trigger(pipe.stages[0]._id)"
    root = views.show(notebook, f"{made}\nwait(run.id, 'Resources')")
    waits = "Waits for Resources (Slurm job 12)"
    first = views.bubble(root, 1)
    expect(first).to_have_accessible_name(re.compile("Pending: waits for Resources .Slurm job 12."))
    first.press("Space")
    expect(root.get_by_text(f"{waits}.").first).to_be_visible()
    root.get_by_role("button", name="List", exact=True).click()
    expect(root.get_by_role("row").filter(has_text="sft").first).to_contain_text(f"{waits}.")
    screenshot("pending waits", root)
    notebook.execute("wait(run.id, 'Priority')")
    expect(root.get_by_role("row").filter(has_text="sft").first).to_contain_text("Waits for Priority")
    tab = notebook.run(TAB).locator(".pw-root").last
    expect(tab.locator(".pw-pt-row").filter(has_text="sft")).to_contain_text(
        "Waits for Priority (Slurm job 12)"
    )
    screenshot("pending waits in the tab", tab)
    notebook.execute("services.stop(run.id)")
    expect(tab.locator(".pw-pt-row").filter(has_text="sft")).not_to_contain_text("Waits for")


def test_a_run_whose_job_is_suspended_says_so(notebook: Notebook, screenshot: Callable[..., Path]) -> None:
    """Running, and for what it waits: on the bubble, in the panel, in the tab and in the workspace."""
    begin = """
pipe = chain('sft', 'dpo')
run = services.trigger(pipe.stages[0]._id)
with services.store.write() as work:
    held = update(schema.runs).where(schema.runs.c.id == run.id)
    work.connection.execute(held.values(status="Running", token="t", started_at=work.now, beat_at=work.now))
wait(run.id, 'Slurm, which has suspended it')
"""
    suspended = "Waits for Slurm, which has suspended it (Slurm job 12)"
    root = views.show(notebook, f"{QUEUED}{begin}")
    first = views.bubble(root, 1)
    expect(first).to_have_accessible_name(re.compile("Running: waits for Slurm, which has suspended it"))
    first.press("Space")
    expect(root.get_by_text(f"{suspended}.").first).to_be_visible()
    screenshot("suspended", root)
    tab = notebook.run(TAB).locator(".pw-root").last
    expect(tab.locator(".pw-pt-row").filter(has_text="sft")).to_contain_text(suspended)
    screenshot("suspended in the tab", tab)
    overview = notebook.run("ws").locator(".pw-root").last
    expect(overview.get_by_text("Waits for Slurm, which has suspended it")).to_be_visible()
    screenshot("suspended in the workspace", overview)
