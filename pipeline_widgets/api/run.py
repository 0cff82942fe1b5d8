"""Runs and the checkpoints that they saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_widgets.api.annotated import Annotated, annotation_columns, with_annotations
from pipeline_widgets.api.frames import column_frame, data_frame
from pipeline_widgets.api.handle import Handle, id_in, of_items
from pipeline_widgets.api.lineage import Lineage
from pipeline_widgets.api.listing import Listing, select_columns
from pipeline_widgets.api.notification import Notice, notices
from pipeline_widgets.api.progress import Bars, waiting
from pipeline_widgets.api.run_environment import RunEnvironment, SourceFile, run_code
from pipeline_widgets.api.shown_item import ShownItem, comparison_frame, samples_frame, shown_items
from pipeline_widgets.api.trigger_notes import warn_of
from pipeline_widgets.application import Services
from pipeline_widgets.domain import checkpoint as values
from pipeline_widgets.domain import run as run_values
from pipeline_widgets.domain.failure import Failure
from pipeline_widgets.domain.filtering import contains
from pipeline_widgets.domain.run import Progress, Status
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.errors import RuleError
from pipeline_widgets.persistence.artifacts import folder_of

if TYPE_CHECKING:
    import pandas as pd


class Checkpoint(Handle):
    """A checkpoint, saved by a run at a step."""

    kind = "checkpoint"
    listed = "run.checkpoints"

    def __init__(self, services: Services, value: values.Checkpoint) -> None:
        super().__init__(services, value.id)
        self._value = value

    def __repr__(self) -> str:
        scores = f"training {self.training_score}, evaluation {self.evaluation_score}"
        return f"Checkpoint(step={self.step}, {scores})"

    @property
    def step(self) -> int:
        """The step at which it was saved."""
        return self._value.step

    @property
    def training_score(self) -> float | None:
        """The training score reported for that step."""
        return self._value.training_score

    @property
    def evaluation_score(self) -> float | None:
        """The evaluation score reported for that step."""
        return self._value.evaluation_score

    @property
    def scores(self) -> dict[str, float]:
        """Its scores by evaluators, by the name of the evaluator."""
        found = self._services.evaluations.of_checkpoint(self._id)
        return {each.evaluator: each.value for each in found}

    @property
    def path(self) -> Path:
        """The folder with what the train function wrote.

        Where artifacts are kept at a URL, it is brought to this machine first.

        Raises:
            CheckpointError: What was brought here is not what was saved.
            StorageError: It cannot be brought here.
        """
        return self._services.store.artifact_store.find(folder_of(self._value))

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return self._value.size

    @property
    def digest(self) -> str:
        """SHA-256 of its content: the same content has the same digest."""
        return self._value.digest

    @property
    def created_at(self) -> datetime:
        """The time at which it was saved, in UTC."""
        return self._value.created_at

    @property
    def run(self) -> Run:
        """The run that saved it."""
        return Run(self._services, self._value.run_id)

    @property
    def used_by(self) -> tuple[str, ...]:
        """Its users: runs that consumed it, agents, and stages that would start from it."""
        return self._services.retention.references(self._id)

    @property
    def lineage(self) -> Lineage:
        """Its ancestors and descendants."""
        return Lineage(self._services.lineages.of_checkpoint(self._id))

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        columns = select_columns(self, "step", "training_score", "evaluation_score", "size")
        return {**columns, "digest": self.digest[:12]}

    def delete(self) -> None:
        """Delete it with its files.

        Raises:
            InUseError: A run has consumed it, or it is saved as an Agent; the error names them.
        """
        self._services.experiments.delete_checkpoint(self._id)


def checkpoints(services: Services, found: tuple[values.Checkpoint, ...]) -> Listing[Checkpoint]:
    """Return a listing of checkpoints.

    Args:
        services: The workspace.
        found: The checkpoints, in order.
    """
    return Listing("checkpoint", (Checkpoint(services, each) for each in found))


class Run(Annotated):
    """One attempt at an experiment or a deployment. Runs are history: a re-run is a new Run."""

    kind = "run"

    def __repr__(self) -> str:
        return f"Run(number={self.number}, status={str(self.status)!r})"

    @property
    def number(self) -> int:
        """Counted from 1 for each experiment, and for each Deployment stage."""
        return self._now.number

    @property
    def status(self) -> Status:
        """Pending, Running, Stopping, Stopped, Succeeded, Failed or Crashed."""
        self._services.reconcile()
        return self._now.status

    @property
    def launcher(self) -> str:
        """Its launcher: "local", or the engine, as a user writes it."""
        return self._now.launcher or "local"

    @property
    def resources(self) -> dict[str, Any]:
        """The resources that it asked its launcher for: memory in bytes, time in seconds."""
        return dict(self._now.resources or {})

    @property
    def waits(self) -> str | None:
        """For what it waits, to begin or to go on, such as "Resources (Slurm job 12)"; else None."""
        self._services.reconcile()
        return self._now.waiting_for

    @property
    def retry(self) -> int:
        """The number of the retry, counted from 1; 0 for a run that was triggered."""
        return self._now.retry

    @property
    def notices(self) -> Listing[Notice]:
        """The messages about it to whom `ws.notify` names: whether they were sent, or why not."""
        self._services.reconcile()
        return notices(self._services, self._id)

    @property
    def progress(self) -> Progress:
        """Steps done, steps in all, and the estimate of the seconds left."""
        return self._services.runs.progress(self._id)

    @property
    def created_at(self) -> datetime:
        """The time at which it was triggered, in UTC."""
        return self._now.created_at

    @property
    def started_at(self) -> datetime | None:
        """The time at which its process began, in UTC."""
        return self._now.started_at

    @property
    def finished_at(self) -> datetime | None:
        """The time at which it ended, in UTC."""
        return self._now.finished_at

    @property
    def config(self) -> dict[str, Any]:
        """The config that it was triggered with."""
        return dict(self._now.config)

    @property
    def seed(self) -> int:
        """The seed that it was triggered with."""
        return self._now.seed

    @property
    def start_checkpoint(self) -> Checkpoint | None:
        """The checkpoint that it started from, frozen when it was triggered; None from scratch."""
        value = self._services.runs.start_checkpoint(self._now)
        return Checkpoint(self._services, value) if value else None

    @property
    def start_role(self) -> str | None:
        """The role of the start checkpoint: "weights", "decoder", "resume", ..."""
        return self._now.start_role

    @property
    def checkpoints(self) -> Listing[Checkpoint]:
        """The checkpoints that it saved, in the order of the steps."""
        return checkpoints(self._services, self._services.runs.checkpoints(self._id))

    @property
    def lineage(self) -> Lineage:
        """Its ancestors, and the descendants of all that it saved."""
        return Lineage(self._services.lineages.of_run(self._id))

    @property
    def metrics(self) -> pd.DataFrame:
        """The metrics that it reported: columns step, metric, value, in the order of the reports."""
        told = self._services.runs.metrics([self._id])
        values = told.values  # noqa: PD011  no pandas yet
        return column_frame({"step": told.steps, "metric": told.names, "value": values})

    @property
    def shown_items(self) -> Listing[ShownItem]:
        """What it has shown with `ctx.show`, by step: samples, images and videos (spec 9.4)."""
        return shown_items(self._services, self._id)

    @property
    def samples(self) -> pd.DataFrame:
        """All samples that it has shown: columns step, prompt, output, score, reference."""
        return samples_frame(self._services, self._id)

    def compare_shown(
        self, other: Run, step: int | None = None, other_step: int | None = None
    ) -> pd.DataFrame:
        """Compare what it and another run have shown, matched by prompt and seed.

        Args:
            other: The other run.
            step: A step at which this one has shown something; the last one by default.
            other_step: The same of the other one.

        Returns:
            Columns subject (the prompt or seed), left, left_score, right, right_score; first what both have.

        Raises:
            NotFoundError: A run has shown nothing at that step.
            ForeignError: The other run is of another workspace.
        """
        ids = (self._id, id_in(self._services, other, Run))
        return comparison_frame(self._services, ids, (step, other_step))

    @property
    def usage(self) -> pd.DataFrame:
        """The resources that its processes use, sampled from outside of them (spec 6.14).

        Columns: seconds since it began; cpu, the CPUs at work (1.5 is one and a half); memory, resident
        bytes, in which what processes share is counted for each of them; gpu, the GPUs at work, and
        gpu_memory, in bytes, which are missing where none of its processes is on an NVIDIA GPU, or where
        `nvidia-ml-py` is not installed. The first sample is taken after a second, the next ones every
        second, and in long runs more and more rarely: after 300 every two seconds, then every four.
        """
        names = [field.name for field in fields(Usage)]
        rows = [astuple(each) for each in self._services.runs.usage(self._id)]
        return data_frame(rows, columns=names)

    @property
    def peak_cpu(self) -> float | None:
        """The most CPUs that its processes have used at a time; None where no sample has told."""
        return self._now.peak_cpu

    @property
    def peak_memory(self) -> int | None:
        """The most bytes that its processes have held in memory at a time; None where no sample has told."""
        return self._now.peak_memory

    @property
    def peak_gpu_memory(self) -> int | None:
        """The most bytes that its processes have held on GPUs at a time; None where no sample has told."""
        return self._now.peak_gpu_memory

    @property
    def environment(self) -> RunEnvironment:
        """On what it was executed, and from which folder and commit it was triggered."""
        return RunEnvironment(self._services.run_records.run(self._id))

    @property
    def code(self) -> Listing[SourceFile]:
        """The code that it had loaded: the user's own files and definitions of cells, with their texts."""
        return run_code(self._services.run_records.run(self._id))

    @property
    def log(self) -> str:
        """Its output so far."""
        return self._services.runs.log(self._id)

    def log_lines(
        self, search: str = "", *, since: datetime | None = None, until: datetime | None = None
    ) -> pd.DataFrame:
        """Return the lines of its log, as a terminal would show them: columns time and line.

        Times are in UTC, without a zone, and about half a second late; runs of older versions have none, so
        that their lines are in no interval.

        Args:
            search: A text that the lines hold, in upper or lower case; all by default.
            since: The first moment that counts; one without a zone is in UTC.
            until: The last one.
        """
        low, high = (None if each is None else _seconds(each) for each in (since, until))
        rows: list[tuple[datetime | None, str]] = []
        for line in self._services.run_logs.lines(self._id):
            if search and not contains(line.text, search):
                continue
            if (low is not None or high is not None) and line.time is None:
                continue
            if (low is not None and (line.time or 0) < low) or (high is not None and (line.time or 0) > high):
                continue
            rows.append((None if line.time is None else datetime.fromtimestamp(line.time, UTC), line.text))
        return data_frame(rows, columns=["time", "line"])

    @property
    def error(self) -> str | None:
        """The traceback of a Failed run, or the evidence for a Crashed one."""
        self._services.reconcile()
        return self._now.error

    @property
    def failure(self) -> Failure | None:
        """Why it ended without success; None of a run that goes on or has succeeded.

        Its `message`, and where code of yours has raised: `file`, `line` and `function` of the innermost line
        that is not of an installed package, and `source`, the lines there as they were at that moment.
        Printed, it is all of that.
        """
        self._services.reconcile()
        return self._now.get_failure()

    def resume(self) -> Run:
        """Go on from its own last checkpoint, in a new run of its stage, which is returned.

        Raises:
            RuleError: It is not the latest run of a stage.
            TriggerError: It was not broken off, has saved no checkpoint, or cannot start now.
        """
        stage_id = self._now.stage_id
        latest = self._services.runs.latest_of_stage(stage_id) if stage_id is not None else None
        if stage_id is None or latest is None or latest.id != self._id:
            why = "Only the latest run of a stage goes on in its place."
            fix = "experiment.resume(checkpoint, name) starts from any checkpoint, as a new experiment."
            raise RuleError(f"Run {self.number} cannot be resumed.", why, fix)
        return Run(self._services, self._services.trigger(stage_id, resume=True, tell=warn_of).id)

    def stop(self) -> None:
        """Ask it to stop; checkpoints saved so far stay.

        Raises:
            RuleError: It is not active.
        """
        self._services.stop(self._id)

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> Run:
        """Wait until it has ended, and return it.

        Args:
            timeout: Seconds; None waits as long as it takes.
            progress: Show a progress bar.

        Raises:
            WaitTimeoutError: It has not ended in time; it goes on.
        """
        with Bars(shown=progress) as bars:
            for now in waiting(timeout, f"Run {self.number}"):
                self._services.reconcile()
                value = self._now
                bars.show(value.id, f"run {value.number}", value.progress(now), value.status)
                if value.status.finished:
                    break
        return self

    def summary(self) -> dict[str, Any]:
        """Its row in a listing."""
        return {**_row(self._now), **annotation_columns(self._annotation)}

    @property
    def _now(self) -> run_values.Run:
        return self._services.runs.get(self._id)


