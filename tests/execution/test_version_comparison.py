"""Versions of an agent answer the same input, each in a process of its own (spec 4.11)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from benches import Bench, until
from pydantic import BaseModel

import pipeline_widgets as pw
from pipeline_widgets.errors import NotFoundError, RuleError
from pipeline_widgets.execution.version_comparison import MOST_OPEN, VersionComparison

pytestmark = pytest.mark.spec("4.11")


def opened(folder: Path) -> Callable[[Any], Any]:
    """Answer by what the checkpoint holds."""
    factor = float((folder / "factor.txt").read_text())

    def answer(x: Any) -> Any:
        match x:
            case "who":
                return os.getpid()
            case "slow":
                time.sleep(60)
                return None
            case "refuse" if factor > 1:
                raise RuleError("Not that.", "It is refused.", "Ask another.")
            case "refuse":
                return "fine"
            case _:
                return factor * x

    return answer


class Config(BaseModel):
    """By how much it multiplies."""

    factor: float = 1.0


@pw.algorithm("Multiplying", produces={"thing"}, predict=opened, config=Config, answer_within=2.0)
def multiplying(ctx: pw.TrainContext) -> None:
    """Save a factor."""
    with ctx.checkpoint(1) as folder:
        (folder / "factor.txt").write_text(str(ctx.config.factor))
    ctx.report(1, evaluation_score=ctx.config.factor)


@pytest.fixture
def agent(bench: Bench) -> pw.Agent:
    """An agent that was never connected, with three versions."""
    experiment = bench.project.create_experiment("mine", algorithm=multiplying)
    pipe = bench.project.create_pipeline("chain")
    pipe.add_experiment_stage(experiment, auto_add_agent=False)
    for factor in (1.0, 2.0, 3.0):
        experiment.update(config={"factor": factor})
        run = pipe.stages[0].trigger()
        assert until(lambda run=run: run.status == "Succeeded") >= 0
        _save(bench, run)
    return bench.ws.agents["mine"]


def _save(bench: Bench, run: pw.Run) -> None:
    """Save what a run has saved as the next version, as a deployment does."""
    store = bench.ws._services.store
    checkpoint = run.checkpoints[-1]._value
    frozen = store.artifact_store.freeze(checkpoint, "mine", str(store.agents_folder), ())
    with store.write() as work:
        from pipeline_widgets.services.agents import save  # noqa: PLC0415  below the API on purpose

        save(work, frozen, checkpoint, None)


@pytest.fixture
def comparison(bench: Bench) -> Iterator[VersionComparison]:
    """What compares, with processes that end soon."""
    services = bench.ws._services
    made = VersionComparison(
        services.store.database.url, services.agents, services.store.trust.check, idle=1.0
    )
    yield made
    made.close()


def test_the_new_version_stands_beside_the_former_one(agent: pw.Agent) -> None:
    """In Python a table: versions, scores, answers and times; nothing is connected for it."""
    found = agent.compare(2.0)
    assert [(each.version.number, each.answer, each.error) for each in found] == [
        (2, 4.0, None),
        (3, 6.0, None),
    ]
    assert list(found.df["evaluation_score"]) == [2.0, 3.0]
    assert all(0 < each.seconds < 2 for each in found)
    assert agent.status == "Undeployed"
    assert [each.answer for each in agent.compare(2.0, 1)] == [2.0, 6.0]
    assert [each.answer for each in agent.compare(2.0, 1, 2, 3)] == [2.0, 4.0, 6.0]
    agent.rollback(1)
    assert [each.version.number for each in agent.compare(2.0)] == [1, 2]


def test_each_version_answers_in_a_process_that_stays_for_a_while(
    agent: pw.Agent, comparison: VersionComparison
) -> None:
    """Neither in this process nor in that of another version; it ends when it is not asked again."""
    first = [each.answer for each in comparison.compare(agent._id, "who")]
    assert len({os.getpid(), *first}) == 3
    assert [each.answer for each in comparison.compare(agent._id, "who")] == first
    until(lambda: not any(psutil.pid_exists(each) for each in first), timeout=20)
    again = [each.answer for each in comparison.compare(agent._id, "who")]
    assert not {*first} & {*again}


def test_an_error_of_one_version_hides_no_other(agent: pw.Agent) -> None:
    """It stands in its row, with what the agent said."""
    first, second = agent.compare("refuse", 1)
    assert (first.answer, first.error) == ("fine", None)
    assert isinstance(second.error, RuleError)
    assert second.summary()["answer"] == "Not that. It is refused. Ask another."


def test_a_version_that_hangs_is_ended_in_the_time_that_it_has(
    agent: pw.Agent, comparison: VersionComparison
) -> None:
    """And says so; meanwhile the kernel does other things, and the next question is answered."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.extend(comparison.compare(agent._id, "slow")))
    thread.start()
    began = time.monotonic()
    assert agent.version == 3  # nothing waits for it
    assert time.monotonic() - began < 1
    thread.join(30)
    assert [str(each.error).split(".")[0] for each in answers] == ["The agent did not answer within 2 s"] * 2
    assert [each.answer for each in comparison.compare(agent._id, 1.0)] == [2.0, 3.0]


def test_only_a_few_processes_stay(bench: Bench, agent: pw.Agent, comparison: VersionComparison) -> None:
    """Of many versions the ones that were asked last."""
    for _ in range(MOST_OPEN):
        _save(bench, bench.project.experiments["mine"].runs[-1])
    numbers = range(1, 4 + MOST_OPEN)
    found = comparison.compare(agent._id, "who", tuple(numbers))
    assert len({each.answer for each in found}) == len(numbers)
    until(lambda: sum(psutil.pid_exists(each.answer) for each in found) <= MOST_OPEN, timeout=20)


def test_what_cannot_be_compared_is_refused(bench: Bench, agent: pw.Agent) -> None:
    """A version that is not there, and an agent with a single one."""
    with pytest.raises(NotFoundError, match="no version 9"):
        agent.compare(1.0, 9)
    single = bench.ws.create_agent("single", bench.project.experiments["mine"].runs[0].checkpoints[0])
    with pytest.raises(RuleError, match="nothing to compare it with"):
        single.compare(1.0)
