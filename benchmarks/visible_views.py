"""What 50 views in sight cost a kernel in an hour, while one run reports and at rest.

    python benchmarks/visible_views.py [--pipelines 50] [--minutes 1] [--profile]

A project of so many pipelines of three stages, each of which has run. In sight are builders of its pipelines,
and the lists of pipelines, experiments, agents and projects and one Results, each leased by messages as a
browser does. The first pipeline's run reports four metrics and its progress twice a second, as a supervisor
writes them. Time is simulated: the rounds of the refresher follow one another without its pauses, so that a
minute of it takes seconds; what a round does is what it does in a kernel, up to the JSON of the messages. The
report itself, which is another process's work, is not counted. At rest each round opens the SQLite file anew,
as in a kernel: its connections are closed after a second without use.

Told are seconds of this process's CPU for an hour, by kind of view. The reference is the least that can tell
50 views whether anything has changed: after the rounds of the refresher, for each view one row read by
`sqlite3` from the same file in the same round, on a connection that stays open.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "support")]

import trainers  # noqa: E402
from factories.lab import Clock, Lab, an_owner  # noqa: E402

from pipeline_widgets.application import Services, configure  # noqa: E402
from pipeline_widgets.domain.job import Job  # noqa: E402
from pipeline_widgets.execution import processes  # noqa: E402
from pipeline_widgets.execution.launchers import LaunchedJob  # noqa: E402
from pipeline_widgets.execution.launchers.local import LocalLauncher  # noqa: E402
from pipeline_widgets.persistence.database import Database  # noqa: E402
from pipeline_widgets.persistence.store import open_store  # noqa: E402
from pipeline_widgets.widgets.agents import AgentsView  # noqa: E402
from pipeline_widgets.widgets.base import View  # noqa: E402
from pipeline_widgets.widgets.experiments import ExperimentsView  # noqa: E402
from pipeline_widgets.widgets.pipeline import PipelineView  # noqa: E402
from pipeline_widgets.widgets.pipeline_list import PipelineList  # noqa: E402
from pipeline_widgets.widgets.refresher import LIVE, REST, refresher  # noqa: E402
from pipeline_widgets.widgets.results import ResultsView  # noqa: E402
from pipeline_widgets.widgets.workspace import WorkspaceView  # noqa: E402
from pipeline_widgets.wiring import connect  # noqa: E402

VIEWS = 50
RENEWED = 10.0  # seconds after which a browser renews the lease of a view
HOUR = 3600.0
BARE = "bare polls"
POLL = "SELECT revision FROM projects WHERE id = 1"


def main() -> None:
    """Print ours, the reference and the ratio, while one run reports and at rest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pipelines", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=1.0, help="of simulated time")
    parser.add_argument("--profile", action="store_true", help="print what takes the time, too")
    options = parser.parse_args()
    LocalLauncher.submit = lambda *_: LaunchedJob(id="none")  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        lab = open_workspace(Path(folder))
        pipelines = make_pipelines(lab, options.pipelines)
        services = connect(lab.store.database.url, artifacts=lab.store.artifacts)
        job = trigger(lab, services, pipelines[0])
        sight = Sight(services, open_views(services, lab.project.id, pipelines))
        reports = report(lab, job)
        sight.look(4, LIVE, lambda: next(reports))  # what is made once is made
        for name, every, act in (
            ("while one run reports", LIVE, lambda: next(reports)),
            ("at rest", REST, sight.close_connections),
        ):
            if name == "at rest":
                lab.end(job)
                sight.look(4, REST, act)
            rounds = round(60 * options.minutes / LIVE)
            profile = cProfile.Profile() if options.profile else None
            used = sight.look(rounds, every, act, profile)
            show(name, {kind: each * HOUR / every / rounds for kind, each in used.items()})
            if profile is not None:
                pstats.Stats(profile).sort_stats("cumulative").print_stats(70)
        sight.close()
        services.store.database.close()
        lab.store.database.close()


def open_workspace(folder: Path) -> Lab:
    """Return a new workspace on the clock of this machine."""
    return Lab(open_store(Database(folder / "lab.db")), Clock())


def make_pipelines(lab: Lab, count: int) -> list[int]:
    """Make pipelines of three stages, of which each has run once; return their ids."""
    plain, made = configure(trainers.counter, {}), list[int]()
    for at in range(count):
        pipeline = lab.pipelines.create(lab.project.id, f"pipeline {at}")
        for number in range(3):
            name = f"experiment {at}.{number}"
            lab.add(pipeline.id, lab.experiments.create(lab.project.id, name, plain, seed=0))
        for stage in lab.pipelines.get(pipeline.id).stages:
            lab.do(stage, 0.5, 0.9, 0.7)
        made.append(pipeline.id)
    return made


