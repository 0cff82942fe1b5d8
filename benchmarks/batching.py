"""What micro-batching brings: requests a second of an endpoint with a batch form and without, in one run.

    python benchmarks/batching.py [--seconds 2] [--rounds 3] [--units 64]

Both agents are the same network; the predictor of one of them is a plain function of one observation. Each
client has a connection and sends its next request when the last one is answered. All clients are one process
that does little else than to read and to write. The rounds alternate. Answers of both are compared.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pipeline_widgets as pw
from pipeline_widgets.trainers.numpy.nn import MLP, Floats
from pipeline_widgets.trainers.numpy.predictor_inputs import RowPredictor

CLIENTS = (1, 8, 32)
WIDTH = 8
UNITS = "BENCHMARK_UNITS"


def open_batched(folder: Path) -> RowPredictor:
    """Open a network that answers several observations by one call."""
    del folder
    units = int(os.environ.get(UNITS, "64"))
    network = MLP((WIDTH, units, units, 3), np.random.default_rng(0))

    def answer(rows: Floats, *, by_row: bool) -> list[Any]:
        return network(rows, by_row=by_row).tolist()

    return RowPredictor(answer, WIDTH, "observation")


def open_plain(folder: Path) -> Callable[[Any], Any]:
    """Open the same network as a function of one observation."""
    predictor = open_batched(folder)
    return lambda observation: predictor(observation)  # noqa: PLW0108  a function, without a batch form


def save(ctx: pw.TrainContext) -> None:
    """Save a checkpoint."""
    with ctx.checkpoint(1) as folder:
        (folder / "weights").write_text("")


class Client(asyncio.Protocol):
    """Sends a request as soon as the last one is answered."""

    def __init__(self, requests: list[bytes], answers: list[bytes | None]) -> None:
        self._requests, self._answers = requests, answers
        self._received, self._at = b"", 0
        self.times: list[float] = []
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take an answer, and check that it is the same as ever."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < size:
            return
        self._received = b""
        self.times.append(time.perf_counter() - self._sent)
        at = self._at % len(self._requests)
        known = self._answers[at]
        if not head.startswith(b"HTTP/1.1 200") or known not in {None, body}:
            raise SystemExit(f"A request was answered with {head!r} {body!r}, not {known!r}.")
        self._answers[at] = body
        self._at += 1
        self._send()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._at % len(self._requests)])


async def ask(port: int, key: str, clients: int, seconds: float, answers: list[bytes | None]) -> list[float]:
    """Return the seconds that each request took."""
    rng = np.random.default_rng(1)
    requests: list[bytes] = []
    for _ in answers:
        body = json.dumps({"observation": rng.standard_normal(WIDTH).tolist()}).encode()
        head = f"POST /get_action HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        requests.append(head.encode() + body)
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: Client(requests, answers), "127.0.0.1", port)
        for _ in range(clients)
    ]
    await asyncio.sleep(seconds)
    for transport, _ in made:
        transport.close()
    return [each for _, client in made for each in client.times]


def measure(
    tell: Any, port: int, key: str, clients: int, seconds: float, answers: list[bytes | None]
) -> None:
    """Ask, in a process of its own."""
    took = asyncio.run(ask(port, key, clients, seconds, answers))
    tell.send((took, answers))


def main() -> None:
    """Serve both, and print requests a second and latencies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--units", type=int, default=64, help="of the two hidden layers")
    options = parser.parse_args()
    os.environ[UNITS] = str(options.units)
    ways = {"one by one": open_plain, "batched": open_batched}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ws = pw.Workspace(f"sqlite:///{folder}/lab.db")
        project = ws.create_project("Benchmark", advanced_training=True)
        ports: dict[str, tuple[int, str]] = {}
        try:
            for name, predict in ways.items():
                pw.algorithm(name, produces={"policy"}, predict=predict)(save)
                run = project.create_experiment(name, algorithm=name).train()
                run.wait(120)
                agent = ws.create_agent(name, run.checkpoints[-1])
                made = agent.connect()
                ports[name] = (int(made.url.rpartition(":")[2]), str(made.key))
            show(ports, options.seconds, options.rounds)
        finally:
            for agent in ws.agents:
                agent.disconnect()
            ws.close()


def show(ports: dict[str, tuple[int, str]], seconds: float, rounds: int) -> None:
    """Measure, and print a row for each number of clients."""
    answers: list[bytes | None] = [None] * 50
    print(f"{'':>10}{'one by one':>28}{'batched':>28}{'ratio':>8}")
    print(f"{'clients':>10}" + f"{'requests/s':>14}{'p50 ms':>7}{'p99':>7}" * 2, flush=True)
    for clients in CLIENTS:
        found: dict[str, list[list[float]]] = {name: [] for name in ports}
        for _ in range(rounds):
            for name, (port, key) in ports.items():
                mine, its = multiprocessing.Pipe(duplex=False)
                given = (its, port, key, clients, seconds, answers)
                process = multiprocessing.get_context("fork").Process(target=measure, args=given)
                process.start()
                its.close()
                took, answers = mine.recv()
                process.join()
                found[name].append(took)
        rates = {name: statistics.median(len(each) / seconds for each in found[name]) for name in ports}
        row = f"{clients:>10}"
        for name, rate in rates.items():
            middle = [
                statistics.median(1000 * statistics.quantiles(each, n=100)[share - 1] for each in found[name])
                for share in (50, 99)
            ]
            row += f"{rate:14.0f}{middle[0]:7.2f}{middle[1]:7.2f}"
        print(f"{row}{rates['batched'] / rates['one by one']:8.2f}", flush=True)


if __name__ == "__main__":
    main()
