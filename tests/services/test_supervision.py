"""What supervisors do to runs, and that one which was given up can do nothing (spec 6.9)."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from factories.lab import CHILD, Lab, an_owner

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.failure import TracedCall, make_failure
from pipeline_widgets.domain.job import Job, MetricReport, Outcome
from pipeline_widgets.domain.liveness import Lease
from pipeline_widgets.domain.run import Status
from pipeline_widgets.errors import FencedError, TransitionError


def lease(lab: Lab) -> Lease:
    """Return the only lease."""
    (found,), _ = lab.supervision.active()
    return found


def triggered(lab: Lab) -> int:
    """Return the id of a new Pending run."""
    made = lab.pipeline("SFT", "GRPO", trigger="auto")
    return lab.runs.trigger(made.stages[0].id).id


@pytest.mark.spec("6.2", "6.9")
def test_one_supervisor_takes_a_run(lab: Lab) -> None:
    """The second one that comes goes away, and so does one that comes after the end."""
    run = triggered(lab)
    assert lab.supervision.take(run, an_owner()) is not None
    assert lab.supervision.take(run, an_owner()) is None
    lab.runs.stop(run)
    assert lab.supervision.take(run, an_owner()) is None


def test_a_job_is_all_that_a_child_needs(lab: Lab) -> None:
    """Code, config, seed, signature, start and the run's own folder are in the job."""
    owner = an_owner()
    run = lab.runs.get(triggered(lab))
    job = lab.supervision.take(run.id, owner)
    assert job is not None
    assert (job.run_id, job.project_id, job.kind, job.token) == (
        run.id,
        lab.project.id,
        "training",
        owner.token,
    )
    assert job.reference is not None
    assert job.reference.path == "factories.lab:SFT"
    assert dict(job.config) == {"steps": 10}
    assert job.folder == str(lab.store.artifacts / "runs" / f"{run.id:08d}")
    assert (job.start, job.start_role, job.freeze) == (None, None, None)


def test_the_times_of_a_run_are_the_databases(lab: Lab) -> None:
    """Created, started and finished are told by the clock of the database."""
    run = triggered(lab)
    lab.clock.forward(10)
    job = lab.started(lab.runs.get(run))
    lab.clock.forward(20)
    lab.end(job)
    done = lab.runs.get(run)
    assert done.started_at is not None
    assert done.finished_at is not None
    assert (done.started_at - done.created_at).total_seconds() == 10
    assert (done.finished_at - done.started_at).total_seconds() == 20


@pytest.mark.spec("6.6")
def test_what_is_told_can_be_read(lab: Lab) -> None:
    """Metrics keep their order, NaN and infinities; progress is that of the last report."""
    job = lab.started(lab.runs.get(triggered(lab)))
    lab.report(job, 1, 100, loss=0.5, accuracy=0.1)
    lab.report(job, 2, loss=math.nan)
    lab.report(job, 2, loss=math.inf)
    told = [*lab.runs.metrics([job.run_id]).rows()]
    assert {run for run, *_ in told} == {job.run_id}
    assert [(step, name) for _, step, name, _ in told] == [
        (1, "loss"),
        (1, "accuracy"),
        (2, "loss"),
        (2, "loss"),
    ]
    assert [value for *_, value in told][:2] == [0.5, 0.1]
    assert math.isnan(told[2][3])
    assert math.isinf(told[3][3])
    run = lab.runs.get(job.run_id)
    assert (run.step, run.total) == (2, 100)


@pytest.mark.spec("7.4")
def test_why_a_run_failed_stays_with_it(lab: Lab) -> None:
    """What its worker has recorded is in its row; the next run of the stage has none of it."""
    made = lab.pipeline("SFT")
    job = lab.started(lab.runs.trigger(made.stages[0].id))
    call = TracedCall(file="/home/me/train.py", line=2, function="train")
    failure = make_failure("ValueError: \0 no", call, ["def train():", "    raise ValueError"])
    lab.end(job, Status.FAILED, "Traceback ...", failure)
    run = lab.runs.get(job.run_id)
    assert run.get_failure() == run.failure == failure
    assert failure.message == "ValueError: \ufffd no"
    assert lab.do(made.stages[0], 0.5).get_failure() is None


