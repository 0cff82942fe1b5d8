"""What an algorithm declares to be preloaded is imported before its first run (habit 22)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import launch_servers
import psutil
import pytest
from benches import Bench, until

import pipeline_widgets as pw
from pipeline_widgets.algorithms import preload, registry
from pipeline_widgets.domain.libraries import Libraries
from pipeline_widgets.execution import interpreter, launch_client, launch_place

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="launch servers are for Linux"),
    pytest.mark.sqlite,
    pytest.mark.spec("6.3"),
]

#: Libraries that do something while they are imported.
LIBRARIES = {
    "quiet": "",
    "monitoring": "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
    "pooling": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "pool = ThreadPoolExecutor(1)\npool.submit(int).result()"
    ),
    "opening": "device = open('/dev/full', 'w')",
    "raising": "raise RuntimeError('no licence')",
    "exiting": "raise SystemExit(3)",
    "setting": "import os\nos.environ['SOME_HOME'] = '/somewhere'",
}


@pytest.fixture(autouse=True)
def turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be launch servers."""
    launch_servers.turn_on(monkeypatch)
    monkeypatch.setattr(launch_client, "ANSWER_WITHIN", 5.0)  # a busy machine has time to fork


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the libraries, for this process and for those that it starts."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for name, text in LIBRARIES.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


@pytest.fixture
def lab(bench: Bench) -> Iterator[Bench]:
    """A workspace whose launch servers end with the test."""
    yield bench
    launch_servers.end(launch_servers.log_of(bench))


def make(*modules: str, name: str = "Declaring") -> pw.Algorithm:
    """Return an algorithm that declares modules, and writes what it finds imported."""

    @pw.algorithm(name, produces={"thing"}, preload=modules)
    def declaring(ctx: pw.TrainContext) -> None:
        names = [each for each in modules if each in sys.modules]
        (ctx.folder / "found.txt").write_text(" ".join(names))
        ctx.report(1, score=1.0)

    return declaring


def create(lab: Bench, algorithm: pw.Algorithm) -> pw.Experiment:
    """Return a new experiment."""
    return lab.project.create_experiment(f"e{len(lab.project.experiments)}", algorithm=algorithm)


def found(lab: Bench, experiment: pw.Experiment) -> list[str]:
    """Train an experiment, and return which declared modules its run has found imported."""
    run = experiment.train()
    run.wait(120)
    assert run.status == "Succeeded", run.error
    return (Path(lab.ws.artifacts) / "runs" / f"{run._id:08d}" / "found.txt").read_text().split()


def place_of(lab: Bench, *modules: str) -> launch_place.LaunchPlace:
    """Return where the launch server with declared modules is."""
    libraries = Libraries.of_declaration(modules)
    found = launch_place.find_place(interpreter.environment(), launch_servers.log_of(lab), libraries.key)
    assert found is not None
    return found


def await_server(lab: Bench, *modules: str) -> None:
    """Wait until the launch server with declared modules listens."""
    place = place_of(lab, *modules)
    until(lambda: launch_servers.is_ready(place) and place.socket.exists(), 120)


def servers(lab: Bench) -> list[psutil.Process]:
    """Return the launch servers with declared libraries of a workspace."""
    plain = launch_place.find_place(interpreter.environment(), launch_servers.log_of(lab))
    assert plain is not None
    return [
        each
        for each in launch_servers.servers(launch_servers.log_of(lab))
        if str(plain.socket) not in each.info["cmdline"]
    ]


def test_the_first_run_finds_what_its_algorithm_declares(lab: Bench) -> None:
    """The experiment alone is enough: its libraries are imported meanwhile; variables that they set count."""
    algorithm = make("quiet", "setting", "xml.dom.minidom")
    experiment = create(lab, algorithm)
    await_server(lab, "quiet", "setting", "xml.dom.minidom")
    assert found(lab, experiment) == ["quiet", "setting", "xml.dom.minidom"]


def test_a_trigger_starts_what_has_ended_meanwhile(lab: Bench) -> None:
    """A run that finds none goes without, as ever, and the next one finds it."""
    experiment = create(lab, make("quiet"))
    await_server(lab, "quiet")
    launch_servers.end(launch_servers.log_of(lab))
    assert found(lab, experiment) == []
    await_server(lab, "quiet")
    assert found(lab, experiment) == ["quiet"]


def test_algorithms_that_declare_the_same_share_a_launch_server(lab: Bench) -> None:
    """One that declares something else has its own; one that declares nothing has none."""
    for name, modules in (("A", ["quiet"]), ("B", ["quiet"]), ("C", ["setting"]), ("D", [])):
        create(lab, make(*modules, name=name))
        if modules:
            await_server(lab, *modules)
    assert len(servers(lab)) == 2