def trigger(lab: Lab, services: Services, pipeline_id: int) -> Job:
    """Let the first stage of a pipeline run, held by this process, which lives."""
    run = services.runs.trigger(services.pipelines.get(pipeline_id).stages[0].id)
    me = processes.identify(os.getpid())
    job = lab.take(run, replace(an_owner(), process=me))
    lab.supervision.record_start(job, me)
    return job


def report(lab: Lab, job: Job) -> Iterator[None]:
    """Report four metrics and the progress again and again."""
    step = 0
    while True:
        step += 10
        lab.report(job, step, 1_000_000, loss=1 / step, reward=step / 1e6, entropy=0.5, kl=0.01)
        yield


def open_views(services: Services, project_id: int, pipelines: list[int]) -> list[View]:
    """Return the views that are in sight."""
    running = services.pipelines.get(pipelines[0]).experiment_ids[:1]
    others: list[View] = [
        PipelineList(services, project_id),
        ExperimentsView(services, project_id),
        AgentsView(services),
        WorkspaceView(services),
        ResultsView(services, project_id, running),
    ]
    chosen = [pipelines[at % len(pipelines)] for at in range(VIEWS - len(others))]
    return [*(PipelineView(services, each) for each in chosen), *others]


class Sight:
    """Views that a browser shows, and the rounds in which they are refreshed.

    Args:
        services: The workspace.
        views: The views.
    """

    def __init__(self, services: Services, views: list[View]) -> None:
        self._services = services
        self._views = views
        self._used = defaultdict[str, float](float)
        self._bare = sqlite3.connect(str(services.store.database.path))
        self._refresher: Any = refresher(services.store, services.reconcile)
        self._refresher._thread = threading.current_thread()  # the rounds are ours
        self._refresher._look = self._timed("look for crashed runs", self._refresher._look)
        for view in views:
            widget: Any = view
            widget.comm.publish_msg = _write_json
            kind = type(view).__name__
            name = "PipelineView of the run" if kind == "PipelineView" and view is views[0] else kind
            widget.refresh = self._timed(name, view.refresh)

    def look(
        self, rounds: int, every: float, act: Callable[[], object], profile: cProfile.Profile | None = None
    ) -> dict[str, float]:
        """Refresh the views so many times; return the seconds of CPU by kind of view, and of bare polls."""
        used = self._used = defaultdict[str, float](float)
        since_renewal = RENEWED
        for _ in range(rounds):
            act()
            self._services.reconciler._reconciled_at = float("-inf")  # half a second has passed
            if profile is not None:
                profile.enable()
            began, before = time.process_time(), sum(used.values())
            if since_renewal >= RENEWED:
                self._timed("leases", self._renew)()
                since_renewal = 0.0
            since_renewal += every
            self._refresher._refresh(self._refresher._find_seen())
            if profile is not None:
                profile.disable()
            used["between"] += time.process_time() - began - (sum(used.values()) - before)
            self._timed(BARE, self._poll)()
        return used

    def close_connections(self) -> None:
        """Close the file, as is done after a second without use."""
        self._services.store.database.close()

    def close(self) -> None:
        """Close the views."""
        self._bare.close()
        for view in self._views:
            view.close()

    def _poll(self) -> None:
        for _ in self._views:
            self._bare.execute(POLL).fetchone()

    def _renew(self) -> None:
        for at, view in enumerate(self._views):
            widget: Any = view
            widget.line._handle_custom_msg({"command": "lease", "args": {"view": f"view {at}"}}, [])

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            began = time.process_time()
            try:
                return call(*args, **options)
            finally:
                self._used[name] += time.process_time() - began

        return timed


def _write_json(_: str, data: Any = None, **__: Any) -> None:
    """Do of a message what a kernel does with it before it is sent."""
    json.dumps(data)


def show(name: str, used: dict[str, float]) -> None:
    """Print seconds of CPU an hour."""
    bare = used.pop(BARE)
    total = sum(used.values())
    print(
        f"{VIEWS} views in sight {name}: {total:.1f} CPU s an hour; {VIEWS} bare polls {bare:.2f}; "
        f"ratio {total / bare:.1f}"
    )
    for kind, each in sorted(used.items(), key=lambda item: -item[1]):
        print(f"  {kind:<26} {each:8.2f}")


if __name__ == "__main__":
    main()
