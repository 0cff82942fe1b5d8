"""From the trigger of a run to Running, by launcher, against the engine's own bare submission.

    python benchmarks/launchers.py [local slurm ...] [--rounds 9]

The reference is what the engine itself is given to start `python -c pass` with the same interpreter: from the
submission until that Python has begun. Both take turns. The engines are real, and started here; Slurm needs
root and Debian's packages, Ray needs root and `pip install 'ray[default]'`, as `make test-launchers` does.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests_launchers")]  # where the engines are started

import noop_algorithm  # noqa: E402  found by the line above

import pipeline_widgets as pw  # noqa: E402

#: Prints when it has begun: what `python -c pass` cannot.
BEGUN = "import time; print(time.time())"
WITHIN = 120.0  # seconds
LOOK_EVERY = 1.0  # seconds between two looks of slurmctld at its queue


def main() -> None:
    """Print ours, the reference and the ratio, for each launcher."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("launchers", nargs="*", metavar="LAUNCHER", help=", ".join(LAUNCHERS))
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    for name in options.launchers or LAUNCHERS:
        pairs = [next_pair() for next_pair in LAUNCHERS[name](options.rounds)]
        show(name, *zip(*pairs, strict=True))


def local(rounds: int) -> Iterator[Callable[[], tuple[float, float]]]:
    """Measure this machine itself: against a child process. The difference is in what every engine starts."""

    def start_bare() -> float:
        began = time.time()
        done = subprocess.run([sys.executable, "-c", BEGUN], capture_output=True, text=True, check=True)
        return float(done.stdout) - began

    with temporary_folder() as folder, workspace(folder, "local") as trigger:
        yield from [lambda: take_turns(trigger, start_bare, lambda: None)] * rounds


def slurm(rounds: int) -> Iterator[Callable[[], tuple[float, float]]]:
    """Measure a Slurm with its scheduler at its quickest: against `sbatch`.

    It looks at the queue once a second, and just before whatever follows upon the start of a job: what comes
    then waits the whole second. Ours and the reference come at all phases of that second alike.
    """
    from slurm import one_node_slurm

    with temporary_folder() as folder, one_node_slurm(folder) as engine:
        os.environ["SLURM_CONF"] = engine.environment["SLURM_CONF"]

        def submit_bare() -> float:
            output = folder / "bare.txt"
            output.unlink(missing_ok=True)
            began = time.time()
            command = f"exec {sys.executable} -c '{BEGUN}'"
            engine.run("sbatch", f"--output={output}", f"--wrap={command}")
            engine.wait_for(lambda: output.exists() and output.read_text() != "", "the bare job")
            return float(output.read_text()) - began

        def rest() -> None:
            engine.wait_for(lambda: not engine.run("squeue", "-h"), "an empty queue")

        def turn(phase: float) -> Callable[[], tuple[float, float]]:
            def rest_until_phase() -> None:
                rest()
                time.sleep(phase)

            return lambda: take_turns(trigger, submit_bare, rest_until_phase)

        with workspace(folder, "slurm") as trigger:
            yield from [turn(LOOK_EVERY * (at + 0.5) / rounds) for at in range(rounds)]


def ray(rounds: int) -> Iterator[Callable[[], tuple[float, float]]]:
    """Measure a Ray head: against a job given to its REST API, which is quicker than `ray job submit`."""
    from ray_cluster import RayCluster, wait_for

    with temporary_folder() as folder, closing(RayCluster()) as cluster:
        cluster.wait_until_ready()
        numbers = count()

        def submit_bare() -> float:
            output = folder / f"bare{next(numbers)}.txt"
            began = time.time()
            body = {"entrypoint": f"exec {sys.executable} -c '{BEGUN}' > {output}"}
            cluster.request("POST", "/api/jobs/", body)
            wait_for(lambda: output.exists() and output.read_text() != "", WITHIN)
            return float(output.read_text()) - began

        def rest() -> None:
            wait_for(lambda: not cluster.processes_of("ray::JobSupervisor"), WITHIN)

        with workspace(folder, cluster.launcher) as trigger:
            yield from [lambda: take_turns(trigger, submit_bare, rest)] * rounds


def ssh(rounds: int) -> Iterator[Callable[[], tuple[float, float]]]:
    """Measure SSH: against `ssh HOST python`, which makes a connection each time; ours keeps it."""
    from ssh import running_host

    with temporary_folder() as folder, running_host(folder / "host") as host:

        def start_bare() -> float:
            began = time.time()
            command = ["ssh", host.url.removeprefix("ssh://"), sys.executable, "-c", shlex.quote(BEGUN)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return float(done.stdout.split()[-1]) - began

        with workspace(folder, host.url) as trigger:
            yield from [lambda: take_turns(trigger, start_bare, lambda: None)] * rounds


LAUNCHERS: dict[str, Callable[[int], Iterator[Callable[[], tuple[float, float]]]]] = {
    "local": local,
    "slurm": slurm,
    "ray": ray,
    "ssh": ssh,
}


def take_turns(
    trigger: Callable[[], float], submit_bare: Callable[[], float], rest: Callable[[], None]
) -> tuple[float, float]:
    """Return the seconds of ours and of the reference, with nothing else at work."""
    rest()
    ours = trigger()
    rest()
    return ours, submit_bare()


@contextmanager
def workspace(folder: Path, launcher: str) -> Generator[Callable[[], float]]:
    """Make a workspace, and yield what triggers a run and returns the seconds until it was Running."""
    ws = pw.Workspace(f"sqlite:///{folder}/lab.db", launcher=launcher)
    project = ws.create_project("Launchers", advanced_training=True)
    pipe = project.create_pipeline("one stage")
    stage = pipe.add_experiment_stage(project.create_experiment("no-op", algorithm=noop_algorithm.noop))

    def trigger() -> float:
        began = time.time()
        stage.trigger()
        pipe.wait(timeout=WITHIN)
        run = stage.run
        if run is None or run.status != "Succeeded" or run.started_at is None:
            raise RuntimeError(f"The run did not succeed: {run and run.error}")
        return run.started_at.timestamp() - began

    try:
        yield trigger
    finally:
        ws.close()


@contextmanager
def temporary_folder() -> Generator[Path]:
    """Make a folder that every user can enter, as the state of an engine needs it."""
    folder = Path(tempfile.mkdtemp(prefix="pw-launchers-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(name: str, ours: tuple[float, ...], bare: tuple[float, ...]) -> None:
    """Print the medians, their ratio, and the median of the ratios round by round."""
    by_round = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    mine, theirs = statistics.median(ours) * 1e3, statistics.median(bare) * 1e3
    measured = f"trigger to Running {mine:8.0f} ms   bare submission {theirs:8.0f} ms"
    print(f"{name:6} {measured}   ratio {mine / theirs:.2f} (by round {by_round:.2f})")


if __name__ == "__main__":
    main()
