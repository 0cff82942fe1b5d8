"""What the panel of a stage's run shows (spec 6.6)."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from factories.lab import Lab, an_owner
from sqlalchemy import update

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.chain import FromAgent
from pipeline_widgets.domain.curve import Curve
from pipeline_widgets.domain.job import Job, MetricReport, Outcome
from pipeline_widgets.domain.metric_block import make_block, pack_block
from pipeline_widgets.domain.run import Progress, Run, Status
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.persistence import schema
from pipeline_widgets.services.queries import curves
from pipeline_widgets.services.queries.run_detail import AgentMade, RunDetail, RunDetailQueries


@pytest.fixture
def run_details(lab: Lab) -> RunDetailQueries:
    """The panel of the workspace."""
    return RunDetailQueries(lab.store)


def training(lab: Lab) -> tuple[Run, Job]:
    """Start the only stage of a new pipeline."""
    return training_of(lab, lab.pipeline("SFT").stages[0].id)


def training_of(lab: Lab, stage_id: int) -> tuple[Run, Job]:
    """Start a stage."""
    run = lab.runs.trigger(stage_id)
    return run, lab.started(run)


def batch(first: int, spikes: dict[int, float]) -> Batch:
    """Return 500 reports."""
    told = [
        MetricReport(step=step, total=None, metrics={"loss": spikes.get(step, 0.0)})
        for step in range(first, first + 500)
    ]
    return Batch(reported=told)


def curve(seen: RunDetail, name: str) -> Curve:
    """Return the points of a metric."""
    return next(each.points for each in seen.curves if each.name == name)


def write_log(job: Job, text: str) -> None:
    """Print as a training would."""
    Path(job.folder).mkdir(parents=True, exist_ok=True)
    Path(job.folder, "log.txt").write_bytes(text.encode())


def now(lab: Lab) -> datetime:
    """Return the time on the database's clock."""
    return datetime.fromtimestamp(lab.clock.now, UTC)


@pytest.mark.spec("6.6")
def test_a_run_at_work_is_seen_live(lab: Lab, run_details: RunDetailQueries) -> None:
    """Progress with the time left, metrics, checkpoints and the end of the log are in one value."""
    run, job = training(lab)
    lab.clock.forward(10)
    lab.report(job, 25, total=100, loss=0.5, training_score=0.25)
    lab.save(job, 25, -math.inf, 0.25)
    write_log(job, "begun\nstep 25")
    seen = run_details.run(run.id)
    assert (seen.run.number, seen.run.status) == (1, Status.RUNNING)
    assert seen.run.started_at == lab.runs.get(run.id).started_at
    assert seen.progress(now(lab)) == Progress(step=25, total=100, eta=30.0)
    assert (curve(seen, "loss"), curve(seen, "training_score")) == (((25, 0.5),), ((25, 0.25),))
    (row,) = seen.checkpoints
    assert (row.step, row.training_score, row.evaluation_score, row.run) == (25, 0.25, None, "run 1")
    assert row.size == lab.runs.checkpoints(run.id)[0].size
    assert (seen.log, seen.run.error, seen.agent) == ("begun\nstep 25", None, None)


def test_a_look_is_equal_as_long_as_nothing_changed(lab: Lab, run_details: RunDetailQueries) -> None:
    """A heartbeat and passing time change nothing; a report, a line of the log and the end do."""
    run, job = training(lab)
    lab.report(job, 1, loss=math.nan)
    lab.save(job, 1, math.nan)
    seen = [run_details.run(run.id)]
    lab.clock.forward(5)
    lab.supervision.beat(job)
    assert run_details.run(run.id) == seen[0]
    for change in (
        lambda: lab.report(job, 2, loss=0.5),
        lambda: write_log(job, "a line\n"),
        lambda: lab.end(job, Status.FAILED, "Traceback: it broke."),
    ):
        change()
        seen.append(run_details.run(run.id))
        assert seen[-1] != seen[-2]
    assert seen[-1].run.error == "Traceback: it broke."
    assert seen[-1].run.finished_at == now(lab)


