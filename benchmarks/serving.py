"""What an endpoint costs beside a bare Starlette route that does the same work, in one run.

Both answer the same observations by the same policy, behind uvicorn, in processes of their own, to the same
clients: 8 processes' worth of threads with one connection each. The bare route checks no key, no size and no
input; it calls the policy in a thread, as Starlette does with any function that is not a coroutine.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import pipeline_widgets as pw
from pipeline_widgets.trainers.numpy.actor_critic import predict

CLIENTS, REQUESTS, ROUNDS = 8, 1000, 5
OBSERVATION = [0.01, 0.02, -0.03, 0.04]


def bare(folder: str, tell: Any) -> None:
    """Serve a policy with nothing around it."""
    policy = predict(Path(folder))

    async def get_action(request: Request) -> JSONResponse:
        body = await request.json()
        return JSONResponse({"action": await run_in_threadpool(policy, body["observation"])})

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen(2048)
    tell.send(listening.getsockname()[1])
    app = Starlette(routes=[Route("/get_action", get_action, methods=["POST"])])
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


def times(port: int, key: str) -> list[float]:
    """Return the seconds that each request took; every one has to be answered."""
    body = json.dumps({"observation": OBSERVATION}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}

    def client(requests: int) -> list[float]:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        took: list[float] = []
        for _ in range(requests):
            began = time.perf_counter()
            connection.request("POST", "/get_action", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            took.append(time.perf_counter() - began)
            if answer.status != 200 or json.loads(content)["action"] not in {0, 1}:
                raise SystemExit(f"A request was answered with {answer.status}: {content!r}")
        connection.close()
        return took

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [each for part in pool.map(client, [REQUESTS // CLIENTS] * CLIENTS) for each in part]


def centile(took: list[float], share: int) -> float:
    """Return the time in ms below which `share` per cent of the requests lie."""
    return 1000 * statistics.quantiles(took, n=100)[share - 1]


def rounds(ours: Callable[[], list[float]], theirs: Callable[[], list[float]]) -> None:
    """Measure both in turn, and print the medians of the rounds."""
    found: dict[str, list[list[float]]] = {"endpoint": [], "bare route": []}
    for warm in (ours, theirs):
        warm()
    for _ in range(ROUNDS):
        found["endpoint"].append(ours())
        found["bare route"].append(theirs())
    answered = sum(len(each) for each in found["endpoint"])
    print(f"{answered} of {ROUNDS * REQUESTS} requests of {CLIENTS} clients answered by the endpoint\n")
    print(f"{'ms':>12} {'p50':>8} {'p99':>8}   (medians of {ROUNDS} rounds of {REQUESTS} requests)")
    middle: dict[str, tuple[float, float]] = {}
    for name, parts in found.items():
        middle[name] = tuple(statistics.median(centile(part, share) for part in parts) for share in (50, 99))  # pyright: ignore[reportArgumentType]
        print(f"{name:>12} {middle[name][0]:8.2f} {middle[name][1]:8.2f}")
    one, other = middle["endpoint"], middle["bare route"]
    print(f"{'ratio':>12} {one[0] / other[0]:8.2f} {one[1] / other[1]:8.2f}")


def main() -> None:
    """Train a policy for a moment, serve it twice, and measure."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ws = pw.Workspace(f"sqlite:///{folder}/lab.db")
        project = ws.create_project("Benchmark", advanced_training=True)
        pipe = project.create_pipeline("serving")
        first = pipe.add_experiment_stage(
            project.create_experiment("ppo", algorithm="PPO", config={"steps": 2048})
        )
        pipe.add_deployment_stage("policy", trigger="auto")
        first.trigger()
        pipe.wait(120)
        agent = ws.agents["policy"]
        key = agent.rotate_key()
        mine, its = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(
            target=bare, args=(str(agent.checkpoint.path), its), daemon=True
        )
        server.start()
        port = mine.recv()
        served = int((agent.url or ":0").rpartition(":")[2])
        try:
            rounds(lambda: times(served, key), lambda: times(port, key))
        finally:
            server.terminate()
            server.join()
            agent.disconnect()
            ws.close()


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)
    threading.stack_size(256 * 1024)
    main()
