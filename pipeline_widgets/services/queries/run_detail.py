"""The panel of a stage's run: a frozen value, equal as long as nothing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pipeline_widgets.directions import quote
from pipeline_widgets.domain.artifact_words import describe_role
from pipeline_widgets.domain.checkpoint import Checkpoint, choose_checkpoint, is_finite
from pipeline_widgets.domain.compatibility import AlgorithmSpec
from pipeline_widgets.domain.curve import Curve
from pipeline_widgets.domain.evaluator import Yardstick
from pipeline_widgets.domain.retry import describe_retry
from pipeline_widgets.domain.run import Progress, Run, Status
from pipeline_widgets.domain.shown_item import ShownSummary
from pipeline_widgets.domain.stage_settings import describe_placement
from pipeline_widgets.errors import NotFoundError
from pipeline_widgets.persistence.logs import LOG_READ, render_log
from pipeline_widgets.persistence.store import Store, UnitOfWork
from pipeline_widgets.services.queries.curves import CurveReader, MetricCurve, RunCurves
from pipeline_widgets.services.queries.usage_curves import UsageReader


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointRow:
    """A checkpoint as a table shows it; a score that is missing or not finite is None."""

    id: int
    step: int
    training_score: float | None
    evaluation_score: float | None
    #: Bytes of all files.
    size: int
    #: The run that saved it, as in "run 3".
    run: str
    #: Its scores by evaluators, by name.
    scores: Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointOption:
    """The present meaning of "Best checkpoint" or "Final checkpoint"."""

    #: The step of that checkpoint; None where there is none yet.
    step: int | None
    #: By what it was chosen, such as "best evaluation score 0.98, step 600", or why there is none.
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentMade:
    """The version of an Agent that a run has made."""

    agent_id: int
    name: str
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunDetail:
    """A run at one moment."""

    #: Without its heartbeat, which moves while nothing that is shown changes.
    run: Run
    #: What it started from, in a sentence.
    start: str
    #: The step at which it began: that of the checkpoint that a resumed run goes on from.
    begun: int
    #: The scores first, then the other metrics by name; they begin with those of the runs that it resumed.
    curves: tuple[MetricCurve, ...]
    #: What its processes use over the milliseconds since it began, by resource; empty without a sample.
    usage: tuple[MetricCurve, ...]
    #: Seconds of training by step; empty where no times are known.
    clock: Curve
    #: The steps at which it, and the runs before it, were resumed.
    resumed: tuple[int, ...]
    #: Whether they hold all that was reported.
    whole: bool
    checkpoints: tuple[CheckpointRow, ...]
    #: The id of the best of them; None where none has a score.
    best: int | None
    #: The end of what it has printed.
    log: str
    agent: AgentMade | None
    #: How much it has shown.
    shown: ShownSummary

    def progress(self, now: datetime) -> Progress:
        """Return how far it has come, and the time left on the database's clock."""
        return self.run.progress(now, begun=self.begun)


