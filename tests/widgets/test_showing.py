"""What runs have shown, as messages: one step at a time, side by side, and files in parts (spec 9.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories.lab import Lab

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.application import Services
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import Job, Report
from pipeline_widgets.widgets import showing
from pipeline_widgets.widgets.base import Attached
from pipeline_widgets.widgets.experiment import ExperimentView
from pipeline_widgets.widgets.pipeline import PipelineView
from pipeline_widgets.widgets.results import ResultsView

pytestmark = pytest.mark.spec("9.4")

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)


def show(lab: Lab, job: Job, step: int, **what: Any) -> None:
    """Let a run show something, and its supervisor write it."""
    events = list[Report]()
    TrainContext(config=None, seed=0, folder=Path(job.folder), emit=events.append).show(step, **what)
    lab.supervision.record(job, Batch.of(events))


@pytest.fixture
def job(lab: Lab) -> Job:
    """A run at work."""
    return lab.started(lab.runs.trigger(lab.pipeline("SFT").stages[0].id))


@pytest.fixture
def view(lab: Lab, services: Services, job: Job) -> PipelineView:
    """The builder of its pipeline."""
    return PipelineView(services, lab.runs.get(job.run_id).pipeline_id or 0)


def asked(view: Any, command: str, **args: Any) -> tuple[dict[str, Any], list[bytes]]:
    """Send a command as a browser does; return its answer and the bytes beside it."""
    answers = list[tuple[dict[str, Any], list[bytes]]]()

    def send(content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        answers.append((content, buffers or []))

    view.line.send = send
    view._handle_message(None, {"id": "1", "command": command, "args": args}, [])
    (answer,) = answers
    return answer


def test_the_panel_has_only_how_much_there_is(lab: Lab, job: Job, view: PipelineView) -> None:
    """Whatever was shown; a run that has shown nothing has nothing."""
    assert view.panel["run"]["shown"] == {
        "id": job.run_id,
        "items": 0,
        "steps": 0,
        "title": "",
        "full": False,
    }
    show(lab, job, 10, samples=[("a", "quokka" * 2_000)])
    show(lab, job, 10, image=PICTURE)
    view.refresh()
    told = {"id": job.run_id, "items": 2, "steps": 1, "title": "Samples and images", "full": False}
    assert view.panel["run"]["shown"] == told
    assert "quokka" not in str(view.get_state())  # pyright: ignore[reportUnknownArgumentType]  ipywidgets has no types


def test_a_step_comes_when_it_is_asked_for(lab: Lab, job: Job, view: PipelineView) -> None:
    """With its texts, and what is known of its files; a text that is long is cut, and says so."""
    assert asked(view, "shown", run=job.run_id)[0]["result"] == {"step": None, "items": []}
    show(lab, job, 2**60, samples=[("a", "b" * 5_000, float("inf"), "c")], caption="Held out")
    show(lab, job, 5, image=PICTURE, prompt="a cat", seed=2**62)
    answer, _ = asked(view, "shown", run=job.run_id)
    assert answer["result"]["step"] == {
        "run": job.run_id, "steps": 2, "at": 1, "step": str(2**60), "more": 0,
    }  # fmt: skip
    (item,) = answer["result"]["items"]
    assert (item["kind"], item["caption"], item["media"]) == ("samples", "Held out", None)
    (sample,) = item["samples"]
    assert (sample["prompt"], sample["score"], sample["reference"]) == ("a", None, "c")
    assert sample["output"] == "b" * 4_000 + "… [1,000 more characters]"
    answer, _ = asked(view, "shown", run=job.run_id, at=0)
    (item,) = answer["result"]["items"]
    assert item["media"] == {"media_type": "image/png", "width": 40, "height": 40, "seconds": None}
    assert (item["prompt"], item["seed"]) == ("a cat", str(2**62))
    assert item["description"] == f"Image at step 5: 'a cat', seed {2**62}"


def test_a_file_comes_in_parts_beside_the_answer(
    lab: Lab, job: Job, view: PipelineView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joined they are the file; no part has more than a message takes."""
    show(lab, job, 1, image=PICTURE)
    (item,) = asked(view, "shown", run=job.run_id)[0]["result"]["items"]
    monkeypatch.setattr(showing, "PART", 700)
    data = b""
    while len(data) < item["size"]:
        answer, buffers = asked(view, "shown_part", item=item["id"], offset=len(data))
        assert answer["result"] == {"length": len(buffers[0])}
        assert 0 < len(buffers[0]) <= 700
        data += buffers[0]
    (stored,) = view._services.shown_items.list_items(job.run_id)
    assert data == view._services.shown_items.find_file(stored).read_bytes()
    assert isinstance(view.do_shown_part(item["id"], 0), Attached)
    answer, buffers = asked(view, "shown_part", item=99, offset=0)
    assert not answer["ok"]
    assert answer["error"]["what"] == "There is no such shown item."
    assert buffers == []


