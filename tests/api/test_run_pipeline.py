"""`pipe.run()`, `pipe.bring_up_to_date()`, `pipe.plan()`, and `pipeline-widgets run` (spec 4.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import pipeline_widgets as pw
from pipeline_widgets.__main__ import main

pytestmark = pytest.mark.spec("4.8")


def test_a_pipeline_is_run_from_what_is_next(
    pipe: pw.Pipeline, finish: Callable[..., pw.Run], launched: list[int]
) -> None:
    """It triggers the first stage that has not succeeded, launches it, and returns its run."""
    run = pipe.run()
    assert (run.number, pipe.stages[0].status, launched) == (1, "Pending", [run._id])
    with pytest.raises(pw.TriggerError, match=r"Stage 1 \(imitate\) is pending. Wait for it"):
        pipe.run()
    finish(run, 0.5)
    finish(pipe.run(), 0.6)
    assert [str(stage.status) for stage in pipe.stages] == ["Succeeded", "Succeeded", "Draft"]


def test_a_plan_says_what_a_run_would_do(pipe: pw.Pipeline) -> None:
    """In the words of the plan of a stage, with the stages that wait for a person."""
    assert str(pipe.plan()).splitlines() == [
        "Runs now: Stage 1 (imitate), from scratch",
        "Waits for you: Stage 2 (refine); Stage 3 (agent)",
    ]
    through = pipe.plan(run_through=True)
    assert isinstance(through, pw.PipelinePlan)
    assert through.plan is not None
    assert through.plan.follows == ("Stage 2 (refine)", "Stage 3 (agent)")
    assert through.plan.redeploys == ("agent",)
    assert str(pipe.plan(bring_up_to_date=True)) == "Nothing to do: No stage is stale."


def test_running_through_carries_on_past_manual_stages(
    pipe: pw.Pipeline, finish: Callable[..., pw.Run]
) -> None:
    """The next run is there as soon as the one before it has succeeded."""
    finish(pipe.run(run_through=True), 0.5)
    assert str(pipe.stages[1].status) == "Pending"


def test_a_stale_pipeline_is_brought_up_to_date(pipe: pw.Pipeline, finish: Callable[..., pw.Run]) -> None:
    """From the first stale stage; where none is, it says so."""
    for _ in range(2):
        finish(pipe.run(), 0.5)
    finish(pipe.stages[0].trigger(), 0.9)
    assert pipe.stages[1].stale
    finish(pipe.bring_up_to_date(), 0.9)
    assert not pipe.stages[1].stale
    with pytest.raises(pw.TriggerError, match="No stage is stale"):
        pipe.bring_up_to_date()


def test_a_stopped_stage_is_resumed_or_begun_again(pipe: pw.Pipeline, finish: Callable[..., pw.Run]) -> None:
    """Resumed by default: what it has learned is not thrown away without a word."""
    finish(pipe.run(), 0.5, 0.6, status=pw.Status.STOPPED)
    assert pipe.plan().resumable == "resumed at step 20"
    over = pipe.plan(start_over=True)
    assert over.plan is not None
    assert over.plan.not_resumed == ("Run 1, at step 20",)
    run = finish(pipe.run(), 0.7, status=pw.Status.STOPPED)
    assert [each.step for each in run.checkpoints] == [30]
    over = finish(pipe.run(start_over=True), 0.7)
    assert [each.step for each in over.checkpoints] == [10]


def test_the_terminal_runs_a_pipeline(
    ws: pw.Workspace, pipe: pw.Pipeline, launched: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """With the plan first; `--plan` does nothing else."""
    url = str(ws._services.store.database.url)
    assert main(["--url", url, "run", "Letters", "chain", "--run-through", "--plan"]) == 0
    assert "Follows automatically: Stage 2 (refine); Stage 3 (agent)" in capsys.readouterr().out
    assert launched == []
    assert main(["--url", url, "run", "Letters", "chain", "--run-through"]) == 0
    assert len(launched) == 1
    assert len(pipe.stages[0].runs) == 1
    assert main(["--url", url, "run", "Letters", "chain", "--bring-up-to-date"]) == 0
    assert "Nothing to do: Stage 1 (imitate) is pending." in capsys.readouterr().out
    assert main(["--url", url, "run", "Letters", "chane"]) == 1
    assert "chane" in capsys.readouterr().err


def test_the_terminal_ends_with_1_where_a_stage_does_not_succeed(
    ws: pw.Workspace, pipe: pw.Pipeline, finish: Callable[..., pw.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a script knows; where it waits for it."""
    url = str(ws._services.store.database.url)

    def wait(self: pw.Pipeline, *_: Any, **__: Any) -> pw.Pipeline:
        finish(self.stages[0].run, 0.5, status=pw.Status.FAILED)
        return self

    monkeypatch.setattr(pw.Pipeline, "wait", wait)
    with pytest.raises(SystemExit) as ended:
        main(["--url", url, "run", "Letters", "chain", "--wait"])
    assert ended.value.code == 1
    assert str(pipe.stages[0].status) == "Failed"


@pytest.mark.spec("6.8")
def test_a_stage_is_run_again_from_there(pipe: pw.Pipeline, finish: Callable[..., pw.Run]) -> None:
    """Whatever is stale before it; Manual stages after it are named, and run through where that is asked."""
    for _ in range(3):
        finish(pipe.run(), 0.5)
    second = pipe.stages[1]
    plan = pipe.plan(from_stage=second)
    assert plan.plan is not None
    assert (plan.plan.runs_now, plan.plan.stops_before) == ("Stage 2 (refine)", ("Stage 3 (agent)",))
    run = pipe.bring_up_to_date(from_stage=second, run_through=True)
    assert (run.number, second.status) == (2, "Pending")
    with pytest.raises(pw.TriggerError, match=r"cannot be run again from stage 2\..*is already pending"):
        pipe.bring_up_to_date(from_stage=second)
    finish(run, 0.6)
    assert pipe.stages[2].status == "Pending"
    other = pipe.duplicate()
    with pytest.raises(pw.NotFoundError):
        other.bring_up_to_date(from_stage=second)