def runs(services: Services, found: tuple[run_values.Run, ...]) -> Listing[Run]:
    """Return a listing of runs.

    Args:
        services: The workspace.
        found: The runs, in order.
    """
    return runs_by_id(services, [each.id for each in found])


def runs_by_id(services: Services, ids: Sequence[int]) -> Listing[Run]:
    """Return a listing of runs.

    Args:
        services: The workspace.
        ids: Of the runs, in order.
    """

    def rows(listed: Sequence[Run]) -> list[dict[str, Any]]:
        known = services.overview.runs(ids)
        made = {each: _row(value) for each, value in known.items()}
        return of_items(listed, with_annotations(services, "run", made))

    return Listing("run", (Run(services, each) for each in ids), rows)


def queued_runs(services: Services) -> Listing[Run]:
    """Return a listing of the runs that this machine launches itself, with what the waiting ones wait for.

    Args:
        services: The workspace.
    """
    found = services.queue.queue()

    def rows(listed: Sequence[Run]) -> list[dict[str, Any]]:
        known = services.overview.runs([each.run_id for each in found])
        told = {each.run_id: {"run": each.label} for each in found}
        made = {key: told[key] | _row(value) | {"waits": value.waiting_for} for key, value in known.items()}
        return of_items(listed, made)

    return Listing("run", (Run(services, each.run_id) for each in found), rows)


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _row(value: run_values.Run) -> dict[str, Any]:
    times = ("created_at", "started_at", "finished_at")
    return select_columns(value, "number", "status", "step", "total", *times)
