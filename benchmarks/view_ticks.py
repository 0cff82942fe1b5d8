"""What one tick of a view of a run costs: bytes to the browser, and a kernel's CPU up to their JSON.

    python benchmarks/view_ticks.py [--points 10000] [--ticks 40] [--profile]

A run has reported so many points of 1, 10 and 50 metrics; a tick is one more point of each, and one refresh
of the view: the builder with its panel, the same with its chart over all stages, Results, and an experiment.
Told are the bytes and milliseconds of CPU of the median tick. The reference is the view's state as a whole:
the bytes that it would be sent with.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import math
import pstats
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "support")]

from factories.lab import Lab  # noqa: E402
from visible_views import open_workspace  # noqa: E402

from pipeline_widgets.application import Services  # noqa: E402
from pipeline_widgets.domain.batch import Batch  # noqa: E402
from pipeline_widgets.domain.chain import Pipeline  # noqa: E402
from pipeline_widgets.domain.job import Job, MetricReport  # noqa: E402
from pipeline_widgets.widgets.base import View  # noqa: E402
from pipeline_widgets.widgets.experiment import ExperimentView  # noqa: E402
from pipeline_widgets.widgets.pipeline import PipelineView  # noqa: E402
from pipeline_widgets.widgets.results import ResultsView  # noqa: E402
from pipeline_widgets.wiring import connect  # noqa: E402

METRICS = (1, 10, 50)
TRAITS = ("panel", "stages", "chart", "curves", "timelines", "runs", "rows", "details")


def main() -> None:
    """Print ours, the reference and the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--ticks", type=int, default=40)
    parser.add_argument("--profile", action="store_true", help="print what takes the time, too")
    options = parser.parse_args()
    for metrics in METRICS:
        with tempfile.TemporaryDirectory() as folder:
            lab = open_workspace(Path(folder))
            pipeline = lab.pipeline("SFT")
            job = lab.started(lab.runs.trigger(pipeline.stages[0].id))
            report(lab, job, range(1, options.points + 1), metrics)
            services = connect(lab.store.database.url, artifacts=lab.store.artifacts)
            step = options.points
            for name, make in VIEWS.items():
                view = make(services, lab, pipeline)
                ticks = Ticks(lab, job, metrics, step)
                step = ticks.measure(f"{metrics:2} metrics, {name}", view, options)
                view.close()
            services.store.database.close()
            lab.store.database.close()


def builder(services: Services, _: Lab, pipeline: Pipeline) -> View:
    """Return the builder, whose panel shows the run."""
    return PipelineView(services, pipeline.id)


def charted(services: Services, _: Lab, pipeline: Pipeline) -> View:
    """Return the builder with the chart of a metric over all stages."""
    view = PipelineView(services, pipeline.id)
    view.do_chart("metric 0")
    return view


def results(services: Services, lab: Lab, pipeline: Pipeline) -> View:
    """Return Results for the experiment."""
    return ResultsView(services, lab.project.id, pipeline.experiment_ids)


def experiment(services: Services, _: Lab, pipeline: Pipeline) -> View:
    """Return the experiment by itself."""
    return ExperimentView(services, pipeline.experiment_ids[0])


VIEWS: dict[str, Callable[[Services, Lab, Pipeline], View]] = {
    "builder": builder,
    "builder and chart": charted,
    "Results": results,
    "experiment": experiment,
}


def report(lab: Lab, job: Job, steps: range, metrics: int) -> None:
    """Report metrics that move up and down, each at each step."""
    reports = [
        MetricReport(
            step=step,
            total=1_000_000,
            metrics={f"metric {n}": math.sin(step * (n + 1)) + step / 1e5 for n in range(metrics)},
        )
        for step in steps
    ]
    lab.supervision.record(job, Batch(reported=reports))


@dataclass
class Ticks:
    """The ticks of a run that reports so many metrics, and has come to a step."""

    lab: Lab
    job: Job
    metrics: int
    step: int

    def measure(self, name: str, view: View, options: argparse.Namespace) -> int:
        """Print what a tick of a view costs; return the step that the run has come to."""
        written: list[int] = []

        def publish(_: str, data: Any = None, **__: Any) -> None:
            written[-1] += len(json.dumps(data).encode())

        widget: Any = view
        widget.comm.publish_msg = publish
        widget._refresher._thread = threading.current_thread()  # the ticks are ours
        widget.line._handle_custom_msg({"command": "lease", "args": {"view": "the only one"}}, [])
        written.append(0)
        view.refresh()
        used: list[float] = []
        profile = cProfile.Profile() if options.profile else None
        for _ in range(options.ticks):
            self.step += 1
            report(self.lab, self.job, range(self.step, self.step + 1), self.metrics)
            written.append(0)
            if profile is not None:
                profile.enable()
            began = time.thread_time()
            view.refresh()
            used.append(time.thread_time() - began)
            if profile is not None:
                profile.disable()
        whole = len(json.dumps({each: getattr(view, each) for each in TRAITS if view.has_trait(each)}))
        ours = statistics.median(written[2:])
        print(
            f"{name:<30} {ours:9,.0f} bytes a tick (mean {statistics.mean(written[2:]):9,.0f}); "
            f"whole {whole:9,}; ratio {ours / whole:.3f}; {1000 * statistics.median(used):6.2f} ms CPU"
        )
        if profile is not None:
            pstats.Stats(profile).sort_stats("tottime").print_stats(18)
        return self.step


if __name__ == "__main__":
    main()