@pytest.mark.spec("6.5", "6.6")
def test_the_time_left_of_a_resumed_run_goes_by_its_own_pace(lab: Lab, run_details: RunDetailQueries) -> None:
    """Steps that its forerunner has done are not counted as done by it."""
    stage = lab.pipeline("SFT").stages[0]
    lab.do(stage, *[0.5] * 8, status=Status.STOPPED)
    run = lab.runs.trigger(stage.id, resume=True)
    job = lab.started(run)
    lab.clock.forward(10)
    lab.report(job, 80, total=100, loss=1.0)
    assert run_details.run(run.id).progress(now(lab)).eta is None
    lab.report(job, 85, total=100, loss=1.0)
    assert run_details.run(run.id).progress(now(lab)) == Progress(step=85, total=100, eta=30.0)


def test_the_best_checkpoint_is_that_by_which_later_stages_start(
    lab: Lab, run_details: RunDetailQueries
) -> None:
    """Without scores none is the best; then the training score tells, until there is an evaluation score."""
    run, job = training(lab)
    lab.save(job, 1)
    assert run_details.run(run.id).best is None
    by_training = lab.save(job, 2, None, 0.9)
    lab.save(job, 3, None, 0.5)
    assert run_details.run(run.id).best == by_training.id
    by_evaluation = lab.save(job, 4, 0.1, 0.1)
    assert run_details.run(run.id).best == by_evaluation.id


def test_scores_come_before_other_metrics(lab: Lab, run_details: RunDetailQueries) -> None:
    """Training and evaluation score are first, whenever they were reported; the others are by name."""
    run, job = training(lab)
    lab.report(job, 1, loss=1.0, entropy=2.0)
    lab.report(job, 2, evaluation_score=0.1, kl=3.0, training_score=0.2)
    names = [each.name for each in run_details.run(run.id).curves]
    assert names == ["training_score", "evaluation_score", "entropy", "kl", "loss"]


def test_curves_are_of_that_run_only(lab: Lab, run_details: RunDetailQueries) -> None:
    """Two runs that report in turns are kept apart."""
    run, job = training(lab)
    other, second = training_of(lab, lab.pipeline("SFT", name="other").stages[0].id)
    for step in range(3):
        lab.report(job, step, loss=1.0)
        lab.report(second, step, loss=2.0)
    assert curve(run_details.run(run.id), "loss") == ((0, 1.0), (1, 1.0), (2, 1.0))
    assert curve(run_details.run(other.id), "loss") == ((0, 2.0), (1, 2.0), (2, 2.0))


def test_a_value_that_is_no_number_is_a_gap(lab: Lab, run_details: RunDetailQueries) -> None:
    """NaN and infinities are drawn as gaps, and a step that is reported twice has its later value."""
    run, job = training(lab)
    for step, loss in ((1, 1.0), (2, math.nan), (3, math.inf), (4, 4.0), (4, 5.0)):
        lab.report(job, step, loss=loss)
    assert curve(run_details.run(run.id), "loss") == ((1, 1.0), (2, None), (3, None), (4, 5.0))


@pytest.mark.spec("6.6")
def test_a_long_run_keeps_its_shape_in_few_points(lab: Lab, run_details: RunDetailQueries) -> None:
    """Looked at while it grows or only at its end, a curve is short, has its ends and its spikes."""
    run, job = training(lab)
    growing: list[Curve] = []
    for first in range(0, 2000, 500):
        lab.supervision.record(job, batch(first, {first + 77: 9.0, first + 78: -9.0}))
        growing.append(curve(run_details.run(run.id, points=50), "loss"))
    late = curve(RunDetailQueries(lab.store).run(run.id, points=50), "loss")
    for points in (growing[-1], late):
        assert len(points) <= 50
        assert (points[0][0], points[-1][0]) == (0, 1999)
        assert {(77, 9.0), (578, -9.0), (1077, 9.0), (1578, -9.0)} <= set(points)