class RunDetailQueries:
    """Looks at single runs, which are cheap to repeat."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._curves = CurveReader()
        self._usage = UsageReader()

    def run(
        self, run_id: int, *, points: int = 120, lines: int = 40, metrics: int | None = None
    ) -> RunDetail:
        """Return what is to be seen of a run.

        Args:
            run_id: The run.
            points: How many points a curve has at most.
            lines: How many lines of the log are shown at most.
            metrics: How many metrics this look may read; by default all that are new. After a look that
                left some, `whole` is false, and the next one goes on.

        Raises:
            NotFoundError: It is gone.
        """
        with self._store.read() as work:
            run = work.runs.get(run_id)
            start, begun = _start(work, run)
            read = self._curves.read(work, [run_id], points, metrics)[run_id]
            saved = work.checkpoints.of_runs([run_id])
            run_detail = RunDetail(
                run=replace(run, beat_at=None),
                start=" ".join(filter(None, [*_describe_launch(run), _describe_retry(work, run), start])),
                begun=begun,
                curves=read.curves,
                usage=self._usage.read(work, run_id, points),
                clock=read.clock,
                resumed=read.resumed,
                whole=read.whole,
                checkpoints=checkpoint_rows(work, saved),
                best=_best(work, run, saved),
                log="",
                agent=_agent(work, run),
                shown=work.shown_items.summaries([run_id]).get(run_id, ShownSummary(run_id=run_id)),
            )
        return replace(run_detail, log=self._log(run_id, lines))

    def with_reports(
        self, before: RunDetail, *, points: int = 120, lines: int = 40, metrics: int | None = None
    ) -> RunDetail:
        """Return what is to be seen of a run now, where since `before` nothing but reports has been written.

        Args:
            before: What was to be seen of it.
            points: As of `run`, like the others.
            lines: The same.
            metrics: The same.

        Raises:
            NotFoundError: It is gone.
        """
        run_id = before.run.id
        with self._store.read() as work:
            run = work.runs.get(run_id)
            read = self._curves.read(work, [run_id], points, metrics)[run_id]
            usage = self._usage.read(work, run_id, points)
        return replace(
            before,
            run=replace(run, beat_at=None),
            curves=read.curves,
            usage=usage,
            clock=read.clock,
            resumed=read.resumed,
            whole=read.whole,
            log=self._log(run_id, lines),
        )

    def _log(self, run_id: int, lines: int) -> str:
        return render_log(self._store.artifact_store.log(run_id, LOG_READ + 1, waits=False), lines)

    def curves(
        self, run_ids: Sequence[int], *, points: int, metrics: int | None = None
    ) -> dict[int, RunCurves]:
        """Return only the curves of runs, of those that are there still; `points` and `metrics` as above."""
        with self._store.read() as work:
            return self._curves.read(work, run_ids, points, metrics)

    def part(
        self, run_ids: Sequence[int], low: int, high: int, *, points: int, most: int
    ) -> dict[int, tuple[MetricCurve, ...]]:
        """Return the curves of runs from one step to another, with as many points as whole ones have.

        Args:
            run_ids: The runs.
            low: The first step.
            high: The last step.
            points: How many points a curve has at most.
            most: How many metrics may be read; where there are more, there is nothing in the answer.
        """
        with self._store.read() as work:
            return self._curves.part(work, run_ids, low, high, points=points, most=most)


def checkpoint_rows(work: UnitOfWork, checkpoints: Sequence[Checkpoint]) -> tuple[CheckpointRow, ...]:
    """Return checkpoints as a table shows them, each with the run that saved it."""
    makers = work.runs.by_id({checkpoint.run_id for checkpoint in checkpoints})
    given: dict[int, dict[str, float | None]] = {}
    for score in work.evaluators.scores_of_checkpoints([each.id for each in checkpoints]):
        value = score.value if is_finite(score.value) else None
        given.setdefault(score.checkpoint_id, {})[score.evaluator] = value
    return tuple(
        CheckpointRow(
            id=each.id,
            step=each.step,
            training_score=each.training_score if is_finite(each.training_score) else None,
            evaluation_score=each.evaluation_score if is_finite(each.evaluation_score) else None,
            size=each.size,
            run=makers[each.run_id].label,
            scores=given.get(each.id, {}),
        )
        for each in checkpoints
    )


def _start(work: UnitOfWork, run: Run) -> tuple[str, int]:
    """Say what a run starts from, and at which step it begins."""
    if run.start_checkpoint_id is None:
        return "Started from scratch.", 0
    checkpoint = work.checkpoints.by_id([run.start_checkpoint_id]).get(run.start_checkpoint_id)
    if checkpoint is None:
        return "The checkpoint that it started from is gone.", 0
    what = f"step {checkpoint.step} of {_maker(work, checkpoint)}"
    if run.start_role == "resume":
        return f"Resumed from {what}.", checkpoint.step
    if run.is_deployment:
        return f"Deployed {what}.", 0
    if run.start_agent_version_id is not None:
        what = _version(work, run.start_agent_version_id) or what
    return f"Started from {what}" + (
        f", used as {describe_role(run.start_role)}." if run.start_role else "."
    ), 0


def _describe_launch(run: Run) -> tuple[str, ...]:
    """Say for what a run waits, and where it is launched if that is not this machine."""
    waits = f"Waits for {run.waiting_for}." if run.waiting_for else ""
    return waits, describe_placement(run.placement)


def _describe_retry(work: UnitOfWork, run: Run) -> str:
    """Say which retry a run is."""
    if not run.retry:
        return ""
    try:
        stage = work.pipelines.of_stage(run.stage_id or 0).stage(run.stage_id or 0)
    except NotFoundError:
        stage = None
    return describe_retry(run.retry, stage)


def _maker(work: UnitOfWork, checkpoint: Checkpoint) -> str:
    run = work.runs.get(checkpoint.run_id)
    return f"{run.label} of {quote(work.experiments.get(run.trained_experiment_id).name)}"


def _version(work: UnitOfWork, version_id: int) -> str | None:
    """Name the version of a saved Agent; None if the agent was deleted."""
    try:
        version = work.agents.version(version_id)
    except NotFoundError:
        return None
    return f"saved Agent {quote(work.agents.get(version.agent_id).name)}, version {version.number}"


def _best(work: UnitOfWork, run: Run, saved: Sequence[Checkpoint]) -> int | None:
    if not saved or not run.is_training:
        return None
    made_by = work.experiments.get(run.trained_experiment_id).spec
    yardstick = _yardstick(work, run, made_by, saved)
    if yardstick is not None and not yardstick.scores:
        return None
    higher = made_by.higher_is_better
    best = choose_checkpoint(saved, "best", higher_is_better=higher, yardstick=yardstick).checkpoint
    if yardstick is not None:
        return best.id if is_finite(yardstick.scores.get(best.id)) else None
    scored = is_finite(best.evaluation_score) or is_finite(best.training_score)
    return best.id if scored else None


def _yardstick(
    work: UnitOfWork, run: Run, made_by: AlgorithmSpec, saved: Sequence[Checkpoint]
) -> Yardstick | None:
    """Return what Best goes by in the pipeline of a run; None where by the algorithm's own scores."""
    stored = work.evaluators.of_stages([run.stage_id]).get(run.stage_id) if run.stage_id is not None else None
    if stored is None or not stored.spec.accepts_from(made_by):
        return None
    spec = stored.spec
    scores = work.evaluators.scores_of_checkpoints([each.id for each in saved])
    mine = {each.checkpoint_id: each.value for each in scores if each.evaluator == spec.name}
    return Yardstick(spec=spec, scores=mine)


def _agent(work: UnitOfWork, run: Run) -> AgentMade | None:
    """Return the version that the run has saved."""
    made = work.agents.made_by(run.id) if run.status is Status.SUCCEEDED else None
    return AgentMade(agent_id=made[0], name=made[1], number=made[2]) if made else None
