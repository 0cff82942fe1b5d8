"""What a further stage of an Auto chain costs, against a bare interpreter, in one run.

    python benchmarks/chain_overhead.py [--stages 50] [--rounds 5]

Each stage is a process of its own. It saves a checkpoint of one byte (fsync included), which the next
stage starts from. The reference is `python -c pass` with the same interpreter, started as often, one
after the other. Also: from trigger to Running against `python -c "import sqlalchemy"`, and the import of
the package against that of SQLAlchemy.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import noop_algorithm

import pipeline_widgets as pw


def main() -> None:
    """Print ours, the reference and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {options.stages} stages, median of {options.rounds} rounds")
    stage, bare, running, sqlalchemy, ours = zip(
        *(one_round(options.stages) for _ in range(options.rounds)), strict=True
    )
    show("a further stage", stage, "python -c pass", bare)
    show("trigger to Running", running, "import sqlalchemy", sqlalchemy)
    show("import pipeline_widgets", ours, "import sqlalchemy", sqlalchemy)


def one_round(stages: int) -> tuple[float, float, float, float, float]:
    """Return seconds: a further stage, a bare interpreter, trigger to Running, two imports."""
    bare = command("pass", times=stages)
    per_stage, running = chain(stages)
    return per_stage, bare, running, command("import sqlalchemy"), command("import pipeline_widgets")


def chain(stages: int) -> tuple[float, float]:
    """Run an Auto chain, and return the seconds of a further stage and from trigger to Running."""
    with tempfile.TemporaryDirectory() as folder:
        ws = pw.Workspace(f"sqlite:///{folder}/lab.db")
        project = ws.create_project("Overhead", advanced_training=True)
        pipe = project.create_pipeline("chain")
        for at in range(stages):
            experiment = project.create_experiment(f"no-op {at}", algorithm=noop_algorithm.noop)
            pipe.add_experiment_stage(experiment, trigger="auto" if at else "manual")
        triggered = time.time()
        pipe.stages[0].trigger()
        pipe.wait(timeout=120)
        runs = [stage.run for stage in pipe.stages]
        assert all(run is not None and run.status == "Succeeded" for run in runs), pipe.stages  # noqa: S101
        ends = [run.finished_at.timestamp() for run in runs if run is not None and run.finished_at]
        first = runs[0].started_at if runs[0] else None
        ws.close()
        return (ends[-1] - ends[0]) / (stages - 1), (first.timestamp() if first else 0.0) - triggered


def command(code: str, times: int = 5) -> float:
    """Return the seconds of `python -c CODE`."""
    began = time.perf_counter()
    for _ in range(times):
        subprocess.run([sys.executable, "-c", code], check=True)
    return (time.perf_counter() - began) / times


def show(what: str, ours: tuple[float, ...], against: str, reference: tuple[float, ...]) -> None:
    """Print the medians, and the median of the ratios round by round."""
    ratio = statistics.median(a / b for a, b in zip(ours, reference, strict=True))
    mine, theirs = statistics.median(ours) * 1e3, statistics.median(reference) * 1e3
    print(f"{what:24} {mine:8.1f} ms   {against:20} {theirs:8.1f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
