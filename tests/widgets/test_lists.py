"""What the lists of pipelines and experiments have in common: filters, several rows, what people write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from factories.lab import Lab

from pipeline_widgets.application import Services
from pipeline_widgets.errors import ConfigError, FilterError
from pipeline_widgets.widgets.experiments import ExperimentsView
from pipeline_widgets.widgets.pipeline_list import PipelineList


@pytest.fixture
def compared() -> list[Sequence[int]]:
    """The experiments that views have asked to compare."""
    return []


@pytest.fixture(params=[PipelineList, ExperimentsView])
def view(request: Any, services: Services, lab: Lab, compared: list[Sequence[int]]) -> Any:
    """A list with three rows: one is active, one has succeeded, one has never run."""
    for name in ("active", "done", "new"):
        stage = lab.pipeline("SFT", name=name).stages[0]
        if name == "active":
            lab.started(lab.runs.trigger(stage.id))
        elif name == "done":
            lab.do(stage, 0.5)
    return request.param(services, lab.project.id, on_compare=compared.append)


def named(view: Any, start: str) -> int:
    """Return the id of the row whose name begins so."""
    return next(row["id"] for row in view.rows if row["name"].startswith(start))


@pytest.mark.spec("9.8")
def test_a_filter_that_cannot_be_read_leaves_the_list_alone(view: Any) -> None:
    """The error is the command's answer; page and filter stay what they were."""
    view.do_query(search="evaluation_score>0.4")
    assert (view.page["total"], view.page["all"]) == (1, 3)
    with pytest.raises(FilterError, match="Column 1"):
        view.do_query(search="status>3")
    assert (view.page["search"], view.page["total"]) == ("evaluation_score>0.4", 1)


@pytest.mark.spec("9.8")
def test_the_page_has_a_size(view: Any) -> None:
    """A page has as many rows as were asked for, and the next one goes on."""
    view.do_query(size=2, sort="name", descending=False)
    assert (len(view.rows), view.page["pages"], view.page["size"]) == (2, 2, 2)
    view.do_query(page=1)
    assert len(view.rows) == 1


@pytest.mark.spec("9.8")
def test_what_is_done_to_several_rows_is_told_for_each(view: Any) -> None:
    """What can be stopped or deleted is; the others stay, and each is named with the reason."""
    active, done = named(view, "active"), named(view, "done")
    stopped = view.do_stop_several([active, done])
    assert stopped["done"] == [active]
    (refused,) = stopped["refused"]
    assert (refused["id"], refused["name"]) == (done, next(r["name"] for r in view.rows if r["id"] == done))
    assert refused["reason"]
    deleted = view.do_delete_several([active, done, named(view, "new")])
    left = {row["id"] for row in view.rows}
    assert active in left
    assert {each["id"] for each in deleted["refused"]} == left
    assert {*deleted["done"]}.isdisjoint(left)


@pytest.mark.spec("9.8")
def test_tags_are_written_to_all_or_to_none(view: Any) -> None:
    """A tag that is refused changes no row; what was there comes back for an undo."""
    ids = [row["id"] for row in view.rows]
    view.do_annotate(ids[:1], note="Look", favourite=True)
    answer = view.do_annotate(ids, added=["a", "b"], removed=["c"])
    assert [row["tags"] for row in view.rows] == [["a", "b"]] * 3
    kept = next(each for each in answer["before"] if each["id"] == ids[0])
    assert kept == {"id": ids[0], "note": "Look", "tags": [], "favourite": True}
    with pytest.raises(ConfigError):
        view.do_annotate(ids, added=["x" * 65])
    for before in answer["before"]:
        view.do_annotate([before.pop("id")], **before)
    assert [row.get("tags") for row in view.rows] == [None] * 3
    assert view.rows[0]["note"] == "Look"


@pytest.mark.spec("9.8")
def test_rows_are_opened_together_in_results(view: Any, lab: Lab, compared: list[Sequence[int]]) -> None:
    """Compare opens Results with the experiments of all rows that are selected."""
    view.do_compare([row["id"] for row in view.rows])
    with lab.store.read() as work:
        assert sorted(compared[0]) == [each.id for each in work.experiments.of_project(lab.project.id)]


@pytest.mark.spec("9.8")
def test_fields_and_values_are_suggested(view: Any, services: Services, lab: Lab) -> None:
    """Fields of all rows come first, then those of configs, then metrics; and tags that are in use."""
    lab.report(lab.started(lab.runs.trigger(lab.pipeline("SFT", name="more").stages[0].id)), 3, loss=0.5)
    view.do_annotate([view.rows[0]["id"]], tags=["keep"])
    found = view.do_filter_fields()
    kinds = {each["name"]: each["kind"] for each in found["fields"]}
    assert (kinds["seed"], kinds["steps"], kinds["loss"], kinds["status"]) == (
        "number",
        "config",
        "metric",
        "status",
    )
    assert found["values"]["tag"] == ["keep"]
    assert found["values"]["algorithm"] == ["SFT"]
    assert "Succeeded" in found["values"]["status"]


@pytest.mark.spec("9.7")
def test_the_log_of_any_run_is_read_in_parts(services: Services, lab: Lab) -> None:
    """A view answers with lines, matches and raw parts of the log of a run, and names the runs beside it."""
    stage = lab.pipeline("SFT", name="logged").stages[0]
    first, second = lab.do(stage, 0.5), lab.do(stage, 0.6)
    folder = lab.store.run_folder(second.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.txt").write_text("one\nTwo\nthree", encoding="utf-8")
    view = ExperimentsView(services, lab.project.id)
    part = view.do_log(second.id)
    assert part["lines"] == [[0, None, "one"], [4, None, "Two"], [8, None, "three"]]
    assert (part["size"], part["timed"]) == (13, False)
    assert view.do_log_search(second.id, "two") == {"offsets": [4], "next": None}
    assert view.do_log_raw(second.id) == {"data": "one\nTwo\nthree", "next": None}
    assert view.do_log_time(second.id, 5.0) == {"at": None}
    runs = view.do_log_runs(second.id)["runs"]
    assert [(each["id"], each["number"]) for each in runs] == [(second.id, 2), (first.id, 1)]
