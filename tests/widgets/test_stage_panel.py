"""What the panel shows of a stage and its run (spec 6.6)."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from factories.lab import Lab, configured
from factories.values import GRPO, LOSS, SFT

from pipeline_widgets.domain.batch import Batch
from pipeline_widgets.domain.chain import (
    BetterThanDeployed,
    FromAgent,
    FromSource,
    Pipeline,
    ScoreAtLeast,
)
from pipeline_widgets.domain.failure import TracedCall, make_failure
from pipeline_widgets.domain.job import Job
from pipeline_widgets.domain.run import Status
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.services.queries.run_detail import RunDetailQueries
from pipeline_widgets.services.queries.stage_agent import StageAgent
from pipeline_widgets.widgets.stage_panel import DRAWN, LISTED, panel_row


def shown(lab: Lab, pipeline: Pipeline, number: int) -> dict[str, Any]:
    """Return what the panel shows of stage `number`, as it is after its way to the browser."""
    whole = lab.states.pipeline(pipeline.id)
    state = whole.stages[number - 1]
    run_detail = RunDetailQueries(lab.store).run(state.run.id) if state.run else None
    return json.loads(json.dumps(panel_row(whole, state.stage.id, run_detail), allow_nan=False))


def at_work(lab: Lab) -> tuple[Pipeline, Job]:
    """Start the only stage of a new pipeline."""
    pipeline = lab.pipeline("SFT")
    return pipeline, lab.started(lab.runs.trigger(pipeline.stages[0].id))


def test_a_stage_that_never_ran_shows_its_settings_only(lab: Lab) -> None:
    """What it starts from is said in sentences that name the source stage and the previous one."""
    pipeline = lab.pipeline("SFT", "GRPO", "deploy", trigger="auto")
    first, second, third = (shown(lab, pipeline, number) for number in (1, 2, 3))
    assert first["stage"] == pipeline.stages[0].id
    assert (first["run"], first["reasons"], first["accepted"]) == (None, [], None)
    assert first["settings"] == ["Starts from scratch.", "Manual: runs only when triggered."]
    assert second["settings"] == [
        "Starts from the best checkpoint of Stage 1 (chain-sft-1).",
        "Auto: starts when Stage 1 (chain-sft-1) succeeds.",
    ]
    assert third["settings"] == [
        "Deploys the best checkpoint of Stage 2 (chain-grpo-2).",
        "Auto: starts when Stage 2 (chain-grpo-2) succeeds.",
    ]


@pytest.mark.spec("5.2", "5.6")
def test_gates_and_other_starts_are_said(lab: Lab) -> None:
    """A step, a saved Agent, the gates and the option to save an Agent each have their words."""
    trained = lab.pipeline("SFT", name="trained")
    lab.do(trained.stages[0], 0.5)
    run = lab.state(trained.stages[0]).run
    assert run is not None
    agent = lab.agents.create("base", lab.runs.checkpoints(run.id)[0].id)
    made = lab.pipelines.create(lab.project.id, "chain")
    lab.add(made.id, lab.experiment("one"), start=FromAgent(agent.id), auto_add_agent=True)
    lab.add(made.id, lab.experiment("two"), start=FromSource(20), trigger="auto", gate=ScoreAtLeast(0.75))
    lab.add_deployment(made.id, choice="final", trigger="auto", gate=BetterThanDeployed())
    assert shown(lab, made, 1)["settings"] == [
        "Starts from a saved Agent.",
        "Manual: runs only when triggered.",
        "Its best checkpoint is added to Agents when it is complete.",
    ]
    assert shown(lab, made, 2)["settings"] == [
        "Starts from the checkpoint of step 20 of Stage 1 (one).",
        "Auto: starts when Stage 1 (one) succeeds, if the evaluation score is at least 0.75.",
    ]
    assert shown(lab, made, 3)["settings"] == [
        "Deploys the final checkpoint of Stage 2 (two).",
        (
            "Auto: starts when Stage 2 (two) succeeds, "
            "if the evaluation score is better than that of the agent now deployed."
        ),
    ]


@pytest.mark.spec("5.6", "6.8")
def test_a_gate_of_a_loss_is_a_bound_from_above(lab: Lab) -> None:
    """Where a lower score is better, the panel and the plan say the same: at most."""
    made = lab.pipelines.create(lab.project.id, "chain")
    lab.add(made.id, lab.experiment("one", LOSS))
    lab.add(made.id, lab.experiment("two"), trigger="auto", gate=ScoreAtLeast(0.1))
    condition = "if the evaluation score is at most 0.1"
    assert shown(lab, made, 2)["settings"][1] == f"Auto: starts when Stage 1 (one) succeeds, {condition}."
    first = lab.pipelines.get(made.id).stages[0]
    assert condition in str(lab.runs.plan(first.id))


@pytest.mark.spec("6.6")
def test_a_run_at_work_shows_how_far_it_is(lab: Lab) -> None:
    """Steps, when it started and what it started from, metrics and the end of the log come along."""
    pipeline, job = at_work(lab)
    lab.report(job, 1, total=600, loss=2.0)
    lab.report(job, 120, total=600, loss=0.123456789, evaluation_score=0.5)
    Path(job.folder).mkdir(parents=True, exist_ok=True)
    Path(job.folder, "log.txt").write_text("one\n<b>two</b>\n")
    run = shown(lab, pipeline, 1)["run"]
    assert (run["number"], run["status"], run["step"], run["total"], run["begun"]) == (
        1,
        "Running",
        120,
        600,
        0,
    )
    assert run["started_at"] == pytest.approx(lab.clock.now)
    assert run["finished_at"] is None
    assert run["start"] == "Started from scratch."
    assert run["curves"] == [
        {"name": "evaluation_score", "points": [[120, 0.5]]},
        {"name": "loss", "points": [[1, 2.0], [120, 0.12346]]},
    ]
    assert run["log"] == "one\n<b>two</b>"


@pytest.mark.spec("6.14")
def test_what_a_run_uses_stands_beside_its_metrics(lab: Lab) -> None:
    """A curve over milliseconds for each resource that was sampled, and the most of each in the run's row."""
    pipeline, job = at_work(lab)
    assert shown(lab, pipeline, 1)["run"]["usage"] == []
    first = Usage(seconds=1.0, cpu=1.9, memory=3 * 2**30)
    lab.supervision.record(job, Batch(usage=[first, Usage(seconds=2.0, cpu=0.5, memory=2**30)]))
    lab.supervision.record(job, Batch(usage=[Usage(seconds=3.5, cpu=1.0, memory=2**30)]))
    run = shown(lab, pipeline, 1)["run"]
    assert [each["name"] for each in run["usage"]] == ["cpu", "memory"]
    assert run["usage"][0]["points"] == [[1000, 1.9], [2000, 0.5], [3500, 1.0]]
    assert (run["peak_cpu"], run["peak_memory"], run["peak_gpu_memory"]) == (1.9, 3 * 2**30, None)


