"""Agents that are really served: what they do is said by their checkpoint or by who asks."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import trainers
from benches import Bench
from pydantic import BaseModel

import pipeline_widgets as pw
from pipeline_widgets.domain.liveness import Process

OBSERVED = {"observation": [1, 2, 3]}


class Acts(BaseModel):
    """What opening a checkpoint does."""

    act: str = ""
    number: int = 0


def open_acting(path: Path) -> Callable[[Any], Any]:
    """Open a checkpoint of Acting: its agent does what it is asked to."""
    word, _, argument = (path / "act.txt").read_text().split("|")[0].partition(" ")
    match word:
        case "raise":
            raise RuntimeError("it does not open")
        case "die":
            os._exit(9)
        case "exit":
            sys.exit(3)
        case "wait":  # until somebody makes a file
            while not Path(argument).exists():
                time.sleep(0.01)
        case "hasty":  # its limits are short, so that a test need not wait for them
            from pipeline_widgets.serving import server  # noqa: PLC0415  a trainer needs no server

            server.SHUTDOWN_GRACE, server.EXIT_GRACE = 1, 0.5
        case _:
            pass
    return do


def do(asked: Any) -> Any:  # noqa: C901  a list of what can go wrong
    """Do what is asked."""
    match asked:
        case {"sleep": seconds}:
            time.sleep(seconds)
            return seconds
        case {"wait": path}:
            Path(path).with_suffix(".begun").touch()
            while not Path(path).exists():
                time.sleep(0.01)
            return "done"
        case {"exit": code}:
            sys.exit(code)
        case {"return": value}:
            return value
        case "interrupt":
            raise KeyboardInterrupt
        case "attribute":
            return asked.nothing
        case "zero":
            return 1 / 0
        case "assertion":
            raise AssertionError("not so")
        case "runtime":
            raise RuntimeError("mat1 and mat2")
        case "set":
            return {1, 2}
        case _:
            return asked


@pw.algorithm("Acting", produces={"thing"}, config=Acts, predict=open_acting)
def acting(ctx: pw.TrainContext) -> None:
    """Save what opening does."""
    config: Acts = ctx.config
    ctx.report(1, total=1, evaluation_score=1.0)
    with ctx.checkpoint(1) as folder:
        (folder / "act.txt").write_text(f"{config.act}|{config.number}")


@pw.algorithm("Hasty", produces={"thing"}, config=Acts, predict=open_acting, answer_within=0.5)
def hasty(ctx: pw.TrainContext) -> None:
    """Save what opening does; its agent has half a second for an answer."""
    acting.train(ctx)


@pw.algorithm("Patient", produces={"thing"}, config=Acts, predict=open_acting, load_within=7)
def patient(ctx: pw.TrainContext) -> None:
    """Save what opening does; its agent has 7 seconds for that."""
    acting.train(ctx)


class Site:
    """A pipeline whose Deployment makes an agent, and short ways to ask that."""

    def __init__(self, bench: Bench, *, algorithm: Any = trainers.line, **config: object) -> None:
        config = {"above": 0.5, **config} if algorithm is trainers.line else config
        self.bench = bench
        self.services = bench.ws._services
        self.experiment = bench.project.create_experiment("trained", algorithm=algorithm, config=config)
        self.pipe = bench.project.create_pipeline("serving")
        self.trained = self.pipe.add_experiment_stage(self.experiment)
        self.deployed = self.pipe.add_deployment_stage("a line", trigger="auto")

    def run(self, **config: object) -> pw.Agent:
        """Train and deploy, with another config where one is given, and return the agent."""
        if config:
            self.experiment.update(config=config)
        self.trained.trigger()
        self.pipe.wait(60)
        return self.bench.ws.agents["a line"]

    def process(self, agent: pw.Agent) -> Process:
        """Return the process that serves an agent."""
        return server(self.bench, agent)


def server(bench: Bench, agent: pw.Agent) -> Process:
    """Return the process that serves an agent."""
    with bench.ws._services.store.read() as work:
        service = work.endpoints.lease(agent._id)
    assert service is not None
    assert service.holder is not None
    return service.holder


def an_agent(bench: Bench, name: str = "a line", act: str = "") -> pw.Agent:
    """Return an agent of Acting, or of Hasty, that was never connected."""
    made = len(bench.project.experiments)
    algorithm = hasty if act == "hasty" else acting
    experiment = bench.project.create_experiment(f"e{made}", algorithm=algorithm, config={"act": act})
    run = experiment.train().wait(60)
    return bench.ws.create_agent(name, run.checkpoints[-1])


def ask(
    agent: pw.Agent | str,
    path: str = "/get_action",
    body: Any = None,
    *,
    key: str | None = None,
    verb: str = "POST",
    raw: bytes | None = None,
    kind: str = "application/json",
    **headers: str,
) -> tuple[int, Any]:
    """Ask an agent, or a URL, and return the status and the parsed body of its answer."""
    url = agent if isinstance(agent, str) else agent.url or ""
    host, port = url.removeprefix("http://").split(":")
    connection = HTTPConnection(host, int(port), timeout=30)
    sent = {"Content-Type": kind, **({"Authorization": f"Bearer {key}"} if key else {})}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(verb, path, json.dumps(body).encode() if raw is None else raw, sent)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content else None


def get(agent: pw.Agent | str, path: str, key: str | None = None, **headers: str) -> tuple[int, Any]:
    """Get something of an agent."""
    return ask(agent, path, verb="GET", raw=b"", key=key, **headers)
