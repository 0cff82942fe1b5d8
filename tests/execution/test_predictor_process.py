"""An algorithm that needs a library answers in a process of its own (spec 8.1)."""

from __future__ import annotations

import gc
import os
import pickle
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from benches import Bench, until

import pipeline_widgets as pw
from pipeline_widgets.errors import CheckpointError, ConfigError, ExecutionError, PipelineError, RuleError


class Pickled:
    """What unpickling leaves a trace of."""

    def __reduce__(self) -> tuple[Callable[[], Any], tuple[()]]:
        return os.getpid, ()


def opened(folder: Path) -> Callable[[Any], Any]:
    """Open a checkpoint that holds a pickle, and answer in many ways."""
    made_by = pickle.loads((folder / "weights.pkl").read_bytes())  # noqa: S301  that is the point

    def answer(x: Any) -> Any:
        match x:
            case "who":
                print("this is no answer")  # noqa: T201
                return made_by
            case "refuse":
                raise RuleError("Not that.", "It is refused.", "Ask another.")
            case "fail":
                raise ZeroDivisionError("by hand")
            case "nan":
                return float("nan")
            case "die":
                print("good-bye", flush=True)  # noqa: T201
                os._exit(3)
            case "slow":
                time.sleep(60)
            case _:
                return np.asarray(x) * 2
        return None

    return answer


@pw.algorithm("Pickling", produces={"thing"}, predict=opened, requires=("json",))
def pickling(ctx: pw.TrainContext) -> None:
    """Save a pickle."""
    with ctx.checkpoint(1) as folder:
        (folder / "weights.pkl").write_bytes(pickle.dumps(Pickled()))
    ctx.report(1, evaluation_score=1.0)


@pytest.fixture
def agent(bench: Bench) -> pw.Agent:
    """An agent of a checkpoint that holds a pickle."""
    experiment = bench.project.create_experiment("mine", algorithm=pickling)
    run = experiment.train()
    assert until(lambda: run.status == "Succeeded") >= 0
    return bench.ws.create_agent("mine", run.checkpoints[0])


@pytest.mark.spec("8.1")
def test_no_pickle_is_opened_in_the_kernel(agent: pw.Agent) -> None:
    """One process opens the checkpoint and answers until the handle is gone; arrays come back as lists."""
    who = agent.predict("who")
    assert who != os.getpid()
    assert agent.predict("who") == who
    assert agent.predict(np.array([1.0, 2.5])) == [2.0, 5.0]
    handle = psutil.Process(who)
    agent._opened = None  # pyright: ignore[reportPrivateUsage]  as another version does
    gc.collect()
    assert until(lambda: not handle.is_running() or handle.status() == psutil.STATUS_ZOMBIE) < 10


@pytest.mark.spec("8.1", "10.3")
def test_errors_come_back_as_what_they_are(agent: pw.Agent) -> None:
    """A refusal keeps its class and sentences, a bug is told, and the next question is answered."""
    with pytest.raises(RuleError, match=r"Not that\. It is refused\. Ask another\."):
        agent.predict("refuse")
    with pytest.raises(ExecutionError, match="ZeroDivisionError: by hand"):
        agent.predict("fail")
    with pytest.raises(PipelineError, match=r"(?i)json|nan"):
        agent.predict("nan")
    with pytest.raises(ConfigError, match="cannot be called"):
        agent.predict(object())
    assert agent.predict([2]) == [4]


@pytest.mark.spec("8.1")
def test_a_process_that_dies_is_told_with_its_last_words_and_replaced(agent: pw.Agent) -> None:
    """Its exit code and what it said stand in the error; the next question is answered by another one."""
    first = agent.predict("who")
    with pytest.raises(ExecutionError, match=r"exit code 3(.|\n)*good-bye"):
        agent.predict("die")
    assert agent.predict("who") not in {first, os.getpid()}


@pytest.mark.spec("8.1")
def test_an_interrupted_question_leaves_no_answer_for_the_next(agent: pw.Agent) -> None:
    """The answer that was not waited for is lost with its process."""
    agent.predict("who")
    interrupt = threading.Timer(0.5, lambda: os.kill(os.getpid(), 2))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        agent.predict("slow")
    assert agent.predict([3]) == [6]


@pytest.mark.spec("8.4")
def test_a_corrupt_copy_is_refused_before_it_is_opened(agent: pw.Agent, bench: Bench) -> None:
    """Its digest is checked by the process that would open it."""
    (copy,) = bench.ws.artifacts.joinpath("agents").rglob("weights.pkl")
    copy.chmod(0o600)
    copy.write_bytes(pickle.dumps(0))
    with pytest.raises(CheckpointError):
        agent.predict("who")