@pytest.mark.spec("6.6")
def test_an_unchanged_run_is_shown_equally(lab: Lab) -> None:
    """Time alone changes nothing that is sent, not even a heartbeat."""
    pipeline, job = at_work(lab)
    lab.report(job, 120, total=600, loss=0.1)
    before = shown(lab, pipeline, 1)
    lab.clock.forward(30)
    lab.supervision.beat(job)
    assert shown(lab, pipeline, 1) == before


def test_numbers_that_are_none_are_left_out(lab: Lab) -> None:
    """NaN and infinities are gaps in a curve, and no best checkpoint."""
    pipeline, job = at_work(lab)
    lab.report(job, 1, loss=math.nan)
    lab.report(job, 2, loss=math.inf)
    lab.save(job, 2, math.nan)
    run = shown(lab, pipeline, 1)["run"]
    assert run["curves"] == [{"name": "loss", "points": [[1, None], [2, None]]}]
    assert [(row["evaluation_score"], row["best"], row["final"]) for row in run["checkpoints"]] == [
        (None, False, True)
    ]


def test_many_metrics_do_not_all_travel(lab: Lab) -> None:
    """Of those that would fill the line at each refresh only the last value is sent."""
    pipeline, job = at_work(lab)
    for step in (1, 2, 3):
        lab.report(job, step, None, **{f"m{at:03}": step * 0.5 for at in range(DRAWN + 5)})
    curves = shown(lab, pipeline, 1)["run"]["curves"]
    assert [len(curve["points"]) for curve in curves] == [3] * DRAWN + [1] * 5
    assert curves[-1]["points"] == [[3, 1.5]]