def test_a_later_look_reads_only_what_is_new(lab: Lab, run_details: RunDetailQueries) -> None:
    """What was read once is not read again: others can have taken its place, and the curve still goes on."""
    run, job = training(lab)
    lab.report(job, 1, loss=1.0)
    run_details.run(run.id)
    with lab.store.database.write() as connection:
        others = pack_block(make_block([(1, "loss", 9.0)]))
        connection.execute(update(schema.metric_blocks).values(data=others))
    lab.report(job, 2, loss=2.0)
    assert curve(run_details.run(run.id), "loss") == ((1, 1.0), (2, 2.0))
    assert curve(run_details.run(run.id, points=10), "loss") == ((1, 9.0), (2, 2.0))


def test_a_look_can_be_bounded(lab: Lab, run_details: RunDetailQueries) -> None:
    """Where a look may read only some metrics it says so, and the next ones go on to the end."""
    run, job = training(lab)
    for step in range(5):
        lab.report(job, step, loss=float(step))
    lengths: list[tuple[int, bool]] = []
    for _ in range(4):
        seen = run_details.run(run.id, metrics=2)
        lengths.append((len(curve(seen, "loss")), seen.whole))
    assert lengths == [(2, False), (4, False), (5, True), (5, True)]
    assert run_details.run(run.id) == RunDetailQueries(lab.store).run(run.id)


def test_curves_alone_are_read_of_many_runs(lab: Lab, run_details: RunDetailQueries) -> None:
    """With whether more can come; a run that is gone is left out."""
    run, job = training(lab)
    other, second = training_of(lab, lab.pipeline("SFT", name="other").stages[0].id)
    lab.report(job, 1, loss=1.0)
    lab.report(second, 1, loss=2.0)
    lab.end(second)
    told = run_details.curves([run.id, 999, other.id], points=10)
    assert [*told] == [run.id, other.id]
    assert [(each.whole, each.final) for each in told.values()] == [(True, False), (True, True)]
    assert [each.curves[0].points for each in told.values()] == [((1, 1.0),), ((1, 2.0),)]
    lab.report(job, 2, loss=3.0)
    assert not run_details.curves([run.id], points=10, metrics=1)[run.id].whole


def test_a_part_of_a_curve_is_read_in_detail(lab: Lab, run_details: RunDetailQueries) -> None:
    """Between two steps with both of them, thinned to as many points; too much to read is not read."""
    run, job = training(lab)
    lab.supervision.record(job, batch(0, {250: 9.0}))
    (loss,) = run_details.part([run.id], 240, 260, points=100, most=21)[run.id]
    assert loss.points == tuple((step, 9.0 if step == 250 else 0.0) for step in range(240, 261))
    (loss,) = run_details.part([run.id], 0, 499, points=50, most=500)[run.id]
    assert len(loss.points) <= 50
    assert (250, 9.0) in loss.points
    assert run_details.part([run.id], 240, 260, points=100, most=20) == {}