def test_a_daemon_that_waits_is_no_hindrance_to_what_is_declared(lab: Bench) -> None:
    """A monitor ends in a fork, and Python knows that; several runs are forked beside it."""
    experiment = create(lab, make("monitoring"))
    await_server(lab, "monitoring")
    for _ in range(2):
        assert found(lab, experiment) == ["monitoring"], launch_servers.log_of(lab).read_text()


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        ("pooling", "has started a thread"),
        ("opening", "has opened /dev/full"),
        ("raising", "cannot be imported ahead (RuntimeError: no licence)"),
        ("exiting", "cannot be imported ahead (SystemExit: 3)"),
    ],
)
def test_what_no_fork_survives_is_refused_whoever_declares_it(lab: Bench, library: str, reason: str) -> None:
    """The log says why, runs go on as without the declaration, and no further launch server tries."""
    experiment = create(lab, make(library))
    until(
        lambda: launch_servers.log_of(lab).exists() and reason in launch_servers.log_of(lab).read_text(), 120
    )
    until(lambda: servers(lab) == [], 60)
    for _ in range(2):
        assert found(lab, experiment) == []
    assert launch_servers.log_of(lab).read_text().count(reason) == 1


def test_a_module_that_is_not_installed_is_refused_before_anything_runs(lab: Bench, installed: Path) -> None:
    """When the experiment is made, and when it is triggered once the package is gone; no server starts."""
    with pytest.raises(pw.AlgorithmNotFoundError, match="no_such_module") as caught:
        create(lab, make("quiet", "no_such_module"))
    assert "take it out of preload=" in str(caught.value)
    with pytest.raises(pw.AlgorithmNotFoundError, match=r"json\.nothing"):
        create(lab, make("json.nothing"))
    assert launch_servers.servers(launch_servers.log_of(lab)) == []

    experiment = create(lab, make("quiet"))
    (installed / "quiet.py").unlink()
    with pytest.raises(pw.AlgorithmNotFoundError, match="quiet"):
        experiment.train()
    registry.catalogue.defined.pop("Declaring")  # another kernel, which has not run the cell
    with pytest.raises(pw.AlgorithmNotFoundError, match="quiet"):
        experiment.train()
    assert not experiment.runs


def test_a_module_of_the_users_own_is_refused(
    lab: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has to be fresh for each run; the error names its file, and nothing of it is executed."""
    (tmp_path / "own_module_here.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(pw.RuleError, match="own_module_here") as caught:
        create(lab, make("own_module_here"))
    assert str(tmp_path / "own_module_here.py") in str(caught.value)
    assert "anew" in str(caught.value)
    assert launch_servers.servers(launch_servers.log_of(lab)) == []


def test_nothing_is_imported_ahead_for_runs_that_are_launched_elsewhere(
    lab: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An experiment of another launcher, or a workspace without launch servers, starts no process."""
    algorithm = make("quiet")
    lab.project.create_experiment("far", algorithm=algorithm, launcher="ssh://somewhere")
    assert launch_servers.servers(launch_servers.log_of(lab)) == []
    monkeypatch.setenv(launch_place.VARIABLE, "off")
    assert found(lab, create(lab, algorithm)) == []
    assert launch_servers.servers(launch_servers.log_of(lab)) == []


@pytest.mark.parametrize("given", [3, [1], "torch!", ["numpy", ""], ["numpy."], ["numpy as np"]])
def test_a_wrong_declaration_is_refused(given: object) -> None:
    """The error says what preload takes."""
    with pytest.raises(pw.ConfigError, match="preload"):
        pw.algorithm("Wrong", produces={"thing"}, preload=given)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("module", ["sys", "json", "json.decoder", "numpy.linalg", "_frozen_importlib"])
def test_a_module_is_looked_for_without_an_import(module: str) -> None:
    """Python's own, and those of packages."""
    before = {*sys.modules}
    assert preload.are_installed(preload.find_places(module))
    assert {*sys.modules} == before


def test_a_declaration_is_stored_with_its_algorithm(lab: Bench) -> None:
    """A single name may be a text; a name that is said twice counts once."""
    experiment = create(lab, make("quiet", "quiet"))
    spec = lab.ws._services.experiments.get(experiment._id).spec
    assert spec.preload == ("quiet",)
    assert pw.algorithm("One", produces={"thing"}, preload="quiet")(print).spec.preload == ("quiet",)
