"""A PostgreSQL server that cuts connections and restarts under chains, and serves many kernels."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest
import trainers
from postgres import MISSING, Server, database_of, programs
from sqlalchemy import func, select

import pipeline_widgets as pw
from pipeline_widgets.persistence import schema
from pipeline_widgets.persistence.store import Store
from pipeline_widgets.widgets.pipeline_list import PipelineList

CHAINS, STAGES = 20, 5
DROP_EVERY, RESTART_EVERY = 2.0, 20.0  # seconds
PAUSE = 1.0  # seconds between the three steps of a stage
KERNELS, MOST = 50, 60
WATCHED = 20.0  # seconds; a view at rest looks every five

pytestmark = [pytest.mark.postgresql, pytest.mark.slow, pytest.mark.spec("11.1")]


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server of this test: others are not concerned by its restarts."""
    binaries = programs()
    if binaries is None:
        pytest.fail(MISSING)
    server = Server(binaries)
    yield server
    server.close()


class Storm:
    """Cuts all connections again and again, and restarts the server now and then."""

    def __init__(self, server: Server, database: str) -> None:
        self._server, self._database = server, database
        self.cut = self.drops = self.restarts = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        restarted = time.monotonic()
        while not self._ended.wait(DROP_EVERY):
            if time.monotonic() - restarted >= RESTART_EVERY:
                # One after the other as an administrator does it, and as a crash does.
                self._server.restart(how=signal.SIGQUIT if self.restarts % 2 else signal.SIGINT)
                restarted = time.monotonic()
                self.restarts += 1
            else:
                self.cut += self._server.drop_connections(self._database)
                self.drops += 1


@pytest.mark.timeout(900)
def test_chains_survive_cut_connections_and_restarts(
    own_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All connections are cut every 2 s and the server restarts every 20 s: nothing is lost or doubled."""
    database = own_server.create()
    ws = pw.Workspace(own_server.url(database), artifacts=tmp_path / "files")
    project = ws.create_project("Storm", advanced_training=True)
    for chain in range(CHAINS):
        pipe = project.create_pipeline(f"chain {chain}")
        for stage in range(STAGES):
            config = {"pause": PAUSE}
            made = project.create_experiment(f"{chain}-{stage}", algorithm=trainers.counter, config=config)
            pipe.add_experiment_stage(made, trigger="auto" if stage else "manual")
    pipelines = list(project.pipelines)
    firsts = [pipe.stages[0] for pipe in pipelines]
    store, began = ws._services.store, time.monotonic()
    with Storm(own_server, database) as storm:
        for stage in firsts:
            _insist(stage)
        until = time.monotonic() + 600
        while _count(store, "Succeeded") < CHAINS * STAGES and time.monotonic() < until:
            with suppress(pw.PipelineError):
                ws.reconcile()
            time.sleep(0.5)
    seconds = time.monotonic() - began
    whole = sum(all(stage.status == "Succeeded" for stage in pipe.stages) for pipe in pipelines)
    doubled = sum(max(0, len(stage.runs) - 1) for pipe in pipelines for stage in pipe.stages)
    lost = CHAINS * STAGES - _count(store, "Succeeded")
    points, different = _points(store)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{storm.drops} times all connections cut ({storm.cut}), {storm.restarts} restarts, "
            f"{seconds:.0f} s: {whole} of {CHAINS} chains end right, {lost} runs lost, {doubled} doubled, "
            f"{points} points\n"
        )
    assert (whole, lost, doubled) == (CHAINS, 0, 0)
    assert points == different
    assert storm.restarts >= 1
    assert storm.drops >= 5
    ws.close()


def _insist(stage: pw.Stage) -> None:
    """Trigger a stage as a person does whose click was answered by an error."""
    for _ in range(100):
        try:
            stage.trigger()
        except pw.TriggerError:
            return  # the click before was done, though its answer was lost
        except pw.PipelineError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("It could not be triggered.")


def _count(store: Store, status: str) -> int:
    query = select(func.count()).where(schema.runs.c.status == status)
    for _ in range(100):
        with suppress(pw.PipelineError), store.read() as work:
            return int(work.connection.execute(query).scalar_one())
        time.sleep(0.1)
    raise AssertionError("The database could not be read.")


def _points(store: Store) -> tuple[int, int]:
    """Return how many points there are, and how many of different run, step and name."""
    with store.read() as work:
        points = work.metrics.of_runs(work.connection.scalars(select(schema.runs.c.id)).all())
    return len(points), len({(run, step, name) for run, step, name, _ in points.rows()})


@pytest.mark.timeout(300)
def test_fifty_kernels_with_live_views_take_a_connection_each(
    own_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fifty processes, each with a workspace and a view that refreshes, have 60 connections at most."""
    database = own_server.create()
    url = own_server.url(database)
    ws = pw.Workspace(url, artifacts=tmp_path / "files")
    project = ws.create_project("Kernels", advanced_training=True)
    project.create_pipeline("chain")
    ws.close()
    begun, ending = os.pipe(), os.pipe()
    kernels: list[int] = []
    for _ in range(KERNELS):
        pid = os.fork()
        if pid == 0:
            _be_a_kernel(url, project._id, begun[1], ending)
        kernels.append(pid)
    os.close(begun[1])
    try:
        assert len(b"".join(os.read(begun[0], 1) for _ in kernels)) == KERNELS
        counts: list[int] = []
        until = time.monotonic() + WATCHED
        while time.monotonic() < until:
            ask = (
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            counts.append(int(own_server.ask(ask, database_of(url))[0][0]))
            time.sleep(0.1)
    finally:
        os.close(ending[1])
        for pid in kernels:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{KERNELS} kernels with live views: {max(counts)} connections at most, "
            f"{sum(counts) / len(counts):.0f} on average\n"
        )
    assert max(counts) >= KERNELS // 2  # they are at work
    assert max(counts) <= MOST


def _be_a_kernel(url: str, project: int, begun: int, ending: tuple[int, int]) -> None:
    """Show a live view until the test ends: then nobody holds the other end of the pipe."""
    try:
        os.close(ending[1])
        ws = pw.Workspace(url)
        view = PipelineList(ws._services, project)
        view.do_lease("page")  # as the browser does while it is visible
        os.write(begun, b".")
        os.read(ending[0], 1)
    finally:
        os._exit(0)
