"""The reports of a run that are written together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pipeline_widgets.domain.job import (
    LoadedCode,
    MetricReport,
    Report,
    SavedCheckpoint,
    ScoreReport,
    ShowReport,
)
from pipeline_widgets.domain.usage import Usage
from pipeline_widgets.errors import format_value


@dataclass(slots=True)
class Batch:
    """The reports of a worker since the last write."""

    reported: list[MetricReport] = field(default_factory=list[MetricReport])
    saved: list[SavedCheckpoint] = field(default_factory=list[SavedCheckpoint])
    shown: list[ShowReport] = field(default_factory=list[ShowReport])
    scored: list[ScoreReport] = field(default_factory=list[ScoreReport])
    #: The code that was loaded, where it is not the one that the run's row names.
    loaded: list[LoadedCode] = field(default_factory=list[LoadedCode])
    #: What its processes use, seen from outside of them.
    usage: list[Usage] = field(default_factory=list[Usage])
    #: How many values of metrics were reported.
    points: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.points = sum(len(report.metrics) for report in self.reported)

    @classmethod
    def of(cls, reports: Iterable[Report | Usage]) -> Batch:
        """Return a batch of reports."""
        batch = cls()
        for each in reports:
            batch.add(each)
        return batch

    @classmethod
    def join(cls, batches: Iterable[Batch]) -> Batch:
        """Return the reports of several batches as one."""
        return cls.of(report for batch in batches for report in batch.reports)

    def add(self, report: Report | Usage) -> None:
        """Take a report in."""
        match report:
            case MetricReport():
                self.reported.append(report)
                self.points += len(report.metrics)
            case SavedCheckpoint():
                self.saved.append(report)
            case ShowReport():
                self.shown.append(report)
            case ScoreReport():
                self.scored.append(report)
            case LoadedCode():
                self.loaded.append(report)
            case Usage():
                self.usage.append(report)

    @property
    def reports(self) -> list[Report | Usage]:
        """All reports; checkpoints come before their scores."""
        return [*self.loaded, *self.reported, *self.saved, *self.shown, *self.scored, *self.usage]

    def __bool__(self) -> bool:
        return self.has_reports or bool(self.usage)

    @property
    def has_reports(self) -> bool:
        """Whether the worker has reported: that is written soon, while what is used waits for a beat."""
        return bool(self.reported or self.saved or self.shown or self.scored or self.loaded)

    @property
    def is_report(self) -> bool:
        """Whether it has metrics, progress and usage alone, which change only what is shown of its run."""
        return not (self.saved or self.shown or self.scored or self.loaded)

    def split_by_points(self, most: int) -> list[Batch]:
        """Return the batch in parts of at most that many points, so that no write takes long.

        Checkpoints, shown items and scores are in the last one. What one report has is not taken apart.
        """
        if self.points <= most:
            return [self] if self else []
        parts = [Batch(loaded=self.loaded)]
        for report in self.reported:
            if parts[-1].points and parts[-1].points + len(report.metrics) > most:
                parts.append(Batch())
            parts[-1].add(report)
        last = parts[-1]
        last.saved, last.shown, last.scored, last.usage = self.saved, self.shown, self.scored, self.usage
        return parts

    def split(self) -> tuple[Batch, ...]:
        """Return the batch in two halves; nothing if it is a single metric or report."""
        told = self.reports
        if len(told) == 1 and self.reported and len(self.reported[0].metrics) > 1:
            only = self.reported[0]
            told = [replace(only, metrics={name: value}) for name, value in only.metrics.items()]
        if len(told) <= 1:
            return ()
        return Batch.of(told[: len(told) // 2]), Batch.of(told[len(told) // 2 :])

    def __str__(self) -> str:
        checkpoints = [f"the checkpoint of step {saved.step}" for saved in self.saved]
        shown = [f"the {each.kind} shown at step {each.step}" for each in self.shown]
        scores = [f"the score of step {each.step} by {format_value(each.evaluator)}" for each in self.scored]
        names = (
            f"{format_value(name)} of step {each.step}" for each in self.reported for name in each.metrics
        )
        code = ["the code that it has loaded"] if self.loaded else []
        used = ["the use of CPU, memory and GPU"] if self.usage else []
        named = [*code, *checkpoints, *shown, *scores, *(f"the metric {name}" for name in names), *used]
        return ", ".join(named) or "the progress"