def test_only_some_runs_are_kept_in_mind(
    lab: Lab, run_details: RunDetailQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook that is open for weeks keeps the curves of the runs that were looked at last."""
    monkeypatch.setattr(curves, "KEPT", 2)
    ids: list[int] = []
    for number in range(3):
        run, job = training_of(lab, lab.pipeline("SFT", name=f"p{number}").stages[0].id)
        lab.report(job, 1, loss=float(number))
        ids.append(run.id)
        run_details.run(ids[0])
        run_details.run(run.id)
    assert [run_id for run_id, _ in run_details._curves._known] == [ids[0], ids[2]]
    assert curve(run_details.run(ids[1]), "loss") == ((1, 1.0),)


def test_a_run_that_is_gone_is_not_found(lab: Lab, run_details: RunDetailQueries) -> None:
    """The panel of a run that was deleted says so."""
    experiment = lab.experiment("sft")
    run = lab.runs.train(experiment.id)
    lab.carry_out(run, 0.5)
    assert run_details.run(run.id).start == "Started from scratch."
    lab.experiments.delete(experiment.id)
    with pytest.raises(NotFoundError, match="There is no such run"):
        run_details.run(run.id)


@pytest.mark.spec("5.5", "6.6")
def test_it_is_said_what_a_run_starts_from(lab: Lab, run_details: RunDetailQueries) -> None:
    """Scratch, a source checkpoint with its role, an own checkpoint and a deployment each have a sentence."""
    first, second, third = lab.pipeline("SFT", "GRPO", "deploy").stages
    runs = [
        lab.do(first, 0.5),
        lab.do(second, 0.5, status=Status.STOPPED),
        lab.do(second, 0.5, resume=True),
        lab.do(third),
    ]
    assert [run_details.run(run.id).start for run in runs] == [
        "Started from scratch.",
        "Started from step 10 of run 1 of 'chain-sft-1', used as policy.",
        "Resumed from step 10 of run 1 of 'chain-grpo-2'.",
        "Deployed step 20 of run 2 of 'chain-grpo-2'.",
    ]


@pytest.mark.spec("5.4", "6.6")
def test_a_start_from_a_saved_agent_is_said(lab: Lab, run_details: RunDetailQueries) -> None:
    """The agent and its version are named; once the agent is deleted, what it was made of is."""
    source = lab.pipeline("SFT", name="source")
    lab.do(source.stages[0], 0.5)
    agent = lab.agents.create("saved", lab.experiments.checkpoints(source.experiment_ids[0])[0].id)
    made = lab.pipelines.create(lab.project.id, "chain")
    stage = lab.add(made.id, lab.experiment("sft"), start=FromAgent(agent.id))
    run = lab.do(stage, 0.5)
    assert (
        run_details.run(run.id).start
        == "Started from saved Agent 'saved', version 1, used as starting weights."
    )
    lab.pipelines.delete_stage(stage.id)
    lab.agents.delete(agent.id)
    gone = "Started from step 10 of run 1 of 'source-sft-1', used as starting weights."
    assert run_details.run(run.id).start == gone


@pytest.mark.spec("5.6", "8.2")
def test_the_agent_that_a_run_made_is_told(lab: Lab, run_details: RunDetailQueries) -> None:
    """Auto-added and deployed agents are told with their version; one that a person saved is not."""
    made = lab.pipelines.create(lab.project.id, "chain")
    first = lab.add(made.id, lab.experiment("sft"), auto_add_agent=True)
    second = lab.add_deployment(made.id, "served")
    trained, deployed = lab.do(first, 0.5), lab.do(second)
    lab.clock.forward(1)
    lab.agents.create("by hand", lab.runs.checkpoints(trained.id)[0].id)
    again = lab.do(second)
    lab.do(first, 0.9, content="other")
    third = lab.do(second)
    told = [run_details.run(run.id).agent for run in (trained, deployed, again, third)]
    auto, served, *_ = lab.agents.all()
    assert told == [
        AgentMade(agent_id=auto.id, name="chain - 1 sft - step 10", number=1),
        AgentMade(agent_id=served.id, name="served", number=1),
        AgentMade(agent_id=served.id, name="served", number=2),
        AgentMade(agent_id=served.id, name="served", number=3),
    ]


def test_a_run_that_did_not_succeed_made_no_agent(lab: Lab, run_details: RunDetailQueries) -> None:
    """A deployment that failed tells no agent, although one of that name is there."""
    stages = lab.pipeline("SFT", "deploy").stages
    lab.do(stages[0], 0.5)
    lab.do(stages[1])
    job = lab.started(lab.runs.trigger(stages[1].id))
    lab.supervision.finish(job, Outcome(status=Status.FAILED, error="no"), an_owner())
    assert run_details.run(job.run_id).agent is None


LOGS = {
    "": "",
    "one\n": "one",
    "one\ntwo": "one\ntwo",
    "one\n\ntwo\n\n": "one\n\ntwo\n",
    "one\r\ntwo\r\n": "one\ntwo",
    "0%\r50%\r100%\ndone": "100%\ndone",
    "0%\r50%\r": "50%",
    "\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\x1b[K": "red plain",
    "bell\x07 null\x00 tab\t.": "bell null tab\t.",
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "café 🚀": "café 🚀",
}


@pytest.mark.spec("6.6")
@pytest.mark.parametrize("printed", LOGS)
def test_the_log_is_shown_as_a_terminal_would(lab: Lab, run_details: RunDetailQueries, printed: str) -> None:
    """Progress bars show their last state, colours are gone, and an unfinished line is there."""
    run, job = training(lab)
    write_log(job, printed)
    assert run_details.run(run.id).log == LOGS[printed]
    assert run_details.run(run.id, lines=0).log == ""


@pytest.mark.spec("6.6")
def test_a_long_log_is_shown_from_its_end(lab: Lab, run_details: RunDetailQueries) -> None:
    """At most so many lines and 16 kB are shown, always the last ones."""
    run, job = training(lab)
    lines = [f"line {number}" for number in range(20_000)]
    write_log(job, "\n".join(lines))
    assert run_details.run(run.id).log.split("\n") == lines[-40:]
    long = [f"line {number} {'x' * 50}" for number in range(3000)]
    write_log(job, "\n".join(long))
    shown = run_details.run(run.id, lines=5000).log.split("\n")
    assert 200 < len(shown) < 300
    assert shown == long[-len(shown) :]
    write_log(job, "a line\n" + "é" * 100_000 + "end")
    shown = run_details.run(run.id).log
    assert (16 << 10) - 1 <= len(shown.encode()) <= 16 << 10
    assert shown.endswith("éend")
    assert set(shown) == {"é", "e", "n", "d"}
    write_log(job, "".join(f"\r{number}%" for number in range(50_000)))
    assert run_details.run(run.id).log == "49999%"


def test_the_tail_of_a_log_is_as_it_was_printed(lab: Lab) -> None:
    """The service gives the whole log, or as many of its last lines as are asked for."""
    run, job = training(lab)
    text = "".join(f"line {number}\n" for number in range(10_000)) + "last"
    write_log(job, text)
    assert lab.runs.log(run.id) == text
    assert lab.runs.log(run.id, tail=2) == "line 9999\nlast"
    assert lab.runs.log(run.id, tail=0) == ""
    assert lab.runs.log(run.id, tail=20_000) == text
    write_log(job, f"{'x' * 999}\n" * 10)
    assert lab.runs.log(run.id, tail=5) == f"{'x' * 999}\n" * 5


@pytest.mark.spec("6.12")
def test_a_retry_says_which_it_is_and_where_it_goes_on(lab: Lab) -> None:
    """Of as many as its stage allows, before what it resumed from; a run that was triggered says nothing."""
    made = lab.pipeline("SFT")
    stage = made.stages[0]
    lab.pipelines.update_stage(stage.id, lambda each: replace(each, retries=2))  # pyright: ignore[reportCallIssue]
    job = lab.started(lab.runs.trigger(stage.id))
    lab.save(job, 10, 0.1)
    lab.end(job, Status.CRASHED, "It was killed.")
    first, second = lab.runs.of_stage(stage.id)

    details = RunDetailQueries(lab.store)
    assert details.run(first.id).start == "Started from scratch."
    expected = "Retry 1 of 2 after a crash. Resumed from step 10 of run 1 of 'chain-sft-1'."
    assert details.run(second.id).start == expected
