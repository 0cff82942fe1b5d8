"""The first stage of another chain finds its libraries imported, and nothing else (habit 22)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import launch_servers
import psutil
import pytest
from benches import Bench, alive, until
from pydantic import BaseModel

import pipeline_widgets as pw
from pipeline_widgets.execution import interpreter, launch_client, launch_place
from pipeline_widgets.execution.launchers.local import LocalLauncher
from pipeline_widgets.execution.preloading import ImportedModules

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="launch servers are for Linux"),
    pytest.mark.sqlite,
    pytest.mark.spec("6.3"),
]


class Deeds(BaseModel):
    """What a training does to its process."""

    sets_variable: bool = False
    is_wild: bool = False
    tag: str = ""


@pytest.fixture(autouse=True)
def turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be launch servers."""
    launch_servers.turn_on(monkeypatch)
    monkeypatch.setattr(launch_client, "ANSWER_WITHIN", 5.0)  # a busy machine has time to fork


@pytest.fixture
def lab(bench: Bench) -> Iterator[Bench]:
    """A workspace whose launch servers end with the test."""
    yield bench
    launch_servers.end(launch_servers.log_of(bench))


@pytest.fixture
def importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pw.Algorithm:
    """Return an algorithm of a notebook cell that imports a large library, and a module of its user."""
    (tmp_path / "own_module.py").write_text("import random\nTAG = random.random()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = str(tmp_path)

    @pw.algorithm("Importing", produces={"thing"}, config=Deeds)
    def importing(ctx: pw.TrainContext) -> None:
        sys.path.insert(0, folder)
        found = [name for name in ("pandas", "own_module") if name in sys.modules]
        if ctx.config.sets_variable:
            os.environ["SOME_HOME"] = "/somewhere"
        import numpy as np  # noqa: PLC0415
        import own_module  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
        import pandas as pd  # noqa: PLC0415

        told: dict[str, Any] = {
            "found": found,
            "patched": getattr(pd, "PATCHED", False),
            "own": own_module.TAG,  # pyright: ignore[reportUnknownMemberType]
            "numpy": float(np.random.random()),  # noqa: NPY002
            "random": random.random(),  # noqa: S311
            "variable": os.environ.get("SOME_HOME"),
            "threads": len(os.listdir("/proc/self/task")),  # noqa: PTH208
            "open": sorted(
                os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
                for number in os.listdir("/proc/self/fd")  # noqa: PTH208
                if os.path.exists(f"/proc/self/fd/{number}")  # noqa: PTH110
            ),
            "blas": os.environ.get("OPENBLAS_NUM_THREADS"),
        }
        ctx.report(1, score=1.0)
        time.sleep(0.5)  # a training that is over at once has no libraries worth keeping
        if ctx.config.is_wild:
            pd.PATCHED = True  # pyright: ignore[reportAttributeAccessIssue]
            np.random.seed(0)  # noqa: NPY002
            random.seed(0)
            os.environ["SOME_HOME"] = "/wild"
            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
            sys.modules["kept"] = open(f"{folder}/wild", "w")  # type: ignore[assignment]  # noqa: PTH123, SIM115
        (ctx.folder / "told.txt").write_text(repr(told))

    return importing


def told(lab: Bench, algorithm: pw.Algorithm, **config: object) -> dict[str, Any]:
    """Return what a run in a pipeline of its own has told."""
    number = len(lab.project.experiments)
    experiment = lab.project.create_experiment(f"e{number}", algorithm=algorithm, config=config)
    run = lab.project.create_pipeline(f"p{number}").add_experiment_stage(experiment).trigger()
    run.wait(120)
    assert run.status == "Succeeded", run.error
    text = (Path(lab.ws.artifacts) / "runs" / f"{run._id:08d}" / "told.txt").read_text()
    return eval(text)  # noqa: S307  what this test has written


def with_libraries(lab: Bench) -> list[psutil.Process]:
    """Return the launch servers of a workspace that have imported pandas and listen."""

    def listens(process: psutil.Process) -> bool:
        line = process.cmdline()
        has = any("/pandas/" in each.path for each in process.memory_maps())
        return has and Path(line[line.index("launch-server") + 1]).exists()

    return [
        each
        for each in launch_servers.servers(launch_servers.log_of(lab))
        if holds(lambda each=each: listens(each))
    ]


def holds(tells: Callable[[], bool]) -> bool:
    """Return what is told of a process; False once it has ended."""
    try:
        return tells()
    except psutil.Error:
        return False


def test_the_first_stage_of_another_chain_finds_its_libraries_imported(
    lab: Bench, importing: pw.Algorithm
) -> None:
    """Installed modules only; nothing that the training before has done to its process is there."""
    first = told(lab, importing, is_wild=True)
    assert first["found"] == []
    until(lambda: len(with_libraries(lab)) == 1, 120)

    second, third = told(lab, importing, is_wild=True), told(lab, importing)

    for each in (second, third):
        assert each["found"] == ["pandas"]
        assert each["patched"] is False
        assert each["variable"] is None
        assert each["threads"] == first["threads"]
        assert len(each["open"]) == len(first["open"])
        assert not any("wild" in path for path in each["open"])
        assert each["blas"] == first["blas"] == "1"
    for name in ("own", "numpy", "random"):
        assert len({each[name] for each in (first, second, third)}) == 3, name
    assert len(with_libraries(lab)) == 1


def test_a_kernel_that_was_restarted_finds_the_libraries_of_the_one_before(
    lab: Bench, importing: pw.Algorithm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a kernel's start gives it alone does not count; any other variable might be read by a library."""
    assert told(lab, importing)["found"] == []
    until(lambda: len(with_libraries(lab)) == 1, 120)
    monkeypatch.setenv("JPY_PARENT_PID", "12345")
    assert told(lab, importing)["found"] == ["pandas"]
    monkeypatch.setenv("HF_HOME", "/elsewhere")
    assert told(lab, importing)["found"] == []


def test_nothing_is_imported_ahead_for_a_training_that_sets_variables(
    lab: Bench, importing: pw.Algorithm
) -> None:
    """Libraries would have read them too early; the log says so, and no further one tries."""
    for _ in range(2):
        found = told(lab, importing, sets_variable=True)
        assert (found["found"], found["variable"]) == ([], "/somewhere")
        until(lambda: "sets variables itself" in launch_servers.log_of(lab).read_text(), 120)
    assert launch_servers.log_of(lab).read_text().count("sets variables itself") == 1
    assert with_libraries(lab) == []


def test_a_trigger_goes_without_a_launch_server_that_hangs_or_is_gone(
    lab: Bench, importing: pw.Algorithm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run imports its libraries itself; the next one starts another launch server."""
    told(lab, importing)
    until(lambda: len(with_libraries(lab)) == 1, 120)
    (server,) = with_libraries(lab)
    monkeypatch.setattr(launch_client, "ANSWER_WITHIN", 0.5)
    server.suspend()
    assert told(lab, importing)["found"] == []
    server.kill()
    assert told(lab, importing)["found"] == []
    until(lambda: [each.pid for each in with_libraries(lab)] not in ([], [server.pid]), 120)


def test_a_workspace_keeps_the_libraries_of_its_latest_algorithms_only(lab: Bench) -> None:
    """Each launch server holds what it has imported in memory: the oldest makes room for a fourth."""
    log, modules = launch_servers.log_of(lab), ImportedModules(names=("json.tool",), variables={})
    log.parent.mkdir(parents=True, exist_ok=True)
    launch_servers.start(log)
    started: list[psutil.Process] = []
    for algorithm in "abcd":
        environment = interpreter.environment()
        place = launch_place.find_place(environment, log, algorithm)
        assert place is not None
        server = launch_client.start_server(place, environment, begin_after=0.0, libraries=modules)
        assert server is not None
        LocalLauncher._started[server.pid] = server
        until(lambda place=place: launch_servers.is_ready(place), 120)
        started.append(psutil.Process(server.pid))

    until(lambda: not alive(started[0].pid), 60)

    assert all(alive(each.pid) for each in started[1:])
    assert len(launch_servers.servers(log)) == 4  # one of them has no libraries


@pytest.mark.parametrize(
    ("does", "variables", "expected"),
    [
        ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", {}, "has started a thread"),
        ("", {"SOME": "x"}, "sets variables itself"),
        ("held = open('/dev/full')", {}, "has opened /dev/full"),
        ("held = tempfile.TemporaryFile(dir='/dev/shm')", {}, "None"),
    ],
    ids=["thread", "variable", "device", "shared memory"],
)
def test_what_cannot_be_forked_is_refused_with_a_reason(
    does: str, variables: dict[str, str], expected: str
) -> None:
    """A thread or a device of a library, or variables that the imports do not set; memory is no device."""
    script = f"""
import tempfile, threading, time
from pipeline_widgets.execution.preloading import ImportedModules, import_libraries
{does}
print(import_libraries(ImportedModules(names=("json.tool",), variables={variables!r}))[1])
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert expected in done.stdout