def test_a_checkpoint_that_is_saved_again_is_replaced(lab: Lab) -> None:
    """A second checkpoint of the same step takes the place of the first, under the same id."""
    job = lab.started(lab.runs.get(triggered(lab)))
    first = lab.save(job, 10, 0.1, content="a")
    second = lab.save(job, 10, 0.2, 0.3, content="b")
    (kept,) = lab.runs.checkpoints(job.run_id)
    assert (kept.id, kept.digest, kept.evaluation_score, kept.training_score) == (
        first.id,
        second.digest,
        0.2,
        0.3,
    )
    assert first.digest != second.digest


def test_a_failed_run_keeps_its_traceback(lab: Lab) -> None:
    """The error of a run that failed can be read, and so can its checkpoints."""
    job = lab.started(lab.runs.get(triggered(lab)))
    lab.save(job, 10, 0.1)
    lab.end(job, Status.FAILED, "Traceback ...\nValueError: no")
    run = lab.runs.get(job.run_id)
    assert (run.status, run.error) == (Status.FAILED, "Traceback ...\nValueError: no")
    assert len(lab.runs.checkpoints(job.run_id)) == 1


TOLD = Batch(reported=[MetricReport(step=9, total=9, metrics={"a": 1})])
WRITES: list[Callable[[Lab, Job], object]] = [
    lambda lab, job: lab.supervision.record_start(job, CHILD),
    lambda lab, job: lab.supervision.beat(job),
    lambda lab, job: lab.supervision.status(job),
    lambda lab, job: lab.report(job, 99, loss=1.0),
    lambda lab, job: lab.save(job, 99, 1.0),
    lambda lab, job: lab.supervision.record(job, Batch()),
    lambda lab, job: lab.supervision.finish(job, Outcome(status=Status.SUCCEEDED), an_owner()),
    lambda lab, job: lab.supervision.finish(
        job, Outcome(status=Status.FAILED, error="late"), an_owner(), TOLD
    ),
]


@pytest.mark.spec("6.9")
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("how", ["given up", "finished", "taken by another", "stopped before it started"])
def test_a_process_that_was_given_up_is_fenced(
    lab: Lab, write: Callable[[Lab, Job], object], how: str
) -> None:
    """Whatever it writes raises FencedError and changes nothing: not the run, its metrics or checkpoints."""
    run = triggered(lab)
    owner = an_owner()
    job = lab.supervision.take(run, owner)
    assert job is not None
    match how:
        case "given up":
            lab.supervision.record_start(job, CHILD)
            lab.save(job, 10, 0.5)
            assert lab.supervision.give_up(lease(lab), "It is gone.")
        case "finished":
            lab.supervision.record_start(job, CHILD)
            lab.supervision.finish(job, Outcome(status=Status.FAILED, error="early"), owner)
        case "taken by another":
            assert lab.supervision.count_launch(lease(lab))
            other = lab.supervision.take(run, an_owner())
            assert other is not None
            lab.supervision.record_start(other, CHILD)
        case _:
            lab.runs.stop(run)

    def everything() -> object:
        return (
            lab.runs.get(run),
            [*lab.runs.metrics([run]).rows()],
            lab.runs.checkpoints(run),
            lab.supervision.active(),
            lab.store.changes.revision(lab.project.id),
            lab.states.pipeline(1),
        )

    before = everything()
    lab.clock.forward(1)
    now = lab.clock.now
    with pytest.raises(FencedError, match=f"Run {run} is no longer carried out by this process"):
        write(lab, job)
    lab.clock.forward(-1)
    assert lab.clock.now < now
    assert everything() == before


@pytest.mark.spec("6.9")
def test_a_run_that_was_given_up_is_crashed_with_evidence_and_keeps_its_checkpoints(lab: Lab) -> None:
    """Crashed starts nothing; what was saved can be used and resumed."""
    job = lab.started(lab.runs.get(triggered(lab)))
    lab.save(job, 10, 0.5)
    assert lab.supervision.give_up(lease(lab), "Its supervisor is gone.")
    run = lab.runs.get(job.run_id)
    assert (run.status, run.error) == (Status.CRASHED, "Its supervisor is gone.")
    assert run.finished_at is not None
    assert len(lab.runs.checkpoints(run.id)) == 1
    assert run.stage_id is not None
    assert [state.status for state in lab.states.pipeline(1).stages] == [Status.CRASHED, Status.DRAFT]
    assert lab.runs.trigger(run.stage_id, resume=True).start_role == "resume"


