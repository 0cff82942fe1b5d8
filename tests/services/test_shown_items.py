"""What trainings show, as rows and files: written with the reports, read a step at a time (spec 9.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories.lab import Lab, an_owner
from sqlalchemy import update
from statements import queries, sent

from pipeline_widgets.algorithms.context import TrainContext
from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.job import Job, MetricReport, Outcome, Report, ShowReport
from pipeline_widgets.domain.run import Run, Status
from pipeline_widgets.domain.shown_item import Sample
from pipeline_widgets.errors import CheckpointError, FencedError, NotFoundError
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.backup import back_up
from pipeline_widgets.persistence.database import Database
from pipeline_widgets.persistence.store import open_store
from pipeline_widgets.persistence.workspace_copy import copy_workspace
from pipeline_widgets.services.queries.shown_items import MOST_AT_STEP, ShownItemQueries
from pipeline_widgets.services.retention import RetentionService

pytestmark = pytest.mark.spec("9.4")

PICTURE = np.zeros((4, 6), np.uint8)


@pytest.fixture
def job(lab: Lab) -> Job:
    """A run at work."""
    return lab.started(lab.runs.trigger(lab.pipeline("SFT").stages[0].id))


def shown(job: Job, step: int, **what: Any) -> ShowReport:
    """Return the report of what the worker of a run shows; a file is published."""
    events = list[Report]()
    TrainContext(config=None, seed=0, folder=Path(job.folder), emit=events.append).show(step, **what)
    (event,) = events
    assert isinstance(event, ShowReport)
    return event


def show(lab: Lab, job: Job, step: int, **what: Any) -> None:
    """Let a run show something, and its supervisor write it."""
    lab.supervision.record(job, Batch.of([shown(job, step, **what)]))


def items(lab: Lab) -> ShownItemQueries:
    """Return what reads them."""
    return ShownItemQueries(lab.store)


def test_what_is_shown_is_read_back_as_it_was(lab: Lab, job: Job) -> None:
    """Samples with texts and scores, an image and a video with their files, in the order of the steps."""
    show(lab, job, 20, image=PICTURE, caption="A cat", prompt="a cat", seed=2**62)
    show(lab, job, 10, samples=[("a", "b", 0.5, "c"), ("d", "e\x00", float("nan"))], caption="Held out")
    show(lab, job, 20, video=np.zeros((2, 4, 4, 3)), fps=4, seed=1)
    listed = items(lab).list_items(job.run_id)
    assert [(each.step, each.kind, each.caption, each.prompt, each.seed) for each in listed] == [
        (10, "samples", "Held out", None, None),
        (20, "image", "A cat", "a cat", 2**62),
        (20, "video", "", None, 1),
    ]
    assert [each.sample_count for each in listed] == [2, 0, 0]
    assert listed[0].samples == ()  # a listing reads none
    assert items(lab).get(listed[0].id).samples == (Sample("a", "b", 0.5, "c"), Sample("d", "e�", None, None))
    image, video = listed[1].media, listed[2].media
    assert image is not None
    assert video is not None
    assert (image.media_type, image.width, image.height, image.seconds) == ("image/png", 6, 4, None)
    assert (video.width, video.height, video.seconds) == (4, 4, 0.5)
    path = items(lab).find_file(listed[1])
    assert path.parent.parent == lab.store.run_folder(job.run_id) / "shown"
    assert items(lab).read_part(listed[1].id, 0) == path.read_bytes()
    assert items(lab).read_part(listed[1].id, 5, 3) == path.read_bytes()[5:8]
    summary = items(lab).summaries([job.run_id])[job.run_id]
    assert (summary.items, summary.steps, summary.title) == (3, 2, "Samples, images and videos")
    with pytest.raises(NotFoundError, match=r"This item has no file\. Samples are text"):
        items(lab).find_file(listed[0])


def test_a_step_is_read_by_its_place(lab: Lab, job: Job) -> None:
    """The last one by default, and where there are fewer; a thousand items take as many statements as one."""
    assert items(lab).step(job.run_id) is None
    show(lab, job, 5, samples=[("a", "b")])
    with sent(lab.store) as few:
        items(lab).step(job.run_id)
    reports = [shown(job, step, samples=[("a", f"at {step}")]) for step in range(10, 1_000)]
    lab.supervision.record(job, Batch.of(reports))
    with sent(lab.store) as many:
        last = items(lab).step(job.run_id)
    assert last is not None
    assert (last.steps, last.at, last.step, last.items[0].samples[0].output) == (991, 990, 999, "at 999")
    for at, step in ((0, 5), (1, 10), (990, 999), (5_000, 999), (-1, 999)):
        found = items(lab).step(job.run_id, at)
        assert found is not None
        assert found.step == step
    assert len(queries(many)) == len(queries(few))


def test_a_step_with_many_items_shows_the_first_of_them(lab: Lab, job: Job) -> None:
    """And says how many more there are."""
    reports = [shown(job, 1, samples=[("a", str(at))]) for at in range(MOST_AT_STEP + 5)]
    lab.supervision.record(job, Batch.of(reports))
    found = items(lab).step(job.run_id)
    assert found is not None
    assert (len(found.items), found.more) == (MOST_AT_STEP, 5)


def test_two_runs_are_compared_by_prompt_and_seed(lab: Lab, job: Job) -> None:
    """What both have comes first, whatever the order; then what only one has."""
    other = lab.started(lab.runs.trigger(lab.pipeline("SFT", name="other").stages[0].id))
    show(lab, job, 1, samples=[("x", "1"), ("y", "2"), ("y", "again")])
    show(lab, job, 1, image=PICTURE, seed=3)
    show(lab, other, 7, samples=[("y", "3", 1.0), ("z", "4")])
    show(lab, other, 7, image=PICTURE, seed=3)
    show(lab, other, 7, image=PICTURE, seed=4)
    found = items(lab).compare(job.run_id, other.run_id)
    outputs = [
        (
            pair.label,
            pair.left and (pair.left.sample.output if pair.left.sample else pair.left.item.kind),
            pair.right and (pair.right.sample.output if pair.right.sample else pair.right.item.kind),
        )
        for pair in found.pairs
    ]
    assert outputs == [
        ("y", "2", "3"),
        ("seed 3", "image", "image"),
        ("x", "1", None),
        ("y", "again", None),
        ("z", None, "4"),
        ("seed 4", None, "image"),
    ]
    alone = items(lab).compare(job.run_id, 10_000)
    assert alone.right is None
    assert not any(pair.is_match for pair in alone.pairs)


def test_it_is_written_with_the_reports_and_fenced(lab: Lab, job: Job) -> None:
    """One transaction for both, nothing of a supervisor that was given up; the end takes the last along."""
    reports: list[Report] = [
        MetricReport(step=1, total=2, metrics={"loss": 1.0}),
        shown(job, 1, image=PICTURE),
    ]
    before = lab.store.changes.revision(job.project_id)
    lab.supervision.record(job, Batch.of(reports))
    assert lab.store.changes.revision(job.project_id) == before + 1
    last = Batch.of([shown(job, 2, samples=[("a", "b")])])
    lab.supervision.finish(job, Outcome(status=Status.SUCCEEDED), an_owner(), last)
    assert [each.step for each in items(lab).list_items(job.run_id)] == [1, 2]
    with pytest.raises(FencedError):
        show(lab, job, 3, samples=[("a", "b")])
    assert len(items(lab).list_items(job.run_id)) == 2


def test_a_report_that_cannot_be_stored_is_named(lab: Lab, job: Job) -> None:
    """The batch is taken apart, and each part has its words."""
    batch = Batch.of([shown(job, 3, samples=[("a", "b")]), shown(job, 4, image=PICTURE)])
    assert str(batch) == "the samples shown at step 3, the image shown at step 4"
    first, second = batch.split()
    assert (len(first.shown), len(second.shown)) == (1, 1)
    assert batch.has_reports


def test_a_file_without_a_row_goes_with_the_next_clean_up(lab: Lab, job: Job) -> None:
    """As one that a worker left which was killed before its supervisor had heard of it."""
    show(lab, job, 1, image=PICTURE)
    lost = shown(job, 2, image=PICTURE + 1)
    assert lost.folder is not None
    retention = RetentionService(lab.store)
    retention.delete_unreferenced(job.project_id, "all")
    assert lost.folder.path.is_dir()  # it is at work still
    lab.end(job, Status.STOPPED)
    assert retention.other_files(job.project_id) == ()
    retention.delete_unreferenced(job.project_id, "all")
    assert not lost.folder.path.exists()
    (kept,) = items(lab).list_items(job.run_id)
    assert items(lab).find_file(kept).is_file()


def test_rows_and_files_go_with_their_project(lab: Lab, job: Job) -> None:
    """Nothing of them is left."""
    show(lab, job, 1, image=PICTURE)
    show(lab, job, 1, samples=[("a", "b")])
    folder = lab.store.run_folder(job.run_id)
    lab.end(job, Status.STOPPED)
    lab.projects.delete(job.project_id)
    assert not folder.exists()
    with lab.store.read() as work:
        assert work.connection.execute(schema.shown_items.select()).all() == []


def test_a_copy_and_a_backup_have_rows_and_files(lab: Lab, job: Job, tmp_path: Path) -> None:
    """Each in a workspace of its own."""
    show(lab, job, 1, image=PICTURE, caption="A cat")
    show(lab, job, 2, samples=[("a", "b", 0.5)])
    lab.end(job, Status.STOPPED)
    (image, _) = items(lab).list_items(job.run_id)
    data = items(lab).read_part(image.id, 0)
    copy_workspace(lab.store, tmp_path / "copy.db")
    places = [(tmp_path / "copy.db", tmp_path / "copy-artifacts")]
    if lab.store.database.path is not None:
        made = back_up(lab.store, tmp_path / "backup")
        places.append((made, made.parent / f"{made.stem}-artifacts"))
    for database, artifacts in places:
        store = open_store(Database(database), artifacts)
        queries_there = ShownItemQueries(store)
        first, second = queries_there.list_items(job.run_id)
        assert queries_there.find_file(first).is_relative_to(artifacts)
        assert queries_there.read_part(first.id, 0) == data
        assert queries_there.get(second.id).samples == (Sample("a", "b", 0.5),)
        store.database.close()


@pytest.mark.parametrize(
    "path", ["../secret", "/etc", "runs/00000001/checkpoints/..", "runs/1/log.txt", "agents"]
)
def test_a_row_that_names_another_place_is_not_read(lab: Lab, job: Job, path: str) -> None:
    """A row may come from anybody."""
    show(lab, job, 1, image=PICTURE)
    (item,) = items(lab).list_items(job.run_id)
    with lab.store.write() as work:
        work.connection.execute(update(schema.shown_items).values(path=path))
    with pytest.raises(CheckpointError):
        items(lab).read_part(item.id, 0)


def test_a_file_that_is_gone_or_a_link_is_told(lab: Lab, job: Job, tmp_path: Path) -> None:
    """And a type that is none of ours is not read at all."""
    show(lab, job, 1, image=PICTURE)
    (item,) = items(lab).list_items(job.run_id)
    file = items(lab).find_file(item)
    file.unlink()
    with pytest.raises(CheckpointError, match="The image of step 1 is missing"):
        items(lab).read_part(item.id, 0)
    (tmp_path / "secret").write_text("x")
    file.symlink_to(tmp_path / "secret")
    with pytest.raises(CheckpointError, match="The image of step 1 is missing"):
        items(lab).read_part(item.id, 0)
    with lab.store.write() as work:
        work.connection.execute(update(schema.shown_items).values(media_type="image/svg+xml"))
    with pytest.raises(NotFoundError):
        items(lab).read_part(item.id, 0)


def test_the_samples_of_the_latest_step_are_those_of_a_snapshot(lab: Lab, job: Job) -> None:
    """Of each run that has shown any."""
    other: Run = lab.runs.trigger(lab.pipeline("SFT", name="other").stages[0].id)
    show(lab, job, 1, samples=[("a", "old")])
    show(lab, job, 2, samples=[("a", "new")])
    show(lab, job, 2, image=PICTURE)
    (item,) = items(lab).latest_samples([job.run_id, other.id])
    assert [each.output for each in item.samples] == ["new"]