def test_the_best_checkpoint_is_among_those_listed(lab: Lab) -> None:
    """The best comes first however early it was, then the latest; the rest is counted."""
    pipeline = lab.pipeline("SFT")
    scores = [0.1] * (LISTED + 10)
    scores[3] = 0.9
    lab.do(pipeline.stages[0], *scores)
    run = shown(lab, pipeline, 1)["run"]
    rows = run["checkpoints"]
    assert len(rows) == LISTED + 1
    assert run["earlier"] == len(scores) - LISTED - 1
    assert rows[1]["step"] == 10 * len(scores)
    assert [row["step"] for row in rows if row["final"]] == [10 * len(scores)]
    assert [row["step"] for row in rows if row["best"]] == [40]
    assert rows[0]["best"]


@pytest.mark.spec("6.8")
def test_stale_reasons_stay_with_the_note_that_accepts_them(lab: Lab) -> None:
    """After the acceptance the panel still has what was accepted, and why."""
    pipeline = lab.pipeline("SFT", "GRPO")
    first, second = pipeline.stages
    lab.do(first, 0.5)
    lab.do(second, 0.5)
    lab.do(first, 0.6)
    change = {
        "name": "Best checkpoint of stage 1",
        "old": "step 10 of run 1",
        "new": "step 10 of run 2",
        "code": False,
    }
    text = "Stage 1 was re-run: used run 1, latest is run 2"
    reasons = [{"text": text, "stage": first.id, "changes": [change]}]
    assert (shown(lab, pipeline, 2)["reasons"], shown(lab, pipeline, 2)["accepted"]) == (reasons, None)
    lab.pipelines.accept_as_fresh(second.id, "same data")
    assert (shown(lab, pipeline, 2)["reasons"], shown(lab, pipeline, 2)["accepted"]) == (reasons, "same data")
    lab.do(first, 0.7)
    assert shown(lab, pipeline, 2)["accepted"] is None


@pytest.mark.spec("6.8", "6.11")
def test_what_has_changed_is_shown_old_beside_new(lab: Lab) -> None:
    """Fields by dotted names, long values up to a bound, and what was not there told from None."""
    pipeline = lab.pipeline("SFT")
    (stage,) = pipeline.stages
    lab.do(stage, 0.5)
    config = {"steps": "10", "prompt": "x" * 5_000, "optimizer": {"lr": 1e-4, "decay": None}}
    lab.experiments.update(pipeline.experiment_ids[0], configured(SFT, config), seed=0)
    (reason,) = shown(lab, pipeline, 1)["reasons"]
    told = {each["name"]: (each["old"], each["new"]) for each in reason["changes"]}
    assert (reason["text"], reason["stage"]) == ("config changed", None)
    assert told.pop("prompt") == (None, "x" * 1_999 + "…")
    assert told == {
        "steps": ("10", '"10"'),
        "optimizer.lr": (None, "0.0001"),
        "optimizer.decay": (None, "none"),
    }


@pytest.mark.spec("7.4", "6.5")
@pytest.mark.parametrize("saved", [True, False])
def test_a_run_that_failed_comes_with_its_card(lab: Lab, *, saved: bool) -> None:
    """The message, the user's own line relative to the folder of the trigger, and where it can be resumed."""
    pipeline, job = at_work(lab)
    lab.report(job, 40, total=100)
    if saved:
        lab.save(job, 30, 0.5)
    call = TracedCall(file="/home/me/train.py", line=2, function="train")
    lab.end(
        job, Status.FAILED, "Traceback ...", make_failure("ValueError: no", call, ["def train():", "  x"])
    )
    panel = shown(lab, pipeline, 1)
    assert panel["run"]["failure"] == {
        "step": 40,
        "total": 100,
        "message": "ValueError: no",
        "place": "/home/me/train.py:2",
        "function": "train",
        "lines": [[1, "def train():", False], [2, "  x", True]],
        "resume": 30 if saved else None,
    }


