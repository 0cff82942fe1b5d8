"""The chain that a newcomer sees first, in the terminal: SFT -> DPO -> GRPO -> an agent that answers."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline_widgets.api.pipeline import Pipeline
from pipeline_widgets.api.run import Run
from pipeline_widgets.api.workspace import Workspace
from pipeline_widgets.errors import ExecutionError

PROJECT, PIPELINE, AGENT = "Demo", "post-training", "letters-agent"
CHAIN = ("SFT", "DPO", "GRPO")
PROMPTS = ("dcba", "badc", "eabc")
TIMEOUT = 300.0  # seconds; it takes about five
STOP_TIMEOUT = 20.0  # seconds


def run(url: str | None = None) -> None:
    """Run the chain with a progress bar, and print a closing table.

    Args:
        url: The workspace to keep it in, where a second run is a re-run; a temporary one by default.

    Raises:
        ExecutionError: A stage did not succeed.
    """
    began = time.monotonic()
    with _workspace(url) as ws:
        pipe = _pipeline(ws)
        print(" -> ".join(stage.name for stage in pipe.stages))
        pipe.stages[0].trigger()
        pipe.wait(timeout=TIMEOUT, progress=sys.stderr.isatty())
        print(f"\n{_table(pipe)}\n")
        _insist_on_success(pipe)
        agent = ws.agents[AGENT]
        answers = (f'"{prompt}" -> "{agent.predict(prompt)}"' for prompt in PROMPTS)
        print(f"{agent.name} sorts letters: {', '.join(answers)}")
        print(f"Done in {time.monotonic() - began:.1f} s" + (f"; kept in {ws!r}." if url else "."))


@contextmanager
def _workspace(url: str | None) -> Generator[Workspace]:
    if url is not None:
        ws = Workspace(url)
        yield ws
        ws.close()
        return
    with TemporaryDirectory(prefix="pipeline-widgets-", ignore_cleanup_errors=True) as folder:
        ws = Workspace(f"sqlite:///{Path(folder, 'lab.db').as_posix()}")
        try:
            yield ws
        finally:
            _stop(ws)
            ws.close()


def _pipeline(ws: Workspace) -> Pipeline:
    """The pipeline of an earlier demo in this workspace, or a new one."""
    known = {project.name: project for project in ws.projects}
    project = known.get(PROJECT) or ws.create_project(PROJECT, advanced_training=True)
    for pipe in project.pipelines:
        if pipe.name == PIPELINE:
            return pipe
    experiments = [project.create_experiment(name.lower(), algorithm=name) for name in CHAIN]
    pipe = project.create_pipeline(PIPELINE, description="Teach a tiny language model to sort letters.")
    pipe.add_experiment_stage(experiments[0])
    for experiment in experiments[1:]:
        pipe.add_experiment_stage(experiment, trigger="auto")
    pipe.add_deployment_stage(AGENT, trigger="auto")
    return pipe


def _table(pipe: Pipeline) -> str:
    import pandas as pd  # noqa: PLC0415  0.4 s that --help need not wait for

    rows = [
        {
            "Stage": stage.name,
            "Type": stage.type,
            "Status": str(stage.status),
            "Seconds": _seconds(stage.run),
            "Best score": stage.summary()["evaluation_score"],
        }
        for stage in pipe.stages
    ]
    return pd.DataFrame(rows).to_string(index=False, na_rep="", float_format="{:.3f}".format)


def _seconds(run: Run | None) -> float | None:
    if run is None or run.started_at is None or run.finished_at is None:
        return None
    return (run.finished_at - run.started_at).total_seconds()


def _insist_on_success(pipe: Pipeline) -> None:
    for stage in pipe.stages:
        if stage.status == "Succeeded":
            continue
        told = (stage.run.error if stage.run else None) or stage.held or "It was not started."
        raise ExecutionError(f"Stage {stage.position + 1} ({stage.name}) is {stage.status}.", told.strip())


def _stop(ws: Workspace) -> None:
    """End what would go on in a folder that is about to be removed, say after Ctrl-C."""
    for project in ws.projects:
        for experiment in project.experiments:
            if experiment.run is not None and experiment.run.status.active:
                experiment.run.stop()
                experiment.run.wait(STOP_TIMEOUT)
    for agent in ws.agents:
        agent.disconnect()