@pytest.mark.spec("6.9")
def test_a_run_that_moved_on_since_it_was_looked_at_is_not_given_up(lab: Lab) -> None:
    """A beat, a start or an end between the look and the verdict saves the run."""
    job = lab.started(lab.runs.get(triggered(lab)))
    seen = lease(lab)
    lab.clock.forward(5)
    lab.supervision.beat(job)
    assert not lab.supervision.give_up(seen, "It is gone.")
    assert lab.runs.get(job.run_id).status is Status.RUNNING
    seen = lease(lab)
    lab.end(job, Status.FAILED)
    assert not lab.supervision.give_up(seen, "It is gone.")
    assert lab.runs.get(job.run_id).error is None


@pytest.mark.spec("6.9")
def test_a_launch_is_counted_once(lab: Lab) -> None:
    """Of several that would launch the same run one does, and a run that was taken is launched by nobody."""
    run = triggered(lab)
    seen, unheld = lease(lab), Lease(subject_id=run, created_at=0)
    assert lab.supervision.count_launch(unheld)
    assert not lab.supervision.count_launch(unheld)
    assert not lab.supervision.count_launch(seen)
    launched = lease(lab)
    assert (launched.launches, launched.launched_at) == (1, lab.clock.now)
    assert lab.supervision.count_launch(launched)
    assert not lab.supervision.count_launch(launched)
    lab.started(lab.runs.get(run))
    assert not lab.supervision.count_launch(lease(lab))
    assert not lab.supervision.count_launch(unheld)


@pytest.mark.spec("6.9")
def test_a_taken_run_that_is_launched_again_belongs_to_the_new_supervisor(lab: Lab) -> None:
    """A supervisor that died between taking and starting is replaced, and fenced should it come back."""
    run = triggered(lab)
    first = lab.take(lab.runs.get(run))
    assert lab.supervision.count_launch(lease(lab))
    second = lab.take(lab.runs.get(run))
    with pytest.raises(FencedError):
        lab.supervision.record_start(first, CHILD)
    lab.supervision.record_start(second, CHILD)
    assert lab.runs.get(run).status is Status.RUNNING


@pytest.mark.spec("6.9")
def test_a_lease_tells_who_carries_a_run_out(lab: Lab) -> None:
    """Supervisor, child, last beat and time are those of the database."""
    owner = an_owner()
    job = lab.supervision.take(triggered(lab), owner)
    assert job is not None
    assert (lease(lab).holder, lease(lab).worker) == (owner.process, None)
    lab.clock.forward(3)
    lab.supervision.record_start(job, CHILD)
    (found,), now = lab.supervision.active()
    assert (found.status, found.token, found.holder, found.worker) == (
        Status.RUNNING, owner.token, owner.process, CHILD,
    )  # fmt: skip
    assert (found.beat_at, now) == (lab.clock.now, lab.clock.now)


def test_the_follower_belongs_to_the_supervisor_that_finished(lab: Lab) -> None:
    """The next job is leased at once, so that nobody else launches it."""
    run = triggered(lab)
    owner = an_owner()
    job = lab.supervision.take(run, owner)
    assert job is not None
    lab.supervision.record_start(job, CHILD)
    lab.save(job, 10, 0.5)
    follower = lab.supervision.finish(job, Outcome(status=Status.SUCCEEDED), owner)
    assert isinstance(follower, Job)
    assert (lease(lab).subject_id, lease(lab).token, lease(lab).holder) == (
        follower.run_id,
        owner.token,
        owner.process,
    )
    assert not lab.supervision.count_launch(Lease(subject_id=follower.run_id, created_at=0))
    assert lab.supervision.take(follower.run_id, an_owner()) is None


def test_the_last_that_was_told_comes_with_the_end(lab: Lab) -> None:
    """Metrics and checkpoints that were not written yet are written in the transaction that ends the run."""
    job = lab.started(lab.runs.get(triggered(lab)))
    last = Batch(reported=[MetricReport(step=7, total=8, metrics={"loss": 0.5})])
    lab.supervision.finish(job, Outcome(status=Status.STOPPED), an_owner(), last)
    run = lab.runs.get(job.run_id)
    assert (run.status, run.step, run.total) == (Status.STOPPED, 7, 8)
    assert [*lab.runs.metrics([run.id]).rows()] == [(run.id, 7, "loss", 0.5)]


@pytest.mark.spec("1")
def test_no_write_moves_a_finished_run(lab: Lab) -> None:
    """The table of transitions holds in the database too."""
    job = lab.started(lab.runs.get(triggered(lab)))
    lab.end(job, Status.FAILED)
    done = lab.runs.get(job.run_id)
    for status in Status:
        with pytest.raises(TransitionError), lab.store.write() as work:
            work.runs.set_status(done, status, 1)
    assert lab.runs.get(job.run_id) == done