@pytest.mark.spec("6.5")
def test_only_what_was_broken_off_has_a_card(lab: Lab) -> None:
    """One at work and one that has succeeded have none; one that was stopped can say nothing but its step."""
    pipeline, job = at_work(lab)
    assert shown(lab, pipeline, 1)["run"]["failure"] is None
    lab.save(job, 10, 0.5)
    lab.end(job, Status.STOPPED)
    failure = shown(lab, pipeline, 1)["run"]["failure"]
    assert (failure["message"], failure["place"], failure["resume"]) == ("", "", 10)
    lab.do(pipeline.stages[0], 0.5)
    assert shown(lab, pipeline, 1)["run"]["failure"] is None


@pytest.mark.spec("6.8")
def test_an_acceptance_without_a_note_is_told_from_none(lab: Lab) -> None:
    """An empty note is not the same as no acceptance."""
    pipeline = lab.pipeline("SFT", "GRPO")
    for stage in (*pipeline.stages, pipeline.stages[0]):
        lab.do(stage, 0.5)
    lab.pipelines.accept_as_fresh(pipeline.stages[1].id, " ")
    assert shown(lab, pipeline, 2)["accepted"] == ""


@pytest.mark.spec("7.4", "6.9")
def test_an_error_comes_whole(lab: Lab) -> None:
    """The traceback of a failed run, or the evidence of a crashed one, is not cut."""
    pipeline, job = at_work(lab)
    text = "Traceback\n" + "  <script>alert(1)</script>\n" * 200 + "ValueError: no"
    lab.end(job, Status.FAILED, text)
    run = shown(lab, pipeline, 1)["run"]
    assert (run["status"], run["error"]) == ("Failed", text)


def test_an_agent_that_a_run_made_is_named(lab: Lab) -> None:
    """A deployment says which version it has saved."""
    pipeline = lab.pipeline("SFT", "deploy")
    lab.do(pipeline.stages[0], 0.5)
    for _ in (1, 2):
        lab.clock.forward(1)
        lab.do(pipeline.stages[1])
    assert shown(lab, pipeline, 1)["run"]["agent"] is None
    assert shown(lab, pipeline, 2)["run"]["agent"] == "letters-agent, version 2"


def test_a_changed_start_is_not_taken_for_the_runs(lab: Lab) -> None:
    """The settings say what the next run starts from, and the run what it has started from."""
    made = lab.pipelines.create(lab.project.id, "chain")
    lab.do(lab.add(made.id, lab.experiment("one")), 0.9, 0.5)
    second = lab.add(made.id, lab.experiment("two", GRPO))
    lab.do(second, 0.6)
    lab.pipelines.update_stage(second.id, lambda _: replace(second, start=FromSource("final")))
    panel = shown(lab, made, 2)
    assert panel["settings"][0] == "Starts from the final checkpoint of Stage 1 (one)."
    assert panel["run"]["start"] == "Started from step 10 of run 1 of 'one', used as policy."


@pytest.mark.spec("4.11")
def test_a_deployment_names_its_agent_and_an_experiment_none(lab: Lab) -> None:
    """With a note where its latest run has not made what is shown."""
    pipeline = lab.pipeline("SFT", "deploy")
    training, deployment = pipeline.stages
    lab.do(training, 0.5)
    lab.do(deployment)
    whole = lab.states.pipeline(pipeline.id)
    first, second = (RunDetailQueries(lab.store).run(each.run.id) for each in whole.stages if each.run)
    (agent,) = lab.agents.all()
    assert panel_row(whole, whole.stages[0].stage.id, first)["agent"] is None
    known = StageAgent(name=agent.name, agent_id=agent.id, note="It is another's.")
    shown = panel_row(whole, whole.stages[1].stage.id, second, known)
    assert shown["agent"] == {"name": agent.name, "note": "It is another's."}
    assert shown["run"]["agent_id"] == agent.id