def test_two_runs_are_compared_in_one_answer(lab: Lab, job: Job, services: Services) -> None:
    """With how much matches; the side that follows goes to the step that is nearest."""
    other = lab.started(lab.runs.trigger(lab.pipeline("SFT", name="other").stages[0].id))
    for step in (10, 20, 30):
        show(lab, job, step, samples=[("x", f"at {step}", 1.0)])
    for step in (12, 29):
        show(lab, other, step, samples=[("x", f"at {step}"), ("y", "z")])
    view = ResultsView(
        services,
        job.project_id,
        chosen=[lab.runs.get(each.run_id).experiment_id or 0 for each in (job, other)],
    )
    assert [each["items"] for each in view.shown] == [3, 2] or [each["items"] for each in view.shown] == [
        2,
        3,
    ]
    found = asked(
        view, "compare_shown", left=job.run_id, right=other.run_id, left_at=0, right_at=-1, follows="right"
    )[0]["result"]
    assert (found["left"]["step"], found["right"]["step"], found["matched"], found["more"]) == (10, 12, 1, 0)
    first, second = found["pairs"]
    assert (first["label"], first["left"]["sample"]["output"], first["right"]["sample"]["output"]) == (
        "x", "at 10", "at 12",
    )  # fmt: skip
    assert (second["label"], second["left"], second["right"]["sample"]["output"]) == ("y", None, "z")
    assert first["left"]["item"]["samples"] == []
    found = asked(
        view, "compare_shown", left=job.run_id, right=other.run_id, left_at=0, right_at=1, follows="left"
    )[0]["result"]
    assert (found["left"]["step"], found["right"]["step"]) == (30, 29)
    found = asked(view, "compare_shown", left=job.run_id, right=0)[0]["result"]
    assert (found["right"], found["matched"]) == (None, 0)


def test_an_experiment_by_itself_has_them(lab: Lab, job: Job, services: Services) -> None:
    """Of the run that is shown."""
    show(lab, job, 10, samples=[("a", "b")])
    view = ExperimentView(services, lab.runs.get(job.run_id).experiment_id or 0)
    (detail,) = view.details
    assert detail["run"]["shown"]["items"] == 1


@pytest.mark.spec("4.7")
def test_a_snapshot_has_the_latest_samples_as_text(lab: Lab, job: Job, services: Services) -> None:
    """Escaped, with how many there are beside the first ones."""
    show(lab, job, 10, samples=[("old", "x")])
    samples = [(f"<b>{at}</b>", "out", 0.5 if at else float("nan"), "ref") for at in range(7)]
    show(lab, job, 20, samples=samples, caption="Held out")
    show(lab, job, 20, image=PICTURE)
    run = lab.runs.get(job.run_id)
    views = [PipelineView(services, run.pipeline_id or 0), ExperimentView(services, run.experiment_id or 0)]
    for view in views:
        page = view.static_html()
        assert "step 20" in page
        assert "Held out" in page
        assert "&lt;b&gt;0&lt;/b&gt;" in page
        assert "<b>0" not in page
        assert "N/A" in page
        assert "old" not in page
