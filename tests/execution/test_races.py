"""Many processes at once (spec 6.2)."""

from __future__ import annotations

import multiprocessing
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from benches import Bench

import pipeline_widgets as pw

PROCESSES, ROUNDS = 16, 50


@pytest.mark.slow
@pytest.mark.timeout(700)
@pytest.mark.spec("6.2", "6.1")
def test_of_sixteen_processes_exactly_one_triggers_and_the_others_get_the_reason(tmp_path: Path) -> None:
    """16 processes trigger one stage at once, 50 times over: one run each time, 15 reasons."""
    bench = Bench(tmp_path)
    for at in range(ROUNDS):  # fifty first stages, so that all can be triggered: one pipeline each
        experiment = bench.project.create_experiment(f"e{at}", algorithm="Counter")
        bench.project.create_pipeline(f"p{at}").add_experiment_stage(experiment)
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    racers = [context.Process(target=_race, args=(bench.url, barrier, answers)) for _ in range(PROCESSES)]
    for racer in racers:
        racer.start()
    found = [answers.get(timeout=600) for _ in racers]
    for racer in racers:
        racer.join()

    for rounds in zip(*found, strict=True):
        assert sum(answer == "started" for answer in rounds) == 1
        refused = [answer for answer in rounds if answer != "started"]
        assert all("TriggerError" in answer and "already" in answer for answer in refused), refused
    runs = [len(pipe.stages[0].runs) for pipe in bench.project.pipelines]
    assert runs == [1] * ROUNDS
    bench.ws.close()


def _race(url: str, barrier: Barrier, answers: Queue[list[str]]) -> None:
    ws = pw.Workspace(url)
    stages = [pipe.stages[0]._id for pipe in ws.projects[0].pipelines]
    found: list[str] = []
    for stage_id in stages:
        barrier.wait()
        try:
            ws._services.runs.trigger(stage_id)
            found.append("started")
        except pw.PipelineError as error:
            found.append(f"{type(error).__name__}: {error}")
    answers.put(found)
    ws.close()
