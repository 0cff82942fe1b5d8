"""What the list of pipelines shows, and how it answers (spec 3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets
import pytest
from factories.lab import Lab
from pages import keep_in_sight

from pipeline_widgets.application import Services
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import ClassicProjectError
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.pipeline_list import PipelineList

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def view(services: Services, lab: Lab) -> Iterator[PipelineList]:
    """The list of the project, which has no pipelines yet."""
    made = PipelineList(services, lab.project.id)
    yield made
    made.close()


Sent = list[dict[str, Any]]


@pytest.fixture
def sent(view: PipelineList, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What goes to the browser from now on, answers left out."""
    told: Sent = []

    def publish(msg_type: str, data: dict[str, Any] | None = None, **_: object) -> None:
        if msg_type == "comm_msg":
            told.append(json.loads(json.dumps(data, allow_nan=False)))

    monkeypatch.setattr(view.comm, "publish_msg", publish)
    return told


def ask(view: PipelineList, command: str, **args: Any) -> dict[str, Any]:
    """Send a command as the browser does, and return the answer as the browser reads it."""
    answers: list[Any] = []
    view.line.answer = answers.append
    view.line._handle_custom_msg({"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return json.loads(json.dumps(answer, allow_nan=False))


def names(view: PipelineList) -> list[str]:
    """Return the names that are shown, in order."""
    return [row["name"] for row in view.rows]


def row_of(view: PipelineList, name: str) -> dict[str, Any]:
    """Return the row of a pipeline."""
    return next(row for row in view.rows if row["name"] == name)


@pytest.fixture
def make(lab: Lab, view: PipelineList) -> Callable[..., list[int]]:
    """Make empty pipelines, show them, and return their ids."""

    def made(*wanted: str) -> list[int]:
        ids = [lab.pipelines.create(lab.project.id, name).id for name in wanted]
        view.refresh()
        return ids

    return made


@pytest.mark.spec("3.6")
def test_a_project_without_pipelines_shows_none(view: PipelineList) -> None:
    """There are no rows, and the page says that there are none at all, so that no search is to blame."""
    assert (view.rows, view.page["total"], view.page["all"], view.trouble) == ([], 0, 0, "")


@pytest.mark.spec("2.2")
def test_a_classic_project_has_no_list(services: Services, lab: Lab) -> None:
    """It is refused with the reason, since that project can hold no pipelines."""
    classic = lab.projects.create("Classic", advanced_training=False)
    with pytest.raises(ClassicProjectError, match="fixed when it was created"):
        PipelineList(services, classic.id)


@pytest.mark.spec("3.1")
def test_a_new_pipeline_is_shown_and_expanded(view: PipelineList, lab: Lab) -> None:
    """Its name is trimmed, and it has no stages."""
    answer = ask(view, "create", name="  Letters ", description=" to sort them ")
    (row,) = view.rows
    assert answer == {"id": "1", "ok": True, "result": {"id": row["id"], "name": "Letters"}}
    assert (row["name"], row["description"], row["stages"]) == ("Letters", "to sort them", 0)
    assert (row["status"], list(view.builders)) == ("No stages", [row["id"]])
    assert lab.pipelines.get(row["id"]).name == "Letters"


@pytest.mark.spec("3.1")
@pytest.mark.parametrize(
    ("name", "why"), [("  ", "Enter a name"), ("taken", "A pipeline named 'taken' already exists")]
)
def test_a_name_that_cannot_be_taken_is_refused(
    view: PipelineList, make: Callable[..., list[int]], name: str, why: str
) -> None:
    """Nothing is made, and the answer says why."""
    make("taken")
    answer = ask(view, "create", name=name)
    assert not answer["ok"]
    assert why in answer["error"]["what"]
    assert names(view) == ["taken"]


@pytest.mark.spec("3.1", "3.8")
def test_a_new_pipeline_is_shown_although_a_search_or_another_page_would_hide_it(
    view: PipelineList, make: Callable[..., list[int]]
) -> None:
    """The search is given up first, and the order only where the page still lacks it."""
    make(*(f"p{number:02}" for number in range(60)))
    ask(view, "query", sort="name", descending=False, search="p1")
    ask(view, "create", name="a new one")
    assert (names(view)[0], view.page["sort"], view.page["search"]) == ("a new one", "name", "")
    ask(view, "create", name="zebra")
    assert (names(view)[0], view.page["sort"], view.page["page"]) == ("zebra", "modified", 0)


@pytest.mark.spec("3.2", "3.8")
def test_a_row_has_what_the_columns_show(view: PipelineList, lab: Lab) -> None:
    """Name, number of stages, roll-up with its detail, stale stages, and the time of the latest change."""
    made = lab.pipeline("SFT", "GRPO", name="chain")
    for stage in (*made.stages, made.stages[0]):
        lab.do(stage, 0.5)
    view.refresh()
    (row,) = view.rows
    assert row == {
        "id": made.id,
        "statuses": ["Succeeded", "Succeeded"],
        "best": {"position": 1, "name": "chain-grpo-2", "score": 0.5},
        "version": made.version,
        "name": "chain",
        "description": "",
        "modified_at": lab.pipelines.get(made.id).modified_at.timestamp(),
        "stages": 2,
        "status": "Succeeded",
        "detail": "Every stage has succeeded",
        "stale": 1,
        "runs": {
            "next": "Every stage has succeeded; 1 stage is stale. Bring it up to date.",
            "up_to_date": "",
            "is_stale": True,
        },
        "shares": "",
    }


@pytest.mark.spec("3.8")
def test_a_manual_stage_that_is_next_waits_for_you(view: PipelineList, lab: Lab) -> None:
    """The roll-up never says Running then, and a refresh says whether anything runs."""
    first, _ = lab.pipeline("SFT", "GRPO").stages
    assert view.refresh() is False
    job = lab.started(lab.runs.trigger(first.id))
    assert view.refresh() is True
    assert view.rows[0]["status"] == "Running"
    lab.save(job, 10, 0.5)
    lab.end(job)
    assert view.refresh() is False
    assert (view.rows[0]["status"], view.rows[0]["detail"]) == (
        "Waiting for you",
        "Stage 2 (chain-grpo-2) is next",
    )


@pytest.mark.spec("3.4")
def test_a_duplicate_appears_and_both_say_what_they_share(view: PipelineList, lab: Lab) -> None:
    """Of many experiments the first three are named."""
    made = lab.pipeline("SFT", "GRPO", "SFT", "GRPO", "SFT")
    answer = ask(view, "duplicate", pipeline=made.id)
    copy = row_of(view, "chain (copy)")
    assert answer["result"] == {"id": copy["id"], "name": "chain (copy)"}
    said = "Shares chain-sft-1, chain-grpo-2, chain-sft-3 and 2 more with other pipelines"
    assert copy["shares"] == row_of(view, "chain")["shares"] == said
    ask(view, "duplicate", pipeline=made.id)
    assert names(view) == ["chain (copy 2)", "chain (copy)", "chain"]


@pytest.mark.spec("3.3")
def test_a_pipeline_is_renamed(view: PipelineList, make: Callable[..., list[int]]) -> None:
    """A name that is taken or empty is refused, and the old one stays."""
    first, _ = make("first", "second")
    assert ask(view, "edit", pipeline=first, version=row_of(view, "first")["version"], name=" third ")["ok"]
    assert sorted(names(view)) == ["second", "third"]
    for name, why in (
        ("second", "A pipeline named 'second' already exists."),
        (" ", "Enter a name for the pipeline."),
    ):
        answer = ask(view, "edit", pipeline=first, version=row_of(view, "third")["version"], name=name)
        assert answer["error"]["what"] == why
    assert sorted(names(view)) == ["second", "third"]


@pytest.mark.spec("10.2")
def test_an_import_that_renaming_would_mend_has_a_code(
    view: PipelineList, lab: Lab, services: Services
) -> None:
    """The dialog tells a taken name of the pipeline from one of an experiment, whatever the sentences say."""
    made = lab.pipeline("SFT")
    text = services.transfer.to_yaml(made.id)
    taken = ask(view, "import", text=text)
    assert (taken["error"]["kind"], taken["error"]["code"]) == ("NameTakenError", "")
    other = ask(view, "import", text=text.replace("seed: 0", "seed: 1"), name="another")
    assert (other["error"]["kind"], other["error"]["code"]) == ("NameTakenError", "experiment_name_taken")


@pytest.mark.spec("3.5", "5.13")
def test_an_edit_that_is_based_on_an_old_row_is_refused(
    view: PipelineList, lab: Lab, make: Callable[..., list[int]]
) -> None:
    """It says what changed meanwhile and shows that; based on the new row, it is done."""
    (made,) = make("chain")
    old = view.rows[0]["version"]
    lab.pipelines.update(made, description="of others")
    answer = ask(view, "edit", pipeline=made, version=old, description="mine")
    assert (answer["error"]["kind"], answer["error"]["why"]) == (
        "StaleWriteError",
        "Its description was edited.",
    )
    assert view.rows[0]["description"] == "of others"
    assert ask(view, "edit", pipeline=made, version=view.rows[0]["version"], description="mine")["ok"]
    assert view.rows[0]["description"] == lab.pipelines.get(made).description == "mine"


@pytest.mark.spec("3.5", "5.13")
def test_an_edit_of_the_description_does_not_mind_stages(view: PipelineList, lab: Lab) -> None:
    """A stage that was added meanwhile is nothing that the row's name and description were based on."""
    made = lab.pipelines.create(lab.project.id, "chain")
    view.refresh()
    before = view.rows[0]["version"]
    lab.add(made.id, lab.experiment("sft"))
    assert ask(view, "edit", pipeline=made.id, version=before, description="mine")["ok"]


@pytest.mark.spec("3.5")
def test_several_rows_can_be_expanded(view: PipelineList, make: Callable[..., list[int]]) -> None:
    """Each has a builder of its own, without a heading, until it is collapsed."""
    first, second = make("first", "second")
    for each in (first, second, first):
        assert ask(view, "expand", pipeline=each)["ok"]
    builders = dict(view.builders)
    assert list(builders) == [first, second]
    assert [builder.pipeline["name"] for builder in builders.values()] == ["first", "second"]
    assert not builders[first].headed
    ask(view, "collapse", pipeline=first)
    assert list(view.builders) == [second]
    assert (builders[first].comm, builders[second].comm is None) == (None, False)


@pytest.mark.spec("3.5")
def test_builders_go_down_as_references(
    view: PipelineList, sent: Sent, make: Callable[..., list[int]]
) -> None:
    """The browser gets, by the id of the pipeline, the reference of its builder."""
    (made,) = make("chain")
    sent.clear()
    ask(view, "expand", pipeline=made)
    (message,) = sent
    builder = view.builders[made]
    assert message["state"] == {"builders": {str(made): f"IPY_MODEL_{builder.model_id}"}}


@pytest.mark.spec("3.2", "4.4")
def test_an_edit_in_a_builder_shows_in_its_row(view: PipelineList, make: Callable[..., list[int]]) -> None:
    """Who edits in the builder need not wait five seconds; what a run reports wakes nobody."""
    (made,) = make("chain")
    ask(view, "expand", pipeline=made)
    woken = view._refresher._wake
    woken.clear()
    view.builders[made].do_describe(view.builders[made].pipeline["version"], name="renamed")
    assert woken.is_set()
    woken.clear()
    view.builders[made].show(selected=7)
    assert not woken.is_set()
    view.refresh()
    assert names(view) == ["renamed"]


@pytest.mark.spec("5.13")
def test_a_builder_knows_at_once_of_an_edit_in_its_row(
    view: PipelineList, make: Callable[..., list[int]]
) -> None:
    """Its next edit is not refused as based on an old view."""
    (made,) = make("chain")
    ask(view, "expand", pipeline=made)
    ask(view, "edit", pipeline=made, version=view.rows[0]["version"], name="renamed")
    builder = view.builders[made]
    builder.do_describe(builder.pipeline["version"], description="mine")
    assert builder.pipeline["description"] == "mine"


@pytest.mark.spec("4.3")
def test_results_of_a_stage_open_where_the_list_was_told(services: Services, lab: Lab) -> None:
    """The builder in a row hands the experiment on."""
    made = lab.pipeline("SFT")
    asked: list[int] = []
    view = PipelineList(services, lab.project.id, on_results=asked.append)
    ask(view, "expand", pipeline=made.id)
    view.builders[made.id].do_results(made.stages[0].id)
    assert asked == list(made.experiment_ids)


@pytest.mark.spec("3.7")
def test_a_pipeline_with_an_active_stage_is_not_deleted(view: PipelineList, lab: Lab) -> None:
    """The answer says which stage is at work; once it is done the row goes, and the experiment stays."""
    made = lab.pipeline("SFT")
    run = lab.runs.trigger(made.stages[0].id)
    view.refresh()
    ask(view, "expand", pipeline=made.id)
    answer = ask(view, "delete", pipeline=made.id)
    assert (answer["error"]["why"], answer["error"]["fix"]) == ("Stage 1 is pending.", "Stop it first.")
    assert [row["id"] for row in view.rows] == list(view.builders) == [made.id]
    lab.carry_out(run, 0.5)
    assert ask(view, "delete", pipeline=made.id)["ok"]
    assert (view.rows, view.builders) == ([], {})
    assert [each.name for each in lab.experiments.of_project(lab.project.id)] == ["chain-sft-1"]


@pytest.mark.spec("3.7")
def test_what_was_deleted_elsewhere_loses_its_row_and_its_builder(
    view: PipelineList, lab: Lab, make: Callable[..., list[int]]
) -> None:
    """A builder of a pipeline that is merely on another page stays open."""
    first, second = make("first", "second")
    for each in (first, second):
        ask(view, "expand", pipeline=each)
    ask(view, "query", search="second")
    lab.pipelines.delete(second)
    view.refresh()
    assert (view.rows, list(view.builders)) == ([], [first])


@pytest.mark.spec("3.8")
def test_the_list_is_searched_sorted_and_paged(view: PipelineList, make: Callable[..., list[int]]) -> None:
    """What is not told stays as it was, and a search or another order begins at the first page."""
    make(*(f"p{number:03}" for number in range(120)))
    assert (len(view.rows), view.page["total"], view.page["pages"]) == (50, 120, 3)
    ask(view, "query", sort="name", descending=False)
    ask(view, "query", page=2)
    assert (names(view)[0], names(view)[-1], view.page["page"]) == ("p100", "p119", 2)
    ask(view, "query", search="p00")
    assert (names(view), view.page["page"], view.page["all"]) == ([f"p00{n}" for n in range(10)], 0, 120)
    ask(view, "query", search="", descending=True)
    assert (names(view)[0], view.page["total"], view.page["sort"]) == ("p119", 120, "name")
    answer = ask(view, "query", sort="colour")
    assert "cannot be sorted by 'colour'" in answer["error"]["what"]
    assert names(view)[0] == "p119"


@pytest.mark.spec("3.8", "4.4")
def test_rows_stay_where_they_are_while_they_change(
    view: PipelineList, lab: Lab, make: Callable[..., list[int]]
) -> None:
    """A change does not move its row to the top; a new row stands where the order puts it."""
    first, *_ = make("first", "second", "third")
    assert names(view) == ["third", "second", "first"]
    lab.clock.forward(1)
    lab.pipelines.update(first, description="changed")
    view.refresh()
    assert names(view) == ["third", "second", "first"]
    lab.clock.forward(1)
    make("fourth")
    assert names(view) == ["fourth", "third", "second", "first"]
    ask(view, "query")
    assert names(view) == ["fourth", "first", "third", "second"]


@pytest.mark.spec("4.4")
def test_only_rows_that_changed_are_sent(
    view: PipelineList, lab: Lab, sent: Sent, make: Callable[..., list[int]]
) -> None:
    """Nothing is sent when nothing moved, and one row when one did."""
    keep_in_sight(view)
    first, *_ = make("first", "second", "third")
    sent.clear()
    view.refresh()
    lab.experiment("nobody's")  # raises the revision, and changes no row
    view.refresh()
    assert sent == []
    lab.pipelines.update(first, description="changed")
    view.refresh()
    (message,) = sent
    assert message["method"] == "custom"
    assert message["content"] == {
        "patch": "rows",
        "sequence": view.sequence,
        "rows": [row_of(view, "first")],
    }


@pytest.mark.spec("3.8")
def test_ten_thousand_pipelines_stay_usable(services: Services, lab: Lab, view: PipelineList) -> None:
    """Opening the list and turning its pages sends no more than the rows of a page."""
    with lab.store.write() as work:
        revision = work.projects.touch(lab.project.id)
        for number in range(10_000):
            work.pipelines.add(lab.project.id, f"pipeline {number:05}", "", revision)
    opened = PipelineList(services, lab.project.id)
    ask(opened, "query", sort="status")
    ask(opened, "query", page=199)
    assert (len(opened.rows), opened.page["total"], opened.page["pages"]) == (50, 10_000, 200)
    assert len(json.dumps(opened.rows)) < 20_000
    view.refresh()
    assert view.rows[0]["name"] == "pipeline 09999"


@pytest.mark.spec("4.7", "10.4")
def test_without_a_kernel_the_page_is_a_table(view: PipelineList, lab: Lab) -> None:
    """Names are text there as well."""
    made = lab.pipeline("SFT", name=HOSTILE)
    lab.do(made.stages[0], status=Status.FAILED)
    view.refresh()
    found, text = view.static_html(), view.static_text()
    assert HOSTILE not in found
    assert "&lt;img src=x onerror=alert(1)&gt;" in found
    assert "has failed" in found
    assert "Last modified" in found
    assert text.startswith("Pipelines: 1\n")
    assert "Failed" in text


@pytest.mark.spec("3.5")
def test_an_expanded_row_sends_little_besides_its_data(lab: Lab, view: PipelineList) -> None:
    """The code of all views is sent with the first of them; a builder brings none of its own."""
    made = lab.pipeline("SFT", "DPO")
    view.refresh()
    sent: list[Any] = []
    ipywidgets.Widget.on_widget_constructed(sent.append)
    try:
        ask(view, "expand", pipeline=made.id)
    finally:
        ipywidgets.Widget.on_widget_constructed(None)
    assert any(isinstance(widget, PipelineView) for widget in sent)
    assert len(json.dumps([widget.get_state() for widget in sent], default=str)) <= 10_000


@pytest.mark.spec("4.12")
def test_a_pipeline_is_made_of_a_template(view: PipelineList, services: Services) -> None:
    """The ready ones are offered first; what was made is shown expanded; an own one can be deleted."""
    offered = ask(view, "templates")["result"]
    assert [each["is_ready"] for each in offered] == [True] * 3
    assert offered[0].keys() == {"name", "chain", "description", "is_ready"}
    made = ask(view, "create_from_template", template="Post-training", name=" mine ")["result"]
    assert (made["name"], [*view.builders]) == ("mine", [made["id"]])
    assert len(view.builders[made["id"]].stages) == 4
    builder = view.builders[made["id"]]
    assert builder.do_save_as_template("kept", "What for.") == {"name": "kept"}
    assert ask(view, "templates")["result"][3]["description"] == "What for."
    assert ask(view, "create_from_template", template="kept")["result"]["name"] == "kept"
    assert (
        ask(view, "create_from_template", template="kept", name="mine")["error"]["kind"] == "NameTakenError"
    )
    assert len(ask(view, "delete_template", template="kept")["result"]) == 3
    assert ask(view, "delete_template", template="Post-training")["error"]["kind"] == "RuleError"
    assert services.templates.get("Latent policy").chain == "Supervised → LatentPPO → agent"
